"""Translates test sets and says how good the translations are, alone or against another system's."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from nmt.config.data import TextPair
from nmt.config.search import SearchConfig
from nmt.onnx_engine.files import is_onnx_export
from nmt.runs.run import Run
from nmt.startup import import_tensorflow
from nmt.text.files import count_pairs, no_pairs, read_pairs, read_side
from nmt.text.lines import read_lines
from nmt.text.metrics import Scores, SystemScore, bleu_tokenize, check_line_counts, paired_bootstrap, score
from nmt.translation.translator import Translator

VALIDATION = "validation"  # may be named like a test set: what is chosen by looking at scores is chosen on it


class SetResult(NamedTuple):
    """One test set: its scores and, against another system, the paired bootstrap."""

    name: str
    lines: int
    seconds: float
    scores: Scores
    comparison: list[SystemScore]


@dataclass(frozen=True)
class Report:
    """What `nmt evaluate` prints."""

    run: str
    weights: str
    search: SearchConfig
    results: list[SetResult]

    def __str__(self) -> str:
        search = self.search
        lines = [
            f"{self.run} (weights: {self.weights}; beam {search.beam_size}, length penalty {search.length_penalty:g})"
        ]
        for result in self.results:
            speed = result.lines / max(result.seconds, 1e-9)
            lines += ["", f"{result.name}: {result.lines:,} lines in {result.seconds:.1f} s ({speed:.1f} a second)"]
            for name, value in zip(("BLEU", "chrF2", "TER"), result.scores, strict=True):
                if value:
                    lines.append(f"  {name:<6}{value.value:6.2f}   {value.signature}")
            lines += _comparison_lines(result.comparison)
        return "\n".join(lines)

    def as_json(self) -> str:
        results = [
            {
                "test_set": result.name,
                "lines": result.lines,
                "seconds": result.seconds,
                **{name: value._asdict() for name, value in result.scores._asdict().items() if value},
                "comparison": [entry._asdict() for entry in result.comparison],
            }
            for result in self.results
        ]
        report = {**asdict(self), "search": self.search.model_dump(), "results": results}
        return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def evaluate(
    run: Run,
    *,
    test_sets: Sequence[str] = (),
    options: SearchConfig | None = None,
    against: str | None = None,
    weights: str = "best",
    ensemble: Sequence[Run] = (),
) -> Report:
    """Translates and scores test sets of the run's config.

    Args:
        test_sets: names in data.test, or "validation"; none = all of data.test.
        options: how to search; None = as the run's config says.
        ensemble: further runs to translate with.
        against: another run's directory, or a file with another system's translations of the one test set.
    Raises: ValueError for an unknown test set or files that cannot be read or differ in their line counts.
    """
    # All that can be wrong is found before the model is built, let alone asked to translate.
    pairs = _test_sets(run, test_sets)
    for name, pair in pairs.items():
        if not count_pairs(pair):
            raise ValueError(f"test set {name}: {no_pairs(pair)}")
    options = options or run.config.search
    other, translated = None, []
    if against and Path(against).is_dir():
        other = _translator([Run.open(against)])
    elif against:
        translated = _read_translations(against, pairs)
    translator = _translator([run, *ensemble], weights=weights, search=options)
    results = []
    for name, pair in pairs.items():
        sources, references = (list(side) for side in zip(*read_pairs(pair), strict=True))
        began = time.perf_counter()
        hypotheses = [translation.text for translation in translator.translate(sources)]
        seconds = time.perf_counter() - began
        tokenize = bleu_tokenize(run.config)
        comparison = []
        if against:
            theirs = [one.text for one in other.translate(sources)] if other else translated
            # The first system is the one that the others are compared with.
            systems = {against: theirs, f"{run.path} (this run)": hypotheses}
            comparison = paired_bootstrap(references, systems, tokenize=tokenize)
        scores = score(hypotheses, references, tokenize=tokenize)
        results.append(SetResult(name, len(sources), seconds, scores, comparison))
    return Report(" + ".join(str(each.path) for each in (run, *ensemble)), weights, options, results)


def _translator(runs: list[Run], *, weights: str = "best", search: SearchConfig | None = None) -> Translator:
    """Of runs, or of an ONNX export, which is a run without weights."""
    if len(runs) == 1 and is_onnx_export(runs[0].path):
        if weights != "best":
            raise ValueError(f"weights {weights!r} need a run: {runs[0].path} has those that were exported")
        from nmt.onnx_engine.open_onnx import onnx_translator, open_onnx

        return onnx_translator(*open_onnx(runs[0].path), search=search)
    import_tensorflow()
    from nmt.translation.ensemble import load_translator

    return load_translator(runs, weights=weights, search=search)


def _test_sets(run: Run, names: Sequence[str]) -> dict[str, TextPair]:
    data = run.config.data
    known = {**data.test, VALIDATION: data.validation}
    if not names:
        if not data.test:
            raise ValueError(
                f"{run.path}: its config names no test set; add one under data.test, or --test {VALIDATION}"
            )
        return data.test
    for name in names:
        if name not in known:
            raise ValueError(f"no test set {name!r} in the config of {run.path}; there are: {', '.join(known)}")
    return {name: known[name] for name in names}


def _read_translations(path: str, pairs: dict[str, TextPair]) -> list[str]:
    """Another system's translations of the one test set."""
    if len(pairs) > 1:
        raise ValueError(f"{path} is one system output, for one test set: choose it with --test {'|'.join(pairs)}")
    lines, (pair,) = list(read_lines(path)), pairs.values()
    check_line_counts({path: lines}, list(read_side(pair, "target")))
    return lines


def _comparison_lines(comparison: list[SystemScore]) -> list[str]:
    lines = []
    for entry in comparison:
        difference = "" if entry.p_value is None else f"   p = {entry.p_value:.4f}"
        interval = f"{entry.mean:6.2f} +- {entry.interval:.2f}"
        lines.append(f"  {entry.metric:<6}{entry.value:6.2f}   {interval}{difference}   {entry.system}")
    return ["  paired bootstrap, 95% intervals:", *lines] if lines else []
