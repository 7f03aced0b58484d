"""Pictures: how light becomes what a screen shows, and users' own pictures of persons."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from particlelab.reading import ENDINGS, ReadError, read_colours

PICTURE_ENDINGS = (*ENDINGS["PNG"], *ENDINGS["JPEG"])
LARGEST_PIXELS = 100_000_000


class Background(NamedTuple):
    """A picture in the place of a person who is drawn."""

    name: str  # of its file
    picture: np.ndarray  # (size, size, 3) float32, light from 0 to 1
    mouth: tuple  # row and column, of the picture's height and width
    zoom: float = 1.0  # size of the cloud in it
    light: tuple = (0.63, 0.57, 0.53)  # direction from which the cloud is lit: to the right, up, towards the camera
    brightness: float = 0.8  # of a white surface that faces that light


def to_light(values):
    """Turn the values of a picture, 0 to 255, into light from 0 to 1 (sRGB, IEC 61966-2-1)."""
    v = np.asarray(values, np.float32) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_picture(light):
    """Turn light from 0 to 1 into a picture, uint8 (sRGB, IEC 61966-2-1); less is black, more is white."""
    steps = np.clip(light, 0, 1) * np.float32(len(_VALUES) - 1) + np.float32(0.5)
    return _VALUES[steps.astype(np.uint16)]


def read_backgrounds(folder, size=256, mouth=(0.45, 0.38)):
    """Read pictures of persons before a dark wall, PNG or JPEG, to render clouds in front of them.

    The central square of each picture is taken.

    Parameters
    ----------
    folder : path
    size : int
        Pixels along a side, to which they are scaled.
    mouth : (row, column) or dict
        Where the mouth is, as fractions of the height and width of the file's picture; a dictionary says it for each
        name of a file.

    Returns
    -------
    list of Background
        In the order of their names.

    Raises
    ------
    ReadError
        If there is no such folder, no picture in it, or one that cannot be read or is too large.
    ValueError
        If a mouth is not said or lies outside the square.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ReadError(f"{folder} is not a folder")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_ENDINGS)
    if not paths:
        raise ReadError(f"{folder} holds no picture ({', '.join(PICTURE_ENDINGS)})")
    return [_read_background(path, size, mouth) for path in paths]


def _read_background(path, size, mouth):
    from PIL import Image, ImageOps

    if isinstance(mouth, dict) and path.name not in mouth:
        raise ValueError(f"mouth says nothing of {path.name}; it has {', '.join(mouth) or 'no file'}")
    row, column = mouth[path.name] if isinstance(mouth, dict) else mouth
    pixels = read_colours(path, max_pixels=LARGEST_PIXELS).frames[0]
    if pixels.dtype != np.uint8:
        raise ReadError(f"{path.name} holds {pixels.dtype} pixels; a picture of a person must have 8 bits a colour")
    picture = Image.fromarray(pixels)
    width, height = picture.size
    edge = min(width, height)
    inside = ((row - 0.5) * height / edge + 0.5, (column - 0.5) * width / edge + 0.5)
    if not all(math.isfinite(part) and 0 <= part <= 1 for part in inside):
        raise ValueError(f"mouth of {path.name} must lie in the central square of the picture, got {(row, column)}")
    picture = np.asarray(ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC))
    return Background(path.name, to_light(picture), inside)


def _values():
    light = np.linspace(0, 1, 2**16)
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * shown).astype(np.uint8)


_VALUES = _values()
