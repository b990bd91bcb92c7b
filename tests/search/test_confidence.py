"""Confidence keeps its word: on lines it has not seen, lines of confidence c have a mean quality of about c."""

import json

import numpy as np
import pytest

from nmt.search.confidence import (
    FEATURES,
    MIN_LINES,
    Calibration,
    TooFewLinesError,
    calibrate,
    cross_validated,
    fit,
    reliability,
)

INTERCEPT, COEFFICIENTS = -1.0, np.array([3.0, -2.0, 0.5, 0.0, 1.0, 0.0, -1.0])
MEANS, DEVIATIONS = [0.5, 0.2, 1.0, 3.0, 0.5, 0.1, 0.2], [0.3, 0.4, 1.0, 0.5, 0.4, 0.3, 0.3]


def drawn(lines, *, seed, noise=0.1):
    """Features, and qualities whose expectation is a known function of them."""
    random = np.random.default_rng(seed)
    features = random.normal(MEANS, DEVIATIONS, size=(lines, len(FEATURES)))
    expectation = 1 / (1 + np.exp(-(INTERCEPT + features @ COEFFICIENTS)))
    concentration = expectation * (1 - expectation) / noise**2
    quality = random.beta(expectation * concentration, (1 - expectation) * concentration)
    return features, quality, expectation


def test_the_fit_recovers_a_known_relation():
    features, quality, _ = drawn(20_000, seed=1)
    intercept, coefficients = fit(features, quality)
    assert intercept == pytest.approx(INTERCEPT, abs=0.1)
    np.testing.assert_allclose(coefficients, COEFFICIENTS, atol=0.1)


def test_the_fit_is_where_a_step_to_any_side_is_worse():
    features, quality, _ = drawn(200, seed=2)
    deviation = features.std(axis=0)

    def cost(parameters):
        logits = parameters[0] + features @ parameters[1:]
        return np.sum(np.logaddexp(0, logits) - quality * logits) + 0.5 * np.sum((parameters[1:] * deviation) ** 2)

    intercept, coefficients = fit(features, quality)
    best = np.array([intercept, *coefficients])
    for place in range(len(best)):
        for step in (-1e-2, 1e-2):
            assert cost(best + step * np.eye(len(best))[place]) > cost(best)


def test_confidence_is_as_high_as_the_quality_is_on_lines_not_fitted_on():
    calibration = calibrate(*drawn(2000, seed=3)[:2])
    features, quality, _ = drawn(20_000, seed=4)
    confidence = calibration.confidence(features)
    for bin_ in reliability(confidence, quality):
        assert bin_.chrf == pytest.approx(bin_.confidence, abs=0.02)
    for bin_ in calibration.reliability:
        assert bin_.chrf == pytest.approx(bin_.confidence, abs=0.05)


def test_the_correlation_told_is_that_on_lines_not_fitted_on():
    features, quality, _ = drawn(3000, seed=5)
    told = calibrate(features, quality)
    unseen, new_quality, _ = drawn(20_000, seed=6)
    confidence = told.confidence(unseen)
    assert told.pearson == pytest.approx(np.corrcoef(confidence, new_quality)[0, 1], abs=0.03)
    ranks = [np.argsort(np.argsort(each)) for each in (confidence, new_quality)]
    assert told.spearman == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=0.03)


def test_where_features_tell_nothing_the_correlation_told_is_no_more_than_chance():
    on_its_own_lines, told = [], []
    for seed in range(20):
        random = np.random.default_rng(seed)
        features, quality = random.normal(size=(60, len(FEATURES))), random.random(60)
        calibration = calibrate(features, quality)
        on_its_own_lines.append(np.corrcoef(calibration.confidence(features), quality)[0, 1])
        told.append(calibration.pearson)
    assert np.mean(on_its_own_lines) > 0.15  # which are no witnesses
    assert np.mean(told) < 0.05


def test_the_confidence_of_a_line_in_cross_validation_does_not_depend_on_its_own_quality():
    features, quality, _ = drawn(200, seed=8)
    changed = quality.copy()
    changed[17] = 1 - quality[17]
    before, after = cross_validated(features, quality), cross_validated(features, changed)
    assert after[17] == before[17]
    assert (after != before).sum() > 100


def test_confidence_lies_between_0_and_1_whatever_the_features():
    calibration = calibrate(*drawn(100, seed=9)[:2])
    extreme = calibration.confidence(np.outer([1e6, -1e6, 0.0], np.ones(len(FEATURES))))
    assert np.all((extreme >= 0) & (extreme <= 1))


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_lines_all_of_one_quality_have_that_confidence_and_no_correlation(value):
    features, _, _ = drawn(60, seed=10)
    calibration = calibrate(features, np.full(60, value))
    np.testing.assert_allclose(calibration.confidence(features), value, atol=1e-3)
    assert (calibration.pearson, calibration.spearman) == (0.0, 0.0)


def test_bins_hold_equally_many_lines_by_rising_confidence():
    _, quality, confidence = drawn(103, seed=11)
    bins = reliability(confidence, quality)
    assert [bin_.lines for bin_ in bins] == [11, 11, 11, *[10] * 7]
    assert [bin_.confidence for bin_ in bins] == sorted(bin_.confidence for bin_ in bins)
    assert sum(bin_.lines * bin_.chrf for bin_ in bins) == pytest.approx(quality.sum())


def test_a_calibration_reads_back_as_it_was_written_and_prints_its_bins():
    calibration = calibrate(*drawn(120, seed=12)[:2])
    assert Calibration.from_json(calibration.as_json()) == calibration
    table = str(calibration).splitlines()[-10:]
    assert [int(line.split()[0]) for line in table] == [bin_.lines for bin_ in calibration.reliability]


@pytest.mark.parametrize("change", ["no JSON", "other features", "another key", "a list"])
def test_what_is_no_calibration_of_this_version_is_refused_with_the_way_out(change):
    content = json.loads(calibrate(*drawn(60, seed=13)[:2]).as_json())
    if change == "other features":
        content["coefficients"]["mood"] = 1.0
    elif change == "another key":
        content["slope"] = 1.0
    text = "{" if change == "no JSON" else "[]" if change == "a list" else json.dumps(content)
    with pytest.raises(ValueError, match="nmt calibrate RUN"):
        Calibration.from_json(text)


def test_too_few_lines_are_refused_with_both_numbers():
    with pytest.raises(TooFewLinesError, match=f"{MIN_LINES - 1} lines.*{MIN_LINES}"):
        calibrate(*drawn(MIN_LINES - 1, seed=14)[:2])


def test_a_calibration_of_fewer_features_says_what_it_said_before():
    calibration = calibrate(*drawn(60, seed=15)[:2])
    content = json.loads(calibration.as_json())
    known = FEATURES[:4]
    content["coefficients"] = {name: content["coefficients"][name] for name in known}
    features = drawn(60, seed=16)[0]
    before = 1 / (1 + np.exp(-(calibration.intercept + features[:, :4] @ np.array(calibration.coefficients[:4]))))
    np.testing.assert_allclose(Calibration.from_json(json.dumps(content)).confidence(features), before)
