"""Experiments with networks that are trained, or with those that ship."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from particlelab.learning.models import save_model
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.stem.bayes import posterior, regret
from particlelab.stem.calibration import count_confusion
from particlelab.stem.classifier import by_category, load_classifier
from particlelab.stem.dataset import CATEGORIES
from particlelab.stem.experiments import (
    EXPERIMENTS,
    Outcome,
    Sizes,
    carry_out,
    draw,
    each_view_alone,
    judge,
    particles_of,
)
from particlelab.stem.networks import load_network, predict
from particlelab.stem.shares import estimate_shares

JUDGED = 20_000  # particles that a network which ships is judged by
Z = 1.96  # standard errors on either side of a 95 % interval
ALONE = {  # what learned the same without what came before
    "holes, after spirals": "holes, seen like spirals",
    "small clockwise spirals, after spirals": "small clockwise spirals",
}


class _Asked(Parameters):
    train: bool = parameter(False, "Train the networks of the experiments; otherwise those that ship are judged")


class Study(Sizes, _Asked):
    """Experiments with trained networks, or with those that ship."""

    validation_particles: int = parameter(4000, "Particles to judge by (document: 20 000)", low=10, high=10_000_000)


class HoleStudy(Study):
    """Sec. 4.1 and 4.2, and what they left open."""

    experiments: tuple[str, ...] = parameter(
        (
            *("one view", "two views", "early concatenation", "one view, small holes", "two views, small holes"),
            *("one view, at best", "two views, at best", "three views, at best", "five views, at best"),
            *("nine views, at best", "two views, small holes, at best"),
        ),
        "What is carried out: names of experiments in particlelab.stem.experiments",
    )
    bayes_particles: int = parameter(6, "Particles of each task whose posterior is computed", low=2, high=100_000)
    populations: int = parameter(60, "Populations whose shares of categories are estimated", low=10, high=100_000)


class ChiralityStudy(Study):
    """Sec. 4.3."""

    experiments: tuple[str, ...] = parameter(
        (
            *("chirality", "chirality, 32 points", "chirality, centre varies", "chirality, pooling"),
            *("chirality, symmetric", "chirality, at best"),
        ),
        "What is carried out: names of experiments in particlelab.stem.experiments",
    )
    bayes_particles: int = parameter(6, "Particles of each task whose posterior is computed", low=2, high=100_000)


class DualStudy(Study):
    """Sec. 4.4, 4.5 and 5."""

    experiments: tuple[str, ...] = parameter(
        (
            *("chirality", "holes, seen like spirals", "holes, after spirals", "both, holes only"),
            *("both, spirals only", "both", "both, after spirals"),
        ),
        "What is carried out: names of experiments in particlelab.stem.experiments",
    )


def slug(name):
    """Return the name under which the network of an experiment ships."""
    return name.replace(",", "").replace(" ", "-")


def ship(name, outcome, sizes, path, repeats=None):
    """Write the network of an experiment with its card, as `load_classifier` reads it.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`.
    outcome : Outcome
    sizes : Sizes
        That the experiment was carried out with.
    path : path
        ``NAME.keras``.
    repeats : dict of int to DataFrame, optional
        By seed, the scores of trainings that differ in nothing else, from `judge`.

    Returns
    -------
    Path
    """
    e, p = EXPERIMENTS[name], sizes.replace(**EXPERIMENTS[name].network)
    particles = particles_of(name)
    data = draw(name, JUDGED, p.seed, "shipping")
    card = {
        "purpose": f"Tells {', '.join(CATEGORIES[e.feature])} by {e.views} projection(s); learned from simulated ones",
        "experiment": name,
        "feature": e.feature,
        "views": e.views,
        "points": particles.data_points,
        "particles": particles.model_dump(),
        "categories": CATEGORIES[e.feature],
        "n_validation": JUDGED,
        "training": p.model_dump(),
        "history": outcome.history.round(5).to_dict("list"),
        "command": f"stem.carry_out({name!r}, stem.Sizes(seed={p.seed})"
        + (f", start=stem.carry_out({e.start!r}, stem.Sizes(seed={p.seed})).model)" if e.start else ")"),
    }
    confusion = count_confusion(by_category(predict(outcome.model, data.x), e.feature), data.y)
    card["confusion"] = (confusion / confusion.sum(axis=1, keepdims=True)).round(5).tolist()
    scores = judge(e.feature, outcome.model, data, generator(p.seed, "unpaired"))
    card["scores"] = scores.set_index("task").round(5).to_dict("index")
    card["repeats"] = {
        str(seed): found.set_index("task").round(5).to_dict("index")
        for seed, found in ({p.seed: scores} | (repeats or {})).items()
    }
    return save_model(path, outcome.model, card)


def find_outcome(name, study, start=None, folder=None, progress=None):
    """Carry out an experiment, or judge the network of it that ships.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`.
    study : Study
    start, folder, progress
        As for `carry_out`.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        As `carry_out`; if no network of the experiment ships.
    """
    if study.train:
        return carry_out(name, study, start, folder, progress)
    classifier, feature = load_classifier(slug(name)), EXPERIMENTS[name].feature
    data = draw(name, study.validation_particles, study.seed, "judgement")
    history = pd.DataFrame(classifier.card["history"])
    return Outcome(classifier.model, history, judge(feature, classifier.model, data, generator(study.seed, "unpaired")))


def conduct(asked, folder, checkpoints, progress):
    """Compute a run of `find_outcome`: its ``history`` and ``scores``, and the file ``model.keras``.

    Parameters
    ----------
    asked : dict
        ``experiment``, a key of `EXPERIMENTS`; ``study``, a `Study`; ``start``, the file of the network that is trained
        further, or None. It may hold more that the outcome depends on.
    folder, checkpoints : path
    progress : callable

    Returns
    -------
    dict
    """
    start = asked["start"] and load_network(asked["start"])
    outcome = find_outcome(asked["experiment"], asked["study"], start, checkpoints, progress)
    outcome.model.save(folder / "model.keras")
    return {"history": outcome.history, "scores": outcome.scores}


def summarise(scores):
    """Put the scores of experiments beside the document's.

    Parameters
    ----------
    scores : dict of str to DataFrame
        By experiment, from `judge`.

    Returns
    -------
    DataFrame
        One row an experiment and task: ``experiment`` (with the task where there are several), ``views``, ``document``
        (NaN where it reports nothing) and ``source`` in it, what `judge` gives, and the 95 % interval of the accuracy
        from ``accuracy_low`` to ``accuracy_high``.
    """
    rows = []
    for name, found in scores.items():
        known = {column: getattr(EXPERIMENTS[name], column) for column in ("views", "document", "source")}
        for row in found.to_dict("records"):
            title = f"{name}: {row['task']}" if len(found) > 1 else name
            rows.append({"experiment": title} | known | row)
    table = pd.DataFrame(rows).astype({"document": float})
    return add_interval(table, "accuracy")


def add_interval(table, column):
    """Add the 95 % interval of a column, ``_low`` and ``_high``, from the column ``standard_error``."""
    reach = Z * table.standard_error
    return table.assign(**{f"{column}_low": table[column] - reach, f"{column}_high": table[column] + reach})


def compare(table):
    """Compare networks with those that learned the same task alone (sec. 4.4, 4.5 and 5).

    Parameters
    ----------
    table : DataFrame
        From `summarise`.

    Returns
    -------
    DataFrame
        One row a network whose counterpart is there, too: ``experiment``, ``alone``, ``gain`` of accuracy, its
        ``standard_error`` (of the particles that both were judged by; chance in training is not in it) and 95 %
        interval, ``gain_low`` to ``gain_high``.
    """
    scores, rows = table.set_index("experiment"), []
    for name, one in scores.iterrows():
        experiment, _, task = name.partition(": ")
        alone = f"both, {task}s only: {task}" if task else ALONE.get(experiment)
        if alone in scores.index and alone != name and not experiment.endswith("only"):
            two = scores.loc[alone]
            error = np.hypot(one.standard_error, two.standard_error)
            rows.append((name, alone, one.accuracy - two.accuracy, error))
    return add_interval(pd.DataFrame(rows, columns=["experiment", "alone", "gain", "standard_error"]), "gain")


def compare_repeats(names):
    """Compare the networks that ship, and their trainings with other seeds, with those that learned alone.

    Parameters
    ----------
    names : sequence of str
        Keys of `EXPERIMENTS`.

    Returns
    -------
    DataFrame
        As `compare`, for each ``seed`` that all have in common.
    """
    repeats = {name: load_classifier(slug(name)).card["repeats"] for name in names}
    tables = []
    for seed in sorted(set.intersection(*map(set, repeats.values())), key=int):
        scores = {n: pd.DataFrame.from_dict(found[seed], "index") for n, found in repeats.items()}
        table = summarise({n: found.rename_axis("task").reset_index() for n, found in scores.items()})
        tables.append(compare(table).assign(seed=int(seed)))
    return pd.concat(tables, ignore_index=True)


def average_gains(gains):
    """Average gains over trainings.

    Parameters
    ----------
    gains : DataFrame
        From `compare_repeats`.

    Returns
    -------
    DataFrame
        One row an experiment: ``experiment``, ``alone``, mean ``gain``, number of ``trainings``, 95 % interval
        ``gain_low`` to ``gain_high``: of Student's t with the scatter between trainings, or for a single one that of
        the particles, which knows nothing of chance in training.
    """
    rows = []
    for (experiment, alone), some in gains.groupby(["experiment", "alone"], sort=False):
        n = len(some)
        t, scatter = (
            (stats.t.ppf(0.975, n - 1), some.gain.std() / np.sqrt(n)) if n > 1 else (Z, some.standard_error.iloc[0])
        )
        mean = some.gain.mean()
        rows.append((experiment, alone, mean, n, mean - t * scatter, mean + t * scatter))
    return pd.DataFrame(rows, columns=["experiment", "alone", "gain", "trainings", "gain_low", "gain_high"])


def gain_of_both_views(single, double, data):
    """Measure what a network of two views knows beyond one of a single view that looks at both in turn.

    Parameters
    ----------
    single, double : keras.Model
    data : Dataset
        Of two views.

    Returns
    -------
    dict
        Accuracies ``each view alone`` and ``both together``, the ``gain`` and its ``standard_error``.
    """
    alone = each_view_alone(single, data.x).argmax(axis=1) == data.y
    together = predict(double, data.x).argmax(axis=1) == data.y
    gain = together.astype(float) - alone
    accuracies = {"each view alone": alone.mean(), "both together": together.mean()}
    return accuracies | {"gain": gain.mean(), "standard_error": gain.std() / np.sqrt(gain.size)}


class Posterior(NamedTuple):
    """Particles of an experiment, and what can be known of them."""

    x: np.ndarray  # (n, views, points)
    posterior: np.ndarray  # (n, categories)


def find_posterior(name, n, seed, progress=None):
    """Compute the posterior probabilities of n particles of an experiment: a `Posterior`."""
    x = draw(name, n, seed, "posterior").x
    rng = generator(seed, "posterior's own chance")
    return Posterior(x, posterior(x, EXPERIMENTS[name].feature, particles_of(name), rng, progress=progress))


def best_possible(model, scores, known):
    """Estimate the accuracy of the best possible classifier: that of a network, and its regret.

    Parameters
    ----------
    model : keras.Model
    scores : DataFrame
        From `judge`, of one task.
    known : Posterior

    Returns
    -------
    dict
        Accuracy of the ``network``, its ``regret`` and ``its standard error`` (see `regret`); ``best possible``, at
        most 1, and the 95 % interval of it, ``best possible_low`` to ``best possible_high``.
    """
    own, lost = scores.iloc[0], regret(known.posterior, predict(model, known.x))
    best, reach = own.accuracy + lost.estimate, Z * np.hypot(own.standard_error, lost.standard_error)
    ends = zip(("", "_low", "_high"), (best, best - reach, best + reach), strict=True)
    accuracies = {"network": own.accuracy, "regret": lost.estimate, "its standard error": lost.standard_error}
    return accuracies | {f"best possible{end}": min(value, 1.0) for end, value in ends}


def simulate_populations(probabilities, y, populations, particles, rng):
    """Estimate the share of the second of two categories in populations of known shares.

    For each population one half of the particles, drawn anew, gives the confusion matrix, and the population is drawn
    from the other half, with replacement.

    Parameters
    ----------
    probabilities : (n, 2) array
    y : (n,) array
        Categories.
    populations, particles : int
        How many, and how many particles in each.
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        One row a population: ``true`` share (from 0 to 1, evenly), ``counted``, ``corrected``, ``low``, ``high``
        (`estimate_shares`).
    """
    rows = []
    for share in np.linspace(0, 1, populations):
        known, others = np.array_split(rng.permutation(len(y)), 2)
        confusion = count_confusion(probabilities[known], y[known])
        category = rng.random(particles) < share
        picked = np.where(category, *(rng.choice(others[y[others] == k], particles) for k in (1, 0)))
        told = probabilities[picked]
        shares, intervals = estimate_shares(told, confusion)
        rows.append((share, told.argmax(axis=1).mean(), shares[1], *intervals[1]))
    return pd.DataFrame(rows, columns=["true", "counted", "corrected", "low", "high"])
