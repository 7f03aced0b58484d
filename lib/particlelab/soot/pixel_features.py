"""What a pixel classifier sees of a pixel: the filters of Fiji's trainable Weka segmentation at several scales.

The image is flattened first, and every filter counts in deviations of the background's noise as that filter's scale
leaves it, so that the grey scale, the level of the noise and its grain do not matter. An image is worked through in
bands of rows, which bounds the memory.
"""

from itertools import pairwise

import numpy as np
from scipy.ndimage import gaussian_filter

from particlelab.soot.filters import background_surface, bilateral, local_entropy
from particlelab.soot.thresholds import background_level

SCALES_PX = (1.0, 2.0, 4.0, 8.0, 16.0)  # as in Fiji
ENTROPY_WINDOWS_PX = (9, 17)
BILATERAL_PX, BILATERAL_RANGE = 2.0, 3.0  # reach, and the grey difference that is kept, in deviations of the noise
FEATURES = (
    "bilateral",
    *(f"{name} {scale:g} px" for scale in SCALES_PX for name in ("gaussian", "sobel", "hessian 1", "hessian 2")),
    *(f"difference {b:g} - {a:g} px" for a, b in pairwise(SCALES_PX)),
    *(f"entropy {window} px" for window in ENTROPY_WINDOWS_PX),
)

_REACH = 4  # deviations of a Gaussian that are summed over
_HALO = round(_REACH * SCALES_PX[-1]) + 2
_BAND_PIXELS = 1_000_000  # 100 MB of features


def feature_bands(image, background_order):
    """Go through an image in bands of rows and give the features of their pixels.

    Parameters
    ----------
    image : (H, W) array_like of numbers
    background_order : int
        Of the polynomial that flattens the image.

    Yields
    ------
    rows : slice
    features : (F, rows, W) ndarray of float32
        In the order of `FEATURES`: a bilateral filter; at every scale the Gaussian, the magnitude of its gradient
        (Sobel), the larger and the smaller eigenvalue of its Hessian; differences of Gaussians; entropies.

    Raises
    ------
    ValueError
        If the image is of one grey level.
    """
    image = np.asarray(image)
    low, high = image.min(), image.max()
    if not low < high:
        raise ValueError(f"the image has one grey level only ({low}): there is nothing to tell apart")
    # one range for all, so that single precision serves images of any offset and scale
    image = ((image - np.float64(low)) / (np.float64(high) - np.float64(low))).astype(np.float32)
    flat = image - background_surface(image, background_order)
    level, noise = background_level(flat)
    flat = (flat - level) / noise
    spreads = _spreads(flat)
    for rows, padded in _bands(flat):
        yield rows, _features(padded, spreads)[:, _HALO:-_HALO]


def features_of(image, pixels, background_order):
    """Return the features (F, N) of some pixels of an image, given by their places in ``image.ravel()``."""
    width = np.shape(image)[1]
    features = np.empty((len(FEATURES), len(pixels)), np.float32)
    for rows, layers in feature_bands(image, background_order):
        here = (pixels >= rows.start * width) & (pixels < rows.stop * width)
        features[:, here] = layers.reshape(len(layers), -1)[:, pixels[here] - rows.start * width]
    return features


def _spreads(flat):
    """Return the deviation of the background's noise at each scale."""
    step = max(1, min(flat.shape) // 500)
    samples = [[] for _ in SCALES_PX]
    for _, padded in _bands(flat):
        for sample, scale in zip(samples, SCALES_PX, strict=True):
            sample.append(_gaussian(padded, scale)[_HALO:-_HALO:step, ::step])
    return [background_level(np.concatenate(sample))[1] for sample in samples]


def _bands(flat):
    """Yield slices of rows, and these rows with those around them, reflected at the edges of the image."""
    height, width = flat.shape
    size = max(64, _BAND_PIXELS // width)
    for top in range(0, height, size):
        bottom = min(top + size, height)
        above, below = min(_HALO, top), min(_HALO, height - bottom)
        part = flat[top - above : bottom + below]
        yield slice(top, bottom), np.pad(part, ((_HALO - above, _HALO - below), (0, 0)), mode="symmetric")


def _features(flat, spreads):
    features = np.empty((len(FEATURES), *flat.shape), np.float32)
    features[0] = bilateral(flat, BILATERAL_PX, BILATERAL_RANGE)
    smooth = [_gaussian(flat, scale) for scale in SCALES_PX]
    for i, (layer, scale, spread) in enumerate(zip(smooth, SCALES_PX, spreads, strict=True)):
        gaussian, sobel, larger, smaller = features[1 + 4 * i : 5 + 4 * i]
        np.divide(layer, spread, out=gaussian)
        _derivatives(gaussian, scale, sobel, larger, smaller)
    first = 1 + 4 * len(SCALES_PX)
    for i, spread in enumerate(spreads[:-1]):
        np.divide(smooth[i + 1] - smooth[i], spread, out=features[first + i])
    # thirds of the noise's deviation, as the texture of the method "kmeans" counts
    levels = np.clip(127.5 + 3 * flat, 0, 255).astype(np.uint8)
    for window, out in zip(ENTROPY_WINDOWS_PX, features[-len(ENTROPY_WINDOWS_PX) :], strict=True):
        out[...] = local_entropy(levels, window)
    return features


def _gaussian(flat, scale):
    return gaussian_filter(flat, scale, truncate=_REACH)


def _derivatives(layer, scale, sobel, larger, smaller):
    """Write the gradient's magnitude and the Hessian's eigenvalues of a layer, in units per scale and scale squared."""
    padded = np.pad(layer, 1, mode="symmetric")
    up, down, left, right = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
    across = padded[2:, 2:] - padded[:-2, :-2]
    against = padded[2:, :-2] - padded[:-2, 2:]
    gradient_y = (2 * (down - up) + across + against) * np.float32(scale / 8)
    gradient_x = (2 * (right - left) + across - against) * np.float32(scale / 8)
    np.hypot(gradient_x, gradient_y, out=sobel)
    square = np.float32(scale**2)
    yy, xx = (up + down - 2 * layer) * square, (left + right - 2 * layer) * square
    xy = (padded[2:, 2:] + padded[:-2, :-2] - padded[2:, :-2] - padded[:-2, 2:]) * (square / 4)
    mean, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    np.add(mean, half, out=larger)
    np.subtract(mean, half, out=smaller)
