"""The dashboard of generators: what it shows is what the library draws."""

from particlelab import sedimentation

NOTEBOOK = "36_sedimentation_generate"
NOTEBOOKS = {NOTEBOOK: {"drawn": 1, "coefficients": 2}}


def test_everything_runs_without_an_error_or_a_request_to_the_internet(check_runs):
    check_runs(NOTEBOOK)


def test_another_seed_is_the_spectrum_of_the_library(opened, status):
    page = opened(NOTEBOOK).page
    status(page, "done")
    parameters = sedimentation.OneDrawing(seed=3)
    told = sedimentation.tell_drawn(parameters, sedimentation.draw_one(parameters))
    seed = page.get_by_role("spinbutton", name="Seed")
    seed.fill("3")
    seed.press("Enter")
    page.get_by_text(told).wait_for()
