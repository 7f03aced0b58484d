"""How good generated spectra are, by the features and the answers of a network (IPMT report, AP2.6, AP3.3.c).

FID, KID and MFD, each with an interval and beside what two halves of the real spectra give; confusion matrices with
their accuracies; errors of the sedimentation coefficient; principal components.

The report names the "Mean Feature Divergence" (MFD), "a divergence between real and synthetic images" computed "on the
basis of the softmax outputs", and gives no formula. Here it is the Jensen-Shannon divergence (in bits, 0 to 1) between
the mean probabilities that the classifier gives real spectra of a class and those that it gives spectra generated for
that class, averaged over classes: 0 if the classifier takes both for the same mixture, 1 if it always tells them apart.
The divergence of all spectra taken together (``mfd_together``) stands beside it; it is blind to spectra of the wrong
class as long as the wrong classes make up for each other.
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from particlelab.measure import bootstrap_interval, frechet_distance, js_divergence, kernel_distance
from particlelab.randomness import check_rng
from particlelab.sedimentation.spectra import CLASSES

NAMES = {
    "fid": "FID",
    "fid_shrunk": "FID, covariances shrunk",
    "kid": "KID",
    "mfd": "MFD",
    "mfd_together": "MFD, all classes together",
}
CONFIDENCE = 0.95


class Seen(NamedTuple):
    """What a network sees in a set of spectra, and what they were asked to be."""

    features: np.ndarray  # (n, d)
    told: np.ndarray  # (n, 4) probabilities of `CLASSES`, or (n,) coefficients (S)
    asked: np.ndarray  # (n,) numbers of classes, or coefficients (S)

    def only(self, which):
        """Return some of them, by an index of arrays."""
        return Seen(self.features[which], self.told[which], self.asked[which])


class Components(NamedTuple):
    """Principal components of features."""

    mean: np.ndarray  # (d,)
    axes: np.ndarray  # (count, d) orthonormal
    shares: np.ndarray  # (count,) of the variance

    def places(self, features):
        """Return where features (n, d) lie, (n, count)."""
        return (np.asarray(features) - self.mean) @ self.axes.T


class Share(NamedTuple):
    """A share with its interval (95 %)."""

    value: float
    low: float
    high: float


def look_at(spectra, reader):
    """Let a network look at spectra that carry, as labels, what they were asked to be.

    Parameters
    ----------
    spectra : sequence of Spectrum
    reader : Classifier or Regressor

    Returns
    -------
    Seen

    Raises
    ------
    ValueError
        If a label is no class (or, for a regressor, no number).
    """
    classes = reader.tells == "classes"
    for spectrum in spectra:
        if classes and spectrum.label not in CLASSES:
            raise ValueError(f"a label must be one of {', '.join(CLASSES)}, got {spectrum.label!r}")
        if not classes and (spectrum.label is None or isinstance(spectrum.label, str)):
            raise ValueError(f"a label must be a sedimentation coefficient, got {spectrum.label!r}")
    asked = [CLASSES.index(s.label) if classes else float(s.label) for s in spectra]
    return Seen(*reader.look(spectra), np.array(asked, int if classes else float))


def judge(real, generated, classifier, rng, *, resamples=200, subsets=100, subset_size=100):
    """Return how far generated spectra are from real ones: `compare` of what a network sees in both.

    Parameters
    ----------
    real, generated : sequence of Spectrum
        Labelled with their class, or what they were asked to be.
    classifier : Classifier or Regressor
    rng, resamples, subsets, subset_size
        As for `compare`.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        As `look_at` and `compare`.
    """
    return compare(
        *(look_at(spectra, classifier) for spectra in (real, generated)), rng, resamples, subsets, subset_size
    )


def compare(real, generated, rng, resamples=200, subsets=100, subset_size=100):
    """Compare two sets of spectra by FID, KID and (of classes) MFD.

    Intervals (95 %) are by half-samples, drawn without replacement of each class: for a statistic that is linear in the
    distribution, half-samples scatter about their mean as whole samples do about the truth (McCarthy 1969), and, unlike
    in a bootstrap, no spectrum comes twice, which would make the covariances smaller. They stand about the value of the
    whole sample.

    Distances of few spectra come out too large, but for KID, which is 0 on average between spectra drawn at random, and
    less than 0 between sets that hold classes in the very same proportions, as halves do here. So each stands beside
    what one half of the real spectra is from the other, and beside how often half of the generated is farther from half
    of the real than the other half of the real is.

    Parameters
    ----------
    real, generated : Seen
        Of one network. Classes of both in the same proportions, or FID and KID tell of the proportions too.
    rng : numpy.random.Generator
    resamples : int
        Half-samples, 20 at least.
    subsets, subset_size : int
        Subsets that KID is averaged over, and spectra of each in one (or as many as there are).

    Returns
    -------
    DataFrame
        A row for each of `NAMES`, by ``metric``: ``name``, ``value``, ``value_low``, ``value_high``; ``spread``, for
        KID the standard deviation over subsets (the report's "std. MMD^2"); ``halves``, ``halves_low``,
        ``halves_high``, between two halves of the real; ``farther``, share; ``note``.

    Raises
    ------
    ValueError
        If a set has fewer than four spectra, a class of the real is missing among the generated or has fewer than two
        in either, or there are fewer than 20 resamples.

    Warns
    -----
    UserWarning
        If a set has not more spectra than there are features: its covariance is singular then, and FID of less use
        than that with covariances shrunk (Ledoit and Wolf 2004) and KID.
    """
    rng = check_rng(rng)
    if resamples < 20:
        raise ValueError(f"resamples must be at least 20, got {resamples}")
    classes = real.told.ndim == 2
    strata = [_strata(seen, name, classes) for seen, name in ((real, "real"), (generated, "generated"))]
    if classes and (missing := set(strata[0]) - set(strata[1])):
        raise ValueError(f"none was generated for the class {CLASSES[min(missing)]!r}")
    note = _singular(real, generated)
    metrics = [name for name in NAMES if classes or not name.startswith("mfd")]
    apart, chance = np.empty((2, resamples, len(metrics)))
    for k in range(resamples):
        half, other = _halves(strata[0], rng)
        some, _ = _halves(strata[1], rng)
        chance[k] = _distances(real.only(half), real.only(other), metrics)
        apart[k] = _distances(real.only(half), generated.only(some), metrics)
    values = dict(zip(metrics, _distances(real, generated, metrics), strict=True))
    of_subsets = _over_subsets(real.features, generated.features, rng, subsets, subset_size)
    values["kid"] = of_subsets.mean()
    tails = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    about = np.quantile(apart - apart.mean(0), tails, axis=0)
    halves = np.quantile(chance, tails, axis=0)
    rows = [
        (
            metric,
            NAMES[metric],
            values[metric],
            max(values[metric] + about[0, k], 0.0) if metric != "kid" else values[metric] + about[0, k],
            values[metric] + about[1, k],
            of_subsets.std(ddof=1) if metric == "kid" and len(of_subsets) > 1 else np.nan,
            chance[:, k].mean(),
            *halves[:, k],
            np.mean(apart[:, k] > chance[:, k]),
            note if metric == "fid" else "",
        )
        for k, metric in enumerate(metrics)
    ]
    columns = ["metric", "name", "value", "value_low", "value_high", "spread"]
    return pd.DataFrame(rows, columns=[*columns, "halves", "halves_low", "halves_high", "farther", "note"])


def mean_feature_divergence(real, generated):
    """Return the MFD of two sets: see above.

    Parameters
    ----------
    real, generated : Seen
        Of a classifier. Classes that none of the real has do not count.

    Returns
    -------
    float
        0 to 1.
    """
    found = [
        js_divergence(real.told[real.asked == k].mean(0), generated.told[generated.asked == k].mean(0))
        for k in np.unique(real.asked)
    ]
    return float(np.mean(found))


def count_classes(seen):
    """Return the confusion matrix of a set: rows what was asked for, columns what the classifier takes them for.

    Parameters
    ----------
    seen : Seen

    Returns
    -------
    (4, 4) ndarray of int
    """
    matrix = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(matrix, (seen.asked, seen.told.argmax(1)), 1)
    return matrix


def accuracy(matrix):
    """Return the share of a confusion matrix that lies on its diagonal, with the interval of Wilson (1927).

    Raises
    ------
    ValueError
        If the matrix is empty.
    """
    matrix = np.asarray(matrix)
    if not matrix.sum():
        raise ValueError("the confusion matrix is empty")
    right = np.trace(matrix)
    return Share(float(right / matrix.sum()), *_wilson(right, matrix.sum()))


def balanced_accuracy(matrix):
    """Return the mean over classes of the share that is told right; a class of which there is none does not count.

    The interval combines those of Wilson of each class (Zou and Donner 2008, Statistics in Medicine 27, 1693): the
    distances of their ends from the shares add as squares. It has a width also where all are told right.

    Raises
    ------
    ValueError
        If the matrix is empty.
    """
    matrix = np.asarray(matrix)
    if not matrix.sum():
        raise ValueError("the confusion matrix is empty")
    numbers = matrix.sum(1)
    there = numbers > 0
    right, numbers = np.diag(matrix)[there], numbers[there]
    shares = right / numbers
    low, high = np.array([_wilson(k, n) for k, n in zip(right, numbers, strict=True)]).T
    value = shares.mean()
    below, above = (np.sqrt(np.sum((end - shares) ** 2)) / len(shares) for end in (low, high))
    return Share(float(value), float(max(value - below, 0)), float(min(value + above, 1)))


def coefficient_errors(asked_s, told_s, rng, resamples=1000):
    """Return how far coefficients are from those asked for.

    Parameters
    ----------
    asked_s, told_s : (n,) array_like
        In S; at least two.
    rng : numpy.random.Generator
    resamples : int

    Returns
    -------
    dict of str to Share
        ``rmse`` and ``bias`` in S; ``within_5_percent``, the share of those above 5000 S whose error is at most 5 %
        (NaN if there are none). Intervals by bootstrap, of shares by Wilson.

    Raises
    ------
    ValueError
        As `bootstrap_interval`, or if both differ in length.
    """
    asked, told = (np.asarray(values, float) for values in (asked_s, told_s))
    if asked.shape != told.shape:
        raise ValueError(f"asked_s and told_s must have one length, got shapes {asked.shape} and {told.shape}")
    error = told - asked
    statistics = {"rmse": lambda e: np.sqrt(np.mean(e**2)), "bias": np.mean}
    found = {
        name: Share(float(f(error)), *map(float, bootstrap_interval(error, f, check_rng(rng), CONFIDENCE, resamples)))
        for name, f in statistics.items()
    }
    large = asked > 5000
    near, number = np.count_nonzero(np.abs(error[large]) <= 0.05 * asked[large]), np.count_nonzero(large)
    share = Share(near / number, *_wilson(near, number)) if number else Share(np.nan, np.nan, np.nan)
    return found | {"within_5_percent": share}


def principal_components(features, count=3):
    """Return the directions in which features vary most (IPMT report, figure 21).

    Parameters
    ----------
    features : (n, d) array_like
    count : int
        At most n - 1 and d.

    Returns
    -------
    Components
        Each axis points to where its largest entry is positive.

    Raises
    ------
    ValueError
        If there are not so many.
    """
    features = np.asarray(features, float)
    if not 1 <= count <= min(len(features) - 1, features.shape[1]):
        raise ValueError(f"count must lie between 1 and {min(len(features) - 1, features.shape[1])}, got {count}")
    mean = features.mean(axis=0)
    _, size, axes = np.linalg.svd(features - mean, full_matrices=False)
    axes = axes[:count]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.where(axes[np.arange(count), largest] < 0, -1, 1)[:, None]
    total = np.sum(size**2)
    return Components(mean, axes, size[:count] ** 2 / total if total else np.zeros(count))


def _strata(seen, name, classes):
    """Return the indices of each class, or of all under 0."""
    if len(seen.features) < 4:
        raise ValueError(f"{name} must be at least 4 spectra, got {len(seen.features)}")
    if not classes:
        return {0: np.arange(len(seen.features))}
    strata = {int(k): np.flatnonzero(seen.asked == k) for k in np.unique(seen.asked)}
    if few := [k for k, members in strata.items() if len(members) < 2]:
        raise ValueError(f"{name} must be at least 2 spectra of each class, got 1 of {CLASSES[few[0]]!r}")
    return strata


def _halves(strata, rng):
    """Divide each class into two halves at random; of an odd number, chance says which half is larger."""
    parts = ([], [])
    for members in strata.values():
        shuffled = rng.permutation(members)
        middle = len(shuffled) // 2 + (rng.integers(2) if len(shuffled) % 2 and len(shuffled) > 3 else 0)
        parts[0].append(shuffled[:middle])
        parts[1].append(shuffled[middle:])
    return tuple(np.concatenate(part) for part in parts)


def _distances(a, b, metrics):
    found = {
        "fid": lambda: frechet_distance(a.features, b.features),
        "fid_shrunk": lambda: frechet_distance(a.features, b.features, "ledoit-wolf"),
        "kid": lambda: kernel_distance(a.features, b.features),
        "mfd": lambda: mean_feature_divergence(a, b),
        "mfd_together": lambda: js_divergence(a.told.mean(0), b.told.mean(0)),
    }
    return [found[metric]() for metric in metrics]


def _over_subsets(a, b, rng, subsets, size):
    size = min(size, len(a), len(b))
    drawn = [[x[rng.choice(len(x), size, replace=False)] for x in (a, b)] for _ in range(subsets)]
    return np.array([kernel_distance(*pair) for pair in drawn])


def _singular(real, generated):
    """Warn if a covariance is singular, and return the warning."""
    few, features = min(len(real.features), len(generated.features)), real.features.shape[1]
    if few > features:
        return ""
    text = (
        f"{few} spectra have a singular covariance of {features} features: FID comes out much too large; take more "
        f"than {features} spectra, a network with fewer features, FID with covariances shrunk, or KID"
    )
    warnings.warn(text, stacklevel=3)
    return text


def _wilson(right, number):
    interval = stats.binomtest(int(right), int(number)).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)
