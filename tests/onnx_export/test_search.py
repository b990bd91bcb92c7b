"""Many steps of a search in one graph find what steps one by one find."""

import numpy as np
import pytest
from tiny_model import SOURCE, VARIANTS, VOCABULARY, tiny_model
from tiny_onnx import write_tiny_onnx

from nmt.config.search import SearchConfig
from nmt.numpy_search.search import beam_search
from nmt.numpy_search.shortlist import make_columns
from nmt.onnx_engine.sessions import OnnxModel
from nmt.text.tokenizer import FIRST_SYMBOL, PAD

OPTIONS = {
    "the defaults": {"beam_size": 3},
    "greedy": {"beam_size": 1},
    "several, long": {"beam_size": 3, "n_best": 3, "min_length_ratio": 1.5, "max_length_extra": 1},
    "longer than it may be": {"beam_size": 2, "min_length_ratio": 4.0, "max_length_ratio": 1.0},
    "several, short": {"beam_size": 2, "n_best": 2, "length_penalty": 0.0, "max_length_ratio": 0.5},
}
OTHERS = VOCABULARY - FIRST_SYMBOL
LEXICON = (FIRST_SYMBOL + np.add.outer(np.arange(VOCABULARY), np.arange(4)) % OTHERS).astype(np.int32)
FREE = np.full([len(SOURCE), 0], PAD, np.int32)


MODELS = {name: (settings, 1.0) for name, settings in VARIANTS.items()}
MODELS |= {"hardly ends": ({}, -1.0), "ends soon": ({}, 3.0)}


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS)
def onnx(request, tmp_path_factory):
    settings, end_bias = request.param
    model = tiny_model(settings, end_bias=end_bias)
    return OnnxModel(write_tiny_onnx(tmp_path_factory.mktemp("export"), model, settings))


def search(onnx, options, *, plain, source=SOURCE, prefix=FREE, shortlist=False):
    """What is found, and how many steps were made one by one, and at once."""
    memory, state = onnx.encode(source)
    columns, single, at_once = None, [], []
    if shortlist:
        sizes = {"size": 4, "vocabulary": VOCABULARY, "first_ids": onnx.first_ids, "num_symbols": 0}
        memory, columns = onnx.gather(memory, make_columns(source, LEXICON, **sizes, prefix=prefix))

    def step(tokens, state, memory, num_best):
        single.append(1)
        return onnx.step(tokens, state, memory, num_best=num_best, columns=columns, with_weights=True)

    def plain_steps(*inputs, **more):
        found = onnx.plain_steps(*inputs, **more, columns=columns)
        at_once.append(len(found.weights))
        return found

    found = beam_search(
        *(step, state, memory),
        source_lengths=np.count_nonzero(source, axis=1),
        source_time=source.shape[1],
        options=SearchConfig(**options),
        prefix=prefix,
        with_weights=True,
        plain_steps=plain_steps if plain else None,
    )
    return found, sum(single), sum(at_once)


def assert_same(found, expected):
    np.testing.assert_array_equal(found.tokens, expected.tokens)
    np.testing.assert_array_equal(found.lengths, expected.lengths)
    for name in ("scores", "log_probabilities", "weights"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-5, err_msg=name)


@pytest.mark.parametrize("shortlist", [False, True], ids=["all", "shortlist"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_steps_at_once_find_what_steps_one_by_one_find(onnx, options, shortlist):
    expected, steps, _ = search(onnx, options, plain=False, shortlist=shortlist)
    found, single, at_once = search(onnx, options, plain=True, shortlist=shortlist)
    assert_same(found, expected)
    assert (single, at_once) == (0, steps)


def test_a_row_does_not_depend_on_its_batch(onnx):
    together, _, _ = search(onnx, OPTIONS["several, long"], plain=True)
    for row in range(len(SOURCE)):
        source = SOURCE[row : row + 1, : np.count_nonzero(SOURCE[row])]
        alone, _, _ = search(onnx, OPTIONS["several, long"], plain=True, source=source, prefix=FREE[:1])
        time = alone.tokens.shape[2]
        np.testing.assert_array_equal(alone.tokens[0], together.tokens[row, :, :time])
        np.testing.assert_allclose(alone.scores[0], together.scores[row], atol=1e-5)


@pytest.mark.parametrize(
    "rule",
    [{"coverage_penalty": 0.4}, {"no_repeat_ngram": 2}, {"repetition_penalty": 0.3}],
    ids=lambda rule: next(iter(rule)),
)
def test_where_more_than_lengths_counts_steps_are_made_one_by_one(onnx, rule):
    options = OPTIONS["the defaults"] | rule
    expected, steps, _ = search(onnx, options, plain=False)
    found, single, at_once = search(onnx, options, plain=True)
    assert_same(found, expected)
    assert (single, at_once) == (steps, 0)


def test_a_prefix_is_followed_by_steps_at_once(onnx):
    prefix = np.array([[5, 6], [7, PAD], [PAD, PAD]], np.int32)
    options = OPTIONS["several, long"]
    expected, steps, _ = search(onnx, options, plain=False, prefix=prefix)
    found, single, at_once = search(onnx, options, plain=True, prefix=prefix)
    assert_same(found, expected)
    assert (single, at_once) == (2, steps - 2)
