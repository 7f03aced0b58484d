"""Geometry optimisation: round particles of one size become those of a picture, by what the picture shows alone.

Prototype 1 of the parameter-free synthesis (IPMT report, AP1.3, figure 1). Outlines are star-shaped, a Fourier series
of the radius over the angle, drawn with soft edges so that gradients pass; the picture is all that they are compared
with.
"""

from typing import Literal, NamedTuple

import cv2
import numpy as np
import pandas as pd
from numba import njit
from scipy import optimize

from particlelab.micrographs.texture import check_picture
from particlelab.parameters import Parameters, parameter

REACH = 2.4  # starting radii to which an outline may extend
HARMONICS = 12


class GeometryFitting(Parameters):
    """How outlines are fitted to a picture."""

    steps: int = parameter(200, "Steps of the optimisation", low=1, high=20_000)
    harmonics: int = parameter(HARMONICS, "Waves along an outline: with one less than 2 it stays round", low=1, high=40)
    start: Literal["found", "grid"] = parameter(
        "found", "Where the round particles begin: in the middle of what is bright, or on a grid"
    )
    learning_rate: float = parameter(0.04, "Largest change of a coefficient in a step", above=0, high=1)
    apart: float = parameter(0.3, "Weight of the penalty on particles that overlap", low=0, high=100)
    smooth: float = parameter(0.002, "Weight of the penalty on waves, by the square of their number", low=0, high=10)
    pictures: int = parameter(8, "Pictures of the way that are kept", low=1, high=200)


class GeometryFit(NamedTuple):
    """What an optimisation of the geometry came to."""

    instances: np.ndarray  # (H, W) int32, 0 = ground, 1..n
    rendering: np.ndarray  # (H, W) float32, 0 to 1
    history: pd.DataFrame  # step, loss; one row a step
    steps: np.ndarray  # (m,) of the pictures
    pictures: np.ndarray  # (m, H, W) float32: the way from the start to the end
    start: np.ndarray  # (H, W) int32: the round particles of the start
    centres_px: np.ndarray  # (n, 2): x, y
    radii_px: np.ndarray  # (n,): mean radius of each outline
    waves: np.ndarray  # (n, harmonics, 2): cosine and sine of each wave from the second on, over the mean radius


def fit_geometry(target, n=None, parameters=None, progress=None):
    """Let n equal round particles become those of a picture.

    The loss is the squared difference of the pictures at three scales; particles must not overlap. All particles shine
    by one profile from the middle to the rim, which is fitted with them, as are the ground and a factor for each.

    Parameters
    ----------
    target : (H, W) array_like
        uint8, or float from 0 to 1; bright particles on a darker ground.
    n : int, optional
        Particles; by default as many as there are middles of what is bright.
    parameters : GeometryFitting, optional
    progress : callable, optional

    Returns
    -------
    GeometryFit

    Raises
    ------
    ValueError
        If the target is no picture, or n not at least 1.
    """
    from particlelab.micrographs.outline_layers import fit_outlines

    image, p = check_picture(target), parameters or GeometryFitting()
    if n is not None and (isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1):
        raise ValueError(f"n must be a whole number of at least 1, got {n!r}")
    mask = bright_mask(image)
    middles = find_middles(mask, n)
    number = n or max(len(middles), 1)
    radius = max(2.0, float(np.sqrt(max(mask.sum(), 1) / (np.pi * number))))
    centres = middles if p.start == "found" and len(middles) == number else lay_grid(image.shape, number)
    return fit_outlines(image, centres, radius, p, REACH, progress)


def bright_mask(image):
    """Return what is brighter than Otsu's threshold in a float picture, smoothed by one pixel."""
    grey = np.clip(255 * cv2.GaussianBlur(image, (0, 0), 1.0), 0, 255).astype(np.uint8)
    return cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1] > 0


def find_middles(mask, n=None):
    """Return the middles (n, 2; x, y) of the parts of a mask.

    These are the maxima of the distance to its rim that stand out most over the saddle to a higher one: of parts that
    touch nothing by their whole depth. Without n, all that stand out by a pixel and a fifth of their depth; where there
    are fewer than n, the deepest places that are left.
    """
    distance = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)
    distance = np.where(np.pad(mask, 1), cv2.GaussianBlur(distance, (0, 0), 1.0), 0)
    order = np.argsort(-distance, axis=None)[: np.count_nonzero(distance)]
    places, heights, standing = _stand_out(distance.ravel(), order, distance.shape[1])
    chosen = standing > np.maximum(1.0, 0.2 * heights) if n is None else np.argsort(-standing)[:n]
    y, x = np.unravel_index(places[chosen], distance.shape)
    found = np.stack([x, y], 1).astype(float) - 1
    return found if n is None else _fill(found, distance[1:-1, 1:-1], n)


def _fill(found, distance, n):
    """Add the deepest places that are not near to those found until there are n, or nothing is left."""
    y, x = np.indices(distance.shape)
    left = distance.copy()
    for column, row in found:
        left[(x - column) ** 2 + (y - row) ** 2 < distance[int(row), int(column)] ** 2] = 0
    while len(found) < n and left.max() > 0:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        found = np.concatenate([found, [(column, row)]])
        left[(x - column) ** 2 + (y - row) ** 2 < left[row, column] ** 2] = 0
    return found


@njit(cache=True)
def _stand_out(heights, order, width):
    """Return the maxima of a picture (flat): place, height, and how far each stands over the saddle to a higher one."""
    parent = np.full(len(heights), -1)
    saddle = np.zeros(len(heights))
    for at in order:
        parent[at] = at
        for step in (-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1):
            other = at + step
            if other < 0 or other >= len(heights) or parent[other] < 0:
                continue
            a, b = at, other
            while parent[a] != a:
                a = parent[a]
            while parent[b] != b:
                b = parent[b]
            if a == b:
                continue
            if heights[a] < heights[b]:
                a, b = b, a
            parent[b] = a  # the lower summit ends here
            saddle[b] = heights[at]
    summits = np.array([at for at in order if parent[at] == at or saddle[at] < heights[at]])
    return summits, heights[summits], heights[summits] - saddle[summits]


def lay_grid(shape, n):
    """Return n places (x, y) on a grid that fills a frame."""
    height, width = shape
    rows = max(1, round(np.sqrt(n * height / width)))
    per_row = np.full(rows, n // rows)
    per_row[: n % rows] += 1
    return np.array(
        [((c + 0.5) * width / k, (r + 0.5) * height / rows) for r, k in enumerate(per_row) for c in range(k)], float
    )


def outline_area(radius_px, waves):
    """Return the area within an outline r(a) = r0 (1 + sum of its waves): pi r0^2 (1 + half the sum of their squares).

    Parameters
    ----------
    radius_px : (...) ndarray
    waves : (..., harmonics, 2) ndarray
        Cosine and sine of each.

    Returns
    -------
    (...) ndarray
        Square pixels.
    """
    return np.pi * np.asarray(radius_px) ** 2 * (1 + (np.asarray(waves) ** 2).sum(axis=(-2, -1)) / 2)


def match_instances(truth, found):
    """Pair particles of two maps so that their intersections over unions are largest together.

    Parameters
    ----------
    truth, found : (H, W) int ndarray
        0 = ground.

    Returns
    -------
    DataFrame
        One row a true particle: ``id``, ``found`` (0: none), ``iou``, ``area_px``, ``found_area_px``.
    """
    true_ids, true_at = np.unique(truth, return_inverse=True)
    found_ids, found_at = np.unique(found, return_inverse=True)
    pairs = np.zeros((len(true_ids), len(found_ids)))
    np.add.at(pairs, (true_at.ravel(), found_at.ravel()), 1)
    area, other = pairs.sum(1), pairs.sum(0)
    iou = pairs / (area[:, None] + other[None] - pairs)
    rows_at, columns_at = np.flatnonzero(true_ids != 0), np.flatnonzero(found_ids != 0)
    rows = [[int(true_ids[i]), 0, 0.0, int(area[i]), 0] for i in rows_at]
    for i, j in zip(*optimize.linear_sum_assignment(-iou[np.ix_(rows_at, columns_at)]), strict=True):
        overlap = iou[rows_at[i], columns_at[j]]
        if overlap > 0:
            rows[i][1:3] = int(found_ids[columns_at[j]]), float(overlap)
            rows[i][4] = int(other[columns_at[j]])
    return pd.DataFrame(rows, columns=["id", "found", "iou", "area_px", "found_area_px"])
