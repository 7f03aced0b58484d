"""How a camera sees a moving molecule: blurred light, photons, gain and noise, in physical units."""

import math
from typing import Literal, NamedTuple

import numpy as np
from numba import njit
from scipy import special

from particlelab.diffusion.checks import check_diffusion, check_parameters
from particlelab.diffusion.motion import Motion, draw_paths, reflect, switch
from particlelab.diffusion.psf import STEPS, integrate_gaussian, tabulate
from particlelab.diffusion.threads import in_chunks
from particlelab.parameters import parameter
from particlelab.randomness import check_rng

CHUNK = 8  # sequences that one generator draws: what is drawn does not depend on the number of threads
AIRY_SIGMA = 0.21  # of wavelength / numerical aperture: the Gaussian nearest an Airy pattern (Zhang et al. 2007)
GUIDE = 1024  # entries of the table by which counts of the background are looked up
LITTLE = 1e-6  # share of a background photon that a molecule may add to a pixel unnoticed


class Imaging(Motion):
    """A movie of one molecule: its motion, the microscope and the camera.

    The document's pixels are of 200 nm, but its paths are in pixels: there is no scale to be reproduced. These are the
    values of a usual experiment (sCMOS or EMCCD, 100 nm pixels, dye in the red).
    """

    size: int = parameter(64, "Pixels along a side of the field of view", low=8, high=4096)
    pixel_size_nm: float = parameter(100.0, "Edge of a pixel in the sample", unit="nm", above=0, high=10_000)
    centred_on: Literal["path", "start"] = parameter("path", "What stands in the middle of the field of view")
    edge: Literal["leave", "reflect"] = parameter("leave", "What a molecule does at the edge of the field of view")

    psf: Literal["gaussian", "airy", "gibson-lanni"] = parameter("gaussian", "Point-spread function")
    psf_sigma_nm: float = parameter(130.0, "Standard deviation of the Gaussian one", unit="nm", above=0, high=10_000)
    wavelength_nm: float = parameter(670.0, "Wavelength, of the other ones", unit="nm", low=100, high=2000)
    numerical_aperture: float = parameter(1.4, "Numerical aperture, of the other ones", above=0, below=1.518)
    defocus_nm: float = parameter(0.0, "Defocus (Gibson-Lanni)", unit="nm", low=-5000, high=5000)
    depth_nm: float = parameter(0.0, "Depth of the molecule in water (Gibson-Lanni)", unit="nm", low=0, high=50_000)

    photons: float = parameter(500.0, "Photons of a molecule detected in a frame", low=0, high=1e7)
    background: float = parameter(1.0, "Photons of the background in a pixel and frame", low=0, high=1e6)
    off_1_per_s: float = parameter(0.0, "Rate at which a molecule goes dark", unit="1/s", low=0, high=1e6)
    on_1_per_s: float = parameter(0.0, "Rate at which a dark molecule lights up again", unit="1/s", low=0, high=1e6)
    bleaching_1_per_s: float = parameter(0.0, "Rate at which it goes dark for good", unit="1/s", low=0, high=1e6)

    camera: Literal["scmos", "emccd"] = parameter("scmos", "Camera; an EMCCD multiplies electrons by chance")
    read_noise: float = parameter(0.0, "Standard deviation of the read noise", unit="photons", low=0, high=1e4)
    gain: float = parameter(1.0, "Counts for a photon", unit="counts", above=0, high=1e5)
    offset: float = parameter(0.0, "Counts without light", unit="counts", low=-1e6, high=1e6)


class Sequences(NamedTuple):
    """Movies of one molecule each."""

    frames: np.ndarray  # (n, T, H, W) float32, counts
    positions_nm: np.ndarray  # (n, T, S, 2) x (to the right) and y (down) from the middle of the field of view
    diffusion_um2_s: np.ndarray  # (n,)


def simulate(diffusion_um2_s, imaging=None, rng=None):
    """Simulate a movie of one molecule for each diffusion coefficient.

    Parameters
    ----------
    diffusion_um2_s : (n,) array_like
        In um^2/s, at least 0.
    imaging : Imaging, optional
    rng : numpy.random.Generator

    Returns
    -------
    Sequences

    Raises
    ------
    ValueError
        If a diffusion coefficient is negative or not finite, imaging no `Imaging`, or rng no Generator.
    """
    imaging = check_parameters("imaging", imaging, Imaging, Imaging())
    diffusion, rng = check_diffusion(diffusion_um2_s), check_rng(rng)
    positions = place_paths(diffusion, imaging, rng)
    return Sequences(render(positions, imaging, rng), positions, diffusion)


def place_paths(diffusion_um2_s, imaging, rng):
    """Draw paths and put them into the field of view: (n, T, S, 2) in nm from its middle.

    The middle of what a path spans, or where it starts, stands anywhere in the central pixel; a field of view that is
    cut out about a track does the former. Raises ValueError as `draw_paths`.
    """
    path = draw_paths(diffusion_um2_s, check_parameters("imaging", imaging, Imaging), rng)
    spanned = path if imaging.centred_on == "path" else path[:, :1, :1]
    middle = (spanned.max(axis=(1, 2)) + spanned.min(axis=(1, 2))) / 2
    pixel = imaging.pixel_size_nm
    path += (rng.uniform(-pixel / 2, pixel / 2, middle.shape) - middle)[:, None, None]
    return reflect(path, imaging.size * pixel / 2) if imaging.edge == "reflect" else path


def render(positions_nm, imaging, rng):
    """Render movies of molecules whose paths are known.

    Parameters
    ----------
    positions_nm : (n, T, S, 2) array
        As in `Sequences`; each position of a frame sends an equal share of its light, unless it is dark.
    imaging : Imaging
    rng : numpy.random.Generator

    Returns
    -------
    (n, T, size, size) float32 ndarray
        Counts.

    Raises
    ------
    ValueError
        If imaging is no `Imaging`, or rng no Generator.
    """
    check_parameters("imaging", imaging, Imaging)
    n, frames = positions_nm.shape[:2]
    lit, lens = draw_light(n, imaging, rng), optics(imaging)
    images = np.empty((n, frames, imaging.size, imaging.size), np.float32)

    def fill(some, own):
        _expose(images[some], positions_nm[some] / imaging.pixel_size_nm + imaging.size / 2, lit[some], *lens)
        _detect(images[some], imaging, own)

    in_chunks(fill, n, CHUNK, check_rng(rng).spawn(math.ceil(n / CHUNK)))
    return images


def simulate_together(diffusion_um2_s, imaging=None, rng=None):
    """Simulate one movie of several molecules, which begin anywhere in the field of view and are reflected at its edge.

    Parameters
    ----------
    diffusion_um2_s : (n,) array_like
        Of each molecule.
    imaging : Imaging, optional
    rng : numpy.random.Generator

    Returns
    -------
    Sequences
        With one movie: frames are (T, H, W).

    Raises
    ------
    ValueError
        As `simulate`.
    """
    p = check_parameters("imaging", imaging, Imaging, Imaging())
    diffusion, rng = check_diffusion(diffusion_um2_s), check_rng(rng)
    half = p.size * p.pixel_size_nm / 2
    positions = draw_paths(diffusion, p, rng) + rng.uniform(-half, half, (len(diffusion), 1, 1, 2))
    positions = reflect(positions, half)
    frames, own = np.zeros((p.frames, p.size, p.size), np.float32), np.empty((1, p.frames, p.size, p.size), np.float32)
    for path, lit in zip(positions, draw_light(len(diffusion), p, rng), strict=True):
        _expose(own, path[None] / p.pixel_size_nm + p.size / 2, lit[None], *optics(p))
        frames += own[0]
    _detect(frames, p, rng)
    return Sequences(frames, positions, diffusion)


def expected_images(positions_nm, imaging):
    """Return the photons that are expected in each pixel, with the background, of molecules that stay bright.

    Parameters
    ----------
    positions_nm : (n, T, S, 2) array
    imaging : Imaging

    Returns
    -------
    (n, T, size, size) float32 ndarray

    Raises
    ------
    ValueError
        If imaging is no `Imaging`.
    """
    check_parameters("imaging", imaging, Imaging)
    n, frames, substeps, _ = positions_nm.shape
    images = np.empty((n, frames, imaging.size, imaging.size), np.float32)
    lit = np.full((n, frames, substeps), imaging.photons / substeps)
    _expose(images, positions_nm / imaging.pixel_size_nm + imaging.size / 2, lit, *optics(imaging))
    return images + np.float32(imaging.background)


def draw_light(n, imaging, rng):
    """Return the photons that each position sends, (n, T, S): blinking and bleaching make some of them dark."""
    p, count = imaging, imaging.frames * imaging.substeps
    lit = np.full((n, count), p.photons / p.substeps)
    part_s = p.exposure_s / p.substeps
    times = (np.arange(p.frames)[:, None] * p.interval_s + np.arange(p.substeps) * part_s).ravel()
    if p.off_1_per_s:
        lit[switch(n, np.diff(times, prepend=0.0), p.off_1_per_s, p.on_1_per_s, rng, settled=False)] = 0
    if p.bleaching_1_per_s:
        lit *= times < rng.exponential(1 / p.bleaching_1_per_s, (n, 1))
    return lit.reshape(n, p.frames, p.substeps)


def optics(imaging):
    """Return the standard deviation in pixels and the table of the point-spread function; one of them is not used."""
    p = imaging
    if p.psf == "gaussian":
        return p.psf_sigma_nm / p.pixel_size_nm, np.zeros((0, 0))
    return 0.0, tabulate(p.psf, p.pixel_size_nm, p.wavelength_nm, p.numerical_aperture, p.defocus_nm, p.depth_nm)


def psf_width_nm(imaging):
    """Return the standard deviation of the imaging's point-spread function, or of the Gaussian nearest to it."""
    if imaging.psf == "gaussian":
        return imaging.psf_sigma_nm
    return AIRY_SIGMA * imaging.wavelength_nm / imaging.numerical_aperture


def photon_variance(imaging):
    """Return the variance of a detected photon: electron multiplication doubles it."""
    return 2.0 if imaging.camera == "emccd" else 1.0


def _cumulative_poisson(mean):
    """Return P(N <= k) for k = 0, 1, ... up to a tail of 1e-12; empty if the mean is too large for a search."""
    if mean > 30:
        return np.zeros(0)
    k = np.arange(int(mean + 12 * math.sqrt(mean) + 20))
    return special.pdtr(k, mean)


@njit(cache=True, nogil=True)
def _expose(images, positions, lit, sigma, table):
    """Write the photons that are expected of the molecule into each pixel; positions in pixels from the corner."""
    n, frames, substeps, _ = positions.shape
    size = images.shape[-1]
    across, down = np.empty(size), np.empty(size)
    images[:] = 0
    for i in range(n):
        for t in range(frames):
            for s in range(substeps):
                photons = lit[i, t, s]
                x, y = positions[i, t, s]
                if photons == 0:
                    continue
                if sigma > 0:
                    left, right = integrate_gaussian(x, sigma, across)
                    top, bottom = integrate_gaussian(y, sigma, down)
                    for row in range(top, bottom):
                        share = photons * down[row]
                        for column in range(left, right):
                            images[i, t, row, column] += np.float32(share * across[column])
                else:
                    _add_tabulated(images[i, t], x, y, photons, table)


@njit(cache=True, nogil=True)
def _add_tabulated(image, x, y, photons, table):
    """Add a molecule by the table of its point-spread function, linearly between its points."""
    size, reach = len(image), (len(table) - 1) / STEPS
    for row in range(max(0, math.ceil(y - reach)), min(size, math.floor(y + reach))):
        v = abs(row + 0.5 - y) * STEPS
        j = min(int(v), len(table) - 2)
        for column in range(max(0, math.ceil(x - reach)), min(size, math.floor(x + reach))):
            u = abs(column + 0.5 - x) * STEPS
            i = min(int(u), len(table) - 2)
            a, b = v - j, u - i
            near = table[j, i] * (1 - b) + table[j, i + 1] * b
            far = table[j + 1, i] * (1 - b) + table[j + 1, i + 1] * b
            image[row, column] += np.float32(photons * (near * (1 - a) + far * a))


def _detect(images, imaging, rng):
    """Turn the expected photons into counts, in place: shot noise, multiplication, read noise, gain, offset."""
    p = imaging
    cumulative = _cumulative_poisson(p.background)
    guide = np.searchsorted(cumulative, np.arange(GUIDE + 1) / GUIDE)
    drawn = rng.random(images.shape if len(cumulative) else 0)
    _count_electrons(images.ravel(), p.background, drawn.ravel(), cumulative, guide, p.camera == "emccd", rng)
    if p.read_noise:
        images += np.float32(p.read_noise) * rng.standard_normal(images.shape, np.float32)
    images *= np.float32(p.gain)
    images += np.float32(p.offset)


@njit(cache=True, nogil=True)
def _count_electrons(images, background, drawn, cumulative, guide, multiplied, rng):
    """Replace what is expected by what is counted. Most pixels hold background alone: they are looked up."""
    dark = LITTLE * background
    for i in range(len(images)):
        expected = images[i]
        if expected <= dark and len(drawn):
            at = int(drawn[i] * GUIDE)
            k = guide[at]
            while k < guide[at + 1] and drawn[i] > cumulative[k]:
                k += 1
            electrons = float(k)
        else:
            electrons = float(rng.poisson(expected + background))
        if multiplied and electrons > 0:
            electrons = rng.standard_gamma(electrons)
        images[i] = np.float32(electrons)
