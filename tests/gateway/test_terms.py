"""Terms of a request's glossary, whatever the model does to their placeholders."""

from collections.abc import Sequence

import pytest

from nmt.gateway.terms import translate_with_terms
from nmt.text.glossary import Glossary
from nmt.translation.translation import Hypothesis, Translation

GLOSSARY = Glossary({"river bank": "Ufer", "cat": "Katze"})


def translated(answers: dict[str, Sequence[str]], line: str) -> list[str]:
    """The translations of a line by a model that gives these answers, best first."""

    def translate(lines: Sequence[str]) -> list[Translation]:
        return [Translation(tuple(Hypothesis(text, 0.0) for text in answers[line])) for line in lines]

    (found,) = translate_with_terms(GLOSSARY, translate, [line])
    return [each.text for each in found.n_best]


def test_terms_move_with_their_placeholders():
    assert translated({"a <t0> on a <t1>": ["<t1> x <t0>"]}, "a cat on a river  bank") == ["Ufer x Katze"]


@pytest.mark.parametrize("lost", ["x", "<t0> <t0>", "<t0> <t1>"])
def test_alternatives_without_their_terms_are_left_out(lost):
    assert translated({"a <t0>": ["x <t0>", lost, "<t0>"]}, "a cat") == ["x Katze", "Katze"]


@pytest.mark.parametrize("lost", ["x", "<t0> <t0>", "<t1>"])
def test_a_line_whose_terms_are_lost_is_translated_without_them(lost):
    assert translated({"a <t0>": [lost, "<t0>"], "a cat": ["freely"]}, "a cat") == ["freely"]


def test_a_line_without_terms_goes_to_the_model_as_it_is():
    assert translated({" cats <t0> ": ["free"]}, " cats <t0> ") == ["free"]
