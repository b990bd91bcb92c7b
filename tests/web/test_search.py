"""The page's search, in a browser, above a toy model: the same hypotheses as the search in NumPy."""

import numpy as np
import pytest

from nmt.config.search import SearchConfig
from nmt.numpy_search.guard import find_faults, guarded_search
from nmt.numpy_search.rules import count_symbols
from nmt.numpy_search.search import beam_search
from nmt.numpy_search.step import StepScores
from nmt.search.faults import FAULTS
from nmt.text.tokenizer import EOS, FIRST_SYMBOL, PAD
from nmt.web.rules import search_rules
from nmt.web.write import copy_page

VOCABULARY, SYMBOLS, LONGEST = 16, 2, 60
FIRST_IDS = FIRST_SYMBOL + SYMBOLS
random = np.random.default_rng(1)
# The next token depends on the last one and on the time; so does what is read.
OF_TOKEN = random.normal(scale=1.5, size=(VOCABULARY, VOCABULARY)).astype(np.float32)
OF_TIME = random.normal(size=(LONGEST, VOCABULARY)).astype(np.float32)
READ = random.normal(scale=2.0, size=(VOCABULARY, LONGEST)).astype(np.float32)
SOURCES = [[*random.integers(FIRST_SYMBOL, VOCABULARY, random.integers(2, 9)).tolist(), EOS] for _ in range(30)]

MODEL = """{
  encode: async (source) => ({ state: [0], memory: source.length }),
  step: async ({ tokens, state, memory, most, withWeights }) => {
    const sorted = [];
    const first = tokens.map((token, row) => {
      const logits = ofToken[token].map((each, id) => each + ofTime[state[row]][id]);
      const normalizer = Math.log(logits.reduce((sum, each) => sum + Math.exp(each), 0));
      const all = Float32Array.from(logits, (each) => each - normalizer);
      const others = [...all.keys()].slice(firstIds).sort((one, other) => all[other] - all[one]);
      sorted.push(others.slice(0, most ?? 0).map((id) => [id, all[id]]));
      return most === null ? all : all.slice(0, firstIds);
    });
    const weights = tokens.map((token) => {
      const exponentials = read[token].slice(0, memory).map(Math.exp);
      const sum = exponentials.reduce((total, each) => total + each, 0);
      return Float32Array.from(exponentials, (each) => each / sum);
    });
    return {
      first, tokens: sorted.map((row) => row.map(([id]) => id)), best: sorted.map((row) => row.map(([, each]) => each)),
      weights: withWeights ? weights : null, state: state.map((time) => time + 1),
    };
  },
  reorder: (state, rows) => rows.map((row) => state[row]),
}"""

OPTIONS = {
    "beam": {"beam_size": 4, "n_best": 4},
    "greedy": {"beam_size": 1},
    "wider than the vocabulary": {"beam_size": 20, "n_best": 3},
    "plain log-probability": {"beam_size": 3, "length_penalty": 0.0},
    "coverage": {"beam_size": 3, "coverage_penalty": 0.5, "n_best": 2},
    "no bigram twice": {"beam_size": 3, "no_repeat_ngram": 2},
    "no token twice": {"beam_size": 3, "no_repeat_ngram": 1, "min_length_ratio": 1.9},
    "a penalty for repetitions": {"beam_size": 3, "repetition_penalty": 0.7, "n_best": 3},
    "long": {"beam_size": 4, "min_length_ratio": 1.5},
    "short": {"beam_size": 4, "max_length_ratio": 0.3, "max_length_extra": 1},
    "strict guard": {"beam_size": 3, "n_best": 2, "guard": True, "guard_max_repeats": 0, "guard_min_coverage": 0.95},
}  # fmt: skip
CASES = [*((settings, SYMBOLS) for settings in OPTIONS.values()), (OPTIONS["beam"], 0)]


@pytest.fixture(scope="module")
def page(tab, serving, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    copy_page(folder)
    with serving(folder) as address:
        tab.goto(f"{address}/icon.svg")
        yield tab


def step(tokens, state, memory, num_best):
    """The same model: state is (time [rows],), memory (what masks attention [batch, source_time],)."""
    last = tokens.reshape(-1)
    logits = OF_TOKEN[last] + OF_TIME[state[0]]
    scores = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    masking = np.repeat(memory[0], tokens.shape[1], axis=0)  # [rows, source_time]
    read = np.exp(READ[last, : masking.shape[1]] + masking)
    others = np.argsort(-scores[:, FIRST_IDS:], axis=1)[:, :num_best] + FIRST_IDS
    all_ = StepScores(scores, others[:, :0], scores[:, :0])
    some = StepScores(scores[:, :FIRST_IDS], others, np.take_along_axis(scores, others, axis=1))
    return all_ if num_best is None else some, (state[0] + 1,), read / read.sum(axis=1, keepdims=True)


def in_numpy(options: SearchConfig, num_symbols: int):
    rows = np.full((len(SOURCES), max(map(len, SOURCES))), PAD, np.int32)
    for row, source in zip(rows, SOURCES, strict=True):
        row[: len(source)] = source

    def search(source, options, prefix):
        found = beam_search(
            step,
            (np.zeros(len(source), np.int32),),
            (np.where(source != PAD, 0, -1e9).astype(np.float32),),
            source_lengths=(source != PAD).sum(axis=1),
            source_time=source.shape[1],
            options=options,
            required=count_symbols(source, num_symbols) if num_symbols else None,
            with_weights=True,
        )
        return found._replace(faults=find_faults(source, found, options))

    return guarded_search(search, rows, options, prefix=None)


@pytest.mark.parametrize(("settings", "num_symbols"), CASES, ids=[*OPTIONS, "no symbols"])
def test_a_search_finds_what_that_in_numpy_finds(page, settings, num_symbols):
    options = SearchConfig(**{"guard": False, **settings})
    found = page.evaluate(
        """async ([ofToken, ofTime, read, firstIds, options, sources, numSymbols]) => {
          const { guardedSearch } = await import("/guard.js");
          const model = MODEL;
          return Promise.all(sources.map((source) => guardedSearch(model, source, options, numSymbols)));
        }""".replace("MODEL", MODEL),
        [
            *(each.tolist() for each in (OF_TOKEN, OF_TIME, READ)),
            FIRST_IDS,
            {**search_rules(options), "nBest": options.n_best, "withWeights": True},
            SOURCES,
            num_symbols,
        ],
    )
    expected = in_numpy(options, num_symbols)
    for row, result in enumerate(found):
        lengths = [length for length in expected.lengths[row] if length]
        tokens = [each[:length].tolist() for each, length in zip(expected.tokens[row], lengths, strict=False)]
        assert [each["tokens"] for each in result["hypotheses"]] == tokens
        scores = [each["score"] for each in result["hypotheses"]]
        np.testing.assert_allclose(scores, expected.scores[row, : len(lengths)], atol=1e-4)
        for place, each in enumerate(result["hypotheses"]):
            weights = expected.weights[row, place, : lengths[place], : len(SOURCES[row])]
            np.testing.assert_allclose(each["weights"], weights, atol=1e-5)
        if options.guard:
            assert result["faults"] == [name for name, has in zip(FAULTS, expected.faults[row], strict=True) if has]
