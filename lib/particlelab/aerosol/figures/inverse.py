"""What a series tells of strength and wind: likelihood, posterior, intervals and how often they hold the truth."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.aerosol.inverse_studies import BY_SERIES, BY_STEPS, KNOWN, STILL, UNKNOWN
from particlelab.drawing import BELOW, BLACK, BLUE, GREEN, ORANGE, PALETTE, RED

METHODS = {BY_SERIES: BLUE, BY_STEPS: ORANGE}  # colours
TITLES = {"strength": "Strength of the turbulence", "wind": "Wind, to the right / m/s"}
MARKS = {"strength": "strength", "wind": "wind / m/s"}
ASKED = {STILL: "circle", KNOWN: "diamond", UNKNOWN: "square"}
BINS = 28  # of a posterior


def likelihoods(strengths, by_method, true=None):
    """Draw the likelihood of one series over the strength, each scaled to 1 at its highest.

    Parameters
    ----------
    strengths : (m,) array_like
        In rising order.
    by_method : dict of str to (m,) array_like
        Logarithms of the likelihood.
    true : float, optional

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    for number, (name, values) in enumerate(by_method.items()):
        values = np.exp(np.asarray(values) - np.max(values))
        line = {"color": METHODS.get(name, PALETTE[(number + 1) % len(PALETTE)]), "width": 2.5}
        if name not in METHODS:
            line["dash"] = "dot"
        figure.add_trace(go.Scatter(x=strengths, y=values, mode="lines", line=line, name=name))
    if true is not None:
        _mark(figure, true, 1.05)
    figure.update_xaxes(title=TITLES["strength"])
    figure.update_yaxes(title="Likelihood, of the highest", range=[0, 1.08])
    return figure.update_layout(height=400, margin={"t": 20}, legend=BELOW)


def posteriors(prior, weights, table, truth=None):
    """Draw the posterior distribution of each parameter, with its 90 % interval and the truth.

    Parameters
    ----------
    prior : (m, k) array
        Draws: strength, and wind.
    weights : dict of str to (m,) array
        Of the draws, by method; the first one is filled.
    table : DataFrame
        ``parameter``, ``likelihood of`` (the method), ``median``, ``lower`` and ``upper``; parameters that
        it lacks are known, and not drawn.
    truth : dict of str to float, optional
        By parameter.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    names = [name for name in TITLES if name in set(table.parameter)]
    figure = make_subplots(1, len(names), horizontal_spacing=0.09)
    for column, name in enumerate(names, 1):
        values, top = prior[:, column - 1], 0.0
        edges = np.linspace(values.min(), values.max(), BINS + 1)
        for number, (method, weight) in enumerate(weights.items()):
            heights = np.histogram(values, edges, weights=weight)[0] / np.histogram(values, edges)[0].clip(1)
            heights = heights / (heights.sum() * np.diff(edges)[0])
            top = max(top, heights.max())
            middle, line = (edges[1:] + edges[:-1]) / 2, {"color": METHODS.get(method, BLACK), "width": 2.5}
            look = {"line": line | ({} if number == 0 else {"dash": "dash"}), "fill": None if number else "tozeroy"}
            shown = {"name": method, "legendgroup": method, "showlegend": column == 1}
            figure.add_trace(go.Scatter(x=middle, y=heights, mode="lines", **look, **shown), 1, column)
        rows = table[table.parameter == name].set_index("likelihood of")
        for number, method in enumerate(weights):
            one, height = rows.loc[method], -0.05 * top * (number + 1)
            ends = {"array": [one.upper - one["median"]], "arrayminus": [one["median"] - one.lower]}
            bar = go.Scatter(
                x=[one["median"]], y=[height], mode="markers", marker={"color": METHODS.get(method, BLACK), "size": 9},
                error_x={"type": "data", "symmetric": False, "thickness": 3, "width": 6, **ends}, showlegend=False,
                hovertemplate=f"{method}: median %{{x:.2f}}, 90 % interval<extra></extra>",
            )  # fmt: skip
            figure.add_trace(bar, 1, column)
        if truth and name in truth:
            _mark(figure, truth[name], 1.08 * top, 1, column, showlegend=column == 1)
        figure.update_xaxes(title=TITLES[name], row=1, col=column)
        unit = " / (s/m)" if name == "wind" else ""
        figure.update_yaxes(title=f"Probability density{unit}", zeroline=True, row=1, col=column)
    return figure.update_layout(height=400, margin={"t": 20}, legend=BELOW)


def estimates(table, parameter="strength"):
    """Draw medians and 90 % intervals over the truth; those that miss it in red.

    Parameters
    ----------
    table : DataFrame
        Of `infer_all`, of one method.
    parameter : str

    Returns
    -------
    plotly.graph_objects.Figure
        A panel for each value of ``asked``.
    """
    table = table[table.parameter == parameter]
    groups = list(table.groupby("asked", sort=False))
    figure = make_subplots(1, len(groups), shared_yaxes=True, subplot_titles=[name for name, _ in groups])
    ends = [table.true.min(), table.true.max()]
    for column, (_, some) in enumerate(groups, 1):
        held = (some.low <= some.true) & (some.true <= some.high)
        for inside, name, colour in ((True, "holds the truth", BLUE), (False, "misses it", RED)):
            one = some[held == inside]
            bars = {"array": one.high - one["median"], "arrayminus": one["median"] - one.low}
            points = go.Scatter(
                x=one.true, y=one["median"], mode="markers", marker={"color": colour, "size": 6}, name=name,
                error_y={"type": "data", "symmetric": False, "thickness": 1, "width": 0, **bars}, legendgroup=name,
                showlegend=column == 1,
            )  # fmt: skip
            figure.add_trace(points, 1, column)
        line = go.Scatter(x=ends, y=ends, mode="lines", line={"color": BLACK, "dash": "dot"}, showlegend=False)
        figure.add_trace(line, 1, column)
        figure.update_xaxes(title=f"True {MARKS[parameter]}", row=1, col=column)
    figure.update_yaxes(title=f"Inferred {MARKS[parameter]}", col=1)
    return figure.update_layout(height=480, margin={"t": 40}, legend=BELOW)


def coverages(counted):
    """Draw how often intervals hold the truth over how often they should.

    Parameters
    ----------
    counted : DataFrame
        Of `count_coverage`: ``method``, ``asked``, ``parameter``, ``level``, ``coverage``, ``error``.

    Returns
    -------
    plotly.graph_objects.Figure
        A panel for each parameter. The band is two binomial standard errors wide to each side.
    """
    names = [name for name in TITLES if name in set(counted.parameter)]
    figure = make_subplots(1, len(names), shared_yaxes=True, subplot_titles=names)
    for column, name in enumerate(names, 1):
        panel = counted[counted.parameter == name]
        band = panel.groupby("level").error.max()
        x = np.concatenate([[0], band.index, [1]])
        half = np.concatenate([[0], 2 * band, [0]])
        area = go.Scatter(
            x=np.concatenate([x, x[::-1]]), y=np.concatenate([x - half, (x + half)[::-1]]), fill="toself",
            line={"width": 0}, fillcolor="rgba(128, 128, 128, 0.3)", hoverinfo="skip", name="right, by chance",
            legendgroup="band", showlegend=column == 1,
        )  # fmt: skip
        figure.add_trace(area, 1, column)
        for (method, asked), one in panel.groupby(["method", "asked"], sort=False):
            label, look = f"{method}, {asked}", {"color": METHODS.get(method, GREEN), "width": 2}
            dash = "solid" if asked == "still air" else "dash"
            first = not any(trace.name == label for trace in figure.data)
            curve = go.Scatter(
                x=one.level, y=one.coverage, mode="lines+markers", line=look | {"dash": dash}, name=label,
                marker={"symbol": ASKED[asked], "size": 7}, legendgroup=label, showlegend=first,
            )  # fmt: skip
            figure.add_trace(curve, 1, column)
        figure.update_xaxes(title="Probability that intervals claim", range=[0, 1], row=1, col=column)
    figure.update_yaxes(title="Share that holds the truth", range=[0, 1.02], col=1)
    return figure.update_layout(height=460, margin={"t": 40}, legend=BELOW | {"y": -0.2})


def errors_by_frames(scores, prior_errors=None):
    """Draw the error of the median over the number of frames that are seen.

    Parameters
    ----------
    scores : DataFrame
        Of `score_estimates`: ``asked``, ``parameter``, ``frames``, ``error``.
    prior_errors : dict of str to float, optional
        By parameter: the error of who sees nothing.

    Returns
    -------
    plotly.graph_objects.Figure
        A panel for each parameter.
    """
    names = [name for name in TITLES if name in set(scores.parameter)]
    figure = make_subplots(1, len(names), horizontal_spacing=0.1)
    colours = dict(zip(ASKED, (BLUE, GREEN, ORANGE), strict=True))
    for column, name in enumerate(names, 1):
        panel = scores[scores.parameter == name]
        for asked, one in panel.groupby("asked", sort=False):
            curve = go.Scatter(
                x=one.frames, y=one.error, mode="lines+markers", line={"color": colours[asked], "width": 2},
                marker={"symbol": ASKED[asked], "size": 8}, name=asked, legendgroup=asked, showlegend=column == 1,
            )  # fmt: skip
            figure.add_trace(curve, 1, column)
        if prior_errors:
            ends = [panel.frames.min(), panel.frames.max()]
            line = go.Scatter(
                x=ends, y=[prior_errors[name]] * 2, mode="lines", line={"color": BLACK, "dash": "dot"},
                name="nothing seen", legendgroup="prior", showlegend=column == 1,
            )  # fmt: skip
            figure.add_trace(line, 1, column)
        figure.update_xaxes(title="Frames that are seen", row=1, col=column)
        figure.update_yaxes(title=f"Error of the {MARKS[name]}", rangemode="tozero", row=1, col=column)
    return figure.update_layout(height=420, margin={"t": 20}, legend=BELOW)


def _mark(figure, true, top, row=None, column=None, showlegend=True):
    """Draw a line where the truth is."""
    line = go.Scatter(
        x=[true, true], y=[0, top], mode="lines", line={"color": BLACK, "dash": "dot", "width": 2}, name="truth",
        legendgroup="truth", showlegend=showlegend,
    )  # fmt: skip
    figure.add_trace(line, row, column)
