"""What the particles of a picture come to: number, mean diameters and quantiles, corrected for the picture's edge.

Large particles are cut by the frame more often than small ones. Those that touch it are left out, and each of the rest
stands for as many as it was likely to be one of (Miles 1974, Lantuejoul 1980).
"""

import math

import numpy as np
import pandas as pd
from scipy import stats

from particlelab.measure import fit_lognormal, moment_mean

POWERS = {"number": 0, "area": 2, "volume": 3}  # of the diameter that each particle counts by (ISO 9276-1)
QUANTILES = {"D10": 0.1, "D50": 0.5, "D90": 0.9}
MOMENTS = {"D[1,0]": (1, 0), "D[3,2]": (3, 2), "D[4,3]": (4, 3)}
RESAMPLES = 1000
FEWEST = 3  # particles; of fewer no interval is given
COVERAGE = 0.95
SUMMARY_COLUMNS = ["quantity", "value", "low", "high", "unit"]


def border_weights(extent_x_px, extent_y_px, shape):
    """Return for how many particles each one stands that does not touch the edge of the picture.

    W H / ((W - fx) (H - fy)) after Miles and Lantuejoul, counted in pixels: of W places that a box of fx columns can
    begin at, it leaves the outermost columns free at W - 1 - fx.

    Parameters
    ----------
    extent_x_px, extent_y_px : (n,) array_like of int
        Columns and rows that a particle reaches over: its Feret diameters along both axes.
    shape : (int, int)
        H, W of the picture.

    Returns
    -------
    (n,) ndarray

    Raises
    ------
    ValueError
        If a particle must touch the edge, because it is as large as the picture.
    """
    height, width = shape
    x, y = np.asarray(extent_x_px, float), np.asarray(extent_y_px, float)
    if (x > width - 2).any() or (y > height - 2).any():
        raise ValueError(f"particles must be smaller than the picture of {width} x {height} pixels without its edge")
    return width * height / ((width - 1 - x) * (height - 1 - y))


def summarise(table, area_nm2, weighting, rng):
    """Summarise the particles of a picture.

    Parameters
    ----------
    table : DataFrame
        ``diameter_nm``, ``feret_largest_nm``, ``feret_smallest_nm``, ``aspect`` and ``weight``, a row a particle.
    area_nm2 : float
        Of the picture.
    weighting : {"number", "area", "volume"}
        What the distribution of the geometric mean, the geometric standard deviation and the quantiles is of.
    rng : numpy.random.Generator
        Draws the resamples of the bootstrap.

    Returns
    -------
    DataFrame
        ``quantity``, ``value``, ``low``, ``high`` (95 %) and ``unit``:

        - ``particles``: those with a weight, and ``number``: how many they stand for, ``number_per_area``. Taken for
          Poisson's (Garwood 1936), with Kish's effective number where weights differ;
        - ``geometric_mean`` and ``geometric_deviation`` of the diameter (`fit_lognormal`);
        - ``D10``, ``D50``, ``D90``: quantiles of the diameter (ISO 9276-1); ``D[1,0]``, ``D[3,2]``, ``D[4,3]``: moment
          means of the distribution by number, whatever the weighting (ISO 9276-2);
        - ``feret_largest``, ``feret_smallest``, ``aspect``: means by number.

        Their intervals are by the bootstrap over particles: the middle 68 % of the logarithm, times Student's t and
        sqrt(n / (n - 1)). They hold the finite number of particles, not what the method does wrong. NaN for fewer than
        three particles.
    """
    counted = table[table.weight > 0]
    weights, diameters = counted.weight.to_numpy(float), counted.diameter_nm.to_numpy(float)
    rows = _counts(weights, area_nm2)
    n = len(counted)
    if n == 0:
        return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)
    drawn = rng.multinomial(n, np.full(n, 1 / n), RESAMPLES) if n >= FEWEST else np.ones((0, n))
    sets = np.concatenate([np.ones((1, n)), drawn]) * weights
    counted_by = sets * (diameters / diameters.max()) ** POWERS[weighting]
    rows += _log_normal(diameters, counted_by[0])
    found = dict(zip(QUANTILES, weighted_quantiles(diameters, counted_by, list(QUANTILES.values())).T, strict=True))
    found |= {name: _moments(diameters, sets, *powers) for name, powers in MOMENTS.items()}
    for name in ("feret_largest", "feret_smallest", "aspect"):
        values = counted[name if name == "aspect" else f"{name}_nm"].to_numpy(float)
        found[name] = sets @ values / sets.sum(axis=1)
    rows += [(name, *_interval(values, n), "" if name == "aspect" else "nm") for name, values in found.items()]
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def weighted_quantiles(values, weights, shares):
    """Return quantiles of weighted values, between the middles of the steps of their distribution.

    Parameters
    ----------
    values : (n,) array_like
    weights : (m, n) array_like
        Several sets of weights, not negative, not all 0.
    shares : sequence of k float

    Returns
    -------
    (m, k) ndarray
    """
    order = np.argsort(values)
    values, weights = np.asarray(values, float)[order], np.asarray(weights, float)[:, order]
    below = (np.cumsum(weights, axis=1) - weights / 2) / weights.sum(axis=1, keepdims=True)
    there = weights > 0
    return np.array([np.interp(shares, row[kept], values[kept]) for row, kept in zip(below, there, strict=True)])


def _counts(weights, area_nm2):
    """Return the rows of the numbers of particles."""
    n, total = len(weights), float(np.sum(weights))
    effective = total**2 / np.sum(weights**2) if n else 0.0
    tail = (1 - COVERAGE) / 2
    one = total / effective if n else 1.0
    ends = [stats.chi2.ppf(tail, 2 * effective) / 2 if n else 0.0, stats.chi2.ppf(1 - tail, 2 * effective + 2) / 2]
    low, high = (float(one * end) for end in ends)
    sure = [float(stats.chi2.ppf(q, k) / 2) if k else 0.0 for q, k in ((tail, 2 * n), (1 - tail, 2 * n + 2))]
    per_um2 = 1e6 / area_nm2
    return [
        ("particles", n, *sure, ""),
        ("number", total, low, high, ""),
        ("number_per_area", total * per_um2, low * per_um2, high * per_um2, "1/um^2"),
    ]


def _log_normal(diameters, weights):
    if len(diameters) < FEWEST:
        mean = moment_mean(diameters, 0, 0, weights)
        return [("geometric_mean", mean, math.nan, math.nan, "nm"), ("geometric_deviation", *[math.nan] * 3, "")]
    fit = fit_lognormal(diameters, COVERAGE, weights)
    return [
        ("geometric_mean", fit.mean, *fit.mean_interval, "nm"),
        ("geometric_deviation", fit.deviation, *fit.deviation_interval, ""),
    ]


def _moments(diameters, sets, p, q):
    scaled = diameters / diameters.max()
    return diameters.max() * ((sets @ scaled**p) / (sets @ scaled**q)) ** (1 / (p - q))


def _interval(values, n):
    """Return a value and its interval, of itself and its resamples."""
    value, resampled = values[0], np.log(values[1:])
    if not len(resampled):
        return float(value), math.nan, math.nan
    low, high = np.quantile(resampled, stats.norm.cdf([-1, 1]))
    reach = stats.t.ppf((1 + COVERAGE) / 2, n - 1) * math.sqrt(n / (n - 1)) * (high - low) / 2
    return float(value), float(value * math.exp(-reach)), float(value * math.exp(reach))
