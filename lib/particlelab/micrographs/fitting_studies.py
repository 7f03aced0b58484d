"""Parameters of the notebook of fitting, and what it computes: recipes recognised, parameters read, looks matched."""

import dataclasses
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from particlelab.measure import bootstrap_interval
from particlelab.micrographs.differentiable import DIFFERENTIABLE
from particlelab.micrographs.fitter import load_fitter
from particlelab.micrographs.fitting import Fitting, fit_image
from particlelab.micrographs.fitting_training import draw_turned
from particlelab.micrographs.geometry_fitting import GeometryFitting, fit_geometry, match_instances
from particlelab.micrographs.hybrid import HybridSynthesis, synthesise_like
from particlelab.micrographs.recipe import Placement, load_recipe
from particlelab.micrographs.synthesis import synthesise
from particlelab.micrographs.turning import draw_values, known_values, turn
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import generator
from particlelab.reading import read_image

TEN = (  # by which recognition is judged: of each technique some, and those that are most alike
    *("bimodal", "carbonyl_iron", "crystals", "droplets", "potatoes"),
    *("rods", "shadows", "spheres_sem", "tem_aggregates", "worms"),
)
GEOMETRIES = {"irregular": "potatoes", "angular": "crystals"}  # figure 1 of the report
SMALLER = 0.6  # times the recipe's size, so that there are more particles in a small picture
UNSEEN = 1_000_003  # added to a seed: no training drew these pictures
WAY, FASTEST = 3.0, 0.03  # of a parameter of the hybrid synthesis: in all and in a step at most, as shares of its range
VALUE = ["value", "low", "high"]


class FittingStudy(Parameters):
    """Targets of unknown parameters, and how they are fitted."""

    recipes: tuple[str, ...] = parameter(TEN, "Recipes of the targets, and those that come into question")
    recognised: int = parameter(3, "Targets of each recipe that are recognised", low=1, high=10_000)
    refined: int = parameter(1, "Targets whose fit is refined, by turns of all recipes", low=1, high=100_000)
    size_px: int = parameter(384, "Edge of a target", unit="px", low=64, high=2048)
    steps: int = parameter(20, "Steps of a refinement", low=0, high=10_000)
    rigidity: float = parameter(0.1, "How much the prediction holds what is refined", low=0, high=1000)
    model: str = parameter("default", "The fitter that ships, or the path of a .safetensors file")
    geometry_steps: int = parameter(120, "Steps of a geometry optimisation", low=1, high=20_000)
    hybrid_recipe: str = parameter("beads", "Recipe of the hybrid synthesis")
    hybrid_steps: int = parameter(300, "Steps of the hybrid synthesis", low=2, high=100_000)
    train: bool = parameter(False, "Train a fitter from nothing; otherwise the one that ships is used")
    training_pictures: int = parameter(40, "Pictures of each recipe to train on", low=20, high=100_000)
    iterations: int = parameter(300, "Iterations of the training", low=1, high=1_000_000)
    seed: int = parameter(0, "Seed of targets, geometries and noise", low=0)


class FittingTrial(Parameters):
    """A target and how it is fitted; where a picture is handed over, that is the target."""

    recipe: Literal["any", *TEN] = parameter("any", "Recipe of the target, which the fit is not told")
    picture: int = parameter(0, "Another number is another target", low=0, high=9999)
    pixel_size_nm: float | None = parameter(
        None,
        "Edge of a pixel of an uploaded target; None: as in the recipe",
        unit="nm",
        above=0,
        high=1e7,
    )
    steps: int = parameter(20, "Steps of the refinement", low=0, high=300)
    rigidity: float = parameter(0.1, "How much the prediction holds what is refined", low=0, high=100)
    engine: Literal["native", "mitsuba"] = parameter("native", "What renders the picture of the result")
    seed: int = parameter(0, "Seed of the renderings", low=0, high=9999)


def try_fitting(parameters, upload=None, progress=None):
    """Fit a picture that was handed over, or a rendering of unknown parameters.

    Parameters
    ----------
    parameters : FittingTrial
    upload : (H, W) ndarray, optional
        uint8.
    progress : callable, optional

    Returns
    -------
    target : (H, W) uint8 ndarray
    truth : tuple of str and dict, or None
        Name of the recipe and values of its knobs, where they are known.
    fit : Fit
    """
    p = parameters
    if upload is None:
        name = TEN[p.picture % len(TEN)] if p.recipe == "any" else p.recipe
        target, values = draw_target(name, p.picture, 384, 0)
        truth, size = (name, values), None
    else:
        target, truth, size = upload, None, p.pixel_size_nm
    fitting = Fitting(steps=p.steps, rigidity=p.rigidity, engine=p.engine)
    return (
        target,
        truth,
        fit_image(target, None, "default", fitting, seed=p.seed, pixel_size_nm=size, progress=progress),
    )


def read_target(content, name):
    """Return a picture that was handed over as (H, W) uint8; of more than 8 bits from its darkest to its brightest."""
    pixels = np.asarray(read_image(content, name).pixels, float)
    low, high = (0.0, 255.0) if pixels.max() <= 255 else np.quantile(pixels, (0.001, 0.999))
    return np.clip(255 * (pixels - low) / max(high - low, 1e-9), 0, 255).astype(np.uint8)


def draw_target(name, number, size_px, seed):
    """Return a picture (H, W) uint8 of a recipe whose parameters are turned at random, and their values."""
    recipe = load_recipe(name).reframe(size_px)
    micrograph, turned = draw_turned(recipe, seed + UNSEEN, number)
    return micrograph.image, known_values(recipe, turned)


def measure_recognition(parameters, progress=None):
    """Let a fitter read recipe and parameters of pictures that it has not seen, from their textures alone.

    Parameters
    ----------
    parameters : FittingStudy
    progress : callable, optional

    Returns
    -------
    recognised : DataFrame
        One row a picture: ``target`` and ``found`` recipe, ``share`` (how probable the found one is), ``rank`` of the
        right one (1: first).
    values : DataFrame
        One row a parameter, if the recipe is known: ``target``, ``number``, ``parameter``, ``truth``, ``value``,
        ``low``, ``high`` (90 %), ``error`` (a share of the truth).
    """
    p, fitter, rows, tables = parameters, load_fitter(parameters.model), [], []
    chosen = fitter.check_recipes(p.recipes)
    for which, name in enumerate(chosen):
        for number in range(p.recognised):
            image, values = draw_target(name, number, p.size_px, p.seed)
            prediction = fitter.predict(fitter.describe(image), chosen)
            shares = prediction.shares[0]
            best, rank = int(shares.argmax()), int((shares > shares[which]).sum()) + 1
            rows.append((name, chosen[best], float(shares[best]), rank))
            table = fitter.tabulate(name, prediction.means[which][0], prediction.spreads[which][0])
            share = _of_frame(fitter, name, p.size_px)
            table.loc[table.parameter == "populations.number", VALUE] *= share
            tables.append(table.assign(target=name, number=number, truth=table.parameter.map(values)))
            if progress:
                done = which * p.recognised + number + 1
                progress(done / (len(chosen) * p.recognised), f"{name} {number + 1} of {p.recognised}")
    values = pd.concat(tables, ignore_index=True)
    columns = ["target", "number", "parameter", "truth", *VALUE, "error"]
    return (
        pd.DataFrame(rows, columns=["target", "found", "share", "rank"]),
        values.assign(error=values.value / values.truth - 1)[columns],
    )


def summarise_recognition(recognised):
    """Return how many pictures of each recipe, and of all, are recognised.

    ``right`` of ``n``, and the ``share`` with its 95 % interval (Wilson 1927).
    """
    rows = []
    for name, part in [*recognised.groupby("target", sort=False), ("all", recognised)]:
        right = int((part["rank"] == 1).sum())
        interval = stats.binomtest(right, len(part)).proportion_ci(0.95, "wilson")
        rows.append((name, right, len(part), right / len(part), interval.low, interval.high))
    return pd.DataFrame(rows, columns=["recipe", "right", "n", "share", "low", "high"])


def summarise_errors(values, by="parameter", seed=0):
    """Return the median size of the relative errors of each parameter, and of all, with 95 % intervals by bootstrap.

    Parameters
    ----------
    values : DataFrame
        With ``error`` and the column ``by``; where there are intervals, ``truth``, ``low``, ``high``.
    by : str
    seed : int

    Returns
    -------
    DataFrame
        ``by``, ``n``, ``median_error``, ``low``, ``high``, ``within`` (share of truths within their 90 % intervals).
    """
    rows = []
    for name, part in [*values.groupby(by, sort=False), ("all", values)]:
        sizes = part.error.abs().to_numpy()
        low, high = (np.nan, np.nan)
        if len(sizes) > 1:
            low, high = bootstrap_interval(sizes, np.median, generator(seed, "errors", name))
        within = np.nan
        if "low" in part and part.low.notna().any():
            within = float(((part.truth >= part.low * (1 - 1e-6)) & (part.truth <= part.high * (1 + 1e-6))).mean())
        rows.append((name, len(part), float(np.median(sizes)), float(low), float(high), within))
    return pd.DataFrame(rows, columns=[by, "n", "median_error", "low", "high", "within"])


def measure_refinement(parameters, progress=None):
    """Fit pictures with the refinement held by the prediction, free, and without, and compare what becomes of them.

    Parameters
    ----------
    parameters : FittingStudy
    progress : callable, optional

    Returns
    -------
    fits : DataFrame
        One row a picture and way: ``target``, ``number``, ``way`` ("none", "held", "free"), ``found``, ``nearest``
        (the recipe of the least l1 difference alone), ``difference`` (l1, of the best).
    values : DataFrame
        Of technique and camera where the right recipe was found: ``way``, ``target``, ``parameter``, ``truth``,
        ``value``, ``error``.
    """
    p, fitter, fits, values = parameters, load_fitter(parameters.model), [], []
    ways = {"none": Fitting(steps=0), "held": Fitting(steps=p.steps, rigidity=p.rigidity)}
    ways["free"] = Fitting(steps=p.steps, rigidity=0.0)
    for number in range(p.refined):
        name = p.recipes[number % len(p.recipes)]
        image, truth = draw_target(name, 10_000 + number, p.size_px, p.seed)
        for k, (way, fitting) in enumerate(ways.items()):
            part = part_of(progress, (3 * number + k) / (3 * p.refined), 1 / (3 * p.refined), f"{name}, {way}")
            fit = fit_image(image, p.recipes, fitter, fitting, seed=p.seed, progress=part)
            best = fit.candidates[fit.candidates.best].iloc[0]
            nearest = fit.candidates.loc[fit.candidates.difference.idxmin(), "recipe"]
            fits.append((name, number, way, best.recipe, nearest, best.refined))
            if best.recipe == name:
                values += [
                    (way, name, key, truth[key], found.value, found.value / truth[key] - 1)
                    for key, found in fit.parameters.items()
                    if key in DIFFERENTIABLE
                ]
    return (
        pd.DataFrame(fits, columns=["target", "number", "way", "found", "nearest", "difference"]),
        pd.DataFrame(values, columns=["way", "target", "parameter", "truth", "value", "error"]),
    )


def draw_geometry_target(kind, size_px=160, seed=0):
    """Return a `Micrograph` of a few irregular or angular particles on a plane, apart from each other."""
    base = load_recipe(GEOMETRIES[kind])
    apart = dataclasses.replace(base, placement=Placement(kind="plane", gap=0.15))
    values = apart.get("populations.diameter_nm") * SMALLER, apart.get("populations.number") / SMALLER**2
    recipe = turn(apart, dict(zip(("populations.diameter_nm", "populations.number"), values, strict=True)))
    recipe = recipe.reframe(size_px)
    return synthesise(recipe, int(generator(seed, "geometry", kind).integers(2**31)))


def measure_geometry(parameters, progress=None):
    """Optimise outlines towards irregular and angular particles (IPMT report, AP1.3, figure 1).

    Returns
    -------
    fits : dict of str to dict
        By kind: ``target`` (H, W) uint8, ``truth``, ``start`` and ``found`` (H, W) int32 maps of particles, ``steps``
        (m,) and ``pictures`` (m, H, W) of the way.
    table : DataFrame
        ``kind``, ``particles``, ``found``; mean ``iou_start`` and ``iou_end`` with the truth, ``iou_low``,
        ``iou_high`` (95 %, bootstrap over particles), ``area_error`` (median size of the relative error of a particle's
        area).
    """
    p, fits, rows = parameters, {}, []
    for number, kind in enumerate(GEOMETRIES):
        made = draw_geometry_target(kind, seed=p.seed)
        part = part_of(progress, number / len(GEOMETRIES), 1 / len(GEOMETRIES), kind)
        fit = fit_geometry(made.image, len(made.table), GeometryFitting(steps=p.geometry_steps), part)
        start, end = match_instances(made.instances, fit.start), match_instances(made.instances, fit.instances)
        low, high = bootstrap_interval(end.iou.to_numpy(), np.mean, generator(p.seed, "iou", kind))
        error = float((end.found_area_px / end.area_px - 1).abs().median())
        means = start.iou.mean(), end.iou.mean()
        rows.append((kind, len(made.table), int(fit.instances.max()), *means, float(low), float(high), error))
        fits[kind] = {"target": made.image, "truth": made.instances, "start": fit.start, "found": fit.instances}
        fits[kind] |= {"steps": fit.steps, "pictures": fit.pictures}
    columns = ["kind", "particles", "found", "iou_start", "iou_end", "iou_low", "iou_high", "area_error"]
    return fits, pd.DataFrame(rows, columns=columns)


def measure_hybrid(parameters, progress=None):
    """Let a discriminator find the looks of pictures whose technique and camera are known, but not told.

    Returns
    -------
    pictures : list of (H, W) uint8 ndarray
        The real ones.
    hybrid : Hybrid
    table : DataFrame
        ``parameter``, ``truth``, ``start``, ``found``, ``error_start``, ``error_found`` (shares of the truth).
    """
    p, base = parameters, load_recipe(parameters.hybrid_recipe)
    values = draw_values(base, generator(p.seed, "hybrid", "looks"))
    values = {name: value for name, value in values.items() if name in DIFFERENTIABLE}
    like = turn(base, values).reframe(256)
    pictures = [synthesise(like, p.seed + 10 + k).image for k in range(2)]
    hybrid = synthesise_like(
        pictures,
        base,
        HybridSynthesis(steps=p.hybrid_steps, generator_rate=min(FASTEST, WAY / p.hybrid_steps)),
        generator(p.seed, "hybrid"),
        progress,
    )
    rows = [(name, values[name], float(base.get(name)), found) for name, found in hybrid.values.items()]
    table = pd.DataFrame(rows, columns=["parameter", "truth", "start", "found"])
    for column in ("start", "found"):
        table[f"error_{column}"] = table[column] / table.truth - 1
    return pictures, hybrid, table


def _of_frame(fitter, name, size_px):
    """Return the area of a target over that of the recipe in the library."""
    recipe = fitter.library[name]
    return size_px**2 / (recipe.width_px * recipe.height_px)
