"""Distortions and scalings: one to one, labels and pictures alike, areas by the Jacobian, lengths by the factor."""

import functools

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from particlelab.measure import feret_diameters
from particlelab.micrographs import anonymity
from particlelab.randomness import generator

SHAPE = (150, 190)
KEEPING = ("grid", "affine")


@functools.cache
def disks(shape=SHAPE, n=40, low=4.0, high=11.0, seed=0):
    """Instances of disks at random places that do not touch."""
    rng, instances = generator(seed, "disks"), np.zeros(shape, np.int32)
    rows, columns = np.indices(shape)
    number = 0
    for _ in range(20 * n):
        row, column, radius = *rng.uniform((0, 0), shape), rng.uniform(low, high)
        away = np.hypot(rows - row, columns - column)
        if number < n and not instances[away < radius + 2].any():
            number += 1
            instances[away < radius] = number
    instances.flags.writeable = False
    return instances


def drawn(method, seed=0, shape=SHAPE, **options):
    return anonymity.draw_warp(shape, method, generator(seed, "warp"), **options)


@pytest.mark.parametrize("method", anonymity.METHODS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64, bool])
def test_no_strength_is_the_identity(method, dtype):
    instances = disks()
    image = generator(1).integers(0, 200, SHAPE).astype(dtype)
    found, labels = anonymity.anonymise(image, instances, method, generator(0), strength=0)
    assert found.dtype == dtype
    assert np.array_equal(found, image)
    assert np.array_equal(labels, instances)


@pytest.mark.parametrize("method", anonymity.METHODS)
def test_labels_move_as_the_picture_does(method):
    """A picture that is the mask itself: where the interpolated mask is above a half, there the labels are."""
    instances = disks()
    image = (instances > 0).astype(np.float32)
    for seed in range(3):
        found, labels = anonymity.anonymise(image, instances, method, generator(seed), strength=1.0)
        along = np.count_nonzero(np.diff(labels > 0, axis=0)) + np.count_nonzero(np.diff(labels > 0, axis=1))
        assert np.count_nonzero((found > 0.5) != (labels > 0)) < 0.15 * along  # their source lies between two pixels
        inside = np.abs(found - 0.5) > 0.49  # away from the outlines: exactly
        assert np.array_equal((found > 0.5)[inside], (labels > 0)[inside])


@pytest.mark.parametrize("method", anonymity.METHODS)
def test_ids_are_kept_and_none_is_new(method):
    instances = disks() * 7
    _, labels = anonymity.anonymise(instances > 0, instances, method, generator(2), strength=1.0)
    assert labels.dtype == instances.dtype
    assert set(np.unique(labels)) <= set(np.unique(instances))
    if method in KEEPING:
        assert set(np.unique(labels)) == set(np.unique(instances))


@pytest.mark.parametrize("method", anonymity.METHODS)
def test_what_moves_one_particle_moves_each_alike(method):
    """Every amodal mask, moved alone, is that particle in the moved label image: no two share a pixel or an id."""
    instances, warp = disks(), drawn(method, strength=1.0)
    labels = anonymity.warp(instances, warp, nearest=True)
    masks = [anonymity.warp(instances == k, warp) for k in range(1, instances.max() + 1)]
    assert np.sum(masks, axis=0).max() == 1
    assert np.array_equal(np.sum([k * mask for k, mask in enumerate(masks, 1)], axis=0), labels)


@pytest.mark.parametrize("method", KEEPING)
@pytest.mark.parametrize("seed", range(6))
def test_the_strongest_distortion_folds_nothing_and_keeps_the_frame(method, seed):
    """The area that pixels had before is positive everywhere; all of them together had that of the frame."""
    warp = drawn(method, seed, strength=1.0, spacing_px=30)
    area = anonymity.area_before(warp)
    assert area.min() > 0
    assert area.sum() == pytest.approx(np.prod(SHAPE), rel=2e-3)
    assert warp.rows.min() > -0.5 and warp.rows.max() < SHAPE[0] - 0.5
    assert warp.columns.min() > -0.5 and warp.columns.max() < SHAPE[1] - 0.5


@pytest.mark.parametrize("method", anonymity.METHODS)
def test_areas_change_by_the_jacobian(method):
    """Summed over a particle's pixels after, the area before is the particle's, to a pixel's share of its outline."""
    instances = disks((300, 300), 60, 9, 14)
    warp = drawn(method, 3, (300, 300), strength=0.6, spacing_px=40)
    labels = anonymity.warp(instances, warp, nearest=True)
    jacobian = anonymity.area_before(warp)
    whole = np.setdiff1d(np.unique(labels), [0, *labels[0], *labels[-1], *labels[:, 0], *labels[:, -1]])
    before = np.array([np.count_nonzero(instances == k) for k in whole])
    after = np.array([jacobian[labels == k].sum() for k in whole])
    assert len(whole) > 5
    assert np.abs(after / before - 1).max() < 0.05
    assert after.sum() == pytest.approx(before.sum(), rel=0.01)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.4])
def test_scaling_multiplies_feret_diameters_by_the_factor(factor):
    instances = disks((400, 400), 30, 14, 24)
    warp = drawn("scale", 1, (400, 400), strength=0.5, factor=factor)
    labels = anonymity.warp(instances, warp, nearest=True)
    whole = np.setdiff1d(np.unique(labels), [0, *labels[0], *labels[-1], *labels[:, 0], *labels[:, -1]])
    assert len(whole) > 3
    for k in whole:
        before, after = feret_diameters(instances == k), feret_diameters(labels == k)
        assert np.subtract(after, np.multiply(factor, before)) == pytest.approx([0, 0], abs=2.5)  # one pixel a side
    ratio = np.mean([np.count_nonzero(labels == k) / np.count_nonzero(instances == k) for k in whole])
    assert ratio == pytest.approx(factor**2, rel=0.01)


def test_the_window_of_a_scaling_tells_nothing_of_the_factor():
    shapes = {drawn("scale", seed, strength=0.5).rows.shape for seed in range(10)}
    assert shapes == {(100, 126)}
    for seed in range(10):
        warp = drawn("scale", seed, strength=0.5)
        assert warp.rows.min() >= -0.5 and warp.rows.max() <= SHAPE[0] - 0.5
        assert warp.columns.min() >= -0.5 and warp.columns.max() <= SHAPE[1] - 0.5


def test_factors_are_even_in_their_logarithm():
    rng = generator(4)
    logs = np.log([anonymity.draw_factor(rng, 0.5) for _ in range(4000)]) / np.log(1.5)
    assert logs.min() >= -1 and logs.max() <= 1
    assert logs.mean() == pytest.approx(0, abs=4 / np.sqrt(3 * 4000))
    assert logs.var() == pytest.approx(1 / 3, abs=4 * np.sqrt(4 / 45 / 4000))


@pytest.mark.parametrize("method", anonymity.METHODS)
def test_points_move_with_the_pixels(method):
    """Where a point is afterwards, the pixels came from where it was before."""
    warp = drawn(method, 5, strength=0.9)
    rng = generator(6)
    before = rng.uniform((0, 0), (SHAPE[1] - 1, SHAPE[0] - 1), (300, 2))
    after = anonymity.warp_points(before, warp)
    seen = ~np.isnan(after[:, 0])
    assert seen.all() if method in KEEPING else 0 < seen.sum() < 300
    height, width = warp.rows.shape
    within = seen & ((after > 1) & (after < (width - 2, height - 2))).all(axis=1)
    at = after[within][:, ::-1].T
    again = np.column_stack([map_coordinates(place, at, order=1) for place in (warp.columns, warp.rows)])
    assert np.abs(again - before[within]).max() < 0.25  # on the edge of a triangle the slope is that of neither side
    assert np.abs(again - before[within]).mean() < 0.01


def test_a_grid_moves_nodes_as_a_spline_of_its_displacements():
    """All displacements one step apart from zero strength: twice the strength is twice the displacement."""
    once, twice = (drawn("grid", 7, strength=s) for s in (0.4, 0.8))
    rows, columns = np.indices(SHAPE)
    assert twice.rows - rows == pytest.approx(2 * (once.rows - rows), abs=1e-3)
    assert twice.columns - columns == pytest.approx(2 * (once.columns - columns), abs=1e-3)
    assert np.abs(twice.rows - rows).max() < 0.48 * 0.8 * SHAPE[0] / 5  # 150 px in spacings of 32: five cells
    second = np.abs(np.diff(twice.rows, 2, axis=0)).max()  # smooth: of a cubic spline at most 4 times the nodes' range
    assert second < 4 * 2 * 0.48 * 0.8 * SHAPE[0] / 5 / (SHAPE[0] / 5) ** 2


def test_within_a_triangle_the_map_is_affine():
    warp = drawn("affine", 8, (120, 120), strength=1.0, spacing_px=40)
    bends = np.abs(np.diff(warp.rows, 2, axis=0))
    assert np.median(bends) < 1e-4  # only at the edges of triangles does the slope change
    assert bends.max() > 0.01


def test_the_same_numbers_give_the_same_picture():
    instances = disks()
    image = generator(9).integers(0, 255, (*SHAPE, 3)).astype(np.uint8)
    first, second, other = (anonymity.anonymise(image, instances, "grid", generator(s)) for s in (1, 1, 2))
    assert first[0].shape == (*SHAPE, 3)
    assert np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])
    assert not np.array_equal(first[1], other[1])


def test_interpolation_invents_no_values():
    image = np.where(disks() > 0, 200, 40).astype(np.uint8)
    found = anonymity.warp(image, drawn("grid", strength=1.0))
    assert found.min() == 40 and found.max() == 200


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "swirl"}, "method must be one of grid, affine, scale, got 'swirl'"),
        ({"strength": 1.5}, "strength must lie between 0 and 1, got 1.5"),
        ({"spacing_px": 1}, "spacing_px must be at least 4 px, got 1"),
        ({"factor": 1.2}, "factor belongs to the method 'scale'"),
        ({"method": "scale", "factor": 1.8}, "factor must lie between 0.667 and 1.5"),
        ({"rng": None}, "rng is missing"),
        ({"image": np.zeros((3, 3))}, "image must have the shape of the instances"),
        ({"instances": np.zeros(SHAPE)}, "instances must be \\(H, W\\) whole numbers"),
    ],
)
def test_what_is_not_allowed_is_refused(change, message):
    given = {"image": np.zeros(SHAPE), "instances": np.zeros(SHAPE, int), "method": "grid", "rng": generator(0)}
    with pytest.raises(ValueError, match=message):
        anonymity.anonymise(**given | change)
