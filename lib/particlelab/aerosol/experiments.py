"""The document's experiments on growth: which data, what the networks are told, and how steps are weighed."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.aerosol.growth import fit_sde
from particlelab.aerosol.imbalance import WEIGHTINGS, oversample
from particlelab.aerosol.scores import crps, energy_score, tabulate_trajectories, trajectory_mse
from particlelab.aerosol.sde import TUNED, SDEParameters
from particlelab.randomness import generator

TESTED = 2  # persons whose simulations no network sees: the last ones


class Experiment(NamedTuple):
    """One row of the document's tables."""

    data: str  # "first" or "fresh"
    told: bool  # whether the networks are told the parameter
    weighting: str  # of `WEIGHTINGS`, or "smogn"
    tuned: bool  # whether layers, width and learning rate are those of the document's search
    document: (
        tuple  # its losses of training, validation and testing, and its MSE of average trajectories; None: not told
    )
    source: str


EXPERIMENTS = {
    "first, strength not told": Experiment("first", False, "none", False, (0.7292, 0.8457, 1.0015, None), "Table 3.1"),
    "first": Experiment("first", True, "none", False, (-0.2846, -0.2181, -0.03773, 7.107), "Table 3.2"),
    "unweighted": Experiment("fresh", True, "none", False, (0.6713, 0.6750, 0.4935, 123.54), "Tables 3.3, 3.7"),
    "SMOGN": Experiment("fresh", True, "smogn", False, (4.8711, 4.5430, 4.389, 686.36), "Table 3.4"),
    "inverse KDE": Experiment(
        "fresh", True, "inverse kde", False, (1.5905, 1.5871, 1.4080, 156.363), "Tables 3.5, 3.7"
    ),
    "inverse KDE, tuned": Experiment(
        "fresh", True, "inverse kde", True, (1.5698, 1.558, 0.1112, 81.727), "Tables 3.6, 3.7"
    ),
    "KDE": Experiment("fresh", True, "kde", False, (None, None, None, 68.45), "Table 3.7"),
    "DenseWeight": Experiment("fresh", True, "dense", False, (None, None, None, None), ""),
}


class Steps(NamedTuple):
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
    Steps
    """
    table = table.sort_values(["Person", "Simulation", "Frame No"])
    number = table.groupby(["Person", "Simulation"]).ngroup().to_numpy()
    size = table["Cloud Size"].to_numpy()
    together = (number[1:] == number[:-1]) & (np.diff(table["Frame No"]) == 1)
    columns = (table[name].to_numpy()[:-1][together] for name in ("Parameter", "Person"))
    parameter, person = columns
    return Steps(size[:-1][together], size[1:][together], parameter, number[:-1][together], person)


def carry_out(experiment, table, parameters=None, seed=0, samples=100, folder=None, progress=None):
    """Learn growth as in an experiment of the document, and score it.

    The last two persons are those of the test (sec. 3.5.2); a fifth of the others' steps is the validation.

    Parameters
    ----------
    experiment : Experiment
    table : DataFrame
        The data set that it names, as of `make_dataset`.
    parameters : SDEParameters, optional
        Layers, width and learning rate of a tuned experiment are those that the document's search found.
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
    p = parameters or SDEParameters()
    if experiment.tuned:
        p = p.replace(layers=TUNED.layers, width=TUNED.width, learning_rate=TUNED.learning_rate)
    steps = extract_steps(table)
    last = np.unique(steps.person)[-TESTED:]
    tested = np.isin(steps.person, last)
    x0, x1, told = steps.x0[~tested], steps.x1[~tested], steps.p[~tested]
    if experiment.weighting == "smogn":
        rows = oversample(pd.DataFrame({"x0": x0, "x1": x1, "p": told}), "x1", seed)
        x0, x1, told = (rows[name].to_numpy() for name in ("x0", "x1", "p"))
        weights = None
    else:
        weights = WEIGHTINGS[experiment.weighting](x1)
    covariates = told if experiment.told else None
    sde = fit_sde(x0, x1, 1.0, covariates, weights, p, generator(seed, "growth"), folder, progress)
    return Outcome(sde, *score_growth(sde, table, steps, tested, experiment.told, samples, generator(seed, "forecast")))


def score_growth(sde, table, steps, tested, told, samples, rng):
    """Score a learned SDE by its losses, its average trajectories, and all of its trajectories.

    Returns
    -------
    scores : dict
        ``training``, ``validation`` and ``test``: losses (eq. 2.13; the first two weighed as in the training). ``MSE``:
        of average trajectories (sec. 3.5.3), of all simulations, in %^2; ``relative MSE``: as a share of the variance
        of the true ones. ``CRPS`` and ``energy score`` of the test's simulations, in %: small where trajectories are
        neither off nor too sure.
    predicted : DataFrame
        The mean of the trajectories drawn from the start of each simulation.
    """
    covariates = (lambda values: values) if told else (lambda values: None)
    sizes = table.sort_values(["Person", "Simulation", "Frame No"]).pivot_table(
        index=["Person", "Simulation", "Parameter"], columns="Frame No", values="Cloud Size"
    )
    parameter, true = sizes.index.get_level_values("Parameter").to_numpy(), sizes.to_numpy()
    drawn = sde.sample(true[:, 0], true.shape[1] - 1, 1.0, covariates(parameter), samples, rng)[..., 0]
    predicted = tabulate_trajectories(drawn.mean(axis=1), parameter, by="Parameter")
    averages = table.groupby(["Parameter", "Frame No"])["Cloud Size"].mean()
    error = trajectory_mse(table, predicted, by="Parameter")
    held = np.isin(sizes.index.get_level_values("Person"), np.unique(steps.person[tested]))
    best = sde.history.groupby("member").apply(lambda one: one.loc[one.val_loss.idxmin()], include_groups=False)
    scores = {
        "training": float(best.loss.mean()),
        "validation": float(best.val_loss.mean()),
        "test": sde.loss(steps.x0[tested], steps.x1[tested], 1.0, covariates(steps.p[tested])),
        "MSE": error,
        "relative MSE": error / float(averages.var()),
        "CRPS": float(np.mean(crps(true[held][:, 1:], drawn[held][:, :, 1:]))),
        "energy score": float(np.mean(energy_score(true[held][:, 1:], drawn[held][:, :, 1:]))),
    }
    return scores, predicted
