"""Every notebook runs as it is, says what its parameters are, and reports its numbers."""

import json
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from particlelab.lab import batch, folders, sweeps

NOTEBOOKS = sorted(folders.notebooks().glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]


def parameters_of(path):
    notebook = nbformat.read(path, as_version=4)
    cell = next(c for c in notebook.cells if c.cell_type == "code")
    return cell, sweeps.parameter_classes(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_the_first_code_cell_holds_the_parameters_as_their_classes_define_them(path):
    cell, classes = parameters_of(path)
    assert "parameters" in cell.metadata.get("tags", [])
    assert classes, "the notebook's metadata name no parameter class"
    assert cell.source == "\n".join(kind.cell() for kind in classes)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_numbers_begin_with_the_document_and_the_title_stands_first(path):
    first = nbformat.read(path, as_version=4).cells[0]
    assert path.name[:2].isdigit() and path.name[2] == "_"
    assert first.cell_type == "markdown" and first.source.startswith("# ")


@pytest.fixture(scope="session")
def tour(tmp_path_factory):
    """All notebooks of the tour, run once into a folder of their own."""
    folder = tmp_path_factory.mktemp("tour")
    sweep = batch.load_sweep(folders.notebooks() / "sweeps" / "tour.yaml")
    return batch.run_sweep(sweep, workers=2, folder=folder)


def test_the_tour_holds_every_notebook():
    sweep = batch.load_sweep(folders.notebooks() / "sweeps" / "tour.yaml")
    assert sorted({execution.notebook.stem for execution in sweep.executions}) == NAMES


@pytest.mark.timeout(3000)  # the first of them runs all notebooks
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_in_the_tour_and_reports_numbers(tour, name):
    run = tour.set_index("notebook").loc[name]
    assert run.status == "done", run.to_dict()
    results = json.loads((Path(run.folder) / "results.json").read_text())
    assert results["metrics"]
    page = BeautifulSoup((Path(run.folder) / "index.html").read_text(), "html.parser")
    loaded = [tag.get("src") or tag.get("href") for tag in page.select("[src], link[href]")]
    assert not [address for address in loaded if address.startswith(("http:", "https:", "//"))]
