"""What the file of a notebook says: its title and its parameters."""

import ast
import re

_INJECTED, _ERROR = "injected-parameters", "papermill-error-cell-tag"  # tags of the cells that papermill adds


def title(content):
    """Return the first heading of a notebook, or an empty text.

    Parameters
    ----------
    content : nbformat.NotebookNode

    Returns
    -------
    str
    """
    for cell in content.cells:
        if cell.cell_type == "markdown" and (found := re.search(r"^#\s+(.+)$", cell.source, re.MULTILINE)):
            return found[1].strip()
    return ""


def first_sentence(content):
    """Return the first sentence of a notebook's prose, without its markup, or an empty text."""
    prose = next((cell.source for cell in content.cells if cell.cell_type == "markdown"), "")
    without_headings = re.sub(r"^#.*$", "", prose, flags=re.MULTILINE).strip()
    text = " ".join(re.split(r"\n\s*\n", without_headings)[0].split())
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)|[*_`$]", lambda found: found[1] or "", text)
    return re.split(r"(?<=[.!?:])\s", plain)[0]


def declared_parameters(content):
    """Return the parameters of a notebook and their defaults: what its cell with the tag ``parameters`` assigns.

    Defaults that are computed are given as ``...``.
    """
    return _assignments(content, "parameters")


def given_parameters(content):
    """Return the parameters that papermill gave to an executed notebook."""
    return _assignments(content, _INJECTED)


def is_added(cell):
    """Return whether papermill added a cell to a notebook."""
    return not {_INJECTED, _ERROR}.isdisjoint(_tags(cell))


def _assignments(content, tag):
    tagged = [cell for cell in content.cells if cell.cell_type == "code" and tag in _tags(cell)]
    found = {}
    for node in ast.parse(tagged[0].source).body if tagged else []:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name):
                try:
                    found[target.id] = ast.literal_eval(node.value)
                except (ValueError, TypeError):
                    found[target.id] = ...
    return found


def _tags(cell):
    return cell.metadata.get("tags", [])
