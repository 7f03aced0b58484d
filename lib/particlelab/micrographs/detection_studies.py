"""Experiments on finding particles: methods beside each other, on recipes that no detector has learned from."""

from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from particlelab.micrographs.detector import Detector, Found
from particlelab.micrographs.evaluation import match_detections
from particlelab.micrographs.judging import compare, judge_coins, judge_recipes
from particlelab.micrographs.measurement import find_particles
from particlelab.micrographs.recipe import load_recipe, recipes
from particlelab.micrographs.synthesis import Micrograph, synthesise
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import generator

METHOD_NAMES = {
    "network": "our network",
    "mask-rcnn": "Mask R-CNN",
    "watershed": "Otsu and watershed",
    "hough": "Hough's circles",
}
CRITERION_NAMES = {
    "js_divergence": "Jensen-Shannon divergence",
    "mean_error": "error of the geometric mean diameter",
    "deviation_error": "error of the geometric standard deviation",
    "count_error": "error of the count",
    "ap": "average precision",
    "ap50": "average precision at an IoU of 0.5",
}
LITERATURE = pd.DataFrame(  # as issue and document state it: Frei and Kruis, Eng 3, 78 (2022)
    [
        ("Mask R-CNN, dark particles", -2.2, -6.3),
        ("Mask R-CNN, light particles", -8.3, -5.6),
        ("Hough's circles", -4.5, -11.2),
    ],
    columns=["method", "mean_error", "deviation_error"],
)
RESAMPLES = 2000
Method = Literal[tuple(METHOD_NAMES)]


class DetectionStudy(Parameters):
    """A training of a detector, and the recipes that methods are judged by."""

    train: bool = parameter(False, "Train a network from nothing; otherwise the one that ships is looked at")
    kind: Literal["centres", "mask-rcnn"] = parameter("centres", "Network that is trained")
    pictures: int = parameter(600, "Pictures to train on, each of a random recipe", low=2, high=1_000_000)
    picture_px: int = parameter(256, "Edge of a picture", unit="px", low=64, high=4096)
    iterations: int = parameter(1500, "Iterations of the training", low=1, high=10_000_000)
    batch: int = parameter(4, "Pieces of pictures in an iteration", low=1, high=1024)
    backbone: Literal["resnet50", "resnet18"] = parameter("resnet18", "Backbone of Mask R-CNN")
    weights: Literal["coco", "none"] = parameter("none", "Weights that Mask R-CNN begins with")
    model: str = parameter("default", "A network that ships, or the path of a .safetensors file")
    mask_rcnn: str = parameter("", "A trained Mask R-CNN to judge beside it, likewise; empty for none")
    judged: tuple[str, ...] = parameter(
        ("spheres_sem", "shadows", "droplets"), "Recipes to judge by; empty for all that ship"
    )
    images: int = parameter(2, "Pictures of each recipe", low=1, high=10_000)
    workers: int = parameter(1, "Processes", low=1, high=256)
    seed: int = parameter(0, "Seed of pictures, first weights and judging", low=0)


class DetectionTrial(Parameters):
    """A synthesised picture in which particles are looked for."""

    recipe: Literal[recipes()] = parameter("spheres_sem", "Recipe of the picture")
    seed: int = parameter(0, "Another number is another picture", low=0, high=9999)
    method: Literal["network", "watershed", "hough"] = parameter("network", "How particles are found")
    model: str = parameter("default", "A network that ships, or the path of a .safetensors file")
    minimum_score: float = parameter(0.0, "Particles of a lower score are left out", low=0, high=1)


class Tried(NamedTuple):
    """A picture, its truth, what was found in it, and how well."""

    micrograph: Micrograph
    found: Found
    pairs: pd.DataFrame  # as of `match_detections`
    true_nm: np.ndarray  # diameters of the particles that count, as of `judging.compare`
    found_nm: np.ndarray


def training_of(study):
    """Return the training that a `DetectionStudy` asks for: a `CentreTraining` or a `MaskRCNNTraining`."""
    from particlelab.micrographs.detector_training import CentreTraining, MaskRCNNTraining

    names = ("pictures", "picture_px", "iterations", "batch", "workers")
    options = {name: getattr(study, name) for name in names} | {"seed": study.seed + 1000}
    if study.kind == "centres":
        return CentreTraining(**options, piece_px=min(160, study.picture_px))
    options |= {"backbone": study.backbone, "weights": study.weights}
    return MaskRCNNTraining(**options, piece_px=study.picture_px)


def methods_of(study, trained=None):
    """Return the methods that a `DetectionStudy` judges.

    Parameters
    ----------
    study : DetectionStudy
    trained : Detector or path, optional
        One that was trained in this study; it takes the place of the one that ships.

    Returns
    -------
    dict of str to callable
        By the keys of `METHOD_NAMES`: ``find(image) -> Found``, such as another process can be handed.
    """
    from particlelab.micrographs.detector import load_detector

    networks = {"network": study.model, "mask-rcnn": study.mask_rcnn}
    if trained is not None:
        networks["network" if study.kind == "centres" else "mask-rcnn"] = trained
    found = {
        name: (model if isinstance(model, Detector) else load_detector(model)).find
        for name, model in networks.items()
        if model
    }
    return found | {name: partial(find_particles, method=name) for name in ("watershed", "hough")}


def judge_methods(methods, judged=(), images=20, seed=0, workers=1, progress=None):
    """Judge methods on synthetic pictures of recipes, the same for all of them.

    Parameters
    ----------
    methods : dict of str to callable
        By name: ``find(image) -> Found``.
    judged : sequence of Recipe or str
        Recipes; none is all that ship.
    images : int
        Of each recipe.
    seed, workers, progress
        As for `judge_recipes`.

    Returns
    -------
    DataFrame
        As of `judge_recipes`, with a column ``method`` before the others.
    """
    judged, tables = tuple(judged) or recipes(), []
    for k, (name, find) in enumerate(methods.items()):
        part = part_of(progress, k / len(methods), 1 / len(methods), METHOD_NAMES.get(name, name))
        table = judge_recipes(find, judged, images, seed, workers, part)
        table.insert(0, "method", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def sum_up(table, rng):
    """Sum up over recipes how methods were judged.

    Parameters
    ----------
    table : DataFrame
        Of `judge_methods`.
    rng : numpy.random.Generator
        Draws the recipes of the bootstrap.

    Returns
    -------
    DataFrame
        ``method``, ``criterion``, ``value`` with ``value_low`` and ``value_high`` (95 %, bootstrap over recipes; NaN
        for fewer than two), ``unit``, ``recipes`` that had a value, and ``bias``, the mean with its sign. ``value`` is
        the mean over recipes of what the criterion is without its sign.
    """
    rows = []
    for (method, criterion), part in table.groupby(["method", "criterion"], sort=False):
        values = part.value.dropna().to_numpy()
        low = high = bias = mean = np.nan
        if len(values):
            mean, bias = np.abs(values).mean(), values.mean()
        if len(values) > 1:
            drawn = np.abs(values)[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
            low, high = np.quantile(drawn, [0.025, 0.975])
        rows.append((method, criterion, mean, low, high, part.unit.iloc[0], len(values), bias))
    columns = ["method", "criterion", "value", "value_low", "value_high", "unit", "recipes", "bias"]
    return pd.DataFrame(rows, columns=columns)


def compare_on_coins(methods):
    """Let methods find the 24 coins of scikit-image, which were measured by hand.

    Parameters
    ----------
    methods : dict of str to callable

    Returns
    -------
    DataFrame
        ``method``, ``coins`` that were found, ``extra`` things that are none, ``mean_error_percent`` of the diameters
        with its sign, ``largest_error_percent`` without.
    """
    rows = []
    for name, find in methods.items():
        table, extra = judge_coins(find)
        errors = table.error_percent.dropna()
        largest = errors.abs().max() if len(errors) else np.nan
        rows.append((name, len(errors), extra, errors.mean() if len(errors) else np.nan, largest))
    return pd.DataFrame(rows, columns=["method", "coins", "extra", "mean_error_percent", "largest_error_percent"])


def try_recipe(parameters):
    """Synthesise a picture, and find its particles.

    Parameters
    ----------
    parameters : DetectionTrial

    Returns
    -------
    Tried
    """
    p = parameters
    recipe = load_recipe(p.recipe)
    made = synthesise(recipe, int(generator(p.seed, "trial", p.recipe).integers(2**31)))
    found = find_particles(made.image, p.method, p.model)
    kept = np.flatnonzero(found.scores >= p.minimum_score)
    number = np.zeros(len(found.scores) + 1, np.int32)
    number[kept + 1] = np.arange(1, len(kept) + 1)
    found = Found(number[found.instances], found.scores[kept], found.diameters_px[kept])
    true_nm, found_nm, _ = compare(made.instances, made.table, found, recipe.pixel_size_nm)
    return Tried(made, found, match_detections(made.instances, found.instances), true_nm, found_nm)


def mean_and_deviation(diameters):
    """Return geometric mean and geometric standard deviation of diameters, two at least."""
    logs = np.log(diameters)
    return float(np.exp(logs.mean())), float(np.exp(logs.std(ddof=1)))


def table_of(tried):
    """Return the particles that were found in a trial, each with the true one that it fits.

    Returns
    -------
    DataFrame
        ``instance``, ``score``, ``diameter_nm``; of the particle that it fits ``true_id``, ``true_diameter_nm``,
        ``error_percent`` and ``iou``, NaN where it fits none.
    """
    size = tried.micrograph.recipe.pixel_size_nm
    n = len(tried.found.scores)
    table = pd.DataFrame(
        {
            "instance": np.arange(1, n + 1),
            "score": tried.found.scores,
            "diameter_nm": tried.found.diameters_px * size,
        }
    )
    pairs = tried.pairs.set_index("found")
    table["true_id"] = pairs.truth.reindex(table.instance).to_numpy()
    true = tried.micrograph.table.set_index("id").diameter_nm
    table["true_diameter_nm"] = true.reindex(table.true_id).to_numpy(float)
    table["error_percent"] = 100 * (table.diameter_nm / table.true_diameter_nm - 1)
    table["iou"] = pairs.iou.reindex(table.instance).to_numpy(float)
    return table
