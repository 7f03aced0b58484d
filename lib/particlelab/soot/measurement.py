"""One micrograph, measured: mask, aggregates, primary particles, and a summary with intervals."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import create_model

from particlelab.measure import fit_lognormal
from particlelab.parameters import Parameters, compose, parameter, part
from particlelab.soot.aggregates import analyse_aggregates
from particlelab.soot.masks import SegmentationFailure
from particlelab.soot.powerlaw import fit_power_law
from particlelab.soot.primaries import METHODS as SIZERS
from particlelab.soot.primaries import size_primaries
from particlelab.soot.segmentation import METHODS as CLASSIFIERS
from particlelab.soot.segmentation import segment


class _Choices(Parameters):
    classifier: Literal[tuple(CLASSIFIERS)] = parameter("threshold", "How soot is told from background")
    sizer: Literal[tuple(SIZERS)] = parameter("pcm", "How primary particles are sized")
    pixel_size_nm: float = parameter(
        0.536, "Edge of a pixel, where the file does not say", unit="nm", above=0, high=1000
    )
    calibrated: bool = parameter(True, "Correct primary sizes by the calibration against simulated aggregates")
    minimum_pixels: int = parameter(1000, "Smaller aggregates are left out", unit="px", low=0, high=10_000_000)
    keep_border: bool = parameter(False, "Keep aggregates that are cut by the border")


_PARTS = {name: kind for methods in (CLASSIFIERS, SIZERS) for name, (kind, _) in methods.items()}

# How a micrograph is measured: the choices above and every option of every method, such as ``otsu_closing_nm``.
Measurement = compose("Measurement", _Choices, **_PARTS)


def measurement_of(names):
    """Return `Measurement` with one field more: ``micrograph``, one of some names, the first by default."""
    names = tuple(names)
    field = (Literal[names], parameter(names[0], "Which of the micrographs"))
    return create_model("MeasurementOf", __base__=Measurement, micrograph=field)


MEASUREMENT_GROUPS = {
    "What counts": ("calibrated", "minimum_pixels", "keep_border"),
    **{f"Options of {name}": tuple(f"{name}_{field}" for field in kind.model_fields) for name, kind in _PARTS.items()},
}


def measure(image, pixel_size_nm, **options):
    """Segment a micrograph and measure its aggregates and primary particles.

    Parameters
    ----------
    image : (H, W) array_like
        Grey levels, footer cut off; aggregates are dark.
    pixel_size_nm : float
    **options
        Fields of `Measurement`, such as ``classifier="kmeans"``, ``sizer="hough"``, ``minimum_pixels=0``.

    Returns
    -------
    table : DataFrame
        One row an aggregate, as `analyse_aggregates`, with ``dp_nm`` and ``gsd`` of its primary particles.
    summary : DataFrame
        As `summarise`.

    Raises
    ------
    ValueError
        See `segment` and `size_primaries`.
    SegmentationFailure
        If the mask cannot be right; it carries the mask.
    """
    parameters = Measurement(**{"pixel_size_nm": pixel_size_nm, **options})
    table = _tabulate(image, _segment(image, pixel_size_nm, parameters), pixel_size_nm, parameters)
    return table, summarise(table)


class Examination(NamedTuple):
    """Everything that was found in a micrograph, to be drawn."""

    image: np.ndarray  # (H, W)
    pixel_size_nm: float
    mask: np.ndarray  # (H, W) bool
    table: pd.DataFrame
    summary: pd.DataFrame
    failure: str  # why the mask cannot be trusted; empty if it can


def examine(image, pixel_size_nm, parameters):
    """Measure a micrograph as `measure` does, but keep the mask, also one that cannot be right.

    Parameters
    ----------
    image : (H, W) array_like
    pixel_size_nm : float
    parameters : Measurement

    Returns
    -------
    Examination

    Raises
    ------
    ValueError
        See `segment` and `size_primaries`; no failed mask raises.
    """
    failure = ""
    try:
        mask = _segment(image, pixel_size_nm, parameters)
    except SegmentationFailure as error:
        mask, failure = error.mask, str(error)
    table = _tabulate(image, mask, pixel_size_nm, parameters)
    return Examination(image, pixel_size_nm, mask, table, summarise(table), failure)


def tabulate(image, mask, pixel_size_nm, sizers, minimum_pixels=0, keep_border=False, calibrated=False, options=None):
    """Measure the aggregates of a mask and size their primaries by several methods.

    Parameters
    ----------
    image : (H, W) array_like
    mask : (H, W) bool array_like
    pixel_size_nm : float
    sizers : sequence of str
        Methods of `size_primaries`.
    minimum_pixels : int
        Smaller aggregates are left out.
    keep_border : bool
        Keep aggregates that touch the border, whose size is not known.
    calibrated : bool
    options : dict of str to dict, optional
        By sizing method.

    Returns
    -------
    DataFrame
        As `analyse_aggregates`, with ``dp_<sizer>_nm`` and ``gsd_<sizer>`` of each method.
    """
    table = analyse_aggregates(mask, pixel_size_nm, image)
    table = table[(table.n_pixels >= minimum_pixels) & (keep_border | ~table.touches_border)].reset_index(drop=True)
    for sizer in sizers:
        chosen = (options or {}).get(sizer, {})
        # of the whole mask: "hough" would take the edges of aggregates that are left out for background
        sizes = size_primaries(image, mask, pixel_size_nm, sizer, calibrated=calibrated, **chosen)
        sizes = sizes.set_index("label").loc[table.label]
        table[f"dp_{sizer}_nm"], table[f"gsd_{sizer}"] = sizes.dp_nm.to_numpy(), sizes.gsd.to_numpy()
    return table


def summarise(table):
    """Summarise a table of aggregates: each quantity with a 95 % interval for the finite number of aggregates.

    The intervals take diameters for log-normally distributed; they hold no error of segmentation or
    of the sizing method.

    Parameters
    ----------
    table : DataFrame
        Columns ``da_nm`` and ``dp_nm``.

    Returns
    -------
    DataFrame
        Columns ``quantity``, ``value``, ``low``, ``high``, ``unit``; NaN where there are too few aggregates.
    """
    rows = [("aggregates", len(table), np.nan, np.nan, "")]
    for symbol in ("da", "dp"):
        rows += _lognormal_rows(symbol, table[f"{symbol}_nm"].to_numpy(float))
    law = _power_law(table, "dp_nm")
    if law is not None:
        for quantity, value, unit, (low, high) in [
            ("dp,100", law.dp100_nm, "nm", law.dp100_interval_nm),
            ("D_TEM", law.d_tem, "", law.d_tem_interval),
        ]:
            rows.append((quantity, value, low, high, unit))
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high", "unit"])


def fit_each(table, sizers):
    """Return the power law of each sizing method whose column ``dp_<sizer>_nm`` has at least four values."""
    laws = {sizer: _power_law(table, f"dp_{sizer}_nm") for sizer in sizers}
    return {sizer: law for sizer, law in laws.items() if law is not None}


def _segment(image, pixel_size_nm, parameters):
    return segment(image, pixel_size_nm, parameters.classifier, **_options(parameters, parameters.classifier))


def _tabulate(image, mask, pixel_size_nm, parameters):
    p = parameters
    options = {p.sizer: _options(p, p.sizer)}
    table = tabulate(image, mask, pixel_size_nm, [p.sizer], p.minimum_pixels, p.keep_border, p.calibrated, options)
    return table.rename(columns={f"dp_{p.sizer}_nm": "dp_nm", f"gsd_{p.sizer}": "gsd"})


def _options(parameters, method):
    return part(parameters, method, _PARTS[method]).model_dump()


def _power_law(table, column):
    """The power law of a column of primary diameters, None where too few are known."""
    known = table[table[column] > 0]
    if len(known) < 4 or known.da_nm.nunique() < 2:
        return None
    return fit_power_law(known.da_nm, known[column])


def _lognormal_rows(symbol, diameters):
    diameters = diameters[diameters > 0]
    if len(diameters) == 0:
        return []
    if len(diameters) < 3 or np.ptp(diameters) == 0:
        return [(f"{symbol}, geometric mean", np.exp(np.log(diameters).mean()), np.nan, np.nan, "nm")]
    fit = fit_lognormal(diameters)
    return [
        (f"{symbol}, geometric mean", fit.mean, *fit.mean_interval, "nm"),
        (f"{symbol}, geometric standard deviation", fit.deviation, *fit.deviation_interval, ""),
    ]
