"""What is installed here, what is missing, and what each thing is for."""

import os
import platform
import shutil
import sys
from ctypes.util import find_library
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from particlelab.lab import folders
from particlelab.lab.environment import cores

# Packages that carry the lab; the lock holds the rest.
PACKAGES = {
    "numpy": "arrays",
    "numba": "compiled simulators and estimators",
    "scikit-image": "image processing",
    "torch": "networks",
    "torchvision": "networks",
    "tensorflow": "networks in Keras",
    "keras": "networks in Keras",
    "plotly": "figures",
    "voila": "dashboards",
    "papermill": "batches",
}


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    good: bool
    found: str
    purpose: str
    needed: bool = False  # without it the lab does not work


def examine():
    """Look at the machine and return a list of `Finding`, what the lab needs first."""
    return [_python(), _room(), *map(_package, PACKAGES), _reports(), _data(), *_optional()]


def _python():
    good = (3, 11) <= sys.version_info < (3, 14)
    return Finding("Python", good, platform.python_version(), "3.11, 3.12 or 3.13", needed=True)


def _room():
    free = shutil.disk_usage(folders.home()).free / 1e9
    return Finding(
        "Machine", free > 2, f"{cores()} cores, {free:.0f} GB of disk free", "batches and caches want room", needed=True
    )


def _package(name):
    try:
        return Finding(name, True, version(name), PACKAGES[name], needed=True)
    except PackageNotFoundError:
        return Finding(name, False, "not installed", "comes with the lock: run `make setup`", needed=True)


def _reports():
    try:
        folders.reports().mkdir(parents=True, exist_ok=True)
        good = os.access(folders.reports(), os.W_OK)
    except OSError:
        good = False
    found = "can be written" if good else f"cannot be written: {folders.reports()}"
    return Finding("Reports", good, found, "what runs write", needed=True)


def _data():
    place = os.environ.get("PARTICLELAB_DATA")
    if place and not Path(place).is_dir():
        return Finding(
            "Real data", False, f"PARTICLELAB_DATA names no folder: {place}", "real images; simulated ones otherwise"
        )
    found = (
        ", ".join(sorted(p.name for p in Path(place).iterdir() if p.is_dir()))
        if place
        else "PARTICLELAB_DATA is not set"
    )
    return Finding("Real data", bool(place), found, "real images; simulated ones otherwise")


def _optional():
    graphics = shutil.which("nvidia-smi") or find_library("cuda")
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    tools = [
        ("GPU (NVIDIA)", graphics, "document settings in minutes rather than hours; nothing needs it"),
        ("Blender", shutil.which("blender"), "reference engine for smoke and for rendered micrographs"),
        ("LLVM", find_library("LLVM") or find_library("LLVM-19"), "fast variants of the Mitsuba renderer"),
        ("Chromium", browser, "browser tests of the dashboards; users need any browser"),
    ]
    return [Finding(name, bool(found), found or "not found", purpose) for name, found, purpose in tools]
