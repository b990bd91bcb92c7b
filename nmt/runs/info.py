"""Describes a run and its progress, for `nmt info`. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping

from nmt.config.model import ModelConfig
from nmt.runs.log import Event, Log, read_log
from nmt.runs.run import Run
from nmt.text.target_text import VERBATIM
from nmt.text.tokenizer import Tokenizer


def describe_run(run: Run) -> str:
    """The facts of a run, one per line."""
    return as_lines(run_facts(run, read_log(run)))


def as_lines(facts: Mapping[str, str]) -> str:
    return "\n".join(f"{name:<11} {fact}" for name, fact in facts.items())


def run_facts(run: Run, log: Log) -> dict[str, str]:
    """A run in a few words: languages, vocabulary, text, what is protected, model, training, best scores."""
    config, tokenizers = run.config, run.tokenizers
    source, target = tokenizers.source.vocabulary_size, tokenizers.target.vocabulary_size
    facts = {
        "run": str(run.path),
        "languages": f"{config.source_language} -> {config.target_language}",
        "vocabulary": f"{source:,} joint" if config.tokenizer.joint else f"{source:,} source, {target:,} target",
        "target text": _describe_target(tokenizers.target),
        "sentences": _describe_sentences(run),
        "protected": ", ".join(run.protection.kinds) or "nothing",
        "glossary": f"{len(run.glossary() or ()):,} terms",
        "model": _describe_model(config.model),
        "parameters": _parameters(run),
    }
    if last := log.last:
        facts["trained"] = f"{last['step']:,} steps, in epoch {last['epoch'] + 1}, {last['seconds'] / 60:.1f} minutes"
    if log.validations:
        facts["last"] = _scores(log.validations[-1])
    if log.best:
        facts["best"] = _scores(log.best) + f" (by {config.training.metric})"
    if log.unreadable:
        facts["unreadable"] = f"log.jsonl, line {', '.join(map(str, log.unreadable))}"
    return facts


def _describe_target(tokenizer: Tokenizer) -> str:
    if tokenizer.normalization == VERBATIM:
        return "as in the corpus"
    return f"normalized by {tokenizer.normalization} (a run of an older version)"


def _describe_sentences(run: Run) -> str:
    habits = run.habits()
    cut = "cut into sentences" if run.sentence_splitter(run.config.search) else "translated whole"
    if habits is None:
        return f"lines are {cut} (a run of an older version, whose corpus was not looked at)"
    return f"lines are {cut}; {habits.several_sentences:.0%} of the training lines have several"


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


def _scores(event: Event) -> str:
    return (
        f"step {event['step']:,}: BLEU {event['bleu']:.2f}, chrF {event['chrf']:.2f}, loss {event['loss']:.3f}, "
        f"perplexity {event['perplexity']:.2f}"
    )
