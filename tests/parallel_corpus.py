"""Made-up parallel corpora: words and their translations in another order, the same for the same seed."""

import random
from pathlib import Path

SYLLABLES = {
    "LATIN": [consonant + vowel for consonant in "bdkmnrst" for vowel in "ai"],
    "CYRILLIC": [consonant + vowel for consonant in "бдкмнрст" for vowel in "аи"],
    "CJK": list("日本語読書鳥雨風山川海空花火水木"),
}


def sentences(script: str, count: int, *, seed: int = 1, longest: int = 9) -> list[str]:
    """Lines of words; line n says the same whatever the script. Japanese has no spaces."""
    choose = random.Random(seed)
    syllables = SYLLABLES[script]
    lexicon = [[choose.randrange(len(syllables)) for _ in range(choose.randint(1, 3))] for _ in range(300)]
    lines = []
    for _ in range(count):
        words = choose.choices(lexicon, k=choose.randint(2, longest))
        lines.append(("" if script == "CJK" else " ").join("".join(syllables[i] for i in word) for word in words) + ".")
    return lines


def write(folder: Path, *, source: list[str], target: list[str], languages: tuple[str, str] = ("en", "de")) -> None:
    """text.en and text.de, or as the languages are called."""
    for language, lines in zip(languages, (source, target), strict=True):
        (folder / f"text.{language}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
