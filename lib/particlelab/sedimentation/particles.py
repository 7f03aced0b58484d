"""Spheres in a solvent: how fast they sediment and diffuse, what they weigh, and how large they are.

Stokes' law and the relation of Stokes and Einstein: for spheres that are smooth, hard, alone (but see `hindrance`) and
so slow that their Reynolds number is far below 1 (polystyrene in water at 1 g: below some 100 um).
"""

import math
from typing import NamedTuple

import numpy as np

BOLTZMANN_J_K = 1.380649e-23
AVOGADRO_1_MOL = 6.02214076e23
GRAVITY_M_S2 = 9.80665
SVEDBERG_S = 1e-13
ZERO_CELSIUS_K = 273.15

# Densities in g/cm^3 (CRC Handbook of Chemistry and Physics; polymers: Polymer Handbook). Colloidal silica and titania
# are often less dense than the bulk, as they are porous.
MATERIALS = {
    "polystyrene": 1.05,
    "PMMA": 1.18,
    "silica": 2.20,
    "titania (anatase)": 3.9,
    "titania (rutile)": 4.23,
    "gold": 19.3,
    "carbonyl iron": 7.87,
    "silicone oil": 0.965,
    "sunflower oil": 0.92,
    "hexadecane": 0.773,
}
SUCROSE_G_MOL, WATER_G_MOL = 342.30, 18.015


class Solvent(NamedTuple):
    """A liquid without its particles."""

    density_g_cm3: float
    viscosity_mpa_s: float
    temperature_k: float


WATER_20 = Solvent(0.998204, 1.0016, 293.15)  # at 20 °C, as of `water`


def water(temperature_c=20.0):
    """Return water at a temperature from 0 to 100 °C.

    Density by Kell (J. Chem. Eng. Data 20, 97, 1975), viscosity by Huber et al. (J. Phys. Chem. Ref. Data 38, 101,
    2009), both at normal pressure.

    Parameters
    ----------
    temperature_c : float

    Returns
    -------
    Solvent

    Raises
    ------
    ValueError
        If the temperature is out of range.
    """
    t = _within("temperature_c", temperature_c, 0, 100)
    series = (999.83952, 16.945176, -7.9870401e-3, -46.170461e-6, 105.56302e-9, -280.54253e-12)
    density = _polynomial(series, t) / (1 + 16.879850e-3 * t) / 1e3
    reduced = (t + ZERO_CELSIUS_K) / 300
    terms = ((280.68, -1.9), (511.45, -7.7), (61.131, -19.6), (0.45903, -40.0))
    viscosity = 1e-3 * sum(factor * reduced**power for factor, power in terms)
    return Solvent(density, viscosity, t + ZERO_CELSIUS_K)


def sucrose_solution(share, temperature_c=20.0):
    """Return a solution of sucrose in water.

    By the polynomials of Barber (Natl. Cancer Inst. Monogr. 21, 219, 1966).

    Parameters
    ----------
    share : float
        Of sucrose in the mass of the solution, 0 to 0.75.
    temperature_c : float
        0 to 60 °C (the density was fitted up to 30 °C).

    Returns
    -------
    Solvent

    Raises
    ------
    ValueError
        If one of them is out of range.
    """
    share, t = _within("share", share, 0, 0.75), _within("temperature_c", temperature_c, 0, 60)
    density = (
        _polynomial((1.0003698, 3.9680504e-5, -5.8513271e-6), t)
        + _polynomial((0.38982371, -1.0578919e-3, 1.2392833e-5), t) * share
        + _polynomial((0.17097594, 4.7530081e-4, -8.9239737e-6), t) * share**2
    )
    y = share / SUCROSE_G_MOL / (share / SUCROSE_G_MOL + (1 - share) / WATER_G_MOL)
    if share <= 0.48:
        a = (-1.5018327, 9.4112153, -1.1435741e3, 1.0504137e5, -4.6927102e6, 1.0323349e8, -1.1028981e9, 4.5921911e9)
        b = (
            2.1169907e2,
            1.6077073e3,
            1.6911611e5,
            -1.4184371e7,
            6.0654775e8,
            -1.2985834e10,
            1.3532907e11,
            -5.4970416e11,
        )
    else:
        a = (-1.0803314, -2.0003484e1, 4.6066898e2, -5.9517023e3, 3.5627216e4, -7.8542145e4)
        b = (1.3975568e2, 6.6747329e3, -7.8716105e4, 9.0967578e5, -5.5380830e6, 1.2451219e7)
    c = 146.06635 - 25.251728 * math.sqrt(1 + (y / 0.070674842) ** 2)
    viscosity = 10 ** (_polynomial(a, y) + _polynomial(b, y) / (t + c))
    return Solvent(density, viscosity, t + ZERO_CELSIUS_K)


def ethanol(temperature_c=20.0):
    """Return ethanol at a temperature from 0 to 75 °C.

    Density by the International Critical Tables (3, 27, 1928); viscosity from the CRC Handbook of Chemistry and
    Physics, "Viscosity of liquids" (four temperatures), its logarithm interpolated over 1 / T.

    Parameters
    ----------
    temperature_c : float

    Returns
    -------
    Solvent

    Raises
    ------
    ValueError
        If the temperature is out of range.
    """
    t = _within("temperature_c", temperature_c, 0, 75)
    density = _polynomial((0.80625, -0.8461e-3, 0.160e-6, -8.5e-9), t)
    inverse = 1 / (ZERO_CELSIUS_K + np.array([0.0, 25.0, 50.0, 75.0]))
    known = np.log([1.786, 1.074, 0.694, 0.476])
    at = 1 / (ZERO_CELSIUS_K + t)
    weights = [np.prod([(at - o) / (i - o) for o in inverse if o != i]) for i in inverse]
    return Solvent(density, math.exp(float(np.dot(weights, known))), t + ZERO_CELSIUS_K)


def sedimentation_coefficient(diameter_nm, density_g_cm3, solvent=WATER_20, volume_fraction=0.0):
    """Return the sedimentation coefficient of spheres by Stokes: (density - that of the solvent) d^2 / 18 viscosity.

    Parameters
    ----------
    diameter_nm : float or array_like
        Positive.
    density_g_cm3 : float or array_like
        Of the spheres, positive; see `MATERIALS`.
    solvent : Solvent
    volume_fraction : float
        Of all spheres together, which slow each other down by `hindrance`.

    Returns
    -------
    float or ndarray
        In S (1e-13 s); negative: they cream.

    Raises
    ------
    ValueError
        If a parameter is not in its bounds.
    """
    d, density = _positive("diameter_nm", diameter_nm), _positive("density_g_cm3", density_g_cm3)
    excess_kg_m3 = 1e3 * (density - _check(solvent).density_g_cm3)
    seconds = excess_kg_m3 * (1e-9 * d) ** 2 / (18e-3 * solvent.viscosity_mpa_s)
    return (seconds / SVEDBERG_S * hindrance(volume_fraction))[()]


def diameter_of(s_svedberg, density_g_cm3, solvent=WATER_20, volume_fraction=0.0):
    """Return the diameter of spheres from their sedimentation coefficient: the inverse of `sedimentation_coefficient`.

    Parameters
    ----------
    s_svedberg : float or array_like
    density_g_cm3, solvent, volume_fraction
        As of `sedimentation_coefficient`.

    Returns
    -------
    float or ndarray
        In nm.

    Raises
    ------
    ValueError
        If a parameter is not in its bounds, or the spheres would move the other way at this density.
    """
    s, density = np.asarray(s_svedberg, float), _positive("density_g_cm3", density_g_cm3)
    excess_kg_m3 = 1e3 * (density - _check(solvent).density_g_cm3)
    if not np.isfinite(s).all() or (s * excess_kg_m3 < 0).any() or (excess_kg_m3 == 0).any():
        raise ValueError(
            f"s_svedberg = {s_svedberg} does not go with density_g_cm3 = {density_g_cm3} in a solvent of "
            f"{solvent.density_g_cm3:.5g} g/cm^3: what is denser has a positive s, what is lighter a negative one"
        )
    seconds = SVEDBERG_S * s / hindrance(volume_fraction)
    return (1e9 * np.sqrt(18e-3 * solvent.viscosity_mpa_s * seconds / excess_kg_m3))[()]


def diffusion_coefficient(diameter_nm, solvent=WATER_20):
    """Return the diffusion coefficient of spheres by Stokes and Einstein: k T / 3 pi viscosity d.

    Parameters
    ----------
    diameter_nm : float or array_like
        Positive.
    solvent : Solvent

    Returns
    -------
    float or ndarray
        In cm^2/s.

    Raises
    ------
    ValueError
        If a diameter is not positive.
    """
    drag_kg_s = 3e-3 * math.pi * _check(solvent).viscosity_mpa_s * 1e-9 * _positive("diameter_nm", diameter_nm)
    return (1e4 * BOLTZMANN_J_K * solvent.temperature_k / drag_kg_s)[()]


def settling_speed(diameter_nm, density_g_cm3, solvent=WATER_20, volume_fraction=0.0):
    """Return the speed in um/s at which spheres settle (or rise: negative) under gravity by Stokes.

    Parameters
    ----------
    diameter_nm, density_g_cm3, solvent, volume_fraction
        As of `sedimentation_coefficient`.

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError
        As of `sedimentation_coefficient`.
    """
    s = sedimentation_coefficient(diameter_nm, density_g_cm3, solvent, volume_fraction)
    return 1e6 * SVEDBERG_S * GRAVITY_M_S2 * s


def molar_mass(diameter_nm, density_g_cm3):
    """Return the mass of a mole of spheres, in g/mol (Da): density, volume and Avogadro's number.

    Parameters
    ----------
    diameter_nm, density_g_cm3 : float or array_like
        Positive.

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError
        If one of them is not positive.
    """
    volume_cm3 = math.pi / 6 * (1e-7 * _positive("diameter_nm", diameter_nm)) ** 3
    return (AVOGADRO_1_MOL * _positive("density_g_cm3", density_g_cm3) * volume_cm3)[()]


def svedberg_mass(s_svedberg, diffusion_cm2_s, density_g_cm3, solvent=WATER_20):
    """Return the molar mass in g/mol of particles of any shape by Svedberg: s R T / D (1 - solvent / density).

    Parameters
    ----------
    s_svedberg : float or array_like
    diffusion_cm2_s : float or array_like
        Positive.
    density_g_cm3 : float or array_like
        Of the particles (the inverse of their partial specific volume), positive and not that of the solvent.
    solvent : Solvent

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError
        If a parameter is not in its bounds.
    """
    density = _positive("density_g_cm3", density_g_cm3)
    buoyancy = 1 - _check(solvent).density_g_cm3 / density
    if (buoyancy == 0).any():
        raise ValueError(f"density_g_cm3 must differ from that of the solvent, got {density_g_cm3}")
    per_mole = AVOGADRO_1_MOL * BOLTZMANN_J_K * solvent.temperature_k
    diffusion_m2_s = 1e-4 * _positive("diffusion_cm2_s", diffusion_cm2_s)
    return (1e3 * SVEDBERG_S * np.asarray(s_svedberg, float) * per_mole / (diffusion_m2_s * buoyancy))[()]


def hindrance(volume_fraction, exponent=4.65):
    """Return the share of its speed that a sphere keeps among others: (1 - volume fraction)^exponent.

    By Richardson and Zaki (Trans. Inst. Chem. Eng. 32, 35, 1954), 4.65 for slow flow far from walls.

    Parameters
    ----------
    volume_fraction : float or array_like
        At least 0, below 1.
    exponent : float

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError
        If a volume fraction is not in its bounds.
    """
    fraction = np.asarray(volume_fraction, float)
    if not ((fraction >= 0) & (fraction < 1)).all():
        raise ValueError(f"volume_fraction must be at least 0 and below 1, got {volume_fraction}")
    return ((1 - fraction) ** exponent)[()]


def _check(solvent):
    if not isinstance(solvent, Solvent):
        raise ValueError(f"solvent must be a Solvent, such as water(20), got {solvent!r}")
    if not (solvent.viscosity_mpa_s > 0 and solvent.temperature_k > 0 and solvent.density_g_cm3 >= 0):
        raise ValueError(f"solvent must have a positive viscosity and temperature, got {solvent}")
    return solvent


def _positive(name, values):
    array = np.asarray(values, float)
    if not (np.isfinite(array) & (array > 0)).all():
        raise ValueError(f"{name} must be positive, got {values}")
    return array


def _within(name, value, low, high):
    if not low <= value <= high:
        raise ValueError(f"{name} must be between {low} and {high}, got {value}")
    return float(value)


def _polynomial(series, x):
    return sum(factor * x**power for power, factor in enumerate(series))
