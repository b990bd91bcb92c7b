"""The language of a text, by py3langid, a classifier of byte sequences (Lui & Baldwin 2011). No TensorFlow."""

from __future__ import annotations

from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier


@cache
def identifier() -> LanguageIdentifier:
    """Of all languages, with probabilities; takes half a second to load."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def base(language: str) -> str:
    """A code as py3langid knows it: "pt" of pt-BR or pt_BR."""
    return language.replace("_", "-").partition("-")[0].lower()
