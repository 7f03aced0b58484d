"""Estimates against the true diffusion coefficient: bias, error and coverage of networks and estimators from tracks."""

from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from particlelab.diffusion.bounds import crlb
from particlelab.diffusion.checks import check_parameters
from particlelab.diffusion.cues import Cues, simulate_without
from particlelab.diffusion.estimators import METHODS, estimate, mean_squared_displacement
from particlelab.diffusion.imaging import Imaging
from particlelab.diffusion.localisation import localisation_bound, localise
from particlelab.diffusion.model import Prediction
from particlelab.diffusion.motion import blur_coefficient
from particlelab.parameters import parameter
from particlelab.randomness import check_rng

COVERAGE = 0.9
PART = 250  # movies that are in memory at the same time
MEANINGS = {  # of the scores in a card
    "relative_error": "root of the mean squared error of D, as a share of the true D",
    "bias": "mean error of D, as a share of the true D",
    "coverage": "share of the network's 90 % intervals that hold the true D; all intervals are calibrated to 90 %",
    "msd, cve, mle": "estimators from tracks, on the same movies",
}


class Comparison(Cues):
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
        ``upper`` (90 %). Tracks are localised by maximum likelihood, and their errors known from there. Networks
        are asked under any conditions, learned or not.

    Raises
    ------
    ValueError
        If parameters are no `Comparison`, or rng is no Generator.
    """
    p, rng = check_parameters("parameters", parameters, Comparison, Comparison()), check_rng(rng)
    cues, imaging = Cues.select(p.model_dump()), Imaging.select(p.model_dump())
    tables, steps = [], [(value, start) for value in p.diffusions_um2_s for start in range(0, p.movies, PART)]
    for step, (value, start) in enumerate(steps):
        count = min(PART, p.movies - start)
        movies = simulate_without(np.full(count, value), cues, rng).frames
        found = estimate_from_tracks(movies, imaging)
        found |= {name: model.predict(movies, imaging, COVERAGE, beyond=True) for name, model in models.items()}
        for method, columns in found.items():
            table = pd.DataFrame(columns._asdict())
            table.insert(0, "method", method)
            table.insert(0, "movie", np.arange(start, start + count))
            table.insert(0, "true_um2_s", value)
            tables.append(table)
        if progress:
            progress((step + 1) / len(steps), f"D = {value:g} um^2/s")
    return pd.concat(tables, ignore_index=True)


def judge(model, movies, rng):
    """Write into a model's card how far it is off under the conditions of its training, in the middle of their range.

    Parameters
    ----------
    model : Model
    movies : int
        Of each D.
    rng : numpy.random.Generator
    """
    p = Comparison.select(model.imaging.model_dump() | {"movies": movies})
    scores = summarise(compare({"network": model}, p, rng), p).set_index(["method", "true_um2_s"])
    columns = ["relative_error", "bias", "coverage"]
    model.card["scores"] = {
        f"D = {true:g} um^2/s": scores.loc["network", columns].loc[true].round(4).to_dict()
        | {f"relative_error of {name}": round(scores.relative_error[name, true], 4) for name in METHODS}
        for true in p.diffusions_um2_s
    }
    model.card["scores"]["movies of each D"] = movies
    model.card["what the scores mean"] = MEANINGS


def estimate_from_tracks(movies, imaging):
    """Localise the molecule of each movie and estimate D by every method from its track.

    Parameters
    ----------
    movies : (n, T, H, W) array
    imaging : Imaging

    Returns
    -------
    dict of str to Prediction
        By method; intervals of 90 % from the standard error (`Estimate.interval`). ``document``: its estimate
        (`fit_all_lags`), without an interval.
    """
    seen = localise(movies, imaging)
    found = {}
    for method in METHODS:
        each = estimate(seen.positions_nm, imaging.interval_s, method, seen.sigma_nm, blur_coefficient(imaging))
        found[method] = Prediction(each.diffusion_um2_s, *each.interval(COVERAGE))
    unknown = np.full(len(movies), np.nan)
    found["document"] = Prediction(fit_all_lags(seen.positions_nm, imaging.interval_s), unknown, unknown)
    return found


def fit_all_lags(positions_nm, interval_s):
    """Estimate D as the document's code does: a quarter of the slope of a line from 0 to mean squared displacements.

    Long lags, of which a track has few independent ones, weigh more than short ones.

    Parameters
    ----------
    positions_nm : (n, T, 2) array
        NaN where the molecule was not seen.
    interval_s : float

    Returns
    -------
    (n,) ndarray
        In um^2/s; NaN where a lag is missing.
    """
    lags, displacement_um2 = mean_squared_displacement(positions_nm)
    return displacement_um2 @ (lags / (lags**2).sum()) / interval_s / 4


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
        known = group.dropna(subset="diffusion_um2_s")
        error = known.diffusion_um2_s / true - 1
        square = (error**2).mean()
        n = len(known) or np.nan  # no estimate, no error
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
                "coverage": known.eval("lower < @true < upper").mean() if known.lower.notna().all() else np.nan,
                "movies": len(known),
            }
        )
    return pd.DataFrame(rows)
