"""The config that trains a run on."""

from pathlib import Path

import pytest

from nmt.config.data import Corpus
from nmt.config.file import load_config, parse_config
from nmt.corpus.continuing import Sized, continued, continuing_text, mixed

CONFIGS = Path(__file__).parents[2] / "configs"


def corpus(name, weight=1.0):
    return Corpus(source=f"{name}.en", target=f"{name}.de", weight=weight)


@pytest.mark.parametrize(("largest", "times"), [(2000, 4.0), (10, 1.0)])
def test_own_pairs_are_repeated_to_be_as_many_as_the_largest_group_and_no_others(largest, times):
    own = [Sized(corpus("own"), 300), Sized(corpus("more", 2.0), 100)]
    back = [Sized(corpus("back"), largest)]
    forward = [Sized(corpus("forward-1", 0.5), 5), Sized(corpus("forward-2", 0.5), 6)]
    weights = {each.source: each.weight for each in mixed(own, back, forward)}
    assert weights == {
        "own.en": times,
        "more.en": 2 * times,
        "back.en": 1.0,
        "forward-1.en": 0.5,
        "forward-2.en": 0.5,
    }


def test_a_job_without_pairs_is_named():
    with pytest.raises(ValueError, match=r"empty\.en and empty\.de: no pair"):
        mixed([Sized(corpus("empty"), 0)], [Sized(corpus("back"), 3)])


def test_a_run_is_trained_on_by_the_settings_of_the_published_recipe():
    first, second = (load_config(CONFIGS / f"multi30k_en_de_tok{name}.yaml") for name in ("", "_2"))
    config = continued(first, "runs/multi30k_en_de_tok")
    assert config.model == second.model
    for setting in ("start_from", "optimizer", "schedule", "ema_decay", "validate_every"):
        assert getattr(config.training, setting) == getattr(second.training, setting)


def test_the_text_of_a_config_reads_as_that_config():
    config = continued(load_config(CONFIGS / "multi30k_en_de.yaml"), "runs/x")
    text = continuing_text(config, "First line.\nSecond line.")
    assert text.startswith("# First line.\n# Second line.\n#")
    assert parse_config(text) == config
