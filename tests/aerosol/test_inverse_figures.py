"""Figures of what series tell: likelihoods, posteriors, intervals and films show the numbers that they are given."""

import numpy as np
import pandas as pd
import pytest

from particlelab.aerosol import figures
from particlelab.aerosol.inverse_studies import BY_SERIES, BY_STEPS, STILL, UNKNOWN
from particlelab.randomness import generator

STRENGTHS = np.linspace(1, 15, 29)
ESTIMATES = pd.DataFrame(
    {
        "method": BY_SERIES,
        "asked": [STILL, STILL, UNKNOWN],
        "parameter": "strength",
        "true": [2.0, 8.0, 5.0],
        "low": [1.0, 9.0, 4.0],
        "median": [2.5, 10.0, 5.0],
        "high": [4.0, 11.0, 6.0],
    }
)


def named(figure, name):
    return [trace for trace in figure.data if trace.name == name]


def test_a_likelihood_is_shown_relative_to_its_highest():
    logarithm = -0.5 * ((STRENGTHS - 8) / 2) ** 2 - 1000
    figure = figures.likelihoods(STRENGTHS, {BY_STEPS: logarithm}, 7.0)
    (curve,) = named(figure, BY_STEPS)
    assert curve.y == pytest.approx(np.exp(logarithm + 1000))
    assert set(named(figure, "truth")[0].x) == {7.0} and figure.layout.xaxis.title.text == "Strength of the turbulence"


def test_a_posterior_is_a_density_with_its_interval_below():
    prior = generator(0, "prior").uniform((1, -0.3), (15, 0.3), (4000, 2))
    weights = {BY_SERIES: np.exp(-0.5 * ((prior[:, 0] - 8) / 2) ** 2), BY_STEPS: np.ones(len(prior))}
    rows = [("strength", BY_SERIES, 8.0, 4.7, 11.3), ("strength", BY_STEPS, 8.0, 1.7, 14.3)]
    table = pd.DataFrame(rows, columns=["parameter", "likelihood of", "median", "lower", "upper"])
    figure = figures.posteriors(prior, weights, table, {"strength": 7.0, "wind": 0.1})
    for method in weights:
        (curve,) = named(figure, method)
        assert np.trapezoid(curve.y, curve.x) == pytest.approx(1, abs=0.05)
    peaked = np.asarray(named(figure, BY_SERIES)[0].y)
    exact = np.exp(-0.5 * ((np.asarray(named(figure, BY_SERIES)[0].x) - 8) / 2) ** 2) / (2 * (2 * np.pi) ** 0.5)
    assert peaked == pytest.approx(exact, abs=0.02)
    bar = next(trace for trace in figure.data if trace.error_x.array is not None)
    assert (bar.x[0] - bar.error_x.arrayminus[0], bar.x[0] + bar.error_x.array[0]) == pytest.approx((4.7, 11.3))


def test_what_misses_the_truth_is_shown_apart():
    figure = figures.estimates(ESTIMATES)
    assert [list(trace.x) for trace in named(figure, "holds the truth")] == [[2.0], [5.0]]
    assert [list(trace.x) for trace in named(figure, "misses it")] == [[8.0], []]


def test_coverage_stands_over_what_it_should_be_within_its_band():
    levels = [0.5, 0.9]
    columns = {"method": BY_SERIES, "asked": STILL, "parameter": "strength", "level": levels}
    figure = figures.coverages(pd.DataFrame(columns | {"coverage": [0.4, 0.95], "error": [0.05, 0.03]}))
    (curve,) = named(figure, f"{BY_SERIES}, {STILL}")
    assert list(curve.x) == levels and list(curve.y) == [0.4, 0.95]
    (band,) = named(figure, "right, by chance")
    assert {(0.5, 0.4), (0.9, 0.84), (0.9, 0.96)} <= {
        (round(float(x), 6), round(float(y), 6)) for x, y in zip(band.x, band.y, strict=True)
    }


def test_errors_are_shown_over_frames_beside_that_of_who_sees_nothing():
    scores = pd.DataFrame({"asked": STILL, "parameter": "strength", "frames": [5, 30], "error": [3.0, 1.8]})
    figure = figures.errors_by_frames(scores, {"strength": 4.04})
    (curve,) = named(figure, STILL)
    assert list(curve.y) == [3.0, 1.8] and list(named(figure, "nothing seen")[0].y) == [4.04, 4.04]


def test_sizes_found_stand_over_true_ones_and_over_frames():
    scores = pd.DataFrame({"frame": [1, 2], "true": [2.0, 6.0], "found": [2.5, 5.0]})
    (dots,) = named(figures.sizes_found(scores), "a frame")
    assert (list(dots.x), list(dots.y)) == ([2.0, 6.0], [2.5, 5.0])
    curves = figures.size_curves(scores)
    assert [list(named(curves, name)[0].y) for name in ("true", "found")] == [[2.0, 6.0], [2.5, 5.0]]


def test_a_film_is_shown_from_first_to_last_and_a_long_one_plays_in_part():
    images = np.zeros((130, 16, 16, 3), np.uint8)
    masks = np.zeros(images.shape[:3], bool)
    told = [note.text for note in figures.film(images, masks, count=4, frame_time_s=0.04).layout.annotations]
    assert told[0] == "frame 1, 0.04 s" and told[-1] == "frame 130, 5.20 s" and len(told) == 4
    assert len(figures.measured_playing(images, masks).layout.sliders[0].steps) == 60
    assert len(figures.found_playing(images[:7], masks[:7], masks[:7]).layout.sliders[0].steps) == 7
    assert len(figures.found_film(images, masks, masks, 0.04).layout.annotations) == 6
