"""The measured set of the report, "LUM", drawn anew: polydisperse dispersions in an analytical centrifuge."""

import math
from typing import NamedTuple

import numpy as np

from particlelab.parameters import Parameters, parameter
from particlelab.processes import each
from particlelab.randomness import check_rng, generator, log_uniform
from particlelab.sedimentation.dispersions import (
    Cell,
    Medium,
    Population,
    Settled,
    extinction_per_mm,
    settle,
    svedberg,
)
from particlelab.sedimentation.instrument import Instrument, Scene, look
from particlelab.sedimentation.spectra import CLASSES, Spectrum

OTHERS = ("stable", "changing", "consolidating", "leaking", "bubbles")  # kinds of "other"
MEDIA = {
    "water": Medium(0.997, 0.89, 1.33),
    "salt water": Medium(1.10, 1.1, 1.36),
    "ethanol": Medium(0.785, 1.07, 1.36),
    "glycerol and water": Medium(1.12, 5.0, 1.40),
    "polymer in water": Medium(1.00, 8.0, 1.335),
}
SOLIDS = {  # density (g/cm^3), refractive index
    "polystyrene": (1.05, 1.58),
    "yeast": (1.10, 1.41),
    "PMMA": (1.19, 1.48),
    "melamine": (1.51, 1.66),
    "silica": (2.0, 1.45),
    "clay": (2.65, 1.56),
    "limestone": (2.71, 1.60),
    "alumina": (3.95, 1.76),
    "titania": (4.23, 2.6),
    "barite": (4.5, 1.64),
}
DROPS = {
    "hollow glass": (0.6, 1.45),
    "hexadecane": (0.77, 1.43),
    "paraffin oil": (0.85, 1.47),
    "sunflower oil": (0.92, 1.47),
    "milk fat": (0.92, 1.46),
    "wax": (0.94, 1.44),
    "silicone oil": (0.965, 1.40),
}
SPEEDS = (300, 500, 1000, 1500, 2000, 2300, 3000, 4000)  # 1/min
PROFILES = (60, 80, 100, 120, 150, 200, 255)
VISIBLE = 0.06  # difference in transmission by which a front is seen
HIDDEN = 0.03  # by which one is not
LONGEST_S, SHORTEST_INTERVAL_S = 100_000, 1.0
CLEAR, DILUTE, DENSE = (0.12, 1.5), (0.12, 4.0), (4.0, 60.0)  # optical densities at the start
DENSEST = 0.2  # volume fraction
MOVES = {"stable": 0.001, "changing": 0.002, "consolidating": 1.0, "leaking": 0.02, "bubbles": 0.01}  # of the column
TRIES = 1000


class LUM(Parameters):
    """The set: how many measurements of each class, where they are taken, and how good they are."""

    sedimentation: int = parameter(275, "Measurements in which particles settle", low=0, high=1_000_000)
    creaming: int = parameter(125, "Measurements in which particles cream", low=0, high=1_000_000)
    combined: int = parameter(49, "Measurements in which some settle and some cream", low=0, high=1_000_000)
    other: int = parameter(14, "Measurements of anything else", low=0, high=1_000_000)
    first_mm: float = parameter(104.0, "Smallest radius", unit="mm", low=10, high=1000)
    last_mm: float = parameter(130.0, "Largest radius", unit="mm", low=10, high=1000)
    least_radii: int = parameter(240, "Fewest radii of a measurement", low=16, high=10_000)
    most_radii: int = parameter(520, "Most radii of a measurement", low=16, high=10_000)
    noise: float = parameter(0.002, "Noise of a transmission, in the middle of all measurements", low=0, high=0.1)
    traces: float = parameter(
        0.12, "Share of measurements with a trace of particles that go the other way", low=0, high=1
    )


class Measured(NamedTuple):
    """A measurement, and what is behind it."""

    spectrum: Spectrum
    kind: str  # its class, or of which kind an "other" is
    populations: list  # of Population
    medium: Medium
    cell: Cell


def simulate_lum(parameters=None, rng=None, *, workers=1, progress=None):
    """Simulate a set like the report's "LUM": 463 measurements in four classes.

    Parameters
    ----------
    parameters : LUM, optional
        The report's numbers by default.
    rng : numpy.random.Generator, optional
        Of seed 0 by default.
    workers : int
        Processes.
    progress : callable, optional

    Returns
    -------
    list of Spectrum
        Class by class, in the order of `CLASSES`.
    """
    p = parameters or LUM()
    rng = check_rng(generator(0, "lum") if rng is None else rng)
    kinds = list_kinds(p)
    tasks = [(kind, p, stream) for kind, stream in zip(kinds, rng.spawn(len(kinds)), strict=True)]
    found = [None] * len(tasks)
    for index, measured in each(simulate_measurement, tasks, workers, progress):
        found[index] = measured.spectrum
    return found


def list_kinds(parameters):
    """Return the kind of each measurement of a set: its class, and of "other" one kind after the other.

    Parameters
    ----------
    parameters : LUM

    Returns
    -------
    list of str
    """
    kinds = [kind for kind in CLASSES[:3] for _ in range(getattr(parameters, kind))]
    return kinds + [OTHERS[number % len(OTHERS)] for number in range(parameters.other)]


def simulate_measurement(kind, parameters, rng):
    """Draw a dispersion of a class, and measure it.

    Parameters
    ----------
    kind : str
        One of `CLASSES`, or one of `OTHERS`.
    parameters : LUM
    rng : numpy.random.Generator

    Returns
    -------
    Measured

    Raises
    ------
    ValueError
        If there is no such class.
    """
    if kind not in (*CLASSES, *OTHERS):
        raise ValueError(f"condition must be one of {', '.join((*CLASSES, *OTHERS))}, got {kind!r}")
    if kind == "other":
        kind = OTHERS[rng.integers(len(OTHERS))]
    for _ in range(TRIES):
        cell, radii = _draw_cell(parameters, rng)
        drawn = _draw_dispersion(kind, cell, parameters, rng)
        if drawn is None:
            continue
        populations, medium, cell, times = drawn
        if kind in OTHERS:
            scene = _DISTURB[kind](populations, medium, cell, radii, times, rng)
            break
        settled = settle(populations, medium, cell, radii, times)
        if _is_seen(kind, settled.optical_density, radii, cell):
            scene = _scene(settled, cell, radii, times)
            break
    else:
        raise RuntimeError(f"no measurement of the class {kind!r} was found in {TRIES} tries")
    values = look(scene, _draw_instrument(parameters, rng), rng)
    label = "other" if kind in OTHERS else kind
    return Measured(Spectrum(radii, times, values, label, float(cell.rpm)), kind, populations, medium, cell)


def _draw_cell(p, rng):
    radii = np.linspace(
        p.first_mm + rng.uniform(0, 0.8), p.last_mm - rng.uniform(0, 0.4), rng.integers(p.least_radii, p.most_radii + 1)
    )
    length = p.last_mm - p.first_mm
    meniscus = p.first_mm + length * rng.triangular(0.07, 0.15, 0.45)
    bottom = p.last_mm - rng.uniform(0.6, 1.2)
    path = rng.choice([2.0, 10.0], p=[0.8, 0.2])
    return Cell(meniscus, bottom, float(rng.choice(SPEEDS)), path), np.round(radii, 4)


def _draw_instrument(p, rng):
    clear = rng.uniform(0.86, 0.99)
    return Instrument(
        noise=p.noise * rng.lognormal(0, 0.4),
        shot_noise=p.noise * rng.lognormal(0, 0.4),
        pattern=rng.lognormal(math.log(0.003), 0.5),
        lamp_drift=rng.lognormal(math.log(0.003), 0.7),
        stray_light=rng.uniform(0.001, 0.015),
        blur_mm=rng.uniform(0.05, 0.12),
        clear=clear,
        air=clear * rng.uniform(0.85, 1.0),
        meniscus_depth=rng.uniform(0.6, 0.98),
        meniscus_mm=rng.uniform(0.1, 0.3),
    )


def _draw_dispersion(kind, cell, p, rng):
    """Populations, medium, cell and times; None where they do not fit together."""
    medium = MEDIA[rng.choice(list(MEDIA), p=[0.6, 0.1, 0.1, 0.1, 0.1])]
    density = log_uniform(rng, *_densities(kind, rng))
    count = rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15])
    if kind == "combined":
        first = rng.uniform(0.25, 0.75)
        parts = [(SOLIDS, first), (DROPS, 1 - first)]
    else:
        main, rest = (DROPS, SOLIDS) if kind == "creaming" else (SOLIDS, DROPS)
        if kind in OTHERS and rng.random() < 0.4:
            main = DROPS
        parts = [(main, share) for share in rng.dirichlet(np.full(count, 2.0))]
        if kind in CLASSES and rng.random() < p.traces:
            parts.append((rest, rng.uniform(0.01, 0.06)))
    populations, middle = [], None
    for number, (materials, share) in enumerate(parts):
        material = materials[rng.choice(list(materials))] if number == 0 or kind == "combined" else None
        if material is None:
            material = populations[0][3:] if materials is parts[0][0] else materials[rng.choice(list(materials))]
        if (material[0] - medium.density_g_cm3) * (1 if materials is SOLIDS else -1) < 0.008:
            return None
        if abs(material[1] - medium.refractive_index) < 0.02:
            return None
        middle = middle or log_uniform(rng, 120, 20_000)
        diameter = middle * (math.exp(rng.normal(0, 0.8)) if number else 1)
        spread = math.exp(rng.uniform(0.03, 0.6))
        taken = extinction_per_mm(diameter, material[1], medium, cell.wavelength_nm) * cell.path_mm / math.log(10)
        populations.append(Population(diameter, spread, share * density / taken, *material))
    if sum(p.volume_fraction for p in populations) > DENSEST:
        return None
    times = _draw_times(kind, populations, medium, cell, rng)
    return None if times is None else (populations, medium, cell, times)


def _densities(kind, rng):
    if kind in ("changing", "bubbles"):  # which a dark dispersion would hide
        return CLEAR
    return DENSE if rng.random() < 0.25 else DILUTE


def _draw_times(kind, populations, medium, cell, rng):
    """Times at which enough happens, as an operator would choose them; None where that cannot be."""
    ways = math.log(cell.bottom_mm / cell.meniscus_mm) / (2 * math.pi * cell.rpm / 60) ** 2
    speeds = [abs(float(svedberg(p.diameter_nm, p.density_g_cm3, medium))) * 1e-13 for p in populations]
    crossing = [ways / speed for speed in speeds]  # s, from meniscus to bottom
    if kind in OTHERS:
        duration = min(log_uniform(rng, 600, LONGEST_S), rng.uniform(0, MOVES[kind]) * min(crossing))
    else:
        duration = log_uniform(rng, 0.4, 8) * crossing[0]
    if kind == "combined" and not 0.4 <= duration / crossing[1] <= 8:
        return None
    count = int(rng.choice(PROFILES))
    interval = duration / count
    if interval < SHORTEST_INTERVAL_S or duration > LONGEST_S:
        return None
    interval = round(interval) if interval < 20 else 5 * round(interval / 5)
    steps = np.full(count, float(interval))
    if rng.random() < 0.2:  # a second part in larger steps
        steps[int(count * rng.uniform(0.3, 0.7)) :] *= rng.choice([2, 3, 5])
    return np.cumsum(steps) if steps.sum() <= LONGEST_S else None


def _is_seen(kind, optical_density, radii, cell):
    """Whether the fronts that make the class are to be seen, and no other is."""
    inside = (radii > cell.meniscus_mm) & (radii < cell.bottom_mm)
    values = 10.0 ** -optical_density[:, inside]
    edge = max(1, inside.sum() // 12)
    darkest = values.min(1)
    clears = {
        "sedimentation": (values[:, :edge].mean(1) - darkest).max(),
        "creaming": (values[:, -edge:].mean(1) - darkest).max(),
    }
    if kind == "combined":
        return min(clears.values()) >= 1.5 * VISIBLE
    other = clears["creaming" if kind == "sedimentation" else "sedimentation"]
    return clears[kind] >= VISIBLE and other <= HIDDEN


def _scene(settled, cell, radii, times, meniscus_mm=None):
    meniscus = cell.meniscus_mm if meniscus_mm is None else meniscus_mm
    layers = settled.sediment_mm, settled.cream_mm
    return Scene(radii, times, settled.optical_density, meniscus, cell.bottom_mm, *layers)


def _stable(populations, medium, cell, radii, times, rng):
    """Nothing moves."""
    return _scene(settle(populations, medium, cell, radii, times), cell, radii, times)


def _changing(populations, medium, cell, radii, times, rng):
    """Particles dissolve, or grow together, everywhere alike."""
    settled = settle(populations, medium, cell, radii, times)
    share = -np.expm1(-times / (times[-1] * log_uniform(rng, 0.1, 1.5)))
    factor = 1 + share * (rng.uniform(-0.95, -0.5) if rng.random() < 0.6 else rng.uniform(0.8, 3))
    return _scene(settled._replace(optical_density=settled.optical_density * factor[:, None]), cell, radii, times)


def _consolidating(populations, medium, cell, radii, times, rng):
    """A network of particles that touch is pressed together: a sharp edge that comes to rest."""
    height = cell.bottom_mm - cell.meniscus_mm
    begun = times[-1] * rng.uniform(0, 0.2)
    course = -np.expm1(-(times - begun).clip(0) / (times[-1] * rng.uniform(0.08, 0.35)))
    top = cell.meniscus_mm + height * rng.uniform(0.25, 0.7) * course
    density = rng.uniform(2.5, 4) * height / (cell.bottom_mm - top)
    network = (radii >= top[:, None]) & (radii <= cell.bottom_mm)
    above = rng.uniform(0.01, 0.1) * ((radii >= cell.meniscus_mm) & (radii < top[:, None]))
    none = np.zeros(len(times))
    return _scene(Settled(np.where(network, density[:, None], above), none, none, none + 1), cell, radii, times)


def _leaking(populations, medium, cell, radii, times, rng):
    """The cell loses its liquid: the meniscus falls."""
    settled = settle(populations, medium, cell, radii, times)
    height = cell.bottom_mm - cell.meniscus_mm
    course = (times / times[-1]) ** rng.uniform(0.5, 1.5)
    meniscus = cell.meniscus_mm + height * rng.uniform(0.2, 0.7) * course
    return _scene(settled._replace(cream_mm=0 * course), cell, radii, times, meniscus)


def _bubbles(populations, medium, cell, radii, times, rng):
    """Bubbles on the wall, which come and go."""
    settled = settle(populations, medium, cell, radii, times)
    density = settled.optical_density.copy()
    for _ in range(rng.integers(4, 12)):
        begin, end = np.sort(rng.uniform(-0.2, 1.2, 2)) * times[-1]
        place = rng.uniform(cell.meniscus_mm + 0.5, cell.bottom_mm - 0.5) - rng.exponential(1.0) * times / times[-1]
        there = ((times > begin) & (times < end))[:, None]
        distance = (radii - place[:, None]) / rng.uniform(0.15, 0.7)
        density += rng.uniform(0.3, 1.5) * there * np.exp(-(distance**2) / 2) * (radii > cell.meniscus_mm)
    return _scene(settled._replace(optical_density=density), cell, radii, times)


_DISTURB = dict(zip(OTHERS, (_stable, _changing, _consolidating, _leaking, _bubbles), strict=True))
