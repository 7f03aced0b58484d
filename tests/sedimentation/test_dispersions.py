"""Dispersions in a cell: boundaries and plateaus in closed form, against particles one by one, nothing lost."""

import numpy as np
import pytest

from particlelab.sedimentation import Cell, Medium, Population, extinction_per_mm, settle
from particlelab.sedimentation.dispersions import (
    HINDRANCE,
    SVEDBERG_S,
    diffusion_cm2_s,
    disperse,
    remaining,
    sizes,
    svedberg,
)

SECTOR = Cell(60.0, 72.0, 3000.0, 12.0, sector=True)
RECTANGLE = Cell(108.0, 129.5, 2000.0, 2.0)
STANDING = Cell(0.0, 40.0, 0.0, 10.0)
CELLS = {"sector": SECTOR, "rectangle": RECTANGLE, "standing": STANDING}


def omega_squared(cell):
    return (2 * np.pi * cell.rpm / 60) ** 2


def crossing(s, cell):
    """Time (s) that a particle takes from one end of the cell to the other."""
    if not cell.rpm:
        return (cell.bottom_mm - cell.meniscus_mm) / (1e3 * abs(s) * SVEDBERG_S * 9.80665)
    return np.log(cell.bottom_mm / cell.meniscus_mm) / (abs(s) * SVEDBERG_S * omega_squared(cell))


def moved(place, s, cell, time):
    if not cell.rpm:
        return place + 1e3 * s * SVEDBERG_S * 9.80665 * time
    return place * np.exp(s * SVEDBERG_S * omega_squared(cell) * time)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("name", CELLS)
def test_equal_particles_have_a_sharp_boundary_and_a_plateau_as_thin_as_the_liquid_was_stretched(name, direction):
    cell, s = CELLS[name], direction * 50_000.0
    radii = np.linspace(cell.meniscus_mm, cell.bottom_mm, 2001)
    time = 0.6 * crossing(s, cell)
    grain, shares = sizes(s, 1.0005)
    found = disperse(grain, np.full(len(grain), 1e-12), shares, cell, radii, [time / 2, time])[1]
    start = cell.meniscus_mm if direction > 0 else cell.bottom_mm
    edge = moved(start, s, cell, time)
    power = 2 if cell.sector else 1
    plateau = np.exp(-power * s * SVEDBERG_S * omega_squared(cell) * time) if cell.rpm else 1.0
    behind, ahead = (radii < edge - 0.1, radii > edge + 0.1)[::direction]
    ahead &= (radii > cell.meniscus_mm + 0.1) & (radii < cell.bottom_mm - 0.1)  # there they pile up
    assert found[behind].max() < 1e-3
    np.testing.assert_allclose(found[ahead], plateau, rtol=2e-3)


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("name", CELLS)
def test_many_sizes_are_as_particles_one_by_one(name, direction):
    """400 000 particles, each with its own s, without diffusion; counted in twenty parts of the cell."""
    cell, rng = CELLS[name], np.random.default_rng(3)
    median, count = direction * 20_000.0, 400_000
    time = 0.5 * crossing(median, cell)
    grain, shares = sizes(median, 1.5)
    radii = np.linspace(cell.meniscus_mm, cell.bottom_mm, 4001)
    found = disperse(grain, np.full(len(grain), 1e-14), shares, cell, radii, [time / 3, time])[1]
    power = 2 if cell.sector else 1
    low, high = cell.meniscus_mm**power, cell.bottom_mm**power
    place = (low + rng.random(count) * (high - low)) ** (1 / power)
    place = moved(place, median * 1.5 ** rng.standard_normal(count), cell, time)
    edges = np.linspace(cell.meniscus_mm, cell.bottom_mm, 21)
    seen = np.histogram(place, edges)[0]
    running = np.concatenate([[0], np.cumsum((found[1:] + found[:-1]) / 2 * np.diff(radii**power))]) / (high - low)
    expected = np.diff(np.interp(edges, radii, running)) * count
    assert np.abs(seen - expected).max() < 5 * np.sqrt(expected.max()) + 2e-3 * count / 20
    alive = (place >= cell.meniscus_mm) & (place <= cell.bottom_mm)
    assert remaining(grain, cell, [time])[0] @ shares == pytest.approx(alive.mean(), abs=4 * 0.5 / count**0.5)


@pytest.mark.parametrize("name, diameter", [("sector", 400.0), ("rectangle", 900.0), ("standing", 5000.0)])
def test_with_and_without_diffusion_agree_where_it_hardly_matters(name, diameter, monkeypatch):
    """Where the Lamm equation takes over, both forms must be nearly alike: 20 species to 1.5 widths each."""
    from particlelab.sedimentation import dispersions

    cell = CELLS[name]
    grain, shares = sizes(diameter, 1.05)
    s = svedberg(grain, 2.0, Medium())
    width = (cell.bottom_mm - cell.meniscus_mm) / 10
    times = np.array([0.3, 0.6]) * crossing(s[len(s) // 2], cell)
    # D such that its width after the crossing is a thirteenth of what the distribution of sizes makes of the boundary
    diffusion = (np.log(1.05) * 2 * width / 13) ** 2 / (2 * times[1] / 0.6) * np.ones(len(s))
    radii = np.linspace(cell.meniscus_mm + 0.2, cell.bottom_mm - 0.5, 300)
    monkeypatch.setattr(dispersions, "MOST_SPECIES", 0)
    sharp = disperse(s, diffusion, shares, cell, radii, times)
    monkeypatch.setattr(dispersions, "MOST_SPECIES", 10_000)
    diffusing = disperse(s, diffusion, shares, cell, radii, times)
    assert np.abs(sharp - diffusing).max() < 0.06
    assert np.abs(sharp - diffusing).mean() < 0.004


def test_what_leaves_the_liquid_is_in_the_layers():
    """Rectangular cell: heights of dispersed and packed particles, times their volume fractions, make a constant."""
    populations = [Population(2000.0, 1.4, 0.02, 2.65, 1.56), Population(5000.0, 1.2, 0.03, 0.92, 1.47)]
    times = np.linspace(1, 2000, 30)
    for packing in (0.3, 0.6):
        found = settle(populations, Medium(), RECTANGLE, np.linspace(104, 130, 50), times, packing)
        height = RECTANGLE.bottom_mm - RECTANGLE.meniscus_mm
        total = found.dispersed * 0.05 * height + packing * (found.sediment_mm + found.cream_mm)
        np.testing.assert_allclose(total, 0.05 * height, rtol=1e-12)
    assert found.sediment_mm[-1] == pytest.approx(0.02 * height / 0.6, rel=1e-3)
    assert found.cream_mm[-1] == pytest.approx(0.03 * height / 0.6, rel=1e-3)
    assert (np.diff(found.dispersed) <= 1e-15).all()
    assert not found.optical_density[:, 0].any() and not found.optical_density[:, -1].any()


def test_dense_dispersions_are_slower_by_richardson_and_zaki():
    cell, medium = RECTANGLE, Medium()
    radii, thin = np.linspace(108.0, 129.5, 3001), Population(3000.0, 1.001, 1e-6, 2.65, 1.56)
    s = svedberg(3000.0, 2.65, medium)
    for fraction in (1e-6, 0.1, 0.3):
        time = 0.7 * crossing(s, cell)
        found = settle([thin._replace(volume_fraction=fraction)], medium, cell, radii, [1.0, time]).optical_density[1]
        edge = radii[np.flatnonzero(found > 0.5 * found[-2])[0]]
        expected = np.log(edge / 108.0) / np.log(129.5 / 108.0) / 0.7
        assert expected == pytest.approx((1 - fraction) ** HINDRANCE, rel=0.01)


def test_spheres_move_and_diffuse_as_stokes_and_einstein_say():
    """1 um, 1 g/cm^3 heavier than water of 1 mPa s: 0.545 um/s in the field of the earth. 100 nm: 4.9e-8 cm^2/s."""
    water = Medium(1.0, 1.0)
    assert svedberg(1000.0, 2.0, water) * SVEDBERG_S * 9.80665 == pytest.approx(0.5448e-6, rel=1e-3)
    assert svedberg(1000.0, 0.0, water) == -svedberg(1000.0, 2.0, water)
    assert diffusion_cm2_s(100.0, Medium()) == pytest.approx(4.907e-8, rel=1e-3)


def test_large_spheres_take_twice_their_shadow_and_small_ones_as_the_square_of_their_size():
    """van de Hulst, section 11.22: the efficiency is 2 in the limit, 3.17 at most, where the delay of phase is 4.09."""
    medium = Medium(refractive_index=1.33)

    def efficiency(diameter_nm):
        return extinction_per_mm(diameter_nm, 1.43, medium, 1000.0) * 1e-6 * diameter_nm / 1.5

    assert efficiency(1e7) == pytest.approx(2, abs=1e-3)
    d = np.linspace(100, 30_000, 30_000)
    delay = 2 * np.pi * d / 1000 * 0.1
    assert efficiency(d).max() == pytest.approx(3.173, abs=1e-3)
    assert delay[efficiency(d).argmax()] == pytest.approx(4.09, abs=0.01)
    assert efficiency(np.array([1.0, 2.0])) == pytest.approx((2 * np.pi * np.array([1e-4, 2e-4])) ** 2 / 2, rel=1e-4)
