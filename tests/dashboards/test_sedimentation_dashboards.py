"""The dashboard of simulated spectra: what it shows is what the library simulates."""

from particlelab import sedimentation

NOTEBOOK = "35_sedimentation_simulate"
NOTEBOOKS = {NOTEBOOK: {"lum_share": 0.02, "lfg_step_svedberg": 50_000.0, "examples": 1, "size_px": 64}}


def test_everything_runs_without_an_error_or_a_request_to_the_internet(check_runs):
    check_runs(NOTEBOOK)


def test_lighter_particles_cream_as_in_the_library(opened, status):
    page = opened(NOTEBOOK).page
    status(page, "done")
    stands = {"rpm": 10**3.48, "diffusion_cm2_s": 10**-7.4}  # sliders stand at hundredths of a logarithm
    asked = sedimentation.Simulation(direction="creaming", **stands)
    told = sedimentation.tell_simulated(sedimentation.simulate_cell(asked))
    page.get_by_label("What particles do").select_option("cream")
    page.get_by_text(told).wait_for()
