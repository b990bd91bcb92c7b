"""Translates lines from standard input through TensorFlow Serving or `nmt serve`; needs nothing but Python.

    echo "A sentence." | python client.py http://localhost:8501 [MODEL]

Copy it into your own service: `translate` is all there is to it.
"""

import base64
import http.client
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence

LINES_PER_REQUEST = 32


def translate(
    lines: Sequence[str | bytes], *, server: str = "http://localhost:8501", model: str = "translator"
) -> list[str]:
    """Translates lines, in order; raises RuntimeError with the server's own message where it refuses.

    Bytes need not be UTF-8, and go as base64.
    """
    url = f"{server.rstrip('/')}/v1/models/{model}:predict"
    translations = []
    for start in range(0, len(lines), LINES_PER_REQUEST):
        some = lines[start : start + LINES_PER_REQUEST]
        instances = [{"b64": base64.b64encode(line).decode()} if isinstance(line, bytes) else line for line in some]
        body = json.dumps({"instances": instances}).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as response:
                predictions = json.load(response)["predictions"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{url}: {error.code}: {error.read().decode(errors='replace')}") from None
        except (OSError, http.client.HTTPException) as error:  # urllib's own are OSErrors
            raise RuntimeError(f"{url}: {error}; is the server running?") from None
        translations += [prediction["translation"] for prediction in predictions]
    return translations


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    # Bytes, as text would also end a line at a lone \r.
    lines = [line.removesuffix(b"\n").removesuffix(b"\r") for line in sys.stdin.buffer]
    try:
        translations = translate(lines, server=sys.argv[1], model=sys.argv[2] if len(sys.argv) == 3 else "translator")
    except RuntimeError as error:
        sys.exit(str(error))
    for translation in translations:
        sys.stdout.buffer.write(translation.encode() + b"\n")


if __name__ == "__main__":
    main()
