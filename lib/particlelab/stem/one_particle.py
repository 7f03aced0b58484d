"""One particle, looked at from all sides."""

from typing import Literal, NamedTuple

import numpy as np

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.stem.dataset import Particles
from particlelab.stem.projection import project, thickness, view_angles
from particlelab.stem.shapes import draw_slices

TURNS = {"clockwise": 1, "anticlockwise": -1, "none": 0}
SINOGRAM_DEGREES = np.arange(0, 360, 4.0)


class OneParticle(Particles):
    """A particle with a hole, a spiral, both or none, turned and seen in some views."""

    spiral: Literal[tuple(TURNS)] = parameter("clockwise", "How a spiral in it turns on its way out")
    hole: bool = parameter(False, "A hole in it")
    turned: float = parameter(
        0.0, "By how much the particle is turned before it is seen", unit="degrees", low=0, high=360
    )
    views: int = parameter(2, "Projections, evenly over half a turn", low=1, high=16)
    data_points: int = parameter(64, "Data points in a projection", low=8, high=1024)
    sig_c: tuple[float, float] = parameter((0.0, 0.0), "Standard deviation of the centre, x and y")
    seed: int = parameter(0, "Another number is another particle", low=0, high=999)


class Survey(Parameters):
    """How many particles averages are taken over."""

    particles: int = parameter(4000, "Particles of each kind, for averages", low=100, high=1_000_000)
    seed: int = parameter(0, "Seed of the particles", low=0)


class Looked(NamedTuple):
    """What `look_around` found."""

    layers: list  # of one slice
    angles: np.ndarray  # (views,) degrees
    rays: np.ndarray  # (points,)
    projections: np.ndarray  # (views, points), 0 to 1, with noise
    sinogram_angles: np.ndarray  # (turns,) degrees
    sinogram: np.ndarray  # (turns, points) thickness, without noise


def look_around(parameters):
    """Draw a particle, take its noisy projections, and its thickness at all angles.

    Parameters
    ----------
    parameters : OneParticle

    Returns
    -------
    Looked
    """
    p = parameters
    layers = draw_slices(np.array([p.hole]), np.array([TURNS[p.spiral]]), p, generator(p.seed, "particle"))
    turned = p.replace(angles=tuple(((view_angles(p.views, p) + p.turned + 180) % 360 - 180).tolist()))
    x, angles = project(layers, p.views, turned, generator(p.seed, "projections"))
    rays = np.linspace(p.lower, p.upper, p.data_points)
    positions = np.broadcast_to(rays, (1, SINOGRAM_DEGREES.size, rays.size))
    sinogram = thickness(layers, SINOGRAM_DEGREES[None], positions, p.about)[0]
    return Looked(layers, angles[0], rays, x[0], SINOGRAM_DEGREES, sinogram)
