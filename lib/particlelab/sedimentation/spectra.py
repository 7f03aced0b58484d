"""A transmission spectrum: how much light passes a cell at each radius, profile after profile."""

from typing import NamedTuple

import numpy as np

CLASSES = ("sedimentation", "creaming", "combined", "other")
RANGE = -0.5, 2.0  # of a transmission that noise, drift and a lamp that was set too dim may give


class Spectrum(NamedTuple):
    """One measurement."""

    radii_mm: np.ndarray  # (R,) increasing, from the meniscus' side to the bottom's
    times_s: np.ndarray  # (T,) increasing
    transmission: np.ndarray  # (T, R), 1 where all light passes
    label: str | float | None = None  # class, or sedimentation coefficient (S)
    rpm: float | None = None  # of the rotor; 0 under gravity, None if unknown


def check_spectrum(spectrum):
    """Return a `Spectrum` with arrays of floats, or say what is wrong with it.

    Parameters
    ----------
    spectrum : Spectrum

    Returns
    -------
    Spectrum
        Radii and times in float64; the transmission in float32 or float64, as it came.

    Raises
    ------
    ValueError
        If radii or times are fewer than two, not finite or not increasing, the transmission has not one row a time and
        one column a radius, a value of it is not finite or beyond -0.5 to 2 (as in percent), or the speed is negative.
    """
    radii, times = (np.asarray(axis, float) for axis in (spectrum.radii_mm, spectrum.times_s))
    for name, axis in (("radii_mm", radii), ("times_s", times)):
        if axis.ndim != 1 or len(axis) < 2:
            raise ValueError(f"{name} must be a list of at least 2 numbers, got the shape {axis.shape}")
        if not np.isfinite(axis).all() or (np.diff(axis) <= 0).any():
            raise ValueError(f"{name} must be finite and increasing")
    values = np.asarray(spectrum.transmission)
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(float)
    if values.shape != (len(times), len(radii)):
        raise ValueError(
            f"transmission must have the shape (times, radii) = ({len(times)}, {len(radii)}), got {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("transmission must be finite, it holds NaN or infinity")
    if values.min() < RANGE[0] or values.max() > RANGE[1]:
        found = f"{values.min():g} to {values.max():g}"
        raise ValueError(f"transmission must be a share of 1, between {RANGE[0]:g} and {RANGE[1]:g}, got {found}")
    rpm = spectrum.rpm
    if rpm is not None and not (np.isfinite(rpm) and rpm >= 0):
        raise ValueError(f"rpm must be at least 0, got {rpm}")
    return spectrum._replace(radii_mm=radii, times_s=times, transmission=values)
