"""Two sets of pictures beside each other, and whether they differ by more than two sets of one recipe do by chance."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from particlelab.micrographs.features import choose_features
from particlelab.micrographs.picture_sets import cut_tiles, draw_set
from particlelab.micrographs.recipe import load_recipe
from particlelab.micrographs.similarity import METRICS, chance_similarities, compare_features, describe_set
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import generator

RECIPES = Literal[
    "beads",
    "bimodal",
    "carbonyl_iron",
    "categorical",
    "crystals",
    "droplets",
    "ellipsoids",
    "metaballs",
    "potatoes",
    "rods",
    "shadows",
    "spheres_sem",
    "tem_aggregates",
    "tem_crystals",
    "worms",
]
CHANGED = {  # what of the second recipe can be changed, by the field's name
    "edge": "technique.edge",
    "shadowing": "technique.shadowing",
    "ground": "technique.ground",
    "blur_px": "camera.blur_px",
    "dose": "camera.dose",
}
CONFIDENCE = 0.95
SPLITS = 99
TWO_SETS_GROUPS = {
    "What is changed in the second": ("larger", "flat", *CHANGED),
    "How": ("pictures", "size_px", "features"),
}


class TwoSets(Parameters):
    """Two recipes, and what is changed in the second."""

    first: RECIPES = parameter("spheres_sem", "Recipe of the first set")
    second: RECIPES = parameter("spheres_sem", "Recipe of the second set, where nothing is uploaded")
    pictures: int = parameter(12, "Pictures of each set", low=4, high=200)
    larger: float = parameter(1.0, "Particles of the second are so many times as large", low=0.3, high=3)
    flat: bool = parameter(False, "The second in flat greys")
    edge: float | None = parameter(None, "How much brighter its steep surfaces are (sem)", low=0, high=2)
    shadowing: float | None = parameter(None, "How dark it is between its particles (sem)", low=0, high=2)
    ground: float | None = parameter(None, "Grey level of its ground", low=0, high=1)
    blur_px: float | None = parameter(3.0, "Standard deviation of its blur", unit="px", low=0, high=20)
    dose: float | None = parameter(None, "Quanta in a white pixel: fewer are noisier", above=0, high=1e7)
    size_px: int = parameter(160, "Edge of a picture", unit="px", low=64, high=512)
    features: Literal["auto", "own", "random"] = parameter("auto", "What describes pictures; auto: published networks")
    seed: int = parameter(0, "Another number is other pictures", low=0, high=9999)


class ComparedSets(NamedTuple):
    """Two sets and how far they are apart."""

    first: np.ndarray  # (n, H, W) uint8
    second: np.ndarray  # (m, H, W) uint8
    titles: tuple  # of both
    table: pd.DataFrame  # metric, name, value, chance_low, chance, chance_high, share, beyond, more
    # chance: median of sets of one kind (`chance_similarities`), low and high: where 95 % of them lie; share: of them,
    # that are at least as unlike; beyond: whether that is at most 5 %


def compare_two(parameters, upload=None, progress=None):
    """Compare pictures of two recipes, or of one with pictures that somebody has, by all measures.

    What they would give if both were of one kind is found by dividing all pictures at random.

    Parameters
    ----------
    parameters : TwoSets
    upload : (str, (H, W) array), optional
        Name and pixels of a picture, whose tiles take the place of the second set.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    ComparedSets

    Raises
    ------
    ValueError
        If the picture is too small for four tiles of 32 pixels, or a value is not allowed in the second recipe.
    """
    p = parameters
    if upload is None:
        recipe = changed_recipe(p)
        second = draw_set(recipe, p.pictures, _seed(p, "second"), progress=part_of(progress, 0.0, 0.3)).images
        title = "Second: " + recipe.about
    else:
        second, title = cut_tiles(upload[1], p.size_px, most=p.pictures), f"Second: tiles of {upload[0]}"
    edge = second.shape[1]
    framed, seed = load_recipe(p.first).reframe(edge), _seed(p, "first")
    first = draw_set(framed, p.pictures, seed, progress=part_of(progress, 0.3, 0.4)).images
    rows = []
    for k, (metric, kind) in enumerate(METRICS.items()):
        features = choose_features(p.features, kind.features)
        sets = [describe_set(pictures, metric, features, p.seed) for pictures in (first, second)]
        found = compare_features(*sets, metric, features)
        by_chance = chance_similarities(*sets, metric, features, p.seed, SPLITS)
        sign = -1 if kind.more else 1
        share = (1 + np.count_nonzero(sign * by_chance >= sign * found.value)) / (1 + SPLITS)
        low, middle, high = np.quantile(by_chance, [(1 - CONFIDENCE) / 2, 0.5, (1 + CONFIDENCE) / 2])
        beyond = bool(share <= 1 - CONFIDENCE)
        rows.append((metric, found.name, found.value, low, middle, high, share, beyond, kind.more))
        if progress:
            progress(0.7 + 0.3 * (k + 1) / len(METRICS), found.name)
    columns = ["metric", "name", "value", "chance_low", "chance", "chance_high", "share", "beyond", "more"]
    return ComparedSets(first, second, (f"First: {p.first}", title), pd.DataFrame(rows, columns=columns))


def changed_recipe(parameters):
    """Return the recipe of the second set.

    Parameters
    ----------
    parameters : TwoSets

    Returns
    -------
    Recipe
        Its ``about`` tells what was changed.
    """
    p = parameters
    recipe = load_recipe(p.second).reframe(p.size_px).scale(sizes=p.larger)
    values = {dotted: getattr(p, name) for name, dotted in CHANGED.items() if getattr(p, name) is not None}
    told = [f"{name.removesuffix('_px')} {getattr(p, name):g}" for name in CHANGED if getattr(p, name) is not None]
    if p.flat:
        values["technique.kind"] = "categorical"
    told += [f"{p.larger:g} times as large"] * (p.larger != 1) + ["in flat greys"] * p.flat
    return recipe.vary(values | {"about": ", ".join([p.second, *told])})


def tell_compared(compared):
    """Say in one line which measures tell two sets apart.

    Parameters
    ----------
    compared : ComparedSets

    Returns
    -------
    str
    """
    table = compared.table
    apart = list(table.name[table.beyond])
    if not apart:
        return "No measure tells the two sets apart: sets of one kind are as unlike by chance."
    text = f"Beyond chance: {', '.join(apart)}"
    rest = list(table.name[~table.beyond])
    return text + (f"; not: {', '.join(rest)}" if rest else "")


def _seed(parameters, name):
    return int(generator(parameters.seed, "two sets", name).integers(2**31))
