"""STEM: data sets of projections, against the document's ray tracing as one writes it down."""

import math

import numpy as np
from run import Case
from scipy import ndimage

from particlelab import stem
from particlelab.randomness import generator

PARTICLES, BY_THE_LOOP = 80_000, 80


def slices():
    """The slices that the plain loop sees: for each the corners and the density of what is in it."""
    turn = np.arange(BY_THE_LOOP) % 2 * 2 - 1
    layers = stem.draw_slices(np.zeros(BY_THE_LOOP, bool), turn, stem.SPIRALS, generator(0, "bench"))
    return (
        [
            [(layer.vertices[slice(*layer.first[i : i + 2])].tolist(), layer.density) for layer in layers]
            for i in range(BY_THE_LOOP)
        ],
    )


def data_set(_):
    stem.make_dataset("spiral", PARTICLES, 2, rng=generator(0, "bench"))


def data_set_by_plain_loop(particles):
    p, rng = stem.SPIRALS, generator(0, "bench")
    for particle in particles:
        views = []
        for degrees in (0, 90):
            rays = np.linspace(p.lower, p.upper, p.data_points) + p.limit_var * rng.standard_normal()
            seen = p.background + np.array(plain_thickness(particle, degrees, rays.tolist()))
            blurred = ndimage.gaussian_filter1d(seen, p.gauss)
            views.append(rng.normal(blurred, p.noise * blurred))
        views = np.array(views) - np.min(views)
        views /= views.max()


def plain_thickness(polygons, degrees, rays):
    """Trace each ray through each edge of each turned polygon (eq. 7), sort what it meets, and add up pairs."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    total = [0.0] * len(rays)
    for corners, density in polygons:
        turned = [(cos * x - sin * y, sin * x + cos * y) for x, y in corners]
        edges = list(zip(turned, turned[1:] + turned[:1], strict=True))
        for number, ray in enumerate(rays):
            heights = []
            for (x_a, y_a), (x_b, y_b) in edges:
                if (x_a < ray) != (x_b < ray):
                    heights.append(y_a + (ray - x_a) / (x_b - x_a) * (y_b - y_a))
            heights.sort()
            total[number] += density * (sum(heights[1::2]) - sum(heights[::2]))
    return total


CASES = [
    Case(
        "stem: 80 000 spirals in two views of 64 points",
        slices,
        data_set,
        data_set_by_plain_loop,
        "plain Python, 80 particles, times 1000",
        limit_s=16,  # 8 s on two cores
        other_share=BY_THE_LOOP / PARTICLES,
    ),
]
