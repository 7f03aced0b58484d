"""How well drawn trajectories agree with true ones: the document's error of averages, and scores of distributions.

The document's error (Gandhi 2022, sec. 3.5.3) sees averages only: trajectories without any scatter, or with far too
much, have the same error. Proper scores (Gneiting and Raftery 2007) are best, on average, for the true distribution
alone.

Samples of what is true, (k, ...), are (k, n, ...): n along the second axis, as `SDE.sample` gives them.
"""

import math

import numpy as np
import pandas as pd
from scipy import stats

CHUNK = 2_000_000  # numbers that distances are computed of at the same time


def trajectory_mse(true, predicted, by="Strength", frame="Frame No", value="Cloud Size"):
    """Compute the document's mean squared error of average trajectories (Gandhi 2022, sec. 3.5.3).

    In both tables the values of each parameter and frame are averaged; the result is the mean, over all parameters and
    frames, of the squared difference of these averages. Each parameter and frame counts alike, however many
    trajectories it has.

    Parameters
    ----------
    true, predicted : DataFrame
        One row a trajectory and frame, such as `tabulate_trajectories` makes; with the same parameters and frames.
    by, frame, value : str
        Columns: the parameter, the number of the frame, the quantity.

    Returns
    -------
    float
        In squared units of the value.

    Raises
    ------
    ValueError
        If a column is missing, values are not finite, or the tables have not the same parameters and frames.
    """
    one, other = (average_trajectories(table, by, frame, value) for table in (true, predicted))
    if not one.index.equals(other.index) or not one.columns.equals(other.columns):
        alone = sorted(set(one.stack().index) ^ set(other.stack().index))
        raise ValueError(f"both tables must have the same ({by}, {frame}); {len(alone)} are in one only: {alone[:3]}")
    if one.isna().to_numpy().any() or other.isna().to_numpy().any():
        raise ValueError(f"each {by} must have all values of {frame}")
    return float(((one - other) ** 2).to_numpy().mean())


def average_trajectories(table, by="Strength", frame="Frame No", value="Cloud Size"):
    """Return the average trajectory of each parameter: a table with a row for each parameter, a column for each frame.

    Parameters and errors as for `trajectory_mse`.
    """
    for column in (by, frame, value):
        if column not in table:
            raise ValueError(f"the table has no column {column!r}; it has {', '.join(map(str, table))}")
    if not np.isfinite(table[value]).all():
        raise ValueError(f"{value} must be finite, got NaN or infinite values")
    return table.pivot_table(value, by, frame, aggfunc="mean")


def tabulate_trajectories(trajectories, parameters, by="Strength", frame="Frame No", value="Cloud Size"):
    """Return trajectories as a table with a row for each trajectory and frame.

    Parameters
    ----------
    trajectories : (k, T) or (k, n, T) array_like
        One, or n samples, for each of k parameters.
    parameters : (k,) array_like
        May hold the same parameter several times.
    by, frame, value : str
        Columns; frames are counted from 1.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If there are not as many parameters as trajectories.
    """
    values, labels = np.asarray(trajectories, float), np.asarray(parameters)
    if values.ndim not in (2, 3) or labels.shape != values.shape[:1]:
        raise ValueError(f"trajectories (k, T) or (k, n, T) need k parameters, got {values.shape} and {labels.shape}")
    frames = values.shape[-1]
    flat = values.reshape(-1, frames)
    labels = np.repeat(labels, len(flat) // max(len(labels), 1))
    return pd.DataFrame(
        {by: np.repeat(labels, frames), frame: np.tile(np.arange(frames) + 1, len(flat)), value: flat.ravel()}
    )


def crps(true, samples, fair=True):
    """Compute the continuous ranked probability score, E|X - y| - E|X - X'| / 2, of each number.

    By sorting, in n log n. Of a distribution that is a point it is the absolute error.

    Parameters
    ----------
    true : (k, ...) array_like, or a number
    samples : (k, n, ...) array_like, or (n,)
    fair : bool
        Take the mean of E|X - X'| over pairs of different samples: on average the score of the distribution that they
        are drawn from, whatever their number (Ferro 2014). Otherwise over all pairs: the score of the samples as a
        distribution.

    Returns
    -------
    (k, ...) ndarray, or float
        In units of what is scored; lower is better.

    Raises
    ------
    ValueError
        If shapes do not fit, numbers are not finite or, if fair, there is one sample only.
    """
    true, samples, axis = _check(true, samples, fair)
    n = samples.shape[axis]
    ordered = np.moveaxis(np.sort(samples, axis=axis), axis, -1)
    ranks = 2 * np.arange(1, n + 1) - n - 1  # sum over pairs of |x - x'| = 2 sum of ranks x
    spread = (ordered * ranks).sum(axis=-1) / (n * (n - fair))
    return np.abs(ordered - true[..., None]).mean(axis=-1) - spread


def energy_score(true, samples, fair=True):
    """Compute the energy score, E||X - y|| - E||X - X'|| / 2, of each trajectory as a whole.

    The norm is that over all frames and components, so that these must be of one unit. Of a single number it is the
    `crps`. Unlike the `crps` of each frame it punishes wrong dependence between frames.

    Parameters
    ----------
    true : (k, ...) array_like
    samples : (k, n, ...) array_like
    fair : bool
        As for `crps`.

    Returns
    -------
    (k,) ndarray
        In units of the trajectories; lower is better.

    Raises
    ------
    ValueError
        As `crps`.
    """
    true, samples, axis = _check(true, samples, fair)
    if axis == 0:
        raise ValueError("true must be (k, ...), got a number: use crps")
    true, samples = true.reshape(len(true), -1), samples.reshape(*samples.shape[:2], -1)
    n = samples.shape[1]
    away = np.linalg.norm(samples - true[:, None], axis=2).mean(axis=1)
    return away - np.array([_distances(some) for some in samples]) / (n * (n - fair))


def coverage(true, samples, levels=(0.5, 0.8, 0.9, 0.95)):
    """Count how often central intervals of samples hold what is true.

    An interval ends at quantiles i / (n + 1) of the samples, between which a further sample falls with just that
    probability, also if n is small.

    Parameters
    ----------
    true : (k, ...) array_like
    samples : (k, n, ...) array_like
    levels : sequence of float
        Nominal coverages.

    Returns
    -------
    DataFrame
        ``level``, ``coverage`` and ``error``: its standard error, from the scatter over the k trajectories, each of
        which counts once.

    Raises
    ------
    ValueError
        If a level is not between 0 and 1, n is too small for it, or as `crps`.
    """
    true, samples, axis = _check(true, samples, fair=True)
    if axis == 0:
        raise ValueError("true must be (k, ...), got a number")
    rows = []
    for level in levels:
        if not 0 < level <= (samples.shape[1] - 1) / (samples.shape[1] + 1):
            if not 0 < level < 1:
                raise ValueError(f"level must be above 0 and below 1, got {level!r}")
            fewest = math.ceil((1 + level) / (1 - level) - 1e-9)
            raise ValueError(f"level = {level} needs at least {fewest} samples, got {samples.shape[1]}")
        ends = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=1, method="weibull")
        each = ((ends[0] <= true) & (true <= ends[1])).reshape(len(true), -1).mean(axis=1)
        error = stats.sem(each) if len(each) > 1 else np.nan
        rows.append({"level": level, "coverage": each.mean(), "error": error})
    return pd.DataFrame(rows)


def _check(true, samples, fair):
    """Return arrays of floats, and the axis of the samples."""
    true, samples = np.asarray(true, float), np.asarray(samples, float)
    axis = min(1, true.ndim)
    if samples.ndim != true.ndim + 1 or samples.shape[:axis] + samples.shape[axis + 1 :] != true.shape:
        raise ValueError(f"true (k, ...) needs samples (k, n, ...), got {true.shape} and {samples.shape}")
    if not (np.isfinite(true).all() and np.isfinite(samples).all()):
        raise ValueError("true and samples must be finite, got NaN or infinite values")
    if samples.shape[axis] <= fair:
        raise ValueError(f"samples must be at least {1 + fair}, got {samples.shape[axis]}")
    return true, samples, axis


def _distances(x):
    """Return the sum of the distances of all (unordered) pairs of rows."""
    total, size = 0.0, max(1, CHUNK // x.size)
    for start in range(0, len(x), size):
        total += np.linalg.norm(x[start : start + size, None] - x, axis=2).sum()
    return total / 2
