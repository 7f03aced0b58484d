"""Reports: an executed notebook as one HTML file that opens without internet."""

import html
import json
import re
from functools import cache
from pathlib import Path

import nbformat
from jinja2 import pass_context
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from particlelab.lab import folders
from particlelab.lab.atomic import read_json
from particlelab.lab.notebook_files import declared_parameters, given_parameters, is_added, title
from particlelab.lab.overview import POLICY, TEMPLATES, made_with, write_index, write_scoreboard
from particlelab.lab.theme import CONFIG
from particlelab.writing import write_text

__all__ = ["write_index", "write_report", "write_scoreboard"]

_PLOTLY_HERE = "/* plotly */"
_PLOTLY = "application/vnd.plotly.v1+json"
_WIDGET = "application/vnd.jupyter.widget-view+json"


def write_report(notebook, path):
    """Write the report of an executed notebook.

    Parameters
    ----------
    notebook : path
        The executed notebook. If ``status.json`` stands beside it, as after a batch, the report tells from it how the
        run ended and what it was made with.
    path : path
        The HTML file to write.

    Returns
    -------
    Path
    """
    notebook = Path(notebook)
    content = nbformat.read(notebook, as_version=4)
    status = read_json(notebook.with_name("status.json")) or {}
    parameters = {**declared_parameters(content), **given_parameters(content)}
    defaults = declared_parameters(content)
    content.cells = [cell for cell in content.cells if not is_added(cell)]
    for cell in content.cells:
        for output in cell.get("outputs", []):
            _prepare(output)
    error = status.get("error")
    report = {
        "title": title(content) or notebook.stem,
        "policy": POLICY,
        "style": (TEMPLATES / "page.css").read_text() + HtmlFormatter(style="friendly").get_style_defs(".highlight"),
        "script": (TEMPLATES / "report.js").read_text(),
        "meta": " · ".join([notebook.stem if not status else status["notebook"], *made_with(status)]),
        "parameters": [(name, repr(value), repr(defaults.get(name, ...))) for name, value in parameters.items()],
        "error": error,
        "failed": content.cells[error["cell"] - 1].get("id") if error and error["cell"] else None,
    }
    exporter = _Exporter(template_name="report", extra_template_basedirs=[str(TEMPLATES)], embed_images=True)
    resources = {"report": report, "metadata": {"path": str(folders.notebooks())}}
    page, _ = exporter.from_notebook_node(content, resources)
    return write_text(path, page.replace(_PLOTLY_HERE, _plotly() if 'class="figure"' in page else ""))


class _Exporter(HTMLExporter):
    """Writes equations as MathML, which browsers show by themselves."""

    @pass_context
    def markdown2html(self, context, source):
        path = context["resources"]["metadata"]["path"]
        attachments = context.get("cell", {}).get("attachments", {})
        renderer = _Renderer(
            escape=False, attachments=attachments, embed_images=True, path=path, exclude_anchor_links=True
        )
        return MarkdownWithMath(renderer=renderer).render(source)


class _Renderer(IPythonRenderer):
    def inline_math(self, body):
        return _mathml(body, "inline")

    def block_math(self, body):
        return _mathml(body, "block")

    def latex_environment(self, name, body):
        return _mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", "block")


def _mathml(tex, display):
    from latex2mathml.converter import convert

    tex = re.sub(r"(begin|end)\{aligned\}", r"\1{split}", tex)  # the same, under the name that the converter knows
    try:
        return convert(tex, display=display)
    except Exception:  # what it cannot read is shown as it was written
        return f"<code>{html.escape(tex)}</code>"


def _prepare(output):
    """Leave of an output what a page without a kernel can show; a plotly figure becomes a place to draw it."""
    data = output.get("data", {})
    figure = data.pop(_PLOTLY, None)
    if figure is not None:
        height = figure.get("layout", {}).get("height") or 450
        figure["config"] = {**figure.get("config", {}), **CONFIG}
        text = json.dumps(figure).replace("</", "<\\/")
        data["text/html"] = (
            f'<div class="figure" style="height: {height:g}px"><script type="application/json">{text}</script></div>'
        )
    if data.pop(_WIDGET, None) is not None and data.keys() <= {"text/plain"}:
        data["text/plain"] = "Live controls stand here in JupyterLab and in the dashboard."
    data.pop("application/javascript", None)


@cache
def _plotly():
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()
