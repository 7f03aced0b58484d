"""What the beam meets: closed forms of spheres and rods, unions that count once, labels that are exact."""

import numpy as np
import pytest

from particlelab.micrographs.bodies import Body, Mesh, parts_as_meshes
from particlelab.micrographs.recipe import Placement, Recipe
from particlelab.micrographs.scene import Particle, Scene
from particlelab.micrographs.surfaces import sum_up, trace

SIZE = 64
NONE = np.empty((0, 7))


def scene_of(*bodies, kind="plane", size_nm=1.0):
    recipe = Recipe(placement=Placement(kind=kind), width_px=SIZE, height_px=SIZE, pixel_size_nm=size_nm)
    return Scene(recipe, [Particle(0, "sphere", np.array(at, float), body) for body, at in bodies], 0.0)


def sphere(r):
    return Body(np.array([[0.0, 0, 0, 0, 0, 0, r]]), None, None)


def pixels():
    return np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)


def as_mesh(body):
    ((vertices, faces),) = parts_as_meshes(body, level=5)
    normals = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    return Body(NONE, None, Mesh(vertices, faces, normals[faces]))


@pytest.mark.parametrize("make", [sphere, lambda r: Body(NONE, np.diag([r, r, r]), None), lambda r: as_mesh(sphere(r))])
def test_a_sphere_has_its_height_thickness_and_slope(make):
    x, y = pixels()
    surfaces = trace(scene_of((make(20.0), (30.3, 33.1, 25))))
    square = (x - 30.3) ** 2 + (y - 33.1) ** 2
    inside = square < 19.9**2
    root = np.sqrt(np.clip(400 - square, 0, None))
    assert (surfaces.instances == 1)[inside].all() and not surfaces.instances[square > 400].any()
    np.testing.assert_allclose(surfaces.depth[inside], 25 + root[inside], atol=0.15)
    thickness = sum_up(surfaces, [surfaces.patches[0].thickness_nm])
    np.testing.assert_allclose(thickness[inside], 2 * root[inside], atol=0.3)
    normals = np.stack([x - 30.3, y - 33.1, root], axis=-1)[inside] / 20
    np.testing.assert_allclose(surfaces.normals[inside], normals, atol=0.02)


def test_the_thickness_adds_up_to_the_volume():
    rod = Body(np.array([[-12.0, 3, -4, 12, -3, 4, 7]]), None, None)
    thickness = trace(scene_of((rod, (32.2, 31.7, 40)))).patches[0].thickness_nm
    length = np.linalg.norm([24, -6, 8])
    assert thickness.sum() == pytest.approx(np.pi * 49 * length + 4 / 3 * np.pi * 343, rel=2e-3)


def test_where_spheres_overlap_the_beam_passes_once():
    """Two spheres of radius r at a distance d share a lens of volume pi (4 r + d) (2 r - d)^2 / 12."""
    r, d = 12.0, 9.0
    both = Body(np.array([[-d / 2, 0, 0, -d / 2, 0, 0, r], [d / 2, 0, 0, d / 2, 0, 0, r]]), None, None)
    lens = np.pi * (4 * r + d) * (2 * r - d) ** 2 / 12
    for turn in (np.eye(3), np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]])):  # beside, and behind each other
        ends = both.capsules.copy()
        ends[:, :3], ends[:, 3:6] = ends[:, :3] @ turn.T, ends[:, 3:6] @ turn.T
        thickness = trace(scene_of((both._replace(capsules=ends), (32.1, 31.8, 40)))).patches[0].thickness_nm
        assert thickness.sum() == pytest.approx(2 * 4 / 3 * np.pi * r**3 - lens, rel=3e-3)


def test_many_spheres_that_overlap_fill_what_a_grid_of_points_says():
    rng = np.random.default_rng(0)
    centres, radii = rng.uniform(-14, 14, (25, 3)), rng.uniform(4, 9, 25)
    body = Body(np.column_stack([centres, centres, radii]), None, None)
    thickness = trace(scene_of((body, (32, 32, 40)))).patches[0].thickness_nm
    points = rng.uniform(-24, 24, (40_000, 3))
    inside = (np.linalg.norm(points[:, None] - centres, axis=2) < radii).any(axis=1).mean()
    error = np.sqrt(inside * (1 - inside) / 40_000)
    assert thickness.sum() / 48**3 == pytest.approx(inside, abs=4 * error + 1e-3)


def test_each_pixel_counts_once_and_shows_what_is_highest():
    rng = np.random.default_rng(1)
    centres = rng.uniform([5, 5, 10], [59, 59, 50], (30, 3))
    surfaces = trace(scene_of(*[(sphere(9.0), at) for at in centres]))
    x, y = pixels()
    heights = np.stack(
        [z + np.sqrt(np.maximum(81 - (x - u) ** 2 - (y - v) ** 2, -1e30 + 0j)).real for u, v, z in centres]
    )
    heights[np.stack([(x - u) ** 2 + (y - v) ** 2 >= 81 for u, v, _ in centres])] = 0
    expected = np.where(heights.max(axis=0) > 0, heights.argmax(axis=0) + 1, 0)
    np.testing.assert_array_equal(surfaces.instances, expected)


def test_outlines_are_complete_where_others_hide_them_or_the_frame_cuts_them():
    surfaces = trace(scene_of((sphere(10.0), (20, 20, 10)), (sphere(10.0), (20, 20, 40)), (sphere(10.0), (0, 40, 10))))
    areas = [np.count_nonzero(patch.mask) for patch in surfaces.patches]
    assert areas[0] == areas[1]
    assert areas == pytest.approx([np.pi * 100] * 3, rel=0.02)
    assert (surfaces.instances == 1).sum() == 0
    assert (surfaces.instances == 3).sum() == pytest.approx(areas[2] / 2, rel=0.05)


def test_a_particle_outside_of_the_frame_has_no_number():
    surfaces = trace(scene_of((sphere(5.0), (-5.6, 20, 5)), (sphere(5.0), (30, 30, 5))))
    assert surfaces.particles == [1] and surfaces.instances.max() == 1


def test_without_a_ground_there_is_no_depth_beside_particles():
    surfaces = trace(scene_of((sphere(8.0), (32, 32, 20)), kind="volume"))
    np.testing.assert_array_equal(np.isnan(surfaces.depth), surfaces.instances == 0)
