"""What an instrument shows of a cell: the light of each part of it, and noise of the size that was asked for."""

import numpy as np
import pytest
from scipy.special import ndtr

from particlelab.randomness import generator
from particlelab.sedimentation import Instrument, Scene, expected_transmission, look

QUIET = Instrument(noise=0, shot_noise=0, pattern=0, lamp_drift=0, stray_light=0)
RADII, TIMES = np.linspace(104, 130, 1301), np.linspace(10, 1000, 60)


def scene(optical_density=0.0, sediment_mm=0.0, cream_mm=0.0):
    density = np.full((len(TIMES), len(RADII)), float(optical_density))
    layers = (np.full(len(TIMES), float(height)) for height in (sediment_mm, cream_mm))
    return Scene(RADII, TIMES, density, 110.0, 129.0, *layers)


def at(values, radius_mm):
    return values[:, np.abs(RADII - radius_mm).argmin()]


@pytest.mark.parametrize("density", [0.0, 0.301, 1.0, 3.0])
def test_light_falls_by_ten_for_each_unit_of_optical_density(density):
    values = expected_transmission(scene(density), QUIET)
    assert at(values, 120) == pytest.approx(QUIET.clear * 10**-density, rel=1e-6)
    assert at(values, 106) == pytest.approx(QUIET.air)
    assert at(values, 129.8) == pytest.approx(0, abs=2e-3)


def test_stray_light_is_what_is_seen_where_no_light_passes():
    stray = QUIET.replace(stray_light=0.05)
    assert at(expected_transmission(scene(9.0), stray), 120) == pytest.approx(0.05, abs=1e-6)
    assert at(expected_transmission(scene(0.0), stray), 120) == pytest.approx(0.05 + 0.95 * QUIET.clear)


def test_the_meniscus_is_dark_and_where_it_was_put():
    values = expected_transmission(scene(0.2), QUIET)[0]
    dip = slice(*np.searchsorted(RADII, (109.0, 111.0)))
    assert RADII[dip][values[dip].argmin()] == pytest.approx(110.0, abs=0.05)
    assert values[dip].min() < 0.5 * QUIET.clear * 10**-0.2


def test_the_edge_of_a_layer_is_an_error_function_of_the_blur():
    """Half the light passes at the edge; sediment grows from the bottom, cream from the meniscus."""
    blurred = QUIET.replace(blur_mm=0.3, meniscus_depth=0.0)
    values = expected_transmission(scene(0.0, sediment_mm=4.0, cream_mm=3.0), blurred)[0] / QUIET.clear
    for edge, side in ((125.0, -1), (113.0, 1)):
        near = np.abs(RADII - edge) < 1
        np.testing.assert_allclose(values[near], ndtr(side * (RADII[near] - edge) / 0.3), atol=0.01)


@pytest.mark.parametrize("density", [0.0, 1.0])
def test_noise_has_the_size_that_was_asked_for(density):
    """Variances of both kinds add; 20 000 values tell a standard deviation to 0.5 %."""
    noisy = QUIET.replace(noise=0.01, shot_noise=0.02)
    values = look(scene(density), noisy, generator(1, "noise"))[:, 400:1200]
    expected = np.sqrt(0.01**2 + 0.02**2 * QUIET.clear * 10**-density)
    assert values.std() == pytest.approx(expected, rel=0.015)
    assert values.mean() == pytest.approx(QUIET.clear * 10**-density, abs=4 * expected / values.size**0.5)


def test_a_lamp_drifts_everywhere_alike_and_a_pattern_stays_at_all_times():
    drifting = look(scene(), QUIET.replace(lamp_drift=0.05), generator(2, "lamp"))
    shares = drifting[:, 300:1200] / drifting[:1, 300:1200]
    assert np.ptp(shares, axis=1).max() < 1e-5
    small = Scene(RADII[600:640], TIMES, np.zeros((60, 40)), 110.0, 129.0, 0 * TIMES, 0 * TIMES)
    ends = [look(small, QUIET.replace(lamp_drift=0.05), generator(k, "lamp"))[-1, 20] for k in range(300)]
    assert np.std(ends) == pytest.approx(0.05 * QUIET.clear, rel=0.15)  # 300 walks: 4 %
    pattern = look(scene(), QUIET.replace(pattern=0.02), generator(3, "wall"))
    assert np.ptp(pattern, axis=0).max() < 1e-6
    assert pattern[0, 400:1200].std() > 0.005


def test_the_same_seed_is_the_same_measurement():
    first, again, other = (look(scene(0.5), Instrument(), generator(seed, "x")) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    with pytest.raises(ValueError, match="rng is missing"):
        look(scene(), QUIET, None)
