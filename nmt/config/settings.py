"""The settings of a job: one YAML file = one job = one `Config`, each of its sections in the file of its name.

These files define every setting once, with its type, range, default and meaning; `nmt config` prints them and
`nmt config --schema` their JSON schema. file.py reads YAML and words the errors.
Imports no TensorFlow, so that the command line can check a config at once.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from nmt.config.cleaning import CleaningConfig
from nmt.config.data import DataConfig
from nmt.config.export import ExportConfig
from nmt.config.model import ModelConfig
from nmt.config.search import SearchConfig
from nmt.config.section import FilePath, Section, Text
from nmt.config.tokenizer import TokenizerConfig
from nmt.config.training import TrainingConfig


class Config(Section):
    """One job."""

    run: FilePath = Field(description="Directory of the run: config, tokenizer, checkpoints, log; made by `nmt train`.")
    source_language: Text = Field(description='Code of the source language, quoted: "en".')
    target_language: Text = Field(description='Code of the target language, quoted: "de".')
    seed: int = Field(default=1, ge=0, lt=2**32, description="Of everything random: the same seed gives the same run.")
    data: DataConfig = Field(description="The corpora.")
    cleaning: CleaningConfig = Field(
        default_factory=CleaningConfig, description="What `nmt clean` removes from data.train; training reads all."
    )
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig, description="SentencePiece.")
    protect: list[Literal["urls", "emails", "tags", "placeholders", "emoji", "numbers"]] = Field(
        default=["urls", "emails", "tags", "placeholders", "emoji", "numbers"],
        description="What comes out as it came in, exactly once. Leave numbers out where they change: 1.5 -> 1,5.",
    )
    glossary: FilePath | None = Field(
        default=None,
        description="Terms and their translations, term TAB translation in each line. A run keeps a copy.",
    )
    glossary_ignore_case: bool = Field(default=False, description='Whether "Term" and "TERM" are the term "term".')
    model: ModelConfig = Field(default_factory=ModelConfig, description="The network.")
    training: TrainingConfig = Field(default_factory=TrainingConfig, description="How it learns.")
    search: SearchConfig = Field(default_factory=SearchConfig, description="How it translates.")
    export: ExportConfig = Field(default_factory=ExportConfig, description="How it is served.")

    @model_validator(mode="before")
    @classmethod
    def _files_are_in_the_languages_of_the_job(cls, settings: Any) -> Any:
        """A file with both sides is in the job's languages unless it says otherwise."""
        data = settings.get("data") if isinstance(settings, dict) else None
        if not isinstance(data, dict):
            return settings
        languages = {key: settings[key] for key in ("source_language", "target_language") if key in settings}

        def filled(pairs: Any) -> Any:
            if isinstance(pairs, list):
                return list(map(filled, pairs))
            return {**languages, **pairs} if isinstance(pairs, dict) and "file" in pairs else pairs

        sets = {name: filled(data[name]) for name in ("train", "validation") if name in data}
        if isinstance(data.get("test"), dict):
            sets["test"] = {name: filled(pair) for name, pair in data["test"].items()}
        return {**settings, "data": {**data, **sets}}

    @model_validator(mode="after")
    def _parts_fit(self) -> Config:
        if self.model.tied_embeddings == "all" and not self.tokenizer.joint:
            raise ValueError("model.tied_embeddings: all needs tokenizer.joint: true (one vocabulary, one matrix)")
        if self.glossary and not self.protect:
            raise ValueError(
                "glossary needs the symbols for protected spans: name at least one kind in protect, or leave it out"
            )
        if self.training.consistency and not any(self.model.dropout.model_dump().values()):
            raise ValueError(
                "training.consistency compares two passes with different dropout, and model.dropout has none: set a "
                "dropout rate above 0, or training.consistency: 0"
            )
        return self
