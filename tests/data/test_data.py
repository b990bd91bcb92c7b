import hashlib
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from prepared_corpus import prepared, sentences, write

from nmt.config.settings import Config
from nmt.data.batches import Batch, batch_sizes, make_batch, token_batches
from nmt.data.dataset import dataset
from nmt.text.augmentation import concatenate
from nmt.text.tokenizer import BOS, EOS, FIRST_SYMBOL, PAD, SYMBOLS, Tokenizers, train_tokenizers


def batches(config: Config, tokenizers: Tokenizers, *, epoch: int, skip: int = 0, multiple: int = 1) -> Iterator[Batch]:
    with tempfile.TemporaryDirectory() as directory:
        data = prepared(config, tokenizers, directory, epoch)
        yield from dataset(data, epoch=epoch, skip=skip, multiple=multiple).as_numpy_iterator()


def report_of(config: Config, tokenizers: Tokenizers):
    with tempfile.TemporaryDirectory() as directory:
        return prepared(config, tokenizers, directory).report


def text(batch: Batch, tokenizers: Tokenizers) -> list[tuple[str, str]]:
    return list(zip(tokenizers.source.decode(batch.source), tokenizers.target.decode(batch.target_out), strict=True))


def epoch_text(config, tokenizers, epoch=0) -> list[tuple[str, str]]:
    return [pair for batch in batches(config, tokenizers, epoch=epoch) for pair in text(batch, tokenizers)]


def fingerprint(config, tokenizers, epoch, **arguments) -> list[str]:
    return [
        hashlib.sha256(repr([ids.tolist() for ids in batch]).encode()).hexdigest()
        for batch in batches(config, tokenizers, epoch=epoch, **arguments)
    ]


def test_a_batch_is_padded_to_its_longest_with_begin_and_end_in_their_places():
    batch = make_batch([[5, 6], [7]], [[8], [9, 10, 11]])
    np.testing.assert_array_equal(batch.source, [[5, 6, EOS], [7, EOS, PAD]])
    np.testing.assert_array_equal(batch.target_in, [[BOS, 8, PAD, PAD], [BOS, 9, 10, 11]])
    np.testing.assert_array_equal(batch.target_out, [[8, EOS, PAD, PAD], [9, 10, 11, EOS]])
    assert {ids.dtype for ids in batch} == {np.dtype(np.int32)}


@pytest.mark.parametrize("seed", range(20))
def test_groups_hold_each_item_once_within_the_budget_and_in_multiples_of_8(seed):
    random = np.random.default_rng(seed)
    budget = int(random.integers(20, 600))
    lengths = random.integers(1, 40, (int(random.integers(0, 400)), 2)) ** random.integers(1, 3)
    groups = token_batches(lengths, budget)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * lengths[group].max() <= budget
    assert all(len(group) % 8 == 0 or len(group) < 8 for group in groups[:-1])
    targets = [lengths[index, 1] for group in groups for index in group]
    assert targets == sorted(targets)


@pytest.mark.parametrize("seed", range(10))
def test_sorted_lengths_are_cut_within_the_budget_as_groups_are(seed):
    random = np.random.default_rng(seed)
    budget = int(random.integers(20, 600))
    lengths = random.integers(1, 40, int(random.integers(0, 400))) ** random.integers(1, 3)
    assert batch_sizes(np.bincount(lengths), budget) == list(map(len, token_batches(lengths, budget)))


def test_one_list_of_lengths_is_grouped_shortest_first_and_rows_are_multiples_of_8():
    lengths = [5] * 30 + [2] * 10
    assert [len(group) for group in token_batches(lengths, 100)] == [16, 16, 8]
    assert token_batches([3, 1, 2], 4) == [[1, 2], [0]]
    assert token_batches([], 4) == []
    assert token_batches([9], 4) == [[0]]
    assert [len(group) for group in token_batches([2] * 13 + [50], 60)] == [8, 5, 1]


def test_every_pair_comes_exactly_once_an_epoch_and_batches_fit_the_budget(job, tokenizers):
    config = job(shuffle_window=100)
    assert sorted(epoch_text(config, tokenizers)) == sorted(sentences("a", 300) + sentences("b", 90))
    for batch in batches(config, tokenizers, epoch=0):
        rows = len(batch.source)
        assert rows * max(batch.source.shape[1], batch.target_in.shape[1]) <= 256
        for ids in batch:
            assert (ids[:, -1] != PAD).any()
            assert ids.shape[0] == rows
        np.testing.assert_array_equal(batch.target_in[:, 0], BOS)
        np.testing.assert_array_equal((batch.target_in != PAD), (batch.target_out != PAD))


def test_the_order_is_a_pure_function_of_seed_and_epoch(job, tokenizers):
    config = job(shuffle_window=100, sampling_alpha=0.3, weights=(("a", 0.5), ("b", 1.5)))
    assert fingerprint(config, tokenizers, 3) == fingerprint(config, tokenizers, 3)
    assert fingerprint(config, tokenizers, 3) != fingerprint(config, tokenizers, 4)
    assert fingerprint(config, tokenizers, 3) != fingerprint(config.model_copy(update={"seed": 2}), tokenizers, 3)


def test_compressed_files_give_the_same_batches(job, tokenizers, folder):
    write(folder, "zipped", sentences("a", 300), suffix=".gz")
    assert fingerprint(job([("zipped", 1.0)]), tokenizers, 0) == fingerprint(job([("a", 1.0)]), tokenizers, 0)


@pytest.mark.parametrize("weight", [2.0, 0.5, 1.25])
def test_a_weight_is_how_often_pairs_come(job, tokenizers, weight):
    config = job([("a", weight), ("b", 1.0)])
    counts = [Counter(epoch_text(config, tokenizers, epoch)) for epoch in range(2)]
    for counted in counts:
        of_a = [counted[pair] for pair in sentences("a", 300)]
        assert sum(of_a) == 300 * weight
        assert set(of_a) == ({int(weight)} if weight == int(weight) else {int(weight), int(weight) + 1})
        assert [counted[pair] for pair in sentences("b", 90)] == [1] * 90
    assert (counts[0] != counts[1]) is (weight != int(weight))


def test_each_window_holds_the_corpora_in_proportion_and_no_more_than_its_pairs(job, tokenizers):
    window = 39  # a tenth of all
    found = epoch_text(job(shuffle_window=window), tokenizers)
    whole = sentences("a", 300), sentences("b", 90)
    for start in range(0, 390, window):
        seen = set(found[start : start + window])
        for pairs, share in zip(whole, (30, 9), strict=True):
            first = start // window * share
            assert sum(pair in seen for pair in pairs[max(0, first - 1) : first + share + 1]) >= share - 1
            assert abs(sum(pair in seen for pair in pairs) - share) <= 1


def test_skipping_batches_gives_the_rest_as_it_was(job, tokenizers):
    config = job(shuffle_window=100, sampling_alpha=0.2)
    whole = fingerprint(config, tokenizers, 1)
    for skip in (1, 7, len(whole) - 1, len(whole)):
        assert fingerprint(config, tokenizers, 1, skip=skip) == whole[skip:]


def test_sampling_gives_other_pieces_each_epoch_but_the_same_text(job, tokenizers):
    config = job(sampling_alpha=0.2, max_length=200)
    assert sorted(epoch_text(config, tokenizers, 0)) == sorted(epoch_text(job(), tokenizers, 0))

    def pieces(config, epoch):
        return sum(int((batch.source != PAD).sum()) for batch in batches(config, tokenizers, epoch=epoch))

    assert pieces(config, 0) != pieces(config, 1)
    assert pieces(job(), 0) == pieces(job(), 1)


def test_one_pair_alone_is_segmented_anew_each_epoch(job, tokenizers, folder):
    write(folder, "alone", [("ba be bi bo bu da de di do du", "ba be bi bo bu da de di do du")])
    config = job([("alone", 1.0)], sampling_alpha=0.1)
    found = [next(batches(config, tokenizers, epoch=epoch)) for epoch in range(10)]
    assert len({str(batch.source) for batch in found}) > 1
    assert any(str(batch.source) != str(batch.target_out) for batch in found)


def test_each_window_is_shuffled_in_its_own_way_and_so_are_its_batches(job, tokenizers, folder):
    equal = [(f"ba {number}", f"be {number}") for number in range(100, 200)]
    write(folder, "equal", equal)
    config = job([("equal", 1.0)], shuffle_window=50, batch_tokens=1024)
    order = [equal.index(pair) for pair in epoch_text(config, tokenizers)]
    first, second = order[:50], [index - 50 for index in order[50:]]
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != sorted(first)
    assert second != sorted(second)
    assert first != second
    widths = [batch.target_in.shape[1] for batch in batches(job(), tokenizers, epoch=0)]
    assert widths != sorted(widths)


def test_pairs_left_out_are_counted_and_identical_ones_kept(job, tokenizers, folder):
    good = sentences("a", 20)
    long = "ba " * 99
    write(folder, "mixed", [*good, ("", "ba"), ("ba", " \t"), ("a ba", "a ba"), (long, "ba"), ("ba", long)])
    config = job([("mixed", 1.0), ("b", 2.0)])
    found = epoch_text(config, tokenizers)
    report = report_of(config, tokenizers)
    assert Counter(found) == Counter([*good, ("a ba", "a ba"), *sentences("b", 90) * 2])
    mixed, b = report.corpora
    assert (mixed.pairs, mixed.empty, mixed.too_long, mixed.identical) == (21, 2, 2, 1)
    assert (b.pairs, b.empty, b.too_long, b.identical) == (180, 0, 0, 0)
    header, row, _ = str(report).splitlines()
    assert header.split() == ["corpus", "pairs", "empty", "too", "long", "identical"]
    assert row.split() == [config.data.train[0].source, "21", "2", "2", "1"]


def test_a_share_of_the_pairs_has_another_one_behind_it_and_none_is_lost(job, tokenizers):
    single = Counter(epoch_text(job(), tokenizers))
    for share in (0.3, 0.9):
        config = job(concatenation=share, max_length=60)
        found = epoch_text(config, tokenizers)
        assert sum(corpus.pairs for corpus in report_of(config, tokenizers).corpora) == len(found) == single.total()
        firsts, seconds = Counter(), Counter()
        for source, target in found:
            # Each of these sentences begins with its corpus and its number.
            *_, start = (place for place in range(len(source)) if re.match(r"(^|(?<= ))[ab] \d", source[place:]))
            first, second = source[: max(0, start - 1)], source[start:]
            if not first:
                firsts[source, target] += 1
                continue
            (cut,) = (
                place
                for place, letter in enumerate(target)
                if letter == " " and (first, target[:place]) in single and (second, target[place + 1 :]) in single
            )
            firsts[first, target[:cut]] += 1
            seconds[second, target[cut + 1 :]] += 1
        assert firsts == single
        assert abs(seconds.total() / single.total() - share) < 0.1 * share + 0.05


def test_a_concatenation_that_is_too_long_is_left_single(job, tokenizers):
    longest = 21
    config = job(concatenation=0.99, max_length=longest)
    plain = job(max_length=longest)
    assert len(epoch_text(config, tokenizers)) == len(epoch_text(plain, tokenizers))
    assert max(batch.source.shape[1] for batch in batches(config, tokenizers, epoch=0)) <= longest + 1


def test_a_tag_stands_once_before_each_source_line_of_its_corpus_and_joins_no_lines_of_others(job):
    config = job(concatenation=0.5, max_length=40)
    a, b = config.data.train
    train = [a, b.model_copy(update={"tag": "<2xx>"})]
    config = config.model_copy(update={"data": config.data.model_copy(update={"train": train})})
    tokenizers = train_tokenizers(config)
    (tag,) = tokenizers.source.tag_ids("<2xx>")
    seen = Counter()
    for batch in batches(config, tokenizers, epoch=0):
        assert batch.source.shape[1] <= 40 + 1
        for row, (source, _) in zip(batch.source.tolist(), text(batch, tokenizers), strict=True):
            assert row.count(tag) == (row[0] == tag)
            assert set(re.findall(r"\b([ab]) \d", source)) == ({"b"} if row[0] == tag else {"a"})
            seen[row[0] == tag] += 1
    assert seen == {False: 300, True: 90}


def test_concatenated_lines_have_a_space_between_them_only_where_their_script_has():
    assert concatenate(("A b.", "甲乙。"), ("C d.", "丙。")) == ("A b. C d.", "甲乙。丙。")


def test_a_pair_of_max_length_fits_a_batch_of_itself(job, tokenizers, folder):
    (ids,) = tokenizers.source.encode(["ba be bi bo"])
    write(folder, "one", [("ba be bi bo", "ba be bi bo")])
    (batch,) = batches(job([("one", 1.0)], max_length=len(ids), batch_tokens=len(ids) + 1), tokenizers, epoch=0)
    assert batch.source.shape == (1, len(ids) + 1)
    with pytest.raises(ValueError, match=rf"batch_tokens \({len(ids)}\) cannot hold .* at least {len(ids) + 1}"):
        job([("one", 1.0)], max_length=len(ids), batch_tokens=len(ids))
    with pytest.raises(ValueError, match="no pair to train on"):
        list(batches(job([("one", 1.0)], max_length=len(ids) - 1), tokenizers, epoch=0))


def test_files_of_different_length_are_refused_before_the_first_batch(job, tokenizers, folder):
    paths = write(folder, "uneven", sentences("a", 40))
    with open(paths["target"], "ab") as file:
        file.write(b"one more\n")
    with pytest.raises(ValueError, match=r"uneven\.source has 40 lines but .*uneven\.target has 41"):
        next(batches(job([("uneven", 1.0)]), tokenizers, epoch=0))


def test_padding_wastes_less_than_a_twentieth_of_the_positions(job, folder, tokenizers):
    write(folder, "large", sentences("l", 4_000))
    real = positions = 0
    for batch in batches(job([("large", 1.0)], batch_tokens=1024), tokenizers, epoch=0):
        for ids in (batch.source, batch.target_out):
            real += int((ids != PAD).sum())
            positions += ids.size
    assert real / positions > 0.95


@pytest.mark.parametrize("multiple", [1, 3])
def test_the_dataset_is_the_batches_with_rows_of_padding_up_to_a_multiple(job, tokenizers, multiple):
    config = job(shuffle_window=100)
    plain = list(batches(config, tokenizers, epoch=2))[5:]
    found = list(batches(config, tokenizers, epoch=2, skip=5, multiple=multiple))
    for batch, padded in zip(plain, found, strict=True):
        assert isinstance(padded, Batch)
        for ids, wider in zip(batch, padded, strict=True):
            assert wider.dtype == np.int32
            assert len(wider) == -(-len(ids) // multiple) * multiple
            np.testing.assert_array_equal(wider[: len(ids)], ids)
            np.testing.assert_array_equal(wider[len(ids) :], PAD)


def test_preparing_does_not_import_tensorflow():
    code = "import sys, nmt.data.worker, nmt.data.preparer, nmt.corpus.check; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- augmentation ----------------------------------------------------------------------------------------------------

ALL_KINDS = ("urls", "emails", "tags", "placeholders", "numbers")
AUGMENTED = {"protect": ALL_KINDS, "planted_symbols": 0.3, "case_augmentation": 0.3}


def test_augmented_batches_are_a_pure_function_too_can_be_skipped_and_differ_from_epoch_to_epoch(job):
    config = job(shuffle_window=100, sampling_alpha=0.2, **AUGMENTED)
    tokenizers = train_tokenizers(config)
    whole = fingerprint(config, tokenizers, 1)
    assert fingerprint(config, tokenizers, 1) == whole != fingerprint(config, tokenizers, 2)
    assert fingerprint(config, tokenizers, 1, skip=7) == whole[7:]


def test_a_span_of_both_sides_is_one_piece_in_training_and_counts_are_of_the_pairs(job, folder):
    pairs = [*((f"ba {{be}} {number}", f"{{be}} bi {number}") for number in range(30)), ("ba be", "ba be")]
    write(folder, "spans", pairs)
    config = job([("spans", 1.0)], protect=ALL_KINDS)
    tokenizers = train_tokenizers(config)
    symbols = range(FIRST_SYMBOL, FIRST_SYMBOL + len(SYMBOLS))
    for batch in batches(config, tokenizers, epoch=0):
        for source, target in zip(batch.source, batch.target_out, strict=True):
            found = [id_ for id_ in source if id_ in symbols]
            assert sorted(found) == sorted(id_ for id_ in target if id_ in symbols)
            assert len(found) in (0, 2)
    (counts,) = report_of(config, tokenizers).corpora
    assert (counts.pairs, counts.empty, counts.too_long, counts.identical) == (31, 0, 0, 1)


def test_case_augmentation_acts_on_the_batches(job, tokenizers):
    found = epoch_text(job(case_augmentation=0.5, max_length=200), train_tokenizers(job(case_augmentation=0.5)))
    assert len(found) == 390
    capitals = sum(source == source.upper() and target == target.upper() for source, target in found)
    assert 390 * 0.15 < capitals < 390 * 0.35
