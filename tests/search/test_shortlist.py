"""A search over a shortlist is a search over all pieces that happens to know which ones are of no use."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_model import SOURCE, VOCABULARY, tiny_model

from nmt.config.search import SearchConfig
from nmt.model.maxima import BLOCK
from nmt.search.definitions import IMPOSSIBLE
from nmt.search.lexicon import LISTED
from nmt.search.shortlist import make_shortlist
from nmt.search.translate_ids import translate_ids
from nmt.text.tokenizer import BOS, EOS, FIRST_SYMBOL, PAD

OPTIONS = SearchConfig(beam_size=3, n_best=3, guard=False, max_length_extra=3)
SHORT = OPTIONS.model_copy(update={"shortlist": 2})
# Piece n has two translations, and nothing is frequent.
FEW = np.full((VOCABULARY, LISTED), EOS, np.int32)
for piece in range(FIRST_SYMBOL, VOCABULARY):
    FEW[piece, :2] = FIRST_SYMBOL + np.array([piece, piece + 3]) % (VOCABULARY - FIRST_SYMBOL)
ALL = FEW.copy()
ALL[BOS, :VOCABULARY] = range(VOCABULARY)

MODELS = {
    "one": [tiny_model(end_bias=1.0)],
    "ensemble": [tiny_model(end_bias=1.0), tiny_model({"tied_embeddings": "none"}, end_bias=1.0)],
}


def allowed(row, *, reserved=FIRST_SYMBOL + 1):
    """The pieces that a source row may be translated with under FEW."""
    return {*range(reserved), *FEW[[piece for piece in row if piece != PAD], :2].ravel()}


@pytest.mark.parametrize("models", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("settings", [{}, {"repetition_penalty": 0.5, "no_repeat_ngram": 2}], ids=["plain", "rules"])
def test_with_all_pieces_listed_nothing_changes(models, settings):
    expected = translate_ids(models, SOURCE, OPTIONS.model_copy(update=settings))
    found = translate_ids(models, SOURCE, SHORT.model_copy(update=settings), lexicon=tf.constant(ALL))
    np.testing.assert_array_equal(found.tokens, expected.tokens)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


@pytest.mark.parametrize("models", MODELS.values(), ids=MODELS)
def test_only_what_is_listed_for_a_row_is_written_in_it(models):
    found = translate_ids(models, SOURCE, SHORT, lexicon=tf.constant(FEW))
    free = translate_ids(models, SOURCE, OPTIONS)
    listed = [allowed(row) for row in SOURCE]
    assert all(set(tokens.ravel()) <= ids for tokens, ids in zip(found.tokens.numpy(), listed, strict=True))
    # Or nothing would be tested here:
    assert not all(set(tokens.ravel()) <= ids for tokens, ids in zip(free.tokens.numpy(), listed, strict=True))


def test_a_row_does_not_depend_on_its_batch_mates():
    models = MODELS["one"]
    together = translate_ids(models, SOURCE, SHORT, lexicon=tf.constant(FEW))
    for row, source in enumerate(SOURCE):
        alone = translate_ids(models, source[source != PAD][np.newaxis], SHORT, lexicon=tf.constant(FEW))
        time = alone.tokens.shape[2]
        np.testing.assert_array_equal(together.tokens[row, :, :time], alone.tokens[0])
        np.testing.assert_allclose(together.scores[row], alone.scores[0], atol=1e-5)


def test_log_probabilities_are_those_of_a_choice_among_the_listed_pieces():
    (model,) = MODELS["one"]
    found = translate_ids([model], SOURCE, SHORT, lexicon=tf.constant(FEW))
    for row, tokens in zip(SOURCE, found.tokens.numpy(), strict=True):
        target_in = np.pad(tokens[:, :-1], [(0, 0), (1, 0)], constant_values=BOS)
        logits = model(np.tile(row, [3, 1]), target_in).numpy()
        logits[..., sorted(set(range(VOCABULARY)) - allowed(row))] = IMPOSSIBLE
        each = np.take_along_axis(tf.nn.log_softmax(logits).numpy(), tokens[..., np.newaxis], axis=2)[..., 0]
        expected = np.where(tokens == PAD, 0.0, each).sum(axis=1)
        place = np.flatnonzero((row == SOURCE).all(axis=1))[0]
        np.testing.assert_allclose(found.log_probabilities[place], expected, atol=1e-4)


def test_a_forced_start_is_written_though_it_is_not_listed():
    prefix = np.array([[8, 8], [PAD, PAD], [8, PAD]], np.int32)
    assert 8 not in allowed(SOURCE[0]) | allowed(SOURCE[2])
    found = translate_ids(MODELS["one"], SOURCE, SHORT, lexicon=tf.constant(FEW), prefix=tf.constant(prefix))
    for row, start in enumerate(prefix):
        start = start[start != PAD]
        np.testing.assert_array_equal(found.tokens[row, :, : len(start)], np.tile(start, [3, 1]))


def test_samples_are_of_listed_pieces_too():
    options = SHORT.model_copy(update={"sampling": True})
    noise = np.random.default_rng(1).random((3, 3, 12)).astype(np.float32)
    found = translate_ids(MODELS["one"], SOURCE, options, lexicon=tf.constant(FEW), noise=noise)
    for row, tokens in zip(SOURCE, found.tokens.numpy(), strict=True):
        assert set(tokens.ravel()) <= allowed(row)


def test_symbols_keep_their_numbers_and_are_always_there():
    listed = make_shortlist(
        tf.constant(SOURCE), tf.constant(FEW), size=2, vocabulary=VOCABULARY, num_symbols=2, prefix=None
    )
    np.testing.assert_array_equal(listed.ids[: FIRST_SYMBOL + 3], range(FIRST_SYMBOL + 3))  # and the joiner
    assert listed.ids.shape[0] % BLOCK == 0
    for row, choices in zip(SOURCE, listed.choices.numpy(), strict=True):
        expected = allowed(row, reserved=FIRST_SYMBOL + 3)
        assert set(listed.ids.numpy()[choices == 0.0]) == expected
        assert np.all(choices[choices != 0.0] == IMPOSSIBLE)


def test_an_empty_batch_has_no_translations():
    found = translate_ids(MODELS["one"], tf.zeros([0, 1], tf.int32), SHORT, lexicon=tf.constant(FEW))
    assert found.tokens.shape[:2] == (0, 3)


def test_a_graph_that_knows_no_shapes_writes_what_python_does_symbols_included():
    lexicon = tf.constant(FEW)
    signature = [tf.TensorSpec([None, None], tf.int32)]

    def translate(source):
        return translate_ids(MODELS["one"], source, SHORT, num_symbols=2, lexicon=lexicon)

    found = tf.function(translate, input_signature=signature, autograph=False)(SOURCE)
    expected = translate(tf.constant(SOURCE))
    np.testing.assert_array_equal(found.tokens, expected.tokens)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
