"""Synthetic micrographs: a picture and everything that is true of it."""

import dataclasses
import functools

import numpy as np
import pandas as pd

from particlelab.measure import feret_diameters
from particlelab.micrographs.camera import take
from particlelab.micrographs.recipe import Recipe, load_recipe
from particlelab.micrographs.scene import Scene, build_scene
from particlelab.micrographs.surfaces import Patch, overlap, trace
from particlelab.micrographs.techniques import expose
from particlelab.randomness import generator

ENGINES = ("native", "cycles", "mitsuba")


@dataclasses.dataclass(frozen=True, eq=False)
class Micrograph:
    """A synthetic picture and its labels, which are exact.

    Attributes
    ----------
    image : (H, W) uint8 ndarray
    instances : (H, W) int32 ndarray
        Which particle is seen: 0 is the ground, k the k-th row of the table. Each pixel counts once.
    depth : (H, W) float32 ndarray
        Height of what is seen over the ground, in nm; NaN where nothing is.
    normals : (H, W, 3) float32 ndarray
        Outward; x to the right, y down, z towards the viewer.
    table : DataFrame
        A row for each particle that reaches into the frame: ``id``, ``population``, ``shape``, ``x_px``, ``y_px``
        (middle of its complete outline, pixel centres at halves), ``z_nm``, ``diameter_nm`` (of a disk with the area of
        the complete outline, also where others hide it or the frame cuts it), ``volume_diameter_nm`` (of a sphere with
        its volume), ``feret_largest_nm``, ``feret_smallest_nm``, ``area_px``, ``visible_px``, ``visible_share`` (of
        what lies within the frame), ``cut`` (by the frame).
    patches : list of Patch
        Their complete outlines.
    scene : Scene
    recipe : Recipe
    """

    image: np.ndarray
    instances: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    table: pd.DataFrame
    patches: list[Patch]
    scene: Scene
    recipe: Recipe

    @functools.cached_property
    def amodal(self):
        """Complete outlines within the frame, hidden parts included: (N, H, W) bool ndarray."""
        masks = np.zeros((len(self.patches), *self.instances.shape), bool)
        for mask, patch in zip(masks, self.patches, strict=True):
            frame, own = overlap(patch, mask.shape)
            mask[frame] = patch.mask[own]
        return masks

    @functools.cached_property
    def category(self):
        """Kind of what is seen: 0 is the ground, k the k-th population of the recipe; (H, W) uint8 ndarray."""
        kinds = np.concatenate([[0], self.table.population.to_numpy() + 1])
        return kinds.astype(np.uint8)[self.instances]


def synthesise(recipe, seed, engine="native"):
    """Synthesise a micrograph and its labels.

    Parameters
    ----------
    recipe : Recipe, str or path
        One that ships by its name, or a YAML file.
    seed : int
        Another seed gives another variant; the same particles lie in the same places whatever technique and camera.
    engine : {"native", "cycles", "mitsuba"}
        What makes the picture: the lab's own renderer, or, where they are installed, Blender's Cycles or Mitsuba 3,
        which follow light by chance. Labels are those of the lab's renderer.

    Returns
    -------
    Micrograph

    Raises
    ------
    ValueError
        If there is no such recipe or engine.
    BlenderError, MitsubaError
        If the engine is not installed, or fails.
    """
    recipe = load_recipe(recipe)
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    scene = build_scene(recipe, generator(seed, "scene"))
    surfaces = trace(scene)
    if engine == "native":
        grey = expose(scene, surfaces, generator(seed, "technique"))
    elif engine == "cycles":
        from particlelab.micrographs.cycles import render

        grey = render(scene, seed)
    else:
        from particlelab.micrographs.mitsuba_engine import render

        grey = render(scene, seed)
    image = take(grey, recipe.camera, generator(seed, "camera"))
    table = _tabulate(scene, surfaces)
    return Micrograph(
        image, surfaces.instances, surfaces.depth, surfaces.normals, table, surfaces.patches, scene, recipe
    )


def _tabulate(scene, surfaces):
    size, shape = scene.recipe.pixel_size_nm, surfaces.instances.shape
    visible = np.bincount(surfaces.instances.ravel(), minlength=len(surfaces.patches) + 1)[1:]
    rows = []
    for number, (patch, which) in enumerate(zip(surfaces.patches, surfaces.particles, strict=True), 1):
        particle = scene.particles[which]
        area = int(np.count_nonzero(patch.mask))
        across = patch.mask.sum(axis=0), patch.mask.sum(axis=1)
        x, y = (float(sums @ (np.arange(len(sums)) + 0.5)) / area for sums in across)
        _, own = overlap(patch, shape)
        within = int(np.count_nonzero(patch.mask[own]))
        largest, smallest = feret_diameters(patch.mask)
        volume = float(patch.thickness_nm.sum()) * size**2
        rows.append(
            {
                "id": number,
                "population": particle.population,
                "shape": particle.shape,
                "x_px": patch.column + x,
                "y_px": patch.row + y,
                "z_nm": float(particle.centre_nm[2]),
                "diameter_nm": 2 * np.sqrt(area / np.pi) * size,
                "volume_diameter_nm": float(np.cbrt(6 * volume / np.pi)),
                "feret_largest_nm": largest * size,
                "feret_smallest_nm": smallest * size,
                "area_px": area,
                "visible_px": int(visible[number - 1]),
                "visible_share": visible[number - 1] / within,
                "cut": within < area,
            }
        )
    return pd.DataFrame(rows, columns=COLUMNS)


COLUMNS = (
    *("id", "population", "shape", "x_px", "y_px", "z_nm", "diameter_nm", "volume_diameter_nm"),
    *("feret_largest_nm", "feret_smallest_nm", "area_px", "visible_px", "visible_share", "cut"),
)
