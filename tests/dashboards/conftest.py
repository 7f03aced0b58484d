"""A server of notebooks and a visitor with a browser, for every test of a dashboard."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from particlelab.lab import folders

LIB = Path(__file__).parents[2] / "lib"
PATIENCE_MS = 60_000  # nothing should take so long; it only ends a test that hangs
PATIENCE_OF_CELLS_MS = 240_000  # the same where all cells of a notebook run first
FLAGS = [  # without them Chromium asks for its maker's servers
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """A running server."""

    url: str
    token: str

    def address(self, notebook):
        """The address of a notebook, with the token."""
        return f"{self.url}/voila/render/{Path(notebook).name}?token={self.token}"


class Visitor:
    """A browser window that lets no request out and notes whatever goes wrong.

    Attributes
    ----------
    page : playwright Page
    external : list of str
        Requests to anything but the server itself; they are ended.
    errors : list of str
        Errors on the console and uncaught ones.
    """

    def __init__(self, browser, site, width=1280, height=900):
        self.site, self.external, self.errors = site, [], []
        self.context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page = self.context.new_page()
        self.page.route("**/*", self._guard)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, notebook):
        """Open a notebook and wait for the first figure of its first dashboard."""
        self.page.goto(self.site.address(notebook))
        self.page.wait_for_selector(".pl-figures .js-plotly-plot .main-svg")
        return self.page

    def check(self):
        """Fail if a cell has told of an error, the console of one, or the page has asked the internet."""
        told = self.page.locator("#rendered_cells [data-mime-type='application/vnd.jupyter.stderr']")
        assert told.all_inner_texts() == []
        assert self.external == self.errors == []

    def close(self):
        self.context.close()

    def _guard(self, route):
        if route.request.url.startswith((self.site.url, "data:", "blob:")):
            route.continue_()
        else:
            self.external.append(route.request.url)
            route.abort()


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def start_server():
    """``start_server(command, environment=None) -> address``: run a server until the tests end."""
    processes = []

    def start(command, environment=None):
        processes.append(
            process := subprocess.Popen(
                list(map(str, command)),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, "PYTHONPATH": str(LIB), **(environment or {})},
            )
        )
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"http://[^\s/]+", line):
                threading.Thread(target=process.stdout.read, daemon=True).start()  # so that it never waits for us
                return found[0]
        raise RuntimeError("the server ended:\n" + "".join(lines))

    yield start
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(60)


@pytest.fixture(scope="session")
def serve(start_server, free_port):
    """``serve(notebooks, token=..., first="", **options) -> Site``: serve notebooks until the tests end.

    The server runs the Python in ``first`` before all else.
    """

    def start(notebooks, token="a-token", first="", **options):
        arguments = {"port": free_port(), "open_browser": False, "token": token, **options}
        code = f"from particlelab.lab.dashboards import serve\nserve({list(map(str, notebooks))}, **{arguments})"
        code = f"{first}\n{code}"
        return Site(start_server([sys.executable, "-c", code]), token)

    return start


@pytest.fixture(scope="session")
def new_visitor(browser):
    """``new_visitor(site, width=1280, height=900) -> Visitor``, to be closed by whom it was made for."""
    return lambda site, **size: Visitor(browser, site, **size)


@pytest.fixture(scope="module")
def site(request, serve, tmp_path_factory):
    """The notebooks that ``NOTEBOOKS`` of the module names, with the parameters that it changes, and no real data."""
    import nbformat

    folder = tmp_path_factory.mktemp("notebooks")
    for name, changes in request.module.NOTEBOOKS.items():
        notebook = nbformat.read(folders.notebooks() / f"{name}.ipynb", as_version=4)
        if changes:
            cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", ()))
            cell.source += "".join(f"\n{key} = {value!r}" for key, value in changes.items())
        nbformat.write(notebook, folder / f"{name}.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTICLELAB_CACHE", str(folder / "cache"))
        patch.setenv("PARTICLELAB_REPORTS", str(folder / "reports"))
        patch.delenv("PARTICLELAB_DATA", raising=False)
        return serve([folder / f"{name}.ipynb" for name in request.module.NOTEBOOKS])


@pytest.fixture(scope="module")
def opened(new_visitor, site):
    """``opened(notebook) -> Visitor``: one visitor of each notebook of `site`, once all its cells have run."""
    visitors = {}

    def get(name):
        if name not in visitors:
            visitor = visitors[name] = new_visitor(site)
            visitor.context.set_default_timeout(PATIENCE_OF_CELLS_MS)
            visitor.open(f"{name}.ipynb")
            visitor.page.wait_for_selector(".voila-skeleton-container", state="detached")
        return visitors[name]

    yield get
    for visitor in visitors.values():
        visitor.close()


@pytest.fixture(scope="session")
def status():
    """``status(page, text)``: wait until the status line in front says something."""
    return lambda page, text: page.locator(".pl-status-line:visible", has_text=text).wait_for()


@pytest.fixture(scope="session")
def shown_table():
    """``shown_table(page) -> list of list of str``: the first table in front, with its headings."""
    return lambda page: page.locator(".pl-table table:visible").first.evaluate(
        "t => [...t.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )


@pytest.fixture
def check_runs(opened, status):
    """``check_runs(notebook)``: all cells of it run without an error or a request to the internet."""

    def check(notebook):
        visitor = opened(notebook)
        status(visitor.page, "done")
        visitor.check()

    return check


@pytest.fixture
def visit(new_visitor):
    """``visit(site, width=1280, height=900) -> Visitor``, closed after the test."""
    visitors = []

    def start(site, **size):
        visitors.append(new_visitor(site, **size))
        return visitors[-1]

    yield start
    for visitor in visitors:
        visitor.close()


@pytest.fixture(scope="session")
def free_port():
    """``free_port() -> int``: a port of the loopback that nobody uses now."""

    def find():
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            return door.getsockname()[1]

    return find
