"""Anonymisation: a picture and its labels are distorted or scaled at random, together (IPMT report, AP1.6)."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from scipy.spatial import cKDTree

from particlelab.randomness import check_rng

METHODS = ("grid", "affine", "scale")
STRENGTH = 0.5
SPACING_PX = 32.0
SMALLEST_SPACING_PX = 4.0
# Displacements of nodes, in spacings, that never fold a picture. Of a grid with cubic B-splines: 1 / 2.046 (Choi and
# Lee 2000, "Injectivity conditions of 2D and 3D uniform cubic B-spline functions"); of triangles with legs of one
# spacing: 1 / 4, since their area is at least (1 - 2 d)^2 - (2 d)^2. Each is a little less here.
UNFOLDED = {"grid": 0.48, "affine": 0.24}
REMAPPED = (np.uint8, np.uint16, np.int16, np.float32, np.float64)  # what OpenCV interpolates as it is


class Warp(NamedTuple):
    """Where each pixel of an anonymised picture comes from, in rows and columns of the picture before."""

    rows: np.ndarray  # (H', W') float32
    columns: np.ndarray  # (H', W') float32
    factor: float  # lengths grow by it; 1 for grid and affine, which keep the picture's area
    shape: tuple  # (H, W) of the picture before


def anonymise(image, instances, method, rng, *, strength=STRENGTH, spacing_px=SPACING_PX, factor=None):
    """Distort or scale a picture and its labels together, at random (IPMT report, AP1.6, figure 8).

    Parameters
    ----------
    image : (H, W) or (H, W, C) ndarray
        Of any type, which it keeps.
    instances : (H, W) int ndarray
        0 is ground, every particle has an id of its own.
    method : {"grid", "affine", "scale"}
        See `draw_warp`.
    rng : numpy.random.Generator
    strength, spacing_px, factor
        See `draw_warp`.

    Returns
    -------
    image : (H', W') or (H', W', C) ndarray
    instances : (H', W') ndarray
        Particles keep their ids, so that a table of them still fits; an id whose particle left the frame, or has no
        pixel any more, is gone. No id is new, no two particles share one.

    Raises
    ------
    ValueError
        If image and instances do not fit, instances are no whole numbers, or as of `draw_warp`.
    """
    image, instances = np.asarray(image), np.asarray(instances)
    if not np.issubdtype(instances.dtype, np.integer) or instances.ndim != 2:
        raise ValueError(f"instances must be (H, W) whole numbers, got shape {instances.shape} of {instances.dtype}")
    if image.ndim not in (2, 3) or image.shape[:2] != instances.shape:
        raise ValueError(f"image must have the shape of the instances, {instances.shape}, got {image.shape}")
    drawn = draw_warp(instances.shape, method, rng, strength=strength, spacing_px=spacing_px, factor=factor)
    return warp(image, drawn), warp(instances, drawn, nearest=True)


def draw_warp(shape, method, rng, *, strength=STRENGTH, spacing_px=SPACING_PX, factor=None):
    """Draw a distortion or scaling at random.

    - "grid": the nodes of a coarse grid move at random, evenly in a square; between them the displacement is a cubic
      B-spline.
    - "affine": the nodes of a grid of triangles move; within each triangle the picture is stretched and sheared.
    - "scale": everything is larger or smaller by one factor, even in its logarithm between 1 / (1 + strength) and
      1 + strength. What is seen is a window at a random place of the scaled picture, smaller than the picture before
      by 1 + strength, whatever the factor: so nothing is ever missing, and neither a seam, nor something filled in,
      nor the size of the window tells the factor.

    Grid and affine map the frame onto itself, one to one: nodes on its edge move along it only, and no strength folds
    the picture. So nothing is missing and nothing is lost, but the sum of all areas, ground included, stays.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the picture.
    method : {"grid", "affine", "scale"}
    rng : numpy.random.Generator
    strength : float
        0 (nothing changes) to 1: of grid and affine, the largest displacement of a node as a share of that from which
        on a picture may fold, 0.48 and 0.24 spacings; of scale, the largest factor less 1.
    spacing_px : float
        Of the nodes of grid and affine, in pixels, at least 4; rounded so that they fit the frame, at least two cells
        along each side.
    factor : float, optional
        Of scale, where it is not to be drawn: for pictures that share one.

    Returns
    -------
    Warp

    Raises
    ------
    ValueError
        If method, strength, spacing or factor are not as above, rng is no Generator, or the picture is too small.
    """
    check_rng(rng)
    height, width = shape = tuple(int(length) for length in shape)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must lie between 0 and 1, got {strength!r}")
    if not (SMALLEST_SPACING_PX <= spacing_px < math.inf):
        raise ValueError(f"spacing_px must be at least {SMALLEST_SPACING_PX:g} px, got {spacing_px!r}")
    if factor is not None and method != "scale":
        raise ValueError(f"factor belongs to the method 'scale', got it for {method!r}")
    if min(height, width) < 2 * SMALLEST_SPACING_PX:
        raise ValueError(f"shape must be at least {2 * SMALLEST_SPACING_PX:g} px each way, got {shape}")
    if method == "scale":
        return _scaling(
            shape, draw_factor(rng, strength) if factor is None else _allowed(factor, strength), strength, rng
        )
    counts = [max(2, round(length / spacing_px)) for length in shape]
    most = strength * UNFOLDED[method]
    moved = [_drawn_nodes(counts, axis, most, rng) for axis in (0, 1)]
    at = [(np.arange(length) + 0.5) / length * count for length, count in zip(shape, counts, strict=True)]
    spread = _by_splines if method == "grid" else _by_triangles
    places = []
    for axis, (nodes, length, count) in enumerate(zip(moved, shape, counts, strict=True)):
        pixel = np.arange(length, dtype=float).reshape((-1, 1) if axis == 0 else (1, -1))
        places.append((pixel + length / count * spread(nodes, *at, axis)).astype(np.float32))
    return Warp(*places, 1.0, shape)


def draw_factor(rng, strength=STRENGTH):
    """Draw the factor of a scaling: even in its logarithm between 1 / (1 + strength) and 1 + strength."""
    return float((1 + strength) ** rng.uniform(-1, 1))


def warp(array, drawn, nearest=False):
    """Take an array through a distortion or scaling.

    Parameters
    ----------
    array : (H, W) or (H, W, C) ndarray
        A picture, labels, a mask, depths.
    drawn : Warp
    nearest : bool
        Of the nearest pixel, for labels; truth values always are. Otherwise cubic interpolation, within the
        smallest and the largest value of the array.

    Returns
    -------
    (H', W') or (H', W', C) ndarray
        Of the same type.

    Raises
    ------
    ValueError
        If the array has another shape than the picture that the warp was drawn for.
    """
    array = np.asarray(array)
    if array.shape[:2] != drawn.shape:
        raise ValueError(f"array must have {drawn.shape} rows and columns, got shape {array.shape}")
    height, width = drawn.shape
    if nearest or array.dtype == bool:
        row = np.clip(np.rint(drawn.rows).astype(int), 0, height - 1)
        return array[row, np.clip(np.rint(drawn.columns).astype(int), 0, width - 1)]
    known = array if array.dtype in REMAPPED else array.astype(np.float64)
    taken = [
        cv2.remap(layer, drawn.columns, drawn.rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        for layer in np.moveaxis(known[..., None] if array.ndim == 2 else known, 2, 0)
    ]
    found = taken[0] if array.ndim == 2 else np.stack(taken, axis=2)
    found = np.clip(found, known.min(), known.max())
    return (np.rint(found) if np.issubdtype(array.dtype, np.integer) else found).astype(array.dtype)


def warp_points(points, drawn):
    """Return where points of a picture are after a distortion or scaling.

    Parameters
    ----------
    points : (n, 2) array_like
        Columns x and rows y in pixels of the picture before; the middle of the first pixel is (0, 0).
    drawn : Warp

    Returns
    -------
    (n, 2) ndarray
        NaN for points that have left the frame.
    """
    points = np.asarray(points, float).reshape(-1, 2)
    before = np.stack([drawn.columns, drawn.rows], axis=-1).astype(float)
    height, width = before.shape[:2]
    nearest = cKDTree(before.reshape(-1, 2)).query(points)[1]
    row, column = np.divmod(nearest, width)
    slopes = np.stack(np.gradient(before, axis=(1, 0)), axis=-1)  # (H', W', 2, 2): of x and y before by x and y after
    steps = np.linalg.solve(slopes[row, column], (points - before[row, column])[..., None])[..., 0]
    found = np.column_stack([column, row]) + steps
    left = (np.abs(found - (width / 2 - 0.5, height / 2 - 0.5)) > (width / 2 + 1e-3, height / 2 + 1e-3)).any(axis=1)
    return np.where(left[:, None], np.nan, found)


def area_before(drawn):
    """Return the area that each pixel had before, in pixels (H', W'): the determinant of the warp's derivative.

    Summed over a particle it is the area that the particle had before.
    """
    (rows_down, rows_right), (columns_down, columns_right) = (
        np.gradient(place.astype(float)) for place in (drawn.rows, drawn.columns)
    )
    return rows_down * columns_right - rows_right * columns_down


def _scaling(shape, factor, strength, rng):
    """Return a scaling: a window at a random place, of a size that does not depend on the factor."""
    places = []
    for length in shape:
        seen = max(1, math.floor(length / (1 + strength) + 1e-9))
        first = rng.uniform(0, max(0.0, length - seen / factor))
        places.append((first + (np.arange(seen) + 0.5) / factor - 0.5).astype(np.float32))
    rows, columns = np.meshgrid(*places, indexing="ij")
    return Warp(rows, columns, float(factor), shape)


def _allowed(factor, strength):
    """Return a factor, if a scaling of this strength may have it."""
    low, high = 1 / (1 + strength), 1 + strength
    if not low * (1 - 1e-9) <= factor <= high * (1 + 1e-9):
        raise ValueError(
            f"factor must lie between {low:.3g} and {high:.3g} for a strength of {strength:g}, got {factor!r}"
        )
    return float(factor)


def _drawn_nodes(counts, axis, most, rng):
    """Return displacements of the nodes along an axis, in spacings; none across the edges of the frame."""
    nodes = rng.uniform(-most, most, (counts[0] + 1, counts[1] + 1))
    across = np.moveaxis(nodes, axis, 0)
    across[0] = across[-1] = 0
    return nodes


def _by_splines(nodes, down, right, axis):
    """Return displacements at places (in spacings) down and right, by cubic B-splines.

    Beyond the frame the nodes are mirrored: with the opposite sign along the displacement, which so is 0 at the edge.
    """
    signs = [-1 if axis == 0 else 1, -1 if axis == 1 else 1]
    nodes = np.concatenate([signs[0] * nodes[1:2], nodes, signs[0] * nodes[-2:-1]], axis=0)
    nodes = np.concatenate([signs[1] * nodes[:, 1:2], nodes, signs[1] * nodes[:, -2:-1]], axis=1)
    first, second = (_spline(at, count - 3) for at, count in zip((down, right), nodes.shape, strict=True))
    return first @ nodes @ second.T


def _spline(at, cells):
    """Return weights (n, cells + 3) of the nodes -1 to cells + 1 at places 0 to cells."""
    away = np.abs(at[:, None] - np.arange(-1, cells + 2))
    near, far = 2 / 3 - away**2 + away**3 / 2, (2 - away) ** 3 / 6
    return np.where(away < 1, near, np.where(away < 2, far, 0))


def _by_triangles(nodes, down, right, axis):
    """Return displacements at places (in spacings) down and right, linear in the two triangles of each cell."""
    cells = [np.minimum(at.astype(int), count - 2) for at, count in zip((down, right), nodes.shape, strict=True)]
    i, j = cells[0][:, None], cells[1][None, :]
    a, b = (down - cells[0])[:, None], (right - cells[1])[None, :]
    first, last = nodes[i, j], nodes[i + 1, j + 1]
    below, beside = nodes[i + 1, j], nodes[i, j + 1]
    upper = first + a * (below - first) + b * (beside - first)
    lower = last + (1 - a) * (beside - last) + (1 - b) * (below - last)
    return np.where(a + b <= 1, upper, lower)
