"""Learned growth: drift, diffusivity, forecasts, and where they fail."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from scipy import stats

from particlelab.aerosol.figures.look import FRAME, SIZE, colours
from particlelab.drawing import BELOW, BLACK, BLUE, ORANGE, PALETTE

FROM = {"eye": {"x": -1.5, "y": -1.8, "z": 0.8}, "center": {"x": 0, "y": 0, "z": -0.28}}  # where a camera is
DRIFT, DIFFUSIVITY = "Drift / % a frame", "Diffusivity / % per √frame"
BANDS = ((0.05, 0.95, 0.18), (0.25, 0.75, 0.32))  # quantiles, and how dark what is between them


def losses(history):
    """Draw the loss of trainings over their epochs (figures 3.7a and 3.8a).

    Parameters
    ----------
    history : DataFrame
        ``member``, ``epoch``, ``loss``, ``val_loss``, as of `fit_sde`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    for column, name, colour in (("loss", "training", BLUE), ("val_loss", "validation", ORANGE)):
        for member, one in history.groupby("member"):
            figure.add_trace(
                go.Scatter(
                    x=one.epoch, y=one[column], mode="lines", line={"color": colour, "width": 1.5}, name=name,
                    legendgroup=name, showlegend=bool(member == 0),
                )
            )  # fmt: skip
    low, high = np.quantile(history[["loss", "val_loss"]], [0, 0.98])  # the first few may be far above
    figure.update_xaxes(title="Epoch", rangemode="tozero")
    figure.update_yaxes(title="Loss / nat a step", range=[low - 0.05 * (high - low), high + 0.1 * (high - low)])
    return figure.update_layout(height=360, margin={"t": 20}, legend=BELOW)


def drift_and_diffusivity(sde, sizes, strengths=(None,), coverage=0.9, covariate="strength"):
    """Draw drift and diffusivity over the size of the cloud, for some strengths (figures 3.7b, 3.11a and 3.18a).

    Parameters
    ----------
    sde : SDE
        Of cloud sizes in %, by frames.
    sizes : (n,) array_like
    strengths : sequence of float
        The covariate; (None,) of an SDE without.
    coverage : float
        Of bands, if the SDE has several members.
    covariate : str
        What the strengths are called.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    sizes = np.asarray(sizes, float)
    figure = make_subplots(1, 2, horizontal_spacing=0.1)
    known = [value for value in strengths if value is not None]
    colour = colours(known) if known else {None: BLUE}
    for strength in strengths:
        shade = colour[None if strength is None else float(strength)]
        found = sde.drift(sizes, strength)[:, 0], sde.diffusivity(sizes, strength)[:, 0]
        bands = sde.bands(sizes, strength, coverage) if len(sde.members) > 1 else (None, None)
        for column, (values, band) in enumerate(zip(found, bands, strict=True), 1):
            name = "" if strength is None else f"{covariate} {strength:g}"
            if band is not None:
                ends = np.concatenate([band[0][:, 0], band[1][::-1, 0]])
                figure.add_trace(
                    go.Scatter(
                        x=np.concatenate([sizes, sizes[::-1]]), y=ends, fill="toself", fillcolor=shade, opacity=0.15,
                        line={"width": 0}, hoverinfo="skip", showlegend=False,
                    ), 1, column,
                )  # fmt: skip
            line = {"color": shade, "width": 2}
            trace = go.Scatter(x=sizes, y=values, mode="lines", line=line, name=name, legendgroup=name)
            figure.add_trace(trace.update(showlegend=bool(column == 1 and name)), 1, column)
    figure.update_xaxes(title=SIZE)
    figure.update_yaxes(title=DRIFT, col=1)
    figure.update_yaxes(title=DIFFUSIVITY, rangemode="tozero", col=2)
    return figure.update_layout(height=420, margin={"t": 20}, legend=BELOW)


def surfaces(sde, sizes, strengths):
    """Draw drift and diffusivity over size and strength as surfaces.

    Parameters
    ----------
    sde : SDE
        With one covariate.
    sizes, strengths : (n,) and (m,) array_like

    Returns
    -------
    plotly.graph_objects.Figure
    """
    x, p = np.meshgrid(sizes, strengths)
    found = {DRIFT: sde.drift(x.ravel(), p.ravel()), DIFFUSIVITY: sde.diffusivity(x.ravel(), p.ravel())}
    figure = make_subplots(1, 2, specs=[[{"type": "surface"}] * 2], horizontal_spacing=0.02)
    for column, (name, values) in enumerate(found.items(), 1):
        place = {"x": 0.44 if column == 1 else 1.0, "thickness": 10, "len": 0.5}
        surface = go.Surface(x=x, y=p, z=values.reshape(x.shape), colorscale="Viridis", colorbar=place)
        figure.add_trace(surface, 1, column)
        axes = {"xaxis_title": "Cloud size / %", "yaxis_title": "Strength", "zaxis_title": name}
        figure.update_scenes(**axes, camera=FROM, row=1, col=column)
    return figure.update_layout(height=520, margin={"t": 10, "b": 10, "l": 0, "r": 0})


def trajectories(true, drawn, parameters=None):
    """Draw simulated trajectories beside one drawn from the start of each (figures 3.7c, 3.8c, 3.9 and 3.11b).

    Parameters
    ----------
    true, drawn : (k, T) array
        Sizes in %.
    parameters : (k,) array, optional
        For axes of frame, parameter and size; otherwise over the frame alone.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    frames = np.append(np.arange(np.shape(true)[1]) + 1.0, np.nan)  # lines of one trace are parted by NaN
    for values, name, colour in ((true, "simulated", BLUE), (drawn, "learned", ORANGE)):
        lines = np.pad(np.asarray(values, float), ((0, 0), (0, 1)), constant_values=np.nan)
        x, look = np.tile(frames, len(lines)), {"mode": "lines", "name": name, "hoverinfo": "skip"}
        if parameters is None:
            line = {"color": colour, "width": 1}
            figure.add_trace(go.Scatter(x=x, y=lines.ravel(), line=line, opacity=0.5, **look))
        else:
            y, line = np.repeat(parameters, len(frames)), {"color": colour, "width": 2}
            figure.add_trace(go.Scatter3d(x=x, y=y, z=lines.ravel(), line=line, **look))
    if parameters is None:
        figure.update_xaxes(title=FRAME)
        figure.update_yaxes(title=SIZE)
    else:
        figure.update_scenes(xaxis_title=FRAME, yaxis_title="Parameter", zaxis_title="Cloud size / %", camera=FROM)
    return figure.update_layout(height=420 if parameters is None else 520, margin={"t": 10, "b": 10}, legend=BELOW)


def average_trajectories(true, predicted, three_d=True, covariate="strength"):
    """Draw the average trajectory of each strength, as it was and as it was predicted (figures 3.10 and 3.11c).

    Parameters
    ----------
    true, predicted : DataFrame
        Mean sizes by strength (rows) and frame (columns), as of `average_trajectories` of the scores.
    three_d : bool
        Over frame and strength; otherwise over the frame alone.
    covariate : str
        What the strengths are called.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure, colour = go.Figure(), colours(true.index)
    for table, name, dash in ((true, "simulated", "solid"), (predicted, "learned", "dash")):
        for strength, row in table.iterrows():
            shown = {"name": name, "legendgroup": name, "showlegend": bool(strength == table.index[0]), "mode": "lines"}
            look = {"dash": dash, "width": 4 if three_d else 2}
            look["color"] = (BLACK if name == "simulated" else ORANGE) if three_d else colour[float(strength)]
            hover = f"{covariate} {strength:g}<extra>{name}</extra>"
            if three_d:
                frames = np.asarray(row.index, float)
                place = {"x": frames, "y": np.full(len(row), strength), "z": row.to_numpy()}
                figure.add_trace(go.Scatter3d(**place, **shown, line=look, hovertemplate=hover))
            else:
                figure.add_trace(go.Scatter(x=row.index, y=row, **shown, line=look, hovertemplate=hover))
    if three_d:
        figure.update_scenes(xaxis_title=FRAME, yaxis_title="Parameter", zaxis_title="Cloud size / %", camera=FROM)
    else:
        figure.update_xaxes(title=FRAME)
        figure.update_yaxes(title=SIZE, rangemode="tozero")
    return figure.update_layout(height=520 if three_d else 420, margin={"t": 10, "b": 10}, legend=BELOW)


def forecast(samples, true=None, first=1, label="learned"):
    """Draw trajectories as a median and bands of 50 and 90 %, beside those that were seen.

    Parameters
    ----------
    samples : (n, T) array
        Drawn trajectories.
    true : (k, T') array, optional
        Seen ones, from the same frame on.
    first : int
        Number of the first frame.
    label : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    samples = np.asarray(samples)
    frames = first + np.arange(samples.shape[1])
    figure = go.Figure()
    for low, high, opacity in BANDS:
        ends = np.quantile(samples, [low, high], axis=0)
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([frames, frames[::-1]]), y=np.concatenate([ends[0], ends[1][::-1]]), fill="toself",
                fillcolor=ORANGE, opacity=opacity, line={"width": 0}, hoverinfo="skip",
                name=f"{label}, {100 * (high - low):.0f} %",
            )
        )  # fmt: skip
    middle = np.median(samples, axis=0)
    figure.add_trace(go.Scatter(x=frames, y=middle, mode="lines", line={"color": ORANGE, "width": 2.5}, name=label))
    for k, one in enumerate([] if true is None else np.atleast_2d(true)):
        line = {"color": BLUE, "width": 2}
        seen = go.Scatter(x=first + np.arange(len(one)), y=one, mode="lines", line=line, name="seen")
        figure.add_trace(seen.update(legendgroup="seen", showlegend=k == 0))
    figure.update_xaxes(title=FRAME)
    figure.update_yaxes(title=SIZE, rangemode="tozero")
    return figure.update_layout(height=420, margin={"t": 20}, legend=BELOW)


def residuals(noise, sizes):
    """Draw what is left of steps, which should be standard normal: its quantiles, and it over the size of the cloud.

    Parameters
    ----------
    noise : (n,) array
        Standardised residuals, as of `SDE.noise`.
    sizes : (n,) array
        At the beginning of each step, in %.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(1, 2, horizontal_spacing=0.1)
    expected = stats.norm.ppf((np.arange(len(noise)) + 0.5) / len(noise))
    dots = {"mode": "markers", "marker": {"color": BLUE, "size": 4, "opacity": 0.5}, "showlegend": False}
    figure.add_trace(go.Scatter(x=expected, y=np.sort(noise), **dots), 1, 1)
    ends = np.array([expected[0], expected[-1]])
    line = {"color": BLACK, "width": 1, "dash": "dash"}
    figure.add_trace(go.Scatter(x=ends, y=ends, mode="lines", line=line, name="standard normal"), 1, 1)
    figure.add_trace(go.Scatter(x=sizes, y=noise, **dots), 1, 2)
    for level in (-1.96, 1.96):
        figure.add_hline(level, line=line, col=2)
    figure.update_xaxes(title="Quantile of the standard normal distribution", col=1)
    figure.update_xaxes(title=SIZE, col=2)
    figure.update_yaxes(title="Residual / standard deviations", col=1)
    return figure.update_layout(height=400, margin={"t": 20}, legend=BELOW)


def losses_by_size(curves, bins):
    """Draw the loss of steps over the size of the cloud at which they begin (figure 3.19).

    Parameters
    ----------
    curves : dict of str to (n,) array_like
        Mean loss of the steps of each bin, by weighting; NaN where there are none.
    bins : (n,) array_like
        Middle of each bin.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    for (name, values), colour in zip(curves.items(), PALETTE, strict=False):
        line = {"color": colour, "width": 2}
        figure.add_trace(go.Scatter(x=bins, y=values, mode="lines+markers", line=line, name=name))
    figure.update_xaxes(title=SIZE)
    figure.update_yaxes(title="Loss / nat a step")
    return figure.update_layout(height=420, margin={"t": 20}, legend=BELOW)
