"""Movies of molecules, and the tracks in them."""

import numpy as np
import plotly.graph_objects as go

from particlelab.diffusion.figures.look import BELOW
from particlelab.drawing import GREEN, ORANGE, PINK, RED, SKY, scale_bar

MARGIN = 10  # pixels that are seen about a path
MOST_PLAYED = 64  # frames of a movie that play: what a page can hold
FRAME_MS = 250  # for which a frame is shown
BLACK, WHITE = 5e-4, 1 - 5e-5  # shares of the pixels that are darker: an outlier does not darken all others
BAR = {"title": {"text": "Counts", "side": "top"}, "orientation": "h", "thickness": 10, "len": 0.5, "y": 1, "ypad": 4}
GREY = {"colorscale": "gray", "colorbar": BAR | {"yanchor": "bottom"}}


def movie(frames, positions_nm, imaging, localised_nm=None):
    """Draw a movie that plays, with the molecule's path so far over it.

    Parameters
    ----------
    frames : (T, H, W) array
        Counts; the first 64 frames play.
    positions_nm : (T, S, 2) array
        Where the molecule is in each part of each exposure, from the middle of the field of view.
    imaging : Imaging
    localised_nm : (T, 2) array, optional
        Where it was found, NaN where it was not; drawn as crosses.

    Returns
    -------
    plotly.graph_objects.Figure
        It shows the surroundings of the path; a double click shows the whole field of view. Buttons and slider hold the
        frames themselves, so that they play wherever data and layout of a figure are shown.
    """
    frames, path = np.asarray(frames)[:MOST_PLAYED], np.asarray(positions_nm) / 1e3
    count, (rows, columns) = len(frames), frames.shape[1:]
    found = np.full((count, 2), np.nan) if localised_nm is None else np.asarray(localised_nm) / 1e3
    counts = _compact(frames)
    pixel = imaging.pixel_size_nm / 1e3
    left, top = -columns * pixel / 2, -rows * pixel / 2
    middle, half = _surroundings(path[:count], MARGIN * pixel, -min(left, top))
    corner = middle - half
    label = corner + 0.02 * half
    shown = [_shown(t, counts[t], path, found, imaging.interval_s, label) for t in range(count)]
    place = {"x0": left + pixel / 2, "dx": pixel, "y0": top + pixel / 2, "dy": pixel}
    low, high = _levels(frames)
    hover = {"hovertemplate": "%{z} counts at (%{x:.2f}, %{y:.2f}) µm<extra></extra>"}
    quiet = {"hoverinfo": "skip"}
    looks = [
        go.Heatmap(zmin=low, zmax=high, **place, **GREY, **hover),
        go.Scatter(mode="lines", line={"color": SKY, "width": 1.5}, name="true path so far", **quiet),
        go.Scatter(mode="markers", marker={"color": ORANGE, "size": 5}, name="within this exposure", **quiet),
        go.Scatter(
            mode="markers",
            marker={"color": RED, "size": 9, "symbol": "x-thin", "line": {"color": RED, "width": 2}},
            name="localised",
            showlegend=localised_nm is not None,
            **quiet,
        ),
        go.Scatter(mode="text", textposition="bottom right", textfont={"color": "white"}, showlegend=False, **quiet),
    ]
    figure = go.Figure([look.update(data) for look, data in zip(looks, shown[-1], strict=True)])
    moments = [{"data": data, "traces": list(range(len(looks)))} for data in shown]
    at_once = {"mode": "immediate", "transition": {"duration": 0}}
    playing = at_once | {"frame": {"duration": FRAME_MS, "redraw": True}}
    standing = at_once | {"frame": {"duration": 0, "redraw": True}}
    plain = {"constrain": "domain", "showgrid": False, "zeroline": False}
    figure.update_xaxes(title="x / µm", range=[corner[0], corner[0] + 2 * half], **plain)
    figure.update_yaxes(title="y / µm", range=[corner[1] + 2 * half, corner[1]], scaleanchor="x", **plain)
    figure.update_yaxes(constraintoward="top")
    return figure.update_layout(
        height=680,
        margin={"t": 70, "r": 12},
        legend=BELOW,
        updatemenus=[
            {
                "type": "buttons",
                "direction": "left",
                "showactive": False,
                "x": 0,
                "xanchor": "left",
                "y": 0,
                "yanchor": "top",
                "pad": {"t": 120},
                "buttons": [
                    {"label": "▶ Play", "method": "animate", "args": [moments, playing]},
                    {"label": "❚❚ Pause", "method": "animate", "args": [[None], standing]},
                ],
            }
        ],
        sliders=[
            {
                "active": count - 1,
                "y": 0,
                "pad": {"t": 52, "b": 10},
                "currentvalue": {"visible": False},
                "steps": [
                    {"label": str(t + 1), "method": "animate", "args": [[moment], standing]}
                    for t, moment in enumerate(moments)
                ],
            }
        ],
    )


def filmstrip(frames, imaging, positions_nm=None, titles=None, columns=4):
    """Draw frames side by side, with one grey scale for all (figures 2 and 3 of the document).

    Parameters
    ----------
    frames : (T, H, W) array
        Counts.
    imaging : Imaging
    positions_nm : (T, S, 2) array, optional
        The path within each frame, from the middle of the field of view: it is drawn over the frame.
    titles : sequence of str, optional
        Of the frames; their numbers by default.
    columns : int
        In a row.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    frames = np.asarray(frames)
    count, height, width = frames.shape
    columns = min(columns, count)
    rows, gap = -(-count // columns), max(1, width // 32)
    line = gap if titles is None else max(gap, height // 6)  # for a title above each
    sheet = np.full((rows * (height + line), columns * (width + gap) - gap), np.nan, np.float32)
    labels, xs, ys = [], [], []
    for t, frame in enumerate(frames):
        row, column = divmod(t, columns)
        top, left = row * (height + line) + line, column * (width + gap)
        sheet[top : top + height, left : left + width] = frame
        labels.append((left, top, str(t + 1) if titles is None else titles[t]))
        if positions_nm is not None:
            x, y = (np.asarray(positions_nm[t]) / imaging.pixel_size_nm + [width / 2 + left, height / 2 + top]).T
            xs += [*x, np.nan]
            ys += [*y, np.nan]
    pixel = imaging.pixel_size_nm / 1e3
    low, high = _levels(frames)
    place = {"x0": pixel / 2, "dx": pixel, "y0": pixel / 2, "dy": pixel}
    figure = go.Figure(go.Heatmap(z=sheet, zmin=low, zmax=high, hoverinfo="skip", **place, **GREY))
    if positions_nm is not None:
        xs, ys = np.array(xs) * pixel, np.array(ys) * pixel
        look = {"mode": "lines+markers", "line": {"color": ORANGE, "width": 1.5}, "marker": {"size": 3}}
        figure.add_trace(go.Scatter(x=xs, y=ys, name="true path", hoverinfo="skip", **look))
    inside = titles is None
    for left, top, text in labels:
        figure.add_annotation(
            x=left * pixel, y=top * pixel, text=text, showarrow=False, xanchor="left",
            yanchor="top" if inside else "bottom", font={"size": 12, "color": "white" if inside else None},
        )  # fmt: skip
    ends = np.array(sheet.shape[::-1]) * pixel
    figure.add_trace(scale_bar(0.06 * width * pixel, (line + 0.94 * height) * pixel, 0.5 * width * pixel, "µm"))
    figure.update_xaxes(visible=False, range=[0, ends[0]], constrain="domain")
    figure.update_yaxes(visible=False, range=[ends[1], 0], scaleanchor="x", constrain="domain", constraintoward="top")
    tall = min(680, 100 + 1050 * sheet.shape[0] // sheet.shape[1])
    return figure.update_layout(height=tall, margin={"l": 12, "r": 12, "t": 70, "b": 16}, showlegend=False)


def tracks(image, tracks, imaging):
    """Draw tracks over an image of the movie in which they were found, each with its number.

    Parameters
    ----------
    image : (H, W) array
        Mean or maximum of the movie, in counts.
    tracks : DataFrame
        ``track``, ``frame``, ``x_nm``, ``y_nm`` from the upper left corner, as from `find_tracks`.
    imaging : Imaging

    Returns
    -------
    plotly.graph_objects.Figure
    """
    image, pixel = np.asarray(image, np.float32), imaging.pixel_size_nm / 1e3
    low, high = _levels(image)
    place = {"x0": pixel / 2, "dx": pixel, "y0": pixel / 2, "dy": pixel}
    figure = go.Figure(go.Heatmap(z=image, zmin=low, zmax=high, hoverinfo="skip", **place, **GREY))
    colours = (ORANGE, SKY, GREEN, PINK, RED)
    for track, rows in tracks.groupby("track"):
        colour = colours[track % len(colours)]
        figure.add_trace(
            go.Scatter(
                x=rows.x_nm / 1e3,
                y=rows.y_nm / 1e3,
                customdata=rows.frame,
                mode="lines+text",
                line={"color": colour, "width": 2},
                text=[str(track)] + [""] * (len(rows) - 1),
                textposition="top right",
                textfont={"color": colour, "size": 13, "shadow": "0 0 3px black, 0 0 3px black"},
                hovertemplate=f"track {track}, frame %{{customdata}}<br>(%{{x:.2f}}, %{{y:.2f}}) µm<extra></extra>",
            )
        )
    height, width = image.shape
    figure.update_xaxes(title="x / µm", range=[0, width * pixel], constrain="domain", showgrid=False)
    figure.update_yaxes(title="y / µm", range=[height * pixel, 0], scaleanchor="x", constrain="domain", showgrid=False)
    figure.update_yaxes(constraintoward="top")
    return figure.update_layout(height=680, margin={"t": 70, "r": 12}, showlegend=False)


def _surroundings(path, margin, widest):
    """Return the middle and half the side of a square about a path, at most as wide as the field of view, in um."""
    low, high = path.min(axis=(0, 1)), path.max(axis=(0, 1))
    half = min((high - low).max() / 2 + margin, widest)
    return np.clip((low + high) / 2, half - widest, widest - half), half


def _shown(t, counts, path, found, interval_s, label):
    """Return what the traces of a movie hold in a frame: image, path, places in the exposure, places found, number."""
    x, y = path[: t + 1].reshape(-1, 2).T.astype(np.float32)
    within, seen = path[t].T.astype(np.float32), found[: t + 1].T.astype(np.float32)
    return [
        {"z": counts},
        {"x": x, "y": y},
        {"x": within[0], "y": within[1]},
        {"x": seen[0], "y": seen[1]},
        {"x": label[:1], "y": label[1:], "text": [f"frame {t + 1}, {1e3 * t * interval_s:g} ms"]},
    ]


def _compact(frames):
    """Return counts in as few bytes as show them: as whole numbers, unless they are not and span few."""
    if np.ptp(frames) < 50 and not np.array_equal(frames, np.rint(frames)):
        return frames.astype(np.float32)
    whole = np.rint(frames)
    return whole.astype(np.result_type(*(np.min_scalar_type(int(end)) for end in (whole.min(), whole.max()))))


def _levels(frames):
    """Return the counts that are black and white."""
    low, high = np.quantile(frames, [BLACK, WHITE])
    return float(low), float(max(high, low + 1e-6))
