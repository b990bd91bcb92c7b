"""What a cleaning did, as text for a terminal and as JSON. Imports no TensorFlow."""

from __future__ import annotations

import json
from typing import Any

from nmt.cleaning.corpora import Cleaned
from nmt.cleaning.judgement import MEANINGS, RULES
from nmt.config.settings import Config
from nmt.corpus.profile import script_name

# A rule of single pairs that removes more than this share may be wrong for the corpus.
_MANY = 0.05
_OF_PAIRS = {rule.name for rule in RULES}


def as_json(config: Config, cleaned: Cleaned) -> str:
    """Everything that the HTML report shows."""
    counts, context = cleaned
    content: dict[str, Any] = {
        "languages": list(context.languages),
        "corpora": [corpus.model_dump() for corpus in config.data.train],
        "pairs": counts.pairs,
        "kept": counts.kept,
        "edited": counts.edited,
        "rules": [
            {
                "name": name,
                "removes": removes,
                "pairs": counts.removed[name],
                "examples": [
                    {"corpus": each.place.corpus, "line": each.place.line, "source": each.source, "target": each.target}
                    for each in counts.examples.get(name, [])
                ],
            }
            for name, removes in MEANINGS.items()
        ],
        "scripts": list(context.scripts),
        "settings": context.settings.model_dump(),
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def as_text(cleaned: Cleaned, *, examples: bool = False) -> str:
    """Counts by rule, with the first of the examples if wanted."""
    counts, context = cleaned
    removed = counts.pairs - counts.kept
    lines = [
        f"  {counts.pairs:,} pairs: {counts.kept:,} kept, {removed:,} removed ({removed / max(1, counts.pairs):.1%}); "
        f"{counts.edited:,} of those kept were normalized"
    ]
    scripts = " and ".join(script_name(script) if script else "no" for script in context.scripts)
    lines.append(f"  expected: {scripts} letters, {' and '.join(context.languages)}")
    for name in MEANINGS:
        if count := counts.removed[name]:
            share = count / counts.pairs
            many = "  <- is that rule right for this corpus?" if share > _MANY and name in _OF_PAIRS else ""
            lines.append(f"  {count:>12,}  {share:>6.2%}  {name}: {MEANINGS[name]}{many}")
            for each in counts.examples[name][:2] if examples else ():
                lines += [f"{'':24}data.train.{each.place.corpus}, line {each.place.line:,}"]
                lines += [f"{'':26}{_short(each.source)}", f"{'':26}{_short(each.target)}"]
    return "\n".join(lines)


def _short(line: str) -> str:
    return line if len(line) <= 90 else f"{line[:89]}…"
