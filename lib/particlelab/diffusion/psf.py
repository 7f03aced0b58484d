"""Point-spread functions: what share of a molecule's light falls on a pixel."""

import functools
import math

import numpy as np
from numba import njit
from scipy import special

REACH = 5.0  # standard deviations of a Gaussian beyond which there is no light: 6e-7 of it
STEPS = 16  # points of the table of a point-spread function in a pixel
RING_NM = 2.0  # step of the radial profile


@njit(cache=True, nogil=True)
def integrate_gaussian(at, sigma, out):
    """Integrate a normal density of unit area over the pixels of a row.

    Parameters
    ----------
    at : float
        Its centre; pixel i reaches from i to i + 1.
    sigma : float
        In pixels.
    out : (size,) array
        What each pixel holds is written here; nothing beyond `REACH`.

    Returns
    -------
    first, last : int
        The pixels first to last - 1 hold something.
    """
    first = max(0, math.floor(at - REACH * sigma))
    last = min(len(out), math.floor(at + REACH * sigma) + 1)
    scale = 1 / (sigma * math.sqrt(2.0))
    before = math.erf((first - at) * scale)
    for i in range(first, last):
        after = math.erf((i + 1 - at) * scale)
        out[i] = (after - before) / 2
        before = after
    return first, max(first, last)


@functools.lru_cache(maxsize=16)
def tabulate(psf, pixel_size_nm, wavelength_nm, numerical_aperture, defocus_nm, depth_nm, reach):
    """Tabulate a diffraction-limited point-spread function, integrated over pixels.

    The Airy pattern is that of a molecule in focus at the cover glass; after Gibson and Lanni (J. Opt. Soc. Am. A 9,
    154, 1992) a molecule stands deeper in water (refractive index 1.33) than where the oil objective (1.518) is
    corrected for: the phase over the pupil is that of the optical path through water and oil.

    Parameters
    ----------
    psf : {"airy", "gibson-lanni"}
    pixel_size_nm, wavelength_nm, numerical_aperture : float
    defocus_nm, depth_nm : float
        How far the objective is moved from the best focus at the glass, and the molecule from the glass.
    reach : int
        Pixels from the molecule that are tabulated.

    Returns
    -------
    (m, m) ndarray
        Share of the light in a pixel whose centre is ``i / STEPS`` and ``j / STEPS`` pixels from the molecule.
    """
    half = STEPS // 2
    count = (reach + 1) * STEPS + half + 1
    distance = np.arange(count) / STEPS * pixel_size_nm
    profile = _profile(np.sqrt(2) * distance[-1], psf, wavelength_nm, numerical_aperture, defocus_nm, depth_nm)
    radius = np.hypot(*np.meshgrid(distance, distance)).ravel()
    density = np.interp(radius, np.arange(len(profile)) * RING_NM, profile).reshape(count, count)
    whole = np.pad(density, ((half, 0), (half, 0)), mode="reflect")  # across the axes, which it is symmetric about
    weights = np.tile([2.0, 4.0], half + 1)[: STEPS + 1] / 3  # Simpson's rule over a pixel
    weights[[0, -1]] = 1 / 3
    for axis in (0, 1):
        whole = np.apply_along_axis(np.convolve, axis, whole, weights, "valid")
    return whole[: reach * STEPS + 1, : reach * STEPS + 1] * (pixel_size_nm / STEPS) ** 2


def _profile(radius_nm, psf, wavelength_nm, numerical_aperture, defocus_nm, depth_nm):
    """Return the density of light, 1/nm^2, at steps of `RING_NM` from the axis: |integral over the pupil|^2.

    Its integral over the plane is 1 by Parseval's theorem: the pupil is evenly lit.
    """
    pupil, weight = np.polynomial.legendre.leggauss(400)
    pupil, weight = (pupil + 1) / 2, weight / 2
    wave = 2 * np.pi / wavelength_nm
    phase = np.zeros_like(pupil)
    if psf == "gibson-lanni":
        across = numerical_aperture * pupil
        water, oil = (np.emath.sqrt(index**2 - across**2) for index in (1.33, 1.518))
        phase = wave * (depth_nm * water + defocus_nm * oil)  # complex beyond the critical angle: light that fades
    field = np.exp(1j * phase) * pupil * weight
    radius = np.arange(math.ceil(radius_nm / RING_NM) + 2) * RING_NM
    amplitude = special.j0(wave * numerical_aperture * radius[:, None] * pupil) @ field
    lit = np.sum(np.abs(np.exp(1j * phase)) ** 2 * pupil * weight)
    return np.abs(amplitude) ** 2 * (wave * numerical_aperture) ** 2 / (2 * np.pi * lit)
