"""Aggregate masks from TEM images: which pixels are soot, which are background.

`segment` is the one door; `METHODS` names what stands behind it. Aggregates are darker than the
background. Grey levels may have any offset and any positive scale: no method depends on them.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from particlelab.soot.aggregates import check_pixel_size
from particlelab.soot.cnn import CNN, segment_by_cnn
from particlelab.soot.filters import background_surface
from particlelab.soot.masks import SegmentationFailure, check_segmentation
from particlelab.soot.slider import Slider, segment_by_slider
from particlelab.soot.thresholds import (
    Denoised,
    Flattened,
    KMeans,
    Otsu,
    Threshold,
    background_level,
    segment_by_kmeans,
    segment_by_otsu,
    segment_by_threshold,
)
from particlelab.soot.weka import Weka, segment_by_weka

SMALLEST_EDGE = 16  # pixels; a smaller image holds no background to measure
MOST_PIXELS = 150_000_000  # as many as `read_image` reads; more would not fit into the memory of a laptop

# A classifier: its parameters and its function of (image, pixel_size_nm, parameters), which returns a mask. The image
# comes as float32 between 0 and 1.
METHODS = {
    "otsu": (Otsu, segment_by_otsu),
    "kmeans": (KMeans, segment_by_kmeans),
    "threshold": (Threshold, segment_by_threshold),
    "weka": (Weka, segment_by_weka),
    "cnn": (CNN, segment_by_cnn),
}

# The option by which a classifier decides, and what it becomes when the decision is moved to either side, strict and
# generous: the depth of a threshold below the background by a factor (2 from the background's noise; less from Otsu's,
# which lies halfway down into the soot), a probability halfway to 1 and to 0. "kmeans" has no such option: its
# outlines are moved by a pixel, as are those of a given mask.
DECISIONS = {
    "otsu": ("depth", lambda depth: (min(1.5 * depth, 10), depth / 1.5)),
    "threshold": ("deviations", lambda depth: (min(2 * depth, 100), depth / 2)),
    "weka": ("probability", lambda probability: ((1 + probability) / 2, probability / 2)),
    "cnn": ("probability", lambda probability: ((1 + probability) / 2, probability / 2)),
}

# What a user did by hand, done again: no comparison of methods runs these, and nobody doubts their masks.
INTERACTIVE = {"slider": (Slider, segment_by_slider)}


def segment(image, pixel_size_nm, method="otsu", **options):
    """Find the aggregates in a TEM image.

    Parameters
    ----------
    image : (H, W) array_like of numbers
        Grey levels of any integer or float type and range, footer cut off; aggregates are dark.
    pixel_size_nm : float
        Edge of a pixel in the sample.
    method : str
        A name in `METHODS`: ``"otsu"``, ``"kmeans"``, ``"threshold"``, ``"weka"`` or ``"cnn"``; or ``"slider"``,
        which takes the steps that were made by hand (``selections``) once more.
    **options
        Fields of the method's parameter set (``METHODS[method][0]``), such as ``minimum_pixels``.

    Returns
    -------
    (H, W) ndarray of bool
        True in aggregates, also in those that touch the border. Empty if nothing in the image stands
        out of the noise: that is an answer, not a failure.

    Raises
    ------
    ValueError
        If the image is not 2-D, smaller than 16 x 16, not finite, or of one colour; if the pixel size
        is not positive, or so small that the closing's disc does not fit into the frame; if the method
        is unknown.
    ParameterError
        If an option is unknown or out of bounds.
    SegmentationFailure
        If the mask cannot be right (see `check_segmentation`), if there is no even background, if what stands
        out is brighter than the background, or if a method doubts itself; it carries the mask.
    """
    methods = METHODS | INTERACTIVE
    if method not in methods:
        raise ValueError(f"unknown segmentation method {method!r}; there are {', '.join(methods)}")
    kind, function = methods[method]
    parameters = kind(**options)
    pixel_size_nm = check_pixel_size(pixel_size_nm)
    image = _grey(image)
    extent_nm = max(image.shape) * pixel_size_nm
    if extent_nm < 2 * parameters.closing_nm:
        raise ValueError(
            f"pixel_size_nm = {pixel_size_nm:g} makes the frame {extent_nm:g} nm wide: "
            f"smaller than the disc of closing_nm = {parameters.closing_nm:g}"
        )
    mask = function(image, pixel_size_nm, parameters)
    if method in INTERACTIVE:
        return mask
    reasons = doubts(method, mask)
    if isinstance(parameters, Flattened) and _uneven(image, parameters.background_order):
        reasons.append("no even background was found: a strong gradient, or aggregates on half of the frame?")
    elif not mask.any() and segment_by_threshold(-image, pixel_size_nm, Threshold()).any():
        reasons.append("nothing is darker than the background, but parts are brighter: inverted contrast?")
    if reasons:
        raise SegmentationFailure(method, reasons, mask)
    return mask


def doubts(method, mask):
    """Say why a mask (H, W) that a method gave, however it was mended since, cannot be right (`check_segmentation`).

    A threshold takes an uneven background for soot; a trained classifier may meet a crowded frame.
    """
    thresholds = issubclass(METHODS[method][0], Denoised)
    return check_segmentation(mask, **({} if thresholds else {"border_share": 1.0, "covered_share": 1.0}))


def _uneven(image, background_order):
    """Whether the background varies far more over the frame than within a small block of it.

    That ratio is 1.0 for noise on a polynomial, below 1.4 in real images, at most 2 in simulated ones with
    up to 45 % covered, and 3 to 7 where more than half is. Images with hardly any noise are left alone.
    """
    smooth = gaussian_filter(image - background_surface(image, background_order), 2)
    edge = 32 if min(smooth.shape) >= 128 else 8
    rows, columns = smooth.shape[0] // edge, smooth.shape[1] // edge
    blocks = smooth[: rows * edge, : columns * edge].reshape(rows, edge, columns, edge)
    within = np.quantile(blocks.std(axis=(1, 3)), 0.25)  # blocks of background, as long as there is some
    return background_level(smooth)[1] > max(2.5 * within, 0.01 * np.ptp(smooth))


def _grey(image):
    image = np.asarray(image)
    if image.ndim != 2:
        raise ValueError(f"the image must be grey, of shape (H, W), got shape {image.shape}; convert colours first")
    if min(image.shape) < SMALLEST_EDGE:
        raise ValueError(f"the image must have at least {SMALLEST_EDGE} x {SMALLEST_EDGE} pixels, got {image.shape}")
    if image.size > MOST_PIXELS:
        raise ValueError(f"the image must have at most {MOST_PIXELS} pixels, got {image.shape}; cut it into parts")
    if image.dtype.kind not in "iuf":
        raise ValueError(f"the image must hold whole or floating-point numbers, got {image.dtype}")
    low, high = image.min(), image.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = np.count_nonzero(~np.isfinite(image))
        raise ValueError(f"the image must be finite; {bad} of its pixels are NaN or infinite")
    if low == high:
        raise ValueError(f"the image has one grey level only ({low}): there is nothing to tell apart")
    # one range for all, so that single precision serves images of any offset and scale
    return ((image - np.float64(low)) / (np.float64(high) - np.float64(low))).astype(np.float32)
