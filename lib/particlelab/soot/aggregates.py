"""Aggregates in a binary mask: how many, how large, of what shape, how dark."""

import math

import numpy as np
import pandas as pd
from scipy import ndimage

from particlelab.measure.shapes import EIGHT_CONNECTED, perimeter

RING_GAP = 3  # pixels left out around a mask, where the edge of a particle is blurred
RING_PIXELS = 20_000  # enough for a background plane


def analyse_aggregates(mask, pixel_size_nm, image=None):
    """Measure every aggregate of a mask.

    Parameters
    ----------
    mask : (H, W) array
        Boolean, or 0 and one other value. Pixels that touch by an edge or a corner are one aggregate.
    pixel_size_nm : float
        Edge of a pixel in the sample.
    image : (H, W) array, optional
        Bright-field image, for the optical depth.

    Returns
    -------
    DataFrame
        One row an aggregate, in the order of its first pixel:

        - ``label``: from 1, as in `label_aggregates`
        - ``n_pixels``, ``area_nm2``: projected area
        - ``da_nm``: diameter of the circle of the same area
        - ``rg_nm``: radius of gyration of the projected area; each pixel counts as a square, with its
          own (1/6) pixel_size^2
        - ``perimeter_nm``: length of the boundary, holes included, by Crofton's formula
          (`particlelab.measure.shapes.perimeter`). (The values that Sipkens et al. published count boundary
          pixels instead, which makes a disk 10 % too short.)
        - ``length_nm``, ``width_nm``: the longer and the shorter edge of the upright box around the
          aggregate, as in the values that Sipkens et al. published; they depend on how it lies
        - ``aspect_ratio``: length over width
        - ``circularity``: 4 pi area / perimeter^2, 1 for a disk
        - ``mean_optical_depth``: mean of ln(background / intensity) over the aggregate, where the
          background is a plane fitted around it; NaN without image or without background nearby
        - ``centroid_x_nm``, ``centroid_y_nm``: from the centre of the pixel in the upper left corner,
          x to the right, y down
        - ``touches_border``: whether a part may lie outside of the frame

    Raises
    ------
    ValueError
        If the mask is not a binary image, the image has another shape, or the pixel size is not positive.
    """
    labels, boxes = label_aggregates(mask)
    pixel = check_pixel_size(pixel_size_nm)
    image = None if image is None else check_image(image, labels.shape)
    y, x = np.nonzero(labels)
    owner = labels[y, x]
    n = np.bincount(owner, minlength=len(boxes) + 1)[1:]
    centre_x, centre_y = (np.bincount(owner, c, len(boxes) + 1)[1:] / n for c in (x, y))
    square = (x - centre_x[owner - 1]) ** 2 + (y - centre_y[owner - 1]) ** 2
    rg = np.sqrt(np.bincount(owner, square, len(boxes) + 1)[1:] / n + 1 / 6)
    edges = np.array([[box[0].stop - box[0].start, box[1].stop - box[1].start] for box in boxes]).reshape(-1, 2)
    outline = np.array([perimeter(labels[box] == i) for i, box in enumerate(boxes, 1)], float)
    depth = [np.nan if image is None else _optical_depth(image, labels, i, box) for i, box in enumerate(boxes, 1)]
    height, width = labels.shape
    border = [b[0].start == 0 or b[1].start == 0 or b[0].stop == height or b[1].stop == width for b in boxes]
    return pd.DataFrame(
        {
            "label": np.arange(1, len(boxes) + 1),
            "n_pixels": n,
            "area_nm2": n * pixel**2,
            "da_nm": np.sqrt(4 * n / math.pi) * pixel,
            "rg_nm": rg * pixel,
            "perimeter_nm": outline * pixel,
            "length_nm": edges.max(axis=1) * pixel,
            "width_nm": edges.min(axis=1) * pixel,
            "aspect_ratio": edges.max(axis=1) / edges.min(axis=1),
            "circularity": 4 * math.pi * n / outline**2,
            "mean_optical_depth": np.array(depth, float),
            "centroid_x_nm": centre_x * pixel,
            "centroid_y_nm": centre_y * pixel,
            "touches_border": np.array(border, bool),
        }
    )


def label_aggregates(mask):
    """Number the aggregates of a mask.

    Parameters
    ----------
    mask : (H, W) array
        Boolean, or 0 and one other value. Pixels that touch by an edge or a corner are one aggregate.

    Returns
    -------
    labels : (H, W) int32 ndarray
        0 outside, aggregates from 1 in the order of their first pixel.
    boxes : list of (slice, slice)
        The box around each aggregate; ``labels[boxes[i - 1]] == i`` is the mask of aggregate i.

    Raises
    ------
    ValueError
        If the mask is not two-dimensional, is empty, or has more than two values (or one that is not 0).
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"mask must be a two-dimensional image, got shape {mask.shape}")
    if mask.dtype.kind not in "buif":
        raise ValueError(f"mask must hold numbers, got {mask.dtype}")
    inside = mask != 0
    values = mask[inside]
    if values.size and not (values == values[0]).all():
        raise ValueError("mask must hold 0 and one other value; threshold it first")
    labels = np.zeros(mask.shape, np.int32)
    ndimage.label(inside, EIGHT_CONNECTED, output=labels)
    return labels, ndimage.find_objects(labels)


def check_pixel_size(pixel_size_nm):
    """Return the pixel size as a float; ValueError if it is not a positive number."""
    if not (np.isscalar(pixel_size_nm) and np.isreal(pixel_size_nm) and 0 < pixel_size_nm < math.inf):
        raise ValueError(f"pixel_size_nm must be a positive number, got {pixel_size_nm!r}")
    return float(pixel_size_nm)


def check_image(image, shape):
    """Return the image as an array; ValueError if it is not grey, not finite or not of this shape."""
    image = np.asarray(image)
    if image.shape != shape:
        raise ValueError(f"image and mask must have the same shape, got {image.shape} and {shape}")
    if image.dtype.kind not in "uif":
        raise ValueError(f"image must hold grey values, got {image.dtype}")
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise ValueError("image must be finite; it has NaN or infinite pixels")
    return image


def background_around(image, labels, box):
    """Fit the background around an aggregate.

    Parameters
    ----------
    image : (H, W) ndarray
    labels : (H, W) int ndarray
        All aggregates, as from `label_aggregates`.
    box : (slice, slice)
        Of the aggregate.

    Returns
    -------
    window : (slice, slice)
        The box with a margin.
    background : (h, w) ndarray or None
        Grey levels of a plane over the window; None where too few pixels are free of aggregates or the plane
        is not positive.
    """
    margin = RING_GAP + 10 + max(box[0].stop - box[0].start, box[1].stop - box[1].start) // 8
    window = tuple(slice(max(0, s.start - margin), s.stop + margin) for s in box)
    grey, near = image[window].astype(float), labels[window]
    free = ndimage.distance_transform_edt(near == 0) > RING_GAP
    y, x = np.nonzero(free)
    if len(y) < 10:
        return window, None
    step = 1 + len(y) // RING_PIXELS
    y, x = y[::step], x[::step]
    values = grey[y, x]
    columns = np.column_stack([np.ones(len(y)), x, y])
    keep = np.ones(len(y), bool)
    for _ in range(3):  # once plainly, then without what stands out: specks, particles that the mask has not
        plane = np.linalg.lstsq(columns[keep], values[keep], rcond=None)[0]
        residual = values - columns @ plane
        keep = np.abs(residual) <= 3 * 1.4826 * np.median(np.abs(residual)) + 1e-9 * np.abs(values).max()
    height, width = near.shape
    background = plane[0] + plane[1] * np.arange(width) + plane[2] * np.arange(height)[:, None]
    return window, background if (background > 0).all() else None


def _optical_depth(image, labels, label, box):
    """Mean of ln(background / intensity), the background being a plane through the pixels around the box."""
    window, background = background_around(image, labels, box)
    if background is None:
        return np.nan
    inside = labels[window] == label
    intensity = image[window][inside].astype(float)
    smallest = intensity[intensity > 0].min(initial=np.inf)  # a black pixel has no logarithm
    if not np.isfinite(smallest):
        return np.nan
    return float(np.mean(np.log(background[inside] / np.maximum(intensity, smallest))))
