"""Weights by density against an independent estimate, and what the package smogn does to a table."""

import random

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from particlelab.aerosol import imbalance
from particlelab.randomness import generator

SIZES = generator(0, "sizes").gamma(1.5, 6, 3000)  # many small clouds, few large ones


def test_the_density_is_that_of_scipy():
    for values in (SIZES, generator(1).standard_normal(50), np.r_[SIZES, 1e4]):
        expected = stats.gaussian_kde(values, "silverman")(values)
        assert np.allclose(imbalance.estimate_density(values), expected, atol=2e-3 * expected.max())


@pytest.mark.parametrize("name", imbalance.WEIGHTINGS)
def test_weights_have_mean_1_are_positive_and_know_no_units(name):
    weights = imbalance.WEIGHTINGS[name](SIZES)
    assert weights.mean() == pytest.approx(1) and weights.min() > 0
    assert np.allclose(imbalance.WEIGHTINGS[name](1e-7 * SIZES + 3e-7), weights, rtol=1e-3, atol=1e-3)
    assert np.array_equal(imbalance.WEIGHTINGS[name](np.full(9, 4.2)), np.ones(9))


def test_dense_weights_are_those_of_the_paper():
    """Steininger et al. 2021: with p' from 0 to 1, weights are 1 - alpha p', cut off at eps, over their mean."""
    p = stats.gaussian_kde(SIZES, "silverman")(SIZES)
    scaled = (p - p.min()) / (p.max() - p.min())
    for alpha in (0.5, 1.0, 2.0):
        expected = np.maximum(1 - alpha * scaled, 1e-6)
        assert np.allclose(imbalance.density_weights(SIZES, alpha), expected / expected.mean(), atol=0.01)
    assert np.array_equal(imbalance.density_weights(SIZES, 0), np.ones(len(SIZES)))


def test_evenly_spread_weights_make_large_clouds_count():
    """With alpha = 1 the weighted mean lies above the plain one, weighted by the density below it."""
    means = {name: np.average(SIZES, weights=weigh(SIZES)) for name, weigh in imbalance.WEIGHTINGS.items()}
    assert means["kde"] < means["none"] < means["inverse kde"] and means["none"] < means["dense"]


def test_inverse_kde_is_the_density_flipped_about_its_midpoint():
    direct, inverse = (imbalance.WEIGHTINGS[name](SIZES) for name in ("kde", "inverse kde"))
    slope, _ = np.polyfit(direct, inverse, 1)
    assert np.corrcoef(direct, inverse)[0, 1] == pytest.approx(-1)
    assert inverse.max() / inverse.min() == pytest.approx(direct.max() / direct.min()) and slope < 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: imbalance.density_weights(SIZES, -0.1), "alpha must be at least 0, got -0.1"),
        (lambda: imbalance.density_weights([]), "must be .* finite numbers"),
        (lambda: imbalance.kde_weights([1.0, np.nan]), "must be .* finite numbers"),
        (lambda: imbalance.equal_weights(np.ones((2, 2))), r"got \(2, 2\)"),
        (lambda: imbalance.oversample(pd.DataFrame({"a": [1.0]}), "b", 0), "no column 'b'; it has a"),
        (lambda: imbalance.oversample(pd.DataFrame({"a": [1.0, np.nan]}), "a", 0), "finite numbers only; see NaN"),
        (
            lambda: imbalance.oversample(pd.DataFrame({"a": [1.0], "who": ["x"]}), "a", 0),
            "finite numbers only; see who",
        ),
        (lambda: imbalance.oversample(pd.DataFrame({"a": np.arange(50.0)}), "a", 0), "a cannot be oversampled"),
    ],
)
def test_what_cannot_be_weighted_or_oversampled_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.fixture(scope="module")
def table():
    rng, n = generator(2, "table"), 300
    columns = {"Frame No": np.tile(np.arange(1, 31), n // 30), "Cloud Size": rng.gamma(1, 8, n), "Wind": 0.0}
    return pd.DataFrame(columns | {"Growth": rng.normal(0.3, 1, n)}, index=np.arange(n) + 5000)


@pytest.fixture(scope="module")
def more(table):
    return imbalance.oversample(table, "Cloud Size", 3)


def test_rare_sizes_become_more_frequent(table, more):
    rare = table["Cloud Size"].quantile(0.9)
    assert (more["Cloud Size"] > rare).mean() > 2 * (table["Cloud Size"] > rare).mean()
    assert list(more) == list(table) and more.index.equals(pd.RangeIndex(len(more)))


def test_negative_and_constant_columns_stay_what_they_are(table, more):
    """Without scaling the package would set negative values of synthetic rows to 0."""
    old = set(table["Growth"].round(9))
    new = more[~more["Growth"].round(9).isin(old)]
    assert len(new) > 20 and (new["Growth"] < 0).mean() > 0.05 and not (new["Growth"] == 0).any()
    assert (more["Wind"] == 0).all()


def test_the_same_seed_gives_the_same_rows_and_leaves_global_chance_alone(table, more):
    before = random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002
    assert imbalance.oversample(table, "Cloud Size", 3).equals(more)
    assert not imbalance.oversample(table, "Cloud Size", 4).equals(more)
    assert before[0] == random.getstate() and np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_half_of_all_rows_are_lost_as_the_docstring_says(table, more):
    """Two groups, rare and not: each is to have n / 2 rows, and n / 2 of those that are not rare are dropped."""
    kept = more["Growth"].round(9).isin(set(table["Growth"].round(9)))
    assert kept.sum() == len(table) // 2
    lost = table[~table["Growth"].round(9).isin(set(more["Growth"].round(9)))]
    assert lost["Cloud Size"].max() < table["Cloud Size"].quantile(0.95)


def test_equal_targets_come_out_as_one_and_a_half_as_the_docstring_says(table):
    """In the scaled table: the largest target, 2, becomes 3, which is twice the largest."""
    same = table.assign(**{"Cloud Size": table["Cloud Size"].where(table["Cloud Size"] < 25, 40.0)})
    low, high = same["Cloud Size"].agg(["min", "max"])
    assert imbalance.oversample(same, "Cloud Size", 0)["Cloud Size"].max() == pytest.approx(2 * high - low, abs=0.5)
