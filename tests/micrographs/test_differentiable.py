"""The differentiable renderer: it makes the native one's pictures, its gradients are right, its noise is as told."""

import numpy as np
import pytest

from particlelab.micrographs.camera import blur, take
from particlelab.micrographs.differentiable import DIFFERENTIABLE, Renderer, fix_geometry
from particlelab.micrographs.recipe import load_recipe, recipes
from particlelab.micrographs.scene import build_scene
from particlelab.micrographs.surfaces import trace
from particlelab.micrographs.techniques import expose
from particlelab.randomness import generator


def small_scene(name, changes=None, edge=96):
    recipe = load_recipe(name).vary(changes or {}).reframe(edge)
    return build_scene(recipe, generator(3, "scene"))


EXTRAS = {  # what no shipped recipe has
    "drift, gradient and charging": (
        "carbonyl_iron",
        {"camera.drift_px": 4.0, "camera.drift_deg": 30.0, "camera.gradient": 0.5, "technique.charging": 0.4},
    ),
    "textures": ("ellipsoids", {"technique.texture": 0.2, "technique.relief": 0.4, "technique.relief_deg": 120.0}),
    "fringes": ("worms", {"technique.fringe": 0.8, "technique.ground_texture": 0.1, "technique.spread": 0.2}),
    "tilt": ("spheres_sem", {"technique.tilt_deg": 30.0}),
}
CASES = {name: (name, {}) for name in recipes()} | EXTRAS


@pytest.mark.parametrize("case", CASES)
def test_pictures_are_those_of_the_native_renderer(case):
    scene = small_scene(*CASES[case])
    grey = expose(scene, trace(scene), generator(3, "technique"))
    wanted = np.clip(blur(grey, scene.recipe.camera), 0, 1)
    mean, _ = Renderer(fix_geometry(scene, generator(3, "technique"))).render()
    np.testing.assert_allclose(mean.numpy(), wanted, atol=1e-5)


GRADIENTS = [
    *(("carbonyl_iron", f"technique.{n}") for n in ("ground", "brightness", "edge", "relief", "shadowing", "charging")),
    *(("worms", f"technique.{n}") for n in ("free_path_nm", "fringe", "ground")),
    *(("droplets", f"technique.{n}") for n in ("refraction", "highlight", "depth_of_field_nm", "free_path_nm")),
    ("ellipsoids", "technique.ground_texture"),
    *(("beads", f"camera.{n}") for n in ("blur_px", "gradient", "dose", "read_noise")),
]


@pytest.mark.parametrize(("name", "knob"), GRADIENTS)
def test_gradients_are_those_of_finite_differences(name, knob):
    import torch

    extra = {"camera.read_noise": 0.02, "camera.gradient": 0.1}
    renderer = Renderer(fix_geometry(small_scene(name, extra), generator(3, "technique")), torch.float64)
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((96, 96)))
    weight = torch.from_numpy(np.random.default_rng(1).standard_normal((96, 96)))
    value = renderer.recipe.get(knob)

    def total(x):
        return (renderer.observe({knob: x}, noise) * weight).sum()

    x = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(total(x), x)
    step = 1e-6 * max(value, 1e-3)
    finite = (total(value + step) - total(value - step)) / (2 * step)
    assert float(slope) == pytest.approx(float(finite), rel=1e-3, abs=1e-6)


def test_every_name_can_be_asked_for():
    assert {knob for _, knob in GRADIENTS} | {"technique.texture"} == set(DIFFERENTIABLE)


def test_variance_is_that_of_the_camera():
    """300 pictures of the camera scatter as told; the mean of chi^2 / n has a standard deviation of sqrt(2 / n)."""
    scene = small_scene("tem_crystals", {"camera.dose": 150.0, "camera.read_noise": 0.02, "technique.ground": 0.6})
    mean, variance = (part.numpy() for part in Renderer(fix_geometry(scene, generator(3, "technique"))).render())
    grey = expose(scene, trace(scene), generator(3, "technique"))
    rng = np.random.default_rng(0)
    taken = np.stack([take(grey, scene.recipe.camera, rng) for _ in range(300)]) / 255
    inside = (mean > 0.2) & (mean < 0.7)  # where nothing is cut off
    pulls = (taken[:, inside] - mean[inside]) / np.sqrt(variance[inside])
    assert np.mean(pulls**2) == pytest.approx(1, abs=5 * np.sqrt(2 / pulls.size) + 0.003)
    assert np.mean(pulls) == pytest.approx(0, abs=5 / np.sqrt(pulls.size) + 0.003)


def test_names_that_are_not_differentiable_are_refused():
    renderer = Renderer(fix_geometry(small_scene("beads", edge=64), generator(3, "technique")))
    with pytest.raises(ValueError, match=r"populations\.number"):
        renderer.render({"populations.number": 10})
    with pytest.raises(ValueError, match="texture"):
        renderer.render({"technique.texture": 0.3})
