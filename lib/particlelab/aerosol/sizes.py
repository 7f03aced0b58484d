"""How large a cloud is, and of what shape: from masks and from grey pictures of them."""

import math

import numpy as np
import pandas as pd
from scipy import ndimage, stats
from scipy.spatial import ConvexHull, distance
from skimage.measure import perimeter_crofton

THRESHOLD = 10  # grey value from which on a pixel is one of the cloud (Gandhi 2022, eq. 3.3)
SMALLEST_BOX = 4  # pixels
BOXES_ACROSS = 4  # boxes of the largest size along the outline: fewer do not follow it
FEWEST_SIZES = 4  # of boxes, that a slope with a standard error takes
OFFSETS = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5))  # of a grid of boxes, of a box
EIGHT_CONNECTED = np.ones((3, 3), bool)


def cloud_size(image_or_mask):
    """Return the size of a cloud: the share of pixels that are not black, in percent (Gandhi 2022, eq. 3.3).

    Parameters
    ----------
    image_or_mask : array
        Mask: bool, (H, W) or (frames, H, W). Grey picture: uint8, (H, W) or (frames, H, W). Picture in colours:
        uint8, (H, W, 3) or (frames, H, W, 3); its grey value is the luminance of ITU-R BT.601, as Pillow has it. In a
        uint8 array a last axis of 3 is always that of the colours; in a mask it never is.

    Returns
    -------
    float or (frames,) ndarray
        Percent of pixels that are True, or whose grey value is at least 10.

    Raises
    ------
    ValueError
        If the array has another type or shape, or holds no pixels.
    """
    array = np.asarray(image_or_mask)
    if array.dtype == np.uint8:
        if array.ndim >= 3 and array.shape[-1] == 3:
            array = _grey(array)
        inside = array >= THRESHOLD
    elif array.dtype == bool:
        inside = array
    else:
        raise ValueError(f"image_or_mask must be bool (a mask) or uint8 (grey values 0 to 255), got {array.dtype}")
    if inside.ndim not in (2, 3) or inside.size == 0:
        raise ValueError(
            "image_or_mask must have the shape (H, W) or (frames, H, W), in colours (H, W, 3) or (frames, H, W, 3), "
            f"got {np.shape(image_or_mask)}"
        )
    percent = 100 * np.count_nonzero(inside, axis=(-2, -1)) / (inside.shape[-2] * inside.shape[-1])
    return float(percent) if inside.ndim == 2 else percent


def measure_clouds(masks, pixel_size=None, smallest=9):
    """Measure the cloud in each frame; its parts together are one cloud.

    Parameters
    ----------
    masks : (H, W) or (frames, H, W) bool array
    pixel_size : float, optional
        Edge of a pixel; lengths are then in its unit, in pixels otherwise.
    smallest : int
        Parts of fewer pixels are left out, as noise. Pixels that touch by an edge or a corner are one part.

    Returns
    -------
    DataFrame
        One row a frame:

        - ``frame``: from 1
        - ``clouds``: number of parts
        - ``size_percent``: `cloud_size`, which small parts count in
        - ``area``
        - ``perimeter``: by Crofton's formula in four directions (scikit-image), holes included: right for outlines that
          run in all directions alike, 5.2 % too short for upright and diagonal edges, 2.6 % too long for those between.
          Where the cloud leaves the picture the picture's edge counts.
        - ``width``, ``height``: of the upright box around all parts
        - ``feret``: greatest distance between two points of the cloud, corners of pixels included
        - ``centre_row``, ``centre_column``: of the area, from the upper left corner of the picture
        - ``fractal_dimension``, ``fractal_dimension_error``: of the outline, by `box_dimension`
        - ``touches_edge``: whether a part of the cloud may lie outside the picture

        Without a cloud, area and perimeter are 0 and what has no value is NaN.

    Raises
    ------
    ValueError
        If the masks are not bool or of another shape, ``pixel_size`` is not positive or ``smallest`` is less than 1.
    """
    masks = np.asarray(masks)
    if masks.dtype != bool or masks.ndim not in (2, 3) or masks.size == 0:
        raise ValueError(f"masks must be bool, (H, W) or (frames, H, W), got {masks.dtype} of shape {masks.shape}")
    if pixel_size is not None and not 0 < pixel_size < math.inf:
        raise ValueError(f"pixel_size must be a positive number, got {pixel_size!r}")
    if isinstance(smallest, bool) or not isinstance(smallest, int | np.integer) or smallest < 1:
        raise ValueError(f"smallest must be a whole number of at least 1 pixel, got {smallest!r}")
    frames = masks[None] if masks.ndim == 2 else masks
    pixel = 1.0 if pixel_size is None else float(pixel_size)
    rows = [{"frame": n, **_measure(mask, pixel, smallest)} for n, mask in enumerate(frames, 1)]
    return pd.DataFrame(rows)


def box_dimension(mask):
    """Return the fractal dimension of the outline of a mask by counting boxes, and its standard error.

    A box counts if it holds some of the outline: pixels of the cloud that touch one outside, if only at a corner. The
    picture's edge is no outline. Edges of boxes go from 4 pixels, below which the grid of pixels shows, to a quarter of
    the longer side of the box around the outline, in steps of about the square root of 2; counts are means over four
    positions of the grid. The dimension is the slope of ln(count) over ln(1 / edge). Its standard error is that of the
    fit: it tells how straight the line is, and holds nothing of what a finite picture does to the slope: disks with a
    radius of 80 pixels give 1.04, Koch's snowflake in 512 x 512 pixels 1.23 instead of 1.26.

    Parameters
    ----------
    mask : (H, W) bool array

    Returns
    -------
    dimension, error : float
        NaN where the outline is shorter than four sizes of boxes.
    """
    within = ndimage.binary_erosion(mask, EIGHT_CONNECTED, border_value=1)
    outline = np.argwhere(mask & ~within)  # connected by edges: by corners alone it would slip past small boxes
    if not len(outline):
        return math.nan, math.nan
    outline = outline - outline.min(axis=0)
    largest = (outline.max() + 1) / BOXES_ACROSS
    edges = np.unique(np.round(SMALLEST_BOX * 2 ** (np.arange(40) / 2)).astype(int))
    edges = edges[edges <= largest]
    if len(edges) < FEWEST_SIZES:
        return math.nan, math.nan
    fit = stats.linregress(-np.log(edges), np.log([_count_boxes(outline, edge) for edge in edges]))
    return float(fit.slope), float(fit.stderr)


def _count_boxes(outline, edge):
    """Return how many boxes of a grid hold some of the outline, the mean over positions of the grid."""
    counts = []
    for offset in OFFSETS:
        row, column = ((outline + np.floor(np.multiply(offset, edge)).astype(int)) // edge).T
        counts.append(len(np.unique(row * (column.max() + 1) + column)))
    return np.mean(counts)


def _measure(mask, pixel, smallest):
    labels, _ = ndimage.label(mask, EIGHT_CONNECTED)
    pixels = np.bincount(labels.ravel())
    kept = pixels >= smallest
    kept[0] = False
    cloud = kept[labels]
    row = {"clouds": int(kept.sum()), "size_percent": cloud_size(mask), "area": pixel**2 * np.count_nonzero(cloud)}
    nothing = dict.fromkeys(["width", "height", "feret", "centre_row", "centre_column"], math.nan)
    nothing |= {"fractal_dimension": math.nan, "fractal_dimension_error": math.nan, "touches_edge": False}
    if not cloud.any():
        return {**row, "perimeter": 0.0, **nothing}
    at = np.argwhere(cloud)
    height, width = at.max(axis=0) - at.min(axis=0) + 1
    centre = pixel * (at.mean(axis=0) + 0.5)
    dimension, error = box_dimension(cloud)
    return {
        **row,
        "perimeter": pixel * float(perimeter_crofton(cloud, directions=4)),
        "width": pixel * float(width),
        "height": pixel * float(height),
        "feret": pixel * _feret(cloud),
        "centre_row": centre[0],
        "centre_column": centre[1],
        "fractal_dimension": dimension,
        "fractal_dimension_error": error,
        "touches_edge": bool(cloud[[0, -1]].any() or cloud[:, [0, -1]].any()),
    }


def _feret(cloud):
    """Return the greatest distance between corners of pixels; only the outermost pixels of each row can have them."""
    rows = np.flatnonzero(cloud.any(axis=1))
    first = cloud[rows].argmax(axis=1)
    last = cloud.shape[1] - cloud[rows, ::-1].argmax(axis=1)
    corners = np.array(
        [(row + edge, end) for edge in (0, 1) for ends in (first, last) for row, end in zip(rows, ends, strict=True)]
    )
    return float(distance.pdist(corners[ConvexHull(corners).vertices]).max())


def _grey(picture):
    """Return the luminance in whole numbers, rounded as Pillow does it."""
    weighted = picture @ np.array([19595, 38470, 7471], np.uint32)
    return (weighted + 0x8000 >> 16).astype(np.uint8)
