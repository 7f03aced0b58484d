"""The command line: its help, what it refuses, and what its exit status says."""

import subprocess
import sys
from importlib.metadata import version

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from particlelab.cli import main
from particlelab.lab import dashboards
from particlelab.lab.doctor import PACKAGES

COMMANDS = ("run", "batch", "serve", "report", "doctor", "measure")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project with one notebook."""
    for name in ("PARTICLELAB_REPORTS", "PARTICLELAB_CACHE", "PARTICLELAB_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PARTICLELAB_HOME", str(tmp_path))
    cells = [
        new_markdown_cell("# Inverse"),
        new_code_cell("number = 1", metadata={"tags": ["parameters"]}),
        new_code_cell("1 / number"),
    ]
    (tmp_path / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / "10_inverse.ipynb")
    return tmp_path


@pytest.fixture
def call(monkeypatch, capsys):
    """``call(*words) -> exit status, output, errors`` of the command ``particlelab``."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["particlelab", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, *capsys.readouterr()

    return run


def sweep_file(home, numbers):
    path = home / "sweep.yaml"
    path.write_text(f"name: some\nnotebooks: [{{notebook: 10_inverse, grid: {{number: {numbers}}}}}]")
    return path


def test_help_names_every_command(call):
    status, text, _ = call("--help")
    assert status == 0
    listed = [line.strip("│ ").split()[:1] for line in text.partition("Commands")[2].splitlines()]
    assert [words[0] for words in listed if words and words[0] in COMMANDS] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(call, command):
    status, text, _ = call(command, "--help")
    assert status == 0
    assert f"particlelab {command}" in text


def test_help_waits_for_nothing_that_it_does_not_use():
    code = "import sys, particlelab.cli; print(sys.modules.keys() & {'pandas', 'nbformat', 'distributed', 'voila'})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_the_doctor_says_what_is_there(call, home, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    status, text, _ = call("doctor")
    assert status == 0
    found = [line.split() for line in text.splitlines()]
    for package in PACKAGES:
        assert ["ok", package, version(package)] in [words[:3] for words in found]
    for tool in ("Python", "GPU", "Blender", "LLVM", "Chromium", "PARTICLELAB_DATA is not set"):
        assert tool in text


def test_the_doctor_says_what_is_missing(call, home, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    (home / "[file]").touch()
    monkeypatch.setenv("PARTICLELAB_REPORTS", str(home / "[file]" / "reports"))
    status, text, _ = call("doctor")
    assert status == 1
    assert f"missing  Reports       cannot be written: {home}/[file]/reports" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "10_invers"], "there is no notebook '10_invers' in {home}/notebooks; did you mean '10_inverse'?"),
        (["run", "10_inverse", "-p", "x=1"], "10_inverse has no parameter 'x'; there are number"),
        (["run", "10_inverse", "-p", "number"], "-p number: expected NAME=VALUE"),
        (["run", "10_inverse", "-p", "=3"], "-p =3: expected NAME=VALUE"),
        (
            ["run", "10_inverse", "-p", "number=[bold]"],
            "10_inverse: number = ['bold'] is not allowed; its default is 1",
        ),
        (["batch", "{home}/none.yaml"], "[Errno 2] No such file or directory: '{home}/none.yaml'"),
        (["batch", "{home}/sweep.yaml"], "{home}/sweep.yaml: 10_inverse: grid: number must be a list of values, got 3"),
        (["serve", "10_invers"], "there is no notebook '10_invers' in {home}/notebooks; did you mean '10_inverse'?"),
        (["serve", "--ip", "0.0.0.0", "--token", ""], "ip = '0.0.0.0' lets other machines in; that needs a token"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_nothing_runs(call, home, words, message):
    sweep_file(home, 3)
    status, text, errors = call(*(word.format(home=home) for word in words))
    assert (status, text) == (2, "")
    assert errors == f"particlelab: {message.format(home=home)}\n"
    assert not (home / "reports").exists()


def test_a_value_that_is_no_yaml_is_told_in_one_line(call, home):
    status, _, errors = call("run", "10_inverse", "-p", "number=[1")
    assert status == 2
    assert errors.startswith("particlelab: -p number=[1: ")
    assert errors.count("\n") == 1


def test_a_batch_ends_with_its_report(call, home):
    status, text, _ = call("batch", sweep_file(home, "[1, 2e+0]"), "--timeout", "300")
    assert status == 0
    assert "done    10_inverse number=2.0" in text
    assert text.splitlines()[-1] == f"Report: {home}/reports/index.html"
    assert (home / "reports" / "index.html").is_file()
    assert len(list((home / "reports" / "some").glob("10_inverse-*/index.html"))) == 2


def test_a_run_that_fails_is_seen_in_the_exit_status(call, home):
    status, text, _ = call("run", home / "notebooks" / "10_inverse.ipynb", "-p", "number=0")
    assert status == 1
    assert "failed  10_inverse number=0  cell 3: ZeroDivisionError: division by zero" in text
    assert "failed in cell 3" in (home / "reports" / "index.html").read_text().replace("</span>", "")


def test_report_writes_the_index_and_the_scoreboard(call, home):
    status, text, _ = call("report")
    assert status == 0
    assert text == f"Report: {home}/reports/index.html\nScoreboard: {home}/reports/scoreboard.md\n"
    assert {path.name for path in (home / "reports").iterdir()} == {"index.html", "scoreboard.md"}


def test_serve_passes_on_what_it_is_told(call, home, monkeypatch):
    asked = []
    monkeypatch.setattr(dashboards, "serve", lambda notebooks, **options: asked.append((notebooks, options)))
    call("serve")
    words = "--port 0 --ip ::1 --no-browser --token a --idle-minutes 5 --preheat 2 --verbose"
    call("serve", "10_inverse", *words.split())
    default = {"port": 8866, "ip": "127.0.0.1", "open_browser": True, "token": None}
    given = {"port": 0, "ip": "::1", "open_browser": False, "token": "a"}
    assert asked == [
        ([], default | {"idle_minutes": 60, "preheat": 0, "verbose": False}),
        ([home / "notebooks" / "10_inverse.ipynb"], given | {"idle_minutes": 5, "preheat": 2, "verbose": True}),
    ]
