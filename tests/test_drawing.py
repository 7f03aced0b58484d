"""What all figures share: bars of round lengths, pictures with outlines, the course of a training."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from particlelab.drawing import scale_bar
from particlelab.drawing.pictures import data_address, outline, pictures, playing
from particlelab.drawing.training import losses
from particlelab.randomness import generator


@pytest.mark.parametrize("longest", [*np.geomspace(1e-4, 1e5, 60), 1.0, 2.0, 5.0])
def test_a_scale_bar_is_the_longest_round_one_that_fits(longest):
    bar = scale_bar(3.0, 7.0, longest, "nm")
    length = bar.x[1] - bar.x[0]
    digits = f"{length:.6e}"
    assert digits[0] in "125" and set(digits[1:8]) <= {".", "0"}
    assert longest / 2.5 < length * (1 + 1e-9) and length <= longest * (1 + 1e-9)  # the next one is too long
    assert bar.text[0] == f"{length:.6g} nm" and bar.x[0] == 3 and list(bar.y) == [7, 7]


def decoded(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def test_an_outline_is_the_border_of_a_mask():
    image, mask = np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), bool)
    mask[2:7, 2:7] = True
    red = outline(image, mask)[..., 0] > 0
    assert red.sum() == 16 and not red[3:6, 3:6].any()  # the border of a square of 5


def test_a_page_shows_the_very_pixels_of_a_picture():
    image = generator(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    np.testing.assert_array_equal(decoded(data_address(image)), image)
    (sheet,) = pictures(np.stack([image, 255 - image])).data
    sheet = decoded(sheet.source)
    np.testing.assert_array_equal(sheet[:20, :30], image)
    assert any((sheet[:20, k : k + 30] == 255 - image).all() for k in range(30, sheet.shape[1] - 29))


def test_every_frame_of_a_film_plays_once_and_has_its_place_on_the_slider():
    frames = np.stack([np.full((16, 16, 3), grey, np.uint8) for grey in (0, 120, 240)])
    layout = playing(frames).layout
    moments = layout.updatemenus[0].buttons[0].args[0]
    assert [decoded(moment["data"][0]["source"]).mean().round() for moment in moments] == [0, 120, 240]
    assert [step.args[0][0]["data"][0]["source"] for step in layout.sliders[0].steps] == [
        moment["data"][0]["source"] for moment in moments
    ]


def test_a_loss_is_shown_with_its_mean():
    history = pd.DataFrame({"iteration": np.arange(200), "loss": np.repeat([0.5, 0.1], 100)})
    each, mean = losses(history, "Loss / nat").data
    np.testing.assert_allclose(each.y, history.loss)
    np.testing.assert_allclose(mean.y, np.repeat([0.5, 0.1], len(mean.y) // 2))
