"""How similar two sets of pictures are: Frechet and kernel distance of features, CLIP score, style loss.

Of the document's three (IPMT report, AP1.5) the Frechet inception distance and the style loss are smaller, the CLIP
score larger, the more alike the sets are. The kernel distance is new here: it has no bias where pictures are few.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.measure import frechet_distance, kernel_distance
from particlelab.micrographs.features import NETWORKS, check_pictures, choose_features, load_features
from particlelab.randomness import generator


class Metric(NamedTuple):
    """A measure of how similar two sets of pictures are."""

    title: str
    features: str  # the published ones that it was made for
    more: bool  # whether more means more alike
    style: bool  # whether it compares Gram matrices


METRICS = {
    "fid": Metric("FID", "inception", False, False),
    "kid": Metric("KID", "inception", False, False),
    "clip": Metric("CLIP score", "clip", True, False),
    "style": Metric("Style loss", "vgg", False, True),
}


class Similarity(NamedTuple):
    """How similar two sets of pictures are by one measure."""

    value: float
    name: str  # with the features, unless they are those that the measure was made for: "FID (own features)"
    metric: str
    features: str
    more: bool  # whether more means more alike


def similarity(a, b, metric="fid", features="auto", seed=0):
    """Compare two sets of pictures.

    Of few pictures a Frechet distance comes out too large (`measure.frechet_distance`), and a style loss or CLIP score
    of two sets of one kind is not that of a picture with itself: `chance_similarities` tells what such sets give.

    Parameters
    ----------
    a : (n, H, W) uint8 array_like
    b : (m, h, w) uint8 array_like
        Two pictures at least in each.
    metric : {"fid", "kid", "clip", "style"}
        Squared Frechet distance of normal distributions fitted to features (Heusel et al. 2017); squared kernel
        distance of features (Binkowski et al. 2018); mean cosine between the features of a picture of one set and of
        one of the other; mean style loss of such a pair (Gatys et al. 2016).
    features : {"auto", "inception", "clip", "vgg", "own", "random"} or path
        See `load_features`. ``"auto"`` takes what the metric was made for (Inception, CLIP, VGG) if the weights are on
        this machine, otherwise the lab's own.
    seed : int
        Of random features.

    Returns
    -------
    Similarity

    Raises
    ------
    ValueError
        If a set holds no pictures or fewer than two, the metric or features are unknown, or weights cannot be had.
    """
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    described = [describe_set(pictures, metric, features, seed) for pictures in (a, b)]
    return compare_features(*described, metric, choose_features(features, METRICS[metric].features))


def similarities(a, b, metrics=tuple(METRICS), features="auto", seed=0, progress=None):
    """Compare two sets of pictures by several measures.

    Parameters
    ----------
    a, b, features, seed
        As for `similarity`.
    metrics : sequence of str
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        ``metric``, ``name``, ``value``, ``more`` (whether more means more alike).
    """
    rows = []
    for k, metric in enumerate(metrics):
        found = similarity(a, b, metric, features, seed)
        rows.append((metric, found.name, found.value, found.more))
        if progress:
            progress((k + 1) / len(metrics), found.name)
    return pd.DataFrame(rows, columns=["metric", "name", "value", "more"])


def describe_set(pictures, metric, features="auto", seed=0, progress=None):
    """Return the vectors by which a measure compares pictures.

    Parameters
    ----------
    pictures : (n, H, W) uint8 array_like
        Two at least.
    metric : str
    features : str or path
    seed : int
    progress : callable, optional

    Returns
    -------
    (n, d) float32 ndarray
    """
    pictures = check_pictures(pictures, "a set", fewest=2)
    network = load_features(choose_features(features, METRICS[metric].features), seed)
    return network.style(pictures, progress) if METRICS[metric].style else network.describe(pictures, progress)


def compare_features(a, b, metric, features):
    """Compare two sets of pictures by what describes them.

    Parameters
    ----------
    a : (n, d) array_like
        From `describe_set`.
    b : (m, d) array_like
    metric : str
    features : str
        For the name.

    Returns
    -------
    Similarity
    """
    if metric in PAIRS:
        value = float(PAIRS[metric](a, b).mean())
    else:
        value = {"fid": frechet_distance, "kid": kernel_distance}[metric](a, b)
    kind = METRICS[metric]
    return Similarity(value, measure_name(metric, features), metric, features, kind.more)


def measure_name(metric, features):
    """Return what a measure by some features is called: that which it was made for needs no addition."""
    kind = METRICS[metric]
    if features == kind.features:
        return kind.title
    known = features in NETWORKS
    return f"{kind.title} ({f'{features} features' if known else 'features of a file'})"


def chance_similarities(a, b, metric, features, seed=0, splits=99):
    """Return what two sets give if they are of one kind: all pictures together, divided at random again and again.

    A permutation test: the share of these, with the value itself, that are at least as unlike as the two sets, is at
    most p in a share p of all pairs of sets of one kind, exactly, whatever the measure and however few pictures.

    Parameters
    ----------
    a : (n, d) array_like
        From `describe_set`.
    b : (m, d) array_like
    metric, features : str
    seed : int
    splits : int

    Returns
    -------
    (splits,) ndarray
    """
    together, rng = np.concatenate([a, b]), generator(seed, "chance", metric)
    each = PAIRS[metric](together, together) if metric in PAIRS else None
    found = []
    for _ in range(splits):
        order = rng.permutation(len(together))
        first, second = order[: len(a)], order[len(a) :]
        if each is not None:
            found.append(each[np.ix_(first, second)].mean())
        else:
            found.append(compare_features(together[first], together[second], metric, features).value)
    return np.array(found)


def _cosines(a, b):
    """Return the cosine of each vector of one sample with each of another."""
    a, b = (np.asarray(x, float) for x in (a, b))
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (a, b))
    return a @ b.T


def _squares(a, b):
    """Return the squared distance of each vector of one sample from each of another."""
    a, b = (np.asarray(x, float) for x in (a, b))
    squares = np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1) - 2 * a @ b.T
    return np.maximum(squares, 0.0)


PAIRS = {"clip": _cosines, "style": _squares}  # measures that are means over pairs, one picture of each set
