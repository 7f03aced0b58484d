"""Experiments with networks that are trained, or with those that ship."""

import numpy as np
import pandas as pd

from particlelab.learning.models import save_model
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.stem.calibration import count_confusion
from particlelab.stem.classifier import by_category, load_classifier
from particlelab.stem.dataset import CATEGORIES
from particlelab.stem.experiments import EXPERIMENTS, Outcome, Sizes, carry_out, draw, judge, particles_of
from particlelab.stem.networks import predict
from particlelab.stem.shares import estimate_shares

JUDGED = 20_000  # particles that a network which ships is judged by


class _Asked(Parameters):
    train: bool = parameter(False, "Train the networks of the experiments; otherwise those that ship are judged")
    bayes_particles: int = parameter(6, "Particles of each task whose posterior is computed", low=2, high=100_000)


class Study(Sizes, _Asked):
    """Experiments with trained networks, or with those that ship."""

    validation_particles: int = parameter(4000, "Particles to judge by (document: 20 000)", low=10, high=10_000_000)


class HoleStudy(Study):
    """Sec. 4.1 and 4.2, and what they left open."""

    experiments: tuple[str, ...] = parameter(
        (
            *("one view", "two views", "early concatenation", "one view, small holes", "two views, small holes"),
            *("one view, at best", "two views, at best"),
        ),
        "What is carried out: names of experiments in particlelab.stem.experiments",
    )
    populations: int = parameter(60, "Populations whose shares of categories are estimated", low=10, high=100_000)


class ChiralityStudy(Study):
    """Sec. 4.3."""

    experiments: tuple[str, ...] = parameter(
        ("chirality", "chirality, 32 points", "chirality, centre varies", "chirality, symmetric"),
        "What is carried out: names of experiments in particlelab.stem.experiments",
    )


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


def ship(name, outcome, sizes, path):
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
    scores = judge(e.feature, outcome.model, data, generator(p.seed, "unpaired")).set_index("task").round(5)
    card["scores"] = scores.to_dict("index")
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


def summarise(scores):
    """Put the scores of experiments beside the document's.

    Parameters
    ----------
    scores : dict of str to DataFrame
        By experiment, from `judge`.

    Returns
    -------
    DataFrame
        One row an experiment and task: ``experiment`` (with the task where there are several), ``task``, ``document``
        (NaN where it reports nothing), ``accuracy``, ``standard_error``, and where there are two views ``unpaired``
        and ``repeated``; see `judge`.
    """
    rows = []
    for name, found in scores.items():
        for row in found.to_dict("records"):
            title = f"{name}: {row['task']}" if len(found) > 1 else name
            rows.append({"experiment": title, "task": row.pop("task"), "document": EXPERIMENTS[name].document} | row)
    table = pd.DataFrame(rows)
    return table.assign(document=table.document.astype(float))


def compare(scores, alone):
    """Compare networks with those that learned the same task alone.

    Parameters
    ----------
    scores : DataFrame
        From `summarise`, indexed by experiment.
    alone : dict of str to str
        By experiment the one that it is compared with; pairs that are not in the table are left out.

    Returns
    -------
    DataFrame
        ``experiment``, ``alone``, ``gain`` of accuracy and its ``standard_error`` (of the particles that both were
        judged by; chance in training is not in it).
    """
    rows = []
    for name, other in alone.items():
        if {name, other} <= set(scores.index):
            one, two = scores.loc[name], scores.loc[other]
            error = np.hypot(one.standard_error, two.standard_error)
            rows.append((name, other, one.accuracy - two.accuracy, error))
    return pd.DataFrame(rows, columns=["experiment", "alone", "gain", "standard_error"])


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
