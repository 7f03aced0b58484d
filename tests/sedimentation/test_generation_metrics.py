"""Distances of sets of spectra and accuracies: what must hold for any network."""

import warnings

import numpy as np
import pytest
from scipy import stats

from particlelab.sedimentation.evaluation import (
    Seen,
    accuracy,
    balanced_accuracy,
    coefficient_errors,
    compare,
    count_classes,
    mean_feature_divergence,
    principal_components,
)

NUMBERS = np.repeat(np.arange(4), (110, 50, 20, 12))


def seen(rng, asked=NUMBERS, shift=0.0, told=None):
    """Features of two dimensions about a place for each class; by default each is taken for what it is."""
    features = np.stack([asked, asked**2], axis=1) + rng.standard_normal((len(asked), 2)) + shift
    told = np.eye(4)[asked] * 0.97 + 0.01 if told is None else told
    return Seen(features, told, asked)


def test_a_shift_is_its_square_in_fid_and_far_beyond_chance():
    """Normal distributions of one covariance are |shift|^2 apart (Dowson and Landau 1982)."""
    real = seen(np.random.default_rng(0))
    moved = real._replace(features=real.features + [3.0, 4.0])
    table = compare(real, moved, np.random.default_rng(1), resamples=50).set_index("metric")
    assert table.value.fid == pytest.approx(25.0, rel=1e-9)
    assert table.value.fid_shrunk == pytest.approx(25.0, rel=1e-9)
    assert table.value_low.fid < 25 < table.value_high.fid
    assert table.farther.fid == table.farther.kid == 1.0
    assert table.value.mfd == pytest.approx(0.0, abs=1e-12)


def test_other_spectra_of_the_same_kind_are_as_far_as_halves_are():
    rng = np.random.default_rng(2)
    counts = []
    for trial in range(6):
        table = compare(seen(rng), seen(rng), np.random.default_rng(trial), resamples=20).set_index("metric")
        counts.append(table.farther[["fid", "fid_shrunk", "kid"]])
    assert 0.2 < np.mean(counts) < 0.8


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """KID is unbiased; that between two normal sets is known from large ones."""
    rng = np.random.default_rng(3)
    asked = np.zeros(150, int)
    large = [Seen(s.features, s.told, s.asked) for s in (seen(rng, np.zeros(1500, int), shift) for shift in (0, 0.4))]
    truth = compare(*large, rng, resamples=20, subsets=1, subset_size=1500).set_index("metric").value.kid
    held = 0
    for trial in range(16):
        table = compare(seen(rng, asked), seen(rng, asked, 0.4), np.random.default_rng(trial), 40, 1, 150)
        row = table.set_index("metric").loc["kid"]
        held += row.value_low <= truth <= row.value_high
    assert held >= 16 * 0.95 - 4 * (16 * 0.95 * 0.05) ** 0.5


def test_mfd_is_0_for_the_same_answers_and_1_where_the_classifier_always_tells_apart():
    asked = np.repeat([0, 1], 10)
    real = Seen(np.zeros((20, 2)), np.eye(4)[asked], asked)
    assert mean_feature_divergence(real, real) == 0
    assert mean_feature_divergence(real, real._replace(told=np.eye(4)[asked + 2])) == pytest.approx(1.0)
    swapped = real._replace(told=np.eye(4)[1 - asked])
    assert mean_feature_divergence(real, swapped) == pytest.approx(1.0)
    half_wrong = real._replace(told=np.eye(4)[np.where(np.arange(20) % 2, asked, asked + 2)])
    # mixtures (1) and (1/2, 1/2): their divergence from the mean (3/4, 1/4), in bits
    expected = (np.log2(4 / 3) + (np.log2(2 / 3) + np.log2(2)) / 2) / 2
    assert mean_feature_divergence(real, half_wrong) == pytest.approx(expected)


def test_all_classes_together_do_not_tell_that_classes_are_swapped():
    rng, asked = np.random.default_rng(4), np.repeat([0, 1], 30)
    real = seen(rng, asked)
    table = compare(real, real._replace(told=real.told[::-1]), rng, resamples=20).set_index("metric")
    assert table.value.mfd_together == pytest.approx(0, abs=1e-12)
    assert table.value.mfd > 0.7


def test_coefficients_have_no_softmax_and_so_no_mfd():
    rng = np.random.default_rng(5)
    s = np.linspace(0, 1e5, 40)
    a = Seen(rng.standard_normal((40, 3)), s, s)
    assert list(compare(a, a, rng, resamples=20).metric) == ["fid", "fid_shrunk", "kid"]


def test_a_singular_covariance_is_warned_of():
    rng = np.random.default_rng(6)
    small = Seen(rng.standard_normal((30, 64)), np.zeros(30), np.zeros(30))
    with pytest.warns(UserWarning, match="singular covariance of 64 features"):
        table = compare(small, small, rng, resamples=20).set_index("metric")
    assert "singular" in table.note.fid
    enough = small._replace(features=rng.standard_normal((30, 5)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compare(enough, enough, rng, resamples=20).note.eq("").all()


def test_wrong_sets_are_refused():
    rng = np.random.default_rng(7)
    real = seen(rng)
    with pytest.raises(ValueError, match="at least 4"):
        compare(real, real.only(slice(0, 3)), rng)
    with pytest.raises(ValueError, match="none was generated for the class 'other'"):
        compare(real, real.only(real.asked < 3), rng)
    with pytest.raises(ValueError, match="resamples"):
        compare(real, real, rng, resamples=5)


def test_confusions_are_counted_by_what_was_asked_and_told():
    asked, told = np.array([0, 0, 1, 3]), np.eye(4)[[0, 1, 1, 2]]
    expected = np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]])
    np.testing.assert_array_equal(count_classes(Seen(np.zeros((4, 1)), told, asked)), expected)
    assert accuracy(expected).value == 0.5
    assert balanced_accuracy(expected).value == pytest.approx((1 / 2 + 1 + 0) / 3)


def test_the_interval_of_a_balanced_accuracy_holds_the_truth():
    """Drawn many times from known shares, of classes of very different sizes."""
    rng, shares, numbers = np.random.default_rng(8), np.array([0.95, 0.9, 0.85, 0.7]), np.array([80, 40, 15, 8])
    held = 0
    for _ in range(200):
        right = rng.binomial(numbers, shares)
        found = balanced_accuracy(np.diag(right) + np.roll(np.diag(numbers - right), 1, axis=1))
        held += found.low <= shares.mean() <= found.high
    assert held / 200 > 0.95 - 4 * (0.95 * 0.05 / 200) ** 0.5
    perfect = balanced_accuracy(np.diag(numbers))
    assert perfect.value == perfect.high == 1
    assert 0.8 < perfect.low < 0.97


def test_errors_of_coefficients_are_those_that_were_put_in():
    rng = np.random.default_rng(9)
    asked = np.linspace(0, 1e5, 4000)
    found = coefficient_errors(asked, asked + 200 + 300 * rng.standard_normal(4000), rng, resamples=200)
    assert found["bias"].low < 200 < found["bias"].high
    assert found["rmse"].low < np.hypot(200, 300) < found["rmse"].high
    relative = coefficient_errors(asked, asked * (1 + 0.04 * rng.standard_normal(4000)), rng, resamples=100)
    expected = stats.norm.cdf(1.25) - stats.norm.cdf(-1.25)
    assert relative["within_5_percent"].low < expected < relative["within_5_percent"].high


def test_components_are_those_that_were_put_in():
    rng = np.random.default_rng(10)
    axes = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    features = rng.standard_normal((5000, 6)) * [5, 3, 2, 0.1, 0.1, 0.1] @ axes.T + 7
    found = principal_components(features, 3)
    np.testing.assert_allclose(np.abs(np.sum(found.axes * axes[:, :3].T, axis=1)), 1, atol=0.01)
    np.testing.assert_allclose(found.shares, np.array([25, 9, 4]) / 38.03, atol=0.02)
    np.testing.assert_allclose(found.places(features).mean(0), 0, atol=1e-9)
    with pytest.raises(ValueError, match="count"):
        principal_components(features, 7)
