"""Where particles lie: nowhere do two overlap, what is dropped rests, and as many find a place as there should be."""

import numpy as np
import pytest

from particlelab.micrographs.bodies import draw_bodies
from particlelab.micrographs.placement import cover, place
from particlelab.micrographs.recipe import Placement, Population, Recipe
from particlelab.micrographs.scene import build_scene
from particlelab.randomness import generator

KINDS = ("plane", "volume", "piled", "agglomerated")


def settle(kind, n=80, seed=0, **options):
    rng = np.random.default_rng(seed)
    radii = rng.uniform(20, 60, n)
    covers = [np.array([[0.0, 0, 0, r]]) for r in radii]
    places = place(covers, -radii, Placement(kind=kind, **options), (0, 1000, 0, 1000), rng)
    there = ~np.isnan(places[:, 0])
    return places[there], radii[there]


def gaps(places, radii):
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    apart = distances - radii[:, None] - radii
    np.fill_diagonal(apart, np.inf)
    return apart


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_spheres_overlap(kind):
    places, radii = settle(kind, depth_nm=600)
    assert len(places) > 60
    assert gaps(places, radii).min() > -1e-5


def test_on_a_plane_spheres_rest_on_it():
    places, radii = settle("plane")
    np.testing.assert_allclose(places[:, 2], radii)


def test_in_a_volume_spheres_stay_within_its_depth_and_fill_it_evenly():
    places, radii = settle("volume", n=300, depth_nm=3000)
    assert (places[:, 2] - radii >= -1e-6).all() and (places[:, 2] + radii <= 3000 + 1e-6).all()
    thirds = np.histogram(places[:, 2], [0, 1000, 2000, 3000])[0]
    assert abs(thirds - len(places) / 3).max() < 4 * np.sqrt(len(places) * 2 / 9)


def test_in_a_pile_each_sphere_rests_on_the_ground_or_on_another_one():
    places, radii = settle("piled", n=300)
    rests = (np.abs(places[:, 2] - radii) < 1e-6) | (np.abs(gaps(places, radii)).min(axis=1) < 1e-6)
    assert rests.all()
    assert places[:, 2].max() > 100  # there is more than one layer


def test_agglomerates_are_as_large_as_was_asked_for():
    sizes = []
    for seed in range(6):
        places, radii = settle("agglomerated", n=120, seed=seed, cluster=6.0)
        touching = gaps(places, radii) < 1e-3
        left, found = set(range(len(places))), []
        while left:
            group, edge = set(), {left.pop()}
            while edge:
                k = edge.pop()
                group.add(k)
                edge |= (set(np.flatnonzero(touching[k]).tolist()) & left) - group
                left -= edge
            found.append(len(group))
        sizes.append(np.mean(found))
    assert 4 < np.mean(sizes) < 9  # a few find no room, a few agglomerates touch by chance


@pytest.mark.parametrize("shape", ["sphere", "ellipsoid", "potato", "worm", "crystal", "rod", "aggregate", "metaball"])
def test_the_balls_of_a_body_hold_it(shape):
    population = Population(shape=shape, elongation=4, primaries=12)
    (body,) = draw_bodies(population, np.random.default_rng(0))
    balls = cover(body)
    points, radii = body.points()
    outside = np.linalg.norm(points[:, None] - balls[:, :3], axis=2) + radii[:, None] - balls[:, 3]
    assert outside.min(axis=1).max() < 1e-6


def test_the_number_in_the_frame_is_the_recipes_on_average():
    recipe = Recipe(populations=(Population(number=40, diameter_nm=150),), width_px=256, height_px=256)
    size = recipe.width_px * recipe.pixel_size_nm
    counts = []
    for seed in range(40):
        centres = np.array([p.centre_nm for p in build_scene(recipe, generator(seed, "scene")).particles])
        counts.append(((centres[:, :2] > 0) & (centres[:, :2] < size)).all(axis=1).sum())
    assert np.mean(counts) == pytest.approx(40, abs=3 * np.sqrt(40 / 40) + 1)


def test_a_tilted_ground_lies_below_all_particles():
    recipe = Recipe(populations=(Population(number=40),)).vary({"technique.tilt_deg": 40.0})
    scene = build_scene(recipe, generator(0, "scene"))
    start, slope = scene.ground
    for particle in scene.particles:
        _, y, z = particle.centre_nm
        distance = (z - start - slope * y) * np.cos(np.deg2rad(40))
        assert distance == pytest.approx(particle.body.capsules[0, 6], rel=1e-6)
