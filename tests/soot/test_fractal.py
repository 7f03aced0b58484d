"""Rg in 3-D, volume and the fractal law: identities of projection, closed forms, laws that are recovered."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.transform import Rotation

from particlelab.randomness import generator
from particlelab.soot.fractal import fractal_parameters, measure_depths
from particlelab.soot.growth import radius_of_gyration, simulate_aggregate
from particlelab.soot.projection import project


def picture(centres, radii, pixel, attenuation=70.0):
    """Return the noiseless image of spheres and its mask."""
    thickness, labels = project(centres, radii, pixel, margin=20)
    return 180 * np.exp(-thickness / attenuation), labels > 0


def sizes(n, dp, gsd):
    return pd.DataFrame({"label": [1], "dp_nm": [dp], "gsd": [gsd], "n_primaries": [n]})


def test_a_sphere_has_its_closed_forms():
    image, mask = picture(np.zeros((1, 3)), np.array([20.0]), 0.5)
    row = measure_depths(image, mask, 0.5, sizes(1.0, 40.0, np.nan)).iloc[0]
    assert row.rg3_nm == pytest.approx(np.sqrt(0.6) * 20, rel=0.002)
    assert row.volume_nm3 == pytest.approx(4 / 3 * np.pi * 20**3)


def test_over_all_orientations_the_projection_keeps_two_thirds_of_the_square():
    """Exact for any body: here spheres that touch in space and hide each other in projection."""
    rng = generator(1, "orientations")
    centres, radii = simulate_aggregate(12, 1.78, 1.3, 20.0, 1.3, rng)
    truth = radius_of_gyration(centres, radii)
    squares = []
    for turn in Rotation.random(100, rng=rng):
        image, mask = picture(turn.apply(centres), radii, 0.8)
        squares.append(measure_depths(image, mask, 0.8, sizes(12, 20.0, 1.3)).rg3_nm[0] ** 2)
    error = np.std(squares) / np.sqrt(len(squares))
    assert abs(np.mean(squares) - truth**2) < 3 * error
    assert error < 0.03 * truth**2
    # Three views at right angles to each other hold each coordinate twice: no average over orientations is needed.
    views = [
        measure_depths(*picture(np.roll(centres, k, axis=1), radii, 0.5), 0.5, sizes(12, 20.0, 1.3)) for k in range(3)
    ]
    assert np.mean([view.rg3_nm[0] ** 2 for view in views]) == pytest.approx(truth**2, rel=0.005)


def test_the_volume_is_that_of_log_normal_spheres():
    rng = generator(2, "volumes")
    diameters = 20 * np.exp(rng.normal(0, np.log(1.3), 400_000))
    image, mask = picture(np.zeros((1, 3)), np.array([20.0]), 1.0)
    volume = measure_depths(image, mask, 1.0, sizes(1000.0, 20.0, 1.3)).volume_nm3[0]
    assert volume == pytest.approx(1000 * np.pi / 6 * np.mean(diameters**3), rel=0.01)


def test_only_what_is_known_is_returned():
    image, mask = picture(np.zeros((1, 3)), np.array([20.0]), 1.0)
    row = measure_depths(image, mask, 1.0, sizes(np.nan, 20.0, 1.2)).iloc[0]
    assert row.rg3_nm > 0
    assert np.isnan(row.volume_nm3)
    full = measure_depths(np.full((30, 30), 90.0), np.ones((30, 30), bool), 1.0, sizes(4.0, 20.0, 1.2)).iloc[0]
    assert np.isnan(full.rg3_nm)
    assert len(measure_depths(image, np.zeros_like(mask), 1.0, sizes(1.0, 1.0, 1.0).iloc[:0])) == 0


def law_table(rng, n, dimension, prefactor, scatter):
    """Return aggregates that hold a law, but for log-normal scatter of Rg."""
    counts = np.exp(rng.uniform(np.log(5), np.log(300), n))
    rg = 12.0 * (counts / prefactor) ** (1 / dimension) * np.exp(scatter * rng.standard_normal(n))
    return pd.DataFrame({"n_primaries": counts, "rg3_nm": rg, "dp_nm": 24.0})


def test_an_exact_law_is_recovered_exactly():
    law = fractal_parameters(law_table(generator(3), 10, 1.9, 1.2, 0.0))
    assert law.fractal_dimension == pytest.approx(1.9)
    assert law.prefactor == pytest.approx(1.2)
    assert law.scatter == pytest.approx(1)
    assert law.n == 10


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng, inside = generator(4, "coverage"), []
    for _ in range(150):
        law = fractal_parameters(law_table(rng, 25, 1.78, 1.3, 0.15))
        low, high = law.fractal_dimension_interval
        inside.append((low < 1.78 < high, law.prefactor_interval[0] < 1.3 < law.prefactor_interval[1]))
    share = np.mean(inside, axis=0)
    assert share == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 150))


def test_fifty_projections_give_the_law_that_they_were_grown_by():
    """With true N and dp, one view of each: what the docstring promises of 50 aggregates."""
    rng, rows = generator(5, "law"), []
    for _ in range(50):
        n = round(np.exp(rng.uniform(np.log(5), np.log(200))))
        image, mask = picture(*simulate_aggregate(n, 1.78, 1.3, 20.0, 1.2, rng), 2.0)
        rg = measure_depths(image, mask, 2.0, sizes(n, 20.0, 1.2)).rg3_nm[0]
        rows.append({"n_primaries": n, "rg3_nm": rg, "dp_nm": 20.0})
    law = fractal_parameters(pd.DataFrame(rows))
    low, high = law.fractal_dimension_interval
    assert low < 1.78 < high
    assert 0.1 < high - low < 0.4
    assert law.prefactor_interval[0] < 1.3 < law.prefactor_interval[1]
    assert 1.02 < law.scatter < 1.3


def test_too_little_for_a_law_is_refused():
    table = law_table(generator(6), 3, 1.8, 1.3, 0.1)
    with pytest.raises(ValueError, match=r"at least 4 aggregates .* there are 3"):
        fractal_parameters(table)
    with pytest.raises(ValueError, match="of different numbers"):
        fractal_parameters(law_table(generator(6), 6, 1.8, 1.3, 0.1).assign(n_primaries=7.0))
    singles = pd.concat([table, table.assign(n_primaries=1.0), table.assign(dp_nm=np.nan)])
    with pytest.raises(ValueError, match="there are 3"):
        fractal_parameters(singles)
