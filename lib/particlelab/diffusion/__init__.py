"""Single-molecule diffusion: D from movies of blurred, moving molecules.

After E. Silly, M. S. Krause and A. Azar-Pey, "Building a deep learning model to track molecules diffusion coefficient"
(EPFL), whose experiment is repaired where it mixed scales, and carried on.
"""

from particlelab.diffusion.bounds import crlb
from particlelab.diffusion.estimators import Estimate, estimate
from particlelab.diffusion.imaging import Imaging, Sequences, expected_images, place_paths, render, simulate
from particlelab.diffusion.motion import Motion, blur_coefficient, draw_paths, reflect

__all__ = [
    "Estimate",
    "Imaging",
    "Motion",
    "Sequences",
    "blur_coefficient",
    "crlb",
    "draw_paths",
    "estimate",
    "expected_images",
    "place_paths",
    "reflect",
    "render",
    "simulate",
]
