"""Keras, in one process with PyTorch, and without what TensorFlow says on stderr of GPUs that are not there.

Triton, which PyTorch's optimisers import, and TensorFlow both carry LLVM: if TensorFlow's comes first, the process
aborts.
"""

import contextlib
import functools
import importlib
import os
import sys


@functools.cache
def load_keras():
    """Import Keras and return it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" not in sys.modules:  # otherwise it is too late
        with contextlib.suppress(ImportError):  # not on every system
            importlib.import_module("triton._C.libtriton")
    with _silent_stderr():
        return importlib.import_module("keras")


@contextlib.contextmanager
def _silent_stderr():
    """Send to nowhere what this process writes to stderr, also from C++."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
