"""Translating real text, whose sentences end at different times, by trained models: speed and BLEU beside the peers'.

    python tests/benchmarks/text.py CONFIG DIR [--epochs 3] [--beam-size 5] [--opennmt-tf PYTHON] [--joey-nmt PYTHON]

CONFIG is a job's YAML file, of which this takes the corpora; tokenizer and model are those of reference.py. Each system
trains on the same batches for as many epochs, which may take hours and is kept in DIR for the next time; then all
translate the validation set, the same batches in turns.
"""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import reference
from bench import (
    PEERS,
    Contender,
    add_systems,
    answer_translations,
    arguments,
    contender_command,
    machine,
    measure,
    peer_command,
    print_table,
    source_batches,
    use_cores,
)
from pipeline import batches

if TYPE_CHECKING:
    from nmt.runs.run import Run

LISTED = 20  # translations of a source piece, for a shortlist
EXTRA = 10  # pieces that a translation may have more than its source, or, of the peers, than the longest source


def job(options):
    """The config of our run."""
    from nmt.config.file import load_config

    given = load_config(options.config)
    training = {"max_epochs": options.epochs, "schedule": {"name": "constant", "warmup_steps": 0}}
    return reference.config(
        run=str(options.directory / "nmt"),
        source_language=given.source_language,
        target_language=given.target_language,
        data={
            "train": [corpus.model_dump() for corpus in given.data.train],
            "validation": given.data.validation.model_dump(),
            "bleu_tokenize": given.data.bleu_tokenize,
            "case_augmentation": 0.0,
            "planted_symbols": 0.0,
            "batch_tokens": 1024,  # some 64 pairs
        },
        protect=[],
        tokenizer={"type": "bpe", "vocabulary_size": reference.VOCABULARY},
        training=training,
    )


def validation_lines(config) -> tuple[list[str], list[str]]:
    from nmt.text.files import read_pairs

    return tuple(map(list, zip(*read_pairs(config.data.validation), strict=True)))


def in_order(config, tokenizers) -> tuple[list[list[int]], np.ndarray]:
    """The ids of the sentences that all translate, shortest first, and where each stands in the file."""
    sources, _ = validation_lines(config)
    ids = tokenizers.source.encode(sources)
    order = np.argsort([len(row) for row in ids], kind="stable")
    return [ids[place] for place in order], order


def contend(precision: str, options, *, shortlist: int = 0) -> None:
    """Ours, trained."""
    from nmt.startup import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from nmt.config.search import SearchConfig
    from nmt.runs.run import Run
    from nmt.search.translate_ids import translate_ids
    from nmt.text.tokenizer import EOS

    run = Run.open(str(options.directory / "nmt"))
    model = run.load_model("last", precision, shortlist=shortlist > 0)
    source = np.load(options.directory / "translating.npz")["source"]
    batches = source_batches(source, options.rows)
    search = tf.function(
        partial(
            translate_ids,
            [model],
            options=SearchConfig(
                beam_size=options.beam_size,
                shortlist=shortlist,
                guard=False,
                max_length_ratio=1.0,
                max_length_extra=EXTRA,
            ),
            lexicon=tf.constant(run.lexicon()) if shortlist else None,
        ),
        input_signature=[tf.TensorSpec([None, None], tf.int32)],
        autograph=False,
    )

    def translate():
        tokens = [row for ids in batches for row in search(ids).tokens[:, 0].numpy()]
        return [[int(number) for number in row if number > EOS] for row in tokens]

    answer_translations(translate, options.translations)


def train_all(options) -> tuple[list[tuple[str, list[str]]], Run, np.ndarray]:
    """Trains whatever has not been trained yet.

    Returns: name and command of each peer that translates; our run; the order of the sentences.
    """
    from nmt.data.batches import make_batch
    from nmt.runs.run import Run

    directory = options.directory
    run_path = directory / "nmt"
    if not run_path.exists():
        from nmt.startup import import_tensorflow

        import_tensorflow()
        from nmt.training.train import train

        train(job(options))
    run = Run.open(str(run_path))
    config, tokenizers = run.config, run.tokenizers
    vocabulary = tokenizers.target.vocabulary_size
    sentences, order = in_order(config, tokenizers)
    source = make_batch(sentences, [[]] * len(sentences)).source
    translating, training = directory / "translating.npz", directory / "training.npz"
    np.savez(translating, vocabulary=vocabulary, fewest=1, most=source.shape[1] + EXTRA, source=source)
    peers = []
    for name, file in PEERS.items():
        if python := getattr(options, file):
            weights = directory / f"{file}.npz"
            if not weights.exists():
                made = [batch for epoch in range(options.epochs) for batch in batches(config, tokenizers, epoch=epoch)]
                np.savez(training, **reference.training_arrays(made, vocabulary))
                command = peer_command(python, file, training, "--weights", weights)
                use_cores(options.cores)
                subprocess.run(command, check=True)
            peers.append((name, peer_command(python, file, translating, "--weights", weights)))
    return peers, run, order


def main() -> None:
    parser = arguments(__doc__.splitlines()[0])
    add_systems(parser)
    parser.add_argument("config", help="a job's YAML file")
    parser.add_argument("directory", type=Path, help="where what is trained is kept")
    parser.add_argument("--epochs", type=int, default=3, help="of training (3)")
    parser.add_argument("--beam-size", type=int, default=5, help="hypotheses (5)")
    parser.add_argument("--rows", type=int, default=64, help="sentences a batch (64)")
    parser.add_argument("--translations", help="where a contender writes them")
    options = parser.parse_args()
    if options.contender:
        system, precision = options.contender.split()
        contend(precision, options, shortlist=LISTED if system == "shortlist" else 0)
        return
    options.directory.mkdir(parents=True, exist_ok=True)
    peers, run, order = train_all(options)
    flags = ["--beam-size", options.beam_size, "--rows", options.rows]
    ours = [f"{system} {precision}" for precision in options.precisions for system in ("nmt", "shortlist")]
    own_work = (options.config, options.directory)
    commands = {name: contender_command(__file__, name, *own_work, *flags) for name in ours}
    commands |= {name: [*command, *map(str, flags)] for name, command in peers}
    files = {name: options.directory / f"{name}.json" for name in commands}
    contenders = [Contender(name, [*command, "--translations", str(files[name])]) for name, command in commands.items()]
    measure(contenders, repetitions=options.repetitions, cores=options.cores)
    title = f"Translating real text, beam {options.beam_size}, batch {options.rows}, {options.cores} core(s)"
    print_table(f"{title}; {machine()}", "sentences/s", contenders, against=[ours[0], *(name for name, _ in peers)])
    print_scores(run, order, {name: file for name, file in files.items() if file.exists()})


def print_scores(run, order, files) -> None:
    from nmt.text.metrics import bleu_tokenize, score

    _, references = validation_lines(run.config)
    print("\n| after the same batches | BLEU | pieces a sentence |\n|---|---|---|")
    for name, file in files.items():
        found = json.loads(file.read_text())
        texts = [""] * len(found)
        for place, text in zip(order, run.tokenizers.target.decode(found), strict=True):
            texts[place] = text
        bleu = score(texts, references, tokenize=bleu_tokenize(run.config)).bleu
        print(f"| {name} | {bleu.value:.2f} | {np.mean([len(ids) for ids in found]):.1f} |")
    print(f"\n{bleu.signature}")


if __name__ == "__main__":
    main()
