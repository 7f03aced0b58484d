"""A cloud in front of a person: absorption and scattering of light, a camera, and the true mask."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from particlelab.aerosol.people import draw_person
from particlelab.aerosol.pictures import to_picture
from particlelab.aerosol.portrait import AMBIENT
from particlelab.aerosol.sizes import THRESHOLD
from particlelab.parameters import Parameters, parameter

MASK_DEPTH = -math.log1p(-THRESHOLD / 255)  # optical depth of a pixel that counts as cloud: 0.04


class Optics(Parameters):
    """How light goes through a cloud, and how the camera counts it."""

    albedo: float = parameter(0.95, "Share of the light that meets a particle and is scattered", low=0, high=1)
    shadow: float = parameter(
        4.0, "Optical depth to the lamp across a cloud as wide as the picture, of that to the camera", low=0, high=100
    )
    photons: float = parameter(4000.0, "Photons that a pixel counts of white", unit="photons", above=0, high=1e7)
    read_noise: float = parameter(8.0, "Standard deviation of the read noise", unit="photons", low=0, high=1e5)


class Rendered(NamedTuple):
    """Pictures of a cloud in front of a person, and where the cloud is."""

    images: np.ndarray  # (frames, H, W, 3) uint8
    masks: np.ndarray  # (frames, H, W) bool


def render(density, person, rng=None, size=256, *, scene=None, optics=None):
    """Render a simulated cloud in front of the person who breathes it out.

    Parameters
    ----------
    density : (frames, H, W) or (frames, D, H, W) array
        From `particlelab.aerosol.simulate_cloud`.
    person, rng, size, optics
        As in `render_depth`.
    scene : CloudScene, optional
        That the density was simulated with.

    Returns
    -------
    Rendered

    Raises
    ------
    ValueError
        If the density has other dimensions than the scene, or as in `render_depth`.
    """
    depth, mouth = project_cloud(density, scene)
    return render_depth(depth, person, rng, size, mouth=mouth, optics=optics)


def mask_cloud(density, person, size=256, *, scene=None):
    """Return the masks (frames, H, W) of `render` alone, in a fraction of the time."""
    depth, mouth = project_cloud(density, scene)
    return place_cloud(depth, person, size, mouth) >= MASK_DEPTH


def render_depth(optical_depth, person, rng=None, size=256, *, mouth, optics=None):
    """Render a cloud of known optical depth in front of a person.

    Light of the person is weakened by exp(-optical depth) (Beer and Lambert). The cloud adds what it scatters once
    towards the camera, of the light that reaches it: that of the lamp is weakened on its way through the cloud in the
    plane of the picture, that of the room is not. A cloud is as bright as a sheet of paper at most.

    Parameters
    ----------
    optical_depth : (frames, h, w) array
        From the camera through the whole cloud; the cloud's box is as wide as the picture at zoom 1.
    person : Person or Background
    rng : numpy.random.Generator, optional
        Of the camera's noise; without it there is none.
    size : int
        Pixels along a side of the pictures.
    mouth : (row, column)
        Where the mouth is in the box, as fractions of its height and width.
    optics : Optics, optional

    Returns
    -------
    Rendered
        The mask is True where the opacity 1 - exp(-optical depth) is at least 10 of 255, as the document's eq. 3.3 has
        it of the masks; noise does not change it.

    Raises
    ------
    ValueError
        If the optical depth is not a stack of images, or negative or not finite somewhere, ``mouth`` is not a pair of
        fractions, or ``size`` is less than 8.
    """
    optics = optics or Optics()
    depth = place_cloud(optical_depth, person, size, mouth)
    passing = np.exp(-depth)
    scattered = light_smoke(depth, person, optics) * (1 - passing)
    light = draw_person(person, size) * passing[..., None] + scattered[..., None]
    if rng is not None:
        _add_noise(light, optics, rng)
    return Rendered(to_picture(light), depth >= MASK_DEPTH)


def light_smoke(depth, person, optics=None):
    """Return how bright smoke would be that lets nothing through, where the cloud lies in its own shadow.

    Parameters
    ----------
    depth : (frames, size, size) float32 array
        Of `place_cloud`.
    person, optics
        As in `render_depth`.

    Returns
    -------
    (frames, size, size) float32 ndarray
        Light, of white.
    """
    optics, toward = optics or Optics(), np.asarray(person.light, float)
    lit = AMBIENT + (1 - AMBIENT) * np.exp(
        -_depth_to_lamp(depth, toward[0], -toward[1], optics.shadow / depth.shape[2])
    )
    return (person.brightness * optics.albedo) * lit


def render_background(person, rng=None, size=256, *, optics=None, frames=10):
    """Render the picture before the breath, as a camera has it: the mean of some frames.

    Parameters
    ----------
    person, rng, size, optics
        As in `render_depth`.
    frames : int
        The more, the less noise.

    Returns
    -------
    (H, W, 3) uint8 ndarray
    """
    empty = np.zeros((frames, 2, 2), np.float32)
    images = render_depth(empty, person, rng, size, mouth=(0, 0), optics=optics).images
    return np.rint(images.mean(axis=0)).astype(np.uint8)


def place_cloud(optical_depth, person, size, mouth):
    """Resample a cloud to the pixels of a picture, where its mouth is that of the person.

    Parameters and errors are those of `render_depth`. What lies outside the cloud's box is empty.

    Returns
    -------
    (frames, size, size) float32 ndarray
        Optical depth, by bicubic interpolation.
    """
    depth, mouth = _check_depth(optical_depth), _check_mouth(mouth)
    height, width = depth.shape[1:]
    across = width / person.zoom  # of the picture, in pixels of the box; the box's pixels are square
    top = mouth[0] * height - person.mouth[0] * across
    left = mouth[1] * width - person.mouth[1] * across
    before = [max(0, math.ceil(2 - start)) for start in (top, left)]
    after = [max(0, math.ceil(start + across - edge) + 2) for start, edge in ((top, height), (left, width))]
    depth = np.pad(depth, ((0, 0), *zip(before, after, strict=True)))
    box = (left + before[1], top + before[0], left + before[1] + across, top + before[0] + across)
    placed = [Image.fromarray(frame).resize((size, size), Image.Resampling.BICUBIC, box) for frame in depth]
    return np.maximum(np.stack([np.asarray(frame) for frame in placed]), 0)  # cubics undershoot next to edges


def project_cloud(density, scene):
    """Return the optical depth (frames, h, w) of a simulated cloud, and where the mouth is in its box."""
    from particlelab.aerosol import clouds  # a cloud of another source needs no solver

    across, down = clouds.MOUTH
    return clouds.project(density, scene), (down, across)


def _check_depth(optical_depth):
    depth = np.asarray(optical_depth, np.float32)
    if depth.ndim != 3 or depth.size == 0:
        raise ValueError(f"optical_depth must be a stack of images (frames, h, w), got shape {depth.shape}")
    if not (np.isfinite(depth) & (depth >= 0)).all():
        raise ValueError("optical_depth must be finite and at least 0 everywhere")
    return depth


def _check_mouth(mouth):
    values = np.asarray(mouth, float)
    if values.shape != (2,) or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"mouth must be (row, column) as fractions of height and width, 0 to 1, got {mouth!r}")
    return values


def _add_noise(light, optics, rng):
    """Add shot and read noise to light, in place.

    Shot noise is Gaussian: it has the Poisson's variance, and 8 bits do not show more of it.
    """
    noise = rng.standard_normal(light.shape, np.float32)
    variance = light / np.float32(optics.photons) + np.float32((optics.read_noise / optics.photons) ** 2)
    light += np.sqrt(variance, out=variance) * noise


def _depth_to_lamp(depth, right, down, scale):
    """Return the optical depth from each pixel of each frame towards the lamp, in the plane of the picture.

    Lines of pixels are visited from the lamp's side on. Each takes over what rays to the lamp met beyond the line
    before, linearly between pixels, and half a step of both lines. ``scale`` is the optical depth along the edge of a
    pixel, of that to the camera, if the lamp is in the plane of the picture; it counts the less the nearer the lamp is
    to the camera's axis, as then light comes from the front.
    """
    met = np.zeros_like(depth)
    if max(abs(right), abs(down)) < 1e-6:
        return met
    lines, out = depth, met  # views, turned so that the lamp is beyond the first line
    if steep := abs(down) > abs(right):
        lines, out = lines.swapaxes(1, 2), out.swapaxes(1, 2)
    main, side = (down, right) if steep else (right, down)
    if main > 0:
        lines, out = lines[:, :, ::-1], out[:, :, ::-1]
    slope = side / abs(main)
    shift = math.floor(slope)
    share = np.float32(slope - shift)
    half = np.float32(0.5 * scale * math.hypot(main, side) * math.hypot(1, slope))
    width = lines.shape[1]
    for n in range(1, lines.shape[2]):
        before = np.pad(out[:, :, n - 1] + half * lines[:, :, n - 1], ((0, 0), (2, 2)))
        near, far = before[:, 2 + shift : 2 + shift + width], before[:, 3 + shift : 3 + shift + width]
        out[:, :, n] = (1 - share) * near + share * far + half * lines[:, :, n]
    return met
