"""How well particles were found: average precision as COCO counts it, and how well their sizes were measured."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from particlelab.measure import geometric_moments
from particlelab.randomness import check_rng

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
CRITERIA = {  # the four of the document, with their units
    "js_divergence": "",
    "mean_error": "%",
    "deviation_error": "%",
    "count_error": "%",
}
BINS = 24  # of ln d for the divergence, each a third of the truth's standard deviation
NARROWEST = 0.01  # of ln d, standard deviation: particles of one size have bins too
RESAMPLES = 2000


class AveragePrecision(float):
    """COCO's AP, a number, which carries the AP at each IoU; NaN where there is nothing to find.

    Attributes
    ----------
    at : tuple of 10 float
        AP at each IoU of `IOU_THRESHOLDS`.
    AP, AP50, AP75 : float
        Their mean, as the number itself; at an IoU of 0.50; at one of 0.75.
    """

    def __new__(cls, at):
        self = super().__new__(cls, np.mean(at))
        self.at = tuple(map(float, at))
        return self

    def __getnewargs__(self):
        return (self.at,)

    @property
    def AP(self):
        """Mean over the IoU thresholds."""
        return float(self)

    @property
    def AP50(self):
        """At an IoU of 0.50."""
        return self.at[0]

    @property
    def AP75(self):
        """At an IoU of 0.75."""
        return self.at[5]


def average_precision(truth, detections):
    """Return the average precision of detections by their masks, as COCO defines it, without a limit on their number.

    The mean over IoU thresholds 0.50, 0.55 ... 0.95 of the precision, interpolated at 101 values of the recall (Lin et
    al. 2014). It equals pycocotools' "AP", area "all", with its ``maxDets`` above the number of detections of an image.

    Parameters
    ----------
    truth : (H, W) int array_like, or sequence of them
        Instances of each image: 0 is ground. Numbers without a pixel do not count: they are hidden.
    detections : (instances, scores), or sequence of them
        Of each image: instances (H, W) and a score (N,) of each; the score of instance k is ``scores[k - 1]``. What a
        detector found (`Found`) will do. A detection without a pixel is a false one.

    Returns
    -------
    AveragePrecision
        A float with ``AP50``, ``AP75`` and ``at``, the AP at each threshold; NaN if no image has a particle.

    Raises
    ------
    ValueError
        If the numbers of images differ, an image and its detections differ in shape, or a detection has no score.
    """
    return precision_of([hits_of(*image) for image in _images(truth, detections)])


class Hits(NamedTuple):
    """What the average precision takes of one image."""

    scores: np.ndarray  # (n,) of the detections, the highest first
    hit: np.ndarray  # (10, n) bool: at each IoU threshold, whether that detection found a particle
    n_true: int  # particles of which a pixel is seen


def hits_of(truth, instances, scores):
    """Return what the average precision takes of one image, so that images can be drawn anew (`precision_of`).

    Parameters
    ----------
    truth, instances : (H, W) int array_like
    scores : (n,) array_like

    Returns
    -------
    Hits

    Raises
    ------
    ValueError
        As `average_precision`.
    """
    truth, instances = _checked(truth, instances)
    scores = np.asarray(scores, float)
    most = instances.max(initial=0)
    if scores.ndim != 1 or len(scores) < most or not np.isfinite(scores).all():
        raise ValueError(f"each detection needs a finite score, got {scores.shape} scores of {most} detections")
    order = np.argsort(-scores, kind="stable")
    hit = _hits(*_overlaps(truth, instances, IOU_THRESHOLDS[0]), order + 1)
    return Hits(scores[order], hit, int(np.count_nonzero(np.bincount(truth.ravel())[1:])))


def precision_of(images):
    """Return the `AveragePrecision` of images, each given by its `Hits`."""
    n_true = sum(image.n_true for image in images)
    if n_true == 0:
        return AveragePrecision(np.full(len(IOU_THRESHOLDS), np.nan))
    order = np.argsort(-np.concatenate([image.scores for image in images]), kind="stable")
    hits = np.concatenate([image.hit for image in images], axis=1)[:, order]
    return AveragePrecision([_interpolated(row, n_true) for row in hits])


def match_detections(truth, found, least_iou=0.5):
    """Pair the particles of an image with those that were found, so that the sum of their IoU is greatest.

    Parameters
    ----------
    truth, found : (H, W) int array_like
        Instances; 0 is ground.
    least_iou : float
        Of a pair.

    Returns
    -------
    DataFrame
        A row a pair: ``truth`` and ``found``, the numbers of the instances, and ``iou``.

    Raises
    ------
    ValueError
        If the images differ in shape, or the least IoU is not above 0 and at most 1.
    """
    if not 0 < least_iou <= 1:
        raise ValueError(f"least_iou must be above 0 and at most 1, got {least_iou!r}")
    truth, found = _checked(truth, found)
    true, other, iou = _overlaps(truth, found, least_iou)
    rows, row = np.unique(true, return_inverse=True)
    columns, column = np.unique(other, return_inverse=True)
    table = np.zeros((len(rows), len(columns)))
    table[row, column] = iou
    i, j = linear_sum_assignment(table, maximize=True)
    i, j = (index[table[i, j] > 0] for index in (i, j))
    return pd.DataFrame({"truth": rows[i], "found": columns[j], "iou": table[i, j]})


def rate_matches(truth, found, rng, confidence=0.95, resamples=RESAMPLES):
    """Rate measured sizes by the document's four criteria (IPMT report, AP1.5, figure 6), with intervals.

    - ``js_divergence``: Jensen-Shannon divergence (base 2) of the distributions of ln d by number, in 24 bins, each a
      third of the truth's standard deviation, about its mean; the outermost hold what lies outside. Of few particles it
      comes out too large, and of images drawn anew, some of them twice, larger still: its interval reaches up;
    - ``mean_error``, ``deviation_error``: how far geometric mean and geometric standard deviation are from the truth,
      in per cent of it;
    - ``count_error``: the same of the number of particles.

    Parameters
    ----------
    truth, found : sequence of (n,) array_like
        Diameters of each image, in any unit; images may be empty.
    rng : numpy.random.Generator
        Draws the images of the bootstrap.
    confidence : float
    resamples : int

    Returns
    -------
    DataFrame
        ``criterion``, ``value``, ``low``, ``high``, ``unit``: intervals by the percentile bootstrap over images, NaN
        for fewer than two. NaN where too little was found for a criterion.

    Raises
    ------
    ValueError
        If the numbers of images differ, a diameter is not positive and finite, or the truth has fewer than two.
    """
    check_rng(rng)
    truth, found = ([_diameters(each) for each in images] for images in (truth, found))
    if len(truth) != len(found):
        raise ValueError(f"each image needs its true and its found diameters, got {len(truth)} and {len(found)} images")
    if sum(map(len, truth)) < 2:
        raise ValueError("the truth must have at least 2 diameters")
    whole = np.concatenate(truth)
    middle, deviation = (float(np.log(m)) for m in geometric_moments(whole, np.ones(len(whole))))
    edges = middle + max(deviation, NARROWEST) / 3 * np.arange(-BINS // 2, BINS // 2 + 1)
    sums = [np.array([_sums(np.log(each), edges) for each in images]) for images in (truth, found)]
    once = np.ones((1, len(truth)))
    values = _criteria(*(once @ each for each in sums))[0]
    low = high = np.full(len(CRITERIA), np.nan)
    if len(truth) > 1:
        drawn = rng.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), resamples)
        resampled = _criteria(*(drawn @ each for each in sums))
        tail = (1 - confidence) / 2
        known = np.isfinite(values) & (np.isfinite(resampled).mean(axis=0) > 0.5)
        low, high = np.full((2, len(CRITERIA)), np.nan)
        low[known], high[known] = np.nanquantile(resampled[:, known], [tail, 1 - tail], axis=0)
    return pd.DataFrame(
        {"criterion": list(CRITERIA), "value": values, "low": low, "high": high, "unit": list(CRITERIA.values())}
    )


def _images(truth, detections):
    """Yield instances, detected instances and scores of each image."""
    if len(truth) and np.ndim(truth[0]) == 1:
        truth, detections = [truth], [detections]
    if len(truth) != len(detections):
        raise ValueError(f"each image needs its detections, got {len(truth)} images and {len(detections)} detections")
    for instances, detected in zip(truth, detections, strict=True):
        yield instances, detected[0], detected[1]


def _checked(truth, found):
    truth, found = np.asarray(truth), np.asarray(found)
    if truth.shape != found.shape or truth.ndim != 2:
        raise ValueError(f"instances must be images (H, W) of one shape, got {truth.shape} and {found.shape}")
    for array in (truth, found):
        if array.dtype.kind not in "iu" or array.min(initial=0) < 0:
            raise ValueError(f"instances must be whole numbers of at least 0, got {array.dtype}")
    return truth.astype(np.int64, copy=False), found.astype(np.int64, copy=False)


def _overlaps(truth, found, least_iou):
    """Return all pairs of instances that overlap enough: numbers of the true ones, of the found ones, their IoU.

    Instances of one image have no pixel in common, so that one count over the pixels tells all pairs.
    """
    ones = np.ones(truth.size, np.int64)
    counts = sparse.coo_array((ones, (truth.ravel(), found.ravel()))).tocsr()  # which adds up what is named twice
    areas, found_areas = counts.sum(axis=1), counts.sum(axis=0)
    true, other = counts.nonzero()
    inside = (true > 0) & (other > 0)
    true, other, both = true[inside], other[inside], counts.data[inside]
    iou = both / (areas[true] + found_areas[other] - both)
    enough = iou >= least_iou
    return true[enough], other[enough], iou[enough]


def _hits(true, found, iou, order):
    """Return (10, n) which of the detections, in the order of their scores, hit a particle at each threshold.

    As COCO pairs them: one by one, each with the particle of the largest IoU that none before has taken. Detections
    share no pixel, and so only at an IoU of exactly a half can two have the same particle.
    """
    place = np.empty(len(order) + 1, int)
    place[order] = np.arange(len(order))
    hits = np.zeros((len(IOU_THRESHOLDS), len(order)), bool)
    taken, fought = set(), iou == IOU_THRESHOLDS[0]
    for k in np.lexsort((-true, place[found])):  # of equal IoU, COCO takes the last
        if fought[k] and true[k] not in taken and not hits[0, place[found[k]]]:
            taken.add(true[k])
            hits[0, place[found[k]]] = True
    for row, threshold in zip(hits, IOU_THRESHOLDS, strict=True):
        row[place[found[(iou >= threshold) & ~fought]]] = True
    return hits


def _interpolated(hits, n_true):
    """Return the precision of detections in the order of their scores, averaged over the recalls."""
    true = np.cumsum(hits)
    precision = true / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(true / n_true, RECALLS, side="left")
    return np.append(precision, 0.0)[np.minimum(at, len(hits))].mean()


def _diameters(values):
    values = np.asarray(values, float)
    if values.ndim != 1 or not ((values > 0) & np.isfinite(values)).all():
        raise ValueError("diameters must be lists of positive and finite numbers")
    return values


def _sums(log_d, edges):
    """Return what criteria of many images are made of: number, sum and sum of squares of ln d, and the histogram."""
    inside = np.clip(log_d, edges[0], edges[-1])
    middle = (edges[0] + edges[-1]) / 2  # so that little is lost when squares are subtracted
    off = log_d - middle
    return [len(log_d), off.sum(), np.sum(off**2), *np.histogram(inside, edges)[0]]


def _criteria(truth, found):
    """Return the four criteria (m, 4) of sums (m, 3 + bins)."""
    (n, mean, deviation, shares), (n_found, mean_found, deviation_found, shares_found) = map(_moments, (truth, found))
    middle = (shares + shares_found) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = sum(
            np.sum(np.where(p > 0, p * np.log2(p / middle), 0 * middle), axis=1) / 2 for p in (shares, shares_found)
        )
        of_mean, of_deviation = np.expm1(mean_found - mean), np.expm1(deviation_found - deviation)
        of_count = n_found / n - 1
    return np.stack([divergence, 100 * of_mean, 100 * of_deviation, 100 * of_count], axis=1)


def _moments(sums):
    n, total, squares, histogram = sums[:, 0], sums[:, 1], sums[:, 2], sums[:, 3:]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        variance = (squares - n * mean**2) / (n - 1)
        return n, mean, np.sqrt(np.maximum(variance, 0)), histogram / n[:, None]
