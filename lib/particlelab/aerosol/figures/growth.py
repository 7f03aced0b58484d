"""How clouds grow: their size over time and strength, and how sizes are distributed."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.aerosol.figures.look import FRAME, SCALE, SIZE, colours
from particlelab.drawing import BELOW, BLUE, ORANGE, PALETTE


def growth(table, apart="Person", columns=4, most=12):
    """Draw the size of each cloud over its frames, coloured by strength (figure 3.4 of the document).

    Parameters
    ----------
    table : DataFrame
        As of `make_dataset`.
    apart : str, optional
        Column whose values get panels of their own; None for one panel.
    columns : int
        Panels side by side.
    most : int
        Panels that are drawn, at most.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    groups = [("", table)] if apart is None else list(table.groupby(apart))[:most]
    columns = min(columns, len(groups))
    rows = -(-len(groups) // columns)
    names = [f"{apart} {name}" if apart else "" for name, _ in groups]
    figure = make_subplots(rows, columns, shared_xaxes=True, shared_yaxes=True, subplot_titles=names)
    colour = colours(table.Strength)
    for k, (_, group) in enumerate(groups):
        for (_, _, strength), one in group.groupby(["Person", "Simulation", "Strength"]):
            line = go.Scatter(
                x=one["Frame No"], y=one["Cloud Size"], mode="lines", line={"color": colour[strength], "width": 1.5},
                hovertemplate=f"strength {strength:g}, frame %{{x}}: %{{y:.1f}} %<extra></extra>", showlegend=False,
            )  # fmt: skip
            figure.add_trace(line, k // columns + 1, k % columns + 1)
    figure.add_trace(_colour_bar(table.Strength))
    for k in range(len(groups)):
        if k // columns == (len(groups) - 1 - k % columns) // columns:
            figure.update_xaxes(title=FRAME, showticklabels=True, row=k // columns + 1, col=k % columns + 1)
    figure.update_yaxes(title=SIZE if rows == 1 else "Cloud size / %", col=1)
    return figure.update_layout(height=460 if rows == 1 else 80 + 220 * rows, margin={"t": 40})


def final_sizes(table, other=None, name="native", other_name="Blender"):
    """Draw the size of clouds in their last frame over strength.

    Parameters
    ----------
    table : DataFrame
        As of `make_dataset`.
    other : DataFrame, optional
        Of another engine.
    name, other_name : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    for one, label, colour in ((table, name, BLUE), (other, other_name, ORANGE)):
        if one is None:
            continue
        last = one[one["Frame No"] == one["Frame No"].max()]
        mean = last.groupby("Strength")["Cloud Size"].mean()
        marker = {"color": colour, "size": 6, "opacity": 0.5}
        figure.add_trace(go.Scatter(x=last.Strength, y=last["Cloud Size"], mode="markers", marker=marker, name=label))
        figure.add_trace(
            go.Scatter(x=mean.index, y=mean, mode="lines", line={"color": colour, "width": 2}, name=f"{label}, mean")
        )
    figure.update_xaxes(title="Strength of the turbulence", rangemode="tozero")
    figure.update_yaxes(title=SIZE, rangemode="tozero")
    return figure.update_layout(height=420, margin={"t": 20}, legend=BELOW)


def histogram(sizes, bins=40):
    """Draw how many frames have a cloud of a size (figure 3.12).

    Parameters
    ----------
    sizes : dict of str to (n,) array_like
        Cloud sizes in %, by what they are.
    bins : int

    Returns
    -------
    plotly.graph_objects.Figure
    """
    top = max(np.max(values) for values in sizes.values())
    edges = np.linspace(0, top * (1 + 1e-9), bins + 1)
    figure = go.Figure()
    for (name, values), colour in zip(sizes.items(), PALETTE, strict=False):
        counts, _ = np.histogram(values, edges)
        figure.add_trace(
            go.Scatter(
                x=edges, y=[*counts, counts[-1]], line={"color": colour, "shape": "hv", "width": 2}, mode="lines",
                fill="tozeroy", opacity=0.6, name=name,
            )
        )  # fmt: skip
    figure.update_xaxes(title=SIZE)
    figure.update_yaxes(title="Frames", rangemode="tozero")
    return figure.update_layout(height=380, margin={"t": 20}, legend=BELOW, showlegend=len(sizes) > 1)


def _colour_bar(strengths):
    """Return a trace that draws nothing but the scale of strengths."""
    marker = {
        "color": [np.min(strengths), np.max(strengths)], "colorscale": SCALE, "showscale": True, "size": 0.1,
        "cmin": np.min(strengths), "cmax": np.min(strengths) + max(np.ptp(strengths) / 0.9, 1e-9),
        "colorbar": {"title": {"text": "Strength"}, "thickness": 12},
    }  # fmt: skip
    return go.Scatter(x=[None, None], y=[None, None], mode="markers", marker=marker, showlegend=False)
