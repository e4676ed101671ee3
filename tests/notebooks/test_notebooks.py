"""The notebooks hold no output and no logic, and the scientist's one runs from top to bottom."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.rglob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_stripped_and_the_title_is_set(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.title


@pytest.mark.parametrize("path", sorted((FOLDER / "dashboards").glob("*.ipynb")), ids=lambda path: path.name)
def test_a_dashboard_is_a_line_or_two(path):
    source = "\n".join(cell.source for cell in nbformat.read(path, 4).cells)
    assert len([line for line in source.splitlines() if line.strip()]) <= 3


def test_the_scientists_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(FOLDER / "reconstruct.ipynb", 4)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    assert list(tmp_path.glob("stp3-*/volume/volume.json"))
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "True"  # the preview is what the volume holds
