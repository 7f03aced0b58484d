"""The document's experiments on growth: which data, what the networks are told, and how steps are weighed."""

import functools
from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.aerosol.dataset import TESTED
from particlelab.aerosol.growth import fit_sde
from particlelab.aerosol.imbalance import WEIGHTINGS, oversample
from particlelab.aerosol.scores import crps, energy_score, tabulate_trajectories, trajectory_mse
from particlelab.aerosol.sde import TUNED, SDEParameters
from particlelab.randomness import generator


class Experiment(NamedTuple):
    """One row of the document's tables."""

    data: str  # "first" or "fresh"
    told: bool  # whether the networks are told the parameter
    weighting: str  # of `WEIGHTINGS`, or "smogn"
    changes: dict  # of the training's `SDEParameters`
    document: tuple  # losses of training, validation and test, MSE of average trajectories; None where it tells none
    source: str


SEARCHED = {name: getattr(TUNED, name) for name in ("layers", "width", "learning_rate", "decay")}
DIETRICH = {  # as examples of the code of Dietrich et al.: sizes as they are, steps in large batches, a constant rate
    "learning_rate": 1e-3, "decay": False, "standardise": False, "batch": 512, "epochs": 50, "patience": 50,
}  # fmt: skip
UNWEIGHTED = (0.6713, 0.6750, 0.4935, 123.54), "Tables 3.3, 3.7"
EXPERIMENTS = {
    "first, strength not told": Experiment("first", False, "none", {}, (0.7292, 0.8457, 1.0015, None), "Table 3.1"),
    "first": Experiment("first", True, "none", {}, (-0.2846, -0.2181, -0.03773, 7.107), "Table 3.2"),
    "unweighted": Experiment("fresh", True, "none", {}, *UNWEIGHTED),
    "unweighted, plain training": Experiment("fresh", True, "none", DIETRICH, *UNWEIGHTED),
    "SMOGN": Experiment("fresh", True, "smogn", {}, (4.8711, 4.5430, 4.389, 686.36), "Table 3.4"),
    "inverse KDE": Experiment("fresh", True, "inverse kde", {}, (1.5905, 1.5871, 1.4080, 156.363), "Tables 3.5, 3.7"),
    "inverse KDE, tuned": Experiment(
        "fresh", True, "inverse kde", SEARCHED, (1.5698, 1.558, 0.1112, 81.727), "Tables 3.6, 3.7"
    ),
    "KDE": Experiment("fresh", True, "kde", {}, (None, None, None, 68.45), "Table 3.7"),
    "DenseWeight": Experiment("fresh", True, "dense", {}, (None, None, None, None), ""),
}


class FrameSteps(NamedTuple):
    """Steps from frame to frame."""

    x0: np.ndarray  # (n,) cloud size, %
    x1: np.ndarray  # (n,) in the next frame
    p: np.ndarray  # (n,) parameter
    trajectory: np.ndarray  # (n,) number of the simulation
    person: np.ndarray  # (n,)


class Outcome(NamedTuple):
    """What came of an experiment."""

    sde: object  # SDE
    scores: dict  # losses, MSE, CRPS and energy score, by name
    predicted: pd.DataFrame  # of `tabulate_trajectories`: mean trajectories of each simulation


def extract_steps(table):
    """Return the steps of a data set (figure 3.6): sizes in a frame and in the next one of the same simulation.

    Parameters
    ----------
    table : DataFrame
        As of `make_dataset`.

    Returns
    -------
    FrameSteps
    """
    table = table.sort_values(["Person", "Simulation", "Frame No"])
    number = table.groupby(["Person", "Simulation"]).ngroup().to_numpy()
    size = table["Cloud Size"].to_numpy()
    together = (number[1:] == number[:-1]) & (np.diff(table["Frame No"]) == 1)
    parameter, person = (table[name].to_numpy()[:-1][together] for name in ("Parameter", "Person"))
    return FrameSteps(size[:-1][together], size[1:][together], parameter, number[:-1][together], person)


def carry_out(experiment, table, parameters=None, seed=0, samples=100, folder=None, progress=None):
    """Learn growth as in an experiment of the document, and score it.

    The last two persons are those of the test (sec. 3.5.2); a fifth of the others' steps is the validation.

    Parameters
    ----------
    experiment : Experiment
    table : DataFrame
        The data set that it names, as of `make_dataset`.
    parameters : SDEParameters, optional
        What the experiment does not change.
    seed : int
    samples : int
        Trajectories drawn from the first frame of each simulation.
    folder : path, optional
        For checkpoints.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Outcome
    """
    p = (parameters or SDEParameters()).replace(**experiment.changes)
    x0, x1, told, weights = weigh_steps(learned_steps(table), experiment.weighting, seed)
    covariates = told if experiment.told else None
    sde = fit_sde(x0, x1, 1.0, covariates, weights, p, generator(seed, "growth"), folder, progress)
    return Outcome(sde, *score_growth(sde, table, samples, generator(seed, "forecast")))


def learned_steps(table):
    """Return the steps of all but the last two persons, as `FrameSteps`: a fifth of them is the validation."""
    return _choose(extract_steps(table), False)


def tested_steps(table):
    """Return the steps of the last two persons, whom no network sees, as `FrameSteps`."""
    return _choose(extract_steps(table), True)


def weigh_steps(steps, weighting, seed=0):
    """Return x0, x1, the parameter and the weights of steps, (n,) each; with "smogn" other steps, and None."""
    if weighting == "smogn":
        return *_oversample(*(np.asarray(column, float).tobytes() for column in steps[:3]), seed), None
    return steps.x0, steps.x1, steps.p, WEIGHTINGS[weighting](steps.x1)


def spread_trajectories(table):
    """Return the sizes of a data set, (simulations, frames), and the parameter and the person of each simulation."""
    sizes = table.pivot_table(
        index=["Person", "Simulation", "Parameter"], columns="Frame No", values="Cloud Size"
    ).sort_index()
    return sizes.to_numpy(), *(sizes.index.get_level_values(name).to_numpy() for name in ("Parameter", "Person"))


def score_growth(sde, table, samples, rng):
    """Score a learned SDE by its losses, its average trajectories, and all of its trajectories.

    Parameters
    ----------
    sde : SDE
        Of cloud sizes in % by frames, told the parameter or nothing.
    table : DataFrame
        The data set, with all persons.
    samples : int
        Trajectories drawn from the first frame of each simulation.
    rng : numpy.random.Generator

    Returns
    -------
    scores : dict
        ``training``, ``validation`` and ``test``: losses (eq. 2.13; the first two as weighed in the training, NaN of
        an SDE without a history). ``MSE``: of average trajectories (sec. 3.5.3), of all simulations, in %^2;
        ``relative MSE``: as a share of the variance of the true ones. ``CRPS`` and ``energy score`` of the test's
        simulations, in %: small where trajectories are neither off nor too sure.
    predicted : DataFrame
        The mean of the trajectories drawn from the start of each simulation.
    """
    steps = tested_steps(table)
    true, parameter, person = spread_trajectories(table)
    told = (parameter, steps.p) if sde.covariates else (None, None)
    drawn = sde.sample(true[:, 0], true.shape[1] - 1, 1.0, told[0], samples, rng)[..., 0]
    predicted = tabulate_trajectories(drawn.mean(axis=1), parameter, by="Parameter")
    averages = table.groupby(["Parameter", "Frame No"])["Cloud Size"].mean()
    error = trajectory_mse(table, predicted, by="Parameter")
    held = np.isin(person, np.unique(steps.person))
    losses = (np.nan, np.nan)
    if sde.history is not None:
        best = sde.history.groupby("member").val_loss.idxmin()
        losses = (float(sde.history[name][best].mean()) for name in ("loss", "val_loss"))
    scores = dict(zip(("training", "validation"), losses, strict=True)) | {
        "test": sde.loss(steps.x0, steps.x1, 1.0, told[1]),
        "MSE": error,
        "relative MSE": error / float(averages.to_numpy().var()),
        "CRPS": float(np.mean(crps(true[held][:, 1:], drawn[held][:, :, 1:]))),
        "energy score": float(np.mean(energy_score(true[held][:, 1:], drawn[held][:, :, 1:]))),
    }
    return scores, predicted


@functools.lru_cache(maxsize=8)
def _oversample(x0, x1, p, seed):
    """Return x0, x1 and p after SMOGN, which takes a quarter of a minute; given as bytes."""
    columns = {name: np.frombuffer(column) for name, column in (("x0", x0), ("x1", x1), ("p", p))}
    rows = oversample(pd.DataFrame(columns), "x1", seed)
    return tuple(rows[name].to_numpy() for name in columns)


def _choose(steps, tested):
    last = np.isin(steps.person, np.unique(steps.person)[-TESTED:])
    return FrameSteps(*(column[last == tested] for column in steps))
