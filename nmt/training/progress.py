"""The progress of a training and the state its decisions depend on; saved with every checkpoint."""

from __future__ import annotations

import dataclasses

from nmt.config.training import TrainingConfig

# The order that `data.dataset` gives batches in. Runs begun by earlier versions counted in another one.
BATCH_ORDER = 2
_HIGHER_IS_BETTER = {"bleu": True, "chrf": True, "loss": False, "perplexity": False}


@dataclasses.dataclass
class Progress:
    """Position in the data, scores, patience, time. All fields can be written as JSON."""

    precision: str  # of this training, "auto" decided
    order: int = 1  # that `batch` counts in, as BATCH_ORDER; 1 in checkpoints that do not say
    workers: int = 1  # that the batches are shared by
    step: int = 0  # optimizer steps made
    epoch: int = 0  # counted from 0
    batch: int = 0  # batches of this epoch already used
    epoch_loss: float = 0.0  # summed over this epoch's target tokens
    epoch_tokens: float = 0.0
    batches_per_epoch: int | None = None  # None during the first
    seconds: float = 0.0  # of training, all sessions
    cpu_seconds: float = 0.0
    scores: dict[str, float] = dataclasses.field(default_factory=dict)  # of the last validation ...
    scored_step: int | None = None  # ... and its step
    best_score: float | None = None  # of the weights kept as best ...
    best_loss: float | None = None  # ... which decides between equals ...
    best_step: int | None = None  # ... and their step
    stale_validations: int = 0  # since the best one
    plateau_validations: int = 0  # since the best one, or since the learning rate was last lowered
    factor: float = 1.0  # of the plateau schedule
    kept_validations: list[int] = dataclasses.field(default_factory=list)  # steps whose weights are there to average
    finished_step: int | None = None  # where all was done that comes after the last step
    stopped_by_callback: bool = False

    def judge(self, scores: dict[str, float], training: TrainingConfig) -> bool:
        """Records the scores of a validation; returns whether they are the best so far."""
        self.scores, self.scored_step = scores, self.step
        if self.take_if_better(scores, training):
            self.stale_validations = self.plateau_validations = 0
            return True
        self.stale_validations += 1
        self.plateau_validations += 1
        if training.schedule.name == "plateau" and self.plateau_validations >= training.schedule.patience:
            self.factor *= training.schedule.factor
            self.plateau_validations = 0
        return False

    def take_if_better(self, scores: dict[str, float], training: TrainingConfig) -> bool:
        """Whether the scores beat the best ones, by training.metric and, as BLEU is 0 for long at first where little is
        right, by the loss of equals; remembers them if so.
        """
        score, loss = scores[training.metric], scores["loss"]
        sign = 1.0 if _HIGHER_IS_BETTER[training.metric] else -1.0
        if self.best_score is None:
            better = True
        elif score == self.best_score:
            better = self.best_loss is not None and loss < self.best_loss
        else:
            better = sign * score > sign * self.best_score
        if better:
            self.best_score, self.best_loss, self.best_step = score, loss, self.step
        return better

    def end(self, training: TrainingConfig) -> str | None:
        """Why training ends here; None if it goes on."""
        if training.max_steps and self.step >= training.max_steps:
            return f"training.max_steps ({training.max_steps:,}) reached"
        if training.max_epochs and self.epoch >= training.max_epochs:
            return f"training.max_epochs ({training.max_epochs:,}) reached"
        if training.max_minutes and self.seconds >= 60 * training.max_minutes:
            return f"training.max_minutes ({training.max_minutes:g}) reached"
        if training.patience and self.stale_validations >= training.patience:
            return f"no better {training.metric} in {training.patience} validations (training.patience)"
        return "stopped by a callback" if self.stopped_by_callback else None

    def share_done(self, training: TrainingConfig) -> float:
        """The share of the training that is done, 0..1, by the limit that will be reached first."""
        shares = [0.0]
        if training.max_steps:
            shares.append(self.step / training.max_steps)
        if training.max_epochs:
            part = min(1.0, self.batch / self.batches_per_epoch) if self.batches_per_epoch else 0.0
            shares.append((self.epoch + part) / training.max_epochs)
        if training.max_minutes:
            shares.append(self.seconds / (60 * training.max_minutes))
        return min(1.0, max(shares))
