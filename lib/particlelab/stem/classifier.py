"""Trained networks for a user's particles: probabilities, and how well particles resemble what was learned from."""

import functools

import numpy as np

from particlelab.learning.models import load_trained
from particlelab.randomness import generator
from particlelab.stem.dataset import CATEGORIES, Particles, make_dataset
from particlelab.stem.networks import predict
from particlelab.stem.training import TASKS

CARD = ("feature", "views", "points", "particles", "categories", "confusion", "n_validation")
SIMULATED = 2000  # particles that others are compared with: half of them tell what is usual, half how usual that is
EXPLAINED = 0.99  # of the variance, by components


class Classifier:
    """A trained network and its card.

    Attributes
    ----------
    model : keras.Model
        As `train` gives it.
    card : dict
        See `save_model`. It holds, beside what readers want to know: ``feature`` (a key of `CATEGORIES`), ``views``,
        ``points``, ``particles`` (what differs from the values of `Particles`), ``categories`` (names), ``confusion``
        (a row for each true category: the share that is predicted as each) and ``n_validation`` (particles that it was
        counted on, as many of one category as of another).
    feature, views, categories
        Of the card.
    particles : Particles
        What the network learned from.
    confusion : (k, k) ndarray
        Counts, as `estimate_shares` takes them.
    """

    def __init__(self, model, card):
        self.model, self.card = model, card
        self.feature, self.views, self.categories = card["feature"], card["views"], tuple(card["categories"])
        self.particles = Particles(**card["particles"])
        self.confusion = np.rint(np.array(card["confusion"]) * card["n_validation"] / len(self.categories))

    def probabilities(self, x):
        """Compute the probability of each category: (n, views, points) to (n, k).

        Raises
        ------
        ValueError
            If the network expects other views or points.
        """
        return by_category(predict(self.model, self._checked(x)), self.feature)

    def likeness(self, x):
        """Compute how well particles resemble those that the network learned from: (n, views, points) to (n,).

        It is the share of simulated particles that are more unusual, like a p-value: evenly spread from 0 to 1 for
        simulated particles, and near 0 for those that the simulation does not make, whose probabilities then mean
        nothing. How unusual a particle is, is measured by its Mahalanobis distance: all views together as one vector,
        mean and covariance of 1000 simulated particles (leading principal components up to 99 % of the variance, one
        common variance for the rest); the ranks come from 1000 others. No network is asked.

        Raises
        ------
        ValueError
            As `probabilities`.
        """
        distance, known = _usual(self.feature, self.views, self.particles)
        return (known.size - np.searchsorted(known, distance(self._checked(x)))) / known.size

    def _checked(self, x):
        x, expected = np.asarray(x, np.float32), (self.views, self.particles.data_points)
        if x.ndim != 3 or x.shape[1:] != expected:
            raise ValueError(f"projections must be (n, {expected[0]} views, {expected[1]} points), got {x.shape}")
        return x


def by_category(told, feature):
    """Make of what a network says probabilities of a feature's categories.

    Outputs beyond the categories (sec. 4.3.1) are left out, the rest made to sum to 1. Where there are several tasks
    (sec. 4.5), the probabilities of a category's parts are multiplied.

    Parameters
    ----------
    told : (n, outputs) array, or a dictionary of them by task
        From `predict`.
    feature : str
        A key of `TASKS`.

    Returns
    -------
    (n, categories) ndarray
    """
    tasks = TASKS[feature]
    told = told if len(tasks) > 1 else dict.fromkeys(tasks, told)
    found = np.prod([told[task][:, within].astype(float) for task, within in tasks.items()], axis=0)
    found += np.finfo(float).tiny  # where an output that is left out takes all, nothing is known
    return found / found.sum(axis=1, keepdims=True)


def load_classifier(name):
    """Load a trained network.

    Parameters
    ----------
    name : str or path
        One that ships, or a path that ends in ``.keras``.

    Returns
    -------
    Classifier

    Raises
    ------
    ValueError
        If there is none, or the file holds something else.
    """
    return load_trained("stem", name, _classifier)


def _classifier(path, model, card):
    lacking = [key for key in CARD if key not in card]
    if lacking:
        raise ValueError(f"{path} holds no classifier of projections: its card lacks {', '.join(lacking)}")
    try:
        classifier = Classifier(model, card)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} has a card that cannot be read: {error}") from None
    k, points = len(classifier.categories), card["points"]
    if card["feature"] not in CATEGORIES:
        raise ValueError(f"{path}: feature = {card['feature']!r} is unknown; there are {', '.join(CATEGORIES)}")
    if points != classifier.particles.data_points or model.input_shape[1:] != (card["views"], points):
        raise ValueError(
            f"{path}: the network takes (views, points) {model.input_shape[1:]}, but its card says {card['views']} "
            f"views of {points} points and particles of {classifier.particles.data_points}"
        )
    rates = np.array(card["confusion"])
    if rates.shape != (k, k) or not np.allclose(rates.sum(axis=1), 1, atol=1e-3):
        raise ValueError(f"{path}: confusion must have {k} rows of {k} shares that sum to 1, got {card['confusion']}")
    return classifier


@functools.lru_cache(maxsize=8)
def _usual(feature, views, particles):
    """Return a function that gives Mahalanobis distances, and the sorted ones of simulated particles."""
    x = make_dataset(feature, SIMULATED, views, particles, generator(0, "likeness")).x.astype(float)
    some, others = x.reshape(2, SIMULATED // 2, -1)
    mean = some.mean(axis=0)
    _, singular, axes = np.linalg.svd(some - mean, full_matrices=False)
    variance = singular**2 / (len(some) - 1)
    leading = int(np.searchsorted(np.cumsum(variance) / variance.sum(), EXPLAINED)) + 1
    axes, variance, rest = axes[:leading], variance[:leading], max(variance[leading:].mean(), 1e-12)

    def distance(x):
        away = np.reshape(x, (len(x), -1)).astype(float) - mean
        scores = away @ axes.T
        return (scores**2 / variance).sum(axis=1) + ((away - scores @ axes) ** 2).sum(axis=1) / rest

    return distance, np.sort(distance(others))
