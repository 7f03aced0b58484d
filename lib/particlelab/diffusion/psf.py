"""Point-spread functions: what share of a molecule's light falls on a pixel."""

import bisect
import functools
import math

import numpy as np
from numba import njit
from scipy import ndimage, special

REACH = 5.0  # standard deviations of a Gaussian beyond which there is no light: 6e-7 of it
WIDEST = 20.0  # pixels: standard deviation beyond which a molecule is no spot any more
STEPS = 16  # points of the table of a point-spread function in a pixel
LIGHT = 0.98  # least share of a molecule's light that the table holds
MOST_PIXELS = 128  # to each side in which that much light must be found
FARTHEST = 40  # wavelengths over the aperture, likewise: the points of the pupil resolve no waves far beyond
PUPIL = 400  # points along the radius of the pupil
RINGS = 240  # steps of the radial profile in a wavelength over the aperture, of which the finest detail is a half
WATER, OIL = 1.33, 1.518  # refractive indices


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


def pixel_shares(edges, at, width):
    """Return what pixels between neighbouring edges hold of a normal density of unit area.

    Parameters
    ----------
    edges : (..., n + 1) array
        Of a row of pixels, in pixels.
    at, width : float or (..., 1) array
        Middle and standard deviation of the density, in pixels.

    Returns
    -------
    (..., n) ndarray
    """
    return np.diff(special.erf((edges - at) / (width * math.sqrt(2.0)))) / 2


def smoothing_taps(width):
    """Return what a pixel and those beside it hold of a Gaussian in its middle.

    Parameters
    ----------
    width : float
        Its standard deviation in pixels.

    Returns
    -------
    (2 k + 1,) ndarray
        Out to three standard deviations.

    Raises
    ------
    ValueError
        If it is wider than 20 pixels.
    """
    if width > WIDEST:
        raise ValueError(
            f"the point-spread function must have a standard deviation of at most {WIDEST:g} pixels, got {width:g}"
        )
    half = math.ceil(3 * width)
    return pixel_shares(np.arange(2 * half + 2) - half - 0.5, 0.0, width)


@functools.lru_cache(maxsize=4)  # of up to 35 MB
def tabulate(psf, pixel_size_nm, wavelength_nm, numerical_aperture, defocus_nm, depth_nm):
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

    Returns
    -------
    (m, m) ndarray
        Share of the light in a pixel whose centre is ``i / STEPS`` and ``j / STEPS`` pixels from the molecule. Pixels
        that lie within ``(m - 1) / STEPS`` pixels of it along both axes hold at least 98 % (`LIGHT`) together.

    Raises
    ------
    ValueError
        If so much light is not found within 128 pixels (`MOST_PIXELS`) and 40 wavelengths over the aperture
        (`FARTHEST`).
    """
    optics = psf, wavelength_nm, numerical_aperture, defocus_nm, depth_nm
    reach, unit = _find_reach(pixel_size_nm, *optics), wavelength_nm / numerical_aperture
    finer = math.ceil(pixel_size_nm / STEPS / (unit / 8))  # pixels may be wider than all there is to see
    points = STEPS * finer
    distance = np.arange(reach * points + points // 2 + 1) / points * pixel_size_nm
    far = math.sqrt(2) * min(distance[-1] / unit, FARTHEST)
    radius = np.arange(math.ceil(far * RINGS) + 1) / RINGS * unit
    away = np.hypot(*np.meshgrid(distance, distance))
    light = np.interp(away, radius, _density(radius, *optics), right=0.0)
    simpson = np.tile([2.0, 4.0], points // 2 + 1)[: points + 1] / 3  # over a pixel
    simpson[[0, -1]] = 1 / 3
    for axis in (0, 1):
        light = ndimage.correlate1d(light, simpson, axis, mode="mirror")  # it is symmetric about the axes
    return light[: reach * points + 1 : finer, : reach * points + 1 : finer] * (pixel_size_nm / points) ** 2


def _find_reach(pixel_size_nm, psf, wavelength_nm, numerical_aperture, defocus_nm, depth_nm):
    """Return how many pixels to each side of a molecule hold `LIGHT`, wherever in a pixel it is."""
    ring = wavelength_nm / numerical_aperture / RINGS * 3  # a sum needs fewer than an interpolation
    count = FARTHEST * RINGS // 3
    radius = (np.arange(math.sqrt(2) * count) + 0.5) * ring
    density = _density(radius, psf, wavelength_nm, numerical_aperture, defocus_nm, depth_nm)
    light = 2 * np.pi * radius * density * ring

    def inside(half_side):  # of each ring, what lies beyond the four sides of the square is left out
        return light @ (1 - 4 / np.pi * np.arccos(np.minimum(1, half_side / radius))).clip(0)

    half_sides = np.append(np.arange(1, count + 1) * ring, math.inf)
    half_side = half_sides[bisect.bisect_left(half_sides[:-1], LIGHT, key=inside)]
    if half_side <= MOST_PIXELS * pixel_size_nm:
        return math.ceil(half_side / pixel_size_nm) + 1  # a molecule at the edge of a pixel has one less to one side
    if half_side < math.inf:
        right = f"a pixel_size_nm of at least {math.ceil(half_side / MOST_PIXELS)}"
    else:
        focus_nm = 0 - depth_nm * OIL / WATER
        right = f"a depth_nm nearer to 0, or a defocus_nm nearer to {focus_nm:.0f}, where the molecule is in focus"
    raise ValueError(
        f"{LIGHT:.0%} of a molecule's light must fall within {MOST_PIXELS} pixels of it, but it spreads wider with "
        f"pixel_size_nm = {pixel_size_nm:g}, defocus_nm = {defocus_nm:g} and depth_nm = {depth_nm:g}; right would be "
        f"{right}"
    )


def _density(radius_nm, psf, wavelength_nm, numerical_aperture, defocus_nm, depth_nm):
    """Return the density of light, 1/nm^2, at distances from the axis: |integral over the pupil|^2.

    Its integral over the plane is 1 by Parseval's theorem: the pupil is evenly lit.
    """
    pupil, weight = _pupil_points()
    wave = 2 * np.pi / wavelength_nm
    phase = np.zeros_like(pupil)
    if psf == "gibson-lanni":
        across = numerical_aperture * pupil
        water, oil = (np.emath.sqrt(index**2 - across**2) for index in (WATER, OIL))
        phase = wave * (depth_nm * water + defocus_nm * oil)  # complex beyond the critical angle: light that fades
    field = np.exp(1j * phase) * pupil * weight
    amplitude = special.j0(wave * numerical_aperture * radius_nm[:, None] * pupil) @ field
    lit = np.sum(np.abs(np.exp(1j * phase)) ** 2 * pupil * weight)
    return np.abs(amplitude) ** 2 * (wave * numerical_aperture) ** 2 / (2 * np.pi * lit)


@functools.cache
def _pupil_points():
    """Return points along the radius of the pupil, after Gauss and Legendre, and their weights."""
    points, weights = np.polynomial.legendre.leggauss(PUPIL)
    return (points + 1) / 2, weights / 2
