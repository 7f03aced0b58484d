"""Figures of a user's own micrograph that was measured, and of how well methods measure."""

import math

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale, unlabel_rgb
from plotly.subplots import make_subplots
from scipy import stats

from particlelab.drawing import BELOW, BLACK, BLUE, BROWN, LOG_AXIS, scale_bar
from particlelab.drawing.pictures import HIDDEN, data_address
from particlelab.measure import fit_lognormal
from particlelab.micrographs.detection_studies import CRITERION_NAMES, METHOD_NAMES
from particlelab.micrographs.detector import grey_image
from particlelab.micrographs.evaluation import CRITERIA
from particlelab.micrographs.figures.detection import COLOURS, outlined
from particlelab.micrographs.figures.synthesis import unit_of
from particlelab.micrographs.sizes import FEWEST, POWERS
from particlelab.randomness import generator

LEFT_OUT = "#999999"  # outline of particles that do not count
SCALE = "Plasma"
LARGEST = 1400  # pixels of a picture's longer side as it is drawn
STEPS_PER_WIDTH = 2.5  # bars within a standard deviation of ln d
DRAWS = 400  # of the fit, of which the band is made


def measured(examined):
    """Draw a measured micrograph, its particles coloured by size, beside their size distribution.

    Parameters
    ----------
    examined : Examination

    Returns
    -------
    plotly.graph_objects.Figure
        Left the picture with outlines, grey for particles that do not count, and a scale bar; right the distribution of
        ln d with its log-normal fit and the 95 % band of the fit.
    """
    figure = make_subplots(1, 2, column_widths=[0.58, 0.42], horizontal_spacing=0.09)
    _add_picture(figure, examined)
    _add_distribution(figure, examined)
    height, width = examined.instances.shape
    step = _step(examined)
    figure.update_xaxes(range=[-0.5, width / step - 0.5], row=1, col=1, **HIDDEN)
    figure.update_yaxes(range=[height / step - 0.5, -0.5], scaleanchor="x", row=1, col=1, **HIDDEN)
    tall = round(min(720, max(360, 560 * height / width))) + 60
    return figure.update_layout(height=tall, margin={"t": 20, "l": 0, "r": 10}, legend=BELOW | {"x": 0.79}, bargap=0)


def criteria(table):
    """Draw how methods are judged by the document's four criteria (IPMT report, AP1.5, figure 6).

    Parameters
    ----------
    table : DataFrame
        ``method``, ``criterion``, ``value``, ``low``, ``high``, and ``recipe`` if there are several: those of
        `judge_recipes` with their methods.

    Returns
    -------
    plotly.graph_objects.Figure
        A panel for each criterion; 0 is best in all of them.
    """
    titles = [CRITERION_NAMES[name] for name in CRITERIA]
    figure = make_subplots(2, 2, subplot_titles=[title[0].upper() + title[1:] for title in titles])
    table = table if "recipe" in table else table.assign(recipe="")
    for k, (criterion, unit) in enumerate(CRITERIA.items()):
        place = {"row": k // 2 + 1, "col": k % 2 + 1}
        for method, rows in table[table.criterion == criterion].groupby("method", sort=False):
            error = {"array": rows.high - rows.value, "arrayminus": rows.value - rows.low, "thickness": 1.2, "width": 3}
            trace = go.Scatter(
                x=rows.recipe,
                y=rows.value,
                error_y={"type": "data", "symmetric": False} | error,
                mode="markers",
                marker={"color": COLOURS.get(method, BROWN), "size": 8},
                name=METHOD_NAMES.get(method, method),
                legendgroup=method,
                offsetgroup=method,
                showlegend=k == 0,
            )
            figure.add_trace(trace, **place)
        figure.add_hline(y=0, line_color=LEFT_OUT, line_width=1, **place)
        figure.update_yaxes(title=f"Error / {unit}" if unit else "Divergence", **place)
        figure.update_xaxes(title="Recipe" if k > 1 and table.recipe.nunique() > 1 else "", **place)
    return figure.update_layout(scattermode="group", height=640, margin={"t": 40}, legend=BELOW)


def _step(examined):
    """Of how many pixels one is drawn."""
    return -(-max(examined.instances.shape) // LARGEST)


def _add_picture(figure, examined):
    table, instances = examined.table, examined.instances
    colours = np.full(len(table) + 1, LEFT_OUT)
    log_d = np.log(table.diameter_nm.to_numpy(float))
    counted = table.weight.to_numpy() > 0
    if counted.any():
        low, high = log_d[counted].min(), log_d[counted].max()
        shares = 0.15 + 0.85 * (log_d[counted] - low) / max(high - low, 1e-9)  # the darkest would be lost in a picture
        rgb = [unlabel_rgb(colour) for colour in sample_colorscale(SCALE, shares.tolist())]
        colours[1:][counted] = [f"#{round(r):02x}{round(g):02x}{round(b):02x}" for r, g, b in rgb]
    grey = (255 * grey_image(examined.image)).astype(np.uint8)
    step = _step(examined)
    picture = outlined(grey[::step, ::step], instances[::step, ::step], colours)
    figure.add_trace(go.Image(source=data_address(picture), hoverinfo="skip"), 1, 1)
    per_px = step * examined.pixel_size_nm
    words = [f"{row.instance}: {_length(row.diameter_nm)}<br>score {row.score:.2f}" for row in table.itertuples()]
    middles = {"x": table.x_nm / per_px - 0.5, "y": table.y_nm / per_px - 0.5}
    names = {"hovertext": words, "hoverinfo": "text", "showlegend": False}
    figure.add_trace(go.Scatter(mode="markers", marker={"size": 14, "opacity": 0}, **middles, **names), 1, 1)
    height, width = picture.shape[:2]
    nm, unit = unit_of(width * per_px / 4)
    bar = scale_bar(0, 0, width * per_px / nm / 4, unit)
    bar.x = [0.04 * width + length * nm / per_px for length in bar.x]
    bar.y = [0.95 * height] * 2
    bar.textfont.shadow = "0 0 3px black, 0 0 3px black"
    figure.add_trace(bar, 1, 1)


def _add_distribution(figure, examined):
    counted = examined.table[examined.table.weight > 0]
    diameters = counted.diameter_nm.to_numpy(float)
    weights = counted.weight.to_numpy(float)
    nm, unit = unit_of(np.median(diameters)) if len(diameters) else (1.0, "nm")
    by = examined.weighting
    figure.update_xaxes(title=f"Area-equivalent diameter / {unit}", **LOG_AXIS, row=1, col=2)
    figure.update_yaxes(title=f"Share of the {by} per unit of ln(diameter)", rangemode="tozero", row=1, col=2)
    if len(diameters) < FEWEST or np.ptp(diameters) == 0:
        return
    weights = weights * (diameters / diameters.max()) ** POWERS[by]
    fit = fit_lognormal(diameters, weights=weights)
    width = math.log(fit.deviation)
    ends = math.log(diameters.min()) - 1e-6, math.log(diameters.max()) + 1e-6
    bars = min(40, max(4, round(STEPS_PER_WIDTH * (ends[1] - ends[0]) / width)))
    density, edges = np.histogram(np.log(diameters), np.linspace(*ends, bars + 1), weights=weights, density=True)
    middles = np.exp((edges[1:] + edges[:-1]) / 2)
    across = np.diff(np.exp(edges)) / nm
    shown = {"marker_color": BLUE, "opacity": 0.5, "name": f"{len(diameters)} particles"}
    figure.add_trace(go.Bar(x=middles / nm, y=density, width=across, **shown), 1, 2)
    grid = np.exp(np.linspace(math.log(fit.mean) - 3.5 * width, math.log(fit.mean) + 3.5 * width, 160))
    low, high = _band(fit, grid)
    x = np.concatenate([grid, grid[::-1]]) / nm
    band = {"fill": "toself", "fillcolor": "rgba(0,0,0,0.15)", "line": {"width": 0}, "hoverinfo": "skip"}
    trace = go.Scatter(x=x, y=np.concatenate([high, low[::-1]]), mode="lines", name="95 % of the fit", **band)
    figure.add_trace(trace, 1, 2)
    fitted = stats.norm.pdf(np.log(grid), math.log(fit.mean), width)
    line = {"color": BLACK, "width": 2}
    figure.add_trace(go.Scatter(x=grid / nm, y=fitted, mode="lines", line=line, name="log-normal fit"), 1, 2)


def _band(fit, grid):
    """Return between which densities 95 % of the fits lie, if both of its numbers are as well known as they say."""
    rng = generator(0, "band")
    middle, reach = math.log(fit.mean), math.log(fit.mean_interval[1] / fit.mean_interval[0]) / 2
    widths = np.log(np.log(fit.deviation_interval))
    means = middle + reach / stats.norm.ppf(0.975) * rng.normal(size=(DRAWS, 1))
    spread = (widths[1] - widths[0]) / 2 / stats.norm.ppf(0.975)
    deviations = np.exp(widths.mean() + spread * rng.normal(size=(DRAWS, 1)))
    return np.quantile(stats.norm.pdf(np.log(grid), means, deviations), [0.025, 0.975], axis=0)


def _length(length_nm):
    nm, unit = unit_of(length_nm)
    return f"{length_nm / nm:.3g} {unit}"
