"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math

from nmt.config import TrainingConfig


def learning_rate(training: TrainingConfig, step: int, *, factor: float = 1.0) -> float:
    """The learning rate of one optimizer step.

    Args:
        training: the settings; `training.schedule` names the shape.
        step: the step about to be made, counted from 1.
        factor: what the plateau schedule has multiplied up so far (`factor` once for each time validation got stuck).
    """
    schedule = training.schedule
    # 1. The warm-up rises linearly and reaches the peak at its last step.
    if step < schedule.warmup_steps:
        return schedule.learning_rate * step / schedule.warmup_steps
    # 2. Vaswani et al. 2017, section 5.3, scaled so that the end of the warm-up is the peak.
    if schedule.name == "inverse_square_root":
        return schedule.learning_rate * math.sqrt(max(1, schedule.warmup_steps) / step)
    # 3. Half a cosine from the peak down to final_fraction (Loshchilov & Hutter 2017, eq. 5, without restarts).
    if schedule.name == "cosine":
        end = schedule.decay_steps or training.max_steps
        assert end is not None, "config.py demands one of them"
        done = min(1.0, (step - schedule.warmup_steps) / max(1, end - schedule.warmup_steps))
        share = 0.5 * (1.0 + math.cos(math.pi * done))
        return schedule.learning_rate * (schedule.final_fraction + (1.0 - schedule.final_fraction) * share)
    # 4. Lowered whenever validation no longer gets better.
    if schedule.name == "plateau":
        return schedule.learning_rate * max(factor, schedule.final_fraction)
    # 5. Constant.
    return schedule.learning_rate
