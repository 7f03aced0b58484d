"""One particle from all sides: what turning does to what is seen."""

import numpy as np
import pytest

from particlelab import stem
from particlelab.stem.projection import normalise

CLEAR = stem.OneParticle(noise=0, gauss=0, limit_var=0, views=5, sig_c=(0.1, 0.1), hole=True)


@pytest.mark.parametrize("spiral", ["clockwise", "anticlockwise", "none"])
def test_a_whole_turn_is_none(spiral):
    p = stem.OneParticle(spiral=spiral, turned=0)
    once, again = stem.look_around(p), stem.look_around(p.replace(turned=360))
    assert np.array_equal(once.projections, again.projections) and np.array_equal(once.angles, again.angles)
    assert not np.array_equal(once.projections, stem.look_around(p.replace(turned=30)).projections)


def test_after_half_a_turn_all_is_mirrored():
    once, again = stem.look_around(CLEAR), stem.look_around(CLEAR.replace(turned=180))
    assert np.allclose(again.projections, once.projections[:, ::-1], atol=1e-6)
    half = len(once.sinogram) // 2
    assert np.allclose(once.sinogram[half:], once.sinogram[:half, ::-1], atol=1e-9)


@pytest.mark.parametrize("turned", [0, 8, 300])
def test_views_are_rows_of_the_sinogram(turned):
    seen = stem.look_around(CLEAR.replace(turned=turned))
    rows = [int(np.flatnonzero(seen.sinogram_angles == angle % 360)[0]) for angle in np.rint(seen.angles)]
    assert np.allclose(seen.projections, normalise(seen.sinogram[None, rows])[0], atol=1e-6)


def test_turning_changes_no_mass():
    seen = stem.look_around(CLEAR.replace(data_points=1024))
    mass = seen.sinogram.sum(axis=1)
    assert np.allclose(mass, mass.mean(), rtol=2e-3)


def test_a_seed_is_a_particle_whatever_it_is_looked_at_with():
    one, same, other = (stem.look_around(CLEAR.replace(seed=s, views=v)) for s, v in ((1, 5), (1, 2), (2, 5)))
    assert np.array_equal(one.sinogram, same.sinogram) and not np.array_equal(one.sinogram, other.sinogram)


def test_particles_hold_what_is_asked_for():
    bare = stem.look_around(CLEAR.replace(hole=False, spiral="none"))
    assert [len(layer.vertices) > 0 for layer in bare.layers] == [True, False, False]
    full = stem.look_around(CLEAR)
    assert [len(layer.vertices) > 0 for layer in full.layers] == [True, True, True]
