import math

import pytest

from nmt.config.training import ScheduleConfig, TrainingConfig
from nmt.training.schedule import learning_rate

PEAK = 0.002


def training(name, *, max_steps=1000, **schedule):
    return TrainingConfig(max_steps=max_steps, schedule=ScheduleConfig(name=name, learning_rate=PEAK, **schedule))


@pytest.mark.parametrize("name", ["constant", "inverse_square_root", "cosine", "plateau"])
def test_the_warm_up_is_a_line_from_zero_to_the_peak(name):
    rates = [learning_rate(training(name, warmup_steps=40), step) for step in range(1, 41)]
    assert rates == pytest.approx([PEAK * step / 40 for step in range(1, 41)])


@pytest.mark.parametrize("name", ["constant", "inverse_square_root", "cosine", "plateau"])
def test_without_warm_up_the_first_step_has_the_peak(name):
    assert learning_rate(training(name, warmup_steps=0), 1) == pytest.approx(PEAK, rel=1e-4)


def test_four_times_the_steps_halve_the_inverse_square_root_rate():
    settings = training("inverse_square_root", warmup_steps=100)
    assert learning_rate(settings, 100) == pytest.approx(PEAK)
    assert learning_rate(settings, 400) == pytest.approx(PEAK / 2)
    assert learning_rate(settings, 1600) == pytest.approx(PEAK / 4)


def test_cosine_falls_by_half_a_cosine_to_its_final_fraction_and_stays_there():
    settings = training("cosine", warmup_steps=100, decay_steps=500, final_fraction=0.1)
    assert learning_rate(settings, 300) == pytest.approx(PEAK * (0.1 + 0.9 / 2))
    assert learning_rate(settings, 200) == pytest.approx(PEAK * (0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2))
    assert learning_rate(settings, 500) == learning_rate(settings, 9999) == pytest.approx(PEAK * 0.1)


def test_cosine_ends_at_max_steps_where_it_has_no_decay_steps():
    assert learning_rate(training("cosine", max_steps=777, warmup_steps=10), 777) == pytest.approx(0.0, abs=1e-12)


def test_cosine_may_hold_its_peak_and_then_falls_as_one_that_begins_there():
    held = training("cosine", max_steps=1000, warmup_steps=100, hold_steps=500)
    constant, cosine = training("constant", warmup_steps=100), training("cosine", max_steps=500, warmup_steps=100)
    steps = range(1, 601)
    assert [learning_rate(held, step) for step in steps] == [learning_rate(constant, step) for step in steps]
    steps = range(100, 501)
    assert [learning_rate(held, 500 + step) for step in steps] == [learning_rate(cosine, step) for step in steps]


def test_each_restart_goes_through_the_cosine_anew_from_a_lower_peak():
    settings = training("cosine", max_steps=900, warmup_steps=100, restarts=2, factor=0.5, final_fraction=0.1)
    once = training("cosine", max_steps=300, warmup_steps=0, final_fraction=0.1)
    for cycle in (1, 2):
        for step in (1, 50, 150, 299, 300):
            expected = learning_rate(once, step) * 0.5**cycle
            assert learning_rate(settings, 300 * cycle + step) == pytest.approx(expected)
    assert learning_rate(settings, 1000) == learning_rate(settings, 900)


def test_the_first_cycle_is_a_training_that_ends_with_it():
    settings = training("cosine", max_steps=900, warmup_steps=100, restarts=2)
    alone = training("cosine", max_steps=300, warmup_steps=100)
    assert [learning_rate(settings, step) for step in range(1, 301)] == [
        learning_rate(alone, step) for step in range(1, 301)
    ]


def test_plateau_follows_its_factor_down_to_the_final_fraction():
    settings = training("plateau", warmup_steps=0, final_fraction=0.2)
    assert [learning_rate(settings, 5, factor=factor) for factor in (1.0, 0.5, 0.25, 0.125)] == pytest.approx(
        [PEAK, PEAK * 0.5, PEAK * 0.25, PEAK * 0.2]
    )


def test_the_factor_moves_no_other_schedule():
    for name in ("constant", "inverse_square_root", "cosine"):
        assert learning_rate(training(name), 600, factor=0.5) == learning_rate(training(name), 600)
