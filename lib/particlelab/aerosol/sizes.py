"""How large a cloud is, and of what shape: from masks and from grey pictures of them."""

import math

import numpy as np
import pandas as pd
from scipy import ndimage

from particlelab.measure.shapes import EIGHT_CONNECTED, box_dimension, feret_diameter, perimeter

THRESHOLD = 10  # grey value from which on a pixel is one of the cloud (Gandhi 2022, eq. 3.3)


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
        - ``perimeter``: by Crofton's formula (`particlelab.measure.shapes.perimeter`), holes included. Where the cloud
          leaves the picture the picture's edge counts.
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
        "perimeter": pixel * perimeter(cloud),
        "width": pixel * float(width),
        "height": pixel * float(height),
        "feret": pixel * feret_diameter(cloud),
        "centre_row": centre[0],
        "centre_column": centre[1],
        "fractal_dimension": dimension,
        "fractal_dimension_error": error,
        "touches_edge": bool(cloud[[0, -1]].any() or cloud[:, [0, -1]].any()),
    }


def _grey(picture):
    """Return the luminance in whole numbers, rounded as Pillow does it."""
    weighted = picture @ np.array([19595, 38470, 7471], np.uint32)
    return (weighted + 0x8000 >> 16).astype(np.uint8)
