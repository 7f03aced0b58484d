"""Find the molecules in each frame of a movie, and by them how wide molecules are and what a photon counts.

Images are a movie less a constant, (T, H, W) float32; its gain and offset need not be known.
"""

import math
import warnings

import numpy as np
from scipy import ndimage, spatial, stats

from particlelab.diffusion.psf import pixel_shares, smoothing_taps
from particlelab.diffusion.spots import measure_spots

FIRST_WIDTH = 1.3  # pixels: what usual microscopes make of a molecule, from where its width is measured
SURROUNDINGS = 10  # standard deviations of a molecule's image: the side of the square that tells its background
REACH = 3.0  # standard deviations that a fit sees to each side: little of the neighbours
BRIGHT = 10.0  # standard deviations of the smoothed noise above which a spot is left out when noise is measured
FEW = 2000  # molecules that tell width and gain well enough
FAINT = 1000.0  # photons of noise in a pixel at which the light of molecules adds none


def find_spots(images, width, false_per_frame):
    """Find what stands out of the noise of each frame.

    Images are smoothed by the point-spread function, less the mean of a square about each pixel. The tail of noise that
    is skewed, as that of few photons is, is Pearson's of type III: that of a normal distribution would let through
    hundreds where one is asked for.

    Parameters
    ----------
    images : (T, H, W) float32 array
    width : float
        Standard deviation of a molecule's image in pixels.
    false_per_frame : float
        Detections in a frame of noise alone, on average.

    Returns
    -------
    spots : (m, 3) integer ndarray
        Frame, row and column of each detection.
    noise : float
        Standard deviation of the noise of a pixel; 1 if there is none.

    Raises
    ------
    ValueError
        If the width is more than 20 pixels.
    """
    from trackpy.find import grey_dilation  # seconds that a page without a movie need not wait for

    taps, side = smoothing_taps(width), 2 * math.ceil(SURROUNDINGS * width / 2) + 1
    flat = images - ndimage.uniform_filter(images, (0, side, side))
    smooth = flat
    for axis in (1, 2):
        smooth = ndimage.correlate1d(smooth, taps, axis, mode="constant")  # any other would gather noise at the border
    weights = np.outer(taps, taps)
    shared = math.sqrt((weights**2).sum())
    noise, skewness = _measure_noise(images, flat, smooth, width, shared)
    alarm = min(0.5, false_per_frame / images[0].size)
    least = noise * shared * stats.pearson3.isf(alarm, skewness * (weights**3).sum() / shared**3)
    spots = [np.empty((0, 3), int)]
    for t, image in enumerate(smooth):
        height = np.where(image > least[t], image, 0) * (1e6 / max(image.max(), 1e-30))
        with warnings.catch_warnings(action="ignore"):  # that there is nothing in a frame
            peaks = grey_dilation(height.astype(int) + 1, REACH * width, percentile=0, margin=0)
        spots.append(np.column_stack([np.full(len(peaks), t), peaks]).astype(int))
    return np.concatenate(spots), math.sqrt(np.mean(noise**2)) or 1.0


def fit_spots(images, spots, width, camera):
    """Fit a molecule to each detection, and keep those that have stayed there, apart from any other.

    Parameters
    ----------
    images : (T, H, W) float32 array
    spots : (m, 3) integer array
        From `find_spots`.
    width : float
        Standard deviation of a molecule's image in pixels.
    camera : (gain, offset, added)
        As of `measure_spots`.

    Returns
    -------
    spots : (k, 3) integer ndarray
    found : (k, 7) ndarray
        As of `measure_spots`.
    """
    from trackpy.find import where_close

    found = measure_spots(images, spots, width, *camera, reach=REACH)
    moved = np.abs(found[:, 1::-1] - spots[:, 1:] - 0.5).max(axis=1, initial=0)
    good = (moved < REACH * width) & (found[:, 2:4].max(axis=1, initial=0) < width**2)  # NaN: no
    spots, found = spots[good], found[good]
    twice = where_close(np.column_stack([spots[:, 0], found[:, :2]]), (0.5, width, width), found[:, 4])
    return np.delete(spots, twice, axis=0), np.delete(found, twice, axis=0)


def measure_width(images, false_per_frame):
    """Measure how wide molecules are: the median of the brighter half, in some 50 frames.

    Parameters
    ----------
    images : (T, H, W) float32 array
    false_per_frame : float
        As of `find_spots`.

    Returns
    -------
    float
        Standard deviation of a molecule's image in pixels; a usual one if no molecule is found.
    """
    some, width = images[:: max(1, len(images) // 50)], FIRST_WIDTH
    for _ in range(3):
        spots, noise = find_spots(some, width, false_per_frame)
        found = fit_spots(some, spots[:FEW], width, _least_squares(noise))[1]
        if len(found):
            width = float(np.median(found[found[:, 4] >= np.median(found[:, 4]), 6]).clip(0.5, 10))
    return width


def measure_gain(images, spots, width, noise):
    """Measure the variance that a unit of light adds to a count, from what least squares leave over in each window.

    Of independent noise of variances v they leave over the sum of (1 - h) v, with the leverage h of each pixel.

    Parameters
    ----------
    images : (T, H, W) float32 array
    spots : (m, 3) integer array
    width, noise : float
        As of `find_spots`.

    Returns
    -------
    float
        In counts; at least a thousandth of the noise of a pixel (`FAINT`), also where no molecule stands alone.
    """
    half, least = math.ceil(REACH * width), noise / FAINT
    spots = spots[:FEW]
    if not len(spots):
        return least
    inner = ((spots[:, 1:] >= half) & (spots[:, 1:] < np.array(images.shape[1:]) - half)).all(axis=1)
    apart = spots * [3 * half, 1, 1]  # those of different frames are no neighbours
    inner &= spatial.cKDTree(apart).query(apart, 2)[0][:, 1] > 2 * half
    camera = _least_squares(noise)
    spots, found = fit_spots(images, spots[inner], width, camera)
    if not len(spots):
        return least
    x, y, light, background, spread = (found[:, [0, 1, 4, 5, 6]] * [1, 1, camera[0], camera[0], 1]).T[..., None]
    pixels = np.arange(-half, half + 1)
    rows, columns = spots[:, 1:2] + pixels, spots[:, 2:] + pixels
    window = images[spots[:, :1, None], rows[:, :, None], columns[:, None]]
    across, along_x, wider_x = _profile(columns, x, spread)
    down, along_y, wider_y = _profile(rows, y, spread)
    shine = light[..., None] * down[:, :, None] * across[:, None]
    slopes = [
        down[:, :, None] * along_x[:, None],
        along_y[:, :, None] * across[:, None],
        shine,
        np.ones_like(shine),
        down[:, :, None] * wider_x[:, None] + wider_y[:, :, None] * across[:, None],
    ]
    basis = np.linalg.qr(np.stack(slopes, axis=-1).reshape(len(spots), -1, 5)).Q
    free = 1 - (basis**2).sum(axis=-1).reshape(shine.shape)
    left_over = (window - shine - background[..., None]) ** 2 - free * noise**2
    return max(least, float(np.median(left_over.sum(axis=(1, 2)) / (free * shine).sum(axis=(1, 2)))))


def _measure_noise(images, flat, smooth, width, shared):
    """Return the standard deviation of the noise of a pixel in each frame, and its skewness, away from bright spots."""
    noise, third = np.zeros(len(flat)), np.zeros(len(flat))
    for t, image in enumerate(flat):
        squares = np.diff(images[t]) ** 2 / 2
        usual = np.median(ndimage.uniform_filter(squares, 7)) or squares.mean()  # as wide as a spot
        bright = smooth[t] > BRIGHT * shared * math.sqrt(usual)
        dark = ~ndimage.maximum_filter(bright, 2 * math.ceil(REACH * width) + 1)
        pairs = dark[:, 1:] & dark[:, :-1]
        if pairs.any():
            noise[t] = math.sqrt(squares[pairs].mean())
            third[t] = np.mean(image[dark] ** 3.0)
    return noise, max(0.0, third.mean()) / max(np.mean(noise**2) ** 1.5, 1e-30)


def _least_squares(noise):
    """Return gain, offset and read noise's variance of a camera in which all pixels weigh the same."""
    return noise / FAINT, 0.0, FAINT**2


def _profile(pixels, at, width):
    """Return what each pixel of a row holds of a Gaussian, and its slopes by place and width but for a factor."""
    edges = np.column_stack([pixels, pixels[:, -1] + 1])
    z = (edges - at) / width
    height = np.exp(-(z**2) / 2)
    return pixel_shares(edges, at, width), np.diff(height), np.diff(z * height)
