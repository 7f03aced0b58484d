"""What figures of all domains and of the lab share: the palette, axes and legends, the scale bar."""

# Okabe and Ito's palette, which people with any kind of colour vision can tell apart; strong colours first
PALETTE = BLUE, ORANGE, GREEN, PINK, SKY, RED, BROWN, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D31", "#000000",
)  # fmt: skip
BELOW = {"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.2, "yanchor": "top"}  # where a legend stands
LOG_AXIS = {"type": "log", "dtick": "D2", "minorloglabels": "complete"}  # ticks at 1, 2 and 5, all written out


def scale_bar(x, y, longest, unit):
    """Return a white bar whose length is 1, 2 or 5 times a power of ten, with that length above it.

    Parameters
    ----------
    x, y : float
        Where it begins; it leads to the right.
    longest : float
        It is as long as it can be, but no longer.
    unit : str
        Of all lengths: that of the axes.

    Returns
    -------
    plotly.graph_objects.Scatter
    """
    import plotly.graph_objects as go  # a page that draws nothing yet does not wait for it

    length = max(digit * 10.0**power for power in range(-6, 7) for digit in (1, 2, 5) if digit * 10.0**power <= longest)
    return go.Scatter(
        x=[x, x + length],
        y=[y, y],
        mode="lines+text",
        text=[f"{length:g} {unit}", ""],
        textposition="top right",
        textfont={"color": "white", "size": 12},
        line={"color": "white", "width": 4},
        hoverinfo="skip",
        showlegend=False,
    )
