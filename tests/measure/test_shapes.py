"""Shapes of masks against geometry: disks, and a curve of known dimension."""

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from particlelab.measure.shapes import box_dimension, feret_diameter, feret_diameters, perimeter
from particlelab.randomness import generator


def disk(radius, row=128.0, column=128.0):
    y, x = np.mgrid[:256, :256] + 0.5
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def snowflake(size, turned_deg):
    """Koch's: each edge is replaced by four of a third of its length, so that log 4 / log 3 is its dimension."""
    corners = np.exp(2j * np.pi * np.arange(3) / 3)
    for _ in range(7):  # edges are then shorter than a pixel
        step = (np.roll(corners, -1) - corners) / 3
        peak = step * (1 + np.exp(-1j * np.pi / 3))
        corners = np.stack([corners, corners + step, corners + peak, corners + 2 * step], axis=1).ravel()
    places = size * (0.5 + 0.5j + 0.47 * corners * np.exp(1j * np.radians(turned_deg)))
    picture = Image.new("1", (size, size))
    ImageDraw.Draw(picture).polygon([(place.real, place.imag) for place in places], fill=1)
    return np.array(picture)


@pytest.mark.parametrize("radius", [10, 31.4, 80, 120])
def test_the_perimeter_of_a_disk_is_pi_times_its_feret_diameter(radius):
    """The mean of twenty places to 0.2 %, which is the bias; one disk's diameter to the pixels at both ends."""
    masks = [disk(radius, *place) for place in generator(0, "disks").uniform(127.5, 128.5, (20, 2))]
    assert np.mean([perimeter(mask) for mask in masks]) == pytest.approx(2 * math.pi * radius, rel=0.002)
    assert all(feret_diameter(mask) == pytest.approx(2 * radius, abs=1.5) for mask in masks)


def test_the_feret_diameter_of_one_pixel_is_its_diagonal():
    assert feret_diameter(np.ones((1, 1), bool)) == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (30, 40), (200, 3)])
def test_the_feret_diameters_of_a_rectangle_are_its_diagonal_and_its_shorter_edge(height, width):
    """Wherever it lies in the picture, and whatever the memory looks like."""
    mask = np.zeros((210, 90), bool)
    mask[5 : 5 + height, 7 : 7 + width] = True
    expected = pytest.approx((math.hypot(height, width), min(height, width)))
    assert feret_diameters(mask) == expected
    assert feret_diameters(mask.T) == expected
    assert feret_diameters(mask[5 : 5 + height, 7 : 7 + width]) == expected


def test_the_feret_diameters_of_a_turned_rectangle():
    """60 x 20 pixels, turned by any angle: to 1.5 pixels, which the corners of the outermost pixels may add."""
    y, x = np.mgrid[-50:50, -50:50] + 0.5
    for angle in np.radians([10, 30, 45, 77]):
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        largest, smallest = feret_diameters((abs(along) <= 30) & (abs(across) <= 10))
        assert largest == pytest.approx(math.hypot(60, 20), abs=1.5)
        assert smallest == pytest.approx(20, abs=1.5)


def test_the_feret_diameters_of_a_disk_are_its_diameter():
    """No corner of a pixel whose centre is within reaches out by more than half a pixel's diagonal."""
    for place in generator(0, "disks").uniform(127.5, 128.5, (20, 2)):
        largest, smallest = feret_diameters(disk(50, *place))
        assert 99 < smallest <= largest <= 100 + math.sqrt(2)
        assert (largest, smallest) == pytest.approx((100.9, 99.7), abs=1)


def test_feret_diameters_agree_with_the_widths_at_all_angles():
    """Random masks, also of several parts: the width of all corners of all pixels, at a tenth of a degree."""
    rng = generator(0, "widths")
    angles = np.radians(np.arange(0, 180, 0.1))
    directions = np.stack([np.sin(angles), np.cos(angles)])
    for share in (0.003, 0.02, 0.3, 0.9):
        for _ in range(10):
            mask = rng.random((rng.integers(3, 40), rng.integers(3, 40))) < share
            mask[1, 2] = True
            corners = np.concatenate([np.argwhere(mask) + corner for corner in ((0, 0), (0, 1), (1, 0), (1, 1))])
            widths = np.ptp(corners @ directions, axis=0)
            largest, smallest = feret_diameters(mask)
            assert widths.max() <= largest + 1e-9 and largest == pytest.approx(widths.max(), rel=1e-5)
            assert smallest <= widths.min() + 1e-9 and smallest == pytest.approx(widths.min(), abs=0.06)


def test_a_mask_without_pixels_has_no_feret_diameters():
    for mask in (np.zeros((5, 5), bool), np.zeros((0, 5), bool), np.ones(5, bool)):
        with pytest.raises(ValueError, match="at least one pixel"):
            feret_diameters(mask)


def test_the_dimension_of_a_smooth_outline_is_one_and_of_kochs_snowflake_is_log_4_over_log_3():
    """To 0.05, by which a curve that ends at the size of a pixel falls short of one that never ends."""
    assert box_dimension(disk(100))[0] == pytest.approx(1, abs=0.05)
    for angle in (0, 17):
        found, error = box_dimension(snowflake(512, angle))
        assert found == pytest.approx(math.log(4) / math.log(3), abs=0.05)
        assert 0 < error < 0.05


def test_the_edge_of_the_picture_is_no_outline():
    """A half plane: only its one straight edge counts."""
    assert box_dimension(np.tri(200, k=-1).astype(bool))[0] == pytest.approx(1, abs=0.03)
    assert math.isnan(box_dimension(np.ones((200, 200), bool))[0])
