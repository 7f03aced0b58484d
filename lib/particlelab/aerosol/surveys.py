"""Surveys: many breaths of strength, wind and person drawn by chance, and the sizes of their clouds."""

from typing import NamedTuple

import numpy as np
import pandas as pd

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


def steps_of(surveyed, told=1):
    """Return sizes before and after each step, (n,), and covariates, (n, told)."""
    sizes, steps = surveyed.sizes, surveyed.sizes.shape[1] - 1
    return sizes[:, :-1].ravel(), sizes[:, 1:].ravel(), np.repeat(surveyed.covariates[:, :told], steps, axis=0)


def gather_series(table, persons=None):
    """Return the series of a data set, as of `make_dataset`, as `Surveyed`: of all persons, or of some by number."""
    table = table.sort_values(["Person", "Simulation", "Frame No"])
    table = table if persons is None else table[table.Person.isin(list(persons))]
    frames = table["Frame No"].nunique()
    covariates = table[["Strength", "Wind Factor"]].to_numpy()[::frames]
    return Surveyed(table["Cloud Size"].to_numpy().reshape(-1, frames), covariates)


def tabulate_series(surveyed):
    """Return series as the rows of a data set: ``Person``, ``Simulation``, ``Frame No``, ``Cloud Size``, ``Strength``.

    Each is that of a person of its own, and has the column ``Wind Factor`` too.
    """
    n, frames = surveyed.sizes.shape
    columns = {"Person": np.arange(1, n + 1), "Simulation": np.ones(n, int)}
    columns |= dict(zip(("Strength", "Wind Factor"), surveyed.covariates.T, strict=True))
    table = pd.DataFrame(columns).loc[np.repeat(np.arange(n), frames)].reset_index(drop=True)
    return table.assign(**{"Frame No": np.tile(np.arange(1, frames + 1), n), "Cloud Size": surveyed.sizes.ravel()})
