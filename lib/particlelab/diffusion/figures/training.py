"""How a network learned."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.diffusion.figures.look import BELOW
from particlelab.drawing import BLUE, GREEN
from particlelab.drawing.training import POINTS, losses


def training_history(history):
    """Draw the loss of a training over its iterations, with its mean over each fiftieth of them, and the learning rate.

    Parameters
    ----------
    history : DataFrame
        ``iteration``, ``loss``, ``learning_rate``, as of `train`; or means of the loss alone, as of a model's card.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    if "learning_rate" not in history:
        look = {"mode": "lines+markers", "line": {"color": BLUE, "width": 2.5}}
        figure = go.Figure(go.Scatter(x=history.iteration, y=history.loss, **look))
        figure.update_xaxes(title="Iteration", rangemode="tozero")
        figure.update_yaxes(title="Mean loss / nat")
        return figure.update_layout(height=340, margin={"t": 20})
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.06)
    figure.add_traces(losses(history, "Loss / nat").data, 1, 1)
    some = history.iloc[:: max(1, len(history) // POINTS)]
    rate = {"color": GREEN, "width": 2}
    figure.add_trace(
        go.Scatter(x=some.iteration, y=some.learning_rate, mode="lines", line=rate, name="learning rate"), 2, 1
    )
    low, high = history.loss.quantile([0.002, 0.98])  # the first few may be far above
    figure.update_yaxes(title="Loss / nat", range=[low - 0.05 * (high - low), high + 0.15 * (high - low)], row=1, col=1)
    figure.update_yaxes(title="Learning rate", exponentformat="power", row=2, col=1)
    figure.update_xaxes(title="Iteration", row=2, col=1)
    return figure.update_layout(height=480, margin={"t": 20}, legend=BELOW)
