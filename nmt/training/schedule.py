"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math

from nmt.config.training import TrainingConfig


def learning_rate(training: TrainingConfig, step: int, *, factor: float = 1.0) -> float:
    """The learning rate of one optimizer step.

    Args:
        training: the settings; `training.schedule` names the shape.
        step: the step about to be made, counted from 1.
        factor: the plateau schedule's product so far (`factor` once for each time validation stopped improving).
    """
    schedule = training.schedule
    # 1. The warm-up rises linearly and reaches the peak at its last step.
    if step < schedule.warmup_steps:
        return schedule.learning_rate * step / schedule.warmup_steps
    # 2. Vaswani et al. 2017, section 5.3, scaled so that the end of the warm-up is the peak.
    if schedule.name == "inverse_square_root":
        return schedule.learning_rate * math.sqrt(max(1, schedule.warmup_steps) / step)
    # 3. In each cycle half a cosine from its peak down to final_fraction (Loshchilov & Hutter 2017, eq. 5); the first
    #    may hold its peak before (the "warm-up, stable, decay" of Hu et al. 2024, section 4).
    if schedule.name == "cosine":
        end = schedule.decay_steps or training.max_steps
        assert end is not None, "config/training.py demands one of them"
        length = end / (schedule.restarts + 1)
        cycle = min(schedule.restarts, math.ceil(step / length) - 1) if step else 0
        begin = cycle * length if cycle else min(schedule.warmup_steps + schedule.hold_steps, length)
        done = min(1.0, max(0.0, step - begin) / max(1.0, (cycle + 1) * length - begin))
        share = 0.5 * (1.0 + math.cos(math.pi * done))
        peak = schedule.learning_rate * schedule.factor**cycle
        return peak * (schedule.final_fraction + (1.0 - schedule.final_fraction) * share)
    # 4. Lowered whenever validation stops improving.
    if schedule.name == "plateau":
        return schedule.learning_rate * max(factor, schedule.final_fraction)
    # 5. Constant.
    return schedule.learning_rate
