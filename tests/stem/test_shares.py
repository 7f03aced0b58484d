"""Shares of a population: intervals that cover, no bias, and closed forms where there are any."""

import math

import numpy as np
import pytest
from scipy import stats

from particlelab.randomness import generator
from particlelab.stem.shares import estimate_shares

GOOD = np.array([[0.88, 0.12], [0.1, 0.9]])
POOR = np.array([[0.57, 0.43], [0.43, 0.57]])
RARELY_WRONG = np.array([[0.99, 0.01], [0.02, 0.98]])
THREE = np.array([[0.9, 0.08, 0.02], [0.1, 0.8, 0.1], [0.05, 0.15, 0.8]])
POPULATIONS = 400


def predictions(counts):
    return np.repeat(np.eye(len(counts)), counts, axis=0)


def estimates(rates, true, n, known, populations, rng):
    """Draw populations of n particles and validations of so many particles a category; estimate each."""
    for _ in range(populations):
        confusion = rng.multinomial(known, rates)
        yield estimate_shares(predictions(rng.multinomial(n, true @ rates)), confusion)


@pytest.mark.parametrize(
    ("rates", "true", "n", "known"),
    [
        (GOOD, (0.0, 1.0), 20, 1000),
        (GOOD, (0.02, 0.98), 20, 100),
        (GOOD, (0.02, 0.98), 5000, 100),
        (GOOD, (0.5, 0.5), 5000, 30),
        (np.eye(2), (0.02, 0.98), 200, 200),
        (RARELY_WRONG, (0.0, 1.0), 5000, 200),  # in the validation, no error may have been seen
        (POOR, (0.0, 1.0), 5000, 300),
        (POOR, (0.5, 0.5), 200, 10_000),
        (THREE, (0.0, 0.02, 0.98), 20, 200),
        (THREE, (1.0, 0.0, 0.0), 5000, 30),
        (THREE, (0.3, 0.2, 0.5), 1000, 10_000),
    ],
)
def test_intervals_cover_the_true_shares_in_95_percent_of_populations(rates, true, n, known):
    """Fewer hits than a binomial with 95 % gives in one of 1000 cases are a failure."""
    rng = generator(0, "coverage", n, known, *true)
    found = np.array([interval for _, interval in estimates(rates, np.array(true), n, known, POPULATIONS, rng)])
    hits = ((found[..., 0] <= true) & (np.array(true) <= found[..., 1])).sum(axis=0)
    assert hits.min() >= stats.binom.ppf(0.001, POPULATIONS, 0.95)


def test_shares_are_right_on_average_where_counting_is_not():
    true, n = np.array([0.3, 0.2, 0.5]), 2000
    rng = generator(0, "bias")
    shares = np.array([share for share, _ in estimates(THREE, true, n, 100_000, POPULATIONS, rng)])
    error = shares.std(axis=0) / math.sqrt(POPULATIONS)
    assert np.all(np.abs(shares.mean(axis=0) - true) < 4 * error)
    assert np.all(np.abs(true @ THREE - true)[[1, 2]] > 20 * error[[1, 2]])  # what counting would give, on average


@pytest.mark.parametrize("counts", [(0, 20), (3, 17), (250, 250), (7, 0, 93), (1, 1, 1, 1)])
def test_without_wrong_predictions_it_is_wilsons_interval_with_continuity_correction(counts):
    shares, intervals = estimate_shares(predictions(counts), 10**9 * np.eye(len(counts)))
    assert np.allclose(shares, np.array(counts) / sum(counts), rtol=0, atol=1e-12)
    for count, interval in zip(counts, intervals, strict=True):
        assert np.allclose(interval, stats.binomtest(count, sum(counts)).proportion_ci(method="wilsoncc"), atol=1e-6)


def test_large_populations_get_the_width_of_the_cramer_rao_bound():
    """With rates known well, a share's variance is that of the count over Youden's index squared."""
    n, true = 10**6, np.array([0.3, 0.7])
    counts = np.rint(n * true @ GOOD).astype(int)
    _, intervals = estimate_shares(predictions(counts), 10**10 * GOOD)
    q, youden = counts[0] / n, GOOD[0, 0] + GOOD[1, 1] - 1
    expected = 2 * stats.norm.ppf(0.975) * math.sqrt(q * (1 - q) / n) / youden
    assert np.ptp(intervals, axis=1) == pytest.approx(expected, rel=0.01)


def test_a_small_validation_limits_what_any_population_tells():
    """By error propagation of Rogan and Gladen's estimator, for a population without end."""
    known, n, share = 400, 10**6, 0.5
    confusion = np.rint(known * GOOD)
    counts = np.rint(n * np.array([share, 1 - share]) @ GOOD).astype(int)
    _, intervals = estimate_shares(predictions(counts), confusion)
    wrong, youden = np.array([GOOD[0, 1], GOOD[1, 0]]), GOOD[0, 0] + GOOD[1, 1] - 1
    expected = 2 * 1.96 * math.sqrt((0.25 * wrong * (1 - wrong)).sum() / known) / youden
    assert np.ptp(intervals, axis=1) == pytest.approx(expected, rel=0.05)


def test_no_other_shares_are_more_likely():
    """The conditions of Karush, Kuhn and Tucker for the likelihood of the counts."""
    rng = generator(0, "likelihood")
    at_an_edge = 0
    for _ in range(100):
        k = rng.integers(2, 6)
        confusion = rng.integers(0, 30, (k, k)) + 60 * np.eye(k, dtype=int)
        counts = rng.multinomial(50, rng.dirichlet(np.full(k, 0.3)))
        shares, _ = estimate_shares(predictions(counts), confusion)
        rates = confusion / confusion.sum(axis=1, keepdims=True)
        slope = rates[:, counts > 0] @ (counts / 50 / (shares @ rates))[counts > 0]
        assert shares.sum() == pytest.approx(1) and shares.min() >= 0
        assert np.allclose(slope[shares > 1e-3], 1, atol=1e-3) and slope.max() < 1 + 1e-3
        at_an_edge += shares.min() < 1e-6
    assert at_an_edge > 20


def test_names_of_categories_do_not_matter():
    counts, confusion = np.array([40, 7, 3]), np.rint(100 * THREE)
    shares, intervals = estimate_shares(predictions(counts), confusion)
    order = [2, 0, 1]
    again = estimate_shares(predictions(counts[order]), confusion[np.ix_(order, order)])
    assert np.allclose(again[0], shares[order]) and np.allclose(again[1], intervals[order])
    swapped = estimate_shares(predictions(counts[order]), confusion[:, order])  # predictions renamed, not categories
    assert np.allclose(swapped[0], shares) and np.allclose(swapped[1], intervals)


def test_more_confidence_takes_wider_intervals():
    half, nearly = (estimate_shares(predictions((40, 60)), 100 * GOOD, c)[1] for c in (0.5, 0.99))
    assert np.all(nearly[:, 0] < half[:, 0]) and np.all(half[:, 1] < nearly[:, 1])


@pytest.mark.parametrize(
    ("probabilities", "confusion", "options", "message"),
    [
        (np.ones(3), np.eye(2), {}, r"probabilities must be \(n, k\) of at least two categories, got \(3,\)"),
        (np.ones((0, 2)), np.eye(2), {}, "probabilities hold no particle"),
        ([[0.5, math.nan]], np.eye(2), {}, "probabilities must be finite"),
        ([[0.5, 0.5]], np.eye(3), {}, r"confusion must be \(2, 2\) for 2 categories, got \(3, 3\)"),
        ([[0.5, 0.5]], GOOD, {}, r"must hold counts of validation particles, got \[\[0\.88"),
        ([[0.5, 0.5]], [[5, -1], [0, 5]], {}, "must hold counts"),
        ([[0.5, 0.5]], [[5, 1], [0, 0]], {}, "no validation particle of category 1"),
        ([[0.5, 0.5]], [[30, 10], [60, 20]], {}, "cannot tell the categories apart"),
        ([[0.5, 0.5]], 10 * np.eye(2), {"confidence": 95}, "confidence must be between 0 and 1, got 95"),
    ],
)
def test_what_cannot_be_corrected_is_refused(probabilities, confusion, options, message):
    with pytest.raises(ValueError, match=message):
        estimate_shares(probabilities, confusion, **options)
