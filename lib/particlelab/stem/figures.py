"""Figures of slices through particles, of their projections and of what networks learn of them.

Each function returns a plotly figure. Lengths are in units of a particle's average radius.
"""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

# Okabe and Ito's palette
VIEWS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31", "#000000")
MATERIAL, LESS, MORE = "#b9c4cf", "#ffffff", "#E69F00"
LENGTH = "length / average radius"


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
        colour = MATERIAL if number == 0 else LESS if layer.density < 0 else MORE
        draw_layer(figure, layer, colour, 1, 1)
    reach = 1.35 * max(np.abs(layer.vertices).max(initial=1) for layer in layers)
    for number, angle in enumerate(angles):
        colour = VIEWS[number % len(VIEWS)]
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
        line = {"color": VIEWS[number % len(VIEWS)], "width": 2}
        figure.add_hline(y=angle % 360, line=line, row=1, col=3)
    figure.update_xaxes(title="x", range=[-reach, reach], row=1, col=1)
    figure.update_yaxes(title="y", scaleanchor="x", range=[-reach, reach], row=1, col=1)
    figure.update_xaxes(title="Position on the detector", row=1, col=2)
    figure.update_yaxes(title="Intensity, 0 to 1", row=1, col=2)
    figure.update_xaxes(title="Position on the detector", row=1, col=3)
    figure.update_yaxes(title="Turned by / °", row=1, col=3)
    return figure.update_layout(height=430)


def draw_layer(figure, layer, colour, row, col):
    """Draw the polygons of a layer into a plot of a figure."""
    for start, end in zip(layer.first[:-1], layer.first[1:], strict=True):
        if end > start:
            x, y = np.append(layer.vertices[start:end], layer.vertices[start : start + 1], axis=0).T
            look = {"fill": "toself", "fillcolor": colour, "line": {"color": "#52606d", "width": 1}}
            figure.add_trace(go.Scatter(x=x, y=y, mode="lines", showlegend=False, hoverinfo="skip", **look), row, col)


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
        for prefix, name, colour in (("", "Training", VIEWS[0]), ("val_", "Validation", VIEWS[1])):
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
    return figure.update_layout(height=380)
