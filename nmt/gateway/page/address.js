// The address of the page holds the languages, and the text only where the person wants it. It stands behind the #,
// so no server gets to see it.

/** {source, target, text}, each null where the address does not say. */
export function readAddress() {
  const fields = new URLSearchParams(location.hash.slice(1));
  return { source: fields.get("source"), target: fields.get("target"), text: fields.get("text") };
}

export function writeAddress({ source, target, text }) {
  const fields = new URLSearchParams({ source, target, ...(text ? { text } : {}) });
  history.replaceState(null, "", `#${fields}`);
}
