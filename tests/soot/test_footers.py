"""Footers that are drawn are found, and their labels are read rightly or not at all."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from particlelab.randomness import generator
from particlelab.soot.footers import Footer, crop_footer, find_footer
from particlelab.soot.micrographs import Micrograph, simulate_micrograph

NOISE = np.clip(170 + 8 * generator(0, "footers").normal(size=(300, 500)), 0, 255).astype(np.uint8)


def fonts():
    """Pillow's own font, which the reader is made with, and others where they are installed."""
    found = [pytest.param(ImageFont.load_default, id="Pillow")]
    for name in ("DejaVuSans", "DejaVuSans-Bold", "LiberationSans-Regular", "LiberationSans-Bold", "DejaVuSerif"):
        try:
            ImageFont.truetype(f"{name}.ttf", 20)
        except OSError:
            continue
        found.append(pytest.param(lambda size, name=name: ImageFont.truetype(f"{name}.ttf", size), id=name))
    return found


def with_footer(text, font=ImageFont.load_default, size=24, dark=False, length=180, layout="beside", image=NOISE):
    height = max(30, 2 * size)
    paper, pen_grey = (0, 255) if dark else (255, 0)
    footer = Image.new("L", (image.shape[1], height), paper)
    pen = ImageDraw.Draw(footer)
    left, right, middle = 30, 30 + length - 1, height // 2
    if layout == "beside":
        pen.rectangle((left, middle - 2, right, middle + 2), fill=pen_grey)
        pen.text((right + 15, middle), text, pen_grey, font(size), anchor="lm")
    else:  # two lines with end marks, the label between them
        for start, stop, mark in [(left, left + 45, left), (right - 45, right, right)]:
            pen.line((start, middle, stop, middle), pen_grey, 2)
            pen.line((mark, middle - 7, mark, middle + 7), pen_grey, 1)
        pen.text(((left + right) / 2, middle), text, pen_grey, font(size), anchor="mm")
        pen.text((right + 100, middle), "HV 200 kV", pen_grey, font(size), anchor="lm")
    return np.vstack([image, np.asarray(footer)])


LABELS = [
    ("100 nm", 100),
    ("50nm", 50),
    ("0.2 um", 200),
    ("1 um", 1000),
    ("400 nm", 400),
    ("700 nm", 700),
    ("30 nm", 30),
]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [16, 24, 40])
@pytest.mark.parametrize("font", fonts())
def test_labels_are_read_rightly_or_not_at_all(font, size, dark):
    for text, nm in LABELS:
        footer = find_footer(with_footer(text, font, size, dark))
        assert footer.row == len(NOISE) and abs(footer.bar_px - 180) <= 1
        assert footer.label_nm in (None, nm)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("layout", ["beside", "around"])
@pytest.mark.parametrize(("text", "nm"), LABELS)
def test_plain_labels_are_read(text, nm, layout, dark):
    footer = find_footer(with_footer(text, dark=dark, layout=layout))
    assert footer.label_nm == nm and footer.pixel_size_nm == pytest.approx(nm / 180, rel=0.01)


@pytest.mark.parametrize("text", ["", "200 kV", "nm", "100", "100 mm", "12 34 nm", "37 nm", "012 nm", "x100 nm"])
def test_what_is_no_length_is_not_read(text):
    footer = find_footer(with_footer(text))
    assert footer.bar_px == 180 and footer.label_nm is None and footer.pixel_size_nm is None


def test_two_different_readings_are_none():
    image = with_footer("100 nm")
    footer = Image.fromarray(image[len(NOISE) :])
    ImageDraw.Draw(footer).text((300, 24), "50 nm", 0, ImageFont.load_default(20), anchor="lm")
    assert find_footer(np.vstack([NOISE, np.asarray(footer)])).label_nm is None


def test_a_footer_without_a_bar():
    blank = np.vstack([NOISE, np.full((30, 500), 255, np.uint8)])
    assert find_footer(blank) == Footer(len(NOISE), None, None)
    np.testing.assert_array_equal(crop_footer(blank), NOISE)


def test_compressed_and_16_bit_images():
    file = io.BytesIO()
    image = with_footer("200 nm")
    Image.fromarray(image).save(file, "JPEG", quality=90)
    for variant in (np.asarray(Image.open(file)), image.astype(np.uint16) * 257, image / 255.0):
        footer = find_footer(variant)
        assert (footer.row, footer.label_nm) == (len(NOISE), 200) and abs(footer.bar_px - 180) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_simulated_micrographs(seed):
    plain = Micrograph(aggregates=2, width_px=400, height_px=400)
    image = simulate_micrograph(plain, generator(seed, "footer")).image
    assert find_footer(image) is None
    np.testing.assert_array_equal(crop_footer(image), image)
    footer = find_footer(simulate_micrograph(plain.replace(scale_bar=True), generator(seed, "footer")).image)
    assert footer.row == 400 - 28 and footer.pixel_size_nm in (None, pytest.approx(0.8, rel=0.01))
    assert footer.bar_px == 125  # 100 nm


@pytest.mark.parametrize(
    "image",
    [
        np.full((100, 100), 7.0),
        np.zeros((5, 5)),
        np.zeros((0, 4)),
        np.zeros((90, 0)),
        np.full((90, 90), np.nan),
        np.add.outer(np.arange(200.0), np.zeros(200)),
        np.where(np.arange(200)[:, None] > 60, 255, NOISE[:200, :200]),  # two thirds white: no footer
        NOISE,
    ],
)
def test_no_false_alarms(image):
    assert find_footer(image) is None


def test_bad_shape():
    with pytest.raises(ValueError, match=r"got shape \(4, 4, 3\)"):
        find_footer(np.zeros((4, 4, 3)))


@pytest.mark.skipif("PARTICLELAB_DATA" not in os.environ, reason="PARTICLELAB_DATA names no folder with real images")
def test_real_images_that_are_cropped_already():
    for path in sorted((Path(os.environ["PARTICLELAB_DATA"]) / "soot").glob("*.png")):
        assert find_footer(np.asarray(Image.open(path))) is None, path.name
