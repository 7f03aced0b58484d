"""Whether a network's probabilities, and the shares that follow from them, can be believed."""

import numpy as np
import plotly.graph_objects as go

from particlelab.drawing import PALETTE

DIAGONAL = {"mode": "lines", "line": {"color": "#999999", "dash": "dash"}, "hoverinfo": "skip"}


def reliability(table_by_name):
    """Draw how often networks are right against how sure they are; below the diagonal they are too sure.

    Parameters
    ----------
    table_by_name : dict of str to DataFrame
        From `calibration.reliability`.

    Returns
    -------
    plotly.graph_objects.Figure
        With 95 % intervals.
    """
    lowest = 100 * min(min(table.confidence.min(), table.low.min()) for table in table_by_name.values())
    figure = go.Figure(go.Scatter(x=[lowest, 100], y=[lowest, 100], name="calibrated", **DIAGONAL))
    for number, (name, table) in enumerate(table_by_name.items()):
        colour = PALETTE[number % len(PALETTE)]
        x, y, low, high = (100 * table[column] for column in ("confidence", "right", "low", "high"))
        figure.add_trace(
            go.Scatter(
                x=x,
                y=y,
                error_y=_reach(y, low, high),
                customdata=table["count"],
                hovertemplate="%{x:.1f} % sure, %{y:.1f} % right, %{customdata} particles",
                mode="lines+markers",
                marker={"color": colour, "size": 8},
                name=name,
            )
        )
    figure.update_xaxes(title="Confidence / %")
    figure.update_yaxes(title="Right / %")
    return figure.update_layout(height=420)


def shares(true, counted, corrected, intervals, category):
    """Draw a category's share in populations as it is counted and as it is corrected, against the true one.

    Parameters
    ----------
    true : (populations,) array
    counted : (populations,) array
        Shares of the predictions.
    corrected : (populations,) array
    intervals : (populations, 2) array
        The latter two from `estimate_shares`.
    category : str
        Its name.

    Returns
    -------
    plotly.graph_objects.Figure
        With 95 % intervals.
    """
    x, y, (low, high) = 100 * np.asarray(true), 100 * np.asarray(corrected), 100 * np.transpose(intervals)
    figure = go.Figure(go.Scatter(x=[0, 100], y=[0, 100], name="true", **DIAGONAL))
    plain = {"color": PALETTE[1], "size": 9, "symbol": "circle-open", "line": {"width": 2}}
    figure.add_trace(go.Scatter(x=x, y=100 * np.asarray(counted), mode="markers", marker=plain, name="counted"))
    solid = {"color": PALETTE[0], "size": 8}
    figure.add_trace(go.Scatter(x=x, y=y, error_y=_reach(y, low, high), mode="markers", marker=solid, name="corrected"))
    figure.update_xaxes(title=f"True share of {category} / %")
    figure.update_yaxes(title=f"Estimated share of {category} / %")
    return figure.update_layout(height=420)


def _reach(y, low, high):
    """Return the bars from low to high about y."""
    return {"type": "data", "array": high - y, "arrayminus": y - low, "symmetric": False, "thickness": 1.5}
