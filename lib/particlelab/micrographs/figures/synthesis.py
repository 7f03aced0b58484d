"""Synthetic micrographs, their labels and their sizes."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from scipy import stats

from particlelab.drawing import BELOW, BLACK, BLUE, LOG_AXIS, ORANGE, scale_bar
from particlelab.drawing.pictures import HIDDEN, data_address
from particlelab.micrographs.figures.look import colour_instances, colour_values, to_rgb
from particlelab.micrographs.labels import true_diameters

UNITS = ((1e6, "mm"), (1e3, "µm"), (1.0, "nm"))  # of lengths, by how many nm they are
BINS = 24


def unit_of(length_nm):
    """Return the unit in which a length is easy to read: how many nm it is, and its name."""
    return next((unit for unit in UNITS if length_nm >= unit[0]), UNITS[-1])


def micrograph(made):
    """Draw a synthetic micrograph beside its labels.

    Parameters
    ----------
    made : Micrograph

    Returns
    -------
    plotly.graph_objects.Figure
    """
    labels = {
        "Picture": to_rgb(made.image),
        "Particles, each with a number of its own": colour_instances(made.instances, made.image),
        "Height of what is seen": colour_values(made.depth),
        "Slopes (red: to the right, green: down)": (127.5 + 127.5 * made.normals).astype(np.uint8),
        "How many particles lie over each other": colour_values(made.amodal.sum(axis=0).astype(float), 0),
        "Kinds": colour_values(made.category.astype(float), 0),
    }
    figure = panels(labels, 2)
    height, width = made.image.shape
    nm, unit = unit_of(width * made.recipe.pixel_size_nm / 4)
    per_px = made.recipe.pixel_size_nm / nm
    bar = scale_bar(0, 0, width * per_px / 4, unit)
    bar.x, bar.y = [width * 0.05 + value / per_px for value in bar.x], [height * 0.95] * 2
    figure.update_xaxes(range=[-0.5, width - 0.5], row=1, col=1)  # the bar's text would widen them
    figure.update_yaxes(range=[height - 0.5, -0.5], row=1, col=1)
    return figure.add_trace(bar, 1, 1)


def gallery(made, titles):
    """Draw micrographs side by side.

    Parameters
    ----------
    made : sequence of (H, W) uint8 ndarray
    titles : sequence of str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    return panels({title: to_rgb(image) for title, image in zip(titles, made, strict=True)}, 5)


def panels(pictures, columns, edge=None):
    """Draw pictures (H, W, 3) side by side, each under its title.

    Parameters
    ----------
    pictures : dict of str to (H, W, 3) uint8 ndarray
    columns : int
    edge : float, optional
        Height of a row in pixels of the page; by default the pictures fill a page of usual width.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    rows = -(-len(pictures) // columns)
    edge = 1000 / columns if edge is None else edge
    figure = make_subplots(
        rows, columns, subplot_titles=list(pictures), horizontal_spacing=0.01, vertical_spacing=30 / (rows * edge + 30)
    )
    for k, picture in enumerate(pictures.values()):
        trace = go.Image(source=data_address(picture), hoverinfo="skip")
        figure.add_trace(trace, k // columns + 1, k % columns + 1)
    figure.update_xaxes(**HIDDEN)
    for k in range(len(pictures)):
        figure.update_yaxes(scaleanchor=f"x{k + 1 if k else ''}", row=k // columns + 1, col=k % columns + 1, **HIDDEN)
    figure.update_annotations(font_size=13)
    return figure.update_layout(height=round(rows * (edge + 30)) + 20, margin={"t": 30, "b": 10, "l": 0, "r": 0})


def true_sizes(made, truth):
    """Draw the true diameters of a micrograph, what its recipe drew them from, and the log-normal fit.

    Parameters
    ----------
    made : Micrograph
    truth : LogNormal

    Returns
    -------
    plotly.graph_objects.Figure
    """
    diameters = true_diameters(made.table, made.recipe.width_px, made.recipe.height_px)
    nm, unit = unit_of(np.median(diameters) if len(diameters) else 1.0)
    figure = go.Figure()
    if len(diameters) > 1:
        edges = np.geomspace(diameters.min() / 1.05, diameters.max() * 1.05, BINS)
        middles, steps = np.sqrt(edges[1:] * edges[:-1]), np.diff(np.log(edges))
        density = np.histogram(diameters, edges)[0] / len(diameters) / steps
        figure.add_bar(
            x=middles / nm, y=density, width=np.diff(edges) / nm, marker_color=BLUE, opacity=0.5, name="in this frame"
        )
        grid = np.geomspace(diameters.min() / 1.6, diameters.max() * 1.6, 200)
        if truth.deviation > 1.001:
            fitted = stats.norm.pdf(np.log(grid), np.log(truth.mean), np.log(truth.deviation))
            figure.add_scatter(x=grid / nm, y=fitted, mode="lines", line_color=BLACK, name="log-normal fit")
        drawn = _recipe_density(made.recipe, grid)
        if drawn is not None:
            line = {"color": ORANGE, "dash": "dash"}
            figure.add_scatter(x=grid / nm, y=drawn, mode="lines", line=line, name="the recipe (of volumes)")
    figure.update_xaxes(title=f"Diameter / {unit}", **LOG_AXIS)
    figure.update_yaxes(title="Share per unit of ln(diameter)")
    return figure.update_layout(height=360, margin={"t": 20}, legend=BELOW, bargap=0)


def _recipe_density(recipe, grid):
    """Return the density of ln(diameter) from which a recipe draws; None where one of its populations has no width."""
    populations = [p for p in recipe.populations if p.shape != "aggregate"]
    if len(populations) < len(recipe.populations) or any(p.deviation < 1.001 for p in populations):
        return None
    total, density = sum(p.number for p in populations), np.zeros(len(grid))
    for p in populations:
        part = stats.norm.pdf(np.log(grid), np.log(p.diameter_nm), np.log(p.deviation))
        part[(grid < (p.smallest_nm or 0)) | (grid > (p.largest_nm or np.inf))] = 0
        density += p.number / total * part
    return density
