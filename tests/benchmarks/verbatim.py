"""How many lines of this machine's own translations a run can write, under each normalization of the target.

    python tests/benchmarks/verbatim.py fr zh_CN fa ja

The lines are those of the message catalogues (.mo) below /usr/share/locale. A tokenizer is trained on them as target
text, and a line counts if decoding its pieces gives the line (composed, without space at its ends).
"""

from __future__ import annotations

import argparse
import gettext
import tempfile
import unicodedata
from pathlib import Path

import sentencepiece

from nmt.config.settings import Config
from nmt.text.tokenizer import train_tokenizers

LOCALES = Path("/usr/share/locale")
VOCABULARY = 8_000


def catalogue_lines(language: str) -> list[str]:
    """The different lines of all catalogues of a language."""
    lines = set()
    for path in sorted((LOCALES / language / "LC_MESSAGES").glob("*.mo")):
        with path.open("rb") as file:
            messages = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
        for key, text in messages.items():
            if key:  # the empty one holds the catalogue's header
                lines.update(line.strip() for line in text.split("\n"))
    return sorted(filter(None, lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("languages", nargs="+", metavar="LANGUAGE")
    options = parser.parse_args()
    nfkc = sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc", add_dummy_prefix=False, escape_whitespaces=False)
    print(f"{'language':<10}{'lines':>8}{'written, nmt_nfkc':>20}{'written, verbatim':>20}")
    for language in options.languages:
        lines = [unicodedata.normalize("NFC", line) for line in catalogue_lines(language)]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "lines"
            path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
            pair = {"source": str(path), "target": str(path)}
            config = Config.model_validate(
                {
                    "run": folder,
                    "source_language": "en",
                    "target_language": language.partition("_")[0],
                    "data": {"train": [pair], "validation": pair},
                    "tokenizer": {"vocabulary_size": VOCABULARY, "character_coverage": 1.0, "joint": False},
                }
            )
            target = train_tokenizers(config).target
        decoded = target.decode(target.encode(lines))
        written = sum(text == line for text, line in zip(decoded, lines, strict=True))
        unchanged = sum(nfkc.normalize(line) == line for line in lines)
        print(f"{language:<10}{len(lines):>8,}{unchanged / len(lines):>20.1%}{written / len(lines):>20.1%}")


if __name__ == "__main__":
    main()
