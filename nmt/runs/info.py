"""What a run is and how far it came, for `nmt info`. Imports no TensorFlow."""

from __future__ import annotations

import json
from typing import Any

from nmt.config.settings import ModelConfig
from nmt.runs.run import Run


def describe_run(run: Run) -> str:
    """A run in a few lines: languages, vocabulary, what is protected, model, training so far, best scores."""
    config, tokenizers = run.config, run.tokenizers
    source, target = tokenizers.source.vocabulary_size, tokenizers.target.vocabulary_size
    facts = {
        "run": str(run.path),
        "languages": f"{config.source_language} -> {config.target_language}",
        "vocabulary": f"{source:,} joint" if config.tokenizer.joint else f"{source:,} source, {target:,} target",
        "protected": ", ".join(run.protection.kinds) or "nothing",
        "model": _describe_model(config.model),
        "parameters": _parameters(run),
    }
    events = _events(run)
    training = [event for event in events if event.get("event") == "train"]
    validations = [event for event in events if event.get("event") == "validation"]
    if last := max([*training, *validations], key=lambda event: event["step"], default=None):
        minutes = last["seconds"] / 60
        facts["trained"] = f"{last['step']:,} steps, in epoch {last['epoch'] + 1}, {minutes:.1f} minutes"
    if validations:
        facts["last"] = _scores(validations[-1])
    if best := [event for event in events if event.get("best")]:
        facts["best"] = _scores(best[-1]) + f" (by {config.training.metric})"
    return "\n".join(f"{name:<11} {fact}" for name, fact in facts.items())


def _describe_model(model: ModelConfig) -> str:
    encoder = f"{model.encoder.bidirectional_layers} bidirectional + {model.encoder.layers} layers"
    attention = f"{model.attention.score} attention, heads: {model.attention.heads}"
    preset = f"{model.preset}: " if model.preset else ""
    return f"{preset}{model.units} units, encoder {encoder}, decoder {model.decoder.layers}, {attention}"


def _parameters(run: Run) -> str:
    for name in ("best", "last"):
        try:
            weights = run.load_weights(name)
        except ValueError:
            continue
        return f"{sum(array.size for array in weights.values()):,}"
    return "no weights yet"


def _events(run: Run) -> list[dict[str, Any]]:
    log = run.path / "log.jsonl"
    if not log.is_file():
        return []
    lines = log.read_bytes().split(b"\n")[:-1]  # what follows the last line end is of a line still being written
    return [json.loads(line) for line in lines]


def _scores(event: dict[str, Any]) -> str:
    return (
        f"step {event['step']:,}: BLEU {event['bleu']:.2f}, chrF {event['chrf']:.2f}, loss {event['loss']:.3f}, "
        f"perplexity {event['perplexity']:.2f}"
    )
