"""How generated spectra are judged (IPMT report, table 1, figures 20 to 22)."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.drawing import BELOW, BLACK, BLUE, GREEN, ORANGE, PALETTE, PINK, RED
from particlelab.sedimentation.spectra import CLASSES

COLOURS = dict(zip(CLASSES, (BLUE, ORANGE, GREEN, PINK), strict=True))
QUIET = "#8a939c"  # of what chance gives, and of what is only a guide
SYMBOLS = ("diamond", "cross", "square", "x", "circle-open", "diamond-open", "square-open")
AXES = ("x", "y", "z")


def confusion_matrices(confusions, columns=3):
    """Draw confusion matrices (as figures 20 and 22): colour is the share of a row, numbers are counts.

    Parameters
    ----------
    confusions : dict of str to (4, 4) array_like
        By title; rows what was asked for, columns what it was taken for.
    columns : int
        Side by side.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    columns = min(columns, len(confusions))
    rows = -(-len(confusions) // columns)
    titles = []
    for name, matrix in confusions.items():
        matrix = np.asarray(matrix)
        titles.append(f"{name}<br>{100 * np.trace(matrix) / max(1, matrix.sum()):.0f} % of {matrix.sum()} right")
    figure = make_subplots(
        rows, columns, subplot_titles=titles, horizontal_spacing=0.06, vertical_spacing=0.3 / rows, shared_yaxes=True
    )
    for k, matrix in enumerate(confusions.values()):
        matrix = np.asarray(matrix)
        heat = go.Heatmap(
            z=matrix / np.maximum(matrix.sum(1, keepdims=True), 1),
            x=CLASSES,
            y=CLASSES,
            text=matrix,
            texttemplate="%{text}",
            zmin=0,
            zmax=1,
            colorscale="Blues",
            showscale=k == 0,
            colorbar={"title": "Share of a row", "thickness": 14},
            xgap=2,
            ygap=2,
            hoverinfo="skip",
        )
        place = {"row": k // columns + 1, "col": k % columns + 1}
        figure.add_trace(heat, **place)
        figure.update_yaxes(autorange="reversed", title="Asked for" if k % columns == 0 else None, **place)
        figure.update_xaxes(title="Taken for" if k // columns == rows - 1 else None, tickangle=-30, **place)
    figure.update_annotations(font_size=13)
    return figure.update_layout(height=100 + 330 * rows, margin={"t": 60, "b": 80})


def distances(table, metrics=("fid", "kid", "mfd")):
    """Draw how far generated spectra are from real ones (as table 1), beside what two halves of the real give.

    Parameters
    ----------
    table : DataFrame
        ``generator`` and the columns of `compare`.
    metrics : sequence of str
        Those that the table has are drawn.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    metrics = [metric for metric in metrics if (table.metric == metric).any()]
    names = [table[table.metric == metric].name.iloc[0] for metric in metrics]
    figure = make_subplots(1, len(metrics), subplot_titles=names, horizontal_spacing=0.1)
    for k, metric in enumerate(metrics, 1):
        some = table[table.metric == metric]
        bars = {
            "type": "data",
            "array": some.value_high - some.value,
            "arrayminus": (some.value - some.value_low).clip(lower=0),
            "thickness": 1.5,
        }
        points = go.Scatter(
            x=some.generator,
            y=some.value,
            error_y=bars,
            mode="markers",
            marker={"size": 11, "color": BLUE},
            name="generated and real",
            showlegend=k == 1,
        )
        halves = go.Scatter(
            x=some.generator,
            y=some.halves,
            error_y={
                "type": "data",
                "array": some.halves_high - some.halves,
                "arrayminus": some.halves - some.halves_low,
                "thickness": 6,
                "width": 0,
            },
            mode="markers",
            marker={"size": 8, "color": QUIET, "symbol": "line-ew-open"},
            name="two halves of the real",
            showlegend=k == 1,
        )
        figure.add_traces([halves, points], rows=1, cols=k)
        figure.update_yaxes(title=names[k - 1], rangemode="tozero", row=1, col=k)
        figure.update_xaxes(title="Generator", tickangle=-30, row=1, col=k)
    return figure.update_layout(height=420, margin={"t": 50, "b": 130}, legend=BELOW | {"y": -0.55})


def feature_space(places, shares, marked=None):
    """Draw spectra by the principal components of their features (as figure 21).

    Parameters
    ----------
    places : DataFrame
        ``label`` (class, or coefficient in S), ``first``, ``second``, ``third``; with ``set``, those of the first set
        are circles and of each other set another symbol.
    shares : (3,) array_like
        Of the variance, for the axes.
    marked : (3,) array_like, optional
        One place that stands out.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure, sets = go.Figure(), list(dict.fromkeys(places["set"])) if "set" in places else [None]
    classes = isinstance(places.label.iloc[0], str)
    for number, name in enumerate(sets):
        of_set = places if name is None else places[places["set"] == name]
        symbol = "circle" if number == 0 else SYMBOLS[(number - 1) % len(SYMBOLS)]
        parts = [(c, of_set[of_set.label == c]) for c in CLASSES] if classes else [("", of_set)]
        for label, some in parts:
            if not len(some):
                continue
            marker = {"size": 3 if number == 0 else 5, "symbol": symbol, "opacity": 0.55 if number == 0 else 0.9}
            if classes:
                marker["color"] = COLOURS[label]
            else:
                s = some.label.astype(float)
                marker |= {"color": s, "colorscale": "Viridis", "cmin": 0, "cmax": 1e5, "showscale": number == 0}
                marker["colorbar"] = {"title": "s / S", "thickness": 14}
            figure.add_scatter3d(
                x=some["first"],
                y=some["second"],
                z=some["third"],
                mode="markers",
                marker=marker,
                name=", ".join(filter(None, [name, label])),
            )
    if marked is not None and np.isfinite(marked).all():
        x, y, z = ([value] for value in marked)
        marker = {"size": 11, "color": RED, "symbol": "diamond", "line": {"color": BLACK, "width": 2}}
        figure.add_scatter3d(x=x, y=y, z=z, mode="markers", marker=marker, name="this spectrum")
    titles = (f"{name} component ({100 * s:.0f} %)" for name, s in zip(("1st", "2nd", "3rd"), shares, strict=True))
    scene = {f"{axis}axis": {"title": {"text": title}} for axis, title in zip(AXES, titles, strict=True)}
    return figure.update_layout(height=560, margin={"t": 20, "b": 10, "l": 0, "r": 0}, scene=scene)


def asked_and_read(read, by="boundary"):
    """Draw coefficients that were read over those asked for, and the error below.

    Parameters
    ----------
    read : DataFrame
        As of `judge_coefficients`.
    by : {"boundary", "network"}

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.6, 0.4], vertical_spacing=0.06)
    largest = float(read.asked_s.max())
    line = {"color": QUIET, "dash": "dash"}
    for k, (name, some) in enumerate(read.groupby("set", sort=False)):
        marker = {"color": PALETTE[k % len(PALETTE)], "size": 6}
        error = 100 * (some[f"{by}_s"] / some.asked_s.where(some.asked_s > 0) - 1)
        common = {"mode": "markers", "marker": marker, "name": name, "legendgroup": name}
        figure.add_trace(go.Scatter(x=some.asked_s, y=some[f"{by}_s"], **common), row=1, col=1)
        figure.add_trace(go.Scatter(x=some.asked_s, y=error, showlegend=False, **common), row=2, col=1)
    guide = {"mode": "lines", "line": line, "showlegend": False, "hoverinfo": "skip"}
    figure.add_trace(go.Scatter(x=[0, largest], y=[0, largest], **guide), row=1, col=1)
    for level in (-5, 5):
        figure.add_trace(go.Scatter(x=[0, largest], y=[level, level], **guide), row=2, col=1)
    reader = {"boundary": "Read from the moving boundary", "network": "Told by the network"}[by]
    figure.update_yaxes(title=f"{reader} / S", row=1, col=1)
    figure.update_yaxes(title="Error / %", range=[-20, 20], row=2, col=1)
    figure.update_xaxes(title="Asked for / S", row=2, col=1)
    return figure.update_layout(height=620, margin={"t": 20}, legend=BELOW | {"y": -0.14})


def physics(table, quantities=("backwards", "mass_gain")):
    """Draw how sets of spectra fare in physical checks, a box for each set.

    Parameters
    ----------
    table : DataFrame
        ``set`` and the columns of `check_physics`.
    quantities : sequence of str
        Columns that are shares.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    titles = {
        "backwards": "Points that run backwards / %",
        "mass_gain": "Mass from nowhere / %",
        "mass_drift": "Drift of the mass / %",
    }
    figure = make_subplots(1, len(quantities), horizontal_spacing=0.12)
    for k, quantity in enumerate(quantities, 1):
        for number, (name, some) in enumerate(table.groupby("set", sort=False)):
            colour = PALETTE[number % len(PALETTE)]
            box = go.Box(y=100 * some[quantity], name=name, marker_color=colour, boxpoints="outliers", showlegend=False)
            figure.add_trace(box, row=1, col=k)
        figure.update_yaxes(title=titles[quantity], rangemode="tozero", row=1, col=k)
        figure.update_xaxes(title="Set", tickangle=-30, row=1, col=k)
    return figure.update_layout(height=420, margin={"t": 20, "b": 120})


def probabilities(found):
    """Draw the probabilities of the classes of one spectrum.

    Parameters
    ----------
    found : dict of str to float

    Returns
    -------
    plotly.graph_objects.Figure
    """
    values = [100 * value for value in found.values()]
    bars = go.Bar(
        x=values,
        y=list(found),
        orientation="h",
        marker_color=[COLOURS[name] for name in found],
        text=[f"{value:.1f} %" for value in values],
        textposition="auto",
    )
    figure = go.Figure(bars)
    figure.update_xaxes(title="Probability / %", range=[0, 100])
    figure.update_yaxes(title="Class", autorange="reversed")
    return figure.update_layout(height=260, margin={"t": 20})


def judged_spectrum(spectrum, backwards):
    """Draw a spectrum over radius and time, and mark where it runs backwards.

    Parameters
    ----------
    spectrum : Spectrum
    backwards : (T, R) bool array

    Returns
    -------
    plotly.graph_objects.Figure
    """
    minutes = np.asarray(spectrum.times_s) / 60
    heat = go.Heatmap(
        x=minutes,
        y=spectrum.radii_mm,
        z=np.asarray(spectrum.transmission, float).T.round(3),
        zmin=0,
        zmax=1,
        colorscale="Greys_r",
        colorbar={"title": "Transmission", "thickness": 14},
        hoverinfo="skip",
    )
    figure = go.Figure(heat)
    if backwards.any():
        marks = np.where(backwards.T, 1.0, np.nan)
        red = [[0, RED], [1, RED]]
        figure.add_heatmap(x=minutes, y=spectrum.radii_mm, z=marks, colorscale=red, showscale=False, opacity=0.6)
    figure.update_xaxes(title="Time / min")
    figure.update_yaxes(title="Radius / mm", autorange="reversed")
    return figure.update_layout(height=420, margin={"t": 20})


def mass_balance(balance):
    """Draw what becomes of the mass between the clear end and the plateau.

    Parameters
    ----------
    balance : Balance

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure, table = go.Figure(), balance.table
    lines = {"held": (BLUE, "held"), "passed": (ORANGE, "passed the plateau"), "kept": (BLACK, "both")}
    for name, (colour, title) in lines.items():
        figure.add_scatter(x=table.time_s / 60, y=100 * table[name], mode="lines", line={"color": colour}, name=title)
    figure.update_xaxes(title="Time / min")
    figure.update_yaxes(title="Share of the mass at first / %")
    return figure.update_layout(height=360, margin={"t": 20}, legend=BELOW)
