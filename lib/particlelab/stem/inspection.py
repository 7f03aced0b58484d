"""A trained network at work: what it says of simulated particles, and what in their projections it goes by."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.stem.classifier import load_classifier
from particlelab.stem.dataset import CONTENTS
from particlelab.stem.projection import project
from particlelab.stem.shapes import draw_slices

CERTAIN = 1e-6  # a probability is taken for no less, and for no more than 1 less this


class Inspection(Parameters):
    """Which network looks at which particles; particles may differ from those that it learned from."""

    model: str = parameter("two-views-at-best", "A model that ships, or the path of a .keras file")
    particle: int = parameter(1, "Which of the particles is shown", low=1, high=12)
    feature_size: float = parameter(1.0, "Size of holes and spirals, relative to the learned one", above=0, high=3)
    roughness: float = parameter(1.0, "Roughness of the surface, relative to the learned one", low=0, high=5)
    noise: float = parameter(1.0, "Noise of the detector, relative to the learned one", low=0, high=30)
    particles: int = parameter(12, "Particles to draw", low=1, high=12)
    seed: int = parameter(0, "Another number draws other particles", low=0, high=999)


class Inspected(NamedTuple):
    """What a network says of particles."""

    layers: list  # of the particle that is shown
    rays: np.ndarray  # (points,)
    projections: np.ndarray  # (views, points) of it
    angles: np.ndarray  # (views,) degrees
    evidence: np.ndarray  # (views, points) of it, from `occlusion`
    categories: tuple  # names
    probabilities: np.ndarray  # (categories,) of it
    truth: str  # its category
    table: pd.DataFrame  # of all particles: number, true category, the network's, its probability


def inspect(parameters):
    """Draw particles and let a network look at them.

    Parameters
    ----------
    parameters : Inspection

    Returns
    -------
    Inspected
    """
    q, classifier = parameters, load_classifier(parameters.model)
    p = classifier.particles
    sizes = {name: getattr(p, name) * q.feature_size for name in ("h_r", "sig_hr", "s_r", "sig_sr")}
    p = p.replace(sig=p.sig * q.roughness, noise=p.noise * q.noise, **sizes)
    rng = generator(q.seed, "inspection")
    y = rng.integers(len(classifier.categories), size=q.particles)
    hole, turn = np.array([rng.choice(CONTENTS[classifier.feature][category]) for category in y]).T
    seen = []
    for i in range(q.particles):  # one by one: each stays as it is when others are added
        own = generator(q.seed, "inspected", i)
        layers = draw_slices(hole[i : i + 1], turn[i : i + 1], p, own)
        seen.append((layers, *project(layers, classifier.views, p, own)))
    x = np.concatenate([projections for _, projections, _ in seen])
    told = classifier.probabilities(x)
    names = np.array(classifier.categories)
    table = pd.DataFrame(
        {
            "particle": np.arange(1, q.particles + 1),
            "true category": names[y],
            "network": names[told.argmax(axis=1)],
            "probability": told.max(axis=1),
        }
    )
    shown = min(q.particle, q.particles) - 1
    layers, _, angles = seen[shown]
    rays = np.linspace(p.lower, p.upper, p.data_points)
    evidence = occlusion(classifier.probabilities, x[shown])
    return Inspected(
        layers, rays, x[shown], angles[0], evidence, classifier.categories, told[shown], names[y[shown]], table
    )


def occlusion(probabilities, x, width=None):
    """Measure how much the network's decision rests on each stretch of a particle's projections.

    Each stretch in turn is replaced by the straight line between its ends.

    Parameters
    ----------
    probabilities : callable
        From (n, views, points) to (n, categories).
    x : (views, points) array
    width : int, optional
        Points of a stretch, odd; by default about a sixth of an average particle's diameter: a ninth of the points.

    Returns
    -------
    (views, points) ndarray
        By how much the logarithm of the odds of the network's category falls when the stretch about a point is
        replaced: positive where the projection speaks for the category, negative where it speaks against.
    """
    views, points = x.shape
    half = (width or points // 9) // 2
    hidden = np.tile(x, (views * points + 1, 1, 1))
    for view in range(views):
        for point in range(points):
            low, high = max(point - half - 1, 0), min(point + half + 1, points - 1)
            bridge = np.linspace(x[view, low], x[view, high], high - low + 1)
            hidden[1 + view * points + point, view, low : high + 1] = bridge
    told = np.clip(probabilities(hidden), CERTAIN, 1 - CERTAIN)
    category = told[0].argmax()
    odds = np.log(told[:, category] / (1 - told[:, category]))
    return (odds[0] - odds[1:]).reshape(views, points)
