"""Section `training`: optimizer, learning rate, when to validate and to stop."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from nmt.config.section import FilePath, Positive, Probability, Section


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
    learning_rate: float = Field(default=1.0e-3, gt=0.0, description="The peak, after the warm-up.")
    warmup_steps: int = Field(default=400, ge=0, description="Steps of linear rise from 0.")
    hold_steps: int = Field(default=0, ge=0, description="cosine: steps at the peak before the fall.")
    decay_steps: Positive | None = Field(
        default=None, description="cosine: steps until final_fraction; null = training.max_steps."
    )
    final_fraction: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="cosine and plateau: the learning rate never goes below this share of the peak.",
    )
    restarts: int = Field(
        default=0,
        ge=0,
        description="cosine: fall in so many more cycles of equal length, each from a peak lower by `factor`.",
    )
    factor: float = Field(
        default=0.5,
        gt=0.0,
        lt=1.0,
        description="plateau: multiply by this when stuck; cosine: the peak, at each restart.",
    )
    patience: Positive = Field(default=2, description="plateau: validations without improvement before that.")


class TrainingConfig(Section):
    start_from: FilePath | None = Field(
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
    consistency: float = Field(
        default=0.0,
        ge=0.0,
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
    gather_minutes: float = Field(
        default=10.0, gt=0.0, description="multi_worker: minutes that workers wait for each other at the start."
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
    save_minutes: float = Field(
        default=5.0, gt=0.0, description="Minutes between checkpoints, besides those at validations."
    )
    keep_checkpoints: int = Field(default=2, ge=2, description="Newest checkpoints kept, to resume.")
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
