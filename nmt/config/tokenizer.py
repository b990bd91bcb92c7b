"""Section `tokenizer`: SentencePiece."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nmt.config.section import FilePath, Positive, Section, Text


class TokenizerConfig(Section):
    type: Literal["unigram", "bpe"] = Field(default="unigram", description="SentencePiece model type.")
    joint: bool = Field(default=True, description="One vocabulary for both languages (needed to tie all embeddings).")
    vocabulary_size: int = Field(default=8000, ge=16, description="Pieces (per language where not joint).")
    hard_vocabulary_limit: bool = Field(
        default=False, description="Fail where the text cannot fill the vocabulary, rather than make a smaller one."
    )
    character_coverage: float = Field(
        default=1.0,
        ge=0.98,
        le=1.0,
        description="Share of the text's characters that get a piece; 0.9995 for Chinese and Japanese.",
    )
    byte_fallback: bool = Field(default=False, description="Spell unknown characters as bytes: nothing is unknown.")
    normalization: Literal["nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity"] = Field(
        default="nmt_nfkc",
        description="SentencePiece's Unicode normalization of the source (_cf also lower-cases). Target text is "
        "learned verbatim: in NFC, without control characters and spaces at the ends of a line.",
    )
    user_defined_symbols: list[Text] = Field(
        default_factory=list, description="Strings that always stay one piece, such as <b> or placeholders."
    )
    max_sentences: Positive = Field(
        default=250_000,
        description="At most so many sentences, spread over the corpora, train the tokenizer. unigram needs some 25 "
        "bytes of memory for each of their characters.",
    )
    sampling_alpha: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Subword regularization in training (Kudo 2018; for bpe the merge dropout of Provilkov et al. "
        "2020): smoothing (unigram) or dropout rate (bpe), 0 = off.",
    )
    from_run: FilePath | None = Field(
        default=None, description="A run whose tokenizer to take, as an ensemble with it needs; null = learn one."
    )
