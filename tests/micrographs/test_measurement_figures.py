"""Figures of a measurement show its numbers at the right places."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import trapezoid

from particlelab.micrographs.detector import Found
from particlelab.micrographs.figures.measurement import criteria, measured
from particlelab.micrographs.measurement import Examination, tabulate
from particlelab.micrographs.sizes import summarise
from particlelab.randomness import generator


def examination(n=60, pixel_size_nm=20.0):
    """Squares of different sizes, the last of them without a weight."""
    instances, edges = np.zeros((300, 400), np.int32), generator(0, "edges").integers(6, 30, n)
    for k, edge in enumerate(edges):
        row, column = 5 + 36 * (k // 10), 5 + 38 * (k % 10)
        instances[row : row + edge, column : column + edge] = k + 1
    table = tabulate(Found(instances, np.ones(n), 2 * edges / np.sqrt(np.pi)), pixel_size_nm)
    table["weight"] = np.append(np.ones(n - 1), 0.0)
    summary = summarise(table, instances.size * pixel_size_nm**2, "number", generator(0, "summary"))
    return Examination(np.where(instances, 200, 50), pixel_size_nm, instances, table, summary, "number")


def test_the_distribution_of_a_measurement_has_the_area_one_and_its_fit_the_mean():
    examined = examination()
    figure = measured(examined)
    bars = next(trace for trace in figure.data if trace.type == "bar")
    middles, across = np.array(bars.x, float), np.array(bars.width, float)
    ln_across = 2 * np.arcsinh(across / (2 * middles))  # of bars whose middle is geometric
    assert np.sum(bars.y * ln_across) == pytest.approx(1)
    assert bars.name == "59 particles"
    fit = next(trace for trace in figure.data if trace.name == "log-normal fit")
    x, y = np.array(fit.x, float), np.array(fit.y, float)
    mean = examined.summary.set_index("quantity").value["geometric_mean"]
    assert trapezoid(y, np.log(x)) == pytest.approx(1, abs=0.002)
    assert x[y.argmax()] == pytest.approx(mean, rel=0.03)


def test_particles_are_named_where_they_are_and_the_bar_is_as_long_as_it_says():
    examined = examination()
    figure = measured(examined)
    drawn = [trace for trace in figure.data if trace.type == "scatter"]
    marks = next(trace for trace in drawn if trace.hovertext is not None)
    y, x = np.nonzero(examined.instances == 13)  # whose pixels have their middles at whole numbers in the figure
    assert (marks.x[12], marks.y[12]) == pytest.approx((x.mean(), y.mean()))
    assert marks.hovertext[12].startswith("13: ") and len(marks.x) == 60
    bar = next(trace for trace in drawn if trace.mode == "lines+text")
    length, unit = bar.text[0].split()
    assert (bar.x[1] - bar.x[0]) * 20 == pytest.approx(float(length) * {"nm": 1, "µm": 1000}[unit])
    assert tuple(figure.layout.yaxis.range) == (299.5, -0.5)


def test_nothing_found_is_drawn_too():
    none = tabulate(Found(np.zeros((50, 60), np.int32), np.zeros(0), np.zeros(0)), 1.0).assign(weight=[])
    figure = measured(Examination(np.eye(50, 60), 1.0, np.zeros((50, 60), np.int32), none, None, "number"))
    assert not [trace for trace in figure.data if trace.type == "bar"]


def test_criteria_of_methods_stand_in_panels_of_their_own():
    rows = [
        (method, criterion, recipe, k + 10 * m, k + 10 * m - 1, k + 10 * m + 2)
        for m, method in enumerate(("network", "hough"))
        for k, criterion in enumerate(("js_divergence", "mean_error", "deviation_error", "count_error", "ap"))
        for recipe in ("a", "b")
    ]
    table = pd.DataFrame(rows, columns=["method", "criterion", "recipe", "value", "low", "high"])
    figure = criteria(table)
    assert len(figure.data) == 8
    for k, trace in enumerate(figure.data):
        assert list(trace.y) == [k // 2 + 10 * (k % 2)] * 2
        assert list(trace.error_y.array) == [2, 2] and list(trace.error_y.arrayminus) == [1, 1]
    assert len(criteria(table[table.recipe == "a"].drop(columns="recipe")).data) == 8
