"""Primary particle size from the pair correlation function of an aggregate's mask (PCM)."""

import math
from typing import Literal

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from skimage.morphology import skeletonize

from particlelab.parameters import Parameters, parameter


class PairCorrelation(Parameters):
    """The pair correlation method of Dastanpour et al. 2016."""

    form: Literal["simple", "general"] = parameter("simple", "One level for all, or a level set by slope and shape")
    level: float = parameter(0.913, "Pair correlation at one primary radius", above=0, below=1)


def size_by_pair_correlation(image, labels, boxes, pixel_size_nm, parameters):
    """Size the primaries of each aggregate by its pair correlation function.

    The function g(r) is the chance that a point of the mask lies at a distance r from a point of the
    mask's skeleton. It is 1 while r stays inside of a primary on the skeleton and falls where r leaves
    it; the diameter is 2 r where it has fallen to ``level`` (0.913). So dp is a mean over the length of
    the skeleton: the apparent thickness of the aggregate's branches, of which overlap in projection
    makes too much; large primaries weigh more. The method gives no width of the distribution.

    The general form (Dastanpour et al. 2016, with the difference quotient of the code that belongs to
    it, for which its constants hold) moves the level to
    level / 0.84 (0.7 + 0.003 s^-0.24 + 0.2 AR^-1.13), s = (g(1.1 Rg) + g(0.9 Rg) - g(Rg)) / (0.2 Rg), Rg
    in nm, with AR the aspect ratio of the upright box.

    Departures: every pixel of the mask counts, not a thinned choice of them, by Fourier transform; bins
    are one pixel wide instead of 1 nm, normalised by the number of grid points that they hold, and
    not smoothed.

    Parameters
    ----------
    image
        Not looked at.
    labels, boxes
        From `label_aggregates`.
    pixel_size_nm : float
    parameters : PairCorrelation

    Returns
    -------
    dp_nm, gsd : (n,) ndarray
        ``gsd`` is NaN.
    """
    dp = np.array([_size_one(labels[box] == i, pixel_size_nm, parameters) for i, box in enumerate(boxes, 1)], float)
    return dp, np.full(len(dp), np.nan)


def pair_correlation(inside, reach_px, origins=None):
    """Return the pair correlation function of a mask: the share of the circle of radius r that lies inside.

    Parameters
    ----------
    inside : (h, w) bool ndarray
        Mask of one aggregate; outside of the array is outside of the aggregate.
    reach_px : int
        The largest radius.
    origins : (h, w) bool ndarray, optional
        Where the circles are centred: the skeleton of the mask by default. With ``origins=inside`` the
        result is the mask's autocorrelation.

    Returns
    -------
    radius_px : (reach_px + 1,) ndarray
        Mean distance of the grid points in each bin; 0 is the first.
    share : (reach_px + 1,) ndarray
    """
    if origins is None:
        origins = skeletonize(inside)
    shape = [next_fast_len(n + reach_px, real=True) for n in inside.shape]
    spectrum = rfft2(inside, shape) * np.conj(rfft2(origins, shape))
    pairs = irfft2(spectrum, shape)  # number of pairs by displacement, which wraps around
    lag = np.arange(-reach_px, reach_px + 1)
    pairs = pairs[np.ix_(lag % shape[0], lag % shape[1])]
    distance = np.hypot(lag[:, None], lag)
    bins = np.rint(distance).astype(int)
    near = bins <= reach_px
    points = np.bincount(bins[near])
    share = np.bincount(bins[near], pairs[near]) / (points * np.count_nonzero(origins))
    return np.bincount(bins[near], distance[near]) / points, share


def _size_one(inside, pixel_size_nm, parameters):
    y, x = np.nonzero(inside)
    rg = math.hypot(y.std(), x.std())
    # g >= level up to r would need an area of level pi r^2, so that it has fallen by then:
    fallen = math.sqrt(len(y) / (math.pi * parameters.level))
    radius, share = pair_correlation(inside, math.ceil(max(fallen, 1.1 * rg)) + 3)
    level = parameters.level
    if parameters.form == "general":
        at = np.interp([0.9 * rg, rg, 1.1 * rg], radius, share)
        slope = (at[2] + at[0] - at[1]) / (0.2 * rg * pixel_size_nm)
        if slope <= 0:
            return np.nan
        aspect_ratio = max(inside.shape) / min(inside.shape)
        level *= (0.7 + 0.003 * slope**-0.24 + 0.2 * aspect_ratio**-1.13) / 0.84
    below = np.flatnonzero(share < level)
    if not 0 < level < 1 or not len(below):
        return np.nan
    k = below[0]
    return 2 * pixel_size_nm * np.interp(-level, -share[k - 1 : k + 1], radius[k - 1 : k + 1])
