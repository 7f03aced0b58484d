"""The power law of primary against aggregate diameter: recovered parameters, coverage, the ellipse."""

import numpy as np
import pytest
from scipy import stats

from particlelab.randomness import generator
from particlelab.soot.powerlaw import UNIVERSAL_RELATION, fit_power_law


def sample(rng, n, dp100=18.5, d_tem=0.32, scatter=0.25):
    da = 150 * np.exp(0.6 * rng.standard_normal(n))
    return da, dp100 * (da / 100) ** d_tem * np.exp(scatter * rng.standard_normal(n))


def test_exact_data_give_the_law_back():
    da = np.array([50.0, 100, 400])
    law = fit_power_law(da, UNIVERSAL_RELATION(da))
    assert law.dp100_nm == pytest.approx(17.8)
    assert law.d_tem == pytest.approx(0.35)
    assert law.covariance == pytest.approx(np.zeros((2, 2)), abs=1e-12)
    assert law(200) == pytest.approx(17.8 * 2**0.35)


def test_covariance_and_intervals_hold_the_truth_as_often_as_they_should():
    rng = generator(1, "power law")
    runs, n = 2000, 40
    inside = np.zeros(3)
    for _ in range(runs):
        law = fit_power_law(*sample(rng, n))
        error = np.array([law.dp100_nm - 18.5, law.d_tem - 0.32])
        distance = error @ np.linalg.solve(law.covariance, error) / 2
        inside += [
            distance < stats.f.ppf(0.95, 2, n - 2),
            law.dp100_interval_nm[0] < 18.5 < law.dp100_interval_nm[1],
            law.d_tem_interval[0] < 0.32 < law.d_tem_interval[1],
        ]
    error = (0.95 * 0.05 / runs) ** 0.5
    assert inside[1:] / runs == pytest.approx(0.95, abs=4 * error)
    assert inside[0] / runs == pytest.approx(0.95, abs=4 * error + 0.005)  # dp100 itself is not normal


def test_scatter_is_recovered():
    assert fit_power_law(*sample(generator(2), 5000)).scatter == pytest.approx(np.exp(0.25), rel=0.01)


def test_ellipse_holds_67_percent_of_the_data():
    da, dp = sample(generator(3), 20_000)
    law = fit_power_law(da, dp)
    boundary = law.ellipse(500)
    # Inside is where the Mahalanobis distance is below that of the curve, which is the same all along it.
    inverse = np.linalg.inv(np.cov(np.log([da, dp])))
    centre = np.log([da, dp]).mean(axis=1)

    def distance(points):
        offset = np.log(points) - centre
        return np.einsum("ij,jk,ik->i", offset, inverse, offset)

    assert np.ptp(distance(boundary)) < 1e-6
    assert np.mean(distance(np.column_stack([da, dp])) < distance(boundary)[0]) == pytest.approx(0.67, abs=0.013)
    assert boundary.shape == (500, 2)
    assert boundary[0] == pytest.approx(boundary[-1])


def test_three_points_by_hand():
    # ln da = -1, 0, 1 about 100 nm; ln dp = 0, 1, 1: slope 1/2, intercept 2/3, residuals -1/6, 1/3, -1/6
    law = fit_power_law(100 * np.exp([-1.0, 0, 1]), np.exp([0.0, 1, 1]))
    assert law.d_tem == pytest.approx(0.5)
    assert law.dp100_nm == pytest.approx(np.exp(2 / 3))
    assert np.log(law.scatter) ** 2 == pytest.approx(1 / 6)
    assert law.covariance[1, 1] == pytest.approx(1 / 12)
    assert law.covariance[0, 0] == pytest.approx(np.exp(4 / 3) / 18)
    assert law.covariance[0, 1] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("da", "dp", "message"),
    [
        ([1, 2], [1, 2], "at least 3"),
        ([1, 2, 3], [1, 2], "same length"),
        ([1, 2, 3], [1, 2, np.nan], "dp_nm must be positive"),
        ([1, 2, -3], [1, 2, 3], "da_nm must be positive"),
        ([2, 2, 2], [1, 2, 3], "different"),
        ([[1, 2, 3]], [[1, 2, 3]], "same length"),
    ],
)
def test_bad_input_is_refused(da, dp, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(da, dp)
