"""Shapes of masks against geometry: disks, and a curve of known dimension."""

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from particlelab.measure.shapes import box_dimension, feret_diameter, perimeter
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
