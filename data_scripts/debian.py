"""Builds a corpus of software texts from the package descriptions of Debian, translated by volunteers.

    python data_scripts/debian.py DIR [--source en] [--target de|fr|it|pl|pt_BR|ru|ja|...] [--lists PATH]

Writes aligned plain text: DIR/debian.{en,de}, some 60,000 pairs for German. apt keeps descriptions in lists called
Translation-en, Translation-de, ...; a package's description and its translation have the same Description-md5. Both are
cut into paragraphs and list items, and these into sentences, where both sides have equally many.

The lists are read from --lists PATH, else from the machine's own (/var/lib/apt/lists); where these have not both
languages, `apt-get update` fetches them from the machine's own mirror into DIR/apt, for this script alone: nothing of
the system is changed, and a second run asks only for what is new. apt checks their signatures.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from nmt.text.files import read_lines
from nmt.text.sentences import SentenceSplitter

SYSTEM_LISTS = Path("/var/lib/apt/lists")
APT_HELPER = "/usr/lib/apt/apt-helper"
LICENCE = """\
Licence: descriptions are part of their packages, which are free software, and have their licences
(/usr/share/doc/PACKAGE/copyright of each); their translations come without a statement of their own.
To cite: Debian Description Translation Project, https://www.debian.org/international/l10n/ddtp."""
_ITEM = re.compile(r"\s+(?:[-*+•–]|o(?=\s))\s*(?=\S)")
_BLANK = "."


class Description(NamedTuple):
    """A package in one language: a short title, and paragraphs of units, which are running text or list items."""

    title: str
    paragraphs: list[list[Unit]]


class Unit(NamedTuple):
    text: str
    is_item: bool


def read_descriptions(lines: Iterable[str], language: str) -> Iterator[tuple[str, Description]]:
    """(Description-md5, description) of each package of a Translation list."""
    field = f"Description-{language}: "
    digest, title, body = "", "", list[str]()
    for line in [*lines, ""]:
        if line.startswith("Description-md5: "):
            digest = line.partition(": ")[2]
        elif line.startswith(field):
            title = line.removeprefix(field)
        elif line.startswith(" ") and title:
            body.append(line[1:])
        elif not line:
            if digest and title:
                yield digest, Description(title.strip(), [*_paragraphs(body)])
            digest, title, body = "", "", []


def _paragraphs(lines: Sequence[str]) -> Iterator[list[Unit]]:
    units: list[Unit] = []
    for line in [*lines, _BLANK]:
        if line.strip() == _BLANK:
            if units:
                yield units
            units = []
        elif marked := _ITEM.match(f" {line}"):
            units.append(Unit(f" {line}"[marked.end() :].strip(), True))
        elif units and (not line.startswith(" ") or units[-1].is_item):
            last = units.pop()
            units.append(Unit(f"{last.text} {line.strip()}", last.is_item))
        else:
            units.append(Unit(line.strip(), False))


def align(source: Description, target: Description, splitters: Sequence[SentenceSplitter]) -> Iterator[tuple[str, str]]:
    """Pairs of titles, and of sentences of paragraphs that are built alike; what is not built alike is left out."""
    yield source.title, target.title
    if len(source.paragraphs) != len(target.paragraphs):
        return
    for units in zip(source.paragraphs, target.paragraphs, strict=True):
        if [unit.is_item for unit in units[0]] != [unit.is_item for unit in units[1]]:
            continue
        for texts in zip(*units, strict=True):
            sides = [_sentences(unit.text, splitter) for unit, splitter in zip(texts, splitters, strict=True)]
            if len(sides[0]) == len(sides[1]):
                yield from zip(*sides, strict=True)
            else:
                yield texts[0].text, texts[1].text


def _sentences(text: str, splitter: SentenceSplitter) -> list[str]:
    return [sentence for sentence in splitter.split(text).texts if sentence]


def read_list(paths: Sequence[Path], language: str) -> dict[str, Description]:
    """Description-md5 -> description, of all lists of a language.

    Raises: ValueError for a list that cannot be read.
    """
    return {
        digest: description
        for path in paths
        for digest, description in read_descriptions(
            unpacked(path) if path.suffix == ".lz4" else read_lines(path), language
        )
    }


def unpacked(path: Path) -> list[str]:
    """The lines of a list that apt keeps as LZ4, which only apt reads without further ado."""
    try:
        answer = subprocess.run([APT_HELPER, "cat-file", str(path)], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(f"{path} cannot be unpacked by {APT_HELPER}: unpack it by lz4 -d") from error
    return answer.stdout.decode("utf-8", "replace").splitlines()


def find_lists(directory: Path, language: str) -> list[Path]:
    return sorted(directory.glob(f"*Translation-{language}")) + sorted(directory.glob(f"*Translation-{language}.*"))


def fetch_lists(state: Path, languages: Sequence[str]) -> Path:
    """Lets apt fetch the lists of these languages, and nothing else, into a directory of our own.

    Raises: ValueError where apt cannot.
    """
    lists = state.resolve() / "lists"
    for folder in (lists / "partial", state.resolve() / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State::lists": lists,
        "Dir::Cache": state.resolve() / "cache",
        "Acquire::Languages": ",".join(languages),
        "Acquire::IndexTargets::deb::Packages::DefaultEnabled": "false",
        "Acquire::IndexTargets::deb-src::Sources::DefaultEnabled": "false",
        "APT::Sandbox::User": "",
    }
    command = ["apt-get", "update", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise ValueError(
            "there is no apt-get here: copy /var/lib/apt/lists/*Translation-* from a Debian machine, "
            "and name the folder with --lists PATH"
        ) from None
    if answer.returncode:
        raise ValueError(f"apt-get update failed: {answer.stderr.strip()}\nName lists of another machine with --lists")
    return lists


def choose_lists(arguments: argparse.Namespace) -> list[list[Path]]:
    """The lists of the source and of the target language. Raises: ValueError where there are none."""
    languages = (arguments.source, arguments.target)
    directory = arguments.lists or SYSTEM_LISTS
    lists = [find_lists(directory, language) for language in languages]
    if not all(lists) and not arguments.lists:
        directory = fetch_lists(arguments.directory / "apt", languages)
        lists = [find_lists(directory, language) for language in languages]
    for language, found in zip(languages, lists, strict=True):
        if not found:
            raise ValueError(f"{directory} has no Translation-{language}: does Debian translate into that language?")
    return lists


def write_pairs(directory: Path, pairs: Sequence[tuple[str, str]], languages: Sequence[str]) -> None:
    """Writes each side aside and renames it, so that no half of a file is ever found."""
    directory.mkdir(parents=True, exist_ok=True)
    for language, lines in zip(languages, zip(*pairs, strict=True), strict=True):
        path = directory / f"debian.{language}"
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        os.replace(aside, path)
        print(f"{path}: {len(lines):,} lines")


def main() -> None:
    parser = argparse.ArgumentParser(description="Builds a corpus from the package descriptions of Debian.")
    parser.add_argument("directory", type=Path, help="where the files are written")
    parser.add_argument("--source", default="en", help="source language (default en, the language of the originals)")
    parser.add_argument("--target", default="de", help="target language, as Debian calls it (default de)")
    parser.add_argument("--lists", type=Path, help="a folder with Translation-* lists, instead of this machine's")
    arguments = parser.parse_args()
    try:
        lists = choose_lists(arguments)
        languages = (arguments.source, arguments.target)
        sources, targets = (read_list(paths, language) for paths, language in zip(lists, languages, strict=True))
        splitters = [SentenceSplitter(language) for language in languages]
        common = [digest for digest in sources if digest in targets]
        pairs = [pair for digest in common for pair in align(sources[digest], targets[digest], splitters)]
        if not pairs:
            raise ValueError(f"no description has a translation from {languages[0]} to {languages[1]}")
        print(f"{len(sources):,} and {len(targets):,} descriptions, {len(common):,} in both languages")
        write_pairs(arguments.directory, pairs, languages)
        print(LICENCE)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
