"""The lock, the conda file and the set-up follow from pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HOME = Path(__file__).parents[1]
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text())
LOCK = (HOME / "requirements.lock").read_text()
ASKED = [Requirement(r) for r in PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]]


def locked():
    """Versions in the lock by package name, and the names that it says pyproject.toml asks for."""
    versions, direct = {}, set()
    for name, version, notes in re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\n]+)[^\n]*\n((?: +#[^\n]*\n)*)", LOCK, re.M):
        versions.setdefault(canonicalize_name(name), set()).add(version)
        if "(pyproject.toml" in notes:
            direct.add(canonicalize_name(name))
    return versions, direct


@pytest.mark.parametrize("requirement", ASKED, ids=str)
def test_the_lock_holds_a_version_that_is_asked_for(requirement):
    versions, _ = locked()
    found = versions.get(canonicalize_name(requirement.name), set())
    assert found and all(requirement.specifier.contains(v) for v in found), f"{requirement}: {found}; run `make lock`"


def test_the_lock_holds_nothing_that_is_no_longer_asked_for():
    _, direct = locked()
    assert direct == {canonicalize_name(r.name) for r in ASKED}, "run `make lock`"


def test_every_line_of_the_lock_is_a_pinned_version_without_an_address():
    lines = [line for line in LOCK.splitlines() if line and not line.lstrip().startswith("#")]
    assert all(re.match(r"[A-Za-z0-9_.-]+==\S+", line) for line in lines)
    assert "://" not in LOCK and "--index" not in LOCK and "--find-links" not in LOCK


def test_the_conda_file_takes_python_from_pyproject_and_the_rest_from_the_lock():
    conda = yaml.safe_load((HOME / "environment.yml").read_text())
    python, pip, packages = conda["dependencies"]
    assert python == f"python {PROJECT['project']['requires-python']}"
    assert pip == "pip"
    assert packages == {"pip": ["-r requirements.lock", "-e ."]}
