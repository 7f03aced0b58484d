"""Files that are either whole or as they were before."""

import os
from pathlib import Path

DRAFT_ENDING = ".tmp"


def write_bytes(path, content):
    """Write a file so that it is either all there or as it was before.

    Parameters
    ----------
    path : path
        Its folder is made if it is not there.
    content : bytes

    Returns
    -------
    Path
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}{DRAFT_ENDING}")
    try:
        draft.write_bytes(content)
        return draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_text(path, text):
    """Write a text file like `write_bytes`, in UTF-8."""
    return write_bytes(path, text.encode())
