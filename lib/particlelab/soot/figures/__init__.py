"""Figures of soot: micrographs with what was found in them, distributions, comparisons, power laws, 3-D aggregates.

Each function returns a plotly figure with units on its axes. A method has the same colour everywhere.
"""

from particlelab.soot.figures.aggregates import aggregate_3d, fractal_law
from particlelab.soot.figures.look import COLOURS, MEANINGS, NAMES
from particlelab.soot.figures.pictures import Panel, classifier_strip, micrograph, panels, rolling_ball_panels
from particlelab.soot.figures.sizes import classifier_ratios, power_laws, ratios, size_distributions, sizer_ratios
from particlelab.soot.figures.training import crops, learning_rates, training_history
from particlelab.soot.figures.truth import calibration_bias, difficulty, recovery

__all__ = [
    "COLOURS",
    "MEANINGS",
    "NAMES",
    "Panel",
    "aggregate_3d",
    "calibration_bias",
    "classifier_ratios",
    "classifier_strip",
    "crops",
    "difficulty",
    "fractal_law",
    "learning_rates",
    "micrograph",
    "panels",
    "power_laws",
    "ratios",
    "recovery",
    "rolling_ball_panels",
    "size_distributions",
    "sizer_ratios",
    "training_history",
]
