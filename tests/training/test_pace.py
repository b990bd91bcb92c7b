import math

from tiny_job import tiny_job, write_corpus

from nmt.training.pace import steps_per_minute


def test_measuring_the_speed_trains_even_the_smallest_corpus_and_leaves_nothing_behind(tmp_path):
    write_corpus(tmp_path)
    before = sorted(tmp_path.iterdir())
    speed = steps_per_minute(tiny_job(tmp_path, "data.batch_tokens=10000"), seconds=0.1)  # one batch an epoch
    assert 0 < speed < math.inf
    assert sorted(tmp_path.iterdir()) == before
