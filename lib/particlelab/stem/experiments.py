"""The document's experiments on holes and on chirality (Sullivan 2020, sec. 4.1 to 4.4), each a line of a table."""

from typing import NamedTuple

import numpy as np

from particlelab.parameters import parameter
from particlelab.randomness import generator
from particlelab.stem.dataset import Dataset, document_parameters, make_dataset
from particlelab.stem.networks import LARGE
from particlelab.stem.training import Training, train

SMALL_HOLES = {"h_r": 0.05, "sig_hr": 0.005}
UNPOOLED = {"pooling": False}


class Experiment(NamedTuple):
    """What is learned from what, and what the document found."""

    feature: str
    views: int
    particles: dict  # what differs from the document's particles of the feature
    network: dict  # what differs from the parameters of the training
    accuracy: float | None = None  # in the document
    source: str = ""
    repeated: bool = False  # the second view is the first once more
    start: str = ""  # the experiment whose network is trained further


EXPERIMENTS = {
    "one view": Experiment("hole", 1, {}, {}, 0.811, "sec. 4.1"),
    "one view, small holes": Experiment("hole", 1, SMALL_HOLES, {}, 0.5, "sec. 4.1"),
    "two views": Experiment("hole", 2, {}, {}, 0.870, "sec. 4.2"),
    "two views, small holes": Experiment("hole", 2, SMALL_HOLES, {}, 0.5, "sec. 4.2"),
    "the same view twice": Experiment("hole", 2, {}, {}, 0.780, "sec. 4.2", repeated=True),
    "early concatenation": Experiment("hole", 2, {}, {"merge": "early"}),
    "chirality": Experiment("spiral", 2, {}, UNPOOLED, 0.907, "sec. 4.3"),
    "chirality, 32 points": Experiment("spiral", 2, {"data_points": 32}, UNPOOLED, 0.5, "sec. 4.3"),
    "chirality, centre varies": Experiment("spiral", 2, {"sig_c": (0.3, 0.3)}, UNPOOLED, 0.5, "sec. 4.3"),
    "chirality, pooling": Experiment("spiral", 2, {}, {"pooling": True}, 0.5, "sec. 4.3"),
    "chirality, a third category": Experiment(
        "spiral", 2, {}, UNPOOLED | {"filters": LARGE.filters, "dense": LARGE.dense, "more_categories": 1}
    ),
    "chirality, one view": Experiment("spiral", 1, {}, UNPOOLED),
    "from spirals to holes": Experiment(
        "hole", 2, {"data_points": 64, "sig_c": (0.0, 0.0)}, UNPOOLED, 0.870, "sec. 4.4", start="chirality"
    ),
    "holes alone, seen like spirals": Experiment("hole", 2, {"data_points": 64, "sig_c": (0.0, 0.0)}, UNPOOLED),
    "small clockwise spirals": Experiment("clockwise", 2, {"s_r": 0.25}, UNPOOLED, source="sec. 5"),
}


class Sizes(Training):
    """How many particles a network learns from and is judged by."""

    training_particles: int = parameter(60_000, "Particles to learn from", low=10, high=10_000_000)
    validation_particles: int = parameter(20_000, "Particles to judge by", low=10, high=10_000_000)


class Outcome(NamedTuple):
    """What became of an experiment."""

    model: object
    history: object
    accuracy: float  # on the validation
    standard_error: float
    unpaired: float | None  # the same where the second view is another particle's of the category


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
        raise ValueError(f"name = {name!r} is no experiment; there are {', '.join(EXPERIMENTS)}")
    experiment = EXPERIMENTS[name]
    if experiment.start and start is None:
        raise ValueError(f"{name!r} trains the network of {experiment.start!r} further: start is missing")
    p = parameters.replace(**experiment.network)
    teaching, judging = (
        draw(name, n, p.seed, stream)
        for n, stream in ((p.training_particles, "training"), (p.validation_particles, "validation"))
    )
    model, history = train(teaching, judging, p, start if experiment.start else None, folder, progress)
    accuracy = measure_accuracy(model, judging)
    unpaired = None
    if experiment.views == 2 and not experiment.repeated:
        unpaired = measure_accuracy(model, unpair(judging, generator(p.seed, "unpaired")))
    error = np.sqrt(accuracy * (1 - accuracy) / len(judging.y))
    return Outcome(model, history, accuracy, error, unpaired)


def draw(name, n, seed, stream):
    """Draw the particles of an experiment: a `Dataset`."""
    e = EXPERIMENTS[name]
    particles = document_parameters(e.feature).replace(**e.particles)
    data = make_dataset(e.feature, n, 1 if e.repeated else e.views, particles, generator(seed, "stem", stream))
    return data._replace(x=np.repeat(data.x, e.views, axis=1)) if e.repeated else data


def unpair(data, rng):
    """Give each particle the second view of another one of its category: what the views tell together is gone.

    Parameters
    ----------
    data : Dataset
        Of at least two views.
    rng : numpy.random.Generator

    Returns
    -------
    Dataset
    """
    x = data.x.copy()
    for category in np.unique(data.y):
        members = np.flatnonzero(data.y == category)
        x[members, 1] = data.x[rng.permutation(members), 1]
    return Dataset(x, data.y, data.angles)


def measure_accuracy(model, data):
    """Return the share of particles whose most probable category is theirs."""
    return float((model.predict(data.x, batch_size=4096, verbose=0).argmax(axis=1) == data.y).mean())
