"""The distribution of sedimentation coefficients: populations that are known come back, and sizes by Stokes."""

import numpy as np
import pytest
from scipy import stats

from particlelab.randomness import generator
from particlelab.sedimentation import (
    LFG,
    Medium,
    RecoveryStudy,
    Spectrum,
    directions,
    find_liquid,
    find_species,
    percentile,
    s_distribution,
    share_of,
    simulate_dispersion,
    simulate_one,
    size_distribution,
    stokes_diameter_nm,
    volume_weights,
    weighted_mean,
)
from particlelab.sedimentation.lamm import solve_lamm

RPM, FIELD = 2000.0, 1e-13 * (2 * np.pi * 2000 / 60) ** 2
RADII = np.linspace(108, 129, 300)
TIMES = 30.0 * np.arange(1, 81)
PARALLEL = {"walls": "rectangular", "resamples": 40}


def settled(parts, power=1, noise=0.002, rpm=RPM, times=TIMES, seed=0):
    """Species (s, absorbance) that do not diffuse, in closed form, by hand."""
    total = 0.0
    for s, loading in parts:
        start = RADII[0] if s > 0 else RADII[-1]
        if rpm:
            moved = 1e-13 * (2 * np.pi * rpm / 60) ** 2 * s * times[:, None]
            edge, plateau = start * np.exp(moved), np.exp(-power * moved)
        else:
            edge, plateau = start + 10 * 1e-13 * 980.665 * s * times[:, None], 1.0
        total = total + loading * plateau * (np.sign(s) * (RADII - edge) / (RADII[1] - RADII[0]) + 0.5).clip(0, 1)
    chance = noise * generator(seed, "settled").standard_normal(total.shape)
    return Spectrum(RADII, times, 10**-total + chance, None, rpm)


def log_normal(median, spread, loading=0.8, count=201):
    """Species of a log-normal distribution of s, finer than anything that is measured."""
    steps = np.linspace(-3.5, 3.5, count)
    shares = np.exp(-(steps**2) / 2)
    return list(zip(median * spread**steps, loading * shares / shares.sum(), strict=True))


@pytest.mark.parametrize("s", [10_000.0, -10_000.0])
@pytest.mark.parametrize(("walls", "power"), [("sector", 2), ("rectangular", 1)])
def test_one_species_comes_back(s, walls, power):
    found = s_distribution(settled([(s, 0.8)], power), walls=walls, resamples=40)
    mean, low, high = weighted_mean(found)
    assert mean == pytest.approx(s, rel=0.01) and low < s < high
    assert found.table.weight.sum() == pytest.approx(0.8, rel=0.02)
    assert len(find_species(found)) == 1


def test_two_species_are_told_apart_with_their_shares():
    found = find_species(s_distribution(settled([(8000.0, 0.3), (16_000.0, 0.5)]), **PARALLEL))
    np.testing.assert_allclose(found.s, [8000, 16_000], rtol=0.01)
    np.testing.assert_allclose(found.share, [0.375, 0.625], atol=0.015)
    assert (found.s_low < [8000, 16_000]).all() and (found.s_high > [8000, 16_000]).all()


def test_both_directions_stand_side_by_side():
    found = s_distribution(settled([(12_000.0, 0.3), (-6000.0, 0.5)]), **PARALLEL)
    parts = directions(found)
    assert list(parts) == ["creaming", "sedimentation"]  # the heavier first
    assert weighted_mean(found, parts["sedimentation"])[0] == pytest.approx(12_000, rel=0.01)
    assert weighted_mean(found, parts["creaming"])[0] == pytest.approx(-6000, rel=0.01)
    assert share_of(found, parts["creaming"])[0] == pytest.approx(5 / 8, abs=0.015)


def test_a_broad_distribution_has_the_percentiles_of_its_log_normal():
    found = s_distribution(settled(log_normal(12_000.0, 1.4)), **PARALLEL)
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        expected = 12_000 * 1.4 ** stats.norm.ppf(share)
        value, low, high = percentile(found, share)
        assert value == pytest.approx(expected, rel=0.03)
        assert low < value < high


def test_gravity_and_rotor_tell_the_same():
    standing = settled([(4e6, 0.8)], rpm=0, times=60.0 * np.arange(1, 81))
    assert weighted_mean(s_distribution(standing, **PARALLEL))[0] == pytest.approx(4e6, rel=0.01)


def test_walls_and_lamp_do_not_matter_where_they_are_fitted():
    plain = settled([*log_normal(8000.0, 1.05, 0.3), *log_normal(16_000.0, 1.05, 0.5)])
    rng = generator(1, "walls")
    pattern, lamp = 1 + 0.02 * rng.standard_normal(300), 1 + 0.02 * rng.standard_normal((80, 1))
    spoilt = plain._replace(transmission=plain.transmission * pattern * lamp)
    fitted = find_species(s_distribution(spoilt, **PARALLEL))
    np.testing.assert_allclose(fitted.s, [8000, 16_000], rtol=0.01)
    np.testing.assert_allclose(fitted.share, [0.375, 0.625], atol=0.02)
    left = s_distribution(spoilt, **PARALLEL, wall_pattern=False, lamp_drift=False)
    assert left.fit.rmsd > 2 * s_distribution(spoilt, **PARALLEL).fit.rmsd


def test_small_particles_that_diffuse_are_as_narrow_as_they_were():
    """Of 20 S the boundary is wide by diffusion alone: what is taken for many species without it is one with it."""
    rpm, density, medium = 40_000.0, 1.4, Medium()
    diameter_m = np.sqrt(18 * 0.89e-3 * 20e-13 / (1000 * (density - 0.997)))
    diffusion = 1e4 * 1.380649e-23 * 298.15 / (3 * np.pi * 0.89e-3 * diameter_m)
    radii, times = np.linspace(60, 72, 280), 60.0 * np.arange(1, 61)
    c = solve_lamm(20.0, diffusion, rpm, times, 6.0, 7.2, radii / 10)[:, :265]
    noise = 0.002 * generator(2, "small").standard_normal(c.shape)
    spectrum = Spectrum(radii[:265], times, 10 ** (-0.7 * c) + noise, None, rpm)
    options = {"resamples": 20, "species": 40, "meniscus_mm": 60.0, "bottom_mm": 72.0}
    known = s_distribution(spectrum, **options, density_g_cm3=density)
    unknown = s_distribution(spectrum, **options)
    assert weighted_mean(known)[0] == pytest.approx(20, rel=0.01)
    widths = [percentile(found, 0.9)[0] / percentile(found, 0.1)[0] for found in (known, unknown)]
    assert widths[0] < 1.1 < 1.2 < widths[1]
    sizes = size_distribution(known, density, medium)
    assert sizes.percentiles.diameter_nm[1] == pytest.approx(1e9 * diameter_m, rel=0.01)


def test_intervals_hold_the_truth_at_least_as_often_as_they_say():
    n, hits = 14, 0
    for seed in range(n):
        spectrum, truth = simulate_dispersion("two, 1 : 1.4", RecoveryStudy(seed=seed))
        _, low, high = weighted_mean(s_distribution(spectrum, **PARALLEL))
        hits += low <= truth.s @ truth.share <= high
    assert hits >= stats.binom.ppf(1e-3, n, 0.95)


@pytest.mark.parametrize("s", [5000.0, 50_000.0])
def test_on_lfg_it_agrees_with_the_second_moment(s):
    found = s_distribution(simulate_one("lfg", s, generator(0), LFG()), density_g_cm3=2.0, resamples=20)
    assert weighted_mean(found)[0] == pytest.approx(s, rel=0.005)


def test_meniscus_and_bottom_are_found_where_they_are():
    for name in ("monodisperse", "polydisperse, 1.5"):
        liquid = find_liquid(simulate_dispersion(name, RecoveryStudy())[0])
        assert liquid.meniscus_mm == pytest.approx(108.0, abs=0.1)
        assert liquid.bottom_mm == pytest.approx(129.3, abs=0.15)
        assert liquid.dark == pytest.approx(0.005, abs=0.002)  # 0.4 % of stray light, and 0.1 % through the bottom
    whole = find_liquid(simulate_one("lfg", 20_000.0, generator(0)))
    assert (whole.meniscus_mm, whole.bottom_mm, whole.dark) == (60.0, 72.0, 0.0)


def test_diameter_is_that_of_stokes():
    """v = d^2 drho g / 18 eta (Stokes 1851), in SI units by hand."""
    medium = Medium(0.997, 0.89, 1.33)
    s = np.array([10.0, 1000.0, 1e6])
    by_hand = 1e9 * np.sqrt(18 * 0.89e-3 * s * 1e-13 / (1000 * (2.0 - 0.997)))
    np.testing.assert_allclose(stokes_diameter_nm(s, 2.0, medium), by_hand, rtol=1e-12)
    assert np.isnan(stokes_diameter_nm(-s, 2.0, medium)).all()
    np.testing.assert_allclose(stokes_diameter_nm(-s, 0.5, medium) ** 2 * 0.497, by_hand**2 * 1.003, rtol=1e-12)
    assert np.isnan(stokes_diameter_nm(s, 0.997, medium)).all()


def test_weights_by_volume_in_the_limits_of_thin_and_thick_spheres():
    """Q goes with d^2 where the phase hardly shifts, and is 2 where it shifts much: then by volume with d, 1/d."""
    medium = Medium()
    thin = volume_weights(np.ones(2), [10.0, 20.0], 1.35, medium, 870.0)
    assert thin[0] / thin[1] == pytest.approx(2.0, rel=1e-3)
    thick = volume_weights(np.ones(2), [1e6, 2e6], 1.58, medium, 870.0)
    assert thick[1] / thick[0] == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize(
    ("spectrum", "options", "message"),
    [
        (settled([(1e4, 0.8)])._replace(rpm=None), {}, "rpm is missing"),
        (settled([(1e4, 0.8)], times=TIMES[:4]), {}, "at least 5 times, got 4"),
        (settled([(1e4, 0.8)]), {"meniscus_mm": 128.9}, "leave fewer than 16 of the radii"),
        (settled([(1e-6, 0.8)]), {}, "nothing is seen to move"),
        (settled([(1e4, 0.8)]), {"species": 3}, "species = 3 is not allowed"),
    ],
)
def test_what_cannot_be_measured_is_refused(spectrum, options, message):
    with pytest.raises(ValueError, match=message):
        s_distribution(spectrum, **options)
