"""Parameters of the notebooks on growth, and what they compute: trainings by the dozen, and what these agree on."""

import math
import re
from itertools import combinations
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from particlelab.aerosol.experiments import (
    EXPERIMENTS,
    SEARCHED,
    carry_out,
    learned_steps,
    score_growth,
    spread_trajectories,
    tested_steps,
    weigh_steps,
)
from particlelab.aerosol.growth import fit_sde
from particlelab.aerosol.residuals import check_step
from particlelab.aerosol.sde import SDE, SDEParameters, SDETraining
from particlelab.aerosol.studies import DatasetStudy
from particlelab.aerosol.tuning import SPACES, tune_sde
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import generator

TOLD = ("first, strength not told", "first", "unweighted")  # of notebook 13
WEIGHED = ("unweighted", "KDE", "inverse KDE", "DenseWeight")  # the same steps and training, but for the weights
COMPARED = (*WEIGHED, "SMOGN", "inverse KDE, tuned", "unweighted, plain training")  # of notebook 14
TUNED_HERE = "inverse KDE, tuned here"
LOSSES = ("training", "validation", "test")
SCORES = {"MSE": "%^2", "relative MSE": "", "CRPS": "%", "energy score": "%"}  # and their units
FEWEST = 5  # steps of a bin of sizes


class _Data(Parameters):
    """Which data sets are learned from: those of notebook 11."""

    grid: int = parameter(32, "Cells along a side of the box in which clouds were simulated", low=16, high=512)
    people: int = parameter(11, "Persons; the last two are those of the test", low=3, high=1000)
    simulations: int = parameter(13, "Simulations of each person in the fresh data set", low=1, high=1000)
    first_simulations: int = parameter(7, "Simulations of each person in the first data set", low=1, high=7)

    @property
    def datasets(self):
        """The `DatasetStudy` of notebook 11."""
        names = ("grid", "people", "simulations", "first_simulations")
        return DatasetStudy(**{name: getattr(self, name) for name in names})


class _Trainings(SDETraining):
    """How often, and how long."""

    standardise: bool = parameter(
        False, "Show networks sizes and covariates in units of their deviations; otherwise as they are"
    )
    batch: int = parameter(32, "Steps in a batch", low=1, high=1_000_000)
    epochs: int = parameter(10, "Epochs, at most", low=1, high=100_000)
    samples: int = parameter(40, "Trajectories drawn from the first frame of each simulation", low=2, high=10_000)
    seed: int = parameter(0, "Seed of the first training; the others count on", low=0)

    @property
    def training(self):
        """The `SDEParameters` of one network."""
        return SDEParameters(**{name: getattr(self, name) for name in SDETraining.model_fields})


class GrowthStudy(_Trainings, _Data):
    """Growth as a stochastic differential equation, learned from both data sets."""

    members: int = parameter(3, "Networks that are trained, for bands", low=2, high=100)
    seeds: int = parameter(1, "Trainings of each experiment, for the scatter of its numbers", low=1, high=100)


class WeightingStudy(_Trainings, _Data):
    """Weights, oversampling and a search for better networks."""

    seeds: int = parameter(1, "Trainings of each experiment, for the scatter of its numbers", low=1, high=100)
    tuned_epochs: int = parameter(6, "Epochs of the document's tuned network, which is large", low=1, high=100_000)
    space: Literal["quick", "document"] = parameter("quick", "What the search looks through")
    search_epochs: int = parameter(3, "Epochs of the search's longest trials; the document's are 50", low=2, high=1000)


class Outlook(Parameters):
    """A cloud at a moment, and how far to look ahead."""

    strength: float = parameter(8.0, "Strength of the turbulence; the data's are 1 to 15", low=0, high=20)
    start_percent: float = parameter(2.0, "Size of the cloud at the beginning", unit="%", low=0, high=30)
    frames: int = parameter(25, "Frames to look ahead", low=1, high=60)
    network: Literal["several", "one"] = parameter("several", "Several networks, or one of them")
    trajectories: int = parameter(200, "Trajectories that are drawn", low=20, high=2000)
    seed: int = parameter(1, "Another number draws other trajectories", low=0, high=9999)


class Choice(Parameters):
    """A way to weigh the steps, and a strength."""

    weighting: Literal[COMPARED] = parameter("unweighted", "How steps were weighed, or networks chosen")
    strength: float = parameter(8.0, "Strength of the turbulence; the data's are 1 to 15", low=1, high=15)
    trajectories: int = parameter(100, "Trajectories that are drawn", low=20, high=2000)
    seed: int = parameter(1, "Another number draws other trajectories", low=0, high=9999)


class Ahead(NamedTuple):
    """What an outlook shows."""

    drawn: np.ndarray  # (n, frames + 1) trajectories, %
    seen: np.ndarray  # (k, frames + 1) simulations of about that strength, from about that size on; NaN where they end


def carry_out_several(
    experiments, tables, parameters, seeds, samples, folder, checkpoints=None, progress=None, epochs=None
):
    """Carry out experiments with several seeds each, and keep their SDEs.

    Parameters
    ----------
    experiments : dict of str to Experiment
    tables : dict of str to DataFrame
        Data sets, by the names that experiments give them.
    parameters : SDEParameters
    seeds : sequence of int
    samples : int
        As for `carry_out`.
    folder : path
        Where the SDEs are written: see `sde_file`.
    checkpoints : path, optional
        Where trainings that are stopped go on from.
    progress : callable, optional
        Called with the share that is done and a text.
    epochs : dict of str to int, optional
        Of experiments that have others than the parameters.

    Returns
    -------
    dict of str to DataFrame
        ``scores``: a row for each ``experiment`` and ``seed`` with what `score_growth` gives. ``history``: of the
        trainings, with both. ``predicted``: mean sizes by ``experiment``, ``Parameter`` and ``Frame No``, of the first
        seed.
    """
    tasks, found = [(name, seed) for name in experiments for seed in seeds], []
    for number, (name, seed) in enumerate(tasks):
        told = part_of(progress, number / len(tasks), 1 / len(tasks), name)
        p = parameters.replace(epochs=(epochs or {}).get(name, parameters.epochs))
        place = checkpoints and Path(checkpoints) / sde_file(name, seed)
        found.append(carry_out(experiments[name], tables[experiments[name].data], p, seed, samples, place, told))
        found[-1].sde.save(Path(folder) / sde_file(name, seed))
    labels = [{"experiment": name, "seed": seed} for name, seed in tasks]
    pairs = list(zip(labels, found, strict=True))
    first = [(label, one) for label, one in pairs if label["seed"] == seeds[0]]
    return {
        "scores": pd.DataFrame([label | one.scores for label, one in pairs]),
        "history": pd.concat([one.sde.history.assign(**label) for label, one in pairs], ignore_index=True),
        "predicted": pd.concat([one.predicted.assign(**label) for label, one in first], ignore_index=True),
    }


def sde_file(name, seed):
    """Return the name of the file of an experiment's SDE."""
    return f"{re.sub('[^a-z]+', '-', name.lower())}-{seed}.safetensors"


def fit_several(table, parameters, seed, checkpoints=None, progress=None):
    """Learn the fresh data set as several networks, for bands, and check the length of the step.

    Parameters
    ----------
    table : DataFrame
        As of `make_dataset`.
    parameters : GrowthStudy
    seed : int
    checkpoints : path, optional
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    sde : SDE
    steps : DataFrame
        Of `check_step`: the same of steps from frame to frame and to the next but one.
    """
    p, steps = SDEParameters.select(dict(parameters)), learned_steps(table)
    told, further = part_of(progress, 0, 0.5), part_of(progress, 0.5, 0.5)
    sde = fit_sde(steps.x0, steps.x1, 1.0, steps.p, None, p, generator(seed, "several"), checkpoints, told)
    true, parameter, _ = spread_trajectories(table)
    pair = p.replace(members=2)
    return sde, check_step(true, 1.0, parameter[:, None], pair, generator(seed, "length of steps"), further)


def join(sdes):
    """Return one SDE whose networks are those of several, all of which see the world in the same units.

    Raises
    ------
    ValueError
        If they do not.
    """
    cards = [{key: sde.card[key] for key in ("centre", "spread", "scale", "step")} for sde in sdes]
    if any(card != cards[0] for card in cards):
        raise ValueError("the SDEs see states in different units: they were learned from different steps")
    joined = SDE(sdes[0].card, [member for sde in sdes for member in sde.members])
    joined.card = joined.card | {"parameters": joined.card["parameters"] | {"members": len(joined.members)}}
    return joined


def search(table, study, progress=None, checkpoints=None):
    """Search networks for the document's inverse KDE weights (sec. 3.5.6), and return a `Tuning`.

    Parameters
    ----------
    table : DataFrame
        The fresh data set.
    study : WeightingStudy
    progress : callable, optional
        Called with the share that is done and a text.
    checkpoints : path, optional
        A search that was stopped goes on from there.
    """
    x0, x1, p, weights = weigh_steps(learned_steps(table), "inverse kde")
    space = SPACES[study.space]._replace(epochs=study.search_epochs)
    rng = generator(study.seed, "search")
    return tune_sde(x0, x1, 1.0, p, weights, study.training, space, rng, checkpoints, progress)


def tuned_here(parameters):
    """Return an experiment like the document's tuned one, with the networks of other parameters."""
    changes = {name: getattr(parameters, name) for name in SEARCHED if name != "decay"}
    return EXPERIMENTS["inverse KDE, tuned"]._replace(changes=changes, document=(None,) * 4, source="")


def tabulate_scores(scores):
    """Return what a table of scores (of `carry_out_several`) says of each experiment, beside the document.

    Returns
    -------
    DataFrame
        ``metric``, ``value`` (mean over seeds), ``unit``, ``low`` and ``high`` (two standard deviations of a seed away;
        NaN of one seed), ``document`` (NaN where it tells nothing) and ``source``.
    """
    rows = []
    for name, one in scores.groupby("experiment", sort=False):
        known = EXPERIMENTS.get(name)
        document = dict(zip((*LOSSES, "MSE"), known.document, strict=True)) if known else {}
        for column in (*LOSSES, *SCORES):
            half = 2 * one[column].std(ddof=1)  # NaN of one
            mean, theirs = one[column].mean(), document.get(column)
            text = f"{name}: loss of {column}" if column in LOSSES else f"{name}: {_TITLES[column]}"
            unit = "nat" if column in LOSSES else SCORES[column]
            source = known.source if theirs is not None else ""
            rows.append((text, mean, unit, mean - half, mean + half, theirs, source))
    columns = ["metric", "value", "unit", "low", "high", "document", "source"]
    return pd.DataFrame(rows, columns=columns)


def compare_ratios(scores, measure, reference, names=WEIGHED):
    """Return which experiment is best on average over seeds, and its score as a share of a reference, seed by seed.

    Returns
    -------
    best : str
        Among ``names`` (but for the reference).
    ratios : (n,) ndarray
    """
    table = scores.pivot(index="seed", columns="experiment", values=measure)
    best = table[[name for name in names if name in table and name != reference]].mean().idxmin()
    return best, (table[best] / table[reference]).to_numpy()


def agreement(scores, measure, names=WEIGHED):
    """Tell whether seeds rank experiments alike.

    Parameters
    ----------
    scores : DataFrame
        ``experiment``, ``seed`` and the measure, of which less is better.
    measure : str
    names : sequence of str
        Experiments that are ranked.

    Returns
    -------
    dict
        ``correlation``: mean of Spearman's rank correlation over all pairs of seeds (1: all rank alike, 0: as by
        chance; NaN of one seed). ``same_best``: share of the seeds whose best experiment is that of most.
        ``separation``: standard deviation of the experiments' means over that of a seed within its experiment.
    """
    table = scores[scores.experiment.isin(names)].pivot(index="seed", columns="experiment", values=measure)
    ranks = table.rank(axis=1).to_numpy()
    pairs = [float(stats.spearmanr(a, b).statistic) for a, b in combinations(ranks, 2)]
    within = float(np.sqrt(table.var(ddof=1).mean()))
    return {
        "correlation": float(np.mean(pairs)) if pairs else math.nan,
        "same_best": float(table.idxmin(axis=1).value_counts().iloc[0] / len(table)),
        "separation": float(table.mean().std(ddof=1) / within) if within > 0 else math.nan,
    }


def averages_by_chance(table, by="Parameter", frame="Frame No", value="Cloud Size"):
    """Estimate the MSE of average trajectories that the law of a data set would have itself.

    True averages are of few simulations and so off by chance: the mean over parameters and frames of the variance of
    simulations over their number. A parameter of one simulation gets the variance of the others in that frame.

    Returns
    -------
    float
        In squared units of the value; NaN if no parameter has two simulations.
    """
    groups = table.groupby([by, frame])[value]
    variance, count = groups.var(ddof=1).unstack(), groups.count().unstack()
    pooled = (variance * (count - 1)).sum() / (count - 1).where(variance.notna()).sum()
    return float((variance.fillna(pooled) / count).to_numpy().mean())


def losses_by_size(sde, table, bins=15):
    """Compute the loss of the test's steps by the size of the cloud at which they begin (figure 3.19).

    Returns
    -------
    middles, losses : (bins,) ndarray
        In % and nat; NaN where there are fewer than 5 steps.
    """
    steps = tested_steps(table)
    edges = np.linspace(0, table["Cloud Size"].max(), bins + 1)
    loss = -sde.log_density(steps.x0, steps.x1, 1.0, steps.p if sde.covariates else None)
    place = np.clip(np.digitize(steps.x0, edges) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = np.bincount(place, loss, minlength=bins)
    return (edges[:-1] + edges[1:]) / 2, np.where(count < FEWEST, np.nan, sums / np.maximum(count, 1))


def score_joined(sdes, table, samples, seed):
    """Score the mean of several SDEs, as `score_growth`."""
    return score_growth(join(sdes), table, samples, generator(seed, "joined"))[0]


def draw_trajectories(sde, table, n, seed, memory=0.0):
    """Draw trajectories from the first frame of each simulation of a data set, with noise of some ``memory``.

    Returns
    -------
    true : (k, T) ndarray
    drawn : (k, n, T) ndarray
    parameter, person : (k,) ndarray
    """
    true, parameter, person = spread_trajectories(table)
    told = parameter if sde.covariates else None
    rng = generator(seed, "trajectories")
    drawn = sde.sample(true[:, 0], true.shape[1] - 1, 1.0, told, n, rng, memory=memory)[..., 0]
    return true, drawn, parameter, person


def look_ahead(sde, table, outlook):
    """Draw trajectories from a size on, and find simulations to compare them with.

    Parameters
    ----------
    sde : SDE
        Told the strength.
    table : DataFrame
        The data set, of which simulations of the nearest strength are taken, from that size on.
    outlook : Outlook

    Returns
    -------
    Ahead
    """
    o = outlook
    several = len(sde.members) > 1
    rng = generator(o.seed, "outlook")
    drawn = sde.sample([o.start_percent], o.frames, 1.0, [o.strength], o.trajectories, rng, by_member=several)
    true, parameter, _ = spread_trajectories(table)
    near = np.unique(parameter)[np.abs(np.unique(parameter) - o.strength).argmin()]
    seen = []
    for curve in true[parameter == near]:
        if (start := np.argmax(curve >= o.start_percent)) or curve[0] >= o.start_percent:
            part = curve[start : start + o.frames + 1]
            seen.append(np.pad(part, (0, o.frames + 1 - len(part)), constant_values=np.nan))
    return Ahead(drawn[0, :, :, 0], np.array(seen).reshape(-1, o.frames + 1))


_TITLES = {
    "MSE": "MSE of average trajectories",
    "relative MSE": "MSE as a share of the variance of the averages",
    "CRPS": "CRPS, unseen persons",
    "energy score": "energy score, unseen persons",
}
