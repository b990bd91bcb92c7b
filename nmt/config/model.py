"""Section `model`: the network."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from nmt.config.presets import PRESETS, merge
from nmt.config.section import Positive, Probability, Section


class AttentionConfig(Section):
    score: Literal["additive", "dot", "general", "scaled"] = Field(
        default="scaled",
        description="additive (Bahdanau et al. 2015); dot, general (Luong et al. 2015); scaled = dot on projected "
        "queries and keys / sqrt(units) (Vaswani et al. 2017).",
    )
    heads: Positive = Field(default=1, description="Independent heads; more than one projects values too.")


class EncoderConfig(Section):
    bidirectional_layers: int = Field(default=1, ge=0, description="First layers, read in both directions.")
    layers: int = Field(default=0, ge=0, description="Unidirectional layers on top, residual.")

    @model_validator(mode="after")
    def _has_a_layer(self) -> EncoderConfig:
        if self.bidirectional_layers + self.layers == 0:
            raise ValueError("needs at least one layer: bidirectional_layers + layers >= 1")
        return self


class DecoderConfig(Section):
    layers: Positive = Field(
        default=1, description="LSTM layers; the first one's output asks the attention, the rest see its answer."
    )
    input_feeding: bool = Field(
        default=False,
        description="Feed each step's attentional vector into the next (Luong et al. 2015, 3.3); slower to train.",
    )


class DropoutConfig(Section):
    embedding: Probability = Field(default=0.2, description="On the embedded tokens.")
    layers: Probability = Field(default=0.2, description="Between recurrent layers.")
    recurrent: Probability = Field(
        default=0.0,
        description="On the hidden state inside the recurrence, one mask a sentence (Gal & Ghahramani 2016).",
    )
    output: Probability = Field(default=0.2, description="Before the output layer.")


class ModelConfig(Section):
    preset: Literal["luong", "gnmt", "rnmt_plus"] | None = Field(
        default=None, description="Start from a published architecture (see `nmt config`); the other keys change it."
    )
    embedding_size: Positive = Field(default=256, description="Size of a token's vector.")
    embedding_range: float = Field(
        default=0.5,
        gt=0.0,
        description="New embeddings are drawn evenly from +- this; too small, and words are told apart late.",
    )
    units: Positive = Field(
        default=512, description="Size of the LSTM's state; a bidirectional layer has half of it each way."
    )
    encoder: EncoderConfig = Field(default_factory=EncoderConfig, description="The reader of the source.")
    decoder: DecoderConfig = Field(default_factory=DecoderConfig, description="The writer of the target.")
    attention: AttentionConfig = Field(default_factory=AttentionConfig, description="How the decoder reads the source.")
    lexical: bool = Field(
        default=False,
        description="Attend to the source's embeddings, too, and add what they say to the attentional vector: a path "
        "past the LSTMs from word to translation (after Nguyen & Chiang 2018).",
    )
    layer_normalization: bool = Field(default=False, description="Normalize gates and cell (Ba et al. 2016).")
    tied_embeddings: Literal["none", "target", "all"] = Field(
        default="target",
        description="Which embeddings are one matrix: target = target input and output (Press & Wolf 2017); "
        "all = the source's too, needs a joint tokenizer.",
    )
    dropout: DropoutConfig = Field(default_factory=DropoutConfig, description="Dropout rates, in training only.")

    @model_validator(mode="before")
    @classmethod
    def _start_from_preset(cls, settings: Any) -> Any:
        preset = settings.get("preset") if isinstance(settings, dict) else None
        return merge(PRESETS[preset], settings) if isinstance(preset, str) and preset in PRESETS else settings

    @model_validator(mode="after")
    def _sizes_fit(self) -> ModelConfig:
        if self.encoder.bidirectional_layers and self.units % 2:
            raise ValueError(f"units must be even where the encoder has bidirectional layers, got {self.units}")
        heads, score = self.attention.heads, self.attention.score
        if self.units % heads:
            raise ValueError(f"units ({self.units}) must be a multiple of attention.heads ({heads})")
        if self.lexical and (heads > 1 or score == "dot"):
            raise ValueError(f"lexical needs attention.heads: 1 and no attention.score: dot, got {heads} and {score}")
        if self.decoder.input_feeding and self.dropout.recurrent:
            raise ValueError(
                "dropout.recurrent needs one mask for a whole sentence, and decoder.input_feeding runs step by step: "
                "set dropout.recurrent: 0.0 or decoder.input_feeding: false"
            )
        return self
