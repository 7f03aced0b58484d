"""Runs: what was computed once is loaded the next time.

A run stands in ``cache/name/<16 digits>``; the digits follow from the parameters and from the source of the code that
computes it (`particlelab.lab.fingerprint`).
"""

import dataclasses
import hashlib
import inspect
import io
import json
import re
import shutil
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel

from particlelab.lab import folders
from particlelab.lab.atomic import claim, settle, sync
from particlelab.lab.environment import environment
from particlelab.lab.fingerprint import fingerprint
from particlelab.lab.notebook import show_progress

_MANIFEST = "run.json"
_REFERENCE = "$file"  # stands in the manifest for an array or a table
_FILES = "files"  # the folder that compute writes models into
_PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".joblib"}


@dataclasses.dataclass(frozen=True)
class Run(Mapping):
    """A finished run: a mapping of the names that ``compute`` returned to their values.

    Attributes
    ----------
    name : str
    parameters : object
        As they were asked for.
    environment : dict
        Date, ``duration_s``, Python, packages, git commit and machine of the computation.
    folder : Path or None
        Where the run is kept; None if it could not be kept.
    was_loaded : bool
        True if it was found, False if it was computed now.
    """

    name: str
    parameters: object
    environment: dict
    folder: Path | None
    was_loaded: bool
    values: dict = dataclasses.field(repr=False)

    def __getitem__(self, name):
        return self.values[name]

    def __iter__(self):
        return iter(self.values)

    def __len__(self):
        return len(self.values)

    def file(self, name):
        """Return the path of a file that ``compute`` wrote into its folder, such as ``"model.safetensors"``."""
        path = self.folder / _FILES / name if self.folder else None
        if path is None or not path.is_file():
            raise FileNotFoundError(f"the run {self.name!r} holds no file {name!r}")
        return path


def run(name, parameters, compute, *, folder=None, refresh=False):
    """Load a finished run, or compute it and keep it.

    Parameters
    ----------
    name : str
        What is computed: letters, digits, ``-``, ``_`` and ``.``.
    parameters : Parameters or dict
        Everything that the result depends on, besides code.
    compute : callable
        ``compute(parameters)`` returns a dictionary of results: numbers, texts, lists, dictionaries, arrays and
        tables. Named tuples, dataclasses and pydantic models become dictionaries. It is given what it has an argument
        for: ``folder``, a folder to write models into (safetensors, ``.keras``), see `Run.file`; ``checkpoints``, the
        path of a folder for what it can go on from, which outlives a computation that was killed or failed; and
        ``progress(fraction, text="")``, a function that shows how far it is.
    folder : path, optional
        Instead of the cache.
    refresh : bool
        Compute even if there is a finished run.

    Returns
    -------
    Run

    Raises
    ------
    TypeError
        If the result is of a kind that cannot be kept, or if ``compute`` depends on something without a fingerprint.

    Notes
    -----
    Processes that ask for the same run at once compute it once: the others wait. If the result cannot be written (no
    space left, no permission), a warning says so and the result is returned all the same.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        raise ValueError(f"name must be made of letters, digits, '-', '_' and '.', got {name!r}")
    key = fingerprint(name, parameters, compute)
    place = Path(folder or folders.cache()) / name / key[:16]
    if not refresh and (found := _load(place, key, parameters)):
        return found
    with claim(place) as workplace:
        if not refresh and (found := _load(place, key, parameters)):  # another process was faster
            return found
        draft, checkpoints = workplace / "run", place.with_name(f"{place.name}-checkpoints")
        started = time.monotonic()
        values = _compute(name, compute, parameters, draft / _FILES, checkpoints)
        made_with = {**environment(), "duration_s": round(time.monotonic() - started, 3)}
        try:
            _write(draft, {"name": name, "key": key, "environment": made_with}, parameters, values)
            settle(draft, place)
            kept = _load(place, key, parameters)  # as it will be loaded the next time
            if kept is None:
                raise OSError("what was written cannot be read")
            shutil.rmtree(checkpoints, ignore_errors=True)
            return dataclasses.replace(kept, was_loaded=False)
        except OSError as error:
            warnings.warn(f"the run {name!r} is computed but could not be kept in {place}: {error}", stacklevel=2)
            return Run(name, parameters, made_with, None, False, values)


def _compute(name, compute, parameters, folder, checkpoints):
    try:
        wanted = inspect.signature(compute).parameters
    except ValueError:  # built in
        wanted = ()
    offered = {"folder": folder, "checkpoints": checkpoints, "progress": show_progress(name)}
    if "folder" in wanted:
        folder.mkdir(parents=True)
    values = compute(parameters, **{argument: offered[argument] for argument in offered if argument in wanted})
    pickles = [path.name for path in folder.rglob("*") if path.suffix in _PICKLES]
    if pickles:
        raise TypeError(f"{pickles[0]} is a pickle, which is never loaded; keep models as safetensors or .keras")
    values = _simplify(values, "the result")
    if not isinstance(values, dict):
        raise TypeError(f"compute must return a dictionary of results, got {type(values).__name__}")
    return values


def _simplify(value, name):
    """Return a value made of dictionaries, lists, numbers, texts, arrays and tables."""
    if isinstance(value, np.generic):
        value = value.item()
    elif isinstance(value, BaseModel):
        value = dict(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(key): _simplify(item, f"{name}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_simplify(item, f"{name}[{i}]") for i, item in enumerate(value)]
    plain_array = isinstance(value, np.ndarray) and not value.dtype.hasobject
    if value is None or plain_array or isinstance(value, bool | int | float | str | pd.DataFrame):
        return value
    raise TypeError(f"{name} is a {type(value).__name__}; a run keeps numbers, texts, lists, arrays and tables")


def _write(draft, manifest, parameters, values):
    """Write a run, file by file, and last the manifest with a checksum of each."""
    draft.mkdir(exist_ok=True)
    contents = {}
    tree = _take_out(values, "", contents)
    for name, content in contents.items():
        (draft / name).write_bytes(content)
    shown = dict(parameters) if isinstance(parameters, BaseModel | Mapping) else parameters
    files = sorted(path for path in draft.rglob("*") if path.is_file())
    for path in files:
        sync(path)
    sums = {path.relative_to(draft).as_posix(): _sum(path) for path in files}
    manifest = {**manifest, "parameters": shown, "values": tree, "files": sums}
    text = json.dumps(manifest, indent=1, default=lambda value: str(value)[:200])
    (draft / _MANIFEST).write_text(f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}\n")
    sync(draft / _MANIFEST)


def _take_out(value, name, contents):
    """Return a tree without arrays and tables; these are added to ``contents`` as file name and bytes."""
    if isinstance(value, dict):
        return {key: _take_out(item, f"{name}.{key}" if name else key, contents) for key, item in value.items()}
    if isinstance(value, list):
        return [_take_out(item, f"{name}.{i}", contents) for i, item in enumerate(value)]
    if not isinstance(value, np.ndarray | pd.DataFrame):
        return value
    buffer = io.BytesIO()
    if isinstance(value, np.ndarray):
        np.save(buffer, value, allow_pickle=False)
    else:
        value.to_parquet(buffer)
    suffix = ".npy" if isinstance(value, np.ndarray) else ".parquet"
    file = f"{len(contents)}-{re.sub(r'[^A-Za-z0-9_.-]', '_', name)[:80]}{suffix}"
    contents[file] = buffer.getvalue()
    return {_REFERENCE: file}


def _put_back(tree, place):
    if isinstance(tree, list):
        return [_put_back(item, place) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if tree.keys() != {_REFERENCE}:
        return {key: _put_back(item, place) for key, item in tree.items()}
    path = place / tree[_REFERENCE]
    return np.load(path, allow_pickle=False) if path.suffix == ".npy" else pd.read_parquet(path)


def _load(place, key, parameters):
    """Return the run that stands in a place, or None if there is none or it is damaged."""
    if not place.is_dir():
        return None
    try:
        text, _, text_sum = (place / _MANIFEST).read_text().rstrip("\n").rpartition("\n")
        manifest = json.loads(text)
        wrong = [name for name, was in manifest["files"].items() if _sum(place / name) != was]
        if hashlib.sha256(text.encode()).hexdigest() != text_sum or manifest["key"] != key or wrong:
            raise ValueError(f"{(wrong or [_MANIFEST])[0]} has changed")
        values = _put_back(manifest["values"], place)
    except (OSError, ValueError, LookupError) as error:
        warnings.warn(f"the run in {place} is damaged and is computed again: {error}", stacklevel=3)
        return None
    return Run(manifest["name"], parameters, manifest["environment"], place, True, values)


def _sum(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
