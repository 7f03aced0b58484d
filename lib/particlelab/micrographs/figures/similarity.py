"""How similar sets of pictures are, and whether that foretells how well they train (IPMT report, figures 4 to 7)."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from particlelab.drawing import BLACK, BLUE, GREEN, ORANGE, RED, SKY
from particlelab.drawing.pictures import pictures

QUIET = "#8a939c"  # of what chance gives
TITLES = {
    "mAP": "mAP",
    "js_divergence": "JS divergence",
    "mean_error": "Error of the geometric mean / %",
    "deviation_error": "Error of the geometric standard deviation / %",
    "count_error": "Error of the number / %",
}
SHORT = {
    "mAP": "mAP",
    "js_divergence": "JS divergence",
    "mean_error": "Geometric mean",
    "deviation_error": "Geometric<br>standard deviation",
    "count_error": "Number",
}
COLOURS = {"synthetic": BLUE, "Annotated": ORANGE}
DIVERGING = [[0, RED], [0.5, "#ffffff"], [1, BLUE]]


def example_pictures(images, titles, columns=5):
    """Draw a picture of each set side by side (as figure 4).

    Parameters
    ----------
    images : (n, H, W) uint8 array
    titles : sequence of str
    columns : int

    Returns
    -------
    plotly.graph_objects.Figure
    """
    colours = np.repeat(np.asarray(images)[..., None], 3, axis=-1)
    return pictures(colours, titles=list(titles), columns=columns)


def two_sets(first, second, titles, columns=6):
    """Draw pictures of two sets, those of the second below those of the first.

    Parameters
    ----------
    first, second : (n, H, W) uint8 array
        Of one size.
    titles : (str, str)
    columns : int
        So many of each are shown.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    shown = min(columns, len(first), len(second))
    images = np.concatenate([first[:shown], second[:shown]])
    names = [""] * len(images)
    figure = example_pictures(images, names, shown)
    height = images.shape[1]
    for row, title in enumerate(titles):
        top = row * (height + round(0.1 * height) + 4) + round(0.1 * height)
        figure.add_annotation(
            x=0, y=top, text=title, showarrow=False, xanchor="left", yanchor="bottom", font={"size": 13}
        )
    return figure


def training_scores(scores, criteria=("mAP",)):
    """Draw how well detectors do that were trained on each set (as figures 5 and 6), with intervals.

    Parameters
    ----------
    scores : DataFrame
        ``set``, ``criterion``, ``value``, ``value_low``, ``value_high``, as of `study_similarity`.
    criteria : sequence of str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    columns = min(2, len(criteria))
    rows = -(-len(criteria) // columns)
    figure = make_subplots(rows, columns, vertical_spacing=0.32, horizontal_spacing=0.12)
    for k, criterion in enumerate(criteria):
        some = scores[scores.criterion == criterion]
        known = np.nan_to_num(some.value)
        bars = {
            "type": "data",
            "array": np.maximum(np.nan_to_num(some.value_high) - known, 0),
            "arrayminus": np.maximum(known - np.nan_to_num(some.value_low), 0),
            "thickness": 1.5,
            "color": BLACK,
        }
        colours = [COLOURS.get(name, COLOURS["synthetic"]) for name in some["set"]]
        place = {"row": k // columns + 1, "col": k % columns + 1}
        figure.add_trace(
            go.Bar(x=some.set, y=some.value, error_y=bars, marker_color=colours, showlegend=False), **place
        )
        figure.update_yaxes(title=TITLES[criterion], **place)
        figure.update_xaxes(title="Training set", tickangle=-40, **place)
    return figure.update_layout(height=60 + 360 * rows, margin={"t": 20, "b": 110})


def correlations(table):
    """Draw the rank correlation of each measure of similarity with each criterion, intervals written in (as figure 7).

    Parameters
    ----------
    table : DataFrame
        ``name``, ``criterion``, ``rho``, ``rho_low``, ``rho_high``, as of `study_similarity`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    names, criteria = list(dict.fromkeys(table.name)), list(dict.fromkeys(table.criterion))
    rows = table.set_index(["name", "criterion"])
    values = np.array([[rows.rho[name, c] for c in criteria] for name in names])
    texts = [[_rho(rows.loc[(name, c)]) for c in criteria] for name in names]
    heat = go.Heatmap(
        z=values,
        x=[SHORT[c] for c in criteria],
        y=names,
        text=texts,
        texttemplate="%{text}",
        zmin=-1,
        zmax=1,
        colorscale=DIVERGING,
        colorbar={"title": "Spearman's ρ", "thickness": 14},
        xgap=2,
        ygap=2,
        hoverinfo="skip",
    )
    figure = go.Figure(heat)
    figure.update_xaxes(title="Criterion of the trained detector")
    figure.update_yaxes(title="Similarity to the real set", autorange="reversed")
    return figure.update_layout(height=130 + 80 * len(names), margin={"t": 20, "l": 170})


def against_chance(table):
    """Draw how far two sets are apart by each measure, beside what two sets of one recipe give by chance.

    Parameters
    ----------
    table : DataFrame
        ``name``, ``value``, ``chance_low``, ``chance``, ``chance_high``, ``beyond``, as of `compare_two`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    figure = make_subplots(1, len(table), subplot_titles=list(table.name), horizontal_spacing=0.09)
    for k, row in enumerate(table.itertuples(), 1):
        band = {
            "type": "data",
            "array": [row.chance_high - row.chance],
            "arrayminus": [row.chance - row.chance_low],
            "thickness": 8,
            "width": 0,
            "color": QUIET,
        }
        chance = go.Scatter(
            x=["by chance"], y=[row.chance], error_y=band, mode="markers", marker={"color": BLACK, "size": 9}
        )
        colour = RED if row.beyond else GREEN
        value = go.Scatter(
            x=["these two"], y=[row.value], mode="markers", marker={"color": colour, "symbol": "diamond", "size": 14}
        )
        figure.add_traces([chance, value], rows=1, cols=k)
        figure.update_yaxes(title=row.name.split(" (")[0], exponentformat="power", row=1, col=k)
        figure.update_xaxes(range=[-0.6, 1.6], row=1, col=k)
    figure.update_annotations(font_size=13)
    return figure.update_layout(height=380, margin={"t": 40}, showlegend=False)


def quality_against_similarity(scores, distances, metric="fid", criterion="mAP"):
    """Draw a criterion of the detectors over the similarity of their training sets to the real one.

    Parameters
    ----------
    scores, distances : DataFrame
        As of `study_similarity`.
    metric, criterion : str

    Returns
    -------
    plotly.graph_objects.Figure
    """
    good = scores[scores.criterion == criterion].set_index("set")
    near = distances[distances.metric == metric].set_index("set").loc[good.index]
    errors = [
        {"type": "data", "array": t.value_high - t.value, "arrayminus": t.value - t.value_low, "thickness": 1}
        for t in (near, good)
    ]
    colours = [COLOURS.get(name, COLOURS["synthetic"]) for name in good.index]
    points = go.Scatter(
        x=near.value,
        y=good.value,
        error_x=errors[0] | {"color": SKY},
        error_y=errors[1] | {"color": SKY},
        mode="markers+text",
        text=list(good.index),
        textposition="top center",
        marker={"color": colours, "size": 10},
    )
    figure = go.Figure(points)
    figure.update_xaxes(title=f"{near['name'].iloc[0]} to the real set")
    figure.update_yaxes(title=TITLES[criterion])
    return figure.update_layout(height=440, margin={"t": 20})


def _rho(row):
    if not np.isfinite(row.rho):
        return "–"
    if not np.isfinite(row.rho_low):
        return f"{row.rho:.2f}"
    return f"{row.rho:.2f}<br>{row.rho_low:.2f} to {row.rho_high:.2f}"
