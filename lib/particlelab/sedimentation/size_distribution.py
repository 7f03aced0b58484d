"""Particle sizes of a distribution of sedimentation coefficients, by Stokes."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.sedimentation.boundaries import COVERAGE
from particlelab.sedimentation.dispersions import Medium
from particlelab.sedimentation.s_distribution import directions, quantile, with_interval
from particlelab.sedimentation.sizes import stokes_diameter_nm, volume_weights

WEIGHTINGS = ("extinction", "volume")
DIAMETER = 0.5  # the power of s that a diameter goes with


class SizeDistribution(NamedTuple):
    """A distribution of diameters."""

    table: pd.DataFrame  # ``diameter_nm``, ``density`` over ln d (its integral is 1) with ``low`` and ``high``
    weighting: str
    percentiles: pd.DataFrame  # ``share``, ``diameter_nm``, ``low``, ``high`` (95 %)


def size_distribution(
    distribution,
    density_g_cm3,
    medium,
    weighting="extinction",
    refractive_index=None,
    wavelength_nm=870.0,
    shares=(0.1, 0.5, 0.9),
):
    """Turn a distribution of sedimentation coefficients into one of the diameters of spheres.

    Parameters
    ----------
    distribution : Distribution
    density_g_cm3 : float
        Of the particles: those that move the other way than particles of this density do have no size.
    medium : Medium
    weighting : {"extinction", "volume"}
        By how much light a size takes, as it is measured, or by its volume: then by what a volume of it takes
        (`extinction_per_mm`, an approximation).
    refractive_index : float, optional
        Of the particles; needed for "volume".
    wavelength_nm : float
        In vacuum.
    shares : sequence of float
        Percentiles (0 to 1).

    Returns
    -------
    SizeDistribution or None
        None if nothing moves the way that particles of this density do.

    Raises
    ------
    ValueError
        If the weighting is unknown, or by volume without a refractive index, or with that of the medium.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting must be one of {', '.join(WEIGHTINGS)}, got {weighting!r}")
    if weighting == "volume" and refractive_index is None:
        raise ValueError("refractive_index is missing: by it a weight by extinction becomes one by volume")
    if weighting == "volume" and abs(refractive_index - medium.refractive_index) < 1e-3:
        raise ValueError(f"refractive_index = {refractive_index} is that of the medium: such particles take no light")
    way = "sedimentation" if density_g_cm3 > medium.density_g_cm3 else "creaming"
    part = directions(distribution).get(way)
    if part is None or density_g_cm3 == medium.density_g_cm3:
        return None
    diameters = stokes_diameter_nm(distribution.table.s.to_numpy()[part], density_g_cm3, medium)

    def weigh(weights):
        weights = weights[..., part]
        if weighting == "volume":
            weights = volume_weights(weights, diameters, refractive_index, medium, wavelength_nm)
        return weights

    spacing = np.abs(np.diff(np.log(diameters))).mean()
    value, several = weigh(distribution.table.weight.to_numpy()), weigh(distribution.samples)
    if not value.sum() > 0:
        return None
    density, others = (
        value / value.sum() / spacing,
        several / np.maximum(several.sum(-1, keepdims=True), 1e-300) / spacing,
    )
    apart = np.quantile(np.abs(others - density), COVERAGE, axis=0)
    table = pd.DataFrame(
        {"diameter_nm": diameters, "density": density, "low": (density - apart).clip(0), "high": density + apart}
    )
    rows = [
        (share, *with_interval(distribution, lambda w, share=share: quantile(diameters, weigh(w), share), DIAMETER))
        for share in shares
    ]
    percentiles = pd.DataFrame(rows, columns=["share", "diameter_nm", "low", "high"])
    return SizeDistribution(table.sort_values("diameter_nm", ignore_index=True), weighting, percentiles)


def medium_of(parameters):
    """Return the `Medium` of a parameter set that has its density, viscosity, temperature and refractive index."""
    p = parameters
    return Medium(p.medium_g_cm3, p.viscosity_mpa_s, p.medium_index, p.temperature_k)
