"""Attacks on anonymised pictures: the method and its strength are known, its random numbers are not."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from particlelab.micrographs.anonymity import draw_warp, warp
from particlelab.micrographs.anonymity_sizes import MEASURES, QUANTITIES, measure_sizes, tell

REACH_PX = 4  # to either side of an outline, that an attacker looks at
AGAIN = 8
RIDGE = 0.01  # of a feature with a standard deviation of 1


class Ruler(NamedTuple):
    """What an attacker has learned of how the look of pictures tells the factor by which they were scaled."""

    middle: np.ndarray  # (k,) of each feature
    scale: np.ndarray  # (k,)
    weights: np.ndarray  # (k,)
    mean: float  # of ln factor


def learn_shifts(seen, true):
    """Learn how numbers of sets shift by an anonymisation, by least squares.

    Parameters
    ----------
    seen, true : (n, q) array_like
        Logarithms of geometric mean, deviation, and so on, of n sets after and before.

    Returns
    -------
    (3, q) ndarray
        What is to be added to each of the q: a constant, times ln geometric mean, times ln deviation, as seen.
    """
    seen, true = np.asarray(seen, float), np.asarray(true, float)
    return np.linalg.lstsq(_regressors(seen), true - seen, rcond=None)[0]


def undo_shifts(learned, seen):
    """Return numbers of sets (n, q) as they were before, by what `learn_shifts` gave."""
    seen = np.asarray(seen, float)
    return seen + _regressors(seen) @ learned


def read_back(instances, method, rng, *, strength, spacing_px, again=AGAIN):
    """Read the true sizes from a single anonymised picture.

    The attacker needs nothing of his own: he anonymises what he has once more, several times, takes the mean shift for
    the one that happened before, and its scatter for his uncertainty. Shapes that are distorted already change less by
    another distortion, so that he takes too little off their Feret diameters.

    Parameters
    ----------
    instances : (H, W) int ndarray
        Anonymised.
    method : {"grid", "affine", "scale"}
    rng : numpy.random.Generator
    strength, spacing_px : float
        See `draw_warp`.
    again : int
        How often.

    Returns
    -------
    DataFrame
        ``measure``, ``quantity``, ``seen``, ``read`` with ``read_low`` and ``read_high`` (twice the scatter), in px
        but for the deviation. Empty where pictures do not show two whole particles each.
    """
    columns = ["measure", "quantity", "seen", "read", "read_low", "read_high"]
    sizes, shifts = measure_sizes(instances), []
    if len(sizes) < 2:
        return pd.DataFrame(columns=columns)
    told = tell(sizes)
    for _ in range(again):
        drawn = draw_warp(instances.shape, method, rng, strength=strength, spacing_px=spacing_px)
        twice = measure_sizes(warp(instances, drawn, nearest=True))
        if len(twice) >= 2:
            shifts.append(tell(twice) - told)
    if len(shifts) < 2:
        return pd.DataFrame(columns=columns)
    read, reach = told - np.mean(shifts, axis=0), 2 * np.std(shifts, axis=0, ddof=1)
    names = [(measure, quantity) for measure in MEASURES for quantity in QUANTITIES]
    values = np.exp(np.stack([told, read, read - reach, read + reach], axis=-1)).reshape(-1, 4)
    return pd.DataFrame([(*name, *row) for name, row in zip(names, values, strict=True)], columns=columns)


def look_at_pixels(image, instances):
    """Return what of a picture depends on how large its pixels were: how wide edges are, how far noise reaches.

    Parameters
    ----------
    image : (H, W) ndarray
    instances : (H, W) int ndarray

    Returns
    -------
    (12,) ndarray
        Mean grey at 3, 2, 1 pixels outside and inside of outlines, less that at 4 pixels outside, over that at 4 pixels
        inside less that outside; and the correlation of the noise with its neighbours at 1, 2 and 3 pixels, on the
        ground and on particles.
    """
    image, inside = np.asarray(image, float), instances > 0
    away = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    at = np.rint(away).astype(int)
    mean = {k: image[at == k].mean() for k in range(-REACH_PX, REACH_PX + 1) if k}
    span = mean[REACH_PX] - mean[-REACH_PX]
    profile = [(value - mean[-REACH_PX]) / span for k, value in mean.items() if abs(k) < REACH_PX]
    noise = image - ndimage.gaussian_filter(image, 3)
    told = []
    for region in (away < -REACH_PX, away > REACH_PX):
        power = np.mean(noise[region] ** 2)
        for lag in range(1, 4):
            pairs = [
                noise[here][region[here] & region[there]] @ noise[there][region[here] & region[there]]
                / max(1, np.count_nonzero(region[here] & region[there]))
                for here, there in (
                    (np.s_[lag:], np.s_[:-lag]),
                    (np.s_[:, lag:], np.s_[:, :-lag]),
                )
            ]  # fmt: skip
            told.append(np.mean(pairs) / power)
    return np.array([*profile, *told])


def learn_ruler(features, factors):
    """Learn the factor of a scaling from what pictures look like.

    Parameters
    ----------
    features : (n, k) array_like
        As of `look_at_pixels`; other numbers may stand beside them.
    factors : (n,) array_like

    Returns
    -------
    Ruler
        By ridge regression of the logarithm, on the features and their squares.
    """
    x, y = _with_squares(np.asarray(features, float)), np.log(np.asarray(factors, float))
    middle, scale = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-12)
    z = (x - middle) / scale
    weights = np.linalg.solve(z.T @ z + RIDGE * len(z) * np.eye(z.shape[1]), z.T @ (y - y.mean()))
    return Ruler(middle, scale, weights, float(y.mean()))


def read_factors(ruler, features):
    """Return the factors (n,) by which pictures were scaled, as their features (n, k) tell by a `Ruler`."""
    x = _with_squares(np.asarray(features, float))
    return np.exp(ruler.mean + (x - ruler.middle) / ruler.scale @ ruler.weights)


def _regressors(seen):
    return np.column_stack([np.ones(len(seen)), seen[:, :2]])


def _with_squares(features):
    return np.column_stack([features, features**2])
