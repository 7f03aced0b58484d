"""Measures that every domain shares: size distributions, shapes of masks and segmentation scores."""

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
from particlelab.measure.shapes import box_dimension, feret_diameter, perimeter

__all__ = [
    "LogNormal",
    "bootstrap_interval",
    "box_dimension",
    "confusion",
    "feret_diameter",
    "fit_lognormal",
    "geometric_moments",
    "hatch_choate",
    "intersection_over_union",
    "js_divergence",
    "log_density",
    "moment_mean",
    "perimeter",
]
