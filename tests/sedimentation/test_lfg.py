"""The simulated set "LFG": boundaries where mechanics puts them, and the numbers that the report gives of it."""

import numpy as np
import pytest

from particlelab.randomness import generator
from particlelab.sedimentation import LFG, simulate_lfg, simulate_one
from particlelab.sedimentation.lfg import stokes_einstein_cm2_s

QUIET = LFG(noise=0.0)
FIELD = 1e-13 * (2 * np.pi * 3000 / 60) ** 2  # 1/s for each svedberg


def quiet(s):
    return simulate_one("lfg", s, generator(0), QUIET)


def test_the_set_has_the_numbers_of_the_report():
    """AP2.3.a: 201 coefficients from 0 to 100 000 in steps of 500, 120 times, 280 radii from 6.0 to 7.2 cm."""
    p = LFG()
    assert (p.last_svedberg - p.first_svedberg) / p.step_svedberg + 1 == 201
    spectra = simulate_lfg(p.replace(step_svedberg=25_000.0))
    assert [spectrum.label for spectrum in spectra] == [0.0, 25_000.0, 50_000.0, 75_000.0, 100_000.0]
    for spectrum in spectra:
        assert spectrum.transmission.shape == (120, 280)
        assert (spectrum.radii_mm[0], spectrum.radii_mm[-1], spectrum.rpm) == (60.0, 72.0, 3000.0)


@pytest.mark.parametrize("s", [2000.0, 8000.0, 25_000.0, 60_000.0, 100_000.0])
def test_boundary_and_plateau_are_those_of_the_closed_form(s):
    """Half the plateau is at 6 cm exp(s w^2 t), to a radius (0.043 mm); the plateau is thinner by exp(-2 s w^2 t)."""
    spectrum = quiet(s)
    absorbance = -np.log10(spectrum.transmission.astype(float).clip(1e-12))
    seen = 0
    for time, line in zip(spectrum.times_s, absorbance, strict=True):
        edge, plateau = 60 * np.exp(s * FIELD * time), np.exp(-2 * s * FIELD * time)
        if not 60.6 < edge < 71.0:
            continue
        ahead = (spectrum.radii_mm > edge + 0.5) & (spectrum.radii_mm < 71.8)
        np.testing.assert_allclose(line[ahead], plateau, rtol=2e-3)
        place = np.interp(0.5, line[spectrum.radii_mm < 71.8] / plateau, spectrum.radii_mm[spectrum.radii_mm < 71.8])
        assert place == pytest.approx(edge, abs=0.043)
        seen += 1
    assert seen >= 8


def test_slow_and_fast_ones_move_as_the_docstring_says():
    slow, fast = quiet(1000.0), quiet(100_000.0)
    cleared = (slow.transmission[-1] > 10**-0.5).sum()
    assert cleared == pytest.approx(17, abs=1)
    plateau = fast.transmission[:, -4]  # no light until the boundary has passed
    assert plateau[17] < 0.3 and plateau[18] > 0.99


def test_nothing_moves_at_zero():
    assert np.ptp(quiet(0.0).transmission) == 0
    assert quiet(0.0).transmission[0, 0] == pytest.approx(0.1)


def test_noise_is_that_of_a_transmission():
    difference = simulate_one("lfg", 5000.0, generator(4)).transmission - quiet(5000.0).transmission
    assert difference.std() == pytest.approx(0.002, rel=0.02)
    assert abs(difference.mean()) < 4 * 0.002 / difference.size**0.5


def test_coefficients_and_diffusion_belong_to_one_sphere():
    """s ~ d^2 and D ~ 1/d: D^2 s is the same for all spheres of a material. 555 556 S: 1 um at 1 g/cm^3, 1 mPa s."""
    p = LFG(density_g_cm3=2.0, medium_g_cm3=1.0, viscosity_mpa_s=1.0, temperature_k=293.15)
    assert stokes_einstein_cm2_s(1e7 / 18, p) == pytest.approx(4.294e-9, rel=1e-3)  # k T / (3 pi eta d)
    assert stokes_einstein_cm2_s(4e5, p) == pytest.approx(stokes_einstein_cm2_s(1e5, p) / 2)


def test_the_same_seed_is_the_same_set():
    p = LFG(last_svedberg=1000.0)
    first, again = simulate_lfg(p, generator(3)), simulate_lfg(p, generator(3))
    other = simulate_lfg(p, generator(4))
    assert all(np.array_equal(a.transmission, b.transmission) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.transmission, b.transmission) for a, b in zip(first, other, strict=True))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="bottom_cm must be beyond"):
        simulate_one("lfg", 1.0, generator(0), LFG(bottom_cm=5.0))
    with pytest.raises(ValueError, match="density_g_cm3"):
        simulate_one("lfg", 1.0, generator(0), LFG(density_g_cm3=0.997))
    with pytest.raises(ValueError, match="finite"):
        simulate_one("lfg", np.nan, generator(0))
    with pytest.raises(ValueError, match="'lfg' or 'lum'"):
        simulate_one("lum2", 1.0, generator(0))
