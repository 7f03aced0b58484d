"""All runs at a glance: the page ``reports/index.html`` and the table ``reports/scoreboard.md``."""

import itertools
import statistics
from functools import cache
from pathlib import Path

import nbformat

from particlelab.lab import folders
from particlelab.lab.atomic import read_json
from particlelab.lab.notebook_files import title
from particlelab.lab.results import document_and_here, format_value
from particlelab.writing import write_text

TEMPLATES = Path(__file__).parent / "templates"
# Whatever a page holds, the browser loads nothing from anywhere. Figures need scripts that stand in the page.
POLICY = (
    "default-src 'none'; img-src data: blob:; font-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'; worker-src blob:"
)
_COLUMNS = ("notebook", "metric", "document", "here", "source", "setting", "seeds", "machine", "date", "command")
_KEY = ("notebook", "metric", "setting")  # what makes a row of the scoreboard


def write_index(folder=None):
    """Write the page that lists all runs, with each number beside the document's.

    Parameters
    ----------
    folder : path, optional
        Holds the runs, and gets ``index.html``; ``reports`` if not given.

    Returns
    -------
    Path
    """
    folder = Path(folder or folders.reports())
    runs = find_runs(folder)
    for run in runs:
        run["setting"] = _text(_distinct(run, runs))
        run["link"] = f"{run['folder'].relative_to(folder).as_posix()}/index.html"
        run["has_report"] = (folder / run["link"]).is_file()
        for metric in run["metrics"]:
            metric["document_text"], metric["here_text"] = document_and_here(metric)
    counts = {status: sum(run["status"] == status for run in runs) for status in ("done", "failed", "by hand")}
    page = _template().render(
        runs=runs,
        counts=counts,
        policy=POLICY,
        style=(TEMPLATES / "page.css").read_text(),
        script=(TEMPLATES / "index.js").read_text(),
    )
    return write_text(folder / "index.html", page)


def write_scoreboard(path=None, folder=None):
    """Write the table of every number that a document reports, beside what the sweeps found.

    Runs that differ in nothing but their seed share a row: mean ± standard deviation between seeds. Rows of the file
    that no run here gives (they were made on another machine) stay as they are.

    Parameters
    ----------
    path : path, optional
        The Markdown file; ``reports/scoreboard.md`` if not given.
    folder : path, optional
        Holds the runs; ``reports`` if not given.

    Returns
    -------
    Path
    """
    folder = Path(folder or folders.reports())
    path = Path(path or folder / "scoreboard.md")
    rows = _kept_rows(path) | {tuple(row[name] for name in _KEY): row for row in _scores(find_runs(folder))}
    lines = [
        "# Scoreboard",
        "",
        "Every number that a document reports, beside what was found here. ± is the standard deviation between seeds, "
        "or for one seed the interval that the notebook gives. Written by `particlelab report`.",
        "",
        _row(_COLUMNS),
        _row("---" for _ in _COLUMNS),
        *(_row(rows[key][name] for name in _COLUMNS) for key in sorted(rows)),
    ]
    return write_text(path, "\n".join(lines) + "\n")


def find_runs(folder):
    """Return all runs below a folder: those of batches, and those of notebooks that were run by hand.

    Returns
    -------
    list of dict
        ``status`` ("done", "failed" or "by hand"), ``sweep``, ``notebook``, ``title``, ``parameters``, ``seed``,
        ``date``, ``duration_s``, ``error``, ``environment``, ``command``, ``metrics`` and ``folder``.
    """
    runs = []
    for path in sorted(folder.glob("*/[!.]*/")):
        status, results = read_json(path / "status.json"), read_json(path / "results.json") or {}
        if status is None and not results:
            continue
        by_hand = {
            **{"status": "by hand", "sweep": path.parent.name, "notebook": path.name, "title": _title(path.name)},
            **{"parameters": {}, "duration_s": None, "error": None, "command": ""},
        }
        run = {**by_hand, "environment": results.get("environment", {}), **(status or {})}
        run["date"] = results.get("date") or run["environment"].get("date", "")
        run["seed"] = results.get("parameters", {}).get("seed")
        run["metrics"] = results.get("metrics", []) if run["status"] != "failed" else []
        runs.append({**run, "folder": path})
    return sorted(runs, key=lambda run: (*_place(run), [_rank(value) for value in run["parameters"].values()]))


def made_with(run):
    """Return how long a run took and what it was made with, as a list of texts."""
    environment = run.get("environment", {})
    duration = run.get("duration_s")
    texts = [environment.get("date", "")[:16].replace("T", " "), f"{duration:.0f} s" if duration is not None else ""]
    texts += [machine(environment), f"Python {environment['python']}" if "python" in environment else ""]
    return [text for text in [*texts, f"git {environment['git']}" if environment.get("git") else ""] if text]


def machine(environment):
    """Return the machine of a run in a few words."""
    if "processor" not in environment:
        return ""
    cores = "1 core" if environment["cores"] == 1 else f"{environment['cores']} cores"
    return ", ".join(text for text in (environment["processor"], cores, environment["gpu"]) if text)


@cache
def _template():
    from jinja2 import Environment, FileSystemLoader

    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True).get_template("index.html.j2")


def _title(notebook):
    path = folders.notebooks() / f"{notebook}.ipynb"
    return (title(nbformat.read(path, as_version=4)) if path.is_file() else "") or notebook


def _distinct(run, runs):
    """Return the parameters in which a run differs from the others of its notebook and sweep."""
    others = [other["parameters"] for other in runs if _place(other) == _place(run) and other is not run]
    given = run["parameters"]
    return {k: v for k, v in given.items() if not others or any(other.get(k, ...) != v for other in others)}


def _place(run):
    return run["sweep"], run["notebook"]


def _rank(value):
    """Return what sorts numbers by size and before everything else."""
    return (0, value, "") if isinstance(value, int | float) else (1, 0, str(value))


def _text(parameters):
    return ", ".join(f"{name} = {value}" for name, value in parameters.items())


def _scores(runs):
    """Return a row for every number that has a document's value, from the runs of sweeps."""
    found = [
        (run, metric)
        for run in runs
        if run["status"] == "done" and run["command"].startswith("particlelab batch")
        for metric in run["metrics"]
        if metric["document"] is not None
    ]

    def key(item):
        run, metric = item
        others = {name: value for name, value in run["parameters"].items() if name != "seed"}
        setting = f"{run['sweep']} ({_text(others)})" if others else run["sweep"]
        return run["notebook"], metric["metric"], setting

    for (notebook, name, setting), group in itertools.groupby(sorted(found, key=key), key):
        members = list(group)
        run, metric = members[-1]
        document, here = document_and_here(metric)
        values = [member["value"] for _, member in members if isinstance(member["value"], int | float)]
        if len(values) > 1:
            mean, spread = statistics.fmean(values), statistics.stdev(values)
            here = format_value(mean, (mean - spread, mean + spread), metric["unit"])
        seeds = sorted({str(member["seed"]) for member, _ in members if member["seed"] is not None})
        yield {
            **{"notebook": notebook, "metric": name, "document": document, "here": here, "source": metric["source"]},
            **{"setting": setting, "seeds": ", ".join(seeds), "machine": machine(run["environment"])},
            **{"date": max(member["date"] for member, _ in members)[:10], "command": f"`{run['command']}`"},
        }


def _row(cells):
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _kept_rows(path):
    """Return the rows of a scoreboard that is there already, by their key."""
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        cells = [cell.strip().replace("\0", "|") for cell in line.replace("\\|", "\0").strip("| ").split(" | ")]
        if len(cells) == len(_COLUMNS) and cells[0] not in ("notebook", "---"):
            row = dict(zip(_COLUMNS, cells, strict=True))
            rows[tuple(row[name] for name in _KEY)] = row
    return rows
