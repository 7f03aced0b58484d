"""Transmission spectra: profiles, SEP and grey images with their axes, and the cell that they are taken of."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.drawing import BELOW, BLUE, LOG_AXIS, ORANGE, PALETTE
from particlelab.drawing.pictures import pictures
from particlelab.sedimentation.pictures import grey_image, profile_colours, sep_image

MOST_LINES = 60  # of profiles: what a page can hold
FRAME_MS = 200
PICTURE_PX = 320
GAP_PX = 8
DARKEST = 1e-3  # transmission below which an absorbance is not shown
RED_TO_GREEN = [[0, "rgb(255,0,0)"], [1, "rgb(0,255,0)"]]
RADIUS, TIME, TRANSMISSION = "Radius / mm", "Time / s", "Transmission / %"


def profiles(spectrum, absorbance=False, limits_mm=None):
    """Draw transmission or absorbance over radius, one line a profile, from red (first) to green (last).

    Parameters
    ----------
    spectrum : Spectrum
        Of more than 60 profiles, 60 are drawn.
    absorbance : bool
    limits_mm : tuple of float, optional
        Meniscus and bottom, which are marked.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure(_lines(spectrum, _chosen(spectrum), absorbance))
    figure.add_trace(_time_bar(spectrum))
    for place, text in zip(limits_mm or (), ("meniscus", "bottom"), strict=False):
        figure.add_vline(place, line={"dash": "dot", "width": 1}, annotation_text=text)
    figure.update_xaxes(title=RADIUS)
    figure.update_yaxes(title="Absorbance" if absorbance else TRANSMISSION)
    return figure.update_layout(height=420, showlegend=False)


def grey(spectrum, size=PICTURE_PX):
    """Draw the grey image of a spectrum with its axes: radius downwards, time to the right.

    Parameters
    ----------
    spectrum : Spectrum
    size : int
        Edge of the picture (px).

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure(_picture(grey_image(spectrum, size), spectrum))
    figure.update_xaxes(title=TIME, constrain="domain")
    figure.update_yaxes(title=RADIUS, constrain="domain", autorange="reversed")
    return figure.update_layout(height=420)


def sep_beside_grey(spectra, titles, size=PICTURE_PX, columns=4):
    """Draw SEP images, each with its grey image below (figure 12 of the report).

    Parameters
    ----------
    spectra : sequence of Spectrum
    titles : sequence of str
    size : int
        Edge of a picture (px).
    columns : int
        In a row.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    gap = np.full((GAP_PX, size, 3), 255, np.uint8)
    both = [
        np.concatenate(
            [_framed(sep_image(s, size)), gap, _framed(np.repeat(grey_image(s, size)[..., None], 3, axis=2))]
        )
        for s in spectra
    ]
    return pictures(both, titles=titles, columns=columns)


def cell(simulated):
    """Draw a cell with its particles as time runs, over the profiles that have been measured so far.

    Parameters
    ----------
    simulated : Simulated
        From `simulate_cell`.

    Returns
    -------
    plotly.graph_objects.Figure
        Buttons and slider hold the moments themselves, so that they play wherever the figure is shown.
    """
    spectrum, (meniscus, bottom) = simulated.spectrum, simulated.limits_mm
    colours = profile_colours(spectrum.times_s)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.32, 0.68], vertical_spacing=0.03)
    s = simulated.particles_svedberg
    looks = {
        "size": 4 + 3 * np.sqrt(np.abs(s) / np.abs(s).max()),
        "color": np.where(s >= 0, BLUE, ORANGE).tolist(),
        "opacity": 0.7,
    }
    hover = "%{customdata:,.0f} S at %{x:.2f} mm<extra></extra>"
    particles = {"mode": "markers", "marker": looks, "customdata": s.round(), "hovertemplate": hover}
    across = simulated.across.round(3)
    figure.add_trace(go.Scatter(x=simulated.particles_mm[-1].round(3), y=across, **particles), row=1, col=1)
    xs, so_far = spectrum.radii_mm.round(3), []
    lines = 100 * spectrum.transmission[simulated.moments].round(4)
    for moment, line in zip(simulated.moments, lines, strict=True):
        look = {"width": 1.5, "color": "rgb({},{},{})".format(*colours[moment])}
        so_far.append(go.Scatter(x=xs, y=line, mode="lines", line=look, hoverinfo="skip"))
    figure.add_traces(so_far, rows=2, cols=1)
    figure.add_trace(_time_bar(spectrum), row=2, col=1)
    figure.add_shape(
        type="rect", x0=meniscus, x1=bottom, y0=-0.05, y1=1.05, line={"width": 1}, layer="below", row=1, col=1
    )
    moments = [
        {
            "data": [{"x": places.round(3).tolist()}, *({"visible": k <= number} for k in range(len(so_far)))],
            "traces": list(range(len(so_far) + 1)),
        }
        for number, places in enumerate(simulated.particles_mm)
    ]
    figure.update_xaxes(range=[spectrum.radii_mm[0], spectrum.radii_mm[-1]])
    figure.update_xaxes(title=RADIUS, row=2, col=1)
    figure.update_yaxes(visible=False, range=[-0.1, 1.1], row=1, col=1)
    figure.update_yaxes(title=TRANSMISSION, range=[-4, 108], row=2, col=1)
    labels = [f"{spectrum.times_s[moment]:g}" for moment in simulated.moments]
    return _playing(figure.update_layout(height=680, showlegend=False), moments, labels)


def distribution(simulated):
    """Draw which share of the light particles of each sedimentation coefficient take at the start.

    Parameters
    ----------
    simulated : Simulated
        From `simulate_cell`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    for number, rows in simulated.distribution.groupby("population"):
        s, colour = rows.svedberg.abs().to_numpy(), PALETTE[number - 1]
        way = "settles" if rows.svedberg.iloc[0] > 0 else "creams"
        look = {"name": f"population {number}: {way}", "line": {"color": colour}}
        if len(s) == 1:
            figure.add_trace(go.Scatter(x=[s[0], s[0]], y=[0, rows.share.iloc[0]], mode="lines", **look))
        else:  # per factor of e
            figure.add_trace(go.Scatter(x=s, y=rows.share / np.log(s[1] / s[0]), fill="tozeroy", **look))
    figure.update_xaxes(title="|s| / S", **LOG_AXIS)
    figure.update_yaxes(title="Share of light per unit of ln s")
    return figure.update_layout(height=380, legend=BELOW, showlegend=True)


def read_back(table):
    """Draw by how much coefficients that are read from spectra differ from those that were put in.

    Parameters
    ----------
    table : DataFrame
        From `survey_lfg`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    rows = table[table.s_svedberg > 0]
    error, low, high = (100 * (rows[f"read_{name}"] / rows.s_svedberg - 1) for name in ("svedberg", "low", "high"))
    bars = {"type": "data", "array": high - error, "arrayminus": error - low, "width": 0}
    look = {"mode": "markers", "marker": {"color": BLUE}, "error_y": bars, "name": "read, with its 95 % interval"}
    figure = go.Figure(go.Scatter(x=rows.s_svedberg, y=error, **look))
    figure.add_hline(0, line={"width": 1})
    figure.update_xaxes(title="Sedimentation coefficient / S")
    figure.update_yaxes(title="Error of s read back / %")
    return figure.update_layout(height=380, legend=BELOW, showlegend=True)


def _chosen(spectrum):
    count = len(spectrum.times_s)
    return np.unique(np.linspace(0, count - 1, min(count, MOST_LINES)).round().astype(int))


def _lines(spectrum, chosen, absorbance=False):
    colours, values = profile_colours(spectrum.times_s), spectrum.transmission[chosen]
    values = -np.log10(values.clip(DARKEST)) if absorbance else 100 * values
    x = spectrum.radii_mm.round(4)
    return [
        go.Scatter(
            x=x,
            y=line.round(4),
            mode="lines",
            line={"width": 1, "color": "rgb({},{},{})".format(*colours[k])},
            hovertemplate=f"%{{y:.3g}} at %{{x:.2f}} mm after {spectrum.times_s[k]:g} s<extra></extra>",
        )
        for k, line in zip(chosen, values, strict=True)
    ]


def _time_bar(spectrum):
    """Nothing but the colour bar of the times."""
    first, last = float(spectrum.times_s[0]), float(spectrum.times_s[-1])
    look = {"color": [first], "cmin": first, "cmax": last, "colorscale": RED_TO_GREEN, "showscale": True}
    look["colorbar"] = {"title": {"text": TIME}, "thickness": 12}
    return go.Scatter(x=[None], y=[None], mode="markers", marker=look, hoverinfo="skip")


def _picture(image, spectrum):
    size = len(image)
    radii, times = (np.linspace(axis[0], axis[-1], size) for axis in (spectrum.radii_mm, spectrum.times_s))
    hover = "%{z:.0f} % at %{y:.2f} mm after %{x:.4g} s<extra></extra>"
    percent = (100 / 255 * image).round(1).astype(np.float32)
    bar = {"title": {"text": TRANSMISSION}, "thickness": 12}
    return go.Heatmap(
        z=percent, x=times, y=radii, zmin=0, zmax=100, colorscale="gray", colorbar=bar, hovertemplate=hover
    )


def _framed(picture):
    picture = picture.copy()
    picture[[0, -1]] = picture[:, [0, -1]] = 150
    return picture


def _playing(figure, moments, labels):
    at_once = {"mode": "immediate", "transition": {"duration": 0}}
    playing = at_once | {"frame": {"duration": FRAME_MS, "redraw": True}}
    standing = at_once | {"frame": {"duration": 0, "redraw": True}}
    buttons = [
        {"label": "▶ Play", "method": "animate", "args": [moments, playing]},
        {"label": "❚❚ Pause", "method": "animate", "args": [[None], standing]},
    ]
    steps = [
        {"label": label, "method": "animate", "args": [[moment], standing]}
        for label, moment in zip(labels, moments, strict=True)
    ]
    below = {"y": 0, "yanchor": "top"}
    return figure.update_layout(
        updatemenus=[
            {"type": "buttons", "direction": "left", "showactive": False, "x": 0, "xanchor": "left", "pad": {"t": 138}}
            | {"buttons": buttons}
            | below
        ],
        sliders=[
            {"active": len(moments) - 1, "pad": {"t": 52, "b": 10}, "steps": steps}
            | {"currentvalue": {"prefix": "Time / s: ", "visible": True}}
            | below
        ],
    )
