"""Measure speed and memory: ``make bench``, or ``python tests/benchmarks/run.py soot`` for one domain.

Each file beside this one names its cases in ``CASES``. Every side of a case runs in a process of its
own on one core, if the case does not say otherwise: once to compile and warm up, then three times, of which the median
counts. What other work the machine does at the time falls on both sides: the ratio is the result.
"""

import importlib.util
import multiprocessing
import os
import resource
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENCV_NUM_THREADS")


@dataclass(frozen=True)
class Case:
    """One line of the table.

    ``prepare()`` returns what ``ours`` and ``other`` are called with, and ``finish`` at the end;
    ``limit_s`` and ``limit_mb`` are what was promised, None where nothing was. Where ``other`` would take too
    long, it does the part ``other_share`` of the work, and its time is divided by that; ``other_name`` says so.
    """

    name: str
    prepare: callable
    ours: callable
    other: callable = None
    other_name: str = ""
    limit_s: float | None = None
    limit_mb: float | None = None
    other_share: float = 1.0
    processors: int = 1
    finish: callable = None
    runs: int = 4  # of more than one the first does not count


def main(names):
    """Run the cases of all files, or of those named, and print one table. Return whether a promise broke."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    broken = False
    table = Table("case", "here", "peak memory", "promised", "otherwise", "times as fast")
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem == "run" or (names and path.stem not in names):
            continue
        for index, case in enumerate(_cases(path)):
            seconds, megabytes = _alone(path, index, "ours")
            other = _alone(path, index, "other")[0] / case.other_share if case.other else None
            late = case.limit_s is not None and seconds > case.limit_s
            large = case.limit_mb is not None and megabytes > case.limit_mb
            broken |= late or large
            promised = [f"{case.limit_s:g} s"] if case.limit_s else []
            promised += [f"{case.limit_mb:g} MB"] if case.limit_mb else []
            table.add_row(
                case.name,
                f"{'[red]' if late else ''}{seconds:.3g} s",
                f"{'[red]' if large else ''}{megabytes:.0f} MB",
                ", ".join(promised),
                f"{other:.3g} s ({case.other_name})" if other else "",
                f"{other / seconds:.1f}" if other else "",
            )
            Console().print(f"{case.name}: {seconds:.3g} s")
    Console(width=160).print(table)
    return broken


def _cases(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module.CASES


def _alone(path, index, side):
    """Return the median time in seconds and the peak memory in MB of one side, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_time, args=(path, index, side, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        process.join()


def _time(path, index, side, sender):
    case = _cases(path)[index]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: case.processors])
    function, arguments = getattr(case, side), case.prepare()
    times = []
    for _ in range(case.runs):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    if case.finish:
        case.finish(*arguments)
    unit = 1e6 if sys.platform == "darwin" else 1e3  # ru_maxrss is in bytes there, in kB elsewhere
    own, of_a_child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    sender.send((statistics.median(times[1:] or times), (own + case.processors * of_a_child) / unit))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main(sys.argv[1:]))
