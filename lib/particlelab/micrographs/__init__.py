"""Micrographs: synthesise particle images, find particles in real ones, and measure their sizes."""

from particlelab.measure import feret_diameters as feret
from particlelab.micrographs.anonymity import anonymise, area_before, draw_factor, draw_warp, warp, warp_points
from particlelab.micrographs.anonymity_attack import read_back
from particlelab.micrographs.anonymity_studies import (
    Anonymised,
    AnonymityStudy,
    AnonymityTrial,
    Hidden,
    measure_attack,
    measure_hidden,
    measure_ruler,
    read_labelled,
    try_anonymity,
)
from particlelab.micrographs.anonymity_training import (
    anonymise_pictures,
    judge_anonymised,
    load_anonymised,
    save_anonymised,
    train_anonymised,
)
from particlelab.micrographs.bodies import Body, Mesh, draw_bodies
from particlelab.micrographs.camera import take
from particlelab.micrographs.classical import find_by_hough, find_by_watershed
from particlelab.micrographs.coco import as_coco, read_coco
from particlelab.micrographs.cycles import BlenderError
from particlelab.micrographs.dataset import Dataset, Sample, read_dataset, write_dataset
from particlelab.micrographs.detection_studies import (
    CRITERION_NAMES,
    LITERATURE,
    METHOD_NAMES,
    DetectionStudy,
    DetectionTrial,
    Tried,
    compare_on_coins,
    judge_methods,
    mean_and_deviation,
    methods_of,
    sum_up,
    table_of,
    training_of,
    try_recipe,
)
from particlelab.micrographs.detector import (
    Detector,
    Found,
    detect,
    load_detector,
)
from particlelab.micrographs.detector_training import (
    CentreTraining,
    MaskRCNNTraining,
    train_detector,
)
from particlelab.micrographs.differentiable import DIFFERENTIABLE, Geometry, Renderer, fix_geometry
from particlelab.micrographs.evaluation import (
    AveragePrecision,
    average_precision,
    match_detections,
    rate_matches,
)
from particlelab.micrographs.feature_training import FeatureTraining, train_features
from particlelab.micrographs.features import NETWORKS, Features, choose_features, load_features, weights_here
from particlelab.micrographs.fitter import Fitter, load_fitter
from particlelab.micrographs.fitting import Fit, Fitting, fit_image
from particlelab.micrographs.fitting_studies import (
    FittingStudy,
    FittingTrial,
    draw_target,
    measure_geometry,
    measure_hybrid,
    measure_recognition,
    measure_refinement,
    read_target,
    summarise_errors,
    summarise_recognition,
    try_fitting,
)
from particlelab.micrographs.fitting_training import FitterTraining, draw_textures, train_fitter
from particlelab.micrographs.geometry_fitting import GeometryFit, GeometryFitting, fit_geometry, match_instances
from particlelab.micrographs.hybrid import Hybrid, HybridSynthesis, synthesise_like
from particlelab.micrographs.judging import coins, judge_coins, judge_recipes
from particlelab.micrographs.labels import SizeDistribution, as_png, size_distribution, true_diameters, write_labels
from particlelab.micrographs.measurement import (
    MEASUREMENT_GROUPS,
    Examination,
    Measurement,
    examine,
    find_particles,
    measure,
    measure_file,
)
from particlelab.micrographs.meshes import as_stl
from particlelab.micrographs.mitsuba_engine import MitsubaError
from particlelab.micrographs.one_micrograph import (
    Looked,
    OneMicrograph,
    RecipeStudy,
    fit_truth,
    look,
    one_micrograph,
)
from particlelab.micrographs.picture_sets import cut_tiles, draw_set
from particlelab.micrographs.realism import (
    TRAINING_SETS,
    describe_sets,
    draw_training_set,
    real_recipe,
    training_recipe,
)
from particlelab.micrographs.recipe import (
    Camera,
    Placement,
    Population,
    Recipe,
    Technique,
    load_recipe,
    read_recipe,
    read_recipe_file,
    recipes,
)
from particlelab.micrographs.scene import Particle, Scene, build_scene
from particlelab.micrographs.shipping import (
    publish,
    ship_detector,
)
from particlelab.micrographs.similarity import METRICS, Similarity, chance_similarities, similarities, similarity
from particlelab.micrographs.similarity_studies import (
    QUALITIES,
    SimilarityFindings,
    SimilarityStudy,
    study_similarity,
)
from particlelab.micrographs.sizes import border_weights
from particlelab.micrographs.surfaces import Patch, Surfaces, trace
from particlelab.micrographs.synthesis import ENGINES, Micrograph, synthesise
from particlelab.micrographs.techniques import expose
from particlelab.micrographs.texture import describe_texture, texture_difference
from particlelab.micrographs.training_pictures import (
    Pictures,
    draw_pictures,
)
from particlelab.micrographs.turning import Knob, draw_values, knobs, rescale, turn
from particlelab.micrographs.two_sets import TWO_SETS_GROUPS, ComparedSets, TwoSets, compare_two, tell_compared
from particlelab.micrographs.variants import draw_recipe

__all__ = [
    "CRITERION_NAMES",
    "DIFFERENTIABLE",
    "ENGINES",
    "LITERATURE",
    "MEASUREMENT_GROUPS",
    "METHOD_NAMES",
    "METRICS",
    "NETWORKS",
    "QUALITIES",
    "TRAINING_SETS",
    "TWO_SETS_GROUPS",
    "Anonymised",
    "AnonymityStudy",
    "AnonymityTrial",
    "AveragePrecision",
    "BlenderError",
    "Body",
    "Camera",
    "CentreTraining",
    "ComparedSets",
    "Dataset",
    "DetectionStudy",
    "DetectionTrial",
    "Detector",
    "Examination",
    "FeatureTraining",
    "Features",
    "Fit",
    "Fitter",
    "FitterTraining",
    "Fitting",
    "FittingStudy",
    "FittingTrial",
    "Found",
    "Geometry",
    "GeometryFit",
    "GeometryFitting",
    "Hidden",
    "Hybrid",
    "HybridSynthesis",
    "Knob",
    "Looked",
    "MaskRCNNTraining",
    "Measurement",
    "Mesh",
    "Micrograph",
    "MitsubaError",
    "OneMicrograph",
    "Particle",
    "Patch",
    "Pictures",
    "Placement",
    "Population",
    "Recipe",
    "RecipeStudy",
    "Renderer",
    "Sample",
    "Scene",
    "Similarity",
    "SimilarityFindings",
    "SimilarityStudy",
    "SizeDistribution",
    "Surfaces",
    "Technique",
    "Tried",
    "TwoSets",
    "anonymise",
    "anonymise_pictures",
    "area_before",
    "as_coco",
    "as_png",
    "as_stl",
    "average_precision",
    "border_weights",
    "build_scene",
    "chance_similarities",
    "choose_features",
    "coins",
    "compare_on_coins",
    "compare_two",
    "cut_tiles",
    "describe_sets",
    "describe_texture",
    "detect",
    "draw_bodies",
    "draw_factor",
    "draw_pictures",
    "draw_recipe",
    "draw_set",
    "draw_target",
    "draw_textures",
    "draw_training_set",
    "draw_values",
    "draw_warp",
    "examine",
    "expose",
    "feret",
    "find_by_hough",
    "find_by_watershed",
    "find_particles",
    "fit_geometry",
    "fit_image",
    "fit_truth",
    "fix_geometry",
    "judge_anonymised",
    "judge_coins",
    "judge_methods",
    "judge_recipes",
    "knobs",
    "load_anonymised",
    "load_detector",
    "load_features",
    "load_fitter",
    "load_recipe",
    "look",
    "match_detections",
    "match_instances",
    "mean_and_deviation",
    "measure",
    "measure_attack",
    "measure_file",
    "measure_geometry",
    "measure_hidden",
    "measure_hybrid",
    "measure_recognition",
    "measure_refinement",
    "measure_ruler",
    "methods_of",
    "one_micrograph",
    "publish",
    "rate_matches",
    "read_back",
    "read_coco",
    "read_dataset",
    "read_labelled",
    "read_recipe",
    "read_recipe_file",
    "read_target",
    "real_recipe",
    "recipes",
    "rescale",
    "save_anonymised",
    "ship_detector",
    "similarities",
    "similarity",
    "size_distribution",
    "study_similarity",
    "sum_up",
    "summarise_errors",
    "summarise_recognition",
    "synthesise",
    "synthesise_like",
    "table_of",
    "take",
    "tell_compared",
    "texture_difference",
    "trace",
    "train_anonymised",
    "train_detector",
    "train_features",
    "train_fitter",
    "training_of",
    "training_recipe",
    "true_diameters",
    "try_anonymity",
    "try_fitting",
    "try_recipe",
    "turn",
    "warp",
    "warp_points",
    "weights_here",
    "write_dataset",
    "write_labels",
]
