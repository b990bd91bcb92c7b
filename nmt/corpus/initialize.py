"""`nmt init`: profiles a corpus, holds out validation and test pairs, and writes a config that suits it."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from nmt.config.data import TextPair
from nmt.config.file import load_config, parse_config
from nmt.config.resuming import is_begun
from nmt.config.settings import Config
from nmt.config.writer import Choice, config_text
from nmt.corpus.check import quick_check
from nmt.corpus.held_out import hold_out, write_parts
from nmt.corpus.profile import CorpusProfile, SideProfile, profile_corpus, script_name
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
from nmt.text.files import count_pairs
from nmt.text.metrics import CHARACTER_TOKENIZERS, bleu_tokenize
from nmt.text.tokenizer import train_tokenizers

# With fewer pairs nothing is learned, and none can be held out.
_LEAST_PAIRS = 1_000
# A held-out set's share of the pairs, its limits in pairs, and its largest share.
_SHARE, _LIMITS, _LARGEST_SHARE = 0.015, (500, 2_000), 0.05
_TRIAL_SENTENCES = 100_000
_TRIAL_PAIRS = 10_000
_VALIDATING = 0.15  # share of a training's time
_TOO_FEW = 3  # a model is too large if there is no time for a third of the steps
_SUFFIXES = (".gz", ".txt")
# ISO 639-1.
_LANGUAGES = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el
en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu
ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na
nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so
sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""


class Request(NamedTuple):
    """The user's request, as options of `nmt init`; None for options not given."""

    source: str
    target: str
    source_language: str | None = None
    target_language: str | None = None
    validation_source: str | None = None
    validation_target: str | None = None
    test_source: str | None = None
    test_target: str | None = None
    minutes: float | None = None
    output: str | None = None

    @property
    def corpus(self) -> TextPair:
        return TextPair(source=self.source, target=self.target)

    @property
    def validation(self) -> TextPair | None:
        return _both("validation", self.validation_source, self.validation_target)

    @property
    def test(self) -> TextPair | None:
        return _both("test", self.test_source, self.test_target)


class _Job(NamedTuple):
    """Where the files go."""

    config_path: Path
    name: str
    source_language: str
    target_language: str
    train: TextPair
    validation: TextPair
    test: TextPair | None
    counts: dict[str, int]  # pairs of each set; "corpus" = of all
    cut: dict[str, TextPair]  # the sets that are cut out of the corpus

    @property
    def run(self) -> str:
        return f"runs/{self.name}"


def initialize(request: Request, *, steps_per_minute: Callable[[Config], float] | None = None) -> str:
    """Writes the config, and the sets that it names where pairs have to be held out. Changes no file there is.

    Args:
        steps_per_minute: measures how fast this machine trains; needed for request.minutes.

    Returns:
        What was found and written, and the next commands, as a page.

    Raises:
        ValueError: for corpora that cannot be used, and where something would be overwritten.
    """
    if request.minutes is not None and not 0 < request.minutes < math.inf:
        raise ValueError(f"--minutes {request.minutes}: a number > 0 was expected")
    job = _plan(request)
    files = [path for pair in job.cut.values() for path in (pair.source, pair.target)]
    if taken := [path for path in (*files, str(job.config_path)) if os.path.lexists(path)]:
        raise ValueError(f"{taken[0]} is there already, and nothing is overwritten: choose another place with --output")
    if is_begun(job.run):
        raise ValueError(f"{job.run} holds a run already, of another job: choose another name with --output")
    sizes = {name: job.counts[name] for name in job.cut if name != "train"}
    held_out = hold_out(request.corpus, sizes) if sizes else {}
    job.config_path.parent.mkdir(parents=True, exist_ok=True)
    made: list[str] = []
    try:
        if job.cut:
            write_parts(request.corpus, held_out, job.cut)
            made += files
        profile = profile_corpus(job.train)
        text = _text(job, _choices(job, profile, request.minutes, steps_per_minute))
        with open(job.config_path, "x", encoding="utf-8", newline="\n") as file:
            made.append(str(job.config_path))
            file.write(text)
        config = load_config(job.config_path)
        report = quick_check(config)
    except BaseException:
        for path in made:
            Path(path).unlink(missing_ok=True)
        raise
    warnings = [str(report)] if report.errors or report.warnings else []
    return "\n\n".join([_found(profile, job), *warnings, _written(job), _next_commands(job, config)])


def _both(what: str, source: str | None, target: str | None) -> TextPair | None:
    if source is None and target is None:
        return None
    if source is None or target is None:
        raise ValueError(f"--{what}-source and --{what}-target belong together: give both or neither")
    return TextPair(source=source, target=target)


# ---- what goes where ------------------------------------------------------------------------------------------------


def _plan(request: Request) -> _Job:
    corpus = request.corpus
    pairs = _usable(request)
    source = _language(request.source_language, corpus.source, "source")
    target = _language(request.target_language, corpus.target, "target")
    config_path, stem, name = _place(request.output or f"{source}-{target}")
    endings = (source, target) if source != target else (f"source.{source}", f"target.{target}")

    def part(set_name: str) -> TextPair:
        files = [str(config_path.parent / f"{stem}{set_name}.{ending}") for ending in endings]
        return TextPair(source=files[0], target=files[1])

    given = {"validation": request.validation, "test": request.test}
    cut = [] if request.validation else ["train", *(each for each, pair in given.items() if pair is None)]
    paths = {each: part(each) for each in cut}
    size = _held_out_size(pairs)
    counts = {each: count_pairs(pair) for each, pair in given.items() if pair} | dict.fromkeys(cut, size)
    return _Job(
        config_path=config_path,
        name=name,
        source_language=source,
        target_language=target,
        train=paths.get("train", corpus),
        validation=request.validation or paths["validation"],
        test=request.test or paths.get("test"),
        counts={**counts, "corpus": pairs, "train": pairs - size * max(0, len(cut) - 1)},
        cut=paths,
    )


def _usable(request: Request) -> int:
    """The number of pairs of the corpus. Raises: ValueError if the files are not what the options say."""
    named = {"corpus": request.corpus, "validation": request.validation, "test": request.test}
    used: dict[str, str] = {}
    for what, pair in named.items():
        for path in (pair.source, pair.target) if pair else ():
            if earlier := used.get(os.path.realpath(path)):
                raise ValueError(f"{path} is given twice, in {earlier} and {what}: each side of each set is a file")
            used[os.path.realpath(path)] = what
    counts = {what: count_pairs(pair) for what, pair in named.items() if pair}
    for what, pairs in counts.items():
        pair = named[what]
        assert pair is not None
        if not pairs:
            raise ValueError(f"{pair.source} and {pair.target} are empty")
    if counts["corpus"] < _LEAST_PAIRS:
        raise ValueError(
            f"{request.corpus.source} has {counts['corpus']:,} lines: at least {_LEAST_PAIRS:,} pairs are needed to "
            f"train on, tens of thousands to learn a narrow domain"
        )
    return counts["corpus"]


def _language(said: str | None, path: str, side: str) -> str:
    """The language code given, or the one at the end of the file's name."""
    if said is not None:
        if not re.fullmatch(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]+)*", said):
            raise ValueError(f"--{side}-language {said!r}: a language code such as en, pt_BR or zh-Hans was expected")
        return said
    parts = Path(path).name.split(".")
    while len(parts) > 1 and f".{parts[-1]}" in _SUFFIXES:
        parts.pop()
    if len(parts) < 2 or re.split("[-_]", parts[-1].lower())[0] not in _LANGUAGES.split():
        raise ValueError(f"{path}: its name ends in no language code, as train.en does: say it with --{side}-language")
    return parts[-1]


def _place(output: str) -> tuple[Path, str, str]:
    """The config's path, what the names of the sets beside it begin with, and the job's name."""
    path = Path(output)
    if path.suffix in (".yaml", ".yml"):
        return path, f"{path.stem}.", path.stem
    return path / "config.yaml", "", path.resolve().name


def _held_out_size(pairs: int) -> int:
    low, high = _LIMITS
    return round(min(high, max(low, _SHARE * pairs), _LARGEST_SHARE * pairs))


# ---- what suits it --------------------------------------------------------------------------------------------------


def _choices(
    job: _Job, profile: CorpusProfile, minutes: float | None, steps_per_minute: Callable[[Config], float] | None
) -> list[Choice]:
    """All settings that differ from their defaults."""
    choices = choose(profile)
    config = parse_config(_text(job, [*choices, *budget(1, "to be found")]))
    trial = config.tokenizer.model_copy(update={"max_sentences": _TRIAL_SENTENCES})
    tokenizers = train_tokenizers(config.model_copy(update={"tokenizer": trial}))
    # It is the most that each may have: where one side has fewer pieces, that limits the other in nothing.
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
    config = parse_config(_text(job, [*choices, *budget(1, "to be found")]))
    choices += choose_budget(profile, lengths, config.data)
    if minutes is not None:
        assert steps_per_minute is not None
        choices = _within(minutes, lambda choices: steps_per_minute(parse_config(_text(job, choices))), choices)
    return _different(job, choices)


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


def _different(job: _Job, choices: Sequence[Choice]) -> list[Choice]:
    """The choices that differ from the defaults, or that users will want to change."""
    default = parse_config(_text(job, []))

    def value(setting: str) -> object:
        section: object = default
        for key in setting.split("."):
            section = getattr(section, key)
        return section

    return [choice for choice in choices if choice.setting in SHOWN or choice.value != value(choice.setting)]


# ---- the file and the page ------------------------------------------------------------------------------------------


def _text(job: _Job, choices: Sequence[Choice]) -> str:
    """The config: what the job is, and the choices."""
    held_out = ", held out: none has a side that comes again in the corpus" if "validation" in job.cut else ""
    rest = f", the {job.counts['corpus']:,} of the corpus without those held out" if "train" in job.cut else ""
    what = [
        Choice("run", job.run, "the directory `nmt train` makes: tokenizer, checkpoints, log"),
        Choice("source_language", job.source_language, "quoted: YAML reads a bare `no` as false"),
        Choice("target_language", job.target_language, "decides how scores tell words apart"),
        Choice("data.train", [job.train], f"{job.counts['train']:,} pairs{rest}"),
        Choice("data.validation", job.validation, f"{job.counts['validation']:,} pairs{held_out}"),
    ]
    if job.test:
        reason = f"{job.counts['test']:,} pairs for `nmt evaluate`: look at them once, at the end"
        what.append(Choice("data.test.test", job.test, reason))
    heading = (
        f"From {job.source_language} to {job.target_language}: written by `nmt init`, after a look at the corpus.\n"
        "Only what differs from the defaults stands here; `nmt config` prints everything."
    )
    return config_text([*what, *choices], heading)


def _found(profile: CorpusProfile, job: _Job) -> str:
    repeated = profile.pairs - profile.different_pairs
    lines = [
        f"Found {profile.pairs:,} pairs to train on" + (f", {repeated:,} of them repetitions" if repeated else ""),
        _found_side(job.source_language, profile.source),
        _found_side(job.target_language, profile.target),
    ]
    if profile.identical >= 0.001:
        lines.append(f"  {profile.identical:.1%} are the same on both sides")
    kinds = [f"{spans.found:,} {kind} ({spans.kept:.0%})" for kind, spans in profile.spans.items() if spans.found]
    if kinds:
        lines.append(f"  in the source, and the same in the target: {', '.join(kinds)}")
    return "\n".join(lines)


def _found_side(language: str, side: SideProfile) -> str:
    words = f"{side.words:.1f} words" if side.spaced else "no spaces between words"
    case = ", all in lower case" if side.cased and not side.capitals else ""
    return (
        f"  {language}: {script_name(side.script)} letters, {side.different_characters:,} different characters; "
        f"a line has {side.characters:.0f} characters, {words}{case}"
    )


def _written(job: _Job) -> str:
    lines = [
        f"  {pair.source}, {pair.target}: {job.counts[name]:,} pairs"
        for name, pair in (("train", job.train), ("validation", job.validation), ("test", job.test))
        if pair and name in job.cut
    ]
    return "\n".join(["Wrote", *lines, f"  {job.config_path}: the settings, each with its reason"])


def _next_commands(job: _Job, config: Config) -> str:
    path = shlex.quote(str(job.config_path))
    lines = [f"Next ({config.training.max_steps:,} steps; with --minutes as many as there is time for)"]
    lines += [f"  nmt check {path}", f"  nmt train {path}"]
    if job.test:
        lines.append(f"  nmt evaluate {shlex.quote(config.run)}")
    return "\n".join(lines)
