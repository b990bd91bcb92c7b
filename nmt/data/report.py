"""What became of the pairs of an epoch, in counts. Imports no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, field

from nmt.config.settings import Config


@dataclass
class CorpusReport:
    """How one corpus's pairs are used in one epoch; a pair of weight 2 counts twice."""

    name: str
    pairs: int = 0  # trained on, including identical ones
    empty: int = 0  # left out: a side has no piece
    too_long: int = 0  # left out: a side has more than data.max_length pieces, as augmented
    identical: int = 0  # trained on although source == target


@dataclass
class DataReport:
    """Counts of one epoch. str() is a readable table."""

    corpora: list[CorpusReport] = field(default_factory=list)

    @classmethod
    def empty(cls, config: Config) -> DataReport:
        """One that has counted nothing yet."""
        return cls([CorpusReport(corpus.file or corpus.files["source"]) for corpus in config.data.train])

    def add(self, other: DataReport) -> None:
        """Adds the counts of another part of the same job's pairs."""
        for mine, others in zip(self.corpora, other.corpora, strict=True):
            mine.pairs += others.pairs
            mine.empty += others.empty
            mine.too_long += others.too_long
            mine.identical += others.identical

    def __str__(self) -> str:
        rows = [("corpus", "pairs", "empty", "too long", "identical")]
        rows += [
            (corpus.name, f"{corpus.pairs:,}", f"{corpus.empty:,}", f"{corpus.too_long:,}", f"{corpus.identical:,}")
            for corpus in self.corpora
        ]
        name_width = max(len(row[0]) for row in rows)
        return "\n".join(f"{row[0]:{name_width}}" + "".join(f"{cell:>12}" for cell in row[1:]) for row in rows)
