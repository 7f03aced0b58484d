"""The dashboards over the trained network and over all classifiers: what they show is what the library finds."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from particlelab import soot
from particlelab.soot import figures

TRAIN, COMPARE = "52_soot_train_cnn", "53_soot_compare_classifiers"
NOTEBOOKS = {
    TRAIN: {"images": 1, "image_px": 256, "aggregates": 2, "hard_image_px": 256},
    COMPARE: {
        "classifiers": ["cnn", "cnn + RB", "cnn + RB + 1000 px", "threshold"],
        "sizers": ["pcm", "edm_ws"],
        "images": 3,
        "width_px": 512,
        "height_px": 512,
        "pictures": 1,
    },
}


def see(page, pattern):
    """The message in front, once it says what is waited for."""
    line = page.locator(".pl-message:visible", has_text=re.compile(pattern))
    line.wait_for()
    return line.inner_text()


@pytest.mark.parametrize("notebook", [TRAIN, COMPARE])
def test_everything_runs_without_an_error_or_a_request_to_the_internet(check_runs, notebook):
    check_runs(notebook)


def test_a_hard_image_is_scored_as_the_library_scores_it(opened, status, shown_table):
    page = opened(COMPARE).page
    status(page, "done")
    shown = ["cnn + RB + 1000 px", "threshold"]
    found = soot.compare([soot.simulate_hard_image(soot.HardImage())], shown, []).segmentations
    table = shown_table(page)
    names = [row[table[0].index("classifier")] for row in table[1:]]
    assert names == [figures.NAMES[c] for c in found.classifier]
    iou = next(k for k, heading in enumerate(table[0]) if heading.lower() == "iou")
    np.testing.assert_allclose([float(row[iou]) for row in table[1:]], found.iou, atol=0.006)


def test_less_contrast_is_a_lower_score(opened, status):
    page = opened(COMPARE).page
    status(page, "done")
    before = float(see(page, r"IoU \d").split()[-1])
    value = page.get_by_role("textbox", name="Attenuation (nm), value")
    value.fill("1500")
    value.press("Enter")
    page.wait_for_function(
        """before => [...document.querySelectorAll('.pl-message')].some(
             m => m.offsetParent && m.textContent.includes('IoU') && !m.textContent.includes(before))""",
        arg=f"{before:.3f}",
    )
    assert float(see(page, r"IoU \d").split()[-1]) < before


def test_an_upload_gets_the_mask_of_the_library(opened, status, shown_table):
    sample = soot.simulate_hard_image(soot.HardImage(size_px=320, seed=2))
    file = io.BytesIO()
    Image.fromarray(sample.image).save(file, "PNG")
    page = opened(TRAIN).page
    page.get_by_role("tab", name="Your own micrograph", exact=True).click()
    page.locator("input[type=file]").set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": file.getvalue()}
    )
    page.get_by_text("Using mine.png").wait_for()
    status(page, "done")
    mask = soot.load_segmenter().probability(sample.image, pixel_size_nm=0.536) > 0.5
    options = soot.CNN()
    mask = soot.rolling_ball(mask, 0.536, options.minimum_pixels, options.closing_nm)
    table = shown_table(page)
    column = table[0].index("n pixels")
    assert [int(row[column]) for row in table[1:]] == soot.analyse_aggregates(mask, 0.536).n_pixels.tolist()
