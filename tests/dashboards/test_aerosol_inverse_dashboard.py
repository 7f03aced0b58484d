"""The dashboard of strength and wind: what it shows is what the library finds."""

import numpy as np

from particlelab import aerosol

INVERSE = "15_aerosol_inverse"
NOTEBOOKS = {INVERSE: {"series": 4, "frames_compared": [30], "workers": 1}}


def test_everything_runs_without_an_error_or_a_request_to_the_internet(check_runs):
    check_runs(INVERSE)


def test_another_breath_has_the_interval_of_the_library(opened, status, shown_table):
    page = opened(INVERSE).page
    status(page, "done")
    frames = page.get_by_role("textbox", name="Frames, value")
    frames.fill("12")
    frames.press("Enter")
    expected = aerosol.answer(aerosol.Question(frames=12)).table
    wanted = expected[expected.parameter == "strength"][["median", "lower", "upper"]].to_numpy()
    for _ in range(480):
        head, *rows = shown_table(page)
        at = [head.index(name) for name in ("median", "lower", "upper")]
        found = np.array([[float(row[k]) for k in at] for row in rows if "strength" in row])
        if np.allclose(found, wanted, rtol=0.01):
            break
        page.wait_for_timeout(250)
    np.testing.assert_allclose(found, wanted, rtol=0.01)
