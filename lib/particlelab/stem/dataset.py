"""Data sets of particles and their projections (Sullivan 2020, sec. 4)."""

from typing import NamedTuple

import numpy as np

from particlelab.randomness import check_rng
from particlelab.stem.projection import Projection, project
from particlelab.stem.shapes import Shape, draw_slices

CHUNK = 2000  # slices that are in memory at the same time
CATEGORIES = {  # of each feature
    "hole": ("solid", "hole"),
    "spiral": ("clockwise", "anticlockwise"),
    "any spiral": ("clockwise", "anticlockwise", "none"),
    "clockwise": ("clockwise", "anticlockwise or none"),
    "both": ("solid, clockwise", "solid, anticlockwise", "hole, clockwise", "hole, anticlockwise"),
}
CONTENTS = {  # of each category, one or several: with a hole or not, and how the spiral turns (0: there is none)
    "hole": [[(0, 0)], [(1, 0)]],
    "spiral": [[(0, 1)], [(0, -1)]],
    "any spiral": [[(0, 1)], [(0, -1)], [(0, 0)]],
    "clockwise": [[(0, 1)], [(0, -1), (0, 0)]],
    "both": [[(0, 1)], [(0, -1)], [(1, 1)], [(1, -1)]],
}


class Particles(Shape, Projection):
    """What particles are and how they are seen: all parameters of tables 1 to 6 in one set."""


HOLES = Particles()
SPIRALS = Particles(data_points=64, sig_c=(0.0, 0.0))  # sec. 4.3


class Dataset(NamedTuple):
    """Projections and what they show."""

    x: np.ndarray  # (n, views, points) float32
    y: np.ndarray  # (n,) index into `CATEGORIES` of the feature
    angles: np.ndarray  # (n, views) degrees


def make_dataset(feature, n, views, parameters=None, rng=None):
    """Simulate particles and their projections, as many of one category as of another.

    Parameters
    ----------
    feature : str
        A key of `CATEGORIES`: "hole", "spiral" (the document's two tasks), "any spiral" (with a category of none),
        "clockwise" (against all else: the document's further work) or "both" (holes and spirals, independent).
    n, views : int
    parameters : Particles, optional
        By default the document's.
    rng : numpy.random.Generator

    Returns
    -------
    Dataset
        In random order.

    Raises
    ------
    ValueError
        If the feature is unknown, there is no rng, or ``n`` or ``views`` is below 1.
    """
    if feature not in CATEGORIES:
        raise ValueError(f"feature = {feature!r} is unknown; there are {', '.join(CATEGORIES)}")
    if n < 1 or views < 1:
        raise ValueError(f"n and views must be at least 1, got {n} and {views}")
    check_rng(rng)
    parameters = parameters or document_parameters(feature)
    y = rng.permutation(np.arange(n) % len(CATEGORIES[feature]))
    hole, turn = np.zeros((2, n), int)
    for category, contents in enumerate(CONTENTS[feature]):
        some = y == category
        hole[some], turn[some] = rng.choice(contents, some.sum()).T
    parts = []
    for start in range(0, n, CHUNK):
        some = slice(start, start + CHUNK)
        parts.append(project(draw_slices(hole[some], turn[some], parameters, rng), views, parameters, rng))
    x, angles = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Dataset(x, y, angles)


def document_parameters(feature):
    """Return the document's parameters for a feature: those of holes (table 5), or those of spirals (sec. 4.3)."""
    return HOLES if feature == "hole" else SPIRALS
