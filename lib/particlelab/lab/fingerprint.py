"""Fingerprints: one short text that changes when a value, or the code that computes it, changes.

Code is followed as far as it is ours: the package, and modules that lie beside a notebook or a script.
Installed packages and the standard library count by name only.

- A function of a module counts with its module and with every module of ours that this one imports, directly or not.
  ``from package import name`` counts the module that defines ``name``, not everything that the package exports.
- A function of a notebook (or of a script that runs) counts by itself, together with whatever it names: other
  functions, classes and values of the notebook, and modules of ours.

Comments, layout and docstrings of modules do not count.
"""

import ast
import dataclasses
import datetime
import dis
import enum
import functools
import hashlib
import importlib.util
import inspect
import sys
import sysconfig
import types
from pathlib import Path, PurePath

import numpy as np
import pandas as pd
from pydantic import BaseModel


def fingerprint(*things):
    """Return the fingerprint of values and functions, all together.

    Parameters
    ----------
    *things : object
        Numbers, texts, arrays, tables, parameter sets, modules, classes, functions (lambdas, partials and methods
        included), and lists, tuples, sets and dictionaries of these.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    TypeError
        If something has neither a value nor a source that could be compared, such as a trained model or a random
        generator that a notebook's function names.
    """
    reader = _Reader()
    return _hash([reader.describe(thing) for thing in things], reader.sources())


def fingerprint_of_source(source):
    """Return the fingerprint of Python source and of the modules of ours that it imports.

    Parameters
    ----------
    source : str
        Plain Python, such as the code cells of a notebook without their magics.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    tree = ast.parse(source)
    reader = _Reader()
    for module, name in _imports(tree):
        reader.name(module, name)
    return _hash(_dump(tree), reader.sources())


class _Reader:
    """Describes values by texts, and collects the modules of ours that these values come from."""

    def __init__(self):
        self.modules = set()
        self.seen = {}  # id of a function or class: itself (so that no other gets its id) and its description

    def sources(self):
        """Return name and digest of each module that was met, and of all that these import."""
        found = {}
        while waiting := self.modules - found.keys():
            for module in waiting:
                found[module], imports = _read(*_stamp(module))
                for origin, name in imports:
                    self.name(_absolute(module, origin), name)
        return sorted(found.items())

    def name(self, module, name=""):
        """Describe what a module holds under a name; if it is ours, it counts with its source."""
        self.modules |= _resolve(module, name.partition(".")[0])
        return f"{module}.{name}"

    def describe(self, value):
        """Return a text that only equal values share."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | datetime.date):
            return f"{type(value).__name__} {value!r}"
        if isinstance(value, enum.Enum | PurePath | np.dtype | slice | range | types.EllipsisType | types.GenericAlias):
            return f"{type(value).__name__} {value!r}"
        if isinstance(value, list | tuple):
            return _hash(type(value).__name__, [self.describe(item) for item in value])
        if isinstance(value, set | frozenset):
            return _hash("set", sorted(self.describe(item) for item in value))
        if isinstance(value, dict):
            return _hash("dict", sorted((self.describe(key), self.describe(item)) for key, item in value.items()))
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, pd.Series | pd.Index):
            return _hash(type(value).__name__, repr(value.name), repr(value.dtype), self._array(value.to_numpy()))
        if isinstance(value, pd.DataFrame):
            columns = [value.iloc[:, i] for i in range(value.shape[1])]
            return _hash("table", self.describe(value.index), [self.describe(column) for column in columns])
        if isinstance(value, BaseModel):
            return _hash(self.describe(type(value)), self.describe(dict(value)))
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return _hash(self.describe(type(value)), self.describe(fields))
        return self._code(value)

    def _code(self, value):
        if isinstance(value, types.ModuleType):
            return self.name(value.__name__)
        if isinstance(value, type):
            return self._once(value, self._class)
        if isinstance(value, functools.partial):
            return _hash("partial", [self.describe(part) for part in (value.func, value.args, value.keywords)])
        if isinstance(value, types.MethodType):
            return _hash("method", self.describe(value.__func__), self.describe(value.__self__))
        function = getattr(value, "py_func", value)  # what numba compiled
        if not isinstance(function, types.FunctionType):
            function = inspect.unwrap(function)  # what functools.cache keeps
        if isinstance(function, types.FunctionType):
            return self._once(function, self._function)
        if callable(function) and hasattr(function, "__name__"):  # built in, or compiled
            return f"{getattr(function, '__module__', None) or type(function).__module__}.{function.__name__}"
        raise TypeError(
            f"a {type(value).__module__}.{type(value).__qualname__} has no fingerprint; "
            "let the function make or load it from its parameters instead of naming it"
        )

    def _once(self, thing, describe):
        if id(thing) not in self.seen:
            self.seen[id(thing)] = thing, f"again {thing.__qualname__}"  # it may name itself
            self.seen[id(thing)] = thing, describe(thing)
        return self.seen[id(thing)][1]

    def _function(self, function):
        module, name = function.__module__, function.__qualname__
        loose = module in (None, "__main__")
        if not loose and _file(module) is None:
            return f"{module}.{name}"
        parts = [] if loose else [self.name(module, name)]
        if loose or "<" in name:  # of a notebook, a lambda or a function within a function: its name tells too little
            parts += [_instructions(function.__code__), self.describe([function.__defaults__, function.__kwdefaults__])]
            parts += [self.describe(cell.cell_contents) for cell in function.__closure__ or ()]
        if loose:
            parts += self._globals(function.__code__, function.__globals__)
        return _hash(parts)

    def _globals(self, code, variables):
        """Describe what code names outside itself: global variables and imports."""
        named, steps = [], list(dis.get_instructions(code))
        for before, step in zip([None, *steps], steps, strict=False):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and step.argval in variables:
                try:
                    named.append((step.argval, self.describe(variables[step.argval])))
                except TypeError as error:
                    raise TypeError(f"{step.argval}: {error}") from None
            if step.opname == "IMPORT_NAME":
                named += [self.name(step.argval, name) for name in before.argval or ("",)]
        for inner in code.co_consts:
            if isinstance(inner, types.CodeType):
                named += self._globals(inner, variables)
        return named

    def _class(self, kind):
        if kind.__module__ != "__main__":
            return self.name(kind.__module__, kind.__qualname__)
        parts = [kind.__qualname__, repr(getattr(kind, "model_fields", inspect.get_annotations(kind)))]
        parts += [self.describe(base) for base in kind.__bases__]
        for name, member in sorted(vars(kind).items()):
            if isinstance(member, property):
                parts += [(name, self.describe(part)) for part in (member.fget, member.fset) if part]
            elif isinstance(member, staticmethod | classmethod):
                parts.append((name, self.describe(member.__func__)))
            elif isinstance(member, types.FunctionType | bool | int | float | str | tuple) and name != "__doc__":
                parts.append((name, self.describe(member)))
        return _hash(parts)

    def _array(self, array):
        if array.dtype.hasobject:
            return _hash("array", array.shape, [self.describe(item) for item in array.ravel().tolist()])
        return _hash("array", array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).hexdigest())


def _resolve(module, name):
    """Return the modules of ours that ``from module import name`` needs, as a set of names (empty: none of ours)."""
    if name and _file(f"{module}.{name}") is not None:
        return {f"{module}.{name}"}
    path = _file(module)
    if path is None:
        return set()
    if path.name == "__init__.py" and name:
        bound = {bound: (_absolute(module, origin), original) for origin, original, bound in _exports(*_stamp(module))}
        if name in bound and bound[name][0] != module:
            return _resolve(*bound[name])
    return {module}


@functools.cache
def _file(module):
    """Return the file of a module if it is ours, else None."""
    top, *rest = module.split(".")
    if module == "__main__":
        return None
    try:
        found = importlib.util.find_spec(top)
    except ValueError:  # a module that was loaded by hand has no specification
        found = None
    if found is None:
        path = getattr(sys.modules.get(module), "__file__", None)
        candidates = [Path(path)] if path else []
    elif found.submodule_search_locations is not None:
        folders = [Path(place, *rest) for place in found.submodule_search_locations]
        candidates = [
            file for folder in folders for file in (folder / "__init__.py", folder.with_name(folder.name + ".py"))
        ]
    else:
        candidates = [Path(found.origin)] if found.origin and not rest else []
    for path in candidates:
        if path.suffix == ".py" and path.is_file() and (top == "particlelab" or not _is_installed(path)):
            return path.resolve()
    return None


def _is_installed(path):
    standard = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
    parts = {"site-packages", "dist-packages"}
    return bool(parts.intersection(path.parts)) or any(place in path.resolve().parents for place in standard)


def _stamp(module):
    path = _file(module)
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=4096)
def _read(path, mtime_ns, size):
    """Return the digest of a source file, and what it imports as pairs of module and name."""
    tree = ast.parse(path.read_bytes(), filename=str(path))
    return _hash(_dump(tree)), _imports(tree)


@functools.lru_cache(maxsize=4096)
def _exports(path, mtime_ns, size):
    """Return what the top of a package imports under a name: module, name there, name here."""
    tree = ast.parse(path.read_bytes(), filename=str(path))
    froms = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return [("." * n.level + (n.module or ""), a.name, a.asname or a.name) for n in froms for a in n.names]


def _imports(tree):
    """Return all imports, wherever they stand, as pairs of module (with leading dots if relative) and name."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [("." * node.level + (node.module or ""), alias.name) for alias in node.names]
    return found


def _absolute(module, origin):
    """Return the full name of a module that another one imports, perhaps by a relative name."""
    if not origin.startswith("."):
        return origin
    package = module if _file(module).name == "__init__.py" else module.rpartition(".")[0]
    return importlib.util.resolve_name(origin, package)


def _dump(tree):
    """Return source as a text without layout, comments and docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return ast.dump(tree)


def _instructions(code):
    """Return what a code object does, without the lines and the file where it stands."""
    constants = [_instructions(c) if isinstance(c, types.CodeType) else _constant(c) for c in code.co_consts]
    return _hash(code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_flags, constants)


def _constant(value):
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)


def _hash(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()
