"""The dashboards of micrographs: what they show is what the library finds."""

import io

import numpy as np
import pytest
from PIL import Image

from particlelab import micrographs

RECIPES, DETECTION = "30_micrographs_recipes", "31_micrographs_detection"
NOTEBOOKS = {
    RECIPES: {"pictures": 1, "frame_px": 128},
    DETECTION: {"judged": ["beads"], "images": 1},
    "32_micrographs_similarity": {
        "pictures": 6,
        "picture_px": 128,
        "real_pictures": 4,
        "piece_px": 64,
        "iterations": 4,
        "resamples": 100,
    },
    "34_micrographs_anonymise": {
        "own_sets": 4,
        "attacked_sets": 3,
        "pictures": 1,
        "own_pictures": 12,
        "attacked_pictures": 8,
    },
}


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_everything_runs_without_an_error_or_a_request_to_the_internet(check_runs, notebook):
    check_runs(notebook)


def test_another_seed_is_another_micrograph(opened, status, shown_table):
    page = opened(RECIPES).page
    status(page, "done")
    seed = page.get_by_role("textbox", name="Seed, value")
    seed.fill("3")
    seed.press("Enter")
    expected = micrographs.look(micrographs.OneMicrograph(seed=3)).micrograph.table
    page.get_by_text(f"{len(expected)} particles, ").wait_for()
    table = shown_table(page)
    column = table[0].index("diameter (nm)") if "diameter (nm)" in table[0] else table[0].index("diameter_nm")
    shown = [float(row[column].replace(",", "")) for row in table[1:]]
    np.testing.assert_allclose(shown, expected.diameter_nm[: len(shown)], rtol=6e-3)


def test_an_uploaded_recipe_is_synthesised(opened, status, shown_table):
    page = opened(RECIPES).page
    status(page, "done")
    content = b"populations: [{shape: rod, number: 9, diameter_nm: 300}]"
    page.locator("input[type=file]").first.set_input_files(
        {"name": "mine.yaml", "mimeType": "application/yaml", "buffer": content}
    )
    page.get_by_text("Using mine.yaml").wait_for()
    page.wait_for_function("() => document.querySelector('.pl-table table')?.textContent.includes('rod')")


def test_an_uploaded_micrograph_is_measured_as_by_the_library(opened, status, shown_table):
    made = micrographs.synthesise("beads", 4)
    file = io.BytesIO()
    Image.fromarray(made.image).save(file, "png")
    page = opened(DETECTION).page
    page.get_by_role("tab", name="Measure your own", exact=True).click()
    page.locator("input[type=file]").set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    page.get_by_text("Using mine.png").wait_for()
    status(page, "done")
    expected, _ = micrographs.measure(made.image, 1.0)
    page.wait_for_function(f"() => document.body.textContent.includes('{len(expected)} ') ")
    table = shown_table(page)
    shown = [float(row[0]) for row in table[1:]]
    np.testing.assert_array_equal(shown, expected.instance[: len(shown)])
