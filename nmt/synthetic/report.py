"""What was made, and what was left out and why: a table and its JSON. Imports no TensorFlow."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from nmt.config.data import Corpus


@dataclass
class PassReport:
    """The pairs of one text and those who translated it."""

    name: str
    direction: str  # "back" or "forward"
    models: tuple[str, ...]
    text: str
    lines: int = 0
    pairs: int = 0  # what is left to train on
    left_out: dict[str, int] = field(default_factory=dict)  # lines by reason (selection.py)
    mean_confidence: float | None = None  # of the pairs; None where it is not known of all
    corpus: Corpus | None = None  # as the config has it; None where no pair is left


@dataclass
class Report:
    """What `nmt augment` prints; report.json has the same."""

    passes: list[PassReport]
    settings: dict[str, object]

    def __str__(self) -> str:
        lines = []
        for made in self.passes:
            confidence = "" if made.mean_confidence is None else f", mean confidence {made.mean_confidence:.3f}"
            lines.append(
                f"{made.name}: {made.pairs:,} pairs of the {made.lines:,} lines of {made.text}, by "
                f"{' and '.join(made.models)}{confidence}"
            )
            lines += [f"  {number:>10,} left out: {reason}" for reason, number in made.left_out.items()]
        return "\n".join(lines)

    def as_json(self) -> str:
        passes = [
            {**asdict(made), "corpus": made.corpus and made.corpus.model_dump(exclude_defaults=True)}
            for made in self.passes
        ]
        return json.dumps({"passes": passes, "settings": self.settings}, indent=2, ensure_ascii=False) + "\n"
