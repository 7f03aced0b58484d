"""Figures of sizes: distributions, box plots of ratios, power laws (figures 5 to 8 of Sipkens et al.)."""

from textwrap import wrap

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.drawing import LOG_AXIS
from particlelab.measure import log_density
from particlelab.soot.figures.look import COLOURS, NAMES
from particlelab.soot.measurement import fit_each
from particlelab.soot.powerlaw import UNIVERSAL_RELATION

_DASHES = {"reference": "dash", "cnn": "dot", "cnn + RB": "dashdot", "cnn + 1000 px": "longdash", "kmeans": "dot"}
_RATIO_TICKS = [0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10]


def size_distributions(diameters_nm, quantity="Projected-area equivalent diameter d<sub>a</sub>"):
    """Draw kernel density estimates over the logarithm of diameters (figure 5 of Sipkens et al.).

    Parameters
    ----------
    diameters_nm : dict of str to (N,) array_like
        By method; a method of fewer than three diameters is left out.
    quantity : str
        Of the horizontal axis.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    known = {m: np.asarray(d, float) for m, d in diameters_nm.items()}
    known = {m: d[np.isfinite(d) & (d > 0)] for m, d in known.items()}
    known = {m: d for m, d in known.items() if len(d) >= 3 and np.ptp(d) > 0}
    figure = go.Figure()
    if known:
        values = np.concatenate(list(known.values()))
        grid = np.geomspace(values.min() / 2, values.max() * 2, 300)
        for method, d in known.items():
            name = f"{NAMES.get(method, method)} ({len(d)})"
            line = {"color": COLOURS.get(method), "dash": _DASHES.get(method, "solid")}
            figure.add_trace(go.Scatter(x=grid, y=log_density(d, grid), mode="lines", name=name, line=line))
    figure.update_xaxes(**LOG_AXIS, title=f"{quantity} / nm")
    figure.update_yaxes(title="Density per ln d", rangemode="tozero")
    return figure.update_layout(height=420)


def ratios(panels, title=""):
    """Draw box plots of the ratio of each method's values to a reference (figures 6 and 7 of Sipkens et al.).

    Parameters
    ----------
    panels : dict of str to (dict of str to (N,) array_like, (N,) array_like)
        By title of the panel: values by method, aggregate for aggregate as the reference that comes second; NaN where a
        method found nothing.
    title : str

    Returns
    -------
    plotly.graph_objects.Figure
        Boxes hold the middle half, whiskers 1.5 interquartile ranges; points from left to right
        have growing reference values.
    """
    most = max(len(values) for values, _ in panels.values())
    columns = min(2 if most <= 6 else 1, len(panels))  # names of methods need room
    rows = -(-len(panels) // columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=list(panels),
        shared_yaxes="all",
        horizontal_spacing=0.02,
        vertical_spacing=0.3 / rows if rows > 1 else 0,
    )
    for panel, (values, reference) in enumerate(panels.values()):
        place = {"row": panel // columns + 1, "col": panel % columns + 1}
        _add_boxes(figure, values, np.asarray(reference, float), place)
        figure.add_hline(y=1, line_color="#999999", **place)
    figure.update_yaxes(type="log", tickvals=_RATIO_TICKS, ticktext=[f"{t:g}" for t in _RATIO_TICKS])
    figure.update_yaxes(title="Ratio of d<sub>p</sub>", col=1)
    return figure.update_layout(title=title, height=110 + 310 * rows, margin={"t": 90 if title else 40})


def classifier_ratios(comparison, sizers, base):
    """Draw how primary diameters depend on the classifier, a panel for each sizing method (figure 6).

    Aggregates of different masks are the same if their centres lie within half an equivalent diameter.

    Parameters
    ----------
    comparison : Comparison
    sizers : sequence of str
    base : str
        The classifier that the others are related to.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    parts = dict(list(comparison.aggregates.groupby("classifier", sort=False)))
    reference = parts.pop(base, comparison.aggregates.iloc[:0])
    same = {classifier: [_nearest(row, part) for row in reference.itertuples()] for classifier, part in parts.items()}
    panels = {}
    for sizer in sizers:
        column = f"dp_{sizer}_nm"
        values = {classifier: part[column].reindex(same[classifier]) for classifier, part in parts.items()}
        panels[NAMES[sizer]] = values, reference[column]
    return ratios(panels, f"The same aggregates by other classifiers, against {NAMES[base]}")


def sizer_ratios(comparison, classifiers, sizers, base="edm_sbs"):
    """Draw how primary diameters depend on the sizing method, a panel for each classifier (figure 7).

    Parameters
    ----------
    comparison : Comparison
    classifiers, sizers : sequence of str
    base : str
        The sizing method that the others are related to, the first one if this one is not among them.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    base = base if base in sizers else sizers[0]
    panels = {}
    for classifier in classifiers:
        part = comparison.aggregates.query("classifier == @classifier")
        values = {sizer: part[f"dp_{sizer}_nm"] for sizer in sizers if sizer != base}
        panels[NAMES[classifier]] = values, part[f"dp_{base}_nm"]
    return ratios(panels, f"Sizing methods against {NAMES[base]}")


def power_laws(comparison, classifiers, sizers):
    """Draw primary against aggregate diameter with power laws and data ellipses, a panel a classifier (figure 8).

    Parameters
    ----------
    comparison : Comparison
    classifiers, sizers : sequence of str
        Methods of fewer than four diameters show their points only.

    Returns
    -------
    plotly.graph_objects.Figure
        The grey line is the universal relation; the shaded corner, where a primary particle would exceed its
        aggregate, is unphysical.
    """
    columns = min(2, len(classifiers))
    rows = -(-len(classifiers) // columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=[NAMES[c] for c in classifiers] if len(classifiers) > 1 else None,
        shared_xaxes="all",
        shared_yaxes="all",
        horizontal_spacing=0.02,
        vertical_spacing=0.16 / rows,
    )
    da = comparison.aggregates[comparison.aggregates.classifier.isin(classifiers)].da_nm
    low, high = (da.min() / 1.5, da.max() * 1.5) if len(da) else (10, 1000)
    grid = np.geomspace(low, high, 60)
    for panel, classifier in enumerate(classifiers):
        part = comparison.aggregates[comparison.aggregates.classifier == classifier]
        traces = [*_unphysical_corner(grid), *_clouds(part, sizers, grid, legend=panel == 0)]
        figure.add_traces(traces, rows=panel // columns + 1, cols=panel % columns + 1)
    figure.update_xaxes(**LOG_AXIS, range=np.log10([low, high]), showticklabels=True)
    figure.update_xaxes(title="Projected-area equivalent diameter d<sub>a</sub> / nm", row=rows)
    figure.update_yaxes(**LOG_AXIS, range=np.log10([5, 120]))
    figure.update_yaxes(title="Primary particle diameter d<sub>p</sub> / nm", col=1)
    return figure.update_layout(height=120 + 400 * rows, margin={"t": 90})  # names of methods above those of panels


def _add_boxes(figure, values, reference, place):
    order = np.argsort(reference)
    spread = np.linspace(-0.3, 0.3, len(reference))
    for number, (method, value) in enumerate(values.items()):
        ratio = (np.asarray(value, float) / reference)[order]
        look = {"name": NAMES.get(method, method), "showlegend": False}
        colour = COLOURS.get(method)
        box = go.Box(y=ratio, x=np.full(len(ratio), number), boxpoints=False, line_color=colour, **look)
        marker = {"color": colour, "size": 4, "opacity": 0.5}
        figure.add_traces(
            [box, go.Scatter(x=number + spread, y=ratio, mode="markers", marker=marker, **look)],
            **{"rows": place["row"], "cols": place["col"]},
        )
    names = ["<br>".join(wrap(NAMES.get(m, m), 10)) for m in values]
    figure.update_xaxes(tickvals=list(range(len(names))), ticktext=names, tickangle=0, **place)


def _unphysical_corner(grid):
    quiet = {"line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    return [
        go.Scatter(x=grid, y=np.full_like(grid, 1e4), **quiet),
        go.Scatter(x=grid, y=grid, name="dp > da", fill="tonexty", fillcolor="rgba(0,0,0,0.06)", **quiet),
    ]


def _clouds(part, sizers, grid, legend):
    """Return the points, ellipses and power laws of one classifier, and the universal relation."""
    fits, traces = fit_each(part, sizers), []
    for sizer in sizers:
        look = {"legendgroup": sizer, "name": NAMES.get(sizer, sizer)}
        colour = COLOURS.get(sizer)
        marker = {"color": colour, "size": 5, "opacity": 0.55}
        points = go.Scatter(x=part.da_nm, y=part[f"dp_{sizer}_nm"], mode="markers", marker=marker, **look)
        traces.append(points.update(showlegend=legend))
        if sizer in fits:
            x, y = fits[sizer].ellipse().T
            for line, width, dash in (((grid, fits[sizer](grid)), 2, "solid"), ((x, y), 1, "dot")):
                style = {"color": colour, "width": width, "dash": dash}
                traces.append(go.Scatter(x=line[0], y=line[1], mode="lines", line=style, showlegend=False, **look))
    name, line = "Universal relation (Olfert and Rogak)", {"color": "#999999", "width": 3}
    relation = go.Scatter(x=grid, y=UNIVERSAL_RELATION(grid), mode="lines", name=name, line=line, showlegend=legend)
    return [*traces, relation]


def _nearest(row, part):
    """The index of the aggregate of the same image that lies where ``row`` lies; -1 if there is none."""
    part = part[part.image == row.image]
    distance = np.hypot(part.centroid_x_nm - row.centroid_x_nm, part.centroid_y_nm - row.centroid_y_nm)
    return distance.idxmin() if len(part) and distance.min() < row.da_nm / 2 else -1
