"""Hybrid synthesis: looks change towards the real ones, geometry and labels do not."""

import numpy as np
import pytest

from particlelab.micrographs.hybrid import HybridSynthesis, synthesise_like
from particlelab.micrographs.recipe import load_recipe
from particlelab.micrographs.synthesis import synthesise
from particlelab.micrographs.turning import turn

LOOKS = {"technique.brightness": 0.34, "technique.ground": 0.28, "camera.dose": 120.0}


@pytest.fixture(scope="module")
def driven():
    base = load_recipe("beads").reframe(160)
    real = [synthesise(turn(base, LOOKS), seed).image for seed in (7, 8)]
    quick = HybridSynthesis(steps=120, size_px=128, geometries=2, generator_rate=0.02)
    return base, synthesise_like(real, base, quick, np.random.default_rng(0))


def test_what_shines_becomes_as_in_the_real_pictures(driven):
    base, hybrid = driven
    for name in ("technique.brightness", "technique.ground"):
        before, after = abs(np.log(base.get(name) / LOOKS[name])), abs(np.log(hybrid.values[name] / LOOKS[name]))
        assert after < 0.6 * before


def test_labels_stay(driven):
    base, hybrid = driven
    before, after = synthesise(base, 4), synthesise(hybrid.recipe, 4)
    np.testing.assert_array_equal(before.instances, after.instances)
    assert np.abs(before.image.astype(int) - after.image).mean() > 3


def test_the_way_is_kept(driven):
    _, hybrid = driven
    assert len(hybrid.history) == 120
    assert hybrid.steps[0] == 0 and hybrid.steps[-1] == 120
    assert hybrid.pictures.shape == (len(hybrid.steps), 128, 128)


def test_bad_input_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least one picture"):
        synthesise_like([], "beads", rng=rng)
    with pytest.raises(ValueError, match="patch_px"):
        synthesise_like([np.zeros((64, 64))], "beads", HybridSynthesis(patch_px=128), rng)
    with pytest.raises(ValueError, match="rng"):
        synthesise_like([np.zeros((64, 64))], "beads")
