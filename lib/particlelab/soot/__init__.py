"""Soot aggregates and their primary particles in TEM images, after Sipkens et al."""

from particlelab.soot.aggregates import analyse_aggregates
from particlelab.soot.by_hand import (
    Adjustment,
    ByHand,
    Painting,
    select_around,
    select_by,
    simulate_by_hand,
    strokes_within,
    turn_slider,
)
from particlelab.soot.calibration import Calibration, Recovery, calibrate, fit_corrections, score_calibration
from particlelab.soot.cnn import CNN, load_segmenter
from particlelab.soot.cnn_training import (
    DOCUMENT_TRAINING,
    SegmenterTraining,
    draw_crops,
    learning_rates,
    train_segmenter,
)
from particlelab.soot.collection import Sample, collect, read_folder, read_micrograph, simulate_collection
from particlelab.soot.comparison import (
    Comparison,
    Survey,
    calibrate_sizes,
    compare,
    summarise_classifiers,
    summarise_primaries,
    summarise_sizers,
)
from particlelab.soot.corrections import correct
from particlelab.soot.difficulty import HardImage, score_hard_images, simulate_hard_image
from particlelab.soot.document import beside_averages, beside_spread, beside_table_3, beside_tables_4_and_5
from particlelab.soot.erosion import edm_sbs_image
from particlelab.soot.footers import crop_footer, find_footer
from particlelab.soot.fractal import fractal_parameters, measure_depths
from particlelab.soot.growth import Aggregate, fractal_law, radius_of_gyration, simulate_aggregate
from particlelab.soot.held_out import CrossComparison, HeldOut, SegmenterStudy
from particlelab.soot.mask_files import mask_as_png, read_selections, save_mask, selections_as_json
from particlelab.soot.masks import SegmentationFailure, check_segmentation, rolling_ball
from particlelab.soot.matching import match_aggregates
from particlelab.soot.measurement import (
    MEASUREMENT_GROUPS,
    Measurement,
    examine,
    fit_each,
    measure,
    measure_file,
    measurement_of,
)
from particlelab.soot.micrographs import Micrograph, Scene, SimulatedMicrograph, draw_scene, render, simulate_micrograph
from particlelab.soot.network import load_sizer
from particlelab.soot.network_training import SizerTraining, train_sizer
from particlelab.soot.powerlaw import UNIVERSAL_RELATION, fit_power_law
from particlelab.soot.primaries import locate_primaries, size_primaries
from particlelab.soot.projection import project
from particlelab.soot.published import beside_published
from particlelab.soot.quantities import quantities
from particlelab.soot.segmentation import segment
from particlelab.soot.slider import Selection, apply_selections, select_region, suggest_threshold
from particlelab.soot.uncertainty import method_spread, summarise
from particlelab.soot.variants import Variants
from particlelab.soot.weka import PixelTraining, load_pixel_classifier, train_pixel_classifier

__all__ = [
    "CNN",
    "DOCUMENT_TRAINING",
    "MEASUREMENT_GROUPS",
    "UNIVERSAL_RELATION",
    "Adjustment",
    "Aggregate",
    "ByHand",
    "Calibration",
    "Comparison",
    "CrossComparison",
    "HardImage",
    "HeldOut",
    "Measurement",
    "Micrograph",
    "Painting",
    "PixelTraining",
    "Recovery",
    "Sample",
    "Scene",
    "SegmentationFailure",
    "SegmenterStudy",
    "SegmenterTraining",
    "Selection",
    "SimulatedMicrograph",
    "SizerTraining",
    "Survey",
    "Variants",
    "analyse_aggregates",
    "apply_selections",
    "beside_averages",
    "beside_published",
    "beside_spread",
    "beside_table_3",
    "beside_tables_4_and_5",
    "calibrate",
    "calibrate_sizes",
    "check_segmentation",
    "collect",
    "compare",
    "correct",
    "crop_footer",
    "draw_crops",
    "draw_scene",
    "edm_sbs_image",
    "examine",
    "find_footer",
    "fit_corrections",
    "fit_each",
    "fit_power_law",
    "fractal_law",
    "fractal_parameters",
    "learning_rates",
    "load_pixel_classifier",
    "load_segmenter",
    "load_sizer",
    "locate_primaries",
    "mask_as_png",
    "match_aggregates",
    "measure",
    "measure_depths",
    "measure_file",
    "measurement_of",
    "method_spread",
    "project",
    "quantities",
    "radius_of_gyration",
    "read_folder",
    "read_micrograph",
    "read_selections",
    "render",
    "rolling_ball",
    "save_mask",
    "score_calibration",
    "score_hard_images",
    "segment",
    "select_around",
    "select_by",
    "select_region",
    "selections_as_json",
    "simulate_aggregate",
    "simulate_by_hand",
    "simulate_collection",
    "simulate_hard_image",
    "simulate_micrograph",
    "size_primaries",
    "strokes_within",
    "suggest_threshold",
    "summarise",
    "summarise_classifiers",
    "summarise_primaries",
    "summarise_sizers",
    "train_pixel_classifier",
    "train_segmenter",
    "train_sizer",
    "turn_slider",
]
