// Regular expressions of text.json, which are those of the Python side.

export const everywhere = (pattern) => new RegExp(pattern, "gu");
export const whole = (pattern) => new RegExp(`^(?:${pattern})$`, "u");

/** One function of [pattern, replacement], ...: each replaces in what the one before it has left. */
export function substitution(pairs) {
  const compiled = pairs.map(([pattern, replacement]) => [everywhere(pattern), replacement]);
  return (text) => compiled.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}

/** Outside, match, outside, ..., outside. */
export function split(text, pattern) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    parts.push(text.slice(end, match.index), match[0]);
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end)];
}
