"""Counts add up to the counts of everything, in any grouping."""

import random

from nmt.cleaning.tally import EXAMPLES, Place, Tally, Verdict, tally


def verdicts():
    choose = random.Random(1)
    for line in range(1, 400):
        pair = ("a" * choose.randint(0, 12), "b" * choose.randint(0, 700))
        yield Verdict(Place(line % 2, line), (pair[0] + " ", pair[1]), pair, choose.choice(["", "empty", "script"]))


def test_tallies_of_parts_add_up_to_the_tally_of_all_in_any_grouping():
    found = list(verdicts())
    parts = [tally(found[start : start + 37]) for start in range(0, len(found), 37)]
    random.Random(2).shuffle(parts)
    assert sum(parts, Tally()) == tally(found)


def test_examples_are_different_pairs_and_few():
    found = [Verdict(Place(0, line), ("a", "a"), ("a", f"{line // 2}"), "script") for line in range(50)]
    examples = tally(found).examples["script"]
    assert len({each.target for each in examples}) == len(examples) == EXAMPLES


def test_every_pair_is_counted_once_kept_or_removed():
    counts = tally(verdicts())
    assert counts.pairs == counts.kept + counts.removed.total() == counts.lengths.total() == 399
