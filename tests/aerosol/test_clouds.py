"""Clouds of breath: what symmetry, conservation and chance demand of them, whatever their looks."""

import numpy as np
import pytest
from scipy import stats

from particlelab.aerosol import clouds
from particlelab.aerosol.clouds import CloudScene, draw_breath, project, simulate_cloud
from particlelab.parameters import ParameterError

SMALL = CloudScene(grid=32, frames=12)
CALM = SMALL.replace(strength=0, noise_amount=0, breath_variation=0, direction_variation_degrees=0)


def mass(density):
    """Sum of the density of each frame."""
    return density.sum(axis=tuple(range(1, density.ndim)), dtype=float)


def centre(density, scene):
    """Across and down, in m, of each frame."""
    depth = project(density, scene).astype(float)
    places = (np.arange(scene.grid) + 0.5) * scene.cell_m
    total = depth.sum(axis=(1, 2))
    return (depth.sum(axis=1) @ places) / total, (depth.sum(axis=2) @ places) / total


def covered(density, scene):
    """Percentage of the picture where smoke is seen, of each frame."""
    return 100 * (255 * (1 - np.exp(-project(density, scene))) >= 10).mean(axis=(1, 2))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_seed_fixes_the_cloud_and_another_makes_another(dimensions):
    scene = SMALL.replace(dimensions=dimensions, frames=6)
    one, same, other = (simulate_cloud(scene, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert np.abs(one - other)[-1].sum() > 0.05 * one[-1].sum()


def test_without_chance_every_seed_is_the_same_and_turbulence_alone_makes_seeds_differ():
    scene = CALM.replace(frames=4)
    assert np.array_equal(simulate_cloud(scene, 1), simulate_cloud(scene, 2))
    windy = scene.replace(strength=5)
    assert draw_breath(windy, 1) == draw_breath(windy, 2)
    assert not np.array_equal(simulate_cloud(windy, 1), simulate_cloud(windy, 2))


def test_breaths_vary_by_as_much_as_the_scene_says():
    """Over 2000 seeds; nothing beyond 2.5 standard deviations, which takes 5 % of the deviation."""
    scene = CloudScene(breath_variation=0.1, direction_variation_degrees=5)
    breaths = [draw_breath(scene, seed) for seed in range(2000)]
    speeds, durations = (np.array([breath[i] for breath in breaths]) for i in (0, 1))
    for values, middle in ((speeds, scene.jet_speed_m_s), (durations, scene.pulse_s)):
        assert values.mean() == pytest.approx(middle, rel=0.01) and values.std() == pytest.approx(
            0.1 * middle, rel=0.08
        )
    directions = np.array([breath.direction for breath in breaths])
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1)
    down = np.degrees(np.arctan2(directions[:, 1], directions[:, 2]))
    assert down.mean() == pytest.approx(scene.jet_angle_degrees, abs=0.5) and down.std() == pytest.approx(5, rel=0.08)


def test_without_turbulence_the_near_half_mirrors_the_far_one():
    density = simulate_cloud(CALM)
    assert np.abs(density - density[:, ::-1]).max() < 1e-3


def test_smoke_is_kept_in_a_closed_box_once_the_breath_has_ended_and_decays_at_its_rate():
    scene = SMALL.replace(sides="closed", pulse_s=0.1, strength=10, breath_variation=0)
    amount = mass(simulate_cloud(scene))
    assert amount[2:] == pytest.approx(amount[2], rel=2e-3)  # a ripple below 0 is not shown
    decaying = mass(simulate_cloud(scene.replace(decay_1_per_s=3.0)))
    assert decaying[3:] / decaying[2:-1] == pytest.approx(np.exp(-3.0 * scene.frame_time_s), rel=2e-3)


def test_a_breath_fills_the_mouth_at_once_and_then_as_air_flows_out_of_it():
    """A ball of density 1 in the first frame at least; never more than density 1 where nothing varies."""
    density = simulate_cloud(CALM)
    ball = np.pi / 6 * (CALM.mouth_m / CALM.cell_m) ** 3
    assert mass(density)[0] > 0.9 * ball and np.all(np.diff(mass(density)) > 0)
    assert density.min() >= 0 and density.max() < 1.03


@pytest.mark.parametrize(
    "values",
    [
        {"jet_speed_m_s": 10, "pulse_s": 0.1},
        {"strength": 50, "noise_amount": 20, "size": 10},
        {"strength": 50, "size": 0.2, "flow": 20},
        {"buoyancy_m_s2": 10, "wind_factor": -2, "sides": "closed"},
        {"mouth_m": 0.2, "box_m": 0.1},
        {"frame_time_s": 0.5, "frames": 3},
    ],
)
def test_at_the_ends_of_its_parameters_a_cloud_is_still_one(values):
    """A sweep that goes too far in a step would make more than there was at the mouth, and then no numbers."""
    density = simulate_cloud(CALM.replace(dimensions=2, **values))
    assert np.isfinite(density).all() and density.max() < 1.05 and density[-1].sum() > 0


def test_light_breath_rises_and_heavy_breath_sinks():
    """And by about as much, as the jet is the same."""
    heights = [centre(simulate_cloud(CALM.replace(buoyancy_m_s2=b)), CALM)[1][-1] for b in (-2.0, 0.0, 2.0)]
    assert heights[0] > heights[1] + 0.002 and heights[1] > heights[2] + 0.002
    assert heights[0] + heights[2] == pytest.approx(2 * heights[1], abs=0.3 * (heights[0] - heights[2]))


def test_the_jet_goes_where_it_is_blown():
    across, down = centre(simulate_cloud(CALM.replace(buoyancy_m_s2=0, jet_angle_degrees=30)), CALM)
    way = np.array([across[-1] - clouds.MOUTH[0] * CALM.box_m, down[-1] - clouds.MOUTH[1] * CALM.box_m])
    assert np.degrees(np.arctan2(way[1], way[0])) == pytest.approx(30, abs=4)


def test_wind_takes_a_short_breath_along():
    """At first the puff stands, as it was held in the mouth; the air about it drags it up to the wind, not beyond."""
    scene = CALM.replace(pulse_s=0.04, buoyancy_m_s2=0, jet_speed_m_s=0.01)
    for wind in (-0.3, 0.3):
        across = centre(simulate_cloud(scene.replace(wind_factor=wind)), scene)[0]
        speeds = np.diff(across) / scene.frame_time_s / wind
        assert np.all(speeds > 0) and speeds[-1] < 1.02 and speeds[-4:].mean() > 0.5


def test_flow_drags_air_to_what_the_field_says():
    """Where there is no field, to a standstill: the jet reaches less far the more of it there is."""
    jet = CALM.replace(buoyancy_m_s2=0)
    ways = [centre(simulate_cloud(jet.replace(flow=flow)), jet)[0][-1] for flow in (0, 2, 10)]
    assert ways[0] > ways[1] > ways[2]


@pytest.mark.parametrize("dimensions", [2, 3])
def test_clouds_grow_with_strength(dimensions):
    """Ranks of final sizes over strengths, means of three seeds; and every cloud grows from frame to frame."""
    strengths = [1, 3, 6, 9, 12, 15]
    scene = CloudScene(dimensions=dimensions, grid=32)
    sizes = np.array(
        [
            np.mean([covered(simulate_cloud(scene.replace(strength=s), seed), scene) for seed in range(3)], axis=0)
            for s in strengths
        ]
    )
    assert stats.spearmanr(strengths, sizes[:, -1]).statistic > 0.95
    assert np.all(sizes[:, 10:].max(axis=1) > 3 * sizes[:, 0])
    assert np.mean(np.diff(sizes, axis=1) > 0) > 0.9


def test_optical_depth_is_the_integral_along_the_line_of_sight():
    scene = CloudScene(grid=20, depth_share=0.5, extinction=3.0, mouth_m=0.06)
    full = np.ones((2, *scene.box.shape), np.float32)
    assert project(full, scene) == pytest.approx(np.full((2, 20, 20), 3.0 * 0.3 / 0.06))
    flat = scene.replace(dimensions=2)
    assert project(np.full((1, 20, 20), 0.5), flat) == pytest.approx(np.full((1, 20, 20), 1.5))
    with pytest.raises(ValueError, match="density of a scene of 3 dimensions must have 4 axes, got shape"):
        project(np.ones((2, 20, 20)), scene)


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match='engine must be "native" or "blender", got \'houdini\''):
        simulate_cloud(SMALL, engine="houdini")
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0, got -1"):
        simulate_cloud(SMALL, seed=-1)
    with pytest.raises(ParameterError, match=r"strength = 51 is not allowed; expected 0 <= strength <= 50"):
        CloudScene(strength=51)


def test_progress_is_told_after_each_frame():
    told = []
    simulate_cloud(CALM.replace(frames=3, dimensions=2), progress=lambda share, text: told.append((share, text)))
    assert told == [(pytest.approx((i + 1) / 3), f"frame {i + 1} of 3") for i in range(3)]
