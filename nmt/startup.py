"""Imports TensorFlow, with its faster products and without its start-up chatter."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile


def import_tensorflow() -> None:
    """To be called before anything that imports TensorFlow or Keras.

    What TensorFlow's libraries write to stderr while they are loaded obeys none of its settings, so that it is caught;
    it is shown where the import fails, and where the user has set TF_CPP_MIN_LOG_LEVEL.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's keras.json says: nothing else works here
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # TensorFlow's own, too: its poller complains of Ctrl-C
    # oneDNN's products: TensorFlow uses them of itself only where there is AVX-512, and on AVX2 they are faster, too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as chatter:
        os.dup2(chatter.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except Exception:
            chatter.seek(0)
            with open(stderr, "wb", closefd=False) as shown:
                shutil.copyfileobj(chatter, shown)
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


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
