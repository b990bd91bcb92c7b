"""Draws docs/images/training.svg and attention.svg from a run: python docs/images/draw.py runs/demo "A SENTENCE"."""

import io
import re
import sys
from pathlib import Path

from matplotlib import rc_context
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from nmt.report.plots import Line, curves
from nmt.runs.log import read_log
from nmt.runs.run import Run
from nmt.startup import import_tensorflow

FOLDER = Path(__file__).parent
# Seen on white and on black.
INK, GRID, BLUE = "#7d8590", "#7d859055", "#2f81f7"
FONT = "font-family: system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def training(run: Run) -> str:
    """Loss and scores side by side, as in the report."""
    log = read_log(run)

    def line(events: list, key: str, label: str, **style: bool) -> Line:
        return Line(0, [event["step"] for event in events], [event[key] for event in events], label, **style)

    loss = [line(log.training, "loss", "training", faint=True), line(log.validations, "loss", "validation")]
    scores = [line(log.validations, "bleu", "BLEU"), line(log.validations, "chrf", "chrF", dashed=True)]
    left = curves("loss", loss, x_label="step", y_label="Loss", log=True)
    right = curves("scores", scores, x_label="step", y_label="BLEU and chrF on the validation set")
    right = right.replace("<svg", '<svg x="326.8pt"', 1)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 269" style="{FONT}">{left}{right}</svg>\n'
    return svg.replace("currentColor", INK).replace("var(--grid)", GRID).replace("var(--first)", BLUE)


def attention(run: Run, sentence: str) -> str:
    """The pieces of a translation by those of its source."""
    from nmt.translation.ensemble import load_translator

    (translation,) = load_translator([run], with_alignments=True).translate([sentence])
    best = translation.n_best[0]
    colours = LinearSegmentedColormap.from_list("weights", [BLUE + "00", BLUE + "ff"])
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "nmt", "text.color": INK, "font.size": 10}):
        figure = Figure(figsize=(0.3 * len(translation.source_pieces) + 1.6, 0.3 * len(best.pieces) + 1.1))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.pcolormesh(best.alignment, cmap=colours, vmin=0, vmax=1, edgecolor=GRID, linewidth=0.6)
        for column, piece in enumerate(translation.source_pieces):
            axes.text(column + 0.5, -0.25, piece, rotation=90, horizontalalignment="center")
        for row, piece in enumerate(best.pieces):
            axes.text(-0.25, row + 0.5, piece, horizontalalignment="right", verticalalignment="center")
        axes.set(aspect="equal", xlim=(-4.5, len(translation.source_pieces)), ylim=(len(best.pieces), -3))
        axes.axis("off")
        file = io.StringIO()
        figure.savefig(
            file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    return re.sub(r"font-family: [^;]*;", FONT + ";", file.getvalue())


if __name__ == "__main__":
    _, path, sentence = sys.argv
    import_tensorflow()
    run = Run.open(path)
    (FOLDER / "training.svg").write_text(training(run), encoding="utf-8")
    (FOLDER / "attention.svg").write_text(attention(run, sentence), encoding="utf-8")
