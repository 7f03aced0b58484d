"""Whether probabilities can be believed: of the particles that a network is 80 % sure of, is it right about 80 %?"""

import numpy as np
import pandas as pd
from scipy import optimize, special, stats
from sklearn import metrics

LEAST = 1e-12  # probabilities are taken for no less


def reliability(probabilities, y, bins=10):
    """Compare how sure a network is with how often it is right.

    Particles are sorted by the probability of their most probable category, their confidence, into bins of even width
    between 1 / k, below which no confidence is, and 1. Bins without particles are left out.

    Parameters
    ----------
    probabilities : (n, k) array
    y : (n,) int array
        True categories.
    bins : int

    Returns
    -------
    DataFrame
        One row a bin: mean ``confidence``, share of predictions that are ``right``, ``count`` of particles, and the
        95 % interval of that share (Wilson 1927) from ``low`` to ``high``.

    Raises
    ------
    ValueError
        If shapes do not match, rows of probabilities do not sum to 1, a category does not exist, or ``bins`` is
        below 1.
    """
    probabilities, y = _check(probabilities, y)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    k = probabilities.shape[1]
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    place = np.minimum((confidence - 1 / k) / (1 - 1 / k) * bins, bins - 1).astype(int)
    particles = pd.DataFrame({"confidence": confidence, "right": right, "place": place}).groupby("place")
    table = particles.agg(confidence=("confidence", "mean"), right=("right", "mean"), count=("right", "size"))
    hits = particles["right"].sum()
    limits = [
        stats.binomtest(int(hit), int(count)).proportion_ci(method="wilson")
        for hit, count in zip(hits, table["count"], strict=True)
    ]
    return table.assign(low=[limit.low for limit in limits], high=[limit.high for limit in limits]).reset_index(
        drop=True
    )


def expected_calibration_error(probabilities, y, bins=10):
    """Return by how much confidence and share of right predictions differ on average (Naeini 2015).

    Chance alone makes it greater than 0, by about sqrt(2 / pi * p (1 - p) / n) in a bin of n particles.

    Parameters
    ----------
    probabilities, y, bins
        As for `reliability`.

    Returns
    -------
    float
        From 0 to 1.
    """
    table = reliability(probabilities, y, bins)
    return float(np.average((table.right - table.confidence).abs(), weights=table["count"]))


def fit_temperature(probabilities, y):
    """Find the temperature at which probabilities are the most likely for particles of known category (Guo 2017).

    Parameters
    ----------
    probabilities : (n, k) array
    y : (n,) int array
        True categories, of particles that the network did not learn from.

    Returns
    -------
    float
        Above 1 for a network that is too sure of itself; between 0.01 and 100.
    """
    probabilities, y = _check(probabilities, y)

    def loss(log_temperature):
        return metrics.log_loss(y, temper(probabilities, np.exp(log_temperature)), labels=range(probabilities.shape[1]))

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(np.log(0.01), np.log(100)), method="bounded").x))


def temper(probabilities, temperature):
    """Return (n, k) probabilities at another temperature: softmax of their logarithms divided by it.

    Raises
    ------
    ValueError
        If ``temperature`` is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    return special.softmax(np.log(np.maximum(probabilities, LEAST, dtype=float)) / temperature, axis=1)


def count_confusion(probabilities, y):
    """Count how often each category is predicted for each: (k, k), row the true one, column the predicted one."""
    probabilities, y = _check(probabilities, y)
    return metrics.confusion_matrix(y, probabilities.argmax(axis=1), labels=range(probabilities.shape[1]))


def _check(probabilities, y):
    probabilities, y = np.asarray(probabilities, float), np.asarray(y)
    if probabilities.ndim != 2 or probabilities.shape[1] < 2 or len(probabilities) == 0:
        raise ValueError(f"probabilities must be (n, k) of at least two categories, got {probabilities.shape}")
    if y.shape != probabilities.shape[:1]:
        raise ValueError(f"y must be ({len(probabilities)},) for so many particles, got {y.shape}")
    if not (probabilities >= 0).all() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        raise ValueError("probabilities must be at least 0 and sum to 1 in each row")
    if not np.isin(y, np.arange(probabilities.shape[1])).all():
        raise ValueError(f"y must be categories from 0 to {probabilities.shape[1] - 1}, got {np.unique(y).tolist()}")
    return probabilities, y
