"""What a movie says of the microscope and camera that made it.

Statistics of the movie give a first answer. Molecules are then simulated under many conditions near it; how the
simulated windows about them change with the conditions shows where they are most like the real ones.
"""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.diffusion.checks import check_parameters
from particlelab.diffusion.imaging import Imaging, expected_images, photon_variance, render
from particlelab.diffusion.motion import draw_paths
from particlelab.diffusion.scenes import fit_windows, look, summarise_windows
from particlelab.randomness import check_rng

FAINTEST, BRIGHTEST = 0.1, 3.0  # molecules of a simulation, as multiples of the median
ALIKE = 5  # groups of molecules that are equally bright in a simulation
LN_WIDTH, LN_LIGHT, LN_GAIN, LN_NOISE, D_IN_ERRORS = range(5)  # conditions as the search sees them: see `_first_guess`
ROUNDS = 4  # of the search
DRAWS = 60  # simulations of a round
SPREAD = 0.15  # of their conditions about the present ones, in logarithms
WIDER = np.array([1, 1, 3, 1, 1])  # so many times that of the gain, which changes little
LONGEST = 0.5  # step of a round, in logarithms
SEEDS = 16  # simulations by which two conditions are compared
DARK = 4, 64  # frames of background in a simulation, and their side
THIRD = {"scmos": 1.0, "emccd": 6.0}  # cumulant of what a mean of one photon gives
CORRELATED = 0.05  # correlation of neighbouring pixels from which noise is not that of single pixels
GLOOM = 20.0  # photons of noise in a pixel, with which a search begins at most
DARKEST = 300.0  # photons of noise in a pixel, beyond which no gain is told
TOLD = 0.15  # standard error up to which the photons' share of the background's noise counts as known

WIDTH, PHOTONS, NOISE = "width of the point-spread function", "photons of a molecule in a frame", "background noise"
DIFFUSION, CORRELATION = "diffusion coefficient", "correlation of neighbouring pixels"
SAME = ("size", "pixel_size_nm", "exposure_s", "interval_s", "substeps", "camera")  # fields that no movie tells
STATISTICS, SIMULATED, STEPS = "statistics of the movie", "simulated windows", "steps of the tracks"


class Conditions(NamedTuple):
    """What a movie says of the microscope and the camera."""

    imaging: Imaging
    table: pd.DataFrame  # quantity, value, low and high (95 %), unit, source: how it was estimated
    similarity: pd.DataFrame  # statistic, before and after: how far simulated windows are from the real ones


def find_conditions(movie, imaging, tracks, rng, refine=True, start=None, progress=None):
    """Find the point-spread function, photons, background, gain and noise of a movie.

    Parameters
    ----------
    movie : (T, H, W) array
        Counts of any gain and offset; negative ones too, if a background has been subtracted.
    imaging : Imaging
        Its pixel size, exposure, interval and kind of camera count; its gain, offset and read noise only if the tracks
        were found with a known camera, and stay as they are then.
    tracks : DataFrame
        From `find_tracks` of this movie.
    rng : numpy.random.Generator
    refine : bool
        Search for conditions under which simulated windows are more like the real ones. If not, simulations give the
        intervals only.
    start : Imaging, optional
        Where the search begins; at what the statistics say if not given.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Conditions
        ``imaging`` has a Gaussian point-spread function and the movie's number of frames. ``photons`` is the median
        of what the molecules of this movie send; their intervals are those of the measurement, not of other molecules.
        A read noise that is not told from photons is 0 in ``imaging`` and NaN in ``table``.
        ``similarity`` is the root mean square difference of statistics of the real and of simulated windows, in
        standard deviations of such a difference: about 1 if nothing tells them apart. What the search has found is
        taken if it makes the first row smaller by more than twice its standard error over simulations.

    Raises
    ------
    ValueError
        If the movie is not (T, H, W) of finite counts, tracks are empty or not those of the movie, no molecule stands
        alone within it, there is next to no background away from molecules or no noise in it, imaging is no
        `Imaging`, or rng no Generator.

    Notes
    -----
    Motion through the exposure E widens a molecule's image. Light that is collected evenly comes from the positions
    x(t) of the exposure; their variance about their mean is, along an axis, (1/E) int <x^2> dt - <(1/E int x dt)^2> =
    D E - 2 D E / 3 = D E / 3, with x(0) = 0 and <x(s) x(t)> = 2 D min(s, t). So much is taken from the square of the
    width, with the D of the tracks' steps (`estimate`, "cve": it needs no error of localisation). By as much as fits of
    molecules that are simulated with this width find another one, it is corrected: those that find more light find it
    wider, and most molecules are smeared by less than their mean D says. Without, widths came out from 2 % too small
    (molecules of which half diffuse ten times as fast as the others) to 5 % too large (150 photons); with it,
    within about 1 %.

    Background alone has a variance of gain^2 (background + read noise^2) and, as noise of reading is not skewed, a
    third cumulant of gain^3 background. The gain comes from how the noise grows with a molecule's light (`find_tracks`
    begins, the simulated windows go on), and the offset is what is left. Where the skewness does not tell photons from
    read noise, all noise is put down to photons: background + read noise^2, all that a network sees, is right then.
    """
    check_parameters("imaging", imaging, Imaging)
    rng, scene = check_rng(rng), look(movie, imaging, tracks)
    guess = _first_guess(scene, imaging)
    scene = _weigh_brightness(scene, guess, imaging, rng)
    guess = _mend_width(guess, scene, imaging, rng.spawn(1)[0])
    free = [LN_WIDTH, LN_LIGHT, D_IN_ERRORS] if scene.camera_known else list(range(5))
    first = at = guess if start is None else np.where(np.isin(range(5), free[:-1]), [*_place(start), 0], guess)
    rounds = ROUNDS if refine else 1
    for step in range(rounds):
        if progress:
            progress(step / (rounds + 1), "simulating molecules under conditions near those of the movie")
        trial = _explore(at, free, scene, imaging, rng)
        at = at + trial.step if refine else at
    similarity, better = _compare(first, at, trial.scatter, scene, imaging, rng)
    if progress:
        progress(1.0, "conditions are found")
    at = at if better else first
    how = SIMULATED if better else "given" if start is not None else STATISTICS
    found, table = _report(at, trial.covariance, scene, imaging, how, rng)
    return Conditions(found.replace(frames=min(len(movie), 10_000)), table, similarity)


class _Round(NamedTuple):
    """What simulations near some conditions tell."""

    step: np.ndarray  # (5,) by which conditions, as of `_first_guess`, are best changed
    covariance: np.ndarray  # (5, 5) of its error
    scatter: np.ndarray  # (k,) standard deviation of each statistic from one simulation to the next


def _first_guess(scene, imaging):
    """Return conditions by the movie's own statistics: four numbers as of `_place`, and D as of `_diffusion_at`.

    These five (`LN_WIDTH` to `D_IN_ERRORS`) are what the search varies: one step is about as long in each.
    """
    square, light = _middle(scene.windows, scene)
    blur = max(0.0, scene.diffusion[0]) * imaging.exposure_s / 3 / (imaging.pixel_size_nm / 1e3) ** 2
    gain = scene.gain / photon_variance(imaging)
    if not scene.camera_known:
        gain = max(gain, scene.noise / GLOOM)  # that of the tracks is next to nothing where noise does not grow
    first = np.log([math.sqrt(max(square - blur, square / 4)), light, gain, scene.noise])
    return np.append(first, SPREAD * scene.diffusion[0] / scene.diffusion[1])


def _middle(windows, scene):
    """Return the median of the squares of the widths (pixels), in the brighter half of windows, and of the light."""
    found = fit_windows(windows, scene)
    light, squares = found[:, 4], found[:, 6] ** 2
    return np.nanmedian(squares[light >= np.nanmedian(light)]), np.nanmedian(light)


def _mend_width(at, scene, imaging, rng):
    """Return conditions with a width whose simulated molecules look as wide as the real ones.

    A fit that finds more light finds it wider, so that the brighter half looks too wide; and most molecules are smeared
    by less than their mean D says, for a few smear by much more. The simulation is smooth (`_render_smoothly`),
    so that counts of another gain or offset, which differ in rounding errors, find the same width.
    """
    windows = (_draw_windows(at, scene, imaging, rng, _render_smoothly) for _ in range(SEEDS))
    simulated = [_middle(some, scene)[0] for some in windows]
    square = np.exp(2 * at[LN_WIDTH])
    error = np.nan_to_num(np.mean(simulated) - _middle(scene.windows, scene)[0])  # 0 where nothing was found
    at = at.copy()
    at[LN_WIDTH] = math.log(max(square - error, square / 4)) / 2
    return at


def _weigh_brightness(scene, at, imaging, rng):
    """Return the scene with the brightness of its molecules, less what noise adds to how much they differ.

    Fits of molecules that are simulated equally bright show how much that is.
    """
    light, alike = (fit_windows(part, scene)[:, 4] for part in (scene.windows, _draw_windows(at, scene, imaging, rng)))
    middle = np.nanmedian(light)
    spread, by_noise = (np.subtract(*np.nanquantile(part, [0.84, 0.16])) for part in (light, alike))
    real = math.sqrt(max(0.0, 1 - (by_noise / spread) ** 2)) if spread > 0 else 0.0
    brightness = np.nan_to_num(1 + real * (light / middle - 1), nan=1.0).clip(FAINTEST, BRIGHTEST)
    return scene._replace(brightness=brightness / np.median(brightness))


def _draw_windows(at, scene, imaging, rng, render=render):
    """Simulate windows about as many molecules, on their way through the exposure as far as theirs go."""
    n, size = scene.windows.shape[:2]
    camera = _imaging_at(at, scene, imaging).replace(frames=1, size=size)
    paths = draw_paths(_diffusion_at(at, scene) * scene.mobility, camera, rng)
    paths += rng.uniform(-0.5, 0.5, (n, 1, 1, 2)) * camera.pixel_size_nm - paths.mean(axis=2, keepdims=True)
    windows = np.empty_like(scene.windows)
    for alike in np.array_split(np.argsort(scene.brightness), ALIKE):
        if len(alike):
            photons = camera.photons * scene.brightness[alike].mean()
            windows[alike] = render(paths[alike], camera.replace(photons=photons), rng)[:, 0]
    return windows - np.float32(scene.level)


def _render_smoothly(positions_nm, imaging, rng):
    """Render as `render` does, with normal noise of the same variance: conditions that differ little look alike."""
    photons = expected_images(positions_nm, imaging)
    scatter = np.sqrt(photon_variance(imaging) * photons + imaging.read_noise**2)
    return imaging.offset + imaging.gain * (photons + scatter * rng.standard_normal(photons.shape, np.float32))


def _diffusion_at(at, scene):
    """Return D of conditions: `SPREAD` is a standard error of that which the steps of the tracks tell."""
    return np.maximum(at[..., D_IN_ERRORS], 0) * scene.diffusion[1] / SPREAD


def _real(scene):
    """Return the movie's statistics as `_simulate` does."""
    return np.append(np.concatenate(list(scene.seen.values())), SPREAD * scene.diffusion[0] / scene.diffusion[1])


def _simulate(at, scene, imaging, rng):
    """Return the statistics of simulated windows and background, one after the other, and what steps tell of D."""
    frames, size = DARK
    nothing = _imaging_at(at, scene, imaging).replace(photons=0.0, frames=frames, size=size)
    flat = render(np.zeros((1, frames, 1, 2)), nothing, rng)[0] - np.float32(scene.level)
    seen = summarise_windows(_draw_windows(at, scene, imaging, rng), flat, np.ones(flat.shape, bool), scene)
    return np.append(np.concatenate(list(seen.values())), rng.normal(at[D_IN_ERRORS], SPREAD))


def _explore(at, free, scene, imaging, rng):
    """Simulate under conditions near some, and find the step to where the statistics are nearest to the real ones.

    A parabola along each condition fits how each statistic changes; what is left is its scatter. What the scatter adds
    to the squares of the slopes is subtracted: otherwise conditions that change nothing would seem to be well known.
    """
    changes = np.zeros((DRAWS, len(at)))
    changes[:, free] = (SPREAD * WIDER * rng.standard_normal(changes.shape))[:, free]
    seen = np.stack([_simulate(at + change, scene, imaging, rng) for change in changes])
    near = changes[:, free]
    design = np.column_stack([np.ones(DRAWS), near, near**2])
    fit = np.linalg.lstsq(design, seen)[0]
    left = seen - design @ fit
    scatter = np.maximum(left.std(axis=0) * math.sqrt(DRAWS / (DRAWS - design.shape[1])), 1e-9 * np.abs(seen).max())
    apart = (_real(scene) - fit[0]) / scatter
    slopes = (fit[1 : 1 + near.shape[1]] / scatter).T
    by_chance = len(scatter) * np.linalg.inv(design.T @ design)[1 : 1 + near.shape[1], 1 : 1 + near.shape[1]]
    squares, axes = np.linalg.eigh(slopes.T @ slopes - by_chance)
    inverse = axes @ ((slopes @ axes) / np.maximum(squares, 1.0)).T  # conditions are known to a factor of e at worst
    misfit = max(1.0, math.sqrt(np.mean((apart - slopes @ (inverse @ apart)) ** 2)))
    step, covariance = np.zeros(len(at)), np.zeros((len(at), len(at)))
    step[free] = (inverse @ apart).clip(-LONGEST, LONGEST)
    errors = misfit * (left / scatter) @ inverse.T
    covariance[np.ix_(free, free)] = errors.T @ errors / (DRAWS - design.shape[1])
    return _Round(step, covariance, scatter)


def _compare(first, last, scatter, scene, imaging, rng):
    """Return how far simulations under two conditions are from the movie, and whether the last ones are nearer.

    Nearer by more than twice the standard error of the mean over simulations, that is.
    """
    real, seeds = _real(scene), rng.integers(2**32, size=SEEDS)
    squares = np.stack(
        [
            [((real - _simulate(at, scene, imaging, np.random.default_rng(seed))) / scatter) ** 2 / 2 for seed in seeds]
            for at in (first, last)
        ]
    )  # (2, SEEDS, k): the real one scatters as much as a simulated one
    nearer = np.subtract(*np.sqrt(squares.mean(axis=2)))
    better = nearer.mean() > 2 * nearer.std(ddof=1) / math.sqrt(SEEDS)
    names = np.repeat([*scene.seen, STEPS], [*map(len, scene.seen.values()), 1])
    rows = {"all": slice(None)} | {name: names == name for name in [*scene.seen, STEPS]}
    table = pd.DataFrame(
        [(name, *np.sqrt(squares[..., part].mean(axis=(1, 2)))) for name, part in rows.items()],
        columns=["statistic", "before", "after"],
    )
    if not better:
        table["after"] = table.before
    return table, bool(better)


def dark_variance(imaging, background):
    """Return the variance of a pixel of the background, photons^2."""
    return photon_variance(imaging) * background + imaging.read_noise**2


def _place(imaging):
    """Return ln of a molecule's width (pixels) and light (counts), gain, and noise of the background (counts).

    As the movie tells light and noise in counts by itself, an error of the gain leaves them as they are.
    """
    p = imaging
    noise = p.gain * math.sqrt(dark_variance(p, p.background))
    return np.log(np.maximum([p.psf_sigma_nm / p.pixel_size_nm, p.gain * p.photons, p.gain, noise], 1e-9))


def _share_of_photons(gain, third, scene, imaging):
    """Return what share of the background's variance is that of photons, by its skewness: read noise has none."""
    return third / (THIRD[imaging.camera] / photon_variance(imaging) * scene.noise**2 * gain)


def _quantities(at, share, scene, imaging):
    """Return fields of an imaging by name; ``at`` (..., 5), ``share`` as of `_share_of_photons`."""
    width, light, gain, noise = np.moveaxis(np.exp(at[..., :4]), -1, 0)
    gain = np.maximum(gain, noise / DARKEST)
    dark, share = (noise / gain) ** 2, np.clip(share, 0, 1)
    background = share * dark / photon_variance(imaging)
    found = {
        "psf_sigma_nm": width * imaging.pixel_size_nm,
        "photons": light / gain,
        "background": background,
        "gain": gain,
        "read_noise": np.sqrt((1 - share) * dark),
        "offset": scene.level - gain * background,
    }
    if scene.camera_known:
        found |= {name: np.full_like(gain, getattr(imaging, name)) for name in ("gain", "read_noise", "offset")}
        found["background"] = np.full_like(gain, max(0.0, (scene.level - imaging.offset) / imaging.gain))
    return found


def _imaging_at(at, scene, imaging, whole=False):
    """Return the imaging of conditions; if ``whole``, all noise of the background is that of photons."""
    share = 1.0 if whole else _share_of_photons(np.exp(at[LN_GAIN]), scene.third[0], scene, imaging)
    found = _quantities(at, share, scene, imaging)
    same = {name: getattr(imaging, name) for name in SAME}
    return Imaging(**same, **{name: float(value) for name, value in found.items()})


def _report(at, covariance, scene, imaging, how, rng):
    """Return the imaging that has been found, and the table of what is known of it."""
    draws = rng.multivariate_normal(at, covariance, 1000)
    thirds = rng.normal(*scene.third, len(draws))
    shares = _share_of_photons(np.exp(draws[:, LN_GAIN]), thirds, scene, imaging)
    correlated = abs(scene.correlation[0]) - 1.96 * scene.correlation[1] > CORRELATED
    told = not correlated and shares.std() < TOLD and np.quantile(shares, 0.975) < 1
    found = _imaging_at(at, scene, imaging, not told)
    drawn = _quantities(draws, shares if told else 1.0, scene, imaging)
    drawn["noise"] = np.sqrt(photon_variance(imaging) * drawn["background"] + drawn["read_noise"] ** 2)
    values = found.model_dump() | {"noise": math.sqrt(dark_variance(found, found.background))}
    given = "given with the camera" if scene.camera_known else ""
    split = "how skewed the background is" if told else "all put down to photons: read noise is not told from them"
    unread = "" if told else "not determined: "
    if unread and not given:
        values["read_noise"] = drawn["read_noise"] = np.nan
    growth = how + ", how noise grows with light" + ("; the noise has been filtered" if correlated else "")
    rows = [
        (WIDTH, "psf_sigma_nm", "nm", how + (", less D exposure / 3" if how == STATISTICS else "")),
        (PHOTONS, "photons", "photons", how),
        ("background", "background", "photons", "level of the background" if given else split),
        ("read noise", "read_noise", "photons", given or unread + split),
        (NOISE, "noise", "photons", "background and read noise together"),
        ("gain", "gain", "counts", given or growth),
        ("offset", "offset", "counts", given or "level of the background, less its photons"),
    ]
    table = [
        (name, values[field], *np.quantile(drawn[field], [0.025, 0.975]), unit, source)
        for name, field, unit, source in rows
    ]
    table.append(
        (
            DIFFUSION,
            float(_diffusion_at(at, scene)),
            *np.quantile(_diffusion_at(draws, scene), [0.025, 0.975]),
            "um^2/s",
            STEPS + (" and simulated windows" if how == SIMULATED else ", their mean"),
        )
    )
    value, error = scene.correlation
    filtered = ": noise has been filtered" if correlated else ""
    source = f"background, the strongest within two pixels{filtered}"
    table.append((CORRELATION, value, value - 1.96 * error, value + 1.96 * error, "", source))
    return found, pd.DataFrame(table, columns=["quantity", "value", "low", "high", "unit", "source"])
