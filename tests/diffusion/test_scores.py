"""Scores of estimates whose errors are known."""

import numpy as np
import pandas as pd
import pytest

from particlelab import diffusion
from particlelab.randomness import generator


def test_scores_of_drawn_estimates_are_those_they_were_drawn_with():
    """Normal errors of 20 % about a mean 10 % too large: sqrt(0.01 + 0.04); intervals of +-0.2 hold 62.5 %."""
    n, true = 40_000, 2.0
    found = true * (1.1 + 0.2 * generator(0).standard_normal(n))
    table = pd.DataFrame(
        {"true_um2_s": true, "movie": np.arange(n), "method": "drawn", "diffusion_um2_s": found}
        | {"lower": found - 0.4, "upper": found + 0.4}
    )
    score = diffusion.summarise(table, diffusion.Imaging()).iloc[0]
    assert score.bias == pytest.approx(0.1, abs=4 * score.bias_error)
    assert score.bias_error == pytest.approx(0.2 / n**0.5, rel=0.05)
    assert score.relative_error == pytest.approx(0.05**0.5, abs=4 * score.relative_error_error)
    assert score.relative_error_error < 0.002
    assert score.coverage == pytest.approx(0.6247, abs=0.01)  # P(-1.5 < z < 0.5)
    bound = diffusion.crlb(true, 0.01, 16, diffusion.localisation_bound(diffusion.Imaging()))
    assert score.over_bound == pytest.approx(score.relative_error / bound)


def test_estimators_from_tracks_reach_what_their_bound_says():
    """Where blobs are little wider than the point-spread function, 0.1 um^2/s; to four standard errors."""
    parameters = diffusion.Comparison(movies=500, diffusions_um2_s=(0.1,))
    scores = diffusion.summarise(diffusion.compare({}, parameters, generator(0)), parameters).set_index("method")
    mle = scores.loc["mle"]
    assert abs(mle.bias) < 4 * mle.bias_error + 0.02
    assert mle.over_bound == pytest.approx(1, abs=4 * mle.relative_error_error / mle.relative_error + 0.05)
    assert (scores.relative_error > 0.9 * mle.relative_error).all()
    assert np.isnan(scores.coverage["document"])  # it gives no interval


def test_a_model_reads_the_same_movies():
    """A stand-in that knows nothing but the mean of the counts is given what estimators are given."""

    class Brightness:
        def predict(self, frames, imaging, coverage, beyond):
            value = frames.mean(axis=(1, 2, 3))
            return diffusion.Prediction(value, value, value)

    parameters = diffusion.Comparison(movies=3, diffusions_um2_s=(1.0, 2.0))
    table = diffusion.compare({"brightness": Brightness()}, parameters, generator(0))
    assert table.groupby(["method", "true_um2_s"]).size().eq(3).all() and set(table.method) > {
        "brightness",
        "cve",
        "mle",
    }
    assert table[table.method == "brightness"].diffusion_um2_s.mean() == pytest.approx(1 + 500 / 4096, rel=0.01)


def test_a_card_says_how_far_a_network_is_off_and_how_far_tracks_are():
    """A stand-in whose answers are 10 % too large and whose intervals hold the truth at one D of five."""

    class Off:
        imaging, card = diffusion.Imaging(), {}

        def predict(self, frames, imaging, coverage, beyond):
            value = np.full(len(frames), 1.1 * next(self.truths))
            return diffusion.Prediction(value, value - 0.02, value)

    model = Off()
    model.truths = iter([0.1, 0.3, 1.0, 3.0, 10.0])
    diffusion.judge(model, 3, generator(0))
    scores = model.card["scores"]
    assert scores.pop("movies of each D") == 3 and len(scores) == 5
    for name, score in scores.items():
        assert score["bias"] == score["relative_error"] == pytest.approx(0.1)
        assert score["coverage"] == (name == "D = 0.1 um^2/s")
        assert score["relative_error of mle"] > 0
        assert {key.split(" of ")[0] for key in score} <= set(model.card["what the scores mean"])
    assert "90 % intervals" in model.card["what the scores mean"]["coverage"]


def test_the_documents_estimate_of_straight_motion():
    """(v m t)^2 against m t, m = 1 ... 15, has a slope of v^2 t (sum of cubes) / (sum of squares)."""
    interval, speed = 0.02, 3.0
    straight = np.arange(16)[:, None] * interval * 1e3 * np.array([speed, 0.0])
    assert diffusion.fit_all_lags(straight[None], interval) == pytest.approx([speed**2 * interval * 120**2 / 1240 / 4])


def test_the_documents_estimate_is_right_on_average_and_scatters_far_more_than_the_bound():
    """Brownian motion without noise or blur: 83 %, as of the document's targets; the bound is 1 / sqrt(15)."""
    n, true = 4000, 1.5
    steps = generator(0).standard_normal((n, 15, 2)) * 1e3 * (2 * true * 0.01) ** 0.5
    tracks = np.concatenate([np.zeros((n, 1, 2)), steps.cumsum(axis=1)], axis=1)
    found = diffusion.fit_all_lags(tracks, 0.01) / true
    assert found.mean() == pytest.approx(1, abs=4 * found.std() / n**0.5)
    assert found.std() == pytest.approx(0.83, abs=0.04) and found.std() > 3 * 15**-0.5
    assert np.isnan(diffusion.fit_all_lags(np.full((1, 16, 2), np.nan), 0.01)).all()
