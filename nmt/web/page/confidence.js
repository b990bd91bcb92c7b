// How good a translation is expected to be: the twin of nmt/search/features.py and of Calibration.confidence.

const EOS = 3;
const STRETCH = 4;
const [UNREAD, HARDLY_READ] = [0.1, 0.3];
const MANY = 12;

/** The features of a hypothesis, in the order of the calibration's coefficients. */
export function features(source, { tokens, logProbability, weights }) {
  const total = source.map((_, place) => sum(weights.map((step) => step[place])));
  const read = total.map((each) => Math.min(each, 1));
  const strongest = source.map((_, place) => Math.max(...weights.map((step) => step[place])));
  const entropies = weights.map((step) => -sum(Array.from(step, (each) => (each > 0 ? each * Math.log(each) : 0))));
  const pieces = source.flatMap((id, place) => (id === EOS ? [] : [place]));
  const shareOfMany = (places) => Math.min(places.length / MANY, 1);
  return [
    Math.exp(logProbability / tokens.length),
    sum(read) / source.length,
    sum(entropies) / tokens.length,
    Math.log(source.length),
    leastRead(pieces.map((place) => read[place])),
    shareOfMany(pieces.filter((place) => strongest[place] < UNREAD)),
    shareOfMany(pieces.filter((place) => read[place] < HARDLY_READ)),
  ];
}

/** Of a line's chunks, {features, length} each: the confidence in [0, 1]; 1 where there is nothing to get wrong. */
export function confidence({ intercept, coefficients }, chunks) {
  if (!chunks.length) return 1;
  const lengths = sum(chunks.map((chunk) => chunk.length));
  const mean = coefficients.map((_, place) => sum(chunks.map((each) => each.features[place] * each.length)) / lengths);
  return 1 / (1 + Math.exp(-intercept - sum(coefficients.map((each, place) => each * mean[place]))));
}

/** The least mean of STRETCH neighbours, or of all where these are fewer. */
function leastRead(read) {
  const size = Math.min(read.length, STRETCH);
  const means = read.slice(size - 1).map((_, place) => sum(read.slice(place, place + size)) / size);
  return Math.min(...means);
}

function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}
