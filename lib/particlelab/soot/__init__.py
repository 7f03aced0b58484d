"""Soot aggregates and their primary particles in TEM images, after Sipkens et al."""

from particlelab.soot.aggregates import analyse_aggregates
from particlelab.soot.calibration import Calibration, Recovery, calibrate, fit_corrections, score_calibration
from particlelab.soot.collection import Sample, collect, read_folder, read_micrograph, simulate_collection
from particlelab.soot.comparison import Comparison, Survey, compare, summarise_classifiers, summarise_primaries
from particlelab.soot.corrections import correct
from particlelab.soot.document import beside_table_3, beside_tables_4_and_5
from particlelab.soot.erosion import edm_sbs_image
from particlelab.soot.footers import crop_footer, find_footer
from particlelab.soot.growth import Aggregate, fractal_law, radius_of_gyration, simulate_aggregate
from particlelab.soot.masks import SegmentationFailure, check_segmentation, rolling_ball
from particlelab.soot.matching import match_aggregates
from particlelab.soot.measurement import (
    MEASUREMENT_GROUPS,
    Measurement,
    examine,
    fit_each,
    measure,
    measurement_of,
    summarise,
)
from particlelab.soot.micrographs import Micrograph, Scene, SimulatedMicrograph, draw_scene, render, simulate_micrograph
from particlelab.soot.powerlaw import UNIVERSAL_RELATION, fit_power_law
from particlelab.soot.primaries import locate_primaries, size_primaries
from particlelab.soot.projection import project
from particlelab.soot.published import beside_published
from particlelab.soot.segmentation import segment

__all__ = [
    "MEASUREMENT_GROUPS",
    "UNIVERSAL_RELATION",
    "Aggregate",
    "Calibration",
    "Comparison",
    "Measurement",
    "Micrograph",
    "Recovery",
    "Sample",
    "Scene",
    "SegmentationFailure",
    "SimulatedMicrograph",
    "Survey",
    "analyse_aggregates",
    "beside_published",
    "beside_table_3",
    "beside_tables_4_and_5",
    "calibrate",
    "check_segmentation",
    "collect",
    "compare",
    "correct",
    "crop_footer",
    "draw_scene",
    "edm_sbs_image",
    "examine",
    "find_footer",
    "fit_corrections",
    "fit_each",
    "fit_power_law",
    "fractal_law",
    "locate_primaries",
    "match_aggregates",
    "measure",
    "measurement_of",
    "project",
    "radius_of_gyration",
    "read_folder",
    "read_micrograph",
    "render",
    "rolling_ball",
    "score_calibration",
    "segment",
    "simulate_aggregate",
    "simulate_collection",
    "simulate_micrograph",
    "size_primaries",
    "summarise",
    "summarise_classifiers",
    "summarise_primaries",
]
