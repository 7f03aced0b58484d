"""Common axes of measurements: radii as shares of those measured, times as shares of the duration.

Radii and times differ from measurement to measurement. Generators know shares only; what they draw is put on the axes
of a measurement that they learned from.
"""

from typing import NamedTuple

import numpy as np

KNOTS = 33  # by which radii and times of a measurement are kept
LEVELS = np.linspace(0.0, 1.0, 9)  # of transmission, between which the noise is measured
FLAT = 4.0  # standard deviations by which the neighbours of a point may differ where noise is measured
NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute value


class Axes(NamedTuple):
    """Radii, times, speeds and noise of the measurements that a generator learned from."""

    radii_mm: np.ndarray  # (n, KNOTS) float32
    times_s: np.ndarray  # (n, KNOTS) float32
    counts: np.ndarray  # (n, 2) int32: numbers of radii and of times
    rpm: np.ndarray  # (n,) float32, NaN where unknown
    classes: np.ndarray  # (n,) int32, number of the class; -1 where there is none
    s_svedberg: np.ndarray  # (n,) float32; NaN where there is none
    loudness: np.ndarray  # (n,) float32, noise as a multiple of what is usual at its transmission
    pattern: np.ndarray  # (n,) float32, differences from radius to radius that stay, as shares of the transmission
    noise: np.ndarray  # (len(LEVELS) - 1,) float32, usual standard deviation of the noise by transmission


class Place(NamedTuple):
    """Axes that a spectrum is drawn on."""

    radii_mm: np.ndarray  # (R,)
    times_s: np.ndarray  # (T,)
    rpm: float | None
    loudness: float
    pattern: float


def collect_axes(spectra, conditions):
    """Return what is kept of the axes of measurements.

    Parameters
    ----------
    spectra : sequence of Spectrum
    conditions : Conditions

    Returns
    -------
    Axes
    """
    names, n = conditions.classes, len(spectra)
    radii, times = np.empty((n, KNOTS), np.float32), np.empty((n, KNOTS), np.float32)
    counts, speeds = np.empty((n, 2), np.int32), np.full(n, np.nan, np.float32)
    for k, spectrum in enumerate(spectra):
        radii[k], times[k] = _knots(spectrum.radii_mm), _knots(spectrum.times_s)
        counts[k] = len(spectrum.radii_mm), len(spectrum.times_s)
        speeds[k] = np.nan if spectrum.rpm is None else spectrum.rpm
    labels = [spectrum.label for spectrum in spectra]
    classes = np.array([names.index(label) if names else -1 for label in labels], np.int32)
    s = np.array([label if conditions.highest_s else np.nan for label in labels], np.float32)
    return Axes(radii, times, counts, speeds, classes, s, *measure_noise(spectra))


def choose_places(axes, conditions, condition, n, rng):
    """Choose axes for spectra of a condition.

    Of a class: those of measurements of that class, drawn at random. Of a coefficient: between those of the
    measurements just below and above it.

    Parameters
    ----------
    axes : Axes
    conditions : Conditions
    condition : str or float or None
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    list of Place
    """
    if conditions.highest_s and condition is not None:
        order = np.argsort(axes.s_svedberg, kind="stable")
        s = axes.s_svedberg[order]
        above = int(np.clip(np.searchsorted(s, condition), 1, max(1, len(s) - 1))) if len(s) > 1 else 0
        below = max(0, above - 1)
        span = s[above] - s[below]
        share = float((condition - s[below]) / span) if span else 0.0
        return [_between(axes, order[below], order[above], share)] * n
    some = np.arange(len(axes.counts))
    if conditions.classes and condition is not None:
        some = some[axes.classes == conditions.classes.index(condition)]
    return [_between(axes, k, k, 0.0) for k in rng.choice(some, n)]


def shares(values):
    """Return increasing radii or times as shares: 0 for the first and 1 for the last."""
    values = np.asarray(values, float)
    return (values - values[0]) / (values[-1] - values[0])


def measure_noise(spectra):
    """Measure the noise of spectra by how much each point differs from the mean of its neighbours in radius.

    What differs at all times alike is the pattern of the detector and the window, the rest is noise. Points at a steep
    boundary do not count.

    Parameters
    ----------
    spectra : sequence of Spectrum

    Returns
    -------
    loudness : (n,) float32 ndarray
        Of each spectrum, its noise as a multiple of what is usual.
    pattern : (n,) float32 ndarray
        Of each spectrum, standard deviation of its pattern as a share of the transmission.
    noise : (8,) float32 ndarray
        Usual standard deviation of the noise where the transmission lies between two of `LEVELS`.
    """
    found = []
    for spectrum in spectra:
        t = np.asarray(spectrum.transmission, np.float32)
        apart = (t[:, :-2] - 2 * t[:, 1:-1] + t[:, 2:]) / np.sqrt(6)  # of white noise: its standard deviation
        level = (t[:, :-2] + t[:, 1:-1] + t[:, 2:]) / 3
        which = np.clip(np.digitize(level, LEVELS) - 1, 0, len(LEVELS) - 2)
        staying, count = apart.mean(0) / np.maximum(level.mean(0), 0.05), len(t)  # as a share of the light
        changing = np.abs(apart - staying * level) * np.sqrt(count / (count - 1))
        of_noise = NORMAL * np.median(changing) / max(float(level.mean()), 0.05)
        share = np.sqrt(max((NORMAL * np.median(np.abs(staying))) ** 2 - of_noise**2 / count, 0.0))
        flat = np.abs(t[:, 2:] - t[:, :-2]) <= FLAT * NORMAL * np.sqrt(2) * np.median(np.abs(apart))
        found.append((changing[flat], which[flat], share))
    apart, which = (np.concatenate(parts) for parts in list(zip(*found, strict=True))[:2])
    noise = np.array([_spread(apart[which == k]) for k in range(len(LEVELS) - 1)])
    middle = (LEVELS[1:] + LEVELS[:-1]) / 2
    known = np.isfinite(noise)
    noise = np.interp(middle, middle[known], noise[known]) if known.any() else np.zeros(len(middle))
    usual = np.maximum(noise, 1e-9)
    loudness = [NORMAL * np.median(each / usual[of]) for each, of, _ in found]
    return np.array(loudness, np.float32), np.array([each[2] for each in found], np.float32), noise.astype(np.float32)


def add_noise(transmission, axes, place, rng):
    """Add noise and a pattern of the measured strengths.

    Parameters
    ----------
    transmission : (T, R) ndarray
    axes : Axes
    place : Place
    rng : numpy.random.Generator

    Returns
    -------
    (T, R) float32 ndarray
    """
    seen = transmission * (1 + place.pattern * rng.standard_normal(transmission.shape[1]))
    strength = place.loudness * np.interp(seen, (LEVELS[1:] + LEVELS[:-1]) / 2, axes.noise)
    return (seen + strength * rng.standard_normal(seen.shape)).astype(np.float32)


def _spread(apart):
    return NORMAL * float(np.median(apart)) if len(apart) >= 50 else np.nan


def _knots(values):
    return np.interp(np.linspace(0, 1, KNOTS), np.linspace(0, 1, len(values)), values)


def _between(axes, a, b, share):
    """Return axes between those of two measurements; numbers of radii and times are those of the nearer one."""
    kept = axes.radii_mm, axes.times_s, axes.rpm, axes.loudness, axes.pattern
    radii, times, rpm, loudness, pattern = ((1 - share) * values[a] + share * values[b] for values in kept)
    radii_n, times_n = axes.counts[b if share > 0.5 else a]
    knots = np.linspace(0, 1, KNOTS)
    return Place(
        np.interp(np.linspace(0, 1, radii_n), knots, radii.astype(float)),
        np.interp(np.linspace(0, 1, times_n), knots, times.astype(float)),
        None if np.isnan(rpm) else float(rpm),
        float(loudness),
        float(pattern),
    )
