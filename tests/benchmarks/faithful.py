"""What becomes of lines unlike those of the training: two sentences on a line, capitals, emoji, invisible characters.

    python tests/benchmarks/faithful.py RUN SOURCE TARGET

A table of lines that differ from the first 150 of SOURCE, or are made of two of its lines: chrF, lines that are exactly
right, lines that are flagged, and those with a confidence below 0.7. RUN's model was trained on single sentences.
"""

from __future__ import annotations

import argparse

import numpy as np

import nmt
from nmt.config.data import TextPair
from nmt.text.augmentation import concatenate
from nmt.text.files import read_pairs
from nmt.text.metrics import sentence_chrf

SINGLE, DOUBLE = 150, 200
INVISIBLE = {"soft hyphen": "\u00ad", "word joiner": "\u2060", "NUL": "\0", "zero width space": "\u200b"}

Pairs = list[tuple[str, str]]


def inside_longest_word(line: str, character: str) -> str:
    word = max(line.split(), key=len)
    return line.replace(word, word[: len(word) // 2] + character + word[len(word) // 2 :], 1)


def cases(pairs: Pairs) -> dict[str, tuple[str, Pairs]]:
    """By name: the setting search.split_sentences, and the pairs."""
    single = pairs[:SINGLE]
    double = [concatenate(*both) for both in zip(pairs[::2], pairs[1::2], strict=False)][:DOUBLE]
    upper = [(source.upper(), target.upper()) for source, target in single]
    invisible = {
        f"{name} inside a word": (
            "auto",
            [(inside_longest_word(source, character), target) for source, target in single],
        )
        for name, character in INVISIBLE.items()
    }
    return {
        "single sentences": ("auto", single),
        "two on a line": ("auto", double),
        "two on a line, not cut": ("never", double),
        "capitals": ("auto", upper),
        "emoji behind it": ("auto", [(f"{source} 😆", f"{target} 😆") for source, target in single]),
        "emoji before it": ("auto", [(f"😆 {source}", f"😆 {target}") for source, target in single]),
        **invisible,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("source")
    parser.add_argument("target")
    options = parser.parse_args()
    pairs = list(read_pairs(TextPair(source=options.source, target=options.target)))
    print(f"{'lines':<32}{'number':>8}{'chrF':>8}{'exact':>8}{'flagged':>9}{'confidence < .7':>17}{'mean':>8}")
    for name, (split, chosen) in cases(pairs).items():
        translator = nmt.load(options.run, overrides=[f"search.split_sentences={split}"])
        sources, targets = zip(*chosen, strict=True)
        found = translator.translate(sources)
        chrf = np.mean(sentence_chrf([each.text for each in found], targets))
        exact = sum(each.text == target for each, target in zip(found, targets, strict=True))
        confidence = np.array([np.nan if each.confidence is None else each.confidence for each in found])
        flagged, doubtful = sum(each.degenerate for each in found), int((confidence < 0.7).sum())
        print(f"{name:<32}{len(found):>8}{chrf:>8.1f}{exact:>8}{flagged:>9}{doubtful:>17}{confidence.mean():>8.3f}")


if __name__ == "__main__":
    main()
