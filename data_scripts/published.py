"""Gets published parallel corpora (OPUS, WMT, Tatoeba, ParaCrawl, ...) by their ids in the index of mtdata.

    python data_scripts/published.py DIR ID [ID ...] [--mirror PATH] [--sha256-file FILE]

An id is such as OPUS-tatoeba-v20190709-deu-eng; `mtdata list -l deu-eng -id` lists those of two languages. Writes
aligned plain text for each: DIR/ID.{deu,eng}. Needs `pip install 'recurrent-nmt[corpora]'`; mtdata's index of 290,000
corpora is part of it, and takes a minute and 150 MB in DIR/mtdata at first.

A download that was broken off goes on where it stopped. --mirror PATH reads files instead from a folder laid out as
`wget --mirror` lays it out: host/path/file. Few publishers give checksums, so those of the first download are kept in
DIR/SHA256SUMS, and a file that differs from them later, or from those of --sha256-file, is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from multi30k import read_sums

_SPACES = str.maketrans("\n\r\t", "   ")


def download(url: str, path: Path) -> None:
    """Fetches a file; what an earlier try left in `path`.part is not fetched again if the server's file is the same.

    Raises: ValueError where it cannot be had.
    """
    part, tag = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.etag")
    known = tag.read_text() if tag.exists() and part.exists() else ""
    headers = {"Range": f"bytes={part.stat().st_size}-", "If-Range": known} if known else {}
    try:
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=60) as answer:
            answer.raise_for_status()
            tag.write_text(answer.headers.get("etag", ""))
            with open(part, "ab" if answer.status_code == httpx.codes.PARTIAL_CONTENT else "wb") as file:
                for block in answer.iter_raw():
                    file.write(block)
    except httpx.HTTPError as error:
        raise ValueError(
            f"cannot download {url}: {error}. Run the same command to go on; without a network, copy the file from a "
            "machine that has one, and name the folder with --mirror PATH"
        ) from error
    os.replace(part, path)
    tag.unlink()


def fetch(url: str, path: Path, mirror: Path | None) -> None:
    """A published file at `path`, unless it is there. Raises: ValueError where it cannot be had."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if mirror is None:
        download(url, path)
        return
    there = urlsplit(url)
    copy = mirror / there.netloc / there.path.lstrip("/")
    if not copy.is_file():
        raise ValueError(f"{copy} does not exist: --mirror expects a folder with {there.netloc}{there.path}")
    shutil.copyfile(copy, path)


def check_sum(url: str, path: Path, sums: dict[str, str]) -> None:
    """Compares with the sum that is known of a URL; notes it where none is.

    Raises: ValueError where they differ; the file is gone then.
    """
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sums.setdefault(url, found) != found:
        path.unlink()
        raise ValueError(f"{url} is not the file that was expected: its SHA-256 is {found}, expected {sums[url]}")


def get(entry: Any, directory: Path, mirror: Path | None, sums: dict[str, str]) -> None:
    """Writes a corpus, an `mtdata.entry.Entry`, as aligned text. Raises: ValueError where it cannot be had."""
    from mtdata.cache import Cache
    from mtdata.parser import Parser

    class CheckedCache(Cache):
        """Finds its way in archives as mtdata's own, and downloads with checks."""

        def download(self, url: str, save_at: Path, timeout: object = None, entry: object = None) -> Path:
            fetch(url, save_at, mirror)
            check_sum(url, save_at, sums)
            return save_at

    parser = Parser(CheckedCache(directory / "mtdata").get_entry(entry), ext=entry.in_ext or None, ent=entry)
    write_pairs(entry, directory, parser.read_segs(show_pbar=False))


def write_pairs(entry: Any, directory: Path, rows: Iterator[tuple[str | None, str | None]]) -> None:
    """Writes each side aside and renames it; pairs without one side, which archives have, are left out and counted."""
    paths = [directory / f"{entry.did}.{language}" for language in entry.did.langs]
    asides = [path.with_name(f".{path.name}.{os.getpid()}") for path in paths]
    written = left_out = 0
    with (
        open(asides[0], "w", encoding="utf-8", newline="\n") as source_file,
        open(asides[1], "w", encoding="utf-8", newline="\n") as target_file,
    ):
        for source, target, *_ in rows:
            if source is None or target is None or entry.is_noisy(source, target):
                left_out += 1
                continue
            source_file.write(source.translate(_SPACES).strip() + "\n")
            target_file.write(target.translate(_SPACES).strip() + "\n")
            written += 1
    for aside, path in zip(asides, paths, strict=True):
        os.replace(aside, path)
    print(
        f"{paths[0]}, {paths[1]}: {written:,} pairs" + (f", {left_out:,} left out with an empty side" * bool(left_out))
    )


def entry_of(name: str, index: Any) -> Any:
    """The corpus of an id. Raises: ValueError where mtdata knows none."""
    from mtdata.entry import DatasetId

    try:
        entry = index.entries.get(DatasetId.parse(name))
    except Exception as error:  # mtdata raises nothing more special
        raise ValueError(f"{name} is no id of mtdata: {error}") from error
    if entry is None or len(entry.did.langs) != 2:
        raise ValueError(f"mtdata knows no parallel corpus {name}: `mtdata list -l deu-eng -id` lists ids")
    return entry


def print_source(entry: Any, references: Mapping[str, Any]) -> None:
    urls = [entry.url] if isinstance(entry.url, str) else list(entry.url)
    print(f"\n{entry.did}: {', '.join(urls)}")
    print("Licence: mtdata records none; look at the publisher's page before you pass the texts, or a model, on.")
    for key in entry.cite or ():
        print(f"To cite:\n{references[key].to_string(bib_format='bibtex').strip()}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Gets published parallel corpora and writes aligned plain text.")
    parser.add_argument("directory", type=Path, help="where the files are written")
    parser.add_argument("ids", nargs="+", metavar="ID", help="such as OPUS-tatoeba-v20190709-deu-eng")
    parser.add_argument("--mirror", type=Path, help="a folder with copies of the files, as host/path/file")
    parser.add_argument("--sha256-file", type=Path, help="sums as sha256sum writes them, of URLs instead of files")
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    kept = arguments.directory / "SHA256SUMS"
    try:
        sums = dict(chain.from_iterable(read_sums(path).items() for path in (kept, arguments.sha256_file) if _is(path)))
        cache = (arguments.directory / "mtdata").resolve()
        cache.mkdir(exist_ok=True)
        os.environ["MTDATA"] = str(cache)  # read when mtdata is imported
        try:
            from mtdata.index import INDEX
        except ModuleNotFoundError as error:
            raise ValueError(f"{error.name} is not installed: pip install 'recurrent-nmt[corpora]'") from None
        for entry in [entry_of(name, INDEX) for name in arguments.ids]:
            print_source(entry, INDEX.ref_db)
            get(entry, arguments.directory, arguments.mirror, sums)
            kept.write_text("".join(f"{each}  {url}\n" for url, each in sorted(sums.items())), encoding="utf-8")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _is(path: Path | None) -> bool:
    return path is not None and path.is_file()


if __name__ == "__main__":
    main()
