import numpy as np
import pytest

from particlelab.sedimentation.particles import (
    MATERIALS,
    WATER_20,
    Solvent,
    diameter_of,
    diffusion_coefficient,
    ethanol,
    hindrance,
    molar_mass,
    sedimentation_coefficient,
    settling_speed,
    sucrose_solution,
    svedberg_mass,
    water,
)


@pytest.mark.parametrize(
    ("celsius", "density", "viscosity"),  # CRC Handbook of Chemistry and Physics, "Properties of water"
    [(0, 0.99984, 1.792), (4, 0.99997, 1.567), (20, 0.99821, 1.002), (25, 0.99705, 0.890), (40, 0.99222, 0.653),
     (60, 0.98320, 0.466), (100, 0.95836, 0.282)],
)  # fmt: skip
def test_water_is_as_dense_and_viscous_as_published(celsius, density, viscosity):
    found = water(celsius)
    assert found.density_g_cm3 == pytest.approx(density, abs=1.5e-5)
    assert found.viscosity_mpa_s == pytest.approx(viscosity, rel=2e-3)
    assert found.temperature_k == pytest.approx(celsius + 273.15)


def test_water_at_20_degrees_is_the_default():
    np.testing.assert_allclose(WATER_20, water(20), rtol=1e-4)


@pytest.mark.parametrize(
    ("share", "density", "viscosity"),  # CRC Handbook, "Concentrative properties of aqueous solutions": sucrose, 20 °C
    [(0.0, 0.9982, 1.002), (0.1, 1.0381, 1.336), (0.2, 1.0810, 1.945), (0.4, 1.1765, 6.167), (0.6, 1.2864, 58.49)],
)
def test_sucrose_solutions_are_as_dense_and_viscous_as_published(share, density, viscosity):
    found = sucrose_solution(share)
    assert found.density_g_cm3 == pytest.approx(density, abs=7e-4)
    assert found.viscosity_mpa_s == pytest.approx(viscosity, rel=5e-3)


def test_sucrose_solutions_have_no_step_where_the_polynomials_change():
    below, above = sucrose_solution(0.48).viscosity_mpa_s, sucrose_solution(0.480001).viscosity_mpa_s
    assert above == pytest.approx(below, rel=5e-3)  # Barber's two ranges meet as well as he measured


def test_ethanol_is_as_dense_and_viscous_as_published():
    assert ethanol(20).density_g_cm3 == pytest.approx(0.7893, abs=1e-4)
    assert ethanol(25).viscosity_mpa_s == pytest.approx(1.074, abs=1e-3)
    assert ethanol(20).viscosity_mpa_s == pytest.approx(1.19, abs=0.02)  # between tabled temperatures


def test_a_sphere_settles_as_stokes_found():
    # 1 um of density 2 in a liquid of density 1 and 1 mPa s: g d^2 / 18 eta = 9.80665 * 1e-12 * 1000 / 0.018 m/s
    liquid = Solvent(1.0, 1.0, 293.15)
    assert settling_speed(1000, 2.0, liquid) == pytest.approx(0.544814, rel=1e-5)
    assert sedimentation_coefficient(1000, 2.0, liquid) == pytest.approx(1e-12 * 1e3 / 0.018 * 1e13, rel=1e-12)
    np.testing.assert_allclose(settling_speed([1000, 2000], 0.5, liquid), [-0.272407, -1.089628], rtol=1e-5)


def test_a_sphere_diffuses_as_einstein_found():
    # Beads of 100 nm in water of 25 °C: 4.9 um^2/s
    assert diffusion_coefficient(100, water(25)) == pytest.approx(4.91e-8, rel=2e-3)
    assert diffusion_coefficient(50, water(25)) == pytest.approx(2 * diffusion_coefficient(100, water(25)))


@pytest.mark.parametrize("material", MATERIALS)
def test_diameters_are_found_back(material):
    diameters = np.array([20.0, 300.0, 4000.0])
    s = sedimentation_coefficient(diameters, MATERIALS[material], volume_fraction=0.02)
    assert (np.sign(s) == np.sign(MATERIALS[material] - WATER_20.density_g_cm3)).all()
    np.testing.assert_allclose(diameter_of(s, MATERIALS[material], volume_fraction=0.02), diameters)


def test_svedberg_weighs_a_sphere_as_its_volume_does():
    d, density = np.array([5.0, 60.0]), 1.35
    s, diffusion = sedimentation_coefficient(d, density), diffusion_coefficient(d)
    np.testing.assert_allclose(svedberg_mass(s, diffusion, density), molar_mass(d, density), rtol=1e-12)
    assert molar_mass(1, 1.0) == pytest.approx(315.3, rel=1e-3)  # pi / 6 nm^3 of water


def test_svedberg_weighs_serum_albumin():
    # Bovine serum albumin: 4.31 S, 5.94e-7 cm^2/s, 0.734 cm^3/g: 66 kDa (Tanford, Physical Chemistry of Macromolecules)
    assert svedberg_mass(4.31, 5.94e-7, 1 / 0.734, water(20)) == pytest.approx(66.4e3, rel=0.02)


def test_neighbours_hinder_as_richardson_and_zaki_found():
    assert hindrance(0) == 1
    assert hindrance(0.01) == pytest.approx(1 - 4.65 * 0.01, abs=1e-3)
    assert hindrance(0.1) == pytest.approx(0.6127, abs=1e-4)
    slow, fast = (sedimentation_coefficient(500, 2.2, volume_fraction=f) for f in (0.1, 0.0))
    assert slow / fast == pytest.approx(hindrance(0.1))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: water(120), "temperature_c must be between 0 and 100, got 120"),
        (lambda: water(float("nan")), "temperature_c"),
        (lambda: sucrose_solution(0.8), "share must be between 0 and 0.75, got 0.8"),
        (lambda: sedimentation_coefficient(-1, 1.05), "diameter_nm must be positive, got -1"),
        (lambda: sedimentation_coefficient(10, [1.05, 0]), "density_g_cm3 must be positive"),
        (lambda: sedimentation_coefficient(10, 1.05, 1.0), "solvent must be a Solvent"),
        (lambda: diffusion_coefficient(0), "diameter_nm must be positive, got 0"),
        (lambda: diffusion_coefficient(10, Solvent(1, 0, 300)), "positive viscosity"),
        (lambda: diameter_of(100, 0.9), "does not go with density_g_cm3 = 0.9"),
        (lambda: diameter_of(-100, 1.05), "does not go with"),
        (lambda: svedberg_mass(1, 1e-7, WATER_20.density_g_cm3), "must differ from that of the solvent"),
        (lambda: hindrance(1.0), "volume_fraction must be at least 0 and below 1, got 1.0"),
    ],
)
def test_what_cannot_be_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
