"""Work on all processors: one function, called with many sets of arguments in processes of its own."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed


def each(function, tasks, workers=None, progress=None):
    """Call a function with each of many sets of arguments, and yield what it returns as soon as it is there.

    After an exception, here or in a process, and when nobody asks for more, what has not begun is not begun any more,
    and what has is waited for.

    Parameters
    ----------
    function : callable
        Of a module, so that another process finds it.
    tasks : sequence of tuple
        Arguments of each call.
    workers : int, optional
        Processes, each with one thread of numba; as many as there are processors by default, and never more than
        tasks. One is this process. A script that asks for more has to stand below ``if __name__ == "__main__":``.
    progress : callable, optional
        Called with the share that is done and a text.

    Yields
    ------
    index : int
        Of the task, from 0.
    result : object

    Raises
    ------
    ValueError
        If ``workers`` is below 1; and whatever the function raises.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    tasks = list(tasks)
    return _tell(_each(function, tasks, min(workers or os.cpu_count() or 1, max(1, len(tasks)))), len(tasks), progress)


def _each(function, tasks, workers):
    if workers == 1:
        for index, task in enumerate(tasks):
            yield index, function(*task)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(workers, context, _use_one_thread) as pool:
        jobs = {pool.submit(function, *task): index for index, task in enumerate(tasks)}
        try:
            for job in as_completed(jobs):
                yield jobs.pop(job), job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _tell(results, count, progress):
    for done, item in enumerate(results, start=1):
        yield item
        if progress:
            progress(done / count, f"{done} of {count}")


def _use_one_thread():
    """Leave the other processors to the other processes."""
    import numba

    numba.set_num_threads(1)
