"""The house of the design: floors, names, notebooks without outputs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]
SOURCES = sorted((HOME / "lib").rglob("*.py"))
NOTEBOOKS = sorted((HOME / "notebooks").glob("*.ipynb"))
PACKAGES = {path.parent.name for path in (HOME / "lib" / "particlelab").glob("*/__init__.py")}
DOMAINS = [f"particlelab.{name}" for name in sorted(PACKAGES - {"lab", "learning", "measure"})]


def test_imports_go_down_only():
    lint = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=HOME, capture_output=True, text=True
    )
    assert lint.returncode == 0, lint.stdout


@pytest.mark.parametrize(
    "module", [*DOMAINS, "particlelab.lab.batch", "particlelab.lab.explore", "particlelab.drawing", "particlelab.cli"]
)
def test_a_page_does_not_load_what_it_does_not_use(module):
    """PyTorch and TensorFlow take seconds to load; a page of arrays must not wait for them."""
    code = (
        f"import sys, {module}; print([m for m in ('torch', 'tensorflow', 'keras', 'lightning') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(HOME)))
def test_files_are_named_for_what_they_hold(path):
    assert path.stem not in {"utils", "util", "helpers", "helper", "misc", "common", "tools"}


def test_chance_is_explicit():
    """No module draws from NumPy's hidden global state."""
    hidden = re.compile(r"np\.random\.(?!Generator|default_rng|SeedSequence|BitGenerator|PCG64)\w+")
    assert [(p.name, hit) for p in SOURCES for hit in hidden.findall(p.read_text())] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebooks_are_committed_without_outputs(path):
    cells = json.loads(path.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
