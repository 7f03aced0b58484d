"""From sedimentation coefficients to particle sizes, by Stokes; from weights by extinction to those by volume."""

import numpy as np

from particlelab.sedimentation.dispersions import SVEDBERG_S, extinction_per_mm


def stokes_diameter_nm(s_svedberg, density_g_cm3, medium):
    """Return the diameter of the sphere that has a sedimentation coefficient: the reverse of `dispersions.svedberg`.

    Parameters
    ----------
    s_svedberg : array_like
        S.
    density_g_cm3 : float
        Of the particles.
    medium : Medium

    Returns
    -------
    ndarray
        nm; NaN where particles of this density move the other way, or do not move.
    """
    s = np.asarray(s_svedberg, float) * SVEDBERG_S
    gap = 1e3 * (density_g_cm3 - medium.density_g_cm3)
    square = 18e-3 * medium.viscosity_mpa_s * s / gap if gap else np.full(s.shape, np.nan)
    return 1e9 * np.sqrt(np.where(square > 0, square, np.nan))


def volume_weights(weights, diameters_nm, refractive_index, medium, wavelength_nm):
    """Turn weights by extinction into weights by volume: what a size takes of the light, over what its volume takes.

    Parameters
    ----------
    weights : (..., n) array_like
        Absorbance of each size.
    diameters_nm : (n,) array_like
    refractive_index : float
        Of the particles.
    medium : Medium
    wavelength_nm : float
        In vacuum.

    Returns
    -------
    (..., n) ndarray
        In proportion to the volume fraction of each size.
    """
    taken = extinction_per_mm(diameters_nm, refractive_index, medium, wavelength_nm)
    return np.asarray(weights, float) / taken
