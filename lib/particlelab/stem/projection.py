"""Projections of slices through particles: how much material each ray meets (Sullivan 2020, sec. 3.1 and table 2).

A slice is a sum of layers (`Layer`): the outline, and what is in it. Rays run along y, one at each position x.
"""

import math
from typing import Annotated, NamedTuple

import numpy as np
from numba import njit, prange
from pydantic import Field, model_validator
from scipy import ndimage

from particlelab.parameters import Parameters, parameter

Angle = Annotated[float, Field(ge=-360, le=360)]


class Layer(NamedTuple):
    """One polygon, or none, in each of n slices."""

    vertices: np.ndarray  # (V, 2): x and y of all polygons, one after the other
    first: np.ndarray  # (n + 1,): polygon i has the vertices first[i] to first[i + 1]
    density: float  # what a unit of length in it adds to the projection; negative where it takes material away


class Projection(Parameters):
    """How a slice is seen: table 2 of the document, with the values of its table 5."""

    data_points: int = parameter(32, "Data points in a projection", low=8, high=1024)
    noise: float = parameter(0.001, "Standard deviation of the noise, relative to the intensity", low=0, high=1)
    gauss: float = parameter(0.5, "Standard deviation of the blur", unit="data points", low=0, high=100)
    background: float = parameter(20.0, "Intensity without a particle", low=0, high=1e6)
    lower: float = parameter(-1.5, "Lower limit of the data points", low=-100, high=100)
    upper: float = parameter(1.5, "Upper limit of the data points", low=-100, high=100)
    limit_var: float = parameter(0.05, "Standard deviation of the centre of the detection plane", low=0, high=10)
    angles: tuple[Angle, ...] = parameter((), "Angles of the views; none: evenly over half a turn", unit="degrees")
    sig_as: float = parameter(0.0, "Standard deviation of each angle", unit="degrees", low=0, high=180)
    about: tuple[float, float] = parameter((0.0, 0.0), "Point that the particle is turned about")

    @model_validator(mode="after")
    def _limits_make_sense(self):
        if self.lower >= self.upper:
            raise ValueError(f"lower = {self.lower:g} must be below upper = {self.upper:g}")
        return self


def chords(polygon_xy, positions):
    """Measure how much of a polygon each of several rays along y meets.

    A ray's intersections are sorted and taken in pairs (eq. 7 and appendix A), so that polygons may cross themselves:
    what they enclose twice is outside. A ray through a vertex counts each edge at its left end only.

    Parameters
    ----------
    polygon_xy : (V, 2) array
        Vertices in order; the last is joined to the first.
    positions : (P,) array
        Where the rays cross the x axis.

    Returns
    -------
    (P,) ndarray
        Thickness, in the unit of the polygon.

    Raises
    ------
    ValueError
        If the arrays have other shapes or are not finite.
    """
    polygon, positions = np.asarray(polygon_xy, float), np.asarray(positions, float)
    if polygon.ndim != 2 or polygon.shape[1] != 2:
        raise ValueError(f"polygon_xy must be (V, 2), got {polygon.shape}")
    if positions.ndim != 1:
        raise ValueError(f"positions must be (P,), got {positions.shape}")
    if not (np.isfinite(polygon).all() and np.isfinite(positions).all()):
        raise ValueError("polygon_xy and positions must be finite")
    order = np.argsort(positions)
    thickness = np.zeros(positions.size)
    _add_chords(polygon[:, 0].copy(), polygon[:, 1].copy(), positions[order], 1.0, thickness)
    return thickness[np.argsort(order)]


def view_angles(views, parameters):
    """Return the angles of the views in degrees: those of the parameters, or so many evenly over half a turn.

    Parameters
    ----------
    views : int
    parameters : Projection

    Returns
    -------
    (views,) ndarray

    Raises
    ------
    ValueError
        If the parameters name another number of angles.
    """
    if not parameters.angles:
        return np.arange(views) * 180.0 / views
    if len(parameters.angles) != views:
        raise ValueError(f"angles = {parameters.angles} are {len(parameters.angles)}, but there are {views} views")
    return np.array(parameters.angles)


def thickness(layers, angles, positions, about=(0.0, 0.0)):
    """Measure the thickness of n slices along the rays of several views: no blur, no noise, no background.

    Parameters
    ----------
    layers : sequence of Layer
    angles : (n, views) array
        Degrees by which a slice is turned, anticlockwise, before it is looked at along y.
    positions : (n, views, points) array
        Where the rays of each view cross the x axis, in rising order.
    about : (2,) array
        The point that slices are turned about.

    Returns
    -------
    (n, views, points) ndarray
        Sum over the layers of density and length of the ray in them.
    """
    total = np.zeros(positions.shape)
    for layer in layers:
        _project(layer.vertices, layer.first, layer.density, np.radians(angles), positions, np.array(about), total)
    return total


def project(layers, views, parameters, rng):
    """Take noisy projections of n slices, as the document's sec. 3.1 describes.

    Background, blur and noise are added, then all views of a slice are brought to 0 ... 1 together. The document
    calls ``noise`` a variance "in proportion to" the intensity; like all else that it calls so, it is taken as a
    standard deviation.

    Parameters
    ----------
    layers : sequence of Layer
    views : int
    parameters : Projection
    rng : numpy.random.Generator

    Returns
    -------
    x : (n, views, data_points) float32 ndarray
    angles : (n, views) ndarray
        Degrees, with their scatter.
    """
    p, n = parameters, len(layers[0].first) - 1
    angles = view_angles(views, p) + p.sig_as * rng.standard_normal((n, views))
    shifts = p.limit_var * rng.standard_normal((n, views, 1))
    intensity = thickness(layers, angles, np.linspace(p.lower, p.upper, p.data_points) + shifts, p.about)
    intensity += p.background
    if p.gauss:
        intensity = ndimage.gaussian_filter1d(intensity, p.gauss)
    intensity += p.noise * np.abs(intensity) * rng.standard_normal(intensity.shape)
    return normalise(intensity), angles


def normalise(intensity):
    """Bring all views of a slice to 0 ... 1 together: (n, views, points) of any scale to float32."""
    intensity = intensity - intensity.min(axis=(1, 2), keepdims=True)
    highest = intensity.max(axis=(1, 2), keepdims=True)
    return (intensity / np.where(highest > 0, highest, 1)).astype(np.float32)


@njit(cache=True, parallel=True)
def _project(vertices, first, density, angles, positions, about, total):
    n, views, _ = positions.shape
    for i in prange(n):
        body = vertices[first[i] : first[i + 1]]
        for view in range(views):
            cos, sin = math.cos(angles[i, view]), math.sin(angles[i, view])
            x, y = body[:, 0] - about[0], body[:, 1] - about[1]
            turned_x, turned_y = about[0] + cos * x - sin * y, about[1] + sin * x + cos * y
            _add_chords(turned_x, turned_y, positions[i, view], density, total[i, view])


@njit(cache=True)
def _add_chords(x, y, positions, density, total):
    """Add to (P,) ``total`` the even-odd thickness of a polygon times a density; positions rise."""
    beyond = np.empty(x.size, np.int64)  # first ray that is not left of each vertex
    start = np.zeros(positions.size + 1, np.int64)  # of the intersections of each ray
    for k in range(x.size):
        beyond[k] = np.searchsorted(positions, x[k])
    for k in range(x.size):
        for ray in range(min(beyond[k - 1], beyond[k]), max(beyond[k - 1], beyond[k])):
            start[ray + 1] += 1
    for ray in range(positions.size):
        start[ray + 1] += start[ray]
    heights, filled = np.empty(start[-1]), start[:-1].copy()
    for k in range(x.size):
        for ray in range(min(beyond[k - 1], beyond[k]), max(beyond[k - 1], beyond[k])):
            height = y[k - 1] + (positions[ray] - x[k - 1]) / (x[k] - x[k - 1]) * (y[k] - y[k - 1])  # eq. 7
            at = filled[ray]
            filled[ray] += 1
            while at > start[ray] and heights[at - 1] > height:
                heights[at] = heights[at - 1]
                at -= 1
            heights[at] = height
    for ray in range(positions.size):
        for at in range(start[ray], start[ray + 1], 2):
            total[ray] += density * (heights[at + 1] - heights[at])
