"""Section `data`: the corpora."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from nmt.config.section import FilePath, Positive, Probability, Section, Text

# How one file of both sides is read.
OF_A_FILE = ("source_language", "target_language", "source_column", "target_column")


class TextPair(Section):
    """Pairs of lines: two aligned text files, or one file that holds both sides."""

    source: FilePath | None = Field(
        default=None, description="File with one source sentence a line (plain text or compressed, UTF-8)."
    )
    target: FilePath | None = Field(default=None, description="File with the translations, line by line.")
    file: FilePath | None = Field(
        default=None,
        description="Instead of both: one file with both sides, .tmx, .xlf, .xliff, .po, .tsv, .csv, .jsonl, .parquet.",
    )
    source_language: Text | None = Field(
        default=None, description="file: the language that is read from it as source; null = the job's."
    )
    target_language: Text | None = Field(default=None, description="file: that of the translations; null = the job's.")
    source_column: Text | None = Field(
        default=None,
        description='file: the column of the source, by name or, in .tsv and .csv, number ("1" first); null = the one '
        "called like the language, or source, or the first.",
    )
    target_column: Text | None = Field(
        default=None, description="file: that of the translations; null = by language, or target, or the second."
    )

    @model_validator(mode="after")
    def _one_way_of_two(self) -> TextPair:
        if self.file is None:
            for side in ("source", "target"):
                if getattr(self, side) is None:
                    raise ValueError(
                        f"{side} is missing: source and target name two aligned text files, file names one"
                    )
            if extra := [name for name in OF_A_FILE if getattr(self, name) is not None]:
                raise ValueError(f"{extra[0]} belongs to file, and source and target are text files: leave it out")
        elif self.source or self.target:
            raise ValueError("file holds both sides: leave source and target out, or file")
        return self

    @model_serializer(mode="wrap")
    def _what_is_given(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}

    @property
    def files(self) -> dict[str, str]:
        """The settings that name a file, with the files."""
        named = {name: getattr(self, name) for name in ("source", "target", "file")}
        return {name: path for name, path in named.items() if path is not None}

    @property
    def name(self) -> str:
        """What to call the pairs in messages."""
        return " and ".join(self.files.values())

    def places(self, side: str) -> str:
        """What the number of a pair stands behind, to find its "source" or "target": the file, and what is counted."""
        return self.files.get(side) or f"{self.file}, pair"


class Corpus(TextPair):
    weight: float = Field(
        default=1.0,
        gt=0.0,
        description="How often each pair is seen per epoch: 2 twice, 0.5 a random half anew each epoch.",
    )
    tag: Text | None = Field(
        default=None,
        description="A piece put before each source line, such as <2fr> for the language of the target or <back> for "
        "text that was translated back; search.tag asks for it.",
    )


class DataConfig(Section):
    train: list[Corpus] = Field(min_length=1, description="Training corpora, mixed by weight.")
    validation: TextPair = Field(description="Held-out pairs that training decisions (best, stopping) are made on.")
    test: dict[str, TextPair] = Field(
        default_factory=dict, description="Named test sets for `nmt evaluate`; training never reads them."
    )
    bleu_tokenize: Literal["13a", "none", "char", "zh", "intl"] | None = Field(
        default=None,
        description="How sacrebleu cuts target text into words for BLEU; none = it is tokenized already, null = chosen "
        "by target_language.",
    )
    max_length: Positive = Field(
        default=100,
        description="Longest side of a training pair, in pieces; longer pairs are left out, counted and reported.",
    )
    batch_tokens: Positive = Field(
        default=1024, description="Token budget of a batch: rows x longest side (pieces, padding included)."
    )
    planted_symbols: Probability = Field(
        default=0.03, description="protect: share of the pairs without a common span that get one, to learn from."
    )
    case_augmentation: Probability = Field(
        default=0.05, description="Share of pairs seen in CAPITALS or, as often, with a lower-cased source."
    )
    concatenation: Probability = Field(
        default=0.0,
        description="Share of pairs seen with another one behind them, so that a corpus of single sentences teaches to "
        "translate several on a line, too.",
    )
    shuffle_window: Positive = Field(
        default=500_000, description="Pairs held in memory for shuffling and sorting by length; a corpus may be larger."
    )
    prefetch: Positive = Field(default=8, description="Batches prepared ahead of the training step.")

    @model_validator(mode="after")
    def _a_pair_fits_a_batch(self) -> DataConfig:
        if self.max_length + 1 > self.batch_tokens:
            raise ValueError(
                f"batch_tokens ({self.batch_tokens}) cannot hold one pair of max_length ({self.max_length}) pieces and "
                f"its end: set batch_tokens to at least {self.max_length + 1}, or max_length lower"
            )
        return self
