"""What goes wrong is said in one line."""

import apache_beam as beam
import pytest

from nmt.beam.pipeline import pipeline

PROCESS = ["--direct_running_mode=multi_processing"]


def fail(number):
    raise ValueError(f"corpus.de:{number}: not UTF-8")


def lose_a_worker(number):
    raise RuntimeError("Channel closed prematurely.")


@pytest.mark.parametrize("arguments", [[], PROCESS], ids=str)
def test_a_mistake_that_a_worker_finds_is_told_as_if_it_was_found_here(arguments):
    with pytest.raises(ValueError, match=r"^corpus\.de:3: not UTF-8$"), pipeline(arguments) as building:
        _ = building | beam.Create([3]) | beam.Map(fail)


def test_a_worker_that_is_gone_is_told_in_words_of_a_user():
    with pytest.raises(ChildProcessError, match="give the command again"), pipeline([]) as building:
        _ = building | beam.Create([3]) | beam.Map(lose_a_worker)


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ("--direct_num_workers=many", "Apache Beam: argument --direct_num_workers: invalid int value: 'many'"),
        ("--runner=Nonsense", "Nonsense.* Valid values are"),
    ],
)
def test_an_option_that_beam_does_not_take_is_named(argument, complaint):
    with pytest.raises(ValueError, match=complaint), pipeline([argument]):
        pass
