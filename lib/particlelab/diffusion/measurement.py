"""A user's own movie: its molecules, how fast each diffuses, and whether the network has learned from the like."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from particlelab.diffusion.checks import check_parameters
from particlelab.diffusion.conditions import WIDTH, Conditions, find_conditions
from particlelab.diffusion.departures import find_departures
from particlelab.diffusion.estimators import METHODS, estimate
from particlelab.diffusion.imaging import Imaging
from particlelab.diffusion.model import give_intervals, load_model
from particlelab.diffusion.motion import blur_coefficient
from particlelab.diffusion.tracking import Tracking, cut_out, find_tracks, lay_out
from particlelab.diffusion.training import Training
from particlelab.parameters import parameter
from particlelab.randomness import generator
from particlelab.reading import ENDINGS, ReadError, pixel_size_of, read_stack

MEASURED_ENDINGS = (*ENDINGS["TIFF"], *ENDINGS["MRC"])
COVERAGE = 0.95
ENDS = stats.norm.ppf((1 + COVERAGE) / 2)  # of an interval, in standard errors
LARGEST = 64  # pixels: side of the square that a network is shown
CROWDED = 0.25  # share of a track's frames with another molecule near, above which its images are not asked
CONDITION_COLUMNS = ["quantity", "value", "low", "high", "unit", "source"]
FEWEST_FRAMES = 3  # of a movie in which something can be seen to move
USUAL_WIDTHS = 50.0, 500.0  # nm: point-spread functions of light microscopes, with room on either side
GIVEN, FROM_FILE = "given", "from the file"  # where a pixel size comes from


class Measurement(Tracking):
    """How a movie is measured."""

    pixel_size_nm: float | None = parameter(
        None, "Edge of a pixel in the sample, where the file does not say", unit="nm", above=0, high=10_000
    )
    exposure_s: float | None = parameter(None, "Exposure of a frame", unit="s", above=0, high=100)
    interval_s: float | None = parameter(
        None, "From one frame to the next, where that is not the exposure", unit="s", above=0, high=1000
    )
    method: Literal["auto", "network", "mle", "cve", "msd"] = parameter(
        "auto", "How D is read; auto: by the network if it knows such movies, else by mle"
    )
    model: str = parameter("general", "A network that ships, or the path of a .safetensors file")
    gain: float = parameter(1.0, "Counts for a photon, if the camera is known", unit="counts", above=0, high=1e5)
    offset: float = parameter(0.0, "Counts without light, if the camera is known", unit="counts", low=-1e6, high=1e6)
    read_noise: float = parameter(
        0.0, "Standard deviation of the read noise, if the camera is known", unit="photons", low=0, high=1e4
    )
    refine: bool = parameter(True, "Refine what the movie says of its conditions by simulating it")
    seed: int = parameter(0, "Seed of these simulations", low=0)


MEASUREMENT_GROUPS = {
    "Finding molecules": ("psf_sigma_nm", "false_per_frame", "least_frames", "crowding"),
    "Following them": ("search_range_nm", "fastest_um2_s", "memory"),
    "The camera": ("camera_known", "gain", "offset", "read_noise"),
    "The network": ("model", "refine", "seed"),
}


class Measured(NamedTuple):
    """What was measured in a movie."""

    table: pd.DataFrame  # a row for each molecule
    summary: pd.DataFrame
    tracks: pd.DataFrame  # from `find_tracks`
    departures: list  # sentences that say how the movie is unlike what the network has learned from
    imaging: Imaging  # its conditions, as far as it tells them
    conditions: pd.DataFrame  # the same with intervals, from `find_conditions`
    similarity: pd.DataFrame  # of simulated and real molecules, before and after the conditions were refined


def measure(movie, **options):
    """Find the molecules of a movie, follow them, and measure how fast each diffuses.

    Parameters
    ----------
    movie : (T, H, W) array_like
        Counts.
    **options
        Fields of `Measurement`; ``pixel_size_nm`` and ``exposure_s`` must be given, as nothing else tells them.

    Returns
    -------
    table : DataFrame
        A row for each track: ``track``, ``first_frame`` and ``frames`` from first to last, in how many of them it was
        ``seen``, ``x_nm`` and ``y_nm`` of its middle, ``signal`` and ``width_nm`` of its image (medians), the share of
        its frames in which it is ``crowded``, ``diffusion_um2_s`` with ``low`` and ``high`` (95 %) and ``by`` which
        method, the same by each method that was asked (``network_…``, ``mle_…``), and ``note``: why there is no D, or
        what speaks against it.
    summary : DataFrame
        ``quantity``, ``value``, ``low``, ``high`` (95 %), ``unit`` and ``note``: the number of molecules' tracks; the
        geometric mean of D, for which only D > 0 counts, and its median, for which all do; pixel size, exposure and
        interval, and where they are from; method and model, as notes; the conditions of the movie (`find_conditions`),
        a point-spread function that no microscope has noted as such; and how many of these conditions the network has
        not learned (`find_departures`).

    Raises
    ------
    ValueError
        If there is no pixel size, no exposure or no such model, nothing can be followed, or as `find_tracks`.
    """
    found = examine(movie, Measurement(**options))
    return found.table, found.summary


def measure_file(path, parameters):
    """Measure a movie from a file (TIFF, MRC) as `measure` does.

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
        If the file cannot be read, has fewer than three frames, or no pixel size or exposure is known.
    ValueError
        As `measure`.
    """
    movie, known, pixel_size_from = read_movie(path, parameters)
    found = examine(movie, known, pixel_size_from=pixel_size_from)
    return found.table, found.summary


def read_movie(path_or_bytes, parameters, name=None):
    """Read a movie from a file or an upload.

    Parameters
    ----------
    path_or_bytes : path or bytes
    parameters : Measurement
    name : str
        Of an upload.

    Returns
    -------
    movie : (T, H, W) ndarray
        Counts.
    parameters : Measurement
        With the pixel size of the file, if it states one.
    pixel_size_from : str
        ``"from the file"`` or ``"given"``, for `examine`.

    Raises
    ------
    ReadError
        As `measure_file`.
    ValueError
        If parameters are no `Measurement`.
    """
    check_parameters("parameters", parameters, Measurement)
    stack = read_stack(path_or_bytes, name)
    pixel_size_nm = pixel_size_of(stack, parameters.pixel_size_nm)
    if len(stack.frames) < FEWEST_FRAMES:
        raise ReadError(f"{stack.source} holds {len(stack.frames)} frames; a movie has at least {FEWEST_FRAMES}")
    if parameters.exposure_s is None:
        raise ReadError(f"{stack.source} does not say how long a frame was exposed; give exposure_s (--exposure)")
    pixel_size_from = FROM_FILE if stack.pixel_size_nm else GIVEN
    return stack.frames, parameters.replace(pixel_size_nm=pixel_size_nm), pixel_size_from


def given_imaging(parameters, **changes):
    """Return the `Imaging` of a movie, as far as a `Measurement` gives it, with changes; the rest is as usual."""
    p = parameters
    unknown = {"interval_s": p.interval_s or p.exposure_s, "psf_sigma_nm": p.psf_sigma_nm or Imaging().psf_sigma_nm}
    return Imaging.select(p.model_dump() | unknown | changes)


def examine(movie, parameters, progress=None, pixel_size_from=GIVEN):
    """Measure a movie as `measure` does, and return everything that is worth drawing.

    Parameters
    ----------
    movie : (T, H, W) array_like
    parameters : Measurement
    progress : callable, optional
        Called with the share that is done and a text.
    pixel_size_from : str
        Said of the pixel size in the summary, see `read_movie`.

    Returns
    -------
    Measured

    Raises
    ------
    ValueError
        As `measure`, or if parameters are no `Measurement`.
    """
    p, movie = check_parameters("parameters", parameters, Measurement), np.asarray(movie)
    report = progress or (lambda share, text: None)
    if p.pixel_size_nm is None:
        raise ValueError("pixel_size_nm is missing: how large a pixel is in the sample, in nm")
    if p.exposure_s is None:
        raise ValueError("exposure_s is missing: how long a frame was exposed, in s")
    model = load_model(p.model) if p.method in ("auto", "network") else None
    learned = Training.select(model.card["training"]) if model else None
    imaging = given_imaging(p)
    report(0.05, "finding molecules")
    tracks = find_tracks(movie, imaging, Tracking.select(p.model_dump()))
    if not len(tracks):
        raise ValueError(f"no molecule was followed for {p.least_frames} frames (least_frames)")
    report(0.3, "asking the movie for its conditions")
    departures = []
    try:
        conditions = find_conditions(movie, imaging, tracks, generator(p.seed, "conditions"), p.refine)
    except ValueError as error:
        seen = imaging.replace(psf_sigma_nm=tracks.attrs["psf_sigma_nm"])
        conditions = Conditions(seen, pd.DataFrame(columns=CONDITION_COLUMNS), pd.DataFrame())
        departures.append(f"the movie does not tell its conditions: {error}")
    report(0.8, "reading D")
    if model and not departures:
        departures = find_departures(conditions, learned)
    asked = [name for name in dict.fromkeys((p.method, "mle")) if name in METHODS]
    found = {name: _estimate(tracks, imaging, name) for name in asked}
    if model:
        found["network"] = _ask(movie, tracks, conditions, model, learned)
    order = [p.method] if p.method != "auto" else ["mle"] if departures else ["network", "mle"]
    table = _describe(tracks)
    trusted = {name: answers.um2_s.notna() for name, answers in found.items()}
    if p.method == "auto" and model:
        trusted["network"] &= table.crowded <= CROWDED
    table = table.join(_choose(found, order, trusted))
    for name, answers in found.items():
        table = table.join(answers.add_prefix(f"{name}_"))
    table["note"] = [_note(row, learned, departures) for row in table.itertuples()]
    report(1.0, "done")
    summary = _summarise(table, p, pixel_size_from, conditions.table, departures)
    return Measured(table.reset_index(), summary, tracks, departures, *conditions)


def tell(measured):
    """Say in one line what was measured."""
    known = measured.summary.set_index("quantity")
    value, note = known.value, known.note
    text = f"{value['tracks']:g} molecules followed, {value['tracks with D']:g} with D"
    if value["tracks with D"]:
        text += f"; median {value['D: median']:.3g} µm²/s"
    text += (
        f"; with pixels of {value['pixel size']:g} nm ({note['pixel size']}), exposures of {value['exposure']:g} s "
        f"({note['exposure']}) and {value['interval']:g} s from frame to frame ({note['interval']})"
    )
    if odd := _doubt_width(value.get(WIDTH, np.nan)):
        text += f"; the point-spread function has {value[WIDTH]:.3g} nm, {odd}"
    if measured.departures:
        text += "; unlike what the network has learned from: " + "; ".join(measured.departures)
    return text


def _describe(tracks):
    """Return what is known of each track without its D, by its number."""
    return tracks.groupby("track").agg(
        first_frame=("frame", "min"),
        frames=("frame", lambda frame: frame.max() - frame.min() + 1),
        seen=("frame", "size"),
        x_nm=("x_nm", "mean"),
        y_nm=("y_nm", "mean"),
        signal=("signal", "median"),
        width_nm=("width_nm", "median"),
        crowded=("crowded", "mean"),
    )


def _estimate(tracks, imaging, method):
    """Return D with its interval by an estimator from tracks."""
    positions, sigma = lay_out(tracks)
    found = estimate(positions, imaging.interval_s, method, sigma, blur_coefficient(imaging))
    low, high = found.interval(COVERAGE)
    columns = {"um2_s": found.diffusion_um2_s, "low": np.maximum(low, 0), "high": high}
    return pd.DataFrame(columns, index=np.unique(tracks.track))


def _ask(movie, tracks, conditions, model, learned):
    """Return D with its interval by a network, NaN for tracks that are too short for it.

    A track that is longer than the movies that it has learned from is cut into sequences of one length; their answers
    are weighted by their certainty. What the point-spread function may be off by, beyond what the network has learned
    to bear, makes the interval wider.
    """
    imaging, widths = conditions.imaging, _possible_widths(conditions)
    size = min(LARGEST, *movie.shape[1:])
    spans = tracks.groupby("track").frame.agg(lambda frame: frame.max() - frame.min() + 1)
    lengths = spans // -(spans // -learned.frames)  # as few sequences as can be
    lengths = lengths.where(lengths >= learned.fewest_frames, learned.frames)
    answers = []
    for length, numbers in spans[lengths <= spans].groupby(lengths):
        some = tracks[tracks.track.isin(numbers.index)]
        cuts = cut_out(movie, some, size, imaging.pixel_size_nm, int(length), others=tracks)
        places = cuts.table.groupby("sequence")[["x_nm", "y_nm"]].transform(
            lambda place: place.interpolate(limit_direction="both")
        )
        places = places.to_numpy().reshape(len(cuts.frames), -1, 2)
        mean, deviation = model.read(cuts.frames, imaging, places, beyond=True)
        low, high = (
            model.read(cuts.frames, imaging.replace(psf_sigma_nm=width), places, beyond=True)[0] for width in widths
        )
        number = cuts.table.groupby("sequence").track.first()
        answers.append(pd.DataFrame({"track": number, "mean": mean, "weight": deviation**-2.0, "shift": high - low}))
    found = pd.DataFrame(np.nan, spans.index, ["um2_s", "low", "high"])
    if answers:
        answers = pd.concat(answers)
        answers[["mean", "shift"]] = answers[["mean", "shift"]].mul(answers.weight, axis=0)
        total = answers.groupby("track").sum()
        shift = total["shift"] / total.weight / (2 * ENDS)  # by a standard error of the width
        error = np.log(widths[1] / widths[0]) / (2 * ENDS)
        unknown = max(0.0, 1 - (learned.psf_error / error) ** 2) if error > 0 else 0.0
        deviation = np.sqrt(1 / total.weight + unknown * shift**2)
        given = give_intervals(total["mean"] / total.weight, deviation, COVERAGE)
        found.loc[total.index] = np.column_stack(given)
    return found


def _possible_widths(conditions):
    """Return the ends of the interval of the point-spread function's width in nm."""
    known = conditions.table.set_index("quantity")
    if WIDTH not in known.index:
        return (conditions.imaging.psf_sigma_nm,) * 2
    return tuple(max(value, 1.0) for value in known.loc[WIDTH, ["low", "high"]])


def _choose(found, order, trusted):
    """Return of each track what the first method says that can be trusted with it, and which it was."""
    chosen = found[order[0]].assign(by=order[0]).where(trusted[order[0]])
    for name in order[1:]:
        chosen = chosen.where(chosen.um2_s.notna(), found[name].assign(by=name))
    chosen["by"] = chosen.by.where(chosen.um2_s.notna(), "")
    return chosen.rename(columns={"um2_s": "diffusion_um2_s"})


def _note(row, learned, departures):
    """Say why a track has no D or not that of the network, or what speaks against it."""
    notes = []
    if learned and np.isnan(row.network_um2_s):
        notes.append(f"{row.frames} frames: the network needs {learned.fewest_frames}")
    elif learned and departures:
        notes.append("the network has not learned from the like")
    if row.crowded > CROWDED:
        notes.append(f"others are near in {100 * row.crowded:.0f} % of its frames")
    return "; ".join(notes)


def _doubt_width(width_nm):
    """Say that no microscope has such a point-spread function, if none has; otherwise nothing."""
    low, high = USUAL_WIDTHS
    return f"not {low:g} to {high:g} nm: is the pixel size right?" if width_nm < low or width_nm > high else ""


def _summarise(table, parameters, pixel_size_from, conditions, departures):
    """Return the summary of a movie, as `measure`."""
    p = parameters
    known = table.diffusion_um2_s.dropna()
    logs = np.log(known[known > 0])
    n, still = len(logs), len(known) - len(logs)
    half = stats.t.ppf((1 + COVERAGE) / 2, n - 1) * logs.std() / n**0.5 if n > 1 else np.nan
    middle = np.exp([logs.mean(), logs.mean() - half, logs.mean() + half])
    used = ", ".join(f"{name} for {count} tracks" for name, count in table.by[table.by != ""].value_counts().items())
    rows = [
        ("tracks", len(table), np.nan, np.nan, "", ""),
        ("tracks with D", len(known), np.nan, np.nan, "", ""),
        ("D: geometric mean", *middle, "um^2/s", f"exp of the mean ln D of {n} with D > 0, without {still} of D <= 0"),
        ("D: median", known.median(), np.nan, np.nan, "um^2/s", "as many are faster as slower; D <= 0 counts too"),
        ("pixel size", p.pixel_size_nm, np.nan, np.nan, "nm", pixel_size_from),
        ("exposure", p.exposure_s, np.nan, np.nan, "s", GIVEN),
        ("interval", p.interval_s or p.exposure_s, np.nan, np.nan, "s", GIVEN if p.interval_s else "as the exposure"),
        ("method", np.nan, np.nan, np.nan, "", f"{p.method}: {used or 'no D'}"),
        ("model", np.nan, np.nan, np.nan, "", p.model if p.method in ("auto", "network") else "none was asked"),
        *conditions[CONDITION_COLUMNS].itertuples(index=False, name=None),
        ("conditions that the network has not learned", len(departures), np.nan, np.nan, "", "; ".join(departures)),
    ]
    summary = pd.DataFrame(rows, columns=["quantity", "value", "low", "high", "unit", "note"])
    for row in summary[summary.quantity == WIDTH].itertuples():
        summary.loc[row.Index, "note"] = "; ".join(filter(None, [row.note, _doubt_width(row.value)]))
    return summary
