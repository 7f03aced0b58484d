"""Which parameters of a recipe are turned when it is fitted to a picture, and within what bounds.

What a picture's texture tells of is turned: size and number of the particles, how they shine or absorb, and the camera
(IPMT report, AP1.3: "material and light parameters"). Networks and gradients see all of it in a unit interval.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from particlelab.randomness import check_rng

SIZE, NUMBER, PATH = 1.6, 1.6, 1.8  # times the recipe's value, or a part of it, that a knob reaches
CAMERA = {"camera.blur_px": (0.5, 2.5), "camera.dose": (50.0, 1500.0)}  # by logarithms
TECHNIQUES = {  # from the lowest to the highest grey level or strength
    "sem": {
        "technique.brightness": (0.32, 0.58),
        "technique.ground": (0.05, 0.3),
        "technique.edge": (0.15, 1.0),
        "technique.shadowing": (0.1, 1.0),
    },
    "tem": {"technique.ground": (0.55, 0.95)},
    "light": {"technique.ground": (0.55, 0.95), "technique.refraction": (0.1, 0.8)},
    "categorical": {"technique.brightness": (0.4, 1.0), "technique.ground": (0.05, 0.3)},
}
OPAQUE = 12.0  # particles so many times thicker than the free path are black whatever it is
ABSORBING = ("tem", "light")


class Knob(NamedTuple):
    """One parameter that is turned."""

    name: str  # dotted, as in Recipe.get; populations.diameter_nm and .number are those of the first population
    low: float
    high: float
    logarithmic: bool

    def to_unit(self, value):
        """Return where a value lies between the bounds, 0 to 1."""
        if self.logarithmic:
            return np.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def from_unit(self, share):
        """Return the value at a share of the way between the bounds; works on tensors, too."""
        if self.logarithmic:
            return self.low * (self.high / self.low) ** share
        return self.low + (self.high - self.low) * share


def knobs(recipe):
    """Return what is turned in a recipe.

    Parameters
    ----------
    recipe : Recipe

    Returns
    -------
    tuple of Knob
        Size and number of the particles within factors of 1.6 of the recipe's; the technique's and the camera's
        parameters that its pictures depend on.
    """
    technique, found = recipe.technique, []
    for name, factor in (("populations.diameter_nm", SIZE), ("populations.number", NUMBER)):
        value = recipe.get(name)
        found.append(Knob(name, value / factor, value * factor, True))
    for name, (low, high) in TECHNIQUES[technique.kind].items():
        if name == "technique.refraction" and technique.refraction == 0:
            continue
        found.append(Knob(name, low, high, False))
    path = technique.free_path_nm
    if technique.kind in ABSORBING and max(p.diameter_nm for p in recipe.populations) < OPAQUE * path:
        found.append(Knob("technique.free_path_nm", path / PATH, path * PATH, True))
    found += [Knob(name, *bounds, True) for name, bounds in CAMERA.items()]
    return tuple(found)


def turn(recipe, values):
    """Return a recipe with its knobs turned.

    Parameters
    ----------
    recipe : Recipe
    values : dict of str to float
        By the names of `knobs`. Size and number change in all populations by the same factor as in the first.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        If the recipe has no such value, or it is not allowed.
    """
    plain = dict(values)
    diameter = plain.pop("populations.diameter_nm", None)
    number = plain.pop("populations.number", None)
    if diameter is not None:
        recipe = recipe.scale(sizes=diameter / recipe.get("populations.diameter_nm"))
    if number is not None:
        recipe = recipe.scale(numbers=number / recipe.get("populations.number"))
    return recipe.vary(plain) if plain else recipe


def known_values(recipe, turned):
    """Return the values of a recipe's knobs that another recipe, turned from it, has."""
    return {knob.name: float(turned.get(knob.name)) for knob in knobs(recipe)}


def to_unit(recipe, values):
    """Return values of a recipe's knobs, a dict by name, in unit coordinates (k,)."""
    return np.array([knob.to_unit(values[knob.name]) for knob in knobs(recipe)])


def from_unit(recipe, shares):
    """Return the values by name that unit coordinates (k,) stand for; what lies outside is brought to the bounds."""
    clipped = np.clip(np.asarray(shares, float), 0, 1)
    return {knob.name: float(knob.from_unit(share)) for knob, share in zip(knobs(recipe), clipped, strict=True)}


def draw_values(recipe, rng):
    """Draw values of a recipe's knobs, evenly in unit coordinates.

    Raises
    ------
    ValueError
        If rng is no Generator.
    """
    return from_unit(recipe, check_rng(rng).random(len(knobs(recipe))))


def rescale(recipe, pixel_size_nm):
    """Return a recipe whose pictures look the same with pixels of another size: all lengths change alike."""
    factor = pixel_size_nm / recipe.pixel_size_nm
    technique, placement = recipe.technique, recipe.placement
    limits = {"free_path_nm": 1e9, "depth_of_field_nm": 1e9}
    scaled = {name: min(getattr(technique, name) * factor, limit) for name, limit in limits.items()}
    return dataclasses.replace(
        recipe.scale(sizes=factor),
        pixel_size_nm=float(pixel_size_nm),
        technique=technique.replace(**scaled),
        placement=placement.replace(depth_nm=placement.depth_nm * factor),
    )
