"""The dashboards of aerosol clouds: what they show is what the library finds."""

import cv2
import numpy as np
import pytest

from particlelab import aerosol

CLOUDS, DATASET, SEGMENTATION = "10_aerosol_clouds", "11_aerosol_dataset", "12_aerosol_segmentation"
NOTEBOOKS = {
    CLOUDS: {"strengths": [1.0, 15.0], "repeats": 1, "chance_repeats": 3, "frames": 6, "grid": 16},
    DATASET: {"people": 2, "simulations": 2, "first_simulations": 1, "frames": 6, "grid": 16},
    SEGMENTATION: {"people": 3, "frames": 6, "grid": 16},
}


def shown_sizes(table):
    """The cloud sizes of a table that is shown, or of its first rows."""
    at = next(k for k, heading in enumerate(table[0]) if heading.lower().startswith("cloud size"))
    return np.array([float(row[at].replace("–", "nan")) for row in table[1:]])


def settled_sizes(page, shown_table, expected):
    """The sizes that stand in the table as soon as they are the expected ones, or after a minute."""
    for _ in range(240):
        shown = shown_sizes(shown_table(page))
        if shown.size and near(shown, expected):
            break
        page.wait_for_timeout(250)
    return shown


def near(shown, expected):
    """Whether sizes are those of the first rows, to what a table shows of them."""
    first = expected[: len(shown)]
    return len(first) == len(shown) and np.allclose(shown, first, atol=0.06, rtol=0.01, equal_nan=True)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_everything_runs_without_an_error_or_a_request_to_the_internet(check_runs, notebook):
    check_runs(notebook)


def test_another_simulation_is_the_one_of_the_library(opened, status, shown_table):
    page = opened(DATASET).page
    status(page, "done")
    number = page.get_by_role("textbox", name="Simulation, value")
    number.fill("3")
    number.press("Enter")
    expected = aerosol.pick(aerosol.Picked(simulation=3)).table["Cloud Size"].to_numpy()
    shown = settled_sizes(page, shown_table, expected)
    assert shown.size and near(shown, expected)


def test_another_strength_is_the_cloud_of_the_library(opened, status, shown_table):
    page = opened(CLOUDS).page
    status(page, "done")
    strength = page.get_by_role("textbox", name="Strength of the turbulence, value")
    strength.fill("1")
    strength.press("Enter")
    expected = aerosol.watch(aerosol.Breath(strength=1.0)).table["Cloud Size"].to_numpy()
    shown = settled_sizes(page, shown_table, expected)
    assert shown.size and near(shown, expected)


def test_an_uploaded_film_has_the_sizes_of_the_library(opened, status, shown_table, tmp_path):
    watched = aerosol.watch(aerosol.Breath(person=7, grid=24))
    frames = np.concatenate([np.repeat(watched.background[None], 4, axis=0), watched.images])
    path = tmp_path / "mine.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), 25, frames.shape[2:0:-1])
    for frame in frames:
        video.write(np.ascontiguousarray(frame[..., ::-1]))
    video.release()
    visitor = opened(SEGMENTATION)
    page = visitor.page
    page.get_by_role("tab", name="Measure your own", exact=True).click()
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_text("Using mine.avi").wait_for()
    status(page, "done")
    alone = aerosol.measure(frames, frame_time_s=0.04)[0].cloud_size_percent.to_numpy()
    shown = settled_sizes(page, shown_table, alone)
    assert shown.size and near(shown, alone)
    field = page.get_by_role("spinbutton", name="Empty frames")
    field.fill("4")
    field.press("Enter")
    told = aerosol.measure(frames, frame_time_s=0.04, empty_frames=4)[0].cloud_size_percent.to_numpy()
    shown = settled_sizes(page, shown_table, told)
    assert shown.size and near(shown, told) and not near(shown, alone)
    visitor.check()
