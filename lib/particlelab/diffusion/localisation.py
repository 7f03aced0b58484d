"""Where a molecule is in a frame, and how well that can be known at all."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from particlelab.diffusion.checks import check_parameters
from particlelab.diffusion.imaging import Imaging, photon_variance, psf_width_nm
from particlelab.diffusion.psf import smoothing_taps
from particlelab.diffusion.spots import METHODS, evaluate_gaussian, measure_spots
from particlelab.diffusion.threads import in_chunks

FALSE_ALARM = 1e-3  # probability that noise alone passes for a molecule somewhere in a frame
FINE = 10.0  # standard deviation of a blob in pixels that may as well be coarser
CHUNK = 64  # frames that a thread takes at a time


class Localisations(NamedTuple):
    """Where the molecule of each movie is in each frame; NaN where none stands out, or the fit has left it."""

    positions_nm: np.ndarray  # (n, T, 2) x (to the right) and y (down) from the middle of the field of view
    sigma_nm: np.ndarray  # (n, T) standard error of a coordinate
    photons: np.ndarray  # (n, T) of the molecule
    background: np.ndarray  # (n, T) photons in a pixel
    width_nm: np.ndarray  # (n, T) standard deviation of the blob, light on its way through the exposure included


def localise(frames, imaging, method="mle"):
    """Localise the molecule of each movie in each frame.

    A frame holds a molecule if the highest peak of its image, smoothed by the point-spread function, is higher than
    what as much evenly spread background gives anywhere in a frame with a probability of 0.001 (`FALSE_ALARM`).

    Parameters
    ----------
    frames : (n, T, H, W) array
        Counts; one molecule each.
    imaging : Imaging
        Its gain, offset, read noise, camera, pixel size and point-spread function count; not its photons nor size.
    method : {"mle", "centroid", "radial"}
        ``mle``: Poisson maximum likelihood of place, photons, background and width of a round Gaussian that is
        integrated over pixels (Smith et al., Nature Methods 7, 373, 2010). Read noise adds its variance to what is
        counted and to what is expected (Huang et al., Nature Methods 10, 653, 2013).
        ``centroid``: centre of gravity under a Gaussian, half as wide again as the point-spread function, that is
        moved until it stands on it (as of Thompson et al., Biophysical Journal 82, 2775, 2002); the background is
        that of the rim of the window. Near the border it is pulled inwards.
        ``radial``: the point nearest to all lines along the gradients (Parthasarathy, Nature Methods 9, 724, 2012).

    Returns
    -------
    Localisations
        ``sigma_nm`` is that of the inverse Fisher information at the estimate for ``mle``; for the others the noise
        of each pixel, taken from its own count, is propagated to first order. Only ``mle`` measures a width.

    Raises
    ------
    ValueError
        If the method is unknown, imaging no `Imaging`, frames are not (n, T, H, W) of finite counts, or the
        point-spread function is wider than 20 pixels.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    check_parameters("imaging", imaging, Imaging)
    frames = np.ascontiguousarray(frames, np.float32)
    if frames.ndim != 4 or min(frames.shape[2:]) < 1:
        raise ValueError(f"frames must be (n, T, H, W), got {frames.shape}")
    if not np.isfinite(frames).all():
        raise ValueError("frames must be finite counts, got NaN or infinite ones")
    images = frames.reshape(-1, *frames.shape[2:])
    width = psf_width_nm(imaging) / imaging.pixel_size_nm
    spots, seen = _find(images, imaging, width)
    excess = photon_variance(imaging)
    added = imaging.read_noise**2 / excess
    found = np.full((len(images), 7), np.nan)
    found[seen] = measure_spots(images, spots[seen], width, imaging.gain, imaging.offset, added, method)
    found = found.reshape(*frames.shape[:2], 7)
    middle = np.array(frames.shape[:1:-1]) / 2
    return Localisations(
        (found[..., :2] - middle) * imaging.pixel_size_nm,
        np.sqrt(excess * found[..., 2:4].mean(axis=-1)) * imaging.pixel_size_nm,
        found[..., 4],
        found[..., 5],
        found[..., 6] * imaging.pixel_size_nm,
    )


def localisation_bound(imaging, width_nm=None, photons=None, background=None):
    """Return the Cramer-Rao bound of a molecule's place along one axis: no unbiased estimator scatters less.

    The Fisher information of a round Gaussian that is integrated over pixels, with background, averaged over places
    within a pixel. Read noise counts as more background (Huang et al., Nature Methods 10, 653, 2013); that an EMCCD
    multiplies by chance doubles the variance of all light.

    Parameters
    ----------
    imaging : Imaging
    width_nm : float, optional
        Standard deviation of the blob, without that of a pixel; that of the point-spread function if not given.
        Motion widens it to sqrt(psf^2 + D exposure / 3).
    photons, background : float, optional
        Of the molecule, and in each pixel; those of the imaging if not given.

    Returns
    -------
    float
        In nm; infinite without photons.

    Raises
    ------
    ValueError
        If the width is not positive, or photons or background are negative.
    """
    width_nm = psf_width_nm(imaging) if width_nm is None else width_nm
    photons = imaging.photons if photons is None else photons
    background = imaging.background if background is None else background
    if not (math.isfinite(width_nm) and width_nm > 0):
        raise ValueError(f"width_nm must be positive, got {width_nm}")
    for name, value in (("photons", photons), ("background", background)):
        if not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} must be a finite number of at least 0, got {value}")
    if photons == 0:
        return math.inf
    excess, pixel_nm = photon_variance(imaging), imaging.pixel_size_nm
    area = max(1.0, width_nm / pixel_nm / FINE) ** 2  # much finer pixels are taken together: that changes nothing
    width = width_nm / pixel_nm / math.sqrt(area)
    half = math.ceil(7 * width)
    window = np.zeros((2 * half + 1, 2 * half + 1))
    places = half + (np.arange(8) + 0.5) / 8
    score, information = np.empty(5), np.empty((5, 5))
    total = 0.0
    for x in places:
        for y in places:
            truth = np.array([x, y, photons, background * area, width])
            evaluate_gaussian(window, truth, imaging.read_noise**2 / excess * area, score, information)
            total += information[0, 0] / len(places) ** 2
    return math.sqrt(excess / total * area) * pixel_nm


def _find(images, imaging, width):
    """Return image, row and column of the highest peak of each image, (k, 3), and whether it is no mere noise."""
    taps = smoothing_taps(width)
    spots = np.empty((len(images), 3), np.int64)
    peak, mean = np.empty(len(images)), np.empty(len(images))
    spots[:, 0] = np.arange(len(images))

    def fill(some):
        _find_peaks(images[some], taps, spots[some], peak[some], mean[some])

    in_chunks(fill, len(images), CHUNK)
    background = (mean - imaging.offset) / imaging.gain
    return spots, peak / imaging.gain > _noise_peak(background, taps, imaging, math.prod(images.shape[1:]))


def _noise_peak(background, taps, imaging, pixels):
    """Return how far above the mean a smoothed image of background alone hardly ever rises in so many pixels.

    Chernoff's bound for a weighted sum of Poisson counts (multiplied ones, for an EMCCD) and normal read noise: it
    holds everywhere. A normal tail would take a quarter of empty frames for full ones at 0.1 photons of background.
    """
    weights = np.outer(taps, taps).ravel()
    levels = np.geomspace(1e-6, 1e6, 49)[:, None]
    noise = imaging.read_noise**2 * (weights**2).sum()
    emccd = imaging.camera == "emccd"
    low, high = np.full(len(levels), 1e-6), np.full(len(levels), 1 - 1e-9 if emccd else 300.0)
    for _ in range(60):  # the exponent at which the bound is as rare as it must be; the strongest weight counts as 1
        middle = np.sqrt(low * high)
        at = middle / weights.max()
        u = at[:, None] * weights
        if emccd:
            cumulant, rise = u**2 / (1 - u), weights * (1 / (1 - u) ** 2 - 1)
        else:
            cumulant, rise = np.expm1(u) - u, weights * np.expm1(u)
        cumulant, rise = (levels * cumulant).sum(axis=1) + noise * at**2 / 2, (levels * rise).sum(axis=1) + noise * at
        rare = cumulant - at * rise < math.log(FALSE_ALARM / pixels)
        low, high = np.where(rare, low, middle), np.where(rare, middle, high)
    return np.exp(np.interp(np.log(np.clip(background, 1e-6, 1e6)), np.log(levels[:, 0]), np.log(rise)))


@njit(cache=True, nogil=True)
def _find_peaks(images, taps, spots, peak, mean):
    """Write the place of the highest peak of each image smoothed by the taps, its height over the mean, and that."""
    height, width = images.shape[1:]
    half = len(taps) // 2
    across = np.empty((height, width))
    down = np.empty(width)
    for i in range(len(images)):
        level = 0.0
        for row in range(height):
            for column in range(width):
                level += images[i, row, column] / (height * width)
        across[:] = 0.0  # beyond the border there is the mean
        for row in range(height):
            for k in range(len(taps)):
                shift = k - half
                for column in range(max(0, -shift), min(width, width - shift)):
                    across[row, column] += taps[k] * (images[i, row, column + shift] - level)
        mean[i], peak[i] = level, -np.inf
        for row in range(height):
            down[:] = 0.0
            for k in range(max(0, half - row), min(len(taps), height - row + half)):
                for column in range(width):
                    down[column] += taps[k] * across[row + k - half, column]
            column = np.argmax(down)
            if down[column] > peak[i]:
                peak[i] = down[column]
                spots[i, 1], spots[i, 2] = row, column
