// Beam search for one source: the twin of nmt/search/search.py and rules.py; a beam of 1 is greedy.
//
// `model.encode(source)` gives {state, memory}; `model.step({tokens, state, memory, most, withWeights})` of one token for
// each hypothesis gives {first, tokens, best, state, weights}: log-probabilities of the first ids (special ones and
// symbols) [rows][ids], the `most` most likely other tokens [rows][most] and theirs, the attention [rows][sourceTime].
// `most` = null asks for all: then `first` has the whole vocabulary. `model.reorder(state, rows)` takes rows of a state.

const [BOS, EOS] = [2, 3];
export const FIRST_SYMBOL = 4;
const LEAST_COVERAGE = 1e-9;

/**
 * @param source: ids, EOS last. options: settings of search. numSymbols: so many ids from FIRST_SYMBOL on are written
 *   exactly as often as the source has them.
 * @returns the best hypotheses, best first: {tokens (EOS last), score, logProbability, weights ([time][sourceTime])}.
 */
export async function beamSearch(model, source, options, numSymbols) {
  const rules = makeRules(source, options, numSymbols);
  let { state, memory } = await model.encode(source);
  let alive = [{ rank: 0, logProbability: 0, token: BOS, parent: null, missing: rules.required, coverage: null }];
  let finished = [];
  let numFinished = 0;
  for (let time = 0; alive.length; time++) {
    const bans = alive.map((each) => (options.noRepeatNgram ? ngramEnds(each, options.noRepeatNgram, rules) : null));
    const most = options.repetitionPenalty ? null
      : 2 * options.beamSize + Math.max(0, ...bans.map((ban) => ban?.size ?? 0));
    const found = await model.step({
      tokens: alive.map((each) => each.token), state, memory, most, withWeights: rules.withWeights,
    });
    const candidates = alive
      .flatMap((each, slot) => continuations(each, slot, found, { time, bans: bans[slot], rules }))
      .sort((one, other) => other.rank - one.rank || one.slot - other.slot || one.token - other.token)
      .slice(0, 2 * options.beamSize);
    const ended = candidates.slice(0, options.beamSize).filter((each) => each.token === EOS);
    numFinished += ended.length;
    const judged = ended.map((each) => ({ ...each, rank: score(each.rank, time + 1, each.coverage, rules) }));
    finished = [...finished, ...judged].sort((one, other) => other.rank - one.rank).slice(0, options.nBest);
    alive = candidates.filter((each) => each.token !== EOS).slice(0, options.beamSize);
    // A log-probability only falls and coverage adds at most 0, so no alive hypothesis can end above this.
    const reachable = alive.length ? Math.fround(alive[0].rank / rules.largestPenalty) : -Infinity;
    const worst = finished.length === options.nBest ? finished.at(-1).rank : -Infinity;
    if (numFinished >= options.beamSize || worst >= reachable) break;
    state = model.reorder(found.state, alive.map((each) => each.slot));
  }
  return finished.map((each) => hypothesis(each, rules));
}

/** What the options mean for a source. Lengths count EOS. */
function makeRules(source, options, numSymbols) {
  const { minimum, maximum } = lengthLimits(source, options, numSymbols);
  return {
    options,
    minimum,
    maximum,
    numSymbols,
    required: countSymbols(source, numSymbols),
    largestPenalty: lengthPenalty(maximum, options),
    withWeights: options.guard || options.withWeights || options.coveragePenalty > 0,
  };
}

/** The fewest and the most tokens, EOS included, that a translation of a source may have. */
export function lengthLimits(source, options, numSymbols) {
  const times = (ratio) => Math.fround(Math.fround(ratio) * source.length);
  const maximum = Math.ceil(times(options.maxLengthRatio)) + options.maxLengthExtra;
  const needed = 1 + sum(countSymbols(source, numSymbols));
  return { minimum: Math.floor(times(options.minLengthRatio)), maximum: Math.max(maximum, needed) };
}

function countSymbols(source, numSymbols) {
  const counts = new Array(numSymbols).fill(0);
  for (const id of source) if (id >= FIRST_SYMBOL && id < FIRST_SYMBOL + numSymbols) counts[id - FIRST_SYMBOL]++;
  return counts;
}

/** What a hypothesis becomes with each token that may follow. */
function continuations(alive, slot, found, { time, bans, rules }) {
  const { options, numSymbols } = rules;
  const owed = sum(alive.missing);
  // What is missing keeps its steps to the end: when no others are left, nothing else may be written.
  const goesOn = time + 1 + owed < rules.maximum;
  const mayEnd = (time + 1 >= rules.minimum || time + 1 >= rules.maximum) && owed === 0;
  const read = found.weights?.[slot] ?? null;
  const coverage = options.coveragePenalty ? added(alive.coverage, read) : null;
  const counts = options.repetitionPenalty ? countTokens(alive) : null;

  const next = (token, own) => {
    const penalty = counts ? options.repetitionPenalty * (counts.get(token) ?? 0) : 0;
    const missing = isSymbol(token) ? alive.missing.with(token - FIRST_SYMBOL, alive.missing[token - FIRST_SYMBOL] - 1)
      : alive.missing;
    return {
      rank: Math.fround(alive.rank + Math.fround(own - penalty)),
      logProbability: Math.fround(alive.logProbability + own),
      token, parent: alive, slot, read, coverage, missing,
    };
  };
  const isSymbol = (token) => token >= FIRST_SYMBOL && token < FIRST_SYMBOL + numSymbols;
  const possible = [];
  const first = found.first[slot];
  for (let token = FIRST_SYMBOL; token < first.length; token++) {
    if (isSymbol(token) ? alive.missing[token - FIRST_SYMBOL] > 0 : goesOn && !bans?.has(token)) {
      possible.push(next(token, first[token]));
    }
  }
  if (goesOn) {
    found.tokens[slot].forEach((token, place) => {
      if (!bans?.has(token)) possible.push(next(token, found.best[slot][place]));
    });
  }
  // A hypothesis that may not go on may end, however short it is.
  const stuck = options.noRepeatNgram && options.minLengthRatio && !possible.length;
  if (mayEnd || stuck) possible.push(next(EOS, first[EOS]));
  return possible.filter((each) => each.rank > -Infinity);
}

/** The tokens that would complete an n-gram of `size` which the hypothesis already has. */
function ngramEnds(alive, size, rules) {
  const written = tokensOf(alive);
  const ends = new Set();
  const context = written.slice(written.length - size + 1);
  for (let place = 0; place + size <= written.length; place++) {
    const token = written[place + size - 1];
    const isSymbol = token >= FIRST_SYMBOL && token < FIRST_SYMBOL + rules.numSymbols;
    if (!isSymbol && context.every((each, offset) => written[place + offset] === each)) ends.add(token);
  }
  return ends;
}

function tokensOf(hypothesis) {
  const tokens = [];
  for (let each = hypothesis; each.parent; each = each.parent) tokens.push(each.token);
  return tokens.reverse();
}

function countTokens(alive) {
  const counts = new Map();
  for (const token of tokensOf(alive)) counts.set(token, (counts.get(token) ?? 0) + 1);
  return counts;
}

function hypothesis(found, rules) {
  const tokens = tokensOf(found);
  const weights = [];
  for (let each = found; each.parent; each = each.parent) weights.push(each.read);
  const { logProbability, coverage } = found;
  return {
    tokens,
    logProbability,
    score: score(logProbability, tokens.length, coverage, rules),
    weights: rules.withWeights ? weights.reverse() : null,
  };
}

/** ((5 + |Y|) / 6) ^ alpha of Wu et al. 2016, eq. 14. */
function lengthPenalty(length, options) {
  return Math.fround(Math.fround((5 + length) / 6) ** options.lengthPenalty);
}

/** Wu et al. 2016, eq. 14: log P / length penalty + beta x sum_i log(min(sum_j p_ij, 1)). */
function score(logProbability, length, coverage, rules) {
  let result = logProbability / lengthPenalty(length, rules.options);
  if (coverage) {
    const read = coverage.map((each) => Math.log(Math.min(Math.max(each, LEAST_COVERAGE), 1)));
    result += rules.options.coveragePenalty * sum(read);
  }
  return Math.fround(result);
}

function added(coverage, read) {
  return coverage ? coverage.map((each, place) => Math.fround(each + read[place])) : Float32Array.from(read);
}

function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}
