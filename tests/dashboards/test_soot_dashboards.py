"""The dashboards of the soot notebooks: what they show follows what is asked of them, and is true."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage.measure import label as label_components

from particlelab import soot
from particlelab.randomness import generator
from particlelab.soot import figures

OVERVIEW, MEASURE, SIMULATE = "00_overview", "50_soot_measure_tem_images", "51_soot_simulate"
NOTEBOOKS = {
    OVERVIEW: {},
    MEASURE: {"simulated_images": 2, "classifiers": ["threshold"], "sizers": ["pcm"]},
    SIMULATE: {"aggregates": 4},
}
PIXEL_NM = 0.8
PICTURE = soot.Micrograph(
    aggregates=3, da_nm=120.0, pixel_size_nm=PIXEL_NM, width_px=640, height_px=640, allow_border=False, contaminants=0
)


@pytest.fixture(scope="module")
def simulated():
    """A micrograph as the bytes of a PNG file without any metadata, and its true table."""
    image, mask, _, table = soot.simulate_micrograph(PICTURE, generator(7, "upload"))
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue(), mask, table


def front(page, name):
    page.get_by_role("tab", name=name, exact=True).click()
    page.get_by_role("tab", name=name, exact=True, selected=True).wait_for()


def message(page):
    return page.locator(".pl-message:visible").inner_text()


def see(page, text):
    page.locator(".pl-message:visible", has_text=text).wait_for()


def column(table, name):
    place = table[0].index(name)
    return [row[place] for row in table[1:]]


def upload(page, name, content):
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "image/png", "buffer": content})


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def download(page, name):
    with page.expect_download() as waiting:
        page.get_by_role("button", name=f"Download {name}").locator("visible=true").click()
    return Path(waiting.value.path())


@pytest.fixture
def own(opened, simulated, set_pixel_size):
    """The tab of one's own micrograph, with the simulated one handed over and its true pixel size set."""
    page = opened(MEASURE).page
    front(page, "Measure your own")
    upload(page, "mine.png", simulated[0])
    page.get_by_text("Using mine.png").wait_for()
    set_pixel_size(page, PIXEL_NM)
    return page


@pytest.fixture
def set_pixel_size(status):
    """``set_pixel_size(page, value)``: set it by keyboard and wait for a picture of that scale."""

    def set_it(page, value):
        field = page.get_by_label("Pixel size (nm)").locator("visible=true")
        field.fill(str(value))
        field.press("Enter")
        page.wait_for_function(
            """width => [...document.querySelectorAll('.pl-figures .js-plotly-plot')].some(
                 f => f.offsetParent && Math.abs(f.layout?.xaxis?.range?.[1] / width - 1) < 1e-6)""",
            arg=(PICTURE.width_px - 0.5) * value,
        )
        status(page, "done")

    return set_it


@pytest.mark.parametrize(
    ("notebook", "tabs"),
    [
        (OVERVIEW, []),
        (MEASURE, ["Measure your own", "Examples"]),
        (SIMULATE, ["Micrograph", "Aggregate"]),
    ],
)
def test_every_tab_opens_without_an_error_or_a_request_to_the_internet(opened, notebook, tabs, status):
    visitor = opened(notebook)
    page = visitor.page
    for name in tabs:
        front(page, name)
        status(page, "ready" if name == "Measure your own" and page.get_by_text("Hand over").count() else "done")
    assert page.locator(".pl-figures:visible .js-plotly-plot .main-svg").count() > 0
    visitor.check()


@pytest.mark.parametrize("notebook", [MEASURE, SIMULATE])
def test_on_a_phone_nothing_runs_over_the_side(visit, site, notebook, status):
    visitor = visit(site, width=390, height=844)
    page = visitor.open(f"{notebook}.ipynb")
    status(page, "done")
    assert (
        page.locator(".pl-table").first.evaluate("e => e.getBoundingClientRect().right") <= 390
    )  # it scrolls by itself
    assert page.locator("#rendered_cells").evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    picture = page.locator(".pl-figures .js-plotly-plot").first.bounding_box()
    assert picture["height"] <= 1.2 * picture["width"]


# Simulated soot


def test_more_primaries_are_more_spheres_in_a_larger_aggregate(opened):
    page = opened(SIMULATE).page
    front(page, "Aggregate")
    slider = page.get_by_role("slider", name="Primaries").locator("visible=true")
    found = {}
    for key, n in (("Home", 1), ("End", 300)):
        slider.press(key)
        see(page, f"{n} spheres")
        # Euler: a closed triangulated surface has F = 2 V - 4 faces, n surfaces have 4 n less
        page.wait_for_function(
            """n => [...document.querySelectorAll('.pl-figures .js-plotly-plot')].some(figure => {
                 const mesh = figure.offsetParent && figure._fullData?.find(trace => trace.type === 'mesh3d');
                 return mesh && mesh.i.length === 2 * mesh.x.length - 4 * n; })""",
            arg=n,
        )
        found[n] = float(message(page).split()[-2])
    # N = kf (Rg / rp)^Df with kf = 1.3, Df = 1.78, dp = 25 nm; one sphere has sqrt(3/5) r
    assert found[300] == pytest.approx(12.5 * (300 / 1.3) ** (1 / 1.78), rel=0.15)
    assert found[300] > 10 * found[1]


def test_a_micrograph_shows_as_many_aggregates_as_were_asked_for(opened, status, shown_table):
    page = opened(SIMULATE).page
    front(page, "Micrograph")
    see(page, "3 aggregates")
    page.get_by_role("slider", name="Aggregates").locator("visible=true").press("Home")
    see(page, "0 aggregates")
    status(page, "done")
    assert shown_table(page)[1:] == []


# Measured soot


def test_another_micrograph_and_another_method_give_what_the_library_gives(opened, status, shown_table):
    survey = soot.Survey(**NOTEBOOKS[MEASURE])
    samples = soot.collect(None, survey)
    page = opened(MEASURE).page
    front(page, "Examples")
    for index, classifier in ((1, "otsu"), (1, "threshold"), (0, "threshold")):
        sample = samples[index]
        micrographs = page.get_by_role("group", name="Micrograph").locator("visible=true")
        micrographs.get_by_role("button", name=sample.name, exact=True).click()
        page.get_by_label("Classifier").locator("visible=true").select_option(figures.NAMES[classifier])
        found = soot.examine(sample.image, sample.pixel_size_nm, soot.measurement_of()(classifier=classifier))
        page.wait_for_function(
            """n => [...document.querySelectorAll('.pl-figures .js-plotly-plot')].some(f => f.offsetParent &&
                 JSON.stringify(Array.from(f._fullData?.find(t => t.mode === 'text')?.text ?? [], Number)) === n)""",
            arg=str(found.table.label.tolist()).replace(" ", ""),
        )
        status(page, "done")
        assert column(shown_table(page), "n pixels") == [str(n) for n in found.table.n_pixels]


def test_only_the_options_of_the_methods_chosen_are_offered(opened):
    page = opened(MEASURE).page
    front(page, "Examples")
    titles = page.locator(".jupyter-widget-Collapse-header:visible")
    sizer = page.get_by_label("Sizer").locator("visible=true")
    for choice, other in (("Hough", "PCM"), ("PCM", "Hough")):
        sizer.select_option(choice)
        titles.filter(has_text=choice).wait_for()
        assert titles.filter(has_text=other).count() == 0


def test_an_uploaded_micrograph_is_measured_truly_and_its_table_downloads(own, simulated, shown_table):
    _, mask, truth = simulated
    table = shown_table(own)
    assert len(table) - 1 == len(truth) == label_components(mask, connectivity=2).max()
    da = np.array(column(table, "da (nm)"), float)
    np.testing.assert_allclose(np.sort(da), np.sort(truth.da_nm), rtol=0.05)
    downloaded = pd.read_csv(download(own, "aggregates.csv"))
    np.testing.assert_allclose(downloaded.da_nm, da, rtol=1e-3)
    assert column(table, "n pixels") == [str(n) for n in downloaded.n_pixels]


def test_twice_the_pixel_size_is_twice_the_diameter(own, shown_table, set_pixel_size):
    before = np.array(column(shown_table(own), "da (nm)"), float)
    set_pixel_size(own, 2 * PIXEL_NM)
    after = np.array(column(shown_table(own), "da (nm)"), float)
    # lengths of the classifier are in nm, so that the mask of coarser pixels differs a little
    np.testing.assert_allclose(after, 2 * before, rtol=0.03)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("disguised.png", b"<script>alert(1)</script>", "not what its name says"),
        ("cut.png", png(np.zeros((64, 64), np.uint8))[:40], "could not be read"),
        ("one_pixel.png", png(np.full((1, 1), 7, np.uint8)), "1 x 1|too small|at least"),
        ("one_colour.png", png(np.full((64, 64), 7, np.uint8)), "one|constant|same"),
    ],
)
def test_what_cannot_be_measured_is_told_in_words_and_the_picture_stays(own, name, content, words, shown_table):
    before = shown_table(own)
    upload(own, name, content)
    told = own.locator(".pl-left .pl-error:visible, .pl-status-line:visible:has(.pl-error)")
    told.filter(has_text=re.compile(words)).first.wait_for()
    assert shown_table(own) == before
    assert own.locator(".pl-figures:visible .js-plotly-plot .main-svg").count() > 0
