"""Blender as an engine: what it is told, what is read from it, how it fails; and, where it is installed, its clouds."""

import json
import stat

import numpy as np
import pytest
from scipy import stats

from particlelab.aerosol import blender, clouds
from particlelab.aerosol.clouds import CloudScene, draw_breath, project, simulate_cloud

SCENE = CloudScene(grid=16, frames=2, depth_share=0.5)


def a_program(folder, text, monkeypatch):
    """Put a shell script named blender on PATH, and nothing before it."""
    program = folder / "blender"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_scene_has_its_place_and_its_axes():
    """A jet to the right and down goes along x and against z; the mouth is inside the box, off its middle."""
    scene = SCENE.replace(breath_variation=0, direction_variation_degrees=0, jet_angle_degrees=30)
    told = blender.describe(scene, draw_breath(scene, 0), 0)
    velocity = np.array(told["velocities"][0])
    assert velocity[2] / velocity[0] == pytest.approx(-np.tan(np.radians(30))) and velocity[1] == 0
    box, mouth = np.array(told["box"]), np.array(told["mouth_at"])
    assert box * clouds.UNIT_M == pytest.approx([0.6, 0.3, 0.6])
    share = mouth / box + 0.5
    assert share == pytest.approx([clouds.MOUTH[0], 0.5, 1 - clouds.MOUTH[1]])
    assert json.loads(json.dumps(told)) == told


def test_densities_are_turned_to_our_axes(tmp_path):
    """Blender's order is x fastest, then y into the picture, then z up."""
    depth, height, width = SCENE.box.shape
    z, y, x = np.meshgrid(np.arange(height), np.arange(depth), np.arange(width), indexing="ij")
    for frame in (1, 2):
        (100 * z + 10 * y + x + 1000 * frame).astype(np.float32).tofile(tmp_path / f"{frame}.density")
    density = blender.read_densities(tmp_path, SCENE)
    assert density.shape == (2, depth, height, width)
    assert density[1, 3, 0, 7] == 2000 + 100 * (height - 1) + 30 + 7  # row 0 is the top
    assert density[0, 0, height - 1, 0] == 1000


def test_a_frame_that_is_missing_is_named(tmp_path):
    np.zeros(SCENE.box.shape, np.float32).tofile(tmp_path / "1.density")
    with pytest.raises(blender.BlenderError, match="frame 2 has 0 cells, not 2048 = 16 x 8 x 16"):
        blender.read_densities(tmp_path, SCENE)


def test_without_blender_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(blender.BlenderError, match="apt-get install blender"):
        simulate_cloud(SCENE, engine="blender")


def test_what_blender_printed_is_in_the_error(monkeypatch, tmp_path):
    a_program(tmp_path, "echo the mesh is inside out; exit 7", monkeypatch)
    with pytest.raises(blender.BlenderError, match=r"(?s)ended with 7.*the mesh is inside out"):
        simulate_cloud(SCENE, engine="blender")


def test_blender_is_stopped_at_the_limit(monkeypatch, tmp_path):
    a_program(tmp_path, "echo working; exec sleep 60", monkeypatch)
    with pytest.raises(blender.BlenderError, match=r"(?s)stopped after 3 s.*working"):
        blender.simulate_in_blender(SCENE, draw_breath(SCENE, 0), limit_s=3)


@pytest.mark.skipif(blender.find_blender() is None, reason="needs Blender")
def test_both_engines_agree_on_what_grows_more():
    """Ranks of final sizes over strengths above 0.9 between the two, and both grow."""
    strengths, final = (0, 3, 6, 10, 15), {}
    for engine in ("native", "blender"):
        for strength in strengths:
            scene = CloudScene(grid=24, depth_share=1.0, strength=strength, breath_variation=0)
            seen = 255 * (1 - np.exp(-project(simulate_cloud(scene, 1, engine=engine), scene))) >= 10
            sizes = seen.mean(axis=(1, 2))
            assert sizes[-1] > 2 * sizes[0] > 0
            final.setdefault(engine, []).append(sizes[-1])
    assert stats.spearmanr(final["native"], final["blender"]).statistic > 0.9
