// Which words of a text a model's pieces stand for, and so which words read which. Nothing here touches the page.

export const LINE_ENDS = /(\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])/; // those of Python's str.splitlines
const WORD_START = "▁"; // SentencePiece's mark for the space before a word
const MOST_SKIPPED = 20; // characters of a text that stand in no piece, as where a ligature became letters

/** Lines that are not blank, without the white space around them: [{start, text}]; start counts in the whole text. */
export function linesOf(text) {
  const lines = [];
  let start = 0;
  for (const [i, line] of text.split(LINE_ENDS).entries()) {
    if (i % 2 === 0 && line.trim()) lines.push({ start: start + line.length - line.trimStart().length, text: line.trim() });
    start += line.length;
  }
  return lines;
}

/** Words and punctuation marks: [{start, end, text}]. */
export function wordsOf(text, language) {
  const words = [];
  for (const { segment, index } of segmenter(language).segment(text)) {
    if (segment.trim()) words.push({ start: index, end: index + segment.length, text: segment });
  }
  return words;
}

function segmenter(language) {
  try {
    return new Intl.Segmenter(language ?? undefined, { granularity: "word" });
  } catch {
    return new Intl.Segmenter(undefined, { granularity: "word" }); // a code of the gateway that is none of BCP 47
  }
}

/** Where each piece stands in the text: [start, end], or null. Case may differ: texts in capitals are read without. */
function placesOf(pieces, text) {
  const folded = fold(text);
  const places = [];
  let position = 0;
  for (const piece of pieces) {
    const letters = fold(piece.replaceAll(WORD_START, ""));
    const start = letters ? folded.indexOf(letters, position) : -1;
    if (start < 0 || start - position > MOST_SKIPPED) {
      places.push(null);
    } else {
      position = start + letters.length;
      places.push([start, position]);
    }
  }
  // A mark that stands alone belongs to the piece behind it.
  for (let i = places.length - 2; i >= 0; i--) if (pieces[i] === WORD_START) places[i] = places[i + 1];
  return places;
}

/** In lower case, where that has as many characters. */
function fold(text) {
  return text.replace(/\p{Lu}/gu, (letter) => {
    const lower = letter.toLowerCase();
    return lower.length === letter.length ? lower : letter;
  });
}

/** For each word, the indices of the pieces that stand for it. */
function piecesOf(words, places) {
  return words.map(({ start, end }) =>
    [...places.keys()].filter((i) => places[i] && places[i][0] < end && places[i][1] > start),
  );
}

/**
 * What each word of a line read.
 * @param details of the gateway: sourcePieces, targetPieces, alignment [target pieces][source pieces]
 * @returns {{sources, targets, weights}} words of both sides; weights [targets][sources], 0..1
 */
export function readLine(source, target, details, languages) {
  const sources = wordsOf(source, languages.source);
  const targets = wordsOf(target, languages.target);
  const ofSource = piecesOf(sources, placesOf(details.sourcePieces, source));
  const ofTarget = piecesOf(targets, placesOf(details.targetPieces, target));
  const weights = ofTarget.map((rows) =>
    ofSource.map((columns) => rows.reduce((sum, row) => sum + total(details.alignment[row], columns), 0) / (rows.length || 1)),
  );
  return { sources, targets, weights };
}

function total(row, columns) {
  return columns.reduce((sum, column) => sum + (row?.[column] ?? 0), 0);
}

/**
 * A line in parts for maps that fit a screen: cut only where nothing before reads what anything behind reads, as
 * between sentences, which the model translates one by one.
 * @returns [{targets: [from, to], sources: [from, to]}], `to` not included
 */
export function partsOf({ weights }, most = 40) {
  const spans = weights.map(spanOf);
  const startBehind = spans.map(([start]) => start);
  for (let i = spans.length - 2; i >= 0; i--) startBehind[i] = Math.min(startBehind[i], startBehind[i + 1]);
  const cuts = [];
  let endBefore = 0;
  for (const [i, [, end]] of spans.entries()) {
    if (i > 0 && endBefore <= startBehind[i]) cuts.push(i);
    endBefore = Math.max(endBefore, end);
  }
  const parts = [];
  let from = 0;
  for (const [place, cut] of [...cuts, spans.length].entries()) {
    const next = cuts[place + 1] ?? spans.length;
    if (cut < spans.length && next - from <= most) continue;
    parts.push({ targets: [from, cut], sources: joined(spans.slice(from, cut)) });
    from = cut;
  }
  return parts;
}

/** The first source word that is read at all, and the one behind the last; [Infinity, 0] where none is. */
function spanOf(row) {
  const first = row.findIndex((weight) => weight > 0);
  return first < 0 ? [Infinity, 0] : [first, row.findLastIndex((weight) => weight > 0) + 1];
}

function joined(spans) {
  return [Math.min(...spans.map(([start]) => start)), Math.max(...spans.map(([, end]) => end))];
}
