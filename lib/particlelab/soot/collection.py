"""Collections of micrographs, real or simulated, each with its reference mask where there is one."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.randomness import generator
from particlelab.reading import IMAGE_ENDINGS, Image, ReadError, read_image
from particlelab.soot.footers import find_footer
from particlelab.soot.micrographs import Micrograph, simulate_micrograph


class Sample(NamedTuple):
    """One micrograph of a collection."""

    name: str
    image: np.ndarray  # (H, W)
    pixel_size_nm: float
    mask: np.ndarray | None  # (H, W) bool: hand-made or true
    truth: pd.DataFrame | None  # true values of a simulated image


def collect(folder, survey):
    """Return the micrographs that a `Survey` asks for: those of a folder, or simulated ones if there is none.

    Parameters
    ----------
    folder : path or None
    survey : Survey

    Returns
    -------
    list of Sample
    """
    if folder is not None and survey.images == "real":
        return read_folder(folder, survey.pixel_size_nm)
    parameters = Micrograph(
        pixel_size_nm=survey.pixel_size_nm, width_px=1024, height_px=1024, aggregates=4, allow_border=False
    )
    return simulate_collection(survey.simulated_images, parameters, survey.seed)


def read_micrograph(path_or_bytes, name=None):
    """Read a micrograph; a footer is cut off, and its scale bar read where the file states no pixel size.

    Parameters
    ----------
    path_or_bytes, name
        As for `read_image`.

    Returns
    -------
    Image

    Raises
    ------
    ReadError
        See `read_image`.
    """
    image = read_image(path_or_bytes, name)
    footer = find_footer(image.pixels)
    if footer is None:
        return image
    return Image(image.pixels[: footer.row], image.pixel_size_nm or footer.pixel_size_nm, image.source)


def read_folder(folder, pixel_size_nm):
    """Read the micrographs of a folder, in the order of their names.

    A file ``NAME_mask.png`` or ``NAME_…_mask.png`` is the reference mask of ``NAME.png`` (of the longest NAME
    that fits, where there are several) and no micrograph of its own.

    Parameters
    ----------
    folder : path
    pixel_size_nm : float
        For the images whose file does not say.

    Returns
    -------
    list of Sample

    Raises
    ------
    ReadError
        If there is no such folder, it holds no image or two of one name, a file cannot be read, or a mask is not
        of its image's shape.
    """
    if not Path(folder).is_dir():
        raise ReadError(f"{folder} is not a folder")
    images = [path for path in _images(folder) if not path.stem.endswith("_mask")]
    if not images:
        raise ReadError(f"{folder} holds no image; expected files ending in {', '.join(IMAGE_ENDINGS)}")
    names = [path.stem for path in images]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ReadError(f"{folder} holds more than one image of the name {', '.join(twice)}; give each its own")
    return [_read(path, pixel_size_nm) for path in images]


def find_mask(path):
    """Return the path of the mask that lies beside a micrograph (`read_folder` says which), None if there is none."""
    path = Path(path)
    files = [other for other in _images(path.parent) if other.stem.startswith(path.stem)]
    names = [other.stem for other in files if not other.stem.endswith("_mask")]
    return next((f for f in files if f.stem.endswith("_mask") and _owner(f.stem, names) == path.stem), None)


def read_mask(path, image):
    """Read the mask of a micrograph: soot is what is not 0.

    Parameters
    ----------
    path : path
    image : Image
        The micrograph.

    Returns
    -------
    (H, W) ndarray of bool

    Raises
    ------
    ReadError
        If it cannot be read, or has another shape than the micrograph.
    """
    mask = read_image(path).pixels > 0
    if mask.shape != image.pixels.shape:
        raise ReadError(
            f"{Path(path).name} has the shape {mask.shape}, but its image {image.source} {image.pixels.shape}"
        )
    return mask


def simulate_collection(n, parameters, seed):
    """Simulate micrographs with their true masks and values.

    Parameters
    ----------
    n : int
    parameters : Micrograph
    seed : int

    Returns
    -------
    list of Sample
        The same for the same seed, whatever ``n``.
    """
    simulated = (simulate_micrograph(parameters, generator(seed, "micrograph", i)) for i in range(n))
    return [
        Sample(f"simulated {i + 1}", s.image, parameters.pixel_size_nm, s.mask, s.table)
        for i, s in enumerate(simulated)
    ]


def _images(folder):
    return sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in IMAGE_ENDINGS)


def _owner(mask_name, names):
    """The image that a mask belongs to, None if there is none: the mask of ``a_b`` is not one of ``a``."""
    return max((name for name in names if mask_name.startswith(name + "_")), key=len, default=None)


def _read(path, pixel_size_nm):
    image, mask = read_micrograph(path), find_mask(path)
    mask = None if mask is None else read_mask(mask, image)
    return Sample(path.stem, image.pixels, image.pixel_size_nm or pixel_size_nm, mask, None)
