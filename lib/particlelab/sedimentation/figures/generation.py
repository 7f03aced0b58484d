"""What generators draw, how they learned, and whether it is what was asked for (IPMT report, figures 12 to 19)."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.drawing import BELOW, BLACK, BLUE, ORANGE, PALETTE
from particlelab.drawing.pictures import pictures
from particlelab.sedimentation.generators import KINDS
from particlelab.sedimentation.pictures import grey_image, profile_colours, sep_image

PROFILES = 24  # of a spectrum that are drawn
QUIET = "#8a939c"  # of what is only a guide
TURNS = {"generator": BLUE, "critic": ORANGE}


def title_of(kind):
    """Return a kind of generator in words; "cwgan-div (SEP)" becomes "cWGAN-DIV (SEP)"."""
    name, _, rest = kind.partition(" ")
    return " ".join(filter(None, [KINDS[name].title if name in KINDS else name, rest]))


def drawn_pictures(found, titles):
    """Draw pictures side by side: those of one condition below each other (as figures 12 to 18).

    Parameters
    ----------
    found : (conditions, rows, size, size, 3) uint8 array
        Rows are grey and SEP image, or one of them.
    titles : sequence of str
        Of the conditions.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    found = np.asarray(found)
    columns, rows = found.shape[:2]
    images = np.moveaxis(found, 1, 0).reshape(-1, *found.shape[2:])
    return pictures(images, titles=[*titles, *[""] * (columns * (rows - 1))], columns=columns)


def condition_titles(conditions):
    """Return conditions as titles of pictures."""
    return [c if isinstance(c, str) else f"{c:,.0f} S".replace(",", " ") for c in conditions]


def beside(spectra, titles, size=256):
    """Draw spectra beside each other: profiles, grey and SEP image.

    Parameters
    ----------
    spectra : sequence of Spectrum
    titles : sequence of str
    size : int
        Edge of the pictures (px).

    Returns
    -------
    plotly.graph_objects.Figure
    """
    columns = len(spectra)
    figure = make_subplots(
        3, columns, subplot_titles=titles, vertical_spacing=0.1, horizontal_spacing=0.1, row_heights=[0.36, 0.32, 0.32]
    )
    for column, spectrum in enumerate(spectra, 1):
        radii, times = spectrum.radii_mm, spectrum.times_s
        some = np.unique(np.linspace(0, len(times) - 1, PROFILES).round().astype(int))
        for k, colour in zip(some, profile_colours(times)[some], strict=True):
            line = {"color": f"rgb({','.join(map(str, colour))})", "width": 1}
            trace = go.Scatter(x=radii, y=spectrum.transmission[k], mode="lines", line=line, name=f"{times[k]:.0f} s")
            figure.add_trace(trace.update(showlegend=False), 1, column)
        grey = go.Heatmap(
            z=grey_image(spectrum, size) / 255,
            x=np.linspace(times[0], times[-1], size),
            y=np.linspace(radii[0], radii[-1], size),
            colorscale="Greys_r",
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="%{x:.0f} s, %{y:.2f} mm: %{z:.3f}<extra></extra>",
        )
        figure.add_trace(grey, 2, column)
        figure.add_trace(go.Image(z=sep_image(spectrum, size), hoverinfo="skip"), 3, column)
        figure.update_xaxes(title="Radius / mm", row=1, col=column)
        figure.update_yaxes(title="Transmission", range=[-0.05, 1.1], row=1, col=column)
        figure.update_xaxes(title="Time / s", row=2, col=column)
        figure.update_yaxes(title="Radius / mm", autorange="reversed", row=2, col=column)
        figure.update_xaxes(title="Radius (SEP image)", showticklabels=False, row=3, col=column)
        figure.update_yaxes(title="Transmission", showticklabels=False, row=3, col=column)
    return figure.update_layout(height=980, margin={"t": 40, "b": 50})


def losses(table, name):
    """Draw the losses of the trainings on a set, averaged over fiftieths of the iterations.

    Parameters
    ----------
    table : DataFrame
        ``set``, ``kind``, ``turn``, ``iteration``, ``loss``.
    name : str
        Of the set.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    some = table[table["set"] == name]
    kinds = list(dict.fromkeys(some.kind))
    columns = min(3, max(1, len(kinds)))
    rows = max(1, -(-len(kinds) // columns))
    figure = make_subplots(rows, columns, subplot_titles=[title_of(kind) for kind in kinds], vertical_spacing=0.2)
    told = set()
    for k, kind in enumerate(kinds):
        for turn, part in some[some.kind == kind].groupby("turn"):
            step = max(1, len(part) // 50)
            mean = part.groupby(np.arange(len(part)) // step)[["iteration", "loss"]].mean()
            line = go.Scatter(x=mean.iteration, y=mean.loss, mode="lines", name=turn, line={"color": TURNS[turn]})
            line.update(legendgroup=turn, showlegend=turn not in told)
            told.add(turn)
            figure.add_trace(line, k // columns + 1, k % columns + 1)
    figure.update_xaxes(title="Iteration")
    figure.update_yaxes(title="Loss")
    return figure.update_layout(height=280 * rows + 80, margin={"t": 40}, legend=BELOW | {"y": -0.25 / rows})


def read_against_asked(table):
    """Draw coefficients that were read back from spectra over those asked for, as a ratio.

    Parameters
    ----------
    table : DataFrame
        ``kind``, ``asked_s``, ``read_s``, ``low_s``, ``high_s``.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = go.Figure()
    figure.add_hrect(y0=0.95, y1=1.05, fillcolor=QUIET, opacity=0.25, line_width=0)
    figure.add_hline(y=1, line={"color": BLACK, "width": 1})
    for colour, (kind, part) in zip(PALETTE, table.groupby("kind", sort=False), strict=False):
        bars = {
            "type": "data",
            "array": (part.high_s - part.read_s) / part.asked_s,
            "arrayminus": (part.read_s - part.low_s) / part.asked_s,
        }
        figure.add_trace(
            go.Scatter(
                x=part.asked_s,
                y=part.read_s / part.asked_s,
                error_y=bars,
                mode="markers",
                name=title_of(kind),
                marker={"color": colour, "size": 8},
            )
        )
    figure.update_xaxes(title="s asked for / S")
    figure.update_yaxes(title="s read back / s asked for", range=[0.4, 1.6])
    return figure.update_layout(height=420, margin={"t": 20}, legend=BELOW)
