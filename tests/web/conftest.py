"""A browser, and a plain static file server."""

import functools
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from chromium import open_tab

from nmt.web.runtime import open_runtime

playwright = pytest.importorskip("playwright.sync_api")
playwright.expect.set_options(timeout=60_000)  # where many tests share few cores


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _serving(directory: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=directory))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def serving() -> Callable:
    """The address of the files of a directory, while they are served."""
    return _serving


@pytest.fixture(scope="module")
def tab():
    """A tab of a browser, for all tests of a file."""
    with playwright.sync_playwright() as driver, open_tab(driver, timeout=60_000) as tab:
        yield tab


@pytest.fixture(scope="session")
def package(made_once) -> Path:
    """The npm package onnxruntime-web, as far as the page needs it."""

    def fill(folder: Path) -> None:
        (folder / "dist").mkdir()
        try:
            with open_runtime() as files:
                for file in files:
                    shutil.copy(file, folder / "dist")
        except ValueError as error:
            pytest.skip(re.sub(": unpack.*", "", str(error)))

    return made_once("onnxruntime-web", fill)
