"""The README of an ONNX export."""

from __future__ import annotations

README = """\
# $name: a translator without TensorFlow

Written by `nmt export --format onnx` ($precision). The whole directory can be moved or copied; ONNX Runtime, NumPy and
SentencePiece are all that translating takes.

Translate, a line in, a line out:

    echo "Hello world." | nmt translate THIS_DIRECTORY

Serve it under TensorFlow Serving's REST API:

    nmt serve THIS_DIRECTORY --model-name $name

In Python:

    import nmt
    translator = nmt.load("THIS_DIRECTORY")
    print(translator.translate(["Hello world."])[0].text)

`manifest.json` has size and SHA-256 of each file, which are checked when the directory is opened. Settings of search
are in `config.yaml`; `--set search.beam_size=1` changes one for a command.
"""
