"""The sedimentation coefficient by the moving boundary: what goes in comes out, and intervals hold what they say."""

import numpy as np
import pytest
from scipy import stats

from particlelab.randomness import generator
from particlelab.sedimentation import LFG, Spectrum, boundary_positions, estimate_s, simulate_one
from particlelab.sedimentation.lamm import solve_lamm

RPM = 3000.0
FIELD = 1e-13 * (2 * np.pi * RPM / 60) ** 2  # 1/s for each svedberg
RADII = np.linspace(60, 72, 280)
TIMES = 10.0 * np.arange(1, 121)


def stepped(s, power=2, radii=RADII, times=TIMES, rpm=RPM, loading=0.8):
    """Particles that do not diffuse: all gone behind exp(s w^2 t), diluted before it; by hand, not by the library."""
    rate = (1e-13 * (2 * np.pi * rpm / 60) ** 2) * s * times[:, None]
    if rpm:
        edge, plateau = (radii[0] if s > 0 else radii[-1]) * np.exp(rate), np.exp(-power * rate)
    else:
        edge, plateau = (radii[0] if s > 0 else radii[-1]) + 10 * 1e-13 * 980.665 * s * times[:, None], 1.0
    ahead = (np.sign(s) * (radii - edge) / (radii[1] - radii[0]) + 0.5).clip(0, 1)  # a pixel may be cut
    return Spectrum(radii, times, 10 ** (-loading * plateau * ahead), None, rpm)


def settling(s):
    """A Lamm solution without noise."""
    c = solve_lamm(s, 2e-8, RPM, TIMES, 6.0, 7.2, RADII / 10)
    return Spectrum(RADII, TIMES, 10 ** (-0.8 * c), None, RPM)


@pytest.mark.parametrize("s", [1000.0, 5000.0, 20_000.0, 50_000.0, 100_000.0])
def test_s_of_a_noise_free_lamm_solution_comes_back(s):
    found = estimate_s(simulate_one("lfg", s, generator(0), LFG(noise=0.0)))
    assert found.s == pytest.approx(s, rel=0.01)
    assert found.direction == "sedimentation"
    assert found.start_mm == pytest.approx(60.0, abs=0.02)


@pytest.mark.parametrize("s", [5000.0, 60_000.0, -5000.0, -60_000.0])
@pytest.mark.parametrize(("cell", "power"), [("sector", 2), ("rectangular", 1)])
def test_a_step_moves_as_the_exponential_says_in_either_direction(s, cell, power):
    found = estimate_s(stepped(s, power), cell=cell)
    assert found.s == pytest.approx(s, rel=0.01)
    assert found.direction == ("sedimentation" if s > 0 else "creaming")


@pytest.mark.parametrize("s", [2e6, -2e6])
def test_under_gravity_it_falls_by_s_g_t(s):
    spectrum = stepped(s, times=60.0 * np.arange(1, 61), rpm=0)
    found = estimate_s(spectrum)
    assert found.s == pytest.approx(s, rel=0.005)
    boundary = found.boundary[found.boundary.used]
    moved = abs(boundary.moment_mm - found.start_mm)
    np.testing.assert_allclose(moved, 10 * 1e-13 * 980.665 * abs(s) * boundary.time_s, atol=0.03)


def test_the_second_moment_does_not_know_diffusion():
    """ln r_b = ln m + s w^2 t for any D: Goldberg's theorem."""
    times, s = 60.0 * np.arange(1, 61), 5000.0
    for diffusion in (1e-8, 1e-6):
        c = solve_lamm(s, diffusion, RPM, times, 6.0, 7.2, RADII / 10)
        found = boundary_positions(Spectrum(RADII, times, 10 ** (-0.5 * c), None, RPM))
        used = found[found.used]
        np.testing.assert_allclose(used.moment_mm, 60 * np.exp(FIELD * s * used.time_s), rtol=3e-4)


def test_of_a_mixture_it_is_the_mean_by_absorbance():
    c = solve_lamm([4500.0, 5500.0], [2e-8, 2e-8], RPM, TIMES, 6.0, 7.2, RADII / 10, loading=[0.6, 0.2])
    found = estimate_s(Spectrum(RADII, TIMES, 10**-c, None, RPM))
    assert found.s == pytest.approx(0.75 * 4500 + 0.25 * 5500, rel=0.005)


@pytest.mark.parametrize(("s", "noise"), [(2000.0, 0.005), (20_000.0, 0.01)])
def test_intervals_hold_the_truth_as_often_as_they_say(s, noise):
    quiet, rng, n = settling(s), generator(3, "coverage"), 60
    hits = 0
    for _ in range(n):
        noisy = quiet.transmission + noise * rng.standard_normal(quiet.transmission.shape)
        low, high = estimate_s(quiet._replace(transmission=noisy)).interval
        hits += low <= s <= high
    assert stats.binom.ppf(1e-3, n, 0.95) <= hits


def test_where_nothing_moves_s_is_none_within_its_interval():
    rng = generator(0, "still")
    still = Spectrum(RADII, TIMES, 0.1 + 0.002 * rng.standard_normal((120, 280)), None, RPM)
    low, high = estimate_s(still).interval
    assert low < 0 < high and high - low < 200


def test_a_baseline_that_is_told_is_taken_off():
    spectrum = stepped(10_000.0)
    dim = spectrum._replace(transmission=0.8 * spectrum.transmission)
    assert estimate_s(dim, baseline=-np.log10(0.8)).s == pytest.approx(estimate_s(spectrum).s, rel=1e-6)


def test_the_given_speed_counts_before_that_of_the_spectrum():
    spectrum = stepped(10_000.0)
    assert estimate_s(spectrum, 2 * RPM).s == pytest.approx(estimate_s(spectrum).s / 4, rel=1e-9)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"rpm": None}, {}, "rpm is missing"),
        ({}, {"rpm": -1.0}, "rpm must be a number of at least 0, got -1.0"),
        ({}, {"cell": "round"}, "cell must be one of sector, rectangular, got 'round'"),
        ({}, {"direction": "up"}, "direction must be one of"),
        ({}, {"limits_mm": (60.0, 60.3)}, "at least 16 radii"),
        ({"times_s": TIMES[:1], "transmission": np.ones((1, 280))}, {}, "at least 2 times"),
    ],
)
def test_what_cannot_be_measured_is_refused(changes, options, message):
    with pytest.raises(ValueError, match=message):
        estimate_s(stepped(10_000.0)._replace(**changes), **options)


def test_without_boundary_or_plateau_there_is_no_s():
    gone = Spectrum(RADII, TIMES, np.ones((120, 280)), None, RPM)
    found = estimate_s(gone)
    assert np.isnan(found.s) and found.scans == 0
