"""Work in processes: every task once, in this process where one is asked for, and an end when something fails.

Processes find a function by its module, so those of the library and of Python are called here.
"""

import operator
import os
import subprocess
import time

import numba
import pytest

from particlelab.processes import each


def begin(folder, failing=None):
    """Tasks that each leave a file when they begin."""
    return [
        (["sh", "-c", f"touch {folder / str(number)}; sleep 0.1; exit {int(number == failing)}"],)
        for number in range(40)
    ]


def test_every_task_is_done_once():
    told = []
    found = list(each(operator.pow, [(k, 3) for k in range(6)], 2, lambda share, text: told.append((share, text))))
    assert sorted(found) == [(k, k**3) for k in range(6)]
    assert [share for share, _ in told] == pytest.approx([k / 6 for k in range(1, 7)]) and told[-1][1] == "6 of 6"


def test_several_workers_are_other_processes_with_one_thread_each():
    assert os.getpid() not in [process for _, process in each(os.getpid, [()] * 4, 2)]
    assert [threads for _, threads in each(numba.get_num_threads, [()] * 2, 2)] == [1, 1]


def test_one_worker_is_this_process_and_keeps_the_order():
    assert list(each(os.getpid, [()] * 3, 1)) == [(k, os.getpid()) for k in range(3)]
    assert list(each(os.getpid, [], 3)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_after_an_exception_no_other_task_begins(workers, tmp_path):
    with pytest.raises(subprocess.CalledProcessError, match="exit status 1"):
        list(each(subprocess.check_call, begin(tmp_path, failing=1), workers))
    assert 2 <= len(list(tmp_path.iterdir())) < 20


def test_nothing_goes_on_when_nobody_asks_for_more(tmp_path):
    for _ in each(subprocess.check_call, begin(tmp_path), 2):
        break
    begun = len(list(tmp_path.iterdir()))
    time.sleep(0.3)
    assert begun == len(list(tmp_path.iterdir())) < 20


def test_no_workers_are_refused_at_once():
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        each(os.getpid, [()], 0)
