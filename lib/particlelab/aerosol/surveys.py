"""Surveys: many breaths of strength, wind and person drawn by chance, and the sizes of their clouds."""

from typing import NamedTuple

import numpy as np

from particlelab.aerosol.dataset import make_dataset
from particlelab.aerosol.people import draw_people


class Surveyed(NamedTuple):
    """Series of sizes, and what made them."""

    sizes: np.ndarray  # (n, frames) %
    covariates: np.ndarray  # (n, 2) strength, wind in m/s


def survey(parameters, n, first_person=1, workers=None, progress=None):
    """Simulate breaths, each of a person of its own.

    Parameters
    ----------
    parameters : Survey
    n : int
        Breaths.
    first_person : int
        Number of the first person (`draw_people`); the others follow.
    workers : int, optional
        Processes; as many as there are processors by default.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Surveyed

    Raises
    ------
    ValueError
        If n is below 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    people = draw_people(first_person + n - 1)[first_person - 1 :]
    table = make_dataset(people, 1, parameters.frames, parameters, None, workers, progress)
    sizes = table["Cloud Size"].to_numpy().reshape(n, parameters.frames)
    return Surveyed(sizes, table[["Strength", "Wind Factor"]].to_numpy()[:: parameters.frames])
