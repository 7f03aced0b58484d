"""Dashboards for masks that are made by hand: a picture to mark, controls, buttons, and what the mask gives.

The dashboard knows nothing of what is marked: it is given functions that make a mask of what stands on the screen.
"""

import inspect
from dataclasses import dataclass, replace
from pathlib import PurePath

import ipywidgets as widgets
import numpy as np

from particlelab.drawing import RED, SKY
from particlelab.lab.canvas import Canvas, rasterise
from particlelab.lab.controls import controls
from particlelab.lab.downloads import Download
from particlelab.lab.explore import Dashboard, error_in_words, framed
from particlelab.lab.jobs import Jobs
from particlelab.lab.screen import Drawing, Screen
from particlelab.lab.theme import box
from particlelab.parameters import ParameterError

MASK, PREVIEW = RED, SKY  # colours of the mask and of what would be added to it


@dataclass(frozen=True)
class Marked:
    """What stands on the screen.

    Attributes
    ----------
    name : str
        Of the picture.
    picture : object
        One of the pictures; its attribute ``image`` holds the grey levels.
    parameters : Parameters
        The controls' values.
    region : tuple of int or None
        First row, first column, row after the last, column after the last.
    state : object
        What the latest action returned.
    mask : (H, W) ndarray of bool or None
        The mask as it is shown.
    painted : tuple of (object, list of dict)
        The pictures that were painted on so far, with their strokes (see `Canvas`).
    """

    name: str
    picture: object
    parameters: object
    region: tuple | None
    state: object
    mask: np.ndarray | None
    painted: tuple

    def paintings(self):
        """Return the pictures that were painted on and, of each, the classes as an (H, W) array (0: nothing).

        Raises
        ------
        ValueError
            If nothing was painted.
        """
        if not self.painted:
            raise ValueError("Nothing is painted yet.")
        pictures = [picture for picture, _ in self.painted]
        return pictures, [rasterise(strokes, np.shape(picture.image)) for picture, strokes in self.painted]


class Marking(Dashboard):
    """A dashboard in which a mask is made by hand.

    Parameters
    ----------
    pictures : dict of str to object
        By name; the attribute ``image`` of each holds its grey levels, (H, W).
    parameters : type or Parameters
        The controls, as for `explore`.
    mask : callable
        ``mask(marked)`` gives the mask, (H, W) bool, or None as long as there is none. Called for each picture, after
        every action and, where there is no ``preview``, after each change of a control.
    measure : callable
        ``measure(marked)`` gives the `Drawing` that stands below the picture once the button "Measure" is pressed.
    actions : dict of str to callable
        By what stands on the button: ``action(marked)`` gives a new state. Where its signature has it, it also
        gets ``progress=``, as the function of `explore` does. The first button is the main one.
    files : dict of str to callable
        What can be saved once there is a mask: by the end of the file's name, such as ``"mask.png"``,
        ``content(marked)``, which gives what a `Download` takes.
    start : object
        The state to begin with.
    shared : bool
        One state for all pictures; otherwise each has its own.
    preview : callable, optional
        ``preview(marked)`` gives what would be marked, after each change of a control or of the region.
    suggest : callable, optional
        ``suggest(marked)`` gives values for controls, by name, when a picture or a region was chosen.
    classes, region
        What a brush paints, and whether a region can be chosen; see `Canvas`.
    upload : Upload, optional
        Its ``read`` gives a picture.
    title, about, main, groups, names
        See `explore`.

    Attributes
    ----------
    canvas : Canvas
    controls : Controls
    picker : ipywidgets.Dropdown
        Which picture is shown.
    worker : Worker
    """

    def __init__(
        self,
        pictures,
        parameters,
        mask,
        measure,
        actions,
        files,
        *,
        start=None,
        shared=False,
        preview=None,
        suggest=None,
        classes=(),
        region=False,
        upload=None,
        title="",
        about="",
        main=(),
        groups=None,
        names=None,
    ):
        self.canvas = Canvas(classes, region)
        self.controls = controls(parameters, main=main, groups=groups, names=names)
        self.picker = widgets.Dropdown(options=list(pictures), description="Picture")
        self.upload = upload
        self._pictures, self._start, self._shared = dict(pictures), start, shared
        self._make_mask, self._make_drawing, self._preview, self._suggest = mask, measure, preview, suggest
        self._states, self._masks, self._strokes = {}, {}, {}  # by the name of the picture
        self._stale = True  # the mask is older than what it is made of
        self._buttons = {text: self._button(text, action) for text, action in actions.items()}
        self._saves = {end: Download("", self._file(content)) for end, content in files.items()}
        saves = box(widgets.Box, list(self._saves.values()), "pl-downloads")
        self._screen = Screen(title, lambda: self._jobs.stop(), [self.canvas, saves])
        self._jobs = Jobs(self._cover, self._screen.show_state, self._show_error)
        self.worker = self._jobs.worker
        self.widget = framed(title, about, box(widgets.Box, [self._left(), self._screen.widget], "pl-columns"))
        self._listen()

    @property
    def state(self):
        """What it does: "ready", "working", "done", "stopped" or "error"."""
        return self._screen.state

    @property
    def drawing(self):
        """What is shown below the picture, a `Drawing` or None."""
        return self._screen.drawing

    @property
    def mask(self):
        """The mask of the picture that is shown, or None."""
        return self._masks.get(self.picker.value)

    def start(self):
        """Show the first picture, if that has not happened yet."""
        if not self.canvas.picture:
            self._show_picture()

    def press(self, text):
        """Do what a button does."""
        self._buttons[text].click()

    def first_figure(self):
        self._masks[self.picker.value] = self._make_mask(self._marked())
        figures = self._make_drawing(self._marked()).figures if self.mask is not None else ()
        return figures[0] if figures else None

    # What is on the left, and what is listened to

    def _left(self):
        picker = box(widgets.VBox, [self.picker], "pl-field")
        next(iter(self._buttons.values())).button_style = "primary"
        self._buttons["Measure"] = widgets.Button(description="Measure")
        self._buttons["Measure"].on_click(lambda button: self._jobs.request(self._draw))
        buttons = box(widgets.Box, list(self._buttons.values()), "pl-actions")
        parts = [picker, self.upload, self.controls.widget, buttons]
        return box(widgets.VBox, [part for part in parts if part is not None], "pl-left")

    def _button(self, text, action):
        button = widgets.Button(description=text)
        button.on_click(lambda button: self._act(action))
        return button

    def _listen(self):
        self.picker.observe(lambda change: self._show_picture(), names="value")
        self.canvas.observe(lambda change: self._keep_strokes(), names="strokes")
        self.canvas.observe(lambda change: self._jobs.request(self._adapt), names="region")
        self.controls.observe(lambda name: self._change())
        if self.upload is not None:
            self.upload.on_file(lambda name, content: self._jobs.request(lambda progress: self._read(name, content)))

    def _change(self):
        with self._jobs.lock:
            self._stale |= self._preview is None
            self._jobs.request()

    def _keep_strokes(self):
        self._strokes[self.picker.value] = self.canvas.strokes

    def _show_picture(self):
        """Show the picture that was chosen, with what was painted on it, and its mask."""
        name = self.picker.value
        with self._jobs.lock:
            self.canvas.show(self._pictures[name].image, name, self._strokes.get(name, ()))
            self._stale = True
            self._jobs.request(self._adapt)
        for end, button in self._saves.items():
            button.name = f"{name}_{end}"
            button.label = f"Save {button.name}"

    def _read(self, name, content):
        try:
            picture = self.upload.read(name, content)
        except Exception as error:
            self.upload.error = f"{name} could not be read: {error}"
            raise ValueError("The file could not be read.") from error
        self.upload.received = f"Using {name}"
        name = PurePath(name).stem
        for kept in (self._states, self._masks, self._strokes, self._pictures):
            kept.pop(name, None)
        self._pictures = {name: picture, **self._pictures}
        shown = self.picker.value == name
        self.picker.options = list(self._pictures)  # which chooses the first
        if shown:
            self._show_picture()

    # What is done

    def _marked(self):
        name = self.picker.value
        return Marked(
            name=name,
            picture=self._pictures[name],
            parameters=self.controls.parameters(),
            region=tuple(self.canvas.region) or None,
            state=self._states.get(self._key(name), self._start),
            mask=self._masks.get(name),
            painted=tuple((self._pictures[n], strokes) for n, strokes in self._strokes.items() if strokes),
        )

    def _key(self, name):
        return None if self._shared else name

    def _act(self, action):
        """Do what a button does, with controls and region as they stand when it is pressed."""
        try:
            pressed = self._marked()
        except ParameterError as error:
            self._show_error(error)
            return
        key = self._key(pressed.name)

        def job(progress):
            offered = {"progress": progress} if "progress" in inspect.signature(action).parameters else {}
            marked = replace(pressed, state=self._states.get(key, self._start), mask=self._masks.get(pressed.name))
            state = action(marked, **offered)
            progress(1.0)  # nothing is kept of what was stopped
            self._states[key], self._stale = state, True

        self._jobs.request(job)

    def _adapt(self, progress):
        """Set controls to what suits the picture and the region."""
        if self._suggest is not None:
            self.controls.set(**self._suggest(self._marked()))

    def _cover(self, ticket):
        """Show the mask and what would be marked."""
        self.controls.clear_errors()
        if self._stale:
            name, mask = self.picker.value, self._make_mask(self._marked())
            with self._jobs.lock:
                ticket.check()
                self._masks[name], self._stale = mask, False
                if self.drawing is not None and self.drawing.figures:
                    self._screen.show(Drawing())  # it told of another mask
        marked = self._marked()
        covers = {"Would be marked": (PREVIEW, self._preview and self._preview(marked)), "Mask": (MASK, marked.mask)}
        with self._jobs.lock:
            ticket.check()
            self.canvas.cover({name: cover for name, cover in covers.items() if cover[1] is not None})

    def _draw(self, progress):
        if self.mask is None:
            raise ValueError("There is no mask yet that could be measured.")
        drawing = self._make_drawing(self._marked())
        progress(1.0)
        self._screen.show(drawing)

    def _show_error(self, error):
        rest = self.controls.show_errors(error) if isinstance(error, ValueError) else error_in_words(error)
        self._screen.show_state("error", rest or "See the marked control.")

    def _file(self, content):
        def made():
            if self.mask is None:
                raise ValueError("there is no mask yet")
            return content(self._marked())

        return made
