"""One execution of a notebook: run it in a kernel of its own, and keep all that it leaves."""

import contextlib
import os
import re
import threading
import time

import nbformat

from particlelab.lab.atomic import claim, read_json, settle, sync, write_json
from particlelab.lab.environment import environment
from particlelab.lab.notebook_files import is_added, title

OUTPUT_S = 3600  # how late what a cell shows may come after its end, on a busy machine
LOST_WORKERS = 3  # an execution whose worker was lost this many times is not tried again
_STATUS = "status.json"
_NOTEBOOK = "notebook.ipynb"
_one_at_a_time = threading.Lock()  # papermill changes the working directory of the process


def execute(task, settings, timeout_s):
    """Run a notebook, unless that is done already; keep what it leaves and return its status.

    Parameters
    ----------
    task : dict
        ``notebook``, ``parameters``, ``place`` (folder that will appear), ``key``, ``sweep`` and ``command``.
    settings : dict of str to str
        Environment variables for the kernel.
    timeout_s : float or None

    Returns
    -------
    dict
        What stands in ``status.json``.
    """
    with _one_at_a_time, claim(task["place"]) as workplace:
        if status := done(task):  # by another batch, while this one waited
            return status
        draft = workplace / "run"
        draft.mkdir()
        started = time.monotonic()
        with _environment(PARTICLELAB_RUN_FOLDER=str(draft), PARTICLELAB_LIVE="0", **settings):
            error = _run_notebook(task, draft / _NOTEBOOK, timeout_s)
        status = _status(task, round(time.monotonic() - started, 2), error)
        _keep(workplace, task, status)
        return status


def fail(task, error):
    """Keep and return the status of a task that could not even be run."""
    status = _status(task, None, _explain(error))
    with contextlib.suppress(OSError), claim(task["place"]) as workplace:
        _keep(workplace, task, status)
    return status


def done(task):
    """Return the status of a task that has been done, else None."""
    status = read_json(task["place"] / _STATUS)
    return status if status and status["status"] == "done" and status["key"] == task["key"] else None


def _run_notebook(task, output, timeout_s):
    """Execute a notebook; return None, or what went wrong."""
    import papermill

    from particlelab.lab.kernels import PrivateKernelManager

    options = {
        "kernel_name": "python3",
        "language": "python",
        "kernel_manager_class": PrivateKernelManager,
        "progress_bar": False,
        "iopub_timeout": OUTPUT_S,
    }
    if timeout_s is not None:
        end = time.monotonic() + timeout_s
        options["timeout_func"] = lambda cell: max(end - time.monotonic(), 0.1)
    notebook = task["notebook"]
    try:
        papermill.execute_notebook(notebook, output, task["parameters"], cwd=notebook.parent, **options)
    except TimeoutError:
        return _explain(TimeoutError(f"it ran past its time limit of {timeout_s:g} s"), output)
    except Exception as error:  # whatever a notebook raises stands in its report
        return _explain(error, output)
    return None


def _explain(error, notebook=None):
    """Return the cell (counted from 1, as the author sees them), its source, and the error in words."""
    words = {
        "KilledWorker": f"its worker died {LOST_WORKERS} times (killed, or out of memory)",
        "DeadKernelError": "its kernel died (killed, or out of memory)",
    }
    name = getattr(error, "ename", type(error).__name__)
    message = getattr(error, "evalue", words.get(name, str(error)))
    traceback = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(getattr(error, "traceback", [])))
    explained = {"cell": None, "source": "", "name": name, "message": message, "traceback": traceback}
    if notebook is not None and notebook.is_file():
        cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if not is_added(cell)]
        started = [i for i, cell in enumerate(cells) if cell.metadata.get("papermill", {}).get("start_time")]
        if started:
            explained |= {"cell": started[-1] + 1, "source": cells[started[-1]].source}
    return explained


def _status(task, duration_s, error):
    return {
        "status": "failed" if error else "done",
        "key": task["key"],
        "sweep": task["sweep"],
        "command": task["command"],
        "notebook": task["notebook"].stem,
        "title": title(nbformat.read(task["notebook"], as_version=4)),
        "parameters": task["parameters"],
        "duration_s": duration_s,
        "error": error,
        "environment": environment(),
    }


def _keep(workplace, task, status):
    """Put the folder of an execution, with its status and its report, into its place."""
    draft = workplace / "run"
    draft.mkdir(exist_ok=True)
    write_json(draft / _STATUS, status)
    if (draft / _NOTEBOOK).is_file():
        from particlelab.lab.report import write_report

        try:
            write_report(draft / _NOTEBOOK, draft / "index.html")
        except Exception as problem:  # the numbers are worth keeping without it
            write_json(draft / _STATUS, {**status, "report_error": f"{type(problem).__name__}: {problem}"})
    for path in draft.iterdir():
        sync(path)
    settle(draft, task["place"])


@contextlib.contextmanager
def _environment(**variables):
    """Set environment variables, which kernels inherit, for a while."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
