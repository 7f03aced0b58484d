"""What a movie shows of its molecules and its background, in statistics that simulations can be compared by."""

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from particlelab.diffusion.estimators import estimate
from particlelab.diffusion.imaging import photon_variance
from particlelab.diffusion.motion import blur_coefficient
from particlelab.diffusion.psf import pixel_shares, smoothing_taps
from particlelab.diffusion.spots import measure_spots
from particlelab.diffusion.tracking import check_movie, lay_out

REACH = 3.0  # standard deviations of a molecule's image that a fit sees to each side
AWAY = 6.0  # and at which background begins
SURROUNDINGS = 10.0  # and of the side of the squares in which the background counts as even
UNSEEN = 2  # frames before and after a detection in which the molecule may be there unseen
STANDING_OUT = 5.0  # standard deviations of the smoothed noise above which light is no background, tracked or not
FEWEST_PIXELS = 2000  # of background, in all frames
MOST_PIXELS = 10_000_000  # of a movie; its later frames are left out
MOST_WINDOWS = 300  # about molecules
BINS = 6  # of the radial profile
CENTRES = [-2.0, -1.0, 0.0, 1.0, 2.0]  # of the background's histogram, in standard deviations
QUANTILES = [0.25, 0.5, 0.75]  # of widths and light
LEVELS = [0.1, 0.3, 0.5, 0.7, 0.9]  # quantiles of the pixels in the middle of windows
LAGS = [(0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0)]  # rows and columns from one pixel to another


class Scene(NamedTuple):
    """What of a movie simulations are compared with."""

    windows: np.ndarray  # (n, w, w) float32 counts above the background: molecules that stand alone
    seen: dict  # statistics by name, each (k,)
    width: float  # pixels; with gain and noise, what all windows are fitted with
    gain: float  # variance of the counts over their mean
    noise: float  # standard deviation of a pixel of the background, counts
    levels: np.ndarray  # (5,) counts at which the windows' histogram is taken
    camera_known: bool
    brightness: np.ndarray  # (n,) of the molecules, median 1
    mobility: np.ndarray  # (n,) their D, as a multiple of the mean of all
    diffusion: np.ndarray  # (2,) D and its standard error, um^2/s
    level: float  # of the background, counts
    third: np.ndarray  # (2,) third cumulant of the background and its standard error, counts^3
    correlation: np.ndarray  # (2,) of neighbouring pixels of the background, and its standard error


def look(movie, imaging, tracks):
    """Return what a movie shows, if it shows enough."""
    movie, pixel = check_movie(movie), imaging.pixel_size_nm
    if "psf_sigma_nm" not in tracks.attrs:
        raise ValueError("tracks must be those of find_tracks, whose attrs hold psf_sigma_nm")
    if not len(tracks):
        raise ValueError("tracks are empty: there is no molecule in the movie from which conditions could be read")
    width = tracks.attrs["psf_sigma_nm"] / pixel
    places = np.column_stack([tracks.frame, (tracks[["y_nm", "x_nm"]] / pixel).to_numpy().astype(int)])
    beyond = math.ceil(width) * np.array([0, 1, 1])  # a molecule at the border may have its middle outside
    if ((places < -beyond) | (places >= movie.shape + beyond)).any():
        raise ValueError(f"tracks lead beyond the movie of {movie.shape}: they are those of another one")
    places = places.clip(0, np.array(movie.shape) - 1)
    length = max(1, MOST_PIXELS // movie[0].size)
    early = places[:, 0] < length
    movie, tracks, places, attrs = movie[:length], tracks[early], places[early], tracks.attrs
    flat, dark, level = _flatten(movie.astype(float), places, width)
    if dark.sum() < FEWEST_PIXELS:
        raise ValueError(
            f"the movie has {dark.sum()} pixels of background away from molecules, and {FEWEST_PIXELS} are needed"
        )
    half = math.ceil(REACH * width) + 1
    alone = ~tracks.crowded.to_numpy() & (
        (places[:, 1:] >= half) & (places[:, 1:] < np.array(movie.shape[1:]) - half)
    ).all(axis=1)
    if not alone.any():
        raise ValueError("no molecule stands alone: all are crowded, or at the border of the movie")
    frames, rows, columns = places[alone][:: math.ceil(alone.sum() / MOST_WINDOWS)].T[..., None, None]
    across = np.arange(-half, half + 1)
    windows = flat[frames, rows + across[:, None], columns + across].astype(np.float32)
    known, variance = "gain" not in attrs, (flat[dark] ** 2).mean()
    if not variance > 0:
        raise ValueError("the background of the movie has no noise: it has been cut off, and tells nothing of a camera")
    numbers, each, diffusion = _pool_diffusion(tracks, imaging)
    shown = tracks.track.to_numpy()[alone][:: math.ceil(alone.sum() / MOST_WINDOWS)]
    scene = Scene(
        windows=windows,
        seen={},
        width=width,
        gain=imaging.gain * photon_variance(imaging) if known else attrs["gain"],
        noise=math.sqrt(variance),
        levels=np.quantile(windows[:, half - 1 : half + 2, half - 1 : half + 2], LEVELS),
        camera_known=known,
        brightness=np.ones(len(windows)),
        mobility=each[np.searchsorted(numbers, shown)],
        diffusion=diffusion,
        level=level,
        third=np.array([(flat[dark] ** 3).mean(), math.sqrt(6 * variance**3 / dark.sum())]),
        correlation=np.array([_correlate(flat, dark) / variance, 1 / math.sqrt(dark.sum())]),
    )
    return scene._replace(seen=summarise_windows(windows, flat, dark, scene))


def _flatten(movie, places, width):
    """Return the movie less its background, where there is nothing else, and the background's level."""
    marks = np.zeros(movie.shape, bool)
    marks[tuple(places.T)] = True
    away, side = 2 * math.ceil(AWAY * width) + 1, 2 * math.ceil(SURROUNDINGS * width / 2) + 1
    dark = ~ndimage.maximum_filter(marks, (2 * UNSEEN + 1, away, away))
    smooth = _level(movie, dark, side)[0]
    for axis in (1, 2):
        smooth = ndimage.correlate1d(smooth, smoothing_taps(width), axis, mode="constant")
    bright = smooth > STANDING_OUT * 1.4826 * np.median(np.abs(smooth))
    dark &= ~ndimage.maximum_filter(bright, (1, away, away))
    flat, level = _level(movie, dark, side)
    return flat, dark, level


def _level(movie, dark, side):
    """Subtract the mean of the background in a square about each pixel, in all frames, and then that of each frame."""
    count = dark.sum()
    level = movie[dark].mean() if count else np.median(movie)
    less = movie - level
    sums, counts = (
        ndimage.uniform_filter(part.sum(axis=0, dtype=float), side, mode="constant") for part in (less * dark, dark)
    )
    less -= np.where(counts * side**2 > side, sums / np.maximum(counts, 1e-9), 0.0)
    shared = dark.sum(axis=(1, 2))
    less -= ((less * dark).sum(axis=(1, 2)) / np.maximum(shared, 1))[:, None, None]
    return less, float(level)


def _pool_diffusion(tracks, imaging):
    """Return the tracks' numbers, the D of each over their mean, and that mean, weighted by steps, with its error.

    As much as the estimates scatter by chance is taken from how much they differ.
    """
    found = estimate(lay_out(tracks)[0], imaging.interval_s, "cve", blur=blur_coefficient(imaging))
    numbers, seen = np.unique(tracks.track, return_counts=True)
    d, own = (np.nan_to_num(part) for part in found)
    steps = np.where(np.isfinite(found.diffusion_um2_s), seen - 1, 0)
    share = steps / max(steps.sum(), 1)
    mean = share @ d
    errors = own, d - mean  # by each track's own, and by how they differ
    error = max(math.sqrt(((share * part) ** 2).sum()) for part in errors)
    by_chance, spread = share @ own**2, share @ (d - mean) ** 2
    real = math.sqrt(max(0.0, 1 - by_chance / spread)) if spread > 0 and mean > 0 else 0.0
    each = np.where(steps > 0, 1 + real * (d / mean - 1), 1.0).clip(0) if real else np.ones(len(d))
    return numbers, each, np.array([mean, max(error, 1e-6)])


def summarise_windows(windows, flat, dark, scene):
    """Return statistics of windows about molecules, and of background where it is dark, by name."""
    found = fit_windows(windows, scene)
    good = np.isfinite(found[:, 0])
    windows, found = windows[good], found[good]
    x, y, _, _, light, rest, width = found.T[..., None]
    edges = np.arange(windows.shape[-1] + 1)
    across, down = (pixel_shares(edges, at, width) for at in (x, y))
    left = windows - (light * down)[:, :, None] * across[:, None] - rest[..., None]
    middle = edges[:-1] + 0.5
    radius = np.hypot((middle - y)[:, :, None], (middle - x)[:, None])
    ring = np.minimum(radius * BINS / (REACH * scene.width), BINS).astype(int).ravel()
    count = np.maximum(np.bincount(ring, minlength=BINS + 1), 1)
    profile, variance = (
        (np.bincount(ring, of.ravel(), BINS + 1) / count)[:BINS] for of in (windows, left**2)
    )  # of which the rim is subtracted below: there may be more light and noise where molecules are
    deviations = flat[dark] / scene.noise
    return {
        "pixels about molecules": _histogram(windows.ravel()[ring < BINS // 2], scene.levels, scene.noise),
        "radial profile": profile[:-1] - profile[-1],
        "noise about molecules": variance[:-1] - variance[-1],
        "width and light": np.concatenate([np.quantile(part, QUANTILES) for part in (width**2, light)]),
        "histogram of the background": np.append(_histogram(deviations, CENTRES, 1.0), deviations.var()),
    }


def fit_windows(windows, scene):
    """Fit a molecule in the middle of each window, see `measure_spots`; light and background in counts."""
    middle = np.full(len(windows), windows.shape[-1] // 2)
    spots = np.column_stack([np.arange(len(windows)), middle, middle])
    gain = max(scene.gain, 1e-3 * scene.noise)
    found = measure_spots(windows, spots, scene.width, gain, 0.0, (scene.noise / gain) ** 2, reach=REACH)
    found[:, 4:6] *= gain
    return found


def _histogram(values, centres, width):
    """Return how much there is about some values, with soft edges: whole counts do not jump from bin to bin."""
    return np.array([np.exp(-(((values - centre) / width) ** 2) / 2).mean() for centre in centres])


def _correlate(flat, dark):
    """Return the background's autocovariance at a short lag (`LAGS`), that which is farthest from 0.

    It is the mean product of two dark pixels so far apart: 0 for noise of single pixels, but not for noise that a
    filter has spread over neighbours.
    """
    found = [0.0]
    for rows, columns in LAGS:
        here = np.s_[:, rows:, max(0, columns) : min(0, columns) or None]
        there = np.s_[:, : -rows or None, max(0, -columns) : min(0, -columns) or None]
        both = dark[here] & dark[there]
        if both.any():
            found.append((flat[here] * flat[there])[both].mean())
    return max(found, key=abs)
