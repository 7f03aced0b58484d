"""Figures of clouds and of their growth show the numbers that they are given, on axes that say what they are."""

import json

import numpy as np
import pandas as pd
import pytest

from particlelab.aerosol import figures
from particlelab.aerosol.sde import SDE, SDEParameters
from particlelab.randomness import generator

RNG = generator(0, "figures")
SIZES, STRENGTHS = np.linspace(1, 20, 7), np.array([2.0, 9.0])


def made_up(members=1):
    """An SDE with networks that nobody trained."""
    rng = generator(1, "networks")
    shapes = {"0.kernel": (2, 5), "0.bias": (5,), "1.kernel": (5, 1), "1.bias": (1,)}
    networks = [
        {
            f"{name}_{key}": rng.standard_normal(shape).astype(np.float32)
            for name in ("drift", "diffusivity_0")
            for key, shape in shapes.items()
        }
        for _ in range(members)
    ]
    units = {"centre": [8.0, 8.0], "spread": [6.0, 4.0], "scale": [0.5], "step": 1.0}
    parameters = SDEParameters(layers=1, width=5, members=members).model_dump(mode="json")
    return SDE({"parameters": parameters, "dimension": 1, "covariates": 1} | units, networks)


ONE, THREE = made_up(), made_up(3)
FRAMES = np.arange(1, 6)
CURVES = pd.DataFrame(RNG.random((2, 5)), index=STRENGTHS, columns=FRAMES)
PATHS = RNG.random((3, 5)).cumsum(axis=1)
TABLE = pd.DataFrame(
    {
        "Person": np.repeat([1, 1, 2], 5),
        "Simulation": np.repeat([1, 2, 1], 5),
        "Frame No": np.tile(FRAMES, 3),
        "Cloud Size": PATHS.ravel(),
        "Strength": np.repeat([2.0, 9.0, 2.0], 5),
    }
)
HISTORY = pd.DataFrame(
    {"member": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "loss": [3.0, 2, 3, 1], "val_loss": [3.5, 2.5, 3, 2]}
)
SCORES = pd.DataFrame(
    {
        "experiment": ["one", "one", "other", "other"],
        "seed": [0, 1, 0, 1],
        "MSE": [1.0, 3.0, 2.0, 2.5],
        "CRPS": [1.0, 1.1, 2.0, 2.1],
    }
)
TRIALS = pd.DataFrame(
    {
        "layers": [1, 2, 2],
        "width": [8, 8, 16],
        "learning_rate": [1e-3, 1e-2, 1e-2],
        "epochs": [1, 3, 9],
        "val_loss": [1.0, 0.5, 0.2],
    }
)
NOISE = RNG.standard_normal(200)
ALL = {
    "losses": lambda: figures.losses(HISTORY),
    "drift_and_diffusivity": lambda: figures.drift_and_diffusivity(THREE, SIZES, STRENGTHS),
    "surfaces": lambda: figures.surfaces(ONE, SIZES, STRENGTHS),
    "trajectories": lambda: figures.trajectories(PATHS, PATHS + 1),
    "trajectories_3d": lambda: figures.trajectories(PATHS, PATHS + 1, np.array([2.0, 9.0, 2.0])),
    "average_trajectories": lambda: figures.average_trajectories(CURVES, CURVES + 1, three_d=False),
    "average_trajectories_3d": lambda: figures.average_trajectories(CURVES, CURVES + 1),
    "forecast": lambda: figures.forecast(PATHS, PATHS[:1]),
    "residuals": lambda: figures.residuals(NOISE, np.arange(200.0)),
    "losses_by_size": lambda: figures.losses_by_size({"one": [1.0, np.nan, 3.0]}, [1, 2, 3]),
    "weights": lambda: figures.weights(np.array([3.0, 1.0, 2.0]), {"one": np.array([30.0, 10.0, 20.0])}),
    "scores": lambda: figures.scores(SCORES, {"MSE": "MSE / %²", "CRPS": "CRPS / %"}),
    "ranks": lambda: figures.ranks(SCORES, {"MSE": "MSE"}, ("one", "other")),
    "trials": lambda: figures.trials(TRIALS),
    "growth": lambda: figures.growth(TABLE, None),
    "final_sizes": lambda: figures.final_sizes(TABLE),
    "histogram": lambda: figures.histogram({"one": np.array([1.0, 1, 2, 9])}, bins=3),
}


@pytest.mark.parametrize("name", ALL)
def test_axes_say_what_they_are_and_a_page_can_draw_it(name):
    figure = json.loads(ALL[name]().to_json())
    layout = figure["layout"]
    scenes = [value for key, value in layout.items() if key.startswith("scene")]
    axes = [axis for scene in scenes for key, axis in scene.items() if key.endswith("axis")]
    flat = {key: value for key, value in layout.items() if key[1:5] == "axis"}
    axes += [axis for key, axis in flat.items() if not (key[0] == "y" and axis.get("matches"))]
    axes = [axis for axis in axes if axis.get("showticklabels") is not False]
    assert figure["data"] and axes
    titled = [bool(axis.get("title", {}).get("text")) for axis in axes]
    if name in {"drift_and_diffusivity", "scores", "residuals"}:  # panels share the axis of the first
        assert sum(titled) >= len(titled) - 1
    else:
        assert all(titled), (name, axes)


def traces(figure, name=None, panel="x"):
    return [t for t in figure.data if (name is None or t.name == name) and (t.xaxis or "x") == panel]


def test_losses_are_those_of_all_members():
    drawn = sorted(tuple(trace.y) for trace in figures.losses(HISTORY).data)
    assert drawn == [(3.0, 1.0), (3.0, 2.0), (3.0, 2.0), (3.5, 2.5)]


def test_drift_and_diffusivity_are_what_the_sde_says_within_its_bands():
    figure = figures.drift_and_diffusivity(THREE, SIZES, STRENGTHS, coverage=0.8)
    for strength in STRENGTHS:
        bands = THREE.bands(SIZES, strength, 0.8)
        both = zip(("x", "x2"), (THREE.drift, THREE.diffusivity), bands, strict=True)
        for panel, function, (low, high) in both:
            (line,) = traces(figure, f"strength {strength:g}", panel)
            np.testing.assert_allclose(line.y, function(SIZES, strength)[:, 0])
            filled = [t.y for t in traces(figure, panel=panel) if t.fill == "toself"]
            ends = np.concatenate([low[:, 0], high[::-1, 0]])
            assert any(np.allclose(y, ends) for y in filled)


def test_surfaces_stand_over_size_and_strength():
    drift, diffusivity = figures.surfaces(ONE, SIZES, STRENGTHS).data
    for surface, function in ((drift, ONE.drift), (diffusivity, ONE.diffusivity)):
        for row, strength in enumerate(STRENGTHS):
            assert set(surface.y[row]) == {strength}
            np.testing.assert_allclose(surface.x[row], SIZES)
            np.testing.assert_allclose(surface.z[row], function(SIZES, strength)[:, 0], rtol=1e-5)  # of float32


@pytest.mark.parametrize("parameters", [None, np.array([2.0, 9.0, 2.0])])
def test_trajectories_are_lines_of_their_own(parameters):
    for trace, paths in zip(figures.trajectories(PATHS, PATHS + 1, parameters).data, (PATHS, PATHS + 1), strict=True):
        values = np.array(trace.y if parameters is None else trace.z).reshape(3, 6)
        np.testing.assert_array_equal(values[:, :5], paths)
        assert np.isnan(values[:, 5]).all()  # no line from one to the next
        np.testing.assert_array_equal(np.array(trace.x).reshape(3, 6)[:, :5], [FRAMES] * 3)
        if parameters is not None:
            np.testing.assert_array_equal(np.array(trace.y).reshape(3, 6)[:, 0], parameters)


@pytest.mark.parametrize("three_d", [True, False])
def test_average_trajectories_stand_side_by_side(three_d):
    figure = figures.average_trajectories(CURVES, CURVES + 1, three_d)
    for name, table in (("simulated", CURVES), ("learned", CURVES + 1)):
        drawn = [t.z if three_d else t.y for t in figure.data if t.name == name]
        np.testing.assert_array_equal(drawn, table.to_numpy())


def test_a_forecast_shows_quantiles_and_what_was_seen():
    samples = np.arange(101.0)[:, None] * [1.0, 2.0]
    figure = figures.forecast(samples, [[7.0, 8.0, 9.0]], first=4)
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name["learned, 90 %"].y) == [5, 10, 190, 95]
    assert list(by_name["learned, 50 %"].y) == [25, 50, 150, 75]
    assert list(by_name["learned"].y) == [50, 100]
    assert list(by_name["seen"].x) == [4, 5, 6] and list(by_name["seen"].y) == [7, 8, 9]


def test_a_forecast_without_anything_seen_is_drawn():
    assert not [t for t in figures.forecast(PATHS, np.empty((0, 5))).data if t.name == "seen"]


def test_residuals_that_are_normal_lie_on_the_line():
    noise = generator(2).standard_normal(20_000)
    dots = figures.residuals(noise, np.zeros(20_000)).data[0]
    assert np.corrcoef(dots.x, dots.y)[0, 1] > 0.999
    np.testing.assert_array_equal(dots.y, np.sort(noise))


def test_weights_are_drawn_along_the_sizes():
    (trace,) = ALL["weights"]().data
    assert list(trace.x) == [1, 2, 3] and list(trace.y) == [10, 20, 30]


def test_scores_have_a_dot_for_each_seed_and_their_mean():
    figure = ALL["scores"]()
    dots = [(t.y[0], sorted(t.x)) for t in traces(figure) if len(t.x) == 2]
    assert dict(dots) == {"one": [1.0, 3.0], "other": [2.0, 2.5]}
    assert {t.y[0]: t.x[0] for t in traces(figure, "mean")} == {"one": 2.0, "other": 2.25}


def test_ranks_are_by_seed_and_1_is_the_smallest():
    one, other = ALL["ranks"]().data
    assert list(one.y) == [1, 2] and list(other.y) == [2, 1]


def test_each_trial_is_drawn_by_its_size():
    """One layer of 8: 3 x 8 + 9 weights in each of two networks; the figure leaves out the last bias."""
    figure = ALL["trials"]()
    assert sorted(loss for t in figure.data for loss in t.y) == [0.2, 0.5, 1.0]
    small = next(t for t in figure.data if t.name == "learning rate 0.001")
    assert small.x[0] == pytest.approx(2 * (2 * 8 + 8 + 8), abs=2)


def test_a_histogram_counts():
    (trace,) = ALL["histogram"]().data
    assert list(trace.y[:3]) == [3, 0, 1]


def test_final_sizes_are_those_of_the_last_frame():
    dots, means = figures.final_sizes(TABLE).data
    np.testing.assert_allclose(dots.y, PATHS[:, -1])
    np.testing.assert_allclose(means.y, [PATHS[[0, 2], -1].mean(), PATHS[1, -1]])
