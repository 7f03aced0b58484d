"""How a network learned."""

import plotly.graph_objects as go

from particlelab.drawing import BELOW, BLUE

POINTS = 2000  # of the loss that are drawn


def losses(history, quantity, log=False, colour=BLUE):
    """Draw the loss of a training over its iterations, with its mean over each fiftieth of them.

    Parameters
    ----------
    history : DataFrame
        ``iteration``, ``loss``, as of `particlelab.learning.training.train`.
    quantity : str
        What the loss is, with its unit.
    log : bool
        Whether its axis is logarithmic.
    colour : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    some = history.iloc[:: max(1, len(history) // POINTS)]
    mean = history.groupby(history.iteration // max(1, len(history) // 50))[["iteration", "loss"]].mean()
    pale, strong = {"color": "#cccccc", "width": 1}, {"color": colour, "width": 2.5}
    figure = go.Figure(
        [
            go.Scatter(x=some.iteration, y=some.loss, mode="lines", line=pale, name="loss of a batch"),
            go.Scatter(x=mean.iteration, y=mean.loss, mode="lines", line=strong, name="its mean"),
        ]
    )
    figure.update_xaxes(title="Iteration")
    figure.update_yaxes(title=quantity)
    if log:
        figure.update_yaxes(type="log", exponentformat="none")
    return figure.update_layout(height=380, margin={"t": 20}, legend=BELOW)
