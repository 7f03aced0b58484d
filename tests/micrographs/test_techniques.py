"""How particles become visible, and the camera: closed forms of grey levels and of noise."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from particlelab.micrographs.bodies import Body
from particlelab.micrographs.camera import blur, drift, ramp, take
from particlelab.micrographs.recipe import Camera, Population, Recipe, load_recipe
from particlelab.micrographs.scene import Particle, Scene, build_scene
from particlelab.micrographs.surfaces import trace
from particlelab.micrographs.techniques import expose
from particlelab.randomness import generator

SPHERES = Recipe(populations=(Population(number=12, diameter_nm=500, deviation=1.2),), width_px=256, height_px=256)


def exposed(**technique):
    recipe = SPHERES.vary({f"technique.{name}": value for name, value in technique.items()})
    scene = build_scene(recipe, generator(1, "scene"))
    surfaces = trace(scene)
    return scene, surfaces, expose(scene, surfaces, generator(1, "technique"))


def test_the_beam_is_weakened_along_its_way_through_matter():
    scene, _, grey = exposed(kind="tem", ground=0.8, free_path_nm=300.0)
    x, y = (np.stack(np.meshgrid(np.arange(256), np.arange(256))) + 0.5) * 10.0
    way = np.zeros((256, 256))
    for particle in scene.particles:
        u, v, _ = particle.centre_nm
        r = particle.body.capsules[0, 6]
        way += 2 * np.sqrt(np.clip(r**2 - (x - u) ** 2 - (y - v) ** 2, 0, None))
    np.testing.assert_allclose(grey, 0.8 * np.exp(-way / 300), rtol=2e-5)


def test_a_sphere_is_bright_at_its_edge_and_as_bright_as_was_asked_for_in_its_middle():
    _, surfaces, grey = exposed(kind="sem", brightness=0.4, edge=0.9, shadowing=0.0, ground=0.1)
    upright = surfaces.normals[..., 2]
    on = surfaces.instances > 0
    assert (grey[~on] == np.float32(0.1)).all()
    np.testing.assert_allclose(grey[on & (upright > 0.999)], 0.4, rtol=1e-3)
    steep = on & (upright < 0.3)
    assert grey[steep].min() > 0.4 * (1 + 1.8 * 0.7**2) - 1e-5


def test_it_is_darker_between_particles_the_more_shadow_there_is():
    greys = [exposed(kind="sem", shadowing=s)[2] for s in (0.0, 0.5, 1.0)]
    assert (greys[1] <= greys[0] + 1e-6).all() and (greys[2] <= greys[1] + 1e-6).all()
    np.testing.assert_allclose(greys[1] ** 2, greys[0] * greys[2], rtol=2e-4)  # exp(-2 s occlusion)


def test_a_detector_on_the_other_side_sees_the_opposite_relief():
    a, b = (exposed(kind="sem", relief=0.3, relief_deg=angle, shadowing=0.0)[2] for angle in (40.0, 220.0))
    plain = exposed(kind="sem", relief=0.0, shadowing=0.0)[2]
    np.testing.assert_allclose((a + b) / 2, plain, atol=1e-5)
    assert np.abs(a - b).max() > 0.05


def test_flat_greys_are_two():
    _, surfaces, grey = exposed(kind="categorical", ground=0.1, brightness=0.7)
    assert np.unique(grey).tolist() == pytest.approx([0.1, 0.7])
    assert ((grey > 0.4) == (surfaces.instances > 0)).all()


def test_opaque_particles_are_shadows():
    _, surfaces, grey = exposed(kind="light", free_path_nm=1.0, refraction=0.0, ground=0.9)
    np.testing.assert_allclose(grey[surfaces.instances == 0], 0.9, atol=1e-6)
    assert np.quantile(grey[surfaces.instances > 0], 0.99) < 1e-3


def test_what_is_far_from_the_focal_plane_is_blurred_by_its_distance():
    """A sphere 2000 nm below the plane in focus, where 400 nm blur by a pixel."""
    optics = {"kind": "light", "free_path_nm": 400.0, "refraction": 0.0, "ground": 1.0}
    changes = {f"technique.{name}": value for name, value in optics.items()}
    recipe = SPHERES.vary(changes | {"placement.kind": "volume", "placement.depth_nm": 5000.0})
    sphere = Body(np.array([[0.0, 0, 0, 0, 0, 0, 300]]), None, None)
    greys = []
    for depth_of_field in (1e9, 400.0):
        particle = Particle(0, "sphere", np.array([1280.0, 1280, 500]), sphere)
        scene = Scene(recipe.vary({"technique.depth_of_field_nm": depth_of_field}), [particle], 0.0)
        greys.append(expose(scene, trace(scene), generator(0)))
    np.testing.assert_allclose(greys[1], gaussian_filter(greys[0], 5, mode="reflect", truncate=6), atol=4e-3)


def test_the_spread_between_particles_is_log_normal():
    recipe = Recipe(populations=(Population(number=400, diameter_nm=80, deviation=1),))
    recipe = recipe.vary({"technique.kind": "categorical", "technique.spread": 0.2, "technique.brightness": 0.3})
    scene = build_scene(recipe, generator(0, "scene"))
    surfaces = trace(scene)
    grey = expose(scene, surfaces, generator(0, "technique"))
    logs = np.log([grey[surfaces.instances == k][0] / 0.3 for k in np.unique(surfaces.instances)[1:]])
    assert logs.std() == pytest.approx(0.2, abs=4 * 0.2 / np.sqrt(2 * len(logs)))
    assert abs(logs.mean()) < 4 * 0.2 / np.sqrt(len(logs))


def test_noise_is_that_of_counted_quanta():
    picture = np.full((400, 400), 0.4)
    image = take(picture, Camera(blur_px=0, dose=300, read_noise=0.02), np.random.default_rng(0)) / 255
    variance = 0.4 / 300 + 0.02**2 + 1 / 12 / 255**2
    assert image.mean() == pytest.approx(0.4, abs=4 * np.sqrt(variance) / 400)
    assert image.var() == pytest.approx(variance, rel=0.02)


def test_a_blurred_edge_is_the_error_function():
    from scipy.special import erf

    picture = np.zeros((64, 64))
    picture[:, 32:] = 1
    seen = blur(picture, Camera(blur_px=2.5))[32]
    np.testing.assert_allclose(seen, 0.5 + 0.5 * erf((np.arange(64) - 31.5) / 2.5 / np.sqrt(2)), atol=0.01)


@pytest.mark.parametrize(("way", "direction"), [(6.0, 0.0), (9.0, 30.0), (4.5, 250.0)])
def test_drift_spreads_a_point_over_its_way(way, direction):
    kernel = drift(way, direction)
    half = len(kernel) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    assert kernel.sum() == pytest.approx(1)
    along = x * np.cos(np.deg2rad(direction)) + y * np.sin(np.deg2rad(direction))
    assert (kernel * along).sum() == pytest.approx(0, abs=1e-3)
    assert (kernel * along**2).sum() == pytest.approx(way**2 / 12 + 1 / 6, abs=0.2)  # and of interpolation


def test_a_ramp_has_the_mean_1_and_rises_where_it_should():
    plane = ramp((60, 100), 0.3, 0)
    assert plane.mean() == pytest.approx(1, abs=1e-6)
    assert plane[0, -1] - plane[0, 0] == pytest.approx(0.3 * 0.99)
    np.testing.assert_allclose(plane[0], plane[-1])


@pytest.mark.parametrize("name", ["beads", "worms", "droplets"])
def test_the_camera_and_the_technique_move_no_particle(name):
    recipe = load_recipe(name).vary({"width_px": 128, "height_px": 128})
    scenes = [build_scene(r, generator(3, "scene")) for r in (recipe, recipe.vary({"camera.blur_px": 3.0}))]
    np.testing.assert_array_equal(*[trace(scene).instances for scene in scenes])
