// Terms and their translations, one a line: source = target.

/** @returns {{terms: [[source, target]], wrong: number}} wrong: the number of the first line that is none, or 0 */
export function readGlossary(text) {
  const terms = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (!line.trim()) continue;
    const [source, target, ...rest] = line.split("=").map((side) => side.trim());
    if (!source || !target || rest.length) return { terms, wrong: i + 1 };
    terms.push([source, target]);
  }
  return { terms, wrong: 0 };
}
