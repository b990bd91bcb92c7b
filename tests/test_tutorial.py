"""The tutorial notebook runs from its first cell to its last, and shows what it says."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PATH = Path(__file__).parent.parent / "docs" / "tutorial.ipynb"


@pytest.fixture(scope="module")
def notebook():
    notebook = nbformat.read(PATH, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "it is stored without outputs"
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return notebook


def outputs(notebook, kind):
    """What cells evaluate to, in one MIME type."""
    found = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ())]
    return [data[kind] for data in found if kind in data]


def test_it_shows_a_translation_with_its_attention(notebook):
    (page,) = outputs(notebook, "text/html")
    assert "nmt-heat-map" in page
    assert "vier eins drei sieben" in page


def test_training_shows_a_progress_bar(notebook):
    (cell,) = [cell for cell in notebook.cells if "nmt.train(" in cell.source]
    assert any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in cell.outputs)


def test_the_right_translation_is_the_more_probable_one(notebook):
    (cell,) = [cell for cell in notebook.cells if "translator.score" in cell.source]
    right, wrong = map(float, cell.outputs[0].text.split())
    assert right > wrong
