"""Sizes of particles as labels show them, before and after an anonymisation.

Sizes are those of particles that the frame does not cut; each counts one over the chance that the frame would not have
cut it (Miles 1974, Lantuejoul 1978), since large particles are cut more often.
"""

import numpy as np
import pandas as pd
from scipy import ndimage

from particlelab.measure import feret_diameters, geometric_moments
from particlelab.micrographs.anonymity import SMALLEST_SPACING_PX, draw_factor, draw_warp, warp
from particlelab.micrographs.sizes import border_weights
from particlelab.parameters import Parameters, parameter

WAYS = ("grid", "affine", "scale", "scale each")  # scale: one factor for all pictures of a set; or for each its own
MEASURES = ("feret_largest_px", "feret_smallest_px", "diameter_px")
QUANTITIES = ("geometric mean", "deviation", "mean-area mean")  # the last is D[2,0]
COLUMNS = ("id", *MEASURES, "weight")


class Strength(Parameters):
    """How strongly pictures are anonymised."""

    distortion: float = parameter(1.0, "Strength of grid and affine; above 1 a picture might fold", low=0, high=1)
    scaling: float = parameter(0.25, "Strength of scale: largest factor less 1", low=0, high=1)
    spacing_px: float = parameter(
        32.0, "Of the nodes of grid and affine", unit="px", low=SMALLEST_SPACING_PX, high=4096
    )


def measure_sizes(instances):
    """Measure the particles that the frame does not cut.

    Parameters
    ----------
    instances : (H, W) int ndarray

    Returns
    -------
    DataFrame
        ``id``; ``feret_largest_px``, ``feret_smallest_px``, ``diameter_px`` (of the disk of the same area) of the
        visible part; ``weight``, one over the share of places at which the frame would not cut the particle.
    """
    height, width = instances.shape
    rows = []
    for k, box in enumerate(ndimage.find_objects(instances), 1):
        if box is None:
            continue
        (top, bottom), (left, right) = ((side.start, side.stop) for side in box)
        if top == 0 or left == 0 or bottom == height or right == width:
            continue
        mask = instances[box] == k
        weight = border_weights(right - left, bottom - top, instances.shape)
        rows.append((k, *feret_diameters(mask), 2 * np.sqrt(np.count_nonzero(mask) / np.pi), float(weight)))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"id": int})


def measure_set(labels):
    """Measure all pictures of a set; as `measure_sizes`, with ``picture``."""
    return pd.concat([measure_sizes(one).assign(picture=k) for k, one in enumerate(labels)], ignore_index=True)


def tell(sizes):
    """Return the logarithms of what sizes tell, (measures, quantities): of `MEASURES` and `QUANTITIES`.

    Parameters
    ----------
    sizes : DataFrame
        As of `measure_sizes`, of at least two particles.

    Returns
    -------
    (3, 3) ndarray
    """
    d, weights = sizes[list(MEASURES)].to_numpy(float).T, sizes.weight.to_numpy(float)
    mean, deviation = geometric_moments(d, weights)
    return np.log(np.stack([mean, deviation, np.sqrt(np.average(d**2, axis=1, weights=weights))], axis=1))


def set_options(way, strength, rng):
    """Return the options of `draw_warp` for the pictures of a set; "scale" has one factor for all.

    Parameters
    ----------
    way : str
        Of `WAYS`.
    strength : Strength
    rng : numpy.random.Generator

    Returns
    -------
    dict
    """
    if way in ("grid", "affine"):
        return {"method": way, "strength": strength.distortion, "spacing_px": strength.spacing_px}
    shared = {"factor": draw_factor(rng, strength.scaling)} if way == "scale" else {}
    return {"method": "scale", "strength": strength.scaling} | shared


def anonymise_labels(labels, way, strength, rng):
    """Anonymise the labels of a set of pictures; as `set_options`. Returns a list of (H', W') int ndarrays."""
    options = set_options(way, strength, rng)
    return [warp(one, draw_warp(one.shape, rng=rng, **options), nearest=True) for one in labels]
