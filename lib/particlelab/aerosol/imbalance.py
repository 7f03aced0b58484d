"""Rare and frequent cloud sizes: weights by density, and oversampling (Gandhi 2022, sec. 3.5.5)."""

import contextlib
import importlib
import io
import random
import types
import warnings

import numpy as np
from scipy import ndimage

from particlelab.randomness import generator

GRID = 4096  # points of the density
REACH = 5  # bandwidths beyond the smallest and the largest value
LEAST = 1e-6  # weight of DenseWeight before its mean is made 1


def density_weights(values, alpha=1.0):
    """Return the weights of DenseWeight (Steininger et al. 2021, eq. 3 to 5).

    max(1 - alpha p', 1e-6), divided by its mean, where p' is the density of the values, 0 at the rarest of them and 1
    at the most frequent.

    Parameters
    ----------
    values : (n,) array_like
    alpha : float
        0: all weights are 1. 1: the most frequent values weigh next to nothing. Above 1 this spreads to others.

    Returns
    -------
    (n,) ndarray
        Of mean 1.

    Raises
    ------
    ValueError
        If alpha is negative, or values are no (n,) finite numbers.
    """
    if not (alpha >= 0 and np.isfinite(alpha)):
        raise ValueError(f"alpha must be at least 0, got {alpha}")
    p = estimate_density(values)
    span = np.ptp(p)
    weights = np.maximum(1 - alpha * (p - p.min()) / span, LEAST) if span > 0 else np.ones(len(p))
    return weights / weights.mean()


def kde_weights(values):
    """Return the density of the values as weights of mean 1: those of the document's configuration "KDE"."""
    p = estimate_density(values)
    return p / p.mean()


def inverse_kde_weights(values):
    """Return the density, flipped about its midpoint, as weights of mean 1 (figure 3.15): "Inverse KDE".

    That is least + greatest - p: not 1 / p, and not 0 where the values are most frequent.
    """
    p = estimate_density(values)
    flipped = p.min() + p.max() - p
    return flipped / flipped.mean()


def equal_weights(values):
    """Return weights of 1: the document's configuration "Unweighted"."""
    return np.ones(len(_finite(values)))


WEIGHTINGS = {  # of a study: name -> weights of values
    "none": equal_weights,
    "kde": kde_weights,
    "inverse kde": inverse_kde_weights,
    "dense": density_weights,
}


def estimate_density(values):
    """Estimate the density of values at each of them, by a Gaussian kernel with Silverman's bandwidth.

    Values are shared out between the points of a grid, and the grid is smoothed: time does not grow with the square of
    their number.

    Parameters
    ----------
    values : (n,) array_like

    Returns
    -------
    (n,) ndarray
        Per unit of the values; 1 where all values are the same.

    Raises
    ------
    ValueError
        If they are no (n,) finite numbers.
    """
    x = _finite(values)
    bandwidth = x.std(ddof=1) * (0.75 * len(x)) ** -0.2 if len(x) > 1 else 0.0
    if bandwidth <= np.abs(x).max() * 1e-12:
        return np.ones(len(x))
    low, high = x.min() - REACH * bandwidth, x.max() + REACH * bandwidth
    place, step = (x - low) / (high - low) * (GRID - 1), (high - low) / (GRID - 1)
    left = np.minimum(place.astype(int), GRID - 2)
    share = place - left
    counts = np.bincount(left, 1 - share, GRID) + np.bincount(left + 1, share, GRID)
    density = ndimage.gaussian_filter1d(counts, bandwidth / step, mode="constant", truncate=8) / (len(x) * step)
    return np.interp(place, np.arange(GRID), density)


def oversample(table, target, seed):
    """Make rows with rare values of a column more frequent, by SMOGN as the package ``smogn`` has it.

    Each column is scaled to 1 to 2 before, and scaled back after: the package measures distances over all columns as
    they are, and sets to 0 what is negative in synthetic rows, in each column that also has positive values. Its other
    faults stay (version 0.1.2):

    - Of the rows that are not rare it drops as many as it should keep, at random: half of all rows, where there is one
      group of rare ones. Trajectories then have gaps (figure 3.14; the document puts them down to missing values).
    - Rare rows are kept, and the synthetic ones, which should complement them to half, come in full beside them.
    - The target of a synthetic row does not follow its other columns: it is weighted by numbers from memory that nobody
      has set. Here they are set to 0, without which the same seed gives other rows. The target is then the harmonic
      mean of two neighbours' (scaled) targets, and 1.5 times the target where both are the same.
    - Whole numbers, such as those of frames, become others.
    - It has no seed, and draws from the global generators of Python and numpy: it is handed one of its own here. Its
      time grows with the square of the number of rare rows.

    Parameters
    ----------
    table : DataFrame
        Numbers only, all finite.
    target : str
        Column whose rare values are to be more frequent.
    seed : int

    Returns
    -------
    DataFrame
        The same columns; other rows, numbered from 0.

    Raises
    ------
    ValueError
        If there is no such column, it holds no rare values (none beyond the whiskers of its box plot), or a column
        holds anything but finite numbers.
    """
    if target not in table:
        raise ValueError(f"the table has no column {target!r}; it has {', '.join(map(str, table))}")
    kinds = [column for column in table if table[column].dtype.kind not in "iuf"]
    if kinds or not np.isfinite(table.to_numpy(float)).all():
        raise ValueError(f"the table must hold finite numbers only; see {', '.join(kinds) or 'NaN or infinite values'}")
    values = table.reset_index(drop=True).astype(float)
    low, span = values.min(), (values.max() - values.min()).replace(0, 1)
    rng = generator(seed, "smogn")
    with _repeatable(rng), contextlib.redirect_stderr(io.StringIO()):  # where its progress bars are
        try:
            with warnings.catch_warnings(action="ignore"):  # of numpy, on how it is used
                found = importlib.import_module("smogn").smoter((values - low) / span + 1, target)
        except ValueError as error:
            raise ValueError(f"{target} cannot be oversampled: {error}") from None
    return ((found - 1) * span + low)[list(table)].reset_index(drop=True)


@contextlib.contextmanager
def _repeatable(rng):
    """Let the package draw from a generator, and have its arrays begin with 0 instead of what the memory holds."""
    modules = [importlib.import_module(f"smogn.{name}") for name in ("smoter", "over_sampling")]
    changed = types.SimpleNamespace(**vars(np) | {"ndarray": np.zeros, "random": rng})
    try:
        modules[0].np = modules[1].np = changed
        modules[1].rd = rng
        yield
    finally:
        modules[0].np = modules[1].np = np
        modules[1].rd = random


def _finite(values):
    x = np.asarray(values, float)
    if x.ndim != 1 or x.size == 0 or not np.isfinite(x).all():
        raise ValueError(f"values must be (n,) finite numbers, got {x.shape}" + (" with NaN" if x.ndim == 1 else ""))
    return x
