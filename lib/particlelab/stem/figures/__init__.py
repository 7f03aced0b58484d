"""Figures of slices through particles, of their projections and of what networks learn of them.

Each function returns a plotly figure. Lengths are in units of a particle's average radius.
"""

from particlelab.stem.figures.learning import (
    accuracies,
    accuracy_by_views,
    dual_history,
    gains,
    histogram,
    training_history,
)
from particlelab.stem.figures.particles import classified, curves, gallery, inspected, particle
from particlelab.stem.figures.trust import reliability, shares

__all__ = [
    "accuracies",
    "accuracy_by_views",
    "classified",
    "curves",
    "dual_history",
    "gains",
    "gallery",
    "histogram",
    "inspected",
    "particle",
    "reliability",
    "shares",
    "training_history",
]
