"""Shadows of spheres: how much of them a beam passes through, and which it meets first."""

import math

import numpy as np
from numba import njit

from particlelab.soot.aggregates import check_pixel_size


def project(centres_nm, radii_nm, pixel_size_nm, margin=2):
    """Project spheres along z onto a frame that just holds them.

    Parameters
    ----------
    centres_nm : (N, 3) array
    radii_nm : (N,) array
    pixel_size_nm : float
    margin : int
        Empty pixels left on each side.

    Returns
    -------
    thickness_nm : (H, W) ndarray
        Length inside the union of the spheres of the ray through each pixel's centre.
    labels : (H, W) int32 ndarray
        1 + the index of the topmost sphere (greatest z), 0 where there is none: ``labels > 0`` is the mask.

    Raises
    ------
    ValueError
        If ``pixel_size_nm`` is not positive, or the arrays do not hold at least one sphere.
    """
    centres, radii = np.asarray(centres_nm, float), np.asarray(radii_nm, float)
    pixel_size_nm = check_pixel_size(pixel_size_nm)
    if radii.ndim != 1 or not radii.size or centres.shape != (radii.size, 3):
        raise ValueError(f"centres_nm must be (N, 3) and radii_nm (N,), got {centres.shape} and {radii.shape}")
    return project_with_corner(centres, radii, pixel_size_nm, margin)[:2]


def project_with_corner(centres, radii, pixel, margin):
    """As `project`, without checks, and with the place (column, row) of the first pixel's centre in pixels."""
    low = np.floor((centres[:, :2] - radii[:, None]).min(axis=0) / pixel).astype(int) - margin
    high = np.ceil((centres[:, :2] + radii[:, None]).max(axis=0) / pixel).astype(int) + margin
    width, height = high - low + 1
    x, y, z = centres.T / pixel
    thickness, labels = shadow(x - low[0], y - low[1], z, radii / pixel, height, width)
    return thickness * pixel, labels, low


@njit(cache=True)
def shadow(x, y, z, r, height, width):
    """Return thickness of the union (H, W) and topmost spheres (H, W), 1 + index or 0; all lengths in pixels.

    Pixel (row, column) has its ray at y = row, x = column. Each sphere leaves an interval of z at each ray
    that meets it; the intervals of a ray are sorted and merged.
    """
    first = np.zeros(height * width + 1, np.int64)  # interval of each ray
    for k in range(r.size):
        for row in range(*_rows(y[k], r[k], height)):
            for column in range(*_columns(x[k], y[k], r[k], row, width)):
                first[row * width + column + 1] += 1
    for ray in range(height * width):
        first[ray + 1] += first[ray]
    low, high = np.empty(first[-1]), np.empty(first[-1])
    filled = np.zeros(height * width, np.int32)
    labels = np.zeros((height, width), np.int32)
    top = np.full((height, width), -np.inf)
    for k in range(r.size):
        for row in range(*_rows(y[k], r[k], height)):
            for column in range(*_columns(x[k], y[k], r[k], row, width)):
                ray = row * width + column
                half = math.sqrt(max(r[k] ** 2 - (row - y[k]) ** 2 - (column - x[k]) ** 2, 0.0))
                at = first[ray] + filled[ray]
                filled[ray] += 1
                while at > first[ray] and low[at - 1] > z[k] - half:
                    low[at], high[at] = low[at - 1], high[at - 1]
                    at -= 1
                low[at], high[at] = z[k] - half, z[k] + half
                if z[k] + half > top[row, column]:
                    top[row, column] = z[k] + half
                    labels[row, column] = k + 1
    thickness = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            ray, reached = row * width + column, -np.inf
            for at in range(first[ray], first[ray + 1]):
                if high[at] > reached:
                    thickness[row, column] += high[at] - max(low[at], reached)
                    reached = high[at]
    return thickness, labels


@njit(cache=True)
def _rows(y, r, height):
    return max(0, math.ceil(y - r)), min(height, math.floor(y + r) + 1)


@njit(cache=True)
def _columns(x, y, r, row, width):
    half = math.sqrt(max(r**2 - (row - y) ** 2, 0.0))
    return max(0, math.ceil(x - half)), min(width, math.floor(x + half) + 1)
