"""One look for every dashboard: style sheet, access for keyboards and screen readers, template of the figures."""

import re
from functools import cache
from html import escape
from pathlib import Path

import anywidget
import ipywidgets as widgets
import traitlets

from particlelab.drawing import PALETTE

FRONT = Path(__file__).parent / "front"

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
HEIGHT = 480  # of a figure that sets none, in pixels
# the width of their place, and no button that sends data away
CONFIG = {"responsive": True, "displaylogo": False, "showSendToCloud": False, "plotlyServerURL": ""}


class Look(anywidget.AnyWidget):
    """Brings the style sheet to a page, and names to those controls that widgets leave without one."""

    _css = FRONT / "dashboard.css"
    _esm = FRONT / "access.js"
    itself = traitlets.Unicode().tag(sync=True)  # its model, which a page does not tell otherwise

    def __init__(self):
        super().__init__()
        self.itself = self.model_id


@cache
def template():
    """Return the figures' template, registered with plotly as ``"particlelab"``."""
    import plotly.io as pio
    from plotly.graph_objects import layout

    line = {"gridcolor": "#e6e9ed", "linecolor": "#9aa4af", "zerolinecolor": "#cfd5db", "ticks": "outside"}
    line |= {"tickcolor": "#9aa4af", "automargin": True, "title": {"standoff": 10}}
    made = layout.Template(pio.templates["plotly_white"])
    made.layout.update(
        colorway=PALETTE,
        font={"family": FONT, "size": 14, "color": "#1f2933"},
        title={
            "font": {"size": 16},
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 14},
        },
        margin={"l": 64, "r": 24, "t": 52, "b": 56},
        # above the plot, opposite the title: on a phone it takes no width
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.01, "yanchor": "bottom"},
        hoverlabel={"font": {"family": FONT}},
        xaxis=line,
        yaxis=line,
        colorscale={"sequential": "Viridis", "diverging": "RdBu"},
    )
    pio.templates["particlelab"] = made
    return made


def use_theme():
    """Give the lab's look to all figures and tables that are shown from now on, also to those outside a dashboard."""
    import pandas as pd
    import plotly.io as pio  # its renderers are left alone: they take two seconds to import

    template()
    pio.templates.default = "particlelab"
    pd.set_option("display.max_colwidth", None)  # a reason is read to its end


def bundle(figure, name="figure"):
    """Return what a notebook shows of a plotly figure, in the lab's look; the figure itself stays as it is.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
    name : str
        Name of the picture that the camera button of the figure saves.

    Returns
    -------
    dict
        A bundle of one MIME type, which JupyterLab and Voila draw without anything from the internet.
    """
    shown = figure.to_plotly_json()
    layout = dict(shown["layout"], template=template().to_plotly_json())
    layout.setdefault("height", HEIGHT)
    camera = {"format": "png", "filename": name, "scale": 2}
    config = {**CONFIG, "toImageButtonOptions": camera}
    return {"application/vnd.plotly.v1+json": {"data": shown["data"], "layout": layout, "config": config}}


def styled(figure):
    """Return a copy of a plotly figure in the lab's look."""
    import plotly.graph_objects as go

    return go.Figure(figure).update_layout(template=template())


def page(figures, title):
    """Return figures as one HTML page that opens without internet."""
    parts = [  # plotly changes the settings that it is given
        styled(figure).to_html(
            full_html=False, include_plotlyjs=number == 0, include_mathjax=False, config=dict(CONFIG)
        )
        for number, figure in enumerate(figures)
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<body style="font-family: {FONT}; max-width: 1100px; margin: 2rem auto; padding: 0 1rem">'
        f"<h1>{escape(title)}</h1>{''.join(parts)}</body></html>"
    )


def html(value, style):
    """Return an HTML widget with a class of the style sheet."""
    return _classed(widgets.HTML(value), style)


def box(kind, children, style):
    """Return a box of widgets, such as ``widgets.VBox``, with a class of the style sheet."""
    return _classed(kind(children), style)


def file_name(title):
    """Return a name for files of something with a title."""
    return re.sub(r"\W+", "_", title.lower()).strip("_") or "figure"


def _classed(widget, style):
    widget.add_class(style)
    return widget
