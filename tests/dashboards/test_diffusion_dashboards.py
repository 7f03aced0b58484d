"""The dashboards of diffusion: what they show is what the library finds."""

import io

import numpy as np
import pytest
import tifffile

from particlelab import diffusion
from particlelab.randomness import generator

SIMULATE, TRAIN, COMPARE, MEASURE = (
    "40_diffusion_simulate",
    "41_diffusion_train",
    "42_diffusion_compare",
    "43_diffusion_real_images",
)
NOTEBOOKS = {
    SIMULATE: {"movies": 10, "paths": 100},
    TRAIN: {"movies": 10},
    COMPARE: {"movies": 10, "photons_compared": [500.0], "frames_compared": [16]},
    MEASURE: {"images": "simulated", "molecules": 3, "refine": False},
}


def numbers(table, name):
    """The numbers of a column of a table."""
    at = next(k for k, heading in enumerate(table[0]) if heading.startswith(name))
    return [float(row[at]) for row in table[1:]]


@pytest.mark.parametrize("notebook", [SIMULATE, TRAIN, COMPARE])
def test_everything_runs_without_an_error_or_a_request_to_the_internet(check_runs, notebook):
    check_runs(notebook)


def test_another_molecule_has_the_estimates_of_the_library(opened, status, shown_table):
    page = opened(SIMULATE).page
    status(page, "done")
    seed = page.get_by_role("textbox", name="Seed, value")
    seed.fill("5")
    seed.press("Enter")
    stands = {"diffusion_um2_s": 10**0.3, "photons": 10**2.7}  # sliders stand at hundredths of a logarithm
    expected = diffusion.watch(diffusion.OneMovie(seed=5, **stands)).estimates.diffusion_um2_s
    for _ in range(240):
        if np.allclose(numbers(shown_table(page), "diffusion"), expected, rtol=1e-3):
            break
        page.wait_for_timeout(250)
    np.testing.assert_allclose(numbers(shown_table(page), "diffusion"), expected, rtol=1e-3)


def test_an_uploaded_movie_gets_the_diffusion_of_the_library(opened, status, shown_table):
    imaging = diffusion.Imaging(frames=20, size=96)
    movie = diffusion.simulate_together(np.full(3, 0.3), imaging, generator(8, "upload")).frames
    content = io.BytesIO()
    tifffile.imwrite(content, movie)
    visitor = opened(MEASURE)
    page = visitor.page
    page.get_by_role("tab", name="Measure your own", exact=True).click()
    page.locator("input[type=file]").set_input_files(
        {"name": "mine.tif", "mimeType": "image/tiff", "buffer": content.getvalue()}
    )
    page.get_by_text("Using mine.tif").wait_for()
    status(page, "done")
    page.locator(".pl-message:visible", has_text="pixels of 100 nm (given), exposures of 0.01 s (given)").wait_for()
    expected, _ = diffusion.measure(movie, pixel_size_nm=100.0, exposure_s=0.01, refine=False)
    np.testing.assert_allclose(numbers(shown_table(page), "diffusion"), expected.diffusion_um2_s, rtol=0.01)
    visitor.check()
