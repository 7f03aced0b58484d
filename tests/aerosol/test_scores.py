"""Scores: closed forms, agreement with each other, and that nobody is better off by saying what is not so."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from particlelab.aerosol import scores
from particlelab.randomness import generator


def gaussian_crps(mean, deviation, y):
    """Gneiting et al. 2005, eq. 5."""
    z = (y - mean) / deviation
    return deviation * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))


@pytest.mark.parametrize("n", [2, 5, 100])
def test_fair_crps_of_few_samples_is_on_average_that_of_their_distribution(n):
    rng = generator(0, "crps", n)
    y = rng.normal(1, 2, 40_000)
    found = scores.crps(y, rng.normal(0.5, 1.5, (40_000, n)))
    expected = gaussian_crps(0.5, 1.5, y)
    difference = found - expected
    assert abs(difference.mean()) < 4 * stats.sem(difference)
    assert expected.mean() == pytest.approx(
        gaussian_crps(0.5, 1.5, stats.norm(1, 2).ppf(np.linspace(0, 1, 4001)[1:-1])).mean(), rel=0.03
    )


def test_crps_of_many_samples_is_the_closed_form():
    grid = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    for y in (-2.0, 0.0, 0.7):
        assert scores.crps(y, 3 + 2 * grid, fair=False) == pytest.approx(gaussian_crps(3, 2, y), abs=1e-3)


def test_crps_is_the_mean_over_pairs_by_hand():
    y, x = 1.0, np.array([0.0, 2.0, 5.0])
    away, between = (1 + 1 + 4) / 3, 2 * (2 + 5 + 3)
    assert scores.crps(y, x) == pytest.approx(away - between / 6 / 2)
    assert scores.crps(y, x, fair=False) == pytest.approx(away - between / 9 / 2)
    assert scores.crps(y, [4.0], fair=False) == 3  # of a point it is the absolute error


@pytest.mark.parametrize("fair", [True, False])
def test_the_energy_score_of_a_number_is_its_crps(fair):
    rng = generator(1)
    true, samples = rng.standard_normal(50), rng.standard_normal((50, 20))
    one = scores.crps(true, samples, fair)
    assert scores.energy_score(true, samples, fair) == pytest.approx(one, abs=1e-12)
    assert scores.energy_score(true[:, None, None], samples[:, :, None, None], fair) == pytest.approx(one, abs=1e-12)


def test_the_energy_score_does_not_care_how_axes_are_turned():
    rng = generator(2)
    true, samples = rng.standard_normal((5, 4)), rng.standard_normal((5, 9, 4))
    turn, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    assert scores.energy_score(true @ turn, samples @ turn) == pytest.approx(scores.energy_score(true, samples))


FORECASTS = {"biased": (0.3, 1.0), "too narrow": (0.0, 0.6), "too wide": (0.0, 1.6)}


@pytest.mark.parametrize("name", FORECASTS)
def test_the_true_forecast_has_the_best_score(name):
    """Of random walks of 10 steps; the document's error cannot tell the last two from the truth."""
    rng = generator(3, name)

    def walks(bias, width, *shape):
        return np.cumsum(bias + width * rng.standard_normal((*shape, 10)), axis=-1)

    true, right, wrong = walks(0, 1, 2000), walks(0, 1, 2000, 30), walks(*FORECASTS[name], 2000, 30)
    for score in (scores.crps, scores.energy_score):
        worse = (score(true, wrong) - score(true, right)).reshape(2000, -1).mean(axis=1)
        assert worse.mean() > 4 * stats.sem(worse)


def test_only_the_energy_score_sees_wrong_dependence_between_frames():
    rng = generator(4)
    true, right = (np.cumsum(rng.standard_normal(shape), axis=-1) for shape in ((2000, 10), (2000, 30, 10)))
    shuffled = rng.permuted(right, axis=1)  # the same values of each frame, of one trajectory no more
    assert scores.crps(true, shuffled) == pytest.approx(scores.crps(true, right))
    worse = scores.energy_score(true, shuffled) - scores.energy_score(true, right)
    assert worse.mean() > 4 * stats.sem(worse)


@pytest.mark.parametrize("n", [19, 99])
def test_intervals_of_few_samples_cover_as_they_say(n):
    rng = generator(5, n)
    common = rng.standard_normal((4000, 1))  # frames of one trajectory are not independent
    true, samples = common + rng.standard_normal((4000, 3)), common[:, None] + rng.standard_normal((4000, n, 3))
    found = scores.coverage(true, samples, (0.5, 0.9))
    assert (abs(found.coverage - found.level) < 4 * found.error).all()
    assert found.error.iloc[0] == pytest.approx(np.sqrt(0.25 / 3 / 4000), rel=0.5)


def test_mse_of_average_trajectories_by_hand():
    true = scores.tabulate_trajectories([[1, 2], [3, 4], [10, 10]], [1, 1, 7])  # averages 2, 3 and 10, 10
    drawn = scores.tabulate_trajectories([[[2, 5]], [[11, 10]]], [1, 7])
    assert scores.trajectory_mse(true, drawn) == (0 + 4 + 1 + 0) / 4
    assert scores.trajectory_mse(true, true) == 0
    shuffled = pd.concat([true, true, true]).sample(frac=1, random_state=1)  # rows have no order, and may repeat
    assert scores.trajectory_mse(shuffled, drawn) == scores.trajectory_mse(true, drawn)
    named = {"by": "Parameter", "frame": "t", "value": "x"}
    renamed = [table.set_axis(named.values(), axis=1) for table in (true, drawn)]
    assert scores.trajectory_mse(*renamed, **named) == scores.trajectory_mse(true, drawn)


def test_the_documents_error_is_blind_to_scatter():
    rng = generator(6)
    true = rng.standard_normal((3, 40, 5))
    tables = [
        scores.tabulate_trajectories(values, range(3))
        for values in (true, 100 * (true - true.mean(axis=1, keepdims=True)) + true.mean(axis=1, keepdims=True))
    ]
    assert scores.trajectory_mse(*tables) == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scores.crps([1.0, 2.0], [1.0, 2.0]), r"needs samples \(k, n, ...\), got \(2,\) and \(2,\)"),
        (lambda: scores.crps([1.0, np.nan], np.ones((2, 3))), "must be finite"),
        (lambda: scores.crps([1.0], [[1.0]]), "samples must be at least 2, got 1"),
        (lambda: scores.energy_score(1.0, [1.0, 2.0]), "use crps"),
        (lambda: scores.coverage([1.0], np.ones((1, 5)), (0.9,)), "level = 0.9 needs at least 19 samples, got 5"),
        (lambda: scores.tabulate_trajectories([[1, 2]], [1, 2]), "need k parameters"),
        (lambda: scores.average_trajectories(pd.DataFrame({"a": [1]})), "no column 'Strength'; it has a"),
    ],
)
def test_what_cannot_be_scored_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_tables_of_other_parameters_or_frames_are_refused():
    true = scores.tabulate_trajectories([[1, 2], [3, 4]], [1, 2])
    with pytest.raises(ValueError, match=r"same \(Strength, Frame No\); 2 are in one only"):
        scores.trajectory_mse(true, true[true["Strength"] == 1])
    with pytest.raises(ValueError, match="each Strength must have all values of Frame No"):
        scores.trajectory_mse(true.iloc[1:], true.iloc[1:])
    with pytest.raises(ValueError, match="Cloud Size must be finite"):
        scores.trajectory_mse(true.assign(**{"Cloud Size": np.nan}), true)
