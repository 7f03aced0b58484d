"""Fitting: the fitter that ships recognises what it has not seen, and its intervals hold the truth as they say."""

import numpy as np
import pandas as pd
import pytest

from particlelab.micrographs.fitter import load_fitter
from particlelab.micrographs.fitting import Fitting, fit_image
from particlelab.micrographs.fitting_studies import (
    FittingStudy,
    draw_target,
    measure_recognition,
    summarise_errors,
    summarise_recognition,
)
from particlelab.micrographs.fitting_training import FitterTraining, regress, train_fitter
from particlelab.micrographs.turning import known_values


@pytest.fixture(scope="module")
def read():
    return measure_recognition(FittingStudy(recognised=2, seed=5))


def test_recipes_are_recognised(read):
    """At 95 % a picture, fewer than 16 of 20 come up once in 400 times."""
    assert (read[0]["rank"] == 1).sum() >= 16


def test_parameters_and_intervals_hold_the_truth(read):
    values = read[1]
    assert values.error.abs().median() < 0.15
    within = ((values.truth >= values.low - 1e-9) & (values.truth <= values.high + 1e-9)).mean()
    assert within > 0.75  # those of one picture go together: 20 pictures, 90 % each


def test_a_fit_is_what_it_says():
    """The recipe of the result has the values of the result, the target's size, and the best candidate's name."""
    target, truth = draw_target("worms", 3, 256, 5)
    fit = fit_image(
        target,
        ("worms", "rods", "droplets"),
        parameters=Fitting(steps=8, learning_rate=0.005, candidates=2, rendered=2, size_px=128),
    )
    assert fit.recipe.name == "worms"
    assert fit.rendering.shape == target.shape
    for name, value in known_values(fit.recipe, fit.recipe).items():
        found = fit.parameters[name]
        tolerance = 0.5 if name == "populations.number" else 1e-6 * value
        assert found.value == pytest.approx(value, abs=tolerance)
        assert found.low <= found.value * (1 + 1e-6) and found.value <= found.high * (1 + 1e-6)
    assert fit.parameters["technique.ground"].value == pytest.approx(truth["technique.ground"], rel=0.15)
    best = fit.candidates[fit.candidates.best]
    assert best.recipe.tolist() == ["worms"]
    assert fit.candidates.share.is_monotonic_decreasing
    steps = fit.history[fit.history.recipe == "worms"]
    assert steps.step.tolist() == list(range(9))
    assert steps.loss.min() < steps.loss.iloc[0]
    assert fit.history.picture.max() == len(fit.pictures) - 1


def test_lengths_go_with_the_pixel_size():
    target, _ = draw_target("worms", 3, 128, 5)
    few = Fitting(steps=0, candidates=1, rendered=1, size_px=64)
    plain = fit_image(target, ("worms",), parameters=few)
    doubled = fit_image(target, ("worms",), parameters=few, pixel_size_nm=2 * plain.recipe.pixel_size_nm)
    for name in ("populations.diameter_nm", "technique.free_path_nm"):
        assert doubled.parameters[name].value == pytest.approx(2 * plain.parameters[name].value)
    assert doubled.parameters["camera.blur_px"] == plain.parameters["camera.blur_px"]


def test_ridge_regression_finds_a_plane():
    """Without noise, and with more rows than numbers, slopes and middle are those of the plane."""
    rng = np.random.default_rng(0)
    rows, slopes = 5 * rng.standard_normal((4000, 6)), rng.standard_normal((6, 2))
    known = np.concatenate([rows @ slopes + [0.3, -1.0], np.full((4000, 1), np.nan)], 1)
    found, middles = regress(rows, known)
    np.testing.assert_allclose(found[:, :2], slopes, atol=2e-3)
    np.testing.assert_allclose(middles, [[0.3, -1.0, 0.5]], atol=2e-3)
    assert (found[:, 2] == 0).all()


def test_a_training_that_stopped_ends_as_one_that_did_not(tmp_path):
    small = FitterTraining(recipes=("beads", "shadows"), pictures=20, size_px=96, iterations=6, batch=4, members=1)
    whole = train_fitter(small, np.random.default_rng(3))

    def stop(share, text):
        if "iteration 4" in text:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        train_fitter(small, np.random.default_rng(3), tmp_path, stop)
    again = train_fitter(small, np.random.default_rng(3), tmp_path)
    for a, b in zip(whole.network.state_dict().values(), again.network.state_dict().values(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    saved = load_fitter(again.save(tmp_path / "small.safetensors"))
    rows = np.random.default_rng(0).normal(again.network.mean, again.network.spread, (3, len(again.scatter)))
    np.testing.assert_allclose(saved.predict(rows).shares, again.predict(rows).shares, atol=0.02)  # 16 bits


def test_summaries_are_those_of_a_hand():
    recognised = pd.DataFrame({"target": list("aab"), "found": list("aaa"), "share": 1.0, "rank": [1, 1, 2]})
    table = summarise_recognition(recognised).set_index("recipe")
    assert table.share.round(6).to_dict() == {"a": 1.0, "b": 0.0, "all": 0.666667}
    values = pd.DataFrame(
        {"parameter": "x", "truth": 1.0, "low": 0.9, "high": [1.1, 1.1, 0.95], "error": [0.1, -0.2, 0.6]}
    )
    row = summarise_errors(values).iloc[0]
    assert (row.median_error, round(row.within, 6)) == (0.2, 0.666667)


def test_bad_input_is_refused():
    picture = np.zeros((128, 128))
    with pytest.raises(ValueError, match="does not know the recipe 'honey'"):
        fit_image(picture, ("honey",))
    with pytest.raises(ValueError, match="at least 64"):
        fit_image(np.zeros((8, 8)))
    with pytest.raises(ValueError, match="pixel_size_nm must be positive"):
        fit_image(picture, pixel_size_nm=-1)
