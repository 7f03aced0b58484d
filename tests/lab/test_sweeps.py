"""Sweep files: what they expand to, and everything that is refused before anything runs."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from particlelab.lab.sweeps import Sweep, load_sweep

SOURCE = """
seed = 1
pixel_size_nm = 0.5
method: str = "otsu"
sizes = [1, 2]
nothing = None
computed = 2 * 3
first = True
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project with one notebook without and one with a parameter set."""
    monkeypatch.setenv("PARTICLELAB_HOME", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    named = {"particlelab": {"parameters": ["imaging_of_test_sweeps:Imaging"]}}
    for name, metadata in (
        ("10_measure", {}),
        ("11_imaging", named),
        ("12_wrong", {"particlelab": {"parameters": "a:B"}}),
    ):
        cell = new_code_cell(SOURCE, metadata={"tags": ["parameters"]})
        notebook = new_notebook(cells=[new_code_cell("other = 1"), cell], metadata=metadata)
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
    (tmp_path / "imaging_of_test_sweeps.py").write_text(
        "from typing import Literal\n"
        "from particlelab.parameters import Parameters, parameter\n\n"
        "class Imaging(Parameters):\n"
        "    seed: int = parameter(1, 'Seed', low=0)\n"
        "    pixel_size_nm: float = parameter(0.5, 'Edge of a pixel', unit='nm', above=0)\n"
        "    method: Literal['otsu', 'kmeans'] = parameter('otsu', 'Classifier')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def load(home, text):
    path = home / "sweep.yaml"
    path.write_text(text, encoding="utf-8")
    return load_sweep(path)


def test_a_grid_gives_every_combination(home):
    sweep = load(
        home,
        """
name: tour
notebooks:
  - notebook: 11_imaging
    parameters: {method: kmeans}
    grid: {seed: [1, 2, 3], pixel_size_nm: [0.5, 1e-1]}
  - notebook: 10_measure.ipynb
""",
    )
    assert sweep.name == "tour"
    assert sweep.command == "particlelab batch sweep.yaml"
    sets = [(e.parameters["seed"], e.parameters["pixel_size_nm"]) for e in sweep.executions[:-1]]
    assert sets == [(1, 0.5), (1, 0.1), (2, 0.5), (2, 0.1), (3, 0.5), (3, 0.1)]
    assert all(e.parameters["method"] == "kmeans" for e in sweep.executions[:-1])
    assert sweep.executions[-1].notebook == home / "notebooks" / "10_measure.ipynb"
    assert sweep.executions[-1].parameters == {}
    assert len({e.folder_name for e in sweep.executions}) == 7


def test_what_stands_twice_runs_once(home):
    entry = {"notebook": "10_measure", "grid": {"seed": [1, 2, 1]}}
    assert len(Sweep.from_dict({"name": "a", "notebooks": [entry, entry]}).executions) == 2


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{notebook: 10_mesure}", "there is no notebook '10_mesure'.*did you mean '10_measure'"),
        ("{notebook: ../sweep}", "there is no notebook '../sweep'"),
        ("{notebook: 10_measure, parameters: {sed: 1}}", "10_measure has no parameter 'sed'; did you mean 'seed'"),
        ("{notebook: 10_measure, parameters: {other: 1}}", "has no parameter 'other'"),
        ("{notebook: 10_measure, grid: {seed: 3}}", "seed must be a list of values, got 3"),
        ("{notebook: 10_measure, grid: {seed: []}}", "seed must be a list of values"),
        ("{notebook: 10_measure, parameters: {seed: 1}, grid: {seed: [1]}}", "seed stands in parameters and in grid"),
        ("{notebook: 10_measure, parameters: {seed: many}}", "seed = 'many' is not allowed; its default is 1"),
        ("{notebook: 10_measure, parameters: {first: 1}}", "first = 1 is not allowed; its default is True"),
        (
            "{notebook: 10_measure, params: {seed: 1}}",
            "unknown key 'params'; allowed are grid, last, notebook, parameters",
        ),
        ("{notebook: 10_measure, last: 1}", "10_measure: last must be true or false, got 1"),
        ("{notebook: 10_measure, parameters: [seed]}", "parameters and grid must be like"),
        ("{notebook: 10_measure, parameters: {seed: 1, seed: 2}}", "seed stands twice"),
        ("{parameters: {seed: 1}}", "each entry of notebooks must name its notebook"),
        ("10_measure", "each entry of notebooks must name its notebook, got '10_measure'"),
        (
            "{notebook: 11_imaging, grid: {pixel_size_nm: [1, -0.5]}}",
            "pixel_size_nm = -0.5 is not allowed; expected 0 < pixel_size_nm nm",
        ),
        (
            "{notebook: 11_imaging, parameters: {method: kmens}}",
            "method = 'kmens' is not allowed; expected one of otsu, kmeans",
        ),
        ("{notebook: 12_wrong}", "its metadata names the parameter set 'a:B', which does not exist"),
    ],
)
def test_what_is_wrong_is_refused_with_what_would_be_right(home, entry, message):
    with pytest.raises(ValueError, match=message) as error:
        load(home, f"name: tour\nnotebooks:\n  - notebook: 10_measure\n  - {entry}\n")
    assert str(home / "sweep.yaml") in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have the keys"),
        ("name: tour", "notebooks must be a list"),
        ("notebooks: [{notebook: 10_measure}]", "name must be made of"),
        ("name: ../up\nnotebooks: [{notebook: 10_measure}]", "name must be made of"),
        ("name: interactive\nnotebooks: [{notebook: 10_measure}]", "name must be made of"),
        ("name: a\nworkers: 3\nnotebooks: [{notebook: 10_measure}]", "the sweep: unknown key 'workers'"),
        ("name: [", "expected"),
    ],
)
def test_a_file_that_is_no_sweep_is_refused(home, text, message):
    with pytest.raises(ValueError, match=message):
        load(home, text)


def test_all_mistakes_are_told_at_once(home):
    with pytest.raises(ValueError, match=r"no notebook 'x'(.|\n)*no parameter 'y'"):
        load(home, "name: a\nnotebooks: [{notebook: x}, {notebook: 10_measure, parameters: {y: 1}}]")


def test_values_that_a_default_does_not_forbid_are_allowed(home):
    parameters = {"nothing": 3, "computed": "any", "sizes": [], "pixel_size_nm": 2}
    (execution,) = Sweep.single("10_measure", parameters).executions
    assert execution.parameters == parameters


def test_the_command_of_a_single_run_can_be_typed(home):
    sweep = Sweep.single("10_measure", {"method": "two words", "seed": 3})
    assert sweep.command == "particlelab run 10_measure -p 'method=two words' -p seed=3"


def test_a_notebook_is_given_by_name_or_by_path(home, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "90_own.ipynb"
    elsewhere.write_bytes((home / "notebooks" / "10_measure.ipynb").read_bytes())
    monkeypatch.chdir(elsewhere.parent)
    inside = home / "notebooks" / "10_measure.ipynb"
    for given, path in {"10_measure": inside, str(inside): inside, "90_own.ipynb": elsewhere}.items():
        (execution,) = Sweep.single(given, {"seed": 2}).executions
        assert execution.notebook == path


@pytest.mark.parametrize("content", ["{", '{"cells": 1}'])
def test_a_notebook_that_is_none_is_refused(home, content):
    (home / "notebooks" / "13_damaged.ipynb").write_text(content)
    with pytest.raises(ValueError, match="13_damaged cannot be read"):
        Sweep.single("13_damaged", {})


def test_a_notebook_whose_parameters_are_no_python_is_refused(home):
    cell = new_code_cell("seed = = 1", metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[cell]), home / "notebooks" / "13_damaged.ipynb")
    with pytest.raises(ValueError, match="13_damaged cannot be read: invalid syntax"):
        Sweep.single("13_damaged", {})
