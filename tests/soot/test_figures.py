"""Figures show the numbers that they are given, at the right places."""

import numpy as np
import pandas as pd
import pytest

from particlelab import soot
from particlelab.randomness import generator
from particlelab.soot import figures


def disk(shape, centre, radius):
    y, x = np.indices(shape)
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2


def sample_and_comparison(masks, failures):
    """One image of two disks, with the masks of some classifiers."""
    shape = 200, 300
    truth = disk(shape, (70, 90), 30) | disk(shape, (210, 100), 40)
    image = np.where(truth, 80, 180) + generator(0, "figures").normal(0, 2, shape)
    masks = {"reference": truth, **masks(truth)}
    tables = [soot.analyse_aggregates(m, 0.5, image).assign(image="a", classifier=c) for c, m in masks.items()]
    rows = [{"image": "a", "classifier": c, "failure": failures.get(c, ""), "iou": iou(truth, masks[c])} for c in masks]
    sample = soot.Sample("a", image, 0.5, truth, None)
    return sample, soot.Comparison(pd.DataFrame(rows), pd.concat(tables, ignore_index=True), {"a": masks})


def iou(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def traces(figure, panel, mode=None):
    """The traces of the n-th panel, of one mode."""
    axis = "x" if panel == 0 else f"x{panel + 1}"
    found = [trace for trace in figure.data if (trace.xaxis or "x") == axis]
    return [trace for trace in found if mode is None or getattr(trace, "mode", None) == mode]


def test_a_strip_names_classifiers_scores_and_failures():
    sample, comparison = sample_and_comparison(
        lambda truth: {"otsu": truth & disk(truth.shape, (210, 100), 99), "kmeans": ~truth}, {"kmeans": "all is soot"}
    )
    figure = figures.classifier_strip([sample], comparison, ["reference", "otsu", "kmeans"])
    good = iou(sample.mask, comparison.masks["a"]["otsu"])
    texts = [annotation.text for annotation in figure.layout.annotations]
    assert texts == ["<b>Reference</b>", f"<b>Otsu</b><br>IoU {good:.2f}", "<b>k-means</b> *<br>IoU 0.00"]
    wrapped = figures.classifier_strip([sample], comparison, ["reference", "otsu", "kmeans", "otsu"], columns=2)
    assert wrapped.layout.height > figure.layout.height and len(wrapped.layout.annotations) == 4


def test_the_rolling_ball_is_shown_where_it_joins_most():
    def masks(truth):
        cracked = truth.copy()
        cracked[:, 195:197] = cracked[:, 220:222] = False  # the right disk in three parts
        return {"cnn": cracked, "cnn + RB": truth}

    sample, comparison = sample_and_comparison(masks, {})
    figure = figures.rolling_ball_panels([sample], comparison)
    assert [a.text for a in figure.layout.annotations] == ["(a) CNN", "(b) CNN + RB"]
    (outline,) = [t for t in traces(figure, 1, "lines") if t.name == "Outline"]
    width_nm = np.nanmax(outline.x) - np.nanmin(outline.x)
    assert width_nm == pytest.approx(0.5 * 79, abs=1.0)  # the disk of 40 px radius, not the one of 30


def test_scale_bars_have_round_lengths_of_less_than_a_third_of_the_picture():
    for pixel_size_nm, side, length in ((0.5, 400, 50), (0.4, 2240, 200), (2.7, 1000, 500)):
        figure = figures.panels([[figures.Panel(np.eye(side), pixel_size_nm)]])
        (bar,) = traces(figure, 0, "lines+text")
        assert np.ptp(bar.x) == pytest.approx(length) and bar.text[0] == f"{length} nm"
    no_scale = figures.panels([[figures.Panel(np.eye(50), None)]])
    assert len(no_scale.data) == 1


def test_ratios_are_values_over_reference_from_small_to_large():
    reference = np.array([30.0, 10.0, 20.0])
    figure = figures.ratios({"a panel": ({"pcm": reference * [3, 1, 2], "hough": [np.nan, 5, 10]}, reference)})
    boxes, points = traces(figure, 0)[0::2], traces(figure, 0)[1::2]
    np.testing.assert_allclose(points[0].y, [1, 2, 3])
    np.testing.assert_allclose(points[1].y, [0.5, 0.5, np.nan])
    np.testing.assert_allclose(boxes[0].y, points[0].y)


def test_classifier_ratios_compare_the_same_aggregates_whatever_their_order():
    table = pd.DataFrame({"centroid_x_nm": [10.0, 200, 400], "centroid_y_nm": 50.0, "da_nm": [40.0, 60, 50]})
    table = table.assign(image="a", dp_pcm_nm=[10.0, 20, 15])
    other = table.iloc[[2, 0]].assign(classifier="otsu", dp_pcm_nm=[30.0, 20.0])  # the second one is not there
    both = pd.concat([table.assign(classifier="reference"), other], ignore_index=True)
    figure = figures.classifier_ratios(soot.Comparison(pd.DataFrame(), both, {}), ["pcm"], "reference")
    np.testing.assert_allclose(traces(figure, 0, "markers")[0].y, [2, 2, np.nan])


def test_a_power_law_is_drawn_through_its_points_in_the_panel_of_its_classifier():
    da = np.geomspace(40, 400, 12)
    laws = {"reference": (17.0, 0.3), "otsu": (25.0, 0.1)}
    parts = [
        pd.DataFrame({"classifier": c, "da_nm": da, "dp_pcm_nm": dp100 * (da / 100) ** d_tem})
        for c, (dp100, d_tem) in laws.items()
    ]
    comparison = soot.Comparison(pd.DataFrame(), pd.concat(parts, ignore_index=True), {})
    figure = figures.power_laws(comparison, list(laws), ["pcm"])
    for panel, (dp100, d_tem) in enumerate(laws.values()):
        law = next(t for t in traces(figure, panel, "lines") if t.name == "PCM" and t.line.width == 2)
        np.testing.assert_allclose(law.y, dp100 * (np.asarray(law.x) / 100) ** d_tem, rtol=1e-9)
        relation = next(t for t in traces(figure, panel, "lines") if t.name.startswith("Universal"))
        assert np.interp(100, relation.x, relation.y) == pytest.approx(17.8, rel=1e-3)
    assert sum(trace.showlegend is not False for trace in figure.data) == 2  # each method once


def test_densities_hold_all_aggregates():
    d = np.exp(generator(2, "figures").normal(np.log(100), 0.4, 60))
    (curve,) = figures.size_distributions({"otsu": d, "kmeans": d[:2]}).data
    assert np.trapezoid(curve.y, np.log(curve.x)) == pytest.approx(1, abs=0.01)


def test_difficulty_shows_means_over_images():
    rows = [("noise_sd", level, "cnn", level / 100 + 0.02 * i) for level in (8.0, 16.0) for i in range(3)]
    scores = pd.DataFrame(rows, columns=["condition", "level", "classifier", "iou"])
    curves = [trace for trace in figures.difficulty(scores).data if trace.name == "CNN"]
    (curve,) = curves
    np.testing.assert_allclose(curve.x, [8, 16])
    np.testing.assert_allclose(curve.y, [0.10, 0.18])
    np.testing.assert_allclose(curve.error_y.array, 0.02 / np.sqrt(3))


def test_the_learning_rates_of_the_document_are_those_of_its_figure_2():
    (curve,) = figures.learning_rates({"document": soot.learning_rates(soot.DOCUMENT_TRAINING)}).data
    assert len(curve.y) == 10_000
    for iteration, rate in ((0, 1e-7), (500, 5e-5), (1000, 1e-4), (1999, 1e-4), (2001, 1e-5), (9000, 1e-6)):
        assert curve.y[iteration] == pytest.approx(rate, rel=0.01)


def test_a_history_is_shown_with_its_mean():
    history = pd.DataFrame({"iteration": np.arange(200), "loss": np.repeat([0.5, 0.1], 100)})
    each, mean = figures.training_history(history).data
    np.testing.assert_allclose(each.y, history.loss)
    np.testing.assert_allclose(mean.y, np.repeat([0.5, 0.1], len(mean.y) // 2))
