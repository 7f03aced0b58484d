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
from particlelab.stem.classifier import Classifier, load_classifier
from particlelab.stem.dataset import CATEGORIES, HOLES, SPIRALS, Dataset, Particles, document_parameters, make_dataset
from particlelab.stem.experiments import (
    EXPERIMENTS,
    Experiment,
    Outcome,
    Sizes,
    carry_out,
    draw,
    each_view_alone,
    judge,
    unpair,
)
from particlelab.stem.measurement import (
    MEASURED_ENDINGS,
    MEASUREMENT_GROUPS,
    Measurement,
    classify,
    measure,
    measure_file,
    record,
)
from particlelab.stem.networks import LARGE, Network, build_network, predict
from particlelab.stem.one_particle import OneParticle, Survey, look_around
from particlelab.stem.picking import Picking, find_particles, take_projections
from particlelab.stem.projection import Layer, Projection, chords, project, thickness, view_angles
from particlelab.stem.projection_files import read_projections
from particlelab.stem.resampling import find_edges, resample
from particlelab.stem.shapes import Shape, compensate_mass, draw_slices
from particlelab.stem.shares import estimate_shares
from particlelab.stem.training import TASKS, Training, train

__all__ = [
    "CATEGORIES",
    "EXPERIMENTS",
    "HOLES",
    "LARGE",
    "MEASURED_ENDINGS",
    "MEASUREMENT_GROUPS",
    "SPIRALS",
    "TASKS",
    "BayesAccuracy",
    "Classifier",
    "Dataset",
    "Experiment",
    "Layer",
    "Measurement",
    "Network",
    "OneParticle",
    "Outcome",
    "Particles",
    "Picking",
    "Projection",
    "Shape",
    "Sizes",
    "Survey",
    "Training",
    "bayes_accuracy",
    "build_network",
    "carry_out",
    "chords",
    "classify",
    "compensate_mass",
    "count_confusion",
    "document_parameters",
    "draw",
    "draw_slices",
    "each_view_alone",
    "estimate_shares",
    "expected_calibration_error",
    "find_edges",
    "find_particles",
    "fit_temperature",
    "judge",
    "load_classifier",
    "look_around",
    "make_dataset",
    "measure",
    "measure_file",
    "posterior",
    "predict",
    "project",
    "read_projections",
    "record",
    "reliability",
    "resample",
    "take_projections",
    "temper",
    "thickness",
    "train",
    "unpair",
    "view_angles",
]
