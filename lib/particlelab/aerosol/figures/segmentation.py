"""What a network finds beside what is true: outlines, scores, sizes."""

import numpy as np
import plotly.graph_objects as go

from particlelab.aerosol.figures.clouds import film
from particlelab.aerosol.figures.look import FRAME
from particlelab.drawing import BELOW, BLUE, ORANGE
from particlelab.drawing.pictures import OUTLINE, outline, playing
from particlelab.drawing.training import losses

TRUE = (40, 200, 255)  # outline of the true mask; that of the network's is drawn over it


def both_outlines(images, true, found):
    """Return images (n, H, W, 3) with the borders of true masks, and over them of those that were found."""
    pairs = zip(images, true, found, strict=True)
    return np.stack([outline(outline(image, a, TRUE), b, OUTLINE) for image, a, b in pairs])


def found_film(images, true, found, frame_time_s=None, count=6):
    """Draw some frames with both outlines: blue the true one, red over it the one that was found."""
    return film(both_outlines(images, true, found), count=count, frame_time_s=frame_time_s)


def found_playing(images, true, found):
    """Draw a series that plays, with both outlines."""
    return playing(both_outlines(images, true, found))


def scores_by_size(scores, bins=12):
    """Draw the share of wrong pixels and of what is missing to a Dice score of 1, against the size of the cloud.

    Parameters
    ----------
    scores : DataFrame
        ``accuracy``, ``dice``, ``true`` (%).
    bins : int

    Returns
    -------
    plotly.graph_objects.Figure
    """
    scores = scores[scores.true > 0]
    edges = np.unique(np.quantile(scores.true, np.linspace(0, 1, bins + 1)))
    group = np.searchsorted(edges[1:-1], scores.true, side="right")
    means = scores.groupby(group)[["true", "accuracy", "dice"]].mean()
    figure = go.Figure()
    for name, column, colour in (("wrong pixels", "accuracy", BLUE), ("1 − Dice", "dice", ORANGE)):
        line = {"color": colour, "width": 2}
        figure.add_trace(
            go.Scatter(x=means.true, y=100 * (1 - means[column]), name=name, mode="lines+markers", line=line)
        )
    figure.update_xaxes(title="True cloud size / % of the picture", rangemode="tozero")
    figure.update_yaxes(title="Missing / %", type="log", exponentformat="none")
    return figure.update_layout(height=380, margin={"t": 20}, legend=BELOW)


def sizes_found(scores):
    """Draw the cloud size that was found against the true one, of each frame.

    Parameters
    ----------
    scores : DataFrame
        ``true`` and ``found`` (%).

    Returns
    -------
    plotly.graph_objects.Figure
    """
    top = float(scores[["true", "found"]].max().max())
    dots = {"color": BLUE, "size": 4, "opacity": 0.5}
    figure = go.Figure(
        [
            go.Scatter(x=[0, top], y=[0, top], mode="lines", line={"color": "#999999", "width": 1}, name="equal"),
            go.Scatter(x=scores.true, y=scores.found, mode="markers", marker=dots, name="a frame"),
        ]
    )
    figure.update_xaxes(title="True cloud size / % of the picture", rangemode="tozero")
    figure.update_yaxes(title="Found / % of the picture", rangemode="tozero")
    return figure.update_layout(height=420, margin={"t": 20}, legend=BELOW)


def size_curves(scores):
    """Draw the true and the found size of a cloud over its frames.

    Parameters
    ----------
    scores : DataFrame
        ``frame``, ``true`` and ``found`` (%).

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    for name, colour, dash in (("true", BLUE, "solid"), ("found", ORANGE, "dash")):
        line = {"color": colour, "width": 2.5, "dash": dash}
        figure.add_trace(go.Scatter(x=scores.frame, y=scores[name], name=name, mode="lines", line=line))
    figure.update_xaxes(title=FRAME)
    figure.update_yaxes(title="Cloud size / % of the picture", rangemode="tozero")
    return figure.update_layout(height=320, margin={"t": 20}, legend=BELOW)


def training_history(history):
    """Draw the loss of a training (`particlelab.drawing.training.losses`)."""
    return losses(history, "Binary cross entropy + 1 − Dice", log=True)
