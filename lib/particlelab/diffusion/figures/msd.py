"""Mean squared displacements."""

import plotly.graph_objects as go

from particlelab.diffusion.figures.look import BELOW
from particlelab.drawing import BLUE, BROWN, GREEN, ORANGE, PINK, RED, SKY

COLOURS = (ORANGE, BLUE, GREEN, PINK, SKY, BROWN, RED)
SYMBOLS = ("circle", "circle-open", "diamond", "square", "triangle-up", "diamond-open", "square-open")


def msd(lags_s, curves, lines=None):
    """Draw mean squared displacements against the lag, and what theory expects of them.

    Parameters
    ----------
    lags_s : (L,) array
    curves : dict of str to (L,) array
        Measured ones in um^2, drawn as points.
    lines : dict of str to (L,) array, optional
        Theoretical ones. One of the same name as a curve has its colour.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    lines = lines or {}
    names = dict.fromkeys([*curves, *lines])
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    figure = go.Figure()
    for number, (name, y) in enumerate(curves.items()):
        look = {"color": colours[name], "size": 9, "symbol": SYMBOLS[number % len(SYMBOLS)]}
        figure.add_trace(go.Scatter(x=lags_s, y=y, name=name, mode="markers", marker=look))
    for name, y in lines.items():
        look = {"mode": "lines", "line": {"color": colours[name], "width": 2}}
        figure.add_trace(go.Scatter(x=lags_s, y=y, name=f"{name}, expected" if name in curves else name, **look))
    figure.update_xaxes(title="Lag / s", rangemode="tozero")
    figure.update_yaxes(title="Mean squared displacement / µm²", rangemode="tozero")
    return figure.update_layout(height=420, margin={"t": 20}, legend=BELOW)
