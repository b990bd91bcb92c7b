"""Section `search`: how to translate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from nmt.config.section import Positive, Probability, Section, Text


class SearchConfig(Section):
    beam_size: Positive = Field(default=5, description="Hypotheses kept at each step; 1 = greedy.")
    length_penalty: float = Field(
        default=1.0,
        ge=0.0,
        description="alpha of Wu et al. 2016, eq. 14: 0 = plain log-probability, 1 favours longer output.",
    )
    coverage_penalty: float = Field(
        default=0.0,
        ge=0.0,
        description="beta of Wu et al. 2016, eq. 14: punishes source pieces that attention never read.",
    )
    min_length_ratio: float = Field(default=0.0, ge=0.0, description="Shortest output, in pieces per source piece.")
    max_length_ratio: float = Field(default=2.0, gt=0.0, le=100.0, description="Longest output, per source piece ...")
    max_length_extra: int = Field(default=10, ge=1, le=10_000, description="... plus so many pieces.")
    no_repeat_ngram: int = Field(default=0, ge=0, description="No n-gram of this size twice; 0 = off.")
    repetition_penalty: float = Field(
        default=0.0,
        ge=0.0,
        description="Taken off the ranking of a piece for each time it was already written; 0 = off.",
    )
    sampling: bool = Field(default=False, description="Draw from the model instead of searching for the best.")
    temperature: float = Field(default=1.0, ge=0.001, description="sampling: below 1 sharper, above 1 flatter.")
    top_k: int = Field(default=0, ge=0, description="sampling: only from the k best pieces; 0 = all.")
    top_p: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="sampling: only from the best pieces that together have this probability.",
    )
    seed: int = Field(default=0, ge=0, description="sampling: the same seed and line give the same translation.")
    n_best: Positive = Field(default=1, description="Translations a sentence, best first.")
    guard: bool = Field(
        default=True,
        description="Search again, by stricter rules, where a translation is degenerate; flag what stays so.",
    )
    guard_max_repeats: int = Field(
        default=3,
        ge=0,
        description="Degenerate: more repeated triples of pieces than this plus twice the source's own.",
    )
    guard_min_length_ratio: Probability = Field(default=0.3, description="Degenerate: fewer pieces a source piece.")
    guard_min_coverage: Probability = Field(default=0.4, description="Degenerate: a smaller share of the source read.")
    shortlist: int = Field(
        default=0,
        ge=0,
        le=100,
        description="Choose from so many likely translations of each source piece, learned from data.train, and the "
        "most frequent pieces: faster, hardly worse; 0 = from all.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="float32",
        description="Of weights and matrix products when translating; bfloat16 is faster on processors that have it, "
        "and an export of half the size; auto = measured at start-up, so that machines may translate differently.",
    )
    split_sentences: Literal["auto", "always", "never"] = Field(
        default="auto",
        description="Translate each sentence of a line alone; auto = where lines were single sentences in training.",
    )
    tag: Text | None = Field(
        default=None, description="The tag of training corpora to translate like, such as <2fr>; null = none."
    )
    max_source_length: Positive = Field(
        default=100,
        description="Longer lines are split at sentence ends or words into chunks of at most so many pieces.",
    )
    batch_tokens: Positive = Field(
        default=4096, description="Token budget of a batch when translating (rows x longest source)."
    )

    @model_validator(mode="after")
    def _n_best_fits(self) -> SearchConfig:
        if not self.sampling and self.n_best > self.beam_size:
            raise ValueError(
                f"n_best ({self.n_best}) cannot exceed beam_size ({self.beam_size}): set search.beam_size to at least "
                f"{self.n_best}"
            )
        return self
