"""The table of settings has all that two configs change, and nothing that both leave alone."""

import json

from tiny_job import tiny_job

from nmt.report.settings import REQUIRED, changed_settings


def test_each_changed_setting_is_listed_with_its_default_and_no_other(tmp_path):
    changed = {each.path: each for each in changed_settings([tiny_job(tmp_path)])}
    assert changed["model.units"].values == ("8",)
    assert int(changed["model.units"].default) > 8
    assert changed["run"].default == REQUIRED
    assert json.loads(changed["data.train"].values[0])[0]["source"] == f"{tmp_path}/train.en"
    assert "seed" not in changed
    assert all(setting.default not in setting.values for setting in changed.values())


def test_a_setting_that_one_of_two_runs_changes_has_both_values(tmp_path):
    configs = [tiny_job(tmp_path), tiny_job(tmp_path, "search.beam_size=2", "model.units=8")]
    changed = {each.path: each for each in changed_settings(configs)}
    beam = changed["search.beam_size"]
    assert beam.values == (beam.default, "2")
    assert changed["model.units"].values == ("8", "8")
