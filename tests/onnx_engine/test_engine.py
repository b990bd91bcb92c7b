"""The engine of an export finds what the engine of the models it was made of finds."""

import numpy as np
import pytest
from tiny_model import VOCABULARY, tiny_model
from tiny_onnx import write_tiny_onnx

from nmt.config.search import SearchConfig
from nmt.data.batches import make_batch
from nmt.onnx_engine.engine import OnnxEngine
from nmt.onnx_engine.sessions import OnnxModel
from nmt.search.lexicon import LISTED
from nmt.text.tokenizer import EOS, FIRST_SYMBOL, PAD
from nmt.translation.model_engine import ModelEngine

SYMBOLS = 2
BASE = {"beam_size": 3, "n_best": 2, "max_length_extra": 4, "guard": False}
OPTIONS = {
    "plain steps": {"beam_size": 2, "min_length_ratio": 0.8},
    "plain steps, greedy": {"beam_size": 1, "n_best": 1, "guard": True},
    "greedy": {"beam_size": 1, "n_best": 1, "coverage_penalty": 0.3},
    "guard": {"guard": True, "length_penalty": 0.0},
    "shortlist without repetitions": {
        "shortlist": 2,
        "no_repeat_ngram": 2,
        "repetition_penalty": 0.4,
        "min_length_ratio": 0.8,
    },
    "sampling": {"sampling": True, "temperature": 1.5, "top_p": 0.9, "repetition_penalty": 0.2},
}
LEXICON = np.full((VOCABULARY, LISTED), EOS, np.int32)
for piece in range(FIRST_SYMBOL, VOCABULARY):
    LEXICON[piece, :2] = FIRST_SYMBOL + np.array([piece, piece + 3]) % (VOCABULARY - FIRST_SYMBOL)


def padded(rows):
    width = max(map(len, rows), default=0)
    return np.array([[*row, *[PAD] * (width - len(row))] for row in rows], np.int32).reshape(len(rows), width)


def sources(count=12):
    random = np.random.default_rng(5)
    return padded([[*random.integers(EOS + 1, VOCABULARY, size=size % 8), EOS] for size in range(count)])


PREFIXES = {
    "free": padded([[]] * 12),
    "prefix": padded([[8, 9, 6], [7], [], [4], [], [], [10], [9, 9], [], [], [], [5]]),
}


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    model = tiny_model({"attention": {"score": "scaled"}}, end_bias=0.5)
    settings = {"attention": {"score": "scaled"}}
    export = write_tiny_onnx(tmp_path_factory.mktemp("export"), model, settings, first_ids=FIRST_SYMBOL + SYMBOLS)
    return ModelEngine([model], lexicon=LEXICON), OnnxEngine(OnnxModel(export), lexicon=LEXICON)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("changes", OPTIONS)
def test_both_engines_find_the_same(engines, changes, prefix):
    options = SearchConfig(**BASE | OPTIONS[changes])
    expected, found = (
        engine.search(sources(), options, prefix=PREFIXES[prefix], num_symbols=SYMBOLS, with_weights=True)
        for engine in engines
    )
    for name, value in expected._asdict().items():
        if name in ("tokens", "lengths", "faults") and value is not None:
            np.testing.assert_array_equal(getattr(found, name), value, err_msg=name)
        elif value is not None:
            np.testing.assert_allclose(getattr(found, name), value, atol=1e-4, err_msg=name)
    assert (found.faults is None) == (expected.faults is None)


def test_both_engines_give_the_same_scores(engines):
    source = [row[row > EOS].tolist() for row in sources()]
    batch = make_batch(source, source[::-1])
    expected, found = (engine.score(batch) for engine in engines)
    real = batch.target_out != PAD
    np.testing.assert_allclose(found[real], expected[real], atol=1e-4)


def test_what_was_not_asked_for_is_none(engines):
    options = SearchConfig(**BASE)
    found = engines[1].search(sources(), options, prefix=PREFIXES["free"], num_symbols=0, with_weights=False)
    assert found.weights is found.faults is found.features is None


def test_a_shortlist_without_a_lexicon_is_an_error(engines):
    engine = OnnxEngine(engines[1].model)
    with pytest.raises(ValueError, match=r"search\.shortlist is 2, but .* has no lexicon"):
        engine.search(sources(), SearchConfig(shortlist=2), prefix=PREFIXES["free"], num_symbols=0, with_weights=False)


def test_a_search_asks_for_few_tokens_unless_a_prefix_or_a_sample_needs_all(engines, monkeypatch):
    asked = []
    model = engines[1].model
    step = model.step

    def noting(*arguments, num_best, **more):
        asked.append(num_best)
        return step(*arguments, num_best=num_best, **more)

    monkeypatch.setattr(model, "step", noting)
    for options, prefix in ((BASE, "free"), (BASE, "prefix"), (BASE | {"sampling": True}, "free")):
        engines[1].search(
            sources(), SearchConfig(**options), prefix=PREFIXES[prefix], num_symbols=0, with_weights=False
        )
        asked.append("end")
    free, prefix, sampling = (part.split() for part in " ".join(map(str, asked)).split("end")[:3])
    assert set(free) == {"6"}
    assert prefix[:3] == ["None"] * 3
    assert set(prefix[3:]) == {"6"}
    assert set(sampling) == {"None"}
