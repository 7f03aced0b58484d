"""The dashboards of STEM particles: what they show is what the library finds."""

import re

import numpy as np
import pytest

from particlelab import stem
from particlelab.lab import folders

SIMULATE, HOLES = "20_stem_simulate_projections", "21_stem_holes"
SMALL = {
    SIMULATE: {"particles": 100},
    HOLES: {"experiments": ["one view", "two views"], "validation_particles": 400, "populations": 10},
}
PATIENCE_MS = 240_000  # for the cells below a dashboard, which come first; nothing is claimed about it


@pytest.fixture(scope="module")
def site(serve, tmp_path_factory):
    """The two notebooks, with few particles, and nothing that was computed before."""
    import nbformat

    folder = tmp_path_factory.mktemp("stem")
    for name, changes in SMALL.items():
        notebook = nbformat.read(folders.notebooks() / f"{name}.ipynb", as_version=4)
        cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", ()))
        cell.source += "".join(f"\n{key} = {value!r}" for key, value in changes.items())
        nbformat.write(notebook, folder / f"{name}.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTICLELAB_CACHE", str(folder / "cache"))
        patch.setenv("PARTICLELAB_REPORTS", str(folder / "reports"))
        return serve([folder / f"{name}.ipynb" for name in SMALL])


@pytest.fixture(scope="module")
def opened(new_visitor, site):
    """``opened(notebook) -> Visitor``: one visitor of each notebook, once all its cells have run."""
    visitors = {}

    def get(name):
        if name not in visitors:
            visitor = visitors[name] = new_visitor(site)
            visitor.context.set_default_timeout(PATIENCE_MS)
            visitor.open(f"{name}.ipynb")
            visitor.page.wait_for_selector(".voila-skeleton-container", state="detached")
        return visitors[name]

    yield get
    for visitor in visitors.values():
        visitor.close()


def status(page, text):
    page.locator(".pl-status-line:visible", has_text=text).wait_for()


def shown_table(page):
    return page.locator(".pl-table table:visible").first.evaluate(
        "t => [...t.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )


@pytest.mark.parametrize("notebook", [SIMULATE, HOLES])
def test_everything_runs_without_an_error_or_a_request_to_the_internet(opened, notebook):
    visitor = opened(notebook)
    status(visitor.page, "done")
    assert visitor.page.locator("#rendered_cells [data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert visitor.external == visitor.errors == []


def test_one_more_view_is_one_more_projection(opened):
    page = opened(SIMULATE).page
    status(page, "done")
    views = page.get_by_role("textbox", name="Views, value")
    views.fill("3")
    views.press("Enter")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.pl-table th')].some(th => th.textContent.includes('120°'))"
    )
    table = shown_table(page)
    looked = stem.look_around(stem.OneParticle(views=3))
    column = table[0].index("120°")
    shown = [float(row[column]) for row in table[1:]]
    np.testing.assert_allclose(shown, looked.projections[2][: len(shown)], atol=0.006)


def test_an_uploaded_table_gets_the_probabilities_of_the_library(opened):
    x = stem.draw("one view", 6, 0, "upload").x
    text = "\n".join(",".join(f"{value:.6f}" for value in views[0]) for views in x)
    page = opened(HOLES).page
    page.get_by_role("tab", name="Measure your own", exact=True).click()
    page.locator("input[type=file]").set_input_files(
        {"name": "mine.csv", "mimeType": "text/csv", "buffer": text.encode()}
    )
    page.get_by_text("Using mine.csv").wait_for()
    status(page, "done")
    expected, _ = stem.measure(x)
    table = shown_table(page)
    column = next(k for k, heading in enumerate(table[0]) if re.fullmatch("probability[ _]hole", heading))
    np.testing.assert_allclose([float(row[column]) for row in table[1:]], expected.probability_hole, atol=0.006)
