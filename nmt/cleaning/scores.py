"""Rules that ask a lexicon or models about pairs that no other rule removes. TensorFlow only where models are used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from nmt.config.settings import Config
from nmt.runs.run import Run
from nmt.search.lexicon import learn_lexicon
from nmt.text.protection import Protection
from nmt.text.tokenizer import BOS, Tokenizers, train_tokenizers

# Of a source piece. Less likely ones of a rare piece are all that its sentences have, also where these do not fit it.
_LIKELIEST = 5


class ScoreRule(NamedTuple):
    """Its name, and whether each pair breaks it: bool [pairs]."""

    name: str
    breaks: Callable[[Sequence[tuple[str, str]]], np.ndarray]


def score_rules(config: Config) -> list[ScoreRule]:
    """Those that are turned on, with what they need learned or loaded.

    Raises:
        ValueError: for runs that cannot be used.
    """
    settings = config.cleaning
    rules = []
    if settings.min_lexicon:
        tokenizers = train_tokenizers(config)
        score = partial(
            lexicon_shares, learn_lexicon(config, tokenizers), tokenizers, Protection.of(config, tokenizers)
        )
        rules.append(ScoreRule("min_lexicon", lambda pairs: score(pairs) < settings.min_lexicon))
    if settings.forward_run and settings.backward_run:
        entropy = _entropies(Run.open(settings.forward_run), Run.open(settings.backward_run))
        rules.append(ScoreRule("max_cross_entropy", lambda pairs: entropy(pairs) > settings.max_cross_entropy))
    return rules


def lexicon_shares(
    lexicon: np.ndarray, tokenizers: Tokenizers, protection: Protection, pairs: Sequence[tuple[str, str]]
) -> np.ndarray:
    """How much of each target the lexicon explains: the share of its pieces that are likely translations of a piece of
    the source. The most frequent pieces, which are listed for none, do not count; 1 where there are no others.

    Args: lexicon: as `learn_lexicon` returns it.
    Returns: float [pairs], 0..1.
    """
    frequent = set(lexicon[BOS].tolist())
    shares = []
    for source, target in pairs:
        hidden, spans = protection.hide(source)
        (source_ids,), (target_ids,) = (
            tokenizers.source.encode([hidden]),
            tokenizers.target.encode([protection.hide_known(target, spans)]),
        )
        known = set(lexicon[source_ids, :_LIKELIEST].ravel().tolist())
        rare = [piece in known for piece in target_ids if piece not in frequent]
        shares.append(sum(rare) / len(rare) if rare else 1.0)
    return np.array(shares)


def dual_cross_entropies(forward: Sequence[np.ndarray], backward: Sequence[np.ndarray]) -> np.ndarray:
    """|H_f - H_b| + (H_f + H_b) / 2 of the mean cross-entropies a piece (Junczys-Dowmunt 2018, equation 2).

    Args: forward, backward: log-probabilities of the pieces of each pair's target, of its source.
    Returns: float [pairs] in nats; small for pairs that both models find likely, and equally so.
    """
    ours, theirs = (np.array([-scores.mean() for scores in side]) for side in (forward, backward))
    return np.abs(ours - theirs) + (ours + theirs) / 2


def _entropies(forward: Run, backward: Run) -> Callable[[Sequence[tuple[str, str]]], np.ndarray]:
    from nmt.translation.ensemble import load_translator  # here, as it imports TensorFlow

    translators = load_translator([forward]), load_translator([backward])

    def entropies(pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        sources, targets = zip(*pairs, strict=True)
        return dual_cross_entropies(translators[0].score(sources, targets), translators[1].score(targets, sources))

    return entropies
