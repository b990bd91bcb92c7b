"""`nmt augment`: text in one language -> pairs to train on, and the config that trains with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

from nmt.api import load
from nmt.config.data import Corpus
from nmt.config.settings import Config
from nmt.runs.files import whole_file, write_text
from nmt.runs.lock import locked
from nmt.synthetic.next_training import mixed_corpora, next_config
from nmt.synthetic.report import PassReport, Report
from nmt.synthetic.request import Pass, Request, config_file, held_out_lines, passes, read_job
from nmt.synthetic.selection import NO_CONFIDENCE, why_left_out
from nmt.synthetic.shards import Made, Shards, TextIdentity, model_identity

Progress = Callable[[str, int, int], None]  # name of a pass, lines that are done, lines in all


def augment(request: Request, *, progress: Progress = lambda *_: None) -> Report:
    """Makes what is asked for in request.output; what an earlier call has translated there is not translated again.

    Raises:
        ValueError: for a request that cannot be followed, and where request.output holds something else.
    """
    if request.min_confidence is not None and not 0 <= request.min_confidence <= 1:
        raise ValueError(f"--min-confidence {request.min_confidence}: a number from 0 to 1 was expected")
    config = read_job(request.job)
    to_do = passes(request, config)
    held_out = held_out_lines(config)
    busy = f"{request.output}: another process augments here: let it end, or choose another --output"
    with locked(request.output, busy):
        reports = [_make(each, request, config, held_out, progress) for each in to_do]
        report = Report(reports, {"min_confidence": request.min_confidence, "search": list(request.overrides)})
        write_text(Path(request.output) / "report.json", report.as_json())
        corpora = mixed_corpora(config, reports)
        if not config_file(request).exists():  # it may have been changed since
            write_text(config_file(request), next_config(request, config, corpora))
    return report


def _make(task: Pass, request: Request, config: Config, held_out: Collection[str], progress: Progress) -> PassReport:
    """Translates what is not yet translated, and writes the pairs."""
    identity = TextIdentity.of(task.lines())
    origin = {"models": list(map(model_identity, task.models)), "search": list(request.overrides)}
    shards = Shards(Path(request.output) / "shards" / task.name, identity, origin)
    if not shards.complete:
        translator = load(task.models, overrides=request.overrides)
        if request.min_confidence is not None and getattr(translator, "calibration", True) is None:
            raise ValueError(NO_CONFIDENCE)
        with translator:
            for done in shards.fill(task.lines(), translator.translate):
                progress(task.name, done, identity.lines)
    return _write_pairs(task, shards, request, config, held_out)


def _write_pairs(task: Pass, shards: Shards, request: Request, config: Config, held_out: Collection[str]) -> PassReport:
    report = PassReport(task.name, task.direction, task.models, task.text, lines=shards.text.lines)
    paths = [
        os.path.join(request.output, f"{task.name}.{language}")
        for language in (config.source_language, config.target_language)
    ]
    confidences: list[float] = []
    with ExitStack() as stack:
        source, target = (stack.enter_context(whole_file(Path(path))) for path in paths)
        for line, made in _chosen(task, shards, report, request, held_out):
            pair = (made.text, line) if task.direction == "back" else (line, made.text)
            for file, text in zip((source, target), pair, strict=True):
                file.write(text.encode() + b"\n")
            report.pairs += 1
            if made.confidence is not None:
                confidences.append(made.confidence)
    if report.pairs:
        tag = request.tag if task.direction == "back" else None
        report.corpus = Corpus(source=paths[0], target=paths[1], tag=tag)
    if report.pairs and len(confidences) == report.pairs:
        report.mean_confidence = sum(confidences) / len(confidences)
    return report


def _chosen(
    task: Pass, shards: Shards, report: PassReport, request: Request, held_out: Collection[str]
) -> Iterator[tuple[str, Made]]:
    """The lines to train on with their translations; the report counts the others."""
    for line, made in zip(task.lines(), shards.read(), strict=True):
        reason = why_left_out(line, made, held_out=held_out, min_confidence=request.min_confidence)
        if reason is None:
            yield line, made
        else:
            report.left_out[reason] = report.left_out.get(reason, 0) + 1
