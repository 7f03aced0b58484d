"""What was measured in a user's film: the cloud's outline in its frames, and how its size went on."""

import plotly.graph_objects as go

from particlelab.aerosol.figures.clouds import evenly
from particlelab.aerosol.figures.look import SIZE
from particlelab.drawing import BELOW, BLUE, ORANGE
from particlelab.drawing.pictures import playing

MOST_SHOWN = 60  # frames of a film that a page plays


def measured_playing(frames, masks):
    """Draw a film that plays, with the outline of what was found; of a long one, frames evenly from first to last.

    Parameters
    ----------
    frames : (n, H, W, 3) uint8 array
    masks : (n, H, W) bool array

    Returns
    -------
    plotly.graph_objects.Figure
    """
    some = evenly(len(frames), MOST_SHOWN)
    return playing(frames[some], masks[some])


def measured_sizes(table):
    """Draw the sizes that were measured, what the network is in doubt about, the fit and the forecast.

    Parameters
    ----------
    table : DataFrame
        Of `particlelab.aerosol.measure`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    measured, ahead = table[table.kind == "measured"], table[table.kind == "forecast"]
    fitted = measured[measured.fit_percent.notna()]
    figure = go.Figure()
    for part, low, high, colour, name in (
        (measured, "low", "high", BLUE, "in doubt, 95 %"),
        (ahead, "fit_low", "fit_high", ORANGE, "forecast, 95 %"),
    ):
        x, y = [*part.time_s, *part.time_s[::-1]], [*part[high], *part[low][::-1]]
        band = {"fill": "toself", "fillcolor": colour, "opacity": 0.25, "line": {"width": 0}, "hoverinfo": "skip"}
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", name=name, **band))
    dots = {"color": BLUE, "size": 5}
    figure.add_trace(
        go.Scatter(x=measured.time_s, y=measured.cloud_size_percent, mode="markers", marker=dots, name="measured")
    )
    for part, dash, name in ((fitted, "solid", "fit"), (ahead, "dash", "forecast")):
        line = {"color": ORANGE, "width": 2, "dash": dash}
        figure.add_trace(go.Scatter(x=part.time_s, y=part.fit_percent, mode="lines", line=line, name=name))
    figure.update_xaxes(title="Time / s")
    figure.update_yaxes(title=SIZE, rangemode="tozero")
    return figure.update_layout(height=420, margin={"t": 20}, legend=BELOW)
