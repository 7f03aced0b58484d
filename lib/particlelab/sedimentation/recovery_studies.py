"""Parameters of the notebook that measures spectra, and how well it recovers populations that are known."""

import numpy as np
import pandas as pd
from scipy import stats

from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import generator
from particlelab.sedimentation.boundaries import COVERAGE, GRAVITY, SVEDBERG
from particlelab.sedimentation.dispersions import Cell, Medium, diffusion_cm2_s, disperse, sizes, svedberg
from particlelab.sedimentation.instrument import Instrument, Scene, look
from particlelab.sedimentation.measurement import Measurement, examine
from particlelab.sedimentation.one_spectrum import simulate_cell
from particlelab.sedimentation.s_distribution import directions, percentile, quantile, weighted_mean
from particlelab.sedimentation.spectra import Spectrum

MENISCUS_MM, BOTTOM_MM, RADII_MM, RADII = 108.0, 129.3, (104.0, 130.0), 400
DISPERSIONS = {  # of each population: its diameter, in that of the study; its spread; its share of the light
    "monodisperse": ((1.0, 1.02, 1.0),),
    "two, 1 : 2": ((1.0, 1.03, 0.5), (2.0, 1.03, 0.5)),
    "two, 1 : 1.4": ((1.0, 1.03, 0.5), (1.4, 1.03, 0.5)),
    "two, 1 : 1.15": ((1.0, 1.03, 0.5), (1.15, 1.03, 0.5)),
    "polydisperse, 1.2": ((1.0, 1.2, 1.0),),
    "polydisperse, 1.5": ((1.0, 1.5, 1.0),),
}
UNDER_GRAVITY = ("monodisperse", "two, 1 : 1.4", "polydisperse, 1.2")
FIELDS = {"rotor": "centrifuge", "gravity": "gravity"}
MATTER = 0.02, 23.0  # g/cm^3: from gels of gas to metals
CROSSINGS = 1.3  # times that a particle of the study's diameter could cross the cell in all profiles


class RecoveryStudy(Parameters):
    """Dispersions that are known, and how they are measured."""

    diameter_nm: float = parameter(1000.0, "Diameter of the (smaller) particles", unit="nm", low=50, high=20_000)
    density_g_cm3: float = parameter(2.0, "Density of the particles", unit="g/cm^3", low=1.05, high=20)
    rpm: float = parameter(500.0, "Speed of the rotor", unit="1/min", low=100, high=60_000)
    profiles: int = parameter(100, "Profiles of a measurement", low=10, high=500)
    optical_density: float = parameter(0.8, "At the start", low=0.05, high=3)
    noise: float = parameter(0.002, "Noise of a transmission", low=0, high=0.05)
    pattern: float = parameter(0.003, "Differences between places of the wall", low=0, high=0.05)
    lamp_drift: float = parameter(0.003, "How far the lamp wanders", low=0, high=0.05)
    seeds: int = parameter(2, "Measurements of each dispersion", low=1, high=1000)
    seed: int = parameter(0, "Seed of all measurements", low=0)


def simulate_dispersion(name, study, field="rotor", number=0):
    """Simulate a measurement of a dispersion that is known.

    Parameters
    ----------
    name : str
        One of `DISPERSIONS`.
    study : RecoveryStudy
    field : {"rotor", "gravity"}
    number : int
        Another number is other noise.

    Returns
    -------
    spectrum : Spectrum
    truth : DataFrame
        ``s`` (S), ``diameter_nm``, ``share`` of the light, ``population``.
    """
    p, medium = study, Medium()
    cell = Cell(MENISCUS_MM, BOTTOM_MM, p.rpm if field == "rotor" else 0.0)
    radii = np.linspace(*RADII_MM, RADII)
    times = _crossing_s(p, cell, medium) * CROSSINGS * np.arange(1, p.profiles + 1) / p.profiles
    density, parts = np.zeros((len(times), RADII)), []
    for k, (ratio, spread, share) in enumerate(DISPERSIONS[name]):
        diameters, shares = sizes(ratio * p.diameter_nm, spread)
        s = svedberg(diameters, p.density_g_cm3, medium)
        loading = p.optical_density * share * shares
        density += disperse(s, diffusion_cm2_s(diameters, medium), loading, cell, radii, times)
        parts.append(pd.DataFrame({"s": s, "diameter_nm": diameters, "share": share * shares, "population": k + 1}))
    none = np.zeros(len(times))
    instrument = Instrument(noise=p.noise, shot_noise=0.0, pattern=p.pattern, lamp_drift=p.lamp_drift)
    rng = generator(p.seed, "recovery", name, field, number)
    values = look(Scene(radii, times, density, MENISCUS_MM, BOTTOM_MM, none, none), instrument, rng)
    return Spectrum(radii, times, values, None, cell.rpm), pd.concat(parts, ignore_index=True)


def measurement_of(study, **changes):
    """Return the `Measurement` that a study asks for: a rectangular cell, the particles' density, no class."""
    return Measurement(walls="rectangular", density_g_cm3=study.density_g_cm3, model="none").replace(**changes)


def measure_simulated(simulation, progress=None):
    """Simulate a cell (`simulate_cell`), and measure its spectrum as one of unknown particles.

    The density that is given to the measurement is that of spheres with the simulation's s and D; where no sphere has
    both, none is given.

    Parameters
    ----------
    simulation : Simulation
    progress : callable, optional

    Returns
    -------
    examined : Examined
    truth : DataFrame
        ``s``, ``density`` over ln s, ``population``.
    """
    p, medium = simulation, Medium()
    simulated = simulate_cell(p)
    diameter_nm = float(diffusion_cm2_s(1.0, medium)) / p.diffusion_cm2_s  # D goes with one over the diameter
    per_density = float(svedberg(diameter_nm, medium.density_g_cm3 + 1, medium))  # S for a difference of 1 g/cm^3
    gap = p.s_svedberg / per_density * (-1 if p.direction == "creaming" else 1)
    density = medium.density_g_cm3 + gap
    density = density if MATTER[0] < density < MATTER[1] else None
    found = examine(simulated.spectrum, Measurement(walls=p.shape, density_g_cm3=density), progress)
    return found, true_density(simulated.distribution.rename(columns={"svedberg": "s"}), "s")


def study_recovery(study, progress=None):
    """Measure dispersions that are known, in a centrifuge and under gravity.

    Parameters
    ----------
    study : RecoveryStudy
    progress : callable, optional

    Returns
    -------
    DataFrame
        A row for each ``dispersion``, ``field``, ``number`` and ``quantity``: ``truth``, ``value``, ``low``, ``high``
        (95 %), ``unit``. Quantities are the mean of s, the medians of s and of the diameter, the mean s of each
        population where as many peaks were found, and how many were.
    """
    cases = [(name, "rotor") for name in DISPERSIONS] + [(name, "gravity") for name in UNDER_GRAVITY]
    tasks, rows = [(*case, number) for case in cases for number in range(study.seeds)], []
    report = part_of(progress, 0, 1)
    for done, (name, field, number) in enumerate(tasks, start=1):
        spectrum, truth = simulate_dispersion(name, study, field, number)
        found = examine(spectrum, measurement_of(study))
        for row in _compare(found, truth):
            rows.append({"dispersion": name, "field": FIELDS[field], "number": number} | row)
        if report:
            report(done / len(tasks), f"{done} of {len(tasks)}")
    return pd.DataFrame(rows)


def summarise_recovery(table):
    """Return bias, scatter and coverage of each quantity.

    Parameters
    ----------
    table : DataFrame
        From `study_recovery`.

    Returns
    -------
    DataFrame
        ``dispersion``, ``field``, ``quantity``, ``measurements``, ``truth``, ``unit``, ``bias_percent``,
        ``scatter_percent``, ``half_width_percent`` of the intervals, and ``covered``: how many of them hold the truth.
    """
    known = table[table.quantity != "peaks"]
    rows = []
    for (name, field, quantity), part in known.groupby(["dispersion", "field", "quantity"], sort=False):
        error = 100 * (part.value / part.truth - 1)
        rows.append(
            {
                "dispersion": name,
                "field": field,
                "quantity": quantity,
                "measurements": len(part),
                "truth": part.truth.iloc[0],
                "unit": part.unit.iloc[0],
                "bias_percent": error.mean(),
                "scatter_percent": error.std(),
                "half_width_percent": (50 * (part.high - part.low) / part.truth).mean(),
                "covered": int(((part.low <= part.truth) & (part.truth <= part.high)).sum()),
            }
        )
    return pd.DataFrame(rows)


def coverage_of(table):
    """Return which share of the intervals of a table hold the truth, with its own interval (95 %, Clopper-Pearson)."""
    known = table[table.quantity != "peaks"]
    n, hits = len(known), int(((known.low <= known.truth) & (known.truth <= known.high)).sum())
    low, high = stats.binomtest(hits, n).proportion_ci(COVERAGE)
    return hits / n, float(low), float(high)


def true_density(truth, axis):
    """Return share over ln of an axis of the truth ("s" or "diameter_nm"): DataFrame of the axis and ``density``."""
    parts = []
    for _, rows in truth.groupby("population"):
        x = rows[axis].to_numpy()
        step = np.log(x[1] / x[0]) if len(x) > 1 else 1.0
        parts.append(
            pd.DataFrame({axis: x, "density": rows.share.to_numpy() / abs(step), "population": rows.population})
        )
    return pd.concat(parts, ignore_index=True)


def _crossing_s(p, cell, medium):
    """How long a particle of the study's diameter takes from meniscus to bottom."""
    s = SVEDBERG * float(svedberg(p.diameter_nm, p.density_g_cm3, medium))
    if not cell.rpm:
        return (cell.bottom_mm - cell.meniscus_mm) / 10 / (s * GRAVITY)
    return np.log(cell.bottom_mm / cell.meniscus_mm) / (s * (2 * np.pi * cell.rpm / 60) ** 2)


def _compare(found, truth):
    """Rows of one measurement: what is true, and what was found."""
    s, share = truth.s.to_numpy(), truth.share.to_numpy()
    rows = [{"quantity": "peaks", "truth": truth.population.max(), "value": len(found.species), "unit": ""}]
    rows[0] |= {"low": np.nan, "high": np.nan}
    distribution = found.distribution
    part = directions(distribution).get("sedimentation")

    def add(quantity, true, values, unit):
        rows.append(
            {"quantity": quantity, "truth": float(true), "unit": unit}
            | dict(zip(("value", "low", "high"), values, strict=True))
        )

    add("mean s", s @ share / share.sum(), weighted_mean(distribution, part), "S")
    if truth.population.max() == 1:  # between two populations a median may lie anywhere
        add("median s", quantile(s, share, 0.5), percentile(distribution, 0.5, part), "S")
        median = found.sizes.percentiles.set_index("share").loc[0.5, ["diameter_nm", "low", "high"]]
        add("median diameter", quantile(truth.diameter_nm.to_numpy(), share, 0.5), median, "nm")
    elif len(found.species) == truth.population.max():
        for k, peak in zip(sorted(truth.population.unique()), found.species.sort_values("s").itertuples(), strict=True):
            own = truth.population == k
            true = s[own] @ share[own] / share[own].sum()
            add(f"mean s of population {k}", true, (peak.s, peak.s_low, peak.s_high), "S")
            limits = (100 * peak.share, 100 * peak.share_low, 100 * peak.share_high)
            add(f"share of population {k}", 100 * share[own].sum() / share.sum(), limits, "%")
    return rows
