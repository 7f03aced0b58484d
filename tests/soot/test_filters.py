"""Filters against their definitions and against scikit-image and scipy."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import entropy
from skimage.morphology import disk
from sklearn.cluster import KMeans

from particlelab.randomness import generator
from particlelab.soot.filters import (
    background_surface,
    bilateral,
    close_disc,
    dilate,
    local_entropy,
    open_disc,
    two_clusters,
)


def noise(*shape, stream="noise"):
    return generator(1, "filters", stream).normal(size=shape)


def test_bilateral_is_its_definition():
    """Not held against scikit-image 0.26: its spatial weights are off-centre (it counts from -win_size // 2)."""
    image = 0.5 + 0.1 * noise(20, 25)
    image[5:15, 5:18] -= 0.4
    padded = np.pad(image, 2, mode="symmetric")
    dy, dx = np.mgrid[-2:3, -2:3]
    expected = np.empty_like(image)
    for y, x in np.ndindex(image.shape):
        window = padded[y : y + 5, x : x + 5]
        weights = np.exp(-0.5 * (dx**2 + dy**2) - 0.5 * ((window - image[y, x]) / 0.15) ** 2)
        expected[y, x] = (weights * window).sum() / weights.sum()
    np.testing.assert_allclose(bilateral(image, 1.0, 0.15), expected, atol=2e-4)


def test_bilateral_with_a_wide_range_is_a_truncated_gaussian():
    image = noise(30, 40)
    kernel = np.exp(-0.5 * (np.arange(-4, 5) / 2.0) ** 2)
    kernel = np.outer(kernel, kernel) / kernel.sum() ** 2
    np.testing.assert_allclose(bilateral(image, 2.0, 1e4), ndimage.convolve(image, kernel, mode="reflect"), atol=1e-4)


def test_bilateral_keeps_a_step_that_its_range_cannot_bridge():
    image = np.zeros((20, 20), np.float32)
    image[:, 10:] = 1
    np.testing.assert_array_equal(bilateral(image, 2.0, 0.1), image)


def test_local_entropy_is_that_of_the_window():
    levels = generator(2, "levels").integers(0, 9, (20, 23)).astype(np.uint8)
    ours = local_entropy(levels, 5)
    padded = np.pad(levels, 2, mode="symmetric")
    for y, x in [(0, 0), (7, 11), (19, 22), (3, 0)]:
        counts = np.bincount(padded[y : y + 5, x : x + 5].ravel())
        assert ours[y, x] == pytest.approx(entropy(counts, base=2), abs=1e-5)


def test_local_entropy_of_known_windows():
    assert (local_entropy(np.full((9, 9), 7, np.uint8), 3) == 0).all()
    halves = np.zeros((8, 8), np.uint8)
    halves[:, ::2] = 200
    one_third = -(np.log2(1 / 3) / 3 + 2 * np.log2(2 / 3) / 3)
    np.testing.assert_allclose(local_entropy(halves, 3)[:, 1:-1], one_third, rtol=1e-6)


@pytest.mark.parametrize("radius", [0, 1, 2, 5, 9])
def test_discs_agree_with_scipy(radius):
    mask = ndimage.gaussian_filter(noise(60, 70), 2) > 0.05
    disc = disk(radius).astype(bool)
    np.testing.assert_array_equal(dilate(mask, radius), ndimage.binary_dilation(mask, disc))
    wide = 2 * radius + 1
    inner = (slice(wide, -wide), slice(wide, -wide))
    np.testing.assert_array_equal(close_disc(mask, radius), ndimage.binary_closing(np.pad(mask, wide), disc)[inner])
    padded = np.pad(mask, 2 * wide, constant_values=True)
    opened = ndimage.binary_opening(padded, disc)[2 * wide : -2 * wide, 2 * wide : -2 * wide]
    np.testing.assert_array_equal(open_disc(mask, radius), opened)


def test_a_disc_larger_than_the_image():
    mask = np.zeros((20, 30), bool)
    mask[3, 4] = True
    assert dilate(mask, 100).all()
    np.testing.assert_array_equal(close_disc(mask, 100), mask)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_background_surface_recovers_a_polynomial_under_particles(order):
    y, x = np.mgrid[:256, :320] / 256
    surface = 170 + 30 * (x**order - 0.5 * y**order + (x * y if order > 1 else 0))
    image = surface + noise(256, 320)
    image[20:110, 30:150] -= 60  # 13 % of the frame
    image[150:240, 200:310] -= 40
    # 256 blocks of noise 1/16, fitted by at most 10 coefficients, give far less; particles would add 3
    assert np.abs(background_surface(image, order) - surface).max() < 0.5


def test_background_surface_of_a_tiny_image():
    assert background_surface(np.full((16, 16), 7.0)).shape == (16, 16)
    np.testing.assert_allclose(background_surface(np.full((3, 4), 7.0), 0), 7.0)


def test_two_clusters_agree_with_scikit_learn():
    truth = np.zeros((30, 40), bool)
    truth[5:20, 10:30] = True
    layers = [truth * scale + 0.3 * noise(30, 40, stream=i) for i, scale in enumerate((1.0, -1.0, 2.0))]
    mask = two_clusters(layers, layers[0] > 0.9)
    features = np.stack([(layer / layer.std()).ravel() for layer in layers], axis=1)
    theirs = KMeans(2, n_init=5, random_state=0).fit(features).labels_.reshape(truth.shape) == 1
    np.testing.assert_array_equal(mask, theirs if theirs[10, 15] else ~theirs)
    assert mask[10, 15] and not mask[0, 0]


def test_two_clusters_without_a_start():
    empty = np.zeros((4, 5), bool)
    np.testing.assert_array_equal(two_clusters([noise(4, 5)], empty), empty)
    np.testing.assert_array_equal(two_clusters([np.ones((4, 5))], ~empty), ~empty)
