"""Figures of training: learning rates, the course of the loss, crops."""

import plotly.graph_objects as go

from particlelab.drawing.training import losses
from particlelab.soot.figures.look import COLOURS
from particlelab.soot.figures.pictures import Panel, panels


def learning_rates(rates):
    """Draw the learning rate of each iteration on a logarithmic axis (figure 2 of Sipkens et al.).

    Parameters
    ----------
    rates : dict of str to (N,) array_like
        By name of the schedule.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    for (name, rate), colour in zip(rates.items(), (COLOURS["cnn"], COLOURS["kmeans"]), strict=False):
        figure.add_trace(go.Scatter(y=rate, mode="lines", name=name, line={"color": colour}))
    figure.update_xaxes(title="Iteration")
    figure.update_yaxes(title="Learning rate", type="log", exponentformat="power")
    return figure.update_layout(height=400, showlegend=True)


def training_history(history):
    """Draw the loss of a training (`particlelab.drawing.training.losses`)."""
    return losses(history, "Binary cross entropy", log=True, colour=COLOURS["cnn"])


def crops(images, masks):
    """Draw crops that a network is trained on, outlined what it is told to find.

    Parameters
    ----------
    images : (N, H, W) ndarray
        N a multiple of 4, or less than 4.
    masks : (N, H, W) bool ndarray

    Returns
    -------
    plotly.graph_objects.Figure
    """
    pictures = [Panel(image, None, mask) for image, mask in zip(images, masks, strict=True)]
    return panels([pictures[k : k + 4] for k in range(0, len(pictures), 4)], row_height=280)
