"""What a result was made with: Python, packages, version of the code and machine."""

import functools
import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from particlelab.lab import folders

_THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
_PACKAGES = (
    *("particlelab", "numpy", "scipy", "pandas", "scikit-image", "scikit-learn", "numba", "torch", "torchvision"),
    *("tensorflow", "keras", "segmentation-models-pytorch", "smogn", "trackpy"),
)


def environment():
    """Return what a result made now is made with, as a dictionary of texts and numbers that fits into JSON."""
    return {"date": datetime.now(UTC).isoformat(timespec="seconds"), **_fixed()}


def cores():
    """Return how many cores of the machine this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_limits(workers):
    """Return the environment variables by which so many worker processes share the cores of this machine."""
    return dict.fromkeys(_THREADS, str(max(cores() // workers, 1)))


@functools.cache
def _fixed():
    return {
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "processor": _processor(),
        "cores": cores(),
        "gpu": _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader"),
        "git": _git(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
    }


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git():
    """Return the commit of the checkout, with ``+`` if files differ from it; empty if there is none."""
    commit = _output("git", "-C", str(folders.home()), "rev-parse", "--short=12", "HEAD")
    changed = commit and _output("git", "-C", str(folders.home()), "status", "--porcelain", "--untracked-files=no")
    return commit + "+" * bool(changed)


def _processor():
    described = Path("/proc/cpuinfo")
    if described.is_file():
        for line in described.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return _output("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor() or platform.machine()


def _output(*command):
    """Return what a command prints, or nothing if there is no such command or it fails."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
