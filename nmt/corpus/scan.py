"""One reading of a corpus for `nmt check`: findings about single pairs, and what the checks of the whole need.

Memory grows by 24 bytes per pair: hashes and lengths are kept, never lines.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from itertools import islice

import numpy as np

from nmt.config.data import TextPair
from nmt.config.settings import Config
from nmt.corpus.findings import Finding
from nmt.corpus.statistics import PAIR_CHECKS, profile, script
from nmt.text.files import read_pairs
from nmt.text.invisible import invisible_characters
from nmt.text.protection import Protection
from nmt.text.tokenizer import UNK, Tokenizers

_CHUNK_PAIRS = 10_000
_PROFILE_PAIRS = 2_000


class Scan:
    """Reads one corpus and collects what the checks of all of it need."""

    def __init__(self, name: str, pair: TextPair) -> None:
        self.name, self.pair = name, pair
        self.places = pair.places("source"), pair.places("target")
        self.source_hashes, self.pair_hashes = array("q"), array("q")
        self.source_lengths, self.target_lengths = array("f"), array("f")
        self.profiles: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self.scripts: tuple[dict[str, Finding], dict[str, Finding]] = ({}, {})
        self.of_pairs = [self.finding(text) for _, text, _ in PAIR_CHECKS]
        self.empty = self.finding("pairs with an empty side (training leaves them out)")
        self.too_long = self.finding("pairs longer than data.max_length pieces")
        self.unknown = self.finding("pairs with characters that the tokenizer does not know")
        self.invisible = (Finding("", self.places[0]), Finding("", self.places[1]))
        self.invisible_characters: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        self.pieces = [0, 0]
        self.usable = 0  # pairs that can be trained on

    def __len__(self) -> int:
        return len(self.pair_hashes)

    def finding(self, text: str, indices: np.ndarray | None = None) -> Finding:
        """A finding about the pairs of this corpus with these indices."""
        found = Finding(f"{text} in {self.name}", self.places[0])
        for index in indices if indices is not None else ():
            found.add(int(index) + 1)
        return found

    def read(self, config: Config, tokenizers: Tokenizers | None) -> None:
        pairs = read_pairs(self.pair)
        while chunk := list(islice(pairs, _CHUNK_PAIRS)):
            if not len(self):
                sources, targets = zip(*chunk[:_PROFILE_PAIRS], strict=True)
                self.profiles = (profile(sources), profile(targets))
            if tokenizers:
                self._add_pieces(chunk, config, tokenizers)
            for source, target in chunk:
                self._add(source, target)

    def _add(self, source: str, target: str) -> None:
        line_number = len(self) + 1
        for finding, (_, _, holds) in zip(self.of_pairs, PAIR_CHECKS, strict=True):
            if holds(source, target):
                finding.add(line_number)
        for scripts, line, path in zip(self.scripts, (source, target), self.places, strict=True):
            if letters := script(line):
                scripts.setdefault(letters, Finding(letters, path)).add(line_number)
        for finding, characters, line in zip(self.invisible, self.invisible_characters, (source, target), strict=True):
            if found := invisible_characters(line):
                finding.add(line_number)
                characters.update(found)
        self.source_hashes.append(hash(source))
        self.pair_hashes.append(hash((source, target)))
        self.source_lengths.append(len(source))
        self.target_lengths.append(len(target))

    def _add_pieces(self, chunk: Sequence[tuple[str, str]], config: Config, tokenizers: Tokenizers) -> None:
        protection = Protection.of(config, tokenizers)
        hidden = [map(protection.join, protection.hide_common(source, target)) for source, target in chunk]
        sources, targets = (
            tokenizer.encode(lines) for tokenizer, lines in zip(tokenizers, zip(*hidden, strict=True), strict=True)
        )
        for line_number, (source, target) in enumerate(zip(sources, targets, strict=True), start=len(self) + 1):
            self.pieces[0] += len(source)
            self.pieces[1] += len(target)
            if max(len(source), len(target)) > config.data.max_length:
                self.too_long.add(line_number)
            elif source and target:
                self.usable += 1
            else:
                self.empty.add(line_number)
            if UNK in source or UNK in target:
                self.unknown.add(line_number)
