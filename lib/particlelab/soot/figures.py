"""Figures of soot: micrographs with what was found in them, distributions, comparisons, power laws, 3-D aggregates.

Each function returns a plotly figure with units on its axes. A method has the same colour everywhere.
"""

import base64
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image
from scipy.spatial import ConvexHull
from skimage.measure import find_contours

from particlelab.measure import log_density
from particlelab.soot.powerlaw import UNIVERSAL_RELATION

# Okabe and Ito's palette, safe for colour-blind readers.
COLOURS = {
    "reference": "#000000",
    "otsu": "#E69F00",
    "kmeans": "#0072B2",
    "threshold": "#009E73",
    "weka": "#CC79A7",
    "cnn": "#D55E00",
    "hough": "#0072B2",
    "edm_sbs": "#D55E00",
    "pcm": "#009E73",
    "edm_ws": "#CC79A7",
    "network": "#E69F00",
}
NAMES = {
    "reference": "Reference",
    "otsu": "Otsu",
    "kmeans": "k-means",
    "threshold": "Robust threshold",
    "weka": "Trainable (Weka)",
    "cnn": "CNN",
    "hough": "Hough",
    "edm_sbs": "EDM-SBS",
    "pcm": "PCM",
    "edm_ws": "EDM-WS",
    "network": "Network",
}
MEANINGS = {  # of the columns of tables
    "label": "Number of the aggregate, as in the picture",
    "n_pixels": "Pixels of its shadow",
    "area_nm2": "Area of its shadow",
    "da_nm": "Projected-area equivalent diameter: that of the disk with the same area",
    "rg_nm": "Radius of gyration",
    "perimeter_nm": "Length of its outline, holes included",
    "length_nm": "The longer edge of the upright box around it",
    "width_nm": "The shorter edge of that box",
    "aspect_ratio": "Length over width",
    "circularity": "4π area / perimeter²: 1 is a disk",
    "mean_optical_depth": "Mean of ln(background / grey level): how dark it is",
    "centroid_x_nm": "Its centre, from the left edge of the picture",
    "centroid_y_nm": "Its centre, from the upper edge of the picture",
    "touches_border": "The frame cuts it, so that its size is not known",
    "dp_nm": "Primary particle diameter, by the sizing method chosen",
    "gsd": "Geometric standard deviation of its primary diameters; – if the method gives none",
    "n_primaries": "Number of its primary particles",
    "dp_mean_nm": "Arithmetic mean of its primary diameters",
    "fractal_dimension": "Df of the fractal law",
    "prefactor": "kf of the fractal law",
}
# Ticks at 1, 2 and 5 times powers of ten, all written out
_LOG = {"type": "log", "dtick": "D2", "minorloglabels": "complete"}
_LARGEST_SIDE = 1400  # pixels of a displayed image: sharp on a screen, small in a file


def micrograph(image, pixel_size_nm, mask=None, aggregates=None, circles=None, title=""):
    """Draw an image with outlines of a mask and circles.

    Parameters
    ----------
    image : (H, W) ndarray
    pixel_size_nm : float
    mask : (H, W) bool ndarray, optional
        Outlined.
    aggregates : DataFrame, optional
        From `analyse_aggregates`: circles of the projected-area equivalent diameter, with the
        aggregate's values where the mouse points.
    circles : DataFrame, optional
        Columns ``x_nm``, ``y_nm``, ``diameter_nm``: circles of primary particles.
    title : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    step = max(1, -(-max(image.shape) // _LARGEST_SIDE))
    edge = step * pixel_size_nm
    figure = go.Figure(
        go.Image(source=_picture(image, step), x0=edge / 2, y0=edge / 2, dx=edge, dy=edge, hoverinfo="skip")
    )
    if mask is not None:
        padded = np.pad(np.asarray(mask)[::step, ::step], 1).astype(np.float32)
        outlines = [(line - 1) * edge for line in find_contours(padded, 0.5)]
        figure.add_trace(_lines([o[:, ::-1] for o in outlines], COLOURS["cnn"], "Outline"))
    if aggregates is not None and len(aggregates):
        x, y, d = (aggregates[c].to_numpy() for c in ("centroid_x_nm", "centroid_y_nm", "da_nm"))
        figure.add_trace(_lines(_rings(x, y, d), COLOURS["kmeans"], "Circle of equal area"))
        numbers = go.Scatter(
            x=x,
            y=y - d / 2,
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
    if circles is not None and len(circles):
        rings = _rings(*(circles[c].to_numpy() for c in ("x_nm", "y_nm", "diameter_nm")))
        figure.add_trace(_lines(rings, COLOURS["otsu"], "Primary particle"))
    bottom, right = (np.array(image.shape) - 0.5) * pixel_size_nm
    plain = {"constrain": "domain", "showgrid": False, "zeroline": False}
    figure.update_xaxes(title="x / nm", range=[-pixel_size_nm / 2, right], **plain)
    figure.update_yaxes(title="y / nm", range=[bottom, -pixel_size_nm / 2], **plain)
    top = 76 if title else 40  # a line for the title, one for the legend
    return figure.update_layout(title=title, height=720, margin={"t": top, "r": 8}, legend={"x": 0, "xanchor": "left"})


def aggregate_3d(centres_nm, radii_nm, title=""):
    """Draw the spheres of an aggregate in 3-D.

    Parameters
    ----------
    centres_nm : (N, 3) ndarray
    radii_nm : (N,) ndarray
    title : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    points = 120 if len(radii_nm) <= 150 else 40
    polar = np.arccos(1 - 2 * (np.arange(points) + 0.5) / points)
    turn = np.pi * (1 + 5**0.5) * np.arange(points)  # golden angle: points spread evenly
    unit = np.c_[np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)]
    faces = ConvexHull(unit).simplices
    a, b, c = (unit[corner] for corner in faces.T)
    outward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a) > 0
    faces[outward] = faces[outward, ::-1]  # all corners in one sense, by which plotly's light knows the outside
    vertices = (np.asarray(centres_nm)[:, None] + np.asarray(radii_nm)[:, None, None] * unit).reshape(-1, 3)
    faces = (np.arange(len(radii_nm))[:, None, None] * points + faces).reshape(-1, 3)
    mesh = go.Mesh3d(
        **dict(zip("xyz", vertices.T, strict=True)),
        **dict(zip("ijk", faces.T, strict=True)),
        color="#7f8c99",
        lighting={"ambient": 0.45, "diffuse": 0.8, "specular": 0.2, "roughness": 0.6},
        lightposition={"x": 2000, "y": -1000, "z": 3000},
        hoverinfo="skip",
    )
    axes = {f"{axis}axis": {"title": f"{axis} / nm", "nticks": 5, "tickfont": {"size": 12}} for axis in "xyz"}
    camera = {"eye": {"x": 1.15, "y": 1.15, "z": 0.7}, "center": {"x": 0, "y": 0, "z": -0.08}}
    scene = {"aspectmode": "data", "camera": camera, "dragmode": "orbit", **axes}
    top = 40 if title else 0
    return go.Figure(mesh).update_layout(
        title=title, scene=scene, height=560, margin={"l": 0, "r": 0, "b": 0, "t": top}
    )


def fractal_law(primaries, rg_over_rp, fractal_dimension, prefactor):
    """Draw numbers of primaries against radii of gyration in units of rp, and the law N = kf (Rg / rp)^Df.

    Parameters
    ----------
    primaries, rg_over_rp : (N,) array_like
    fractal_dimension, prefactor : float

    Returns
    -------
    plotly.graph_objects.Figure
    """
    grid = np.geomspace(min(rg_over_rp) / 1.3, max(rg_over_rp) * 1.3, 50)
    law = f"{prefactor:g} (R<sub>g</sub> / r<sub>p</sub>)<sup>{fractal_dimension:g}</sup>"
    line = {"color": "#999999"}
    figure = go.Figure(go.Scatter(x=grid, y=prefactor * grid**fractal_dimension, mode="lines", name=law, line=line))
    marker = {"color": COLOURS["cnn"], "size": 9}
    figure.add_trace(go.Scatter(x=rg_over_rp, y=primaries, mode="markers", name="Simulated", marker=marker))
    figure.update_xaxes(**_LOG, title="R<sub>g</sub> / r<sub>p</sub>")
    figure.update_yaxes(**_LOG, title="Primary particles N")
    return figure.update_layout(height=420)


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
            dash = "dash" if method == "reference" else "solid"
            name = f"{NAMES.get(method, method)} ({len(d)})"
            line = {"color": COLOURS.get(method), "dash": dash}
            figure.add_trace(go.Scatter(x=grid, y=log_density(d, grid), mode="lines", name=name, line=line))
    figure.update_xaxes(**_LOG, title=f"{quantity} / nm")
    figure.update_yaxes(title="Density per ln d", rangemode="tozero")
    return figure.update_layout(height=420)


def ratios(values, reference, title="", quantity="d<sub>p</sub>"):
    """Draw box plots of the ratio of each method's values to a reference (figures 6 and 7 of Sipkens et al.).

    Parameters
    ----------
    values : dict of str to (N,) array_like
        By method, aggregate for aggregate as ``reference``; NaN where a method found nothing.
    reference : (N,) array_like
    title, quantity : str

    Returns
    -------
    plotly.graph_objects.Figure
        Boxes hold the middle half, whiskers 1.5 interquartile ranges; points from left to right
        have growing reference values.
    """
    reference = np.asarray(reference, float)
    order = np.argsort(reference)
    place = np.linspace(-0.3, 0.3, len(reference))
    figure = go.Figure().add_hline(y=1, line_color="#999999")
    for number, (method, value) in enumerate(values.items()):
        ratio = (np.asarray(value, float) / reference)[order]
        look = {"name": NAMES.get(method, method), "showlegend": False}
        colour = COLOURS.get(method)
        figure.add_trace(go.Box(y=ratio, x=np.full(len(ratio), number), boxpoints=False, line_color=colour, **look))
        points = go.Scatter(
            x=number + place, y=ratio, mode="markers", marker={"color": colour, "size": 4, "opacity": 0.5}, **look
        )
        figure.add_trace(points)
    ticks = [0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10]
    figure.update_yaxes(
        type="log", title=f"{quantity} relative to reference", tickvals=ticks, ticktext=[f"{t:g}" for t in ticks]
    )
    names = [NAMES.get(m, m) for m in values]
    figure.update_xaxes(tickvals=list(range(len(names))), ticktext=names)
    return figure.update_layout(title=title, height=420)


def classifier_ratios(comparison, sizer, base):
    """Draw how primary diameters by one sizing method depend on the classifier (figure 6).

    Aggregates of different masks are the same if their centres lie within half an equivalent diameter.

    Parameters
    ----------
    comparison : Comparison
    sizer : str
    base : str
        The classifier that the others are related to.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    values, column = {}, f"dp_{sizer}_nm"
    parts = dict(list(comparison.aggregates.groupby("classifier", sort=False)))
    reference = parts.pop(base, comparison.aggregates.iloc[:0])
    for classifier, part in parts.items():
        values[classifier] = [_nearest(row, part, column) for row in reference.itertuples()]
    title = f"{NAMES[sizer]}: the same aggregates by other classifiers, against {NAMES[base]}"
    return ratios(values, reference[column], title, "d<sub>p</sub>")


def sizer_ratios(comparison, classifier, sizers, base="edm_sbs"):
    """Draw how primary diameters depend on the sizing method on one classifier's masks (figure 7).

    Parameters
    ----------
    comparison : Comparison
    classifier : str
    sizers : sequence of str
    base : str
        The sizing method that the others are related to, the first one if this one is not among them.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    base = base if base in sizers else sizers[0]
    part = comparison.aggregates.query("classifier == @classifier")
    values = {sizer: part[f"dp_{sizer}_nm"] for sizer in sizers if sizer != base}
    title = f"{NAMES[classifier]}: sizing methods against {NAMES[base]}"
    return ratios(values, part[f"dp_{base}_nm"], title, "d<sub>p</sub>")


def power_laws(da_nm, dp_nm, fits, title=""):
    """Draw primary against aggregate diameter with power laws, data ellipses and the universal relation (figure 8).

    Parameters
    ----------
    da_nm : (N,) array_like
    dp_nm : dict of str to (N,) array_like
        By sizing method.
    fits : dict of str to PowerLaw
        From `fit_power_law`, by method; methods without a fit show their points only.
    title : str

    Returns
    -------
    plotly.graph_objects.Figure
        The shaded corner, where a primary particle would exceed its aggregate, is unphysical.
    """
    da = np.asarray(da_nm, float)
    low, high = (da.min() / 1.5, da.max() * 1.5) if len(da) else (10, 1000)
    grid = np.geomspace(low, high, 60)
    figure = go.Figure()
    corner = {"fill": "tozeroy", "fillcolor": "rgba(0,0,0,0.06)", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_trace(
        go.Scatter(x=grid, y=np.full_like(grid, 1e4), line={"width": 0}, showlegend=False, hoverinfo="skip")
    )
    figure.add_trace(go.Scatter(x=grid, y=grid, name="dp > da", showlegend=False, **{**corner, "fill": "tonexty"}))
    for method, dp in dp_nm.items():
        look = {"legendgroup": method, "name": NAMES.get(method, method)}
        colour = COLOURS.get(method)
        marker = {"color": colour, "size": 5, "opacity": 0.55}
        figure.add_trace(go.Scatter(x=da, y=np.asarray(dp, float), mode="markers", marker=marker, **look))
        if method in fits:
            line = {"color": colour, "width": 2}
            figure.add_trace(
                go.Scatter(x=grid, y=fits[method](grid), mode="lines", line=line, showlegend=False, **look)
            )
            x, y = fits[method].ellipse().T
            dotted = {"color": colour, "width": 1, "dash": "dot"}
            figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=dotted, showlegend=False, **look))
    name = "Universal relation (Olfert and Rogak)"
    line = {"color": "#999999", "width": 3}
    figure.add_trace(go.Scatter(x=grid, y=UNIVERSAL_RELATION(grid), mode="lines", name=name, line=line))
    figure.update_xaxes(
        **_LOG, title="Projected-area equivalent diameter d<sub>a</sub> / nm", range=np.log10([low, high])
    )
    figure.update_yaxes(**_LOG, title="Primary particle diameter d<sub>p</sub> / nm", range=np.log10([5, 120]))
    return figure.update_layout(title=title, height=520)


def recovery(true_nm, measured_nm, title=""):
    """Draw measured against true primary diameters, by method.

    Parameters
    ----------
    true_nm : (N,) array_like
    measured_nm : dict of str to (N,) array_like
    title : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    true = np.asarray(true_nm, float)
    figure = go.Figure()
    for method, measured in measured_nm.items():
        marker = {"color": COLOURS.get(method), "size": 5, "opacity": 0.6}
        name = NAMES.get(method, method)
        figure.add_trace(go.Scatter(x=true, y=np.asarray(measured, float), mode="markers", marker=marker, name=name))
    if len(true):
        ends = [true.min() * 0.9, true.max() * 1.1]
        figure.add_trace(go.Scatter(x=ends, y=ends, mode="lines", line={"color": "#999999"}, name="Truth"))
    figure.update_xaxes(**_LOG, title="True primary diameter / nm")
    figure.update_yaxes(**_LOG, title="Measured primary diameter / nm")
    return figure.update_layout(title=title, height=460)


def calibration_bias(scores, diameter="calibrated"):
    """Draw the bias of each sizing method, by true diameter and by number of primaries, with its standard error.

    Parameters
    ----------
    scores : DataFrame
        From `score_calibration`.
    diameter : {"calibrated", "raw"}

    Returns
    -------
    plotly.graph_objects.Figure
    """
    part = scores[scores.diameter == diameter]
    groups = list(dict.fromkeys(part.group))
    figure = go.Figure().add_hline(y=0, line_color="#999999")
    for number, (method, rows) in enumerate(part.groupby("method", sort=False)):
        x = [groups.index(group) + 0.12 * (number - 1.5) for group in rows.group]
        error = {"type": "data", "array": 100 * rows.bias_error}
        look = {"name": NAMES.get(method, method), "marker": {"color": COLOURS.get(method), "size": 9}}
        figure.add_trace(go.Scatter(x=x, y=100 * rows.bias, error_y=error, mode="markers", **look))
    figure.update_xaxes(tickvals=list(range(len(groups))), ticktext=groups)
    figure.update_yaxes(title="Measured less true diameter / %")
    return figure.update_layout(title=f"Bias, {diameter}", height=420)


def _picture(image, step):
    """Return an image as a data address: block means, 8 bit, its darkest and brightest half per mille cut."""
    grey = np.asarray(image, np.float32)
    height, width = (side - side % step for side in grey.shape)
    if step > 1:
        grey = grey[:height, :width].reshape(height // step, step, width // step, step).mean((1, 3))
    low, high = np.percentile(grey, [0.05, 99.95])
    levels = np.clip((grey - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _nearest(row, part, column):
    """The value of the aggregate of the same image that lies where ``row`` lies; NaN if there is none."""
    part = part[part.image == row.image]
    distance = np.hypot(part.centroid_x_nm - row.centroid_x_nm, part.centroid_y_nm - row.centroid_y_nm)
    return part.loc[distance.idxmin(), column] if len(part) and distance.min() < row.da_nm / 2 else np.nan


def _rings(x, y, diameter):
    angle = np.linspace(0, 2 * np.pi, 40)
    circle = np.c_[np.cos(angle), np.sin(angle)] / 2
    return [np.array([a, b]) + d * circle for a, b, d in zip(x, y, diameter, strict=True)]


def _lines(lines, colour, name):
    """One trace for many closed lines: a gap between each two."""
    gap = np.full((1, 2), np.nan)
    xy = np.concatenate([part for line in lines for part in (line, gap)] or [gap])
    return go.Scatter(
        x=xy[:, 0], y=xy[:, 1], mode="lines", line={"color": colour, "width": 1.5}, name=name, hoverinfo="skip"
    )
