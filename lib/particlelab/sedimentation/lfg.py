"""The simulated set of the report, "LFG": particles of one size in a sector-shaped cell, from 0 to 100 000 S."""

import numpy as np

from particlelab.parameters import Parameters, parameter
from particlelab.processes import each
from particlelab.randomness import check_rng, generator
from particlelab.sedimentation.dispersions import Medium, diffusion_cm2_s, svedberg
from particlelab.sedimentation.instrument import Instrument, add_noise
from particlelab.sedimentation.lamm import solve_lamm
from particlelab.sedimentation.spectra import Spectrum


class LFG(Parameters):
    """The set: which coefficients, when and where they are looked at, in which medium.

    IPMT report, AP2.3.a. It names the coefficients, 120 times, and 280 radii between "6,0 mm und 7,2 mm", which are cm.
    It names no speed, no times and no diffusion coefficient. At 3000 rpm and a profile every 10 s a boundary of 1000 S
    moves by 0.7 mm in the 120 profiles, that is over 17 of the radii, and one of 100 000 S reaches the bottom in the
    19th profile. Diffusion is that of a sphere (Stokes and Einstein) that has this coefficient by Stokes.
    """

    first_svedberg: float = parameter(0.0, "Smallest sedimentation coefficient", unit="S", low=0, high=1e7)
    last_svedberg: float = parameter(100_000.0, "Largest sedimentation coefficient", unit="S", low=0, high=1e7)
    step_svedberg: float = parameter(500.0, "From one coefficient to the next", unit="S", above=0, high=1e6)
    times: int = parameter(120, "Profiles of a measurement", low=2, high=10_000)
    interval_s: float = parameter(10.0, "From one profile to the next", unit="s", above=0, high=100_000)
    radii: int = parameter(280, "Radii of a profile", low=8, high=10_000)
    meniscus_cm: float = parameter(6.0, "Radius of the meniscus", unit="cm", low=1, high=30)
    bottom_cm: float = parameter(7.2, "Radius of the bottom", unit="cm", low=1, high=30)
    rpm: float = parameter(3000.0, "Speed of the rotor", unit="1/min", above=0, high=200_000)
    absorbance: float = parameter(1.0, "Absorbance at the start", above=0, high=5)
    density_g_cm3: float = parameter(2.0, "Density of the particles", unit="g/cm^3", above=0, high=25)
    medium_g_cm3: float = parameter(0.997, "Density of the medium", unit="g/cm^3", above=0, high=5)
    viscosity_mpa_s: float = parameter(0.89, "Viscosity of the medium", unit="mPa s", above=0, high=1e5)
    temperature_k: float = parameter(298.15, "Temperature", unit="K", low=250, high=400)
    noise: float = parameter(0.002, "Noise of a transmission", low=0, high=0.2)


def simulate_lfg(parameters=None, rng=None, *, workers=1, progress=None):
    """Simulate the report's set "LFG".

    Parameters
    ----------
    parameters : LFG, optional
        The report's values by default.
    rng : numpy.random.Generator, optional
        Of the noise; that of seed 0 by default.
    workers : int
        Processes.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    list of Spectrum
        Labelled by the sedimentation coefficient (S), rising.
    """
    p = parameters or LFG()
    rng = check_rng(generator(0, "lfg") if rng is None else rng)
    count = int(np.floor((p.last_svedberg - p.first_svedberg) / p.step_svedberg + 1e-9)) + 1
    values = p.first_svedberg + p.step_svedberg * np.arange(count)
    tasks = [(float(s), p, stream) for s, stream in zip(values, rng.spawn(count), strict=True)]
    found = [None] * count
    for index, spectrum in each(simulate_coefficient, tasks, workers, progress):
        found[index] = spectrum
    return found


def simulate_coefficient(s_svedberg, parameters, rng):
    """Simulate a measurement of particles of one sedimentation coefficient.

    Parameters
    ----------
    s_svedberg : float
    parameters : LFG
    rng : numpy.random.Generator

    Returns
    -------
    Spectrum
        Radii in mm, from the meniscus to the bottom; the first profile is one interval after the start.

    Raises
    ------
    ValueError
        If the coefficient is not finite, the bottom not beyond the meniscus, or particles are as dense as the medium.
    """
    p = parameters
    if not np.isfinite(s_svedberg):
        raise ValueError(f"s_svedberg must be finite, got {s_svedberg}")
    if p.bottom_cm <= p.meniscus_cm:
        raise ValueError(f"bottom_cm must be beyond meniscus_cm = {p.meniscus_cm:g}, got {p.bottom_cm:g}")
    if p.density_g_cm3 == p.medium_g_cm3:
        raise ValueError(f"density_g_cm3 must differ from medium_g_cm3, got {p.density_g_cm3:g} for both")
    radii = np.linspace(p.meniscus_cm, p.bottom_cm, p.radii)
    times = p.interval_s * np.arange(1, p.times + 1)
    concentration = np.ones((p.times, p.radii))
    if s_svedberg:
        diffusion = stokes_einstein_cm2_s(s_svedberg, p)
        concentration = solve_lamm(s_svedberg, diffusion, p.rpm, times, p.meniscus_cm, p.bottom_cm, radii)
    values = add_noise(10.0 ** (-p.absorbance * concentration), Instrument(noise=p.noise, shot_noise=0.0), rng)
    return Spectrum(10 * radii, times, values, float(s_svedberg), p.rpm)


def stokes_einstein_cm2_s(s_svedberg, parameters):
    """Return the diffusion coefficient of the sphere that has this sedimentation coefficient, in cm^2/s.

    Parameters
    ----------
    s_svedberg : float
        What is below 1 S diffuses as if it had 1 S: of an s of 0 no size follows, nor does it matter there.
    parameters : LFG

    Returns
    -------
    float
    """
    p = parameters
    medium = Medium(p.medium_g_cm3, p.viscosity_mpa_s, temperature_k=p.temperature_k)
    of_1_nm = svedberg(1.0, p.density_g_cm3, medium)
    return float(diffusion_cm2_s(np.sqrt(max(abs(s_svedberg), 1.0) / abs(of_1_nm)), medium))
