"""Runs: computed once, kept whole or not at all, never lost."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from safetensors.numpy import load_file, save_file

from particlelab.lab import runs
from particlelab.lab.runs import run
from particlelab.parameters import Parameters, parameter


class Imaging(Parameters):
    "How the microscope sees."

    pixel_size_nm: float = parameter(0.5, "Edge of a pixel", unit="nm", above=0)


class Fit(NamedTuple):
    slope: float
    covariance: np.ndarray


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTICLELAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


calls = []


def compute(parameters):
    calls.append(parameters)
    size = parameters.pixel_size_nm
    return {
        "size": np.float32(size),
        "note": "ångström",
        "nothing": None,
        "missing": np.nan,
        "profile": np.arange(6).reshape(2, 3) * size,
        "table": pd.DataFrame({"da_nm": [1.5, np.nan], "label": ["a", "b"]}, index=[3, 5]),
        "fit": Fit(2.0, np.eye(2)),
        "several": [np.zeros(2), {"deep": np.ones(1, bool)}, (1, 2)],
    }


def count():
    return len(calls)


def test_second_run_is_loaded_and_equal_to_the_first():
    before = count()
    first = run("imaging", Imaging(), compute)
    second = run("imaging", Imaging(), compute)
    assert count() - before == 1
    assert (first.was_loaded, second.was_loaded) == (False, True)
    assert first.folder == second.folder
    assert first.environment == second.environment
    assert first.environment["duration_s"] >= 0
    assert first.environment["packages"]["numpy"] == np.__version__
    for result in (first, second):
        assert list(result) == ["size", "note", "nothing", "missing", "profile", "table", "fit", "several"]
        assert result["size"] == 0.5
        assert result["note"] == "ångström"
        assert result["nothing"] is None
        assert np.isnan(result["missing"])
        assert_array_equal(result["profile"], [[0, 0.5, 1], [1.5, 2, 2.5]])
        assert_frame_equal(result["table"], pd.DataFrame({"da_nm": [1.5, np.nan], "label": ["a", "b"]}, index=[3, 5]))
        assert result["fit"]["slope"] == 2
        assert_array_equal(result["fit"]["covariance"], np.eye(2))
        assert_array_equal(result["several"][0], [0, 0])
        assert result["several"][1]["deep"].dtype == bool
        assert result["several"][2] == [1, 2]


def test_each_parameter_set_and_name_has_its_own_run():
    fine = run("imaging", Imaging(pixel_size_nm=0.1), compute)
    coarse = run("imaging", Imaging(pixel_size_nm=2), compute)
    other = run("other", Imaging(pixel_size_nm=2), compute)
    assert fine["profile"][1, 2] == pytest.approx(0.5)
    assert coarse["profile"][1, 2] == 10
    assert len({fine.folder, coarse.folder, other.folder}) == 3
    assert other.folder.parent.name == "other"


def test_arrays_in_the_parameters_count_with_all_their_values():
    image = np.zeros((300, 300))
    total = lambda parameters: {"total": parameters["image"].sum()}  # noqa: E731
    assert run("total", {"image": image}, total)["total"] == 0
    image[150, 150] = 7  # deep inside: the printed array looks the same
    assert run("total", {"image": image}, total)["total"] == 7


def counted(parameters):
    calls.append(parameters)
    return {"calls": count()}


def test_refresh_computes_again_and_replaces():
    first = run("counted", {}, counted)
    again = run("counted", {}, counted, refresh=True)
    assert not again.was_loaded
    assert again.folder == first.folder
    assert run("counted", {}, counted)["calls"] == again["calls"] == first["calls"] + 1


def model(parameters, folder):
    save_file({"weights": np.arange(parameters["n"])}, folder / "model.safetensors")
    return {"n": parameters["n"]}


def test_models_are_files_of_the_run():
    for was_loaded in (False, True):
        trained = run("model", {"n": 4}, model)
        assert trained.was_loaded is was_loaded
        assert_array_equal(load_file(trained.file("model.safetensors"))["weights"], [0, 1, 2, 3])
    with pytest.raises(FileNotFoundError, match="holds no file 'other'"):
        trained.file("other")


def interrupted_once(parameters, checkpoints):
    done = checkpoints / "done.txt"
    if done.exists():
        return {"went on from": done.read_text()}
    checkpoints.mkdir()
    done.write_text("half")
    raise KeyboardInterrupt


def test_checkpoints_outlive_a_computation_that_was_stopped_and_go_with_the_run_that_is_kept(cache):
    with pytest.raises(KeyboardInterrupt):
        run("long", {"n": 1}, interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        run("long", {"n": 2}, interrupted_once)  # another run's checkpoints are not its own
    assert run("long", {"n": 1}, interrupted_once)["went on from"] == "half"
    assert len(list((cache / "long").glob("*-checkpoints"))) == 1


def pickled(parameters, folder):
    (folder / "model.pkl").write_bytes(b"")
    return {}


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (pickled, "model.pkl is a pickle"),
        (lambda parameters: 3, "must return a dictionary"),
        (lambda parameters: {"a": [object()]}, r"\['a'\]\[0\] is a object"),
        (lambda parameters: {"a": np.array([None])}, r"\['a'\] is a ndarray"),
    ],
)
def test_what_cannot_be_kept_is_refused(compute, message, cache):
    with pytest.raises(TypeError, match=message):
        run("bad", {}, compute)
    assert list((cache / "bad").iterdir()) == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b"])
def test_bad_names_are_refused(name):
    with pytest.raises(ValueError, match="name must be"):
        run(name, {}, compute)


def test_a_computation_that_fails_leaves_nothing(cache):
    with pytest.raises(ZeroDivisionError):
        run("fails", {}, lambda parameters: 1 / 0)
    assert list((cache / "fails").iterdir()) == []


@pytest.mark.parametrize("which", ["run.json", "0-profile.npy", "1-table.parquet", "files/model.safetensors"])
@pytest.mark.parametrize("how", ["flipped", "cut", "emptied", "removed"])
def test_a_damaged_file_is_noticed_and_the_run_computed_again(which, how):
    def whole(parameters, folder):
        save_file({"weights": np.arange(100)}, folder / "model.safetensors")
        return {"profile": np.arange(100), "table": pd.DataFrame({"a": range(100)}), "number": 123456}

    file = run("damaged", {}, whole).folder / which
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    changed = {"flipped": content, "cut": content[:-9], "emptied": b""}
    file.unlink() if how == "removed" else file.write_bytes(changed[how])
    with pytest.warns(UserWarning, match="is damaged and is computed again"):
        repaired = run("damaged", {}, whole)
    assert not repaired.was_loaded
    assert run("damaged", {}, whole).was_loaded
    assert_array_equal(repaired["profile"], np.arange(100))


def test_without_space_the_result_is_returned_with_a_warning(monkeypatch, cache):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "sync", full)
    with pytest.warns(UserWarning, match=r"could not be kept .* No space left on device"):
        result = run("full", {}, lambda parameters: {"values": np.arange(3)})
    assert_array_equal(result["values"], [0, 1, 2])
    assert result.folder is None
    assert list((cache / "full").iterdir()) == []
    with pytest.raises(FileNotFoundError):
        result.file("model.safetensors")


def test_a_cache_that_cannot_be_made_costs_no_result(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match="could not be kept"):
        assert run("kept", {}, lambda parameters: {"value": 5}, folder=tmp_path / "file")["value"] == 5


script = """
import os, sys, time
from pathlib import Path
from particlelab.lab.runs import run

def slow(parameters):
    place = Path(parameters["place"])
    with (place / "computed").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    while not (place / "go").exists():
        time.sleep(0.01)
    return {"pid": os.getpid()}

place = Path(sys.argv[1])
(place / f"asks-{os.getpid()}").touch()
result = run("slow", {"place": str(place)}, slow)
print(result["pid"], result.was_loaded)
"""


@pytest.fixture
def start(tmp_path):
    """Start processes that ask for the same run; they wait in it until the file ``go`` is there."""
    started = []

    def start():
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def until(condition, *processes):
    while not condition():
        assert all(process.poll() is None for process in processes), "a process has ended early"
        time.sleep(0.02)


def computed(tmp_path):
    return (tmp_path / "computed").read_text().split() if (tmp_path / "computed").exists() else []


def test_processes_that_ask_at_once_compute_once(tmp_path, start):
    processes = [start() for _ in range(3)]
    until(lambda: len(list(tmp_path.glob("asks-*"))) == 3 and computed(tmp_path), *processes)
    (tmp_path / "go").touch()
    answers = [process.communicate()[0].split() for process in processes]
    assert len(computed(tmp_path)) == 1
    assert {pid for pid, _ in answers} == set(computed(tmp_path))
    assert sorted(was_loaded for _, was_loaded in answers) == ["False", "True", "True"]


def test_a_killed_run_leaves_nothing_that_looks_finished(tmp_path, cache, start):
    first = start()
    until(lambda: computed(tmp_path), first)
    waits = start()
    until(lambda: len(list(tmp_path.glob("asks-*"))) == 2, first, waits)
    first.send_signal(signal.SIGKILL)
    first.wait()
    until(lambda: len(computed(tmp_path)) == 2, waits)  # its lock has died with it
    assert not any(Path(file).name == "run.json" for file in cache.rglob("*"))
    (tmp_path / "go").touch()
    assert waits.communicate()[0].split() == [str(waits.pid), "False"]
    assert [path.name for path in (cache / "slow").iterdir()] == [next((cache / "slow").glob("[!.]*")).name]


def test_left_overs_of_other_runs_are_swept_but_not_of_those_that_live(cache, tmp_path, start):
    folder = cache / "slow"
    (folder / ".0123456789abcdef-dead.tmp").mkdir(parents=True)
    alive = start()
    until(lambda: computed(tmp_path), alive)
    assert not (folder / ".0123456789abcdef-dead.tmp").exists()
    at_work = list(folder.glob(".*.tmp"))
    assert len(at_work) == 1
    run("slow", {"another": 1}, lambda parameters: {})
    assert list(folder.glob(".*.tmp")) == at_work
    (tmp_path / "go").touch()
    assert alive.communicate()[0].split()[1] == "False"


def test_the_manifest_can_be_read(cache):
    folder = run("imaging", Imaging(pixel_size_nm=0.25), compute).folder
    manifest = json.loads((folder / "run.json").read_text().rpartition("}")[0] + "}")
    assert manifest["parameters"] == {"pixel_size_nm": 0.25}
    assert manifest["name"] == "imaging"
