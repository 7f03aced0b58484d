"""Fingerprints: any change of a value or of code that is used changes them, and nothing else does."""

import functools
import importlib
import itertools
import sys
import types
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from numba import njit

from particlelab.lab.fingerprint import fingerprint, fingerprint_of_source
from particlelab.parameters import Parameters, parameter

names = (f"toy{i}" for i in itertools.count())


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three modules, of which two matter to ``compute``; rewrite one with ``package.write``."""
    name = next(names)
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(module, source):
        path = folder / f"{module}.py"
        path.write_text(source)

    write("__init__", "from .work import compute\nfrom .figures import draw\nfrom . import numbers as n\n")
    write("work", "from .numbers import scale\nimport numpy as np\n\ndef compute(parameters):\n    return scale(1)\n")
    write("numbers", 'FACTOR = 2\n\ndef scale(x):\n    "Scale."\n    return FACTOR * x  # twice\n')
    write("figures", "def draw():\n    pass\n")
    yield types.SimpleNamespace(name=name, folder=folder, write=write)
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        del sys.modules[module]


def test_a_change_anywhere_below_counts(package):
    compute = importlib.import_module(package.name).compute
    before = fingerprint(compute)
    assert fingerprint(compute) == before
    package.write("numbers", "FACTOR = 3\n\ndef scale(x):\n    return FACTOR * x\n")
    assert fingerprint(compute) != before


def test_comments_layout_docstrings_and_other_modules_do_not_count(package):
    compute = importlib.import_module(package.name).compute
    before = fingerprint(compute)
    package.write(
        "numbers", '"""About numbers."""\n\nFACTOR = 2\n\n\ndef scale(x):\n    return (FACTOR\n        * x)\n'
    )
    package.write("figures", "def draw():\n    return 'another look'\n")
    assert fingerprint(compute) == before


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("from {0} import compute", True),
        ("import {0}.work", True),
        ("from {0} import work as w", True),
        ("def f():\n    from {0}.work import compute", True),
        ("from {0} import *", True),
        ("import {0}", True),
        ("from {0} import draw", False),
        ("import {0}.figures", False),
        ("import numpy", False),
    ],
)
def test_source_counts_with_what_it_imports(package, source, counts):
    source = source.format(package.name)
    before = fingerprint_of_source(source)
    package.write("numbers", "FACTOR = 3\n")
    assert (fingerprint_of_source(source) != before) is counts


def test_source_counts_itself():
    assert fingerprint_of_source("a = 1  # one") == fingerprint_of_source("a = 1")
    assert fingerprint_of_source("a = 1") != fingerprint_of_source("a = 2")


def notebook(source, **variables):
    """Return the variable ``f`` after cells of a notebook were executed."""
    variables = {"__name__": "__main__", "np": np, **variables}
    exec(source, variables)
    return variables["f"]


base = """
LIMIT = 3
class Kind:
    size = 1
    def area(self): return self.size ** 2
def inner(x): return [Kind().area() for _ in range(x) if x < LIMIT]
def f(parameters): return inner(parameters)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ("x < LIMIT", "x <= LIMIT"),
        ("size = 1", "size = 2"),
        ("** 2", "** 3"),
        ("inner(parameters)", "inner(2 * parameters)"),
        ("inner(parameters)", "-inner(parameters)"),
        ("def f(parameters)", "def f(parameters=2)"),
    ],
)
def test_a_function_of_a_notebook_counts_with_what_it_names(old, new):
    assert fingerprint(notebook(base)) != fingerprint(notebook(base.replace(old, new)))


def test_a_function_of_a_notebook_is_the_same_wherever_it_stands():
    moved = "UNUSED = 1\n\n\n" + base.replace("return inner", "\n    # a comment\n    return inner")
    assert fingerprint(notebook(base)) == fingerprint(notebook(moved))


def test_a_function_of_a_notebook_counts_with_modules(package):
    sources = [
        "from {0} import compute\ndef f(p): return compute(p)",
        "import {0}.work as w\nf = lambda p: w.compute(p)",
        "def f(p):\n    def g():\n        from {0}.work import compute\n        return compute(p)\n    return g()",
        "import functools, {0}\ndef g(c, p): return c(p)\nf = functools.partial(g, {0}.compute)",
    ]
    functions = [notebook(source.format(package.name)) for source in sources]
    before = [fingerprint(function) for function in functions]
    assert [fingerprint(function) for function in functions] == before
    package.write("numbers", "FACTOR = 3\n")
    assert all(fingerprint(function) != was for function, was in zip(functions, before, strict=True))


def test_functions_that_name_themselves_and_each_other():
    source = "def g(n): return n and f(n - 1)\ndef f(n): return g(n) or f(0)"
    assert fingerprint(notebook(source)) == fingerprint(notebook(source))
    assert fingerprint(notebook(source)) != fingerprint(notebook(source.replace("n - 1", "n - 2")))


def multiplied(factor):
    def function(x):
        return factor * x

    return function


def distinct(things):
    return len({fingerprint(thing) for thing in things}) == len(things)


def test_functions_with_other_values_inside_differ():
    def plain(x, y=0):
        return x

    assert distinct([multiplied(1), multiplied(2), multiplied(multiplied)])
    assert distinct([lambda x: x, lambda x: x + 1, lambda x, y=1: x, lambda x, y=2: x])
    assert distinct([plain, functools.partial(plain, y=1), functools.partial(plain, y=2), functools.partial(plain, 1)])
    assert fingerprint(multiplied(1)) == fingerprint(multiplied(1))


@pytest.mark.parametrize("wrap", [njit, functools.cache, None])
def test_compiled_and_wrapped_functions_count_with_their_source(wrap):
    source = "@wrap\ndef f(x): return x + 1"
    if wrap is None:
        source = "def wrap(g):\n    @functools.wraps(g)\n    def h(x): return 3 * g(x)\n    return h\n" + source
    one, same, inner, outer = (
        fingerprint(notebook(text, wrap=wrap, functools=functools))
        for text in (source, source, source.replace("1", "2"), source.replace("3", "4"))
    )
    assert one == same
    assert one != inner
    assert (one != outer) == (wrap is None)


def test_a_random_generator_or_a_model_is_refused_by_its_name():
    with pytest.raises(TypeError, match=r"rng: a numpy\.random.*Generator has no fingerprint"):
        fingerprint(notebook("rng = np.random.default_rng()\ndef f(p): return rng.random()"))


class Imaging(Parameters):
    "How the microscope sees."

    pixel_size_nm: float = parameter(0.5, "Edge of a pixel", unit="nm", above=0)
    method: Literal["otsu", "kmeans"] = parameter("otsu", "Classifier")


def test_values_that_differ_have_other_fingerprints():
    image = np.zeros((4, 6))
    changed = image.copy()
    changed[2, 3] = np.nextafter(0, 1)
    table = pd.DataFrame({"a": [1, 2]})
    things = [
        None,
        True,
        1,
        1.0,
        "1",
        b"1",
        1j,
        [1],
        (1,),
        {1},
        {"a": 1},
        {"a": 2},
        {"b": 1},
        Path("1"),
        np.dtype("f4"),
    ]
    things += [image, changed, image.T, image.ravel(), image.astype("f4"), np.array(["a"]), np.array([None])]
    things += [table, table.rename(columns={"a": "b"}), table.astype(float), table.set_index("a"), table["a"]]
    things += [Imaging(), Imaging(pixel_size_nm=1), Imaging(method="kmeans")]
    assert distinct(things)


def test_equal_values_have_the_same_fingerprint():
    assert fingerprint(Imaging()) == fingerprint(Imaging(pixel_size_nm=0.5))
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint({"x", "y", "z"}) == fingerprint({"z", "y", "x"})
    assert fingerprint(np.float64(0.1), np.int64(3)) == fingerprint(0.1, 3)
    assert fingerprint(np.arange(6)[::2]) == fingerprint(np.array([0, 2, 4]))
