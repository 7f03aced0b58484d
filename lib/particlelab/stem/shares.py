"""How many particles of a population are of which category (Sullivan 2020, sec. 1), in spite of wrong predictions.

Plain counting is biased: a network that takes every tenth solid particle for one with a hole finds holes in a
population that has none. Its confusion matrix, counted on particles of known category, tells how to correct that.
"""

import numpy as np
from scipy import optimize, stats


def estimate_shares(probabilities, confusion, confidence=0.95):
    """Estimate the share of each category in a population, with intervals.

    The shares are those of greatest likelihood: each prediction counts as drawn from the categories' rows of the
    confusion matrix, mixed in proportion to their shares. The shares of the particles that networks learnt from do
    not matter, nor whether the probabilities are calibrated: only the most probable category of a particle counts.

    Parameters
    ----------
    probabilities : (n, k) array
        Of each category, for n particles of the population.
    confusion : (k, k) array
        Counts of validation particles of known category: row the true one, column the predicted one.
    confidence : float
        With which each interval, taken alone, covers the true share.

    Returns
    -------
    shares : (k,) ndarray
        They sum to 1.
    intervals : (k, 2) ndarray
        Lower and upper limit of each share, within 0 and 1.

    Raises
    ------
    ValueError
        If shapes do not match, there are no particles, the confusion matrix does not hold counts, or categories
        cannot be told apart by it.

    Notes
    -----
    With the inverse W of the confusion matrix, a particle predicted as l scores W[l, j]: on average 1 if it is of
    category j, else 0 (Rogan and Gladen 1978, for any number of categories). An interval holds all shares from which
    the mean score differs by no more than chance allows: of the particles, and of the validation. This is Wilson's
    interval with continuity correction where no prediction is wrong, and Fieller's where most may be.
    """
    probabilities, confusion = np.asarray(probabilities, float), np.asarray(confusion, float)
    _check(probabilities, confusion, confidence)
    n, k = probabilities.shape
    counts = np.bincount(probabilities.argmax(axis=1), minlength=k)
    known = confusion.sum(axis=1, keepdims=True)
    rates = confusion / known
    scores = np.linalg.inv(rates)
    mean = counts / n @ scores
    shares = _most_likely(mean, counts, rates)
    z = stats.norm.isf((1 - confidence) / 2)
    likely = (confusion + z**2 / 2) / (known + k * z**2 / 2)  # after Agresti and Coull 1998: no error is impossible
    blur = (likely @ scores**2 - (likely @ scores) ** 2) / known  # variance of a category's mean score
    intervals = np.empty((k, 2))
    for j, one in enumerate(np.eye(k)):
        rest = shares * (1 - one)
        rest = rest / rest.sum() if rest.any() else (1 - one) / (k - 1)
        margin = np.ptp(scores[:, j]) / (2 * n)  # half of what one more prediction changes
        terms = z, one, rest, rates @ scores[:, j] ** 2 / n, blur[:, j], n
        intervals[j] = _limit(mean[j] - margin, 0.0, *terms), _limit(mean[j] + margin, 1.0, *terms)
    return shares, np.stack([np.minimum(intervals[:, 0], shares), np.maximum(intervals[:, 1], shares)], axis=1)


def _limit(centre, end, z, one, rest, spread, blur, n):
    """Return the share between a centre and 0 or 1 that lies z standard deviations from it, or 0 or 1."""

    def beyond(share):
        mixed = share * one + (1 - share) * rest
        return (centre - share) ** 2 - z**2 * (mixed @ spread - share**2 / n + mixed**2 @ blur)

    inside = min(max(centre, 0.0), 1.0)
    if inside == end or beyond(end) <= 0:
        return end
    return optimize.brentq(beyond, end, inside) if beyond(inside) < 0 else inside


def _most_likely(mean, counts, rates):
    """Return the shares of greatest likelihood: the mean scores, if none is negative, or the best without."""
    if (mean >= 0).all():
        return mean / mean.sum()
    seen = counts > 0
    counts, rates = counts[seen] / counts.sum(), rates[:, seen]

    def loss(shares):
        expected = np.maximum(shares @ rates, 1e-12)
        return -counts @ np.log(expected), -rates @ (counts / expected)

    found = optimize.minimize(
        loss,
        np.full(len(mean), 1 / len(mean)),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * len(mean),
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-14, "maxiter": 1000},
    ).x
    shares = np.clip(np.round(found, 12), 0, 1)
    return shares / shares.sum()


def _check(probabilities, confusion, confidence):
    if probabilities.ndim != 2 or probabilities.shape[1] < 2:
        raise ValueError(f"probabilities must be (n, k) of at least two categories, got {probabilities.shape}")
    n, k = probabilities.shape
    if n == 0:
        raise ValueError("probabilities hold no particle")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities must be finite")
    if confusion.shape != (k, k):
        raise ValueError(f"confusion must be ({k}, {k}) for {k} categories, got {confusion.shape}")
    if not (np.isfinite(confusion).all() and (confusion >= 0).all() and (confusion == np.rint(confusion)).all()):
        raise ValueError(f"confusion must hold counts of validation particles, got {confusion.tolist()}")
    for category, known in enumerate(confusion.sum(axis=1)):
        if known == 0:
            raise ValueError(f"confusion has no validation particle of category {category}")
    if np.linalg.cond(confusion / confusion.sum(axis=1, keepdims=True)) > 1e6:
        raise ValueError(f"confusion cannot tell the categories apart: {confusion.tolist()} is singular")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
