"""Batches: every notebook ends in its folder, none runs twice that was done, whatever is killed meanwhile."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from particlelab.lab.batch import Sweep, run_sweep
from particlelab.lab.kernels import PrivateKernelManager

BIN = Path(sys.executable).parent

COUNTS = """
import os, pathlib, time
here = pathlib.Path(place)
(here / f"started-{number}-{os.getpid()}").touch()
while not any((here / name).exists() for name in ("go", f"go-{number}")):
    time.sleep(0.02)
if number == fails:
    raise ValueError("not this one")
with (here / "finished").open("a") as file:
    file.write(f"{number}\\n")
"""

SETTINGS = """
import json, os, pathlib
names = "PARTICLELAB_RUN_FOLDER PARTICLELAB_LIVE OMP_NUM_THREADS PARTICLELAB_DATA".split()
content = {name: os.environ.get(name) for name in names} | {"folder": os.getcwd(), "method": method}
pathlib.Path(os.environ["PARTICLELAB_RUN_FOLDER"], "results.json").write_text(json.dumps(content))
"""

LATE = """
import sys
import time

sys.stdout.flush_timeout = sys.stderr.flush_timeout = 0
get_ipython().kernel.iopub_thread.schedule(lambda: time.sleep(6))
"better " + "late"
"""  # the cell's end is told at once, what it shows after six seconds; Jupyter itself waits for four


def write_notebook(home, name, parameters, *sources, metadata=None):
    cells = [new_markdown_cell(f"# Title of {name}"), new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    notebook = new_notebook(cells=cells + [new_code_cell(source) for source in sources], metadata=metadata or {})
    path = home / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project with two notebooks of its own."""
    monkeypatch.setenv("PARTICLELAB_HOME", str(tmp_path))
    monkeypatch.delenv("PARTICLELAB_REPORTS", raising=False)
    monkeypatch.delenv("PARTICLELAB_CACHE", raising=False)
    write_notebook(tmp_path, "10_counts", "place = ''\nnumber = 0\nfails = -1", COUNTS)
    write_notebook(tmp_path, "11_settings", "method = 'otsu'\nwidth_nm = 1.5", SETTINGS)
    return tmp_path


def counting(home, numbers, fails=-1):
    entry = {"notebook": "10_counts", "parameters": {"place": str(home), "fails": fails}, "grid": {"number": numbers}}
    return {"name": "count", "notebooks": [entry]}


def finished(home):
    return sorted(map(int, (home / "finished").read_text().split())) if (home / "finished").exists() else []


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A dask scheduler and two workers, each a process of its own: the scheduler's address and the workers."""
    folder = tmp_path_factory.mktemp("cluster")
    address_file = folder / "scheduler.json"
    dashboard = ["--dashboard-address", "127.0.0.1:0"]
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", address_file, *dashboard]
    worker = ["worker", "--scheduler-file", address_file, "--nthreads", "1", "--no-nanny", *dashboard]
    log = (folder / "log").open("w")
    started = [
        subprocess.Popen([BIN / "dask", *command], cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        for command in (scheduler, worker, worker)
    ]
    until(lambda: address_file.exists() and address_file.read_text().endswith("}"), started[0])
    yield json.loads(address_file.read_text())["address"], started[1:]
    for process in reversed(started):
        process.kill()
        process.wait()
    log.close()


def test_a_failure_is_told_and_stops_no_other_and_what_is_done_is_skipped(home, cluster):
    scheduler, _ = cluster
    (home / "go").touch()
    sweep = Sweep.from_dict(counting(home, [1, 2, 3], fails=2))
    lines = []
    table = run_sweep(sweep, scheduler=scheduler, progress=lines.append)
    assert list(table["status"]) == ["done", "failed", "done"]
    assert finished(home) == [1, 3]
    error = table["error"][1]
    assert (error["cell"], error["name"], error["message"]) == (3, "ValueError", "not this one")
    assert error["source"] == COUNTS
    assert "not this one" in error["traceback"]
    assert "\x1b" not in error["traceback"]
    assert len(lines) == 3
    assert any("failed" in line and "number=2" in line and "cell 3: ValueError: not this one" in line for line in lines)
    for folder in table["folder"]:
        assert {path.name for path in folder.iterdir()} == {"notebook.ipynb", "status.json", "index.html"}
    assert json.loads((table["folder"][0] / "status.json").read_text())["title"] == "Title of 10_counts"

    again = run_sweep(sweep, scheduler=scheduler, progress=lines.append)
    assert list(again["was_done"]) == [True, False, True]  # what failed is tried again
    assert finished(home) == [1, 3]

    path = home / "notebooks" / "10_counts.ipynb"
    path.write_text(path.read_text().replace("not this one", "nor this one"))
    changed = run_sweep(Sweep.from_dict(counting(home, [1], fails=2)), scheduler=scheduler, progress=lines.append)
    assert list(changed["was_done"]) == [False]
    assert finished(home) == [1, 1, 3]


def test_workers_of_a_cluster_share_the_notebooks(home, cluster):
    """Each run waits for another beside it, so that both workers have to have one."""
    scheduler, workers = cluster
    source = """
import os, pathlib, time
here = pathlib.Path(place)
(here / f"{number}-{os.getppid()}").touch()
while len(list(here.iterdir())) < 2:
    time.sleep(0.02)
"""
    write_notebook(home, "12_where", "place = ''\nnumber = 0", source)
    (home / "where").mkdir()
    entry = {"notebook": "12_where", "parameters": {"place": str(home / "where")}, "grid": {"number": [1, 2, 3]}}
    table = run_sweep(Sweep.from_dict({"name": "where", "notebooks": [entry]}), scheduler=scheduler)
    assert list(table["status"]) == ["done"] * 3
    ran = [path.name.split("-") for path in (home / "where").iterdir()]
    assert sorted(number for number, _ in ran) == ["1", "2", "3"]
    assert {int(parent) for _, parent in ran} == {worker.pid for worker in workers}


def test_what_is_last_runs_after_the_others_and_every_time(home, cluster):
    scheduler, _ = cluster
    source = "import pathlib\nwith (pathlib.Path(place) / 'order').open('a') as file:\n    file.write(name + ' ')"
    write_notebook(home, "12_order", "place = ''\nname = ''", source)
    entry = {"notebook": "12_order", "parameters": {"place": str(home)}}
    entries = [{**entry, "grid": {"name": ["z"]}, "last": True}, {**entry, "grid": {"name": ["a", "b", "c"]}}]
    sweep = Sweep.from_dict({"name": "order", "notebooks": entries})
    table = run_sweep(sweep, scheduler=scheduler)
    first = (home / "order").read_text().split()
    assert sorted(first) == ["a", "b", "c", "z"]
    assert first[-1] == "z"
    assert [parameters["name"] for parameters in table["parameters"]] == ["z", "a", "b", "c"]
    assert list(run_sweep(sweep, scheduler=scheduler)["was_done"]) == [False, True, True, True]
    assert (home / "order").read_text().split() == [*first, "z"]


def test_other_data_ask_for_new_results(home, cluster, monkeypatch):
    scheduler, _ = cluster
    write_notebook(home, "12_quick", "a = 1")
    image = home / "images" / "soot" / "a.tif"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"12")
    monkeypatch.setenv("PARTICLELAB_DATA", str(home / "images"))

    def was_done():
        return run_sweep(Sweep.single("12_quick", {}), scheduler=scheduler)["was_done"][0]

    assert [was_done(), was_done()] == [False, True]
    (home / "images" / "soot" / "b.tif").touch()  # another
    assert [was_done(), was_done()] == [False, True]
    before = image.stat()
    image.write_bytes(b"1")  # another size
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [was_done(), was_done()] == [False, True]
    os.utime(image, ns=(0, 0))  # another time
    assert [was_done(), was_done()] == [False, True]

    monkeypatch.setenv("PARTICLELAB_DATA", str(home / "data"))
    assert not was_done()
    (home / "data" / "cache" / "name").mkdir(parents=True)
    (home / "data" / "cache" / "name" / "run.json").touch()
    assert was_done()  # cached runs are no data


def test_what_a_notebook_is_given(home, monkeypatch):
    monkeypatch.setenv("PARTICLELAB_DATA", "/somewhere")
    sweep = Sweep.single("11_settings", {"method": 'it\'s "quoted" ä'})
    assert sweep.name == "single"
    (folder,) = run_sweep(sweep, workers=1)["folder"]
    given = json.loads((folder / "results.json").read_text())
    assert Path(given["PARTICLELAB_RUN_FOLDER"]).parent.parent == folder.parent == home / "reports" / "single"
    assert given["PARTICLELAB_LIVE"] == "0"
    assert given["OMP_NUM_THREADS"] == str(len(psutil.Process().cpu_affinity()))
    assert given["PARTICLELAB_DATA"] == "/somewhere"
    assert given["folder"] == str(home / "notebooks")
    assert given["method"] == 'it\'s "quoted" ä'
    assert "PARTICLELAB_LIVE" not in os.environ


def test_past_its_time_limit_a_notebook_is_stopped(home, cluster):
    table = run_sweep(Sweep.from_dict(counting(home, [1])), scheduler=cluster[0], timeout_s=4)
    assert table["error"][0]["message"] == "it ran past its time limit of 4 s"
    assert table["error"][0]["cell"] == 3
    assert not any(psutil.pid_exists(int(path.name.split("-")[2])) for path in home.glob("started-*"))


def test_what_a_busy_machine_shows_late_is_kept(home, cluster):
    write_notebook(home, "12_late", "", LATE)
    sweep = Sweep.from_dict({"name": "late", "notebooks": [{"notebook": "12_late"}]})
    table = run_sweep(sweep, scheduler=cluster[0])
    assert list(table["status"]) == ["done"]
    shown = nbformat.read(table["folder"][0] / "notebook.ipynb", as_version=4).cells[-1].outputs
    assert [output.data["text/plain"] for output in shown] == ["'better late'"]


def test_a_kernel_that_dies_is_a_failure_of_its_notebook(home, cluster):
    write_notebook(home, "12_dies", "a = 1", "import os\nos._exit(3)", "1 / 0")
    (error,) = run_sweep(Sweep.single("12_dies", {}), scheduler=cluster[0])["error"]
    assert (error["cell"], error["name"]) == (3, "DeadKernelError")


@pytest.fixture
def batch(home):
    """Start a batch as a process of its own; each of its runs waits for a file ``go`` or ``go-<number>``."""
    started = []

    def start(runs):
        (home / "count.yaml").write_text(json.dumps(counting(home, list(range(runs)))))  # JSON is YAML
        command = [BIN / "particlelab", "batch", home / "count.yaml"]
        with (home / "said").open("w") as said:
            started.append(subprocess.Popen(command, start_new_session=True, stdout=said, stderr=said))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def until(condition, process=None):
    while not (found := condition()):
        assert process is None or process.poll() is None, "the batch has ended early"
        time.sleep(0.05)
    return found


def kernels(home):
    """Return the kernels that wait: process by number."""
    found = {}
    for path in home.glob("started-*"):
        _, number, pid = path.name.split("-")
        if psutil.pid_exists(int(pid)):
            found[int(number)] = psutil.Process(int(pid))
    return found


def done(home):
    statuses = [json.loads(path.read_text()) for path in home.glob("reports/count/[!.]*/status.json")]
    return sorted(status["parameters"]["number"] for status in statuses if status["status"] == "done")


def go(home, *numbers):
    for number in numbers:
        (home / f"go-{number}").touch()


def waiting(home, ready):
    """Return two kernels that wait, none of which may go on."""
    found = {number: kernel for number, kernel in kernels(home).items() if number not in ready}
    return found if len(found) == 2 else None


def test_what_is_killed_or_interrupted_costs_nothing_that_had_finished(home, batch):
    first = batch(8)
    ready = list(until(lambda: waiting(home, []), first))
    go(home, *ready)
    until(lambda: done(home) == sorted(ready), first)

    (victim, kernel), (_, kernel_of_other) = until(lambda: waiting(home, ready), first).items()
    kernel.parent().send_signal(signal.SIGKILL)  # the worker
    until(lambda: not kernel.is_running(), first)  # its kernel ends with it
    ready.append(victim)
    go(home, victim)
    until(lambda: done(home) == sorted(ready), first)  # and another worker has run the notebook
    assert kernel_of_other.is_running()

    until(lambda: waiting(home, ready), first)
    family = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.wait()
    until(lambda: not any(process.is_running() for process in family))  # nobody is left behind
    assert done(home) == finished(home) == sorted(ready)

    second = batch(8)
    more = list(until(lambda: waiting(home, ready), second))
    go(home, *more)
    ready += more
    until(lambda: done(home) == sorted(ready) and waiting(home, ready), second)
    family = psutil.Process(second.pid).children(recursive=True)
    os.killpg(second.pid, signal.SIGINT)  # what Ctrl-C does
    assert second.wait() == 130
    until(lambda: not any(process.is_running() for process in family))
    assert done(home) == finished(home) == sorted(ready)
    assert len(list(home.glob("reports/count/[!.]*/status.json"))) == len(ready)  # what was stopped has not failed
    assert (home / "said").read_text().splitlines()[-1] == "Stopped. The same command goes on where it was."

    (home / "go").touch()
    assert batch(8).wait() == 0
    assert done(home) == finished(home) == list(range(8))
    assert not list(home.glob("reports/count/.*.tmp"))


def test_what_killed_kernels_leave_goes_when_the_next_one_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kernels = tmp_path / f"lab-{os.getuid()}"
    left = kernels / ".0123abcd-wxyz.tmp"
    left.mkdir(parents=True)
    (left / "kernel.json").touch()
    living = PrivateKernelManager()
    assert not left.exists()
    other = PrivateKernelManager()
    assert Path(living.connection_file).parent.is_dir()
    assert Path(living.connection_file).parent != Path(other.connection_file).parent
    with ThreadPoolExecutor() as pool:  # a browser of other tests may hold this thread's event loop
        for manager in (living, other):
            pool.submit(asyncio.run, manager.cleanup_resources()).result()
    assert list(kernels.iterdir()) == []
