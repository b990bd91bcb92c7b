"""The verdict on each pair: a table of rules, and the pure function that applies it. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from typing import NamedTuple

from nmt.cleaning import rules
from nmt.cleaning.context import Context, edited
from nmt.cleaning.keys import Keys, keys_of
from nmt.config.cleaning import CleaningConfig

Pair = tuple[str, str]


class Judged(NamedTuple):
    """A pair as it is written, the name of the rule that removes it, "" for none, and its keys."""

    source: str
    target: str
    rule: str
    keys: Keys


class Rule(NamedTuple):
    """A rule of single pairs: its name, what it removes, and which of many pairs break it, none where it is off."""

    name: str
    removes: str
    broken: Callable[[Sequence[Pair], Context], list[bool]]


class CorpusRule(NamedTuple):
    """A rule about what occurred before in the corpora: of equal `keys`, only the first `limit` are kept."""

    name: str
    removes: str
    field: str  # of Keys
    limit: Callable[[CleaningConfig], int | None]  # None where it is turned off


def _each(breaks: Callable[[str, str, Context], bool]) -> Callable[[Sequence[Pair], Context], list[bool]]:
    """The test of one pair, for many."""
    return lambda pairs, context: [breaks(source, target, context) for source, target in pairs]


def _odd_lengths(pairs: Sequence[Pair], context: Context) -> list[bool]:
    most = context.settings.max_length_ratio
    if most is None:
        return [False] * len(pairs)
    return rules.have_odd_lengths(pairs, usual=context.usual_ratio, most=most)


def _another_script(source: str, target: str, context: Context) -> bool:
    return context.settings.script and any(
        rules.is_in_another_script(line, expected=expected)
        for line, expected in zip((source, target), context.scripts, strict=True)
    )


def _another_language(pairs: Sequence[Pair], context: Context) -> list[bool]:
    probability = context.settings.language
    if probability >= 1.0 or not pairs:
        return [False] * len(pairs)
    sides = [
        rules.are_in_another_language(lines, expected=expected, probability=probability)
        for lines, expected in zip(zip(*pairs, strict=True), context.languages, strict=True)
    ]
    return list(map(any, zip(*sides, strict=True)))


def _other_digits(source: str, target: str, context: Context) -> bool:
    least = context.settings.min_same_digits
    return least > 0.0 and rules.have_other_digits(source, target, least=least)


def _other_spans(source: str, target: str, context: Context) -> bool:
    kinds = context.settings.same_spans
    return bool(kinds) and rules.have_other_spans(source, target, kinds=tuple(kinds))


# The first rule that a pair breaks removes it. Cheap ones come first.
RULES: tuple[Rule, ...] = (
    Rule(
        "empty",
        "a side has no letter and no digit",
        _each(lambda source, target, context: context.settings.empty and rules.is_empty(source, target)),
    ),
    Rule(
        "max_characters",
        "a side is too long",
        _each(
            lambda source, target, context: (
                (most := context.settings.max_characters) is not None and rules.is_long(source, target, most=most)
            )
        ),
    ),
    Rule(
        "damaged",
        "characters were lost or mistaken by an earlier conversion",
        _each(lambda source, target, context: context.settings.damaged and rules.is_damaged(source, target)),
    ),
    Rule(
        "min_letters",
        "a side has few letters",
        _each(
            lambda source, target, context: rules.has_few_letters(source, target, least=context.settings.min_letters)
        ),
    ),
    Rule("max_length_ratio", "the sides' lengths do not fit each other", _odd_lengths),
    Rule(
        "max_copied",
        "the target is not translated: its words are the source's",
        _each(lambda source, target, context: rules.is_copied(source, target, most=context.settings.max_copied)),
    ),
    Rule("script", "a side is in another script than most of the corpus", _each(_another_script)),
    Rule("min_same_digits", "the sides have other numbers", _each(_other_digits)),
    Rule("same_spans", "the sides have other placeholders, tags, URLs or e-mail addresses", _each(_other_spans)),
    Rule("language", "a side is in another language", _another_language),
)
HELD_OUT = "held_out"
# In this order, each among the pairs that those before it have left.
CORPUS_RULES: tuple[CorpusRule, ...] = (
    CorpusRule("duplicates", "an equal pair came before", "pair", lambda settings: 1 if settings.duplicates else None),
    CorpusRule(
        "near_duplicates",
        "a pair came before that differs in case, punctuation and spaces only",
        "near_pair",
        lambda settings: 1 if settings.near_duplicates else None,
    ),
    CorpusRule("max_repeats", "the same source came before too often", "source", lambda settings: settings.max_repeats),
    CorpusRule("max_repeats", "the same target came before too often", "target", lambda settings: settings.max_repeats),
)
# Each rule's name and what it removes, in the order in which they are asked.
MEANINGS: dict[str, str] = {
    **{rule.name: rule.removes for rule in RULES},
    HELD_OUT: "a side occurs in the validation set or a test set",
    **{rule.name: rule.removes for rule in CORPUS_RULES},
    "max_repeats": "the same source, or the same target, came before too often (boilerplate)",
    "min_lexicon": "little of the target translates words of the source, by the lexicon",
    "max_cross_entropy": "two models find the pair unlikely, or do not agree on it",
}


def judge(pairs: Iterable[Pair], context: Context) -> list[Judged]:
    """A verdict on each pair, by itself; what occurred before is not known here (`CORPUS_RULES`).

    Some thousand pairs at a time take a third of the time of single ones, as their languages are found together.
    """
    written = [edited(*pair, context.settings) for pair in pairs]
    keys = [keys_of(*pair) for pair in written]
    names = [""] * len(written)
    left = list(range(len(written)))
    for rule in RULES:
        broken = rule.broken([written[place] for place in left], context)
        for place in compress(left, broken):
            names[place] = rule.name
        left = [place for place in left if not names[place]]
    for place in left:
        if keys[place].source in context.held_out[0] or keys[place].target in context.held_out[1]:
            names[place] = HELD_OUT
    return [Judged(*pair, name, key) for pair, name, key in zip(written, names, keys, strict=True)]
