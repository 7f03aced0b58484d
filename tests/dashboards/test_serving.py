"""Dashboards in a browser: they work by mouse and keyboard, ask nothing of the internet and show no secrets."""

import os
import sys
from pathlib import Path

import nbformat
import pytest

from particlelab.lab import dashboards

LIB = Path(dashboards.__file__).parents[2]
KERNEL = "JSON.parse(document.getElementById('jupyter-config-data').textContent).kernelId"
PNG = b"\x89PNG\r\n\x1a\n"

TOY = """
import time
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from particlelab.lab.explore import Drawing, explore, tabs
from particlelab.lab.uploads import Upload
from particlelab.parameters import Parameters, parameter


class Waves(Parameters):
    "Waves with noise."

    waves: int = parameter(3, "Number of waves", low=1, high=12)
    amplitude_nm: float = parameter(1.0, "Height of a wave", unit="nm", above=0, high=10)
    shape: Literal["sine", "square"] = parameter("sine", "Shape of a wave")
    dose: float = parameter(1e3, "Electrons on the sample", unit="1/nm^2", low=1, high=1e6)
    colour: Literal["viridis", "cividis", "grey", "inferno"] = parameter("viridis", "Colour map")
    smooth: bool = parameter(True, "Smooth the line")
    limit_nm: float | None = parameter(None, "Largest height", unit="nm", low=0)
    methods: tuple[Literal["pcm", "hough"], ...] = parameter(("pcm",), "Sizing methods")
    seconds: int = parameter(0, "Length of the computation", unit="s", low=0)


def compute(p, progress):
    for step in range(10 * p.seconds):
        time.sleep(0.1)
        progress(step / (10 * p.seconds), f"step {step}")
    return p


def draw(p):
    x = np.linspace(0, 1, 50)
    figure = go.Figure(go.Scatter(x=x, y=p.amplitude_nm * np.sin(2 * np.pi * p.waves * x)))
    figure.update_layout(title=str(p), xaxis_title="Position (um)", yaxis_title="Height (nm)")
    return Drawing(figure, pd.DataFrame({"x_um": x[:5], "waves": p.waves}), f"{p.waves} waves")


def read(name, content):
    if content.endswith(b"no image"):
        raise ValueError("there is no image in it")
    return name, len(content)


def draw_upload(result):
    return Drawing(go.Figure(go.Bar(x=[result[0]], y=[result[1]])), message=f"{result[0]}: {result[1]} bytes")


tabs(
    {
        "Simulate": explore(Waves, compute, draw, main=("waves", "shape"), groups={"Optics": ("dose", "amplitude_nm")}),
        "Measure your own": explore(
            Waves, lambda p, upload: upload, draw_upload, upload=Upload(max_megabytes=30, read=read)
        ),
        "Model": pd.DataFrame({"score": [0.91]}),
    },
    title="Waves",
    about="Waves to try things with.",
)
"""
LATE = """
import sys
import time

sys.stdout.flush_timeout = sys.stderr.flush_timeout = 0
get_ipython().kernel.iopub_thread.schedule(lambda: time.sleep(6))
"better " + "late"
"""  # the cell's end is told at once, what it shows after six seconds; Jupyter itself waits for four
SECRET = "this_name_stands_in_the_source_alone"


def notebook(*cells):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=list(cells), metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three notebooks, and things beside them that are nobody's business."""
    folder = tmp_path_factory.mktemp("notebooks")
    prose, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    plain_figure = f"{SECRET} = 3\nimport plotly.express as px\npx.line(x=[1, 2], y=[1, {SECRET}])"
    overview = notebook(prose("# The overview\n\nWhat was run, and [where](x) it *stands*. More."), code(plain_figure))
    waves = notebook(prose("# Waves on water\nTo try things with."), code(TOY), code(plain_figure))
    broken = notebook(prose("# Broken"), code(f"{SECRET} = 1 / 0"), code("print('the rest')"))
    for name, made in {"00_overview": overview, "10_waves": waves, "20_broken": broken, "hidden": waves}.items():
        nbformat.write(made, folder / f"{name}.ipynb")
    (folder / "notes.txt").write_text(SECRET)
    (folder / "picture.png").write_bytes(PNG)
    return folder


@pytest.fixture(scope="module")
def site(serve, folder):
    return serve([folder / f"{name}.ipynb" for name in ("00_overview", "10_waves", "20_broken")])


@pytest.fixture(scope="module")
def shared(new_visitor, site):
    """One visitor of the toy dashboard; each test sets what it needs."""
    visitor = new_visitor(site)
    visitor.open("10_waves.ipynb")
    yield visitor
    visitor.close()


@pytest.fixture
def page(shared):
    yield shared.page
    assert shared.external == []
    assert shared.errors == []


def see(page, text):
    """Wait until the figure in front was drawn with something, such as ``waves=4``."""
    page.wait_for_function(
        "text => [...document.querySelectorAll('.pl-figures .js-plotly-plot')]"
        ".some(figure => figure.offsetParent && figure.layout?.title?.text?.includes(text))",
        arg=text,
    )


def front(page, name):
    page.get_by_role("tab", name=name).click()


def unfold(page, name):
    header = page.get_by_role("button", name=name, exact=True)
    if header.get_attribute("aria-expanded") != "true":
        header.click()


# Controls


def test_every_kind_of_control_changes_the_figure(page):
    front(page, "Simulate")
    page.get_by_role("slider", name="Waves").press("ArrowRight")
    see(page, "waves=4")
    page.get_by_role("group", name="Shape").get_by_role("button", name="square").click()
    see(page, "shape='square'")
    unfold(page, "Optics")
    page.get_by_role("slider", name="Dose (1/nm²)").press("End")
    see(page, "dose=1000000.0")
    page.get_by_role("slider", name="Amplitude (nm)").press("Home")
    see(page, "amplitude_nm=0.1")
    unfold(page, "More settings")
    page.get_by_label("Colour").select_option("inferno")
    see(page, "colour='inferno'")
    page.get_by_label("Smooth").uncheck()
    see(page, "smooth=False")
    page.get_by_label("Limit (nm)").fill("2.5")
    page.get_by_label("Limit (nm)").press("Enter")
    see(page, "limit_nm=2.5")
    page.get_by_label("hough").check()
    see(page, "methods=('pcm', 'hough')")
    drawn = page.locator(".pl-figures:visible .js-plotly-plot").evaluate("figure => figure.layout.title.text")
    changed = "waves=4 amplitude_nm=0.1 shape='square' dose=1000000.0 colour='inferno' smooth=False limit_nm=2.5"
    assert drawn == f"{changed} methods=('pcm', 'hough') seconds=0"


def test_a_wrong_value_is_told_beside_its_control_and_the_picture_stays(page, status):
    front(page, "Simulate")
    unfold(page, "More settings")
    field = page.get_by_label("Limit (nm)")
    field.fill("-1")
    field.press("Enter")
    status(page, "error")
    assert "expected 0 <= limit_nm nm" in page.locator(".pl-field", has=field).inner_text()
    assert page.locator(".pl-figures .main-svg:visible").count() > 0
    field.fill("")
    field.press("Enter")
    status(page, "done")
    assert page.locator(".pl-field .pl-error:visible").count() == 0


def test_a_long_computation_shows_progress_and_can_be_stopped(page, status):
    front(page, "Simulate")
    unfold(page, "More settings")
    field = (
        page.get_by_label("Seconds (s)") if page.get_by_label("Seconds (s)").count() else page.get_by_label("Seconds")
    )
    field.fill("1000")
    field.press("Enter")
    status(page, "step")
    page.get_by_role("button", name="Stop").click()
    status(page, "stopped")
    field.fill("0")
    field.press("Enter")
    status(page, "done")
    see(page, "seconds=0")
    assert page.get_by_role("progressbar").locator("visible=true").count() == 0


def test_every_control_has_a_name_for_screen_readers_and_a_place_in_the_order_of_keys(page):
    for tab in ("Measure your own", "Simulate"):
        front(page, tab)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('.pl-dashboard')].flatMap(d => [...d.querySelectorAll(
             'button, input, select, textarea, [role=slider], [role=button], [contenteditable=true], [tabindex="0"]')])
           .filter(e => !e.closest('.js-plotly-plot') && !e.classList.contains('lm-mod-hidden'))
           .filter(e => !(e.ariaLabel || e.labels?.[0]?.textContent.trim() || e.textContent.trim()))
           .map(e => e.outerHTML.slice(0, 200))"""
    )
    assert nameless == []
    assert page.get_by_role("slider", name="Waves").get_attribute("tabindex") == "0"
    header = page.get_by_role("button", name="Optics")
    before = header.get_attribute("aria-expanded")
    header.press("Enter")
    page.locator(f"[role=button]:not([aria-expanded={before}])", has_text="Optics").wait_for()
    assert page.locator(".pl-status-line[role=status][aria-live=polite]").count() >= 1


# Uploads and downloads


def test_downloads_hold_what_is_shown(page):
    front(page, "Model")
    front(page, "Simulate")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download table.csv").click()
    assert Path(waiting.value.path()).read_text().splitlines()[0] == "x_um,waves"
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download figures.html").click()
    html = Path(waiting.value.path()).read_text()
    assert "Plotly.newPlot" in html
    assert "<script src=" not in html
    figure = page.locator(".pl-figures:visible .js-plotly-plot")
    figure.hover()
    with page.expect_download() as waiting:
        figure.get_by_role("button", name="Download plot as a PNG").click()
    assert Path(waiting.value.path()).read_bytes().startswith(PNG)
    assert figure.get_by_role("button", name="Share").count() == 0  # plotly's own: it sends the data away


def test_a_file_of_20_megabytes_is_taken_and_what_cannot_be_used_is_refused_in_words(page, tmp_path):
    front(page, "Measure your own")
    for name, content in {
        "large.png": PNG + os.urandom(20_000_000),
        "huge.png": PNG + bytes(31_000_000),
        "disguised.png": b"<script>alert(1)</script>",
        "corrupt.png": PNG + b"no image",
        "program.exe": b"MZ",
    }.items():
        (tmp_path / name).write_bytes(content)
    field = page.locator("input[type=file]")
    field.set_input_files(tmp_path / "large.png")
    page.get_by_text("large.png: 20000008 bytes").wait_for()
    for name, words in {
        "huge.png": "huge.png has 31.0 MB; at most 30 MB are allowed.",
        "disguised.png": "disguised.png is not what its name says",
        "corrupt.png": "corrupt.png could not be read: there is no image in it",
        "program.exe": "program.exe is not a file of a kind that can be read here",
    }.items():
        field.set_input_files(tmp_path / name)
        page.get_by_text(words).wait_for()
    assert page.get_by_text("large.png: 20000008 bytes").is_visible()
    assert page.get_by_text("Using large.png").is_visible()


# Pages


def test_the_page_has_its_title_the_prose_and_plain_figures_but_no_source(page):
    assert page.title() == "Waves on water · Particle Lab"
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length > 1")
    assert SECRET not in page.content()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_runs_over_the_side(visit, site, width):
    visitor = visit(site, width=width, height=844)
    page = visitor.open("10_waves.ipynb")
    over = "e => e.scrollWidth - e.clientWidth"
    assert page.locator("#rendered_cells").evaluate(over) <= 0
    left, right = (page.locator(f".pl-{side}:visible").first.bounding_box() for side in ("left", "right"))
    assert (right["y"] > left["y"] + left["height"] - 1) == (width == 390)  # one column on a phone, two elsewhere
    assert right["width"] > 0.85 * width if width == 390 else right["width"] > 0.6 * width
    assert visitor.errors == visitor.external == []


def test_the_front_page_lists_the_dashboards_with_their_titles_and_leads_to_them(visit, site):
    visitor = visit(site)
    visitor.page.goto(f"{site.url}/?token={site.token}")
    cards = visitor.page.locator(".cards a")
    assert [text.splitlines()[0] for text in cards.all_inner_texts()] == ["The overview", "Waves on water", "Broken"]
    assert "What was run, and where it stands." in cards.first.inner_text()
    cards.first.click()
    visitor.page.get_by_role("heading", name="The overview").wait_for()
    visitor.page.wait_for_selector(".js-plotly-plot .main-svg")
    assert visitor.errors == visitor.external == []


def test_an_error_in_a_cell_is_told_in_words_and_the_rest_goes_on(visit, site):
    visitor = visit(site)
    visitor.page.goto(site.address("20_broken.ipynb"))
    visitor.page.get_by_text("What comes below may be missing. Reload the page to try again").wait_for()
    visitor.page.get_by_text("the rest", exact=True).wait_for()
    assert "ZeroDivisionError" not in visitor.page.content()
    assert SECRET not in visitor.page.content()


def test_a_page_whose_kernel_ended_says_so_and_offers_to_start_again(visit, site):
    visitor = visit(site)
    page = visitor.open("10_waves.ipynb")
    visitor.context.request.delete(f"{site.url}/api/kernels/{page.evaluate(KERNEL)}?token={site.token}")
    page.evaluate("dispatchEvent(new Event('focus'))")
    page.get_by_role("alert").filter(has_text="the controls below have no effect").wait_for()
    ended = page.evaluate(KERNEL)
    page.get_by_role("button", name="Start again").click()
    page.wait_for_selector(".pl-figures .js-plotly-plot .main-svg")
    assert page.evaluate(KERNEL) != ended


def test_a_page_that_is_busy_while_it_opens_answers_afterwards(visit, site):
    visitor = visit(site)
    visitor.page.add_init_script(
        """const create = URL.createObjectURL;
        URL.createObjectURL = (blob) => {  // how a widget's module is loaded
          const end = performance.now() + (window.wasBusy ? 0 : 2500);
          window.wasBusy = true;
          while (performance.now() < end);
          return create.call(URL, blob);
        };"""
    )
    page = visitor.open("10_waves.ipynb")
    assert page.evaluate("window.wasBusy")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download table.csv").locator("visible=true").click()
    assert Path(waiting.value.path()).read_text().startswith("x_um,waves")
    assert visitor.errors == []


def test_a_kernel_ends_with_its_page(visit, site):
    visitor = visit(site)
    kernel = visitor.open("10_waves.ipynb").evaluate(KERNEL)
    visitor.page.goto(f"{site.url}/?token={site.token}")
    found = []
    while not found or (found[-1] != 404 and len(found) < 60):
        visitor.page.wait_for_timeout(500)
        found.append(visitor.context.request.get(f"{site.url}/api/kernels/{kernel}?token={site.token}").status)
    assert found[-1] == 404


# Security


def test_nobody_gets_in_without_the_token(visit, site):
    visitor = visit(site)
    for path in ("/", "/voila/render/10_waves.ipynb", "/voila/render/10_waves.ipynb?token=wrong", "/anything"):
        visitor.page.goto(site.url + path)
        assert "asks for the token" in visitor.page.content()
        assert "Waves" not in visitor.page.content()
    visitor.page.get_by_label("Token").fill("wrong")
    visitor.page.get_by_role("button", name="Open").click()
    visitor.page.get_by_text("That is not the token.").wait_for()
    visitor.page.get_by_label("Token").fill(site.token)
    visitor.page.get_by_role("button", name="Open").click()
    visitor.page.get_by_text("Waves on water").wait_for()
    assert visitor.external == []


@pytest.mark.parametrize(
    "path",
    [
        "/voila/render/hidden.ipynb",
        "/voila/render/notes.txt",
        "/voila/render/../notes.txt",
        "/voila/render/%2e%2e/%2e%2e/etc/passwd",
        "/voila/render/",
        "/voila/files/10_waves.ipynb",
        "/voila/files/notes.txt",
        "/voila/files/picture.png",
        "/voila/tree",
        "/voila/api/contents",
        "/voila/api/contents/notes.txt",
        "/voila/static/..%2f..%2f..%2fvoila.json",
        "/voila/templates/particlelab/static/../index.html.j2",
        "/files/notes.txt",
        "/api/contents/notes.txt",
        "/api/kernels",
        "/api/sessions",
        "/notes.txt",
    ],
)
def test_nothing_but_the_dashboards_is_served(visit, site, path):
    answer = visit(site).context.request.get(f"{site.url}{path}", params={"token": site.token})
    assert answer.status >= 400
    assert SECRET not in answer.text()
    assert "root:" not in answer.text()


def test_the_policy_lets_nothing_in_from_elsewhere(visit, site):
    context = visit(site).context
    for path in ("/", "/voila/render/10_waves.ipynb"):
        policy = context.request.get(f"{site.url}{path}?token={site.token}").headers["content-security-policy"]
        sources = {word for rule in policy.split(";") for word in rule.split()[1:]}
        assert sources <= {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}
        assert "default-src 'self'" in policy


def test_a_visitor_cannot_run_code_of_his_own(page):
    kinds = page.evaluate(
        """async kernel => {
          const kinds = [];
          const socket = new WebSocket(`ws://${location.host}/api/kernels/${kernel}/channels`);
          const ask = (kind, content) => socket.send(JSON.stringify({channel: "shell", content, metadata: {},
            parent_header: {}, buffers: [], header: {msg_id: kind, msg_type: kind, session: "s", username: "u",
            version: "5.3", date: new Date().toISOString()}}));
          await new Promise(done => (socket.onopen = done));
          ask("execute_request", {code: "1 + 1", silent: false});
          ask("kernel_info_request", {});
          await new Promise(done => (socket.onmessage = event => {
            const message = JSON.parse(event.data);
            kinds.push(message.msg_type);
            const last = message.parent_header.msg_id === "kernel_info_request";
            if (last && message.msg_type === "kernel_info_reply") done();
          }));
          socket.close();
          return kinds;
        }""",
        page.evaluate(KERNEL),
    )
    assert "kernel_info_reply" in kinds
    assert "execute_reply" not in kinds
    assert "execute_result" not in kinds


def test_each_visitor_has_a_kernel_of_his_own(visit, site, page):
    assert visit(site).open("10_waves.ipynb").evaluate(KERNEL) != page.evaluate(KERNEL)


@pytest.mark.parametrize("ip", ["0.0.0.0", "::", "192.168.1.5", "", "example.org"])
def test_the_world_is_not_let_in_without_a_token(folder, ip):
    with pytest.raises(ValueError, match="needs a token"):
        dashboards.serve([folder / "10_waves.ipynb"], ip=ip, token="", open_browser=False)


def test_a_server_has_a_new_long_token_unless_told_otherwise():
    tokens = {dashboards.configuration().Voila.token for _ in range(2)}
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 32
    assert dashboards.configuration("mine").Voila.token == "mine"


def test_notebooks_that_do_not_exist_or_lie_apart_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="there is no notebook"):
        dashboards.serve([folder / "nothing.ipynb"])
    with pytest.raises(ValueError, match="there is no notebook"):
        dashboards.serve([folder / "notes.txt"])
    nbformat.write(notebook(), tmp_path / "other.ipynb")
    with pytest.raises(ValueError, match="one folder"):
        dashboards.serve([folder / "10_waves.ipynb", tmp_path / "other.ipynb"])


# Other ways to serve


def test_with_preheated_kernels_the_dashboard_works_as_well(serve, visit, folder):
    site = serve([folder / "10_waves.ipynb"], preheat=1)
    visitor = visit(site)
    page = visitor.open("10_waves.ipynb")
    page.get_by_role("slider", name="Waves").press("ArrowRight")
    see(page, "waves=4")
    assert visitor.errors == visitor.external == []


def test_plain_voila_with_the_lab_s_settings_asks_nothing_of_the_internet(start_server, free_port, visit, folder):
    front_end = LIB / "particlelab/lab/front"
    environment = {"JUPYTER_PATH": str(front_end), "JUPYTER_CONFIG_PATH": str(front_end)}
    command = [sys.executable, "-m", "voila", folder / "10_waves.ipynb", "--no-browser", f"--port={free_port()}"]
    url = start_server([*command, "--Voila.ip=127.0.0.1"], environment)
    visitor = visit(type("Plain", (), {"url": url, "address": lambda self, name: f"{url}/"})())
    page = visitor.open("10_waves.ipynb")
    page.get_by_role("slider", name="Waves").press("ArrowRight")
    see(page, "waves=4")
    assert visitor.errors == visitor.external == []


def test_a_page_that_waits_for_a_long_cell_is_not_cut_off(serve, visit, tmp_path):
    """The server asks each second here whether the browser is there; it cannot hear the answer during a cell."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(cell) for cell in ("import time\ntime.sleep(8)", "print('after', 'all')")
    ]
    nbformat.write(notebook, tmp_path / "waits.ipynb")
    asks = "from jupyter_server.base import websocket; websocket.WS_PING_INTERVAL = 1000"
    site = serve([tmp_path / "waits.ipynb"], first=asks)
    visitor = visit(site)
    visitor.page.goto(site.address("waits.ipynb"))
    visitor.page.get_by_text("after all").wait_for()  # a page that was cut off never shows it
    visitor.page.wait_for_selector(".voila-skeleton-container", state="detached")
    assert "after all" in visitor.page.locator("#rendered_cells").inner_text()
    assert visitor.errors == visitor.external == []


def test_what_a_busy_machine_shows_late_is_shown(serve, visit, tmp_path):
    nbformat.write(notebook(nbformat.v4.new_code_cell(LATE)), tmp_path / "late.ipynb")
    site = serve([tmp_path / "late.ipynb"])
    visitor = visit(site)
    visitor.page.goto(site.address("late.ipynb"))
    visitor.page.get_by_text("better late").wait_for()
    assert visitor.errors == visitor.external == []
