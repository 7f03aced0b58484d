"""Holes and spirals in nanoparticles, told from projections in a scanning transmission electron microscope.

After W. Sullivan, "Validating the use of Neural Networks in the Categorisation of STEM images of Nanoparticles" (2020).
"""

from particlelab.stem.bayes import BayesAccuracy, bayes_accuracy, posterior
from particlelab.stem.calibration import (
    count_confusion,
    expected_calibration_error,
    fit_temperature,
    reliability,
    temper,
)
from particlelab.stem.dataset import CATEGORIES, HOLES, SPIRALS, Dataset, Particles, document_parameters, make_dataset
from particlelab.stem.experiments import EXPERIMENTS, Experiment, Outcome, Sizes, carry_out, measure_accuracy, unpair
from particlelab.stem.networks import LARGE, Network, build_network
from particlelab.stem.one_particle import OneParticle, look_around
from particlelab.stem.projection import Layer, Projection, chords, project, thickness, view_angles
from particlelab.stem.shapes import Shape, compensate_mass, draw_slices
from particlelab.stem.shares import estimate_shares
from particlelab.stem.training import Training, train

__all__ = [
    "CATEGORIES",
    "EXPERIMENTS",
    "HOLES",
    "LARGE",
    "SPIRALS",
    "BayesAccuracy",
    "Dataset",
    "Experiment",
    "Layer",
    "Network",
    "OneParticle",
    "Outcome",
    "Particles",
    "Projection",
    "Shape",
    "Sizes",
    "Training",
    "bayes_accuracy",
    "build_network",
    "carry_out",
    "chords",
    "compensate_mass",
    "count_confusion",
    "document_parameters",
    "draw_slices",
    "estimate_shares",
    "expected_calibration_error",
    "fit_temperature",
    "look_around",
    "make_dataset",
    "measure_accuracy",
    "posterior",
    "project",
    "reliability",
    "temper",
    "thickness",
    "train",
    "unpair",
    "view_angles",
]
