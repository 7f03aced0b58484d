"""The dashboards of micrographs: what they show is what the library finds."""

import io

import pytest
from PIL import Image

from particlelab import micrographs
from particlelab.lab.results import format_value

RECIPES, DETECTION = "30_micrographs_recipes", "31_micrographs_detection"
SIMILARITY, FITTING, ANONYMISE = "32_micrographs_similarity", "33_micrographs_fitting", "34_micrographs_anonymise"
NOTEBOOKS = {
    RECIPES: {"pictures": 1, "frame_px": 192},
    DETECTION: {"judged": ["beads"], "images": 1},
    SIMILARITY: {"pictures": 4, "real_pictures": 3, "resamples": 100},
    FITTING: {"recognised": 1, "steps": 2, "geometry_steps": 2, "hybrid_steps": 2},
    ANONYMISE: {"own_sets": 8, "attacked_sets": 2, "own_pictures": 16, "attacked_pictures": 4, "judged_pictures": 2},
}


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_everything_runs_without_an_error_or_a_request_to_the_internet(check_runs, notebook):
    check_runs(notebook)


def test_another_seed_is_the_micrograph_of_the_library(opened, status):
    page = opened(RECIPES).page
    status(page, "done")
    table = micrographs.look(micrographs.OneMicrograph(seed=3)).micrograph.table
    seed = page.get_by_role("spinbutton", name="Seed")
    seed.fill("3")
    seed.press("Enter")
    page.get_by_text(f"{len(table)} particles, {table.cut.sum()} of them cut by the frame").wait_for()


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


def test_an_uploaded_micrograph_is_measured_as_the_library_measures_it(opened, status):
    page = opened(DETECTION).page
    status(page, "done")
    image = micrographs.synthesise(micrographs.load_recipe("beads").reframe(256), 5).image
    Image.fromarray(image).save(file := io.BytesIO(), "PNG")
    _, summary = micrographs.measure(image, pixel_size_nm=1.0)
    row = summary.set_index("quantity").loc["geometric_mean"]
    page.get_by_role("tab", name="Measure your own").click()
    page.locator("input[type=file]").first.set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    page.get_by_text("Using mine.png").wait_for()
    page.get_by_text(f"geometric_mean {format_value(row.value, (row.low, row.high), 'nm')}").wait_for()
