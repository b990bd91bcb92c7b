"""The access log: a line of JSON for each request, without any text of it. Imports no TensorFlow."""

from __future__ import annotations

import json
import logging
import logging.handlers
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nmt.serving.rest_response import Response

CLIENT_CLOSED_REQUEST = 499  # the status of a request whose client did not wait for the answer
MAX_PATH = 256  # characters

_access = logging.getLogger("nmt.access")
_access.propagate = False


@contextmanager
def write_access_log(path: str | Path) -> Iterator[None]:
    """Writes the log meanwhile, to the end of a file or for "-" to the standard error output.

    The file may be renamed, as logrotate does. Raises ValueError where it cannot be written.
    """
    try:
        handler = logging.StreamHandler() if str(path) == "-" else logging.handlers.WatchedFileHandler(path)
    except OSError as error:
        raise ValueError(f"cannot write the access log {path}: {error.strerror}") from None
    _access.addHandler(handler)
    _access.setLevel(logging.INFO)
    try:
        yield
    finally:
        _access.removeHandler(handler)
        _access.setLevel(logging.NOTSET)
        handler.close()


def log_access(scope: Any, response: Response | None, seconds: float) -> None:
    """Writes the line of an ASGI request, if the log is on; response: None where the client went away."""
    if not _access.isEnabledFor(logging.INFO):
        return
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "client": scope["client"][0] if scope["client"] else "",
        "method": scope["method"],
        "path": scope["raw_path"].decode("latin-1")[:MAX_PATH],
        "status": response.status if response else CLIENT_CLOSED_REQUEST,
        "bytes": len(response.body) if response else 0,
        "milliseconds": round(seconds * 1000, 1),
        "lines": response.lines if response else 0,
    }
    _access.info(json.dumps(line))
