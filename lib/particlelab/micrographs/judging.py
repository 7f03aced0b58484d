"""How well a method measures: against synthetic pictures, whose truth is known, and against coins measured by hand."""

import numpy as np
import pandas as pd
from skimage import data

from particlelab.home import home
from particlelab.micrographs.evaluation import hits_of, match_detections, precision_of, rate_matches
from particlelab.micrographs.measurement import tabulate
from particlelab.micrographs.recipe import load_recipe
from particlelab.micrographs.synthesis import synthesise
from particlelab.processes import each
from particlelab.randomness import generator
from particlelab.reading import read_table

LEAST_SHARE = 0.5  # of a particle that must be seen if its size is to be measured
FEWEST_PX = 12  # seen of a particle; fewer are no particle that could be found
RESAMPLES = 1000
TAIL = 0.025
COLUMNS = ["recipe", "criterion", "value", "low", "high", "unit", "images", "true", "found"]


def judge_recipes(find, recipes, images=20, seed=0, workers=1, progress=None):
    """Judge a method on synthetic pictures: the document's four criteria and the average precision, recipe by recipe.

    Sizes are those of particles that lie within the picture, without touching its edge, and of which at least half is
    seen. Found ones count if they do not touch the edge either; those that fit (IoU of a half or more) a particle that
    does not count are left out as well, as they are neither right nor wrong. The average precision is of all particles
    of which at least 12 pixels are seen; what fits others does not count.

    Parameters
    ----------
    find : callable
        ``find(image) -> Found``: `find_by_watershed`, or `Detector.find`. With several workers it must be one that
        processes can be handed.
    recipes : sequence of Recipe or str
        Their names must differ.
    images : int
        Of each recipe.
    seed : int
        The pictures of a recipe depend on it and on the recipe's name, not on what else is judged.
    workers : int
        Processes.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        A row for each ``recipe`` and ``criterion`` (those of `rate_matches`, and ``ap``, ``ap50``): ``value``, ``low``
        and ``high`` (95 %, bootstrap over pictures), ``unit``; numbers of ``images`` and of ``true`` and ``found``
        particles with a size.

    Raises
    ------
    ValueError
        If there is no such recipe, two have one name, or a number is below 1.
    """
    recipes = [load_recipe(recipe) for recipe in recipes]
    names = [recipe.name for recipe in recipes]
    if len(set(names)) < len(names):
        raise ValueError(f"recipes must differ in their names, got {', '.join(names)}")
    if images < 1:
        raise ValueError(f"images must be at least 1, got {images}")
    tasks = [(find, recipe, seed, k) for recipe in recipes for k in range(images)]
    judged = dict(each(judge_picture, tasks, workers, progress))
    rows = []
    for number, name in enumerate(names):
        own = [judged[number * images + k] for k in range(images)]
        rows += _rate(name, own, generator(seed, "resamples", name))
    return pd.DataFrame(rows, columns=COLUMNS)


def judge_picture(find, recipe, seed, k):
    """Judge a method on the k-th picture of a recipe.

    Returns
    -------
    true, found : (n,) ndarray
        Diameters in nm of the particles that count.
    hits : Hits
    """
    made = synthesise(recipe, int(generator(seed, "judging", recipe.name, k).integers(2**31)))
    return compare(made.instances, made.table, find(made.image), recipe.pixel_size_nm)


def compare(instances, table, found, pixel_size_nm):
    """Compare what was found in a picture with the truth, as `judge_recipes` says.

    Parameters
    ----------
    instances : (H, W) int ndarray
    table : DataFrame
        Of `synthesise`: ``diameter_nm``, ``visible_px``, ``visible_share``, ``cut``, row k of instance k + 1.
    found : Found
    pixel_size_nm : float

    Returns
    -------
    true, found : (n,) ndarray
        Diameters in nm of the particles that count.
    hits : Hits
    """
    seen = np.append(False, table.visible_px.to_numpy() >= FEWEST_PX)
    pairs = match_detections(instances, found.instances)
    named = np.append(False, ~np.isin(np.arange(1, len(found.scores) + 1), pairs.found[~seen[pairs.truth]]))
    numbers = np.where(named, np.cumsum(named), 0)
    hits = hits_of(np.where(seen[instances], instances, 0), numbers[found.instances], found.scores[named[1:]])
    edge = np.concatenate([instances[0], instances[-1], instances[:, 0], instances[:, -1]])
    counts = seen[1:] & (table.visible_share >= LEAST_SHARE) & ~table.cut & ~table.index.isin(edge - 1)
    particles = tabulate(found, pixel_size_nm)
    excused = pairs.found[~counts.to_numpy()[pairs.truth.to_numpy() - 1]]
    kept = ~particles.touches_border & ~particles.instance.isin(excused)
    return table.diameter_nm[counts].to_numpy(), particles.diameter_nm[kept].to_numpy(), hits


def coins():
    """Return the coins of scikit-image, a picture of 24 of them, and their diameters measured by hand.

    Returns
    -------
    image : (303, 384) uint8 ndarray
    table : DataFrame
        ``coin``, ``x_px``, ``y_px``, ``diameter_px`` (of a disk of equal area) and its ``uncertainty_px`` (standard
        deviation): see ``data/micrographs/coins.md``.
    """
    return data.coins(), read_table(home() / "data" / "micrographs" / "coins.csv")


def judge_coins(find):
    """Measure the coins, and compare with the measurement by hand.

    Parameters
    ----------
    find : callable
        ``find(image) -> Found``.

    Returns
    -------
    table : DataFrame
        That of `coins` with ``found_px``, the diameter that was found of a coin, and ``error_percent``; NaN if nothing
        was found that covers half of the coin and of itself (IoU with the disk by hand of a half or more).
    extra : int
        Found things that are no coin.
    """
    image, table = coins()
    found = find(image)
    y, x = np.indices(image.shape)
    by_hand = np.zeros(image.shape, int)
    for row in table.itertuples():
        by_hand[(x - row.x_px) ** 2 + (y - row.y_px) ** 2 <= (row.diameter_px / 2) ** 2] = row.coin
    pairs = match_detections(by_hand, found.instances)
    sizes = pd.Series(found.diameters_px[pairs.found - 1], index=pairs.truth)
    table["found_px"] = sizes.reindex(table.coin).to_numpy(float)
    table["error_percent"] = 100 * (table.found_px / table.diameter_px - 1)
    return table, len(found.scores) - len(pairs)


def _rate(name, judged, rng):
    """Return the rows of a recipe."""
    true, found, hits = zip(*judged, strict=True)
    numbers = len(judged), sum(map(len, true)), sum(map(len, found))
    if numbers[1] >= 2:
        criteria = rate_matches(true, found, rng, resamples=RESAMPLES)
        rows = [(name, *row, *numbers) for row in criteria.itertuples(index=False)]
    else:
        rows = []
    once = precision_of(hits)
    drawn = [precision_of([hits[k] for k in rng.integers(0, len(hits), len(hits))]) for _ in range(RESAMPLES // 5)]
    for criterion, value, resampled in (
        ("ap", once.AP, [one.AP for one in drawn]),
        ("ap50", once.AP50, [one.AP50 for one in drawn]),
    ):
        low, high = np.nanquantile(resampled, [TAIL, 1 - TAIL]) if len(hits) > 1 else (np.nan, np.nan)
        rows.append((name, criterion, value, low, high, "", *numbers))
    return rows
