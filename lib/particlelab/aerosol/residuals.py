"""Checks of a learned SDE on steps: what is left of them should be standard normal noise, new at each step."""

import math

import numpy as np
import pandas as pd
from scipy import special, stats

from particlelab.aerosol.growth import fit_sde
from particlelab.aerosol.sde import check_steps
from particlelab.progress import part_of

LONGEST_MEMORY = 0.99  # correlation of noise: of 1 it would never change
BINS = 10  # of a state or covariate, with as many steps in each


def check_residuals(sde, x0, x1, h, covariates=None, trajectories=None):
    """Check the standardised residuals of steps (`SDE.noise`).

    Steps that the SDE was not fitted to are the better judges: of those that it was, p values are too large.

    Parameters
    ----------
    sde : SDE
    x0, x1, h, covariates
        As for `fit_sde`.
    trajectories : (n,) array_like, optional
        Which trajectory each step is of; the steps of each in the order of time. Without, autocorrelations are left
        out.

    Returns
    -------
    DataFrame
        A row for each check and component: ``check``, ``component``, ``value``, what is ``expected`` of a perfect fit,
        ``p_value`` (evenly spread from 0 to 1 for a perfect fit) and what a small one ``tells``.

    Raises
    ------
    ValueError
        If arrays do not fit each other.
    """
    steps = check_steps(x0, x1, h, covariates, known=sde)
    noise = sde.noise(steps.x0, steps.x1, steps.h, covariates)
    along = {f"x{i}": column for i, column in enumerate(steps.x0.T)}
    along |= {f"p{i}": column for i, column in enumerate(steps.p.T)} | {"h": steps.h}
    rows = []
    for i, z in enumerate(noise.T):
        found = [*_moments(z), *(row for name, value in along.items() for row in _in_bins(z, name, value))]
        if trajectories is not None:
            found += _autocorrelations(z, np.asarray(trajectories))
        found += [_correlation(z, noise[:, j], j) for j in range(i)]
        rows += [(check, i, *others) for check, *others in found]
    return pd.DataFrame(rows, columns=["check", "component", "value", "expected", "p_value", "tells"])


def find_memory(sde, x0, x1, h, covariates, trajectories):
    """Find how long the noise of steps lasts: the correlation of each with the next, for `SDE.sample`.

    Parameters
    ----------
    sde : SDE
    x0, x1, h, covariates, trajectories
        As for `check_residuals`.

    Returns
    -------
    float
        From 0 to `LONGEST_MEMORY`; of all components together.

    Raises
    ------
    ValueError
        If arrays do not fit each other.
    """
    z, before, after = _pairs(sde.noise(x0, x1, h, covariates), np.asarray(trajectories))
    return float(np.clip(np.mean(z[before] * z[after]) / np.mean(z**2), 0, LONGEST_MEMORY))


def check_step(trajectories, h, covariates=None, parameters=None, rng=None, progress=None):
    """Fit SDEs to the same trajectories at steps of h and of 2 h, and compare them.

    A scheme of one step is right in the limit of small h only. Where both agree, h is small enough. Where not, drift
    and diffusivity belong to their h: of an Ornstein-Uhlenbeck process of rate theta, Euler's finds a slope of
    (exp(-theta h) - 1) / h.

    Parameters
    ----------
    trajectories : (m, T, d) or (m, T) array_like
    h : float
        Between two points of a trajectory.
    covariates : (m, k) or (m, T, k) array_like, optional
        Of each trajectory, or of each of its points.
    parameters : SDEParameters, optional
        Of several members, their scatter is told.
    rng : numpy.random.Generator
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        ``quantity`` (drift or diffusivity), ``component``, root mean squares over the points of the trajectories
        ``at_h``, ``at_2h`` and of the ``difference``, and ``scatter``: the difference that the members of both fits
        scatter by (NaN of one member). Of matrices, components are those of the diagonal of sigma sigma^T, rooted.

    Raises
    ------
    ValueError
        If trajectories have fewer than 3 points, or as `fit_sde`.
    """
    x = np.asarray(trajectories, float)
    x = x[..., None] if x.ndim == 2 else x
    if x.ndim != 3 or x.shape[1] < 3:
        raise ValueError(f"trajectories must be (m, T, d) of at least 3 points, got {x.shape}")
    p = None if covariates is None else np.asarray(covariates, float)
    if p is not None and p.ndim == 2:
        p = np.repeat(p[:, None], x.shape[1], axis=1)
    points, known = x.reshape(-1, x.shape[2]), None if p is None else p.reshape(-1, p.shape[-1])
    found = []
    for number, stride in enumerate((1, 2)):
        start, end = (_rows(some) for some in (x[:, :-stride], x[:, stride:]))
        told = part_of(progress, number / 2, 1 / 2, f"{number + 1} h")
        some = None if p is None else _rows(p[:, :-stride])
        sde = fit_sde(start, end, stride * h, some, parameters=parameters, rng=rng, progress=told)
        drift, sigma = sde.scatter(points, known)
        found.append((drift, sigma if sigma.ndim == 3 else np.linalg.norm(sigma, axis=3)))
    rows = []
    for quantity, one, two in zip(("drift", "diffusivity"), *found, strict=True):
        scatter = sum(a.var(axis=0, ddof=1) for a in (one, two)) if len(one) > 1 else np.full(points.shape, np.nan)
        a, b = one.mean(axis=0), two.mean(axis=0)
        for i in range(x.shape[2]):
            sizes = [float(np.mean(v[:, i] ** 2) ** 0.5) for v in (a, b, a - b)]
            rows.append((quantity, i, *sizes, float(np.mean(scatter[:, i]) ** 0.5)))
    return pd.DataFrame(rows, columns=["quantity", "component", "at_h", "at_2h", "difference", "scatter"])


def anderson_darling(z):
    """Test whether numbers are standard normal, with most regard to the tails.

    Parameters
    ----------
    z : (n,) array_like

    Returns
    -------
    statistic, p_value : float
        The p value holds in the limit of many numbers (Marsaglia and Marsaglia 2004), nearly so from 10 on.
    """
    z = np.sort(np.asarray(z, float))
    odd = 2 * np.arange(1, len(z) + 1) - 1
    a2 = -len(z) - np.mean(odd * (special.log_ndtr(z) + special.log_ndtr(-z[::-1])))
    if a2 < 2:
        series = 2.00012 + a2 * (0.247105 - a2 * (0.0649821 - a2 * (0.0347962 - a2 * (0.011672 - a2 * 0.00168691))))
        return a2, 1 - math.exp(-1.2337141 / a2) / math.sqrt(a2) * series
    series = 2.30695 - a2 * (0.43424 - a2 * (0.082433 - a2 * (0.008056 - a2 * 0.0003146)))
    return a2, -math.expm1(-math.exp(1.0776 - a2 * series))


def _moments(z):
    n, square = len(z), float(np.sum(z**2))
    normal = anderson_darling(z)
    return [
        ("mean", z.mean(), 0.0, _two_sided(z.mean() * n**0.5), "the drift is too high or too low on average"),
        ("variance", square / n, 1.0, _chi_square(square, n), "the diffusivity is too low (above 1) or too high"),
        ("normality (Anderson-Darling)", normal[0], 1.0, normal[1], "steps are skewed, heavy-tailed or a mixture"),
    ]


def _in_bins(z, name, values):
    """Compare means and variances in bins of a state or covariate: sums of squares of standardised deviations."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)))[1:-1]
    group = np.searchsorted(edges, values, side="right")
    _, group, n = np.unique(group, return_inverse=True, return_counts=True)
    if len(n) < 2:
        return []
    means, squares = np.bincount(group, z) / n**0.5, np.bincount(group, z**2 - 1) / (2 * n) ** 0.5
    told = f"has a wrong shape along {name}" if name != "h" else "is another at other h"
    return [
        (f"{moment} along {name}", s := float(np.sum(sums**2)), float(len(n)), float(stats.chi2.sf(s, len(n))), text)
        for moment, sums, text in (
            ("mean", means, f"the drift {told}"),
            ("variance", squares, f"the diffusivity {told}"),
        )
    ]


def _pairs(z, labels):
    """Return noise in the order of trajectories, and where in it are steps that another one follows, and those."""
    if labels.shape != (len(z),):
        raise ValueError(f"trajectories must be ({len(z)},), got {labels.shape}")
    order = np.argsort(labels, kind="stable")
    labels = labels[order]
    before = np.flatnonzero(labels[1:] == labels[:-1])
    return z[order], before, before + 1


def _autocorrelations(z, labels):
    z, before, after = _pairs(z, labels)
    if not len(before):
        return []
    rows = []
    for name, values, text in (
        ("autocorrelation", z, "there is memory: noise that lasts, or something hidden"),
        ("autocorrelation of squares", (z**2 - 1) / 2**0.5, "the noise has quiet and restless times"),
    ):
        r = float(np.mean(values[before] * values[after]))
        rows.append((name, r, 0.0, _two_sided(r * len(before) ** 0.5), text))
    return rows


def _correlation(z, other, j):
    r = float(np.mean(z * other))
    text = "the noises of components are dependent: another form of diffusivity"
    return f"correlation with component {j}", r, 0.0, _two_sided(r * len(z) ** 0.5), text


def _two_sided(z):
    return float(2 * special.ndtr(-abs(z)))


def _chi_square(square, n):
    """Return the two-sided p value of a chi-square variable of n degrees of freedom."""
    return float(2 * min(stats.chi2.sf(square, n), stats.chi2.cdf(square, n)))


def _rows(x):
    return x.reshape(-1, x.shape[-1])
