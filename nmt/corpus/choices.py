"""The settings of a new config: the recipe, applied to what was measured of the corpus and of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nmt.config.file import parse_config
from nmt.config.settings import Config
from nmt.config.writer import Choice, config_text
from nmt.corpus.plan import Plan
from nmt.corpus.profile import CorpusProfile
from nmt.corpus.recipe import (
    SHOWN,
    budget,
    choose,
    choose_budget,
    choose_lengths,
    halved,
    less_dropout,
    replaced,
    rounded,
)
from nmt.text.metrics import CHARACTER_TOKENIZERS, bleu_tokenize
from nmt.text.tokenizer import train_tokenizers

_TRIAL_SENTENCES = 100_000
_TRIAL_PAIRS = 10_000
_VALIDATING = 0.15  # share of a training's time
_TOO_FEW = 3  # a model is too large if there is no time for a third of the steps


def choose_settings(
    plan: Plan, profile: CorpusProfile, minutes: float | None, steps_per_minute: Callable[[Config], float] | None
) -> list[Choice]:
    """All settings that differ from their defaults."""
    choices = choose(profile)
    config = parse_config(job_text(plan, [*choices, *budget(1, "to be found")]))
    trial = config.tokenizer.model_copy(update={"max_sentences": _TRIAL_SENTENCES})
    tokenizers = train_tokenizers(config.model_copy(update={"tokenizer": trial}))
    # The setting is an upper limit for both sides, so the larger of the two vocabularies decides.
    largest = max(tokenizer.vocabulary_size for tokenizer in tokenizers)
    if largest < config.tokenizer.vocabulary_size:
        fewer = Choice("tokenizer.vocabulary_size", largest, "the text has no more different pieces")
        choices = replaced(choices, [fewer])
    if not profile.target.spaced and bleu_tokenize(config) not in CHARACTER_TOKENIZERS:
        choices.append(Choice("data.bleu_tokenize", "char", "there are no spaces between the words of the target"))
    sample = profile.sample[:: -(-len(profile.sample) // _TRIAL_PAIRS)]
    sides = [
        tokenizer.sample(lines, alpha=config.tokenizer.sampling_alpha, seed=config.seed)
        if config.tokenizer.sampling_alpha
        else tokenizer.encode(lines)
        for tokenizer, lines in zip(tokenizers, zip(*sample, strict=True), strict=True)
    ]
    lengths = [(len(source), len(target)) for source, target in zip(*sides, strict=True)]
    choices += choose_lengths(lengths)
    config = parse_config(job_text(plan, [*choices, *budget(1, "to be found")]))
    choices += choose_budget(profile, lengths, config.data)
    if minutes is not None:
        assert steps_per_minute is not None
        choices = _within(minutes, lambda choices: steps_per_minute(parse_config(job_text(plan, choices))), choices)
    return _different(plan, choices)


def _within(minutes: float, speed_of: Callable[[list[Choice]], float], choices: list[Choice]) -> list[Choice]:
    """The choices with only as many steps as there is time for, and a model that can learn in these."""
    (wanted,) = (choice for choice in choices if choice.setting == "training.max_steps")
    while True:
        speed = speed_of(choices)
        possible = max(1, rounded((1 - _VALIDATING) * minutes * speed))
        if possible > wanted.value / _TOO_FEW or not (smaller := halved(choices)):
            break
        choices = smaller
    measured = f"{speed:,.0f} steps a minute were measured"
    if possible >= wanted.value:
        took = wanted.value / speed / (1 - _VALIDATING)
        return replaced(choices, budget(wanted.value, f"{wanted.reason}; some {took:,.0f} minutes, as {measured}"))
    reason = f"{minutes:g} minutes, as {measured} (better for this corpus: {wanted.value:,})"
    return replaced(choices, [*budget(possible, reason), *less_dropout(choices, possible / wanted.value)])


def _different(plan: Plan, choices: Sequence[Choice]) -> list[Choice]:
    """The choices that differ from the defaults, or that users will want to change."""
    default = parse_config(job_text(plan, []))

    def value(setting: str) -> object:
        section: object = default
        for key in setting.split("."):
            section = getattr(section, key)
        return section

    return [choice for choice in choices if choice.setting in SHOWN or choice.value != value(choice.setting)]


def job_text(plan: Plan, choices: Sequence[Choice]) -> str:
    """The config: what the job is, and the choices."""
    held_out = ", held out: none has a side that comes again in the corpus" if "validation" in plan.cut else ""
    rest = f", the {plan.counts['corpus']:,} of the corpus without those held out" if "train" in plan.cut else ""
    what = [
        Choice("run", plan.run, "the directory `nmt train` makes: tokenizer, checkpoints, log"),
        Choice("source_language", plan.source_language, "quoted: YAML reads a bare `no` as false"),
        Choice("target_language", plan.target_language, "decides how scores tell words apart"),
        Choice("data.train", [plan.train], f"{plan.counts['train']:,} pairs{rest}"),
        Choice("data.validation", plan.validation, f"{plan.counts['validation']:,} pairs{held_out}"),
    ]
    if plan.test:
        reason = f"{plan.counts['test']:,} pairs for `nmt evaluate`: look at them once, at the end"
        what.append(Choice("data.test.test", plan.test, reason))
    heading = (
        f"From {plan.source_language} to {plan.target_language}: written by `nmt init`, after a look at the corpus.\n"
        "Only what differs from the defaults stands here; `nmt config` prints everything."
    )
    return config_text([*what, *choices], heading)
