"""The canvas: strokes paint what lies within half their width, pictures and masks arrive as they were sent."""

import io
from itertools import pairwise

import numpy as np
import pytest
import traitlets
from PIL import Image
from scipy.spatial.distance import cdist

from particlelab.lab.canvas import LARGEST_SIDE, MOST_NUMBERS, Canvas, rasterise
from particlelab.randomness import generator


def stroke(points, width=10.0, kind=1):
    return {"class": kind, "width": width, "points": np.ravel(points).tolist()}


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def centres(shape):
    rows, columns = np.indices(shape)
    return np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)


def test_a_dot_paints_the_pixels_whose_centres_lie_in_its_disc():
    painted = rasterise([stroke([5.5, 5.5], width=2)], (10, 12))
    expected = np.zeros((10, 12), int)
    expected[5, 4:7] = expected[4:7, 5] = 1
    np.testing.assert_array_equal(painted, expected)


@pytest.mark.parametrize("angle", np.linspace(0, np.pi, 5))
def test_a_straight_stroke_has_the_area_of_its_capsule(angle):
    length, width = 60.0, 21.0
    half = length / 2 * np.array([np.cos(angle), np.sin(angle)])
    painted = rasterise([stroke([100.3 - half, 100.3 + half], width)], (200, 200))
    # the number of pixel centres in a convex region departs from its area by at most its perimeter plus one
    area, perimeter = np.pi * width**2 / 4 + length * width, np.pi * width + 2 * length
    assert abs(np.count_nonzero(painted) - area) < perimeter + 1


@pytest.mark.parametrize("seed", range(3))
def test_a_stroke_paints_what_is_near_to_any_point_of_its_line(seed):
    rng = generator(seed, "stroke")
    corners, width = rng.uniform(-10, 70, (6, 2)), rng.uniform(1, 15)
    share = np.linspace(0, 1, 4001)[:, None]
    line = np.concatenate([a + share * (b - a) for a, b in pairwise(corners)])
    distance = cdist(centres((50, 60)), line).min(axis=1).reshape(50, 60)
    painted = rasterise([stroke(corners, width)], (50, 60)) == 1
    sure = abs(distance - width / 2) > 0.02  # the points of the line are so far apart
    np.testing.assert_array_equal(painted[sure], distance[sure] <= width / 2)


def test_the_later_stroke_counts_and_the_eraser_takes_away():
    across, down = stroke([[0, 10], [40, 10]], 6, kind=1), stroke([[20, 0], [20, 40]], 6, kind=2)
    rubber = stroke([[20, 30], [20, 40]], 8, kind=0)
    painted = rasterise([across, down, rubber], (40, 40))
    assert painted[10, 20] == 2
    assert painted[10, 5] == painted[10, 35] == 1
    assert painted[22, 20] == 2
    assert not painted[30:].any()
    assert (rasterise([down, across], (40, 40))[10] == 1).all()


@pytest.mark.parametrize("points", [[-50, -50], [[-50, 10], [200, 10]], [500, 500]])
def test_a_stroke_may_leave_the_picture(points):
    painted = rasterise([stroke(points, 4)], (20, 30))
    assert painted.shape == (20, 30)
    assert painted.any() == (np.size(points) == 4)


def test_a_picture_arrives_with_its_grey_levels_and_a_large_one_at_a_bounded_size():
    grey = np.tile(np.arange(256, dtype=np.uint8), (200, 1))
    canvas = Canvas()
    canvas.show(grey)
    shown = decoded(canvas.picture)
    assert shown.shape == (200, 256, 4)
    np.testing.assert_array_equal(shown[..., 0], grey)
    canvas.show(np.tile(np.linspace(-5.0, 7.0, 4000), (1000, 1)))
    assert (canvas.height, canvas.width) == (1000, 4000)
    assert decoded(canvas.picture).shape[:2] == (LARGEST_SIDE // 4, LARGEST_SIDE)


def test_a_mask_is_see_through_in_its_colour_with_an_opaque_edge_and_nothing_outside():
    mask = np.zeros((60, 80), bool)
    mask[10:40, 20:70] = True
    canvas = Canvas()
    canvas.show(np.zeros((60, 80)))
    canvas.cover({"Mask": ("#D55E00", mask)})
    [overlay] = canvas.overlays
    shown = decoded(overlay["picture"])
    assert overlay["name"] == "Mask"
    np.testing.assert_array_equal(shown[..., 3] > 0, mask)
    assert (shown[mask][:, :3] == (0xD5, 0x5E, 0x00)).all()
    edge = mask.copy()
    edge[11:39, 21:69] = False
    np.testing.assert_array_equal(shown[..., 3] == 255, edge)
    assert 0 < shown[25, 45, 3] < 128


def test_another_picture_takes_region_masks_and_strokes_away_but_those_that_belong_to_it():
    canvas = Canvas(classes=("A",), region=True)
    canvas.show(np.zeros((60, 80)))
    canvas.strokes, canvas.region = [stroke([5, 5])], [0, 0, 60, 80]
    canvas.cover({"Mask": ("#000000", np.ones((60, 80), bool))})
    canvas.show(np.ones((30, 30)), "other", [stroke([15, 15])])
    assert canvas.region == canvas.overlays == []
    assert np.count_nonzero(rasterise(canvas.strokes, (canvas.height, canvas.width))) == np.count_nonzero(
        rasterise([stroke([15, 15])], (30, 30))
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"class": 3, "width": 4, "points": [1, 1]},
        {"class": -1, "width": 4, "points": [1, 1]},
        {"class": 1, "width": 0, "points": [1, 1]},
        {"class": 1, "width": float("inf"), "points": [1, 1]},
        {"class": 1, "width": 4, "points": [1, 1, 2]},
        {"class": 1, "width": 4, "points": [1, float("nan")]},
        {"class": 1, "width": 4, "points": ["a", "b"]},
        {"class": 1, "width": 4, "points": [0] * (MOST_NUMBERS + 2)},
        {"class": 1, "width": 4},
    ],
)
def test_strokes_that_cannot_be_painted_are_refused_and_those_before_stay(bad):
    canvas = Canvas(classes=("A", "B"))
    canvas.show(np.zeros((20, 20)))
    before = canvas.strokes = [stroke([5, 5])]
    with pytest.raises(traitlets.TraitError, match="strokes must have"):
        canvas.strokes = [*before, bad]
    assert canvas.strokes == before


@pytest.mark.parametrize("bad", [[0, 0, 61, 80], [0, 0, 60, 81], [5, 5, 5, 9], [-1, 0, 9, 9], [1, 2, 3]])
def test_a_region_that_is_none_of_the_picture_is_refused(bad):
    canvas = Canvas(region=True)
    canvas.show(np.zeros((60, 80)))
    canvas.region = [0, 0, 60, 80]
    with pytest.raises(traitlets.TraitError, match="within 60 x 80 pixels"):
        canvas.region = bad
    assert canvas.region == [0, 0, 60, 80]
