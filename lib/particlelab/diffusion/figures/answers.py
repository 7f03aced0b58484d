"""What methods say of the same movies."""

import numpy as np
import plotly.graph_objects as go

from particlelab.diffusion.figures.look import BELOW, QUIET, styles
from particlelab.drawing import LOG_AXIS

BESIDE = 0.1  # between methods
BEYOND = 1.1  # times what is shown, where an axis ends
WIDE = 4.0  # times the true D, and a part of it, that an axis shows at least: at 1, 2 and 5 it has three ticks then
TRUTH = {"line": {"color": QUIET, "width": 2, "dash": "dash"}, "layer": "below"}


def answers(table, true_um2_s):
    """Draw what each method says of a molecule, with its interval, and the truth.

    Parameters
    ----------
    table : DataFrame
        ``method``, ``diffusion_um2_s``, ``low``, ``high``. What is not positive ends at the axis.
    true_um2_s : float

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure, least = go.Figure(), true_um2_s / 30
    for row in table.itertuples():
        style = styles(table.method)[row.method]
        d, low = max(row.diffusion_um2_s, least), max(row.low, least)
        bars = {"type": "data", "array": [max(row.high - d, 0)], "arrayminus": [d - low], "width": 8}
        marker = {"color": style.colour, "symbol": style.symbol, "size": 12}
        figure.add_trace(
            go.Scatter(x=[d], y=[style.label], error_x=bars, mode="markers", marker=marker, showlegend=False)
        )
    figure.add_vline(x=true_um2_s, **TRUTH)
    figure.add_annotation(x=np.log10(true_um2_s), y=1, yref="paper", yanchor="bottom", text="true D", showarrow=False)
    ends = [*table.diffusion_um2_s, *table.low, *table.high, true_um2_s / WIDE, WIDE * true_um2_s]
    shown = np.clip([np.nanmin(ends), np.nanmax(ends)], least, None) * [1 / BEYOND, BEYOND]
    figure.update_xaxes(title="D / (µm²/s)", range=np.log10(shown), **LOG_AXIS)
    figure.update_yaxes(title="Method", autorange="reversed")
    return figure.update_layout(height=280, margin={"t": 30})


def estimates_of_one(estimates):
    """Draw how the estimates of each method scatter about one true D.

    Parameters
    ----------
    estimates : DataFrame
        From `compare`, of one D. What is not positive lies at the lower end of the axis.

    Returns
    -------
    plotly.graph_objects.Figure
        A point for each movie, beside median and quartiles.
    """
    true, figure = estimates.true_um2_s.iloc[0], go.Figure()
    for method, style in styles(estimates.method).items():
        found = estimates.diffusion_um2_s[estimates.method == method].clip(lower=true / 30)
        look = {"marker": {"color": style.colour, "size": 4}, "line": {"width": 2}, "fillcolor": "rgba(0,0,0,0)"}
        figure.add_trace(go.Box(y=found, name=style.label, boxpoints="all", jitter=0.5, pointpos=-1.6, **look))
    figure.add_hline(y=true, **TRUTH)
    figure.add_annotation(
        x=1, xref="paper", xanchor="right", y=np.log10(true), yshift=8, text="true D", showarrow=False
    )
    figure.update_xaxes(title="Method")
    figure.update_yaxes(title="Estimated D / (µm²/s)", **LOG_AXIS)
    return figure.update_layout(height=460, margin={"t": 20}, showlegend=False)


def errors_by_cue(table, names):
    """Draw the root mean square error of each method without one cue after the other.

    Parameters
    ----------
    table : DataFrame
        ``method``, ``without``, ``relative_error`` and its standard error ``relative_error_error``.
    names : dict of str to str
        What each cue is called.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure, known = go.Figure(), styles(table.method)
    for number, (method, style) in enumerate(known.items()):
        rows = table[table.method == method].set_index("without").reindex(list(names))
        figure.add_trace(
            go.Scatter(
                x=np.arange(len(names)) + BESIDE * (number - (len(known) - 1) / 2),
                y=100 * rows.relative_error,
                error_y={"type": "data", "array": 100 * rows.relative_error_error},
                mode="markers",
                marker={"color": style.colour, "symbol": style.symbol, "size": 9},
                name=style.label,
            )
        )
    figure.update_xaxes(title="Taken away", tickvals=np.arange(len(names)), ticktext=list(names.values()))
    figure.update_yaxes(title="Root mean square error / % of D", **LOG_AXIS)
    return figure.update_layout(height=440, margin={"t": 20}, legend=BELOW)


def label(method):
    """Return what a method is called in figures."""
    return styles([method])[method].label
