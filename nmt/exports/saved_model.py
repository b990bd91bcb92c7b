"""Opens an exported SavedModel the way TensorFlow Serving does: through a Session, never through tf.saved_model.load.

The two loaders disagree in both directions (a model that Python loads well may fail on the server and the other way
round), so that what this file can run is what the server will run. Strings are arrays of dtype object that hold bytes.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow_serving.apis import prediction_log_pb2

from nmt.exports.signatures import DEFAULT_SIGNATURE, Signature, TensorSpec

WARMUP_FILE = Path("assets.extra/tf_serving_warmup_requests")
_LEFT_OUT = (
    *("constant_folding", "shape_optimization", "remapping", "arithmetic_optimization", "dependency_optimization"),
    *("layout_optimizer", "loop_optimization"),
)
MAX_WARMUP_REQUESTS = 1000  # TensorFlow Serving's own limit


class SavedModel:
    """A loaded model; `run` may be called from many threads at once.

    Args:
        directory: one version, the folder that holds saved_model.pb.
        warm_up: run the export's warm-up requests first, as a server does: else the first call of each signature takes
            seconds.
        lanes: how many threads to keep of which each runs a whole call, so that as many calls run side by side; 0 =
            every call uses all cores.
    Raises: ValueError where it is no SavedModel, needs ops that are not installed, or fails a warm-up request.
    """

    def __init__(self, directory: str | Path, *, warm_up: bool = True, lanes: int = 0) -> None:
        self.directory = Path(directory)
        self._lanes = lanes
        if not (self.directory / "saved_model.pb").is_file():
            raise ValueError(f"{self.directory}: no SavedModel here (no saved_model.pb); make one with `nmt export`")
        _register_sentencepiece_ops()
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=_session_config(lanes))
        try:
            self.signatures = _load(self._session, self.directory)
            for signature, inputs in _warmup_requests(self.directory / WARMUP_FILE) if warm_up else ():
                self.run(signature, inputs)
        except Exception as error:  # TensorFlow raises half a dozen types for a broken export
            self.close()
            raise ValueError(f"{self.directory}: the model does not load. {_explain(error)}") from error

    def run(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        *,
        timeout: float | None = None,
        lane: int | None = None,
    ) -> dict[str, np.ndarray]:
        """As ServedModel.run; a `lane` is one of those that were asked for.

        Raises: tf.errors.OpError as the model itself fails, DeadlineExceededError after `timeout`; as ServedModel.run.
        """
        called = self.signatures[signature]
        inputs = {**called.defaults, **inputs}
        if inputs.keys() != called.inputs.keys():
            raise ValueError(f"the signature {signature} takes inputs {sorted(called.inputs)}, got {sorted(inputs)}")
        feeds = {}
        for name, spec in called.inputs.items():
            given = tf.as_dtype(np.asarray(inputs[name]).dtype).name
            if given != spec.dtype:
                raise ValueError(f"Input {name} expects {spec.dtype} but {given} is provided")
            feeds[spec.tensor] = inputs[name]
        options = tf.compat.v1.RunOptions(inter_op_thread_pool=self._lanes if lane is None else lane)
        if timeout is not None:
            options.timeout_in_ms = max(1, int(timeout * 1000))
        fetches = {name: spec.tensor for name, spec in called.outputs.items()}
        outputs = self._session.run(fetches, feeds, options=options)
        return {
            name: np.asarray(value, dtype=object if called.outputs[name].dtype == "string" else None)
            for name, value in outputs.items()
        }

    def close(self) -> None:
        """Frees the model's memory; no `run` may be in progress."""
        self._session.close()


def _session_config(lanes: int) -> tf.compat.v1.ConfigProto:
    """Leaves out the graph optimizations that take most of a signature's first call and speed none of the later ones
    up: a search has few constants, and its products are as they should be.

    A step of a search is dozens of small operations, one after another. Handing them from thread to thread costs more
    than it gains, so a lane is a pool of one thread, and a product is not divided among threads.
    """
    config = tf.compat.v1.ConfigProto()
    if lanes:
        config.intra_op_parallelism_threads = 1
        for lane in range(lanes):  # shared by all sessions, so that several models are no more threads
            config.session_inter_op_thread_pool.add(num_threads=1, global_name=f"lane {lane}")
        config.session_inter_op_thread_pool.add(num_threads=lanes)  # of calls without a lane
    rewriting = config.graph_options.rewrite_options
    for optimizer in _LEFT_OUT:
        setattr(rewriting, optimizer, RewriterConfig.OFF)
    rewriting.disable_tfg_optimizer = True
    rewriting.memory_optimization = RewriterConfig.NO_MEM_OPT
    rewriting.meta_optimizer_iterations = RewriterConfig.ONE
    return config


def _register_sentencepiece_ops() -> None:
    """Registers tensorflow-text's ops where it is installed; without importing that package, which takes seconds."""
    package = importlib.util.find_spec("tensorflow_text")
    if package and package.origin:
        tf.load_op_library(str(Path(package.origin).parent / "python/ops/_sentencepiece_tokenizer.so"))


def _load(session: tf.compat.v1.Session, directory: Path) -> dict[str, Signature]:
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # else it advises the other loader, tf.saved_model.load
    try:
        with session.graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], str(directory))
    finally:
        logger.setLevel(level)
    return {name: _signature(definition) for name, definition in meta_graph.signature_def.items()}


def _signature(definition: Any) -> Signature:
    return Signature(
        inputs={name: _spec(info) for name, info in definition.inputs.items()},
        outputs={name: _spec(info) for name, info in definition.outputs.items()},
        defaults={name: tf.make_ndarray(value) for name, value in definition.defaults.items()},
        definition=MessageToDict(
            definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        ),
    )


def _spec(info: Any) -> TensorSpec:
    # A model's initializer is listed as a signature too, whose output is an operation without a dtype.
    dtype = tf.as_dtype(info.dtype).name if info.dtype else "invalid"
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
    return TensorSpec(info.name, dtype, sizes)


def _warmup_requests(path: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    if not path.is_file():
        return
    for record in tf.data.TFRecordDataset(str(path)).take(MAX_WARMUP_REQUESTS).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
        yield signature, {name: tf.make_ndarray(value) for name, value in request.inputs.items()}


def _explain(error: Exception) -> str:
    message = getattr(error, "message", None) or str(error)
    if "Op type not registered 'Sentencepiece" in message:
        return (
            "It takes text, for which the package tensorflow-text must be installed (`pip install tensorflow-text`); "
            "where there is none for this machine, use the export's ids endpoint (DIR/ids) instead."
        )
    return message
