"""Plots as SVG to be put into a page, drawn by matplotlib; their colours are the page's.

Imports no TensorFlow.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

_WIDTH, _HEIGHT = 4.4, 2.8  # inches: a phone's width, so that a page never has to shrink letters
_INK, _GRID, _SYSTEMS = "#010101", "#020202", ("#030303", "#040404")  # placeholders of _COLOURS
_COLOURS = {_INK: "currentColor", _GRID: "var(--grid)", _SYSTEMS[0]: "var(--first)", _SYSTEMS[1]: "var(--second)"}
_STYLE: Any = {
    "svg.fonttype": "none",  # letters of the page's font, which can be searched and copied
    "svg.hashsalt": "nmt",  # the same plot is the same text
    "font.size": 8.5,
    "text.color": _INK,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 8.5,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _GRID,
    "ytick.color": _GRID,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "legend.frameon": False,
    "legend.handlelength": 3.2,  # that dashes are seen
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
}


class Line(NamedTuple):
    """A curve of one system (0 or 1, which gives the colour); `error` is half of its interval at each point."""

    system: int
    x: Sequence[float]
    y: Sequence[float]
    label: str = ""
    dashed: bool = False
    faint: bool = False
    error: Sequence[float] | None = None


def curves(
    name: str, lines: Sequence[Line], *, x_label: str, y_label: str, classes: Sequence[str] = (), log: bool = False
) -> str:
    """Lines over numbers, or over named classes at x = 0, 1, ...

    Args:
        name: of letters, digits and hyphens, unlike any other plot's of the page.
        log: whether y has a logarithmic scale.
    """
    with rc_context(_STYLE):
        figure, axes = _figure(x_label, y_label)
        _draw(axes, lines)
        if classes:
            axes.set_xticks(range(len(classes)), classes)
        else:
            axes.set_xlim(left=0)
            axes.xaxis.set_major_formatter("{x:,.0f}")
            axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter("{x:,g}")
        if log:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:,g}")
            axes.yaxis.set_minor_locator(NullLocator())
        return _svg(figure, name)


def bars(name: str, groups: Sequence[Sequence[float]], *, classes: Sequence[str], x_label: str, y_label: str) -> str:
    """A group of bars for each system, side by side for each class; NaN where a system has none."""
    with rc_context(_STYLE):
        figure, axes = _figure(x_label, y_label)
        width = 0.7 / len(groups)
        for system, values in enumerate(groups):
            places = [place + (system - (len(groups) - 1) / 2) * width for place in range(len(classes))]
            axes.bar(places, values, width * 0.94, color=_SYSTEMS[system])
        axes.set_xticks(range(len(classes)), classes)
        axes.grid(visible=False, axis="x")
        return _svg(figure, name)


def reliability_diagram(name: str, lines: Sequence[Line]) -> str:
    """Measured over expected chrF; on the diagonal they are equal."""
    with rc_context(_STYLE):
        figure, axes = _figure("confidence: expected chrF / 100", "Measured chrF / 100 by confidence")
        points = [value for line in lines for value in (*line.x, *line.y)]
        margin = max(0.05 * (max(points) - min(points)), 0.01)
        limits = (min(points) - margin, max(points) + margin)
        axes.plot(limits, limits, color=_INK, linewidth=0.8, linestyle=":")
        _draw(axes, lines)
        axes.set(xlim=limits, ylim=limits)
        return _svg(figure, name)


def _draw(axes: Axes, lines: Sequence[Line]) -> None:
    """Draws curves, with a legend where they have names; one that lines of two systems share stands there once."""
    named: set[str] = set()
    for line in lines:
        axes.errorbar(
            line.x,
            line.y,
            yerr=line.error,
            label="" if line.label in named else line.label,
            color=_SYSTEMS[line.system],
            linestyle="--" if line.dashed else "-",
            linewidth=0.9 if line.faint else None,
            marker=None if line.faint else "o",
            elinewidth=1,
            capsize=2,
        )
        named.add(line.label)
    if any(named):
        axes.legend()


def _figure(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=x_label, title=y_label)
    axes.title.set_horizontalalignment("left")
    axes.title.set_x(0)
    axes.tick_params(length=0)
    return figure, axes


def _svg(figure: Figure, name: str) -> str:
    """The figure as an element: without prolog and metadata, with ids and colours that fit into a page."""
    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    svg = file.getvalue()
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg[svg.index("<svg") :], count=1, flags=re.DOTALL)
    svg = re.sub(r" font-family: [^;]*;", "", svg)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", svg)
    for placeholder, colour in _COLOURS.items():
        svg = svg.replace(placeholder, colour)
    title = escape(figure.axes[0].get_title())
    return svg.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
