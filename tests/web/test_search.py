"""The page's search, in a browser, above a toy model: the same hypotheses as the search of TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.search.faults import FAULTS
from nmt.search.guard import find_faults, guarded_search
from nmt.search.search import TokenScores, beam_search, count_symbols
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


def step(tokens, state, memory):
    logits = tf.gather(OF_TOKEN, tf.reshape(tokens, [-1])) + tf.gather(OF_TIME, state)
    masking = tf.repeat(memory, tf.shape(tokens)[1], axis=0)  # [rows, source_time]
    weights = tf.nn.softmax(tf.gather(READ, tf.reshape(tokens, [-1]))[:, : tf.shape(masking)[1]] + masking)
    return TokenScores(logits, tf.reduce_logsumexp(logits, axis=1, keepdims=True)), state + 1, weights


def in_tensorflow(options: SearchConfig, num_symbols: int):
    rows = tf.ragged.constant(SOURCES, dtype=tf.int32).to_tensor(PAD)

    def search(source, options, prefix):
        found = beam_search(
            step,
            tf.zeros([tf.shape(source)[0]], tf.int32),
            tf.where(source != PAD, 0.0, -1e9),
            source_lengths=tf.math.count_nonzero(source != PAD, axis=1, dtype=tf.int32),
            source_time=tf.shape(source)[1],
            options=options,
            required=count_symbols(source, num_symbols) if num_symbols else None,
            with_weights=True,
        )
        return found._replace(faults=find_faults(source, found, options))

    return guarded_search(search, rows, options, prefix=None)


@pytest.mark.parametrize(("settings", "num_symbols"), CASES, ids=[*OPTIONS, "no symbols"])
def test_a_search_finds_what_tensorflows_finds(page, settings, num_symbols):
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
    expected = in_tensorflow(options, num_symbols)
    for row, result in enumerate(found):
        lengths = [length for length in expected.lengths[row].numpy() if length]
        tokens = [each[:length].tolist() for each, length in zip(expected.tokens[row].numpy(), lengths, strict=False)]
        assert [each["tokens"] for each in result["hypotheses"]] == tokens
        scores = [each["score"] for each in result["hypotheses"]]
        np.testing.assert_allclose(scores, expected.scores[row, : len(lengths)], atol=1e-4)
        for place, each in enumerate(result["hypotheses"]):
            weights = expected.weights[row, place, : lengths[place], : len(SOURCES[row])]
            np.testing.assert_allclose(each["weights"], weights, atol=1e-5)
        if options.guard:
            assert result["faults"] == [name for name, has in zip(FAULTS, expected.faults[row], strict=True) if has]
