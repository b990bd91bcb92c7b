"""A run becomes SavedModels that stock TensorFlow Serving loads.

DIR/<version>/       the text endpoint: plain text in, plain text out
DIR/ids/<version>/   the ids endpoint: no SentencePiece ops, for servers or clients that bring their own tokenizer
DIR/models.config, DIR/batching.config, DIR/README.md   how to serve them

A version is written under a name that is no number, which the server passes over, and then renamed. What is saved is a
module that owns nothing but the weights, the named tokenizers and the signatures: one that tracks a Keras model loads
in Python and then fails in TensorFlow Serving (keras issues 19274, 20095).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from string import Template

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from nmt.config.settings import Config
from nmt.exports.endpoints import BlockSearch, IdsEndpoint, TextEndpoint
from nmt.exports.files import CONFIG_FILES
from nmt.full_disk import naming
from nmt.model.precision import choose_precision
from nmt.runs.files import write_text
from nmt.runs.run import Run
from nmt.text.glossary import Glossary
from nmt.text.protection import Protection
from nmt.text.tokenizer import FIRST_SYMBOL


def export(
    run: Run,
    directory: str | os.PathLike[str],
    *,
    weights: str | int = "best",
    config: Config | None = None,
    glossary: Glossary | None = None,
) -> Path:
    """Writes the next version of a run's endpoints and what is needed to serve them.

    Args:
        weights: which of the run's, as in Run.load_model.
        config: the run's with other settings of search and export; None = as the run has them.
        glossary: the terms that translations have; None = the run's own.

    Returns: the new version's directory; that of the ids endpoint where tensorflow-text is not installed.

    Raises:
        ValueError: for settings of search that no endpoint has, or as Run.translation_protection.
    """
    config = config or run.config
    search = config.search
    if (search.n_best, search.sampling) != (run.config.search.n_best, run.config.search.sampling):
        raise ValueError(
            "search.n_best and search.sampling do nothing here: an export searches for the best translation, and its "
            "signature `nbest` gives export.n_best of them"
        )
    protection = run.translation_protection(glossary)
    directory = Path(directory)
    (directory / "ids").mkdir(parents=True, exist_ok=True)  # TensorFlow would say in its own way what is in the way
    model = run.load_model(weights, choose_precision(search.precision), shortlist=search.shortlist > 0)
    version = _next_version(directory)
    calibration = run.calibration(weights)
    if calibration is None:
        print(f"no confidence: it is that of a run's best weights, after `nmt calibrate {run.path}`", file=sys.stderr)
    # A variable, as a constant would be in the graph once for each signature.
    lexicon = tf.Variable(run.lexicon(), trainable=False) if search.shortlist else None
    find = BlockSearch(model, num_symbols=protection.num_symbols, lexicon=lexicon)
    endpoints: dict[Path, IdsEndpoint | TextEndpoint] = {directory / "ids" / version: IdsEndpoint(find, search)}
    if importlib.util.find_spec("tensorflow_text"):
        endpoints[directory / version] = TextEndpoint(
            find,
            run.tokenizers,
            search=search,
            settings=config.export,
            protection=protection,
            calibration=calibration,
            sentences=run.sentence_splitter(search, protection),
            capitals=run.capitals(),
            glossary_ignore_case=config.glossary_ignore_case,
        )
    else:
        print("tensorflow-text is not installed: wrote the ids endpoint only", file=sys.stderr)
    _save(endpoints)
    for name, template in CONFIG_FILES.items():
        values = {
            "name": config.export.name,
            "max_batch": config.export.max_batch,
            "directory": directory.resolve(),
            "protected": _describe(protection),
        }
        write_text(directory / name, Template(template).substitute(values))
    return list(endpoints)[-1]


def _describe(protection: Protection) -> str:
    """What the README says of protected spans."""
    if not protection.kinds:
        return "Nothing is protected: the model writes every word and number by itself."
    first, last = FIRST_SYMBOL, FIRST_SYMBOL + protection.num_symbols - 1
    terms = ""
    if isinstance(protection.glossary, Glossary):
        terms = f"Translated as the glossary says: its {len(protection.glossary):,} terms.\n"
    return (
        f"Come through unharmed, exactly once: {', '.join(protection.kinds)}.\n{terms}"
        'The signature `glossary` takes terms with each line: {"text": "Red rotor.", "glossary": "rotor\\tLäufer"}.\n'
        f"For the ids endpoint the ids {first} to {last} are symbols, each written as often as the source has it; "
        f"{last + 1} joins a word to one."
    )


def _next_version(directory: Path) -> str:
    present = [path for parent in (directory, directory / "ids") if parent.is_dir() for path in parent.iterdir()]
    return str(max((int(path.name) for path in present if path.name.isdecimal()), default=0) + 1)


def _save(endpoints: Mapping[Path, IdsEndpoint | TextEndpoint]) -> None:
    """Writes SavedModels aside, then gives all of them their names; a failure leaves none.

    Raises: OSError where they cannot be written.
    """
    asides = {final: final.parent / f".writing-{final.name}" for final in endpoints}
    try:
        for final, aside in asides.items():
            shutil.rmtree(aside, ignore_errors=True)
            with naming(final):
                _save_one(endpoints[final], aside)
        for final, aside in asides.items():
            os.rename(aside, final)
    except tf.errors.OpError as error:
        raise OSError(f"the export cannot be written: {error.message}") from None
    finally:
        for final, aside in asides.items():
            shutil.rmtree(aside, ignore_errors=True)
            with suppress(OSError):
                final.parent.rmdir()  # if nothing was written


def _save_one(endpoint: IdsEndpoint | TextEndpoint, directory: Path) -> None:
    module = tf.Module()
    module.weights = endpoint.weights
    for name, value in {**endpoint.tracked, **endpoint.signatures}.items():
        setattr(module, name, value)
    # Nobody trains an export: without this the gradient of every LSTM would be traced and saved, too.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(directory), signatures=endpoint.signatures, options=options)
    _write_warmup(endpoint, directory / "assets.extra" / "tf_serving_warmup_requests")


def _write_warmup(endpoint: IdsEndpoint | TextEndpoint, path: Path) -> None:
    """The requests a server runs before it calls the version ready: the first call of a graph takes seconds."""
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, function in endpoint.signatures.items():
            first, *others = (spec.name for spec in function.input_signature)
            for value in endpoint.warmup:
                log = prediction_log_pb2.PredictionLog()
                request = log.predict_log.request
                request.model_spec.signature_name = signature
                request.inputs[first].CopyFrom(tf.make_tensor_proto(value))
                for name in others:
                    request.inputs[name].CopyFrom(tf.make_tensor_proto([""] * len(value)))
                writer.write(log.SerializeToString())
