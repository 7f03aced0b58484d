"""Strength and wind from series of sizes: models that learn from surveys, and how their intervals hold the truth."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field, model_validator
from scipy import stats

from particlelab.aerosol.clouds import CloudScene, simulate_cloud
from particlelab.aerosol.dataset import Survey
from particlelab.aerosol.growth import fit_sde
from particlelab.aerosol.inverse import (
    calibrate_power,
    choose_power,
    find_intervals,
    find_power,
    find_ranks,
    log_likelihood,
    posterior_weights,
)
from particlelab.aerosol.people import draw_people
from particlelab.aerosol.rendering import render
from particlelab.aerosol.residuals import check_residuals
from particlelab.aerosol.scores import average_trajectories, coverage, crps, tabulate_trajectories, trajectory_mse
from particlelab.aerosol.sde import SDEParameters, load_sde
from particlelab.aerosol.series import fit_series, load_series
from particlelab.aerosol.sizes import cloud_size
from particlelab.aerosol.surveys import Surveyed, survey
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator

NAMES = ("strength", "wind")
BY_SERIES, BY_STEPS = "whole series", "learned steps"  # the two likelihoods
STILL, KNOWN, UNKNOWN = "still air", "wind known", "wind unknown"  # what is asked
GROUPS = ("low", "middle", "high")  # thirds of the strengths
POWERS_AT = (5, 10, 20, 30)  # frames for which powers are calibrated
LEVELS = tuple(np.round(np.arange(0.1, 1.0, 0.1), 1)) + (0.95,)
WINDY = 100_000  # numbers of simulations with wind stand so far above those without
LEARNING = 500_000  # and those that models learn from so far above those that they are asked about
STRANGERS = 3000  # persons that models are asked about have numbers above this; none of them is learned from
QUESTION_GROUPS = {"The breath": ("person", "seed"), "The answer": ("asked",)}
DRAWS = {1: 256, 2: 512}  # of the prior, by the number of covariates that are not known


class InverseStudy(Survey):
    """Series of sizes, and what models tell of their parameters; the grid is coarser, for speed."""

    grid: int = parameter(32, "Cells along a side of the box", low=16, high=512)
    wind_low: float = parameter(-0.3, "Smallest wind, where there is one", unit="m/s", low=-0.5, high=0)
    wind_high: float = parameter(0.3, "Largest wind, where there is one", unit="m/s", low=0, high=0.5)
    series: int = parameter(60, "Series in still air, and as many with wind, that are asked about", low=4, high=100_000)
    frames_compared: tuple[Annotated[int, Field(ge=2, le=1000)], ...] = parameter(
        (5, 10, 20, 30), "Numbers of frames that are enough, or not"
    )
    train: bool = parameter(False, "Learn from new simulations; otherwise models that ship are asked")
    training: int = parameter(400, "Simulations that models learn from", low=50, high=100_000)
    calibration: int = parameter(
        200, "More of them, by which the likelihood of steps is calibrated", low=20, high=100_000
    )
    epochs: int = parameter(60, "Epochs of the stochastic differential equation", low=1, high=10_000)
    members: int = parameter(3, "Networks of it", low=1, high=20)
    workers: int = parameter(2, "Processes", low=1, high=64)

    @model_validator(mode="after")
    def _frames_are_there(self):
        if max(self.frames_compared) > self.frames:
            raise ValueError(f"frames_compared must be at most frames = {self.frames}, got {self.frames_compared}")
        return self


class Question(Parameters):
    """A breath whose strength and wind are asked for."""

    strength: float = parameter(8.0, "True strength of the turbulence", low=1, high=15)
    wind_factor: float = parameter(0.1, "True wind, to the right", unit="m/s", low=-0.3, high=0.3)
    frames: int = parameter(30, "Frames that are seen", low=3, high=30)
    asked: Literal["wind unknown", "wind known"] = parameter("wind unknown", "What is known of the wind")
    person: int = parameter(12, "Number of the person", low=1, high=40)
    seed: int = parameter(1, "Another number is another breath", low=0, high=9999)


class Models(NamedTuple):
    """What is asked about series."""

    series: object  # SeriesModel
    steps: object  # SDE


class Answer(NamedTuple):
    """What a series tells."""

    question: Question
    images: np.ndarray  # (frames, H, W, 3) uint8
    masks: np.ndarray  # (frames, H, W) bool
    sizes: np.ndarray  # (frames,) %
    prior: np.ndarray  # (m, 2) strength, wind in m/s
    weights: dict  # of the prior's draws, (m,), by method
    table: pd.DataFrame  # interval of each parameter


def survey_to_learn(parameters, progress=None):
    """Simulate what models learn from, and what steps are calibrated by: two `Surveyed`.

    The first are as many breaths with wind as ``training`` says, and half as many in still air; the others have wind.
    """
    p, still = parameters, parameters.replace(wind_low=0.0, wind_high=0.0)
    windy = survey(_survey(p, LEARNING + WINDY), p.training + p.calibration, 1, p.workers, progress)
    calm = survey(_survey(still, LEARNING), p.training // 2, 1, p.workers, progress)
    learned = (np.concatenate([some[: p.training], more]) for some, more in zip(windy, calm, strict=True))
    return Surveyed(*learned), Surveyed(*(values[p.training :] for values in windy))


def survey_to_ask(parameters, wind, progress=None):
    """Simulate series that models are asked about, with wind or in still air (`Surveyed`)."""
    p = parameters if wind else parameters.replace(wind_low=0.0, wind_high=0.0)
    base = (WINDY if wind else 0) + p.first_simulation - 1
    person = STRANGERS + 1 + (p.first_simulation - 1) % 1000 + (1000 if wind else 0)
    return survey(_survey(p, base), p.series, person, p.workers, progress)


def learn(parameters, learned, calibrating, folder=None, progress=None):
    """Make both models of series with wind.

    Parameters
    ----------
    parameters : InverseStudy
    learned, calibrating : Surveyed
    folder : path, optional
        For checkpoints.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Models
        The SDE is calibrated by series that it has not learned from; the model of series learns from all.
    """
    p = parameters
    sde_parameters = SDEParameters(epochs=p.epochs, members=p.members)
    steps = learn_growth(
        learned, calibrating, p.frame_time_s, (p.wind_low, p.wind_high), sde_parameters, p.seed, folder, progress
    )
    about = {"grid": p.grid}
    steps.card |= about
    everything = (np.concatenate(both) for both in zip(learned, calibrating, strict=True))
    return Models(learn_series(Surveyed(*everything), p.frame_time_s, (p.wind_low, p.wind_high), about), steps)


def learn_series(learned, h, winds, card=None, strengths=(1, 15), folds=5):
    """Make a model of whole series, and calibrate it on itself.

    Each fold of the series is asked about by a model of the others; the ``powers`` on its card (`find_power`) are those
    at which these intervals hold 90 %. They are near 1: below by what fits to few series are too sure of. Series in
    still air do not count: intervals cover on average over truths that are drawn from the prior.

    Parameters
    ----------
    learned : Surveyed
        In any order; the folds are every fifth.
    h : float
        Time between frames, s.
    winds, strengths : (low, high)
    card : dict, optional
    folds : int

    Returns
    -------
    SeriesModel
    """
    model = fit_series(*learned, h, NAMES, card)
    prior, n = draw_prior(strengths, winds), len(learned.sizes)
    fold, powers = np.arange(n) % folds, {}
    others = [fit_series(learned.sizes[fold != k], learned.covariates[fold != k], h, NAMES) for k in range(folds)]
    drawn = np.flatnonzero(learned.covariates[:, 1] != 0)
    for count in sorted({min(count, learned.sizes.shape[1]) for count in POWERS_AT}):
        told = [others[fold[i]].log_likelihood(learned.sizes[i, :count], prior, h) for i in drawn]
        powers[str(count)] = choose_power(told, learned.covariates[drawn], prior)
    model.card["powers"] = powers
    return model


def learn_growth(
    learned,
    calibrating,
    h,
    winds=None,
    parameters=None,
    seed=0,
    folder=None,
    progress=None,
    strengths=(1, 15),
    frames=POWERS_AT,
):
    """Learn how clouds grow by strength, or by strength and wind, with time in seconds.

    Parameters
    ----------
    learned, calibrating : Surveyed
    h : float
        Time between frames, s.
    winds : (low, high), optional
        Of the prior, m/s; without it the SDE is told the strength alone.
    parameters : SDEParameters, optional
    seed : int
    folder, progress
        As for `fit_sde`.
    strengths : (low, high)
        Of the prior. Of whole strengths, such as the document's, half a strength beyond the last ones: otherwise no
        central interval holds these.
    frames : sequence of int
        Lengths of series for which the likelihood is calibrated.

    Returns
    -------
    SDE
        Its card has the ``powers`` that make the likelihood of a series of so many frames cover (`find_power`).
    """
    told = 1 if winds is None else 2
    x0, x1, p = steps_of(learned, told)
    sde = fit_sde(x0, x1, h, p, None, parameters, generator(seed, "growth", told), folder, progress)
    sde.card |= {"time_unit": "s", "frame_time_s": h, "size": "% of the picture", "names": list(NAMES[:told])}
    prior, longest = draw_prior(strengths, winds)[:, :told], calibrating.sizes.shape[1]
    powers = {}
    for count in sorted({min(count, longest) for count in frames}):
        some = calibrating.sizes[:, :count]
        powers[str(count)] = calibrate_power(some, calibrating.covariates[:, :told], sde, prior, h)
    sde.card |= {"power": powers[str(count)], "powers": powers}
    return sde


def load_models(series="series-with-wind", steps="growth-with-wind", grid=None):
    """Load both models of series with wind: those that ship, or files.

    Parameters
    ----------
    series, steps : str or path
    grid : int, optional
        Of the clouds that they are to be asked about.

    Returns
    -------
    Models

    Raises
    ------
    ValueError
        If they have learned from clouds of another grid: a coarser one makes larger clouds.
    """
    models = Models(load_series(series), load_sde(steps))
    known = {model.card.get("grid") for model in models}
    if grid is not None and known != {grid}:
        known = " and ".join(map(str, known))
        raise ValueError(
            f"these models have learned from clouds of grid = {known}, got {grid}; train = True learns anew"
        )
    return models


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


def draw_prior(strengths, winds=None, wind=0.0):
    """Draw strengths, and winds if they are not known, evenly from what they may be.

    Parameters
    ----------
    strengths, winds : (low, high)
    wind : float
        The wind where it is known, m/s.

    Returns
    -------
    (m, 2) ndarray
        Quasi-random: the same every time.
    """
    free = 1 if winds is None else 2
    even = stats.qmc.Sobol(free, rng=generator(0, "prior")).random(DRAWS[free])
    if winds is None:
        return np.stack([strengths[0] + np.ptp(strengths) * np.sort(even[:, 0]), np.full(len(even), wind)], axis=1)
    return np.array([strengths[0], winds[0]]) + even * [np.ptp(strengths), np.ptp(winds)]


def infer_all(models, surveyed, asked, parameters, frames=None, progress=None):
    """Infer the parameters of each series.

    Parameters
    ----------
    models : dict of str to SeriesModel or SDE
        By method.
    surveyed : Surveyed
    asked : str
        `STILL` or `KNOWN`: the strength, where the wind is known; `UNKNOWN`: both.
    parameters : InverseStudy
        Of which the prior's bounds are taken.
    frames : int, optional
        Of each series only so many are seen.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        A row for each method, series and parameter: ``method``, ``asked``, ``frames``, ``series``, ``parameter``,
        ``true``, the 90 % interval ``low`` to ``high``, ``median``, and the ``rank`` of the truth (`find_ranks`).
    """
    p, rows = parameters, []
    frames = frames or surveyed.sizes.shape[1]
    strengths, winds = (p.strength_low, p.strength_high), (p.wind_low, p.wind_high)
    names = NAMES if asked == UNKNOWN else NAMES[:1]
    prior = draw_prior(strengths, winds)
    for number, (curve, truth) in enumerate(zip(surveyed.sizes[:, :frames], surveyed.covariates, strict=True)):
        if asked != UNKNOWN:
            prior = draw_prior(strengths, None, truth[1])
        for method, model in models.items():
            likelihood, power = log_likelihood(curve, model, prior, p.frame_time_s), find_power(model, frames)
            ends = find_intervals(likelihood, prior, power)
            ranks = find_ranks(likelihood, prior, truth, power)
            for k, name in enumerate(names):
                low, median, high = (end[k] for end in ends)
                rows.append((method, asked, frames, number, name, truth[k], low, median, high, ranks[k]))
        if progress:
            progress((number + 1) / len(surveyed.sizes), f"series {number + 1} of {len(surveyed.sizes)}")
    columns = ["method", "asked", "frames", "series", "parameter", "true", "low", "median", "high", "rank"]
    return pd.DataFrame(rows, columns=columns)


def score_estimates(estimates, prior_widths, by=("method", "asked", "frames", "parameter")):
    """Score intervals and medians.

    Parameters
    ----------
    estimates : DataFrame
        Of `infer_all`.
    prior_widths : dict of str to float
        Width of what each parameter may be.
    by : sequence of str

    Returns
    -------
    DataFrame
        ``coverage`` of the 90 % intervals and its binomial ``coverage_error``; root mean square ``error`` of the
        median; mean ``width`` of the interval, and as a share of that of the prior (``sharpness``: 1 is no knowledge).
    """
    rows = []
    for key, some in estimates.groupby(list(by), sort=False):
        held = (some.low <= some.true) & (some.true <= some.high)
        share, n = held.mean(), len(some)
        width = (some.high - some.low).mean()
        relative = width / (0.9 * prior_widths[some.parameter.iloc[0]])
        error = ((some["median"] - some.true) ** 2).mean() ** 0.5
        rows.append((*key, n, share, np.sqrt(share * (1 - share) / n), error, width, relative))
    return pd.DataFrame(rows, columns=[*by, "series", "coverage", "coverage_error", "error", "width", "sharpness"])


def count_coverage(estimates, levels=LEVELS):
    """Count how often central intervals of each level hold the truth.

    Returns
    -------
    DataFrame
        ``method``, ``asked``, ``parameter``, ``level``, ``coverage``, and its binomial ``error`` if the level is right.
    """
    rows = []
    for key, some in estimates.groupby(["method", "asked", "parameter"], sort=False):
        for level in levels:
            share = float(((some["rank"] - 0.5).abs() <= level / 2).mean())
            rows.append((*key, level, share, (level * (1 - level) / len(some)) ** 0.5))
    return pd.DataFrame(rows, columns=["method", "asked", "parameter", "level", "coverage", "error"])


def group_by_strength(estimates, strengths):
    """Return estimates with a column ``group``: low, middle or high, by thirds of the strengths; sorted by it."""
    true = estimates[estimates.parameter == "strength"].drop_duplicates(["asked", "series"])
    edges = np.linspace(*strengths, len(GROUPS) + 1)[1:-1]
    group = np.array(GROUPS)[np.searchsorted(edges, true.true)]
    known = dict(zip(zip(true.asked, true.series, strict=True), group, strict=True))
    keys = zip(estimates.asked, estimates.series, strict=True)
    order = {name: number for number, name in enumerate(GROUPS)}
    grouped = estimates.assign(group=[known[key] for key in keys])
    return grouped.sort_values("group", key=lambda names: names.map(order), kind="stable")


def judge_growth(sde, surveyed, h, samples=200, seed=0):
    """Score a learned SDE on series that it has not seen.

    Returns
    -------
    dict
        ``loss`` (eq. 2.13), ``MSE`` of average trajectories by whole strengths (%^2) and as a share of the variance of
        the true ones, ``CRPS`` (%), ``coverage of forecast bands, 90 %``, and of the residuals variance (expected 1),
        autocorrelation and that of squares (expected 0), and the p value of their normality.
    """
    told, rng = sde.covariates, generator(seed, "judge")
    x0, x1, p = steps_of(surveyed, told)
    true, known = surveyed.sizes, surveyed.covariates[:, :told]
    drawn = sde.sample(true[:, 0], true.shape[1] - 1, h, known, samples, rng, by_member=True)[..., 0]
    strength = np.round(known[:, 0])
    tables = [tabulate_trajectories(some, strength) for some in (true, drawn.mean(axis=1))]
    error = trajectory_mse(*tables)
    labels = np.repeat(np.arange(len(true)), true.shape[1] - 1)
    checks = check_residuals(sde, x0, x1, h, p, labels).set_index("check")
    return {
        "series": len(true),
        "loss": sde.loss(x0, x1, h, p),
        "MSE": error,
        "relative MSE": error / float(average_trajectories(tables[0]).to_numpy().var()),
        "CRPS": float(np.mean(crps(true[:, 1:], drawn[:, :, 1:]))),
        "coverage of forecast bands, 90 %": float(coverage(true[:, 1:], drawn[:, :, 1:], [0.9]).coverage[0]),
        "variance of residuals": float(checks.value["variance"]),
        "autocorrelation of residuals": float(checks.value["autocorrelation"]),
        "autocorrelation of their squares": float(checks.value["autocorrelation of squares"]),
        "p value of normality": float(checks.p_value["normality (Anderson-Darling)"]),
    }


def ask(models, sizes, asked, frame_time_s, strengths=(1, 15), winds=(-0.3, 0.3), wind=0.0):
    """Infer the parameters of one series by both likelihoods.

    Parameters
    ----------
    models : Models
    sizes : (T,) array_like
        %
    asked : str
        `STILL`, `KNOWN` or `UNKNOWN`.
    frame_time_s : float
    strengths, winds : (low, high)
        What they may be.
    wind : float
        Where it is known, m/s.

    Returns
    -------
    prior : (m, 2) ndarray
    weights : dict of str to (m,) ndarray
        Of the prior's draws, by method.
    table : DataFrame
        ``parameter``, ``likelihood of``, ``median``, and ``lower`` to ``upper``, the 90 % interval.
    """
    prior = draw_prior(strengths, winds if asked == UNKNOWN else None, wind)
    weights, rows = {}, []
    for method, model in zip((BY_SERIES, BY_STEPS), models, strict=True):
        likelihood, power = log_likelihood(sizes, model, prior, frame_time_s), find_power(model, len(sizes))
        weights[method] = posterior_weights(likelihood, power)
        low, median, high = find_intervals(likelihood, prior, power)
        for k, name in enumerate(NAMES if asked == UNKNOWN else NAMES[:1]):
            rows.append((name, method, float(median[k]), float(low[k]), float(high[k])))
    columns = ["parameter", "likelihood of", "median", "lower", "upper"]
    return prior, weights, pd.DataFrame(rows, columns=columns)


def answer(question, models=None, progress=None):
    """Simulate and draw the breath of a `Question`, and infer its parameters from the sizes of its cloud.

    Parameters
    ----------
    question : Question
    models : Models, optional
        By default those that ship.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Answer
    """
    q, models = question, models or load_models()
    scene = CloudScene(strength=q.strength, wind_factor=q.wind_factor, frames=q.frames, grid=models.series.card["grid"])
    density = simulate_cloud(scene, q.seed, progress=progress)
    images, masks = render(density, draw_people(q.person)[-1], generator(q.seed, "camera"), scene=scene)
    sizes = cloud_size(masks)
    prior, weights, table = ask(models, sizes, q.asked, scene.frame_time_s, wind=q.wind_factor)
    true = table.parameter.map({"strength": q.strength, "wind": q.wind_factor})
    table.insert(2, "true", true)
    return Answer(q, images, masks, sizes, prior, weights, table)


def _survey(parameters, base):
    """Return the survey whose first simulation has the number base + 1."""
    return Survey.select(parameters.model_dump() | {"first_simulation": base + 1})
