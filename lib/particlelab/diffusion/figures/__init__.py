"""Figures of single molecules that diffuse: movies, tracks, mean squared displacements, estimates and their errors.

Each function returns a plotly figure with units on its axes. A method has the same colour everywhere.
"""

from particlelab.diffusion.figures.answers import answers, errors_by_cue, estimates_of_one, label
from particlelab.diffusion.figures.errors import (
    biases,
    coverages,
    errors,
    errors_by,
    estimates_against_true,
    localisation_errors,
)
from particlelab.diffusion.figures.molecules import histogram, molecules
from particlelab.diffusion.figures.movies import filmstrip, movie, tracks
from particlelab.diffusion.figures.msd import msd
from particlelab.diffusion.figures.training import training_history

__all__ = [
    "answers",
    "biases",
    "coverages",
    "errors",
    "errors_by",
    "errors_by_cue",
    "estimates_against_true",
    "estimates_of_one",
    "filmstrip",
    "histogram",
    "label",
    "localisation_errors",
    "molecules",
    "movie",
    "msd",
    "tracks",
    "training_history",
]
