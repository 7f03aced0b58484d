"""How networks learned, and how often they are right."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.drawing import BELOW, PALETTE


def training_history(history, document=None):
    """Draw accuracy and loss of the training and of the validation over the epochs (figures 3, 4 and 7).

    Parameters
    ----------
    history : DataFrame
        From `train`.
    document : float, optional
        Accuracy that the document reached.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(1, 2, subplot_titles=("Accuracy", "Loss"), horizontal_spacing=0.12)
    for col, (measure, unit) in enumerate((("accuracy", 100), ("loss", 1)), 1):
        for prefix, name, colour in (("", "Training", PALETTE[0]), ("val_", "Validation", PALETTE[1])):
            y = unit * history[prefix + measure]
            line = {"color": colour}
            figure.add_trace(
                go.Scatter(x=history.epoch, y=y, mode="lines", line=line, name=name, showlegend=col == 1), 1, col
            )
    if document is not None:
        dash = {"color": "#999999", "dash": "dash"}
        figure.add_hline(y=100 * document, line=dash, annotation_text="document", row=1, col=1)
    figure.update_xaxes(title="Epoch")
    figure.update_yaxes(title="Accuracy / %", row=1, col=1)
    figure.update_yaxes(title="Cross entropy / nat", row=1, col=2)
    return figure.update_layout(height=430, legend=BELOW | {"y": -0.25})


def dual_history(history):
    """Draw the accuracies of two tasks over the epochs.

    Parameters
    ----------
    history : DataFrame
        From `train`, of holes and spirals.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    for task, colour in (("hole", PALETTE[0]), ("spiral", PALETTE[1])):
        for prefix, name, dash in (("", "training", "dot"), ("val_", "validation", "solid")):
            line = {"color": colour, "dash": dash}
            y = 100 * history[f"{prefix}{task}_accuracy"]
            figure.add_trace(go.Scatter(x=history.epoch, y=y, mode="lines", line=line, name=f"{task}s, {name}"))
    figure.update_xaxes(title="Epoch")
    figure.update_yaxes(title="Accuracy / %")
    return figure.update_layout(height=380)


def accuracies(table, values, chance=0.5):
    """Draw accuracies of experiments, each with its interval, and the document's beside them.

    Parameters
    ----------
    table : DataFrame
        ``experiment``, ``accuracy``, ``accuracy_low``, ``accuracy_high``, ``document`` (NaN where there is none), and
        what ``values`` names: other accuracies.
    values : dict of str to str
        Columns to draw besides, and what they are called.
    chance : float
        Accuracy of guessing.

    Returns
    -------
    plotly.graph_objects.Figure
        With 95 % intervals.
    """
    figure = go.Figure()
    drawn = {"accuracy": "here", "document": "document", **values}
    symbols = ("circle", "diamond-open", "triangle-up-open", "square-open", "x-thin-open")
    for number, (column, name) in enumerate(drawn.items()):
        look = {"size": 10, "symbol": symbols[number], "color": PALETTE[number], "line": {"width": 2}}
        bars = _bars(table, "accuracy") if column == "accuracy" else None
        figure.add_trace(
            go.Scatter(x=100 * table[column], y=table.experiment, error_x=bars, mode="markers", marker=look, name=name)
        )
    figure.add_vline(x=100 * chance, line={"color": "#999999", "dash": "dash"}, annotation_text="guessing")
    figure.update_xaxes(title="Accuracy / %")
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure.update_layout(height=170 + 34 * len(table), legend=BELOW | {"y": -90 / (34 * len(table) + 60)})


def accuracy_by_views(table):
    """Draw how often networks are right that see more and more views.

    Parameters
    ----------
    table : DataFrame
        ``views``, ``accuracy``, ``accuracy_low``, ``accuracy_high``.

    Returns
    -------
    plotly.graph_objects.Figure
        With 95 % intervals.
    """
    bars = _bars(table, "accuracy")
    look = {"mode": "lines+markers", "marker": {"size": 10, "color": PALETTE[0]}}
    figure = go.Figure(go.Scatter(x=table.views, y=100 * table.accuracy, error_y=bars, **look))
    figure.update_xaxes(title="Views, evenly over half a turn", tickvals=table.views)
    figure.update_yaxes(title="Accuracy / %")
    return figure.update_layout(height=380)


def gains(table, each):
    """Draw what networks gained over those that learned a task alone.

    Parameters
    ----------
    table : DataFrame
        From `average_gains`.
    each : DataFrame
        From `compare_repeats`: each training.

    Returns
    -------
    plotly.graph_objects.Figure
        With 95 % intervals.
    """
    figure = go.Figure()
    mean = {"mode": "markers", "marker": {"size": 11, "color": PALETTE[0]}, "name": "mean, 95 % interval"}
    one = {
        "mode": "markers",
        "marker": {"size": 8, "color": PALETTE[1], "symbol": "line-ns-open"},
        "name": "each training",
    }
    figure.add_trace(go.Scatter(x=100 * table.gain, y=table.experiment, error_x=_bars(table, "gain"), **mean))
    figure.add_trace(go.Scatter(x=100 * each.gain, y=each.experiment, **one))
    figure.add_vline(x=0, line={"color": "#999999", "dash": "dash"})
    figure.update_xaxes(title="Gain of accuracy over learning alone / %")
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure.update_layout(height=170 + 34 * len(table), legend=BELOW | {"y": -90 / (34 * len(table) + 60)})


def histogram(values, x_title, y_title="Particles"):
    """Draw how often values occur."""
    figure = go.Figure(go.Histogram(x=values, nbinsx=60, marker={"color": PALETTE[0]}))
    return figure.update_layout(height=340, xaxis_title=x_title, yaxis_title=y_title)


def _bars(table, column):
    """Return the error bars, in percent, of a column with ``_low`` and ``_high`` beside it."""
    low, value, high = (100 * table[column + end] for end in ("_low", "", "_high"))
    return {"type": "data", "array": high - value, "arrayminus": value - low}
