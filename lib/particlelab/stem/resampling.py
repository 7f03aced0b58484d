"""A user's projections at the data points that networks learned from: centred, scaled, averaged."""

import math

import numpy as np
from scipy import interpolate

from particlelab.stem.projection import normalise

HALF_HEIGHT = math.sqrt(3) / 2  # of its radius: where the projection of a disk has half of its height
OUTSIDE = 1.15  # radii from the centre, where a rough particle has ended


def find_edges(intensity):
    """Find where a projection rises above half of its height for the first time, and falls below it for the last.

    Parameters
    ----------
    intensity : (samples,) array

    Returns
    -------
    left, right : float
        In samples, between which the projection is taken to be straight.

    Raises
    ------
    ValueError
        If it is flat, or one of its ends lies above half of its height: the particle is cut off.
    """
    intensity = np.asarray(intensity, float)
    low, high = intensity.min(), intensity.max()
    if not low < high:
        raise ValueError(f"the projection is flat: all its values are {low:g}")
    level = (low + high) / 2
    above = np.flatnonzero(intensity > level)
    first, last = above[0], above[-1]
    if first == 0 or last == intensity.size - 1:
        raise ValueError("the particle is cut off: its projection must fall below half of its height at both ends")
    left = first - (intensity[first] - level) / (intensity[first] - intensity[first - 1])
    right = last + (intensity[last] - level) / (intensity[last] - intensity[last + 1])
    return float(left), float(right)


def resample(views, parameters):
    """Bring the projections of one particle to the data points of simulated ones.

    Each view is centred between its edges. The edges of a disk's projection lie at sqrt(3) / 2 of its radius (chord
    2 sqrt(r^2 - x^2) at half height); from this comes the particle's radius, one for all views, which is then
    ``parameters.r``. How large particles are, one beside the other, is lost with that. Each data point is the average
    over its own width, the projection being taken as straight between samples, and as background beyond its ends.

    Parameters
    ----------
    views : sequence of (samples,) array
        Intensities, of as many samples as each view has; more material must be more intensity.
    parameters : Particles

    Returns
    -------
    x : (views, data_points) float32 ndarray
        From 0 to 1, all views together.
    radius : float
        In samples.

    Raises
    ------
    ValueError
        See `find_edges`; the message names the view if there are several.
    """
    p = parameters
    edges = []
    for number, view in enumerate(views, 1):
        try:
            edges.append(find_edges(view))
        except ValueError as error:
            raise ValueError(f"view {number}: {error}" if len(views) > 1 else str(error)) from None
    radius = np.diff(edges).mean() / 2 / HALF_HEIGHT
    width = (p.upper - p.lower) / (p.data_points - 1)
    borders = (p.lower + width * (np.arange(p.data_points + 1) - 0.5)) * radius / p.r  # of data points, in samples
    seen = [_average(np.asarray(v, float), np.mean(e), radius, borders) for v, e in zip(views, edges, strict=True)]
    return normalise(np.array(seen)[None])[0], float(radius)


def _average(intensity, centre, radius, borders):
    """Average (samples,) intensities between borders about a centre: (data points + 1,) to (data points,)."""
    at = np.arange(intensity.size)
    outside = np.abs(at - centre) > OUTSIDE * radius
    background = np.median(intensity[outside]) if outside.any() else intensity.min()
    borders = centre + borders
    start, end = min(borders[0], -1) - 1, max(borders[-1], intensity.size) + 1
    at = np.concatenate([[start, -1], at, [intensity.size, end]])
    intensity = np.concatenate([[background] * 2, intensity, [background] * 2])
    integral = interpolate.make_interp_spline(at, intensity, k=1).antiderivative()
    return np.diff(integral(borders)) / np.diff(borders)
