"""Figures of particles that were found: outlines beside the truth, errors by method and recipe."""

import numpy as np
import plotly.graph_objects as go

from particlelab.drawing import BELOW, BLUE, BROWN, GREEN, ORANGE, PINK, RED
from particlelab.drawing.pictures import HIDDEN, data_address
from particlelab.micrographs.detection_studies import CRITERION_NAMES, METHOD_NAMES

COLOURS = {"network": BLUE, "mask-rcnn": GREEN, "watershed": ORANGE, "hough": PINK}
RIGHT, WRONG, MISSED = BLUE, RED, ORANGE
GAP = 8  # pixels between pictures
LARGEST = 1600  # pixels of a picture's longer side as it is drawn


def found_beside_truth(tried):
    """Draw a picture with what was found in it, and beside it with the truth.

    Parameters
    ----------
    tried : Tried
        Of `try_recipe`.

    Returns
    -------
    plotly.graph_objects.Figure
        Blue outlines are particles that were found and fit a true one (IoU of a half or more), red ones fit none;
        orange outlines, in the picture of the truth, are particles that were missed.
    """
    image, instances = tried.micrograph.image, tried.micrograph.instances
    fits = np.isin(np.arange(len(tried.found.scores) + 1), tried.pairs.found)
    known = np.isin(np.arange(instances.max() + 1), tried.pairs.truth)
    left = outlined(image, tried.found.instances, np.where(fits, RIGHT, WRONG))
    right = outlined(image, instances, np.where(known, RIGHT, MISSED))
    n_true = np.count_nonzero(np.bincount(instances.ravel())[1:])
    titles = f"Found: {len(tried.found.scores)}", f"Truth: {n_true}"
    return _side_by_side([left, right], titles)


def found_in(image, found, colour=RIGHT):
    """Draw a picture with the outlines of what was found in it.

    Parameters
    ----------
    image : (H, W) uint8 array
    found : Found
    colour : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    coloured = outlined(image, found.instances, np.full(len(found.scores) + 1, colour))
    return _side_by_side([coloured], [f"Found: {len(found.scores)}"])


def outlined(image, instances, colours):
    """Return a picture (H, W, 3) with the inner outlines of its instances.

    Parameters
    ----------
    image : (H, W) uint8 array
    instances : (H, W) int array
    colours : (N + 1,) array of str
        Such as ``"#0072B2"``, by instance; the first is that of the ground, which has no outline.
    """
    padded = np.pad(instances, 1, mode="edge")
    rim = np.zeros(instances.shape, bool)
    for neighbour in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        rim |= neighbour != instances
    rim &= instances > 0
    rgb = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in colours], np.uint8)
    picture = np.repeat(image[..., None], 3, axis=2)
    picture[rim] = rgb[instances[rim]]
    return picture


def errors(table, criterion="mean_error"):
    """Draw how methods were judged by one criterion, recipe by recipe, with 95 % intervals.

    Parameters
    ----------
    table : DataFrame
        Of `judge_methods`.
    criterion : str
        A key of `CRITERION_NAMES`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    part = table[table.criterion == criterion]
    figure = go.Figure()
    for name, rows in part.groupby("method", sort=False):
        bars = {"array": rows.high - rows.value, "arrayminus": rows.value - rows.low, "thickness": 1.2, "width": 3}
        figure.add_trace(
            go.Scatter(
                x=rows.recipe,
                y=rows.value,
                error_y={"type": "data", "symmetric": False} | bars,
                mode="markers",
                marker={"color": COLOURS.get(name, BROWN), "size": 9},
                name=METHOD_NAMES.get(name, name),
                offsetgroup=name,
            )
        )
    unit = part.unit.iloc[0] if len(part) else ""
    title = CRITERION_NAMES.get(criterion, criterion)
    figure.update_xaxes(title="Recipe", categoryorder="array", categoryarray=part.recipe.unique())
    figure.update_yaxes(title=f"{title[0].upper()}{title[1:]}{f' / {unit}' if unit else ''}", zeroline=True)
    return figure.update_layout(scattermode="group", height=420, margin={"t": 20}, legend=BELOW | {"y": -0.3})


def found_diameters(tried):
    """Draw the distributions of the diameters that are true and that were found in a picture.

    Parameters
    ----------
    tried : Tried

    Returns
    -------
    plotly.graph_objects.Figure
        Steps of the shares of particles that are not larger.
    """
    figure = go.Figure()
    for values, name, colour in ((tried.true_nm, "truth", "#666666"), (tried.found_nm, "found", RIGHT)):
        if len(values):
            x, y = np.sort(values), np.arange(1, len(values) + 1) / len(values)
            line = {"color": colour, "shape": "hv", "width": 2.5}
            figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, name=f"{name}, {len(values)}"))
    figure.update_xaxes(title="Diameter / nm")
    figure.update_yaxes(title="Share of particles not larger", range=[0, 1.02])
    return figure.update_layout(height=380, margin={"t": 20}, legend=BELOW)


def _side_by_side(pictures, titles):
    step = -(-max(pictures[0].shape[:2]) // LARGEST)
    height, width = pictures[0].shape[:2]
    sheet = np.full((height, len(pictures) * (width + GAP) - GAP, 3), 255, np.uint8)
    figure = go.Figure()
    for k, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        first = k * (width + GAP)
        sheet[:, first : first + width] = picture
        place = {"x": (first + width / 2) / step, "y": 0, "yanchor": "bottom"}
        figure.add_annotation(text=title, showarrow=False, font={"size": 13}, **place)
    figure.add_trace(go.Image(source=data_address(np.ascontiguousarray(sheet[::step, ::step])), hoverinfo="skip"))
    figure.update_xaxes(**HIDDEN)
    figure.update_yaxes(scaleanchor="x", **HIDDEN)
    tall = round(min(700, 1000 * height / sheet.shape[1])) + 40
    return figure.update_layout(height=tall, margin={"t": 30, "b": 10, "l": 0, "r": 0})
