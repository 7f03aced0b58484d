"""Trained models as files, and a card in each that says where it comes from.

Of a Keras model everything but the optimiser is kept (``.keras``), of any other the weights (``.safetensors``).
"""

import functools
import hashlib
import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from particlelab.home import home
from particlelab.learning.quiet import load_keras
from particlelab.writing import write_bytes

ENDINGS = (".safetensors", ".keras")
CARD = "card.json"  # in a .keras file, which is a ZIP archive


def save_model(path, model, card):
    """Write a model file with its card, and the card once more to be read beside it.

    Parameters
    ----------
    path : path
        ``NAME.safetensors`` or ``NAME.keras``; the card becomes ``NAME.md``.
    model : dict of str to ndarray, or keras.Model
        For ``.safetensors`` the weights, of any types that it knows (float16 halves the file).
    card : dict
        What whoever uses the model must know, by heading: what it is for, parameters, data, seeds, scores, the command
        that made it. Values are texts, numbers, lists and dictionaries, as in JSON.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If the ending is another one.
    """
    path = Path(path)
    if path.suffix not in ENDINGS:
        raise ValueError(f"a model file ends in {' or '.join(ENDINGS)}, got {path.name}")
    pack = _pack_keras if path.suffix == ".keras" else _pack_tensors
    write_bytes(path, pack(model, json.dumps(card, ensure_ascii=False)))
    write_bytes(path.with_suffix(".md"), _readable(path.stem, card).encode())
    return path


def half_precision(network):
    """Return the weights of a torch network for `save_model`, by name, those of 32 bit in 16: half the file.

    Tensors with a value that 16 bits cannot hold stay as they are.
    """
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    largest = np.finfo(np.float16).max
    fits = {name for name, a in tensors.items() if a.dtype == np.float32 and np.abs(a).max(initial=0) < largest}
    return {name: a.astype(np.float16) if name in fits else a for name, a in tensors.items()}


def load_model(path):
    """Read a model file.

    Returns
    -------
    model : dict of str to ndarray, or keras.Model
        As it was given to `save_model`; a Keras model is not compiled.
    card : dict

    Raises
    ------
    ValueError
        If the file is not there, or not a model file with a card.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no model file {path}")
    try:
        return _read_keras(path) if path.suffix == ".keras" else _read_tensors(path)
    except Exception as error:  # whatever a reader of another library makes of a damaged file
        raise ValueError(f"{path} is not a model file of this lab: {error!r}") from None


def find_model(domain, name):
    """Return the file of a model: one that ships, by its name, or any other by its path.

    Parameters
    ----------
    domain : str
    name : str or path
        A name such as ``default``, or a path that ends in ``.safetensors`` or ``.keras``.

    Raises
    ------
    ValueError
        If no model of that name ships; the message names those that do.
    """
    if str(name).endswith(ENDINGS):
        return Path(name)
    shipped = {file.stem: file for file in _shipped(domain)}
    if str(name) not in shipped:
        there = ", ".join(shipped) or "none"
        raise ValueError(
            f"no model {name!r} ships for {domain}; there are: {there}; a path must end in {' or '.join(ENDINGS)}"
        )
    return shipped[str(name)]


def load_trained(domain, name, build):
    """Load what a model file makes, once for each state of the file.

    Parameters
    ----------
    domain : str
    name : str or path
        As for `find_model`.
    build : callable
        ``build(path, model, card)`` makes of what `load_model` gives what the domain uses; it raises ValueError if
        the file holds something else.

    Returns
    -------
    object
        What ``build`` returned.

    Raises
    ------
    ValueError
        If there is no such file, or it holds something else.
    """
    path = find_model(domain, name)
    return _built(build, path, path.stat().st_mtime_ns if path.is_file() else 0)


@functools.lru_cache(maxsize=8)
def _built(build, path, _modified):
    return build(path, *load_model(path))


def shipped_models(domain):
    """Return the models that ship for a domain: by name, a checksum of the file, which changes when it is trained anew.

    What a finished run depends on besides its parameters and code.
    """
    return {file.stem: file_sum(file) for file in _shipped(domain)}


def file_sum(path):
    """Return a checksum of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _shipped(domain):
    folder = home() / "data" / "models" / domain
    return sorted(file for ending in ENDINGS for file in folder.glob(f"*{ending}"))


def _pack_tensors(tensors, card):
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array) for name, array in tensors.items()}, {"card": card})


def _read_tensors(path):
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        card = json.loads((file.metadata() or {})["card"])
        return {name: file.get_tensor(name) for name in file.keys()}, card  # noqa: SIM118 (not a dictionary)


def _pack_keras(model, card):
    """Return Keras's own archive with the card in it, without dates: the same model is the same file.

    Without the optimiser, too, which is of no use any more and takes up to twice the room of the weights.
    """
    bare = load_keras().models.clone_model(model)
    bare.set_weights(model.get_weights())
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "model.keras"  # Keras writes to files only
        bare.save(draft)
        with zipfile.ZipFile(draft) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(parts["metadata.json"])
    del metadata["date_saved"]
    parts |= {"metadata.json": json.dumps(metadata), CARD: card}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _read_keras(path):
    with zipfile.ZipFile(path) as archive:
        card = json.loads(archive.read(CARD))
    return load_keras().models.load_model(path, compile=False), card


def _readable(name, card):
    """Return a card as Markdown: a heading for each entry, a table for each dictionary."""
    lines = [f"# {name}"]
    for heading, content in card.items():
        lines += ["", f"## {heading}", ""]
        if isinstance(content, dict):
            lines += ["| | |", "|---|---|", *(f"| {key} | {_word(value)} |" for key, value in content.items())]
        elif isinstance(content, list):
            lines += [f"- {_word(item)}" for item in content]
        else:
            lines.append(_word(content))
    return "\n".join(lines) + "\n"


def _word(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {_word(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_word, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
