"""The distribution of sedimentation coefficients of a spectrum: non-negative least squares over Lamm solutions.

After Schuck's c(s) (Biophys. J. 78 (2000) 1606): profiles of many species are fitted at once, their shares not negative
and smooth over ln s, as smooth as the noise allows, with what is constant in time (walls) and what is constant in
radius (the lamp) fitted along. Unlike there, diffusion follows from s and the densities instead of a frictional ratio,
creaming species stand beside sedimenting ones, and each species covers its share of the axis, not a single s.
"""

from itertools import pairwise
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.sedimentation.boundaries import CELLS, COVERAGE, DIRECTIONS, field_of
from particlelab.sedimentation.liquid import Liquid, find_liquid
from particlelab.sedimentation.s_fit import (
    Look,
    choose_smoothing,
    find_axis,
    roughness,
    solve,
    sparse,
    sum_blocks,
    thin,
)

FEWEST_TIMES = 5
LEAST = 0.03  # share of the absorbance at the start that must be seen to move
SHARE_ERROR = 0.01  # half of the interval (95 %) of a share by what the fit simplifies


class Distributing(Parameters):
    """How the distribution of sedimentation coefficients is found."""

    walls: Literal[CELLS] = parameter("sector", "Walls of the cell: along radii, or parallel")
    direction: Literal[DIRECTIONS] = parameter("auto", "Which way particles go; auto: whichever ways are seen")
    meniscus_mm: float | None = parameter(
        None, "Radius of the meniscus, where it is not to be found", unit="mm", above=0, high=1000
    )
    bottom_mm: float | None = parameter(
        None, "Radius of the bottom, where it is not to be found", unit="mm", above=0, high=1000
    )
    density_g_cm3: float | None = parameter(None, "Density of the particles", unit="g/cm^3", above=0, high=25)
    medium_g_cm3: float = parameter(0.997, "Density of the medium", unit="g/cm^3", above=0, high=5)
    viscosity_mpa_s: float = parameter(0.89, "Viscosity of the medium", unit="mPa s", above=0, high=1e5)
    temperature_k: float = parameter(298.15, "Temperature", unit="K", low=250, high=400)
    diffusion: bool = parameter(True, "Particles diffuse as spheres of their s do, if their density is known")
    wall_pattern: bool = parameter(True, "Fit what differs from radius to radius and stays in time")
    lamp_drift: bool = parameter(True, "Fit what differs from time to time alike at all radii")
    species: int = parameter(80, "Species on the axis of s", low=20, high=300)
    confidence: float = parameter(
        0.68, "How sure a worse fit must be before less smoothing is done", low=0.5, high=0.99
    )
    resamples: int = parameter(100, "Fits to resampled residuals that the intervals are made of", low=20, high=2000)
    seed: int = parameter(0, "Seed of the resampling", low=0)


class Fit(NamedTuple):
    """A spectrum, thinned out, and what was fitted to it."""

    radii_mm: np.ndarray  # (R,)
    times_s: np.ndarray  # (T,)
    measured: np.ndarray  # (T, R) transmission; NaN where layers hide it
    fitted: np.ndarray  # (T, R)
    rmsd: float  # of the transmission
    noise: float  # of the transmission, by the scatter from radius to radius
    smoothing: float  # the strength that was chosen
    liquid: Liquid
    blur_mm: float  # of the optics, as far as it was found
    resolution: float  # difference in ln s below which two boundaries are one
    reach: tuple  # smallest and largest |s| (S) that radii and times can tell


class Distribution(NamedTuple):
    """A distribution of sedimentation coefficients."""

    table: pd.DataFrame  # ``s`` (S, rising), ``weight`` (absorbance), ``density`` over ln s with ``low`` and ``high``
    samples: np.ndarray  # (resamples, species): weights of the fits to resampled data
    stretch: np.ndarray  # (resamples,) factors of s: what is not known of where boundaries began, and of the model
    fit: Fit
    parameters: Distributing
    rpm: float


def s_distribution(spectrum, rpm=None, parameters=None, **changes):
    """Find the distribution of sedimentation coefficients of a spectrum.

    Parameters
    ----------
    spectrum : Spectrum
    rpm : float, optional
        Rotor speed; that of the spectrum if it is not given; 0 is the earth's gravity.
    parameters : Distributing, optional
    **changes
        Fields of `Distributing`.

    Returns
    -------
    Distribution
        Weights are shares of the absorbance: by extinction, not by volume or number (`size_distribution`). The band and
        all intervals hold the noise of the measurement (95 %); the smoothing makes peaks wider than they are, which is
        not in them.

    Raises
    ------
    ValueError
        If the speed is neither given nor in the spectrum, there are too few radii or times, or nothing moves far enough
        in the time.
    """
    p = (parameters or Distributing()).replace(**changes)
    rpm = spectrum.rpm if rpm is None else rpm
    field_of(rpm, p.walls)
    liquid = find_liquid(spectrum, p.meniscus_mm, p.bottom_mm)
    data = thin(spectrum, liquid)
    if len(data.times_s) < FEWEST_TIMES:
        raise ValueError(f"a distribution needs at least {FEWEST_TIMES} times, got {len(data.times_s)}")
    ends_mm = spectrum.radii_mm[0], spectrum.radii_mm[-1]
    first = Look(sparse(data), liquid, p, rpm, ends_mm)
    reach = Look(data, liquid, p, rpm, ends_mm).reach()
    s, spacing = find_axis(first, p, reach)
    found = _fit(Look(data, first.liquid, p, rpm, ends_mm, first.blur_mm), s, spacing, p, reach)
    if found.table.weight.sum() < LEAST * np.median(data.absorbance[0]):
        raise ValueError("nothing is seen to move")
    return found


def directions(distribution):
    """Return the parts of the axis that sediment or cream, the heavier first: dict of str to slice."""
    s, weights = distribution.table.s.to_numpy(), distribution.table.weight.to_numpy()
    middle = int(np.searchsorted(s, 0))
    parts = {"creaming": slice(0, middle), "sedimentation": slice(middle, len(s))}
    parts = {name: part for name, part in parts.items() if part.stop > part.start}
    return dict(sorted(parts.items(), key=lambda item: -weights[item[1]].sum()))


def weighted_mean(distribution, part=None):
    """Return mean s (S), and its interval, of a part of the species: of the heavier direction by default.

    Returns
    -------
    value, low, high : float
    """
    part = part or next(iter(directions(distribution).values()))
    s = distribution.table.s.to_numpy()[part]
    return with_interval(distribution, lambda w: _ratio(w[..., part] @ s, w[..., part].sum(-1)), power=1.0)


def percentile(distribution, share, part=None):
    """Return |s| (S) below which a share (0 to 1) of the absorbance lies, with its interval, as `weighted_mean`."""
    part = part or next(iter(directions(distribution).values()))
    size = np.abs(distribution.table.s.to_numpy()[part])
    return with_interval(distribution, lambda w: quantile(size, w[..., part], share), power=1.0)


def share_of(distribution, part):
    """Return which share of the absorbance a part of the species has, with its interval."""
    value, low, high = with_interval(distribution, lambda w: _ratio(w[..., part].sum(-1), w.sum(-1)))
    apart = np.hypot((high - low) / 2, SHARE_ERROR)
    return value, max(value - apart, 0.0), min(value + apart, 1.0)


def with_interval(distribution, function, power=0.0):
    """Return a quantity of the weights with its interval (95 %).

    Parameters
    ----------
    distribution : Distribution
    function : callable
        ``function(weights)`` gives a number of each row (..., species).
    power : float
        With which power of s the quantity goes: 1 for an s, 0.5 for a diameter.

    Returns
    -------
    value, low, high : float
        The interval reaches as far on either side as 95 % of the resampled values lie.
    """
    value = float(function(distribution.table.weight.to_numpy()))
    several = function(distribution.samples) * distribution.stretch**power
    if not np.isfinite(value) or not np.isfinite(several).any():
        return value, np.nan, np.nan
    apart = float(np.nanquantile(np.abs(several - value), COVERAGE))
    return value, value - apart, value + apart


def quantile(sizes, weights, share):
    """Return the size below which a share of the weights (..., n) lies; in between, by the logarithm."""
    order = np.argsort(sizes)
    sizes, weights = sizes[order], weights[..., order]
    middle = np.cumsum(weights, axis=-1) - weights / 2
    course = _ratio(middle, np.broadcast_to(weights.sum(-1, keepdims=True), middle.shape))
    rows = np.atleast_2d(course)
    place = np.array([np.interp(share, row, np.log(sizes)) if np.isfinite(row).all() else np.nan for row in rows])
    return np.exp(place).reshape(course.shape[:-1])


def find_species(distribution, least=0.02):
    """Tell the peaks of a distribution apart; two that are nearer than radii and times can tell are one.

    Parameters
    ----------
    distribution : Distribution
    least : float
        Smaller shares are left out.

    Returns
    -------
    DataFrame
        A row for each peak: ``s`` (mean, S) and ``share`` of the absorbance, each with ``_low`` and ``_high`` (95 %),
        and ``first`` and ``last`` (S) between which it lies.
    """
    s, weights = distribution.table.s.to_numpy(), distribution.table.weight.to_numpy()
    rows = []
    for part in _peaks(s, weights, distribution.fit.resolution):
        share = share_of(distribution, part)
        if share[0] >= least:
            rows.append((*weighted_mean(distribution, part), *share, s[part][0], s[part][-1]))
    names = ["s", "s_low", "s_high", "share", "share_low", "share_high", "first", "last"]
    return pd.DataFrame(rows, columns=names)


def _fit(look, s, spacing, p, reach):
    aim, rough = look.prepare(), roughness(s)
    rows = look.reduce(look.profiles(s, spacing))
    gram, seen = rows @ rows.T, rows @ aim
    smoothing = choose_smoothing(gram, seen, aim @ aim, rough, int((look.squares > 0).sum()), p)
    weights = solve(gram, seen, smoothing * rough)
    residual = aim - weights @ rows
    pushes = sum_blocks(rows * residual, look.data.weight.shape)  # of each block's residuals on each species
    rng = generator(p.seed, "s distribution")
    signs = rng.choice([-1.0, 1.0], (p.resamples, pushes.shape[1]))
    stretch = 1 + look.misplaced(s, weights) * rng.standard_normal(p.resamples)
    samples = np.array([solve(gram, gram @ weights + pushes @ sign, smoothing * rough) for sign in signs])
    apart = np.quantile(np.abs(samples - weights), COVERAGE, axis=0)
    low, high = (weights - apart).clip(0) / spacing, (weights + apart) / spacing
    table = pd.DataFrame({"s": s, "weight": weights, "density": weights / spacing, "low": low, "high": high})
    about = (float(smoothing), look.liquid, look.blur_mm, look.resolution(s, weights), reach)
    return Distribution(table, samples, stretch, _back(look, residual, about), p, float(look.rpm))


def _back(look, residual, about):
    """The fit in transmissions."""
    data = look.data
    seen = data.weight > 0
    apart = np.divide(residual.reshape(seen.shape), data.weight, out=np.zeros(seen.shape), where=seen)
    measured = np.where(seen, data.transmission, np.nan)
    fitted = np.where(seen, 10.0 ** -(data.absorbance - apart), np.nan)
    rmsd = float(np.sqrt(np.nanmean((measured - fitted) ** 2)))
    return Fit(data.radii_mm, data.times_s, measured, fitted, rmsd, data.noise, *about)


def _ratio(a, b):
    return np.divide(a, b, out=np.full(np.shape(a), np.nan), where=np.asarray(b) > 0)


def _peaks(s, weights, resolution):
    """Slices of the axis that belong to one peak each: between valleys, of one direction, and not too near."""
    smooth, parts = ndimage.gaussian_filter1d(weights, 1.0), []
    for way in (-1, 1):
        own = np.flatnonzero(np.sign(s) == way)
        if not len(own):
            continue
        w = smooth[own]
        tops = [
            k
            for k in range(len(w))
            if w[k] > 0 and w[k] >= w[max(k - 1, 0)] and w[k] > (w[k + 1] if k + 1 < len(w) else 0)
        ]
        tops = _distinct(w, tops, np.log(np.abs(s[own])), resolution)
        ends = [0, *(a + int(np.argmin(w[a:b])) for a, b in pairwise(tops)), len(w)]
        parts += [slice(own[0] + a, own[0] + b) for a, b in pairwise(ends) if b > a and tops]
    return parts


def _distinct(w, tops, place, resolution):
    """Tops that are as far apart as can be told, with a valley of less than half of the lower one between each two."""
    kept = []
    for top in tops:
        while kept and (
            w[kept[-1] : top].min() > 0.5 * min(w[kept[-1]], w[top]) or abs(place[top] - place[kept[-1]]) < resolution
        ):
            if w[top] <= w[kept[-1]]:
                top = None
                break
            kept.pop()
        if top is not None:
            kept.append(top)
    return kept
