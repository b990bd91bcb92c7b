"""A report as one HTML file that needs nothing else: plots, sentences and heat maps put into page.html."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from nmt.evaluation.evaluate import VALIDATION
from nmt.full_disk import naming
from nmt.report.choice import differences, extremes, spread
from nmt.report.gather import Output, Report, System, TestSet
from nmt.report.plots import Line, bars, curves, reliability_diagram
from nmt.report.template import Plot, fill
from nmt.report.words import Segment, compare
from nmt.runs.log import Event
from nmt.search.confidence import Bin
from nmt.translation.heat_map import STYLE, heat_map

Outputs = Sequence[tuple[int, Output]]  # with the place of its system, which gives the colour


class Row(NamedTuple):
    """A line of an example: source, reference, or a system's translation with its chrF."""

    label: str
    system: int | None
    chrf: float | None
    segments: list[Segment]


class Example(NamedTuple):
    """A line of a test set, counted from 1."""

    number: int
    rows: list[Row]


class HeatMap(NamedTuple):
    """The attention of the translation of a line, counted from 1."""

    number: int
    chrf: float
    table: Markup


class SetPage(NamedTuple):
    """What is shown of a test set."""

    test_set: TestSet
    plots: list[Plot]
    examples: list[tuple[str, list[Example]]]  # lists with their headings
    heat_maps: list[HeatMap]


def as_page(report: Report) -> str:
    """A report as one HTML file's text, to be written in UTF-8."""
    return fill(
        "page.html",
        report=report,
        tiles=_tiles(report),
        training=_training_plots(report.systems),
        sets=[_set_page(report, test_set, name=f"set{place}") for place, test_set in enumerate(report.test_sets)],
        confidence=_confidence_plots(report),
        facts=list(dict.fromkeys(fact for system in report.systems for fact in system.facts)),
        heat_map_style=Markup(STYLE),
    )


def write_page(report: Report, path: Path) -> None:
    """Writes a report as one HTML file."""
    with naming(path):
        path.write_text(as_page(report), encoding="utf-8")


def _tiles(report: Report) -> list[tuple[str, str, str]]:
    """The most important numbers of the first system: heading, number, small print."""
    tiles = []
    for test_set in report.test_sets[:1]:
        output, *others = test_set.outputs
        for place, score in enumerate(output.scores if output else []):
            other = "".join(f", against {each.scores[place].value:.1f}" for each in others if each)
            small = f"\u00b1 {score.interval:.1f}{other}"
            tiles.append((f"{score.metric} on {test_set.name}", f"{score.value:.1f}", small))
    system = report.systems[0]
    if last := system.log.last:
        minutes = f"in {last['seconds'] / 60:,.1f} minutes"
        tiles.append(("steps trained", f"{last['step']:,}", minutes))
    return tiles


# ---- training -------------------------------------------------------------------------------------------------------


def _training_plots(systems: Sequence[System]) -> list[Plot]:
    if not any(system.log.last for system in systems):
        return []
    loss, scores, rates, speeds = [], [], [], []
    for place, system in enumerate(systems):
        training, validations = system.log.training, system.log.validations
        loss.append(_line(place, training, "loss", "training", faint=True))
        loss.append(_line(place, validations, "loss", "validation"))
        scores.append(_line(place, validations, "bleu", "BLEU"))
        scores.append(_line(place, validations, "chrf", "chrF", dashed=True))
        rates.append(_line(place, training, "learning_rate", faint=True))
        speeds.append(_line(place, training, "tokens_per_second", faint=True))
    plots = [
        _training_plot("loss", loss, "Loss", _LOSS, log=True),
        _training_plot("scores", scores, "BLEU and chrF on the validation set", _SCORES),
        _training_plot("rate", rates, "Learning rate", "As set by training.schedule."),
        _training_plot(
            "speed", speeds, "Target tokens per second", "Of the training alone, without the time of validations."
        ),
    ]
    return [plot for plot in plots if plot]


_LOSS = (
    "Mean negative log-probability of a target token, on a logarithmic scale. In training it includes label smoothing "
    "and dropout, where these are set; in validation it does not."
)
_SCORES = "Each point is a validation, translated with a beam of training.validation_beam_size."


def _training_plot(name: str, lines: Sequence[Line], title: str, caption: str, *, log: bool = False) -> Plot | None:
    """None where nothing was logged of it."""
    drawn = [line for line in lines if line.x]
    return Plot(Markup(curves(name, drawn, x_label="step", y_label=title, log=log)), caption) if drawn else None


def _line(
    place: int, events: Sequence[Event], key: str, label: str = "", *, dashed: bool = False, faint: bool = False
) -> Line:
    """A curve by step."""
    points = [(event["step"], event[key]) for event in events if event.get(key) is not None]
    return Line(place, [x for x, _ in points], [y for _, y in points], label, dashed, faint)


# ---- test sets ------------------------------------------------------------------------------------------------------


def _set_page(report: Report, test_set: TestSet, *, name: str) -> SetPage:
    outputs = [(place, output) for place, output in enumerate(test_set.outputs) if output]
    if not outputs:
        return SetPage(test_set, [], [], [])
    plots = _length_plots(outputs, name)
    if any(output.by_frequency for _, output in outputs):
        plots.append(_frequency_plot(outputs, name))
    plots.append(_quality_plot(outputs, name))
    language = report.systems[0].config.target_language
    examples = [
        (heading, [_example(test_set, outputs, place, language) for place in places])
        for heading, places in _chosen(test_set, outputs)
    ]
    return SetPage(test_set, plots, examples, _heat_maps(outputs[0][1]))


def _length_plots(outputs: Outputs, name: str) -> list[Plot]:
    caption = "Lines in classes of about equal size; the bars are 95% intervals (bootstrap)."
    classes = [_range(each.shortest, each.longest) for each in outputs[0][1].by_length]
    sizes = [f"{each.lines:,}" for each in outputs[0][1].by_length]
    plots = []
    for metric, key in (("BLEU", "bleu"), ("chrF", "chrf")):
        found = [[getattr(each, key) for each in output.by_length] for _, output in outputs]
        lines = [
            Line(place, range(len(scores)), [each.value for each in scores], error=[each.interval for each in scores])
            for (place, _), scores in zip(outputs, found, strict=True)
        ]
        cells = [[f"{each.value:.1f} \u00b1 {each.interval:.1f}" for each in scores] for scores in found]
        title = f"{metric} by source length"
        svg = curves(f"{name}-{key}", lines, classes=classes, x_label="words of the source", y_label=title)
        plots.append(Plot(Markup(svg), caption, _numbers(["words", "lines"], [classes, sizes], metric, cells)))
    return plots


_FREQUENCY = (
    "How well words are translated that training saw this often. A word counts as found where the translation and the "
    "reference of a line both have it; precision is the found share of the translations' words, recall that of the "
    "references' words, F1 their harmonic mean (as in compare-mt, Neubig et al. 2019). BLEU and chrF are scores of "
    "lines, in which frequent and rare words mix; this one is of the words themselves."
)


def _frequency_plot(outputs: Outputs, name: str) -> Plot:
    found = [{each[:2]: each for each in output.by_frequency} for _, output in outputs]
    keys = sorted({key for classes in found for key in classes})
    classes = [_range(*key) if key[0] else "never" for key in keys]
    values = [[each[key].f1 if key in each else float("nan") for key in keys] for each in found]
    sizes = [", ".join(f"{each[key].reference_words:,}" for each in found if key in each) for key in keys]
    cells = [[f"{value:.3f}" for value in of_system] for of_system in values]
    title = "F1 of words by their frequency in training"
    svg = bars(f"{name}-frequency", values, classes=classes, x_label="occurrences in training data", y_label=title)
    numbers = _numbers(["seen", "in references"], [classes, sizes], "F1", cells)
    return Plot(Markup(svg), _FREQUENCY, numbers)


def _quality_plot(outputs: Outputs, name: str) -> Plot:
    edges = range(0, 101, 10)
    classes = [f"{low}\u2013{low + 10}" for low in edges[:-1]]
    shares = [(100 * np.histogram(output.chrf, edges)[0] / len(output.chrf)).tolist() for _, output in outputs]
    cells = [[f"{share:.1f}" for share in of_system] for of_system in shares]
    title = "Lines by their chrF, % of all"
    svg = bars(f"{name}-quality", shares, classes=[str(low) for low in edges[:-1]], x_label="chrF, from", y_label=title)
    return Plot(Markup(svg), "chrF of each line by itself.", _numbers(["chrF"], [classes], "% of lines", cells))


def _numbers(
    headings: list[str], columns: Sequence[Sequence[str]], score: str, of_systems: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Columns as rows, with one column of scores for each system."""
    scores = [score] if len(of_systems) == 1 else [f"{score}, this run", f"{score}, other run"]
    return [[*headings, *scores], *map(list, zip(*columns, *of_systems, strict=True))]


def _range(first: int, last: int | None) -> str:
    if last is None:
        return f"{first:,}+"
    return f"{first:,}" if first == last else f"{first:,}\u2013{last:,}"


def _chosen(test_set: TestSet, outputs: Outputs) -> list[tuple[str, list[int]]]:
    """Lines worth reading, in lists with headings."""
    (_, output), *others = outputs
    largest, smallest = extremes(output.chrf, list(map(len, test_set.references)))
    chosen = [("Smallest chrF", smallest), ("Largest chrF", largest)]
    for _, other in others:
        better, worse = differences(output.chrf, other.chrf)
        chosen = [("Most chrF gained over the other run", better), ("Most chrF lost", worse), *chosen]
    return [(heading, places) for heading, places in chosen if places]


def _example(test_set: TestSet, outputs: Outputs, place: int, language: str) -> Example:
    """In the reference those words are marked that the first system's translation lacks."""
    reference = test_set.references[place]
    compared = [compare(output.translations[place].text, reference, language) for _, output in outputs]
    rows = [
        Row("Source", None, None, [Segment(test_set.sources[place], False)]),
        Row("Reference", None, None, compared[0][1]),
    ]
    for (system, output), (segments, _) in zip(outputs, compared, strict=True):
        rows.append(Row("Translation", system, output.chrf[place], segments))
    return Example(place + 1, rows)


def _heat_maps(output: Output) -> list[HeatMap]:
    best = [translation.n_best[0] for translation in output.translations]
    sources = [translation.source_pieces for translation in output.translations]
    sizes = [(len(source), len(hypothesis.pieces)) for source, hypothesis in zip(sources, best, strict=True)]
    found = []
    for place in spread(output.chrf, sizes):
        alignment = best[place].alignment
        assert alignment is not None  # gather asks for them
        table = heat_map(sources[place], best[place].pieces, alignment)
        found.append(HeatMap(place + 1, output.chrf[place], Markup(table)))
    return found


# ---- confidence -----------------------------------------------------------------------------------------------------


def _confidence_plots(report: Report) -> list[Plot]:
    """A reliability diagram for each test set; one of the validation set alone where there is nothing else."""
    validation = [
        _reliability_line(place, system.calibration.reliability, "held-out validation lines", dashed=True)
        for place, system in enumerate(report.systems)
        if system.calibration
    ]
    plots = []
    for number, test_set in enumerate(report.test_sets):
        tested = [
            _reliability_line(place, output.reliability, f"test set {test_set.name}")
            for place, output in enumerate(test_set.outputs)
            if output and output.reliability and test_set.name != VALIDATION  # which confidence was fitted on
        ]
        if tested:
            plots.append(_reliability_plot(f"reliability{number}", [*validation, *tested]))
    return plots or ([_reliability_plot("reliability", validation)] if validation else [])


def _reliability_line(place: int, bins: Sequence[Bin], label: str, *, dashed: bool = False) -> Line:
    return Line(place, [each.confidence for each in bins], [each.chrf for each in bins], label, dashed)


_RELIABILITY = (
    "Each point is a tenth of the lines, by rising confidence: the chrF that was expected of them, and the chrF that "
    "was measured. On the dotted line the two are equal."
)


def _reliability_plot(name: str, lines: Sequence[Line]) -> Plot:
    numbers = [["", "expected", "measured"]]
    for line in lines:
        label = f"{line.label}, other run" if line.system else line.label
        numbers += [[label, f"{x:.3f}", f"{y:.3f}"] for x, y in zip(line.x, line.y, strict=True)]
    return Plot(Markup(reliability_diagram(name, lines)), _RELIABILITY, numbers)
