"""The notebooks as dashboards in a browser: Voila with the lab's template, closed to everything else."""

import ipaddress
import json
import os
import secrets
import webbrowser
from pathlib import Path

import nbformat
from tornado.web import HTTPError, authenticated
from traitlets.config import Config
from voila.app import Voila
from voila.handler import BaseVoilaHandler
from voila.static_file_handler import AllowListFileHandler
from voila.tornado.contentshandler import VoilaContentsHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.treehandler import TornadoVoilaTreeHandler

from particlelab.lab import folders
from particlelab.lab.notebook_files import first_sentence, title

FRONT = Path(__file__).parent / "front"


def serve(
    notebooks=None,
    port=8866,
    ip="127.0.0.1",
    open_browser=True,
    token=None,
    *,
    idle_minutes=60,
    preheat=0,
    verbose=False,
):
    """Serve notebooks as dashboards until Ctrl-C.

    Parameters
    ----------
    notebooks : sequence of path, optional
        Notebooks of one folder; all of the lab's if not given.
    port : int
        Where it is taken, a free one near it. The address is printed.
    ip : str
        Address to listen on; only this machine by default.
    open_browser : bool
    token : str, optional
        What a visitor must know; it is part of the printed address. A new one by default; an empty one
        lets anybody in who reaches the address.
    idle_minutes : float
        A page that nobody touches for so long is closed.
    preheat : int
        Kernels that wait, run to the end, for the next visitor of each notebook; each takes memory. A page
        of a waiting kernel opens at once, otherwise text comes first and each cell when it is ready.
    verbose : bool
        Print what the server does.

    Raises
    ------
    ValueError
        If a notebook does not exist, or if others could reach the address without a token.
    """
    if token == "" and not _loopback(ip):
        raise ValueError(f"ip = {ip!r} lets other machines in; that needs a token")
    paths = [Path(path).resolve() for path in notebooks or sorted(folders.notebooks().glob("*.ipynb"))]
    for path in paths:
        if not path.is_file() or path.suffix != ".ipynb":
            raise ValueError(f"there is no notebook {path}")
    roots = {path.parent for path in paths} or {folders.notebooks()}
    if len(roots) > 1:
        raise ValueError(f"notebooks must lie in one folder, got {', '.join(map(str, sorted(roots)))}")

    # Voila finds templates on Jupyter's path alone
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, [str(FRONT), os.environ.get("JUPYTER_PATH")]))
    config = configuration(token, idle_minutes=idle_minutes, preheat=preheat)
    config.Voila.update(root_dir=str(roots.pop()), port=port, ip=ip, log_level="INFO" if verbose else "ERROR")
    server = Server.instance(config=config)
    server.notebooks, server.opens_browser = paths, open_browser
    server.initialize([])
    server.start()


def configuration(token=None, *, idle_minutes=60, preheat=0):
    """Return the settings of Voila that `serve` adds to those of ``front/voila.json``, which plain Voila has too."""
    config = Config(json.loads((FRONT / "voila.json").read_text()))
    config.Voila.token = secrets.token_urlsafe(24) if token is None else token
    config.Voila.config_file_paths = []  # whatever else lies about on this machine
    config.Voila.open_browser = True  # by which Voila tells the server that it listens
    config.MappingKernelManager.cull_idle_timeout = round(idle_minutes * 60)
    if preheat:
        config.VoilaConfiguration.progressive_rendering = False  # a page that waits has nothing to be patient for
        config.VoilaConfiguration.preheat_kernel = True
        config.VoilaConfiguration.default_pool_size = preheat
    return config


class Server(Voila):
    """Voila that serves some notebooks and a front page, and no file, folder or source besides."""

    notebooks = ()
    opens_browser = False

    @property
    def address(self):
        """The address to open, with its token."""
        token = self.identity_provider.token
        return self.connection_url + (f"?token={token}" if token else "")

    def init_settings(self):
        settings = super().init_settings()
        settings["jinja2_env"] = settings["voila_jinja2_env"]  # the page that asks for the token, in our look
        return settings

    def init_handlers(self):
        closed = (VoilaContentsHandler, TornadoVoilaTreeHandler, AllowListFileHandler, TornadoVoilaHandler)
        kept = [handler for handler in super().init_handlers() if handler[1] not in closed]
        render = {
            "template_paths": self.template_paths,
            "config": self.config,
            "voila_configuration": self.voila_configuration,
        }
        return [
            *kept,
            (self.server_url, FrontPage, {"voila_configuration": self.voila_configuration}),
            (self.server_url + r"voila/render/(.*)", NotebookPage, render),
            (r"/.*", Nothing, {"voila_configuration": self.voila_configuration}),
        ]

    def launch_browser(self):
        """Called once the server listens."""
        print(f"Particle Lab is open at {self.address}\nCtrl-C ends it.", flush=True)
        if self.opens_browser:
            webbrowser.open(self.address)


class FrontPage(BaseVoilaHandler):
    """The dashboards, each with its title and a sentence."""

    @authenticated
    def get(self):
        cards = [_card(path) for path in self.settings["voila"].notebooks]
        self.write(self.render_template("front.html", cards=cards))


class NotebookPage(TornadoVoilaHandler):
    """A dashboard, if it is one of those that are served."""

    @authenticated
    async def get(self, path=None):
        if path not in {notebook.name for notebook in self.settings["voila"].notebooks}:
            raise HTTPError(404)
        _ = self.xsrf_token  # sets the cookie by which the page, when it is closed, may end its kernel
        await super().get(path)


class Nothing(BaseVoilaHandler):
    """Every other address."""

    @authenticated
    def get(self):
        raise HTTPError(404)


def _loopback(ip):
    try:
        return ip == "localhost" or ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return False


def _card(path):
    content = nbformat.read(path, as_version=4)
    name = title(content) or path.stem.replace("_", " ")
    return {"path": path.name, "title": name, "sentence": first_sentence(content)}
