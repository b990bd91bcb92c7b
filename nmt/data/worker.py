"""A process that prepares its share of each epoch's shards: `python -m nmt.data.worker`, started by preparer.py.

It reads JSON lines from stdin, the job first, then one for each epoch, which it answers with {} or {"error": ...}.
It stays for the next epoch, as it remembers how words are segmented. When stdin closes, because the process that
started it has ended by whatever means, it ends at once; what it had finished stays. Imports no TensorFlow.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from nmt.config.settings import Config
from nmt.data.preparation import prepare_shards
from nmt.text.known_files import take_over
from nmt.text.tokenizer import Tokenizers

# Training, which waits for nobody, goes first.
_NICENESS = 5


def main() -> None:
    if os.name == "posix":
        os.nice(_NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started it decides
    requests: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    job = requests.get()
    take_over(Path(job["known_files"]))
    config, tokenizers = Config.model_validate_json(job["config"]), Tokenizers.load(job["tokenizers"])
    while True:
        request = requests.get()
        answer: dict[str, str] = {}
        try:
            prepare_shards(
                config,
                tokenizers,
                Path(request["directory"]),
                epoch=request["epoch"],
                index=job["index"],
                count=job["count"],
            )
        except OSError as error:
            answer = {"error": f"{error.filename}: {error.strerror}" if error.strerror else str(error)}
        except ValueError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


def _read(requests: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        requests.put(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    main()
