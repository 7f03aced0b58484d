"""What a movie shows of its molecule: a window about it in each frame, and the light's place, width and direction.

Nothing here needs to know gain or offset: a movie that is multiplied by a number, or to which one is added, gives the
same blobs.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from particlelab.diffusion.threads import in_chunks

BINNED = 2  # edge of the squares of pixels among which the brightest is looked for
CLIPPED = 3.0  # standard deviations beyond which a pixel is not counted as background
ROUNDS = 8  # of fitting the weight to the blob
WIDEST = 6.0  # pixels: standard deviation of the widest weight
CHUNK = 8  # movies that a thread takes at a time


class Blobs(NamedTuple):
    """The blobs of n movies of T frames. Light is in units of that of the movie's median blob.

    The ellipticity of a blob has two parts, of its second moments: (xx - yy) / (xx + yy), above 0 if it is drawn out
    along x and below if along y, and 2 xy / (xx + yy), likewise for the two diagonals.
    """

    windows: np.ndarray  # (n, T, w, w) float32: background 0, a whole blob about 1
    places: np.ndarray  # (n, T, 2) float32: x and y of the light in pixels, from the corner of the field of view
    shapes: np.ndarray  # (n, T, 3) float32: variance of the blob in pixels^2, and the two parts of its ellipticity
    light: np.ndarray  # (n, T) float32, with a median of 1
    noise: np.ndarray  # (n,) float32: standard deviation of a pixel of the background, in the same unit
    psf: np.ndarray  # (n,) float32: standard deviation of the point-spread function in pixels, as it was given


def find_blobs(frames, psf_sigma_px, window=25, places=None):
    """Find the molecule in each frame of movies and cut out a window about it.

    If nobody tells where to look, it is where a movie is brightest: that of 6 by 6 pixels, weighted towards their
    middle. From there a round Gaussian weight is moved and widened until it fits the light under it: what a
    least-squares fit would find (adaptive moments, as of Bernstein and Jarvis, Astronomical Journal 123, 583, 2002).

    Parameters
    ----------
    frames : (n, T, H, W) float32 array
        Counts of any gain and offset.
    psf_sigma_px : float or (n,) array
        Width of the point-spread function, and so of the narrowest blobs.
    window : int
        Edge of a window, odd.
    places : (n, T, 2) array, optional
        About where it is: x and y in pixels, from the corner of the field of view; NaN where nobody knows.

    Returns
    -------
    Blobs
    """
    n, count = frames.shape[:2]
    windows = np.empty((n, count, window, window), np.float32)
    measured = np.empty((n, count, 6))  # x, y, variance, ellipticity (two), light
    noise = np.empty(n)
    starts = np.full((n, count, 2), np.nan) if places is None else np.asarray(places, float)
    psf = np.broadcast_to(np.asarray(psf_sigma_px, float), n)

    def fill(some):
        _find(frames[some], psf[some], starts[some], windows[some], measured[some], noise[some])

    in_chunks(fill, n, CHUNK)
    unit = np.median(measured[..., 5], axis=1)
    unit = np.where(unit > 0, unit, np.where(noise > 0, noise, 1.0))  # nothing but noise: that is the unit
    windows /= unit[:, None, None, None].astype(np.float32)
    places, shapes, light = (part.astype(np.float32) for part in np.split(measured, [2, 5], axis=-1))
    light, noise = light[..., 0] / unit[:, None].astype(np.float32), noise / unit
    return Blobs(windows, places, shapes, light, noise.astype(np.float32), psf.astype(np.float32))


@njit(cache=True, nogil=True)
def _find(frames, psf, starts, windows, measured, noise):
    n, count, height, width = frames.shape
    rows, columns, edge = height // BINNED, width // BINNED, windows.shape[-1]
    binned = np.empty((count, rows, columns), np.float32)
    for i in range(n):
        _bin(frames[i], binned)
        level, noise[i] = _background(binned)
        for t in range(count):
            x, y = starts[i, t]
            if math.isnan(x + y):
                row, column = _brightest(binned[t], 1e-3 * noise[i])
                row, column = BINNED * row, BINNED * column
            else:
                row, column = math.floor(y), math.floor(x)
            for _ in range(2):  # about that place, and then about the light under the weight
                top, left = row - edge // 2, column - edge // 2
                _cut(frames[i, t], top, left, level, windows[i, t])
                _fit_weight(windows[i, t], psf[i], measured[i, t])
                measured[i, t, 0] += left
                measured[i, t, 1] += top
                row, column = math.floor(measured[i, t, 1]), math.floor(measured[i, t, 0])


@njit(cache=True, nogil=True)
def _cut(image, top, left, level, window):
    """Copy what lies about a place, less the background; beyond the border there is nothing."""
    height, width = image.shape
    edge = len(window)
    window[:] = 0
    for y in range(max(0, -top), min(edge, height - top)):
        for x in range(max(0, -left), min(edge, width - left)):
            window[y, x] = image[top + y, left + x] - level


@njit(cache=True, nogil=True)
def _bin(frames, binned):
    """Write the means of squares of pixels."""
    binned[:] = 0
    count, rows, columns = binned.shape
    for t in range(count):
        for y in range(BINNED * rows):
            for x in range(BINNED * columns):
                binned[t, y // BINNED, x // BINNED] += frames[t, y, x] / np.float32(BINNED**2)


@njit(cache=True, nogil=True)
def _background(binned):
    """Return mean and standard deviation of the background's pixels, without what stands out of it."""
    low, high, level, spread = -np.inf, np.inf, 0.0, 0.0
    for _ in range(5):
        total, squares, count = 0.0, 0.0, 0
        shift = binned[0, 0, 0] if level == 0 else level
        for value in binned.flat:
            if low <= value <= high:
                total += value - shift
                squares += (value - shift) ** 2
                count += 1
        if count == 0:  # all are alike, but for rounding
            break
        level, spread = shift + total / count, math.sqrt(max(0.0, squares / count - (total / count) ** 2))
        low, high = level - CLIPPED * spread, level + CLIPPED * spread
    return level, BINNED * spread


@njit(cache=True, nogil=True)
def _brightest(binned, alike):
    """Return row and column of the square that is brightest, weighted 1 2 1 with those beside it.

    Of squares that differ by less than ``alike``, the first: whole counts are often equal, but for rounding.
    """
    rows, columns = binned.shape
    best, row, column = -np.inf, 0, 0
    for y in range(rows):
        above, below = max(0, y - 1), min(rows - 1, y + 1)
        here = binned[above, 0] + 2 * binned[y, 0] + binned[below, 0]
        before = here
        for x in range(columns):
            right = min(columns - 1, x + 1)
            after = binned[above, right] + 2 * binned[y, right] + binned[below, right]
            smooth = before + 2 * here + after
            if smooth > best + alike:
                best, row, column = smooth, y, x
            before, here = here, after
    return row, column


@njit(cache=True, nogil=True)
def _fit_weight(window, sigma, out):
    """Write x, y (from the window's corner), variance, ellipticity and light of the blob under the fitted weight."""
    edge = len(window)
    narrowest = 0.25 * (sigma**2 + 1 / 12)
    x = y = edge / 2
    weight_variance = variance = 1.5 * sigma**2 + 1 / 12
    across, down = np.empty(edge, np.float32), np.empty(edge, np.float32)
    along_x, along_y, crossed, total = 0.0, 0.0, 0.0, 0.0
    for _ in range(ROUNDS):
        for k in range(edge):
            across[k] = math.exp(-((k + 0.5 - x) ** 2) / (2 * weight_variance))
            down[k] = math.exp(-((k + 0.5 - y) ** 2) / (2 * weight_variance))
        total = mean_x = mean_y = along_x = along_y = crossed = 0.0
        for j in range(edge):
            v = j + 0.5 - y
            light = first = second = np.float32(0)
            for k in range(edge):
                u = np.float32(k + 0.5 - x)
                lit = across[k] * window[j, k]
                light += lit
                first += lit * u
                second += lit * u * u
            total += down[j] * light
            mean_x += down[j] * first
            mean_y += down[j] * v * light
            along_x += down[j] * second
            along_y += down[j] * v * v * light
            crossed += down[j] * v * first
        if total <= 0:  # no light
            along_x = along_y = crossed = 0.0
            break
        mean_x, mean_y = mean_x / total, mean_y / total
        along_x, along_y = along_x / total - mean_x**2, along_y / total - mean_y**2
        crossed = crossed / total - mean_x * mean_y
        seen = min((along_x + along_y) / 2, 0.9 * weight_variance)  # of the product of two Gaussians
        variance = min(max(seen * weight_variance / (weight_variance - seen), narrowest), WIDEST**2)
        stride = min(1 + weight_variance / variance, 4.0)  # light under the weight moves less than the blob
        x = min(max(x + stride * mean_x, 0.25 * edge), 0.75 * edge)
        y = min(max(y + stride * mean_y, 0.25 * edge), 0.75 * edge)
        weight_variance = math.sqrt(variance * weight_variance)
    out[0], out[1], out[2] = x, y, variance
    out[3], out[4] = (along_x - along_y) / weight_variance, 2 * crossed / weight_variance  # xx + yy, once it fits
    out[5] = total * (1 + variance / weight_variance) if total > 0 else 0.0
