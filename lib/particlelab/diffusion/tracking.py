"""Follow the molecules of a movie, and cut out what is around each."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import spatial

from particlelab.diffusion.checks import check_parameters
from particlelab.diffusion.detection import find_spots, fit_spots, measure_gain, measure_width
from particlelab.diffusion.imaging import Imaging, photon_variance
from particlelab.parameters import Parameters, parameter

COLUMNS = ["track", "frame", "x_nm", "y_nm", "sigma_nm", "signal", "background", "width_nm", "neighbour_nm", "crowded"]
HIDDEN = 4.0  # widths of an image within which another molecule is hidden
CUT_COLUMNS = ["sequence", "track", "frame", "x_nm", "y_nm", "sigma_nm", "width_nm", "crowded", "at_edge"]
MISSED = 1e-3  # share of the steps of the fastest molecules that are longer than the search range


class Tracking(Parameters):
    """How molecules are found in a movie, and followed."""

    camera_known: bool = parameter(False, "Gain, offset and read noise of the imaging are those of the movie")
    psf_sigma_nm: float = parameter(
        0.0, "Standard deviation of a molecule's image; 0: measured in the movie", unit="nm", low=0, high=10_000
    )
    false_per_frame: float = parameter(0.1, "Detections in a frame of noise alone, on average", above=0, high=10)
    search_range_nm: float = parameter(
        0.0, "How far a molecule may move until the next frame; 0: by fastest_um2_s", unit="nm", low=0, high=1e6
    )
    fastest_um2_s: float = parameter(
        0.0, "Greatest diffusion coefficient that is followed; 0: by the movie", unit="um^2/s", low=0, high=1000
    )
    memory: int = parameter(2, "Frames for which a molecule may be out of sight", low=0, high=100)
    least_frames: int = parameter(5, "Frames in which a molecule must be seen", low=1, high=10_000)
    crowding: float = parameter(
        6.0, "Molecules nearer to each other are flagged, in standard deviations of their image", low=0, high=100
    )


class CutOuts(NamedTuple):
    """Sequences of one molecule each, and what is known of it in each frame."""

    frames: np.ndarray  # (n, T, size, size) float32, counts
    table: pd.DataFrame  # n T rows, in this order


def find_tracks(movie, imaging, tracking=None):
    """Find the molecules of a movie and follow each.

    A detection is a local maximum of the image that has been smoothed by the point-spread function, less the mean of
    a square about it, if it stands out of the noise of its frame. It is fitted by maximum likelihood
    (`measure_spots`), and trackpy links (Crocker and Grier, J. Colloid Interface Sci. 179, 298, 1996). Molecules that
    meet may go on under each other's number: they are flagged as crowded when they do.

    Where the camera is not known, noise and gain are measured in the movie: the noise between neighbouring pixels, the
    gain by what fits leave over beyond it where there is light. Counts may then be scaled and shifted in any way.

    Parameters
    ----------
    movie : (T, H, W) array
        Counts; negative ones too, if a background has been subtracted.
    imaging : Imaging
        Its pixel size counts; its interval, if ``fastest_um2_s`` is given; its gain, offset, read noise and camera, if
        ``camera_known``.
    tracking : Tracking, optional

    Returns
    -------
    pandas.DataFrame
        A row for each molecule and frame in which it is seen: ``track`` and ``frame``, from 0; ``x_nm`` and ``y_nm``,
        from the upper left corner of the movie; ``sigma_nm``, the standard error of each; ``signal`` of the molecule
        and ``background`` in a pixel, in photons if the camera is known, otherwise in counts above the median of the
        movie; ``width_nm`` of its image; ``neighbour_nm``, the distance to where the nearest other molecule is or,
        while it is out of sight, must be about; ``crowded``, whether that is too near. ``attrs`` holds
        ``psf_sigma_nm`` and ``search_range_nm``, and ``gain`` (variance of the counts over their mean) if the camera
        is not known.

    Raises
    ------
    ValueError
        If the movie is not (T, H, W) of finite counts, too crowded for the search range, molecules are wider than 20
        pixels, imaging is no `Imaging`, or tracking no `Tracking`.
    """
    check_parameters("imaging", imaging, Imaging)
    tracking = check_parameters("tracking", tracking, Tracking, Tracking())
    movie = check_movie(movie)
    pixel, median = imaging.pixel_size_nm, float(np.median(movie))
    images = (movie - median).astype(np.float32)
    width = tracking.psf_sigma_nm / pixel or measure_width(images, tracking.false_per_frame)
    spots, noise = find_spots(images, width, tracking.false_per_frame)
    if tracking.camera_known:
        excess = photon_variance(imaging)
        camera = imaging.gain, imaging.offset - median, imaging.read_noise**2 / excess
    else:
        gain = measure_gain(images, spots, width, noise)
        excess, camera = 1.0, (gain, 0.0, (noise / gain) ** 2)
    spots, found = fit_spots(images, spots, width, camera)
    unit = 1.0 if tracking.camera_known else camera[0]
    table = pd.DataFrame(
        {
            "frame": spots[:, 0],
            "x_nm": found[:, 0] * pixel,
            "y_nm": found[:, 1] * pixel,
            "sigma_nm": np.sqrt(excess * found[:, 2:4].mean(axis=1)) * pixel,
            "signal": found[:, 4] * unit,
            "background": found[:, 5] * unit,
            "width_nm": found[:, 6] * pixel,
        }
    )
    table["track"], reach_nm = _link(table, movie.shape, imaging, tracking)
    table["neighbour_nm"] = _distances(table, len(movie), tracking.memory)
    table["crowded"] = table.neighbour_nm < tracking.crowding * width * pixel
    table = table[table.groupby("track").frame.transform("size") >= tracking.least_frames]
    table = table.sort_values(["track", "frame"], ignore_index=True)[COLUMNS]
    table["track"] = np.unique(table.track, return_inverse=True)[1]
    table.attrs = {"psf_sigma_nm": width * pixel, "search_range_nm": reach_nm}
    if not tracking.camera_known:
        table.attrs["gain"] = camera[0]
    return table


def cut_out(movie, tracks, size, pixel_size_nm, frames=None, others=None):
    """Cut out squares of a movie that stand still about the middle of what each track spans.

    At the border of the movie the square is moved inwards: no pixel is made up there.

    Parameters
    ----------
    movie : (T, H, W) array
    tracks : DataFrame
        From `find_tracks` of this movie.
    size : int
        Side of a square in pixels.
    pixel_size_nm : float
    frames : int, optional
        Length of a sequence: a track gives as many, one after the other, as it is long enough for. If not given, each
        gives one: all frames of the movie.
    others : DataFrame, optional
        Tracks of all molecules. Those that are not a square's own are hidden: pixels within four widths of their
        images, and nearer to them than to the own one, get the median of the square.

    Returns
    -------
    CutOuts
        The table has ``sequence`` and ``track``; ``frame`` of the movie; ``x_nm`` and ``y_nm`` from the middle of the
        square, ``sigma_nm`` and ``width_nm``, all NaN where the molecule has not been seen; ``crowded``: another one
        is too near, or its track leads through the square; ``at_edge``: the molecule is within three widths of the
        edge of the square, or beyond it.

    Raises
    ------
    ValueError
        If the movie is not (T, H, W) of finite counts, smaller than a square, or shorter than a sequence.
    """
    movie = check_movie(movie)
    length, height, across = movie.shape
    if not 1 <= size <= min(height, across):
        raise ValueError(f"size must be from 1 to {min(height, across)}, the pixels of the movie, got {size}")
    if frames is not None and not 1 <= frames <= length:
        raise ValueError(f"frames must be from 1 to {length}, those of the movie, got {frames}")
    half_nm, margin_nm = size / 2 * pixel_size_nm, 3 * tracks.width_nm.median()
    paths, hidden = _paths(tracks, length), None if others is None else _paths(others, length)
    cuts, tables = [np.empty((0, frames or length, size, size), np.float32)], []
    for i, (track, rows) in enumerate(tracks.groupby("track")):
        known, crowded = np.full((length, 4), np.nan), np.zeros(length, bool)
        known[rows.frame], crowded[rows.frame] = rows[["x_nm", "y_nm", "sigma_nm", "width_nm"]], rows.crowded
        for start in [0] if frames is None else range(rows.frame.min(), rows.frame.max() + 2 - frames, frames):
            span = np.arange(start, start + (frames or length))
            places = known[span, :2]
            if np.isnan(places).all():
                continue
            corner = (np.nanmax(places, axis=0) + np.nanmin(places, axis=0)) / 2 / pixel_size_nm - size / 2
            left, top = corner = np.rint(corner).clip(0, [across - size, height - size]).astype(int)
            at = corner * pixel_size_nm
            centre = at + half_nm
            within = np.abs(paths[:, span] - centre).max(axis=-1) < half_nm
            within[i] = False
            x, y = (places - centre).T
            tables.append(
                pd.DataFrame(
                    {
                        "sequence": len(tables),
                        "track": track,
                        "frame": span,
                        "x_nm": x,
                        "y_nm": y,
                        "sigma_nm": known[span, 2],
                        "width_nm": known[span, 3],
                        "crowded": crowded[span] | within.any(axis=0),
                        "at_edge": np.maximum(np.abs(x), np.abs(y)) > half_nm - margin_nm,
                    }
                )
            )
            square = movie[span, top : top + size, left : left + size].astype(np.float32)
            if others is not None:
                away = np.unique(others.track) != track
                reach = HIDDEN * others.groupby("track").width_nm.median().to_numpy()[away]
                _hide(square, hidden[away][:, span] - at, paths[i, span] - at, reach, pixel_size_nm)
            cuts.append(square[None])
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=CUT_COLUMNS)
    return CutOuts(np.concatenate(cuts), table)


def _hide(square, others, own, reach, pixel_size_nm):
    """Write a square's (T, S, S) median within reach of ``others`` (k, T, 2), unless ``own`` (T, 2) is nearer."""
    across = (np.arange(square.shape[-1]) + 0.5) * pixel_size_nm
    grid = np.stack(np.meshgrid(across, across), axis=-1)  # x and y of each pixel
    level = np.median(square)
    to_own = np.linalg.norm(grid - own[:, None, None], axis=-1)
    for other, far in zip(others, reach, strict=True):
        to_other = np.linalg.norm(grid - other[:, None, None], axis=-1)
        square[(to_other < far) & ~(to_own < to_other)] = level


def lay_out(tracks):
    """Return where each molecule is in each frame, as estimators take it.

    Parameters
    ----------
    tracks : DataFrame
        From `find_tracks`.

    Returns
    -------
    positions_nm : (n, T, 2) ndarray
        In the order of the tracks' numbers; NaN where a molecule has not been seen.
    sigma_nm : (n, T) ndarray
    """
    numbers, row = np.unique(tracks.track, return_inverse=True)
    values = np.full((len(numbers), tracks.frame.max() + 1, 3), np.nan)
    values[row, tracks.frame] = tracks[["x_nm", "y_nm", "sigma_nm"]]
    return values[..., :2], values[..., 2]


def check_movie(movie):
    """Return a movie as an array.

    Parameters
    ----------
    movie : array_like

    Returns
    -------
    (T, H, W) ndarray

    Raises
    ------
    ValueError
        If it is not (T, H, W) of finite counts.
    """
    movie = np.asarray(movie)
    if movie.ndim != 3 or 0 in movie.shape:
        raise ValueError(f"movie must be (T, H, W), got {movie.shape}")
    if not np.isfinite(movie).all():
        raise ValueError("movie must hold finite counts, got NaN or infinite ones")
    return movie


def _link(table, shape, imaging, tracking):
    """Return the number of each detection's track, and the search range in nm."""
    import trackpy

    trackpy.quiet()
    places = table[["x_nm", "y_nm"]].to_numpy()
    cuts = np.searchsorted(table.frame, np.arange(1, shape[0]))
    frames = np.split(places, cuts)

    def follow(reach):
        try:
            linked = trackpy.link_iter(enumerate(frames), reach, memory=tracking.memory, adaptive_stop=reach / 10)
            return np.array([track for _, tracks in linked for track in tracks], int)
        except trackpy.SubnetOversizeException:
            raise ValueError(
                f"the movie is too crowded for a search range of {reach:.0f} nm: set a smaller search_range_nm"
            ) from None

    if tracking.search_range_nm:
        reach = tracking.search_range_nm
    elif tracking.fastest_um2_s:
        reach = 1e3 * math.sqrt(-4 * math.log(MISSED) * tracking.fastest_um2_s * imaging.interval_s)
    else:  # by the steps that are found within half the usual distance of two molecules
        apart = [spatial.cKDTree(f).query(f, 2)[0][:, 1] for f in frames if len(f) > 1]
        widest = min(shape[1:]) * imaging.pixel_size_nm / 4
        widest = min(widest, np.median(np.concatenate(apart)) / 2) if apart else widest
        steps = table[["frame", "x_nm", "y_nm"]].groupby(follow(widest)).diff().query("frame == 1")
        usual = np.quantile(np.hypot(steps.x_nm, steps.y_nm), 0.98) if len(steps) else widest
        reach = min(widest, max(1.5 * usual, imaging.pixel_size_nm))
    return follow(reach), reach


def _paths(table, length, hold=0):
    """Return where each track leads, (tracks, length, 2): straight through gaps, on hold before and after, else NaN."""
    paths, times = np.full((table.track.nunique(), length, 2), np.nan), np.arange(length)
    for i, (_, rows) in enumerate(table.groupby("track")):
        near = (times >= rows.frame.min() - hold) & (times <= rows.frame.max() + hold)
        for axis, column in enumerate(["x_nm", "y_nm"]):
            paths[i, near, axis] = np.interp(times[near], rows.frame, rows[column])
    return paths


def _distances(table, length, hold):
    """Return the distance of each detection to the nearest other track; infinite if there is none."""
    paths, own = _paths(table, length, hold), np.unique(table.track, return_inverse=True)[1]
    distances = np.full(len(table), np.inf)
    for t, rows in table.groupby("frame").indices.items():
        present = np.flatnonzero(np.isfinite(paths[:, t, 0]))
        if len(present) > 1:
            near, which = spatial.cKDTree(paths[present, t]).query(paths[own[rows], t], 2)
            distances[rows] = np.where(present[which[:, 0]] == own[rows], near[:, 1], near[:, 0])
    return distances
