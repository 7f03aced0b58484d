"""Sweep files: which notebooks run with which parameters, checked completely before anything runs.

::

    name: tour
    notebooks:
      - notebook: 50_soot_measure_tem_images
        parameters: {method: otsu}                        # fixed
        grid: {seed: [1, 2, 3], pixel_size_nm: [0.5, 1]}  # every combination
      - notebook: 00_overview
        last: true                                        # after all others, and again every time: it reads their runs

A notebook declares its parameters in its cell with the tag ``parameters``, and may name the `Parameters` classes that
check them in its metadata: ``{"particlelab": {"parameters": "particlelab.soot:Imaging"}}``, or a list of such names.
"""

import difflib
import importlib
import itertools
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

from particlelab.lab import folders
from particlelab.lab.fingerprint import fingerprint
from particlelab.lab.notebook_files import declared_parameters


@dataclass(frozen=True)
class Execution:
    """One notebook with one set of parameters."""

    notebook: Path
    parameters: dict
    last: bool = False  # runs after all others, every time

    @property
    def folder_name(self):
        """The name of the folder of its report: ``notebook-<8 digits>``."""
        return f"{self.notebook.stem}-{fingerprint(self.parameters)[:8]}"

    def __str__(self):
        return " ".join([self.notebook.stem, *(f"{name}={value}" for name, value in self.parameters.items())])


@dataclass(frozen=True)
class Sweep:
    """A named list of executions, checked when it is made by `load_sweep`, `from_dict` or `single`."""

    name: str
    executions: tuple[Execution, ...]
    command: str = ""  # that runs it

    @classmethod
    def single(cls, notebook, parameters):
        """Return the sweep named ``single`` that runs one notebook once.

        Parameters
        ----------
        notebook : str
            Its name, such as ``"50_soot_measure_tem_images"``, or its path.
        parameters : dict
            Those that differ from the notebook's own.
        """
        given = "".join(f" -p {shlex.quote(f'{name}={value}')}" for name, value in parameters.items())
        content = {"name": "single", "notebooks": [{"notebook": notebook, "parameters": parameters}]}
        return cls.from_dict(content, f"particlelab run {shlex.quote(notebook)}{given}")

    @classmethod
    def from_dict(cls, content, command=""):
        """Return the sweep that a dictionary, made like a sweep file, describes.

        Raises
        ------
        ValueError
            If anything in it is wrong; the message has one line for each thing, with what would be right.
        """
        problems, executions = [], {}
        if not isinstance(content, dict):
            raise ValueError("a sweep must have the keys name and notebooks")
        _check_keys(content, {"name", "notebooks"}, "the sweep", problems)
        name, entries = content.get("name"), content.get("notebooks")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][\w-]*", name) or name == "interactive":
            problems.append(
                f"name must be made of letters, digits, '-' and '_', and not be 'interactive', got {name!r}"
            )
        if not isinstance(entries, list) or not entries:
            problems.append(f"notebooks must be a list of at least one entry, got {entries!r}")
            entries = []
        for entry in entries:
            for execution in _expand(entry, problems):
                executions.setdefault(execution.folder_name, execution)
        if problems:
            raise ValueError("\n".join(dict.fromkeys(problems)))
        return cls(name, tuple(executions.values()), command)


def load_sweep(path):
    """Read a sweep file.

    Parameters
    ----------
    path : path

    Returns
    -------
    Sweep

    Raises
    ------
    ValueError
        If anything in it is wrong: an unknown key, notebook or parameter, a value that is not allowed.
    OSError
        If it cannot be read.
    """
    path = Path(path)
    shown = path.resolve().relative_to(folders.home()) if path.resolve().is_relative_to(folders.home()) else path
    try:
        return Sweep.from_dict(read_yaml(path.read_text(encoding="utf-8")), f"particlelab batch {shown}")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_yaml(text):
    """Return what a text of YAML says, such as a sweep file or the value of a parameter.

    Raises
    ------
    ValueError
        If it is not YAML, or if a key stands twice.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def find_notebook(given):
    """Return the file of a notebook that is given by its name in the lab or by its path.

    Raises
    ------
    ValueError
        If there is none.
    """
    name = str(given).removesuffix(".ipynb")
    for path in (folders.notebooks() / f"{name}.ipynb", Path(given)):
        if path.is_file() and path.suffix == ".ipynb":
            return path.resolve()
    known = sorted(other.stem for other in folders.notebooks().glob("*.ipynb"))
    raise ValueError(f"there is no notebook {name!r} in {folders.notebooks()}{_suggest(name, known)}")


class _Loader(yaml.SafeLoader):
    """YAML in which ``1e-3`` is a number, and a key that stands twice is an error."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for i, key in enumerate(keys) if key in keys[:i]]
        if twice:
            raise ValueError(f"{twice[0]} stands twice in line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _expand(entry, problems):
    """Return the executions of one entry of a sweep; what is wrong with it is added to ``problems``."""
    if not isinstance(entry, dict) or not isinstance(entry.get("notebook"), str):
        problems.append(f"each entry of notebooks must name its notebook, got {entry!r}")
        return []
    try:
        path, content, declared = _read(entry["notebook"])
    except ValueError as error:
        problems.append(str(error))
        return []
    name = path.stem
    _check_keys(entry, {"notebook", "parameters", "grid", "last"}, name, problems)
    fixed, grid, last = entry.get("parameters") or {}, entry.get("grid") or {}, entry.get("last", False)
    if not isinstance(last, bool):
        problems.append(f"{name}: last must be true or false, got {last!r}")
    if not isinstance(fixed, dict) or not isinstance(grid, dict):
        problems.append(f"{name}: parameters and grid must be like {{name: value}} and {{name: [value, value]}}")
        return []
    for parameter in grid:
        if not isinstance(grid[parameter], list) or not grid[parameter]:
            problems.append(f"{name}: grid: {parameter} must be a list of values, got {grid[parameter]!r}")
        if parameter in fixed:
            problems.append(f"{name}: {parameter} stands in parameters and in grid")
    unknown = [str(parameter) for parameter in [*fixed, *grid] if parameter not in declared]
    for parameter in unknown:
        problems.append(f"{name} has no parameter {parameter!r}{_suggest(parameter, list(declared))}")
    if unknown or not all(isinstance(values, list) for values in grid.values()):
        return []
    sets = [{**fixed, **dict(zip(grid, values, strict=True))} for values in itertools.product(*grid.values())]
    for values in sets:
        problems += [f"{name}: {problem}" for problem in _check_values(content, declared, values)]
    return [Execution(path, values, last) for values in sets]


def parameter_classes(content):
    """Return the `Parameters` classes that a notebook's metadata name.

    Raises
    ------
    ValueError
        If one does not exist.
    """
    named = content.metadata.get("particlelab", {}).get("parameters", [])
    found = []
    for kind in [named] if isinstance(named, str) else named:
        module, _, name = kind.partition(":")
        try:
            found.append(getattr(importlib.import_module(module), name))
        except (ImportError, AttributeError):
            raise ValueError(f"its metadata names the parameter set {kind!r}, which does not exist") from None
    return found


def _read(given):
    """Return the path of a notebook, its content and the parameters that it declares."""
    path = find_notebook(given)
    try:
        content = nbformat.read(path, as_version=4)
        return path, content, declared_parameters(content)
    except Exception as error:  # whatever the reader stumbles over
        raise ValueError(f"{path.stem} cannot be read: {error}") from None


def _check_values(content, declared, values):
    """Return what is wrong with the values of a notebook's parameters."""
    known = {name: value for name, value in {**declared, **values}.items() if value is not ...}
    checked, problems = set(), []
    try:
        kinds = parameter_classes(content)
    except ValueError as error:
        return [str(error)]
    for parameters in kinds:
        checked |= parameters.model_fields.keys()
        try:
            parameters.select(known)
        except ValueError as error:
            problems.append(str(error))
    for name in values.keys() - checked:
        if _kind(declared[name]) not in (None, _kind(values[name])):
            problems.append(f"{name} = {values[name]!r} is not allowed; its default is {declared[name]!r}")
    return problems


def _kind(value):
    """Return what sort of value it is, or None if a default does not tell."""
    kinds = ((bool, "truth"), (int | float, "number"), (str, "text"), (list | tuple, "list"))
    return next((name for kind, name in kinds if isinstance(value, kind)), None)


def _check_keys(content, allowed, where, problems):
    for key in content.keys() - allowed:
        problems.append(f"{where}: unknown key {key!r}; allowed are {', '.join(sorted(allowed))}")


def _suggest(name, known):
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known) or 'none'}"
