"""The examples of docs/lstm.md run as they stand there, and learn."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "lstm.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^## Example: (.*?)\n.*?^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", [code for _, code in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_an_example_of_the_page_runs_and_beats_its_baseline_by_a_fifth(code, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    names = {}
    exec(compile(code, "docs/lstm.md", "exec"), names)
    assert 0 < names["error"] < 0.8 * names["baseline"]


def test_the_page_has_its_three_examples():
    assert [name for name, _ in EXAMPLES] == ["a time series", "a character language model", "labels for frames"]
