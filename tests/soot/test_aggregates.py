"""Aggregates of a mask: disks and squares of known shape, a published image, bad masks."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from particlelab.randomness import generator
from particlelab.soot.aggregates import analyse_aggregates, label_aggregates

COLUMNS = [
    *("label", "n_pixels", "area_nm2", "da_nm", "rg_nm", "perimeter_nm", "length_nm", "width_nm", "aspect_ratio"),
    *("circularity", "mean_optical_depth", "centroid_x_nm", "centroid_y_nm", "touches_border"),
]


def disk(radius, centre=(0.0, 0.0), margin=3):
    n = int(np.ceil(radius)) + margin
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    return np.hypot(y - centre[0], x - centre[1]) <= radius


def square(edge, degrees, centre):
    n = int(edge) + 3
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    y, x, a = y - centre[0], x - centre[1], np.deg2rad(degrees)
    u, v = x * np.cos(a) + y * np.sin(a), y * np.cos(a) - x * np.sin(a)
    return (abs(u) <= edge / 2) & (abs(v) <= edge / 2)


def one(mask, pixel_size_nm=1.0, image=None):
    table = analyse_aggregates(mask, pixel_size_nm, image)
    assert len(table) == 1
    return table.iloc[0]


def test_rectangle_by_hand():
    mask = np.zeros((20, 30), bool)
    mask[5:9, 10:22] = True  # 4 x 12 pixels of 0.5 nm
    row = one(mask, 0.5)
    assert (row.label, row.n_pixels, row.area_nm2) == (1, 48, 12)
    assert row.da_nm == pytest.approx(np.sqrt(48 / np.pi))
    assert row.rg_nm == pytest.approx(np.sqrt((2**2 + 6**2) / 12))  # of a 2 nm x 6 nm rectangle
    assert (row.length_nm, row.width_nm, row.aspect_ratio) == (6, 2, 3)
    assert (row.centroid_x_nm, row.centroid_y_nm) == (7.75, 3.25)
    assert row.circularity == pytest.approx(4 * np.pi * 12 / row.perimeter_nm**2)
    assert not row.touches_border
    assert np.isnan(row.mean_optical_depth)


@pytest.mark.parametrize(("radius", "tolerance"), [(5, 0.01), (10, 0.003), (30, 0.002), (100, 0.002)])
def test_disks_have_their_closed_forms(radius, tolerance):
    rng = generator(1, "disks", radius)
    rows = [one(disk(radius, rng.uniform(-0.5, 0.5, 2)), 0.4) for _ in range(20)]
    assert np.mean([r.perimeter_nm for r in rows]) == pytest.approx(2 * np.pi * radius * 0.4, rel=tolerance)
    assert np.mean([r.circularity for r in rows]) == pytest.approx(1, rel=3 * tolerance)
    assert np.mean([r.da_nm for r in rows]) == pytest.approx(2 * radius * 0.4, rel=tolerance)
    assert np.mean([r.rg_nm for r in rows]) == pytest.approx(radius * 0.4 / np.sqrt(2), rel=tolerance)


@pytest.mark.parametrize("degrees", [0, 10, 22.5, 30, 45])
def test_perimeter_of_turned_squares(degrees):
    rng = generator(2, "squares")
    lengths = [one(square(150, degrees, rng.uniform(-0.5, 0.5, 2))).perimeter_nm for _ in range(5)]
    assert np.mean(lengths) == pytest.approx(600, rel=0.02)


def test_holes_belong_to_the_perimeter_and_not_to_the_area():
    ring = disk(50)
    ring[3:-3, 3:-3] &= ~disk(20, margin=30)
    row = one(ring)
    assert row.area_nm2 == pytest.approx(np.pi * (50**2 - 20**2), rel=0.003)
    assert row.perimeter_nm == pytest.approx(2 * np.pi * 70, rel=0.003)
    assert row.rg_nm == pytest.approx(np.sqrt((50**2 + 20**2) / 2), rel=0.003)


def test_a_single_pixel():
    mask = np.zeros((3, 3), bool)
    mask[1, 1] = True
    row = one(mask, 2.0)
    assert (row.n_pixels, row.length_nm, row.width_nm, row.aspect_ratio) == (1, 2, 2, 1)
    assert row.rg_nm == pytest.approx(2 / np.sqrt(6))  # of a square of 2 nm
    assert 0 < row.perimeter_nm < 8
    assert (row.centroid_x_nm, row.centroid_y_nm) == (2, 2)


def test_pixels_that_touch_by_a_corner_are_one_aggregate_in_scan_order():
    mask = np.array([[0, 0, 0, 0, 1], [1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 1, 1, 0]])
    table = analyse_aggregates(mask, 1.0)
    assert table.n_pixels.tolist() == [1, 2, 2]
    assert table.touches_border.tolist() == [True, True, True]
    assert label_aggregates(mask)[0].tolist()[2] == [0, 2, 0, 0, 0]


def test_measures_do_not_depend_on_where_the_aggregate_lies_nor_on_its_neighbours():
    shape = square(30, 20, (0.2, 0.1))
    alone = one(np.pad(shape, 5))
    frame = np.zeros((200, 300), bool)
    frame[100 : 100 + shape.shape[0], 200 : 200 + shape.shape[1]] = shape
    frame[80:90, 180:290] = True
    second = analyse_aggregates(frame, 1.0).iloc[1]
    for name in ("n_pixels", "rg_nm", "perimeter_nm", "length_nm", "width_nm"):
        assert second[name] == pytest.approx(alone[name])


def test_optical_depth_is_recovered_on_a_sloping_background():
    rng = generator(3, "depth")
    mask = np.zeros((300, 400), bool)
    mask[100:180, 150:250] = True
    mask[20:60, 300:380] = True
    y, x = np.mgrid[:300, :400]
    background = 140 + 0.1 * x - 0.05 * y
    image = background * np.exp(-np.where(y > 80, 0.4, 0.7) * mask) + rng.normal(0, 8, mask.shape)
    depth = analyse_aggregates(mask, 0.5, image).mean_optical_depth
    # Noise of 8 in 80 to 110 grey levels adds its variance / 2 to the logarithm: 0.003 to 0.005.
    assert depth.tolist() == pytest.approx([0.7, 0.4], abs=0.012)


def test_optical_depth_ignores_a_particle_that_the_mask_has_not():
    mask = np.zeros((200, 200), bool)
    mask[60:120, 60:120] = True
    image = np.where(mask, 150 * np.exp(-0.5), 150.0)
    image[130:134, 60:80] = 20
    assert one(mask, 1.0, image).mean_optical_depth == pytest.approx(0.5, abs=1e-6)


def test_optical_depth_without_background_or_light_is_nan():
    assert np.isnan(one(np.ones((20, 20), bool), 1.0, np.full((20, 20), 100)).mean_optical_depth)
    mask = np.zeros((60, 60), bool)
    mask[20:40, 20:40] = True
    assert np.isnan(one(mask, 1.0, np.where(mask, 0, 100)).mean_optical_depth)


def test_published_aggregates():
    """Sipkens et al.'s published values of five aggregates, with a hand-made mask of the same image."""
    if "PARTICLELAB_DATA" not in os.environ:
        pytest.skip("PARTICLELAB_DATA is not set: no real image")
    folder = Path(os.environ["PARTICLELAB_DATA"]) / "soot"
    mask = np.asarray(Image.open(folder / "201805A_A6_004_slider_mask.png"))
    with (folder / "A6_004_published_aggregates.csv").open() as file:
        published = sorted(csv.DictReader(file), key=lambda row: float(row["Rg_nm"]))
    table = analyse_aggregates(mask, 0.536).query("n_pixels > 1000").sort_values("rg_nm")
    for ours, theirs, tolerance in [
        ("da_nm", "da_nm", 0.03),
        ("rg_nm", "Rg_nm", 0.03),
        ("length_nm", "L_nm", 0.03),
        ("width_nm", "W_nm", 0.03),
        ("aspect_ratio", "aspect_ratio", 0.03),
    ]:
        expected = np.array([float(row[theirs]) for row in published])
        assert table[ours].to_numpy() == pytest.approx(expected, rel=tolerance), ours


def test_an_empty_mask_gives_an_empty_table_with_all_columns():
    for image in (None, np.ones((10, 12))):
        table = analyse_aggregates(np.zeros((10, 12), bool), 1.0, image)
        assert len(table) == 0
        assert list(table) == COLUMNS


@pytest.mark.parametrize("mask", [np.zeros((3, 3, 3)), np.zeros(5), np.zeros((0, 4)), np.arange(9).reshape(3, 3)])
def test_bad_masks_are_refused(mask):
    with pytest.raises(ValueError, match="mask must"):
        analyse_aggregates(mask, 1.0)


def test_a_mask_with_nan_is_refused():
    with pytest.raises(ValueError, match="mask must"):
        analyse_aggregates(np.array([[0, np.nan], [1, 1]]), 1.0)


@pytest.mark.parametrize("pixel", [0, -0.5, np.nan, np.inf, "1", None])
def test_bad_pixel_sizes_are_refused(pixel):
    with pytest.raises(ValueError, match="pixel_size_nm must be a positive number"):
        analyse_aggregates(np.ones((4, 4), bool), pixel)


def test_bad_images_are_refused():
    mask = np.ones((4, 4), bool)
    with pytest.raises(ValueError, match="same shape"):
        analyse_aggregates(mask, 1.0, np.ones((4, 5)))
    with pytest.raises(ValueError, match="finite"):
        analyse_aggregates(mask, 1.0, np.full((4, 4), np.nan))
