"""`nmt init`: profiles a corpus, holds out validation and test pairs, and writes a config that suits it."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Callable
from pathlib import Path

from nmt.config.file import load_config
from nmt.config.resuming import config_path, is_begun
from nmt.config.settings import Config
from nmt.config.training import TrainingConfig
from nmt.corpus.choices import choose_settings, job_text
from nmt.corpus.continuing import continuing_text, fine_tuned
from nmt.corpus.held_out import hold_out, write_parts
from nmt.corpus.plan import Plan, Request, plan_files
from nmt.corpus.profile import CorpusProfile, SideProfile, profile_corpus, script_name
from nmt.corpus.quick_check import quick_check
from nmt.full_disk import naming


def initialize(
    request: Request,
    *,
    steps_per_minute: Callable[[Config], float] | None = None,
    would_clean: Callable[[Config], str] | None = None,
) -> str:
    """Writes the config, and the sets that it names where pairs have to be held out. Changes no file there is.

    Args:
        steps_per_minute: measures how fast this machine trains; needed for request.minutes.
        would_clean: tells what cleaning would remove of the training pairs.

    Returns:
        What was found and written, and the next commands, as a page.

    Raises:
        ValueError: for corpora that cannot be used, and where something would be overwritten.
    """
    if request.minutes is not None and not 0 < request.minutes < math.inf:
        raise ValueError(f"--minutes {request.minutes}: a number > 0 was expected")
    if request.minutes is not None and request.from_run:
        raise ValueError("--minutes measures a new model; how long a run is trained on is max_epochs in the config")
    plan = plan_files(request)
    files = [path for pair in plan.cut.values() for path in pair.files.values()]
    if taken := [path for path in (*files, str(plan.config_path)) if os.path.lexists(path)]:
        raise ValueError(f"{taken[0]} is there already, and nothing is overwritten: choose another place with --output")
    if is_begun(plan.run):
        raise ValueError(f"{plan.run} holds a run already, of another job: choose another name with --output")
    sizes = {name: plan.counts[name] for name in plan.cut if name != "train"}
    held_out = hold_out(request.corpus, sizes) if sizes else {}
    plan.config_path.parent.mkdir(parents=True, exist_ok=True)
    made: list[str] = []
    try:
        if plan.cut:
            write_parts(request.corpus, held_out, plan.cut)
            made += files
        profile = profile_corpus(plan.train)
        if request.from_run:
            text = _fine_tuning_text(plan, request.from_run)
        else:
            text = job_text(plan, choose_settings(plan, profile, request.minutes, steps_per_minute))
        with naming(plan.config_path), open(plan.config_path, "x", encoding="utf-8", newline="\n") as file:
            made.append(str(plan.config_path))
            file.write(text)
        config = load_config(plan.config_path)
        report = quick_check(config)
    except BaseException:
        for path in made:
            Path(path).unlink(missing_ok=True)
        raise
    warnings = [str(report)] if report.errors or report.warnings else []
    cleaning = [would_clean(config)] if would_clean else []
    return "\n\n".join([_found(profile, plan), *cleaning, *warnings, _written(plan), _next_commands(plan, config)])


def _fine_tuning_text(plan: Plan, run: str) -> str:
    config = fine_tuned(load_config(config_path(run)), run, plan)
    heading = (
        f"Trains {run} on, with new pairs and as many of its own, others in each epoch: written by `nmt init --from`.\n"
        "Dropout is lower than there, learning rate and weight decay are half of what they were."
    )
    return continuing_text(config, heading)


def _found(profile: CorpusProfile, plan: Plan) -> str:
    repeated = profile.pairs - profile.different_pairs
    lines = [
        f"Found {profile.pairs:,} pairs to train on" + (f", {repeated:,} of them repetitions" if repeated else ""),
        _found_side(plan.source_language, profile.source),
        _found_side(plan.target_language, profile.target),
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


def _written(plan: Plan) -> str:
    lines = [
        f"  {', '.join(pair.files.values())}: {plan.counts[name]:,} pairs"
        for name, pair in (("train", plan.train), ("validation", plan.validation), ("test", plan.test))
        if pair and name in plan.cut
    ]
    return "\n".join(["Wrote", *lines, f"  {plan.config_path}: the settings"])


def _next_commands(plan: Plan, config: Config) -> str:
    path = shlex.quote(str(plan.config_path))
    lines = [f"Next ({_budget(config.training)})"]
    lines += [f"  nmt check {path}", f"  nmt train {path}"]
    if plan.test:
        lines.append(f"  nmt evaluate {shlex.quote(config.run)}")
    return "\n".join(lines)


def _budget(training: TrainingConfig) -> str:
    if training.max_steps is None:
        return f"{training.max_epochs} epochs"
    return f"{training.max_steps:,} steps; with --minutes as many as there is time for"
