"""Sizes and shapes of clouds against geometry: halves, disks, rectangles."""

import math

import numpy as np
import pytest
from PIL import Image

from particlelab.aerosol.sizes import cloud_size, measure_clouds
from particlelab.randomness import generator


def disk(radius, size=256, row=128.0, column=128.0):
    """Pixels whose centres lie in a disk; its own centre is in pixels from the upper left corner."""
    y, x = np.mgrid[:size, :size] + 0.5
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def test_size_is_the_share_of_pixels_that_are_not_black():
    mask = np.zeros((4, 6), bool)
    mask[:, 3:] = True
    assert cloud_size(mask) == 50.0
    assert cloud_size(np.stack([mask, ~mask, mask & False])).tolist() == [50.0, 50.0, 0.0]
    assert cloud_size(np.ones((1, 3), bool)) == 100.0  # three pixels, not a colour


def test_black_is_below_a_grey_value_of_ten():
    """Eq. 3.3 of the document."""
    assert cloud_size(np.array([[0, 9, 10, 11]], np.uint8)) == 50.0


def test_colours_are_grey_as_pillow_has_it():
    """At random dark colours, about the threshold."""
    colours = generator(0).integers(0, 25, (3, 40, 50, 3)).astype(np.uint8)
    expected = [100 * np.mean(np.asarray(Image.fromarray(frame).convert("L")) >= 10) for frame in colours]
    assert cloud_size(colours) == pytest.approx(expected, abs=1e-12)
    assert cloud_size(colours[0]) == pytest.approx(expected[0], abs=1e-12)


@pytest.mark.parametrize("radius", [10, 31.4, 80, 120])
def test_a_disk_has_its_area_perimeter_extent_and_centre(radius):
    """The perimeter to 1 %, lengths to the pixels at both ends."""
    found = measure_clouds(disk(radius, row=126.3, column=130.1)).iloc[0]
    assert found.clouds == 1
    assert found.area == pytest.approx(math.pi * radius**2, rel=0.01)
    assert found.perimeter == pytest.approx(2 * math.pi * radius, rel=0.01)
    for length in (found.width, found.height, found.feret):
        assert length == pytest.approx(2 * radius, abs=1.5)
    assert (found.centre_row, found.centre_column) == pytest.approx((126.3, 130.1), abs=0.1)


def test_a_rectangle_is_measured_from_corner_to_corner():
    mask = np.zeros((100, 100), bool)
    mask[20:50, 10:50] = True
    found = measure_clouds(mask).iloc[0]
    assert (found.height, found.width, found.feret) == (30, 40, 50)
    assert (found.centre_row, found.centre_column) == (35, 30)
    assert found.perimeter == pytest.approx(140, rel=0.03)


def test_lengths_are_in_the_unit_of_the_pixel():
    mask = disk(30)
    in_pixels, in_cm = measure_clouds(mask).iloc[0], measure_clouds(mask, pixel_size=0.25).iloc[0]
    for name in ("perimeter", "width", "height", "feret", "centre_row", "centre_column"):
        assert in_cm[name] == pytest.approx(in_pixels[name] / 4)
    assert in_cm.area == pytest.approx(in_pixels.area / 16)
    for name in ("clouds", "size_percent", "fractal_dimension"):
        assert in_cm[name] == in_pixels[name]


def test_clouds_are_counted_and_specks_are_not():
    """Pixels that touch at a corner are of one cloud."""
    mask = disk(20, row=60) | disk(10, row=200)
    mask[100:102, 5:7] = mask[102:104, 7:9] = True  # eight pixels
    found = measure_clouds(np.stack([mask, mask]), smallest=9)
    assert found.frame.tolist() == [1, 2] and found.clouds.tolist() == [2, 2]
    assert measure_clouds(mask, smallest=8).clouds.tolist() == [3]
    assert found.size_percent[0] == cloud_size(mask) and found.area[0] == mask.sum() - 8


def test_no_cloud_and_nothing_but_cloud():
    none, all_of_it = measure_clouds(np.stack([np.zeros((32, 48), bool), np.ones((32, 48), bool)])).itertuples()
    assert (none.clouds, none.size_percent, none.area, none.perimeter, none.touches_edge) == (0, 0, 0, 0, False)
    assert all(math.isnan(value) for value in (none.width, none.feret, none.centre_row, none.fractal_dimension))
    assert (all_of_it.clouds, all_of_it.size_percent, all_of_it.width, all_of_it.height) == (1, 100, 48, 32)
    assert all_of_it.touches_edge and math.isnan(all_of_it.fractal_dimension)


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match=r"image_or_mask must be bool \(a mask\) or uint8.*got float64"):
        cloud_size(np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"got \(2, 3, 4, 5\)"):
        cloud_size(np.zeros((2, 3, 4, 5), np.uint8))
    with pytest.raises(ValueError, match="masks must be bool"):
        measure_clouds(np.zeros((4, 4)))
    with pytest.raises(ValueError, match="pixel_size must be a positive number, got -1"):
        measure_clouds(np.zeros((4, 4), bool), pixel_size=-1)
    with pytest.raises(ValueError, match="smallest must be a whole number of at least 1 pixel, got 0"):
        measure_clouds(np.zeros((4, 4), bool), smallest=0)
