"""Batches: the notebooks of a sweep run side by side, each into a folder of its own.

Each execution leaves ``reports/<sweep>/<notebook>-<8 digits>/`` with ``notebook.ipynb`` (executed), ``results.json``
(written by the notebook), ``index.html`` (its report) and ``status.json``. The folder appears when the execution has
ended. One that is done is skipped the next time, unless the notebook, its parameters, the code or the data have
changed. Those that the sweep calls ``last`` read what the others have left: they run after them, and never are skipped.
"""

import contextlib
import logging
import os
import signal
import uuid
from pathlib import Path

import nbformat
import pandas as pd

from particlelab.lab import folders
from particlelab.lab.environment import thread_limits
from particlelab.lab.execution import LOST_WORKERS, done, execute, fail
from particlelab.lab.fingerprint import fingerprint, fingerprint_of_source
from particlelab.lab.sweeps import Execution, Sweep, load_sweep

__all__ = ["Execution", "Sweep", "load_sweep", "run_sweep"]


def run_sweep(sweep, workers=2, scheduler=None, folder=None, timeout_s=None, progress=print):
    """Run all notebooks of a sweep that are not done yet.

    Parameters
    ----------
    sweep : Sweep
    workers : int
        Notebooks that run at the same time on this machine; they share its cores.
    scheduler : str, optional
        Address of a dask scheduler whose workers run the notebooks instead; they must see the same files.
    folder : path, optional
        Where the runs are written, instead of ``reports/<name of the sweep>``.
    timeout_s : float, optional
        Longest time that a notebook may take.
    progress : callable
        Given one line of text for each run that ends.

    Returns
    -------
    DataFrame
        One row an execution: notebook, parameters, status (``"done"`` or ``"failed"``), was_done (skipped now),
        duration_s, error, folder.

    Notes
    -----
    A notebook that fails does not stop the others. A worker that is killed is started again, and so is its notebook.
    After Ctrl-C, or when the batch itself is killed, the same call goes on with what is missing.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    folder = Path(folder or folders.reports() / sweep.name).resolve()
    shared = _state_of_data()
    tasks = [
        {
            "sweep": sweep.name,
            "command": sweep.command,
            "notebook": execution.notebook,
            "parameters": execution.parameters,
            "place": folder / execution.folder_name,
            "key": uuid.uuid4().hex if execution.last else _key(execution, shared),
            "last": execution.last,
        }
        for execution in sweep.executions
    ]
    named = {task["place"]: str(execution) for task, execution in zip(tasks, sweep.executions, strict=True)}
    statuses = {task["place"]: status for task in tasks if (status := done(task))}
    skipped = set(statuses)
    if skipped:
        progress(f"{len(skipped)} of {len(tasks)} were done before")
    for task, status in _run([task for task in tasks if task["place"] not in skipped], workers, scheduler, timeout_s):
        statuses[task["place"]] = status
        progress(f"[{len(statuses)}/{len(tasks)}] {_line(named[task['place']], status)}")
    return pd.DataFrame(
        [
            {
                "notebook": task["notebook"].stem,
                "parameters": task["parameters"],
                "status": statuses[task["place"]]["status"],
                "was_done": task["place"] in skipped,
                "duration_s": statuses[task["place"]]["duration_s"],
                "error": statuses[task["place"]]["error"],
                "folder": task["place"],
            }
            for task in tasks
        ]
    )


def _line(name, status):
    if status["status"] == "done":
        return f"done    {name}  {status['duration_s']:.1f} s"
    error = status["error"]
    cell = f"cell {error['cell']}: " if error["cell"] else ""
    return f"failed  {name}  {cell}{error['name']}: {error['message']}"


def _key(execution, shared):
    """Return what tells whether an execution that was done is still the one that is asked for."""
    return fingerprint(_source_key(execution.notebook), execution.parameters, shared)


def _source_key(notebook):
    """Return the fingerprint of a notebook: its cells, and the code of ours that they import."""
    cells = nbformat.read(notebook, as_version=4).cells
    return fingerprint(
        [(cell.cell_type, cell.source) for cell in cells],
        [_code_key(cell) for cell in cells if cell.cell_type == "code"],
    )


def _code_key(cell):
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return fingerprint_of_source(TransformerManager().transform_cell(cell.source))
    except SyntaxError:  # such a cell will fail in the kernel
        return ""


def _state_of_data():
    """Return what tells whether other data lie there: the files that ship, and those of the user's own folder.

    Git gives its files new times wherever it writes them, so of those that ship only names and sizes count.
    """
    given = os.environ.get("PARTICLELAB_DATA")
    theirs = [(name, info.st_size, info.st_mtime_ns) for name, info in _files(Path(given))] if given else []
    return [[(name, info.st_size) for name, info in _files(folders.home() / "data")], given, theirs]


def _files(folder):
    """Return the files of a folder, but for cached runs: names and what the disk says of them."""
    folder = folder.resolve()
    paths = [path for path in sorted(folder.rglob("*")) if folders.cache() not in path.parents]
    return [(str(path.relative_to(folder)), path.stat()) for path in paths if path.is_file()]


def _run(tasks, workers, scheduler, timeout_s):
    """Run tasks on dask workers and yield each with its status as it ends."""
    if not tasks:
        return
    import dask
    from distributed import Client, LocalCluster, WorkerPlugin, as_completed

    class Undisturbed(WorkerPlugin):
        """Leaves Ctrl-C, which the terminal sends to all processes, to the one that closes the others."""

        def setup(self, worker):
            signal.signal(signal.SIGINT, lambda *_: None)

    limits, plugins, slots = {}, [], len(tasks)
    with contextlib.ExitStack() as stack:
        settings = {
            "distributed.scheduler.allowed-failures": LOST_WORKERS - 1,
            "distributed.deploy.lost-worker-timeout": "1 hour",  # a busy machine is slow to start another
        }
        stack.enter_context(dask.config.set(settings))
        if scheduler is None:
            workers = slots = min(workers, len(tasks))
            limits = thread_limits(workers)
            # Memory is not limited here: the notebooks are processes of their own, which dask does not see.
            options = {"memory_limit": 0, "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
            scheduler = stack.enter_context(LocalCluster(n_workers=workers, threads_per_worker=1, **options))
            plugins = [Undisturbed()]
        client = stack.enter_context(Client(scheduler, set_as_default=False))
        for plugin in plugins:
            client.register_plugin(plugin)
        waiting, futures = sorted(tasks, key=lambda task: task["last"])[::-1], {}
        running = as_completed(loop=client.loop)
        while waiting or futures:
            # One for each worker: dask blames a worker's end on all that it was going to run.
            while waiting and len(futures) < slots:
                if waiting[-1]["last"] and not all(task["last"] for task in futures.values()):
                    break
                task = waiting.pop()
                future = client.submit(execute, task, limits, timeout_s, pure=False)
                futures[future] = task
                running.add(future)
            future = next(running)
            task = futures.pop(future)
            try:
                status = future.result()
            except Exception as error:  # the worker was lost, or nothing could be written: the others go on
                status = fail(task, error)
            yield task, status
