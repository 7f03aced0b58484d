"""Calibration: of probabilities that are true, of ones whose error is known, and of ones in need of a temperature."""

import math

import numpy as np
import pytest
from scipy import special, stats

from particlelab.randomness import generator
from particlelab.stem.calibration import (
    count_confusion,
    expected_calibration_error,
    fit_temperature,
    reliability,
    temper,
)

MANY = 40_000


def draw(probabilities, stream):
    """Draw a category for each row of true probabilities."""
    return (generator(0, stream).random((len(probabilities), 1)) > probabilities.cumsum(axis=1)).sum(axis=1)


def pairs(p):
    return np.stack([1 - p, p], axis=1)


@pytest.mark.parametrize("k", [2, 3])
def test_true_probabilities_err_by_chance_alone(k):
    """The mean of a normal distribution's amount is sqrt(2 / pi) of its deviation; bins add up."""
    probabilities = generator(0, "true", k).dirichlet(np.ones(k), MANY)
    y = draw(probabilities, "calibrated")
    table = reliability(probabilities, y)
    weight, variance = table["count"] / MANY, table.confidence * (1 - table.confidence) / table["count"]
    expected = (weight * np.sqrt(2 / math.pi * variance)).sum()
    scatter = np.sqrt((weight**2 * (1 - 2 / math.pi) * variance).sum())
    assert expected_calibration_error(probabilities, y) == pytest.approx(expected, abs=4 * scatter)
    assert np.all(np.abs(table.right - table.confidence) < 4 * np.sqrt(variance))


def test_overconfidence_is_measured():
    """Two kinds of particles, of which 60 % and 80 % are in category 1, but 69.2 % and 94.1 % are claimed."""
    true = np.repeat([0.6, 0.8], MANY)
    claimed = true**2 / (true**2 + (1 - true) ** 2)
    y = draw(pairs(true), "overconfident")
    error = np.abs(claimed - true).mean()
    scatter = math.sqrt((true * (1 - true)).mean() / (2 * MANY))
    assert error == pytest.approx(0.1168, abs=1e-4)
    assert expected_calibration_error(pairs(claimed), y) == pytest.approx(error, abs=4 * scatter)


def test_intervals_hold_the_true_share_in_95_percent_of_bins():
    n, p, runs = 50, 0.9, 300
    tables = [reliability(pairs(np.full(n, p)), draw(pairs(np.full(n, p)), run), bins=1) for run in range(runs)]
    hits = sum(table.low[0] <= p <= table.high[0] for table in tables)
    z = stats.norm.ppf(0.975) * math.sqrt(p * (1 - p) / n)  # Wilson's interval holds what is so many deviations away
    covered = stats.binom.cdf(math.floor(n * (p + z)), n, p) - stats.binom.cdf(math.ceil(n * (p - z)) - 1, n, p)
    assert stats.binomtest(int(hits), runs, covered).pvalue > 0.001


def test_bins_lie_between_chance_and_certainty_and_lose_nobody():
    p = np.array([0.5, 0.54, 0.56, 0.999, 1.0, 0.0])
    table = reliability(pairs(p), [0, 1, 1, 1, 1, 0])
    assert table["count"].tolist() == [2, 1, 3]
    assert np.allclose(table.confidence, [0.52, 0.56, 2.999 / 3]) and table.right.tolist() == [1, 1, 1]


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_temperature_is_recovered(temperature):
    """Within four times its error from Fisher's information of the inverse temperature."""
    true = generator(0, "true").uniform(0.05, 0.95, MANY)
    claimed = temper(pairs(true), 1 / temperature)
    found = fit_temperature(claimed, draw(pairs(true), "temperature"))
    logit = special.logit(claimed[:, 1])
    error = 1 / np.sqrt((logit**2 * true * (1 - true)).sum())
    assert 1 / found == pytest.approx(1 / temperature, abs=4 * error)
    assert error < 0.02 / temperature


def test_tempering_is_undone_by_the_inverse_temperature():
    probabilities = generator(0).dirichlet([1, 1, 1], 50)
    assert np.allclose(temper(temper(probabilities, 3), 1 / 3), probabilities)
    assert np.array_equal(temper(probabilities, 3).argmax(axis=1), probabilities.argmax(axis=1))


def test_a_category_that_is_never_predicted_has_its_column():
    counts = count_confusion([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.4, 0.5, 0.1]], [0, 1, 2])
    assert counts.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("probabilities", "y", "message"),
    [
        (np.ones((0, 2)), [], r"probabilities must be \(n, k\) of at least two categories, got \(0, 2\)"),
        ([[0.5, 0.5]], [0, 1], r"y must be \(1,\) for so many particles, got \(2,\)"),
        ([[0.5, 0.6]], [0], "sum to 1"),
        ([[math.nan, 0.5]], [0], "at least 0"),
        ([[0.5, 0.5]], [2], r"y must be categories from 0 to 1, got \[2\]"),
    ],
)
def test_what_cannot_be_judged_is_refused(probabilities, y, message):
    for judge in (reliability, fit_temperature, count_confusion):
        with pytest.raises(ValueError, match=message):
            judge(probabilities, y)


def test_bins_and_temperatures_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        reliability([[0.5, 0.5]], [0], bins=0)
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        temper([[0.5, 0.5]], 0)
