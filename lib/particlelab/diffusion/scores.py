"""Estimates against the true diffusion coefficient: bias, error and coverage of networks and estimators from tracks."""

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field
from scipy import special

from particlelab.diffusion.bounds import crlb
from particlelab.diffusion.estimators import METHODS, estimate
from particlelab.diffusion.imaging import Imaging, simulate
from particlelab.diffusion.localisation import localisation_bound, localise
from particlelab.diffusion.model import Prediction
from particlelab.diffusion.motion import blur_coefficient
from particlelab.parameters import parameter

COVERAGE = 0.9
PART = 250  # movies that are in memory at the same time


class Comparison(Imaging):
    """Movies by which estimators are compared."""

    diffusions_um2_s: tuple[Annotated[float, Field(gt=0, le=1000)], ...] = parameter(
        (0.1, 0.3, 1.0, 3.0, 10.0), "True diffusion coefficients", unit="um^2/s"
    )
    movies: int = parameter(200, "Movies of each", low=2, high=1_000_000)


def compare(models, parameters=None, rng=None, progress=None):
    """Let networks and estimators from tracks read the same movies.

    Parameters
    ----------
    models : dict of str to Model
        Networks by name.
    parameters : Comparison, optional
    rng : numpy.random.Generator
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        A row for each movie and method: ``true_um2_s``, ``movie``, ``method``, ``diffusion_um2_s``, ``lower``,
        ``upper`` (90 %). Tracks are localised by maximum likelihood, and their errors known from there.
    """
    p = parameters or Comparison()
    imaging = Imaging.select(p.model_dump())
    tables, steps = [], [(value, start) for value in p.diffusions_um2_s for start in range(0, p.movies, PART)]
    for step, (value, start) in enumerate(steps):
        count = min(PART, p.movies - start)
        movies = simulate(np.full(count, value), imaging, rng).frames
        found = estimate_from_tracks(movies, imaging)
        found |= {name: model.predict(movies, imaging, COVERAGE) for name, model in models.items()}
        for method, columns in found.items():
            table = pd.DataFrame(columns._asdict())
            table.insert(0, "method", method)
            table.insert(0, "movie", np.arange(start, start + count))
            table.insert(0, "true_um2_s", value)
            tables.append(table)
        if progress:
            progress((step + 1) / len(steps), f"D = {value:g} um^2/s")
    return pd.concat(tables, ignore_index=True)


def estimate_from_tracks(movies, imaging):
    """Localise the molecule of each movie and estimate D by every method from its track.

    Parameters
    ----------
    movies : (n, T, H, W) array
    imaging : Imaging

    Returns
    -------
    dict of str to Prediction
        By method; intervals of 90 % from the standard error, as wide below as above.
    """
    seen = localise(movies, imaging)
    half = special.ndtri((1 + COVERAGE) / 2)
    found = {}
    for method in METHODS:
        d, error = estimate(seen.positions_nm, imaging.interval_s, method, seen.sigma_nm, blur_coefficient(imaging))
        found[method] = Prediction(d, d - half * error, d + half * error)
    return found


def summarise(estimates, imaging):
    """Score estimates by method and true D.

    Parameters
    ----------
    estimates : DataFrame
        From `compare`.
    imaging : Imaging
        Gives the bound of what tracks can tell (`crlb`), with a localisation that is as good as that of a still
        molecule can be.

    Returns
    -------
    DataFrame
        ``method``, ``true_um2_s``, ``bias`` (of the mean, as a share of D) and its ``bias_error``, ``relative_error``
        (root mean square, as a share of D) and its standard error ``relative_error_error``, ``over_bound``,
        ``coverage``, ``movies``.
    """
    sigma = localisation_bound(imaging)
    rows = []
    for (method, true), group in estimates.groupby(["method", "true_um2_s"], sort=False):
        known = group.dropna()
        error = known.diffusion_um2_s / true - 1
        square = (error**2).mean()
        n = len(known)
        bound = crlb(true, imaging.interval_s, imaging.frames, sigma, blur_coefficient(imaging))
        rows.append(
            {
                "method": method,
                "true_um2_s": true,
                "bias": error.mean(),
                "bias_error": error.std() / n**0.5,
                "relative_error": square**0.5,
                "relative_error_error": (error**2).std() / n**0.5 / (2 * square**0.5),
                "over_bound": square**0.5 / bound,
                "coverage": ((known.lower < true) & (true < known.upper)).mean(),
                "movies": n,
            }
        )
    return pd.DataFrame(rows)
