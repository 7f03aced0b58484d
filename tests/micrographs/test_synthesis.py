"""Synthetic micrographs: labels are exact, variants endless and repeatable."""

import numpy as np
import pytest

from particlelab import micrographs
from particlelab.measure import fit_lognormal
from particlelab.micrographs.recipe import Population, Recipe, load_recipe, recipes

SMALL = {"width_px": 160, "height_px": 128}


@pytest.fixture(scope="module")
def made():
    return {name: micrographs.synthesise(load_recipe(name).vary(SMALL), 2) for name in recipes()}


@pytest.mark.parametrize("name", recipes())
def test_every_visible_pixel_counts_once_and_lies_within_the_complete_outline(made, name):
    m = made[name]
    assert m.image.shape == m.instances.shape == m.depth.shape == m.normals.shape[:2] == (128, 160)
    assert m.image.dtype == np.uint8
    assert m.table.id.tolist() == list(range(1, len(m.table) + 1))
    assert m.instances.max() <= len(m.table)
    counts = np.bincount(m.instances.ravel(), minlength=len(m.table) + 1)
    np.testing.assert_array_equal(m.table.visible_px, counts[1:])
    for k, outline in enumerate(m.amodal, 1):
        assert outline[m.instances == k].all() and outline.any()
    np.testing.assert_array_equal(m.amodal.any(axis=0), m.instances > 0)
    np.testing.assert_array_equal(m.category > 0, m.instances > 0)
    np.testing.assert_allclose(np.linalg.norm(m.normals, axis=2), 1, atol=1e-3)
    assert ((m.table.visible_share >= 0) & (m.table.visible_share <= 1)).all()


def test_sizes_of_spheres_are_those_of_their_bodies():
    recipe = Recipe(populations=(Population(number=40, diameter_nm=600, deviation=1.3),))
    m = micrographs.synthesise(recipe, 0)
    radii = np.array([p.body.capsules[0, 6] for p in m.scene.particles])
    assert len(radii) == len(m.table)
    np.testing.assert_allclose(m.table.diameter_nm, 2 * radii, rtol=0.02)
    np.testing.assert_allclose(m.table.volume_diameter_nm, 2 * radii, rtol=0.02)
    assert (m.table.feret_largest_nm >= m.table.feret_smallest_nm).all()
    np.testing.assert_allclose(m.table.feret_largest_nm, 2 * radii, atol=25)


def test_whether_a_particle_is_cut_is_told_by_its_place():
    recipe = Recipe(populations=(Population(number=60, diameter_nm=600, deviation=1.3),))
    m = micrographs.synthesise(recipe, 1)
    radius = m.table.diameter_nm / 2 / 10
    edge = np.minimum.reduce([m.table.x_px, 512 - m.table.x_px, m.table.y_px, 512 - m.table.y_px])
    clear = np.abs(edge - radius) > 1  # px
    np.testing.assert_array_equal(m.table.cut[clear], (edge < radius)[clear])


def test_a_seed_gives_the_same_picture_and_another_one_another():
    one, again, other = (micrographs.synthesise(load_recipe("bimodal").vary(SMALL), seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.image, again.image)
    assert (one.image != other.image).mean() > 0.3


def test_a_population_is_found_again_in_the_truth():
    """Particles that lie in the frame with their centre are a fair sample of the population."""
    population = Population(number=60, diameter_nm=200, deviation=1.35)
    found = []
    for seed in range(8):
        table = micrographs.synthesise(Recipe(populations=(population,)), seed).table
        inside = table.x_px.between(0, 512) & table.y_px.between(0, 512)
        found.append(table.diameter_nm[inside])
    fit = fit_lognormal(np.concatenate(found), confidence=0.999)
    assert fit.mean_interval[0] < 200 < fit.mean_interval[1]
    assert fit.deviation_interval[0] < 1.35 < fit.deviation_interval[1]


def test_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match="engine must be one of native, cycles, mitsuba, got 'povray'"):
        micrographs.synthesise("beads", 0, engine="povray")
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0, got -1"):
        micrographs.synthesise("beads", -1)


def test_random_recipes_are_all_different_and_hold_particles():
    shapes, sizes, shown = set(), [], 0
    for seed in range(30):
        recipe = micrographs.draw_recipe(np.random.default_rng(seed), 128, 128)
        m = micrographs.synthesise(recipe, seed)
        shapes.add(recipe.populations[0].shape)
        sizes.append(recipe.populations[0].diameter_nm)
        shown += len(m.table) > 0
    assert len(shapes) >= 6 and shown >= 27
    assert max(sizes) > 3 * min(sizes) and len(set(sizes)) > 25


def test_only_the_shapes_that_were_asked_for_are_drawn():
    drawn = {micrographs.draw_recipe(np.random.default_rng(s), shapes=["rod"]).populations[0].shape for s in range(5)}
    assert drawn == {"rod"}
