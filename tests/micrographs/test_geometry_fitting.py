"""Geometry optimisation: closed forms of outlines, and particles that are found again."""

import numpy as np
import pytest

from particlelab.micrographs.geometry_fitting import (
    GeometryFitting,
    find_middles,
    fit_geometry,
    lay_grid,
    match_instances,
    outline_area,
)


def draw(outlines, size=96):
    """Draw star-shaped particles (x, y, radius, waves) and return picture and map."""
    y, x = np.mgrid[:size, :size]
    instances = np.zeros((size, size), np.int32)
    for k, (cx, cy, radius, waves) in enumerate(outlines, 1):
        angle = np.arctan2(y - cy, x - cx)
        rim = radius * (1 + sum(a * np.cos(m * angle) + b * np.sin(m * angle) for m, (a, b) in enumerate(waves, 2)))
        instances[np.hypot(x - cx, y - cy) < rim] = k
    return np.where(instances > 0, 0.7, 0.2).astype(np.float32), instances


POTATOES = [
    (26.0, 25.0, 15.0, [(0.2, 0.05), (0.0, 0.12)]),
    (70.0, 28.0, 11.0, [(-0.25, 0.1), (0.08, 0.0)]),
    (45.0, 70.0, 17.0, [(0.1, -0.2), (-0.1, 0.05)]),
]


def test_area_of_an_outline_is_that_of_its_pixels():
    _, instances = draw(POTATOES, 192)
    for k, (_, _, radius, waves) in enumerate(POTATOES, 1):
        area = outline_area(radius, np.array(waves))
        assert (instances == k).sum() == pytest.approx(area, abs=3 * np.sqrt(2 * np.pi * radius))


def test_outlines_are_found_again():
    """Centres, radii and waves of three irregular particles, from three equal disks."""
    picture, instances = draw(POTATOES)
    fit = fit_geometry(picture, 3, GeometryFitting(steps=150, harmonics=5))
    matched = match_instances(instances, fit.instances)
    assert match_instances(instances, fit.start).iou.mean() < 0.8
    assert matched.iou.min() > 0.93
    for row, (cx, cy, radius, waves) in zip(matched.itertuples(), POTATOES, strict=True):
        k = row.found - 1
        # another middle of the same outline is another series: area and picture are what is determined
        area = outline_area(radius, np.array(waves))
        assert outline_area(fit.radii_px[k], fit.waves[k]) == pytest.approx(area, rel=0.08)
        assert np.hypot(fit.centres_px[k, 0] - cx, fit.centres_px[k, 1] - cy) < 0.25 * radius
    assert fit.history.loss.iloc[-1] < 0.1 * fit.history.loss.iloc[0]
    assert fit.pictures.shape == (len(fit.steps), *picture.shape)


def test_number_is_found_where_particles_lie_apart():
    picture, _ = draw(POTATOES)
    assert len(find_middles(picture > 0.5)) == 3
    assert len(lay_grid((40, 60), 7)) == 7


def test_matching_is_the_best_pairing():
    truth, found = np.zeros((4, 6), int), np.zeros((4, 6), int)
    truth[:, :3], truth[:, 3:] = 1, 2
    found[:, :2], found[:, 2:] = 9, 5
    matched = match_instances(truth, found)
    assert matched.found.tolist() == [9, 5]
    np.testing.assert_allclose(matched.iou, [2 / 3, 3 / 4])
    assert match_instances(truth, np.zeros_like(truth)).iou.sum() == 0


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="n must be"):
        fit_geometry(np.zeros((64, 64)), 0)
    with pytest.raises(ValueError, match="at least 64"):
        fit_geometry(np.zeros((10, 10)), 2)
