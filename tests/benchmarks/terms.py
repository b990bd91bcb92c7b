"""What a glossary does to translations of terms that no training has seen, and what 5,000 terms cost.

    python tests/benchmarks/terms.py RUN SOURCE TARGET WORD=TRANSLATION ...

In each line pair that has a word once and its translation once, both are replaced by one of 50 invented terms. How many
translations have exactly that term, and how good is the rest, beside the lines as they were? Then the time of a line
without and with 5,000 terms: whole translations by RUN, and the search for spans alone, in Python and in a graph.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import tensorflow as tf

import nmt
from nmt.config.data import TextPair
from nmt.text.files import read_pairs
from nmt.text.glossary import Glossary
from nmt.text.metrics import sentence_chrf
from nmt.text.protection import Protection

TERMS, MANY, ROUNDS, REPEATED = 50, 5000, 7, 20
Pairs = list[tuple[str, str]]


def invented(count: int) -> dict[str, str]:
    """Terms of one to three words without meaning."""
    choose = random.Random(1)

    def word() -> str:
        return "".join(choose.choice("bdfgklmnprstvz") + choose.choice("aeiou") for _ in range(choose.randint(2, 4)))

    def term() -> str:
        return " ".join(word() for _ in range(choose.randint(1, 3)))

    return {term(): term().title() for _ in range(count)}


def with_terms(pairs: Pairs, words: dict[str, str], terms: dict[str, str]) -> tuple[Pairs, Pairs]:
    """Line pairs as they are and with terms in them."""
    plain, changed = [], []
    for pair in pairs:
        for word in words.items():
            (source, once), (target, also_once) = (
                re.subn(rf"\b{each}\b", "\0", side) for each, side in zip(word, pair, strict=True)
            )
            if once == also_once == 1:
                term, translation = list(terms.items())[len(plain) % TERMS]
                plain.append(pair)
                changed.append((source.replace("\0", term), target.replace("\0", translation)))
                break
    return plain, changed


def quality(run: str, pairs: Pairs, terms: dict[str, str], glossary: dict[str, str]) -> tuple[int, float]:
    """How many lines have exactly their term, and the mean chrF of lines without it."""
    sources, targets = zip(*pairs, strict=True)
    found = [each.text for each in nmt.load(run, glossary=glossary).translate(sources)]
    wanted = [[each for each in terms.values() if each in target] for target in targets]
    exact = sum(all(text.count(each) == 1 for each in of_line) for text, of_line in zip(found, wanted, strict=True))

    def rest(lines):
        return [
            line.replace(max(of_line, key=len, default="\0"), "") for line, of_line in zip(lines, wanted, strict=True)
        ]

    return exact, float(np.mean(sentence_chrf(rest(found), rest(targets))))


def fastest(*works: Callable[[], object]) -> list[float]:
    """Seconds of the fastest of a few rounds of each, in turns."""
    for work in works:
        work()
    times = []
    for _ in range(ROUNDS):
        times.append([])
        for work in works:
            began = time.perf_counter()
            work()
            times[-1].append(time.perf_counter() - began)
    return np.min(times, axis=0).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("run", "source", "target"):
        parser.add_argument(name)
    parser.add_argument("words", nargs="+")
    options = parser.parse_args()
    pairs = list(read_pairs(TextPair(source=options.source, target=options.target)))
    terms = invented(TERMS)
    plain, changed = with_terms(pairs, dict(word.split("=") for word in options.words), terms)
    print(f"{'lines':<40}{'number':>8}{'exact term':>12}{'chrF of the rest':>18}")
    for name, lines, glossary in (
        ("as they were, without glossary", plain, {}),
        ("with terms, without glossary", changed, {}),
        ("with terms, with glossary", changed, terms),
    ):
        exact, chrf = quality(options.run, lines, terms, glossary)
        print(f"{name:<40}{len(lines):>8}{exact if lines is changed else '-':>12}{chrf:>18.1f}")

    sources = [source for source, _ in pairs]
    glossaries = Glossary({}), Glossary(invented(MANY))
    print(f"\n{'milliseconds a line':<40}{'without':>10}{f'{len(glossaries[1]):,} terms':>14}")
    translators = [nmt.load(options.run, glossary=glossary) for glossary in glossaries]
    show("translation", [partial(each.translate, sources) for each in translators], len(sources))
    protections = [each.protection for each in translators]
    show("spans in Python", [partial(hide_all, each, sources) for each in protections], len(sources))
    for count in (64, 1):
        works = [hiding_in_graph(each, sources[:count]) for each in protections]
        show(f"spans in a graph, lines at a time: {count}", works, count * REPEATED)


def show(name: str, works: Sequence[Callable[[], object]], lines: int) -> None:
    without, with_many = fastest(*works)
    print(f"{name:<40}{without / lines * 1000:>10.3f}{with_many / lines * 1000:>14.3f}")


def hide_all(protection: Protection, lines: list[str]) -> None:
    for line in lines:
        protection.hide(line)


def hiding_in_graph(protection: Protection, lines: list[str]) -> Callable[[], object]:
    hide, text = tf.function(protection.hide_in_graph, autograph=False), tf.constant(lines)
    return lambda: [hide(text) for _ in range(REPEATED)]


if __name__ == "__main__":
    main()
