"""Figures of diffusion show the numbers that they are given, on axes that say what they are."""

import json

import numpy as np
import pandas as pd
import pytest

from particlelab import diffusion
from particlelab.diffusion import figures
from particlelab.diffusion.figures.look import METHODS, OTHERS, styles
from particlelab.randomness import generator

ONE = diffusion.OneMovie(frames=4, size=16, photons=3000)
WATCHED = diffusion.watch(ONE)
SUMMARY = pd.DataFrame(
    {
        "method": ["mle", "mle", "new", "new"],
        "true_um2_s": [1.0, 10.0, 1.0, 10.0],
        "bias": [0.01, -0.02, 0.2, 0.3],
        "bias_error": 0.005,
        "relative_error": [0.3, 0.4, 0.15, 0.2],
        "relative_error_error": 0.02,
        "over_bound": [1.2, 1.6, 0.6, 0.8],
        "coverage": [0.9, 0.8, np.nan, np.nan],
        "movies": 100,
    }
)
ESTIMATES = pd.DataFrame(
    {"true_um2_s": 1.0, "method": ["mle"] * 101 + ["cve"] * 101}
    | {"diffusion_um2_s": np.r_[np.linspace(0.5, 1.5, 101), np.linspace(-1, 3, 101)]}
)
PRECISION = pd.DataFrame(
    {"method": ["mle", "mle"], "photons": [100.0, 400.0], "error_nm": [20.0, 10.0]}
    | {"error_nm_error": 1.0, "bound_nm": [19.0, 9.5]}
)
TRACKS = pd.DataFrame(
    {
        "track": [0, 0, 7, 7],
        "frame": [0, 1, 3, 4],
        "x_nm": [100.0, 300.0, 1000.0, 900.0],
        "y_nm": [0.0, 50.0, 700.0, 1500.0],
    }
)
MOLECULES = pd.DataFrame(
    {"track": [4, 5, 6], "diffusion_um2_s": [3.0, 1.0, 2.0], "low": [2.0, 0.5, 1.5], "high": [5.0, 1.4, 3.0]}
    | {"crowded": [0.1, 0.9, 0.0]}
)
HISTORY = pd.DataFrame({"iteration": range(100), "loss": np.linspace(1, -1, 100), "learning_rate": 1e-3})
ANSWERS = pd.DataFrame(
    {"method": ["mle", "other"], "diffusion_um2_s": [2.1, -0.1], "low": [1.0, -1.0], "high": [3.0, 1.0]}
)
ALL = {
    "movie": lambda: figures.movie(WATCHED.frames, WATCHED.positions_nm, ONE, WATCHED.localised_nm),
    "filmstrip": lambda: figures.filmstrip(WATCHED.frames, ONE, WATCHED.positions_nm),
    "tracks": lambda: figures.tracks(np.ones((20, 30)), TRACKS, ONE),
    "msd": lambda: figures.msd(WATCHED.lags_s, WATCHED.curves, WATCHED.lines),
    "estimates_against_true": lambda: figures.estimates_against_true(ESTIMATES),
    "errors": lambda: figures.errors(SUMMARY),
    "biases": lambda: figures.biases(SUMMARY),
    "coverages": lambda: figures.coverages(SUMMARY),
    "errors_by": lambda: figures.errors_by(SUMMARY.assign(photons=SUMMARY.true_um2_s * 100), "photons", "Photons"),
    "localisation_errors": lambda: figures.localisation_errors(PRECISION),
    "molecules": lambda: figures.molecules(MOLECULES),
    "histogram": lambda: figures.histogram([1.0, 2.0, -1.0], 1.0),
    "training_history": lambda: figures.training_history(HISTORY),
    "answers": lambda: figures.answers(ANSWERS, 2.0),
    "estimates_of_one": lambda: figures.estimates_of_one(
        ESTIMATES[ESTIMATES.true_um2_s == ESTIMATES.true_um2_s.iloc[0]]
    ),
    "errors_by_cue": lambda: figures.errors_by_cue(
        SUMMARY.drop_duplicates("method").assign(without="way"), {"way": "way"}
    ),
}


@pytest.mark.parametrize("true", [0.013, 0.3, 2.0, 70.0])
def test_an_axis_of_answers_has_three_ticks_at_least(true):
    """At 1, 2 and 5 times a power of ten, also where all methods agree."""
    table = pd.DataFrame({"method": ["mle"], "diffusion_um2_s": [true], "low": [0.95 * true], "high": [1.05 * true]})
    low, high = 10.0 ** np.array(figures.answers(table, true).layout.xaxis.range)
    ticks = np.array([digit * 10.0**power for power in range(-4, 4) for digit in (1, 2, 5)])
    assert ((low < ticks) & (ticks < high)).sum() >= 3
    range_ = figures.answers(ANSWERS.assign(high=90.0), 2.0).layout.xaxis.range
    assert 10 ** range_[1] > 90  # and everything that is drawn


def test_every_true_d_is_a_line_of_a_histogram():
    shapes = figures.histogram([1.0, 2.0], [0.2, 2.0]).layout.shapes
    assert [shape.x0 for shape in shapes] == pytest.approx(np.log([0.2, 2.0]))
    assert not figures.histogram([1.0, 2.0]).layout.shapes


def by_name(figure):
    return {trace.name: trace for trace in figure.data}


def test_every_figure_is_tested():
    assert set(ALL) == set(figures.__all__) - {"label"}


def test_the_means_of_a_card_are_drawn_without_a_learning_rate():
    figure = figures.training_history(HISTORY[["iteration", "loss"]])
    assert len(figure.data) == 1 and list(figure.data[0].y) == list(HISTORY.loss)


@pytest.mark.parametrize("name", ALL)
def test_axes_of_numbers_say_what_they_are(name):
    figure = ALL[name]()
    for trace in figure.data:
        for letter in "xy":
            axis = figure.layout[(trace[f"{letter}axis"] or letter).replace(letter, f"{letter}axis", 1)]
            others = figure.select_xaxes() if letter == "x" else [axis]
            assert axis.visible is False or any(other.title.text for other in others)


def played(figure):
    """What each step of the slider shows: one dict of data by trace."""
    return [step.args[0][0]["data"] for step in figure.layout.sliders[0].steps]


def test_a_movie_plays_its_counts_and_the_path_so_far():
    figure = ALL["movie"]()
    play, _ = figure.layout.updatemenus[0].buttons
    steps = played(figure)
    assert len(steps) == len(play.args[0]) == ONE.frames
    path = WATCHED.positions_nm / 1e3
    for t, (image, so_far, within, found, text) in enumerate(steps):
        assert np.array_equal(image["z"], WATCHED.frames[t])
        assert np.allclose(np.transpose([so_far["x"], so_far["y"]]), path[: t + 1].reshape(-1, 2), atol=1e-6)
        assert np.allclose(np.transpose([within["x"], within["y"]]), path[t], atol=1e-6)
        assert np.allclose(found["x"], WATCHED.localised_nm[: t + 1, 0] / 1e3, atol=1e-6)
        assert text["text"] == [f"frame {t + 1}, {10 * t} ms"]
        assert np.array_equal(play.args[0][t]["data"][0]["z"], image["z"])
    assert np.array_equal(figure.data[0].z, steps[-1][0]["z"])  # it stands where the slider stands


def test_a_movie_in_which_nothing_is_found_shows_no_crosses():
    figure = figures.movie(WATCHED.frames, WATCHED.positions_nm, ONE, np.full((ONE.frames, 2), np.nan))
    crosses = by_name(figure)["localised"]
    assert np.isnan(crosses.x).all() and np.isnan(crosses.y).all()


def test_pixels_of_a_movie_lie_where_its_positions_say():
    """The centre of gravity of the light of a still molecule is where it is, off the middle of the field of view."""
    still = diffusion.Imaging(size=16, frames=1, photons=1e6, background=0)
    positions = np.tile([230.0, -150.0], (1, 1, 10, 1))
    frames = diffusion.render(positions, still, generator(0))[0]
    image = figures.movie(frames, positions[0], still).data[0]
    x, y = (image[f"{axis}0"] + image[f"d{axis}"] * np.arange(16) for axis in "xy")
    light = image.z / image.z.sum()
    assert (light.sum(axis=0) @ x, light.sum(axis=1) @ y) == pytest.approx((0.23, -0.15), abs=1e-3)


@pytest.mark.parametrize("values", [{}, {"camera": "emccd", "read_noise": 2.0}])
def test_a_movie_of_the_documents_size_is_below_a_megabyte(values):
    parameters = diffusion.OneMovie(**values)
    watched = diffusion.watch(parameters)
    figure = figures.movie(watched.frames, watched.positions_nm, parameters, watched.localised_nm)
    assert len(json.dumps(figure.to_plotly_json())) < 1e6


def test_counts_are_kept_where_rounding_would_show():
    few = np.linspace(0, 3, 4 * 64).reshape(4, 8, 8)
    shown = played(figures.movie(few, WATCHED.positions_nm, ONE))
    assert np.allclose(shown[2][0]["z"], few[2])
    many = 1e4 * few
    shown = played(figures.movie(many, WATCHED.positions_nm, ONE))
    assert np.abs(shown[2][0]["z"] - many[2]).max() <= 0.5


def test_a_filmstrip_holds_every_frame_once_and_the_path_on_it():
    frames = np.arange(5.0)[:, None, None] + np.zeros((5, 16, 16))
    imaging = diffusion.Imaging(size=16)
    positions = np.zeros((5, 1, 2))  # the middle of each frame
    sheet, path, _ = figures.filmstrip(frames, imaging, positions, columns=2).data
    assert [(sheet.z == value).sum() for value in range(5)] == [256] * 5
    at = [np.rint(np.asarray(path[axis])[::2] / 0.1).astype(int) for axis in "xy"]  # NaN between frames
    assert list(sheet.z[at[1], at[0]]) == list(range(5))


def test_tracks_are_numbered_where_they_begin():
    first, last = ALL["tracks"]().data[1:]
    assert list(first.text) == ["0", ""] and last.text[0] == "7"
    assert list(last.x) == [1.0, 0.9] and list(last.y) == [0.7, 1.5]
    assert "track 7" in last.hovertemplate and list(last.customdata) == [3, 4]


def test_errors_are_percent_with_the_bound_of_tracks():
    drawn = by_name(ALL["errors"]())
    assert list(drawn["Maximum likelihood"].y) == pytest.approx([30, 40])
    assert list(drawn["Maximum likelihood"].error_y.array) == pytest.approx([2, 2])
    assert list(drawn["bound of tracks"].y) == pytest.approx([25, 25])
    assert "bound of tracks" not in by_name(figures.errors(SUMMARY.drop(columns="over_bound")))


def test_bands_are_where_values_should_be():
    (bias, _), (coverage, _) = ALL["biases"]().layout.shapes, ALL["coverages"]().layout.shapes
    assert (bias.y0, bias.y1, coverage.y0, coverage.y1) == (-5, 5, 88, 92)
    drawn = by_name(ALL["coverages"]())
    assert set(drawn) == {"Maximum likelihood"}  # the other one has no intervals
    assert list(drawn["Maximum likelihood"].error_y.array) == pytest.approx([3, 4])  # binomial, 100 movies


def test_estimates_reach_from_5_to_95_percent_and_none_is_lost_below_0():
    drawn = by_name(ALL["estimates_against_true"]())
    mle, cve = drawn["Maximum likelihood"], drawn["Covariance (CVE)"]
    assert mle.y[0] == pytest.approx(1) and mle.error_y.array[0] == pytest.approx(0.45)
    assert mle.error_y.arrayminus[0] == pytest.approx(0.45)
    assert 0 < cve.y[0] - cve.error_y.arrayminus[0] < 0.1 and cve.error_y.array[0] == pytest.approx(1.8)
    assert mle.x[0] / cve.x[0] != pytest.approx(1) and mle.x[0] * cve.x[0] == pytest.approx(1)


def test_molecules_are_sorted_and_those_to_be_doubted_stand_out():
    drawn = by_name(ALL["molecules"]())
    assert {name: list(trace.customdata) for name, trace in drawn.items()} == {
        "measured": [6, 4],
        "near another molecule": [5],
    }
    assert [list(trace.x) for trace in drawn.values()] == [[2, 3], [1]]
    assert list(drawn["measured"].error_y.array) == [1, 2] and list(drawn["measured"].error_y.arrayminus) == [0.5, 1]


def test_a_method_has_one_colour_everywhere_and_unknown_ones_have_theirs():
    alone, beside = by_name(figures.errors(SUMMARY[:2])), by_name(ALL["errors"]())
    colours = {f["Maximum likelihood"].marker.color for f in (alone, beside, by_name(ALL["localisation_errors"]()))}
    assert colours == {METHODS["mle"].colour}
    names = ["mle", *(f"new {k}" for k in range(len(OTHERS) + 1))]
    given = styles(names)
    assert given["mle"] == METHODS["mle"] and given["new 1"].label == "new 1"
    assert [(given[name].colour, given[name].symbol) for name in names[1:]] == [*OTHERS, OTHERS[0]]


def test_the_mean_of_the_loss_follows_it():
    drawn = by_name(ALL["training_history"]())
    mean = drawn["its mean"]
    assert len(mean.x) == 50 and np.allclose(mean.y, np.interp(mean.x, HISTORY.iteration, HISTORY.loss))
