"""Gets Multi30k (Elliott et al. 2016): 29,000 image captions in English, translated to German, French and Czech.

    python data_scripts/multi30k.py DIR [--target de|fr|cs] [--tokenized] [--mirror PATH]

Writes aligned plain text, one caption a line: DIR/{train,val,test_2016_flickr}.{en,de}. The files come from the public
repository multi30k/dataset, task 1, or from PATH, a folder laid out as `data/task1` there (`raw/train.en.gz`, ...).
Choose settings on `val` and read the test set once. The captions' licence is not stated there: check that your use is
allowed before you pass them, or a model trained on them, on.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import http.client
import os
import sys
import urllib.request
import zlib
from pathlib import Path

ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/"
SPLITS = ("train", "val", "test_2016_flickr")
# Of the published files: raw/ is compressed there, tok/ is plain text. For French and Czech none are known to us.
SHA256 = {
    "raw/train.en.gz": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "raw/train.de.gz": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "raw/val.en.gz": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "raw/val.de.gz": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "raw/test_2016_flickr.en.gz": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "raw/test_2016_flickr.de.gz": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "tok/train.lc.norm.tok.en": "08925f8e0572bcd5a006702fc5fe20e2d77c6917d4eebd576fc20de6693c2119",
    "tok/train.lc.norm.tok.de": "cb5a23529b65ec2061f1dc446192a9c37382b63cc75f81a0be59d34894b3a505",
    "tok/val.lc.norm.tok.en": "46573ce391ae227f1c72f873392436a20ef18e0a6d518098cfbd70b77c8572ec",
    "tok/val.lc.norm.tok.de": "97232bd273eceb7207f689527386a97e4be2616b18ada47576bdaf96c8ae1f00",
    "tok/test_2016_flickr.lc.norm.tok.en": "5b7f32627cf99eced828311b955dae9800bb52bc8b91cf8b6526829e605b29d2",
    "tok/test_2016_flickr.lc.norm.tok.de": "c6a33d39d48f9f510de147651316cd9d918e09ad0219df734a2f16b6baccacc4",
}


def published_file(name: str, mirror: Path | None) -> bytes:
    """The bytes of a file of the repository; a mirror may hold a plain one compressed.

    Raises: ValueError where it cannot be had.
    """
    if mirror is None:
        try:
            with urllib.request.urlopen(ADDRESS + name, timeout=60) as answer:
                return answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ValueError(
                f"cannot download {ADDRESS}{name}: {error}. Without a network, copy the repository's data/task1 folder "
                "from a machine that has one, and name it with --mirror PATH"
            ) from error
    if (mirror / name).is_file():
        return (mirror / name).read_bytes()
    if (mirror / f"{name}.gz").is_file():
        return decompressed((mirror / f"{name}.gz").read_bytes(), f"{name}.gz")
    raise ValueError(f"{mirror / name} does not exist: --mirror expects a folder with raw/ or tok/ as in data/task1")


def decompressed(content: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{name} is damaged: not a whole gzip file ({error}). Get it anew") from error


def check_sum(name: str, content: bytes, expected: str | None) -> None:
    """Raises: ValueError where the SHA-256 is not the expected one; where none is known it is printed instead."""
    found = hashlib.sha256(content).hexdigest()
    if expected is None:
        print(f"{name}: not checked, its SHA-256 is not known here (see --sha256-file). It is {found}")
    elif found != expected:
        raise ValueError(f"{name} is not the published file: its SHA-256 is {found}, expected {expected}. Get it anew")


def read_sums(path: Path) -> dict[str, str]:
    """File name -> sum, from lines as `sha256sum` writes them."""
    sums = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        found, _, name = line.strip().partition(" ")
        if len(found) != 64 or not name:
            raise ValueError(f"{path}, line {number}: expected a SHA-256 and a file name, got {line!r}")
        sums[name.strip(" *")] = found.lower()
    return sums


def read_lines(name: str, mirror: Path | None, sums: dict[str, str]) -> list[str]:
    content = published_file(name, mirror)
    check_sum(name, content, sums.get(name))
    if name.endswith(".gz"):
        content = decompressed(content, name)
    try:
        return content.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}, line {content[: error.start].count(10) + 1}: invalid UTF-8 ({error.reason})"
        ) from error


def read_corpus(target: str, *, tokenized: bool, mirror: Path | None, sums: dict[str, str]) -> dict[str, list[str]]:
    """File name to write -> its lines, both sides of a split equally many. Raises: ValueError where they are not."""
    pattern = "tok/{}.lc.norm.tok.{}" if tokenized else "raw/{}.{}.gz"
    corpus: dict[str, list[str]] = {}
    for split in SPLITS:
        english, other = (read_lines(pattern.format(split, side), mirror, sums) for side in ("en", target))
        if len(english) != len(other):
            raise ValueError(f"{split} is not aligned: {len(english)} English lines, {len(other)} in {target}")
        corpus |= {f"{split}.en": english, f"{split}.{target}": other}
    return corpus


def write_corpus(directory: Path, corpus: dict[str, list[str]]) -> None:
    """Writes each file aside and renames it, so that no half of one is ever found."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, lines in corpus.items():
        aside = directory / f".{name}.{os.getpid()}"
        aside.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        os.replace(aside, directory / name)
        print(f"{directory / name}: {len(lines):,} lines")


def main() -> None:
    parser = argparse.ArgumentParser(description="Gets Multi30k, checks it, and writes aligned plain text files.")
    parser.add_argument("directory", type=Path, help="where the files are written")
    parser.add_argument("--target", choices=("de", "fr", "cs"), default="de", help="the other language (default de)")
    parser.add_argument("--tokenized", action="store_true", help="the authors' lower-cased, tokenized files")
    parser.add_argument("--mirror", type=Path, help="a local copy of the repository's data/task1 folder")
    parser.add_argument(
        "--sha256-file", type=Path, help="sums as sha256sum writes them, beside or instead of the known ones"
    )
    arguments = parser.parse_args()
    try:
        sums = SHA256 | (read_sums(arguments.sha256_file) if arguments.sha256_file else {})
        corpus = read_corpus(arguments.target, tokenized=arguments.tokenized, mirror=arguments.mirror, sums=sums)
        write_corpus(arguments.directory, corpus)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
