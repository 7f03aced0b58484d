"""Physical checks: closed forms of what particles do pass them, and what runs backwards or loses mass does not."""

import numpy as np
import pytest
from scipy.special import ndtr

from particlelab.sedimentation.lamm import solve_lamm
from particlelab.sedimentation.physical_checks import (
    check_physics,
    find_backwards,
    mass_balance,
    share_backwards,
)
from particlelab.sedimentation.spectra import Spectrum

RPM = 3000.0
RADII, TIMES = np.linspace(60, 72, 280), np.arange(10.0, 1210.0, 10.0)


def moved(s, times=TIMES):
    return s * 1e-13 * (2 * np.pi * RPM / 60) ** 2 * times[:, None]


def settling(s, width_mm=0.05, density=0.8, power=2):
    """A boundary from the meniscus outwards, with the dilution of a sector (2) or of parallel walls (1)."""
    place = 60 * np.exp(moved(s))
    return density * np.exp(-power * moved(s)) * ndtr((RADII - place) / width_mm)


def creaming(s, width_mm=0.05, density=0.5, power=2):
    place = 72 * np.exp(moved(-s))
    return density * np.exp(power * moved(s)) * ndtr((place - RADII) / width_mm)


def spectrum(density, noise=0.002, label=None):
    rng = np.random.default_rng(0)
    values = 10.0**-density + noise * rng.standard_normal(density.shape)
    return Spectrum(RADII, TIMES, values.astype(np.float32), label, RPM)


@pytest.mark.parametrize("s", [0.0, 1e3, 1e4, 1e5])
def test_nothing_that_settles_or_creams_runs_backwards(s):
    assert share_backwards(spectrum(settling(s))) == 0
    assert share_backwards(spectrum(creaming(s))) == 0


def test_time_turned_round_runs_backwards_where_the_boundary_has_been():
    there = spectrum(settling(1e4))
    back = there._replace(transmission=there.transmission[::-1])
    swept = 60 * np.exp(moved(1e4)[-1, 0])
    wrong = find_backwards(back)
    assert wrong[-1, (RADII > 60.5) & (swept - 0.5 > RADII)].all()
    assert not wrong[0].any()
    # a radius is darker again from when the boundary passes it on its way back; dilution adds what was clear before
    passed = (RADII[None] > 60 * np.exp(moved(1e4))[::-1]) & (swept > RADII)
    assert wrong.mean() >= 0.95 * passed.mean()


def test_sediment_that_grows_is_no_way_back_but_a_shadow_in_the_middle_is():
    density = settling(1e4)
    height = 2.0 * TIMES[:, None] / TIMES[-1]
    grown = np.where(72 - height < RADII, 3.0, density)
    assert share_backwards(spectrum(grown)) < 1e-3
    late = (TIMES[:, None] > 600) & (RADII > 61) & (RADII < 63)
    assert share_backwards(spectrum(density + 0.5 * late)) == pytest.approx(late.mean(), rel=0.12)


def test_gravity_brings_nothing_closer_together():
    dense = 0.5 * np.exp(0.3 * TIMES[:, None] / TIMES[-1]) * ndtr((72 - 0.3 - RADII + 0 * TIMES[:, None]) / 0.1)
    dense = np.where(TIMES[:, None] > 600, dense * (RADII < 66), dense)
    assert share_backwards(spectrum(dense), rpm=RPM) == 0
    assert share_backwards(spectrum(dense), rpm=0) > 0.05


@pytest.mark.parametrize(("s", "cell", "power"), [(1e3, "sector", 2), (3e4, "sector", 2), (1e4, "rectangular", 1)])
def test_mass_of_a_settling_boundary_is_kept(s, cell, power):
    balance = mass_balance(spectrum(settling(s, 1e-3, power=power), noise=0), cell=cell)
    assert len(balance.table) >= 20
    assert balance.drift < 5e-3  # of the mass: the boundary lies between two of the radii
    assert balance.gain < 1e-9
    # what has passed by the closed form, as a share of what was held at the first scan
    radius, first = RADII[(round(0.72 * 280) + round(0.78 * 280)) // 2], 60 * np.exp(moved(s)[0, 0])
    lost = radius**power * -np.expm1(-power * (moved(s) - moved(s)[0]))[: len(balance.table), 0]
    np.testing.assert_allclose(balance.table.passed, lost / (radius**power - first**power), rtol=0.02, atol=2e-3)


def test_mass_of_creaming_is_kept_too():
    balance = mass_balance(spectrum(creaming(1e4, 1e-3), noise=0))
    assert len(balance.table) >= 20
    assert balance.drift < 6e-3
    assert (np.diff(balance.table.passed) > 0).all()


def test_mass_of_a_lamm_equation_with_diffusion_is_kept():
    c = solve_lamm(5e3, 2e-6, RPM, TIMES, radii_cm=RADII / 10)
    balance = mass_balance(spectrum(0.8 * c, noise=0))
    assert len(balance.table) > 50
    assert balance.drift < 0.01


def test_many_sizes_together_keep_their_mass():
    mixed = sum(settling(s, density=0.1) for s in (1e3, 2e3, 4e3, 6e3, 8e3))
    assert mass_balance(spectrum(mixed, noise=0)).drift < 0.01


def test_a_background_changes_no_balance_but_mass_from_nowhere_does():
    plain = mass_balance(spectrum(settling(1e4), noise=0))
    lifted = mass_balance(spectrum(settling(1e4) + 0.1, noise=0))
    assert lifted.drift < 0.01
    assert plain.drift < 0.01
    without_dilution = ndtr((RADII - 60 * np.exp(moved(1e4))) / 0.05)
    assert mass_balance(spectrum(0.8 * without_dilution, noise=0)).drift > 0.3
    growing = settling(1e2) * (1 + 0.2 * TIMES[:, None] / TIMES[-1])
    assert mass_balance(spectrum(growing, noise=0)).gain > 0.15


def test_a_table_of_checks_reads_s_back():
    spectra = [spectrum(settling(s), label=s) for s in (2e3, 2e4)]
    table = check_physics(spectra)
    assert list(table.label) == [2e3, 2e4]
    np.testing.assert_allclose(table.s, [2e3, 2e4], rtol=0.01)
    assert (table.backwards == 0).all()
    unknown = check_physics([spectra[0]._replace(rpm=None)])
    assert unknown.s.isna().all()


def test_wrong_cells_and_directions_are_refused():
    with pytest.raises(ValueError, match="cell"):
        share_backwards(spectrum(settling(1e3)), cell="round")
    with pytest.raises(ValueError, match="direction"):
        mass_balance(spectrum(settling(1e3)), direction="up")
