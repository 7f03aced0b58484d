"""A user's own film of a breath: the cloud in each frame, how it grows, and where it will be."""

import math
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from particlelab.aerosol.doubt import DOUBT, bound_sizes, find_departures
from particlelab.aerosol.films import EDGE, FEWEST_FRAMES, FRAME_ENDINGS, VIDEO_ENDINGS, Film, make_film, read_film
from particlelab.aerosol.forecast import Growth, grow_as_learned, grow_smoothly
from particlelab.aerosol.sde import load_sde
from particlelab.aerosol.segmentation import load_segmenter
from particlelab.aerosol.sizes import measure_clouds
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import generator
from particlelab.reading import ReadError

MEASURED_ENDINGS = VIDEO_ENDINGS  # a TIFF file of several pages is measured, too, if it is named
MEASURED_FRAMES = FRAME_ENDINGS  # a folder of such files is one series
COVERAGE = 0.95
AHEAD = 0.5  # of the film's duration, that is forecast if nothing else is asked for
MOST_AHEAD = 200  # rows of a forecast
MOVED = 0.01  # of the picture's shorter side, from which on it counts as moved
COMPARED = 8  # frames that the first one is compared with to see whether the camera moved
HALO = 5  # pixels around a cloud that may show some of it
SEEN = 0.3  # of the picture that must be free of cloud to see that
DOUBTFUL = 0.5  # of the cloud, in which the network is in doubt: too much
LENGTHS = ("perimeter", "width", "height", "feret", "centre_row", "centre_column")


class Measurement(Parameters):
    """How a film is measured."""

    frame_time_s: float | None = parameter(
        None,
        "From one frame of the file to the next; for videos by default as they are played",
        unit="s",
        above=0,
        high=1e4,
    )
    every: int = parameter(1, "Take each so many-th frame only", low=1, high=10_000)
    pixel_size_mm: float | None = parameter(
        None,
        "Edge of a pixel of the file, at the cloud; without it lengths are in pixels",
        unit="mm",
        above=0,
        high=1e3,
    )
    empty_frames: int = parameter(
        0,
        "Frames at the beginning of the file that show no cloud yet; the network is shown them too, which tells thin "
        "smoke from skin and clothes",
        low=0,
        high=1_000_000,
    )
    model: str | None = parameter(
        None,
        "A network that ships, or the path of a .safetensors file; by default `with-background` if there are empty "
        "frames, otherwise `default`",
    )
    smallest_px: int = parameter(
        9,
        "Parts that are smaller count for the cloud's size, but not for number, outline and extent; in the picture "
        "that the network is shown",
        unit="px",
        low=1,
        high=10_000,
    )
    growth: Literal["smooth", "learned"] = parameter(
        "smooth", "What the forecast goes by: the film alone, or an SDE that has learned from simulated breaths"
    )
    horizon_s: float | None = parameter(
        None, "How far ahead the forecast goes; by default half of the film's duration", unit="s", above=0, high=1e6
    )
    sde: str = parameter("growth", "An SDE that ships, or the path of a .safetensors file, for growth = learned")
    draws: int = parameter(2000, "Draws that the bands are made of", low=200, high=100_000)
    seed: int = parameter(0, "Seed of the draws", low=0)


MEASUREMENT_GROUPS = {
    "The film": ("frame_time_s", "every", "empty_frames", "pixel_size_mm"),
    "Finding the cloud": ("model", "smallest_px"),
    "Growth and forecast": ("growth", "horizon_s", "sde", "draws", "seed"),
}


class Examined(NamedTuple):
    """A film and all that was found in it, to be drawn."""

    film: Film
    masks: np.ndarray  # (n, h, w) bool
    table: pd.DataFrame
    summary: pd.DataFrame
    growth: Growth  # draws of the forecast
    warnings: list  # sentences


def measure(frames, **options):
    """Find the cloud in each frame of a film, measure it, fit its growth, and forecast it.

    Parameters
    ----------
    frames : (n, H, W) or (n, H, W, 3) array_like
        As for `make_film`; of any size.
    **options
        Fields of `Measurement`; ``frame_time_s`` must be given.

    Returns
    -------
    table : DataFrame
        A row for each frame, then one for each frame of the forecast (``kind``: measured, forecast), with ``frame``
        (number in the file, from 1), ``time_s`` (0 at the first frame), and

        - ``cloud_size_percent`` (Gandhi 2022, eq. 3.3) with ``low`` and ``high``: what the network is in doubt about
          (`bound_sizes`), which holds 95 % of true sizes in pictures like those that it was calibrated on;
        - ``fit_percent`` with ``fit_low`` and ``fit_high`` (95 %): the size as the fit has it, without noise; in rows
          of the forecast what it will be. Sizes are taken as measured: what the network errs by in all frames alike
          is in ``low`` and ``high`` only;
        - what `measure_clouds` gives: ``clouds``, ``area``, ``perimeter``, ``width``, ``height``, ``feret``,
          ``centre_row`` and ``centre_column``, each with its unit, px of the file or mm; ``fractal_dimension``, its
          error, and ``touches_edge``.
    summary : DataFrame
        ``quantity``, ``value``, ``low``, ``high`` (95 %), ``unit`` and ``note``: frames, the time between them, sizes
        at the beginning and the end, the speed of growth at the end, the size at the end of the horizon, the parameters
        of the fit, and what might be wrong, whose note is a warning if it is.

    Raises
    ------
    ValueError
        If there is no such model, no ``frame_time_s``, a frame is no picture, or no frame shows a cloud.
    """
    p = Measurement(**options)
    film = make_film(frames, _edge(_load(p)), p.every)
    found = examine(film, p)
    return found.table, found.summary


def measure_file(path, parameters):
    """Measure a video, a folder of frames or a TIFF file of several pages as `measure` does.

    Parameters
    ----------
    path : path
    parameters : Measurement
        Where no time between frames is given it is that of the video.

    Returns
    -------
    table, summary : DataFrame

    Raises
    ------
    ReadError
        As `read_film`, or if no time between frames is known.
    ValueError
        As `measure`.
    """
    found = examine(open_film(path, parameters), parameters)
    return found.table, found.summary


def open_film(path_or_bytes, parameters, name=None):
    """Read a film as the network of a measurement wants it: `read_film`, with its parameters, returns and errors.

    Raises
    ------
    ValueError
        If there is no such network.
    """
    return read_film(path_or_bytes, name, _edge(_load(parameters)), parameters.every)


def examine(film, parameters, progress=None):
    """Measure a film as `measure` does, and return everything that is worth drawing.

    Parameters
    ----------
    film : Film
        Of `read_film` or `make_film`, with ``every`` of the parameters.
    parameters : Measurement
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Examined

    Raises
    ------
    ReadError
        If no time between frames is known.
    ValueError
        As `measure`.
    """
    p, report = parameters, progress or (lambda share, text: None)
    between = film.frame_time_s if p.frame_time_s is None else p.frame_time_s * p.every
    if between is None:
        raise ReadError(f"{film.source} does not say the time between frames; give frame_time_s (--frame-time)")
    segmenter = _load(p)
    background = _average_empty(film, p.empty_frames) if segmenter.background else None
    probabilities = segmenter.probabilities(film.frames, part_of(report, 0, 0.8), background)
    masks = probabilities > 0.5
    table = _measure(film, masks, p)
    table.insert(2, "time_s", between * np.arange(len(table)))
    doubt = segmenter.card.get("doubt")
    table.insert(4, "low", (bounds := bound_sizes(probabilities, doubt or DOUBT))[0])
    table.insert(5, "high", bounds[1])
    seen = np.flatnonzero((table.cloud_size_percent > 0) & (table.frame > p.empty_frames))
    if not len(seen):
        raise ValueError(f"no cloud was found in any of the {len(table)} frames of {film.source}")
    grown = table.iloc[seen[0] :]  # before, there was none
    if len(grown) < FEWEST_FRAMES:
        raise ValueError(
            f"a cloud is seen from frame {grown.frame.iloc[0]} of {film.source} on, in {len(grown)} frames; its growth "
            f"takes at least {FEWEST_FRAMES}"
        )
    report(0.85, "fitting its growth")
    horizon = p.horizon_s or AHEAD * between * (len(table) - 1 - p.empty_frames // p.every)
    ahead = _ahead(table.time_s.iloc[-1], horizon, between)
    series = (grown.time_s, grown.cloud_size_percent, ahead)
    smooth = grow_smoothly(*series, p.draws, generator(p.seed, "smooth"))
    learned = None
    if p.growth == "learned":
        learned = grow_as_learned(*series, load_sde(p.sde), p.draws, generator(p.seed, "learned"))
    forecast = learned.growth if learned else smooth._replace(sizes=smooth.sizes[:, -len(ahead) :], times_s=ahead)
    table = _join(table, grown, smooth, forecast, between, p.every)
    warnings = _warn(film, masks, table[table.kind == "measured"], segmenter.card, p.empty_frames)
    report(1.0, "done")
    summary = _summarise(film, table, smooth, forecast, learned, warnings, between, p, doubt)
    return Examined(film, masks, table, summary, forecast, [text for _, _, text in warnings if text])


def tell(examined):
    """Say in one line what was measured."""
    measured = examined.table[examined.table.kind == "measured"]
    last = examined.table.iloc[-1]
    text = f"{len(measured)} frames, the cloud takes {measured.cloud_size_percent.iloc[-1]:.3g} % of the last one; "
    text += f"at {last.time_s:.3g} s it will be {last.fit_low:.3g} to {last.fit_high:.3g} %"
    return text + "".join(f"; {warning}" for warning in examined.warnings)


def _load(p):
    """Load the network of a measurement.

    Raises
    ------
    ValueError
        If there is none, or it wants empty frames and there are none, or the other way round.
    """
    segmenter = load_segmenter(p.model or ("with-background" if p.empty_frames else "default"))
    if segmenter.background and not p.empty_frames:
        raise ValueError(
            f"empty_frames = 0: model = {p.model!r} is shown the mean of frames before the breath; give their number"
        )
    if p.empty_frames and not segmenter.background:
        raise ValueError(f"empty_frames = {p.empty_frames}: model = {p.model!r} has not learned to use them; give 0")
    return segmenter


def _average_empty(film, empty_frames):
    """Return the mean of the frames before the breath as a picture."""
    if empty_frames >= film.numbers[-1]:
        raise ValueError(f"empty_frames = {empty_frames} leaves nothing of {film.numbers[-1]} frames of {film.source}")
    return np.rint(film.frames[film.numbers <= empty_frames].mean(axis=0)).astype(np.uint8)


def _edge(segmenter):
    """Return the edge of the pictures that a network has learned from."""
    return int(segmenter.card.get("data", {}).get("edge of an image", EDGE))


def _measure(film, masks, p):
    """Return the table of `measure_clouds`, in units of the file, each named."""
    unit, pixel = ("px", film.scale) if p.pixel_size_mm is None else ("mm", film.scale * p.pixel_size_mm)
    table = measure_clouds(masks, pixel, p.smallest_px)
    table = table.rename(columns={name: f"{name}_{unit}" for name in LENGTHS} | {"area": f"area_{unit}2"})
    table = table.rename(columns={"size_percent": "cloud_size_percent"}).assign(kind="measured", frame=film.numbers)
    first = ["kind", "frame", "cloud_size_percent"]
    return table[[*first, *(column for column in table if column not in first)]]


def _ahead(last, horizon, between):
    """Return the times of the forecast: those of frames to come within the horizon, or of a long one fewer."""
    count = max(1, math.floor(horizon / between + 0.5 + 1e-6))  # half a frame is one, however it is rounded
    if count <= MOST_AHEAD:
        return last + between * np.arange(1, count + 1)
    return last + horizon * np.arange(1, MOST_AHEAD + 1) / MOST_AHEAD


def _join(table, grown, smooth, forecast, between, every):
    """Return the table with the fit in each row, and the rows of the forecast."""
    at = table.columns.get_loc("high") + 1
    levels = [0.5, (1 - COVERAGE) / 2, (1 + COVERAGE) / 2]
    count = len(smooth.times_s) - len(forecast.times_s)
    fitted = np.quantile(smooth.sizes[:, :count], levels, axis=0)
    times, before = table.time_s.to_numpy(), (table.frame < grown.frame.iloc[0]).to_numpy()
    to_come = pd.DataFrame({"kind": "forecast", "time_s": forecast.times_s})
    to_come["frame"] = (1 + every * np.round(forecast.times_s / between)).astype(int)
    for name, values, later in zip(
        ("fit_percent", "fit_low", "fit_high"), fitted, np.quantile(forecast.sizes, levels, axis=0), strict=True
    ):
        known = np.where(before, np.nan, np.interp(times, smooth.times_s[:count], values))
        table.insert(at, name, known)
        to_come[name] = later
        at += 1
    whole = pd.concat([table.astype({"touches_edge": object}), to_come], ignore_index=True)[list(table)]
    return whole.astype({"clouds": "Int64", "touches_edge": "boolean"})


def _warn(film, masks, table, card, empty_frames):
    """Return what to warn of: quantity, value, and a sentence if there is something."""
    edge = min(film.shape)
    shift = _find_shift(film.frames, masks) * film.scale
    breath, cut = table[table.frame > empty_frames], np.flatnonzero(table.touches_edge.astype(bool))
    number, empty = len(breath), int((breath.cloud_size_percent == 0).sum())
    may_be = table.high.where(table.high > 0)
    doubt, departures = float(((table.high - table.low) / may_be).median()), find_departures(film.frames, card)
    frame = table.frame.iloc[cut[0]] if len(cut) else 0
    unlike = f"the network has not learned from such pictures: {'; '.join(departures)}" if departures else ""
    moved = f"the camera or the person moved by {shift:.1f} pixels" if shift > MOVED * edge else ""
    if np.isnan(shift):
        moved = "the cloud leaves too little of the picture to see whether the camera moved"
    return [
        ("shift of the picture", shift, moved),
        ("frames without a cloud", empty, f"no cloud was found in {empty} of {number} frames" if empty else ""),
        (
            "frames in which the cloud leaves the picture",
            len(cut),
            f"the cloud leaves the picture, from frame {frame} on: it is larger than what is seen" if len(cut) else "",
        ),
        (
            "share of the cloud in doubt",
            doubt,
            f"of what may be cloud the network is in doubt about {100 * doubt:.0f} %" if doubt > DOUBTFUL else "",
        ),
        ("ways in which pictures are unlike the learned", len(departures), unlike),
        ("oddities of the file", len(film.notes), "; ".join(film.notes)),
    ]


def _find_shift(frames, masks):
    """Return how far pictures moved against the first one, in pixels, at most; where no frame shows a cloud."""
    from skimage.registration import phase_cross_correlation

    free = ~ndimage.binary_dilation(masks.any(axis=0), iterations=HALO)
    if free.mean() < SEEN:
        return np.nan
    grey = frames.mean(axis=3, dtype=np.float32)
    shifts = [0.0]
    for other in np.unique(np.linspace(1, len(frames) - 1, COMPARED).round().astype(int)):
        shift, *_ = phase_cross_correlation(
            grey[0], grey[other], reference_mask=free, moving_mask=free, overlap_ratio=0.7
        )
        shifts.append(float(np.hypot(*shift)))
    return max(shifts)


def _summarise(film, table, smooth, forecast, learned, warnings, between, p, doubt):
    measured, last = table[table.kind == "measured"], table.iloc[-1]
    end, begin = measured.iloc[-1], measured.iloc[0]

    def drawn(values):
        return np.quantile(values, [0.5, (1 - COVERAGE) / 2, (1 + COVERAGE) / 2])

    said = "as given" if p.frame_time_s else "as the file is played"
    in_doubt = "what the network is in doubt about" + ("" if doubt else ", which has not been calibrated")
    by = "as usual breaths grow" if learned else "if the speed of its radius goes on wandering as it did"
    nothing = (np.nan, np.nan)
    rows = [
        ("frames", len(measured), *nothing, "", f"of {film.shape[1]} x {film.shape[0]} pixels"),
        ("time between frames", between, *nothing, "s", said),
        ("duration", end.time_s, *nothing, "s", ""),
        ("cloud size in the first frame", begin.cloud_size_percent, begin.low, begin.high, "%", in_doubt),
        ("cloud size in the last frame", end.cloud_size_percent, end.low, end.high, "%", in_doubt),
        ("growth at the last frame", *drawn(smooth.speeds), "%/s", "of the fit"),
        ("forecast", last.fit_percent, last.fit_low, last.fit_high, "%", f"at {last.time_s:.4g} s, {by}"),
        ("noise of the sizes", *drawn(smooth.noise), "%", "of the fit: standard deviation, at the last frame"),
        ("wandering of the radius' speed", *drawn(smooth.kick), "%^0.5/s^1.5", "of the fit: s in dv = s dW"),
    ]
    if learned:
        rows.append(("strength of the turbulence", *drawn(learned.strengths), "", "; ".join(learned.notes)))
    units = {"shift of the picture": "px"}
    rows += [(name, value, *nothing, units.get(name, ""), text) for name, value, text in warnings]
    return pd.DataFrame(rows, columns=["quantity", "value", "low", "high", "unit", "note"])
