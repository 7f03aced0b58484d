"""One spectrum: another measurement of a set, or one of particles that are chosen, with the particles themselves."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import check_rng, generator
from particlelab.sedimentation.dispersions import SVEDBERG_S, Cell, disperse, remaining, sizes
from particlelab.sedimentation.instrument import Instrument, Scene, look
from particlelab.sedimentation.lfg import LFG, simulate_coefficient
from particlelab.sedimentation.lum import LUM, simulate_measurement
from particlelab.sedimentation.spectra import Spectrum

CELLS = {  # meniscus, bottom, and the radii that are looked at (mm)
    "sector": (60.0, 72.0, (59.0, 72.4)),
    "rectangular": (108.0, 129.3, (104.0, 130.0)),
}
RADII = 400
SHOWN = 500  # particles
MOMENTS = 24  # at which the particles are shown, at most
SUBSTEPS = 8  # of their random walk from one moment to the next
SIMULATION_GROUPS = {
    "More particles": ("spread", "second_share", "second_svedberg"),
    "Measurement": ("shape", "optical_density", "profiles", "interval_s"),
    "Instrument": ("noise", "pattern", "lamp_drift", "stray_light"),
}
SIMULATION_NAMES = {
    "direction": "What particles do",
    "s_svedberg": "Sedimentation coefficient s",
    "diffusion": "Diffusion coefficient D",
    "rpm": "Speed of the rotor",
    "spread": "Spread of s",
    "second_share": "Second population",
    "second_svedberg": "Its s",
    "interval": "Interval",
    "shape": "Cell",
    "combined": "settle; the second population creams",
    "sedimentation": "settle",
    "creaming": "cream",
}


class Simulation(Parameters):
    """A dispersion in a rotor, and how it is looked at; within what a page can show."""

    direction: Literal["sedimentation", "creaming", "combined"] = parameter(
        "sedimentation",
        "Heavier or lighter than the medium; combined: the first are heavier, the second lighter",
    )
    s_svedberg: float = parameter(
        10_000.0, "Median of the coefficient, whatever the direction", unit="S", low=10, high=1e6
    )
    diffusion_cm2_s: float = parameter(
        4e-8, "Of the particles with the median of s; others diffuse by its root", unit="cm^2/s", low=1e-10, high=1e-5
    )
    rpm: float = parameter(3000.0, "Revolutions in a minute", unit="1/min", low=100, high=60_000)
    spread: float = parameter(1.1, "Geometric standard deviation of s", low=1, high=5)
    second_share: float = parameter(0.0, "Share of the light that a second population takes", low=0, high=0.95)
    second_svedberg: float = parameter(3000.0, "Median of its coefficient", unit="S", low=10, high=1e6)
    shape: Literal["sector", "rectangular"] = parameter(
        "sector", "Of the cell: a sector from 60 to 72 mm, or rectangular from 108 to 129 mm"
    )
    optical_density: float = parameter(1.0, "At the start; the transmission is 10 to minus that", low=0.01, high=5)
    profiles: int = parameter(100, "Profiles that are measured", low=5, high=255)
    interval_s: float = parameter(10.0, "From one profile to the next", unit="s", low=0.1, high=3600)
    noise: float = parameter(0.002, "Noise of a transmission", low=0, high=0.1)
    pattern: float = parameter(0.003, "Differences between places of the detector and the wall", low=0, high=0.1)
    lamp_drift: float = parameter(0.003, "How far the lamp wanders", low=0, high=0.2)
    stray_light: float = parameter(0.003, "Light that reaches the detector through anything", low=0, high=0.2)
    seed: int = parameter(0, "Another number is other noise", low=0, high=999)


class Simulated(NamedTuple):
    """What `simulate_cell` makes."""

    spectrum: Spectrum
    moments: np.ndarray  # (M,) profiles at which the particles are shown
    particles_mm: np.ndarray  # (M, n) their radii
    across: np.ndarray  # (n,) where they are across the cell, 0 to 1
    particles_svedberg: np.ndarray  # (n,) their coefficients, negative where they cream
    distribution: pd.DataFrame  # svedberg, share (of the light that is taken), population
    table: pd.DataFrame  # a row for each population: what happens to it
    limits_mm: tuple  # meniscus and bottom


def simulate_one(kind, condition, rng, parameters=None):
    """Simulate one more measurement like those of a set.

    Parameters
    ----------
    kind : str
        ``"lfg"`` or ``"lum"``.
    condition : float or str
        A sedimentation coefficient (S) of "lfg", a class of "lum".
    rng : numpy.random.Generator
    parameters : LFG or LUM, optional
        The report's values by default.

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        If there is no such set or class.
    """
    rng = check_rng(rng)
    if kind == "lfg":
        return simulate_coefficient(float(condition), parameters or LFG(), rng)
    if kind == "lum":
        return simulate_measurement(condition, parameters or LUM(), rng).spectrum
    raise ValueError(f"kind must be 'lfg' or 'lum', got {kind!r}")


def simulate_cell(parameters):
    """Let one or two populations settle or cream, measure them, and follow some of their particles.

    Parameters
    ----------
    parameters : Simulation

    Returns
    -------
    Simulated
    """
    p = parameters
    meniscus, bottom, (first, last) = CELLS[p.shape]
    cell = Cell(meniscus, bottom, p.rpm, sector=p.shape == "sector")
    radii, times = np.linspace(first, last, RADII), p.interval_s * np.arange(1, p.profiles + 1)
    density, rows, species = np.zeros((len(times), RADII)), [], []
    for number, (median, share) in enumerate(_populations(p), start=1):
        s, parts = sizes(median, p.spread)
        diffusion = p.diffusion_cm2_s * np.sqrt(p.s_svedberg / np.abs(s))
        density += disperse(s, diffusion, p.optical_density * share * parts, cell, radii, times)
        species.append(
            pd.DataFrame({"svedberg": s, "share": share * parts, "diffusion": diffusion, "population": number})
        )
        rows.append(_tell(number, median, p, cell, remaining(s, cell, times)[-1] @ parts))
    species = pd.concat(species, ignore_index=True)
    none = np.zeros(len(times))
    scene = Scene(radii, times, density, meniscus, bottom, none, none)
    instrument = Instrument(**{name: getattr(p, name) for name in ("noise", "pattern", "lamp_drift", "stray_light")})
    values = look(scene, instrument.replace(shot_noise=0.0), generator(p.seed, "instrument"))
    moments = np.unique(np.linspace(0, len(times) - 1, MOMENTS).round().astype(int))
    walk = _walk(species, cell, times[moments], generator(p.seed, "particles"))
    return Simulated(
        Spectrum(radii, times, values, p.direction, p.rpm),
        moments,
        *walk,
        species[["svedberg", "share", "population"]],
        pd.DataFrame(rows),
        (meniscus, bottom),
    )


def tell_simulated(simulated):
    """Say in one line what happens in the cell.

    Parameters
    ----------
    simulated : Simulated

    Returns
    -------
    str
    """
    end, sentences = simulated.spectrum.times_s[-1], []
    for row in simulated.table.itertuples():
        wall, verb = ("the bottom", "settles") if row.s_svedberg > 0 else ("the meniscus", "creams")
        crossing = row.crosses_the_cell_in_s
        when = f"in {crossing:,.0f} s" + (", after the last profile" if crossing > end else "")
        sentences.append(f"What {verb} with {abs(row.s_svedberg):,.0f} S crosses the cell to {wall} {when}.")
    return " ".join(sentences)


def _populations(p):
    """Median of s and share of the light taken of each population."""
    sign = -1 if p.direction == "creaming" else 1
    found = [(sign * p.s_svedberg, 1 - p.second_share)]
    if p.second_share:
        found.append((p.second_svedberg * (-1 if p.direction == "combined" else sign), p.second_share))
    return found


def _tell(number, median, p, cell, left):
    """A row of the table: where the middle of a boundary is at the end, and how wide diffusion and spread make it."""
    start, end = (cell.meniscus_mm, cell.bottom_mm) if median > 0 else (cell.bottom_mm, cell.meniscus_mm)
    rate, time = abs(median) * SVEDBERG_S * (2 * np.pi * p.rpm / 60) ** 2, p.interval_s * p.profiles
    crossing = abs(np.log(end / start)) / rate
    moved = min(time, crossing) * rate
    at = start * np.exp(np.sign(median) * moved)
    diffusion = p.diffusion_cm2_s * np.sqrt(p.s_svedberg / abs(median))
    growth = np.sign(median) * np.expm1(np.sign(median) * 2 * moved) / rate
    return {
        "population": number,
        "s_svedberg": median,
        "crosses_the_cell_in_s": crossing,
        "boundary_at_the_end_mm": at,
        "width_by_diffusion_mm": 10 * np.sqrt(diffusion * growth),
        "width_by_spread_mm": at * moved * np.log(p.spread),
        "still_dispersed": left,
    }


def _walk(species, cell, times, rng):
    """Radii (M, n), places across and coefficients of particles that drift and diffuse between the cell's ends."""
    chosen = rng.choice(len(species), SHOWN, p=species.share / species.share.sum())
    s, diffusion = species.svedberg.to_numpy()[chosen], 100 * species.diffusion.to_numpy()[chosen]  # mm^2/s
    rate = s * SVEDBERG_S * (2 * np.pi * cell.rpm / 60) ** 2
    top, bottom, power = cell.meniscus_mm, cell.bottom_mm, 2 if cell.sector else 1
    place = (top**power + rng.random(SHOWN) * (bottom**power - top**power)) ** (1 / power)
    found, before = [], 0.0
    for time in times:
        step = (time - before) / SUBSTEPS
        for _ in range(SUBSTEPS):
            place = place * np.exp((rate * step).clip(-50, 50))
            place = place.clip(top, bottom) + np.sqrt(2 * diffusion * step) * rng.standard_normal(SHOWN)
            place = np.where(place < top, 2 * top - place, place)
            place = np.where(place > bottom, 2 * bottom - place, place).clip(top, bottom)
        found.append(place)
        before = time
    return np.array(found), rng.random(SHOWN), s
