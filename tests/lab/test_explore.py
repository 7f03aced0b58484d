"""Dashboards: the latest request wins, nothing stale is drawn, errors come in words, and nothing is lost by them."""

import threading
from pathlib import Path

import ipywidgets as widgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from particlelab.lab.downloads import Download, file_bytes
from particlelab.lab.explore import Drawing, explore, tabs
from particlelab.lab.tables import html_table
from particlelab.lab.theme import CONFIG, bundle, page
from particlelab.lab.uploads import Upload
from particlelab.lab.worker import Stopped, Worker
from particlelab.parameters import Parameters, parameter

PATIENCE_S = 20  # nothing waits for so long; it only ends a test that hangs


class Square(Parameters):
    "A number and its square."

    number: int = parameter(3, "The number", low=0, high=100)
    spread: float | None = parameter(None, "Spread", low=0)


def square(parameters):
    return parameters.number**2


def draw(result):
    return Drawing(go.Figure(go.Bar(y=[result])), pd.DataFrame({"square": [result]}), f"It is {result}")


def started(dashboard):
    dashboard.worker.delay_s = 0
    dashboard.start()
    assert dashboard.worker.wait(PATIENCE_S)
    return dashboard


def drawn(dashboard):
    return dashboard.drawing.table["square"][0]


def shown(widget):
    """Everything that a dashboard says in HTML."""
    children = getattr(widget, "children", ())
    return (widget.value if isinstance(widget, widgets.HTML) else "") + "".join(map(shown, children))


class Gate:
    """A computation that waits until the test lets it go on."""

    def __init__(self):
        self.began, self.go_on, self.calls = threading.Event(), threading.Event(), []

    def __call__(self, parameters, progress):
        self.calls.append(parameters.number)
        self.began.set()
        assert self.go_on.wait(PATIENCE_S)
        progress(0.5, "half way")
        return parameters.number**2


def test_a_change_is_computed_and_drawn():
    dashboard = started(explore(Square, square, draw))
    assert (dashboard.state, drawn(dashboard)) == ("done", 9)
    dashboard.controls.set(number=5)
    assert dashboard.worker.wait(PATIENCE_S)
    assert (dashboard.state, drawn(dashboard)) == ("done", 25)
    assert "It is 25" in shown(dashboard.widget)


def test_nothing_is_computed_before_it_is_shown():
    calls = []
    explore(Square, lambda p: calls.append(p), draw)
    assert calls == []


def test_the_figure_is_shown_as_a_bundle_of_its_own_data():
    dashboard = started(explore(Square, square, draw))
    (output,) = _all(dashboard.widget, widgets.Output)
    ((data, *others),) = [list(o["data"].items()) for o in output.outputs]
    assert others == []
    assert data[0] == "application/vnd.plotly.v1+json"
    assert list(data[1]["data"][0]["y"]) == [9]


def test_a_newer_request_calls_off_the_older_one_and_its_result_is_never_drawn():
    gate, results = Gate(), []
    dashboard = explore(Square, gate, lambda r: (results.append(r), draw(r))[1])
    dashboard.worker.delay_s = 0
    dashboard.start()
    assert gate.began.wait(PATIENCE_S)
    for number in (4, 5, 6):
        dashboard.controls.set(number=number)
    gate.go_on.set()
    assert dashboard.worker.wait(PATIENCE_S)
    assert gate.calls == [3, 6]
    assert results == [36]
    assert drawn(dashboard) == 36


def test_stop_ends_the_computation_and_leaves_the_last_picture():
    gate = Gate()
    gate.go_on.set()
    dashboard = started(explore(Square, gate, draw))
    gate.go_on.clear()
    gate.began.clear()
    dashboard.controls.set(number=7)
    assert gate.began.wait(PATIENCE_S)
    dashboard.stop()
    gate.go_on.set()
    assert dashboard.worker.wait(PATIENCE_S)
    assert (dashboard.state, drawn(dashboard)) == ("stopped", 9)
    dashboard.controls.set(number=8)
    assert dashboard.worker.wait(PATIENCE_S)
    assert (dashboard.state, drawn(dashboard)) == ("done", 64)


def test_progress_raises_stopped_where_it_is_called():
    seen, gate = [], Gate()

    def compute(parameters, progress):
        try:
            return gate(parameters, progress)
        except Stopped:
            seen.append("stopped")
            raise

    dashboard = explore(Square, compute, draw)
    dashboard.worker.delay_s = 0
    dashboard.start()
    assert gate.began.wait(PATIENCE_S)
    dashboard.stop()
    gate.go_on.set()
    assert dashboard.worker.wait(PATIENCE_S)
    assert seen == ["stopped"]


def test_a_value_that_is_not_allowed_is_not_computed_and_told_beside_its_control():
    dashboard = started(explore(Square, square, draw))
    dashboard.controls._fields["spread"].value = "-2"
    assert dashboard.worker.wait(PATIENCE_S)
    assert (dashboard.state, drawn(dashboard)) == ("error", 9)
    assert "0 &lt;= spread" in shown(dashboard.controls.widget)
    dashboard.controls._fields["spread"].value = ""
    assert dashboard.worker.wait(PATIENCE_S)
    assert dashboard.state == "done"
    assert "0 &lt;= spread" not in shown(dashboard.controls.widget)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("The image has <no> particles"), "The image has &lt;no&gt; particles"),
        (KeyError("area"), "It went wrong: &#x27;area&#x27; (KeyError)."),
        (MemoryError(), "not enough memory"),
        (OSError("the model file is missing"), "the model file is missing"),
    ],
)
@pytest.mark.parametrize("where", ["compute", "draw"])
def test_errors_are_told_in_words_and_nothing_is_lost(error, text, where):
    def fail(parameters_or_result):
        number = getattr(parameters_or_result, "number", parameters_or_result)
        if number not in (3, 9):
            raise error
        return square(parameters_or_result) if where == "compute" else draw(parameters_or_result)

    compute, drawing = (fail, draw) if where == "compute" else (square, fail)
    dashboard = started(explore(Square, compute, drawing))
    dashboard.controls.set(number=4)
    assert dashboard.worker.wait(PATIENCE_S)
    assert (dashboard.state, drawn(dashboard)) == ("error", 9)
    assert text in shown(dashboard.widget)
    assert "Traceback" not in shown(dashboard.widget)


def test_an_error_that_names_a_parameter_stands_beside_its_control():
    def compute(parameters):
        raise ValueError(f"number must be even, got {parameters.number}")

    dashboard = started(explore(Square, compute, draw))
    assert "number must be even, got 3" in shown(dashboard.controls.widget)


def test_without_live_a_change_waits_for_the_button():
    dashboard = started(explore(Square, square, draw, live=False))
    dashboard.controls.set(number=5)
    assert dashboard.worker.wait(PATIENCE_S)
    assert drawn(dashboard) == 9
    next(b for b in _all(dashboard.widget, widgets.Button) if b.description == "Compute").click()
    assert dashboard.worker.wait(PATIENCE_S)
    assert drawn(dashboard) == 25


def test_a_figure_or_a_list_of_figures_is_a_drawing():
    figure = go.Figure()
    for result, number in ((figure, 1), ([figure, figure], 2), ([], 0)):
        dashboard = started(explore(Square, square, lambda r, result=result: result))
        assert len(_all(dashboard.widget, widgets.Output)) == number


def test_controls_begin_at_an_instance():
    assert drawn(started(explore(Square(number=10), square, draw))) == 100


# Uploads


def read(name, content):
    if len(content) < 20:
        raise ValueError("it is too short to be an image")
    return len(content)


def test_a_measurement_waits_for_its_upload_and_computes_with_it():
    dashboard = started(explore(Square, lambda p, upload: upload, draw, upload=Upload(read=read)))
    assert (dashboard.state, dashboard.drawing) == ("ready", None)
    dashboard.upload.take("a.png", b"\x89PNG\r\n\x1a\n" + bytes(100))
    assert dashboard.worker.wait(PATIENCE_S)
    assert (dashboard.state, drawn(dashboard)) == ("done", 108)
    assert dashboard.upload.received == "Using a.png"


def test_an_upload_with_a_default_is_optional():
    dashboard = started(explore(Square, lambda p, upload=None: upload or 1, draw, upload=Upload(read=read)))
    assert drawn(dashboard) == 1


def test_a_file_that_cannot_be_read_leaves_the_one_before_in_use():
    dashboard = started(explore(Square, lambda p, upload: upload + p.number, draw, upload=Upload(read=read)))
    dashboard.upload.take("a.png", b"\x89PNG\r\n\x1a\n" + bytes(100))
    assert dashboard.worker.wait(PATIENCE_S)
    dashboard.upload.take("b.png", b"\x89PNG\r\n\x1a\n")
    assert dashboard.worker.wait(PATIENCE_S)
    assert dashboard.state == "error"
    assert dashboard.upload.error == "b.png could not be read: it is too short to be an image"
    dashboard.controls.set(number=4)
    assert dashboard.worker.wait(PATIENCE_S)
    assert drawn(dashboard) == 112


def test_a_change_while_a_file_waits_does_not_lose_the_file():
    dashboard = explore(Square, lambda p, upload: upload + p.number, draw, upload=Upload(read=read))
    dashboard.upload.take("a.png", b"\x89PNG\r\n\x1a\n" + bytes(100))
    dashboard.controls.set(number=10)
    assert dashboard.worker.wait(PATIENCE_S)
    assert drawn(dashboard) == 118


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.exe", b"MZ" + bytes(30), "not a file of a kind"),
        ("png", b"\x89PNG\r\n\x1a\n", "not a file of a kind"),
        ("a.png", b"", "is empty"),
        ("a.png", bytes(2_000_001), "at most 2 MB"),
        ("a.png", b"GIF89a" + bytes(30), "its content is not PNG"),
        ("a.jpeg", b"\x89PNG\r\n\x1a\n", "its content is not JPG"),
        ("a.TIF", b"II+x" + bytes(30), "its content is not TIF"),
        ("a.csv", b"a,b\n1,\0\n", "its content is not text"),
    ],
)
def test_wrong_files_are_refused_before_they_are_read(name, content, words):
    upload = Upload(max_megabytes=2, read=lambda *file: pytest.fail("it was read"))
    upload.on_file(lambda *file: pytest.fail("it was taken"))
    with pytest.raises(ValueError, match=words):
        upload.take(name, content)


def conversation(upload, name, content, piece=7, times=1):
    """Send a file as the browser does; return what was answered."""
    answers = []
    upload.send = answers.append
    upload._receive(upload, {"kind": "begin", "name": name, "size": len(content)}, [])
    while "next" in answers[-1] and len(answers) < 100:
        offset = answers[-1]["next"]
        for _ in range(times):
            buffers = [memoryview(content)[offset : offset + piece]]
            upload._receive(upload, {"kind": "piece", "offset": offset}, buffers)
    return answers


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_arrives_in_pieces_as_it_was_sent_also_if_each_was_sent_twice(times):
    taken, upload = [], Upload(kinds=("csv",))
    upload.on_file(lambda *file: taken.append(file))
    content = bytes(range(1, 101))
    assert conversation(upload, "a.csv", content, times=times)[-1] == {"complete": True}
    assert taken == [("a.csv", content)]
    assert upload.error == ""


@pytest.mark.parametrize("size", [-1, 0, 3, "many", None, 10**12])
def test_a_conversation_that_lies_about_the_size_is_ended(size):
    taken, upload = [], Upload(kinds=("csv",))
    upload.on_file(lambda *file: taken.append(file))
    upload._receive(upload, {"kind": "begin", "name": "a.csv", "size": size}, [])
    upload._receive(upload, {"kind": "piece", "offset": 0}, [b"1,2,3\n"])
    upload._receive(upload, {"kind": "piece", "offset": 99}, [b"4,5,6\n"])
    upload._receive(upload, {}, [])
    assert taken == []
    assert upload.error


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\data\\a.csv", "a.csv"),
        ("<b>.csv", "_b_.csv"),
        ("a\n.csv", "a_.csv"),
    ],
)
def test_names_of_files_are_made_harmless(name, plain):
    taken, upload = [], Upload()
    upload.on_file(lambda *file: taken.append(file[0]))
    upload.take(name, b"1,2\n")
    assert taken == [plain]


# Downloads, tables, figures


def test_a_table_survives_its_download():
    table = pd.DataFrame({"da_nm": [120.5, 1 / 3], "kind": ["a,b", "ü"]})
    from io import BytesIO

    pd.testing.assert_frame_equal(pd.read_csv(BytesIO(file_bytes(table))), table)


def test_downloads_are_made_when_they_are_asked_for_and_failures_told():
    sent = []
    for content in (lambda: "text", lambda: 1 / 0, lambda: 3):
        button = Download("a.txt", content)
        button.send = lambda message, buffers=(): sent.append((message, list(buffers)))
        button._answer(button, {"kind": "ask"}, [])
    assert sent[0] == ({"name": "a.txt", "kind": "text/plain"}, [b"text"])
    assert "could not be made: division by zero" in sent[1][0]["error"]
    assert "got int" in sent[2][0]["error"]


def test_the_download_buttons_give_what_is_shown_now():
    dashboard = started(explore(Square, square, draw))
    dashboard.controls.set(number=5)
    assert dashboard.worker.wait(PATIENCE_S)
    files = {button.name: file_bytes(button.content) for button in _all(dashboard.widget, Download)}
    assert files["table.csv"] == b"square\n25\n"
    assert b"<script src=" not in files["figures.html"]
    assert b"Plotly.newPlot" in files["figures.html"]


def test_tables_are_escaped_rounded_and_bounded():
    table = pd.DataFrame({"<da>": [np.pi * 100, np.nan], "name": ["<script>", None], "n": [1, 2]})
    html = html_table(table)
    assert "<script>" not in html and "&lt;script&gt;" in html and "&lt;da&gt;" in html
    assert ">314.2<" in html and html.count(">–<") == 2
    assert "first 500 of 700 rows" in html_table(pd.DataFrame({"n": range(700)}))
    assert "row b" in html_table(pd.DataFrame({"n": [1]}, index=["row b"]))


def test_the_look_leaves_the_figure_as_it_was_and_its_own_colours_alone():
    figure = go.Figure(go.Bar(y=[1], marker_color="red"), layout={"height": 321})
    before = figure.to_json()
    shown_figure = bundle(figure)["application/vnd.plotly.v1+json"]
    assert figure.to_json() == before
    assert shown_figure["layout"]["height"] == 321
    assert shown_figure["data"][0]["marker"]["color"] == "red"
    assert shown_figure["config"]["showSendToCloud"] is False
    html = page([figure], "<a>")
    assert "&lt;a&gt;" in html
    assert '"showSendToCloud": false' in html


# Tabs and batches


def test_a_tab_computes_when_it_is_first_opened():
    first, second = explore(Square, square, draw), explore(Square(number=4), square, draw)
    made = tabs({"First": first, "Second": second, "Later": lambda: "a text", "Table": pd.DataFrame({"n": [1]})})
    made.start()
    assert first.worker.wait(PATIENCE_S) and second.worker.wait(PATIENCE_S)
    assert first.state == "done" and second.state == "ready"
    (tab,) = _all(made.widget, widgets.Tab)
    for index in (1, 2, 3, 1):
        tab.selected_index = index
        assert second.worker.wait(PATIENCE_S)
    assert drawn(second) == 16
    assert "a text" in shown(made.widget)


def test_in_a_batch_the_first_figure_stands_in_the_dashboard_s_place(monkeypatch):
    monkeypatch.setenv("PARTICLELAB_LIVE", "0")
    waits = explore(Square, lambda p, upload: upload, draw, upload=Upload())
    made = tabs({"Waits": waits, "Square": explore(Square, square, draw)})
    assert list(made.first_figure().data[0].y) == [9]
    assert "application/vnd.jupyter.widget-view+json" not in made._repr_mimebundle_()
    assert "text/plain" in waits._repr_mimebundle_()


def test_in_a_batch_an_error_is_not_hidden(monkeypatch):
    monkeypatch.setenv("PARTICLELAB_LIVE", "0")
    with pytest.raises(ZeroDivisionError):
        explore(Square, lambda p: 1 / 0, draw)._repr_mimebundle_()


def test_live_the_widget_is_shown():
    dashboard = explore(Square, square, draw)
    assert "application/vnd.jupyter.widget-view+json" in dashboard._repr_mimebundle_()
    assert dashboard.worker.wait(PATIENCE_S)


# The worker


def test_a_burst_of_requests_runs_the_last_one_alone():
    ran, worker = [], Worker(delay_s=0.05)
    for number in range(50):
        worker.submit(lambda ticket, number=number: ran.append(number))
    assert worker.wait(PATIENCE_S)
    assert ran == [49]


def test_stop_forgets_what_waits():
    ran, worker = [], Worker(delay_s=5)
    worker.submit(lambda ticket: ran.append(1))
    worker.stop()
    assert worker.wait(PATIENCE_S)
    assert ran == []


def test_the_front_end_asks_nothing_of_the_internet():
    front = Path(__file__).parents[2] / "lib/particlelab/lab/front"
    for file in front.rglob("*.*"):
        assert "http://" not in file.read_text() and "https://" not in file.read_text(), file


def _all(widget, kind):
    own = [widget] if isinstance(widget, kind) else []
    return own + [found for child in getattr(widget, "children", ()) for found in _all(child, kind)]


def test_every_page_of_figures_is_free_of_the_button_that_sends_data_away():
    """Also the second one: plotly changes the settings that it is given."""
    for _ in range(2):
        html = page([go.Figure(go.Bar(y=[1]))], "Figures")
        assert '"showSendToCloud": false' in html
        assert CONFIG["plotlyServerURL"] == ""
