"""Strength and wind from series: where the answer is known in closed form, and on clouds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from particlelab.aerosol import inverse_learning
from particlelab.aerosol.clouds import simulate_cloud
from particlelab.aerosol.dataset import choose_scene
from particlelab.aerosol.inverse import (
    draw_prior,
    find_intervals,
    find_power,
    find_ranks,
    infer_parameters,
    log_likelihood,
)
from particlelab.aerosol.inverse_learning import load_models, survey_to_ask, survey_to_learn
from particlelab.aerosol.inverse_scores import count_coverage, group_by_strength, infer_all, score_estimates
from particlelab.aerosol.inverse_studies import KNOWN, UNKNOWN, InverseStudy
from particlelab.aerosol.people import draw_people
from particlelab.aerosol.rendering import mask_cloud
from particlelab.aerosol.sde import load_sde
from particlelab.aerosol.series import fit_series, load_series
from particlelab.aerosol.sizes import cloud_size
from particlelab.aerosol.surveys import Surveyed, gather_series, steps_of, survey, tabulate_series
from particlelab.randomness import generator

STEP, FRAMES = 0.04, 20
NOISE = 0.2
STUDY = InverseStudy(frames=FRAMES, frames_compared=(FRAMES,))


def make_series(n, rng, shared=0.0):
    """Series whose logarithms are lines of slope a + 2 b against the number of the frame, and of level b, with noise.

    ``shared``: deviation of a slope that each series has by chance, so that its steps are not independent.
    """
    known = np.stack([rng.uniform(1, 15, n), rng.uniform(-0.3, 0.3, n)], axis=1)
    along = np.linspace(0, 1, FRAMES)
    slopes = known[:, :1] / 5 + shared * rng.standard_normal((n, 1))
    noise = NOISE * rng.standard_normal((n, FRAMES))
    return Surveyed(np.exp(0.5 + 2 * known[:, 1:] + slopes * along + noise), known)


@pytest.fixture(scope="module")
def model():
    return fit_series(*make_series(1500, generator(1), shared=0.3), STEP, ("strength", "wind"))


def test_the_posterior_is_that_of_a_linear_normal_model_in_closed_form():
    """Logarithms are linear in the parameters, the noise is normal: so is the posterior, of known covariance."""
    known = make_series(4000, generator(2))
    model = fit_series(*known, STEP, ("strength", "wind"))
    design = np.stack([np.linspace(0, 1, FRAMES) / 5, np.full(FRAMES, 2.0)], axis=1)
    covariance = np.linalg.inv(design.T @ design) * NOISE**2
    asked = make_series(40, generator(3))
    inside = np.flatnonzero((np.abs(asked.covariates[:, 0] - 8) < 3) & (np.abs(asked.covariates[:, 1]) < 0.15))
    prior = draw_prior((1, 15), (-0.3, 0.3))
    widths, middles = [], []
    for curve in asked.sizes[inside]:
        expected = covariance @ design.T @ (np.log(curve) - 0.5) / NOISE**2
        low, middle, high = find_intervals(log_likelihood(curve, model, prior, STEP), prior)
        widths.append((high - low) / (2 * stats.norm.ppf(0.95) * np.sqrt(np.diag(covariance))))
        middles.append((middle - expected) / np.sqrt(np.diag(covariance)))
    np.testing.assert_allclose(np.mean(widths, axis=0), 1, atol=0.1)
    assert np.abs(middles).max() < 0.6 and np.abs(np.mean(middles, axis=0)).max() < 0.2


def test_intervals_of_whole_series_cover_though_steps_are_not_independent(model):
    """At all levels, to four binomial standard errors, without any power."""
    estimates = infer_all({"whole": model}, make_series(500, generator(4), shared=0.3), UNKNOWN, STUDY)
    counted = count_coverage(estimates)
    assert (np.abs(counted.coverage - counted.level) < 4 * counted.error + 0.01).all()
    scores = score_estimates(estimates, {"strength": 14.0, "wind": 0.6})
    assert (np.abs(scores.coverage - 0.9) < 4 * (0.09 / 500) ** 0.5 + 0.01).all()
    assert (scores.sharpness < 0.6).all()


def test_who_knows_the_wind_knows_the_strength_better(model):
    asked = make_series(200, generator(5), shared=0.3)
    known, unknown = (infer_all({"whole": model}, asked, what, STUDY) for what in (KNOWN, UNKNOWN))
    errors = [
        score_estimates(table, {"strength": 14.0, "wind": 0.6}).set_index("parameter").width["strength"]
        for table in (known, unknown)
    ]
    assert errors[0] < errors[1]
    assert set(known.parameter) == {"strength"} and len(unknown) == 2 * len(known) == 400


def test_the_first_frames_of_a_series_are_enough_to_ask_and_tell_less(model):
    asked = make_series(150, generator(6), shared=0.3)
    errors = [
        score_estimates(infer_all({"w": model}, asked, UNKNOWN, STUDY, n), {"strength": 14, "wind": 0.6})
        for n in (4, 20)
    ]
    assert errors[0].error[0] > 1.2 * errors[1].error[0]


def test_twice_the_time_between_frames_is_every_other_frame(model):
    """The model reads its series at the times that are asked about."""
    curve = make_series(1, generator(7)).sizes[0]
    at_odd = fit_series(model.sizes[:, 1::2], model.known, 2 * STEP, ("strength", "wind"))
    prior = draw_prior((1, 15), (-0.3, 0.3))
    both = [one.log_likelihood(curve[1::2], prior, 2 * STEP) for one in (model, at_odd)]
    np.testing.assert_allclose(*both, rtol=1e-9)
    for h in (STEP / 2, 3 * STEP):
        with pytest.raises(ValueError, match=r"the model knows 20 frames of 0\.04; it cannot tell of 20 frames"):
            model.log_likelihood(curve, prior, h)


def test_ranks_of_the_truth_are_even_where_the_posterior_is_right():
    """A normal likelihood of known width; truths from the prior (simulation-based calibration)."""
    rng = generator(8)
    prior = np.linspace(0, 1, 2001)[:, None]
    truths = rng.uniform(0, 1, 800)
    ranks = []
    for true in truths:
        seen = true + 0.2 * rng.standard_normal()
        ranks.append(find_ranks(stats.norm.logpdf(prior[:, 0], seen, 0.2), prior, true)[0])
    assert stats.kstest(ranks, "uniform").pvalue > 1e-3
    assert find_ranks(np.zeros(2001), prior, -1.0) == [0.0]


def test_draws_of_the_prior_are_even():
    prior = draw_prior((1, 15), (-0.3, 0.3))
    for column, low, high in ((0, 1, 15), (1, -0.3, 0.3)):
        assert stats.kstest(prior[:, column], stats.uniform(low, high - low).cdf).statistic < 0.01
    still = draw_prior((1, 15), None, 0.2)
    assert (still[:, 1] == 0.2).all() and (np.diff(still[:, 0]) > 0).all()


def test_scores_by_hand():
    rows = [("a", "still air", 30, n, "strength", 5.0, low, 5.0 + off, high, rank) for n, (low, off, high, rank) in
            enumerate([(4, 0, 6, 0.5), (4, 1, 8, 0.2), (6, 2, 7, 0.01), (1, -1, 5, 0.95)])]  # fmt: skip
    table = pd.DataFrame(
        rows, columns=["method", "asked", "frames", "series", "parameter", "true", "low", "median", "high", "rank"]
    )
    score = score_estimates(table, {"strength": 14.0}).iloc[0]
    assert (score.coverage, score.coverage_error) == (0.75, (0.75 * 0.25 / 4) ** 0.5)
    assert score.error == pytest.approx((6 / 4) ** 0.5) and score.width == pytest.approx(11 / 4)
    assert score.sharpness == pytest.approx(11 / 4 / (0.9 * 14))
    counted = count_coverage(table, (0.5, 0.9)).coverage.tolist()
    assert counted == [0.25, 0.75]  # distances of ranks from a half: 0, 0.3, 0.49, 0.45
    assert set(group_by_strength(table, (1, 15)).group) == {"low"}


def test_steps_and_rows_are_those_of_the_series():
    surveyed = Surveyed(np.array([[1.0, 2, 4], [3, 5, 9]]), np.array([[2.0, 0.1], [7, -0.2]]))
    x0, x1, p = steps_of(surveyed, 2)
    assert x0.tolist() == [1, 2, 3, 5] and x1.tolist() == [2, 4, 5, 9] and p[:, 0].tolist() == [2, 2, 7, 7]
    table = tabulate_series(surveyed)
    assert table["Cloud Size"].tolist() == [1, 2, 4, 3, 5, 9] and table["Frame No"].tolist() == 2 * [1, 2, 3]
    assert table["Wind Factor"].tolist() == 3 * [0.1] + 3 * [-0.2]
    for one, other in zip(gather_series(table.sample(frac=1, random_state=0)), surveyed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert gather_series(table, [2]).sizes.tolist() == [[3, 5, 9]]


def test_no_breath_and_no_person_is_both_learned_from_and_asked_about(monkeypatch):
    """What is simulated is told by numbers of breaths and persons; strengths and winds are even."""
    wanted = []

    def note(parameters, n, first_person, workers, progress):
        scenes = [choose_scene(parameters, number, 0) for number in range(n)]
        wanted.append((scenes, {first_person + number for number in range(n)}))
        return Surveyed(np.zeros((n, 2)), np.array([(one.strength, one.wind_factor) for one, _ in scenes]))

    monkeypatch.setattr(inverse_learning, "survey", note)
    p = InverseStudy(series=600, training=400, calibration=200)
    learned, calibrating = survey_to_learn(p)
    still, windy = (survey_to_ask(p, wind) for wind in (False, True))
    assert [len(one.sizes) for one in (learned, calibrating, still, windy)] == [600, 200, 600, 600]
    seeds = [seed for scenes, _ in wanted for _, seed in scenes]
    assert len(set(seeds)) == len(seeds) == 2000
    people = [some for _, some in wanted]  # of those with wind, in still air; asked about in still air, with wind
    assert not (people[0] | people[1]) & (people[2] | people[3]) and not people[2] & people[3]
    strengths, winds = (
        np.concatenate([one.covariates[one.covariates[:, 1] != 0, k] for one in (learned, calibrating, windy)])
        for k in range(2)
    )
    assert stats.kstest(strengths, stats.uniform(1, 14).cdf).pvalue > 1e-3
    assert stats.kstest(winds, stats.uniform(-0.3, 0.6).cdf).pvalue > 1e-3
    assert (still.covariates[:, 1] == 0).all()


def test_a_survey_is_that_of_its_simulations():
    """Size by size: the cloud of the scene and seed that the data set chooses, in front of the person of its number."""
    p = InverseStudy(grid=16, frames=2, frames_compared=(2,), wind_low=-0.2, wind_high=0.1)
    found = survey(p, 2, 12, 1)
    for number, person in enumerate(draw_people(13)[11:]):
        scene, seed = choose_scene(p, number, 0)
        sizes = cloud_size(mask_cloud(simulate_cloud(scene, seed), person, p.picture_px, scene=scene))
        np.testing.assert_array_equal(found.sizes[number], sizes)
        assert found.covariates[number].tolist() == [scene.strength, scene.wind_factor]


def test_models_are_kept_and_files_of_others_refused(model, tmp_path):
    path = model.save(tmp_path / "mine.safetensors")
    curve, prior = make_series(1, generator(9)).sizes[0], draw_prior((1, 15), (-0.3, 0.3))
    again = load_series(path)
    np.testing.assert_allclose(
        again.log_likelihood(curve, prior, STEP), model.log_likelihood(curve, prior, STEP), atol=0.01
    )
    with pytest.raises(ValueError, match="holds no stochastic differential equation"):
        load_sde(path)
    for other in ("growth-with-wind", "default"):  # an SDE, and the network that finds clouds
        with pytest.raises(ValueError, match="holds no model of series"):
            load_series(other)
    with pytest.raises(ValueError, match="holds no stochastic differential equation"):
        load_sde("default")


def test_models_that_ship_know_their_clouds_and_powers():
    """Of SDEs of clouds, whose steps have much in common, powers lie below those of whole series."""
    series, steps = load_models(asked=InverseStudy())
    with pytest.raises(ValueError, match=r"of grid = 48, box_m = 0.6, got grid = 32, box_m = 0.8; train = True"):
        load_models(asked=InverseStudy(grid=32, box_m=0.8))
    assert series.step == steps.step == load_sde("growth").step == 0.04 and steps.card["time_unit"] == "s"
    assert find_power(steps, 30) < find_power(series, 30)
    assert find_power(steps, 30) == steps.card["power"] == find_power(steps, 100)
    between = sorted((find_power(series, 10), find_power(series, 20)))
    assert between[0] <= find_power(series, 14) <= between[1]


def test_what_cannot_be_asked_is_said(model):
    prior = draw_prior((1, 15), (-0.3, 0.3))
    with pytest.raises(ValueError, match=r"prior must be \(m, 2\)"):
        infer_parameters(np.ones(20), model, prior[:, :1], rng=generator(0))
    far = np.exp(np.linspace(6, 9, FRAMES))
    with pytest.raises(ValueError, match=r"size_curve is told by 1\.0 of .* draws of the prior alone"):
        infer_parameters(far, model, prior, rng=generator(0))
    with pytest.raises(ValueError, match="size_curve must be"):
        log_likelihood([1.0, np.nan, 2.0], model, prior)
    with pytest.raises(ValueError, match="at least 50 series, got 3"):
        fit_series(np.ones((3, 5)), np.ones(3), STEP)
    with pytest.raises(ValueError, match="frames_compared must be at most frames = 10"):
        InverseStudy(frames=10)
    with pytest.raises(ValueError, match=r"training \+ calibration = 3200 must be at most 3000"):
        InverseStudy(training=3000)
    with pytest.raises(ValueError, match=r"first_simulation \+ series - 1 = 500040 must be at most 100000"):
        InverseStudy(first_simulation=500_001)
