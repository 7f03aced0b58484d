"""Knobs of recipes: there and back, and what must not change when they are turned."""

import numpy as np
import pytest

from particlelab.micrographs.recipe import load_recipe, recipes
from particlelab.micrographs.turning import (
    draw_values,
    from_unit,
    knobs,
    known_values,
    rescale,
    to_unit,
    turn,
)


@pytest.mark.parametrize("name", recipes())
def test_values_come_back(name):
    recipe = load_recipe(name)
    values = draw_values(recipe, np.random.default_rng(0))
    turned = turn(recipe, values)
    for key, value in known_values(recipe, turned).items():
        if key == "populations.number":
            assert abs(value - values[key]) <= 0.5  # whole particles
        else:
            assert value == pytest.approx(values[key], rel=1e-12)
    shares = to_unit(recipe, values)
    assert ((shares >= 0) & (shares <= 1)).all()
    assert from_unit(recipe, shares) == pytest.approx(values, rel=1e-9)


def test_the_recipe_itself_lies_in_the_middle_of_size_and_number():
    recipe = load_recipe("worms")
    shares = dict(zip([k.name for k in knobs(recipe)], to_unit(recipe, known_values(recipe, recipe)), strict=True))
    for name in ("populations.diameter_nm", "populations.number", "technique.free_path_nm"):
        assert shares[name] == pytest.approx(0.5)


def test_populations_are_turned_together():
    recipe = load_recipe("bimodal")
    turned = turn(recipe, {"populations.diameter_nm": 1.5 * recipe.populations[0].diameter_nm})
    ratios = [b.diameter_nm / a.diameter_nm for a, b in zip(recipe.populations, turned.populations, strict=True)]
    np.testing.assert_allclose(ratios, 1.5)


def test_opaque_particles_have_no_free_path_to_turn():
    assert "technique.free_path_nm" not in [knob.name for knob in knobs(load_recipe("shadows"))]
    assert "technique.free_path_nm" in [knob.name for knob in knobs(load_recipe("droplets"))]


def test_resizing_keeps_the_density():
    recipe = load_recipe("spheres_sem")
    small = recipe.reframe(256)
    density = [r.populations[0].number / (r.width_px * r.height_px) for r in (recipe, small)]
    assert density[1] == pytest.approx(density[0], rel=0.03)  # whole particles


def test_rescaling_leaves_the_picture_as_it_is():
    """With all lengths twice as long, pixels included, the same pixels are drawn."""
    from particlelab.micrographs.synthesis import synthesise

    recipe = load_recipe("tem_crystals").reframe(96)
    doubled = rescale(recipe, 2 * recipe.pixel_size_nm)
    assert doubled.populations[0].diameter_nm == pytest.approx(2 * recipe.populations[0].diameter_nm)
    difference = np.abs(synthesise(recipe, 3).image.astype(int) - synthesise(doubled, 3).image)
    assert np.mean(difference > 1) < 0.01


def test_chance_must_be_given():
    with pytest.raises(ValueError, match="rng"):
        draw_values(load_recipe("beads"), None)
