"""The document's experiments (Sullivan 2020, sec. 4 and 5), each a line of a table."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.parameters import parameter
from particlelab.randomness import generator
from particlelab.stem.dataset import document_parameters, make_dataset
from particlelab.stem.networks import LARGE, predict
from particlelab.stem.training import TASKS, Training, train

SMALL_HOLES = {"h_r": 0.05, "sig_hr": 0.005}
LIKE_SPIRALS = {"data_points": 64, "sig_c": (0.0, 0.0)}  # how spirals are seen
UNPOOLED = {"pooling": False}
ENLARGED = UNPOOLED | {"filters": LARGE.filters, "dense": LARGE.dense}
AT_BEST = {  # more than the document had: new particles in each epoch, a learning rate that falls, symmetry
    "fresh": True,
    "symmetric": True,
    "optimiser": "adam",
    "learning_rate": 0.001,
    "decay": True,
    "epochs": 40,
    "patience": 40,
    "dropout": 0.0,
    "kernel": 5,
    "filters": (24, 32, 32),
    "dense": (128, 64),
}
# larger batches are faster; the networks of many views and of chirality are larger
IN_LARGE_BATCHES = AT_BEST | {"batch": 256, "learning_rate": 0.002}
ALL_VIEWS = IN_LARGE_BATCHES | {"merge": "sinogram", "symmetric": False, "epochs": 20, "patience": 20}
CHIRALITY_AT_BEST = IN_LARGE_BATCHES | {
    "pooling": False,
    "stride": 2,
    "epochs": 120,
    "patience": 120,
    "filters": (32, 64, 128),
    "dense": (256, 64),
}


class Experiment(NamedTuple):
    """What is learned from what, and what the document found."""

    feature: str
    views: int
    particles: dict  # what differs from the document's particles of the feature
    network: dict  # what differs from the parameters of the training
    document: float | None = None  # accuracy that it found in the same task
    source: str = ""
    start: str = ""  # the experiment whose network is trained further


EXPERIMENTS = {
    "one view": Experiment("hole", 1, {}, {}, 0.811, "sec. 4.1"),
    "one view, small holes": Experiment("hole", 1, SMALL_HOLES, {}, 0.5, "sec. 4.1"),
    "two views": Experiment("hole", 2, {}, {}, 0.870, "sec. 4.2"),
    "two views, small holes": Experiment("hole", 2, SMALL_HOLES, {}, 0.5, "sec. 4.2"),
    "early concatenation": Experiment("hole", 2, {}, {"merge": "early"}, source="sec. 4.2"),
    "chirality": Experiment("spiral", 2, {}, UNPOOLED, 0.907, "sec. 4.3"),
    "chirality, 32 points": Experiment("spiral", 2, {"data_points": 32}, UNPOOLED, 0.5, "sec. 4.3"),
    "chirality, centre varies": Experiment("spiral", 2, {"sig_c": (0.3, 0.3)}, UNPOOLED, 0.5, "sec. 4.3"),
    "chirality, pooling": Experiment("spiral", 2, {}, {}, 0.5, "sec. 4.3"),
    "chirality, symmetric": Experiment("spiral", 2, {}, UNPOOLED | {"symmetric": True}, 0.907, "sec. 4.3"),
    "chirality, one view": Experiment("spiral", 1, {}, UNPOOLED),
    "chirality, large network": Experiment("spiral", 2, {}, ENLARGED, source="appendix B"),
    "chirality, a third category": Experiment(
        "spiral", 2, {}, ENLARGED | {"more_categories": 1}, source="sec. 4.3.1, appendix B"
    ),
    "holes, seen like spirals": Experiment("hole", 2, LIKE_SPIRALS, UNPOOLED),
    "holes, after spirals": Experiment("hole", 2, LIKE_SPIRALS, UNPOOLED, 0.870, "sec. 4.2", "chirality"),
    "both": Experiment("both", 2, {}, UNPOOLED, source="sec. 4.5"),
    "both, holes only": Experiment("both", 2, {}, UNPOOLED | {"spiral_weight": 0.0}, source="sec. 4.5"),
    "both, spirals only": Experiment("both", 2, {}, UNPOOLED | {"hole_weight": 0.0}, source="sec. 4.5"),
    "both, holes weigh more": Experiment("both", 2, {}, UNPOOLED | {"hole_weight": 4.0}, source="sec. 4.5"),
    "both, spirals weigh more": Experiment("both", 2, {}, UNPOOLED | {"spiral_weight": 4.0}, source="sec. 4.5"),
    "both, spirals fade": Experiment("both", 2, {}, UNPOOLED | {"fading": True}, source="sec. 4.5"),
    "both, large network": Experiment("both", 2, {}, ENLARGED, source="sec. 4.5"),
    "both, after spirals": Experiment("both", 2, {}, UNPOOLED, source="sec. 4.5", start="chirality"),
    "both, denser holes": Experiment("both", 2, {"h_density": 1.0}, UNPOOLED, source="sec. 5"),
    "both, missing spirals": Experiment("both", 2, {"s_density": -1.0}, UNPOOLED, source="sec. 5"),
    "one view, at best": Experiment("hole", 1, {}, AT_BEST, 0.811, "sec. 4.1"),
    "two views, at best": Experiment("hole", 2, {}, AT_BEST, 0.870, "sec. 4.2"),
    "two views, small holes, at best": Experiment(
        "hole", 2, SMALL_HOLES, IN_LARGE_BATCHES, 0.5, "sec. 4.2", "two views, at best"
    ),
    "three views, at best": Experiment("hole", 3, {}, ALL_VIEWS),
    "five views, at best": Experiment("hole", 5, {}, ALL_VIEWS),
    "nine views, at best": Experiment("hole", 9, {}, ALL_VIEWS),
    "chirality, at best": Experiment("spiral", 2, {}, CHIRALITY_AT_BEST, 0.907, "sec. 4.3"),
    "small clockwise spirals": Experiment("clockwise", 2, {"s_r": 0.25}, UNPOOLED, source="sec. 5"),
    "small clockwise spirals, after spirals": Experiment(
        "clockwise", 2, {"s_r": 0.25}, UNPOOLED, source="sec. 5", start="chirality"
    ),
}


class Sizes(Training):
    """How many particles a network learns from and is judged by."""

    training_particles: int = parameter(60_000, "Particles to learn from", low=10, high=10_000_000)
    validation_particles: int = parameter(20_000, "Particles to judge by", low=10, high=10_000_000)
    fresh: bool = parameter(False, "Simulate new particles for each epoch")


class Outcome(NamedTuple):
    """What became of an experiment."""

    model: object
    history: pd.DataFrame
    scores: pd.DataFrame  # from `judge`, of the validation


def carry_out(name, parameters, start=None, folder=None, progress=None):
    """Carry out one of the experiments: make particles, train a network, judge it.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`.
    parameters : Sizes
    start : keras.Model, optional
        What is trained further, where the experiment says so.
    folder : path, optional
        For checkpoints.
    progress : callable, optional

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If there is no such experiment, or it lacks the network that it starts from.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"name = {name!r} is no experiment; there are {'; '.join(EXPERIMENTS)}")
    experiment = EXPERIMENTS[name]
    if experiment.start and start is None:
        raise ValueError(f"{name!r} trains the network of {experiment.start!r} further: start is missing")
    p = parameters.replace(**experiment.network)

    def teaching(epoch):
        return draw(name, p.training_particles, p.seed, f"training {epoch}")

    judging = draw(name, p.validation_particles, p.seed, "validation")
    start = start if experiment.start else None
    model, history = train(
        experiment.feature, teaching if p.fresh else teaching(0), judging, p, start, folder, progress
    )
    return Outcome(model, history, judge(experiment.feature, model, judging, generator(p.seed, "unpaired")))


def draw(name, n, seed, stream):
    """Draw particles of an experiment.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`.
    n, seed : int
    stream : str
        What they are for: those of one stream are not those of another.

    Returns
    -------
    Dataset
    """
    e = EXPERIMENTS[name]
    return make_dataset(e.feature, n, e.views, particles_of(name), generator(seed, "stem", stream))


def particles_of(name):
    """Return the `Particles` parameters of an experiment, a key of `EXPERIMENTS`."""
    return document_parameters(EXPERIMENTS[name].feature).replace(**EXPERIMENTS[name].particles)


def judge(feature, model, data, rng):
    """Measure how often a network is right, and whether it uses views jointly.

    Parameters
    ----------
    feature : str
        A key of `TASKS`.
    model : keras.Model
    data : Dataset
        That it was not trained on.
    rng : numpy.random.Generator
        Of the exchange of views.

    Returns
    -------
    DataFrame
        One row a ``task``: ``accuracy``, its ``standard_error``; for two views also the accuracy where the second view
        is that of another particle of the category (``unpaired``, see `unpair`), and where it is the first one again
        (``repeated``: the document's test in sec. 4.2).
    """
    tests = {"accuracy": data}
    if data.x.shape[1] == 2:
        tests["unpaired"] = unpair(data, rng)
        tests["repeated"] = data._replace(x=data.x[:, [0, 0]])
    rows = {task: {"task": task} for task in TASKS[feature]}
    for test, some in tests.items():
        told = predict(model, some.x)
        for task, within in TASKS[feature].items():
            category = (told[task] if isinstance(told, dict) else told).argmax(axis=1)
            rows[task][test] = (category == np.array(within)[some.y]).mean()
    scores = pd.DataFrame(list(rows.values()))
    error = np.sqrt(scores.accuracy * (1 - scores.accuracy) / len(data.y))
    scores.insert(2, "standard_error", error)
    return scores


def unpair(data, rng):
    """Give each particle the second view of another one of its category: what the views tell together is gone.

    Parameters
    ----------
    data : Dataset
        Of two views.
    rng : numpy.random.Generator

    Returns
    -------
    Dataset
    """
    x = data.x.copy()
    for category in np.unique(data.y):
        members = np.flatnonzero(data.y == category)
        x[members, 1] = data.x[rng.permutation(members), 1]
    return data._replace(x=x)


def each_view_alone(model, x):
    """Combine what a network of one view says of each view, as if they were independent.

    Parameters
    ----------
    model : keras.Model
        Of one view.
    x : (n, views, points) array

    Returns
    -------
    (n, categories) ndarray
        Probabilities: products of those of the views.
    """
    told = [predict(model, x[:, [view]]) for view in range(x.shape[1])]
    product = np.prod(np.maximum(told, 1e-12), axis=0)
    return product / product.sum(axis=1, keepdims=True)
