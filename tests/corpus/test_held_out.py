import random
from pathlib import Path

import pytest
from parallel_corpus import sentences, write

from nmt.config.data import TextPair
from nmt.corpus.held_out import hold_out, write_parts
from nmt.text.lines import read_lines

SIZES = {"validation": 60, "test": 40}


@pytest.fixture
def corpus(tmp_path):
    """A corpus in which many lines come again, with another case or punctuation, or another translation."""
    pairs = list(zip(sentences("LATIN", 1_000), sentences("CYRILLIC", 1_000), strict=True))
    pairs += pairs[:100]
    pairs += [(source.upper().replace(".", "!"), "что-то другое") for source, _ in pairs[100:200]]
    pairs += [(f"something else {number}", target) for number, (_, target) in enumerate(pairs[200:300])]
    pairs += [("", "пусто"), ("same", "same"), ("...", "!!!"), ("x", "у" * 500), ("лишнее\u2028" * 3, "a\x0cb")]
    random.Random(1).shuffle(pairs)
    return written(tmp_path, pairs)


def written(folder, pairs):
    folder.mkdir(exist_ok=True)
    write(folder, source=[source for source, _ in pairs], target=[target for _, target in pairs])
    return TextPair(source=str(folder / "text.en"), target=str(folder / "text.de"))


def pairs_of(pair):
    return list(zip(read_lines(pair.source), read_lines(pair.target), strict=True))


def letters(line):
    return "".join(character for character in line.casefold() if character.isalnum())


def test_no_side_of_a_held_out_pair_comes_again_whatever_its_case_and_punctuation(corpus):
    held_out = hold_out(corpus, SIZES)
    assert sorted(held_out.values()) == ["test"] * 40 + ["validation"] * 60
    for lines in zip(*pairs_of(corpus), strict=True):
        keys = [letters(line) for line in lines]
        assert all(keys.count(keys[index]) == 1 and keys[index] for index in held_out)


def test_held_out_pairs_are_spread_over_the_corpus(corpus):
    places = list(hold_out(corpus, SIZES))
    quarter = len(pairs_of(corpus)) / 4
    assert all(sum(part * quarter <= place < (part + 1) * quarter for place in places) > 10 for part in range(4))


def test_which_pairs_are_held_out_does_not_depend_on_the_order_of_the_corpus(corpus, tmp_path):
    pairs = pairs_of(corpus)
    shuffled = random.Random(2).sample(pairs, len(pairs))
    chosen = {pairs[index]: name for index, name in hold_out(corpus, SIZES).items()}
    again = hold_out(written(tmp_path / "shuffled", shuffled), SIZES)
    assert {shuffled[index]: name for index, name in again.items()} == chosen


def test_the_parts_together_are_the_corpus_line_by_line(corpus, tmp_path):
    held_out = hold_out(corpus, SIZES)
    names = ("train", *SIZES)
    paths = {name: TextPair(source=str(tmp_path / f"{name}.en"), target=str(tmp_path / f"{name}.de")) for name in names}
    before = [Path(path).read_bytes() for path in (corpus.source, corpus.target)]
    write_parts(corpus, held_out, paths)
    assert [Path(path).read_bytes() for path in (corpus.source, corpus.target)] == before
    parts = {name: iter(pairs_of(pair)) for name, pair in paths.items()}
    for index, pair in enumerate(pairs_of(corpus)):
        assert next(parts[held_out.get(index, "train")]) == pair
    assert [*parts["train"], *parts["validation"], *parts["test"]] == []


def test_a_file_in_the_way_stops_writing_and_what_was_written_is_gone(corpus, tmp_path):
    paths = {name: TextPair(source=str(tmp_path / f"{name}.a"), target=str(tmp_path / f"{name}.b")) for name in SIZES}
    (tmp_path / "test.b").write_text("mine")
    with pytest.raises(FileExistsError):
        write_parts(corpus, {}, paths)
    assert (tmp_path / "test.b").read_text() == "mine"
    assert not any((tmp_path / name).exists() for name in ("validation.a", "validation.b", "test.a"))


def test_a_corpus_of_repetitions_is_refused_with_what_to_do(tmp_path):
    corpus = written(tmp_path, list(zip(sentences("LATIN", 50), sentences("CYRILLIC", 50), strict=True)) * 2)
    with pytest.raises(ValueError, match=r"10 pairs .* only 0 of 100 have .*--validation-source"):
        hold_out(corpus, {"validation": 10})
