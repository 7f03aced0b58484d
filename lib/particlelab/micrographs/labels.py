"""Micrographs and their labels as files: images, ids, depth, normals, features, sizes, and the scene itself."""

import json
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.measure import LogNormal, fit_lognormal, moment_mean
from particlelab.micrographs.coco import as_coco
from particlelab.micrographs.meshes import as_stl
from particlelab.writing import write_bytes

MEANS = ((0, 0), (1, 0), (2, 0), (3, 0), (3, 2), (4, 3))  # p and q of moment-ratio means
BINS = 20
LARGEST_ID = 65_535  # of 16 bit


class SizeDistribution(NamedTuple):
    """Sizes of particles, by number; lengths in nm."""

    fit: LogNormal | None  # None of fewer than two particles
    means: dict  # "D[3,2]" to a length
    histogram: pd.DataFrame  # smallest_nm, largest_nm, count, density (per unit of ln d)


def write_labels(micrograph, folder, name="micrograph", kinds=None):
    """Write a micrograph and its labels, each kind as a file ``NAME_KIND`` of a folder.

    Parameters
    ----------
    micrograph : Micrograph
    folder : path
        Made if it is not there.
    name : str
        What the names of the files begin with.
    kinds : sequence of str, optional
        Of ``KINDS``; all of them by default.

    Returns
    -------
    dict
        Path by kind.

    Raises
    ------
    ValueError
        If a kind is unknown.
    """
    kinds = tuple(KINDS) if kinds is None else tuple(kinds)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ValueError(f"kinds holds {unknown[0]!r}; there are {', '.join(KINDS)}")
    paths = {}
    for kind in kinds:
        ending, make = KINDS[kind]
        paths[kind] = write_bytes(Path(folder) / f"{name}_{kind}.{ending}", make(micrograph, f"{name}_image.png"))
    return paths


def as_png(values):
    """Return a picture (H, W) of whole numbers as PNG: 8 bit if it is uint8, otherwise 16 bit.

    Raises
    ------
    ValueError
        If a number does not fit into 16 bit.
    """
    from PIL import Image

    values = np.asarray(values)
    if values.dtype != np.uint8:
        if values.size and (values.min() < 0 or values.max() > LARGEST_ID):
            raise ValueError(f"16 bit hold 0 to {LARGEST_ID}, got {values.min()} to {values.max()}: write TIFF")
        values = values.astype(np.uint16)
    file = BytesIO()
    Image.fromarray(values).save(file, "png")
    return file.getvalue()


def as_tiff(values, pixel_size_nm=None):
    """Return a picture (H, W) or (H, W, 3) as TIFF, losslessly compressed, in the type of its numbers.

    Parameters
    ----------
    values : (H, W) or (H, W, 3) ndarray
    pixel_size_nm : float, optional
        Written as the resolution, where `particlelab.reading.read_image` and ImageJ find it.
    """
    import tifffile

    colours = {"photometric": "rgb" if values.ndim == 3 else "minisblack"}
    if pixel_size_nm is not None:
        colours |= {"resolution": (1e7 / pixel_size_nm,) * 2, "resolutionunit": "CENTIMETER"}
    file = BytesIO()
    tifffile.imwrite(file, values, compression="zlib", software=False, metadata=None, **colours)
    return file.getvalue()


def size_distribution(diameters_nm, bins=BINS):
    """Return the log-normal fit, the means and the histogram of diameters.

    Parameters
    ----------
    diameters_nm : (n,) array_like
        Positive.
    bins : int
        Of the histogram, evenly in ln d from the smallest to the largest diameter.

    Returns
    -------
    SizeDistribution

    Raises
    ------
    ValueError
        If a diameter is not positive and finite, or ``bins`` is below 1.
    """
    d = np.asarray(diameters_nm, float)
    if d.ndim != 1 or not ((d > 0) & np.isfinite(d)).all():
        raise ValueError(f"diameters_nm must be a list of positive lengths, got shape {d.shape}")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    fit = fit_lognormal(d) if len(d) > 1 else None
    means = {f"D[{p},{q}]": moment_mean(d, p, q) for p, q in MEANS} if len(d) else {}
    edges = np.array([1.0, np.e])
    if len(d):
        low, high = (d.min(), d.max()) if np.ptp(d) else (d[0] * 0.99, d[0] * 1.01)
        edges = np.geomspace(low, high, bins + 1)
        edges[[0, -1]] = low, high  # exactly
    counts = np.histogram(d, edges)[0]
    density = counts / max(len(d), 1) / np.diff(np.log(edges))
    columns = {"smallest_nm": edges[:-1], "largest_nm": edges[1:], "count": counts, "density": density}
    return SizeDistribution(fit, means, pd.DataFrame(columns)[: bins if len(d) else 0])


def true_diameters(table, width_px, height_px):
    """Return the diameters in nm of the particles of a table of features whose middle lies in the frame.

    They are those of the complete particles, whatever hides them. Of all that reach into the frame, the larger ones
    would be too many.
    """
    inside = table["x_px"].between(0, width_px) & table["y_px"].between(0, height_px)
    return table.loc[inside, "diameter_nm"].to_numpy()


def as_json(sizes):
    """Return a size distribution as JSON."""
    fit = None if sizes.fit is None else sizes.fit._asdict()
    return json.dumps({"fit": fit, "means": sizes.means, "histogram": sizes.histogram.to_dict("list")}, indent=1)


def _true_sizes(micrograph):
    return size_distribution(true_diameters(micrograph.table, micrograph.recipe.width_px, micrograph.recipe.height_px))


KINDS = {  # ending, and the content of the file by micrograph and name of the image file
    "image": ("png", lambda m, name: as_png(m.image)),
    "instances": ("png", lambda m, name: as_png(m.instances)),
    "instances_tiff": ("tif", lambda m, name: as_tiff(m.instances, m.recipe.pixel_size_nm)),
    "categories": ("png", lambda m, name: as_png(m.category)),
    "depth": ("tif", lambda m, name: as_tiff(m.depth, m.recipe.pixel_size_nm)),
    "normals": ("tif", lambda m, name: as_tiff(m.normals, m.recipe.pixel_size_nm)),
    "features": ("parquet", lambda m, name: m.table.to_parquet(index=False)),
    "features_csv": ("csv", lambda m, name: m.table.to_csv(index=False).encode()),
    "sizes": ("json", lambda m, name: as_json(_true_sizes(m)).encode()),
    "coco": ("json", lambda m, name: json.dumps(as_coco([m], [name])).encode()),
    "scene": ("stl", lambda m, name: as_stl(m.scene)),
}
