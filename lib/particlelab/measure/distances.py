"""Distances between two samples of vectors, such as the features of two sets of pictures."""

import numpy as np


def frechet_distance(a, b, shrinkage=0.0):
    """Return the squared Frechet distance between normal distributions fitted to two samples.

    |mean_a - mean_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), S the covariances with n - 1 (Dowson and Landau 1982;
    Heusel et al. 2017, eq. 6, who call it FID). With S_a = A'A and S_b = B'B, A and B the centred samples, the trace
    of the root is the sum of the singular values of AB': no root of a matrix that is not symmetric is taken, and
    samples smaller than their dimension are no special case.

    Of few vectors it comes out too large, also between samples of one distribution: compare it with what two such
    samples give, of the same sizes.

    Parameters
    ----------
    a : (n, d) array_like
    b : (m, d) array_like
        Two vectors at least in each.
    shrinkage : float or "ledoit-wolf"
        How far each covariance is drawn to a multiple of the unit matrix, 0 to 1; or as far as is best in the mean
        square for a sample of its size (Ledoit and Wolf 2004).

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a sample is no table of finite numbers with two rows at least, both differ in dimension, or the shrinkage is
        not as above.
    """
    a, b = _samples(a, b)
    if shrinkage != "ledoit-wolf" and (isinstance(shrinkage, str) or not 0 <= shrinkage <= 1):
        raise ValueError(f"shrinkage must lie between 0 and 1, or be 'ledoit-wolf', got {shrinkage!r}")
    roots = [_root(sample, shrinkage) for sample in (a, b)]
    common = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spread = sum(np.sum(root**2) for root in roots)
    return float(max(0.0, np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) + spread - 2 * common))


def kernel_distance(a, b, size=None, subsets=100, rng=None):
    """Return the squared maximum mean discrepancy of two samples under the kernel (x'y / d + 1)^3.

    The unbiased estimator, as the kernel inception distance takes it (Binkowski et al. 2018, section 4; Gretton et al.
    2012, eq. 3): 0 on average for samples of one distribution, whatever their sizes, and so negative as often as
    positive.

    Parameters
    ----------
    a : (n, d) array_like
    b : (m, d) array_like
        Two vectors at least in each.
    size : int, optional
        Average over subsets of so many vectors of each, as Binkowski et al. do with large samples; by default all
        vectors count at once.
    subsets : int
        How many, if a size is given.
    rng : numpy.random.Generator, optional
        Draws the subsets.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a sample is no table of finite numbers with two rows at least, both differ in dimension; if size does not lie
        between 2 and the smaller sample, there is no subset, or no rng to draw them.
    """
    a, b = _samples(a, b)
    if size is None:
        return _unbiased(a, b)
    if not 2 <= size <= min(len(a), len(b)):
        raise ValueError(f"size must lie between 2 and {min(len(a), len(b))}, got {size}")
    if subsets < 1:
        raise ValueError(f"subsets must be at least 1, got {subsets}")
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng must be a numpy.random.Generator to draw subsets, got {rng!r}")
    drawn = ([sample[rng.choice(len(sample), size, replace=False)] for sample in (a, b)] for _ in range(subsets))
    return float(np.mean([_unbiased(*pair) for pair in drawn]))


def _samples(a, b):
    a, b = (np.asarray(sample, float) for sample in (a, b))
    for name, sample in (("a", a), ("b", b)):
        if sample.ndim != 2 or len(sample) < 2 or not sample.shape[1]:
            raise ValueError(f"{name} must hold two vectors at least, (n, d), got shape {sample.shape}")
        if not np.isfinite(sample).all():
            raise ValueError(f"{name} must be finite")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"a and b must have one dimension, got {a.shape[1]} and {b.shape[1]}")
    return a, b


def _root(sample, shrinkage):
    """Return a matrix R whose R'R is the covariance of a sample."""
    n, d = sample.shape
    centred = (sample - sample.mean(axis=0)) / np.sqrt(n - 1)
    if shrinkage == "ledoit-wolf":
        from sklearn.covariance import ledoit_wolf  # takes a second to load

        shrinkage = ledoit_wolf(sample)[1]
    if shrinkage:
        ball = np.sqrt(shrinkage * np.sum(centred**2) / d) * np.eye(d)
        centred = np.concatenate([np.sqrt(1 - shrinkage) * centred, ball])
    return np.linalg.qr(centred, mode="r") if len(centred) > d else centred


def _unbiased(a, b):
    own = [(_kernel(sample, sample), len(sample)) for sample in (a, b)]
    within = sum((k.sum() - np.trace(k)) / (n * (n - 1)) for k, n in own)
    return float(within - 2 * _kernel(a, b).mean())


def _kernel(a, b):
    return (a @ b.T / a.shape[1] + 1) ** 3
