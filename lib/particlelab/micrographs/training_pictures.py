"""Pictures that detectors learn from: synthesised, cut to one size, kept compactly, with the diameter of each particle.

They are drawn by several processes and written in parts, so that a drawing that was stopped goes on where it was.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.processes import each
from particlelab.randomness import generator
from particlelab.writing import write_text

PART = 20  # pictures of a file
FEWEST_PX = 3  # of a particle; fewer visible pixels are counted as ground
COLUMNS = ["x_px", "y_px", "diameter_px", "visible_px", "cut"]


class Pictures(NamedTuple):
    """Pictures of one size with the truth about them."""

    images: np.ndarray  # (n, H, W) uint8
    instances: np.ndarray  # (n, H, W) uint16, 0 = ground, 1..N in each picture
    particles: pd.DataFrame
    # picture, id, x_px, y_px (centre of the visible part), diameter_px (of the disk with the area of the complete
    # outline), visible_px, cut (the picture's edge cuts it); row by row in the order of picture and id


def draw_pictures(n, seed, size_px=256, *, recipes=None, workers=1, folder=None, progress=None):
    """Draw pictures for a training.

    Parameters
    ----------
    n : int
    seed : int
        A picture depends on it, on its own number, on its size and on the recipes only.
    size_px : int
        Edge of the square pictures.
    recipes : sequence of Recipe or str, optional
        One after the other, each time with another seed; a square of ``size_px`` is cut out of each picture at random.
        Without them each picture has a random recipe of its own (`draw_recipe`), far wider than those that ship.
    workers : int
        Processes.
    folder : path, optional
        Where the pictures are kept; those that are there already are not drawn again.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Pictures

    Raises
    ------
    ValueError
        If a number is not positive, a recipe's frame is smaller than ``size_px``, or the folder holds pictures that
        were drawn from something else.
    """
    for name, value in {"n": n, "size_px": size_px, "workers": workers}.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    recipes = _loaded(recipes, size_px)
    if folder is not None:
        folder = _claimed(Path(folder), seed, size_px, recipes)
    jobs = [(seed, first, min(PART, n - first), size_px, recipes, folder) for first in range(0, n, PART)]
    parts = [None] * len(jobs)
    for k, part in each(_draw_part, jobs, workers, progress):
        parts[k] = part
    images, instances, particles = zip(*parts, strict=True)
    return Pictures(np.concatenate(images), np.concatenate(instances), pd.concat(particles, ignore_index=True))


def cut_window(image, instances, diameters_px, top, left, size_px, known_cut=None):
    """Cut a square out of a picture, and number the particles in it anew.

    Parameters
    ----------
    image : (H, W) uint8 array
    instances : (H, W) int array
    diameters_px : (N,) array
        Of the complete particles, by id.
    top, left : int
    size_px : int
    known_cut : (N,) bool array, optional
        Particles that the picture's own edge cuts.

    Returns
    -------
    image : (size_px, size_px) uint8 array
    instances : (size_px, size_px) uint16 array
    particles : DataFrame
        ``id`` and `COLUMNS`.
    """
    window = slice(top, top + size_px), slice(left, left + size_px)
    piece = instances[window]
    whole = np.bincount(instances.ravel(), minlength=len(diameters_px) + 1)
    area = np.bincount(piece.ravel(), minlength=len(whole))
    kept = np.flatnonzero(area >= FEWEST_PX)
    kept = kept[kept > 0]
    number = np.zeros(len(whole), np.uint16)
    number[kept] = np.arange(1, len(kept) + 1)
    new = number[piece]
    rows, columns = np.indices(new.shape)
    count = np.bincount(new.ravel(), minlength=len(kept) + 1)[1:]
    x, y = (
        np.bincount(new.ravel(), weights=at.ravel(), minlength=len(kept) + 1)[1:] / np.maximum(count, 1)
        for at in (columns, rows)
    )
    border = np.zeros(len(kept) + 1, bool)
    for edge in (new[0], new[-1], new[:, 0], new[:, -1]):
        border[edge] = True
    cut = border[1:] | (area[kept] < whole[kept])
    if known_cut is not None:
        cut |= np.asarray(known_cut)[kept - 1]
    particles = pd.DataFrame(
        {
            "id": np.arange(1, len(kept) + 1),
            "x_px": x,
            "y_px": y,
            "diameter_px": np.asarray(diameters_px, float)[kept - 1],
            "visible_px": count,
            "cut": cut,
        }
    )
    return np.ascontiguousarray(image[window]), new, particles


def _loaded(recipes, size_px):
    if recipes is None:
        return None
    from particlelab.micrographs.recipe import load_recipe

    recipes = [load_recipe(recipe) if isinstance(recipe, str) else recipe for recipe in recipes]
    if not recipes:
        raise ValueError("recipes holds none; None draws random ones")
    for recipe in recipes:
        if min(recipe.width_px, recipe.height_px) < size_px:
            raise ValueError(
                f"recipe {recipe.name!r} has {recipe.width_px} x {recipe.height_px} px, less than size_px = {size_px}"
            )
    return recipes


def _claimed(folder, seed, size_px, recipes):
    """Return the folder; it remembers what its pictures are drawn from."""
    drawn = {"seed": int(seed), "size_px": int(size_px), "part": PART}
    drawn["recipes"] = recipes and [recipe.to_dict() for recipe in recipes]
    note = folder / "pictures.json"
    if note.is_file():
        if json.loads(note.read_text()) != json.loads(json.dumps(drawn)):
            raise ValueError(f"{folder} holds pictures of another seed, size or recipe; choose another folder")
    else:
        write_text(note, json.dumps(drawn))
    return folder


def _draw_part(seed, first, n, size_px, recipes, folder):
    """Draw the pictures ``first`` to ``first + n``, or read them if they are there."""
    path = folder and folder / f"pictures_{first:06d}_{n}.npz"
    if path and path.is_file():
        with np.load(path) as file:
            return file["images"], file["instances"], _table(file["particles"], file["picture"], file["id"])
    drawn = [_draw_one(seed, k, size_px, recipes) for k in range(first, first + n)]
    images, instances, tables = zip(*drawn, strict=True)
    table = pd.concat([table.assign(picture=first + k) for k, table in enumerate(tables)], ignore_index=True)
    values = table[COLUMNS].to_numpy(np.float32)
    arrays = {"images": np.stack(images), "instances": np.stack(instances), "particles": values}
    arrays |= {"picture": table.picture.to_numpy(np.int32), "id": table.id.to_numpy(np.int32)}
    if path:
        draft = path.with_name(f".{path.stem}.{os.getpid()}.tmp.npz")
        np.savez_compressed(draft, **arrays)
        draft.replace(path)
    return arrays["images"], arrays["instances"], _table(values, arrays["picture"], arrays["id"])


def _table(values, picture, ids):
    table = pd.DataFrame(values, columns=COLUMNS)
    table.insert(0, "picture", picture)
    table.insert(1, "id", ids)
    return table.astype({"cut": bool, "visible_px": int})


def _draw_one(seed, k, size_px, recipes):
    from particlelab.micrographs.synthesis import synthesise

    rng = generator(seed, "training picture", k)
    if recipes is None:
        from particlelab.micrographs.variants import draw_recipe

        recipe = draw_recipe(rng, width_px=size_px, height_px=size_px)
    else:
        recipe = recipes[k % len(recipes)]
    micrograph = synthesise(recipe, int(rng.integers(2**31)))
    height, width = micrograph.image.shape
    top, left = rng.integers(height - size_px + 1), rng.integers(width - size_px + 1)
    diameters = micrograph.table.diameter_nm.to_numpy() / recipe.pixel_size_nm
    known_cut = micrograph.table.cut.to_numpy(bool)
    return cut_window(micrograph.image, micrograph.instances, diameters, top, left, size_px, known_cut)
