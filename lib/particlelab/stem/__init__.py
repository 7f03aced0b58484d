"""Holes and spirals in nanoparticles, told from projections in a scanning transmission electron microscope.

After W. Sullivan, "Validating the use of Neural Networks in the Categorisation of STEM images of Nanoparticles" (2020).
"""

from particlelab.stem.bayes import BayesAccuracy, bayes_accuracy, posterior, regret
from particlelab.stem.calibration import (
    count_confusion,
    expected_calibration_error,
    fit_temperature,
    reliability,
    temper,
)
from particlelab.stem.classifier import Classifier, by_category, load_classifier
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
from particlelab.stem.gains import (
    add_interval,
    average_gains,
    compare,
    compare_repeats,
    gain_of_both_views,
    summarise,
)
from particlelab.stem.inspection import Inspected, Inspection, inspect, occlusion
from particlelab.stem.limits import Posterior, best_possible, check_posterior, find_posterior
from particlelab.stem.measurement import (
    MEASURED_ENDINGS,
    MEASUREMENT_GROUPS,
    Measurement,
    classify,
    measure,
    measure_file,
    record,
    tell,
)
from particlelab.stem.networks import LARGE, Network, build_network, load_network, predict, symmetries, symmetrise
from particlelab.stem.one_particle import OneParticle, Survey, look_around
from particlelab.stem.outcomes import conduct, conduct_all, judge_shipped, slug
from particlelab.stem.picking import Picking, find_particles, take_projections
from particlelab.stem.populations import simulate_populations
from particlelab.stem.projection import Layer, Projection, chords, project, thickness, view_angles
from particlelab.stem.projection_files import read_projections
from particlelab.stem.resampling import find_edges, resample
from particlelab.stem.shapes import Shape, compensate_mass, draw_slices
from particlelab.stem.shares import estimate_shares
from particlelab.stem.shipping import ship
from particlelab.stem.studies import BY_VIEWS, ChiralityStudy, DualStudy, HoleStudy, Study
from particlelab.stem.training import TASKS, Training, train

__all__ = [
    "BY_VIEWS",
    "CATEGORIES",
    "EXPERIMENTS",
    "HOLES",
    "LARGE",
    "MEASURED_ENDINGS",
    "MEASUREMENT_GROUPS",
    "SPIRALS",
    "TASKS",
    "BayesAccuracy",
    "ChiralityStudy",
    "Classifier",
    "Dataset",
    "DualStudy",
    "Experiment",
    "HoleStudy",
    "Inspected",
    "Inspection",
    "Layer",
    "Measurement",
    "Network",
    "OneParticle",
    "Outcome",
    "Particles",
    "Picking",
    "Posterior",
    "Projection",
    "Shape",
    "Sizes",
    "Study",
    "Survey",
    "Training",
    "add_interval",
    "average_gains",
    "bayes_accuracy",
    "best_possible",
    "build_network",
    "by_category",
    "carry_out",
    "check_posterior",
    "chords",
    "classify",
    "compare",
    "compare_repeats",
    "compensate_mass",
    "conduct",
    "conduct_all",
    "count_confusion",
    "document_parameters",
    "draw",
    "draw_slices",
    "each_view_alone",
    "estimate_shares",
    "expected_calibration_error",
    "find_edges",
    "find_particles",
    "find_posterior",
    "fit_temperature",
    "gain_of_both_views",
    "inspect",
    "judge",
    "judge_shipped",
    "load_classifier",
    "load_network",
    "look_around",
    "make_dataset",
    "measure",
    "measure_file",
    "occlusion",
    "posterior",
    "predict",
    "project",
    "read_projections",
    "record",
    "regret",
    "reliability",
    "resample",
    "ship",
    "simulate_populations",
    "slug",
    "summarise",
    "symmetries",
    "symmetrise",
    "take_projections",
    "tell",
    "temper",
    "thickness",
    "train",
    "unpair",
    "view_angles",
]
