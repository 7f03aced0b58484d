"""The set "LUM": in its classes happens what they are called by; no two measurements are sampled alike."""

from collections import Counter

import numpy as np
import pytest

from particlelab.randomness import generator
from particlelab.sedimentation import (
    CLASSES,
    LUM,
    OTHERS,
    check_spectrum,
    simulate_lum,
    simulate_measurement,
    simulate_one,
)
from particlelab.sedimentation.dispersions import remaining, sizes, svedberg

EACH = 8


@pytest.fixture(scope="module")
def measured():
    """Measurements of each class and kind."""
    kinds = (*CLASSES[:3], *OTHERS)
    return {kind: [simulate_measurement(kind, LUM(), generator(8, kind, k)) for k in range(EACH)] for kind in kinds}


def inside(m):
    """Transmission of the liquid, away from meniscus and bottom by a tenth of it."""
    margin = 0.1 * (m.cell.bottom_mm - m.cell.meniscus_mm)
    r = m.spectrum.radii_mm
    return m.spectrum.transmission[:, (r > m.cell.meniscus_mm + margin) & (r < m.cell.bottom_mm - margin)].astype(float)


def test_the_set_is_as_large_and_as_imbalanced_as_the_reports():
    """AP2.3.a: 463 measurements; sedimentation 59.4 %, creaming 27.0 %, combined 10.6 %, other 3.0 %."""
    p = LUM()
    numbers = np.array([getattr(p, name) for name in CLASSES])
    assert numbers.sum() == 463
    np.testing.assert_allclose(100 * numbers / 463, [59.4, 27.0, 10.6, 3.0], atol=0.05)
    few = simulate_lum(LUM(sedimentation=4, creaming=3, combined=2, other=5), generator(1))
    assert Counter(s.label for s in few) == {"sedimentation": 4, "creaming": 3, "combined": 2, "other": 5}


def test_measurements_are_sampled_each_in_its_own_way(measured):
    spectra = [check_spectrum(m.spectrum) for several in measured.values() for m in several]
    assert len({len(s.radii_mm) for s in spectra}) > len(spectra) / 2
    assert len({len(s.times_s) for s in spectra}) > 4
    assert len({s.times_s[-1] for s in spectra}) > len(spectra) / 2
    assert any(np.ptp(np.diff(s.times_s)) > 0 for s in spectra)
    for s in spectra:
        assert 104 <= s.radii_mm[0] < s.radii_mm[-1] <= 130


def test_populations_go_where_the_class_says(measured):
    for m in measured["sedimentation"] + measured["creaming"] + measured["combined"]:
        heavier = [p.density_g_cm3 > m.medium.density_g_cm3 for p in m.populations]
        if m.kind == "combined":
            assert sorted(heavier) == [False, True]
        else:
            assert heavier[0] == (m.kind == "sedimentation")
        assert sum(p.volume_fraction for p in m.populations) <= 0.2


def test_the_liquid_clears_from_the_side_that_the_class_says(measured):
    """Profiles averaged over a tenth of the radii at either end: what is left behind is the brighter one."""
    for m in measured["sedimentation"] + measured["creaming"]:
        values = inside(m)
        edge = max(1, values.shape[1] // 10)
        top, bottom = values[:, :edge].mean(1), values[:, -edge:].mean(1)
        lead = top - bottom if m.kind == "sedimentation" else bottom - top
        assert lead.max() > 0.03
        assert lead.max() > -2 * lead.min()


def test_enough_happens_while_it_is_watched(measured):
    """By the laws of Stokes alone some of the particles that make the class have arrived at the end."""
    for m in measured["sedimentation"] + measured["creaming"] + measured["combined"]:
        for p in m.populations[: 2 if m.kind == "combined" else 1]:
            grain, shares = sizes(p.diameter_nm, p.spread)
            s = svedberg(grain, p.density_g_cm3, m.medium)
            assert remaining(s, m.cell, m.spectrum.times_s[-1:])[0] @ shares < 0.9


def test_what_is_stable_stays_and_what_changes_changes_everywhere_alike(measured):
    for m in measured["stable"]:
        ends = inside(m)[[0, -1]]
        assert np.abs(ends[1] - ends[0]).mean() < 0.02 + 0.02 * ends.mean()
    for m in measured["changing"]:
        change = inside(m)[-5:].mean(0) - inside(m)[:5].mean(0)
        assert np.abs(np.median(change)) > 0.02
        assert np.quantile(np.abs(change - np.median(change)), 0.9) < 0.3 * np.abs(np.median(change)) + 0.01


def test_a_leak_lowers_the_meniscus_and_a_network_comes_to_rest(measured):
    for m in measured["leaking"]:
        values, r = m.spectrum.transmission, m.spectrum.radii_mm
        air = np.median(values[:, r < m.cell.meniscus_mm - 1])
        reach = [(np.abs(line - air) < 0.05 * air)[r < m.cell.bottom_mm].sum() for line in values[[0, -1]]]
        assert reach[1] > reach[0] + 0.1 * (r < m.cell.bottom_mm).sum()
    for m in measured["consolidating"]:
        liquid = (m.spectrum.radii_mm > m.cell.meniscus_mm + 0.5) & (m.spectrum.radii_mm < m.cell.bottom_mm)
        dark = (m.spectrum.transmission[:, liquid] < 0.3).sum(1)
        late = np.searchsorted(m.spectrum.times_s, 0.75 * m.spectrum.times_s[-1])
        assert dark[0] > 1.2 * dark[-1] > 0
        assert dark[late] - dark[-1] < 0.25 * (dark[0] - dark[late])


def test_the_same_seed_is_the_same_measurement_and_others_differ():
    for kind in (*CLASSES, "bubbles"):
        first, again, other = (simulate_measurement(kind, LUM(), generator(seed)).spectrum for seed in (1, 1, 2))
        np.testing.assert_array_equal(first.transmission, again.transmission)
        assert first.label == (kind if kind in CLASSES else "other")
        assert first.transmission.shape != other.transmission.shape or (first.transmission != other.transmission).any()


def test_a_class_that_is_none_is_refused():
    with pytest.raises(ValueError, match="must be one of sedimentation, creaming"):
        simulate_one("lum", "flotation", generator(0))
