"""Classical methods on pictures whose particles are known, bright and dark, apart and touching, on uneven ground."""

import numpy as np
import pytest
from scipy import ndimage

from particlelab.micrographs.classical import find_by_hough, find_by_watershed
from particlelab.micrographs.evaluation import match_detections
from particlelab.micrographs.synthesis import synthesise
from particlelab.randomness import generator

METHODS = [find_by_watershed, find_by_hough]
PLACES = [  # column, row, radius; three touch, one is cut
    *[(40, 45, 14), (68, 45, 14), (68, 73, 14), (120, 40, 9), (160, 50, 20), (110, 110, 25)],
    *[(40, 130, 11), (180, 130, 16), (70, 170, 8), (130, 175, 12), (199, 190, 15)],
]


def picture(sign, slope=0.0, noise=0.01):
    """Disks with soft edges, brighter or darker than a ground that rises along the diagonal; and the instances."""
    y, x = np.mgrid[:210, :220]
    grey, instances = np.zeros(x.shape), np.zeros(x.shape, np.int32)
    for number, (column, row, radius) in enumerate(PLACES, 1):
        inside = (x - column) ** 2 + (y - row) ** 2 <= radius**2
        grey[inside], instances[inside] = 0.4, number
    grey = sign * ndimage.gaussian_filter(grey, 1.0) + slope * (x + y) / 430 + 0.5
    return grey + generator(0, "noise").normal(0, noise, grey.shape), instances


@pytest.mark.parametrize("find", METHODS)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_disks_are_found_with_their_diameters(find, sign, slope):
    """Though the ground rises by more than a particle's contrast; to 3 %, or half a pixel."""
    image, instances = picture(sign, slope)
    found = find(image)
    pairs = match_detections(instances, found.instances, 0.8)
    assert len(pairs) == len(found.scores) == len(PLACES)
    expected = 2 * np.array([radius for *_, radius in PLACES])[pairs.truth - 1]
    assert found.diameters_px[pairs.found - 1] == pytest.approx(expected, rel=0.03, abs=0.5)
    assert ((found.scores > 0) & (found.scores <= 1)).all()


@pytest.mark.parametrize("find", METHODS)
def test_a_picture_may_have_any_grey_levels_and_lie_on_its_side(find):
    """Contrast and offset change nothing; a turned picture has the turned instances, up to their outlines."""
    image, _ = picture(1)
    found = find(image)
    scaled = find((2000 * image - 300).astype(np.float32))
    assert scaled.diameters_px == pytest.approx(found.diameters_px, abs=0.1)
    turned = find(np.ascontiguousarray(image.T))
    assert np.sort(turned.diameters_px) == pytest.approx(np.sort(found.diameters_px), rel=0.02)
    assert np.mean((turned.instances.T > 0) == (found.instances > 0)) > 0.995


@pytest.mark.parametrize("find", METHODS)
def test_noise_alone_and_no_noise_hold_no_particles(find):
    for image in (np.full((64, 64), 7), np.zeros((16, 100))):
        found = find(image)
        assert found.instances.shape == image.shape and not found.instances.any()
        assert len(found.scores) == len(found.diameters_px) == 0


def test_gaps_between_touching_particles_stay_gaps_and_dark_middles_are_filled():
    y, x = np.mgrid[:200, :200]
    touching = [(70 + 40 * column + 20 * (row % 2), 60 + 34.5 * row) for row in range(3) for column in range(2)]
    near = [(x - column) ** 2 + (y - row) ** 2 for column, row in touching]
    rings = np.any([(d <= 20**2) & (d >= 14**2) for d in near], axis=0)
    image = ndimage.gaussian_filter(rings.astype(float), 0.7)
    found = find_by_watershed(image)
    assert len(found.scores) == 6
    for column, row in touching:
        assert found.instances[round(row), column] > 0
    assert found.instances[72, 90] == 0  # where three of them leave a gap
    assert found.diameters_px == pytest.approx(np.full(6, 40), rel=0.04)


@pytest.mark.parametrize("find", METHODS)
def test_what_is_seen_is_what_is_numbered(find):
    """Instances are 1 to N without a gap, one score and one diameter each."""
    found = find(synthesise("spheres_sem", 3).image)
    assert np.unique(found.instances).tolist() == list(range(len(found.scores) + 1))
    assert found.scores.shape == found.diameters_px.shape and (found.diameters_px > 0).all()


@pytest.mark.parametrize(("recipe", "find"), [("shadows", find_by_watershed), ("categorical", find_by_watershed),
                                              ("beads", find_by_watershed), ("beads", find_by_hough)])  # fmt: skip
def test_on_easy_recipes_nearly_all_particles_are_found(recipe, find):
    """Eyes find every one of them: a baseline that did not would be no baseline."""
    made = synthesise(recipe, 11)
    found = find(made.image)
    pairs = match_detections(made.instances, found.instances, 0.7)
    whole = np.flatnonzero(~made.table.cut) + 1
    assert np.isin(whole, pairs.truth).mean() > 0.97
    assert np.isin(np.arange(1, len(found.scores) + 1), pairs.found).mean() > 0.95
