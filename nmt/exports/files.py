"""Files beside an export's versions: configs for TensorFlow Serving, and a README about serving them."""

from __future__ import annotations

import os
from pathlib import Path

from nmt.exports.signatures import MISSING

# Templates by file name, of $name, $max_batch, $directory and $protected.
CONFIG_FILES = {
    "models.config": """\
# For tensorflow_model_server --model_config_file: this directory mounted at /models/$name.
model_config_list {
  config { name: "$name"     base_path: "/models/$name"     model_platform: "tensorflow" }
  config { name: "$name-ids" base_path: "/models/$name/ids" model_platform: "tensorflow" }
}
""",
    "batching.config": """\
# For tensorflow_model_server --enable_batching --batching_parameters_file: requests that come together run together.
# For the text model: rows of ids of different widths do not fit into one batch, so serve $name-ids without this.
max_batch_size { value: $max_batch }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 1000 }
num_batch_threads { value: 2 }
""",
    "README.md": """\
# $name: a translation service

Here are the versions of a TensorFlow Serving model (`1/`, `2/`, ...; the highest is served), written by `nmt export`.
`ids/` holds the same model for token ids instead of text.

Serve it without Docker, on ports 8500 (gRPC) and 8501 (REST):

    nmt serve $directory --model-name $name

or with TensorFlow Serving 2.20 or later:

    docker run -p 127.0.0.1:8500:8500 -p 127.0.0.1:8501:8501 -v $directory:/models/$name:ro -e MODEL_NAME=$name \\
        tensorflow/serving:2.20.0

(the server has no login: put it on a public address only behind something that has one).

Translate over REST:

    curl -d '{"instances": ["Hello world."]}' http://localhost:8501/v1/models/$name:predict

the best few translations of each line, and what each piece of the translation read:

    curl -d '{"signature_name": "nbest", "instances": ["Hello world."]}' http://localhost:8501/v1/models/$name:predict
    curl -d '{"signature_name": "align", "instances": ["Hello world."]}' http://localhost:8501/v1/models/$name:predict

Over REST or gRPC from the command line, a line in, a line out:

    echo "Hello world." | nmt translate --server http://localhost:8501/$name
    echo "Hello world." | nmt translate --server grpc://localhost:8500/$name

Outputs: `translation`; `score`, its log-probability under the length penalty, higher is better ($missing where `nbest`
has no such translation); `truncated`, true where a line was too long and its end was cut; `degenerate`, true where the
translation repeats itself, is far too short or long, or leaves much of the line unread, even after a second search;
`confidence` (of a run that is calibrated), the share of 1 that chrF is expected to give it: among the validation lines
with such a confidence the mean chrF was about that.

$protected
""".replace("$missing", f"{MISSING:.0f}"),
}


def newest_version(directory: str | os.PathLike[str]) -> Path | None:
    """The directory of an export's newest version, or `directory` itself where it is one; None where it is neither."""
    files = [path for path in Path(directory).glob("*/saved_model.pb") if path.parent.name.isdecimal()]
    newest = max((path.parent for path in files), key=lambda path: int(path.name), default=Path(directory))
    return newest if (newest / "saved_model.pb").is_file() else None
