"""Section `cleaning`: which pairs `nmt clean` removes from the training corpora."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nmt.config.section import FilePath, Positive, Section

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class CleaningConfig(Section):
    """Each rule can be turned off: by false, null, 0 or [], as its description says."""

    normalize: bool = Field(
        default=True, description="Compose characters (Unicode NFC), remove control characters and spaces at line ends."
    )
    empty: bool = Field(default=True, description="Remove pairs with a side that has no letter and no digit.")
    max_characters: Positive | None = Field(default=1000, description="Longest side, in characters; null = no limit.")
    damaged: bool = Field(
        default=True, description="Remove pairs whose characters an earlier conversion lost (U+FFFD) or mistook."
    )
    min_letters: Share = Field(
        default=0.4, description="Smallest share of letters in a side, spaces not counted; 0 = off."
    )
    max_length_ratio: float | None = Field(
        default=3.0,
        gt=1.0,
        description="A side may be so many times as long as the other side's length lets expect; null = no limit.",
    )
    max_copied: Share = Field(
        default=0.9, description="Largest share of the target's words that stand in the source, too; 1 = off."
    )
    script: bool = Field(
        default=True, description="Remove pairs with a side in another script than most of the corpus."
    )
    language: Share = Field(
        default=0.9, description="Remove a side that is surely, with this probability, in another language; 1 = off."
    )
    min_same_digits: Share = Field(
        default=0.5, description="Smallest share of digits that both sides have, zeros not counted; 0 = off."
    )
    same_spans: list[Literal["urls", "emails", "tags", "placeholders"]] = Field(
        default=["urls", "emails", "tags", "placeholders"],
        description="What both sides must have as often as each other; [] = off.",
    )
    held_out: bool = Field(
        default=True, description="Remove pairs of which a side occurs in data.validation or data.test."
    )
    duplicates: bool = Field(default=True, description="Keep the first of equal pairs.")
    near_duplicates: bool = Field(
        default=True, description="Keep the first of pairs that differ in case, punctuation and spaces only."
    )
    max_repeats: Positive | None = Field(
        default=20, description="Pairs with the same source, or the same target, that are kept; null = all."
    )
    min_lexicon: Share = Field(
        default=0.0,
        description="Smallest share of the target's rarer pieces that translate a piece of the source, by a lexicon "
        "that is learned from the corpora (IBM Model 1); 0 = off.",
    )
    forward_run: FilePath | None = Field(
        default=None, description="A run from source to target, to judge pairs by its and backward_run's probabilities."
    )
    backward_run: FilePath | None = Field(default=None, description="A run from target to source.")
    max_cross_entropy: float = Field(
        default=5.0,
        gt=0.0,
        description="Largest mean of both runs' cross-entropies, in nats a piece, plus their difference (dual "
        "conditional cross-entropy, Junczys-Dowmunt 2018).",
    )

    @model_validator(mode="after")
    def _both_runs(self) -> CleaningConfig:
        if (self.forward_run is None) != (self.backward_run is None):
            raise ValueError("forward_run and backward_run judge pairs together: give both, or neither")
        return self
