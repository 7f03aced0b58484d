"""Slices through particles: rough outlines, holes and spirals in them (Sullivan 2020, sec. 3, tables 1 and 3 to 6)."""

import math

import numpy as np
from numba import njit
from pydantic import model_validator
from scipy import special

from particlelab.parameters import Parameters, parameter
from particlelab.stem.projection import Layer


class Shape(Parameters):
    """What the slices are: tables 1, 3 and 4, with the values of tables 5 and 6 and of sec. 4.1 and 4.3.

    What the document calls a variance is the standard deviation of a normal distribution.
    """

    h_r: float = parameter(0.1, "Average radius of a hole", low=0, high=10)
    s_r: float = parameter(0.5, "Average radius of a spiral", low=0, high=10)
    sig: float = parameter(0.05, "Roughness: standard deviation of the radius from corner to corner", low=0, high=1)
    r: float = parameter(1.0, "Average radius of a particle", above=0, high=10)
    sig_r: float = parameter(0.1, "Standard deviation of a particle's radius", low=0, high=3)
    angle_count: int = parameter(90, "Corners of a particle", low=3, high=1000)
    centre: tuple[float, float] = parameter((0.0, 0.0), "Average centre of a particle, x and y")
    sig_c: tuple[float, float] = parameter((0.3, 0.3), "Standard deviation of the centre, x and y")

    h_range: float = parameter(0.4, "Greatest distance of a hole from the centre", low=0, high=10)
    sig_hr: float = parameter(0.01, "Standard deviation of a hole's radius", low=0, high=3)
    h_density: float = parameter(-1.0, "What a hole adds; -1: no material, 1: twice as much", low=-1, high=100)

    s_range: float = parameter(0.1, "Greatest distance of a spiral from the centre", low=0, high=10)
    sig_sr: float = parameter(0.05, "Standard deviation of a spiral's radius", low=0, high=3)
    s_s: float = parameter(0.04, "Straightness of a spiral: growth of its radius", unit="1/rad", low=0.002, high=10)
    sig_ss: float = parameter(0.008, "Standard deviation of the straightness", unit="1/rad", low=0, high=3)
    s_t: float = parameter(0.01, "Growth of a spiral's thickness", unit="1/rad", low=0, high=10)
    sig_st: float = parameter(0.002, "Standard deviation of that growth", unit="1/rad", low=0, high=3)
    s_t_max: float = parameter(0.1, "Greatest thickness of a spiral", low=0, high=10)
    sig_st_max: float = parameter(0.02, "Standard deviation of the greatest thickness", low=0, high=3)
    s_density: float = parameter(1.0, "What a spiral adds; -1: no material, 1: twice as much", low=-1, high=100)

    @model_validator(mode="after")
    def _deviations(self):
        if min(self.sig_c) < 0:
            raise ValueError(f"sig_c = {self.sig_c} is not allowed; expected two numbers of at least 0")
        return self


def draw_slices(hole, turn, parameters, rng):
    """Draw slices through particles.

    Parameters
    ----------
    hole : (n,) bool array
        Which have a hole.
    turn : (n,) int array
        How the spiral in it turns on its way out: 1 clockwise, -1 anticlockwise, 0 for none.
    parameters : Shape
    rng : numpy.random.Generator

    Returns
    -------
    list of Layer
        Outlines, holes, spirals.
    """
    p, n = parameters, len(hole)
    radius = p.r + p.sig_r * rng.standard_normal(n)
    centre = np.array(p.centre) + np.array(p.sig_c) * rng.standard_normal((n, 2))
    holes, grown = lay_holes(hole, radius, centre, rng.standard_normal((n, hole_dimensions(p))), p)
    spirals = lay_spirals(turn, centre, rng.standard_normal((n, SPIRAL_DIMENSIONS)), p)
    outlines = lay_polygons(np.full(n, p.angle_count), grown, centre, p.sig * rng.standard_normal((n, p.angle_count)))
    return [Layer(*outlines, 1.0), holes, spirals]


def hole_dimensions(parameters):
    """Return how many normal numbers make a hole: its radius, its place, and the roughness of its corners."""
    p = parameters
    largest = (p.h_r + 6 * p.sig_hr) / max(p.r - 4 * p.sig_r, p.r / 4)
    return 3 + max(3, math.ceil(p.angle_count * largest))


def lay_holes(hole, radius, centre, normal, parameters):
    """Lay holes into particles.

    Parameters
    ----------
    hole : (n,) bool array
        Which have one.
    radius, centre : (n,) array, (n, 2) array
        Of the particles.
    normal : (n, hole_dimensions) array
        Standard normal numbers from which the holes are made.
    parameters : Shape

    Returns
    -------
    holes : Layer
    radius : (n,) ndarray
        Of the particles, after the mass that the hole lacks was placed on their outside.
    """
    p = parameters
    hole_radius = p.h_r + p.sig_hr * normal[:, 0]
    corners = np.clip(np.rint(p.angle_count * hole_radius / radius), 3, normal.shape[1] - 3)  # eq. 8
    corners = np.where(hole, corners, 0).astype(int)
    place = centre + _place(normal[:, 1:3], p.h_range)
    holes = Layer(*lay_polygons(corners, hole_radius, place, p.sig * normal[:, 3:]), p.h_density)
    return holes, np.where(hole, compensate_mass(radius, hole_radius, p.h_density), radius)


def compensate_mass(radius, hole_radius, density=-1.0):
    """Return the radius at which a particle with a hole has the mass of one without: eq. 9, for a hole of any density.

    A hole of density -1 has no material; one of positive density has more, and the particle gets smaller.

    Parameters
    ----------
    radius, hole_radius : float or (n,) ndarray
    density : float

    Returns
    -------
    float or (n,) ndarray
    """
    return np.sqrt(np.maximum(radius**2 - density * hole_radius**2, 0))


SPIRAL_DIMENSIONS = 7


def lay_spirals(turn, centre, normal, parameters):
    """Lay spirals into particles.

    A spiral's first direction is drawn evenly: the document does not say how; were it fixed, one view would tell how it
    turns. Radii and thicknesses are at least 0, the straightness at least a quarter of its average.

    Parameters
    ----------
    turn : (n,) int array
        1 clockwise, -1 anticlockwise, 0 for none.
    centre : (n, 2) array
        Of the particles.
    normal : (n, SPIRAL_DIMENSIONS) array
        Standard normal numbers from which the spirals are made.
    parameters : Shape

    Returns
    -------
    Layer
    """
    p, turn = parameters, np.asarray(turn)
    centre = centre + _place(normal[:, 0:2], p.s_range)
    start = 2 * math.pi * special.ndtr(normal[:, 2])
    end = np.maximum(p.s_r + p.sig_sr * normal[:, 3], 0)
    slope = np.maximum(p.s_s + p.sig_ss * normal[:, 4], p.s_s / 4)
    growth = np.maximum(p.s_t + p.sig_st * normal[:, 5], 0)
    thickest = np.maximum(p.s_t_max + p.sig_st_max * normal[:, 6], 0)
    steps = np.where(turn != 0, np.ceil(end / slope * p.angle_count / (2 * math.pi)), -1).astype(int)
    first = np.concatenate([[0], np.cumsum(2 * (steps + 1))])
    vertices = _trace_spirals(first, end / slope, slope, growth, thickest, start, turn, centre)
    return Layer(vertices, first, p.s_density)


def _place(normal, furthest):
    """Return places about a centre, even in angle and in distance, from two normal numbers each."""
    angle, distance = 2 * math.pi * special.ndtr(normal[:, 0]), furthest * special.ndtr(normal[:, 1])
    return np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)


def lay_polygons(corners, radius, centre, rough):
    """Lay rough polygons of so many corners at even angles.

    Parameters
    ----------
    corners : (n,) int array
    radius, centre : (n,) array, (n, 2) array
    rough : (n, at least corners) array
        What each corner's radius has more than the polygon's.

    Returns
    -------
    vertices, first : (V, 2) ndarray, (n + 1,) ndarray
        As in `Layer`.
    """
    first = np.concatenate([[0], np.cumsum(corners)])
    one = np.repeat(np.arange(len(corners)), corners)  # to which polygon a corner belongs
    corner = np.arange(first[-1]) - first[one]
    angle = 2 * math.pi * corner / corners[one]
    reach = radius[one] + rough[one, corner]
    return centre[one] + reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), first


@njit(cache=True)
def _trace_spirals(first, longest, slope, growth, thickest, start, turn, centre):
    """Go out along the inner edge (eq. 10) and back along the outer one (eq. 11)."""
    vertices = np.empty((first[-1], 2))
    for i in range(longest.size):
        side = (first[i + 1] - first[i]) // 2
        for k in range(side):
            theta = longest[i] * k / max(side - 1, 1)
            inner = slope[i] * theta
            outer = min((growth[i] + slope[i]) * theta, inner + thickest[i])
            cos, sin = math.cos(start[i] - turn[i] * theta), math.sin(start[i] - turn[i] * theta)
            for at, radius in ((first[i] + k, inner), (first[i + 1] - 1 - k, outer)):
                vertices[at, 0] = centre[i, 0] + radius * cos
                vertices[at, 1] = centre[i, 1] + radius * sin
    return vertices
