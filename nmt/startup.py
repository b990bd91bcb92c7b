"""Imports TensorFlow, with its faster products and without its start-up chatter."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


def import_tensorflow(*, keras_plots: bool = False) -> None:
    """To be called before anything that imports TensorFlow or Keras.

    What TensorFlow's libraries write to stderr while they are loaded obeys none of its settings, so that it is caught;
    it is shown where the import fails, and where the user has set TF_CPP_MIN_LOG_LEVEL.

    Args:
        keras_plots: whether keras.visualization will be used, for which Keras loads Matplotlib.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's keras.json says: nothing else works here
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # TensorFlow's own, too: its poller complains of Ctrl-C
    # oneDNN's products: TensorFlow uses them of itself only where there is AVX-512, and on AVX2 they are faster, too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if "tensorflow" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            with _quickly(keras_plots):
                import tensorflow  # noqa: F401
        except Exception:
            chatter.seek(0)
            with open(stderr, "wb", closefd=False) as shown:
                shutil.copyfileobj(chatter, shown)
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextmanager
def _quickly(plots: bool) -> Iterator[None]:
    """Imports without what takes a third of the time: looking for garbage among what stays, and Matplotlib."""
    hidden = "matplotlib" not in sys.modules and not plots
    if hidden:
        sys.modules["matplotlib"] = None  # type: ignore[assignment]  # not to be found
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor is it looked through later
        if collects:
            gc.enable()
        if hidden:
            del sys.modules["matplotlib"]


def require_tensorflow_backend() -> None:
    """To be called before `import_tensorflow` where Keras may be in use already, or another backend chosen.

    Raises:
        ImportError: if Keras runs, or is asked to run, on another backend than TensorFlow.
    """
    if "keras" in sys.modules:
        chosen = sys.modules["keras"].config.backend()
    else:
        chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
    if chosen != "tensorflow":
        raise ImportError(
            f"nmt runs on Keras's TensorFlow backend only, and the backend chosen here is {chosen!r}: "
            "set KERAS_BACKEND=tensorflow before Keras is imported."
        )
