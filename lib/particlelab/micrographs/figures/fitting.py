"""Fits of a synthesis to a picture: candidates, refinement, parameters, outlines, looks."""

import numpy as np
import plotly.graph_objects as go

from particlelab.drawing import BELOW, BLACK, BLUE, GREEN, ORANGE, PINK, RED
from particlelab.drawing.pictures import pictures, playing
from particlelab.micrographs.figures.look import colour_instances, to_rgb

WAYS = {"none": ("as predicted", BLUE), "held": ("held by the prediction", GREEN), "free": ("free", RED)}
NAMES = {
    "populations.diameter_nm": "size",
    "populations.number": "number",
    "technique.brightness": "brightness",
    "technique.ground": "ground",
    "technique.edge": "edge",
    "technique.shadowing": "shadowing",
    "technique.refraction": "refraction",
    "technique.free_path_nm": "free path",
    "camera.blur_px": "blur",
    "camera.dose": "dose",
}
SHOWN_PX = 384


def fit_pictures(target, fit):
    """Draw a target beside the rendering of its fit and the last picture of each refinement.

    Parameters
    ----------
    target : (H, W) uint8 ndarray
    fit : Fit

    Returns
    -------
    plotly.graph_objects.Figure
    """
    shown, titles = [_cut(target), _cut(fit.rendering)], ["target", f"{fit.recipe.name}: rendering"]
    for row in fit.candidates.itertuples():
        last = fit.history[(fit.history.recipe == row.recipe) & (fit.history.picture >= 0)].picture.iloc[-1]
        shown.append(_cut(fit.pictures[last]))
        titles.append(f"{row.recipe}: differs by {row.refined:.2f}")
    return pictures(_together(shown), None, titles, columns=len(shown))


def refinement_pictures(fit, recipe=None):
    """Draw the refinement of a candidate, the best by default, picture by picture, as a series that plays."""
    name = fit.recipe.name if recipe is None else recipe
    kept = fit.history[(fit.history.recipe == name) & (fit.history.picture >= 0)].picture
    return playing([to_rgb(fit.pictures[k]) for k in kept])


def refinement_course(history):
    """Draw the l1 difference of the textures over the steps of the refinement of each candidate."""
    figure = go.Figure()
    for (name, part), colour in zip(history.groupby("recipe", sort=False), (BLUE, ORANGE, GREEN, PINK), strict=False):
        line = {"color": colour, "width": 2}
        figure.add_trace(go.Scatter(x=part.step, y=part.difference, name=name, mode="lines", line=line))
    figure.update_xaxes(title="Step of the refinement")
    figure.update_yaxes(title="l1 difference of textures / scatter", rangemode="tozero")
    return figure.update_layout(height=360, margin={"t": 20}, legend=BELOW)


def confusion(recognised):
    """Draw which recipe was found how often for which.

    Parameters
    ----------
    recognised : DataFrame
        From `measure_recognition`.
    """
    names = list(dict.fromkeys([*recognised.target, *recognised.found]))
    counts = np.zeros((len(names), len(names)), int)
    for row in recognised.itertuples():
        counts[names.index(row.target), names.index(row.found)] += 1
    text = np.where(counts > 0, counts.astype(str), "")
    figure = go.Figure(go.Heatmap(z=counts, x=names, y=names, text=text, texttemplate="%{text}", colorscale="Blues"))
    figure.update_traces(colorbar={"title": "pictures"})
    figure.update_xaxes(title="Recipe found first")
    figure.update_yaxes(title="Recipe of the target", autorange="reversed")
    return figure.update_layout(height=480, margin={"t": 20})


def parameters_against_true(values):
    """Draw what was read of each parameter against the truth, each over its true mean; bars are 90 % intervals.

    Parameters
    ----------
    values : DataFrame
        From `measure_recognition`.
    """
    figure = go.Figure()
    for number, (name, label) in enumerate(NAMES.items()):
        part = values[values.parameter == name]
        if part.empty:
            continue
        ratio = part.value / part.truth
        up, down = (part.high - part.value) / part.truth, (part.value - part.low) / part.truth
        spread = number + 0.5 * (np.arange(len(part)) / max(len(part) - 1, 1) - 0.5)
        bars = {"type": "data", "array": up, "arrayminus": down, "width": 0, "thickness": 1}
        marker = {"size": 5, "color": BLUE}
        figure.add_trace(
            go.Scatter(
                x=spread,
                y=ratio,
                error_y=bars,
                mode="markers",
                marker=marker,
                text=part.target,
                name=label,
                showlegend=False,
            )
        )
    figure.add_hline(y=1, line={"color": BLACK, "width": 1, "dash": "dash"})
    there = [k for k, name in enumerate(NAMES) if (values.parameter == name).any()]
    figure.update_xaxes(title="Parameter", tickvals=there, ticktext=[list(NAMES.values())[k] for k in there])
    figure.update_yaxes(title="Read over true value", type="log", tickvals=[0.25, 0.5, 0.7, 0.85, 1, 1.15, 1.5, 2, 4])
    return figure.update_layout(height=440, margin={"t": 20})


def parameter_errors(summary):
    """Draw the median error of each parameter with its interval, and the goal of 15 %.

    Parameters
    ----------
    summary : DataFrame
        From `summarise_errors`.
    """
    labels = [NAMES.get(name, name) for name in summary.iloc[:, 0]]
    error = 100 * summary.median_error
    bars = {"type": "data", "array": 100 * summary.high - error, "arrayminus": error - 100 * summary.low}
    figure = go.Figure(go.Bar(x=labels, y=error, error_y=bars, marker={"color": BLUE}))
    figure.add_hline(y=15, line={"color": BLACK, "dash": "dash"}, annotation_text="15 %")
    figure.update_xaxes(title="Parameter")
    figure.update_yaxes(title="Median error / % of the truth")
    return figure.update_layout(height=400, margin={"t": 20})


def refinement_gain(values):
    """Draw the errors of technique and camera as predicted, refined with the prediction's hold, and refined freely.

    Parameters
    ----------
    values : DataFrame
        From `measure_refinement`.
    """
    figure = go.Figure()
    for way, (label, colour) in WAYS.items():
        part = values[values.way == way]
        names = [NAMES.get(name, name) for name in part.parameter]
        look = {"marker": {"color": colour, "size": 7}, "boxpoints": "all", "jitter": 0.4, "pointpos": 0}
        figure.add_trace(go.Box(x=names, y=100 * part.error.abs(), name=label, **look))
    figure.update_xaxes(title="Parameter")
    figure.update_yaxes(title="Error / % of the truth")
    return figure.update_layout(height=440, margin={"t": 20}, boxmode="group", legend=BELOW)


def geometry_pictures(fits):
    """Draw start, result and target of geometry optimisations, as the report's figure 1, and the outlines found.

    Parameters
    ----------
    fits : dict of str to dict
        From `measure_geometry`.
    """
    shown, titles = [], []
    for kind, fit in fits.items():
        shown += [_grey(fit["pictures"][0]), _grey(fit["pictures"][-1]), to_rgb(fit["target"])]
        shown.append(colour_instances(fit["found"], fit["target"]))
        titles += [f"{kind}: start", "result", "target", "outlines found"]
    return pictures(np.stack(shown), None, titles, columns=4)


def geometry_way(way):
    """Draw a geometry optimisation picture by picture (m, H, W; 0 to 1), as a series that plays."""
    return playing([_grey(picture) for picture in way])


def hybrid_pictures(real, steps, way):
    """Draw a real picture beside the way of the hybrid synthesis towards its looks.

    Parameters
    ----------
    real : (H, W) uint8 ndarray
    steps, way : ndarray
        As ``steps`` and ``pictures`` of a `Hybrid`.
    """
    edge = way.shape[1]
    shown = [to_rgb(real[:edge, :edge]), *(to_rgb(picture) for picture in way)]
    return pictures(_together(shown), None, ["real", *(f"step {step}" for step in steps)], columns=5)


def hybrid_course(history, table):
    """Draw the parameters that the discriminator drives over the true ones, step by step.

    Parameters
    ----------
    history : DataFrame
        Of a `Hybrid`.
    table : DataFrame
        From `measure_hybrid`.
    """
    figure, colours = go.Figure(), (BLUE, ORANGE, GREEN, PINK, RED, BLACK)
    for row, colour in zip(table.itertuples(), colours, strict=False):
        line = {"color": colour, "width": 2}
        course = history[row.parameter] / row.truth
        label = NAMES.get(row.parameter, row.parameter)
        figure.add_trace(go.Scatter(x=history.step, y=course, name=label, mode="lines", line=line))
    figure.add_hline(y=1, line={"color": BLACK, "width": 1, "dash": "dash"})
    figure.update_xaxes(title="Step")
    figure.update_yaxes(title="Parameter over its true value", type="log", tickvals=[0.25, 0.5, 0.75, 1, 1.5, 2, 4])
    return figure.update_layout(height=400, margin={"t": 20}, legend=BELOW)


def _grey(picture):
    return to_rgb(np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8))


def _cut(image):
    return to_rgb(image[:SHOWN_PX, :SHOWN_PX])


def _together(shown):
    """Return pictures (n, H, W, 3) of one size: smaller ones on white."""
    height, width = (max(image.shape[axis] for image in shown) for axis in (0, 1))
    sheet = np.full((len(shown), height, width, 3), 255, np.uint8)
    for page, image in zip(sheet, shown, strict=True):
        page[: image.shape[0], : image.shape[1]] = image
    return sheet
