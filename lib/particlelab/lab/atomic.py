"""Files and folders that are either whole or not there, and folders that one process at a time works on.

A folder is written beside its place and moved there when it is complete, so that a process that is killed leaves
nothing that looks finished.
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path

from particlelab.writing import DRAFT_ENDING, write_text


@contextlib.contextmanager
def claim(place):
    """Hold the lock of a folder; yield an empty one beside its place (elsewhere if nothing can be written there).

    Waits while another process holds the lock. The lock dies with its process, and what dead processes have left
    beside the place is removed.
    """
    with contextlib.ExitStack() as stack:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_lock(place))
            _sweep(place)
            made = tempfile.TemporaryDirectory(
                prefix=f".{place.name}-", suffix=DRAFT_ENDING, dir=place.parent, ignore_cleanup_errors=True
            )
        except OSError:
            made = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        yield Path(stack.enter_context(made))


def settle(draft, place):
    """Put a complete folder into its place; what stood there goes away with the folder that holds the draft."""
    if place.exists():
        place.rename(draft.parent / "replaced")
    sync(draft)
    draft.rename(place)
    sync(place.parent)


def write_json(path, content):
    """Write a file of JSON like `write_text`; what JSON does not know becomes a text."""
    return write_text(path, json.dumps(content, indent=1, ensure_ascii=False, default=str))


def read_json(path):
    """Return what a file of JSON holds, or None if it is not there or not whole."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def sync(path):
    """Wait until a file or the list of files of a folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _lock(place, wait=True):
    """Hold a lock that dies with its process. Raises BlockingIOError if another holds it and ``wait`` is False."""
    path = place.parent / f".{place.name}.lock"
    while True:
        with path.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _stands(path, handle):
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return


def _stands(path, handle):
    """Return whether a file is still there: who held the lock before may have removed it, and then it locks nothing."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle.fileno()))
    except FileNotFoundError:
        return False


def _sweep(place):
    """Remove what killed processes left behind: temporary folders of runs whose lock nobody holds."""
    for left in place.parent.glob(f".*{DRAFT_ENDING}"):
        owner = place.with_name(left.name[1:].rpartition("-")[0])
        with contextlib.suppress(BlockingIOError), contextlib.ExitStack() as stack:
            if owner != place:  # the lock of this place is held already
                stack.enter_context(_lock(owner, wait=False))
            shutil.rmtree(left, ignore_errors=True)
