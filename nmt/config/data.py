"""Section `data`: the corpora."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from nmt.config.section import FilePath, Positive, Probability, Section, Text


class TextPair(Section):
    """Two aligned text files, plain or compressed: line n of one is the translation of line n of the other."""

    source: FilePath = Field(description="File with one source sentence a line (plain text or compressed, UTF-8).")
    target: FilePath = Field(description="File with the translations, line by line.")


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
