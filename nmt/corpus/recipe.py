"""Which settings suit a corpus: the rules of `nmt init`, each with its reason and the figure that it rests on.

Most depend on how much text there is, and stand in one table. What it says of small corpora follows Sennrich & Zhang
2019 (few pieces, small batches, strong dropout, tied embeddings), Ding et al. 2019 (few merges), Provilkov et al. 2020
(BPE dropout), and what was measured on Multi30k (docs/results.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nmt.config.data import DataConfig
from nmt.config.writer import Choice
from nmt.corpus.profile import CorpusProfile, script_name
from nmt.data.batches import token_batches

# Names of amounts of text, by the number of words of the longer side, repeated pairs counted once.
AMOUNTS = {"very few": 150_000, "few": 1_500_000, "a fair number": 6_000_000, "many": 40_000_000, "very many": math.inf}

# A column for each of AMOUNTS, and why there is a difference. To retune, or to add a setting, change a line.
TABLE: dict[str, tuple[tuple[Any, ...], str]] = {
    "data.batch_tokens": ((1024, 1024, 2048, 4096, 4096), "the fewer, the smaller: more steps an epoch"),
    "tokenizer.vocabulary_size": ((2000, 6000, 10_000, 20_000, 32_000), "each piece has to be seen often"),
    "tokenizer.sampling_alpha": ((0.1, 0.1, 0.1, 0.0, 0.0), "BPE dropout: each epoch splits words differently"),
    "model.embedding_size": ((384, 384, 384, 512, 512), "the more text, the larger the model"),
    "model.units": ((384, 384, 768, 1024, 1024), "the more text, the larger the model"),
    "model.encoder.layers": ((0, 0, 0, 0, 2), "above the bidirectional ones; the more text, the deeper"),
    "model.decoder.layers": ((2, 2, 2, 2, 4), "the upper ones see what attention has read; the more text, the deeper"),
    "model.lexical": ((True, True, True, False, False), "a path past the LSTMs from a word to its translation"),
    "model.dropout.embedding": (
        (0.3, 0.2, 0.2, 0.1, 0.1),
        "the less text, the sooner it is memorized",
    ),
    "model.dropout.layers": ((0.3, 0.2, 0.2, 0.2, 0.1), "the less text, the more dropout"),
    "model.dropout.output": ((0.4, 0.3, 0.3, 0.2, 0.1), "the less text, the more dropout"),
    "training.schedule.learning_rate": ((2e-3, 2e-3, 1.5e-3, 1e-3, 7e-4), "the peak; the larger the model, the lower"),
    "search.length_penalty": ((1.4, 1.4, 1.0, 1.0, 1.0), "with little text a search ends sentences too early"),
}

# Two vocabularies hold more than a joint one of the same size, as few pieces are shared.
_OF_TWO = 2 / 3
# Characters beyond these need additional room in the vocabulary; so do the bytes.
_FEW_CHARACTERS, _BYTES = 200, 256
_MANY_CHARACTERS = 300
_NUMBERS = 0.05
# The fewest spans of a kind to judge by, and the share of them that targets must keep.
_SPANS, _KEPT = 20, 0.7
# 20 epochs for Multi30k's 350,000 words; twice as many for an eighth of that.
_EPOCHS, _EPOCHS_WORDS, _EPOCHS_LIMITS = 20, 350_000, (4, 40)
_LEAST_STEPS = 3_000
# Validations of a long training, and of one of fewer steps than this.
_VALIDATIONS, _FEW_VALIDATIONS, _LONG = 20, 10, 5_000
_WEIGHT_DECAY = 0.1
_SMALLEST_UNITS, _LARGEST_RATE, _RATE = 128, 3e-3, "training.schedule.learning_rate"
_USUAL_LENGTH, _LARGEST_LENGTH = 100, 250
_CONCATENATION = 0.1  # on Multi30k it costs nothing (docs/text.md)
_SHORTEST_LIMIT = 30  # a sentence should be translated whole even if the corpus has headings only
# Higher ratios come from pairs that are not translations.
_USUAL_RATIO, _LARGEST_RATIO, _USUAL_EXTRA = 2.0, 5.0, 10

# Written even where they are the defaults, as users will want to change them.
SHOWN = ("tokenizer.vocabulary_size", "model.embedding_size", "model.units", "training.schedule.learning_rate")


def amount(words: float) -> str:
    """The key of AMOUNTS for so many words."""
    return next(name for name, most in AMOUNTS.items() if words <= most)


def choose(profile: CorpusProfile) -> list[Choice]:
    """What the corpus decides before its text is tokenized."""
    column = list(AMOUNTS).index(amount(profile.words))
    words = f"{rounded(profile.words):,} words are {amount(profile.words)}"
    choices = [Choice(setting, row[column], f"{words}: {why}") for setting, (row, why) in TABLE.items()]
    shared = profile.source.script == profile.target.script and profile.source.spaced == profile.target.spaced
    alphabet = max(profile.source.alphabet, profile.target.alphabet)
    many = max(profile.source.different_characters, profile.target.different_characters) > _MANY_CHARACTERS
    scripts = [script_name(side.script) for side in (profile.source, profile.target)]
    (vocabulary,) = (choice for choice in choices if choice.setting == "tokenizer.vocabulary_size")
    choices = replaced(choices, [_vocabulary(vocabulary, shared=shared, alphabet=alphabet if many else 0)])
    choices.append(Choice("tokenizer.type", "bpe", "as tuned on Multi30k; subword sampling is by BPE dropout"))
    reason = "pairs with another one behind them: to translate several sentences on a line, too"
    choices.append(Choice("data.concatenation", _CONCATENATION, reason))
    choices.append(
        Choice("model.encoder.bidirectional_layers", 2, "the second reads what the first has read both ways")
    )
    reason = "large steps that pull all weights towards 0 (Loshchilov & Hutter 2019): sooner better than Adam's own"
    choices += [
        Choice("training.optimizer.name", "adamw", reason),
        Choice("training.optimizer.arguments", {"weight_decay": _WEIGHT_DECAY}, "a step takes learning_rate x this"),
    ]
    if shared:
        reason = f"{scripts[0]} letters on both sides: one vocabulary, one matrix for all embeddings"
        choices.append(Choice("model.tied_embeddings", "all", reason))
    else:
        reason = f"{scripts[0]} and {scripts[1]} letters: hardly any piece occurs in both, so two vocabularies"
        choices.append(Choice("tokenizer.joint", False, reason))
    if many:
        # Much of a large alphabet is rare; beside a small one, letters and digits are, and names and years need them.
        coverage = 0.9995 if alphabet > _MANY_CHARACTERS else 0.99995
        reason = f"{alphabet:,} characters make up 99.95% of the text; some of the others are too rare to learn ..."
        choices.append(Choice("tokenizer.character_coverage", coverage, reason))
        choices.append(Choice("tokenizer.byte_fallback", True, "... and are spelled in bytes, so that none is unknown"))
    return choices + _copied(profile)


def _vocabulary(base: Choice, *, shared: bool, alphabet: int) -> Choice:
    """The vocabulary size, with room for a large alphabet; 0 = it is small."""
    size, reason = base.value, base.reason
    if not shared:
        size, reason = size * _OF_TWO, f"for each language; {reason}"
    if alphabet:
        size = size + max(0, alphabet - _FEW_CHARACTERS) + _BYTES
        reason = f"{reason}, and so many characters have their own"
    return Choice(base.setting, math.ceil(size / 100) * 100, reason)


def _copied(profile: CorpusProfile) -> list[Choice]:
    """Which spans are protected, and how digits are tokenized if numbers are not."""
    changed = {kind: spans for kind, spans in profile.spans.items() if spans.found >= _SPANS and spans.kept < _KEPT}
    choices = []
    if changed:
        found = ", ".join(f"{spans.kept:.0%} of {spans.found:,} {kind}" for kind, spans in changed.items())
        reason = f"not what translations change: only {found} are the same on both sides"
        choices.append(Choice("protect", [kind for kind in profile.spans if kind not in changed], reason))
    if "numbers" in changed and profile.digits >= _NUMBERS:
        reason = f"{profile.digits:.0%} of the lines have digits: always one piece, as numbers are written anew"
        choices.append(Choice("tokenizer.user_defined_symbols", list("0123456789"), reason))
    return choices


def epochs(words: float) -> int:
    """Number of epochs for so many words: fewer for more words, but more steps in total."""
    low, high = _EPOCHS_LIMITS
    return min(high, max(low, round(_EPOCHS * (_EPOCHS_WORDS / max(1.0, words)) ** (1 / 3))))


def choose_lengths(lengths: ArrayLike) -> list[Choice]:
    """Settings that depend on the lengths of pairs in pieces.

    Args:
        lengths: [pairs, 2], of source and target.
    """
    sources, targets = np.asarray(lengths, dtype=np.float64).T
    choices = []
    longest, limit = _longest(np.maximum(sources, targets))
    if longest > _USUAL_LENGTH:
        reason = f"99.9% of the pairs have at most {longest:,} pieces a side"
        choices.append(Choice("data.max_length", limit, reason))
    # A model fails on lines longer than those it was trained on, so it translates these in parts.
    longest, limit = _longest(sources)
    reason = f"99.9% of the sources have at most {longest:,} pieces: longer lines are translated in parts"
    choices.append(Choice("search.max_source_length", max(_SHORTEST_LIMIT, limit), reason))
    ratio = float(np.percentile((targets - _USUAL_EXTRA) / np.maximum(1.0, sources), 99.9))
    if ratio > _USUAL_RATIO:
        reason = f"0.1% of the targets have over {ratio:.1f} pieces for each of the source"
        choices.append(Choice("search.max_length_ratio", min(_LARGEST_RATIO, math.ceil(2 * ratio) / 2), reason))
    return choices


def _longest(lengths: np.ndarray) -> tuple[int, int]:
    """The 99.9th percentile of the lengths, and a limit with room for it, within the largest limit allowed."""
    longest = math.ceil(float(np.percentile(lengths, 99.9)))
    return longest, min(_LARGEST_LENGTH, math.ceil(longest / 10) * 10)


def choose_budget(profile: CorpusProfile, lengths: Sequence[tuple[int, int]], data: DataConfig) -> list[Choice]:
    """The length of training, and settings that depend on it.

    Args:
        lengths: of a sample of the pairs, source and target in pieces.

    Raises:
        ValueError: if no pair is short enough to train on.
    """
    kept = [(source + 1, target + 1) for source, target in lengths if max(source, target) <= data.max_length]
    if not kept:
        raise ValueError(f"no pair has at most {data.max_length} pieces a side: a line should hold one sentence")
    per_epoch = len(token_batches(kept, data.batch_tokens)) * profile.pairs / len(lengths)
    often = epochs(profile.words)
    steps = max(_LEAST_STEPS, rounded(often * per_epoch))
    often = max(often, round(steps / per_epoch))
    return budget(steps, f"{often} epochs of some {rounded(per_epoch):,} steps: the fewer words, the more epochs")


def budget(steps: int, reason: str) -> list[Choice]:
    """The settings of a training of so many steps."""
    average = min(1000, max(100, round(steps / 12)))
    validations = _VALIDATIONS if steps >= _LONG else _FEW_VALIDATIONS
    return [
        Choice("training.max_steps", steps, reason),
        Choice("training.schedule.name", "cosine", "down to 0 at max_steps, which the next three go with"),
        Choice("training.schedule.warmup_steps", min(400, steps // 10), "steps of rise, at most a tenth of all"),
        Choice(
            "training.ema_decay", round(1 - 1 / average, 5), f"translates with an average of some {average:,} steps"
        ),
        Choice("training.validate_every", max(1, steps // validations), f"steps: {validations} validations in all"),
    ]


def halved(choices: Sequence[Choice]) -> list[Choice] | None:
    """The choices for a model of half the width, with larger steps; None if it cannot be smaller."""
    of = {choice.setting: choice for choice in choices}
    units, embedding, rate = (of[key] for key in ("model.units", "model.embedding_size", _RATE))
    if units.value < 2 * _SMALLEST_UNITS:
        return None
    reason = "there is no time for a larger one"
    changed = [Choice(each.setting, each.value // 2, reason) for each in (units, embedding)]
    return replaced(
        choices, [*changed, Choice(_RATE, min(_LARGEST_RATE, 2 * rate.value), "a small model learns faster")]
    )


def less_dropout(choices: Sequence[Choice], share: float) -> list[Choice]:
    """Lower dropout where there is time for only this share of the steps: little is memorized in few epochs."""
    return [
        Choice(choice.setting, round(choice.value * math.sqrt(share), 2), "little, as there are few epochs")
        for choice in choices
        if choice.setting.startswith("model.dropout.")
    ]


def replaced(choices: Sequence[Choice], by: Sequence[Choice]) -> list[Choice]:
    """The choices, with those of the same settings replaced by these."""
    of = {choice.setting: choice for choice in choices} | {choice.setting: choice for choice in by}
    return list(of.values())


def rounded(number: float) -> int:
    """Rounded to two significant digits."""
    digits = max(0, math.floor(math.log10(max(1.0, number))) - 1)
    return round(number / 10**digits) * 10**digits
