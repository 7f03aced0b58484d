"""Trained models as files: the weights as safetensors, and a card that says where they come from."""

import functools
import hashlib
import json
from pathlib import Path

import numpy as np

from particlelab.home import home
from particlelab.writing import write_bytes

ENDING = ".safetensors"


def save_model(path, tensors, card):
    """Write a model file with its card, and the card once more to be read beside it.

    Parameters
    ----------
    path : path
        ``NAME.safetensors``; the card becomes ``NAME.md``.
    tensors : dict of str to ndarray
        Weights, of any types that safetensors knows (float16 halves the file).
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
    from safetensors.numpy import save

    path = Path(path)
    if path.suffix != ENDING:
        raise ValueError(f"a model file ends in {ENDING}, got {path.name}")
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    write_bytes(path, save(arrays, {"card": json.dumps(card, ensure_ascii=False)}))
    write_bytes(path.with_suffix(".md"), _readable(path.stem, card).encode())
    return path


def half_precision(network):
    """Return the weights of a torch network for `save_model`, by name, those of 32 bit in 16: half the file."""
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return {name: a.astype(np.float16) if a.dtype == np.float32 else a for name, a in tensors.items()}


def load_model(path):
    """Read a model file.

    Returns
    -------
    tensors : dict of str to ndarray
    card : dict

    Raises
    ------
    ValueError
        If the file is not there, or not a model file with a card.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no model file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            card = json.loads((file.metadata() or {})["card"])
            return {name: file.get_tensor(name) for name in file.keys()}, card  # noqa: SIM118 (not a dictionary)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is not a model file of this lab: {error!r}") from None


def find_model(domain, name):
    """Return the file of a model: one that ships, by its name, or any other by its path.

    Parameters
    ----------
    domain : str
    name : str or path
        A name such as ``default``, or a path that ends in ``.safetensors``.

    Raises
    ------
    ValueError
        If no model of that name ships; the message names those that do.
    """
    if str(name).endswith(ENDING):
        return Path(name)
    folder = _folder(domain)
    path = folder / f"{name}{ENDING}"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in folder.glob(f"*{ENDING}"))) or "none"
        raise ValueError(f"no model {name!r} ships for {domain}; there are: {there}; a path must end in {ENDING}")
    return path


def load_trained(domain, name, build):
    """Load what a model file makes, once for each state of the file.

    Parameters
    ----------
    domain : str
    name : str or path
        As for `find_model`.
    build : callable
        ``build(path, tensors, card)`` gives the model; it raises ValueError if the file holds something else.

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
    files = sorted(_folder(domain).glob(f"*{ENDING}"))
    return {file.stem: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _folder(domain):
    return home() / "data" / "models" / domain


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
