"""One molecule, from its path to what is said of its diffusion."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.diffusion.estimators import METHODS, estimate, mean_squared_displacement
from particlelab.diffusion.imaging import Imaging, place_paths, psf_width_nm, render
from particlelab.diffusion.localisation import localisation_bound, localise
from particlelab.diffusion.motion import blur_coefficient
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator


class OneMovie(Imaging):
    """A molecule, and how it is looked at; within what a page can show."""

    diffusion_um2_s: float = parameter(2.0, "How fast the molecule diffuses", unit="um^2/s", low=0.01, high=100)
    frames: int = parameter(16, "Frames of the movie", low=3, high=64)
    exposure_s: float = parameter(0.01, "How long light is collected in a frame", unit="s", low=0.001, high=0.1)
    interval_s: float = parameter(
        0.01, "From the beginning of one frame to that of the next", unit="s", low=0.001, high=0.1
    )
    substeps: int = parameter(10, "Positions of the molecule in an exposure", low=1, high=50)
    size: int = parameter(64, "Pixels along a side of the field of view", low=16, high=128)
    photons: float = parameter(500.0, "Photons of the molecule detected in a frame", low=10, high=100_000)
    background: float = parameter(1.0, "Photons of the background in a pixel and frame", low=0, high=100)
    psf_sigma_nm: float = parameter(
        130.0, "Standard deviation of the Gaussian point-spread function", unit="nm", low=50, high=500
    )
    read_noise: float = parameter(0.0, "Standard deviation of the read noise", unit="photons", low=0, high=20)
    seed: int = parameter(0, "Another number is another molecule", low=0, high=999)


class Survey(Parameters):
    """How much chance is averaged over."""

    paths: int = parameter(4000, "Paths, for averages", low=100, high=1_000_000)
    movies: int = parameter(100, "Movies at each condition, for errors", low=10, high=100_000)
    diffusion_um2_s: float = parameter(
        1.0, "Diffusion coefficient, where one is enough", unit="um^2/s", low=0.01, high=100
    )
    seed: int = parameter(0, "Seed of paths and noise", low=0)


class Watched(NamedTuple):
    """What `watch` found; mean squared displacements in um^2 at ``lags_s``."""

    frames: np.ndarray  # (T, H, W) counts
    positions_nm: np.ndarray  # (T, S, 2)
    localised_nm: np.ndarray  # (T, 2); NaN where nothing stands out
    lags_s: np.ndarray
    curves: dict  # measured
    lines: dict  # expected
    estimates: pd.DataFrame  # method, diffusion_um2_s, standard_error_um2_s
    sigma_nm: float  # least error of a coordinate that the light allows


def watch(parameters):
    """Let a molecule move, take its movie, localise it and estimate D.

    Its path and its noise are drawn apart: the same seed is the same molecule, whatever it is looked at with.

    Parameters
    ----------
    parameters : OneMovie

    Returns
    -------
    Watched
    """
    p = parameters
    path = place_paths([p.diffusion_um2_s], p, generator(p.seed, "path"))
    movie = render(path, p, generator(p.seed, "camera"))
    seen = localise(movie, p)
    width_nm = np.sqrt(psf_width_nm(p) ** 2 + 1e6 * p.diffusion_um2_s * p.exposure_s / 3)
    sigma_nm = localisation_bound(p, width_nm)
    lags, true = mean_squared_displacement(path[0, :, p.substeps // 2])
    lags_s = lags * p.interval_s
    rows = []
    for method in METHODS:
        found = estimate(seen.positions_nm, p.interval_s, method, seen.sigma_nm, blur_coefficient(p))
        rows.append((method, found.diffusion_um2_s[0], found.standard_error[0]))
    return Watched(
        movie[0],
        path[0],
        seen.positions_nm[0],
        lags_s,
        {"true path": true, "localised": mean_squared_displacement(seen.positions_nm[0])[1]},
        {"true path": 4 * p.diffusion_um2_s * lags_s, "localised": seen_msd(p.diffusion_um2_s, lags_s, p, sigma_nm)},
        pd.DataFrame(rows, columns=["method", "diffusion_um2_s", "standard_error_um2_s"]),
        sigma_nm,
    )


def seen_msd(diffusion_um2_s, lags_s, motion, sigma_nm=0.0):
    """Return the mean squared displacement that is expected of positions that are blurred and uncertain, in um^2.

    4 D (t - e / 3) + 4 s^2 at a lag t, with the exposure e and the error s of a coordinate (Berglund 2010).

    Parameters
    ----------
    diffusion_um2_s : float
    lags_s : (L,) array
    motion : Motion
    sigma_nm : float

    Returns
    -------
    (L,) ndarray
    """
    return 4 * diffusion_um2_s * (np.asarray(lags_s) - motion.exposure_s / 3) + 4 * (1e-3 * sigma_nm) ** 2
