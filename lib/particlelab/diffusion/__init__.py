"""Single-molecule diffusion: D from movies of blurred, moving molecules.

After E. Silly, M. S. Krause and A. Azar-Pey, "Building a deep learning model to track molecules diffusion coefficient"
(EPFL), whose experiment is repaired where it mixed scales, and carried on.
"""

from particlelab.diffusion.bounds import crlb
from particlelab.diffusion.estimators import Estimate, estimate
from particlelab.diffusion.imaging import Imaging, Sequences, expected_images, place_paths, render, simulate
from particlelab.diffusion.localisation import Localisations, localisation_bound, localise
from particlelab.diffusion.model import Model, Prediction, load_model
from particlelab.diffusion.motion import Motion, blur_coefficient, draw_paths, reflect
from particlelab.diffusion.networks import Network
from particlelab.diffusion.scores import Comparison, compare, estimate_from_tracks, summarise
from particlelab.diffusion.tracking import CutOuts, Tracking, cut_out, find_tracks
from particlelab.diffusion.training import Training, train

__all__ = [
    "Comparison",
    "CutOuts",
    "Estimate",
    "Imaging",
    "Localisations",
    "Model",
    "Motion",
    "Network",
    "Prediction",
    "Sequences",
    "Tracking",
    "Training",
    "blur_coefficient",
    "compare",
    "crlb",
    "cut_out",
    "draw_paths",
    "estimate",
    "estimate_from_tracks",
    "expected_images",
    "find_tracks",
    "load_model",
    "localisation_bound",
    "localise",
    "place_paths",
    "reflect",
    "render",
    "simulate",
    "summarise",
    "train",
]
