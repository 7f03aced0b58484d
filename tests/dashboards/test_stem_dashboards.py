"""The dashboards of STEM particles: what they show is what the library finds."""

import re

import numpy as np
import pytest

from particlelab import stem

SIMULATE, HOLES = "20_stem_simulate_projections", "21_stem_holes"
FEW = {"validation_particles": 400}
NOTEBOOKS = {
    SIMULATE: {"particles": 100},
    HOLES: {"experiments": ["one view", "two views"], "populations": 10, "bayes_particles": 2, **FEW},
    "22_stem_chirality": {"experiments": ["chirality", "chirality, a third category"], "bayes_particles": 2, **FEW},
    "23_stem_transfer_and_dual": {"experiments": ["holes, seen like spirals", "holes, after spirals", "both"], **FEW},
}


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_everything_runs_without_an_error_or_a_request_to_the_internet(check_runs, notebook):
    check_runs(notebook)


def test_one_more_view_is_one_more_projection(opened, status, shown_table):
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


def test_an_uploaded_table_gets_the_probabilities_of_the_library(opened, status, shown_table):
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
