"""Pictures: micrographs with what was found in them, one large or many side by side (figures 3 and 4)."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from skimage.measure import find_contours

from particlelab.drawing import scale_bar
from particlelab.drawing.pictures import data_address
from particlelab.soot.aggregates import label_aggregates
from particlelab.soot.figures.look import COLOURS, NAMES

_LARGEST_SIDE = 1400  # pixels of a displayed image: sharp on a screen, small in a file
_PANEL_SIDE = 420  # of one of many
_SHADOW = "0 0 3px black, 0 0 3px black"  # without it, white does not stand out: the ground of a micrograph is bright


def micrograph(image, pixel_size_nm, mask=None, aggregates=None, title=""):
    """Draw an image with outlines of a mask and circles of equal area.

    Parameters
    ----------
    image : (H, W) ndarray
    pixel_size_nm : float
    mask : (H, W) bool ndarray, optional
        Outlined.
    aggregates : DataFrame, optional
        From `analyse_aggregates`: circles of the projected-area equivalent diameter, with the
        aggregate's values where the mouse points.
    title : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure(_layers(Panel(image, pixel_size_nm, mask, aggregates), _LARGEST_SIDE, "png"))
    if aggregates is not None and len(aggregates):
        numbers = go.Scatter(
            x=aggregates.centroid_x_nm,
            y=aggregates.centroid_y_nm - aggregates.da_nm / 2,
            mode="text",
            text=aggregates.label.astype(str),
            textposition="top center",
            textfont={"color": COLOURS["kmeans"], "weight": "bold"},
            hovertext=[
                f"d<sub>a</sub> {a.da_nm:.0f} nm<br>R<sub>g</sub> {a.rg_nm:.0f} nm" for a in aggregates.itertuples()
            ],
            hoverinfo="text",
            showlegend=False,
        )
        figure.add_trace(numbers)
    bottom, right = (np.array(image.shape) - 0.5) * pixel_size_nm
    plain = {"constrain": "domain", "showgrid": False, "zeroline": False}
    figure.update_xaxes(title="x / nm", range=[-pixel_size_nm / 2, right], **plain)
    figure.update_yaxes(title="y / nm", range=[bottom, -pixel_size_nm / 2], **plain)
    top = 76 if title else 40  # a line for the title, one for the legend
    return figure.update_layout(title=title, height=720, margin={"t": top, "r": 8}, legend={"x": 0, "xanchor": "left"})


class Panel(NamedTuple):
    """One of several pictures side by side."""

    image: np.ndarray  # (H, W)
    pixel_size_nm: float | None  # None where there is no scale
    mask: np.ndarray | None = None  # (H, W) bool, outlined
    aggregates: pd.DataFrame | None = None  # circles of equal area
    text: str = ""  # a line above it
    levels: tuple | None = None  # values that are black and white; by default nearly its least and greatest


def panels(rows, title="", row_height=300):
    """Draw pictures side by side, each with a scale bar.

    Parameters
    ----------
    rows : list of list of Panel
        All rows of one length.
    title : str
    row_height : int
        Pixels of the screen.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    texts = [panel.text for row in rows for panel in row]
    line = 20 * (1 + max(text.count("<br>") for text in texts))  # pixels of the texts above a row
    gap = (line + 6) / (row_height * len(rows))
    figure = make_subplots(
        len(rows), len(rows[0]), subplot_titles=texts, horizontal_spacing=0.008, vertical_spacing=gap
    )
    figure.update_annotations(font_size=12)
    for i, row in enumerate(rows, 1):
        for j, panel in enumerate(row, 1):
            traces = _layers(panel, _PANEL_SIDE, "jpeg", width=1)
            figure.add_traces(traces, rows=i, cols=j)
            edge = panel.pixel_size_nm or 1.0
            bottom, right = (np.array(panel.image.shape) - 0.5) * edge
            hidden = {"visible": False, "constrain": "domain"}
            figure.update_xaxes(range=[-edge / 2, right], row=i, col=j, **hidden)
            figure.update_yaxes(range=[bottom, -edge / 2], constraintoward="top", row=i, col=j, **hidden)
            if panel.pixel_size_nm:
                bar = scale_bar(0.04 * right, 0.95 * bottom, 0.3 * right, "nm")
                figure.add_trace(bar.update(textfont={"shadow": _SHADOW}), row=i, col=j)
    margin = {"l": 8, "r": 8, "b": 8, "t": 50 * bool(title) + line + 10}
    height = row_height * len(rows) + margin["t"]
    return figure.update_layout(title=title, height=height, margin=margin, showlegend=False)


def classifier_strip(samples, comparison, classifiers, columns=None):
    """Draw images by classifiers, each with outlines and the circles of equal area (figure 4 of Sipkens et al.).

    Parameters
    ----------
    samples : sequence of Sample
        A row each; ``comparison`` must hold their masks.
    comparison : Comparison
    classifiers : sequence of str
    columns : int, optional
        Begin a new row after so many classifiers.

    Returns
    -------
    plotly.graph_objects.Figure
        An asterisk marks a failure that was detected; its mask is shown as it is, without circles.
    """
    columns = columns or len(classifiers)
    rows = []
    for sample in samples:
        row = [_panel(sample, comparison, classifier) for classifier in classifiers]
        rows += [row[k : k + columns] for k in range(0, len(row), columns)]
    return panels(rows, row_height=max(200, 1080 // columns))


def rolling_ball_panels(samples, comparison, before="cnn", after="cnn + RB"):
    """Draw what the rolling ball does to one aggregate (figure 3 of Sipkens et al.).

    Of all aggregates that ``after`` has in the samples, the one is shown that joins most parts of ``before``, and of
    those equally many the one where most pixels change.

    Parameters
    ----------
    samples : sequence of Sample
    comparison : Comparison
        Holds their masks by the two classifiers.
    before, after : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    found = [(*_most_mended(*(comparison.masks[s.name][c] for c in (before, after))), s) for s in samples]
    _, box, sample = max(found, key=lambda item: item[0])
    pictures = []
    for letter, classifier in (("a", before), ("b", after)):
        mask = comparison.masks[sample.name][classifier][box]
        pictures.append(Panel(sample.image[box], sample.pixel_size_nm, mask, text=f"({letter}) {NAMES[classifier]}"))
    return panels([pictures], row_height=440)


def _panel(sample, comparison, classifier):
    """The picture of one image by one classifier."""
    found = comparison.segmentations.query("image == @sample.name and classifier == @classifier").iloc[0]
    part = comparison.aggregates.query("image == @sample.name and classifier == @classifier")
    text = f"<b>{NAMES[classifier]}</b>" + (" *" if found.failure else "")
    text += "" if np.isnan(found.iou) or classifier == "reference" else f"<br>IoU {found.iou:.2f}"
    return Panel(sample.image, sample.pixel_size_nm, comparison.masks[sample.name][classifier], part, text)


def _most_mended(before, after):
    """Return what changes most at one aggregate of a mask, to be compared, and the box around it with a margin."""
    labels, boxes = label_aggregates(after)
    parts = label_aggregates(before)[0]
    change, most = (0, 0), np.s_[:, :]
    for label, box in enumerate(boxes, 1):
        own = labels[box] == label
        joined = len(np.unique(parts[box][own & before[box]]))
        if (here := (joined, np.count_nonzero(own != before[box]))) > change:
            margin = max(s.stop - s.start for s in box) // 5
            change, most = here, tuple(slice(max(0, s.start - margin), s.stop + margin) for s in box)
    return change, most


def _layers(panel, largest_side, kind, width=1.5):
    """Return the traces of a picture: grey levels, outlines, circles."""
    image, pixel_size_nm, mask, aggregates, _, levels = panel
    step = max(1, -(-max(image.shape) // largest_side))
    pixel = pixel_size_nm or 1.0
    edge = step * pixel
    centre = (edge - pixel) / 2  # of the first block; that of the first pixel is 0
    traces = [go.Image(source=_picture(image, step, kind, levels), x0=centre, y0=centre, dx=edge, dy=edge)]
    traces[0].hoverinfo = "skip"
    if mask is not None:
        padded = np.pad(np.asarray(mask)[::step, ::step], 1).astype(np.float32)
        outlines = [(line - 1)[:, ::-1] * edge for line in find_contours(padded, 0.5)]
        traces.append(_lines(outlines, COLOURS["cnn"], "Outline", width))
    if aggregates is not None and len(aggregates):
        rings = _rings(*(aggregates[c].to_numpy() for c in ("centroid_x_nm", "centroid_y_nm", "da_nm")))
        traces.append(_lines(rings, COLOURS["kmeans"], "Circle of equal area", width))
    return traces


def _picture(image, step, kind, levels):
    """Return an image as a data address: block means, 8 bit, by default its half per mille cut at both ends."""
    grey = np.asarray(image, np.float32)
    height, width = (side - side % step for side in grey.shape)
    if step > 1:
        grey = grey[:height, :width].reshape(height // step, step, width // step, step).mean((1, 3))
    low, high = np.percentile(grey, [0.05, 99.95]) if levels is None else levels
    grey = np.clip((grey - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    return data_address(grey, kind)


def _rings(x, y, diameter):
    angle = np.linspace(0, 2 * np.pi, 40)
    circle = np.c_[np.cos(angle), np.sin(angle)] / 2
    return [np.array([a, b]) + d * circle for a, b, d in zip(x, y, diameter, strict=True)]


def _lines(lines, colour, name, width=1.5):
    """One trace for many closed lines: a gap between each two."""
    gap = np.full((1, 2), np.nan)
    xy = np.concatenate([part for line in lines for part in (line, gap)] or [gap])
    return go.Scatter(
        x=xy[:, 0], y=xy[:, 1], mode="lines", line={"color": colour, "width": width}, name=name, hoverinfo="skip"
    )
