"""Many files measured by one domain: side by side, with tables on the disk that are whole whatever happens.

Beside the table OUT.csv stand OUT_summary.csv, OUT_errors.csv (if a file could not be measured) and OUT_measured.json,
by which the same call goes on where it was stopped.
"""

import functools
import glob
import io
import multiprocessing
import os
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from particlelab.lab.atomic import read_json, write_json
from particlelab.lab.environment import thread_limits
from particlelab.reading import IMAGE_ENDINGS
from particlelab.writing import write_bytes

WRITERS = {  # by ending: how a table becomes bytes
    ".csv": lambda table: table.to_csv(index=False).encode(),
    ".parquet": lambda table: _parquet(table),
}
READERS = {
    ".csv": functools.partial(pd.read_csv, dtype={"file": str}),
    ".parquet": pd.read_parquet,
}
WRITING_SHARE = 0.05  # of the time, at most, goes into writing what was measured so far


class Measured(NamedTuple):
    """What was measured of many files, each table with a first column ``file``."""

    table: pd.DataFrame
    summary: pd.DataFrame
    errors: pd.DataFrame  # ``file`` and ``error``: what could not be measured, and why


def find_files(paths, endings=IMAGE_ENDINGS, output=None, frames=()):
    """Return what paths stand for: of a folder, the files in it that can be measured.

    Where a folder of frames is measured as one series, such a folder stands for itself, and another one for the files
    and the series in it.

    Parameters
    ----------
    paths : sequence of path
    endings : sequence of str
        Of the files in a folder that can be measured, in lower case; masks (``NAME_mask.png``) are left out.
    output : path, optional
        Table that measurements are written to: it and those beside it are left out.
    frames : sequence of str
        Endings of frames, of which a folder is one series; none, if folders are no series.

    Raises
    ------
    ValueError
        If folders hold nothing to measure (an empty one beside others stands for itself, and fails alone), or one holds
        both frames and files, of which nothing says what is to be measured.
    """
    files, empty, tables = [], [], [table.resolve() for table in _tables(output)] if output else []
    for path in map(Path, paths):
        if not path.is_dir():
            files.append(path)
            continue
        inside = [f for f in _inside(path, endings) if f.resolve() not in tables]
        inside += [folder for folder in sorted(path.iterdir()) if folder.is_dir() and _inside(folder, frames)]
        if own := _inside(path, frames):
            if inside:
                raise ValueError(
                    f"{path} holds frames of a series ({own[0].name}) and other things to measure ({inside[0].name}); "
                    "keep the frames in a folder of their own"
                )
            inside = [path]
        files += inside
        empty += [] if inside else [path]
    if empty and not files:
        series = f", or folders of frames ({', '.join(frames)})" if frames else ""
        raise ValueError(f"{empty[0]} holds nothing to measure; expected files ending in {', '.join(endings)}{series}")
    return list(dict.fromkeys(files + empty))


def measure_files(measure, parameters, files, output=None, workers=1, fresh=False, progress=None, basis=""):
    """Measure files, one after the other or side by side; one that cannot be measured does not stop the rest.

    Parameters
    ----------
    measure : callable
        ``measure(path, parameters) -> table, summary``, two DataFrames; a function that processes can be handed.
    parameters : Parameters
    files : list of Path
    output : path, optional
        Table that is written as files are measured; its ending says how (`WRITERS`). Files that stand there already,
        measured with the same parameters and not changed since, are not measured again; those that stand there and are
        not among ``files`` stay, first.
    workers : int
        Processes that measure side by side; with 1, this one does.
    fresh : bool
        Measure all files, whatever stands in the output.
    progress : callable, optional
        Called with each file that is done, now or before, and its error, empty if there is none.
    basis : str
        What else the numbers depend on, code and models, as a fingerprint: if it has changed, files are measured
        again. Files that parameters name count by themselves.

    Returns
    -------
    Measured

    Raises
    ------
    ValueError
        If the output's ending is not known, or it holds something else than measurements with these parameters.
    """
    output = None if output is None else _Output(output, parameters, fresh)
    basis = [basis, *(_state(Path(value)) for _, value in parameters if isinstance(value, str) and _is_file(value))]
    states = {file: [basis, _state(file)] for file in files}
    before, known = ({}, {}) if output is None else output.load()
    done = {file: tables for file, tables in before.items() if known[file] == states.get(file, known[file])}
    for file in files:
        if file in done:
            _tell(progress, file, "")
    files, states = [*(file for file in done if file not in states), *files], known | states
    failed, written, cost = {}, time.monotonic(), 0.0
    try:
        for file, table, summary, error in _each(measure, parameters, [f for f in files if f not in done], workers):
            if error:
                failed[file] = error
            else:
                done[file] = table, summary
            _tell(progress, file, error)
            if output is not None and time.monotonic() - written > cost / WRITING_SHARE:
                start = time.monotonic()
                output.write(_together(files, done, failed), {f: states[f] for f in done})
                written = time.monotonic()
                cost = written - start
    finally:
        measured = _together(files, done, failed)
        if output is not None:
            output.write(measured, {f: states[f] for f in done})
    return measured


def summary_in_words(summary):
    """Return a summary as a table for the terminal: a line for each file and quantity, with its interval."""
    from rich.table import Table
    from rich.text import Text

    table = Table("file", "quantity", "value", "95 % interval", box=None)
    for file, rows in summary.groupby("file", sort=False):
        for number, row in enumerate(rows.itertuples()):
            interval = "" if pd.isna(row.low) else f"{row.low:.4g} to {row.high:.4g}"
            words = (file if number == 0 else "", row.quantity, f"{row.value:.4g} {row.unit}".strip(), interval)
            table.add_row(*map(Text, words))
    return table


class _Output:
    """The tables on the disk, and the record of which file was measured how."""

    def __init__(self, path, parameters, fresh):
        path = Path(path)
        if path.suffix.lower() not in WRITERS:
            raise ValueError(f"{path} must end in {' or '.join(WRITERS)}")
        self._paths = _tables(path)
        self._record = path.with_name(f"{path.stem}_measured.json")
        self._parameters = parameters.model_dump(mode="json")
        self._known = None if fresh else read_json(self._record)
        if path.exists() and not fresh:
            self._check(path)

    def _check(self, path):
        if self._known is None:
            raise ValueError(
                f"{path} is there already, and no measurement of files; name another, or replace it: --fresh"
            )
        before = self._known["parameters"]
        other = [n for n in {**before, **self._parameters} if before.get(n) != self._parameters.get(n)]
        if other:
            name = other[0]
            raise ValueError(
                f"{path} was measured with {name} = {before.get(name)!r}, not {self._parameters.get(name)!r}; "
                f"name another file, or replace it: --fresh"
            )

    def load(self):
        """Return table and summary, and the state, of each file that was measured before."""
        known = {Path(name): state for name, state in (self._known or {}).get("files", {}).items()}
        if not known or not (self._paths.table.exists() and self._paths.summary.exists()):
            return {}, {}
        tables = [READERS[path.suffix.lower()](path) for path in (self._paths.table, self._paths.summary)]
        parts = [dict(list(table.groupby("file", sort=False))) for table in tables]
        rows = {
            file: tuple(
                part.get(str(file), table.head(0)).drop(columns="file").reset_index(drop=True)
                for part, table in zip(parts, tables, strict=True)
            )
            for file in known
        }
        return rows, known

    def write(self, measured, states):
        for path, table in zip(self._paths, measured, strict=True):
            if table is measured.errors and table.empty:
                path.unlink(missing_ok=True)
            else:
                write_bytes(path, WRITERS[path.suffix.lower()](table))
        # last: the record never names a file that the tables do not hold
        write_json(self._record, {"parameters": self._parameters, "files": {str(f): s for f, s in states.items()}})


def _tables(output):
    output = Path(output)
    return Measured(output, *(output.with_stem(f"{output.stem}_{part}") for part in ("summary", "errors")))


def _together(files, done, failed):
    """Tables of all files, in their order."""
    tables = []
    for part in (0, 1):
        parts = [done[f][part].assign(file=str(f)) for f in files if f in done]
        table = pd.concat([p for p in parts if len(p)] or parts[:1] or [pd.DataFrame({"file": []})], ignore_index=True)
        tables.append(table[["file", *(column for column in table if column != "file")]])
    errors = [(str(f), failed[f]) for f in files if f in failed]
    return Measured(*tables, pd.DataFrame(errors, columns=["file", "error"]))


def _inside(folder, endings):
    """Return the files of a folder that have such endings and are no masks."""
    return [f for f in sorted(folder.iterdir()) if f.suffix.lower() in endings and f.stem[-5:] != "_mask"]


def _state(file):
    """What tells whether a file, or a mask of it beside it, has changed; or a frame of a folder."""
    near = sorted(file.iterdir() if file.is_dir() else file.parent.glob(glob.escape(file.stem) + "*"))
    near = [path for path in near if path == file or path.suffix.lower() in IMAGE_ENDINGS]
    return [[path.name, (state := path.stat()).st_size, state.st_mtime_ns] for path in near]


def _is_file(text):
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or none
        return False


def _each(measure, parameters, files, workers):
    """Yield file, table, summary and error of each file as it is done."""
    attempt = functools.partial(_attempt, measure, parameters)
    if workers == 1 or len(files) < 2:
        yield from map(attempt, files)
    else:
        yield from _side_by_side(attempt, files, min(workers, len(files)))


def _attempt(measure, parameters, file):
    try:
        return file, *measure(file, parameters), ""
    except ValueError as error:
        return file, None, None, str(error)
    except Exception as error:  # whatever a file does to the code: the others go on
        return file, None, None, f"{type(error).__name__}: {error}"


def _side_by_side(attempt, files, workers):
    """Measure in processes. A file on which its process dies is measured again alone, and then given up."""
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    waiting, suspects = list(files), []
    before = {name: os.environ.get(name) for name in thread_limits(workers)}
    os.environ.update(thread_limits(workers))
    try:
        while waiting or suspects:
            alone = bool(suspects)
            queue, slots = ([suspects.pop()], 1) if alone else (waiting, workers)
            running = {}
            with ProcessPoolExecutor(slots, context) as pool:
                try:
                    while queue or running:
                        while queue and len(running) < slots:
                            future = pool.submit(attempt, queue[0])
                            running[future] = queue.pop(0)
                        for future in wait(running, return_when=FIRST_COMPLETED).done:
                            outcome = future.result()
                            del running[future]
                            yield outcome
                except BrokenProcessPool:
                    if alone:
                        yield *running.values(), None, None, "its process was killed: not enough memory?"
                    else:
                        suspects += running.values()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _tell(progress, file, error):
    if progress:
        progress(file, error)


def _parquet(table):
    file = io.BytesIO()
    table.to_parquet(file, index=False)
    return file.getvalue()
