"""Pictures before and after an anonymisation, the sizes that they show, and what an attacker reads of them."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from skimage.segmentation import find_boundaries

from particlelab.drawing import BELOW, BLACK, BLUE, GREEN, LOG_AXIS, ORANGE, PINK, RED, SKY
from particlelab.drawing.pictures import data_address

OUTLINE = (86, 180, 233)
LOOKS = {
    "original": ("Original", BLACK),
    "anonymised": ("Anonymised", ORANGE),
    "grid": ("Grid distortion", ORANGE),
    "affine": ("Piecewise affine", BLUE),
    "scale": ("Scaling, one factor", GREEN),
    "scale each": ("Scaling, a factor each", PINK),
}
NAMES = {"grid": "grid distortion", "affine": "piecewise affine", "scale": "scaling"}
NARROW = 8  # times the smallest that the largest size is at most where an axis has room for every digit
ANONYMITY_MEASURES = {
    "feret_largest_px": "Largest Feret diameter",
    "feret_smallest_px": "Smallest Feret diameter",
    "diameter_px": "Diameter of the disk of the same area",
}
QUANTITIES = {
    ("feret_largest_px", "geometric mean"): ("Largest Feret diameter", RED, "triangle-up"),
    ("feret_smallest_px", "geometric mean"): ("Smallest Feret diameter", SKY, "triangle-down"),
    ("diameter_px", "geometric mean"): ("Diameter by area", BLACK, "circle"),
    ("diameter_px", "mean-area mean"): ("Mean-area diameter D[2,0]", GREEN, "square"),
    ("diameter_px", "deviation"): ("Geometric deviation", ORANGE, "diamond"),
}
CRITERIA = {
    "mean_error": "Geometric mean",
    "deviation_error": "Geometric deviation",
    "count_error": "Number",
    "js_divergence": "JS divergence",
}
LINES = 12  # of the grid that is drawn over a picture, along its longer side
PLAIN = {"showgrid": False, "zeroline": False, "constrain": "domain"}


def before_and_after(image, instances, drawn, hidden_image, hidden_instances, lines=True, way=None):
    """Draw a picture before and after an anonymisation, with the outlines of its particles (figure 8).

    Parameters
    ----------
    image : (H, W) or (H, W, 3) ndarray
    instances : (H, W) int ndarray
    drawn : Warp
    hidden_image : (H', W') or (H', W', 3) ndarray
    hidden_instances : (H', W') int ndarray
    lines : bool
        Draw straight lines over the picture after, and over the picture before where they come from.
    way : {"grid", "affine", "scale"}, optional
        Named above the picture after.

    Returns
    -------
    plotly.graph_objects.Figure
        Both at the same scale; axes in pixels.
    """
    ends = _ends(image)
    after = f"After: {NAMES[way]}" if way else "After"
    figure = make_subplots(1, 2, subplot_titles=("Before", after), horizontal_spacing=0.08)
    for column, (picture, labels) in enumerate(((image, instances), (hidden_image, hidden_instances)), 1):
        shown = _grey(picture, ends)
        shown[find_boundaries(labels, mode="inner")] = OUTLINE
        figure.add_trace(go.Image(source=data_address(shown), hoverinfo="skip"), 1, column)
    if lines:
        height, width = drawn.rows.shape
        step = max(4, round(max(height, width) / LINES))
        rows, columns = (np.unique([*range(0, n, step), n - 1]) for n in (height, width))
        down, right = np.indices((height, width))
        for column, (y, x) in enumerate(((drawn.rows, drawn.columns), (down, right)), 1):
            parts = [(x[row], y[row]) for row in rows] + [(x[:, at], y[:, at]) for at in columns]
            xs, ys = (np.concatenate([np.append(part[k][::2], np.nan) for part in parts]) for k in (0, 1))
            line = {"color": "rgba(230, 159, 0, 0.55)", "width": 1}
            figure.add_trace(
                go.Scatter(x=xs, y=ys, mode="lines", line=line, hoverinfo="skip", showlegend=False), 1, column
            )
    height, width = instances.shape
    for column in (1, 2):
        figure.update_xaxes(title="x / px", range=[-0.5, width - 0.5], **PLAIN, row=1, col=column)
        anchor = "x" if column == 1 else "x2"
        span = [height - 0.5, -0.5]
        figure.update_yaxes(title="y / px", range=span, scaleanchor=anchor, **PLAIN, row=1, col=column)
    return figure.update_layout(height=round(min(640, 90 + 520 * height / width)), margin={"t": 40, "r": 10})


def sizes_before_and_after(sizes, pixel_size_nm=None, measures=("feret_largest_px", "feret_smallest_px")):
    """Draw cumulative distributions of sizes by number, before and after (figure 9).

    Parameters
    ----------
    sizes : DataFrame
        ``way``, the measures, and ``weight``, as in `Hidden.sizes`.
    pixel_size_nm : float, optional
        For an axis in nm; pixels otherwise.
    measures : sequence of str
        Side by side; the figure has the largest Feret diameter left, the smallest right.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(1, len(measures), shared_yaxes=True, horizontal_spacing=0.04)
    unit, factor = ("px", 1.0) if pixel_size_nm is None else ("nm", pixel_size_nm)
    for column, measure in enumerate(measures, 1):
        for way, part in sizes.groupby("way", sort=False):
            label, colour = LOOKS[way]
            part = part.sort_values(measure)
            share = part.weight.cumsum() / part.weight.sum()
            width = 3 if way == "original" else 2
            line = {"color": colour, "width": width, "shape": "hv"}
            hover = "%{y:.0%} below %{x:.3g} " + unit + f"<extra>{label}</extra>"
            figure.add_trace(
                go.Scatter(
                    x=factor * part[measure],
                    y=share,
                    mode="lines",
                    line=line,
                    name=label,
                    legendgroup=way,
                    showlegend=column == 1,
                    hovertemplate=hover,
                ),
                1,
                column,
            )
        every_digit = {"dtick": "D1"} if sizes[measure].max() <= NARROW * sizes[measure].min() else {}
        figure.update_xaxes(
            title=f"{ANONYMITY_MEASURES[measure]} / {unit}", **LOG_AXIS | every_digit, row=1, col=column
        )
    figure.update_yaxes(title="Share of the particles below", tickformat=".0%", range=[0, 1.01], row=1, col=1)
    return figure.update_layout(height=430, margin={"t": 20}, legend=BELOW)


def attack_errors(attack):
    """Draw how far an attacker is off who reads anonymised labels, by way and quantity; hollow: who takes them as is.

    Parameters
    ----------
    attack : DataFrame
        From `measure_attack`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    ways = [way for way in LOOKS if way in set(attack.way)]
    for number, (key, (label, colour, symbol)) in enumerate(QUANTITIES.items()):
        rows = attack[(attack.measure == key[0]) & (attack.quantity == key[1])].set_index("way").loc[ways]
        x = np.arange(len(ways)) + 0.14 * (number - (len(QUANTITIES) - 1) / 2)
        marker = {"color": colour, "symbol": symbol, "size": 9}
        figure.add_trace(_errors(x, rows, "attacked", label, marker))
        hollow = {**marker, "symbol": f"{symbol}-open"}
        figure.add_trace(_errors(x - 0.03, rows, "naive", f"{label}, taken as it is", hollow, showlegend=False))
    figure.update_xaxes(tickvals=list(range(len(ways))), ticktext=[LOOKS[way][0] for way in ways])
    figure.update_yaxes(title="Root mean square error / %", **LOG_AXIS)
    return figure.update_layout(height=460, margin={"t": 20}, legend=BELOW)


def ruler_errors(ruler):
    """Draw how far an attacker is off who reads the factor of a scaling from the pixels; dashed: who does not look.

    Parameters
    ----------
    ruler : DataFrame
        From `measure_ruler`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    marker = {"color": RED, "size": 11}
    figure = go.Figure(_errors(ruler.attacker, ruler, "attacked", "read from the pixels", marker))
    dashes = {"color": "#8a939c", "width": 3}
    figure.add_trace(
        go.Scatter(
            x=ruler.attacker,
            y=ruler.hidden,
            mode="markers",
            marker={"symbol": "line-ew", "size": 60, "line": dashes},
            name="by the labels alone",
            hovertemplate="%{y:.3g} %<extra></extra>",
        )
    )
    figure.update_xaxes(type="category", range=[-0.7, len(ruler) - 0.3])
    figure.update_yaxes(title="Root mean square error of the factor / %", **LOG_AXIS)
    return figure.update_layout(height=380, margin={"t": 20}, legend=BELOW)


def anonymity_training_errors(judged):
    """Draw how well detectors measure that were trained on original and on anonymised pictures.

    Parameters
    ----------
    judged : DataFrame
        From `judge_anonymised`.

    Returns
    -------
    plotly.graph_objects.Figure
        Errors in % left, the divergence right.
    """
    figure = make_subplots(1, 2, column_widths=[0.72, 0.28], horizontal_spacing=0.12)
    for number, (way, part) in enumerate(judged.groupby("way", sort=False)):
        label, colour = LOOKS[way]
        part = part.set_index("criterion")
        for column, criteria in enumerate((list(CRITERIA)[:3], list(CRITERIA)[3:]), 1):
            rows = part.loc[criteria]
            x = np.arange(len(criteria)) + 0.13 * (number - (judged.way.nunique() - 1) / 2)
            shown = {"marker": {"color": colour, "size": 9}, "legendgroup": way, "showlegend": column == 1}
            figure.add_trace(_errors(x, rows, "value", label, ends=("low", "high"), **shown), 1, column)
    for column, criteria in enumerate((list(CRITERIA)[:3], list(CRITERIA)[3:]), 1):
        names = [CRITERIA[criterion] for criterion in criteria]
        span = [-0.6, len(names) - 0.4]
        figure.update_xaxes(tickvals=list(range(len(names))), ticktext=names, range=span, row=1, col=column)
    figure.update_yaxes(title="Error on fresh pictures / %", zeroline=True, zerolinecolor="#8a939c", row=1, col=1)
    figure.update_yaxes(title="JS divergence / bit", rangemode="tozero", row=1, col=2)
    return figure.update_layout(height=430, margin={"t": 20}, legend=BELOW)


def _errors(x, rows, name, label, marker, ends=None, **options):
    """Return points with their intervals."""
    low, high = ends or (f"{name}_low", f"{name}_high")
    value = rows[name].to_numpy(float)
    up, down = rows[high].to_numpy(float) - value, value - rows[low].to_numpy(float)
    bars = {"type": "data", "array": up, "arrayminus": down, "thickness": 1.2, "width": 3}
    return go.Scatter(
        x=x,
        y=value,
        error_y=bars,
        mode="markers",
        marker=marker,
        name=label,
        hovertemplate=f"{label}: %{{y:.3g}}<extra></extra>",
        **options,
    )


def _ends(image):
    """Return the values that are black and white in both pictures."""
    low, high = (0, 255) if image.dtype == np.uint8 else np.percentile(image, (0.5, 99.5))
    return float(low), float(max(high, low + 1e-9))


def _grey(image, ends):
    """Return a picture as (H, W, 3) uint8."""
    levels = np.clip(255 * (np.asarray(image, float) - ends[0]) / (ends[1] - ends[0]), 0, 255).astype(np.uint8)
    levels = levels[..., None] if levels.ndim == 2 else levels[..., :3]
    return np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else levels.copy()
