"""Measure a molecule in a window about it: by likelihood, centre of gravity or radial symmetry; compiled."""

import math

import numpy as np
from numba import njit

from particlelab.diffusion.threads import in_chunks

METHODS = ("mle", "centroid", "radial")
REACH = 6.0  # standard deviations of the point-spread function that a window reaches to each side
WEIGHING = 1.5  # its standard deviations in that of the Gaussian under which the centre of gravity is taken
RADIAL_REACH = 2.5  # less for gradients: those of the background pull towards the middle of the window
CHUNK = 64  # molecules that a thread takes at a time
ROUNDS = 60  # iterations of a fit at most; about eight are usual


def measure_spots(images, spots, width, gain=1.0, offset=0.0, added=0.0, method="mle", reach=REACH):
    """Measure molecules about places where they have been found.

    Parameters
    ----------
    images : (k, H, W) float32 array
        Counts.
    spots : (m, 3) integer array
        Image, row and column of the brightest pixel of each.
    width : float
        Standard deviation of the point-spread function in pixels.
    gain, offset : float
        Counts for a photon, and without light.
    added : float
        Variance of the read noise, photons^2.
    method : {"mle", "centroid", "radial"}
    reach : float
        Standard deviations that the window about a spot reaches to each side; others' light should stay outside.

    Returns
    -------
    (m, 7) ndarray
        x, y (pixels from the image's upper left corner), their variances, photons, background, width (pixels); NaN
        where the fit has left the molecule.
    """
    found = np.empty((len(spots), 7))
    code = METHODS.index(method)

    def fill(some):
        _measure(images, spots[some], width, gain, offset, added, code, reach, found[some])

    in_chunks(fill, len(spots), CHUNK)
    return found


@njit(cache=True, nogil=True)
def evaluate_gaussian(window, at, added, score, information):
    """Evaluate the Poisson likelihood of a round Gaussian that is integrated over the pixels of a window.

    Parameters
    ----------
    window : (rows, columns) array
        Photons.
    at : (5,) array
        x and y from the window's corner in pixels, photons, background in a pixel, width in pixels.
    added : float
        Variance of the read noise, photons^2: it adds to what is counted and to what is expected (Huang et al., Nature
        Methods 10, 653, 2013).
    score, information : (5,) and (5, 5) arrays
        The slope of the log-likelihood and the Fisher information are written here.

    Returns
    -------
    float
        Log-likelihood, but for a constant.
    """
    x, y, photons, background, width = at
    rows, columns = window.shape
    across, down = _profile(x, width, columns), _profile(y, width, rows)
    score[:], information[:] = 0.0, 0.0
    likelihood = 0.0
    slope = np.empty(5)
    for row in range(rows):
        for column in range(columns):
            share = across[0, column] * down[0, row]
            expected = photons * share + background + added
            if expected < 1e-100:  # no light, no background, no noise: nothing to learn
                continue
            slope[0] = photons * across[1, column] * down[0, row]
            slope[1] = photons * across[0, column] * down[1, row]
            slope[2] = share
            slope[3] = 1.0
            slope[4] = photons * (across[2, column] * down[0, row] + across[0, column] * down[2, row])
            counted = window[row, column] + added
            likelihood += counted * math.log(expected) - expected
            surprise = counted / expected - 1
            for j in range(5):
                score[j] += surprise * slope[j]
                for k in range(j + 1):
                    information[j, k] += slope[j] * slope[k] / expected
    for j in range(5):
        for k in range(j):
            information[k, j] = information[j, k]
    return likelihood


@njit(cache=True, nogil=True)
def _measure(images, spots, width, gain, offset, added, method, reach, found):
    """Write what is measured in a window about each spot."""
    height, across = images.shape[1:]
    for i in range(len(spots)):
        image, row, column = spots[i]
        half = math.ceil(reach * width)
        for _ in range(3):
            top, left = max(0, row - half), max(0, column - half)
            cut = images[image, top : min(height, row + half + 1), left : min(across, column + half + 1)]
            window = (cut.astype(np.float64) - offset) / gain
            start_x, start_y = column - left + 0.5, row - top + 0.5
            if method == 0:
                _fit(window, start_x, start_y, width, added, found[i])
            elif method == 1:
                _weigh(window, start_x, start_y, WEIGHING * width, added, found[i])
            else:
                _intersect(window, start_x, start_y, width, added, found[i])
            blob = found[i, 6]
            if not 2 * half < reach * blob < max(height, across):  # NaN among them
                break
            half = math.ceil(reach * blob)  # a molecule on its way is wider than the window
        rows, columns = window.shape
        placed = -1 < found[i, 0] < columns + 1 and -1 < found[i, 1] < rows + 1
        if not (placed and 0 < found[i, 2] < columns**2 and 0 < found[i, 3] < rows**2):
            found[i] = np.nan
        found[i, 0] += left
        found[i, 1] += top


@njit(cache=True, nogil=True)
def _rim(window):
    """Return the mean of the outermost pixels of a window."""
    rows, columns = window.shape
    total, count = 0.0, 0
    for row in range(rows):
        inner = 0 < row < rows - 1 and columns > 1
        for column in range(0, columns, columns - 1 if inner else 1):
            total += window[row, column]
            count += 1
    return total / count


@njit(cache=True, nogil=True)
def _fit(window, x, y, width, added, out):
    """Fit a Gaussian by Fisher scoring, damped as by Levenberg and Marquardt; a step is accepted if it is uphill."""
    rows, columns = window.shape
    background, total, brightest = _rim(window), 0.0, -np.inf
    for row in range(rows):
        for column in range(columns):
            total += window[row, column] - background
            brightest = max(brightest, window[row, column] - background)
    photons = max(total, 2 * math.pi * width**2 * brightest)
    lowest = -1.0, -1.0, 1e-3, 1e-4 - added / 2, 0.4 * width
    highest = columns + 1.0, rows + 1.0, 1e15, 1e15, float(max(rows, columns))
    at, there = np.empty(5), np.empty(5)
    at[0], at[1], at[2], at[3], at[4] = x, y, photons, background, 2 * width
    for j in range(5):
        at[j] = min(max(at[j], lowest[j]), highest[j])
    score, information = np.empty(5), np.empty((5, 5))
    next_score, next_information, inverse = np.empty(5), np.empty((5, 5)), np.empty((5, 5))
    likelihood, damping = evaluate_gaussian(window, at, added, score, information), 1e-2
    for _ in range(ROUNDS):
        _invert(information, damping, inverse)
        change = 0.0  # in standard errors
        for j in range(5):
            step = 0.0
            for k in range(5):
                step += inverse[j, k] * score[k]
            there[j] = min(max(at[j] + step, lowest[j]), highest[j])
            change = max(change, abs(there[j] - at[j]) * math.sqrt(information[j, j]))
        reached = evaluate_gaussian(window, there, added, next_score, next_information)
        if reached >= likelihood:
            likelihood, at, there = reached, there, at
            score, next_score, information, next_information = next_score, score, next_information, information
            damping *= 0.1
        else:
            damping = max(10 * damping, 1e-3)
        if change < 1e-3:
            break
    _invert(information, 0.0, inverse)
    out[0], out[1], out[2], out[3] = at[0], at[1], inverse[0, 0], inverse[1, 1]
    out[4], out[5], out[6] = at[2], at[3], at[4]


@njit(cache=True, nogil=True)
def _invert(information, damping, inverse):
    """Write the inverse of a matrix with its diagonal raised, by Gauss and Jordan: it is positive definite."""
    for k in range(5):
        for j in range(5):
            inverse[k, j] = information[k, j]
        inverse[k, k] = information[k, k] * (1 + max(damping, 1e-9)) + 1e-30
    for k in range(5):
        pivot = inverse[k, k]
        inverse[k, k] = 1.0
        for j in range(5):
            inverse[k, j] /= pivot
        for i in range(5):
            if i != k:
                factor = inverse[i, k]
                inverse[i, k] = 0.0
                for j in range(5):
                    inverse[i, j] -= factor * inverse[k, j]


@njit(cache=True, nogil=True)
def _profile(at, width, size):
    """Return what the pixels of a row hold of a normal density, and its slopes by place and by width, (3, size)."""
    profile = np.empty((3, size))
    before, height_before, moment_before = 0.0, 0.0, 0.0
    for edge in range(size + 1):
        z = (edge - at) / width
        area = math.erf(z / math.sqrt(2.0)) / 2
        height = math.exp(-z * z / 2) / (math.sqrt(2 * math.pi) * width)
        if edge:
            profile[0, edge - 1] = area - before
            profile[1, edge - 1] = height_before - height
            profile[2, edge - 1] = moment_before - z * height
        before, height_before, moment_before = area, height, z * height
    return profile


@njit(cache=True, nogil=True)
def _weigh(window, x, y, width, added, out):
    """Find the centre of gravity under a Gaussian that stands on it."""
    rows, columns = window.shape
    background = _rim(window)
    light = window - background
    for _ in range(ROUNDS):
        total, along_x, along_y, grip, noise_x, noise_y = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for row in range(rows):
            for column in range(columns):
                u, v = column + 0.5 - x, row + 0.5 - y
                weight = math.exp(-(u * u + v * v) / (2 * width**2))
                total += weight * light[row, column]
                along_x += weight * u * light[row, column]
                along_y += weight * v * light[row, column]
                grip += weight * light[row, column] * (1 - (u * u + v * v) / (2 * width**2))
                variance = window[row, column] + added
                noise_x += (weight * u) ** 2 * variance
                noise_y += (weight * v) ** 2 * variance
        if not (total > 0 and grip > 0):
            out[:] = np.nan
            return
        step_x, step_y = along_x / grip, along_y / grip  # Newton's: how the sums change as the Gaussian moves
        limit = min(1.0, width / max(abs(step_x), abs(step_y), 1e-9))
        x, y = x + limit * step_x, y + limit * step_y
        if max(abs(step_x), abs(step_y)) < 1e-5:
            break
    out[0], out[1], out[2], out[3] = x, y, noise_x / grip**2, noise_y / grip**2
    out[4], out[5], out[6] = light.sum(), background, np.nan


@njit(cache=True, nogil=True)
def _intersect(window, x, y, width, added, out):
    """Find the point that is nearest to all lines along gradients, each weighted by its square over its distance.

    A gradient is that between the diagonals of four pixels, averaged over three by three such fours: of 16 pixels. Its
    distance is that from where gradients are steepest on average, and half a pixel, which keeps weights finite.
    """
    rows, columns = window.shape
    half = math.ceil(RADIAL_REACH * width)
    top, left = max(0, int(y) - half), max(0, int(x) - half)
    tall, wide = min(rows, int(y) + half + 1) - top - 3, min(columns, int(x) + half + 1) - left - 3
    out[:] = np.nan
    if tall < 1 or wide < 1:
        return
    slope, level = (-1.0, 0.0, 0.0, 1.0), (1.0, 2.0, 2.0, 1.0)
    along_x, along_y, weights = np.zeros((tall, wide)), np.zeros((tall, wide)), np.empty((tall, wide))
    total, mean_x, mean_y = 1e-300, 0.0, 0.0
    for i in range(tall):
        for j in range(wide):
            for r in range(4):
                for c in range(4):
                    along_x[i, j] += slope[c] * level[r] * window[top + i + r, left + j + c]
                    along_y[i, j] += slope[r] * level[c] * window[top + i + r, left + j + c]
            square = along_x[i, j] ** 2 + along_y[i, j] ** 2
            total, mean_x, mean_y = total + square, mean_x + square * j, mean_y + square * i
    xx, xy, yy, pull_x, pull_y = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(tall):
        for j in range(wide):
            weights[i, j] = 1 / math.sqrt((j - mean_x / total) ** 2 + (i - mean_y / total) ** 2 + 0.25)
            gx, gy = along_x[i, j], along_y[i, j]
            off = weights[i, j] * (gx * i - gy * j)
            xx, xy, yy = xx + weights[i, j] * gy**2, xy - weights[i, j] * gx * gy, yy + weights[i, j] * gx**2
            pull_x, pull_y = pull_x - off * gy, pull_y + off * gx
    determinant = xx * yy - xy**2
    if not determinant > 0:
        return
    x, y = (yy * pull_x - xy * pull_y) / determinant, (xx * pull_y - xy * pull_x) / determinant
    by_x, by_y = np.zeros((rows, columns)), np.zeros((rows, columns))  # how a pixel changes the sums that vanish there
    for i in range(tall):
        for j in range(wide):
            gx, gy = along_x[i, j], along_y[i, j]
            miss = gx * (i - y) - gy * (j - x)
            for r in range(4):
                for c in range(4):
                    more_x, more_y = slope[c] * level[r], slope[r] * level[c]
                    swing = more_x * (i - y) - more_y * (j - x)
                    by_x[top + i + r, left + j + c] -= weights[i, j] * (more_y * miss + gy * swing)
                    by_y[top + i + r, left + j + c] += weights[i, j] * (more_x * miss + gx * swing)
    light, noise_x, noise_y, background = 0.0, 0.0, 0.0, _rim(window)
    for row in range(rows):
        for column in range(columns):
            light += window[row, column] - background
            variance = window[row, column] + added
            noise_x += ((yy * by_x[row, column] - xy * by_y[row, column]) / determinant) ** 2 * variance
            noise_y += ((xx * by_y[row, column] - xy * by_x[row, column]) / determinant) ** 2 * variance
    out[0], out[1], out[2], out[3] = left + 2 + x, top + 2 + y, noise_x, noise_y
    out[4], out[5] = light, background
