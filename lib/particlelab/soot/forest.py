"""A random forest as plain arrays: a file of it runs no code, and does not depend on the library that grew it."""

import numpy as np
from numba import njit

_TYPES = {
    "feature": np.int16,
    "threshold": np.float32,
    "left": np.int32,
    "right": np.int32,
    "value": np.float32,
    "roots": np.int32,
}


def flatten_forest(forest):
    """Return a fitted ``RandomForestClassifier`` of two classes as plain arrays.

    Returns
    -------
    dict of str to ndarray
        One entry a node, tree after tree, parents before their children: ``feature`` (-1 in a leaf), ``threshold``
        (features up to it go left), ``left`` and ``right`` (nodes), ``value`` (probability of the second class); and
        ``roots``, one a tree.
    """
    trees = [estimator.tree_ for estimator in forest.estimators_]
    roots = np.cumsum([0] + [tree.node_count for tree in trees[:-1]])
    leaf = np.concatenate([tree.children_left for tree in trees]) < 0
    threshold = np.concatenate([tree.threshold for tree in trees])
    # features are of single precision: the nearest such number below parts them just as the threshold does
    rounded = threshold.astype(np.float32)
    rounded = np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    counts = np.concatenate([tree.value[:, 0] for tree in trees])
    return {
        "feature": np.where(leaf, -1, np.concatenate([tree.feature for tree in trees])).astype(np.int16),
        "threshold": np.where(leaf, 0, rounded).astype(np.float32),
        "left": np.concatenate([t.children_left + root for t, root in zip(trees, roots, strict=True)]).astype(np.int32),
        "right": np.concatenate([t.children_right + root for t, root in zip(trees, roots, strict=True)]).astype(
            np.int32
        ),
        "value": (counts[:, 1] / counts.sum(axis=1)).astype(np.float32),
        "roots": roots.astype(np.int32),
    }


def is_forest(arrays, features):
    """Return whether arrays are a forest over so many features: no walk leaves them or goes in a circle."""
    if {name: array.dtype for name, array in arrays.items()} != {name: np.dtype(kind) for name, kind in _TYPES.items()}:
        return False
    roots, nodes = arrays["roots"], arrays["feature"].size
    if not roots.size or any(array.shape != (nodes,) for name, array in arrays.items() if name != "roots"):
        return False
    inner = np.flatnonzero(arrays["feature"] >= 0)
    children = np.stack([arrays["left"][inner], arrays["right"][inner]])
    return bool(
        (arrays["feature"] < features).all()
        and ((children > inner) & (children < nodes)).all()
        and ((roots >= 0) & (roots < nodes)).all()
    )


def evaluate_forest(forest, features):
    """Return the probability of the second class, (N,) float32, for features (F, N) float32."""
    return _evaluate(features, *(forest[name] for name in _TYPES))


@njit(cache=True)
def _evaluate(features, feature, threshold, left, right, value, roots):
    pixels = features.shape[1]
    total = np.zeros(pixels, np.float32)
    for root in roots:
        for i in range(pixels):
            node = root
            while feature[node] >= 0:
                node = left[node] if features[feature[node], i] <= threshold[node] else right[node]
            total[i] += value[node]
    return total / np.float32(len(roots))
