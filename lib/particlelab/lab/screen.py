"""The right-hand side of a dashboard: status, figures, table and downloads."""

from dataclasses import dataclass, field
from html import escape

import ipywidgets as widgets
import pandas as pd

from particlelab.lab.downloads import Download
from particlelab.lab.tables import html_table
from particlelab.lab.theme import box, bundle, file_name, html, page

PICTURES = ("image", "mesh3d")  # traces with one scale for all axes: on a phone they leave their height unused


@dataclass(frozen=True)
class Drawing:
    """What a dashboard shows of a result.

    Attributes
    ----------
    figures : plotly figure or sequence of them
    table : DataFrame or dict of str to DataFrame, optional
        One table, or several with their titles.
    message : str
        One line above the figures: what came out, in words.
    downloads : dict of str to (bytes, str, DataFrame or callable)
        Files by name; a function without arguments is called when somebody downloads the file.
        Tables and figures are offered in any case.
    meanings : dict of str to str
        What columns of the tables mean.
    """

    figures: object = ()
    table: pd.DataFrame | dict | None = None
    message: str = ""
    downloads: dict = field(default_factory=dict)
    meanings: dict = field(default_factory=dict)

    @property
    def tables(self):
        """The tables by title; a single one has none."""
        if self.table is None:
            return {}
        return self.table if isinstance(self.table, dict) else {"": self.table}

    def __post_init__(self):
        single = hasattr(self.figures, "to_plotly_json")
        object.__setattr__(self, "figures", (self.figures,) if single else tuple(self.figures))


class Screen:
    """Shows a state and a drawing.

    Parameters
    ----------
    title : str
        Names the files that are downloaded.
    stop : callable
        Called without arguments when the stop button is pressed.
    above : sequence of ipywidgets.Widget
        What stands between the status and the drawing.

    Attributes
    ----------
    widget : ipywidgets.Widget
    state : str
        "ready", "working", "done", "stopped" or "error".
    drawing : Drawing or None
        What is shown.
    """

    def __init__(self, title, stop, above=()):
        self.state, self.drawing, self._title = "ready", None, title
        self._status = html("", "pl-status-line")
        self._bar = widgets.FloatProgress(0, min=0, max=1)
        self._stop = widgets.Button(description="Stop")
        self._stop.on_click(lambda button: stop())
        self._message = html("", "pl-message")
        self._figures = box(widgets.VBox, [], "pl-figures")
        self._table = html("", "pl-table-box")
        self._downloads = box(widgets.Box, [], "pl-downloads")
        status = box(widgets.Box, [self._status, self._bar, self._stop], "pl-status")
        parts = [status, *above, self._message, self._figures, self._table, self._downloads]
        self.widget = box(widgets.VBox, parts, "pl-right")
        self.show_state("ready")

    def show_state(self, state, text="", fraction=None):
        """Show a state, a line about it and, of work, how far it is (0 to 1)."""
        self.state = state
        self._status.value = f'<span class="pl-state pl-{state}">{state}</span> <span>{escape(text)}</span>'
        self._bar.value = 0 if fraction is None else min(max(float(fraction), 0.0), 1.0)
        self._bar.layout.display = "none" if fraction is None else ""
        self._stop.layout.display = "" if state == "working" else "none"

    def show(self, drawing):
        """Show a `Drawing` in place of the one before."""
        self.drawing = drawing
        self._message.value = escape(drawing.message)
        self._show_figures(drawing.figures)
        self._table.value = "".join(
            f"<h4>{escape(title)}</h4>" * bool(title) + html_table(table, title or "Table", drawing.meanings)
            for title, table in drawing.tables.items()
        )
        files = {f"{file_name(title or 'table')}.csv": table for title, table in drawing.tables.items()}
        files |= drawing.downloads
        if drawing.figures:
            files["figures.html"] = lambda: page(drawing.figures, self._title or "Figures")
        self._offer(files)

    def _show_figures(self, figures):
        outputs = list(self._figures.children)[: len(figures)]
        outputs += [widgets.Output() for _ in range(len(figures) - len(outputs))]
        for number, (output, figure) in enumerate(zip(outputs, figures, strict=True), start=1):
            data = bundle(figure, f"{file_name(self._title)}_{number}")
            shown = next(iter(data.values()))
            height = f"{shown['layout'].pop('height')}px"
            fixed = any(trace.get("type") in PICTURES for trace in shown["data"])
            # of the box, which the figure fills: so the page does not jump while it is drawn anew
            output.layout.height = f"min({height}, 105cqw)" if fixed else height
            output.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)
        self._figures.children = outputs

    def _offer(self, files):
        """Renew the download buttons; those whose file keeps its name stay."""
        known = {button.name: button for button in self._downloads.children}
        for name, content in files.items():
            if name in known:
                known[name].content = content
            else:
                known[name] = Download(name, content)
        self._downloads.children = [known[name] for name in files]
