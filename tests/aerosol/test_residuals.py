"""Checks of residuals: silent for the true equation, each loud for the fault that it is made for."""

import numpy as np
import pytest
from scipy import stats

from particlelab.aerosol import residuals
from particlelab.aerosol.sde import SDEParameters
from particlelab.randomness import generator


@pytest.fixture(scope="module")
def sde(affine_sde):
    """The true equation."""
    return affine_sde(-1.0, 0.5)


def trajectories(rng, count=40, length=50, noise=None):
    """Euler steps of h = 0.2 of the true equation, or with another noise: x0, x1 and the number of each trajectory."""
    z = rng.standard_normal((count, length)) if noise is None else noise
    x = np.zeros((count, length + 1))
    for t in range(length):
        x[:, t + 1] = x[:, t] - 0.2 * x[:, t] + 0.5 * np.sqrt(0.2) * z[:, t]
    return x[:, :-1].ravel(), x[:, 1:].ravel(), np.repeat(np.arange(count), length)


def check(sde, x0, x1, labels):
    return residuals.check_residuals(sde, x0, x1, 0.2, trajectories=labels).set_index("check")


def test_p_values_of_the_true_equation_are_evenly_spread(sde):
    values = [check(sde, *trajectories(generator(0, k))).p_value for k in range(150)]
    for name in values[0].index:
        assert stats.kstest([p[name] for p in values], "uniform").pvalue > 1e-4, name


@pytest.mark.parametrize(("slope", "sigma", "loud"), [(-1.0, 0.6, {"variance"}), (-0.5, 0.5, {"mean along x0"})])
def test_a_wrong_equation_is_found(slope, sigma, loud, affine_sde):
    found = check(affine_sde(slope, sigma), *trajectories(generator(1)))
    assert set(found.index[found.p_value < 1e-4]) >= loud
    assert found.p_value[["autocorrelation of squares"]].min() > 1e-4
    if loud == {"variance"}:
        assert found.value["variance"] == pytest.approx((0.5 / 0.6) ** 2, rel=0.1) and found.p_value["mean"] > 1e-4


def test_other_noise_is_found(sde):
    rng = generator(2)
    white = rng.standard_normal((40, 51))
    lasting = (white[:, 1:] + white[:, :-1]) / 2**0.5
    heavy = rng.standard_t(4, (40, 50)) / 2**0.5
    restless = white[:, 1:] * np.repeat(rng.choice([0.4, 1.36], (40, 5)), 10, axis=1)
    found = {
        name: check(sde, *trajectories(rng, noise=noise)).p_value
        for name, noise in (("lasting", lasting), ("heavy", heavy), ("restless", restless))
    }
    assert found["lasting"]["autocorrelation"] < 1e-6 < found["heavy"]["autocorrelation"]
    assert found["heavy"]["normality (Anderson-Darling)"] < 1e-3
    assert found["restless"]["autocorrelation of squares"] < 1e-6


def test_trajectories_are_kept_apart_and_in_order(sde):
    """Rows of several trajectories may lie between each other, as long as each is in the order of time."""
    x0, x1, labels = trajectories(generator(3))
    mixed = np.arange(len(x0)).reshape(40, 50).T.ravel()
    one, other = check(sde, x0, x1, labels), check(sde, x0[mixed], x1[mixed], labels[mixed])
    assert np.allclose(one.value, other.value)


@pytest.mark.parametrize(("statistic", "p"), [(1.933, 0.10), (2.492, 0.05), (3.070, 0.025), (3.880, 0.01)])
def test_anderson_darling_has_the_published_critical_values(statistic, p):
    """Of a distribution that is known completely (D'Agostino and Stephens 1986, table 4.2)."""
    q = (np.arange(400) + 0.5) / 400

    def tested(shift):
        return residuals.anderson_darling(stats.norm.ppf(q) + shift)

    low, high = 0.0, 0.5
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if tested(middle)[0] < statistic else (low, middle)
    assert tested(low)[1] == pytest.approx(p, rel=0.02)


def test_anderson_darling_is_the_statistic_of_its_definition():
    z = generator(4).standard_normal(30)
    cdf, n = stats.norm.cdf(np.sort(z)), 30
    i = np.arange(1, n + 1)
    expected = -n - np.sum((2 * i - 1) * (np.log(cdf) + np.log(1 - cdf[::-1]))) / n
    assert residuals.anderson_darling(z)[0] == pytest.approx(expected)


def test_steps_that_are_too_long_are_found():
    """An Ornstein-Uhlenbeck process of theta 1 and sigma 0.5: slopes (1 - exp(-h)) / h at h = 0.5 and 1."""
    rng, h = generator(5), 0.5
    x = np.empty((400, 21))
    x[:, 0] = rng.normal(0, 0.5 / np.sqrt(2), 400)
    for t in range(20):
        x[:, t + 1] = x[:, t] * np.exp(-h) + 0.5 * np.sqrt((1 - np.exp(-2 * h)) / 2) * rng.standard_normal(400)
    p = SDEParameters(layers=1, width=16, epochs=12, learning_rate=0.01)
    found = residuals.check_step(x, h, parameters=p, rng=rng).set_index("quantity")
    slopes = [(1 - np.exp(-s)) / s for s in (0.5, 1)]
    noises = [0.5 * np.sqrt((1 - np.exp(-2 * s)) / 2 / s) for s in (0.5, 1)]
    assert found.at_2h["drift"] / found.at_h["drift"] == pytest.approx(slopes[1] / slopes[0], rel=0.08)
    assert list(found.loc["diffusivity", ["at_h", "at_2h"]]) == pytest.approx(noises, rel=0.04)


def test_labels_that_do_not_fit_are_refused(sde):
    x0, x1, _ = trajectories(generator(6))
    with pytest.raises(ValueError, match=r"trajectories must be \(2000,\), got \(3,\)"):
        check(sde, x0, x1, np.arange(3))
    with pytest.raises(ValueError, match=r"of at least 3 points, got \(4, 2, 1\)"):
        residuals.check_step(np.ones((4, 2)), 1.0)
