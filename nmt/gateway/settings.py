"""The settings of a gateway. Imports no TensorFlow."""

from __future__ import annotations

from typing import Annotated

import limits
from pydantic import AfterValidator, Field, model_validator

from nmt.config.section import FilePath, Positive, Section, Text


def _is_rate(rate: str) -> str:
    try:
        limits.parse(rate)
    except ValueError:
        raise ValueError(f"{rate!r} came, a rate such as 60/minute or 1000000/day was expected") from None
    return rate


Rate = Annotated[str, AfterValidator(_is_rate)]


class ModelSettings(Section):
    """A model and the direction it translates in."""

    source: Text = Field(description="Its source language, as clients call it, such as en.")
    target: Text = Field(description="Its target language.")
    address: FilePath = Field(
        description="A server, http://host:8501/model or grpc://host:8500/model, or the directory of an export or run."
    )
    alternatives: int = Field(
        default=3, ge=0, description="How many translations beside the best one it can give (export.n_best - 1)."
    )


class KeySettings(Section):
    """An API key and what it may use."""

    key: Text = Field(description="What a client sends as api_key.")
    requests: Rate | None = Field(
        default=None, description="How often it may ask, such as 600/minute; null = no limit."
    )
    characters: Rate | None = Field(
        default=None, description="How many characters it may have translated, such as 1000000/day; null = no limit."
    )


class LimitSettings(Section):
    """What one request, and one client without a key, may ask for."""

    characters: Positive = Field(default=20_000, description="Of the texts of a request.")
    texts: Positive = Field(default=100, description="Of a request whose q is a list.")
    body_bytes: Positive = Field(default=1_000_000, description="Of a request, and so of a file.")
    body_seconds: float = Field(default=60.0, gt=0, description="A request may take to arrive.")
    model_seconds: float = Field(
        default=30.0, gt=0, description="A model's server may take for 64 lines, attempts at reaching it included."
    )
    connections: Positive = Field(default=200, description="Open at a time; more are answered with status 503.")
    requests: Rate | None = Field(
        default="300/minute", description="How often a client without a key may ask; null = no limit."
    )
    characters_rate: Rate | None = Field(
        default=None, description="How many characters a client without a key may have translated; null = no limit."
    )


class GatewaySettings(Section):
    """All settings of a gateway."""

    models: list[ModelSettings] = Field(min_length=1, description="What translates.")
    limits: LimitSettings = Field(default_factory=LimitSettings, description="What a request may ask for.")
    keys: list[KeySettings] = Field(default=[], description="API keys, each with limits of its own.")
    key_required: bool = Field(default=False, description="Whether only clients with a key are answered.")
    cors_origins: list[Text] = Field(
        default=[], description='Web sites whose pages may ask this gateway, such as https://example.org; ["*"] = all.'
    )
    trusted_proxies: list[Text] = Field(
        default=[],
        description="Addresses or networks (10.0.0.0/8) of proxies in front, whose X-Forwarded-* headers are believed.",
    )
    suggestions: FilePath | None = Field(
        default=None, description="A file that suggested translations are appended to as JSON lines; null = refused."
    )

    @model_validator(mode="after")
    def _directions_are_given_once(self) -> GatewaySettings:
        seen = set()
        for model in self.models:
            direction = f"{model.source}-{model.target}"
            if model.source == model.target:
                raise ValueError(f"models: {direction}: source and target are the same language")
            if direction in seen:
                raise ValueError(f"models: {direction} is given twice: one model translates a direction")
            seen.add(direction)
        return self

    @model_validator(mode="after")
    def _a_required_key_exists(self) -> GatewaySettings:
        if self.key_required and not self.keys:
            raise ValueError("key_required needs keys: nobody could be answered")
        return self
