"""Populations of known shares of two categories, to see how well the shares are estimated."""

import numpy as np
import pandas as pd

from particlelab.stem.calibration import count_confusion
from particlelab.stem.shares import estimate_shares


def simulate_populations(probabilities, y, populations, particles, rng):
    """Estimate the share of the second of two categories in populations of known shares.

    For each population one half of the particles, drawn anew, gives the confusion matrix, and the population is drawn
    from the other half, with replacement.

    Parameters
    ----------
    probabilities : (n, 2) array
    y : (n,) array
        Categories.
    populations, particles : int
        How many, and how many particles in each.
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        One row a population: ``true`` share (from 0 to 1, evenly), ``counted``, ``corrected``, ``low``, ``high``
        (`estimate_shares`).

    Raises
    ------
    ValueError
        If there are too few particles of known category to tell the categories apart by.
    """
    rows = []
    for share in np.linspace(0, 1, populations):
        known, others = np.array_split(rng.permutation(len(y)), 2)
        confusion = count_confusion(probabilities[known], y[known])
        category = rng.random(particles) < share
        picked = np.where(category, *(rng.choice(others[y[others] == k], particles) for k in (1, 0)))
        told = probabilities[picked]
        shares, intervals = estimate_shares(told, confusion)
        rows.append((share, told.argmax(axis=1).mean(), shares[1], *intervals[1]))
    return pd.DataFrame(rows, columns=["true", "counted", "corrected", "low", "high"])
