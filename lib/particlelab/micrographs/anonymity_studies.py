"""What anonymised pictures hide of sizes, and what an attacker reads all the same (IPMT report, AP1.6)."""

import dataclasses
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.ndimage import label

from particlelab.measure import bootstrap_interval, fit_lognormal, js_divergence
from particlelab.micrographs.anonymity import SMALLEST_SPACING_PX, Warp, draw_factor, draw_warp, warp
from particlelab.micrographs.anonymity_attack import (
    learn_ruler,
    learn_shifts,
    look_at_pixels,
    read_back,
    read_factors,
    undo_shifts,
)
from particlelab.micrographs.anonymity_sizes import (
    COLUMNS,
    MEASURES,
    QUANTITIES,
    WAYS,
    Strength,
    anonymise_labels,
    measure_set,
    measure_sizes,
    tell,
)
from particlelab.micrographs.detector import detect
from particlelab.micrographs.recipe import load_recipe
from particlelab.micrographs.scene import build_scene
from particlelab.micrographs.surfaces import trace
from particlelab.micrographs.synthesis import synthesise
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator, log_uniform
from particlelab.reading import read_stack

BINS = 14  # of ln d for the divergence
OWN_FACTOR, OWN_DEVIATIONS = 1.4, (1.05, 1.5)  # an attacker's populations: so much larger or smaller, and as wide
CAMERA_FACTOR = 2.0  # an unknown camera blurs so much more or less, its dose is so much higher or lower
RULER_PX = 256  # edge of the pictures by which an attacker learns how pixels look
CAMERAS = {"camera known": False, "camera unknown": True}


class AnonymityStudy(Strength):
    """Sets of pictures, anonymised, attacked, and learned from."""

    recipe: str = parameter("beads", "Recipe of the pictures, or the path of one")
    pictures: int = parameter(2, "Pictures of a set", low=1, high=1000)
    own_sets: int = parameter(24, "Sets of his own by which an attacker learns", low=8, high=100_000)
    attacked_sets: int = parameter(12, "Sets that he attacks", low=2, high=100_000)
    own_pictures: int = parameter(80, "Pictures of his own by which he learns how pixels look", low=16, high=100_000)
    attacked_pictures: int = parameter(40, "Pictures whose pixels he looks at", low=2, high=100_000)
    train: bool = parameter(False, "Train detectors on original and on anonymised pictures; otherwise those that ship")
    training_pictures: int = parameter(60, "Pictures to train on", low=4, high=1_000_000)
    iterations: int = parameter(400, "Iterations of a training", low=1, high=10_000_000)
    judged_pictures: int = parameter(10, "Fresh pictures by which detectors are judged", low=2, high=100_000)
    seed: int = parameter(0, "Seed of all pictures", low=0)


class AnonymityTrial(Parameters):
    """A picture, and how it is anonymised."""

    recipe: str = parameter("beads", "Recipe of the picture, or the path of one")
    method: Literal["grid", "affine", "scale"] = parameter("grid", "Method")
    strength: float = parameter(
        1.0, "0: nothing; grid, affine: 1 just folds nothing; scale: factor less 1", low=0, high=1
    )
    spacing_px: float = parameter(
        32.0, "Of the nodes of grid and affine", unit="px", low=SMALLEST_SPACING_PX, high=4096
    )
    seed: int = parameter(0, "Another number is another picture", low=0, high=9999)
    chance: int = parameter(0, "Another number is another distortion of it", low=0, high=9999)


class Hidden(NamedTuple):
    """What anonymised pictures show of the sizes of particles."""

    sizes: pd.DataFrame  # way ("original" or of `WAYS`), picture, and the columns of `measure_sizes`
    summary: pd.DataFrame
    # way, measure, n; mean, deviation with _low and _high (95 %), mean_area (D[2,0]) in px; mean_shift,
    # deviation_shift, mean_area_shift in %; single: how much a single particle's value changes (standard deviation of
    # the ratio, %); js_divergence from the original, and by_chance: of other original pictures from it


class Anonymised(NamedTuple):
    """A picture before and after."""

    image: np.ndarray
    instances: np.ndarray
    drawn: Warp
    hidden_image: np.ndarray
    hidden_instances: np.ndarray
    sizes: pd.DataFrame  # way ("original", "anonymised"), picture, and the columns of `measure_sizes`
    reading: pd.DataFrame  # of `read_back`, with the true value


def measure_hidden(parameters=None, progress=None):
    """Measure what anonymised pictures show of the sizes (IPMT report, AP1.6, figure 9).

    One set of pictures is anonymised by each way; geometric mean and deviation with intervals are those of a
    log-normal fit, for the largest and the smallest Feret diameter, as in the figure, and for the diameter of the disk
    of the same area.

    Parameters
    ----------
    parameters : AnonymityStudy, optional
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Hidden
    """
    p = parameters or AnonymityStudy()
    recipe = load_recipe(p.recipe)
    original = _draw_labels(recipe, p.pictures, generator(p.seed, "hidden"))
    other = measure_set(_draw_labels(recipe, p.pictures, generator(p.seed, "hidden", "other")))
    parts = {"original": measure_set(original)}
    for number, way in enumerate(WAYS):
        parts[way] = measure_set(anonymise_labels(original, way, p, generator(p.seed, "hidden", way)))
        if progress:
            progress((number + 1) / len(WAYS), way)
    rows = [_summed_up(way, parts, other, m) for way in parts for m in range(len(MEASURES))]
    sizes = pd.concat([part.assign(way=way) for way, part in parts.items()], ignore_index=True)
    return Hidden(sizes[["way", "picture", *COLUMNS]], pd.DataFrame(rows))


def measure_attack(parameters=None, progress=None):
    """Attack anonymised labels: find out how well the true sizes can be read from them.

    The attacker knows the recipe up to the size and the spread of the particles, the method and its strength, but not
    the random numbers. He anonymises labels of his own, whose particles are up to 1.4 times larger or smaller and
    have other spreads, and learns how much each number shifts (`learn_shifts`). Truth is what the original pictures
    show; so without anonymisation he would make no error.

    Parameters
    ----------
    parameters : AnonymityStudy, optional
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        ``way``, ``measure``, ``quantity`` (of `QUANTITIES`); ``naive``: root mean square error in % of who takes the
        anonymised pictures as they are, ``attacked``: of the attacker, each with ``_low`` and ``_high`` (95 %, by
        bootstrap over sets); ``sets``.
    """
    p = parameters or AnonymityStudy()
    recipe, total = load_recipe(p.recipe), p.own_sets + p.attacked_sets
    told = {way: [] for way in ("original", *WAYS)}
    for k in range(total):
        rng = generator(p.seed, "set", k)
        original = _draw_labels(_another(recipe, rng), p.pictures, rng)
        told["original"].append(tell(measure_set(original)))
        for way in WAYS:
            hidden = anonymise_labels(original, way, p, generator(p.seed, "set", k, way))
            told[way].append(tell(measure_set(hidden)))
        if progress:
            progress((k + 1) / total, f"{k + 1} of {total} sets")
    own, attacked = slice(None, p.own_sets), slice(p.own_sets, None)
    true, rows = np.array(told["original"]), []  # (sets, measures, quantities), logarithms
    for way in WAYS:
        seen = np.array(told[way])
        for m, measure in enumerate(MEASURES):
            read = undo_shifts(learn_shifts(seen[own, m], true[own, m]), seen[attacked, m])
            errors = {"naive": seen[attacked, m] - true[attacked, m], "attacked": read - true[attacked, m]}
            rms = {name: _rms(error, generator(p.seed, "bootstrap")) for name, error in errors.items()}
            for q, quantity in enumerate(QUANTITIES):
                row = {"way": way, "measure": measure, "quantity": quantity}
                for name, ends in rms.items():
                    row |= dict(zip((name, f"{name}_low", f"{name}_high"), ends[:, q], strict=True))
                rows.append(row | {"sets": p.attacked_sets})
    return pd.DataFrame(rows)


def measure_ruler(parameters=None, progress=None):
    """Attack scaled pictures by their pixels: the width of edges and the reach of the noise grow with the factor.

    The attacker knows the recipe up to size and spread of the particles, once with its camera, once up to a factor of
    two in blur and dose. He scales pictures of his own and learns the factor from what they look like (`learn_ruler`).

    Parameters
    ----------
    parameters : AnonymityStudy, optional
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        ``attacker``; ``hidden``: root mean square of the factors, in %: the error of who does not look; ``attacked``:
        of the factors as read, with ``_low`` and ``_high`` (95 %, by bootstrap over pictures); ``pictures``.
    """
    p, rows = parameters or AnonymityStudy(), []
    recipe, total = load_recipe(p.recipe).reframe(RULER_PX), p.own_pictures + p.attacked_pictures
    for number, (attacker, unknown) in enumerate(CAMERAS.items()):
        features, factors = [], []
        for k in range(total):
            rng = generator(p.seed, "ruler", k)
            factors.append(draw_factor(rng, p.scaling))
            features.append(_pixels(_another(recipe, rng, unknown), factors[-1], p.scaling, rng))
            if progress:
                progress((number + (k + 1) / total) / len(CAMERAS), f"{k + 1} of {total} pictures, {attacker}")
        own, attacked = slice(None, p.own_pictures), slice(p.own_pictures, None)
        read = read_factors(learn_ruler(features[own], factors[own]), features[attacked])
        errors = np.column_stack([np.log(factors[attacked]), np.log(read / factors[attacked])])
        (hidden, _, _), (value, low, high) = _rms(errors, generator(p.seed, "bootstrap")).T
        rows.append((attacker, hidden, value, low, high, p.attacked_pictures))
    names = ["attacker", "hidden", "attacked", "attacked_low", "attacked_high", "pictures"]
    return pd.DataFrame(rows, columns=names)


def try_anonymity(parameters, picture=None):
    """Anonymise one picture, and let an attacker read its sizes from the labels.

    Parameters
    ----------
    parameters : AnonymityTrial
    picture : (image, instances), optional
        One's own, in place of one of the recipe.

    Returns
    -------
    Anonymised
    """
    p = parameters
    if picture is None:
        micrograph = synthesise(load_recipe(p.recipe), p.seed)
        picture = micrograph.image, micrograph.instances
    image, instances = picture
    options = {"strength": p.strength, "spacing_px": p.spacing_px}
    drawn = draw_warp(instances.shape, p.method, generator(p.seed, "trial", p.chance), **options)
    hidden_image, hidden_instances = warp(image, drawn), warp(instances, drawn, nearest=True)
    parts = {"original": measure_sizes(instances), "anonymised": measure_sizes(hidden_instances)}
    reading = read_back(hidden_instances, p.method, generator(p.seed, "attacker"), **options)
    true = np.exp(tell(parts["original"])).ravel() if len(parts["original"]) > 1 else np.nan
    reading.insert(2, "true", true if len(reading) else [])
    sizes = pd.concat([part.assign(way=way, picture=0) for way, part in parts.items()], ignore_index=True)
    return Anonymised(image, instances, drawn, hidden_image, hidden_instances, sizes, reading)


def read_labelled(content, name=None, model="default"):
    """Read a picture and the particles in it.

    Parameters
    ----------
    content : bytes or path
        A TIFF of two pages, a picture and its mask (ids, or one value for all particles, which are told apart where
        they do not touch); or a picture alone, whose particles a detector finds.
    name : str, optional
        Of the file.
    model : str, path or Detector
        The detector.

    Returns
    -------
    image : (H, W) ndarray
    instances : (H, W) int32 ndarray

    Raises
    ------
    ValueError
        If the file cannot be read, has more than two pages, or a mask that is none.
    """
    frames = read_stack(content, name).frames
    if len(frames) > 2:
        raise ValueError(f"the file has {len(frames)} pages; expected a picture, or a picture and its mask")
    if len(frames) == 1:
        return frames[0], detect(frames[0], model)[0]
    image, mask = frames
    values = np.unique(mask)
    if values[0] < 0 or not np.array_equal(values, np.rint(values)):
        raise ValueError("the mask, the second page, must hold whole numbers of at least 0: 0 is ground")
    instances = label(mask > 0)[0] if len(values) <= 2 else np.searchsorted(np.union1d(0, values), mask)
    return image, instances.astype(np.int32)


def _draw_labels(recipe, n, rng):
    """Return the labels of n pictures; nobody looks at the pictures themselves."""
    return [trace(build_scene(recipe, rng)).instances for _ in range(n)]


def _another(recipe, rng, another_camera=False):
    """Return a recipe with other sizes and spreads, as somebody might try who knows neither."""
    factor, spread = log_uniform(rng, 1 / OWN_FACTOR, OWN_FACTOR), rng.uniform(*OWN_DEVIATIONS)
    camera = recipe.camera
    if another_camera:
        blur, dose = (log_uniform(rng, 1 / CAMERA_FACTOR, CAMERA_FACTOR) for _ in range(2))
        camera = camera.replace(blur_px=camera.blur_px * blur, dose=camera.dose * dose)
    return dataclasses.replace(recipe.scale(sizes=factor).vary({"populations.deviation": spread}), camera=camera)


def _pixels(recipe, factor, strength, rng):
    """Return what the pixels of a scaled picture look like."""
    picture = synthesise(recipe, int(rng.integers(2**31)))
    drawn = draw_warp(picture.image.shape, "scale", rng, strength=strength, factor=factor)
    return look_at_pixels(warp(picture.image, drawn), warp(picture.instances, drawn, nearest=True))


def _summed_up(way, parts, other, m):
    """Return the row of `Hidden.summary` for a way and a measure."""
    measure, original, part = MEASURES[m], parts["original"], parts[way]
    shift = 100 * np.expm1(tell(part)[m] - tell(original)[m])
    fit = fit_lognormal(part[measure], weights=part.weight)
    pairs = original.merge(part, on=["picture", "id"], suffixes=("", "_after"))
    return {
        "way": way,
        "measure": measure,
        "n": fit.n,
        "mean": fit.mean,
        "mean_low": fit.mean_interval[0],
        "mean_high": fit.mean_interval[1],
        "deviation": fit.deviation,
        "deviation_low": fit.deviation_interval[0],
        "deviation_high": fit.deviation_interval[1],
        "mean_area": float(np.exp(tell(part)[m, 2])),
        "mean_shift": shift[0],
        "deviation_shift": shift[1],
        "mean_area_shift": shift[2],
        "single": 100 * float((pairs[f"{measure}_after"] / pairs[measure]).std()),
        "js_divergence": _divergence(original, part, measure),
        "by_chance": _divergence(original, other, measure),
    }


def _divergence(a, b, measure):
    """Return the divergence of two weighted distributions of ln d."""
    logs = [np.log(part[measure]) for part in (a, b)]
    edges = np.histogram_bin_edges(np.concatenate(logs), BINS)
    counts = [np.histogram(x, edges, weights=part.weight)[0] for x, part in zip(logs, (a, b), strict=True)]
    return js_divergence(*counts)


def _rms(errors, rng):
    """Return root mean squares of relative errors in %, each with its interval by bootstrap, (3, q)."""
    squares = (100 * np.expm1(errors)) ** 2
    ends = bootstrap_interval(squares, lambda drawn: drawn.mean(axis=0), rng)
    return np.sqrt([squares.mean(axis=0), *ends])
