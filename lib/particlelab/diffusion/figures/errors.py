"""Estimates of D against the truth: how far they are off, on average and each, and what their intervals are worth."""

import numpy as np
import plotly.graph_objects as go

from particlelab.diffusion.figures.look import BELOW, METHODS, QUIET, TRUE_D, styles
from particlelab.drawing import LOG_AXIS

BESIDE = 1.06  # methods stand beside each other by this factor
DASHED = {"mode": "lines", "line": {"color": QUIET, "width": 2, "dash": "dash"}}


def estimates_against_true(estimates):
    """Draw estimates of D against the true one: median, and where nine of ten lie (as the document's results).

    Parameters
    ----------
    estimates : DataFrame
        From `compare`. What is not positive lies at the lower end of the axis.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    true = np.sort(estimates.true_um2_s.unique())
    least = true[0] / 30
    figure = go.Figure(go.Scatter(x=true, y=true, name="true", hoverinfo="skip", **DASHED))
    known = styles(estimates.method)
    for number, (method, style) in enumerate(known.items()):
        groups = estimates[estimates.method == method].groupby("true_um2_s").diffusion_um2_s
        low, middle, high = groups.quantile([0.05, 0.5, 0.95]).unstack().clip(lower=least).T.to_numpy()
        x = np.array(list(groups.groups)) * BESIDE ** (number - (len(known) - 1) / 2)
        figure.add_trace(_points(x, middle, style, high - middle, middle - low, "markers"))
    figure.update_xaxes(title=TRUE_D, **LOG_AXIS)
    figure.update_yaxes(title="Estimated D / (µm²/s)", **LOG_AXIS)
    return figure.update_layout(height=520, margin={"t": 20}, legend=BELOW)


def errors(summary):
    """Draw the root mean square error of each method against D, with its standard error, and the bound of tracks.

    Parameters
    ----------
    summary : DataFrame
        From `summarise`; the bound is drawn if it has ``over_bound``.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = _by_method(summary, "true_um2_s", "relative_error", "relative_error_error")
    if "over_bound" in summary:
        bound = (100 * summary.relative_error / summary.over_bound).groupby(summary.true_um2_s).first()
        figure.add_trace(go.Scatter(x=bound.index, y=bound, name="bound of tracks", **DASHED))
    return _finished(figure, "Root mean square error / % of D").update_yaxes(LOG_AXIS)


def biases(summary):
    """Draw how far each method is off on average, against D, with its standard error; the band is +-5 %.

    Parameters
    ----------
    summary : DataFrame
        From `summarise`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = _by_method(summary, "true_um2_s", "bias", "bias_error")
    _band(figure, -5, 5)
    return _finished(figure, "Bias / % of D")


def coverages(summary):
    """Draw how often intervals hold the true D, with its standard error; 90 % should, the band is 88 to 92 %.

    Parameters
    ----------
    summary : DataFrame
        From `summarise`; methods without intervals are left out.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    error = np.sqrt(summary.coverage * (1 - summary.coverage) / summary.movies)
    figure = _by_method(summary.assign(error=error).dropna(subset="coverage"), "true_um2_s", "coverage", "error")
    _band(figure, 88, 92)
    return _finished(figure, "Intervals that hold the true D / %")


def errors_by(table, column, title):
    """Draw the root mean square error of each method against a condition, at one D.

    Parameters
    ----------
    table : DataFrame
        ``method``, ``relative_error`` (with ``relative_error_error``, its standard error, if it is known), and the
        condition.
    column : str
        The condition: photons, frames, ...
    title : str
        What the axis says of it, with its unit.

    Returns
    -------
    plotly.graph_objects.Figure
        With a logarithmic axis if the condition spans a factor of ten.
    """
    figure = _by_method(table, column, "relative_error", "relative_error_error")
    figure = _finished(figure, "Root mean square error / % of D").update_yaxes(LOG_AXIS)
    wide = table[column].min() > 0 and table[column].max() >= 10 * table[column].min()
    return figure.update_xaxes(title=title, **(LOG_AXIS if wide else {"type": "linear", "dtick": None}))


def localisation_errors(table):
    """Draw how well molecules are localised against their photons, and the bound of what is possible.

    Parameters
    ----------
    table : DataFrame
        ``method``, ``photons``, ``error_nm`` along an axis and its standard error ``error_nm_error``, ``bound_nm``.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    bound = table.groupby("photons").bound_nm.first()
    figure = go.Figure(go.Scatter(x=bound.index, y=bound, name="Cramér-Rao bound", **DASHED))
    for method, rows in table.groupby("method", sort=False):
        bars = rows.error_nm_error
        figure.add_trace(_points(rows.photons, rows.error_nm, METHODS[method], bars, bars))
    figure.update_xaxes(title="Photons in a frame", **LOG_AXIS)
    figure.update_yaxes(title="Error of a coordinate / nm", **LOG_AXIS)
    return figure.update_layout(height=420, margin={"t": 20}, legend=BELOW)


def _by_method(table, x, y, error):
    """Return a figure of a share against something, in percent, by method."""
    figure = go.Figure()
    for method, style in styles(table.method).items():
        rows = table[table.method == method].sort_values(x)
        bars = 100 * rows[error] if error in rows else None
        figure.add_trace(_points(rows[x], 100 * rows[y], style, bars, bars))
    return figure


def _points(x, y, style, above, below, mode="lines+markers"):
    """Return the trace of a method, with error bars."""
    bars = {"type": "data", "array": above, "arrayminus": below, "thickness": 1.5, "width": 4}
    look = {"mode": mode, "marker": {"color": style.colour, "symbol": style.symbol, "size": 9}}
    return go.Scatter(x=x, y=y, error_y=bars, name=style.label, line={"color": style.colour}, **look)


def _band(figure, low, high):
    """Draw where values should be."""
    figure.add_hrect(y0=low, y1=high, fillcolor=QUIET, opacity=0.15, line_width=0, layer="below")
    figure.add_hline(y=(low + high) / 2, line={"color": QUIET, "dash": "dash"}, layer="below")


def _finished(figure, title):
    figure.update_xaxes(title=TRUE_D, **LOG_AXIS)
    figure.update_yaxes(title=title)
    return figure.update_layout(height=420, margin={"t": 20}, legend=BELOW)
