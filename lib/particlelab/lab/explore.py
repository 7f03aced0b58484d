"""Dashboards: a parameter set, a function and a drawing become controls, figures, a table and downloads.

In a notebook the last line of a cell is enough::

    explore(Imaging, simulate, draw, title="Simulate", about="What the camera sees.")

Where the environment variable ``PARTICLELAB_LIVE`` is ``0``, as in a batch, the dashboard's first figure stands
in its place, computed then and there.
"""

import inspect
import os
import threading
import time
from html import escape

import ipywidgets as widgets
import pandas as pd

from particlelab.lab.controls import controls
from particlelab.lab.screen import Drawing, Screen
from particlelab.lab.tables import html_table
from particlelab.lab.theme import Look, box, bundle, html, styled
from particlelab.lab.worker import Stopped, Worker
from particlelab.parameters import ParameterError

PROGRESS_EVERY_S = 0.1
OPENING = "This opens as soon as what was begun before is done."  # the kernel does one thing after another


def explore(parameters, compute, draw, *, title="", about="", main=(), groups=None, names=None, upload=None, live=True):
    """Make a live dashboard.

    Parameters
    ----------
    parameters : type or Parameters
        A `Parameters` class, or an instance whose values the dashboard starts from.
    compute : callable
        ``compute(parameters)`` gives a result. Where its signature has them, it also gets ``upload=`` (what
        the upload's ``read`` gave; None before the first upload if the argument has a default, otherwise it
        is not called before) and ``progress=``, a function ``progress(fraction, text="")`` to call now and
        then: it shows how far things are and raises `Stopped` when nobody waits any longer.
    draw : callable
        ``draw(result)`` gives a `Drawing`, a plotly figure or a list of figures.
    title, about : str
        Heading and one sentence.
    main, groups, names
        Which controls stand on top, how the others are grouped, and what they are called; see `controls`.
    upload : Upload, optional
    live : bool
        Compute after every change; otherwise when a button "Compute" is pressed.

    Returns
    -------
    Dashboard
    """
    return Explorer(parameters, compute, draw, title, about, main, groups, names, upload, live)


def tabs(children, *, title="", about=""):
    """Make one dashboard of several; each computes when it is first opened.

    Parameters
    ----------
    children : dict of str to object
        By title: dashboards, widgets, tables, plotly figures, texts, or functions without arguments that
        give one of these when the tab is first opened.
    title, about : str
        Heading and one sentence.

    Returns
    -------
    Dashboard
    """
    return Tabs(children, title, about)


class Dashboard:
    """Something that shows itself live in a notebook or in Voila, and as its first figure in a batch."""

    widget = None  # the ipywidgets.Widget

    def start(self):
        """Begin to work, if that has not happened yet."""

    def first_figure(self):
        """Compute in this thread and return the first figure, or None if there is nothing to show yet."""
        return None

    def _repr_mimebundle_(self, **options):
        if os.environ.get("PARTICLELAB_LIVE") == "0":
            figure = self.first_figure()
            if figure is None:
                return {"text/plain": "Nothing to show before an upload."}
            return {**styled(figure)._repr_mimebundle_(**options), **bundle(figure)}
        self.start()
        return self.widget._repr_mimebundle_(**options)


class Explorer(Dashboard):
    """The dashboard that `explore` makes.

    Attributes
    ----------
    controls : Controls
    upload : Upload or None
    worker : Worker
    """

    def __init__(self, parameters, compute, draw, title, about, main, groups, names, upload, live):
        self.controls = controls(parameters, main=main, groups=groups, names=names)
        self.upload = upload
        self.worker = Worker()
        self._screen = Screen(title, self.stop)
        self._compute, self._draw = compute, draw
        self._accepts = inspect.signature(compute).parameters
        self._file = self._upload_value = None  # handed over and not read yet; read
        self._started = False
        self._lock = threading.RLock()  # held while something is shown, so that nothing old comes after something new
        self.widget = framed(title, about, box(widgets.Box, [self._left(live), self._screen.widget], "pl-columns"))
        self.controls.observe(lambda name: self.compute() if live else self.controls.clear_errors())
        if upload is not None:
            upload.on_file(self._take)

    @property
    def state(self):
        """What it does: "ready", "working", "done", "stopped" or "error"."""
        return self._screen.state

    @property
    def drawing(self):
        """The `Drawing` that is shown, or None."""
        return self._screen.drawing

    def start(self):
        """Compute for the first time, if that has not happened yet."""
        if not self._started:
            self._started = True
            self.compute()

    def compute(self):
        """Compute and draw with the values as they stand, soon and in another thread; return at once."""
        self._started = True
        self.controls.clear_errors()
        try:
            self.controls.parameters()
        except ParameterError as error:
            with self._lock:
                self.worker.stop()
                self._show_error(error)
            return
        with self._lock:
            if self._waits_for_upload:
                self._screen.show_state("ready", "Hand over a file to begin.")
            else:
                self._screen.show_state("working")
                self.worker.submit(self._run)

    def stop(self):
        """Call off the computation; what was drawn before stays."""
        with self._lock:
            self.worker.stop()
            self._screen.show_state("stopped", self._from_before)

    def first_figure(self):
        if self._waits_for_upload:
            return None
        figures = self._made(lambda fraction, text="": None).figures
        return figures[0] if figures else None

    def _left(self, live):
        parts = [self.controls.widget] if self.upload is None else [self.upload, self.controls.widget]
        if not live:
            button = widgets.Button(description="Compute", button_style="primary")
            button.on_click(lambda button: self.compute())
            parts.append(button)
        return box(widgets.VBox, parts, "pl-left")

    @property
    def _waits_for_upload(self):
        wanted = self._accepts.get("upload")
        missing = self._upload_value is None and self._file is None
        return missing and wanted is not None and wanted.default is inspect.Parameter.empty

    @property
    def _from_before(self):
        return "What you see is from before." if self.drawing else ""

    def _take(self, name, content):
        """Compute with an uploaded file, which the worker reads."""
        self._file = (name, content)
        self.compute()

    def _made(self, progress):
        """Compute and draw in this thread."""
        offered = {"upload": self._upload_value, "progress": progress}
        arguments = {name: value for name, value in offered.items() if name in self._accepts}
        drawn = self._draw(self._compute(self.controls.parameters(), **arguments))
        return drawn if isinstance(drawn, Drawing) else Drawing(drawn)

    def _run(self, ticket):
        """What the worker does: read what was uploaded, compute, draw; all it shows, it shows only if still wanted."""
        began_s = time.monotonic()
        shown_s = began_s

        def progress(fraction, text=""):
            nonlocal shown_s
            with self._lock:
                ticket.check()
                if time.monotonic() - shown_s >= PROGRESS_EVERY_S:
                    shown_s = time.monotonic()
                    self._screen.show_state("working", text, fraction)

        try:
            self._read_upload()
            drawing = self._made(progress)
            with self._lock:
                ticket.check()
                self._screen.show(drawing)
                self._screen.show_state("done", f"in {time.monotonic() - began_s:.1f} s")
        except Stopped:
            pass  # who stopped it has said so, or a newer request is at work
        except Exception as error:
            with self._lock:
                if ticket.wanted:
                    self._show_error(error)

    def _read_upload(self):
        if self._file is None:
            return
        (name, content), self._file = self._file, None
        try:
            self._upload_value = self.upload.read(name, content)
        except Exception as error:
            self.upload.error = f"{name} could not be read: {error}"
            raise ValueError(f"The file could not be read. {self._from_before}") from error
        self.upload.received = f"Using {name}"

    def _show_error(self, error):
        """Tell an error in words: beside the control it names, otherwise in the status line."""
        rest = self.controls.show_errors(error) if isinstance(error, ValueError) else error_in_words(error)
        self._screen.show_state("error", rest or f"See the marked control. {self._from_before}")


class Tabs(Dashboard):
    """The dashboard that `tabs` makes.

    Attributes
    ----------
    children : tuple
        What stands in the tabs; functions are replaced by what they gave.
    """

    def __init__(self, children, title="", about=""):
        self.children = list(children.values())
        self._boxes = [widgets.VBox([html(OPENING, "pl-opening")]) for _ in children]
        self._opened = set()
        self._tab = widgets.Tab(self._boxes, titles=tuple(children), selected_index=0)
        self._tab.observe(lambda change: self._open(change.new), names="selected_index")
        self.widget = framed(title, about, self._tab)

    def start(self):
        """Open the tab that is in front."""
        self._open(self._tab.selected_index)

    def first_figure(self):
        for child in self.children:
            if isinstance(child, Dashboard) and (figure := child.first_figure()) is not None:
                return figure
        return None

    def _open(self, index):
        if index is None:
            return
        if index not in self._opened:
            self._opened.add(index)
            child = self.children[index]
            self.children[index] = child = child() if callable(child) else child
            self._boxes[index].children = [_widget(child)]
        if isinstance(self.children[index], Dashboard):
            self.children[index].start()


def framed(title, about, content):
    """Return the widget of a dashboard: heading, sentence, content, in the lab's look."""
    text = f"<h2>{escape(title)}</h2>" * bool(title) + f"<p>{escape(about)}</p>" * bool(about)
    heading = [html(text, "pl-heading")] if text else []
    return box(widgets.VBox, [Look(), *heading, content], "pl-dashboard")


def error_in_words(error):
    """An error that a computation should not have raised, in a line."""
    if isinstance(error, MemoryError):
        return "There is not enough memory for this; choose smaller values."
    return str(error) if isinstance(error, OSError) else f"It went wrong: {error} ({type(error).__name__})."


def _widget(thing):
    """The widget that shows something."""
    if isinstance(thing, Dashboard):
        return thing.widget
    if isinstance(thing, widgets.Widget):
        return thing
    if isinstance(thing, pd.DataFrame):
        return html(html_table(thing), "pl-table-box")
    if hasattr(thing, "to_plotly_json"):
        return widgets.Output(outputs=({"output_type": "display_data", "data": bundle(thing), "metadata": {}},))
    return html(f"<p>{escape(str(thing))}</p>", "pl-text")
