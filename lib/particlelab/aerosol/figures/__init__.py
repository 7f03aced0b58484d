"""Figures of aerosol clouds: arrays and tables in, plotly figures out."""

from particlelab.aerosol.figures.clouds import film
from particlelab.aerosol.figures.comparison import ranks, scores, trials, weights
from particlelab.aerosol.figures.dynamics import (
    average_trajectories,
    drift_and_diffusivity,
    forecast,
    losses,
    losses_by_size,
    residuals,
    surfaces,
    trajectories,
)
from particlelab.aerosol.figures.growth import final_sizes, growth, histogram
from particlelab.aerosol.figures.inverse import coverages, errors_by_frames, estimates, likelihoods, posteriors
from particlelab.aerosol.figures.measurement import measured_playing, measured_sizes
from particlelab.aerosol.figures.segmentation import (
    both_outlines,
    found_film,
    found_playing,
    scores_by_size,
    size_curves,
    sizes_found,
    training_history,
)
from particlelab.drawing.pictures import pictures, playing

__all__ = [
    "average_trajectories",
    "both_outlines",
    "coverages",
    "drift_and_diffusivity",
    "errors_by_frames",
    "estimates",
    "film",
    "final_sizes",
    "forecast",
    "found_film",
    "found_playing",
    "growth",
    "histogram",
    "likelihoods",
    "losses",
    "losses_by_size",
    "measured_playing",
    "measured_sizes",
    "pictures",
    "playing",
    "posteriors",
    "ranks",
    "residuals",
    "scores",
    "scores_by_size",
    "size_curves",
    "sizes_found",
    "surfaces",
    "training_history",
    "trajectories",
    "trials",
    "weights",
]
