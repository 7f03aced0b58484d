"""Training sets of different realism for one task, as the report compares them (IPMT report, AP1.5, figure 4).

The report validates on SEM images of a model system that were annotated by hand, and has seven synthetic sets, of which
its text names three: Categorical, Simulated and Mitsuba. Here a recipe stands in for the real images: particles that
agglomerate, under a technique with all that it can do. The seven synthetic sets are a ladder from flat greys to a path
tracer; what they have of shapes, sizes and light is what somebody would guess who has seen the real images, not what
those were made with.
"""

import dataclasses
from typing import NamedTuple

from particlelab.micrographs.picture_sets import draw_set
from particlelab.micrographs.recipe import Camera, Technique, load_recipe
from particlelab.randomness import generator

PERFECT = Camera(blur_px=0.0, dose=1e7)
EDGES = {"kind": "sem", "ground": 0.15, "brightness": 0.45, "edge": 0.7, "shadowing": 0.0}
SHADED = EDGES | {"shadowing": 0.6, "relief": 0.15, "relief_deg": 225}
ALL = SHADED | {"spread": 0.1, "texture": 0.08, "ground_texture": 0.05, "charging": 0.1}
ANNOTATED = "Annotated"


class Realism(NamedTuple):
    """How a synthetic set is made."""

    about: str
    technique: Technique
    camera: Camera
    traced: bool = False  # by a path tracer, if there is one


REALISM = {
    "Categorical": Realism(
        "flat greys, a perfect camera", Technique(kind="categorical", ground=0.1, brightness=0.8), PERFECT
    ),
    "Edges": Realism("bright edges, a perfect camera", Technique(**EDGES), PERFECT),
    "Shaded": Realism("and shadows", Technique(**SHADED), PERFECT),
    "Blurred": Realism("and blur", Technique(**SHADED), Camera(blur_px=1.2, dose=1e7)),
    "Noisy": Realism("and noise", Technique(**SHADED), Camera(blur_px=1.2, dose=80)),
    "Simulated": Realism(
        "and textures, charging, a gradient",
        Technique(**ALL),
        Camera(blur_px=1.2, dose=80, gradient=0.15, gradient_deg=90),
    ),
    "Path-traced": Realism(
        "light by chance, and the camera of Simulated",
        Technique(**ALL),
        Camera(blur_px=1.2, dose=80, gradient=0.15, gradient_deg=90),
        traced=True,
    ),
}
TRAINING_SETS = (*REALISM, ANNOTATED)
REAL = {  # what the images that stand in for real ones have beyond their recipe
    "technique.relief": 0.2,
    "technique.texture": 0.1,
    "technique.ground_texture": 0.08,
    "technique.charging": 0.15,
    "technique.spread": 0.12,
    "camera.blur_px": 1.4,
    "camera.dose": 60,
    "camera.drift_px": 1.5,
    "camera.gradient": 0.25,
    "camera.gradient_deg": 60,
}


def real_recipe(name, size_px):
    """Return the recipe of the images that stand in for real ones: one that ships, with a full technique.

    Parameters
    ----------
    name : str
    size_px : int

    Returns
    -------
    Recipe
    """
    return load_recipe(name).vary(REAL).reframe(size_px)


def training_recipe(realism, shapes, real, size_px):
    """Return the recipe of a synthetic training set.

    Parameters
    ----------
    realism : str
        Of `REALISM`.
    shapes : str
        The recipe whose shapes and placement are taken, scaled to the size of those in the real images.
    real : str
        The recipe that stands in for them.
    size_px : int

    Returns
    -------
    Recipe
        Sizes scatter by a geometric standard deviation of 1.6 about a mean that is a tenth off.
    """
    kind, guess, target = REALISM[realism], load_recipe(shapes), load_recipe(real)
    size_nm = 1.1 * target.get("populations.diameter_nm") / target.pixel_size_nm * guess.pixel_size_nm
    changed = {
        "populations.smallest_nm": None,
        "populations.largest_nm": None,
        "populations.diameter_nm": size_nm,
        "populations.deviation": 1.6,
    }
    seen = {"technique": kind.technique, "camera": kind.camera, "name": realism.lower(), "about": kind.about}
    return dataclasses.replace(guess.vary(changed), **seen).reframe(size_px)


def draw_training_set(realism, parameters, progress=None):
    """Synthesise one of the seven sets, or the small annotated one.

    Parameters
    ----------
    realism : str
        Of `REALISM`, or ``"Annotated"``: a few of the real images.
    parameters : SimilarityStudy
    progress : callable, optional

    Returns
    -------
    Pictures
    """
    p = parameters
    seed = int(generator(p.seed, "training set", realism).integers(2**31))
    if realism == ANNOTATED:
        return draw_set(real_recipe(p.real, p.picture_px), p.annotated, seed, progress=progress)
    engine = p.path_tracer if REALISM[realism].traced and p.path_tracer != "none" else "native"
    recipe = training_recipe(realism, p.shapes, p.real, p.picture_px)
    return draw_set(recipe, p.pictures, seed, engine, progress)


def describe_sets(parameters):
    """Return what each set is, in words, by name.

    Parameters
    ----------
    parameters : SimilarityStudy

    Returns
    -------
    dict of str to str
    """
    told = {name: kind.about for name, kind in REALISM.items()}
    if parameters.path_tracer == "none":
        told["Path-traced"] = "no path tracer is asked for: the lab's own renderer in its place, as Simulated"
    return told | {ANNOTATED: f"{parameters.annotated} of the real images, annotated"}
