"""Figures of what is measured against what is true."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.drawing import LOG_AXIS
from particlelab.soot.difficulty import HARDSHIPS, HardImage
from particlelab.soot.figures.look import COLOURS, NAMES


def recovery(true_nm, measured_nm, title=""):
    """Draw measured against true primary diameters, by method.

    Parameters
    ----------
    true_nm : (N,) array_like
    measured_nm : dict of str to (N,) array_like
    title : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    true = np.asarray(true_nm, float)
    figure = go.Figure()
    for method, measured in measured_nm.items():
        marker = {"color": COLOURS.get(method), "size": 5, "opacity": 0.6}
        name = NAMES.get(method, method)
        figure.add_trace(go.Scatter(x=true, y=np.asarray(measured, float), mode="markers", marker=marker, name=name))
    if len(true):
        ends = [true.min() * 0.9, true.max() * 1.1]
        figure.add_trace(go.Scatter(x=ends, y=ends, mode="lines", line={"color": "#999999"}, name="Truth"))
    figure.update_xaxes(**LOG_AXIS, title="True primary diameter / nm")
    figure.update_yaxes(**LOG_AXIS, title="Measured primary diameter / nm")
    return figure.update_layout(title=title, height=460)


def calibration_bias(scores, diameter="calibrated"):
    """Draw the bias of each sizing method, by true diameter and by number of primaries, with its standard error.

    Parameters
    ----------
    scores : DataFrame
        From `score_calibration`.
    diameter : {"calibrated", "raw"}

    Returns
    -------
    plotly.graph_objects.Figure
    """
    part = scores[scores.diameter == diameter]
    groups = list(dict.fromkeys(part.group))
    figure = go.Figure().add_hline(y=0, line_color="#999999")
    methods = list(part.groupby("method", sort=False))
    for number, (method, rows) in enumerate(methods):
        x = [groups.index(group) + 0.12 * (number - (len(methods) - 1) / 2) for group in rows.group]
        error = {"type": "data", "array": 100 * rows.bias_error}
        look = {"name": NAMES.get(method, method), "marker": {"color": COLOURS.get(method), "size": 9}}
        figure.add_trace(go.Scatter(x=x, y=100 * rows.bias, error_y=error, mode="markers", **look))
    figure.update_xaxes(tickvals=list(range(len(groups))), ticktext=groups)
    figure.update_yaxes(title="Measured less true diameter / %")
    return figure.update_layout(title=f"Bias, {diameter}", height=420)


def difficulty(scores):
    """Draw the IoU of classifiers on images that get harder and harder, a panel for each condition.

    Parameters
    ----------
    scores : DataFrame
        From `score_hard_images`.

    Returns
    -------
    plotly.graph_objects.Figure
        Points are means over images, bars their standard errors.
    """
    described = {item.name: item for item in HardImage.describe()}
    figure = make_subplots(2, 2, shared_yaxes="all", horizontal_spacing=0.03, vertical_spacing=0.2)
    for panel, condition in enumerate(HARDSHIPS):
        place = {"row": panel // 2 + 1, "col": panel % 2 + 1}
        for classifier, part in scores[scores.condition == condition].groupby("classifier", sort=False):
            iou = part.groupby("level", sort=False).iou.agg(["mean", "sem"])
            error = {"type": "data", "array": iou["sem"].fillna(0)}
            line = {"color": COLOURS.get(classifier)}
            look = {"name": NAMES[classifier], "legendgroup": classifier, "showlegend": panel == 0}
            points = go.Scatter(x=iou.index, y=iou["mean"], error_y=error, mode="lines+markers", line=line, **look)
            figure.add_trace(points, **place)
        item = described[condition]
        title = f"{item.text.split(':')[0]}" + (f" / {item.unit}" if item.unit else "")
        ticks = list(HARDSHIPS[condition])
        harder_right = sorted(ticks)[0] == ticks[0]
        figure.update_xaxes(
            type="log", title=title, tickvals=ticks, autorange=True if harder_right else "reversed", **place
        )
    figure.update_yaxes(range=[0, 1.02])
    figure.update_yaxes(title="IoU", col=1)
    return figure.update_layout(height=640)
