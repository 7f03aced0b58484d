"""A user's own micrograph: its particles, one by one, and their size distribution with intervals."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from particlelab.measure import feret_diameters
from particlelab.micrographs.classical import find_by_hough, find_by_watershed
from particlelab.micrographs.detector import load_detector
from particlelab.micrographs.sizes import POWERS, border_weights, summarise
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.reading import pixel_size_of, read_image

METHODS = {"watershed": find_by_watershed, "hough": find_by_hough}  # and "network", which has to be loaded
COLUMNS = (
    *("instance", "x_nm", "y_nm", "diameter_nm", "feret_largest_nm", "feret_smallest_nm", "aspect", "area_nm2"),
    *("visible_share", "score", "touches_border", "weight"),
)


class Measurement(Parameters):
    """How a micrograph is measured."""

    method: Literal["network", "watershed", "hough"] = parameter("network", "How particles are found")
    pixel_size_nm: float | None = parameter(
        None, "Edge of a pixel, where the file does not say", unit="nm", above=0, high=1e8
    )
    model: str = parameter("default", "A network that ships, or the path of a .safetensors file (network)")
    minimum_score: float = parameter(0.0, "Particles of a lower score are left out", low=0, high=1)
    smallest_px: float = parameter(4.0, "Particles of a smaller diameter are left out", unit="px", low=0, high=10_000)
    border: Literal["corrected", "left out", "kept"] = parameter(
        "corrected",
        "Particles that touch the picture's edge: left out, and the rest weighted for it; left out; or kept",
    )
    weighting: Literal[tuple(POWERS)] = parameter(
        "number", "What the size distribution is of: the number, the area or the volume of particles"
    )
    seed: int = parameter(0, "Seed of the bootstrap that the intervals are made by", low=0)


MEASUREMENT_GROUPS = {
    "What counts": ("minimum_score", "smallest_px", "border"),
    "The distribution": ("weighting", "seed"),
}


class Examination(NamedTuple):
    """Everything that was found in a micrograph, to be drawn."""

    image: np.ndarray  # (H, W)
    pixel_size_nm: float
    instances: np.ndarray  # (H, W) int32: the particles of the table, by its column ``instance``
    table: pd.DataFrame
    summary: pd.DataFrame
    weighting: str  # of the distribution


def measure(image, pixel_size_nm, **options):
    """Find the particles of a micrograph and measure their sizes.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) array_like
        Grey levels, footer cut off; particles may be bright or dark.
    pixel_size_nm : float
    **options
        Fields of `Measurement`, such as ``method="watershed"``, ``border="kept"``.

    Returns
    -------
    table : DataFrame
        A row a particle: ``instance``; ``x_nm`` and ``y_nm``, the middle of what is seen of it, from the upper left
        corner; ``diameter_nm``, area-equivalent (of the disk with the area of its outline, ISO 13322-1), and of the
        complete one, where the picture's edge cuts it and the method tells how much; ``feret_largest_nm``,
        ``feret_smallest_nm`` and ``aspect``, their ratio, of what is seen of it; ``area_nm2``, of which
        ``visible_share`` is seen; ``score``; ``touches_border``; and ``weight``, for how many particles it stands
        (`border_weights`), 0 if it does not count.
    summary : DataFrame
        As `particlelab.micrographs.sizes.summarise`, with a 95 % interval of every number.

    Raises
    ------
    ValueError
        If there is no pixel size, the image cannot be one (`grey_image`), or there is no such model.
    """
    found = examine(image, pixel_size_nm, Measurement(**options))
    return found.table, found.summary


def measure_file(path, parameters):
    """Measure a file as `measure` does.

    Parameters
    ----------
    path : path
        Colours become grey.
    parameters : Measurement
        The pixel size is that of the file where it states one, and the one given here where it does not.

    Returns
    -------
    table, summary : DataFrame

    Raises
    ------
    ReadError
        If the file cannot be read, or no pixel size is known.
    ValueError
        As `measure`.
    """
    image = read_image(path)
    pixel_size_nm = pixel_size_of(image, parameters.pixel_size_nm)
    found = examine(image.pixels, pixel_size_nm, parameters)
    return found.table, found.summary


def examine(image, pixel_size_nm, parameters):
    """Measure a micrograph as `measure` does, and return everything that is worth drawing.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) array_like
    pixel_size_nm : float
    parameters : Measurement

    Returns
    -------
    Examination

    Raises
    ------
    ValueError
        As `measure`.
    """
    if pixel_size_nm is None:
        raise ValueError("pixel_size_nm is missing: without it nothing has a size; give it in nm")
    p = parameters.replace(pixel_size_nm=pixel_size_nm)
    image = np.asarray(image)
    found = find_particles(image, p.method, p.model)
    table = tabulate(found, pixel_size_nm)
    kept = (table.score >= p.minimum_score) & (table.diameter_nm >= p.smallest_px * pixel_size_nm)
    table = table[kept].reset_index(drop=True)
    table["weight"] = _weights(table, p.border, found.instances.shape)
    numbers = np.zeros(len(kept) + 1, np.int32)
    numbers[table.instance] = np.arange(1, len(table) + 1)
    table["instance"] = np.arange(1, len(table) + 1)
    summary = summarise(table, found.instances.size * pixel_size_nm**2, p.weighting, generator(p.seed, "bootstrap"))
    return Examination(image, pixel_size_nm, numbers[found.instances], table[list(COLUMNS)], summary, p.weighting)


def find_particles(image, method="network", model="default"):
    """Find the particles of an image.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) array
    method : {"network", "watershed", "hough"}
    model : str or path
        Of the network.

    Returns
    -------
    Found

    Raises
    ------
    ValueError
        If there is no such method or model, or the image cannot be one.
    """
    if method == "network":
        return load_detector(model).find(image)
    if method not in METHODS:
        raise ValueError(f"method must be one of network, {', '.join(METHODS)}, got {method!r}")
    return METHODS[method](image)


def tabulate(found, pixel_size_nm):
    """Measure the particles that were found, each by itself.

    Parameters
    ----------
    found : Found
    pixel_size_nm : float

    Returns
    -------
    DataFrame
        As `measure`, without ``weight``; ``extent_x_px`` and ``extent_y_px`` are the columns and rows of a particle.
        Particles of which no pixel is seen are left out.
    """
    height, width = found.instances.shape
    rows = []
    for number, place in enumerate(ndimage.find_objects(found.instances), 1):
        if place is None:
            continue
        mask = found.instances[place] == number
        down, across = place
        y, x = (np.average(np.arange(n) + 0.5, weights=mask.sum(axis=1 - axis)) for axis, n in enumerate(mask.shape))
        largest, smallest = feret_diameters(mask)
        diameter = float(found.diameters_px[number - 1])
        area = np.pi / 4 * diameter**2
        rows.append(
            {
                "instance": number,
                "x_nm": (across.start + x) * pixel_size_nm,
                "y_nm": (down.start + y) * pixel_size_nm,
                "diameter_nm": diameter * pixel_size_nm,
                "feret_largest_nm": largest * pixel_size_nm,
                "feret_smallest_nm": smallest * pixel_size_nm,
                "aspect": largest / smallest,
                "area_nm2": area * pixel_size_nm**2,
                "visible_share": min(1.0, np.count_nonzero(mask) / area),
                "score": float(found.scores[number - 1]),
                "touches_border": touches_border(place, (height, width)),
                "extent_x_px": mask.shape[1],
                "extent_y_px": mask.shape[0],
            }
        )
    names = [name for name in COLUMNS if name != "weight"] + ["extent_x_px", "extent_y_px"]
    table = pd.DataFrame(rows, columns=names)
    return table.astype({"instance": int, "touches_border": bool} | dict.fromkeys(names[1:10], float))


def touches_border(place, shape):
    """Tell whether the box of a particle, two slices, reaches to the edge of a picture (H, W)."""
    return any(part.start == 0 or part.stop == n for part, n in zip(place, shape, strict=True))


def _weights(table, border, shape):
    """Return for how many particles each row stands."""
    if border == "kept":
        return np.ones(len(table))
    whole = ~table.touches_border.to_numpy()
    weights = whole.astype(float)
    if border == "corrected":
        weights[whole] = border_weights(table.extent_x_px[whole], table.extent_y_px[whole], shape)
    return weights
