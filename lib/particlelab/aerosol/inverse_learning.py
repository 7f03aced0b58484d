"""Models that tell strength and wind from series of sizes, and the surveys that they learn from."""

from typing import NamedTuple

import numpy as np

from particlelab.aerosol.clouds import Room
from particlelab.aerosol.dataset import Survey
from particlelab.aerosol.growth import fit_sde
from particlelab.aerosol.inverse import calibrate_power, choose_power, draw_prior
from particlelab.aerosol.inverse_studies import NAMES, STRANGERS, WINDY
from particlelab.aerosol.residuals import find_memory
from particlelab.aerosol.sde import SDEParameters, load_sde
from particlelab.aerosol.series import fit_series, load_series
from particlelab.aerosol.surveys import Surveyed, steps_of, survey
from particlelab.progress import part_of
from particlelab.randomness import generator

POWERS_AT = (5, 10, 20, 30)  # frames for which powers are calibrated
LEARNING = 500_000  # numbers of simulations that models learn from stand so far above those that they are asked about


class Models(NamedTuple):
    """What is asked about series."""

    series: object  # SeriesModel
    steps: object  # SDE


def survey_to_learn(parameters, progress=None):
    """Simulate what models learn from, and what steps are calibrated by: two `Surveyed`.

    The first are as many breaths with wind as ``training`` says, and half as many in still air; the others have wind.
    """
    p, still = parameters, parameters.replace(wind_low=0.0, wind_high=0.0)
    count, calm_count = p.training + p.calibration, p.training // 2
    share = count / (count + calm_count)
    windy = survey(_survey(p, LEARNING + WINDY), count, 1, p.workers, part_of(progress, 0, share, "with wind"))
    calm = survey(_survey(still, LEARNING), calm_count, 1, p.workers, part_of(progress, share, 1 - share, "still air"))
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
    strengths, winds = (p.strength_low, p.strength_high), (p.wind_low, p.wind_high)
    told = part_of(progress, 0, 0.9)
    steps = learn_growth(learned, calibrating, p.frame_time_s, winds, sde_parameters, p.seed, folder, told, strengths)
    about = {"scene": _scene(p)}
    steps.card |= about
    everything = (np.concatenate(both) for both in zip(learned, calibrating, strict=True))
    series = learn_series(Surveyed(*everything), p.frame_time_s, winds, about, strengths)
    if progress:
        progress(1.0, "both models")
    return Models(series, steps)


def learn_series(learned, h, winds, card=None, strengths=(1, 15), folds=5):
    """Make a model of whole series, and calibrate it on itself.

    Each fold of the series is asked about by a model of the others; the ``powers`` on its card (`find_power`) are those
    at which these intervals hold 90 %. They are below 1 by what fits to few series are too sure of. Series in
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
        Its card has the ``powers`` that make the likelihood of a series of so many frames cover (`find_power`), and the
        ``memory`` of its noise in the calibrating series, for `SDE.sample`.
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
    x0, x1, p = steps_of(calibrating, told)
    memory = find_memory(sde, x0, x1, h, p, np.repeat(np.arange(len(calibrating.sizes)), longest - 1))
    sde.card |= {"power": powers[str(count)], "powers": powers, "memory": memory}
    return sde


def load_models(series="series-with-wind", steps="growth-with-wind", asked=None):
    """Load both models of series with wind: those that ship, or files.

    Parameters
    ----------
    series, steps : str or path
    asked : InverseStudy, optional
        Of the clouds that they are to be asked about.

    Returns
    -------
    Models

    Raises
    ------
    ValueError
        If they have learned from other clouds: a coarser grid alone makes larger ones.
    """
    models = Models(load_series(series), load_sde(steps))
    wanted = {} if asked is None else _scene(asked)
    for model in models:
        known = model.card.get("scene", {})
        if others := [name for name in wanted if known.get(name) != wanted[name]]:
            learned, got = (", ".join(f"{name} = {of.get(name)}" for name in others) for of in (known, wanted))
            raise ValueError(f"these models have learned from clouds of {learned}, got {got}; train = True learns anew")
    return models


def _scene(parameters):
    """Return what makes the clouds of a study, but for what varies from one to the next."""
    names = (set(Room.model_fields) - {"frames"}) | {"strength_low", "strength_high", "wind_low", "wind_high"}
    return {name: value for name, value in parameters.model_dump(mode="json").items() if name in names}


def _survey(parameters, base):
    """Return the survey whose first simulation has the number base + 1."""
    return Survey.select(parameters.model_dump() | {"first_simulation": base + 1})
