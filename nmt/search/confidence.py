"""Confidence: how good a translation is expected to be, in [0, 1].

Confidence c means: among lines with such a confidence the mean sentence chrF, as a share of 1, is about c. It is a
logistic regression from features.py's numbers to sentence chrF, fitted on the validation set: the expected quality of
this run's translations of lines like those, no probability of being right. Imports no TensorFlow.
"""

from __future__ import annotations

import dataclasses
import json
from typing import NamedTuple

import numpy as np

FEATURES = ("probability", "coverage", "entropy", "source_length", "least_read", "unread", "hardly_read")
MIN_LINES = 50  # fewer are not enough to calibrate on
_FOLDS = 10
_BINS = 10
_RIDGE = 1.0  # on coefficients of features of variance 1, against a sum over all lines
_NEWTON_STEPS = 25


class TooFewLinesError(ValueError):
    """The validation set is too small to calibrate on."""


class Bin(NamedTuple):
    """Lines of similar confidence."""

    lines: int
    confidence: float  # their mean
    chrf: float  # their mean, 0..1


@dataclasses.dataclass(frozen=True)
class Calibration:
    """A fitted confidence and its cross-validated quality (each line's confidence is from a fit on other folds)."""

    intercept: float
    coefficients: tuple[float, ...]  # of FEATURES
    lines: int
    pearson: float  # correlation with sentence chrF; 0 where either does not vary
    spearman: float
    reliability: tuple[Bin, ...]  # equally many lines in each, by rising confidence

    def confidence(self, features: np.ndarray) -> np.ndarray:
        """Of features float [..., features]: float64 [...], in [0, 1]."""
        return _sigmoid(self.intercept + np.asarray(features, np.float64) @ np.array(self.coefficients))

    def as_json(self) -> str:
        content = {**dataclasses.asdict(self), "coefficients": dict(zip(FEATURES, self.coefficients, strict=True))}
        content["reliability"] = [bin_._asdict() for bin_ in self.reliability]
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Reads what `as_json` wrote.

        Raises:
            ValueError: where it is something else, such as the confidence of another version's features.
        """
        try:
            content = json.loads(text)
            # A run of an older version weighed fewer features: the others change nothing.
            coefficients = tuple(float(content["coefficients"].pop(name, 0.0)) for name in FEATURES)
            if content["coefficients"]:
                raise KeyError(*content["coefficients"])
            bins = tuple(Bin(**each) for each in content["reliability"])
            return cls(**{**content, "coefficients": coefficients, "reliability": bins})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no confidence of this version of nmt ({error}); `nmt calibrate RUN` makes it") from None

    def __str__(self) -> str:
        lines = [
            f"Confidence, fitted on {self.lines:,} validation lines. On lines not fitted on:",
            f"correlation with sentence chrF {self.pearson:.3f} (Pearson), {self.spearman:.3f} (Spearman)",
            "",
            f"{'lines':>6}  {'mean confidence':>15}  {'mean chrF / 100':>15}",
        ]
        lines += [f"{each.lines:>6,}  {each.confidence:>15.3f}  {each.chrf:>15.3f}" for each in self.reliability]
        return "\n".join(lines)


def check_enough(lines: int) -> None:
    """Raises TooFewLinesError for fewer than MIN_LINES lines: before they are translated, too."""
    if lines < MIN_LINES:
        raise TooFewLinesError(f"the validation set has {lines} lines, and to calibrate takes at least {MIN_LINES}")


def calibrate(features: np.ndarray, quality: np.ndarray) -> Calibration:
    """Fits confidence on all lines; its figures are cross-validated.

    Args: features float [lines, features]; quality float [lines], sentence chrF in 0..1.
    Raises: TooFewLinesError for fewer than MIN_LINES lines.
    """
    check_enough(len(quality))
    intercept, coefficients = fit(features, quality)
    held_out = cross_validated(features, quality)
    return Calibration(
        intercept=intercept,
        coefficients=tuple(coefficients.tolist()),
        lines=len(quality),
        pearson=_correlation(held_out, quality),
        spearman=_correlation(_ranks(held_out), _ranks(quality)),
        reliability=reliability(held_out, quality),
    )


def fit(features: np.ndarray, quality: np.ndarray) -> tuple[float, np.ndarray]:
    """Intercept and coefficients of a ridge logistic regression (Newton's method; the intercept is not held back).

    The expected cross-entropy against shares as targets makes the mean prediction equal the mean quality.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    inputs = np.column_stack([np.ones(len(features)), (features - mean) / deviation])  # [lines, 1 + features]
    ridge = _RIDGE * np.diag([0.0] + [1.0] * features.shape[1])
    weights = np.zeros(inputs.shape[1])
    for _ in range(_NEWTON_STEPS):
        predicted = _sigmoid(inputs @ weights)
        gradient = inputs.T @ (predicted - quality) + ridge @ weights
        curvature = (inputs * (predicted * (1 - predicted))[:, np.newaxis]).T @ inputs + ridge
        weights -= np.linalg.solve(curvature, gradient)
    coefficients = weights[1:] / deviation
    return float(weights[0] - coefficients @ mean), coefficients


def cross_validated(features: np.ndarray, quality: np.ndarray) -> np.ndarray:
    """Each line's confidence by a fit on the folds it is not in: float64 [lines]."""
    fold = np.arange(len(quality)) % _FOLDS
    predicted = np.empty(len(quality))
    for held_out in range(_FOLDS):
        intercept, coefficients = fit(features[fold != held_out], quality[fold != held_out])
        predicted[fold == held_out] = _sigmoid(intercept + features[fold == held_out] @ coefficients)
    return predicted


def reliability(confidence: np.ndarray, quality: np.ndarray) -> tuple[Bin, ...]:
    """Lines in bins of equal size by rising confidence: expected and actual chrF."""
    order = np.argsort(confidence, kind="stable")
    return tuple(
        Bin(len(bin_), float(confidence[bin_].mean()), float(quality[bin_].mean()))
        for bin_ in np.array_split(order, _BINS)
    )


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * logits)  # never overflows


def _correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Pearson's; 0 where either does not vary."""
    if np.ptp(left) == 0 or np.ptp(right) == 0:
        return 0.0
    return float(np.corrcoef(left, right)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """From 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
