"""What a network goes by is found where it was put."""

import numpy as np
import pytest

from particlelab.randomness import generator
from particlelab.stem.inspection import occlusion


def looks_at(view, point):
    def probabilities(x):
        certain = 1 / (1 + np.exp(-5 * x[:, view, point]))
        return np.stack([1 - certain, certain], axis=1)

    return probabilities


def test_only_stretches_over_the_point_that_counts_matter():
    x = generator(0, "occlusion").random((2, 40))
    x[1, 20] = 3
    evidence = occlusion(looks_at(1, 20), x, width=5)
    assert evidence.shape == (2, 40) and not evidence[0].any()
    assert np.array_equal(np.flatnonzero(evidence[1]), np.arange(18, 23))
    assert (evidence[1, 18:23] > 0).all()


def test_the_change_is_that_of_the_log_odds():
    x = np.zeros((1, 40))
    x[0, 20] = 1
    assert occlusion(looks_at(0, 20), x, width=1)[0, 20] == pytest.approx(5)


def test_a_straight_line_hides_nothing():
    x = np.stack([np.linspace(0, 1, 40), np.linspace(0.3, 0.2, 40)])
    assert occlusion(looks_at(0, 25), x) == pytest.approx(np.zeros((2, 40)), abs=1e-9)
