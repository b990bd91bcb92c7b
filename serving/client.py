"""Translates lines from standard input through TensorFlow Serving or `nmt serve`; needs nothing but Python.

    echo "A sentence." | python client.py http://localhost:8501 [MODEL]

Copy it into your own service: `translate` is all there is to it.
"""

import json
import sys
import urllib.error
import urllib.request

LINES_PER_REQUEST = 32


def translate(lines: list[str], *, server: str = "http://localhost:8501", model: str = "translator") -> list[str]:
    """Translates lines, in order; raises RuntimeError with the server's own message where it refuses."""
    url = f"{server.rstrip('/')}/v1/models/{model}:predict"
    translations = []
    for start in range(0, len(lines), LINES_PER_REQUEST):
        body = json.dumps({"instances": lines[start : start + LINES_PER_REQUEST]}).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as response:
                predictions = json.load(response)["predictions"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{url}: {error.code}: {error.read().decode(errors='replace')}") from None
        except urllib.error.URLError as error:
            raise RuntimeError(f"{url}: {error.reason}; is the server running?") from None
        translations += [prediction["translation"] for prediction in predictions]
    return translations


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    lines = sys.stdin.read().splitlines()
    try:
        translations = translate(lines, server=sys.argv[1], model=sys.argv[2] if len(sys.argv) == 3 else "translator")
    except RuntimeError as error:
        sys.exit(str(error))
    print("\n".join(translations))


if __name__ == "__main__":
    main()
