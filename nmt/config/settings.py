"""The typed tree of a job's settings: one YAML file = one job = one `Config`.

Everything that can be set stands here once, with its type, range, default and meaning; `nmt config` prints this file's
content and `nmt config --schema` its JSON schema. Reading YAML and wording the errors is file.py's work.
Imports no TensorFlow, so that the command line can check a config at once.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nmt.config.presets import PRESETS, merge

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]


class Section(BaseModel):
    """A group of settings: immutable; a key it does not know, and a value that only resembles the type, is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())


class TextPair(Section):
    """Two aligned text files, plain or .gz: line n of one is the translation of line n of the other."""

    source: Text = Field(description="File with one source sentence a line (plain text or .gz, UTF-8).")
    target: Text = Field(description="File with the translations, line by line.")


class Corpus(TextPair):
    weight: float = Field(
        default=1.0,
        gt=0.0,
        description="How often each pair is seen per epoch: 2 twice, 0.5 a random half anew each epoch.",
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


class TokenizerConfig(Section):
    type: Literal["unigram", "bpe"] = Field(default="unigram", description="SentencePiece model type.")
    joint: bool = Field(default=True, description="One vocabulary for both languages (needed to tie all embeddings).")
    vocabulary_size: Annotated[int, Field(ge=16)] = Field(
        default=8000, description="Pieces (per language where not joint)."
    )
    hard_vocabulary_limit: bool = Field(
        default=False, description="Fail where the text cannot fill the vocabulary, rather than make a smaller one."
    )
    character_coverage: Annotated[float, Field(ge=0.98, le=1.0)] = Field(
        default=1.0, description="Share of the text's characters that get a piece; 0.9995 for Chinese and Japanese."
    )
    byte_fallback: bool = Field(default=False, description="Spell unknown characters as bytes: nothing is unknown.")
    normalization: Literal["nmt_nfkc", "nfkc", "nmt_nfkc_cf", "nfkc_cf", "identity"] = Field(
        default="nmt_nfkc", description="SentencePiece's Unicode normalization (_cf also lower-cases)."
    )
    user_defined_symbols: list[Text] = Field(
        default_factory=list, description="Strings that always stay one piece, such as <b> or placeholders."
    )
    max_sentences: Positive = Field(
        default=2_000_000, description="At most so many sentences, spread over the corpora, train the tokenizer."
    )
    sampling_alpha: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        default=0.0,
        description="Subword regularization in training (Kudo 2018; for bpe the merge dropout of Provilkov et al. "
        "2020): smoothing (unigram) or dropout rate (bpe), 0 = off.",
    )
    from_run: Text | None = Field(
        default=None, description="A run whose tokenizer to take, as an ensemble with it needs; null = learn one."
    )


class AttentionConfig(Section):
    score: Literal["additive", "dot", "general", "scaled"] = Field(
        default="scaled",
        description="additive (Bahdanau et al. 2015); dot, general (Luong et al. 2015); scaled = dot on projected "
        "queries and keys / sqrt(units) (Vaswani et al. 2017).",
    )
    heads: Positive = Field(default=1, description="Independent heads; more than one projects values too.")


class EncoderConfig(Section):
    bidirectional_layers: Annotated[int, Field(ge=0)] = Field(
        default=1, description="First layers, read in both directions."
    )
    layers: Annotated[int, Field(ge=0)] = Field(default=0, description="Unidirectional layers on top, residual.")

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
    embedding_range: Annotated[float, Field(gt=0.0)] = Field(
        default=0.5,
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


class OptimizerConfig(Section):
    name: Literal["adam", "adamw", "nadam", "adafactor", "rmsprop", "sgd", "lion"] = Field(
        default="adam", description="A Keras optimizer."
    )
    arguments: dict[str, float | bool] = Field(
        default_factory=dict, description="Further arguments of that Keras class, such as beta_2: 0.98."
    )
    clip_norm: Annotated[float, Field(gt=0.0)] | None = Field(
        default=1.0, description="Scale gradients down to this global norm; null = never."
    )


class ScheduleConfig(Section):
    name: Literal["constant", "inverse_square_root", "cosine", "plateau"] = Field(
        default="inverse_square_root", description="How the learning rate moves after the warm-up."
    )
    learning_rate: Annotated[float, Field(gt=0.0)] = Field(default=1.0e-3, description="The peak, after the warm-up.")
    warmup_steps: Annotated[int, Field(ge=0)] = Field(default=400, description="Steps of linear rise from 0.")
    hold_steps: Annotated[int, Field(ge=0)] = Field(default=0, description="cosine: steps at the peak before the fall.")
    decay_steps: Positive | None = Field(
        default=None, description="cosine: steps until final_fraction; null = training.max_steps."
    )
    final_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        default=0.0, description="cosine and plateau: the learning rate never goes below this share of the peak."
    )
    restarts: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="cosine: fall in so many more cycles of equal length, each from a peak lower by `factor`.",
    )
    factor: Annotated[float, Field(gt=0.0, lt=1.0)] = Field(
        default=0.5, description="plateau: multiply by this when stuck; cosine: the peak, at each restart."
    )
    patience: Positive = Field(default=2, description="plateau: validations without improvement before that.")


class TrainingConfig(Section):
    start_from: Text | None = Field(
        default=None,
        description="Fine-tune: a run whose best weights and tokenizer training begins with; null = with nothing.",
    )
    max_steps: Positive | None = Field(default=None, description="Stop after so many optimizer steps.")
    max_epochs: Positive | None = Field(
        default=30, description="Stop after so many passes over the data. Where another end is set the default is null."
    )
    max_minutes: Annotated[float, Field(gt=0.0)] | None = Field(
        default=None, description="Stop after so many minutes of training, earlier runs of a resumed job counted in."
    )
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig, description="The update rule.")
    schedule: ScheduleConfig = Field(default_factory=ScheduleConfig, description="The learning rate.")
    label_smoothing: Probability = Field(default=0.1, description="Share of a target's probability spread evenly.")
    consistency: Annotated[float, Field(ge=0.0)] = Field(
        default=0.0,
        description="Weight of the divergence between two passes over each batch with other dropout (R-Drop, Liang et "
        "al. 2021): doubles a step's work, pays where text is scarce; 0 = one pass.",
    )
    accumulate_batches: Positive = Field(default=1, description="Batches whose gradients are summed into one step.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Of matrix products; weights and states stay float32. auto = measured at start-up."
    )
    strategy: Literal["default", "mirrored", "multi_worker"] = Field(
        default="default", description="tf.distribute: one device, all local devices, or TF_CONFIG's workers."
    )
    ema_decay: Probability = Field(
        default=0.0, description="Exponential moving average of the weights, used to validate and translate; 0 = off."
    )
    average_checkpoints: Positive = Field(
        default=1,
        description="At the end, average the weights of the last N validations; kept where it validates better.",
    )
    validate_every: Positive | None = Field(
        default=None, description="Steps between validations; null = at each epoch's end."
    )
    validation_beam_size: Positive = Field(default=1, description="Beam of the translations that validation scores.")
    save_minutes: Annotated[float, Field(gt=0.0)] = Field(
        default=5.0, description="Minutes between checkpoints, besides those at validations."
    )
    keep_checkpoints: Annotated[int, Field(ge=2)] = Field(default=2, description="Newest checkpoints kept, to resume.")
    metric: Literal["bleu", "chrf", "loss", "perplexity"] = Field(
        default="bleu", description="Validation metric that decides best, plateau and stopping."
    )
    patience: Positive | None = Field(
        default=None, description="Stop after so many validations without improvement; null = never."
    )
    tensorboard: bool = Field(default=True, description="Write TensorBoard event files into the run.")

    @model_validator(mode="before")
    @classmethod
    def _one_end(cls, settings: Any) -> Any:
        other_end = isinstance(settings, dict) and (settings.get("max_steps") or settings.get("max_minutes"))
        return {"max_epochs": None, **settings} if other_end else settings

    @model_validator(mode="after")
    def _ends(self) -> TrainingConfig:
        if not (self.max_steps or self.max_epochs or self.max_minutes):
            raise ValueError("never ends: set at least one of max_steps, max_epochs, max_minutes")
        cycle = (self.schedule.decay_steps or self.max_steps or 0) // (self.schedule.restarts + 1)
        if self.schedule.name == "cosine" and cycle <= (held := self.schedule.hold_steps):
            raise ValueError(f"cosine needs decay_steps or max_steps, here {cycle} a cycle, beyond hold_steps: {held}")
        return self


class SearchConfig(Section):
    beam_size: Positive = Field(default=5, description="Hypotheses kept at each step; 1 = greedy.")
    length_penalty: Annotated[float, Field(ge=0.0)] = Field(
        default=1.0, description="alpha of Wu et al. 2016, eq. 14: 0 = plain log-probability, 1 favours longer output."
    )
    coverage_penalty: Annotated[float, Field(ge=0.0)] = Field(
        default=0.0, description="beta of Wu et al. 2016, eq. 14: punishes source pieces that attention never read."
    )
    min_length_ratio: float = Field(default=0.0, ge=0.0, description="Shortest output, in pieces per source piece.")
    max_length_ratio: float = Field(default=2.0, gt=0.0, le=100.0, description="Longest output, per source piece ...")
    max_length_extra: int = Field(default=10, ge=1, le=10_000, description="... plus so many pieces.")
    no_repeat_ngram: int = Field(default=0, ge=0, description="No n-gram of this size twice; 0 = off.")
    repetition_penalty: Annotated[float, Field(ge=0.0)] = Field(
        default=0.0, description="Taken off the ranking of a piece for each time it was already written; 0 = off."
    )
    sampling: bool = Field(default=False, description="Draw from the model instead of searching for the best.")
    temperature: float = Field(default=1.0, ge=0.001, description="sampling: below 1 sharper, above 1 flatter.")
    top_k: Annotated[int, Field(ge=0)] = Field(default=0, description="sampling: only from the k best pieces; 0 = all.")
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=1.0, description="sampling: only from the best pieces that together have this probability."
    )
    seed: int = Field(default=0, ge=0, description="sampling: the same seed and line give the same translation.")
    n_best: Positive = Field(default=1, description="Translations a sentence, best first.")
    guard: bool = Field(
        default=True,
        description="Search again, by stricter rules, where a translation is degenerate; flag what stays so.",
    )
    guard_max_repeats: Annotated[int, Field(ge=0)] = Field(
        default=3, description="Degenerate: more repeated triples of pieces than this plus twice the source's own."
    )
    guard_min_length_ratio: Probability = Field(default=0.3, description="Degenerate: fewer pieces a source piece.")
    guard_min_coverage: Probability = Field(default=0.4, description="Degenerate: a smaller share of the source read.")
    shortlist: Annotated[int, Field(ge=0, le=100)] = Field(
        default=0,
        description="Choose from so many likely translations of each source piece, learned from data.train, and the "
        "most frequent pieces: faster, hardly worse; 0 = from all.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="float32",
        description="Of weights and matrix products when translating; bfloat16 is faster on processors that have it, "
        "and an export of half the size; auto = measured at start-up, so that machines may translate differently.",
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
            raise ValueError(f"n_best ({self.n_best}) cannot exceed beam_size ({self.beam_size})")
        return self


class ExportConfig(Section):
    name: str = Field(default="translator", pattern=r"^[\w.-]+$", description="Model name in URLs and configs.")
    n_best: Positive = Field(default=5, description="Translations of the n-best signature.")
    max_line_pieces: Positive = Field(
        default=20_000, description="What a line has beyond so many pieces is cut, and its `truncated` flag is set."
    )
    max_batch: int = Field(default=64, ge=64, description="Largest batch in the batching config; `nmt` sends 64.")


class Config(Section):
    """One job."""

    run: Text = Field(description="Directory of the run: config, tokenizer, checkpoints, log; made by `nmt train`.")
    source_language: Text = Field(description='Code of the source language, quoted: "en".')
    target_language: Text = Field(description='Code of the target language, quoted: "de".')
    seed: int = Field(default=1, ge=0, lt=2**32, description="Of everything random: the same seed gives the same run.")
    data: DataConfig = Field(description="The corpora.")
    tokenizer: TokenizerConfig = Field(default_factory=TokenizerConfig, description="SentencePiece.")
    protect: list[Literal["urls", "emails", "tags", "placeholders", "emoji", "numbers"]] = Field(
        default=["urls", "emails", "tags", "placeholders", "emoji", "numbers"],
        description="What comes out as it came in, exactly once. Leave numbers out where they change: 1.5 -> 1,5.",
    )
    model: ModelConfig = Field(default_factory=ModelConfig, description="The network.")
    training: TrainingConfig = Field(default_factory=TrainingConfig, description="How it learns.")
    search: SearchConfig = Field(default_factory=SearchConfig, description="How it translates.")
    export: ExportConfig = Field(default_factory=ExportConfig, description="How it is served.")

    @model_validator(mode="after")
    def _parts_fit(self) -> Config:
        if self.model.tied_embeddings == "all" and not self.tokenizer.joint:
            raise ValueError("model.tied_embeddings: all needs tokenizer.joint: true (one vocabulary, one matrix)")
        if self.training.consistency and not any(self.model.dropout.model_dump().values()):
            raise ValueError(
                "training.consistency compares two passes with different dropout, and model.dropout has none: set a "
                "dropout rate above 0, or training.consistency: 0"
            )
        return self
