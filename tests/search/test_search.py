"""Search against brute force, on a toy model whose every probability hangs on the whole history.

The laws hold in TensorFlow and in NumPy.
"""

import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from nmt.config.search import SearchConfig
from nmt.exports.saved_model import SavedModel
from nmt.numpy_search import rules as numpy_rules
from nmt.numpy_search import sampling as numpy_sampling
from nmt.numpy_search import search as numpy_search
from nmt.numpy_search.step import StepScores
from nmt.search.definitions import IMPOSSIBLE, Hypotheses
from nmt.search.rules import Continuations, length_limits
from nmt.search.search import TokenScores, beam_search, best_continuations, sample
from nmt.text.tokenizer import BOS, EOS, FIRST_SYMBOL, PAD, UNK

VOCAB, SOURCE_TIME, HASHES = 8, 4, 997
FIRST_IDS = FIRST_SYMBOL + 2  # with the symbols that some are required of
REAL = range(EOS + 1, VOCAB)
SOURCE_LENGTHS = np.array([1, 2, 3], np.int32)
WIDE = 100  # more than the 1 + 4 + 16 + 64 hypotheses of at most 4 tokens
SMALL = {"max_length_ratio": 1.0, "max_length_extra": 1}  # at most 2, 3 and 4 tokens


class Toy:
    """Looks probabilities and attention up by source and hash of all tokens so far, in NumPy and as a step."""

    def __init__(self, seed=0):
        random = np.random.default_rng(seed)
        logits = 2.0 * random.normal(size=(len(SOURCE_LENGTHS), HASHES, VOCAB))
        self.table = (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)
        weights = np.exp(2.0 * random.normal(size=(len(SOURCE_LENGTHS), HASHES, SOURCE_TIME)))
        weights *= np.arange(SOURCE_TIME) < SOURCE_LENGTHS[:, np.newaxis, np.newaxis]
        self.weights = (weights / weights.sum(-1, keepdims=True)).astype(np.float32)

    @staticmethod
    def next_hash(code, token):
        return (code * 31 + token * 7 + 1) % HASHES

    def hashes(self, tokens):
        """The code at which each of `tokens` is looked up: that of everything before it."""
        return list(itertools.accumulate([BOS, *tokens[:-1]], self.next_hash, initial=0))[1:]

    def log_probability(self, row, tokens):
        return sum(float(self.table[row, code, token]) for code, token in zip(self.hashes(tokens), tokens, strict=True))

    def read(self, row, tokens):
        return self.weights[row, self.hashes(tokens)]  # [time, source_time]


def limits(row, options, prefix=(), required=()):
    length = int(SOURCE_LENGTHS[row])
    owed = sum(max(0, count - prefix.count(token)) for token, count in enumerate(required, FIRST_SYMBOL))
    most = max(math.ceil(options.max_length_ratio * length) + options.max_length_extra, len(prefix) + owed + 1)
    return math.floor(options.min_length_ratio * length), most


def repetitions(tokens):
    return sum(tokens[:position].count(token) for position, token in enumerate(tokens))


def score(toy, row, tokens, options, *, penalized=False):
    """Wu et al. 2016, eq. 14."""
    log_probability = toy.log_probability(row, tokens)
    if penalized:
        log_probability -= options.repetition_penalty * repetitions(tokens)
    result = log_probability / ((5 + len(tokens)) / 6) ** options.length_penalty
    if options.coverage_penalty:
        coverage = toy.read(row, tokens).astype(np.float64).sum(0)[: SOURCE_LENGTHS[row]]
        result += options.coverage_penalty * np.log(np.minimum(coverage, 1.0)).sum()
    return result


def is_free_of_repeats(tokens, size, forced, symbols):
    """No n-gram twice, but for those that end in the prefix or in a symbol."""
    grams = [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]
    judged = [i for i in range(len(grams)) if i + size > forced and tokens[i + size - 1] not in symbols]
    return all(grams[i] not in grams[:i] for i in judged)


def has_required(tokens, required, prefix):
    """As often as required each; a prefix may have more."""
    return all(
        tokens.count(token) == max(count, prefix.count(token)) for token, count in enumerate(required, FIRST_SYMBOL)
    )


def all_hypotheses(row, options, prefix=(), required=()):
    """Every token sequence that the rules allow."""
    prefix, symbols = list(prefix), range(FIRST_SYMBOL, FIRST_SYMBOL + len(required))
    least, most = limits(row, options, prefix, required)
    for free in range(most - len(prefix)):
        length = len(prefix) + free + 1
        if length < least and length < most:
            continue
        for tail in itertools.product(REAL, repeat=free):
            tokens = [*prefix, *tail, EOS]
            ngram = options.no_repeat_ngram
            if has_required(tokens, required, prefix) and (
                not ngram or is_free_of_repeats(tokens, ngram, len(prefix), symbols)
            ):
                yield tokens


def tensorflow_step(toy, tokens, state, memory):
    hashes = toy.next_hash(state[0], tf.reshape(tokens, [-1]))
    index = tf.stack([tf.repeat(memory[0], tokens.shape[1]), hashes], axis=1)
    some = 0.01 * tf.cast(hashes, tf.float32)[:, tf.newaxis]  # a constant of each row makes no difference
    scores = TokenScores(tf.gather_nd(tf.constant(toy.table), index) + some, some)
    return scores, (hashes,), tf.gather_nd(tf.constant(toy.weights), index)


def numpy_step(toy, tokens, state, memory, num_best):
    hashes = toy.next_hash(state[0], tokens.reshape(-1))
    index = memory[0].repeat(tokens.shape[1]), hashes
    scores, first = toy.table[index], VOCAB if num_best is None else FIRST_IDS
    order = np.argsort(-scores[:, first:], axis=1)[:, :num_best]
    best = np.take_along_axis(scores[:, first:], order, axis=1)
    return StepScores(scores[:, :first], (first + order).astype(np.int32), best), (hashes,), toy.weights[index]


class Library(NamedTuple):
    """A search, in TensorFlow or in NumPy, and the toy model's step for it."""

    beam_search: Callable
    sample: Callable
    step: Callable
    array: Callable


TENSORFLOW = Library(beam_search, sample, tensorflow_step, tf.constant)
NUMPY = Library(numpy_search.beam_search, numpy_sampling.sample, numpy_step, np.array)


def find_in(library, toy, options, rows=(0, 1, 2), prefixes=None, sampling=False, calls=None, **arguments):
    """What a search finds, as arrays. Args: calls: where to note the rows and the number of hypotheses of each step."""

    def step(tokens, state, memory, *num_best):
        if calls is not None:
            calls.append((np.array(memory[0]).tolist(), tokens.shape[1]))
        return library.step(toy, tokens, state, memory, *num_best)

    prefix = None
    if prefixes is not None:
        # Wider than some hypotheses can be, and narrower than others.
        prefix = np.array([[*tokens, *[PAD] * (9 - len(tokens))] for tokens in prefixes], np.int32)
    found = (library.sample if sampling else library.beam_search)(
        step,
        (library.array([0] * len(rows), np.int32),),
        (library.array(rows, np.int32),),
        source_lengths=SOURCE_LENGTHS[list(rows)],
        source_time=SOURCE_TIME,
        options=options,
        prefix=prefix,
        **arguments,
    )
    return Hypotheses(*(None if field is None else np.asarray(field) for field in found))


@pytest.fixture(scope="module", params=[TENSORFLOW, NUMPY], ids=["tensorflow", "numpy"])
def find(request):
    return partial(find_in, request.param)


def token_lists(found):
    """[batch][n] token lists without padding, once padding is where it should be."""
    for tokens, length in zip(found.tokens.reshape(-1, found.tokens.shape[2]), np.ravel(found.lengths), strict=True):
        assert not tokens[length:].any()
        assert length == 0 or tokens[length - 1] == EOS
    return [
        [tokens[:length].tolist() for tokens, length in zip(row, lengths, strict=True)]
        for row, lengths in zip(found.tokens, found.lengths, strict=True)
    ]


def assert_worth_their_tokens(toy, found, options, rows=(0, 1, 2)):
    """Scores, log-probabilities and weights are those of running the model over the returned tokens."""
    for slot, row in enumerate(rows):
        for n, tokens in enumerate(token_lists(found)[slot]):
            np.testing.assert_allclose(found.log_probabilities[slot, n], toy.log_probability(row, tokens), rtol=1e-5)
            np.testing.assert_allclose(found.scores[slot, n], score(toy, row, tokens, options), rtol=1e-5)
            if found.weights is not None:
                np.testing.assert_array_equal(found.weights[slot, n, : len(tokens)], toy.read(row, tokens))
                assert not found.weights[slot, n, len(tokens) :].any()


@pytest.fixture(scope="module")
def toy():
    return Toy()


@pytest.mark.parametrize("prefixes", [None, [[4], [], [6, 4]], [[7, 7, 5], [UNK], [4]]], ids=["free", "short", "long"])
@pytest.mark.parametrize("required", [None, [[2, 0], [0, 0], [1, 2]]], ids=["any", "required"])
@pytest.mark.parametrize("ngram", [0, 1, 2])
@pytest.mark.parametrize("least", [0.0, 1.0])
@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.0), (1.0, 0.0), (0.6, 0.4)])
def test_a_beam_as_wide_as_the_space_finds_the_brute_force_best(
    find, toy, alpha, beta, least, ngram, required, prefixes
):
    options = SearchConfig(
        beam_size=WIDE,
        n_best=6,
        length_penalty=alpha,
        coverage_penalty=beta,
        min_length_ratio=least,
        no_repeat_ngram=ngram,
        **SMALL,
    )
    extra = {"required": np.array(required, np.int32)} if required else {}
    found = find(toy, options, prefixes=prefixes, with_weights=True, **extra)
    for row, tokens in enumerate(token_lists(found)):
        demand = required[row] if required else ()
        possible = list(all_hypotheses(row, options, prefixes[row] if prefixes else (), demand))
        assert possible
        best = sorted(possible, key=lambda tokens: -score(toy, row, tokens, options))[:6]
        assert tokens == best + [[]] * (6 - len(best))
        assert np.isneginf(found.scores[row, len(best) :]).all()
        assert not found.lengths[row, len(best) :].any()
    if found.lengths.all():
        assert_worth_their_tokens(toy, found, options)


REQUIRED = np.array([[0, 2], [1, 0], [3, 1]], np.int32)


@pytest.mark.parametrize("sampling", [False, True])
@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"max_length_ratio": 0.1, "max_length_extra": 1},
        {"min_length_ratio": 3.0},
        {"no_repeat_ngram": 1},
        {"repetition_penalty": 50.0},
        {"temperature": 3.0, "top_k": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("prefixes", [None, [[4], [6, 5, 6], [5, 4]]], ids=["free", "prefix"])
def test_every_hypothesis_has_what_is_required_exactly_so_often(find, toy, prefixes, rules, beam_size, sampling):
    options = SearchConfig(beam_size=beam_size, n_best=beam_size, sampling=sampling, **rules)
    noise = np.random.default_rng(3).random((3, beam_size, 16), np.float32)
    extra = {"noise": noise} if sampling else {}
    found = find(toy, options, prefixes=prefixes, required=REQUIRED, sampling=sampling, **extra)
    for row, hypotheses in enumerate(token_lists(found)):
        assert hypotheses[0]
        for tokens in filter(None, hypotheses):
            assert has_required(tokens, REQUIRED[row], prefixes[row] if prefixes else [])
            assert len(tokens) <= limits(row, options, prefixes[row] if prefixes else [], REQUIRED[row])[1]


def test_a_repetition_penalty_orders_hypotheses_but_leaves_their_scores_alone(find, toy):
    options = SearchConfig(beam_size=WIDE, n_best=40, repetition_penalty=0.7, **SMALL)
    found = find(toy, options, rows=[2])
    best = sorted(all_hypotheses(2, options), key=lambda tokens: -score(toy, 2, tokens, options, penalized=True))[:40]
    unpenalized = sorted(all_hypotheses(2, options), key=lambda tokens: -score(toy, 2, tokens, options))[:40]
    assert token_lists(found)[0] == best != unpenalized
    assert_worth_their_tokens(toy, found, options, rows=[2])


def plain_beam_search(toy, row, options):
    """The search of beam_search's docstring in plain Python, but never stopping before beam_size have finished."""
    least, most = limits(row, options)
    alive, finished = [[]], []
    while alive and len(finished) < options.beam_size:
        candidates = [
            [*tokens, token]
            for tokens in alive
            for token in (EOS, *REAL)
            if ((len(tokens) + 1 >= least or len(tokens) + 1 == most) if token == EOS else len(tokens) + 1 < most)
        ]
        candidates.sort(key=lambda tokens: -toy.log_probability(row, tokens))
        finished += [tokens for tokens in candidates[: options.beam_size] if tokens[-1] == EOS]
        alive = [tokens for tokens in candidates[: 2 * options.beam_size] if tokens[-1] != EOS][: options.beam_size]
    return sorted(finished, key=lambda tokens: -score(toy, row, tokens, options))[: options.n_best]


@pytest.mark.parametrize("beam_size", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("alpha", "beta", "least"), [(0.0, 0.0, 0.0), (1.0, 0.0, 1.0), (1.0, 0.3, 0.0), (1.0, 0.0, 30.0)]
)
def test_a_narrow_beam_does_what_a_plain_one_does_and_stopping_early_changes_nothing(
    find, beam_size, alpha, beta, least
):
    options = SearchConfig(
        beam_size=beam_size,
        n_best=(beam_size + 1) // 2,
        length_penalty=alpha,
        coverage_penalty=beta,
        min_length_ratio=least,
    )
    for seed in range(3):
        toy = Toy(seed)
        found = find(toy, options, with_weights=True)
        assert token_lists(found) == [plain_beam_search(toy, row, options) for row in range(3)]
        assert_worth_their_tokens(toy, found, options)


def test_a_beam_of_one_is_greedy(find):
    for seed in range(5):
        toy = Toy(seed)
        found = token_lists(find(toy, SearchConfig(beam_size=1)))
        for row in range(3):
            _, most = limits(row, SearchConfig())
            tokens, code = [BOS], 0
            while tokens[-1] != EOS:
                code = toy.next_hash(code, tokens[-1])
                tokens.append(EOS + int(toy.table[row, code, EOS:].argmax()) if len(tokens) < most else EOS)
            assert found[row] == [tokens[1:]]


def test_n_best_are_distinct_and_sorted(find, toy):
    found = find(toy, SearchConfig(beam_size=6, n_best=6))
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert all(len({tuple(tokens) for tokens in row}) == 6 for row in token_lists(found))


def test_pad_bos_and_unk_are_never_written_however_likely(find):
    toy = Toy()
    toy.table[:, :, [PAD, BOS, UNK]] = -0.01
    for found in (
        find(toy, SearchConfig(n_best=5)),
        find(toy, SearchConfig(n_best=5), sampling=True, noise=np.random.default_rng(0).random((3, 5, 16), np.float32)),
    ):
        assert not {PAD, BOS, UNK} & {token for row in token_lists(found) for tokens in row for token in tokens}


@pytest.mark.parametrize("sampling", [False, True])
def test_batch_mates_change_nothing(find, toy, sampling):
    options = SearchConfig(n_best=3, coverage_penalty=0.2, no_repeat_ngram=2, repetition_penalty=0.1)
    noise = np.random.default_rng(0).random((3, 3, 16), np.float32)

    def translate(rows):
        prefixes = [[[4, 5], [], [7]][row] for row in rows]
        extra = {"noise": noise[rows]} if sampling else {}
        extra["required"] = REQUIRED[rows]
        return find(toy, options, rows=rows, prefixes=prefixes, with_weights=True, sampling=sampling, **extra)

    together = translate([0, 1, 2])
    for row in range(3):
        alone = translate([row])
        assert token_lists(alone)[0] == token_lists(together)[row]
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])
        np.testing.assert_array_equal(alone.weights[0], together.weights[row, :, : alone.weights.shape[2]])


def test_a_hypothesis_with_no_token_left_may_end_before_its_minimum_length(find, toy):
    options = SearchConfig(beam_size=30, n_best=24, no_repeat_ngram=1, min_length_ratio=2.0)  # at least 6 tokens
    found = token_lists(find(toy, options, rows=[2]))[0]
    assert sorted(found) == [[*tokens, EOS] for tokens in itertools.permutations(REAL)]


def test_the_search_stops_as_soon_as_nothing_can_change(find):
    toy, calls = Toy(), []
    toy.table[:] = math.log(0.0001)
    toy.table[:, :, EOS] = math.log(0.999)
    find(toy, SearchConfig(beam_size=2), calls=calls)
    # Going on costs log 0.0001 at least, which no length penalty up to this maximum makes up for.
    assert len(calls) == 1


def test_no_step_works_for_rows_that_are_done_once_they_are_many_nor_the_first_for_a_beam_of_the_same(find, toy):
    calls = []
    options = SearchConfig(beam_size=4, n_best=4, length_penalty=0.0, **SMALL)  # the rows end at 2, 3 and 4 tokens
    find(toy, options, calls=calls)
    assert calls == [([0, 1, 2], 1), ([0, 1, 2], 4), ([1, 2], 4), ([2], 4)]


@pytest.mark.parametrize("limits", [length_limits, numpy_rules.length_limits], ids=["tensorflow", "numpy"])
def test_length_limits_follow_the_ratios_and_leave_room_for_the_prefix(limits):
    options = SearchConfig(min_length_ratio=0.5, max_length_ratio=1.5, max_length_extra=2)
    prefix = np.array([[4, 4, 4, 4, 4], [4, 0, 0, 0, 0]])
    minimum, maximum = limits(np.array([1, 5]), options)
    np.testing.assert_array_equal(minimum, [0, 2])
    np.testing.assert_array_equal(maximum, [2 + 2, 8 + 2])
    np.testing.assert_array_equal(limits(np.array([1, 5]), options, prefix=prefix)[1], [6, 10])


@pytest.mark.parametrize("special", [4, 64, 100])
@pytest.mark.parametrize(("vocab", "size", "k"), [(100, 1, 2), (128, 3, 6), (160, 2, 7), (1000, 5, 10), (4096, 2, 70)])
def test_the_best_continuations_are_those_of_the_whole_table_ties_included(vocab, size, k, special):
    random = np.random.default_rng(0)

    def numbers(*shape):
        return tf.constant(random.integers(0, 200, size=shape).astype(np.float32))

    rows = 3 * size
    base = numbers(rows, 1)
    for possible in (base, tf.where(tf.range(rows)[:, tf.newaxis] % size == 0, base, IMPOSSIBLE)):
        continuations = Continuations(numbers(rows, special), possible, numbers(rows, vocab), None)
        ranks, slots, places = best_continuations(continuations, k, size=size)
        expected = tf.math.top_k(tf.reshape(continuations.table(), [3, size * vocab]), k)
        np.testing.assert_array_equal(ranks, expected.values)
        np.testing.assert_array_equal(slots * vocab + places, expected.indices)


@pytest.mark.parametrize("block", [1, 3, 5])
@pytest.mark.parametrize("prefixes", [None, [[4], [], [6, 4]]], ids=["free", "prefix"])
@pytest.mark.parametrize("required", [None, [[2, 0], [0, 0], [1, 2]]], ids=["any", "required"])
def test_how_the_vocabulary_is_cut_into_blocks_makes_no_difference(toy, monkeypatch, required, prefixes, block):
    extra = {"required": np.array(required, np.int32)} if required else {}
    for rules in ({}, {"no_repeat_ngram": 1, "min_length_ratio": 1.0, "repetition_penalty": 0.3}):
        options = SearchConfig(beam_size=3, n_best=3, **rules)
        whole = find_in(TENSORFLOW, toy, options, prefixes=prefixes, **extra)
        with monkeypatch.context() as patch:
            patch.setattr("nmt.model.maxima.BLOCK", block)
            cut = find_in(TENSORFLOW, toy, options, prefixes=prefixes, **extra)
        assert token_lists(cut) == token_lists(whole)
        np.testing.assert_array_equal(cut.scores, whole.scores)


@pytest.mark.parametrize("sampling", [False, True])
def test_an_exported_graph_equals_python_for_every_batch_size_even_none(toy, sampling, tmp_path):
    options = SearchConfig(
        n_best=2, coverage_penalty=0.1, no_repeat_ngram=2, repetition_penalty=0.2, min_length_ratio=0.5
    )
    noise = np.random.default_rng(0).random((3, 2, 16), np.float32)

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None], tf.int32, name="rows"),
            tf.TensorSpec([None, None], tf.int32, name="prefix"),
            tf.TensorSpec([None, 2], tf.int32, name="required"),
            tf.TensorSpec([None, 2, None], tf.float32, name="noise"),
        ],
    )
    def translate(rows, prefix, required, noise):
        search, extra = (sample, {"noise": noise}) if sampling else (beam_search, {})
        found = search(
            partial(tensorflow_step, toy),
            (tf.zeros_like(rows),),
            (rows,),
            source_lengths=tf.gather(SOURCE_LENGTHS, rows),
            source_time=SOURCE_TIME,
            options=options,
            prefix=prefix,
            required=required,
            with_weights=True,
            **extra,
        )
        return {"tokens": found.tokens, "scores": found.scores, "weights": found.weights, "noise": noise}

    module = tf.Module()
    module.translate = translate
    tf.saved_model.save(module, str(tmp_path), signatures={"serving_default": translate})
    served = SavedModel(tmp_path)
    for rows, prefixes in (([0, 1, 2], [[4, PAD], [5, 6], [PAD, PAD]]), ([2], [[]]), ([], np.zeros((0, 1)))):
        inputs = {"rows": np.array(rows, np.int32), "prefix": np.array(prefixes, np.int32)}
        inputs |= {"required": REQUIRED[rows], "noise": noise[rows]}
        exported = served.run("serving_default", inputs)
        python = translate.python_function(**{name: tf.constant(value) for name, value in inputs.items()})
        for name, value in exported.items():
            np.testing.assert_allclose(value, python[name], rtol=1e-5)
        assert exported["weights"].shape == (*exported["tokens"].shape, SOURCE_TIME)
    served.close()


def filtered(probabilities, options):
    """What temperature, top_k and top_p leave of a distribution, each renormalized."""
    probabilities = probabilities ** (1.0 / options.temperature)
    probabilities /= probabilities.sum()
    order = np.argsort(-probabilities)
    kept = order[: options.top_k or None]
    mass = np.cumsum(probabilities[kept]) / probabilities[kept].sum()
    kept = kept[: int((mass < options.top_p).sum()) + 1]
    result = np.zeros_like(probabilities)
    result[kept] = probabilities[kept] / probabilities[kept].sum()
    return result


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"top_k": 2},
        {"top_p": 0.6},
        {"temperature": 2.0, "top_k": 3, "top_p": 0.7},
    ],
    ids=str,
)
def test_noise_spread_evenly_draws_each_token_as_often_as_it_is_likely(find, toy, changes):
    grid = 4000
    options = SearchConfig(sampling=True, n_best=grid, **SMALL, **changes)  # row 0: one token and EOS, or EOS
    noise = np.stack([(np.arange(grid) + 0.5) / grid, np.zeros(grid)], axis=1).astype(np.float32)[np.newaxis]
    found = find(toy, options, rows=[0], sampling=True, noise=noise)
    share = np.bincount(found.tokens[0, :, 0], minlength=VOCAB) / grid
    allowed = np.exp(toy.table[0, toy.next_hash(0, BOS)].astype(np.float64)) * (np.arange(VOCAB) >= EOS)
    expected = filtered(allowed / allowed.sum(), options)
    np.testing.assert_allclose(share, expected, atol=1.5 / grid)
    np.testing.assert_array_equal(share > 0, expected > 0)


def test_samples_come_as_often_as_their_probability(find, toy):
    count = 20_000
    options = SearchConfig(sampling=True, n_best=count, **SMALL)
    noise = np.random.default_rng(0).random((1, count, 4), np.float32)
    found = find(toy, options, rows=[2], sampling=True, noise=noise)
    drawn = [tuple(tokens) for tokens in token_lists(found)[0]]

    def probability(tokens):
        """With UNK, PAD and BOS taken out, and EOS certain where nothing else is possible."""
        result = 1.0
        for position, (code, token) in enumerate(zip(toy.hashes(tokens), tokens, strict=True)):
            allowed = np.exp(toy.table[2, code].astype(np.float64))[EOS:]
            result *= allowed[token - EOS] / allowed.sum() if position + 1 < limits(2, options)[1] else 1.0
        return result

    expected = {tuple(tokens): count * probability(tokens) for tokens in all_hypotheses(2, options)}
    np.testing.assert_allclose(sum(expected.values()), count)
    frequent = {tokens: number for tokens, number in expected.items() if number > 10}
    squares = sum((drawn.count(tokens) - number) ** 2 / number for tokens, number in frequent.items())
    assert squares < len(frequent) + 4 * math.sqrt(2 * len(frequent))  # chi-squared: mean df, variance 2 df
    assert len(frequent) > 20


def test_samples_are_worth_their_tokens_and_come_best_first(find, toy):
    options = SearchConfig(
        sampling=True, n_best=50, temperature=1.7, top_p=0.95, coverage_penalty=0.2, repetition_penalty=0.3
    )
    noise = np.random.default_rng(1).random((3, 50, 16), np.float32)
    found = find(toy, options, sampling=True, noise=noise, with_weights=True)
    assert_worth_their_tokens(toy, found, options)
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_samples_keep_the_rules_of_the_search(find, toy):
    options = SearchConfig(sampling=True, n_best=200, no_repeat_ngram=2, min_length_ratio=1.0, **SMALL)
    noise = np.random.default_rng(2).random((3, 200, 8), np.float32)
    prefixes = [[4], [], [6, 6]]
    for row, tokens in enumerate(token_lists(find(toy, options, prefixes=prefixes, sampling=True, noise=noise))):
        possible = list(all_hypotheses(row, options, prefixes[row]))
        assert all(hypothesis in possible for hypothesis in tokens)


@pytest.mark.parametrize("top_k", [0, 2])
def test_the_smallest_and_the_largest_noise_draw_what_is_possible(find, toy, top_k):
    options = SearchConfig(sampling=True, n_best=2, top_k=top_k, **SMALL)
    noise = np.zeros((1, 2, 2), np.float32)
    noise[0, 1] = np.nextafter(np.float32(1), np.float32(0))
    drawn = [tokens[0] for tokens in token_lists(find(toy, options, rows=[0], sampling=True, noise=noise))[0]]
    possible = EOS + np.argsort(-toy.table[0, toy.next_hash(0, BOS), EOS:])[: top_k or None]
    assert len(set(drawn)) == 2
    assert set(drawn) <= set(possible)
