"""Figures of a measurement: the fit, the boundary as time runs, distributions of s and of sizes, classes, recovery."""

import numpy as np
import plotly.graph_objects as go
from plotly.colors import hex_to_rgb
from plotly.subplots import make_subplots

from particlelab.drawing import BELOW, BLACK, BLUE, GREEN, LOG_AXIS, ORANGE, PALETTE
from particlelab.sedimentation.boundaries import SVEDBERG, field_of
from particlelab.sedimentation.pictures import profile_colours

PROFILES = 14  # that are drawn of a fit
WAYS = {"sedimentation": BLUE, "creaming": ORANGE}
TRUE = {"color": BLACK, "dash": "dash", "width": 1.5}
RADIUS, TIME, TRANSMISSION = "Radius / mm", "Time / s", "Transmission / %"


def fitted_profiles(examined):
    """Draw some profiles with what was fitted to them, and below all residuals over radius and time.

    Parameters
    ----------
    examined : Examined

    Returns
    -------
    plotly.graph_objects.Figure
        Without a fit, the profiles alone.
    """
    if examined.distribution is None:
        return _profiles(examined.spectrum)
    fit = examined.distribution.fit
    chosen = np.unique(np.linspace(0, len(fit.times_s) - 1, PROFILES).round().astype(int))
    colours = profile_colours(fit.times_s)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.65, 0.35], vertical_spacing=0.05)
    for k in chosen:
        colour = "rgb({},{},{})".format(*colours[k])
        points = {"mode": "markers", "marker": {"color": colour, "size": 4}}
        hover = f"%{{y:.3g}} % at %{{x:.2f}} mm after {fit.times_s[k]:g} s<extra></extra>"
        figure.add_trace(
            go.Scatter(x=fit.radii_mm, y=100 * fit.measured[k], hovertemplate=hover, showlegend=False, **points), 1, 1
        )
        line = {
            "mode": "lines",
            "line": {"color": BLACK, "width": 1},
            "name": "fitted",
            "showlegend": bool(k == chosen[0]),
        }
        figure.add_trace(go.Scatter(x=fit.radii_mm, y=100 * fit.fitted[k], hoverinfo="skip", **line), 1, 1)
    residual = 100 * (fit.measured - fit.fitted)
    most = float(np.nanquantile(np.abs(residual), 0.99)) or 1.0
    bar = {"title": {"text": "Residual / %"}, "thickness": 12, "len": 0.4, "y": 0.15}
    heat = {"zmin": -most, "zmax": most, "colorscale": "RdBu", "colorbar": bar}
    figure.add_trace(go.Heatmap(x=fit.radii_mm, y=fit.times_s, z=residual, **heat), 2, 1)
    figure.update_xaxes(title=RADIUS, row=2, col=1)
    figure.update_yaxes(title=TRANSMISSION, row=1, col=1)
    figure.update_yaxes(title=TIME, row=2, col=1)
    return figure.update_layout(height=620, legend={"x": 0.01, "y": 0.99})


def boundary(examined):
    """Draw where the boundary is as time runs, by its second moment and at half height, and the regression.

    Parameters
    ----------
    examined : Examined

    Returns
    -------
    plotly.graph_objects.Figure
    """
    estimate, found = examined.estimate, examined.estimate.boundary
    figure = go.Figure()
    figure.add_trace(_places(found.time_s, found.half_mm, "at half height", "circle-open", ORANGE))
    used, other = found[found.used], found[~found.used & found.moment_mm.notna()]
    figure.add_trace(_places(other.time_s, other.moment_mm, "second moment, not used", "x-thin-open", "#888888"))
    figure.add_trace(_places(used.time_s, used.moment_mm, "second moment", "circle", BLUE))
    if np.isfinite(estimate.s):
        times = np.linspace(0, used.time_s.max(), 50)
        x = SVEDBERG * field_of(examined.rpm) * times * estimate.s
        line = estimate.start_mm * np.exp(x) if examined.rpm else estimate.start_mm + 10 * x
        low, high = estimate.interval
        name = f"{estimate.s:,.0f} S ({low:,.0f} to {high:,.0f})"
        figure.add_trace(go.Scatter(x=times, y=line, mode="lines", line={"color": GREEN}, name=name))
    figure.update_xaxes(title=TIME)
    figure.update_yaxes(title="Radius of the boundary / mm")
    return figure.update_layout(height=400, legend=BELOW, showlegend=True)


def s_distribution(examined, truth=None):
    """Draw the distribution of sedimentation coefficients with its 95 % band.

    Parameters
    ----------
    examined : Examined
    truth : DataFrame, optional
        ``s`` and ``density`` over ln s (shares of 1), where it is known.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    if examined.distribution is not None:
        table = examined.distribution.table
        total = table.weight.sum() or 1.0
        for way, colour in WAYS.items():
            rows = table[(table.s > 0) == (way == "sedimentation")]
            if len(rows):
                rows = rows.assign(size=rows.s.abs()).sort_values("size")
                values = (rows[name] / total for name in ("density", "low", "high"))
                figure.add_traces(_band(rows["size"], *values, way, colour))
    if truth is not None:
        figure.add_traces(_true(truth.assign(x=truth.s.abs())))
    figure.update_xaxes(title="|s| / S", **LOG_AXIS)
    figure.update_yaxes(title="Share of light per unit of ln s", rangemode="tozero")
    return figure.update_layout(height=400, legend=BELOW, showlegend=True)


def size_distribution(examined, truth=None):
    """Draw the distribution of diameters with its 95 % band and percentiles.

    Parameters
    ----------
    examined : Examined
    truth : DataFrame, optional
        ``diameter_nm`` and ``density`` over ln d, where it is known.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure, what = (
        go.Figure(),
        "light" if examined.sizes is None or examined.sizes.weighting == "extinction" else "volume",
    )
    if examined.sizes is not None:
        table = examined.sizes.table
        figure.add_traces(_band(table.diameter_nm, table.density, table.low, table.high, "measured", BLUE))
        for row in examined.sizes.percentiles.itertuples():
            note = {"annotation_text": f"{100 * row.share:g} %", "line": {"dash": "dot", "width": 1}}
            figure.add_vline(row.diameter_nm, **note)
    if truth is not None:
        figure.add_traces(_true(truth.assign(x=truth.diameter_nm)))
    figure.update_xaxes(title="Diameter / nm", **LOG_AXIS)
    figure.update_yaxes(title=f"Share of {what} per unit of ln d", rangemode="tozero")
    return figure.update_layout(height=400, legend=BELOW, showlegend=True)


def classes(examined):
    """Draw the probability of each class.

    Parameters
    ----------
    examined : Examined

    Returns
    -------
    plotly.graph_objects.Figure
    """
    names, values = list(examined.classes), [100 * value for value in examined.classes.values()]
    look = {"marker": {"color": list(PALETTE[: len(names)])}, "text": [f"{v:.1f} %" for v in values]}
    figure = go.Figure(go.Bar(x=values, y=names, orientation="h", **look))
    figure.update_xaxes(title="Probability / %", range=[0, 105])
    figure.update_yaxes(title="Class", autorange="reversed")
    return figure.update_layout(height=240)


def recovery(table, quantity="mean s"):
    """Draw by how much a quantity that was measured differs from the truth, with its intervals.

    Parameters
    ----------
    table : DataFrame
        From `study_recovery`.
    quantity : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure, rows = go.Figure(), table[table.quantity == quantity]
    for colour, (field, part) in zip(PALETTE, rows.groupby("field", sort=False), strict=False):
        error, low, high = (100 * (part[name] / part.truth - 1) for name in ("value", "low", "high"))
        bars = {"type": "data", "array": high - error, "arrayminus": error - low, "width": 3}
        names = {"x": [part.dispersion.tolist(), part.number.add(1).astype(str).tolist()], "name": field}
        figure.add_trace(go.Scatter(y=error, mode="markers", marker={"color": colour}, error_y=bars, **names))
    figure.add_hline(0, line={"width": 1})
    figure.update_xaxes(title="Dispersion, and number of its measurement")
    figure.update_yaxes(title=f"Error of the {quantity} / %")
    return figure.update_layout(height=420, legend=BELOW | {"y": -0.45}, showlegend=True)


def _profiles(spectrum):
    colours = profile_colours(spectrum.times_s)
    chosen = np.unique(np.linspace(0, len(spectrum.times_s) - 1, PROFILES).round().astype(int))
    figure = go.Figure(
        [
            go.Scatter(
                x=spectrum.radii_mm,
                y=100 * spectrum.transmission[k],
                mode="lines",
                line={"color": "rgb({},{},{})".format(*colours[k]), "width": 1},
                name=f"{spectrum.times_s[k]:g} s",
            )
            for k in chosen
        ]
    )
    figure.update_xaxes(title=RADIUS)
    figure.update_yaxes(title=TRANSMISSION)
    return figure.update_layout(height=420)


def _places(times, places, name, symbol, colour):
    marker = {"symbol": symbol, "color": colour, "size": 6}
    return go.Scatter(x=times, y=places, mode="markers", marker=marker, name=name)


def _band(x, density, low, high, name, colour):
    red, green, blue = hex_to_rgb(colour)
    pale = f"rgba({red},{green},{blue},0.25)"
    around = {
        "x": np.concatenate([x, x[::-1]]),
        "y": np.concatenate([high, low[::-1]]),
        "fill": "toself",
        "fillcolor": pale,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "name": f"{name}, 95 %",
        "mode": "lines",
    }
    return [go.Scatter(**around), go.Scatter(x=x, y=density, mode="lines", line={"color": colour}, name=name)]


def _true(truth):
    """Lines of populations that are known; a single size is a line up from the axis."""
    traces = []
    for number, (_, rows) in enumerate(truth.groupby("population")):
        rows = rows.sort_values("x")
        x, y = rows.x.to_numpy(), rows.density.to_numpy()
        if len(x) == 1:
            x, y = np.repeat(x, 2), np.array([0.0, y[0]])
        traces.append(go.Scatter(x=x, y=y, mode="lines", line=TRUE, name="true", showlegend=number == 0))
    return traces
