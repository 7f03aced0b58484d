"""Trainings side by side: weights, scores over seeds, ranks, and the trials of a search."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.aerosol.figures.look import SIZE
from particlelab.drawing import BELOW, BLACK, BLUE, LOG_AXIS, PALETTE


def weights(sizes, weighted):
    """Draw the weight of a step over the size that it leads to (figure 3.15).

    Parameters
    ----------
    sizes : (n,) array
        In %.
    weighted : dict of str to (n,) array
        Weights of mean 1, by their name.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    order, figure = np.argsort(sizes), go.Figure()
    order = order[np.unique(np.linspace(0, len(order) - 1, 400).astype(int))]
    for (name, values), colour in zip(weighted.items(), PALETTE, strict=False):
        line = {"color": colour, "width": 2}
        figure.add_trace(go.Scatter(x=sizes[order], y=values[order], mode="lines", line=line, name=name))
    figure.update_xaxes(title=SIZE)
    figure.update_yaxes(title="Weight", rangemode="tozero")
    return figure.update_layout(height=380, margin={"t": 20}, legend=BELOW)


def scores(table, measures):
    """Draw scores of experiments: a dot for each seed, a bar for their mean.

    Parameters
    ----------
    table : DataFrame
        ``experiment``, ``seed`` and the measures.
    measures : dict of str to str
        Columns, and what stands on their axes. All must be positive: axes are logarithmic.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(1, len(measures), shared_yaxes=True, horizontal_spacing=0.03)
    names = list(dict.fromkeys(table.experiment))[::-1]  # from the top down
    for column, (measure, title) in enumerate(measures.items(), 1):
        for name in names:
            values = table[table.experiment == name][measure]
            marker = {"color": BLUE, "size": 8, "opacity": 0.6}
            dots = go.Scatter(x=values, y=[name] * len(values), mode="markers", marker=marker, showlegend=False)
            figure.add_trace(dots, 1, column)
            bar = {"symbol": "line-ns-open", "size": 18, "color": BLACK, "line": {"width": 2}}
            mean = go.Scatter(x=[values.mean()], y=[name], mode="markers", marker=bar, name="mean")
            figure.add_trace(mean.update(showlegend=bool(column == 1 and name == names[0])), 1, column)
        low, high = table[measure].min(), table[measure].max()
        ticks = [n * 10.0**k for k in range(-3, 6) for n in (1, 2, 5) if low / 1.3 <= n * 10.0**k <= high * 1.3]
        figure.update_xaxes(title=title, type="log", col=column)
        if len(ticks) > 1:
            figure.update_xaxes(tickvals=ticks[:: -(-len(ticks) // 5)], col=column)
    figure.update_yaxes(automargin=True)
    return figure.update_layout(height=150 + 36 * len(names), margin={"t": 20}, legend=BELOW | {"y": -0.3})


def ranks(table, measures, names):
    """Draw the rank of experiments in each seed: lines that do not cross are ranks that agree.

    Parameters
    ----------
    table : DataFrame
        ``experiment``, ``seed`` and the measures, of which less is better.
    measures : dict of str to str
        Columns and their titles.
    names : sequence of str
        Experiments that are ranked.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(1, len(measures), shared_yaxes=True, subplot_titles=list(measures.values()))
    for column, measure in enumerate(measures, 1):
        values = table[table.experiment.isin(names)].pivot(index="seed", columns="experiment", values=measure)
        rank = values.rank(axis=1)
        for name, colour in zip(names, PALETTE, strict=False):
            line, marker = {"color": colour, "width": 3}, {"size": 11}
            trace = go.Scatter(x=rank.index, y=rank[name], mode="lines+markers", line=line, marker=marker, name=name)
            figure.add_trace(trace.update(legendgroup=name, showlegend=bool(column == 1)), 1, column)
    figure.update_xaxes(title="Seed", dtick=1)
    figure.update_yaxes(range=[len(names) + 0.5, 0.5], dtick=1)
    figure.update_yaxes(title="Rank (1 is best)", col=1)
    return figure.update_layout(height=360, margin={"t": 40}, legend=BELOW)


def trials(table):
    """Draw the trials of a search: the loss of each over its number of weights.

    Parameters
    ----------
    table : DataFrame
        ``layers``, ``width``, ``learning_rate``, ``epochs`` and ``val_loss``, as of `tune_sde`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    for rate, colour in zip(sorted(table.learning_rate.unique()), PALETTE, strict=False):
        one = table[table.learning_rate == rate]
        count = 2 * ((one.layers - 1) * one.width**2 + (one.layers + 3) * one.width)  # of two networks, nearly
        figure.add_trace(
            go.Scatter(
                x=count, y=one.val_loss, mode="markers", name=f"learning rate {rate:g}",
                marker={"color": colour, "size": 5 + 2 * np.sqrt(one.epochs), "opacity": 0.7},
                customdata=one[["layers", "width", "epochs"]],
                hovertemplate="%{customdata[0]} layers of %{customdata[1]}, %{customdata[2]} epochs: %{y:.3f}",
            )
        )  # fmt: skip
    low, high = table.val_loss.min(), table.val_loss.quantile(0.9)  # some trials learn nothing
    margin = 0.1 * (high - low)
    figure.update_xaxes(title="Weights of the networks", **LOG_AXIS)
    figure.update_yaxes(title="Loss of the validation / nat", range=[low - margin, high + margin])
    return figure.update_layout(height=400, margin={"t": 20}, legend=BELOW)
