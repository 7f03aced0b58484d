"""One micrograph, turned by hand: a recipe with a few of its values changed, and what is true of the picture."""

import dataclasses
import math
from typing import Literal, NamedTuple

import numpy as np
from pydantic import create_model

from particlelab.measure import LogNormal, fit_lognormal
from particlelab.micrographs.labels import true_diameters
from particlelab.micrographs.recipe import load_recipe, recipes
from particlelab.micrographs.synthesis import Micrograph, synthesise
from particlelab.parameters import Parameters, parameter


class OneMicrograph(Parameters):
    """A recipe, and how it is changed; factors of 1 leave it as it is."""

    recipe: str = parameter("spheres_sem", "Recipe")
    seed: int = parameter(0, "Another number is another micrograph", low=0, high=9999)
    size: float = parameter(1.0, "Diameters, times", low=0.3, high=3)
    number: float = parameter(1.0, "Particles, times", low=0.1, high=4)
    width: float = parameter(1.0, "Width of the size distribution (logarithm), times", low=0, high=3)
    exposure: float = parameter(1.0, "Brightness of particles and ground, times", low=0.2, high=3)
    contrast: float = parameter(1.0, "Edges and shadows (sem), or absorption and refraction, times", low=0, high=3)
    tilt_deg: float = parameter(0.0, "Tilt of the sample, on a plane", unit="°", low=0, high=60)
    blur_px: float = parameter(0.0, "Blur besides the recipe's", unit="px", low=0, high=6)
    dose: float = parameter(1.0, "Quanta, times", low=0.02, high=50)
    frame_px: int = parameter(512, "Edge of the picture", unit="px", low=128, high=1024)


class RecipeStudy(Parameters):
    """How many micrographs averages are taken over."""

    pictures: int = parameter(3, "Micrographs of each recipe", low=1, high=1000)
    frame_px: int = parameter(384, "Edge of a micrograph", unit="px", low=64, high=4096)
    seed: int = parameter(0, "Seed of the first one", low=0)


class Looked(NamedTuple):
    """What `look` gives."""

    micrograph: Micrograph
    truth: LogNormal  # of the diameters in nm of particles whose middle lies in the frame


def one_micrograph():
    """Return `OneMicrograph` with a choice of the recipes that ship."""
    names = recipes()
    recipe = OneMicrograph.model_fields["recipe"]
    choice = (Literal[names], parameter(recipe.default, recipe.description))
    return create_model("OneMicrograph", __base__=OneMicrograph, recipe=choice)


def look(parameters, recipe=None):
    """Synthesise a micrograph of a changed recipe.

    Parameters
    ----------
    parameters : OneMicrograph
    recipe : Recipe, optional
        Taken instead of the one that the parameters name.

    Returns
    -------
    Looked

    Raises
    ------
    ValueError
        If a changed value is one that a recipe cannot have.
    """
    p = parameters
    micrograph = synthesise(change(recipe or load_recipe(p.recipe), p), p.seed)
    return Looked(micrograph, fit_truth([micrograph]))


def change(recipe, parameters):
    """Return a recipe changed as `OneMicrograph` says."""
    p, t = parameters, recipe.technique
    recipe = recipe.reframe(p.frame_px).scale(sizes=p.size, numbers=p.number)
    populations = tuple(one.replace(deviation=min(one.deviation**p.width, 4.0)) for one in recipe.populations)
    technique = t.replace(
        ground=min(p.exposure * t.ground, 1.0),
        brightness=min(p.exposure * t.brightness, 1.0),
        edge=min(p.contrast * t.edge, 2),
        shadowing=min(p.contrast * t.shadowing, 2),
        free_path_nm=min(t.free_path_nm / max(p.contrast, 0.01), 1e9),
        refraction=min(p.contrast * t.refraction, 5),
        tilt_deg=max(p.tilt_deg, t.tilt_deg),
    )
    blur_px, dose = float(np.hypot(recipe.camera.blur_px, p.blur_px)), min(p.dose * recipe.camera.dose, 1e7)
    return dataclasses.replace(
        recipe,
        populations=populations,
        technique=technique,
        camera=recipe.camera.replace(blur_px=min(blur_px, 20), dose=dose),
    )


def fit_truth(micrographs):
    """Fit a log-normal distribution to the true diameters of particles whose middle lies in the frame.

    These are a fair sample, as no particle is more or less likely to be among them for its size.

    Parameters
    ----------
    micrographs : sequence of Micrograph

    Returns
    -------
    LogNormal
        In nm; of less than two NaN.
    """
    diameters = np.concatenate([true_diameters(m.table, m.recipe.width_px, m.recipe.height_px) for m in micrographs])
    unknown = LogNormal(math.nan, math.nan, (math.nan, math.nan), (math.nan, math.nan), len(diameters))
    return fit_lognormal(diameters) if len(diameters) > 1 else unknown
