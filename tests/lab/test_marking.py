"""Masks by hand: every press of a button counts, states belong to their pictures, and nothing old is shown."""

import threading
from types import SimpleNamespace

import numpy as np
import plotly.graph_objects as go
import pytest

from particlelab.lab.marking import Marking
from particlelab.lab.screen import Drawing
from particlelab.lab.uploads import Upload
from particlelab.parameters import Parameters, parameter

PATIENCE_S = 20  # nothing waits for so long; it only ends a test that hangs
RAMP = np.tile(np.arange(100.0), (50, 1))  # the grey level of a pixel is its column


class Level(Parameters):
    "A threshold."

    level: int = parameter(10, "Darker than this", low=0, high=100)
    limit: float | None = parameter(None, "A limit", low=0)


def below(marked):
    """What is darker than the level, within the region."""
    top, left, bottom, right = marked.region or (0, 0, *marked.picture.image.shape)
    inside = np.zeros(marked.picture.image.shape, bool)
    inside[top:bottom, left:right] = True
    return inside & (marked.picture.image < marked.parameters.level)


def union(marked):
    return np.any(marked.state, axis=0) if marked.state else np.zeros(marked.picture.image.shape, bool)


def made(**options):
    pictures = {"ramp": SimpleNamespace(image=RAMP), "negative": SimpleNamespace(image=-RAMP)}
    actions = {"Add": lambda marked: (*marked.state, below(marked)), "Undo": lambda marked: marked.state[:-1]}
    settings = {"mask": union, "measure": measured, "actions": actions, "files": {"mask.txt": text}, "start": ()}
    marking = Marking(pictures, Level, **{**settings, "preview": below, "region": True, **options})
    marking.worker.delay_s = 0
    marking.start()
    return settled(marking)


def measured(marked):
    return Drawing(go.Figure(), message=f"{int(marked.mask.sum())} pixels of {marked.name}")


def text(marked):
    return str(int(marked.mask.sum()))


def settled(marking):
    assert marking.worker.wait(PATIENCE_S)
    return marking


def press(marking, button):
    marking.press(button)
    return settled(marking)


def test_what_is_previewed_is_added_and_taken_back():
    marking = made()
    assert not marking.mask.any()
    press(marking, "Add")
    assert marking.mask.sum() == 10 * 50
    marking.controls.set(level=30)
    marking.canvas.region = [0, 20, 50, 40]
    press(settled(marking), "Add")
    assert marking.mask.sum() == 20 * 50
    press(marking, "Undo")
    assert marking.mask.sum() == 10 * 50
    assert press(press(marking, "Undo"), "Undo").mask.sum() == 0


def test_no_press_is_lost_however_fast_they_come_and_each_takes_the_controls_as_they_stood():
    marking = made(preview=lambda marked: None)
    expected = 0
    for level in range(1, 40):
        marking.controls.set(level=level)
        marking.canvas.region = [0, level - 1, 50, level]
        marking.press("Add")
        expected += 50
    assert settled(marking).mask.sum() == expected


def test_each_picture_has_its_own_mask_unless_they_share_their_state():
    marking = press(made(), "Add")
    marking.picker.value = "negative"
    assert not settled(marking).mask.any()
    marking.picker.value = "ramp"
    assert settled(marking).mask.sum() == 500
    shared = press(made(shared=True), "Add")
    shared.picker.value = "negative"
    assert settled(shared).mask.sum() == 500


def test_strokes_of_all_pictures_are_handed_over_and_come_back_with_their_picture():
    found = []
    marking = made(classes=("A", "B"), actions={"Train": lambda marked: found.append(marked.paintings())})
    assert press(marking, "Train").state == "error"  # nothing is painted yet
    marking.canvas.strokes = [{"class": 1, "width": 3, "points": [5, 5]}]
    marking.picker.value = "negative"
    assert settled(marking).canvas.strokes == []
    marking.canvas.strokes = [{"class": 2, "width": 3, "points": [7, 7]}]
    marking.picker.value = "ramp"
    assert settled(marking).canvas.strokes[0]["points"] == [5, 5]
    press(marking, "Train")
    [(pictures, labels)] = found
    assert [picture.image[0, 1] for picture in pictures] == [1, -1]
    assert [part[np.nonzero(part)].max() for part in labels] == [1, 2]


def test_a_suggestion_is_made_for_each_picture_and_region():
    def suggest(marked):
        return {"level": marked.region[3] if marked.region else 50}

    marking = made(suggest=suggest)
    assert marking.controls.parameters().level == 50
    marking.canvas.region = [0, 0, 50, 70]
    assert settled(marking).controls.parameters().level == 70


def test_what_was_measured_of_another_mask_is_taken_away():
    marking = press(press(made(), "Add"), "Measure")
    assert marking.drawing.message == "500 pixels of ramp"
    press(marking, "Undo")
    assert marking.drawing.figures == ()


def test_without_a_preview_the_mask_follows_the_controls():
    marking = made(preview=None, mask=below)
    assert marking.mask.sum() == 500
    marking.controls.set(level=20)
    assert settled(marking).mask.sum() == 1000


def test_an_action_that_is_stopped_changes_nothing_and_the_next_one_works():
    began, go_on = threading.Event(), threading.Event()

    def slow(marked, progress):
        began.set()
        go_on.wait(PATIENCE_S)
        progress(0.5, "half")
        return (*marked.state, below(marked))

    marking = made(actions={"Add": slow})
    marking.press("Add")
    assert began.wait(PATIENCE_S)
    marking.controls.set(level=20)  # neither does a control call it off
    assert marking.state == "working"
    marking._jobs.stop()
    assert marking.state == "stopped"
    go_on.set()
    assert not settled(marking).mask.any()
    assert press(marking, "Add").mask.sum() == 1000


def test_a_control_that_is_turned_while_an_action_is_at_work_does_not_call_it_off():
    began, go_on = threading.Event(), threading.Event()

    def slow(marked, progress):
        began.set()
        go_on.wait(PATIENCE_S)
        progress(0.5)
        return (*marked.state, below(marked))

    marking = made(actions={"Add": slow})
    marking.press("Add")
    assert began.wait(PATIENCE_S)
    marking.controls.set(level=20)
    go_on.set()
    assert settled(marking).mask.sum() == 500  # with the level as it stood
    assert marking.state == "done"


def test_errors_come_in_words_and_the_mask_stays():
    def refuse(marked):
        raise ValueError("level must fit the picture")

    marking = press(made(actions={"Add": made_add, "Refuse": refuse}), "Add")
    press(marking, "Refuse")
    assert marking.state == "error"
    assert marking.mask.sum() == 500
    assert press(marking, "Add").state == "done"
    marking.controls._fields["limit"].value = "-3"
    assert settled(marking).state == "error"
    assert press(marking, "Add").state == "error"
    marking.controls._fields["limit"].value = ""
    assert settled(marking).state == "done"


def made_add(marked):
    return (*marked.state, below(marked))


def test_what_is_saved_belongs_to_the_picture_and_is_refused_without_a_mask():
    marking = press(made(), "Add")
    [button] = marking._saves.values()
    assert button.name == "ramp_mask.txt"
    assert button.content() == "500"
    empty = made(mask=lambda marked: None)
    with pytest.raises(ValueError, match="there is no mask yet"):
        next(iter(empty._saves.values())).content()
    assert press(empty, "Measure").state == "error"


def test_an_uploaded_picture_is_shown_at_once_and_one_of_the_same_name_replaces_it():
    def read(name, content):
        return SimpleNamespace(image=np.full((int(content), 40), 5.0))

    marking = made(upload=Upload(("csv",), read=read))
    for height in (30, 60):
        marking.upload.take("mine.csv", str(height).encode())
        assert settled(marking).picker.value == "mine"
        assert (marking.canvas.height, marking.canvas.width) == (height, 40)
        assert not marking.mask.any()
        assert press(marking, "Add").mask.sum() == 40 * height
    marking.upload.take("broken.csv", b"no number")
    assert settled(marking).state == "error"
    assert "broken.csv could not be read" in marking.upload.error
    assert marking.picker.value == "mine"
