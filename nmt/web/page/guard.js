// Where a translation loops, vanishes or never ends: a second search by stricter rules. The twin of nmt/search/guard.py.

import { beamSearch, lengthLimits } from "./search.js";

const EOS = 3;
const READ = 0.1; // of a step's attention: a source piece that never got as much was not read
const NGRAM = 3;
const SHORTER = 0.75;

/** What `beamSearch` finds, {hypotheses, faults}, and with fewer faults where the guard is on and it can be had. */
export async function guardedSearch(model, source, options, numSymbols) {
  const first = await judgedSearch(model, source, options, numSymbols);
  if (!options.guard || !first.faults.length) return first;
  const second = await judgedSearch(model, source, stricter(options), numSymbols);
  const fewer = first.faults.length - second.faults.length;
  return fewer > 0 || (fewer === 0 && second.hypotheses[0].score > first.hypotheses[0].score) ? second : first;
}

async function judgedSearch(model, source, options, numSymbols) {
  const hypotheses = await beamSearch(model, source, options, numSymbols);
  return { hypotheses, faults: options.guard ? findFaults(source, hypotheses[0], options, numSymbols) : [] };
}

/** No triple twice, and neither as short nor as long. */
function stricter(options) {
  return {
    ...options,
    noRepeatNgram: Math.min(options.noRepeatNgram || NGRAM, NGRAM),
    minLengthRatio: Math.max(options.minLengthRatio, options.guardMinLengthRatio),
    maxLengthRatio: Math.max(options.minLengthRatio, SHORTER * options.maxLengthRatio),
  };
}

function findFaults(source, { tokens, weights }, options, numSymbols) {
  const fewest = Math.floor(Math.fround(Math.fround(options.guardMinLengthRatio) * source.length));
  const { maximum } = lengthLimits(source, options, 0);
  const something = source.length > 1;
  const isFault = {
    repetition: numRepeats(tokens) > options.guardMaxRepeats + 2 * numRepeats(source),
    length: something && (tokens.length <= 1 || tokens.length < fewest || tokens.length >= maximum),
    coverage: something && shareRead(source, weights) < options.guardMinCoverage,
  };
  return Object.keys(isFault).filter((name) => isFault[name]);
}

/** How many triples of pieces were there before. */
function numRepeats(tokens) {
  const triples = tokens.slice(NGRAM - 1).map((_, place) => tokens.slice(place, place + NGRAM).join(" "));
  return triples.length - new Set(triples).size;
}

/** The share of the source's pieces that some step gave READ of its attention or more. */
function shareRead(source, weights) {
  const pieces = source.flatMap((id, place) => (id === EOS ? [] : [place]));
  const read = pieces.filter((place) => weights.some((step) => step[place] >= READ));
  return pieces.length ? Math.fround(read.length / pieces.length) : 0;
}
