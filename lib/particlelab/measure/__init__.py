"""Measures that every domain shares: sizes, shapes of masks, segmentation scores, distances between samples."""

from particlelab.measure.distances import frechet_distance, kernel_distance
from particlelab.measure.distributions import (
    LogNormal,
    bootstrap_interval,
    fit_lognormal,
    geometric_moments,
    hatch_choate,
    js_divergence,
    log_density,
    moment_mean,
)
from particlelab.measure.segmentation import confusion, intersection_over_union
from particlelab.measure.shapes import box_dimension, feret_diameter, feret_diameters, perimeter

__all__ = [
    "LogNormal",
    "bootstrap_interval",
    "box_dimension",
    "confusion",
    "feret_diameter",
    "feret_diameters",
    "fit_lognormal",
    "frechet_distance",
    "geometric_moments",
    "hatch_choate",
    "intersection_over_union",
    "js_divergence",
    "kernel_distance",
    "log_density",
    "moment_mean",
    "perimeter",
]
