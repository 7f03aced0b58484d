"""Masks on the disk: a picture beside the image, and the steps that made it.

`particlelab.soot.collection.read_folder` takes ``NAME_mask.png`` for the mask of ``NAME.png``.
"""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from particlelab.soot.masks import check_mask
from particlelab.soot.slider import Selection
from particlelab.writing import write_bytes


def save_mask(image_path, mask, selections=()):
    """Write a mask, and the steps that made it, beside its image.

    Parameters
    ----------
    image_path : path
        ``NAME.png`` or any other ending; the mask becomes ``NAME_mask.png``, the steps ``NAME_mask.json``.
    mask : (H, W) array_like of bool
    selections : sequence of Selection
        Without any, no steps are written, and those of an earlier mask are removed.

    Returns
    -------
    Path
        Of the mask.

    Raises
    ------
    ValueError
        If the mask is not 2-D or not of type bool.
    """
    path = Path(image_path)
    path = path.with_name(f"{path.stem}_mask.png")
    write_bytes(path, mask_as_png(mask))
    if selections:
        write_bytes(path.with_suffix(".json"), selections_as_json(selections).encode())
    else:
        path.with_suffix(".json").unlink(missing_ok=True)
    return path


def mask_as_png(mask):
    """Return a mask (H, W) as the bytes of a PNG file: 0 in the background, 255 in aggregates."""
    file = io.BytesIO()
    Image.fromarray(check_mask(mask).astype(np.uint8) * 255).save(file, "png", optimize=True)
    return file.getvalue()


def selections_as_json(selections):
    """Return the steps of the "slider" method as JSON: a list with one object a step."""
    return json.dumps([selection.model_dump() for selection in selections], indent=1)


def read_selections(path_or_text):
    """Read the steps of the "slider" method.

    Parameters
    ----------
    path_or_text : Path, str or bytes
        The path of a file, or what `selections_as_json` returned.

    Returns
    -------
    list of Selection

    Raises
    ------
    ValueError
        If it holds no list of steps.
    ParameterError
        If a field of a step is unknown or out of bounds.
    """
    text, name = path_or_text, "the text"
    if isinstance(path_or_text, Path):
        text, name = path_or_text.read_text(encoding="utf-8"), path_or_text.name
    try:
        steps = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{name} holds no steps of the slider method: it is not JSON ({error})") from None
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise ValueError(f"{name} holds no steps of the slider method: expected a list of objects")
    return [Selection(**step) for step in steps]
