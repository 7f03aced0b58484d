"""Data sets: what is in them, and what no classifier can tell from one view."""

import numpy as np
import pytest
from scipy import stats

from particlelab import stem
from particlelab.randomness import generator


@pytest.mark.parametrize("feature", stem.CATEGORIES)
def test_categories_are_even_and_projections_run_from_0_to_1(feature):
    parameters = stem.document_parameters(feature)
    data = stem.make_dataset(feature, 120, 3, rng=generator(0, feature))
    assert data.x.shape == (120, 3, parameters.data_points) and data.x.dtype == np.float32
    assert np.ptp(np.bincount(data.y, minlength=len(stem.CATEGORIES[feature]))) == 0
    assert np.array_equal(data.x.min(axis=(1, 2)), np.zeros(120)) and np.array_equal(
        data.x.max(axis=(1, 2)), np.ones(120)
    )
    assert np.array_equal(data.angles, np.tile([0, 60, 120], (120, 1)))


def test_the_same_seed_gives_the_same_particles_and_another_one_others():
    one, same, other = (stem.make_dataset("both", 50, 2, rng=generator(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.x, same.x) and np.array_equal(one.y, same.y)
    assert not np.array_equal(one.x, other.x)


def test_one_view_does_not_tell_how_a_spiral_turns():
    """Mirrored along the beam, a particle looks the same and its spiral turns the other way."""
    data = stem.make_dataset("spiral", 8000, 1, rng=generator(0, "one view"))
    one, other = (data.x[data.y == category, 0] for category in (0, 1))
    assert min(stats.ks_2samp(a, b).pvalue for a, b in zip(one.T, other.T, strict=True)) > 0.05 / 64
    asymmetry = [(part * np.linspace(-1, 1, 64)).sum(axis=1) / part.sum(axis=1) for part in (one, other)]
    assert stats.ks_2samp(*asymmetry).pvalue > 0.001


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cube", 10, 2, None, generator(0)), "feature = 'cube' is unknown; there are hole, spiral"),
        (("hole", 0, 2, None, generator(0)), "n and views must be at least 1, got 0 and 2"),
        (("hole", 10, 2), "rng is missing"),
    ],
)
def test_what_cannot_be_made_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        stem.make_dataset(*arguments)
