"""Path tracers as engines: the same geometry to the pixel, closed forms of light and matter, and clear failures."""

import json
import stat
import sys
from typing import get_args

import numpy as np
import pytest

from particlelab.micrographs import (
    Camera,
    Placement,
    Population,
    Recipe,
    Technique,
    cycles,
    mitsuba_engine,
    synthesise,
    trace,
)
from particlelab.micrographs.bodies import Body, draw_bodies
from particlelab.micrographs.scene import Particle, Scene
from particlelab.randomness import generator

needs_blender = pytest.mark.skipif(cycles.find_blender() is None, reason="needs Blender")
needs_mitsuba = pytest.mark.skipif(mitsuba_engine.find_mitsuba() is None, reason="needs Mitsuba 3")
ENGINES = [
    pytest.param(cycles.render, marks=needs_blender, id="cycles"),
    pytest.param(mitsuba_engine.render, marks=needs_mitsuba, id="mitsuba"),
]
SIZE = 10.0


def balls(technique, *spheres, placement="volume", width_px=64):
    """A scene of spheres, by x, y, z and radius in pixels; y goes down."""
    recipe = Recipe(
        placement=Placement(kind=placement, depth_nm=1000),
        technique=technique,
        width_px=width_px,
        height_px=48,
        pixel_size_nm=SIZE,
    )
    particles = [
        Particle(
            0, "sphere", SIZE * np.array([x, y, z], float), Body(np.array([[0, 0, 0, 0, 0, 0, SIZE * r]]), None, None)
        )
        for x, y, z, r in spheres
    ]
    return Scene(recipe, particles, 0.0)


def distances(x, y, width_px=64):
    """Of the middle of each pixel from a point, in pixels."""
    rows, columns = np.mgrid[:48, :width_px] + 0.5
    return np.hypot(columns - x, rows - y)


def overlap_of(a, b):
    return (a & b).sum() / (a | b).sum()


@needs_blender
def test_cycles_sees_the_same_particles_as_the_labels():
    """Who is in front in the middle of each pixel: two layers of all shapes over a tilted ground."""
    shapes, rng = get_args(Population.model_fields["shape"].annotation), generator(0, "engines")
    recipe = Recipe(technique=Technique(tilt_deg=15), width_px=144, height_px=84, pixel_size_nm=SIZE)
    particles = []
    for layer in range(2):
        for k, shape in enumerate(shapes[:: 1 - 2 * layer]):
            size = 9 * SIZE if shape == "aggregate" else 25 * SIZE
            options = {"elongation": 2.0, "primaries": 8, "primaries_deviation": 1.0}
            body = draw_bodies(Population(shape=shape, diameter_nm=size, deviation=1.0, **options), rng)[0]
            at = np.array([20 + 33 * (k % 4) + 12 * layer, 22 + 35 * (k // 4) + 8 * layer, 50 + 45 * layer]) * SIZE
            particles.append(Particle(0, shape, at, body))
    scene = Scene(recipe, particles, np.radians(15))
    surfaces = trace(scene)
    native = np.array([0, *(k + 1 for k in surfaces.particles)])[surfaces.instances]
    found = cycles.render_ids(scene)
    assert (found == native).mean() > 0.99
    large = [k for k in range(1, len(particles) + 1) if (native == k).sum() > 100]
    assert {particles[k - 1].shape for k in large} == set(shapes) and (native == 0).mean() > 0.1
    assert min(overlap_of(found == k, native == k) for k in large) > 0.97


@pytest.mark.parametrize("render", ENGINES)
def test_silhouettes_and_greys_of_the_flat_style(render):
    """In a wide frame, off its middle: the outline of a ball, and what is behind it."""
    technique = Technique(kind="categorical", ground=0.2, brightness=0.6)
    scene = balls(technique, (20, 14, 40, 11), (75, 30, 12, 12), placement="plane", width_px=96)
    picture = render(scene, samples=9)
    true = (distances(20, 14, 96) < 11) | (distances(75, 30, 96) < 12)
    assert overlap_of(picture > 0.4, true) > 0.97 and overlap_of(picture > 0.4, trace(scene).instances > 0) > 0.97
    assert np.median(picture[true]) == pytest.approx(0.6, abs=1e-3)
    assert np.median(picture[~true]) == pytest.approx(0.2, abs=1e-3)


@pytest.mark.parametrize("render", ENGINES)
def test_transmitted_electrons_follow_beer_and_lambert(render):
    """exp(-way / free path), the way 2 sqrt(R^2 - r^2): through one ball, and through two above each other."""
    technique = Technique(kind="tem", ground=0.9, free_path_nm=250)
    picture = render(balls(technique, (16, 24, 50, 10), (46, 24, 30, 8), (46, 24, 60, 11)), samples=36)
    for x, radii in ((16, (10,)), (46, (8, 11))):
        middle = distances(x, 24) < 5
        ways = sum(2 * np.sqrt(radius**2 - distances(x, 24)[middle] ** 2) for radius in radii) * SIZE
        assert picture[middle].mean() == pytest.approx(0.9 * np.exp(-ways / 250).mean(), rel=0.03)
    assert np.median(picture) == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("render", ENGINES)
def test_secondary_electrons_come_from_steep_surfaces_and_not_from_gaps(render):
    """1 + edge (1 / cos - 1), cos = sqrt(1 - (r / R)^2), on a ball that nothing is near; darker under a neighbour."""
    alone = Technique(kind="sem", ground=0.1, brightness=0.4, edge=0.5, shadowing=0)
    picture = render(balls(alone, (32, 24, 50, 20)), samples=16)
    away = distances(32, 24)
    for r in (5, 10, 14):
        ring = picture[abs(away - r) < 0.7]
        assert ring.mean() == pytest.approx(0.4 * (1 + 0.5 * (1 / np.sqrt(1 - (r / 20) ** 2) - 1)), rel=0.03)
    crowded = Technique(kind="sem", ground=0.4, brightness=0.4, edge=0.0, shadowing=1.0)
    picture = render(balls(crowded, (20, 24, 14, 14), (50, 24, 14, 14), placement="plane"), samples=36)
    gap = picture[20:28, 34:36].mean()  # between two balls that lie on the ground
    assert gap < 0.75 * picture[:4, :4].mean() and picture[:4, :4].mean() < 0.42


@pytest.mark.parametrize("render", ENGINES)
def test_glass_is_clear_in_the_middle_and_dark_at_the_rim(render):
    """Where nothing is refracted nothing is seen; a rim of glass bends light out of the condenser's cone."""
    clear = Technique(kind="light", ground=0.8, refraction=0.0, free_path_nm=1e9)
    assert np.abs(render(balls(clear, (32, 24, 50, 16)), samples=4) - 0.8).max() < 0.01
    glass = clear.replace(refraction=0.6)  # n = 1.2: bent by 2 (asin(h) - asin(h / n)), 30 degrees at h = 0.86
    picture, away = render(balls(glass, (32, 24, 50, 16)), samples=16), distances(32, 24) / 16
    assert picture[away < 0.5].mean() == pytest.approx(0.8, rel=0.05)
    assert picture[(away > 0.92) & (away < 0.97)].mean() < 0.25 * 0.8
    assert np.median(picture[away > 1.1]) == pytest.approx(0.8, abs=1e-3)


@needs_blender
def test_a_synthesis_by_cycles_has_the_labels_of_the_native_one():
    recipe = Recipe(
        populations=(Population(number=5, diameter_nm=120),),
        technique=Technique(kind="categorical", ground=0.1, brightness=0.7),
        camera=Camera(blur_px=0, dose=1e6),
        width_px=64,
        height_px=48,
    )
    ours, theirs = synthesise(recipe, 2), synthesise(recipe, 2, engine="cycles")
    np.testing.assert_array_equal(ours.instances, theirs.instances)
    assert ours.table.equals(theirs.table)
    assert np.abs(ours.image.astype(int) - theirs.image)[ours.instances > 0].mean() < 8  # outlines are smooth there


def test_the_scene_is_told_in_its_own_units():
    told = cycles.describe(balls(Technique(kind="light", depth_of_field_nm=500), (32, 24, 50, 20)), 1, 8)
    assert told["frame"] == [2, 1.5] and told["pixels"] == [64, 48] and json.loads(json.dumps(told)) == told
    unit = 320.0
    assert told["focus"] == pytest.approx(500 / unit) and told["camera_height"] == pytest.approx(700 / unit + 2)
    away = told["camera_height"] - told["focus"]  # a point 500 nm off blurs to a disk of a deviation of one pixel
    assert told["aperture"] * (500 / unit) / away / 2 == pytest.approx(SIZE / unit)
    for samples in (0, 5000):
        with pytest.raises(ValueError, match=f"samples must be from 1 to 4096, got {samples}"):
            cycles.describe(balls(Technique()), 1, samples)


def test_without_blender_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(cycles.BlenderError, match="apt-get install blender"):
        cycles.render(balls(Technique(), (32, 24, 50, 20)))


def test_without_mitsuba_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(mitsuba_engine.MitsubaError, match="pip install mitsuba"):
        mitsuba_engine.render(balls(Technique(), (32, 24, 50, 20)))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no light; exit 7", r"(?s)ended with 7.*no light"),
        ("echo nothing done", r"(?s)ended with 0.*nothing done"),
        ("echo working; exec sleep 60", r"(?s)stopped after 2 s.*working"),
    ],
)
def test_what_blender_printed_is_in_the_error(monkeypatch, tmp_path, script, message):
    program = tmp_path / "blender"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(cycles.BlenderError, match=message):
        cycles.render(balls(Technique(), (32, 24, 50, 20)), limit_s=2)
