"""How good translations are: BLEU, chrF and TER against references, always through sacrebleu.

Every score carries sacrebleu's signature, which says how it was computed (Post 2018), so that a number can be compared
with one from elsewhere. Imports no TensorFlow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sacrebleu.metrics import BLEU, CHRF, TER
from sacrebleu.significance import PairedTest, Result

from nmt.config.settings import Config

# Codes of ISO 639-1 and 639-3.
CHARACTER_LANGUAGES = ("ja", "jpn", "ko", "kor", "th", "tha", "lo", "lao", "km", "khm", "my", "mya")
CHINESE = ("zh", "zho", "chi", "cmn", "yue", "wuu")
CHARACTER_TOKENIZERS = ("zh", "char")
# Names of languages that are scored in another way than most: for them, a name in place of a code must not pass.
_NAMED = {
    **{"japanese": "ja", "korean": "ko", "thai": "th", "lao": "lo", "khmer": "km", "burmese": "my", "myanmar": "my"},
    **{"chinese": "zh", "mandarin": "zh", "cantonese": "yue"},
}
_CODE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]+)*")


class Score(NamedTuple):
    """One metric over a whole test set; value in 0..100 (TER may exceed 100)."""

    value: float
    signature: str


class Scores(NamedTuple):
    """BLEU and chrF: higher is better; TER, the share of words to edit: lower is better, None if not computed."""

    bleu: Score
    chrf: Score
    ter: Score | None


class SystemScore(NamedTuple):
    """One metric of one system in a bootstrap.

    `mean` +- `interval` holds the score of 95% of the resampled test sets. `p_value` is the probability of a difference
    from the first system at least this large if the two were equally good; None for the first system itself.
    """

    system: str
    metric: str
    value: float
    mean: float
    interval: float
    p_value: float | None
    signature: str


def bleu_tokenize(config: Config) -> str:
    """A job's sacrebleu tokenization: as set, else by character for scripts without spaces between words."""
    if config.data.bleu_tokenize:
        return config.data.bleu_tokenize
    language = _primary_language(config.target_language)
    if language in CHINESE:
        return "zh"
    return "char" if language in CHARACTER_LANGUAGES else "13a"


def has_spaces(language: str) -> bool:
    """Whether a language's script separates words by spaces; `language` is a code such as "de" or "pt-BR"."""
    return _primary_language(language) not in CHARACTER_LANGUAGES + CHINESE


def language_code(language: str) -> str | None:
    """The code that is meant where a language's name came instead of one, such as "ja" for "Japanese"; "" where it is
    no name known here, None where it is a code.
    """
    if _CODE.fullmatch(language):
        return None
    words = re.findall(r"\w+", language.lower())
    return _NAMED.get(words[0], "") if words else ""


def _primary_language(language: str) -> str:
    return language_code(language) or language.replace("_", "-").split("-")[0].lower()


def score(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    tokenize: str = "13a",
    lowercase: bool = False,
    with_ter: bool = True,
) -> Scores:
    """Scores a system's lines against the reference lines.

    Args:
        tokenize: sacrebleu's name of BLEU's tokenization; see `bleu_tokenize`.
        lowercase: ignore case in BLEU and chrF (sacrebleu's TER always does).
        with_ter: False leaves out TER, by far the slowest of the three.
    Raises: ValueError where the line counts differ or there is no line.
    """
    check_line_counts({"the hypotheses": hypotheses}, references)
    values = {}
    for name, metric in _metrics(tokenize, lowercase=lowercase, with_ter=with_ter).items():
        value = metric.corpus_score(hypotheses, [references]).score
        values[name] = Score(value, metric.get_signature().format())
    return Scores(values["BLEU"], values["chrF2"], values.get("TER"))


def sentence_chrf(hypotheses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """chrF of each line by itself, 0..100: float64 [lines].

    Raises: ValueError where the line counts differ or there is no line.
    """
    check_line_counts({"the hypotheses": hypotheses}, references)
    metric = CHRF()
    return np.array(
        [
            metric.sentence_score(hypothesis, [reference]).score
            for hypothesis, reference in zip(hypotheses, references, strict=True)
        ]
    )


def bootstrap(
    references: Sequence[str],
    system: str,
    hypotheses: Sequence[str],
    *,
    tokenize: str = "13a",
    with_ter: bool = True,
    samples: int = 1000,
) -> list[SystemScore]:
    """How certain one system's scores are: bootstrap resampling (Koehn 2004) through sacrebleu, as `--confidence` does.

    Args: as paired_bootstrap and score.
    Returns: one entry per metric.
    Raises: ValueError where the line counts differ or there is no line.
    """
    check_line_counts({system: hypotheses}, references)
    table = []
    for name, metric in _metrics(tokenize, lowercase=False, with_ter=with_ter).items():
        estimate = metric.corpus_score(hypotheses, [references], n_bootstrap=samples)
        mean, interval = float(estimate._mean), float(estimate._ci)  # sacrebleu has no public name for them
        table.append(SystemScore(system, name, estimate.score, mean, interval, None, metric.get_signature().format()))
    return table


def paired_bootstrap(
    references: Sequence[str],
    systems: Mapping[str, Sequence[str]],
    *,
    tokenize: str = "13a",
    lowercase: bool = False,
    samples: int = 1000,
) -> list[SystemScore]:
    """Whether systems differ by more than chance: paired bootstrap resampling (Koehn 2004) through sacrebleu.

    Every system is compared with the first. The seed is sacrebleu's own (12345, or SACREBLEU_SEED) and part of the
    signature, so that `sacrebleu --paired-bs` gives the same numbers.

    Args:
        systems: name -> hypotheses, at least two.
        samples: resampled test sets.
    Returns: one entry per metric and system, systems in the given order.
    Raises: ValueError where line counts differ or there are fewer than two systems.
    """
    if len(systems) < 2:
        raise ValueError(f"a comparison needs at least two systems, got {len(systems)}: {', '.join(systems)}")
    check_line_counts(systems, references)
    metrics = _metrics(tokenize, lowercase=lowercase, with_ter=True)
    signatures, results = PairedTest(list(systems.items()), metrics, [references], "bs", n_samples=samples)()
    table = []
    for metric in metrics:
        for system, result in zip(systems, results[metric], strict=True):
            assert isinstance(result, Result)
            value, mean, interval = (float(number or 0.0) for number in (result.score, result.mean, result.ci))
            table.append(
                SystemScore(system, metric, value, mean, interval, result.p_value, signatures[metric].format())
            )
    return table


def _metrics(tokenize: str, *, lowercase: bool, with_ter: bool) -> dict[str, BLEU | CHRF | TER]:
    """The metrics by the names that sacrebleu gives them."""
    metrics: dict[str, BLEU | CHRF | TER] = {
        # force: no warning about tokenized text where the setting says that it is tokenized
        "BLEU": BLEU(tokenize=tokenize, lowercase=lowercase, force=tokenize == "none"),
        "chrF2": CHRF(lowercase=lowercase),
    }
    if with_ter:
        by_character = tokenize in CHARACTER_TOKENIZERS
        metrics["TER"] = TER(normalized=by_character, asian_support=by_character)
    return metrics


def check_line_counts(systems: Mapping[str, Sequence[str]], references: Sequence[str]) -> None:
    """Raises: ValueError where a system, by its name, has not as many lines as the references, or these have none."""
    if not references:
        raise ValueError("there is nothing to score: the references have no line")
    for name, hypotheses in systems.items():
        if len(hypotheses) != len(references):
            raise ValueError(
                f"{name} has {len(hypotheses)} lines but the references have {len(references)}: "
                "line n of one must translate line n of the other"
            )
