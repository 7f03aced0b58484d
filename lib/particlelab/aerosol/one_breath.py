"""One breath whose strength and wind are asked for: what a page shows."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from particlelab.aerosol.clouds import CloudScene
from particlelab.aerosol.inverse import draw_prior, find_intervals, find_power, log_likelihood, posterior_weights
from particlelab.aerosol.inverse_learning import load_models
from particlelab.aerosol.inverse_studies import BY_SERIES, BY_STEPS, KNOWN, NAMES, UNKNOWN
from particlelab.aerosol.people import draw_people
from particlelab.aerosol.studies import watch_breath
from particlelab.parameters import Parameters, parameter

QUESTION_GROUPS = {"The breath": ("person", "seed"), "The answer": ("asked",)}


class Question(Parameters):
    """A breath whose strength and wind are asked for."""

    strength: float = parameter(8.0, "True strength of the turbulence", low=1, high=15)
    wind_factor: float = parameter(0.1, "True wind, to the right", unit="m/s", low=-0.3, high=0.3)
    frames: int = parameter(30, "Frames that are seen", low=3, high=30)
    asked: Literal[UNKNOWN, KNOWN] = parameter("wind unknown", "What is known of the wind")
    person: int = parameter(12, "Number of the person", low=1, high=40)
    seed: int = parameter(1, "Another number is another breath", low=0, high=9999)


class Answer(NamedTuple):
    """What a series tells."""

    question: Question
    images: np.ndarray  # (frames, H, W, 3) uint8
    masks: np.ndarray  # (frames, H, W) bool
    sizes: np.ndarray  # (frames,) %
    prior: np.ndarray  # (m, 2) strength, wind in m/s
    weights: dict  # of the prior's draws, (m,), by method
    table: pd.DataFrame  # interval of each parameter


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
    breath = {"strength": q.strength, "wind_factor": q.wind_factor, "frames": q.frames}
    scene = CloudScene.select(models.series.card["scene"] | breath)
    watched = watch_breath(scene, draw_people(q.person)[-1], q.seed, progress=progress)
    sizes = watched.table["Cloud Size"].to_numpy()
    known = models.series.card["scene"]
    strengths, winds = ((known[f"{name}_low"], known[f"{name}_high"]) for name in ("strength", "wind"))
    prior, weights, table = ask(models, sizes, q.asked, scene.frame_time_s, strengths, winds, q.wind_factor)
    true = table.parameter.map({"strength": q.strength, "wind": q.wind_factor})
    table.insert(2, "true", true)
    return Answer(q, watched.images, watched.masks, sizes, prior, weights, table)
