"""Aggregates hold their fractal law, do not overlap, are connected, and point anywhere."""

import math

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from particlelab.soot.growth import fractal_law, radius_of_gyration, simulate_aggregate

SPREAD = [
    # n, Df, kf, gsd, overlap
    (3, 1.78, 1.3, 1.0, 0.0),
    (4, 1.78, 1.3, 1.4, 0.2),
    (5, 1.5, 1.0, 1.0, 0.0),  # a chain that is all but straight
    (10, 1.5, 2.0, 1.3, 0.1),
    (10, 2.3, 1.3, 1.0, 0.3),
    (30, 1.9, 1.6, 1.5, 0.0),
    (30, 2.5, 2.0, 1.0, 0.0),  # all but close-packed
    (100, 1.78, 1.3, 1.0, 0.0),
    (100, 1.5, 1.0, 1.3, 0.25),
    (100, 2.5, 1.3, 1.2, 0.1),
    (300, 2.1, 1.3, 1.2, 0.0),
    (500, 1.78, 1.3, 1.3, 0.15),
]


def gaps(centres, radii):
    """Distance over sum of radii for each pair of spheres."""
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    ratio = distance / (radii[:, None] + radii[None])
    np.fill_diagonal(ratio, np.inf)
    return ratio


@pytest.mark.parametrize(("n", "fractal_dimension", "prefactor", "gsd", "overlap"), SPREAD)
def test_law_no_overlap_and_connected(n, fractal_dimension, prefactor, gsd, overlap):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        centres, radii = simulate_aggregate(n, fractal_dimension, prefactor, 20.0, gsd, rng, overlap)
        mass = radii**3 / (radii**3).sum()
        offset = centres - mass @ centres
        rg = math.sqrt(mass @ (offset**2).sum(axis=1) + 0.6 * mass @ radii**2)  # written out anew
        rp = math.exp(np.log(radii).mean())
        assert rp == pytest.approx(10.0)
        assert prefactor * (rg / rp) ** fractal_dimension == pytest.approx(n, rel=1e-6)
        ratio = gaps(centres, radii)
        assert ratio.min() == pytest.approx(1 - overlap, abs=1e-7)
        assert connected_components(ratio < 1 - overlap + 1e-7)[0] == 1


def test_law_survives_another_convention_where_aggregates_are_large():
    # with point masses (no 3/5 r^2) and equal spheres, N of 200 primaries is still right to 1 %
    centres, _ = simulate_aggregate(200, 1.78, 1.3, 20.0, 1.0, np.random.default_rng(0))
    rg = math.sqrt(((centres - centres.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert 1.3 * (rg / 10) ** 1.78 == pytest.approx(200, rel=0.01)


def test_inner_structure_follows_the_fractal_dimension():
    # spheres within a distance of a sphere grow as distance^Df well inside an aggregate
    def slope(fractal_dimension):
        counts = np.zeros(2)
        for seed in range(8):
            centres, _ = simulate_aggregate(500, fractal_dimension, 1.3, 2.0, 1.0, np.random.default_rng(seed))
            distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
            counts += [(distance < reach).sum() for reach in (4.0, 10.0)]
        return math.log(counts[1] / counts[0]) / math.log(10 / 4)

    assert slope(1.78) == pytest.approx(1.78, abs=0.25)
    assert slope(2.2) - slope(1.6) == pytest.approx(0.6, abs=0.3)


def test_one_and_two_spheres():
    centres, radii = simulate_aggregate(1, 1.78, 1.3, 20.0, 1.3, np.random.default_rng(0))
    assert centres.shape == (1, 3)
    assert radii == pytest.approx([10.0])
    centres, radii = simulate_aggregate(2, 1.78, 1.3, 20.0, 1.3, np.random.default_rng(0), overlap=0.1)
    assert np.linalg.norm(centres[0] - centres[1]) == pytest.approx(0.9 * radii.sum())
    assert radii.prod() == pytest.approx(100.0)  # geometric mean 10


def test_radii_are_log_normal():
    rng = np.random.default_rng(1)
    logs = np.concatenate([np.log(simulate_aggregate(50, 1.78, 1.3, 20.0, 1.3, rng)[1]) for _ in range(60)])
    sd = math.log(1.3) * math.sqrt(49 / 50)  # about the mean of each aggregate
    assert logs.mean() == pytest.approx(math.log(10.0))
    assert logs.std() == pytest.approx(sd, rel=4 / math.sqrt(2 * logs.size))
    assert ((logs - logs.mean()) ** 3).mean() / sd**3 == pytest.approx(0, abs=4 * math.sqrt(6 / logs.size))


def test_orientation_is_random():
    # the largest principal axis of an aggregate points anywhere: mean |cosine| 1/2 about each axis
    rng = np.random.default_rng(2)
    cosines = []
    for _ in range(300):
        centres, _ = simulate_aggregate(20, 1.78, 1.3, 20.0, 1.0, rng)
        cosines.append(np.abs(np.linalg.eigh(centres.T @ centres)[1][:, -1]))
    assert np.mean(cosines, axis=0) == pytest.approx([0.5] * 3, abs=4 * math.sqrt(1 / 12 / 300))


def test_radius_of_gyration_closed_forms():
    assert radius_of_gyration(np.zeros((1, 3)), np.array([5.0])) == pytest.approx(5 * math.sqrt(0.6))
    pair = np.array([[0.0, 0, 0], [10.0, 0, 0]])
    assert radius_of_gyration(pair, np.array([5.0, 5.0])) == pytest.approx(5 * math.sqrt(1.6))
    # unequal spheres against points thrown into them
    rng, radii = np.random.default_rng(0), np.array([3.0, 6.0])
    which = rng.choice(2, 200_000, p=radii**3 / (radii**3).sum())
    direction = rng.normal(size=(which.size, 3))
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    points = pair[which] + direction * (radii[which] * rng.random(which.size) ** (1 / 3))[:, None]
    assert radius_of_gyration(pair, radii) == pytest.approx(rms(points), rel=0.005)


def rms(points):
    return math.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean())


def test_same_seed_same_aggregate():
    a, b, c = (simulate_aggregate(40, 1.78, 1.3, 20.0, 1.2, np.random.default_rng(seed))[0] for seed in (5, 5, 6))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0, 1.78, 1.3, 20.0, 1.0), "n_primaries must be .* got 0"),
        ((2.5, 1.78, 1.3, 20.0, 1.0), "n_primaries must be .* got 2.5"),
        ((10, 0.9, 1.3, 20.0, 1.0), "fractal_dimension must be .* got 0.9"),
        ((10, 1.78, -1.0, 20.0, 1.0), "prefactor must be .* got -1.0"),
        ((10, 1.78, 1.3, 0.0, 1.0), "dp_nm must be .* got 0.0"),
        ((10, 1.78, 1.3, math.nan, 1.0), "dp_nm must be .* got nan"),
        ((10, 1.78, 1.3, 20.0, 0.9), "gsd must be .* got 0.9"),
        ((10, 1.78, 1.3, 20.0, 1.0, 0.5), "overlap must be .* got 0.5"),
    ],
)
def test_bad_values_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        simulate_aggregate(*values[:5], np.random.default_rng(0), *values[5:])


@pytest.mark.parametrize("values", [(3, 1.0, 0.01), (3, 2.5, 2.0), (4, 1.5, 1.0)])
def test_impossible_combinations_are_refused(values):
    with pytest.raises(ValueError, match=f"n_primaries = {values[0]}, fractal_dimension = {values[1]:g}, prefactor"):
        simulate_aggregate(*values, 20.0, 1.0, np.random.default_rng(0))


def test_law_of_hand():
    assert fractal_law(130, 2.0, 1.3, 10.0) == pytest.approx(100.0)
