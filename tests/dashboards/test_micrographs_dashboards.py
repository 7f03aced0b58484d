"""The dashboards of micrographs: they run, and show what is handed over."""

import pytest

RECIPES, DETECTION = "30_micrographs_recipes", "31_micrographs_detection"
NOTEBOOKS = {
    RECIPES: {"pictures": 1, "frame_px": 192},
    DETECTION: {"judged": ["beads"], "images": 1},
}


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_everything_runs_without_an_error_or_a_request_to_the_internet(check_runs, notebook):
    check_runs(notebook)


def test_an_uploaded_recipe_is_synthesised(opened, status, shown_table):
    page = opened(RECIPES).page
    status(page, "done")
    content = b"populations: [{shape: rod, number: 9, diameter_nm: 300}]"
    page.locator("input[type=file]").first.set_input_files(
        {"name": "mine.yaml", "mimeType": "application/yaml", "buffer": content}
    )
    page.get_by_text("Using mine.yaml").wait_for()
    page.wait_for_function("() => document.querySelector('.pl-table table')?.textContent.includes('rod')")
    table = shown_table(page)
    assert {row[table[0].index("shape")] for row in table[1:]} == {"rod"}
