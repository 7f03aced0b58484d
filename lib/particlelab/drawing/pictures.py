"""Pictures side by side or one after the other, with outlines of what is in them."""

import base64
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image
from scipy import ndimage

OUTLINE = (255, 60, 40)  # of a mask
FRAME_MS = 80  # for which a frame is shown
GAP = 4  # pixels between pictures
HIDDEN = {"visible": False, "constrain": "domain"}


def outline(image, mask, colour=OUTLINE):
    """Return an image (H, W, 3) with the border of a mask drawn over it."""
    border = mask & ~ndimage.binary_erosion(mask, border_value=1)
    return np.where(border[..., None], np.array(colour, np.uint8), image)


def pictures(images, masks=None, titles=None, columns=6):
    """Draw pictures side by side.

    Parameters
    ----------
    images : (n, H, W, 3) uint8 array
    masks : (n, H, W) bool array, optional
        Their outlines are drawn.
    titles : sequence of str, optional
        Above each picture.
    columns : int

    Returns
    -------
    plotly.graph_objects.Figure
    """
    images = np.asarray(images)
    if masks is not None:
        images = np.stack([outline(image, mask) for image, mask in zip(images, masks, strict=True)])
    n, height, width = images.shape[:3]
    columns = min(columns, n)
    rows = -(-n // columns)
    above = 0 if titles is None else round(0.1 * height)
    sheet = np.full((rows * (height + above + GAP), columns * (width + GAP), 3), 255, np.uint8)
    figure = go.Figure()
    for k, image in enumerate(images):
        top, left = (k // columns) * (height + above + GAP) + above, (k % columns) * (width + GAP)
        sheet[top : top + height, left : left + width] = image
        if titles is not None:
            figure.add_annotation(
                x=left + width / 2, y=top, text=titles[k], showarrow=False, yanchor="bottom", font={"size": 12}
            )
    figure.add_trace(go.Image(source=data_address(sheet), hoverinfo="skip"))
    figure.update_xaxes(**HIDDEN)
    figure.update_yaxes(scaleanchor="x", **HIDDEN)
    each = min(230.0, 1000 / columns)
    return figure.update_layout(
        height=round(rows * each * (height + above) / width) + 30, margin={"t": 10, "b": 10, "l": 0, "r": 0}
    )


def playing(images, masks=None):
    """Draw a series that plays.

    Parameters
    ----------
    images : (n, H, W, 3) uint8 array
    masks : (n, H, W) bool array, optional
        Their outlines are drawn.

    Returns
    -------
    plotly.graph_objects.Figure
        Buttons and slider hold the frames themselves, so that they play wherever data and layout of a figure are shown.
    """
    if masks is not None:
        images = [outline(image, mask) for image, mask in zip(images, masks, strict=True)]
    sources = [data_address(image, "jpeg", quality=88) for image in images]
    moments = [{"data": [{"type": "image", "source": source}], "traces": [0]} for source in sources]
    at_once = {"mode": "immediate", "transition": {"duration": 0}}
    play = at_once | {"frame": {"duration": FRAME_MS, "redraw": True}}
    stand = at_once | {"frame": {"duration": 0, "redraw": True}}
    figure = go.Figure(go.Image(source=sources[-1], hoverinfo="skip"))
    figure.update_xaxes(**HIDDEN)
    figure.update_yaxes(scaleanchor="x", **HIDDEN)
    buttons = [
        {"label": "▶ Play", "method": "animate", "args": [moments, play]},
        {"label": "❚❚ Pause", "method": "animate", "args": [[None], stand]},
    ]
    steps = [{"label": str(k + 1), "method": "animate", "args": [[moment], stand]} for k, moment in enumerate(moments)]
    place = {"x": 0, "xanchor": "left", "y": 0, "yanchor": "top"}
    return figure.update_layout(
        height=560,
        margin={"t": 10, "b": 10, "l": 10, "r": 10},
        updatemenus=[
            {"type": "buttons", "direction": "left", "showactive": False, "pad": {"t": 70}, "buttons": buttons} | place
        ],
        sliders=[
            {"active": len(steps) - 1, "pad": {"t": 10}, "currentvalue": {"visible": False}, "steps": steps} | place
        ],
    )


def data_address(image, kind="png", **options):
    """Return an image as the address of its own data, for a page or a figure.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) uint8 array
    kind : {"png", "jpeg"}
    options
        Of Pillow's writer of this kind.

    Returns
    -------
    str
    """
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode()
