"""Scenes: the particles of a recipe in space, drawn by chance.

x goes to the right, y down the picture, z towards the viewer, all in nm from the upper left corner of the frame and
from the ground; the beam comes along z.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from particlelab.micrographs.bodies import Body, draw_bodies, parts_as_meshes
from particlelab.micrographs.placement import cover, place
from particlelab.micrographs.recipe import Recipe


class Particle(NamedTuple):
    """One particle."""

    population: int  # which of the recipe's
    shape: str
    centre_nm: np.ndarray  # (3,): of its body's origin
    body: Body

    def meshes(self, level=3):
        """Return its parts as closed meshes, a list of vertices (n, 3) in nm and faces (m, 3)."""
        return [(vertices + self.centre_nm, faces) for vertices, faces in parts_as_meshes(self.body, level)]


class Scene(NamedTuple):
    """Particles in space, and how they are seen."""

    recipe: Recipe
    particles: list  # of Particle, those within reach of the frame
    tilt: float  # rad: of the sample about the frame's horizontal middle

    @property
    def ground(self):
        """Height of the ground over y: its value at y = 0 and its slope; None if there is no ground."""
        if self.recipe.placement.kind == "volume":
            return None
        slope = math.tan(self.tilt)
        return -slope * self.recipe.height_px * self.recipe.pixel_size_nm / 2, slope


def build_scene(recipe, rng):
    """Draw the particles of a recipe and find a place for each.

    As many are drawn as the recipe has in the frame, and in proportion in a margin around it, so that the frame cuts
    particles as it does in reality. Where there is no room, fewer find a place.

    Parameters
    ----------
    recipe : Recipe
    rng : numpy.random.Generator

    Returns
    -------
    Scene
    """
    size, kind = recipe.pixel_size_nm, recipe.placement.kind
    tilt = 0.0 if kind == "volume" else math.radians(recipe.technique.tilt_deg)
    width, height = recipe.width_px * size, recipe.height_px * size / math.cos(tilt)
    drawn = []  # population, bodies that keep together
    for which, population in enumerate(recipe.populations):
        bodies = [draw_bodies(population, rng, kind != "volume") for _ in range(population.number)]
        margin = float(np.quantile([_reach(unit) for unit in bodies], 0.95))
        more = population.number * ((width + 2 * margin) * (height + 2 * margin) / (width * height) - 1)
        bodies += [draw_bodies(population, rng, kind != "volume") for _ in range(math.floor(more + rng.random()))]
        drawn += [(which, unit, margin) for unit in bodies]
    margin = max(item[2] for item in drawn)
    extent = (-margin, width + margin, -margin, height + margin)
    covers = [np.concatenate([cover(body) for body in unit]) for _, unit, _ in drawn]
    lowest = [min(body.bounds()[0][2] for body in unit) for _, unit, _ in drawn]
    places = place(covers, lowest, recipe.placement, extent, rng)
    turn = Rotation.from_rotvec([tilt, 0, 0])
    middle = np.array([0, height / 2, 0]), np.array([0, recipe.height_px * size / 2, 0])
    particles = []
    for (which, unit, _), centre in zip(drawn, places, strict=True):
        if np.isnan(centre[0]):
            continue
        for body in unit:
            if tilt:
                body, at = body.turned(turn), turn.apply(centre - middle[0]) + middle[1]
            else:
                at = centre
            low, high = (edge + at for edge in body.bounds())
            if high[0] > 0 and low[0] < recipe.width_px * size and high[1] > 0 and low[1] < recipe.height_px * size:
                particles.append(Particle(which, recipe.populations[which].shape, at, body))
    return Scene(recipe, particles, tilt)


def _reach(unit):
    """Half the larger side of the upright box around bodies that keep together."""
    low = np.min([body.bounds()[0] for body in unit], axis=0)
    high = np.max([body.bounds()[1] for body in unit], axis=0)
    return float((high - low)[:2].max()) / 2
