"""How far each sizing method is from the truth: simulated aggregates with known primaries, measured by all."""

import math
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import model_validator

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import log_uniform
from particlelab.soot.corrections import CORRECTIONS, Correction
from particlelab.soot.growth import simulate_aggregate
from particlelab.soot.micrographs import Micrograph, Scene, render
from particlelab.soot.primaries import METHODS, size_primaries

MOST_REDRAWS = 200  # in a row, of aggregates that need more than the largest frame


class Calibration(Parameters):
    """Aggregates to calibrate with; each value is drawn from its range, dp and N evenly in their logarithm."""

    aggregates: int = parameter(300, "Aggregates to simulate", low=4, high=100_000)
    dp_least_nm: float = parameter(10.0, "Smallest primary diameter", unit="nm", above=0, high=1000)
    dp_greatest_nm: float = parameter(50.0, "Largest primary diameter", unit="nm", above=0, high=1000)
    n_least: int = parameter(5, "Fewest primaries", low=1, high=1000)
    n_greatest: int = parameter(300, "Most primaries", low=1, high=1000)
    gsd_greatest: float = parameter(1.4, "Largest geometric standard deviation; the smallest is 1", low=1, high=2)
    pixel_least_nm: float = parameter(0.3, "Finest pixel", unit="nm", above=0, high=10)
    pixel_greatest_nm: float = parameter(1.0, "Coarsest pixel", unit="nm", above=0, high=10)
    overlap_greatest: float = parameter(
        0.15, "Largest overlap of touching primaries; the smallest is 0", low=0, high=0.4
    )
    fractal_dimension: float = parameter(1.78, "Df of N = kf (Rg / rp)^Df", low=1.5, high=2.5)
    prefactor: float = parameter(1.3, "kf of N = kf (Rg / rp)^Df", low=1, high=2)
    frame_px: int = parameter(
        2048, "Largest frame; aggregates that need more are drawn again", unit="px", low=64, high=4096
    )

    @model_validator(mode="after")
    def _ranges(self):
        for least, greatest in (
            ("dp_least_nm", "dp_greatest_nm"),
            ("n_least", "n_greatest"),
            ("pixel_least_nm", "pixel_greatest_nm"),
        ):
            low, high = getattr(self, least), getattr(self, greatest)
            if low > high:
                raise ValueError(f"{least} = {low:g} must not be more than {greatest} = {high:g}")
        return self


class Recovery(Parameters):
    """How well the sizing methods find known primary diameters."""

    sizers: tuple[Literal[tuple(METHODS)], ...] = parameter(
        ("hough", "edm_sbs", "pcm", "edm_ws", "network"), "Sizing methods"
    )
    aggregates: int = parameter(40, "Aggregates to simulate and to size", low=4, high=100_000)
    seed: int = parameter(0, "Seed of the aggregates", low=0)


def calibrate(parameters, rng, methods=tuple(METHODS), progress=None):
    """Measure simulated aggregates by each method.

    Each aggregate is alone in a simulated micrograph (`render`: Beer-Lambert contrast, correlated noise,
    film, fringe, all as in real images) and is measured with its true mask.

    Parameters
    ----------
    parameters : Calibration
    rng : numpy.random.Generator
    methods : sequence of str
    progress : callable, optional
        Called with the share that is done, after each aggregate.

    Returns
    -------
    DataFrame
        One row an aggregate: the truth (``dp_nm``, the geometric mean of its spheres; ``n_primaries``, ``gsd``,
        ``overlap``), ``pixel_size_nm``, ``da_nm``, and ``<method>_nm``, not corrected, NaN where there is none.

    Raises
    ------
    ValueError
        If the aggregates do not fit into the largest frame, or cannot hold their fractal law.
    """
    rows, redrawn = [], 0
    while len(rows) < parameters.aggregates:
        truth, centres, radii = _draw(parameters, rng)
        pixel = truth["pixel_size_nm"]
        size = np.ceil(np.ptp(np.vstack([centres + radii[:, None], centres - radii[:, None]]), axis=0) / pixel)[:2] + 60
        if size.max() > parameters.frame_px:
            redrawn += 1
            if redrawn == MOST_REDRAWS:
                raise ValueError(
                    f"frame_px = {parameters.frame_px} is too small: {redrawn} aggregates in a row need more, "
                    f"the last one {size.max():.0f} px"
                )
            continue
        redrawn = 0
        width, height = (int(max(64, n)) for n in size)
        frame = Micrograph(pixel_size_nm=pixel, width_px=width, height_px=height, overlap=truth["overlap"])
        picture = render(lone_scene(centres, radii, width, height, pixel), frame, rng)
        truth["da_nm"] = math.sqrt(4 * np.count_nonzero(picture.mask) / math.pi) * pixel
        for method in methods:
            sizes = size_primaries(picture.image, picture.mask, pixel, method)
            truth[f"{method}_nm"] = sizes.dp_nm[0] if len(sizes) == 1 else np.nan
        rows.append(truth)
        if progress:
            progress(len(rows) / parameters.aggregates)
    return pd.DataFrame(rows)


def fit_corrections(table):
    """Return the `Correction` of each method that was measured in a table of `calibrate`."""
    corrections = {}
    for method in _methods(table):
        known = table[table[f"{method}_nm"] > 0]
        corrections[method] = Correction.fit(known[f"{method}_nm"], known.dp_nm, known.da_nm)
    return corrections


def score_calibration(table, corrections=None):
    """Compare measured with true primary diameters, before and after correction.

    Parameters
    ----------
    table : DataFrame
        From `calibrate`; not the one that the corrections were fitted to.
    corrections : dict of Correction, optional
        By method; by default those that `size_primaries` uses.

    Returns
    -------
    DataFrame
        One row a ``method``, ``diameter`` ("raw", "calibrated") and ``group`` of aggregates (all, thirds of the
        logarithmic range of dp and of N): ``aggregates``, ``missing`` (without a diameter), ``bias`` (geometric mean of
        measured / true, less 1), ``bias_error`` (its standard error), ``scatter`` (geometric standard deviation
        of measured / true, less 1).
    """
    corrections = CORRECTIONS if corrections is None else corrections
    groups = (
        {"all": np.ones(len(table), bool)}
        | _thirds(table.dp_nm, "dp {} to {} nm")
        | _thirds(table.n_primaries, "N {} to {}")
    )
    rows = []
    for method in _methods(table):
        raw = table[f"{method}_nm"]
        for diameter, measured in (("raw", raw), ("calibrated", corrections[method](raw, table.da_nm))):
            for group, chosen in groups.items():
                error = np.log(measured / table.dp_nm)[chosen].dropna()
                row = {"method": method, "diameter": diameter, "group": group, "aggregates": int(chosen.sum())}
                row |= {"missing": int(chosen.sum()) - len(error), "bias": np.expm1(error.mean())}
                row |= {"bias_error": error.std() / math.sqrt(max(len(error), 1)), "scatter": np.expm1(error.std())}
                rows.append(row)
    return pd.DataFrame(rows)


def _methods(table):
    return [method for method in METHODS if f"{method}_nm" in table]


def _thirds(values, name):
    edges = np.geomspace(values.min(), values.max(), 4)
    which = np.digitize(values, edges[1:-1])
    return {name.format(f"{edges[k]:.0f}", f"{edges[k + 1]:.0f}"): which == k for k in range(3)}


def _draw(parameters, rng):
    p = parameters
    dp, n = log_uniform(rng, p.dp_least_nm, p.dp_greatest_nm), round(log_uniform(rng, p.n_least, p.n_greatest))
    gsd, overlap = rng.uniform(1, p.gsd_greatest), rng.uniform(0, p.overlap_greatest)
    centres, radii = simulate_aggregate(n, p.fractal_dimension, p.prefactor, dp, gsd, rng, overlap)
    truth = {"dp_nm": dp, "n_primaries": n, "gsd": gsd, "overlap": overlap}
    truth["pixel_size_nm"] = rng.uniform(p.pixel_least_nm, p.pixel_greatest_nm)
    return truth, centres, radii


def lone_scene(centres, radii, width, height, pixel):
    """Return the scene of one aggregate whose upright box lies in the middle of a frame."""
    low, high = (centres - radii[:, None]).min(axis=0), (centres + radii[:, None]).max(axis=0)
    middle = np.array([(width - 1) / 2, (height - 1) / 2, 0.0]) * pixel
    x, y, z = (centres - (low + high) / 2 + middle).T
    spheres = {"primary": np.arange(1, len(radii) + 1), "aggregate": 1, "x_nm": x, "y_nm": y, "z_nm": z, "r_nm": radii}
    return Scene(pd.DataFrame(spheres))
