"""Figures of STEM particles show the numbers that they are given, on axes that say what they are."""

import numpy as np
import pandas as pd
import pytest

from particlelab import stem
from particlelab.stem import figures

LOOKED = stem.look_around(stem.OneParticle(views=3))
SCORES = pd.DataFrame(
    {
        "experiment": ["a", "b"],
        "accuracy": [0.5, 0.9],
        "accuracy_low": [0.3, 0.89],
        "accuracy_high": [0.7, 0.92],
        "document": [np.nan, 0.8],
    }
)
GAINS = pd.DataFrame({"experiment": ["a", "b"], "gain": [0.1, 0.2], "gain_low": [0.0, 0.1], "gain_high": [0.3, 0.3]})
EPOCHS = {f"{part}{name}": [0.5, 0.6] for part in ("", "val_") for name in ("accuracy", "loss")}
TASKS = {f"{part}{task}_accuracy": [0.5, 0.6] for part in ("", "val_") for task in ("hole", "spiral")}
RELIABLE = stem.reliability(np.tile([0.2, 0.8], (50, 1)), np.repeat([0, 1], [10, 40]))
ALL = {
    "particle": lambda: figures.particle(
        LOOKED.layers, LOOKED.angles, LOOKED.sinogram_angles, LOOKED.sinogram, LOOKED.rays, LOOKED.projections
    ),
    "gallery": lambda: figures.gallery(LOOKED.layers, LOOKED.rays, LOOKED.projections[None], LOOKED.angles, ["one"]),
    "curves": lambda: figures.curves(LOOKED.rays, {"thickness": LOOKED.projections[0]}),
    "inspected": lambda: figures.inspected(
        LOOKED.layers, LOOKED.rays, LOOKED.projections, LOOKED.angles, LOOKED.projections, ("x", "y"), [0.3, 0.7], "y"
    ),
    "classified": lambda: figures.classified(
        LOOKED.rays, LOOKED.projections[None], pd.DataFrame({"particle": [7], "probability_hole": [0.2]})
    ),
    "training_history": lambda: figures.training_history(pd.DataFrame({"epoch": [1, 2], **EPOCHS})),
    "dual_history": lambda: figures.dual_history(pd.DataFrame({"epoch": [1, 2], **TASKS})),
    "accuracies": lambda: figures.accuracies(SCORES, {}),
    "accuracy_by_views": lambda: figures.accuracy_by_views(SCORES.assign(views=[1, 2])),
    "gains": lambda: figures.gains(GAINS, GAINS),
    "histogram": lambda: figures.histogram([1, 2, 2], "Values"),
    "reliability": lambda: figures.reliability({"network": RELIABLE}),
    "shares": lambda: figures.shares([0.1], [0.2], [0.15], np.array([[0.05, 0.3]]), "holes"),
}


def test_every_figure_is_tested():
    assert set(ALL) == set(figures.__all__)


def is_titled(figure, letter, name):
    """Whether an axis (``x``, ``y2``, ...) has a title, or the one below it has, or none of it is seen."""
    axis = figure.layout[name.replace(letter, f"{letter}axis", 1)]
    same = [other for other in figure.select_xaxes() if other.domain == axis.domain] if letter == "x" else [axis]
    return axis.visible is False or any(other.title.text for other in same)


@pytest.mark.parametrize("name", ALL)
def test_axes_of_numbers_say_what_they_are(name):
    figure = ALL[name]()
    for trace in figure.data:
        for letter in "xy":
            if np.asarray(trace[letter]).dtype.kind in "if":
                assert is_titled(figure, letter, trace[f"{letter}axis"] or letter)


def test_each_view_has_a_beam_a_projection_and_a_line_in_the_sinogram():
    figure = ALL["particle"]()
    assert sum(a.arrowhead is not None for a in figure.layout.annotations) == 3
    lines = [t for t in figure.data if t.name and t.name.endswith("°")]
    assert [t.name for t in lines] == ["0°", "60°", "120°"]
    assert all(np.array_equal(t.y, view) for t, view in zip(lines, LOOKED.projections, strict=True))
    assert [shape.y0 for shape in figure.layout.shapes] == pytest.approx([0, 60, 120])


def test_accuracies_are_percent_with_their_intervals():
    here, document = ALL["accuracies"]().data
    assert list(here.x) == [50, 90] and list(here.error_x.array) == pytest.approx([20, 2])
    assert list(here.error_x.arrayminus) == pytest.approx([20, 1])
    assert document.x[1] == 80
    (by_views,) = ALL["accuracy_by_views"]().data
    assert list(by_views.y) == [50, 90] and list(by_views.error_y.array) == pytest.approx([20, 2])


def test_the_true_category_is_marked():
    bars = ALL["inspected"]().data[-1]
    assert list(bars.y) == [0.3, 0.7] and ["true" in text for text in bars.x] == [False, True]


def test_intervals_reach_from_low_to_high():
    corrected = ALL["shares"]().data[-1]
    assert corrected.y[0] - corrected.error_y.arrayminus[0] == pytest.approx(5)
    assert corrected.y[0] + corrected.error_y.array[0] == pytest.approx(30)
