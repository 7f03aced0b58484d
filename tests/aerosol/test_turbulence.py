"""The turbulence of a room: lengths, amplitudes and correlations that follow from its definition."""

import numpy as np
import pytest

from particlelab.aerosol.turbulence import correlation, draw_turbulence, turbulence_at
from particlelab.randomness import generator


def at(turbulence, x_m, dimensions=3):
    """Vectors (n, 3) at places along x."""
    zero = np.zeros(1)
    return np.stack([turbulence_at(turbulence, zero, zero, x_m, axis)[0, 0] for axis in range(3)], axis=-1)


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("length_m", [0.05, 0.2])
def test_vectors_are_of_length_1_and_correlate_over_the_length_that_is_asked_for(dimensions, length_m):
    """Over 500 fields, to five standard errors."""
    distances = np.array([0, 0.5, 1, 2]) * length_m
    products = []
    for seed in range(500):
        vectors = at(draw_turbulence(length_m, generator(seed), dimensions), distances)
        products.append(vectors @ vectors[0])
    products = np.array(products)
    error = products.std(axis=0) / len(products) ** 0.5
    assert np.all(np.abs(products.mean(axis=0) - correlation(distances, length_m)) < 5 * error)


def test_the_field_is_free_of_divergence():
    """By differences over a distance that is short against its eddies: less than 1 % of its gradients."""
    turbulence, step, at_0 = draw_turbulence(0.1, generator(0)), 1e-3, np.array([0.0])
    gradients = []
    for axis in range(3):
        ends = []
        for shift in (-step, step):
            places = [at_0 + (shift if i == axis else 0) for i in range(3)]
            ends.append([turbulence_at(turbulence, *places, component).item() for component in range(3)])
        gradients.append(np.diff(ends, axis=0)[0] / (2 * step))
    gradients = np.array(gradients)
    assert abs(np.trace(gradients)) < 0.01 * np.abs(gradients).max()


def test_the_field_is_the_same_on_any_grid_and_another_for_another_seed():
    turbulence = draw_turbulence(0.1, generator(3))
    coarse, fine = np.arange(8) * 0.02, np.arange(15) * 0.01
    field = turbulence_at(turbulence, coarse, coarse, coarse, 1)
    assert turbulence_at(turbulence, fine, fine, fine, 1)[::2, ::2, ::2] == pytest.approx(field, abs=1e-5)
    other = turbulence_at(draw_turbulence(0.1, generator(4)), coarse, coarse, coarse, 1)
    assert abs(np.corrcoef(field.ravel(), other.ravel())[0, 1]) < 0.8


def test_in_two_dimensions_nothing_points_or_changes_along_the_depth():
    turbulence = draw_turbulence(0.1, generator(0), dimensions=2)
    places = np.arange(4) * 0.05
    assert not turbulence_at(turbulence, places, places, places, 0).any()
    field = turbulence_at(turbulence, places, places, places, 2)
    assert np.ptp(field, axis=0).max() < 1e-5
