"""Size distributions: closed forms, published values, coverage of intervals."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import trapezoid
from scipy.spatial.distance import jensenshannon

from particlelab.measure.distributions import (
    bootstrap_interval,
    fit_lognormal,
    geometric_moments,
    hatch_choate,
    js_divergence,
    log_density,
    moment_mean,
)
from particlelab.randomness import generator


def quantiles(mean, deviation, n):
    """Return a sample that follows a log-normal distribution as evenly as n values can."""
    return mean * deviation ** stats.norm.ppf((np.arange(n) + 0.5) / n)


def test_lognormal_of_three_values_by_hand():
    fit = fit_lognormal([1, np.e, np.e**2])  # ln d: 0, 1, 2; mean 1, standard deviation 1
    assert fit.mean == pytest.approx(np.e)
    assert fit.deviation == pytest.approx(np.e)
    # Tables: t(0.975; 2) = 4.30265, chi-square(0.025; 2) = 0.050636, (0.975; 2) = 7.37776
    assert np.log(fit.mean_interval) == pytest.approx([1 - 4.30265 / 3**0.5, 1 + 4.30265 / 3**0.5], rel=1e-5)
    assert np.log(fit.deviation_interval) == pytest.approx([(2 / 7.37776) ** 0.5, (2 / 0.050636) ** 0.5], rel=1e-4)
    assert fit.n == 3


def test_lognormal_intervals_hold_the_truth_as_often_as_they_say():
    rng = generator(1, "coverage")
    fits = [fit_lognormal(20 * np.exp(0.3 * rng.standard_normal(6)), 0.9) for _ in range(2000)]
    mean = np.mean([f.mean_interval[0] < 20 < f.mean_interval[1] for f in fits])
    deviation = np.mean([f.deviation_interval[0] < np.exp(0.3) < f.deviation_interval[1] for f in fits])
    error = (0.9 * 0.1 / 2000) ** 0.5
    assert mean == pytest.approx(0.9, abs=4 * error)
    assert deviation == pytest.approx(0.9, abs=4 * error)


@pytest.mark.parametrize("power", [-2, 1, 2, 3])
def test_a_lognormal_weighted_by_a_power_is_that_of_hatch_and_choate(power):
    """Geometric mean 100 exp(power ln^2 1.5), and the same geometric standard deviation."""
    d = quantiles(100, 1.5, 1_000_000)
    fit = fit_lognormal(d, weights=d**power)
    assert fit.mean == pytest.approx(100 * np.exp(power * np.log(1.5) ** 2), rel=1e-3)
    assert fit.deviation == pytest.approx(1.5, rel=2e-3)
    assert hatch_choate(100, 1.5, power) == pytest.approx(fit.mean, rel=1e-3)
    assert hatch_choate(hatch_choate(100, 1.5, power), 1.5, -power) == pytest.approx(100)


def test_weights_by_hand():
    mean, deviation = geometric_moments([1, np.e], [[1, 3], [1, 1], [1, 0], [0, 0]])
    # ln d: 0, 1; weights 1, 3: mean 3/4, squares 9/16 + 3/16, freedom 4 - 10/4
    assert np.log(mean) == pytest.approx([0.75, 0.5, 0, np.nan], nan_ok=True)
    assert np.log(deviation) == pytest.approx([0.5**0.5, 0.5**0.5, np.nan, np.nan], nan_ok=True)


def test_equal_weights_change_nothing_and_zeros_leave_out():
    d = quantiles(30, 1.4, 20)
    fit, weighted = fit_lognormal(d), fit_lognormal(d, weights=np.full(20, 0.3))
    assert np.hstack(weighted) == pytest.approx(np.hstack(fit))
    half = fit_lognormal(d, weights=np.arange(20) < 8)
    assert np.hstack(half[:4]) == pytest.approx(np.hstack(fit_lognormal(d[:8])[:4]))


@pytest.mark.parametrize(
    ("weights", "words"),
    [([1, 2], "one weight"), ([1, -1, 1], "not negative"), ([1, np.nan, 1], "finite"), ([0, 0, 1], "2 positive")],
)
def test_bad_weights_are_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        fit_lognormal([1, 2, 3], weights=weights)


@pytest.mark.parametrize(("p", "q", "expected"), [(1, 0, 108.567), (3, 2, 150.833), (4, 3, 177.785), (0, 0, 100.0)])
def test_moment_means_of_a_lognormal(p, q, expected):
    assert moment_mean(quantiles(100, 1.5, 2_000_000), p, q) == pytest.approx(expected, rel=1e-4)


def test_moment_means_of_two_diameters():
    assert moment_mean([1, 2], 1, 0) == pytest.approx(1.5)
    assert moment_mean([1, 2], 3, 2) == pytest.approx(9 / 5)
    assert moment_mean([1, 2], 1, 1) == pytest.approx(2 ** (2 / 3))  # exp((0 + 2 ln 2) / 3)
    assert moment_mean([1e200, 2e200], 4, 3) == pytest.approx(17 / 9 * 1e200)


@pytest.mark.parametrize(("p", "q"), [(0, 0), (1, 0), (3, 2), (4, 3), (2, 2)])
def test_a_weight_of_three_is_three_diameters(p, q):
    repeated = moment_mean([2, 5, 5, 5, 7, 7], p, q)
    assert moment_mean([2, 3, 5, 7], p, q, weights=[1, 0, 3, 2]) == pytest.approx(repeated)
    assert moment_mean([2, 3, 5, 7], p, q, weights=[0.1, 0, 0.3, 0.2]) == pytest.approx(repeated)


def test_bad_weights_of_a_moment_mean_are_refused():
    for weights in ([1, 1], [0, 0, 0], [1, -1, 1], [1, np.nan, 1]):
        with pytest.raises(ValueError, match="weight"):
            moment_mean([1, 2, 3], 1, 0, weights=weights)


def test_moment_mean_is_continuous_and_symmetric_in_its_orders():
    d = quantiles(30, 1.4, 100)
    assert moment_mean(d, 2, 2) == pytest.approx(moment_mean(d, 2 + 1e-6, 2), rel=1e-6)
    assert moment_mean(d, 3, 1) == pytest.approx(moment_mean(d, 1, 3))


def test_density_over_log_diameter_integrates_to_one_and_finds_the_mode():
    grid = np.geomspace(1, 1e4, 2001)
    density = log_density(quantiles(100, 1.5, 500), grid)
    assert trapezoid(density, np.log(grid)) == pytest.approx(1, abs=1e-3)
    assert grid[density.argmax()] == pytest.approx(100, rel=0.01)


def test_density_with_a_given_bandwidth_is_a_sum_of_gaussians():
    density = log_density([10, 10 * np.e], [10], bandwidth=0.5)
    assert density == pytest.approx([(stats.norm.pdf(0) + stats.norm.pdf(2)) / (2 * 0.5)])


def test_density_does_not_depend_on_the_unit():
    d, grid = quantiles(100, 1.5, 50), np.geomspace(20, 500, 30)
    assert log_density(d, grid) == pytest.approx(log_density(d / 1000, grid / 1000))


def test_divergence_of_known_histograms():
    assert js_divergence([1, 2, 3], [10, 20, 30]) == pytest.approx(0, abs=1e-15)
    assert js_divergence([1, 0], [0, 1]) == pytest.approx(1)
    assert js_divergence([1, 0], [0, 1], base=np.e) == pytest.approx(np.log(2))
    # p = (1, 0), q = (1/2, 1/2): H(3/4, 1/4) - H(1/2, 1/2) / 2
    assert js_divergence([1, 0], [1, 1]) == pytest.approx(0.8112781 - 0.5)


def test_divergence_is_the_square_of_the_distance_of_scipy():
    rng = generator(2, "divergence")
    a, b = rng.random(20), rng.random(20)
    assert js_divergence(a, b) == pytest.approx(jensenshannon(a, b, base=2) ** 2)


def test_divergence_of_samples():
    rng = generator(3, "samples")
    a, b = rng.normal(0, 1, 4000), rng.normal(0, 1, 3000)
    assert js_divergence(a, b, bins=20) < 0.01
    assert js_divergence(a, b + 100, bins=20) == pytest.approx(1)
    assert js_divergence([0.5, 0.6, 1.5], [0.5, 1.6, 1.5], bins=[0, 1, 2]) == pytest.approx(
        js_divergence([2, 1], [1, 2])
    )


def test_bootstrap_interval_of_a_mean_agrees_with_students():
    rng = generator(4, "bootstrap")
    values = rng.normal(10, 2, 200)
    low, high = bootstrap_interval(values, np.mean, rng, resamples=4000)
    expected = stats.t.interval(0.95, 199, values.mean(), stats.sem(values))
    assert (low, high) == pytest.approx(expected, abs=0.03)


def test_bootstrap_draws_rows_together():
    rng = generator(5, "rows")
    x = rng.normal(size=50)
    low, high = bootstrap_interval(np.column_stack([x, 2 * x]), lambda v: np.corrcoef(v.T)[0, 1], rng, resamples=200)
    assert (low, high) == pytest.approx((1, 1))


@pytest.mark.parametrize("d", [[1], [], [1, 0], [1, -2], [1, np.nan], [1, np.inf], [[1, 2], [3, 4]]])
def test_bad_diameters_are_refused(d):
    with pytest.raises(ValueError, match="diameter"):
        fit_lognormal(d)
    with pytest.raises(ValueError, match="diameter"):
        log_density(d, [1.0])
    if len(d) != 1:
        with pytest.raises(ValueError, match="diameter"):
            moment_mean(d, 1, 0)


def test_other_bad_input_is_refused():
    with pytest.raises(ValueError, match="confidence"):
        fit_lognormal([1, 2], confidence=95)
    with pytest.raises(ValueError, match="bandwidth"):
        log_density([2, 2, 2], [1])
    with pytest.raises(ValueError, match="same bins"):
        js_divergence([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="negative"):
        js_divergence([1, -1], [1, 2])
    with pytest.raises(ValueError, match="negative"):
        js_divergence([0, 0], [1, 2])
    with pytest.raises(ValueError, match="finite"):
        js_divergence([1, np.nan], [1, 2])
    with pytest.raises(ValueError, match="outside"):
        js_divergence([1, 5], [1, 2], bins=[0, 1, 2])
    with pytest.raises(ValueError, match="at least 2"):
        bootstrap_interval([1], np.mean, generator(0))
    with pytest.raises(ValueError, match="resamples"):
        bootstrap_interval([1, 2], np.mean, generator(0), resamples=10)
