"""A user's own spectrum: its class, its sedimentation coefficients, its particle sizes, with intervals."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from particlelab.learning.models import shipped_models
from particlelab.parameters import parameter
from particlelab.reading import ReadError
from particlelab.sedimentation.boundaries import Estimate, absorbance, estimate_s
from particlelab.sedimentation.classifier import SHIPPED, classify
from particlelab.sedimentation.liquid import correct, find_liquid
from particlelab.sedimentation.physical_checks import mass_balance
from particlelab.sedimentation.s_distribution import (
    Distributing,
    Distribution,
    directions,
    find_species,
    percentile,
    s_distribution,
    share_of,
    weighted_mean,
    with_interval,
)
from particlelab.sedimentation.size_distribution import WEIGHTINGS, SizeDistribution, medium_of, size_distribution
from particlelab.sedimentation.spectra import Spectrum, check_spectrum
from particlelab.sedimentation.spectrum_files import SPECTRUM_ENDINGS, read_spectrum

MEASURED_ENDINGS = SPECTRUM_ENDINGS
SHARES = (0.1, 0.5, 0.9)  # percentiles of s and of sizes
MISFIT = 4.0  # times the noise that the fit may miss the data by, before that is said
OPAQUE = 0.01  # transmission at the start below which stray light hides how much is there
GONE = 0.1  # share of the light beyond a third of the reach: more may have gone before it was seen
BROAD = 2.0  # ratio of the percentiles of s above which one boundary does not tell its mean
CLEAR_SHARE = 0.25  # of the absorbance at the start: what is left of it at most where the liquid has become clear
ENDS = 0.1  # share of the radii that is the clear end
GIVEN, FROM_FILE = "given", "from the file"  # where the speed comes from
SUMMARY_COLUMNS = ["quantity", "value", "low", "high", "unit", "note"]
TABLE_COLUMNS = ["s", "weight", "density", "low", "high", "diameter_nm", "peak"]


class Measurement(Distributing):
    """How a spectrum is measured."""

    rpm: float | None = parameter(
        None, "Speed of the rotor, where the file does not say; 0: the cell stands", unit="1/min", low=0, high=200_000
    )
    weighting: Literal[WEIGHTINGS] = parameter(
        "extinction", "What sizes are weighted by: the light they take, or volume"
    )
    refractive_index: float | None = parameter(
        None, "Refractive index of the particles, for weights by volume", above=0.5, high=5
    )
    medium_index: float = parameter(1.33, "Refractive index of the medium", above=0.5, high=5)
    wavelength_nm: float = parameter(870.0, "Wavelength of the light", unit="nm", low=100, high=5000)
    model: str = parameter("default", "Classifier that ships, path of a .safetensors file, or none")


MEASUREMENT_GROUPS = {
    "Temperature and light": ("temperature_k", "weighting", "refractive_index", "medium_index", "wavelength_nm"),
    "The cell": ("direction", "meniscus_mm", "bottom_mm"),
    "The fit": ("diffusion", "wall_pattern", "lamp_drift", "species", "confidence", "resamples", "seed"),
    "The class": ("model",),
}


class Examined(NamedTuple):
    """What was measured of a spectrum, to be tabled and drawn."""

    spectrum: Spectrum
    rpm: float
    estimate: Estimate  # by the moving boundary
    distribution: Distribution | None  # None if nothing moves far enough
    species: pd.DataFrame  # peaks of the distribution
    sizes: SizeDistribution | None
    classes: dict  # probability of each class; empty if no classifier was asked
    table: pd.DataFrame  # a row for each s of the distribution
    summary: pd.DataFrame
    notes: list  # sentences: what could not be measured, or speaks against it


def measure(spectrum, **options):
    """Measure a spectrum: class, sedimentation coefficients, sizes.

    Parameters
    ----------
    spectrum : Spectrum
    **options
        Fields of `Measurement`. The speed is that of the spectrum where it has one; the density of the particles must
        be given if sizes are wanted.

    Returns
    -------
    table : DataFrame
        The distribution, a row for each ``s`` (S, negative: creaming): ``weight`` (absorbance), ``density`` over ln s
        with ``low`` and ``high`` (95 %), ``diameter_nm`` by Stokes, and the number of its ``peak``.
    summary : DataFrame
        ``quantity``, ``value``, ``low``, ``high`` (95 %), ``unit`` and ``note``: the probability of each class; s by
        the moving boundary; of each direction its share of the light, mean s and percentiles; the peaks; percentiles of
        the diameter, by the weighting that was asked for; what the mass balance drifts by; and how well the fit fits.

    Raises
    ------
    ValueError
        If no speed is known, there are too few radii or times, or sizes by volume are asked for without a refractive
        index.
    """
    found = examine(spectrum, Measurement(**options))
    return found.table, found.summary


def measure_file(path, parameters):
    """Measure a spectrum from a file, as `measure` does.

    Parameters
    ----------
    path : path
    parameters : Measurement
        The speed is that of the file where it states one, and the one given here where it does not.

    Returns
    -------
    table, summary : DataFrame

    Raises
    ------
    ReadError
        If the file cannot be read, or no speed is known.
    ValueError
        As `measure`.
    """
    found = examine(read_spectrum(path), parameters, name=str(path))
    return found.table, found.summary


def examine(spectrum, parameters, progress=None, name="the spectrum"):
    """Measure a spectrum as `measure` does, and return everything that is worth drawing.

    Parameters
    ----------
    spectrum : Spectrum
    parameters : Measurement
    progress : callable, optional
        Called with the share that is done and a text.
    name : str
        Of the file.

    Returns
    -------
    Examined

    Raises
    ------
    ReadError
        If no speed is known.
    ValueError
        As `measure`.
    """
    p, report, notes = parameters, progress or (lambda share, text: None), []
    spectrum = check_spectrum(spectrum)
    rpm = spectrum.rpm if spectrum.rpm is not None else p.rpm
    if rpm is None:
        raise ReadError(f"{name} does not say how fast the rotor was; give rpm (--rpm), 0 if the cell stood")
    if p.weighting == "volume" and (p.density_g_cm3 is None or p.refractive_index is None):
        missing = "density_g_cm3 (--density)" if p.density_g_cm3 is None else "refractive_index (--refractive-index)"
        raise ValueError(f"weights by volume need {missing}")
    report(0.05, "asking for its class")
    classes = _classify(spectrum, p, notes)
    report(0.2, "following the boundary")
    estimate = _follow(spectrum, p, rpm)
    report(0.3, "fitting the distribution")
    distribution = sizes = None
    try:
        distribution = s_distribution(spectrum, rpm, Distributing.select(p.model_dump()))
    except ValueError as error:
        notes.append(f"no distribution of s: {error}")
    species = pd.DataFrame() if distribution is None else find_species(distribution)
    if distribution is not None:
        fit = distribution.fit
        if np.nanmedian(fit.measured[0]) < OPAQUE:
            notes.append(
                "the liquid lets no light pass at the start: how much is there cannot be told, and fast particles are "
                "counted short; dilute it"
            )
        table = distribution.table
        if table.weight[table.s.abs() > fit.reach[1] / 3].sum() > GONE * table.weight.sum():
            notes.append(
                f"particles beyond {fit.reach[1]:,.0f} S have gone before the first profiles: take more of them early"
            )
        if fit.rmsd > MISFIT * fit.noise:
            notes.append(
                f"the fit misses the data by {fit.rmsd / fit.noise:.1f} times the noise: "
                "boundaries sharper than the radii, or something else than particles that settle or cream"
            )
        if p.density_g_cm3 is None:
            notes.append("no sizes: the density of the particles is not given")
        else:
            sizes = _sizes(distribution, p)
            if sizes is None:
                notes.append("no sizes: nothing moves the way that particles of this density do")
    report(0.95, "writing down")
    table = _table(distribution, species, p)
    balance = mass_balance(spectrum, rpm, cell=p.walls, direction=estimate.direction)
    rows = [*_tell_classes(classes, p), *_tell_boundary(estimate, balance, distribution, p, rpm)]
    rows += _tell_distribution(distribution, species, sizes)
    rows.append(("speed", rpm, np.nan, np.nan, "1/min", FROM_FILE if spectrum.rpm is not None else GIVEN))
    summary = pd.DataFrame(rows, columns=SUMMARY_COLUMNS)
    report(1.0, "done")
    return Examined(spectrum, float(rpm), estimate, distribution, species, sizes, classes, table, summary, notes)


def tell_examined(examined):
    """Say in one line what was measured."""
    parts = []
    if examined.classes:
        best = max(examined.classes, key=examined.classes.get)
        parts.append(f"{best} ({100 * examined.classes[best]:.0f} %)")
    if examined.distribution is not None:
        for way, part in directions(examined.distribution).items():
            value, low, high = weighted_mean(examined.distribution, part)
            share = share_of(examined.distribution, part)[0]
            if share >= 0.02:
                parts.append(
                    f"{way}: mean s {value:,.0f} S ({low:,.0f} to {high:,.0f}), {100 * share:.0f} % of the light"
                )
        parts.append(f"{len(examined.species)} peak{'s' if len(examined.species) != 1 else ''}")
    if examined.sizes is not None:
        row = examined.sizes.percentiles.set_index("share").loc[0.5]
        parts.append(f"median diameter {row.diameter_nm:,.0f} nm by {examined.sizes.weighting}")
    return "; ".join([*parts, *examined.notes])


def _classify(spectrum, p, notes):
    if p.model == "none":
        return {}
    if p.model == "default" and SHIPPED["classes"] not in shipped_models("sedimentation"):
        notes.append("no class: no classifier ships with this installation")
        return {}
    return classify(spectrum, p.model)


def _follow(spectrum, p, rpm):
    """s by the boundary, between the ends of the liquid, with what a clear cell takes of the light taken off."""
    liquid = find_liquid(spectrum, p.meniscus_mm, p.bottom_mm)
    corrected = spectrum._replace(transmission=correct(spectrum.transmission, liquid))
    inside = (spectrum.radii_mm >= liquid.limits_mm[0]) & (spectrum.radii_mm <= liquid.limits_mm[1])
    a = absorbance(corrected.transmission[:, inside])
    edge = max(3, round(ENDS * inside.sum()))
    left = min(np.median(a[-1, :edge]), np.median(a[-1, -edge:]))
    baseline = float(left) if left < CLEAR_SHARE * np.median(a[0]) else 0.0
    options = {"direction": p.direction, "limits_mm": liquid.limits_mm, "baseline": baseline}
    return estimate_s(corrected, rpm, cell=p.walls, **options)


def _sizes(distribution, p):
    medium = medium_of(p)
    return size_distribution(
        distribution, p.density_g_cm3, medium, p.weighting, p.refractive_index, p.wavelength_nm, SHARES
    )


def _table(distribution, species, p):
    if distribution is None:
        return pd.DataFrame(columns=TABLE_COLUMNS)
    from particlelab.sedimentation.sizes import stokes_diameter_nm

    table = distribution.table.copy()
    density = p.density_g_cm3
    table["diameter_nm"] = np.nan if density is None else stokes_diameter_nm(table.s, density, medium_of(p))
    table["peak"] = 0
    for number, row in enumerate(species.itertuples(), start=1):
        table.loc[table.s.between(row.first, row.last), "peak"] = number
    return table[TABLE_COLUMNS]


def _tell_classes(classes, p):
    note = f"probability, by the classifier {p.model!r}"
    return [(f"class: {name}", value, np.nan, np.nan, "", note) for name, value in classes.items()]


def _tell_boundary(estimate, balance, distribution, p, rpm):
    note = f"{estimate.direction}, by {estimate.scans} profiles"
    if distribution is not None:
        low, high = (percentile(distribution, share)[0] for share in (SHARES[0], SHARES[-1]))
        if high > BROAD * low:
            note += "; s is so broad that fast particles have passed before the boundary counts: see the distribution"
    rows = [("s by the moving boundary", estimate.s, *estimate.interval, "S", note)]
    if p.walls == "sector" and rpm:
        note = "of what is held and what has passed; 0 if no mass is lost or made"
        rows.append(("drift of the mass balance", 100 * balance.drift, np.nan, np.nan, "%", note))
    return rows


def _tell_distribution(distribution, species, sizes):
    if distribution is None:
        return []
    rows = [("absorbance", *with_interval(distribution, lambda w: w.sum(-1)), "", "of all that moves, at the start")]
    for way, part in directions(distribution).items():
        value, low, high = (100 * x for x in share_of(distribution, part))
        rows.append((f"{way}: share", value, low, high, "%", "of the light that is taken"))
        rows.append((f"{way}: mean s", *weighted_mean(distribution, part), "S", "by extinction"))
        for share in SHARES:
            rows.append(
                (f"{way}: |s|, {100 * share:g} %", *percentile(distribution, share, part), "S", "by extinction")
            )
    for number, row in enumerate(species.itertuples(), start=1):
        rows.append((f"peak {number}: mean s", row.s, row.s_low, row.s_high, "S", ""))
        share = (100 * row.share, 100 * row.share_low, 100 * row.share_high)
        rows.append((f"peak {number}: share", *share, "%", "of the light that is taken"))
    if sizes is not None:
        for row in sizes.percentiles.itertuples():
            note = f"by {sizes.weighting}, of spheres"
            rows.append((f"diameter, {100 * row.share:g} %", row.diameter_nm, row.low, row.high, "nm", note))
    fit = distribution.fit
    rows.append(
        ("misfit over noise", fit.rmsd / fit.noise if fit.noise else np.nan, np.nan, np.nan, "", "1 is perfect")
    )
    return rows
