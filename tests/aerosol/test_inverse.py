"""Covariates from a series: posteriors in closed form, and intervals that cover."""

import numpy as np
import pytest
from scipy import stats

from particlelab.aerosol.inverse import calibrate_power, find_intervals, infer_parameters, log_likelihood
from particlelab.randomness import generator

STEP, NOISE, STEPS = 0.5, 0.3, 20


class Line:
    """dx = p dt + 0.3 dW, of which the likelihood is known."""

    covariates = 1

    def log_density(self, x0, x1, h, p):
        return stats.norm.logpdf((x1 - x0)[:, 0], p[:, 0] * h, NOISE * h**0.5)


def draw(speed, rng, shared=0.0):
    """A series at a speed; ``shared`` is what all its steps have in common by chance."""
    kicks = NOISE * STEP**0.5 * rng.standard_normal(STEPS) + shared * STEP * rng.standard_normal()
    return np.concatenate([[1.0], 1.0 + np.cumsum(speed * STEP + kicks)])


def test_draws_are_those_of_the_posterior_in_closed_form():
    """A flat prior: normal about the mean speed, with the noise over the root of the time."""
    curve, prior = draw(2.0, generator(0)), np.linspace(0, 4, 2001)
    draws = infer_parameters(curve, Line(), prior, STEP, n=20_000, rng=generator(1))[:, 0]
    expected = stats.norm((curve[-1] - curve[0]) / (STEPS * STEP), NOISE / (STEPS * STEP) ** 0.5)
    assert stats.kstest(draws, expected.cdf).statistic < 0.015
    low, middle, high = (value[0] for value in find_intervals(log_likelihood(curve, Line(), prior, STEP), prior))
    assert (low, middle, high) == pytest.approx(tuple(expected.ppf([0.05, 0.5, 0.95])), abs=0.003)


def test_intervals_cover_where_the_likelihood_is_right():
    rng, prior = generator(2), np.linspace(0, 4, 401)
    truths = rng.uniform(0.5, 3.5, 600)
    held = []
    for true in truths:
        low, _, high = find_intervals(log_likelihood(draw(true, rng), Line(), prior, STEP), prior)
        held.append(low[0] <= true <= high[0])
    assert np.mean(held) == pytest.approx(0.9, abs=0.05)


def test_a_power_makes_intervals_cover_where_steps_have_something_in_common():
    """Without it they hold far too little; with that of other series they hold 90 % to four standard errors."""
    rng, prior, line = generator(3), np.linspace(-2, 6, 801), Line()
    truths = rng.uniform(0.5, 3.5, 600)
    curves = [draw(true, rng, shared=0.3) for true in truths]
    power = calibrate_power(curves[:300], truths[:300], line, prior, STEP)
    shares = []
    for raised in (1.0, power):
        ends = [find_intervals(log_likelihood(c, line, prior, STEP), prior, raised) for c in curves[300:]]
        shares.append(np.mean([low[0] <= t <= high[0] for (low, _, high), t in zip(ends, truths[300:], strict=True)]))
    assert shares[0] < 0.65 and shares[1] == pytest.approx(0.9, abs=4 * 0.3 * (2 / 300) ** 0.5)
    assert power == pytest.approx(1 / (1 + 0.3**2 * STEPS * STEP / NOISE**2), rel=0.5)  # of the variances


def test_what_cannot_be_asked_is_said():
    with pytest.raises(ValueError, match=r"prior must be \(m, 1\) for this SDE, got \(5, 2\)"):
        infer_parameters([1, 2], Line(), np.zeros((5, 2)), rng=generator(0))
    with pytest.raises(ValueError, match="size_curve must have at least two frames, got 1"):
        infer_parameters([1.0], Line(), np.zeros(5), rng=generator(0))
    with pytest.raises(ValueError, match="power must be positive, got 0"):
        infer_parameters([1.0, 2.0], Line(), np.zeros(5), power=0, rng=generator(0))
