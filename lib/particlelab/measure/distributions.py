"""Size distributions: log-normal fits, by number or weighted, moment means, densities, divergences, bootstrap."""

from typing import NamedTuple

import numpy as np
from scipy import stats


class LogNormal(NamedTuple):
    """A log-normal distribution fitted to diameters, in their unit; intervals at the confidence that was asked for."""

    mean: float  # geometric mean
    deviation: float  # geometric standard deviation
    mean_interval: tuple
    deviation_interval: tuple
    n: int


def fit_lognormal(diameters, confidence=0.95, weights=None):
    """Fit a log-normal distribution to diameters.

    The geometric mean and geometric standard deviation are those of the sample (`geometric_moments`), and their
    intervals, by Student's t and by chi-square, are exact if ln d is normally distributed.

    Parameters
    ----------
    diameters : (n,) array_like
        Positive, in any unit; at least two.
    confidence : float
        Between 0 and 1.
    weights : (n,) array_like, optional
        How much each diameter counts, in any unit: its mass, for a distribution by mass. At least two must be
        positive. Intervals are approximate then: Kish's effective number (sum w)^2 / sum w^2 takes the place of n.

    Returns
    -------
    LogNormal

    Raises
    ------
    ValueError
        If a diameter is not positive and finite, there are fewer than two, a weight is negative or not finite,
        fewer than two are positive, or the confidence is not between 0 and 1.
    """
    diameters = _positive(diameters, least=2)
    weights = _weights(weights, diameters, least=2)
    tail = (1 - _fraction(confidence)) / 2
    mean, deviation = geometric_moments(diameters, weights)
    n = weights.sum() ** 2 / np.sum(weights**2)
    reach = stats.t.ppf(1 - tail, n - 1) * np.log(deviation) / np.sqrt(n)
    low, high = np.log(deviation) * np.sqrt((n - 1) / stats.chi2.ppf([1 - tail, tail], n - 1))
    return LogNormal(
        float(mean),
        float(deviation),
        (float(mean * np.exp(-reach)), float(mean * np.exp(reach))),
        (float(np.exp(low)), float(np.exp(high))),
        len(diameters),
    )


def geometric_moments(diameters, weights):
    """Return the geometric mean and the geometric standard deviation of weighted diameters, along the last axis.

    The variance of ln d is sum w (ln d - mean)^2 over sum w - sum w^2 / sum w, which is n - 1 where all weights are 1.

    Parameters
    ----------
    diameters : (..., n) array_like
        Positive where the weight is.
    weights : (..., n) array_like
        Not negative; of another shape than the diameters if both fit together.

    Returns
    -------
    mean, deviation : (...) ndarray
        NaN where no weight, or (deviation) only one, is positive.
    """
    diameters, weights = np.asarray(diameters, float), np.asarray(weights, float)
    log_d = np.log(np.where(diameters > 0, diameters, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        total = weights.sum(axis=-1)
        mean = np.sum(weights * log_d, axis=-1) / total
        squares = np.sum(weights * (log_d - mean[..., None]) ** 2, axis=-1)
        freedom = total - np.sum(weights**2, axis=-1) / total
        variance = squares / np.where(freedom > 1e-9 * total, freedom, np.nan)
    return np.exp(mean), np.exp(np.sqrt(variance))


def hatch_choate(mean, deviation, power=3):
    """Return the geometric mean of a log-normal distribution weighted by a power of the diameter.

    mean exp(power ln^2 deviation); the geometric standard deviation stays (Hatch and Choate 1929).

    Parameters
    ----------
    mean, deviation : float or ndarray
        Geometric mean and geometric standard deviation by number.
    power : float
        3 for a distribution by mass, 2 by surface; -3 leads from mass back to number.
    """
    return mean * np.exp(power * np.log(deviation) ** 2)


def moment_mean(diameters, p, q, weights=None):
    """Return the moment-ratio mean D[p,q] of diameters (ISO 9276-2).

    D[p,q] = (sum d^p / sum d^q)^(1 / (p - q)), and its limit exp(sum d^p ln d / sum d^p) for p = q: D[1,0]
    is the arithmetic mean, D[3,2] the Sauter mean, D[4,3] the volume-weighted mean, D[0,0] the
    geometric mean.

    Parameters
    ----------
    diameters : (n,) array_like
        Positive; at least one.
    p, q : float
    weights : (n,) array_like, optional
        How many particles each diameter stands for; at least one must be positive.

    Raises
    ------
    ValueError
        If a diameter is not positive and finite, there is none, a weight is negative or not finite, or none is
        positive.
    """
    d = _positive(diameters, least=1)
    weights = _weights(weights, d, least=1)
    scale = np.exp(np.log(d).mean())  # high powers of large numbers would overflow
    d = d / scale
    if p == q:
        return float(scale * np.exp(np.average(np.log(d), weights=weights * d**p)))
    return float(scale * (np.sum(weights * d**p) / np.sum(weights * d**q)) ** (1 / (p - q)))


def log_density(diameters, grid, bandwidth=None):
    """Estimate the density of ln d at the diameters of a grid, by Gaussian kernels.

    Parameters
    ----------
    diameters : (n,) array_like
        Positive; at least two.
    grid : (m,) array_like
        Positive diameters.
    bandwidth : float, optional
        Standard deviation of the kernel in ln d. By default Silverman's rule (1986, eq. 3.31), 0.9 n^-1/5
        times the smaller of the standard deviation and the interquartile range / 1.34.

    Returns
    -------
    (m,) ndarray
        Per unit of ln d: its integral over ln d is 1.

    Raises
    ------
    ValueError
        If a diameter is not positive and finite, there are fewer than two, or the bandwidth is not
        positive (as Silverman's is, where all diameters are equal).
    """
    log_d, log_grid = np.log(_positive(diameters, least=2)), np.log(_positive(grid, least=1))
    if bandwidth is None:
        quartiles = np.percentile(log_d, [25, 75])
        spread = min([s for s in (log_d.std(ddof=1), np.ptp(quartiles) / 1.34) if s > 0], default=0.0)
        bandwidth = 0.9 * spread * len(log_d) ** -0.2
    if not bandwidth > 0:
        raise ValueError(f"bandwidth must be positive, got {bandwidth!r}")
    return np.array([stats.norm.pdf(x, log_d, bandwidth).mean() for x in log_grid])


def js_divergence(a, b, bins=None, base=2):
    """Return the Jensen-Shannon divergence of two distributions.

    The mean of the Kullback-Leibler divergences of both from their mean: 0 for equal distributions, 1
    (base 2; ln 2 for base e) for distributions that do not overlap. (It is the square of the distance that
    `scipy.spatial.distance.jensenshannon` returns.)

    Parameters
    ----------
    a, b : (n,) array_like
        Without ``bins``: two histograms over the same bins, counts or probabilities. With ``bins``: two
        samples, of any lengths.
    bins : int or (k + 1,) array_like, optional
        Edges for both samples, or a number of bins of equal width over both. Samples outside of the
        edges are refused. Of few values in many bins the divergence comes out too large.
    base : float
        Of the logarithm.

    Raises
    ------
    ValueError
        If histograms differ in shape, are negative or empty, values are not finite, or samples lie
        outside of the bins.
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a and b must be finite")
    if a.ndim != 1 or b.ndim != 1 or a.size == 0 or b.size == 0:
        raise ValueError(f"a and b must be lists with values, got shapes {a.shape} and {b.shape}")
    if bins is not None:
        edges = np.histogram_bin_edges(np.concatenate([a, b]), bins)
        sizes = len(a), len(b)
        a, b = np.histogram(a, edges)[0], np.histogram(b, edges)[0]
        if (a.sum(), b.sum()) != sizes:
            raise ValueError("samples lie outside of the bins")
    if a.shape != b.shape:
        raise ValueError(
            f"histograms must have the same bins, got {a.shape[0]} and {b.shape[0]}; for samples give bins"
        )
    if (a < 0).any() or (b < 0).any() or not a.sum() > 0 or not b.sum() > 0:
        raise ValueError("histograms must not be negative, nor all zero")
    a, b = a / a.sum(), b / b.sum()
    middle = (a + b) / 2
    return float(max(0.0, stats.entropy(a, middle, base) + stats.entropy(b, middle, base)) / 2)


def bootstrap_interval(values, statistic, rng, confidence=0.95, resamples=2000):
    """Return an interval of any statistic by the percentile bootstrap (Efron 1979).

    Parameters
    ----------
    values : (n, ...) array_like
        Rows are drawn with replacement; at least two.
    statistic : callable
        Of an array like ``values``; returns a number, or an array of numbers.
    rng : numpy.random.Generator
    confidence : float
    resamples : int
        At least 100.

    Returns
    -------
    low, high : float or ndarray

    Raises
    ------
    ValueError
        If there are fewer than two values or 100 resamples, or the confidence is not between 0 and 1.
    """
    values = np.asarray(values)
    if values.ndim == 0 or len(values) < 2:
        raise ValueError("a bootstrap needs at least 2 values")
    if resamples < 100:
        raise ValueError(f"resamples must be at least 100, got {resamples}")
    tail = (1 - _fraction(confidence)) / 2
    drawn = [statistic(values[rng.integers(0, len(values), len(values))]) for _ in range(resamples)]
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return low, high


def _positive(values, least):
    values = np.asarray(values, float)
    if values.ndim != 1 or len(values) < least:
        raise ValueError(f"at least {least} diameter{'s' * (least > 1)} needed, got shape {values.shape}")
    if not ((values > 0) & np.isfinite(values)).all():
        raise ValueError("diameters must be positive and finite")
    return values


def _weights(weights, diameters, least):
    weights = np.ones(len(diameters)) if weights is None else np.asarray(weights, float)
    if weights.shape != diameters.shape:
        raise ValueError(f"each diameter needs one weight, got shapes {diameters.shape} and {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and np.count_nonzero(weights) >= least):
        raise ValueError(f"weights must be finite and not negative, and at least {least} positive")
    return weights


def _fraction(confidence):
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
    return confidence
