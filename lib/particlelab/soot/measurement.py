"""One micrograph, measured: mask, aggregates, primary particles, and a summary with intervals."""

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import create_model

from particlelab.parameters import Parameters, compose, parameter, part
from particlelab.randomness import generator
from particlelab.reading import ReadError, pixel_size_of
from particlelab.soot.aggregates import analyse_aggregates, check_image, label_aggregates
from particlelab.soot.collection import find_mask, read_mask, read_micrograph
from particlelab.soot.fractal import measure_depths
from particlelab.soot.masks import SegmentationFailure, check_mask
from particlelab.soot.powerlaw import fit_power_law
from particlelab.soot.primaries import LOCATORS, size_primaries
from particlelab.soot.primaries import METHODS as SIZERS
from particlelab.soot.segmentation import METHODS as CLASSIFIERS
from particlelab.soot.segmentation import segment
from particlelab.soot.uncertainty import add_intervals, move_decision, summarise

COUNTING = ("network",)  # the sizing methods that count hidden primaries as well; others count what they locate


class _Choices(Parameters):
    classifier: Literal[tuple(CLASSIFIERS)] = parameter("threshold", "How soot is told from background")
    sizer: Literal[tuple(SIZERS)] = parameter("pcm", "How primary particles are sized")
    pixel_size_nm: float | None = parameter(
        None, "Edge of a pixel, where the file does not say", unit="nm", above=0, high=1000
    )
    calibrated: bool = parameter(True, "Correct primary sizes by the calibration against simulated aggregates")
    minimum_pixels: int = parameter(1000, "Smaller aggregates are left out", unit="px", low=0, high=10_000_000)
    keep_border: bool = parameter(False, "Keep aggregates that are cut by the border")
    intervals: Literal["counts", "all"] = parameter(
        "all", "What intervals hold: the finite number of aggregates, or the segmentation and the sizing method as well"
    )
    seed: int = parameter(0, "Seed of the bootstrap that the intervals are made by", low=0)


class _Files(_Choices):
    masks: bool = parameter(False, "Take NAME_mask.png (or NAME_..._mask.png) beside an image for its mask")


_PARTS = {name: kind for methods in (CLASSIFIERS, SIZERS) for name, (kind, _) in methods.items()}

# How a micrograph is measured: the choices above and every option of every method, such as ``otsu_closing_nm``.
Measurement = compose("Measurement", _Files, **_PARTS)
_Measurement = compose("MeasurementOf", _Choices, **_PARTS)


def measurement_of(names=()):
    """Return `Measurement` as a dashboard turns it: a pixel size to begin with, and intervals that come at once.

    With some names, it has one field more: ``micrograph``, one of them, the first by default.
    """
    pixel_size = parameter(0.536, "Edge of a pixel, where the file does not say", unit="nm", above=0, high=1000)
    intervals = _Choices.model_fields["intervals"]
    fields = {
        "pixel_size_nm": (float, pixel_size),
        "intervals": (intervals.annotation, parameter("counts", intervals.description)),
    }
    if names := tuple(names):
        fields["micrograph"] = (Literal[names], parameter(names[0], "Which of the micrographs"))
    return create_model("MeasurementOf", __base__=_Measurement, **fields)


MEASUREMENT_GROUPS = {
    "What counts": ("calibrated", "minimum_pixels", "keep_border"),
    "Intervals": ("intervals", "seed"),
    **{f"Options of {name}": tuple(f"{name}_{field}" for field in kind.model_fields) for name, kind in _PARTS.items()},
}


def measure(image, pixel_size_nm, mask=None, **options):
    """Segment a micrograph and measure its aggregates and primary particles.

    Parameters
    ----------
    image : (H, W) array_like
        Grey levels, footer cut off; aggregates are dark.
    pixel_size_nm : float
    mask : (H, W) array_like of bool, optional
        The aggregates, where they are known: made by hand, for instance. Nothing is segmented then.
    **options
        Fields of `Measurement`, such as ``classifier="kmeans"``, ``sizer="hough"``, ``minimum_pixels=0``.
        ``intervals="counts"`` leaves out what takes time: the moved decision and the other sizing methods.

    Returns
    -------
    table : DataFrame
        One row an aggregate, as `analyse_aggregates`, with ``dp_nm`` and ``gsd`` of its primary particles; with their
        number ``n_primaries`` and ``rg3_nm`` and ``volume_nm3`` (`measure_depths`) where the sizing method counts them,
        ``n_located`` where it counts only those that it sees; and with intervals (`add_intervals`), unless only those
        of the counts are asked for.
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
    classifier = parameters.classifier if mask is None else None
    if mask is None:
        mask = _segment(image, pixel_size_nm, parameters)
    check_image(image, check_mask(mask).shape)
    return _measure(image, mask, pixel_size_nm, parameters, classifier)


def measure_file(path, parameters):
    """Measure a file as `measure` does; a footer is cut off.

    Parameters
    ----------
    path : path
    parameters : Measurement
        The pixel size is that of the file where it states one, and the one given here where it does not.

    Returns
    -------
    table, summary : DataFrame

    Raises
    ------
    ReadError
        If the file cannot be read, no pixel size is known, or a mask is asked for and not there or of another shape.
    ValueError, SegmentationFailure
        As `measure`.
    """
    image = read_micrograph(path)
    pixel_size_nm = pixel_size_of(image, parameters.pixel_size_nm)
    mask = None
    if parameters.masks:
        found = find_mask(path)
        if found is None:
            raise ReadError(f"{image.source} has no mask beside it: no {Path(path).stem}_mask.png is there")
        mask = read_mask(found, image)
    return measure(image.pixels, pixel_size_nm, mask, **parameters.model_dump(exclude={"pixel_size_nm"}))


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
        parameters = parameters.replace(intervals="counts")  # a decision moved from a wrong one tells nothing
    table, summary = _measure(image, mask, pixel_size_nm, parameters, parameters.classifier)
    return Examination(image, pixel_size_nm, mask, table, summary, failure)


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
        As `analyse_aggregates`, with ``dp_<sizer>_nm`` and ``gsd_<sizer>`` of each method, and what else `measure`
        gives for it, such as ``n_primaries_<sizer>`` and ``rg3_<sizer>_nm``.
    """
    table = _aggregates(image, mask, pixel_size_nm, minimum_pixels, keep_border)
    for sizer in sizers:
        sizes = _sizes(table, image, mask, pixel_size_nm, sizer, calibrated, (options or {}).get(sizer, {}))
        for column in sizes:
            name, _, unit = column.partition("_nm")
            table[f"{name}_{sizer}" + (f"_nm{unit}" if name != column else "")] = sizes[column].to_numpy()
    return table


def fit_each(table, sizers):
    """Return the power law of each sizing method whose column ``dp_<sizer>_nm`` has at least four values."""
    laws = {}
    for sizer in sizers:
        known = table[table[f"dp_{sizer}_nm"] > 0]
        if len(known) >= 4 and known.da_nm.nunique() > 1:
            laws[sizer] = fit_power_law(known.da_nm, known[f"dp_{sizer}_nm"])
    return laws


def _segment(image, pixel_size_nm, parameters):
    return segment(image, pixel_size_nm, parameters.classifier, **_options(parameters, parameters.classifier))


def _measure(image, mask, pixel_size_nm, parameters, classifier):
    """Return table and summary of a mask that a classifier found; None: that was given."""
    p = parameters

    def measured(mask, sizer, calibrated, options):
        table = _aggregates(image, mask, pixel_size_nm, p.minimum_pixels, p.keep_border)
        return table.join(_sizes(table, image, mask, pixel_size_nm, sizer, calibrated, options))

    chosen = (p.sizer, p.calibrated, _options(p, p.sizer))
    table, rng = measured(mask, *chosen), generator(p.seed, "bootstrap")
    if p.intervals == "counts":
        return table, summarise(table, rng)
    options = _options(p, classifier) if classifier else None
    masks = move_decision(image, mask, pixel_size_nm, classifier, options)
    moved = [measured(other, *chosen) for other in masks]
    # by their own definitions the methods differ by more than they err: they are compared calibrated
    done = {p.sizer: table} if p.calibrated else {}
    sized = {sizer: done[sizer] if sizer in done else measured(mask, sizer, True, {}) for sizer in SIZERS}
    summary = summarise(table, rng, moved, sized)
    return add_intervals(table, label_aggregates(mask)[0], list(zip(masks, moved, strict=True)), sized), summary


def _aggregates(image, mask, pixel_size_nm, minimum_pixels, keep_border):
    table = analyse_aggregates(mask, pixel_size_nm, image)
    return table[(table.n_pixels >= minimum_pixels) & (keep_border | ~table.touches_border)].reset_index(drop=True)


def _sizes(table, image, mask, pixel_size_nm, sizer, calibrated, options):
    """Size the primaries of the aggregates of a table, row by row."""
    # of the whole mask: "hough" would take the edges of aggregates that are left out for background
    sizes = size_primaries(image, mask, pixel_size_nm, sizer, calibrated=calibrated, **options)
    if sizer in COUNTING:
        sizes = sizes.merge(measure_depths(image, mask, pixel_size_nm, sizes), on="label")
    elif sizer in LOCATORS:
        sizes = sizes.rename(columns={"n_primaries": "n_located"})
    else:
        sizes = sizes.drop(columns="n_primaries")
    return sizes.set_index("label").loc[table.label].reset_index(drop=True)


def _options(parameters, method):
    return part(parameters, method, _PARTS[method]).model_dump()
