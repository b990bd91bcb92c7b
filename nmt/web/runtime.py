"""The files of onnxruntime-web that the page needs, from a copy on this machine or from npm. Imports no TensorFlow."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
WASM = "ort-wasm-simd-threaded.wasm"
# By their paths in the package.
_SHA256 = {
    "dist/ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    f"dist/{WASM}": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
_ADVICE = (
    f"unpack the npm package {PACKAGE} {VERSION} (`npm pack {PACKAGE}@{VERSION}`, then `tar xzf` the archive) and name "
    f"its folder with --onnxruntime-web"
)


@contextmanager
def open_runtime(package: str | os.PathLike[str] | None = None) -> Iterator[list[Path]]:
    """The files, checked, while they are needed.

    Args: package: the unpacked npm package, or a folder with node_modules or the package in it; None = npm fetches it.
    Raises: ValueError where a file is missing or is not the one of VERSION.
    """
    if package is not None:
        yield _checked(_found(Path(package)))
        return
    with tempfile.TemporaryDirectory() as folder:
        yield _checked(_fetched(Path(folder)))


def _found(package: Path) -> Path:
    for place in (package, package / "package", package / PACKAGE, package / "node_modules" / PACKAGE):
        if (place / "dist").is_dir():
            return place
    raise ValueError(f"{package} has no {PACKAGE} in it: {_ADVICE}")


def _fetched(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(f"the page needs {PACKAGE} {VERSION}, and npm, which could fetch it, is not there: {_ADVICE}")
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        reason = next((line for line in said if line.startswith("npm error")), f"exit status {done.returncode}")
        raise ValueError(f"npm cannot fetch {PACKAGE} {VERSION} ({reason}): {_ADVICE}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as members:
        for path in _SHA256:
            member, file = members.extractfile(f"package/{path}"), folder / "package" / path
            assert member is not None  # a link to nowhere or a folder: npm packs neither
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(member.read())
    return folder / "package"


def _checked(package: Path) -> list[Path]:
    for path, expected in _SHA256.items():
        try:
            content = (package / path).read_bytes()
        except OSError as error:
            raise ValueError(f"{package / path}: {error.strerror}: {_ADVICE}") from None
        if hashlib.sha256(content).hexdigest() != expected:
            raise ValueError(f"{package / path} is not that of {PACKAGE} {VERSION}: {_ADVICE}")
    return [package / path for path in _SHA256]
