"""Distances of samples against closed forms, an independent implementation and their expectation."""

import numpy as np
import pytest
import scipy.linalg
import torch

from particlelab.measure import frechet_distance, kernel_distance


def exactly(mean, covariance, n, rng):
    """Draw vectors whose sample mean and covariance (n - 1) are those that are asked for."""
    x = rng.standard_normal((n, len(mean)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(x.T)))).T
    return x @ np.linalg.cholesky(np.asarray(covariance)).T + np.asarray(mean)


def covariance(d, rng):
    root = rng.standard_normal((d, 2 * d))
    return root @ root.T / d


def test_frechet_distance_of_normal_distributions_on_a_line():
    """(m1 - m2)^2 + (s1 - s2)^2 in one dimension (Dowson and Landau 1982)."""
    rng = np.random.default_rng(0)
    a, b = exactly([1.0], [[4.0]], 9, rng), exactly([4.0], [[0.25]], 5, rng)
    assert frechet_distance(a, b) == pytest.approx(9 + 1.5**2, rel=1e-12)


def test_frechet_distance_of_commuting_covariances():
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    first, second = np.array([1.0, 4.0, 9.0]), np.array([16.0, 1.0, 0.25])
    a = exactly(np.zeros(3), turn @ np.diag(first) @ turn.T, 40, rng)
    b = exactly(np.ones(3), turn @ np.diag(second) @ turn.T, 25, rng)
    assert frechet_distance(a, b) == pytest.approx(3 + np.sum((np.sqrt(first) - np.sqrt(second)) ** 2), rel=1e-9)


def test_frechet_distance_is_that_by_the_matrix_root():
    rng = np.random.default_rng(2)
    first, second = covariance(6, rng), covariance(6, rng)
    a, b = exactly(rng.standard_normal(6), first, 50, rng), exactly(rng.standard_normal(6), second, 30, rng)
    root = scipy.linalg.sqrtm(first @ second).real
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(first + second - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


class Same(torch.nn.Module):
    """The features of a "picture" (B, d, 1, 1) are its pixels."""

    num_features = 8

    def forward(self, pictures):
        return pictures.flatten(1)


def as_pictures(sample):
    return torch.from_numpy(sample)[:, :, None, None]


def test_frechet_distance_is_that_of_torchmetrics():
    from torchmetrics.image.fid import FrechetInceptionDistance

    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((60, 8)), 0.5 + 2 * rng.standard_normal((45, 8)) @ covariance(8, rng)
    theirs = FrechetInceptionDistance(Same(), input_img_size=(8, 1, 1)).set_dtype(torch.float64)
    theirs.update(as_pictures(a), real=True)
    theirs.update(as_pictures(b), real=False)
    assert frechet_distance(a, b) == pytest.approx(theirs.compute().item(), rel=1e-5)


def test_kernel_distance_is_that_of_torchmetrics():
    from torchmetrics.image.kid import KernelInceptionDistance

    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((30, 8)), 0.5 + rng.standard_normal((30, 8))
    theirs = KernelInceptionDistance(Same(), subsets=1, subset_size=30).set_dtype(torch.float64)
    theirs.update(as_pictures(a), real=True)
    theirs.update(as_pictures(b), real=False)
    assert kernel_distance(a, b) == pytest.approx(theirs.compute()[0].item(), rel=1e-6)


def test_kernel_distance_of_samples_by_hand():
    """Two vectors each in one dimension: kernels (xy + 1)^3."""
    a, b = np.array([[0.0], [1.0]]), np.array([[2.0], [-1.0]])
    within = 1 + (-1.0) ** 3  # of the pairs (0, 1) and (2, -1)
    between = np.mean([1, 1, 27, 0])
    assert kernel_distance(a, b) == pytest.approx(within - 2 * between)


def test_kernel_distance_is_unbiased():
    """Its mean over samples of one distribution is 0; that of the Frechet distance is not."""
    rng = np.random.default_rng(5)
    pairs = [rng.standard_normal((2, 10, 4)) for _ in range(2000)]
    found = np.array([kernel_distance(*pair) for pair in pairs])
    assert abs(found.mean()) < 3.5 * found.std() / np.sqrt(len(found))
    assert min(frechet_distance(*pair) for pair in pairs[:100]) > 0


def test_kernel_distance_over_subsets_estimates_the_same():
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((200, 4)), 1 + rng.standard_normal((200, 4))
    found = np.array([kernel_distance(a, b, size=50, subsets=1, rng=rng) for _ in range(400)])
    assert abs(found.mean() - kernel_distance(a, b)) < 3.5 * found.std() / np.sqrt(len(found))


def test_samples_smaller_than_their_dimension():
    """A turn of both samples together changes nothing, and a shift of one adds its square."""
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((5, 40)), rng.standard_normal((7, 40))
    turn = np.linalg.qr(rng.standard_normal((40, 40)))[0]
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(frechet_distance(a, b), rel=1e-9)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + 2.0) == pytest.approx(4 * 40, rel=1e-9)


def test_shrinkage_makes_the_bias_smaller():
    """Covariances drawn all the way leave the means and the spreads: (sqrt t_a - sqrt t_b)^2 d."""
    rng = np.random.default_rng(8)
    a, b = exactly(np.zeros(3), np.eye(3), 20, rng), exactly(np.zeros(3), np.diag([4.0, 4.0, 19.0]), 20, rng)
    assert frechet_distance(a, b, shrinkage=1.0) == pytest.approx(3 * (3 - 1) ** 2, rel=1e-9)
    same = rng.standard_normal((2, 12, 30))
    assert frechet_distance(*same, shrinkage="ledoit-wolf") < 0.5 * frechet_distance(*same)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: frechet_distance(np.zeros(3), np.zeros((3, 1))), "a must hold two vectors"),
        (lambda: frechet_distance(np.zeros((3, 2)), np.zeros((1, 2))), "b must hold two vectors"),
        (lambda: kernel_distance(np.zeros((3, 2)), np.zeros((3, 1))), "one dimension, got 2 and 1"),
        (lambda: kernel_distance(np.full((3, 2), np.nan), np.zeros((3, 2))), "a must be finite"),
        (lambda: kernel_distance(np.zeros((3, 2)), np.zeros((3, 2)), size=4), "between 2 and 3, got 4"),
        (lambda: kernel_distance(np.zeros((3, 2)), np.zeros((3, 2)), size=2), "rng must be"),
        (lambda: frechet_distance(np.zeros((3, 2)), np.zeros((3, 2)), shrinkage=2), "shrinkage must"),
        (lambda: frechet_distance(np.zeros((3, 2)), np.zeros((3, 2)), shrinkage="much"), "shrinkage must"),
    ],
)
def test_bad_input_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
