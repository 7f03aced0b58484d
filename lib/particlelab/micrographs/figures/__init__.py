"""Figures of micrographs, of their particles, and of what is learned from them. Each function returns a plotly one."""

from particlelab.micrographs.figures.anonymity import (
    ANONYMITY_MEASURES,
    anonymity_training_errors,
    attack_errors,
    before_and_after,
    ruler_errors,
    sizes_before_and_after,
)
from particlelab.micrographs.figures.detection import errors, found_beside_truth, found_diameters, found_in
from particlelab.micrographs.figures.measurement import criteria, measured
from particlelab.micrographs.figures.synthesis import gallery, micrograph, panels, true_sizes

__all__ = [
    "ANONYMITY_MEASURES",
    "anonymity_training_errors",
    "attack_errors",
    "before_and_after",
    "criteria",
    "errors",
    "found_beside_truth",
    "found_diameters",
    "found_in",
    "gallery",
    "measured",
    "micrograph",
    "panels",
    "ruler_errors",
    "sizes_before_and_after",
    "true_sizes",
]
