"""The guard: loops, empty, endless and half-read translations are found, mended where it can be, and flagged."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_model import VOCABULARY, tiny_model

from nmt.config.search import SearchConfig
from nmt.model.losses import token_log_probabilities
from nmt.numpy_search import guard as numpy_guard
from nmt.search import guard
from nmt.search.definitions import READ, Hypotheses
from nmt.search.faults import FAULTS
from nmt.search.guard import find_faults
from nmt.search.translate_ids import translate_ids
from nmt.text.tokenizer import BOS, EOS, PAD

OPTIONS = SearchConfig(beam_size=3, n_best=2, length_penalty=0.0, max_length_ratio=2.0, max_length_extra=4)
REAL = range(EOS + 1, VOCABULARY)


def padded(rows, width=0):
    width = max([width, *map(len, rows)])
    return np.array([[*row, *[PAD] * (width - len(row))] for row in rows], np.int32)


def sources(count=24, seed=0):
    random = np.random.default_rng(seed)
    return padded([[*random.choice(REAL, size=random.integers(1, 9)), EOS] for _ in range(count)])


def hypotheses(tokens, weights):
    """One hypothesis a row, of pieces without EOS, each reading as `weights` [time, source_time] says."""
    ends = padded([[*row, EOS] for row in tokens])
    lengths = np.array([[len(row) + 1] for row in tokens], np.int32)
    nothing = np.zeros(lengths.shape, np.float32)
    return Hypotheses(ends[:, np.newaxis], nothing, nothing, lengths, weights[:, np.newaxis])


@pytest.fixture(params=[guard, numpy_guard], ids=["tensorflow", "numpy"])
def library(request):
    return request.param


@pytest.fixture
def faults(library):
    def of(source, target, options=OPTIONS, read=None, prefix=None):
        """The names of what is wrong with `target` as a translation of `source`, both pieces without EOS."""
        weights = np.ones([1, len(target) + 1, len(source) + 1], np.float32) if read is None else read[np.newaxis]
        ids = padded([[*source, EOS]])
        (found,) = np.asarray(library.find_faults(ids, hypotheses([target], weights), options, prefix=prefix))
        return {name for name, has in zip(FAULTS, found, strict=True) if has}

    return of


def repeats(pieces):
    triples = list(zip(pieces, pieces[1:], pieces[2:], strict=False))
    return len(triples) - len(set(triples))


def compiled(model, options=OPTIONS, **arguments):
    """translate_ids as one graph for sources of any shape."""
    return tf.function(
        lambda ids: translate_ids([model], ids, options, **arguments),
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
        autograph=False,
    )


def unguarded(model, source, options=OPTIONS):
    return compiled(model, options.model_copy(update={"guard": False}), with_weights=True)(source)


def rows(found):
    """What belongs to each row, padding cut off."""
    for tokens, lengths, scores, flags in zip(found.tokens, found.lengths, found.scores, found.faults, strict=True):
        kept = [tuple(ids[:length].numpy()) for ids, length in zip(tokens, lengths, strict=True)]
        yield kept, scores.numpy(), tuple(flags.numpy())


# --- the laws --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [0, 1, 2, 3, 40])
def test_repeats_are_the_triples_less_the_different_ones(library, width):
    random = np.random.default_rng(width)
    found = [random.integers(4, 7, size=random.integers(0, width + 1)).tolist() for _ in range(30)]
    tokens = padded([[*row, EOS] for row in found], width + 5)
    np.testing.assert_array_equal(library.num_repeats(tokens), [repeats(row) for row in found])


def test_triples_of_the_largest_ids_are_told_apart(library):
    top = (1 << 21) - 1
    tokens = np.array([[top, top, top, top, top], [top, top, top - 1, top, top], [4, top, 4, top, 4]], np.int32)
    np.testing.assert_array_equal(library.num_repeats(tokens), [2, 0, 1])


def test_a_piece_is_read_where_some_step_gave_it_enough_and_the_end_is_no_piece(library):
    source = padded([[5, 6, 7, 8, EOS], [5, EOS], [EOS]])
    weights = np.zeros([3, 2, 5], np.float32)
    weights[0, 0, :2] = READ + 0.01, READ - 0.01
    weights[0, 1, 1:5] = READ - 0.01, READ + 0.01, 0.0, 0.9
    weights[1, :, 1] = 1.0
    np.testing.assert_allclose(library.share_read(source, weights), [2 / 4, 0.0, 0.0])


def test_a_loop_is_a_fault_unless_the_source_repeats_itself_alike(faults):
    words, sentence = [4, 5, 6, 7], [8, 9, 10, 4, 5]
    assert faults([4, 5, 6, 7, 8, 9], [8, 9] * 5) == {"repetition"}
    assert faults(words * 10, sentence * 10) == set()
    assert faults(words * 3, sentence * 8) == {"repetition", "length"}


@pytest.mark.parametrize("allowed", [0, 2, 5])
def test_guard_max_repeats_is_what_is_allowed_beyond_twice_the_sources(faults, allowed):
    options = OPTIONS.model_copy(update={"guard_max_repeats": allowed})
    for source in ([4, 5, 6, 7] * 5, [4] * 6, [*range(4, 11)] * 3):
        for loops in range(40):
            target = [9] * (2 + loops)
            expected = repeats(target) > allowed + 2 * repeats(source)
            assert ("repetition" in faults(source, target, options)) == expected


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.6])
def test_guard_min_length_ratio_is_the_shortest_and_nothing_is_always_too_short(faults, ratio):
    options = OPTIONS.model_copy(update={"guard_min_length_ratio": ratio})
    for source_length in range(1, 11):
        for length in range(6):
            too_short = length == 0 or length + 1 < np.floor(ratio * (source_length + 1))
            assert ("length" in faults(range(4, 4 + source_length), range(4, 4 + length), options)) == too_short


def test_what_the_limit_cut_off_is_a_fault_and_a_prefix_moves_the_limit(faults):
    limit = int(OPTIONS.max_length_ratio * 4) + OPTIONS.max_length_extra  # EOS included
    target = [*range(4, 3 + limit)]
    assert faults([4, 5, 6], target) == {"length"}
    assert faults([4, 5, 6], target[:-1]) == set()
    assert faults([4, 5, 6], target, prefix=padded([target[:-1]])) == {"length"}
    assert faults([4, 5, 6], target, prefix=padded([[*target, 4]])) == set()


@pytest.mark.parametrize("share", [0.0, 0.4, 0.7])
def test_guard_min_coverage_is_the_least_share_of_the_source_to_be_read(faults, share):
    options = OPTIONS.model_copy(update={"guard_min_coverage": share})
    for read in range(11):
        weights = np.zeros([6, 11], np.float32)
        weights[np.arange(read) % 6, np.arange(read)] = 0.5
        assert ("coverage" in faults(range(4, 14), range(4, 9), options, weights)) == (np.float32(read / 10) < share)


def test_nothing_to_translate_is_never_a_fault(faults):
    assert faults([], []) == set()


# --- the second search -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    """One that ends most translations by itself, and loops in the others."""
    return tiny_model({"attention": {"score": "scaled"}}, end_bias=0.5)


@pytest.fixture(scope="module")
def plain(model):
    return unguarded(model, sources())


@pytest.fixture(scope="module")
def guarded_graph(model):
    return compiled(model)


@pytest.fixture(scope="module")
def guarded(guarded_graph):
    return guarded_graph(sources())


def test_the_second_search_mends_what_it_can_and_leaves_the_rest_alone(plain, guarded):
    before = find_faults(sources(), plain, OPTIONS).numpy()
    after = guarded.faults.numpy()
    assert 0 < before.any(axis=1).sum() < len(before), "the model should need the guard here and there"
    assert (after.sum(axis=1) <= before.sum(axis=1)).all()
    assert after.sum() < before.sum()
    good = ~before.any(axis=1)
    for field in ("scores", "lengths"):
        np.testing.assert_allclose(getattr(guarded, field)[good], getattr(plain, field)[good], rtol=1e-5)


def test_each_row_has_the_hypotheses_of_one_search_all_of_them_and_what_is_wrong_with_the_best(model, plain, guarded):
    strict = OPTIONS.model_copy(
        update={
            "no_repeat_ngram": 3,
            "min_length_ratio": OPTIONS.guard_min_length_ratio,
            "max_length_ratio": 0.75 * OPTIONS.max_length_ratio,
        }
    )
    second = unguarded(model, sources(), strict)
    firsts = list(rows(plain._replace(faults=find_faults(sources(), plain, OPTIONS))))
    seconds = list(rows(second._replace(faults=find_faults(sources(), second, strict))))
    taken = 0
    for kept, one, other in zip(rows(guarded), firsts, seconds, strict=True):
        taken_again = any(one[2]) and (sum(other[2]), -other[1][0]) < (sum(one[2]), -one[1][0])
        expected = other if taken_again else one
        assert (kept[0], kept[2]) == (expected[0], expected[2])
        np.testing.assert_allclose(kept[1], expected[1], atol=1e-4)
        taken += taken_again
    assert 0 < taken < len(firsts)


def test_a_row_depends_on_itself_alone(guarded_graph, guarded):
    for row, together in enumerate(rows(guarded)):
        source = sources()[row : row + 1]
        (alone,) = rows(guarded_graph(source[:, : np.count_nonzero(source)]))
        assert (alone[0], alone[2]) == (together[0], together[2])
        np.testing.assert_allclose(alone[1], together[1], atol=1e-4)


def test_a_score_is_the_teacher_forced_log_probability_whichever_search_it_is_from(model, guarded):
    assert guarded.tokens.shape[2] == guarded.weights.shape[2] == int(tf.reduce_max(guarded.lengths))
    for place in range(OPTIONS.n_best):
        tokens = guarded.tokens[:, place]
        target_in = tf.concat([tf.fill([len(tokens), 1], BOS), tokens[:, :-1]], axis=1)
        expected = tf.reduce_sum(token_log_probabilities(model(sources(), target_in), tokens), axis=1)
        np.testing.assert_allclose(guarded.scores[:, place], expected, atol=1e-4)
        np.testing.assert_allclose(guarded.log_probabilities[:, place], expected, atol=1e-4)


def test_weights_are_what_the_kept_hypothesis_read(model, guarded):
    tokens = guarded.tokens[:, 0]
    memory, state = model.encode(sources())
    target_in = tf.concat([tf.fill([len(tokens), 1], BOS), tokens[:, :-1]], axis=1)
    _, _, weights = model.decoder(target_in, state, memory)
    np.testing.assert_allclose(guarded.weights[:, 0], tf.where(tokens[..., tf.newaxis] != PAD, weights, 0.0), atol=1e-5)


def test_a_prefix_starts_the_second_search_too(model):
    source = sources()
    prefix = tf.constant([[6] * 7] * len(source))
    found = compiled(model, prefix=prefix)(source)
    assert found.faults.numpy().any()
    np.testing.assert_array_equal(found.tokens[:, 0, :7], prefix)


def test_no_rows_give_no_rows(guarded_graph):
    found = guarded_graph(np.zeros([0, 3], np.int32))
    assert found.faults.shape == (0, len(FAULTS))
    assert found.tokens.shape[0] == 0


def test_without_the_guard_nothing_is_judged(model, plain):
    found = compiled(model, OPTIONS.model_copy(update={"guard": False}))(sources())
    assert found.faults is None
    np.testing.assert_array_equal(found.tokens, plain.tokens)


def test_a_search_without_faults_is_not_made_again(library):
    calls = []

    def search(source, options, prefix):
        calls.append(options)
        found = hypotheses([[4, 5, 6]] * 2, np.ones([2, 4, 4], np.float32))
        return found._replace(faults=library.find_faults(source, found, options, prefix=prefix))

    library.guarded_search(search, padded([[4, 5, 6, EOS]] * 2), OPTIONS, prefix=None)
    assert calls == [OPTIONS]


def test_samples_are_judged_and_left_as_they_were_drawn(model):
    options = OPTIONS.model_copy(update={"sampling": True})
    noise = tf.random.stateless_uniform([24, OPTIONS.n_best, 40], seed=[1, 2])
    found = compiled(model, options, noise=noise)(sources())
    drawn = compiled(model, options.model_copy(update={"guard": False}), noise=noise)(sources())
    np.testing.assert_array_equal(found.tokens, drawn.tokens)
    assert found.faults.numpy().any()
