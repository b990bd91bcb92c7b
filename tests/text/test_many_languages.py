"""Languages found together are those that py3langid finds for each line alone."""

import random

import pytest

from nmt.text.language import identifier
from nmt.text.many_languages import guess_languages, known_languages

LINES = [
    "The man sits on a bench in the park and reads a newspaper.",
    "Der Mann sitzt auf einer Bank im Park und liest eine Zeitung.",
    "DER MANN SITZT AUF EINER BANK",
    "Le vieil homme traverse le village tous les matins.",
    "Старик каждое утро идёт через деревню.",
    "Старац сваког јутра иде кроз село.",
    "老人は毎朝村を歩いて通る。",
    "cafe\u0301 au lait",
    "OK",
    "",
    "1 2 3",
    "\ud800 is half a character",
    "long " * 2_000,
]


@pytest.mark.parametrize("count", [1, len(LINES), 400])
def test_many_lines_have_the_languages_and_probabilities_of_single_ones(count):
    lines = random.Random(1).choices(LINES, k=count)
    guesses = guess_languages(lines)
    expected = {line: identifier().classify(line) for line in LINES}
    assert [guess.language for guess in guesses] == [expected[line][0] for line in lines]
    assert [guess.probability for guess in guesses] == pytest.approx([expected[line][1] for line in lines], abs=1e-4)


def test_no_lines_have_no_languages():
    assert guess_languages([]) == []


def test_the_languages_that_can_be_found_are_those_of_py3langid():
    assert known_languages() == frozenset(identifier().labels)
