"""What was found of many molecules: each with its interval, and how they are distributed."""

import numpy as np
import plotly.graph_objects as go

from particlelab.diffusion.figures.look import BELOW
from particlelab.drawing import BLUE, LOG_AXIS, ORANGE

TICKS = (1, 2, 5)  # times powers of ten
WIDTH = 0.2  # of a bar of a histogram, in ln D


def molecules(table):
    """Draw the diffusion coefficient of each molecule with its interval, sorted.

    Parameters
    ----------
    table : DataFrame
        ``track``, ``diffusion_um2_s``, ``low``, ``high``, and if it is known ``crowded``, the share of its frames in
        which others are near a molecule: those that are crowded in most frames have a colour of their own.

    Returns
    -------
    plotly.graph_objects.Figure
        What is not positive has no place on its axis.
    """
    table = table.sort_values("diffusion_um2_s").assign(place=np.arange(1, len(table) + 1))
    crowded = table.crowded > 0.5 if "crowded" in table else np.zeros(len(table), bool)
    figure = go.Figure()
    for name, colour, symbol, which in (
        ("measured", BLUE, "circle", ~crowded),
        ("near another molecule", ORANGE, "diamond", crowded),
    ):
        rows = table[np.asarray(which)]
        if not len(rows):
            continue
        d = rows.diffusion_um2_s
        bars = {"type": "data", "array": rows.high - d, "arrayminus": d - rows.low, "thickness": 1.5, "width": 0}
        figure.add_trace(
            go.Scatter(
                x=rows.place,
                y=d,
                error_y=bars,
                customdata=rows.track,
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 8},
                name=name,
                showlegend=True,
                hovertemplate="track %{customdata}: %{y:.3g} µm²/s<extra></extra>",
            )
        )
    figure.update_xaxes(title="Molecules, from the slowest to the fastest")
    figure.update_yaxes(title="D / (µm²/s)", **LOG_AXIS)
    return figure.update_layout(height=440, margin={"t": 20}, legend=BELOW)


def histogram(diffusion_um2_s, true_um2_s=None, x_title="D / (µm²/s)", y_title="Molecules"):
    """Draw how often diffusion coefficients occur, in equal steps of ln D.

    Parameters
    ----------
    diffusion_um2_s : (n,) array
        What is not positive is left out.
    true_um2_s : float or sequence of float, optional
        Each is marked by a line.
    x_title, y_title : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    d = np.asarray(diffusion_um2_s, float)
    d = d[d > 0]
    ticks = [digit * 10.0**power for power in range(-6, 6) for digit in TICKS]
    figure = go.Figure(go.Histogram(x=np.log(d), xbins={"size": WIDTH}, marker={"color": BLUE, "line": {"width": 1}}))
    figure.update_traces(hovertemplate="%{y}<extra></extra>", marker_line_color="white")
    for true in [] if true_um2_s is None else np.atleast_1d(true_um2_s):
        line = {"color": ORANGE, "width": 3, "dash": "dash"}
        figure.add_vline(x=np.log(true), line=line, annotation_text="true D")
    axis = {"tickvals": np.log(ticks), "ticktext": [f"{tick:g}" for tick in ticks]}
    figure.update_xaxes(title=f"{x_title}, in equal steps of the logarithm", **axis)
    figure.update_yaxes(title=y_title)
    return figure.update_layout(height=380, margin={"t": 30}, showlegend=False)
