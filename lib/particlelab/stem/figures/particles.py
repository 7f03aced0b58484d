"""Slices through particles, their projections, and what a network makes of them."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.drawing import BELOW, ORANGE, PALETTE

MATERIAL, LESS, MORE = "#b9c4cf", "#ffffff", ORANGE
SHOWN = 3  # particles of a user's, at most


def particle(layers, angles, sinogram_angles, sinogram, rays, projections):
    """Draw a slice, its noisy projections, and how its thickness changes while it turns.

    Parameters
    ----------
    layers : sequence of Layer
        Of one slice.
    angles : (views,) array
        Degrees by which the slice is turned for each projection.
    sinogram_angles : (turns,) array
    sinogram : (turns, points) array
        Thickness at each angle, without noise.
    rays : (points,) array
        Where they cross the detector.
    projections : (views, points) array
        As a network sees them.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(
        1,
        3,
        column_widths=[0.34, 0.33, 0.33],
        subplot_titles=("Slice", "Projections", "Sinogram"),
        horizontal_spacing=0.1,
    )
    for number, layer in enumerate(layers):
        _draw_layer(figure, layer, _material(number, layer), 1, 1)
    reach = 1.35 * max(np.abs(layer.vertices).max(initial=1) for layer in layers)
    for number, angle in enumerate(angles):
        colour = PALETTE[number % len(PALETTE)]
        # looked at along y after it was turned: in the slice's own frame the beam comes from there
        beam = np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))]) * reach
        figure.add_annotation(
            x=beam[0] * 0.78, y=beam[1] * 0.78, ax=beam[0], ay=beam[1], xref="x", yref="y", axref="x", ayref="y",
            arrowhead=2, arrowwidth=2, arrowcolor=colour, text="",
        )  # fmt: skip
        name, line = f"{angle:.0f}°", {"color": colour, "width": 2}
        figure.add_trace(go.Scatter(x=rays, y=projections[number], mode="lines", line=line, name=name), 1, 2)
    figure.add_trace(
        go.Heatmap(
            x=rays, y=sinogram_angles, z=sinogram, colorscale="Viridis", colorbar={"title": "Thickness", "len": 0.9}
        ),
        1,
        3,
    )
    for number, angle in enumerate(angles):
        line = {"color": PALETTE[number % len(PALETTE)], "width": 2}
        figure.add_hline(y=angle % 360, line=line, row=1, col=3)
    figure.update_xaxes(title="x / average radius", range=[-reach, reach], row=1, col=1)
    figure.update_yaxes(title="y / average radius", scaleanchor="x", range=[-reach, reach], row=1, col=1)
    figure.update_xaxes(title="Position / average radius", row=1, col=2)
    figure.update_yaxes(title="Intensity, 0 to 1", row=1, col=2)
    figure.update_xaxes(title="Position / average radius", row=1, col=3)
    figure.update_yaxes(title="Turned by / °", row=1, col=3)
    return figure.update_layout(height=470, legend=BELOW)


def gallery(layers, rays, projections, angles, titles):
    """Draw slices with their projections below (figures 2 and 6).

    Parameters
    ----------
    layers : sequence of Layer
        Of n slices.
    rays : (points,) array
    projections : (n, views, points) array
    angles : (views,) array
        Degrees.
    titles : sequence of str
        Of the slices.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    n = len(titles)
    figure = make_subplots(
        2, n, row_heights=[0.6, 0.4], subplot_titles=titles, vertical_spacing=0.1, horizontal_spacing=0.04
    )
    for slice_ in range(n):
        for number, layer in enumerate(layers):
            _draw_layer(figure, layer, _material(number, layer), 1, slice_ + 1, only=slice_)
        for view, angle in enumerate(angles):
            line = {"color": PALETTE[view % len(PALETTE)], "width": 2}
            name = {"name": f"{angle:.0f}°", "legendgroup": view, "showlegend": slice_ == 0}
            figure.add_trace(go.Scatter(x=rays, y=projections[slice_, view], line=line, **name), 2, slice_ + 1)
        figure.update_xaxes(visible=False, range=[-1.7, 1.7], row=1, col=slice_ + 1)
        anchor = figure.get_subplot(1, slice_ + 1).yaxis.anchor
        figure.update_yaxes(visible=False, range=[-1.7, 1.7], scaleanchor=anchor, row=1, col=slice_ + 1)
        figure.update_yaxes(range=[-0.05, 1.05], showticklabels=slice_ == 0, row=2, col=slice_ + 1)
    figure.update_xaxes(title="Position / average radius", row=2)
    figure.update_yaxes(title="Intensity, 0 to 1", row=2, col=1)
    return figure.update_layout(height=500, legend=BELOW)


def curves(x, by_name, x_title="Position / average radius", y_title="Intensity, 0 to 1", bands=None):
    """Draw several curves over one axis, with bands around those that have one.

    Parameters
    ----------
    x : (points,) array
    by_name : dict of str to (points,) array
    x_title, y_title : str
    bands : dict of str to (low, high), optional

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    for number, (name, y) in enumerate(by_name.items()):
        colour = PALETTE[number % len(PALETTE)]
        if bands and name in bands:
            low, high = bands[name]
            rim = {"x": np.append(x, x[::-1]), "y": np.append(low, high[::-1]), "line": {"width": 0}}
            look = {"fill": "toself", "fillcolor": colour, "opacity": 0.2, "hoverinfo": "skip", "showlegend": False}
            figure.add_trace(go.Scatter(mode="lines", **rim, **look))
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line={"color": colour, "width": 2}, name=name))
    return figure.update_layout(height=380, xaxis_title=x_title, yaxis_title=y_title)


def inspected(layers, rays, projections, angles, evidence, categories, probabilities, truth):
    """Draw a particle, its projections with what a network goes by, and what the network says.

    Parameters
    ----------
    layers, rays, projections, angles, evidence, categories, probabilities, truth
        As in `Inspected`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    views = len(angles)
    specs = [[{"rowspan": views}, {}, {"rowspan": views}], *[[None, {}, None]] * (views - 1)]
    titles = ["Slice", "Projections; blue speaks for the answer", "Its answer"]
    figure = make_subplots(
        views, 3, specs=specs, column_widths=[0.29, 0.43, 0.28], subplot_titles=titles, horizontal_spacing=0.16
    )
    for number, layer in enumerate(layers):
        _draw_layer(figure, layer, _material(number, layer), 1, 1)
    within = {"range": [-1.7, 1.7], "constrain": "domain", "row": 1, "col": 1}
    figure.update_xaxes(title="x / average radius", **within)
    figure.update_yaxes(title="y / average radius", scaleanchor="x", **within)
    most = max(np.abs(evidence).max(), 0.1)
    right = figure.get_subplot(1, 2).xaxis.domain[1]
    bar = {"title": {"text": "log odds", "side": "top"}, "x": right + 0.005, "len": 0.9, "thickness": 10}
    for row, angle in enumerate(angles, 1):
        line = {"mode": "lines", "line": {"color": PALETTE[(row - 1) % len(PALETTE)], "width": 2}}
        figure.add_trace(go.Scatter(x=rays, y=projections[row - 1], showlegend=False, **line), row, 2)
        strip = {"colorscale": "RdBu", "zmin": -most, "zmax": most, "showscale": row == 1, "colorbar": bar}
        figure.add_trace(go.Heatmap(x=rays, y=[-0.25, -0.08], z=evidence[row - 1 : row], **strip), row, 2)
        figure.update_yaxes(title=f"{angle:.0f}°", range=[-0.27, 1.05], row=row, col=2)
        figure.update_xaxes(title="Position / average radius" if row == views else "", row=row, col=2)
    colours = [MORE if category == truth else MATERIAL for category in categories]
    texts = [f"{category}{'<br>(true)' if category == truth else ''}" for category in categories]
    figure.add_trace(go.Bar(x=texts, y=probabilities, marker={"color": colours}, showlegend=False), 1, 3)
    figure.update_yaxes(title="Probability", range=[0, 1], row=1, col=3)
    return figure.update_layout(height=max(430, 170 * views))


def classified(rays, x, table):
    """Draw measured projections, and the probabilities of their categories.

    Parameters
    ----------
    rays : (points,) array
    x : (n, views, points) array
    table : DataFrame
        From `classify`, of n particles.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(
        1, 2, subplot_titles=("Projections of the first particles", "Probabilities"), horizontal_spacing=0.1
    )
    for number, views in enumerate(x[:SHOWN]):
        for view, intensity in enumerate(views):
            line = {"color": PALETTE[view % len(PALETTE)], "width": 1.5, "dash": ("solid", "dash", "dot")[number % 3]}
            name = {"name": f"particle {table.particle.iloc[number]}, view {view + 1}", "legendgroup": number}
            figure.add_trace(go.Scatter(x=rays, y=intensity, mode="lines", line=line, **name), 1, 1)
    columns = [column for column in table.columns if column.startswith("probability_")]
    for number, column in enumerate(columns):
        name = {"name": column.removeprefix("probability_").replace("_", " "), "marker": {"color": PALETTE[2 + number]}}
        figure.add_trace(go.Bar(x=table.particle.astype(str), y=table[column], **name), 1, 2)
    figure.update_xaxes(title="Position / average radius", row=1, col=1)
    figure.update_yaxes(title="Intensity, 0 to 1", row=1, col=1)
    figure.update_xaxes(title="Particle", row=1, col=2)
    figure.update_yaxes(title="Probability", range=[0, 1], row=1, col=2)
    return figure.update_layout(height=500, barmode="stack", legend=BELOW | {"y": -0.3})


def _material(number, layer):
    """Return the colour of a slice's first, second, ... layer."""
    return MATERIAL if number == 0 else LESS if layer.density < 0 else MORE


def _draw_layer(figure, layer, colour, row, col, only=None):
    """Draw the polygons of a layer, or only that of one slice, into a plot of a figure."""
    for number, (start, end) in enumerate(zip(layer.first[:-1], layer.first[1:], strict=True)):
        if end > start and only in (None, number):
            x, y = np.append(layer.vertices[start:end], layer.vertices[start : start + 1], axis=0).T
            look = {"fill": "toself", "fillcolor": colour, "line": {"color": "#52606d", "width": 1}}
            figure.add_trace(go.Scatter(x=x, y=y, mode="lines", showlegend=False, hoverinfo="skip", **look), row, col)
