"""What an instrument makes of a dispersion in a cell: transmission with walls, meniscus, layers, noise and drift."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import check_rng

BLIND = 1e-3  # transmission of a layer of particles and of the cell's bottom


class Instrument(Parameters):
    """Light, detector and cell; all transmissions as shares of 1."""

    noise: float = parameter(0.002, "Noise of a value, whatever its transmission", low=0, high=0.2)
    shot_noise: float = parameter(0.002, "Noise of a value of transmission 1, falling with its root", low=0, high=0.2)
    pattern: float = parameter(0.004, "Differences between places of the detector and the cell's wall", low=0, high=0.2)
    lamp_drift: float = parameter(0.004, "How far the lamp wanders in the course of a measurement", low=0, high=0.3)
    stray_light: float = parameter(0.004, "Light that reaches the detector through anything", low=0, high=0.2)
    blur_mm: float = parameter(0.08, "Standard deviation of the optical blur", unit="mm", low=0, high=1)
    clear: float = parameter(0.93, "Transmission of the cell filled with the medium", low=0.2, high=1.2)
    air: float = parameter(0.88, "Transmission of the cell above the meniscus", low=0.0, high=1.2)
    meniscus_depth: float = parameter(0.9, "Share of the light that the meniscus takes", low=0, high=1)
    meniscus_mm: float = parameter(0.18, "Half width of the meniscus", unit="mm", low=0.01, high=1)


class Scene(NamedTuple):
    """What is in the cell at each radius and time."""

    radii_mm: np.ndarray  # (R,) evenly spaced, or nearly so
    times_s: np.ndarray  # (T,)
    optical_density: np.ndarray  # (T, R) of the dispersion
    meniscus_mm: np.ndarray  # (T,), or a number
    bottom_mm: float
    sediment_mm: np.ndarray  # (T,) height above the bottom
    cream_mm: np.ndarray  # (T,) below the meniscus


def look(scene, instrument, rng):
    """Measure the transmission of a cell.

    Parameters
    ----------
    scene : Scene
    instrument : Instrument
    rng : numpy.random.Generator

    Returns
    -------
    (T, R) ndarray of float32
    """
    rng = check_rng(rng)
    values = expected_transmission(scene, instrument)
    values = values * (1 + _wander(scene.times_s, rng)[:, None] * instrument.lamp_drift)
    values = values * (1 + _fixed_pattern(len(scene.radii_mm), rng) * instrument.pattern)
    return add_noise(values, instrument, rng)


def expected_transmission(scene, instrument):
    """Return the transmission without chance.

    Parameters
    ----------
    scene : Scene
    instrument : Instrument

    Returns
    -------
    (T, R) ndarray
    """
    r, i = scene.radii_mm, instrument
    step = np.gradient(r)
    top = np.broadcast_to(scene.meniscus_mm, len(scene.times_s))[:, None]

    def beyond(place):  # share of a sample that lies at larger radii than a place
        return ((r - place) / step + 0.5).clip(0, 1)

    values = i.clear * 10.0**-scene.optical_density
    layer = beyond(scene.bottom_mm - scene.sediment_mm[:, None]) + 1 - beyond(top + scene.cream_mm[:, None])
    values += layer.clip(0, 1) * (BLIND - values)
    wet = beyond(top)
    values = wet * values + (1 - wet) * i.air
    values *= 1 - i.meniscus_depth * np.exp(-(((r - top) / i.meniscus_mm) ** 2))
    values += beyond(scene.bottom_mm) * (BLIND - values)
    if i.blur_mm:
        values = ndimage.gaussian_filter1d(values, i.blur_mm / np.median(step), axis=1, mode="nearest")
    return values + i.stray_light * (1 - values)


def add_noise(values, instrument, rng):
    """Add the noise of each value: a part that does not depend on the light, and one like that of counted photons.

    Parameters
    ----------
    values : ndarray
        Transmissions.
    instrument : Instrument
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32
    """
    scale = np.sqrt(instrument.noise**2 + instrument.shot_noise**2 * values.clip(0, None))
    return (values + scale * check_rng(rng).standard_normal(values.shape, np.float32)).astype(np.float32)


def _wander(times, rng):
    """A slow walk that begins at 0 and is about 1 away from it at the end."""
    shares = np.diff(times, prepend=times[0]) / (times[-1] - times[0])
    return np.cumsum(rng.standard_normal(len(times)) * np.sqrt(shares))


def _fixed_pattern(count, rng):
    """The same at all times: a smooth part, a fine part, and a few specks on the wall that take light."""
    smooth = ndimage.gaussian_filter1d(rng.standard_normal(count), count / 30, mode="wrap")
    fine = rng.standard_normal(count)
    pattern = smooth / max(smooth.std(), 1e-12) + 0.5 * fine
    for _ in range(rng.poisson(1.5)):
        distance = (np.arange(count) - rng.uniform(0, count)) / rng.uniform(0.5, 3)
        pattern -= rng.exponential(5) * np.exp(-(distance**2) / 2)
    return pattern
