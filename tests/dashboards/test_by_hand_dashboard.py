"""Masks by hand in a browser: what is dragged, painted and saved is what the library makes of the same steps."""

import base64
import io
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from particlelab import soot
from particlelab.lab import folders
from particlelab.measure import intersection_over_union

NAME = "54_soot_by_hand"
PATIENCE_MS = 300_000  # training included; nothing is claimed about it
SAMPLES = soot.simulate_by_hand(soot.ByHand())


@pytest.fixture(scope="module")
def site(serve, tmp_path_factory):
    """The notebook down to its dashboards, without real images."""
    folder = tmp_path_factory.mktemp("by_hand")
    notebook = nbformat.read(folders.notebooks() / f"{NAME}.ipynb", as_version=4)
    last = max(i for i, cell in enumerate(notebook.cells) if "tabs(" in cell.source)
    notebook.cells = notebook.cells[: last + 1]
    nbformat.write(notebook, folder / f"{NAME}.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARTICLELAB_CACHE", str(folder / "cache"))
        patch.setenv("PARTICLELAB_DATA", str(folder))
        return serve([folder / f"{NAME}.ipynb"])


def opened(visitor):
    visitor.context.set_default_timeout(PATIENCE_MS)
    visitor.page.goto(visitor.site.address(NAME + ".ipynb"))
    visitor.page.wait_for_selector(".pl-canvas-picture")
    visitor.page.wait_for_selector(".voila-skeleton-container", state="detached")
    settle(visitor.page)
    return visitor.page


@pytest.fixture(scope="module")
def shared(new_visitor, site):
    visitor = new_visitor(site)
    opened(visitor)
    yield visitor
    visitor.close()


@pytest.fixture
def page(shared):
    yield shared.page
    assert shared.external == shared.errors == []


def settle(page):
    page.locator(".pl-status-line:visible .pl-state:not(.pl-working)").wait_for()


def see(page, text):
    page.locator(".pl-canvas-said:visible, .pl-message:visible", has_text=text).wait_for()


def front(page, tab, picture="simulated 1"):
    page.get_by_role("tab", name=tab, exact=True).click()
    page.get_by_role("tab", name=tab, exact=True, selected=True).wait_for()
    settle(page)
    page.get_by_label("Picture", exact=True).locator("visible=true").select_option(picture)
    page.get_by_role("button", name=f"Save {picture}_mask.png").locator("visible=true").wait_for()
    settle(page)


def button(page, name):
    return page.get_by_role("button", name=name, exact=True).locator("visible=true")


def drag(page, points):
    """Draw a line through points (x, y) of the picture, in its pixels."""
    canvas = page.locator(".pl-canvas-stage:visible")
    canvas.scroll_into_view_if_needed()
    box, side = canvas.bounding_box(), SAMPLES[0].image.shape[1]
    places = [(box["x"] + x * box["width"] / side, box["y"] + y * box["height"] / side) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def saved(page, name):
    with page.expect_download() as waiting:
        button(page, f"Save {name}").click()
    assert waiting.value.suggested_filename == name
    return Path(waiting.value.path())


def saved_mask(page, picture="simulated 1"):
    return np.asarray(Image.open(saved(page, f"{picture}_mask.png"))) > 0


def shown_mask(page, name="Mask"):
    """The mask as the browser draws it over the picture."""
    data = page.evaluate(
        """name => {
          const mask = [...document.querySelectorAll('.pl-canvas-masks img')].find(
            image => image.dataset.name === name && image.offsetParent);
          const sheet = Object.assign(document.createElement('canvas'),
            {width: mask.naturalWidth, height: mask.naturalHeight});
          sheet.getContext('2d').drawImage(mask, 0, 0);
          return sheet.toDataURL('image/png');
        }""",
        name,
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))))[..., 3] > 0


def steps(page, count, picture="simulated 1"):
    """The steps as they are saved, once there are so many and the mask that they make is shown."""
    found = []
    while len(found) != count:
        found = soot.read_selections(saved(page, f"{picture}_mask.json"))
    settle(page)
    return found


def test_a_region_is_dragged_its_threshold_turned_the_mask_made_undone_and_saved(page):
    front(page, "Slider")
    image = SAMPLES[0].image
    drag(page, [(100, 90), (360, 300)])
    see(page, "Region: rows 90 to 300, columns 100 to 360")
    region = soot.Selection(top=90, left=100, bottom=300, right=360)
    suggested = region.replace(threshold=round(soot.suggest_threshold(image, region), 2))
    slider = page.get_by_role("slider", name="Threshold").locator("visible=true")
    page.wait_for_function(
        "([slider, value]) => Math.abs(slider.ariaValueText - value) < 0.001",
        arg=[slider.element_handle(), suggested.threshold],
    )
    settle(page)
    button(page, "Add to the mask").click()
    [first] = steps(page, 1)
    assert first == suggested
    mask = saved_mask(page)
    assert mask.any()
    np.testing.assert_array_equal(mask, soot.apply_selections(image, [first]))
    np.testing.assert_array_equal(shown_mask(page), mask)

    slider.press("ArrowRight")
    button(page, "Remove from the mask").click()
    [_, second] = steps(page, 2)
    assert second.threshold > first.threshold and second.action == "remove"
    rest = saved_mask(page)
    np.testing.assert_array_equal(rest, soot.apply_selections(image, [first, second]))
    np.testing.assert_array_equal(shown_mask(page), rest)
    assert 0 < rest.sum() < mask.sum()

    button(page, "Undo").click()
    assert steps(page, 1) == [first]
    np.testing.assert_array_equal(saved_mask(page), mask)
    np.testing.assert_array_equal(shown_mask(page), mask)
    page.get_by_label("Mask", exact=True).locator("visible=true").uncheck()
    assert page.locator(".pl-canvas-masks img[data-name=Mask]:visible").count() == 0


def test_the_mask_is_measured_as_the_library_measures_it(page):
    front(page, "Slider", "simulated 2")
    drag(page, [(2, 2), (766, 766)])
    see(page, "Region: rows")
    settle(page)
    button(page, "Add to the mask").click()
    steps(page, 1, "simulated 2")
    mask = saved_mask(page, "simulated 2")
    button(page, "Measure").click()
    see(page, "aggregates of at least")
    table, _ = soot.measure(SAMPLES[1].image, SAMPLES[1].pixel_size_nm, mask, intervals="counts")
    rows = page.locator(".pl-table table:visible").first.evaluate("t => t.rows.length")
    assert rows - 1 == len(table) > 0


def test_a_region_is_chosen_and_given_up_by_keyboard(page):
    front(page, "Slider")
    view = page.locator(".pl-canvas-view:visible")
    view.focus()
    view.press("Enter")
    for key in ("Shift+ArrowRight", "Shift+ArrowDown", "ArrowDown"):
        view.press(key)
    view.press("Enter")
    see(page, re.compile(r"Region: rows 384 to \d+, columns 384 to \d+"))
    view.press("Escape")
    see(page, "No region")
    view.press("+")
    assert page.locator(".pl-canvas-stage:visible").bounding_box()["width"] > view.bounding_box()["width"]
    view.press("0")


def inside(mask, rng):
    return [line.tolist() for line in soot.strokes_within(mask, 6, 14, rng)]


def test_strokes_train_a_classifier_that_is_saved_and_classifies_other_pictures(page, tmp_path):
    front(page, "Train a classifier")
    truth = SAMPLES[0].mask
    rng = np.random.default_rng(4)
    for kind, part in (("Background", ~truth), ("Soot", truth)):
        button(page, kind).click()
        for line in inside(part, rng):
            drag(page, line[::5])
    see(page, "12 strokes")
    drag(page, [(1, 1), (300, 300)])
    see(page, "13 strokes")
    button(page, "Undo").click()
    see(page, "12 strokes")
    button(page, "Train").click()
    page.wait_for_selector(".pl-canvas-masks img[data-name=Mask]:visible", state="attached")
    settle(page)
    mask = saved_mask(page)
    np.testing.assert_array_equal(shown_mask(page), mask)
    assert intersection_over_union(truth, mask) > 0.7

    path = tmp_path / "mine.safetensors"
    path.write_bytes(saved(page, "simulated 1_classifier.safetensors").read_bytes())
    classifier = soot.load_pixel_classifier(path)
    p = soot.Painting()
    for sample in SAMPLES:
        front(page, "Train a classifier", sample.name)
        likely = classifier.probability(sample.image) > p.probability
        expected = soot.rolling_ball(likely, sample.pixel_size_nm, p.minimum_pixels, p.closing_nm)
        np.testing.assert_array_equal(saved_mask(page, sample.name), expected)
    labelled = classifier.card["data"]["labelled pixels"]
    assert min(labelled.values()) > 100


def test_without_strokes_it_says_what_is_missing(page):
    front(page, "Train a classifier")
    button(page, "Clear").click()
    see(page, "0 strokes")
    button(page, "Train").click()
    line = page.locator(".pl-status-line:visible", has_text="Nothing is painted yet")
    line.wait_for()
    assert "error" in line.inner_text()


def test_a_picture_of_one_s_own_is_marked_and_its_files_bear_its_name(page):
    front(page, "Slider")
    file = io.BytesIO()
    Image.fromarray(SAMPLES[1].image).save(file, "PNG")
    upload = {"name": "mine.png", "mimeType": "image/png", "buffer": file.getvalue()}
    page.locator("input[type=file]").first.set_input_files(upload)
    button(page, "Save mine_mask.png").wait_for()
    settle(page)
    button(page, "Add to the mask").click()
    taken = steps(page, 1, "mine")
    np.testing.assert_array_equal(saved_mask(page, "mine"), soot.apply_selections(SAMPLES[1].image, taken))


def test_everything_has_a_name_for_screen_readers(page):
    front(page, "Train a classifier")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll(
             ':is(.pl-canvas, .pl-actions, .pl-downloads) :is(button, input, [tabindex="0"])')]
           .filter(e => !(e.ariaLabel || e.labels?.[0]?.textContent.trim() || e.textContent.trim()))
           .map(e => e.outerHTML.slice(0, 200))"""
    )
    assert nameless == []
    assert page.locator(".pl-canvas-button[aria-pressed=true]:visible").count() == 1


def test_on_a_phone_a_finger_paints_and_nothing_runs_over_the_side(visit, site):
    visitor = visit(site, width=390, height=844)
    page = opened(visitor)
    front(page, "Train a classifier")
    assert page.locator("#rendered_cells").evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    view = page.locator(".pl-canvas-view:visible")
    view.scroll_into_view_if_needed()
    box = view.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    view.evaluate(
        """(view, box) => {
          const send = (kind, x) => view.dispatchEvent(new PointerEvent(kind, {pointerId: 1, pointerType: 'touch',
            isPrimary: true, bubbles: true, clientX: box.x + x * box.width, clientY: box.y + box.height / 2}));
          view.setPointerCapture = () => {};  // no such finger is on the screen
          send('pointerdown', 0.2);
          for (const x of [0.3, 0.4, 0.5]) send('pointermove', x);
          send('pointerup', 0.5);
        }""",
        box,
    )
    see(page, "1 stroke")
    assert visitor.external == visitor.errors == []
