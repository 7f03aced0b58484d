"""Data sets of micrographs in a folder: images with labels of which every pixel is known, as many as one likes.

A folder holds ``dataset.json`` (what it is), ``images/000001.png`` and so on, ``annotations.json`` (COCO; see
`particlelab.micrographs.coco`), ``table.parquet`` (a row for each particle) and ``sizes.json`` (their true size
distribution). Other formats add folders of pictures of the same names.
"""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.micrographs.coco import describe, instances_of, join, outlines_of, read_coco
from particlelab.micrographs.labels import KINDS, as_json, size_distribution, true_diameters
from particlelab.micrographs.recipe import load_recipe
from particlelab.micrographs.synthesis import ENGINES, synthesise
from particlelab.micrographs.variants import draw_recipe
from particlelab.processes import each
from particlelab.randomness import generator
from particlelab.reading import read_image
from particlelab.writing import DRAFT_ENDING, write_bytes, write_text

VARIANTS = "variants"
FORMATS = {  # kinds of labels beside COCO and the table, and the folders they are in
    "coco": {},
    "masks": {"instances": "instances", "categories": "categories"},
    "all": {name: name for name in ("instances", "categories", "depth", "normals")} | {"scene": "scenes"},
}
IMAGES, PARTS = "images", "parts"


class Sample(NamedTuple):
    """One image of a data set."""

    image: np.ndarray  # (H, W) uint8
    instances: np.ndarray  # (H, W) int32: 0 is the ground
    amodal: np.ndarray  # (N, H, W) bool
    table: pd.DataFrame  # of its particles


class Dataset:
    """A data set in a folder: ``data[0]`` is its first `Sample`, and ``len(data)`` their number.

    Attributes
    ----------
    folder : Path
    about : dict
        What was asked for: recipe, number, seed, format and engine.
    table : DataFrame
        A row for each particle; ``image`` counts from 1.
    """

    def __init__(self, folder, about, table, images, annotations):
        self.folder, self.about, self.table = folder, about, table
        self._images, self._annotations = images, annotations

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index):
        image = self._images[index]
        annotations = self._annotations[image["id"]]
        pixels = read_image(self.folder / IMAGES / image["file_name"]).pixels
        table = self.table[self.table["image"] == image["id"]].reset_index(drop=True)
        return Sample(pixels, instances_of(image, annotations), outlines_of(image, annotations), table)


def write_dataset(
    recipe,
    n,
    folder,
    seed,
    format="coco",
    workers=None,
    progress=None,
    *,
    engine="native",
    width_px=256,
    height_px=256,
):
    """Synthesise micrographs and write them with their labels.

    What stands in the folder of a data set that was stopped is not made again, and the files are the same in the end,
    byte for byte. Each file is either whole or not there.

    Parameters
    ----------
    recipe : Recipe, str or path
        One that ships by its name, a YAML file, or ``"variants"``: another random recipe for each image
        (`draw_recipe`).
    n : int
        Images.
    folder : path
        Empty, new, or of the same data set.
    seed : int
        Every image has a seed of its own, drawn from it.
    format : {"coco", "masks", "all"}
        COCO; and pictures of instances (16 bit) and kinds; and depth, normals and the scene as STL.
    workers : int, optional
        Processes, as in `particlelab.processes.each`.
    progress : callable, optional
        Called with the share that is done and a text.
    engine : str
        What makes the pictures, as in `synthesise`.
    width_px, height_px : int
        Of random recipes; others have their own.

    Returns
    -------
    DataFrame
        A row for each particle: ``image`` (from 1), ``file_name``, and what the table of a micrograph has.

    Raises
    ------
    ValueError
        If there is no such recipe, format or engine, ``n`` is below 1, or the folder holds something else.
    """
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ValueError(f"n must be a whole number of at least 1, got {n!r}")
    if format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    generator(seed)  # refuses what is no seed
    folder = Path(folder)
    recipe = [int(width_px), int(height_px)] if recipe == VARIANTS else load_recipe(recipe)
    asked = recipe if isinstance(recipe, list) else recipe.to_dict()
    about = {"recipe": asked, "n": int(n), "seed": int(seed), "format": format, "engine": engine}
    _open(folder, about)
    if not (folder / "annotations.json").exists():
        left = [number for number in range(1, n + 1) if not _part(folder, number).exists()]
        tasks = [(recipe, seed, number, folder, format, engine) for number in left]
        for done, _ in enumerate(each(_make, tasks, workers), start=n - len(left) + 1):
            if progress:
                progress(done / n, f"{done} of {n} images")
        _finish(folder, n)
    shutil.rmtree(folder / PARTS, ignore_errors=True)
    for draft in folder.rglob(f".*{DRAFT_ENDING}"):  # of a process that was killed while it wrote
        draft.unlink()
    return pd.read_parquet(folder / "table.parquet")


def read_dataset(folder):
    """Read a data set that `write_dataset` has written.

    Parameters
    ----------
    folder : path

    Returns
    -------
    Dataset
        Its images are read when they are asked for.

    Raises
    ------
    ValueError
        If the folder holds no data set, or one that is not finished.
    """
    folder = Path(folder)
    if not (folder / "dataset.json").exists():
        raise ValueError(f"{folder} holds no data set of micrographs: there is no dataset.json")
    if not (folder / "annotations.json").exists():
        raise ValueError(f"the data set in {folder} is not finished: write it again with the same parameters")
    about = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    table = pd.read_parquet(folder / "table.parquet")
    return Dataset(folder, about, table, *read_coco(folder / "annotations.json"))


def draw_seeds(seed, number):
    """Return the seed of an image of a data set, counted from 1, and the generator of its random recipe."""
    return int(generator(seed, "image", number).integers(2**53)), generator(seed, "recipe", number)


def _make(recipe, seed, number, folder, format, engine):
    """Write one image and its labels; what says that it is done comes last."""
    own_seed, rng = draw_seeds(seed, number)
    drawn = isinstance(recipe, list)
    micrograph = synthesise(draw_recipe(rng, *recipe) if drawn else recipe, own_seed, engine)
    name = f"{number:06d}"
    for kind, inside in {"image": IMAGES, **FORMATS[format]}.items():
        ending, make = KINDS[kind]
        write_bytes(folder / inside / f"{name}.{ending}", make(micrograph, f"{name}.png"))
    described = describe(micrograph, f"{name}.png")
    described["image"] |= {"seed": own_seed}
    if drawn:
        described["image"] |= {"recipe": micrograph.recipe.to_dict()}
    table = micrograph.table.copy()
    table.insert(0, "image", number)
    table.insert(1, "file_name", f"{name}.png")
    write_bytes(_part(folder, number).with_suffix(".parquet"), table.to_parquet(index=False))
    write_text(_part(folder, number), json.dumps(described))


def _open(folder, about):
    """Make a folder ready for a data set, or see that it holds some of it."""
    file = folder / "dataset.json"
    if file.exists():
        if json.loads(file.read_text(encoding="utf-8")) != json.loads(json.dumps(about)):
            raise ValueError(f"folder {folder} holds another data set: give an empty one, or its parameters")
    elif folder.exists() and any(folder.iterdir()):
        raise ValueError(f"folder {folder} is not empty, and holds no data set of micrographs: give an empty one")
    else:
        write_text(file, json.dumps(about, indent=1))


def _finish(folder, n):
    """Join the parts; the file that says that all is done comes last."""
    parts = [_part(folder, number) for number in range(1, n + 1)]
    table = pd.concat([pd.read_parquet(part.with_suffix(".parquet")) for part in parts], ignore_index=True)
    write_bytes(folder / "table.parquet", table.to_parquet(index=False))
    described = join(json.loads(part.read_text(encoding="utf-8")) for part in parts)
    frame = described["images"][0]
    diameters = true_diameters(table, frame["width"], frame["height"])
    write_text(folder / "sizes.json", as_json(size_distribution(diameters)))
    write_text(folder / "annotations.json", json.dumps(described))


def _part(folder, number):
    return folder / PARTS / f"{number:06d}.json"
