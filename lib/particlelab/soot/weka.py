"""Classifier by a random forest over the features of each pixel, trained from painted pixels or from masks.

It stands for Fiji's trainable Weka segmentation (Sipkens et al., sec. 2.2, after Altenhoff et al.): the same kinds of
features, the same kind of classifier.
"""

import numpy as np

from particlelab.learning.inference import once_an_image
from particlelab.learning.models import load_trained, save_model
from particlelab.parameters import Parameters, parameter
from particlelab.soot.forest import evaluate_forest, flatten_forest, is_forest
from particlelab.soot.masks import mask_of_probability
from particlelab.soot.pixel_features import FEATURES, feature_bands, features_of
from particlelab.soot.thresholds import Flattened

UNLABELLED, BACKGROUND, SOOT = range(3)
TREES_AT_ONCE = 5  # between two reports of progress


class Weka(Flattened):
    """Probability of soot by a random forest of pixel features, above a threshold."""

    closing_nm: float = parameter(
        0.0, "Radius of the disc that bridges gaps (rolling ball); the document uses none", unit="nm", low=0, high=100
    )
    model: str = parameter("weka", "Trained classifier: a name that ships, or the path of a file")
    probability: float = parameter(0.5, "Least probability of soot", above=0, below=1)


class PixelTraining(Parameters):
    """How a pixel classifier is trained."""

    trees: int = parameter(30, "Trees of the forest", low=1, high=1000)
    leaves: int = parameter(500, "Most leaves of a tree", low=2, high=100_000)
    leaf_pixels: int = parameter(5, "Fewest pixels in a leaf", unit="px", low=1, high=100_000)
    pixels: int = parameter(200_000, "Most pixels to learn from, of all images together", unit="px", low=2)
    balanced: bool = parameter(True, "Soot and background count the same, however many pixels of each are labelled")
    background_order: int = parameter(2, "Order of the polynomial fitted to the background's grey", low=0, high=4)


def segment_by_weka(image, pixel_size_nm, options):
    """Return the mask (H, W) of an image (H, W); see `Weka`.

    Raises
    ------
    SegmentationFailure
        As `mask_of_probability`.
    """
    probability = load_pixel_classifier(options.model).probability(image, background_order=options.background_order)
    return mask_of_probability("weka", probability, pixel_size_nm, options)


class PixelClassifier:
    """A trained forest and its card.

    Attributes
    ----------
    forest : dict of str to ndarray
        As `particlelab.soot.forest.flatten_forest` returns it.
    card : dict
        See `save_model`.
    """

    def __init__(self, forest, card):
        self.forest, self.card = forest, card

    @once_an_image
    def probability(self, image, background_order=2):
        """Return the probability of soot, (H, W) float32, of an image (H, W) of any grey scale and any size.

        Raises
        ------
        ValueError
            If the image is of one grey level.
        """
        image = np.asarray(image)
        found = np.empty(image.shape, np.float32)
        for rows, features in feature_bands(image, background_order):
            found[rows] = self.evaluate(features.reshape(len(features), -1)).reshape(found[rows].shape)
        return found

    def evaluate(self, features):
        """Return the probability of soot, (N,) float32, of pixels with features (F, N) float32."""
        return evaluate_forest(self.forest, features)

    def save(self, path):
        """Write the forest to ``NAME.safetensors`` with its card."""
        return save_model(path, self.forest, self.card)


def load_pixel_classifier(name="weka"):
    """Load a trained pixel classifier.

    Parameters
    ----------
    name : str or path
        One that ships, or a path that ends in ``.safetensors``.

    Returns
    -------
    PixelClassifier

    Raises
    ------
    ValueError
        If there is none, or the file holds something else, or was trained on other features.
    """
    return load_trained("soot", name, _classifier)


def train_pixel_classifier(images, labels, rng, training=None, progress=None):
    """Train a pixel classifier.

    Parameters
    ----------
    images : sequence of (H, W) array_like
    labels : sequence of (H, W) array_like of int
        0: not labelled, 1: background, 2: soot. A mask that is known in full is ``mask + 1``.
    rng : numpy.random.Generator
        Chooses pixels and grows the trees.
    training : PixelTraining, optional
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    PixelClassifier

    Raises
    ------
    ValueError
        If there are no images, labels are of another shape or hold other values, or one of the classes is missing.
    """
    training = training or PixelTraining()
    labels = [np.asarray(part) for part in labels]
    counts = _count(images, labels)
    quota = max(1, training.pixels // (2 * len(images)))
    features, soot = [], []
    for number, (image, part) in enumerate(zip(images, labels, strict=True)):
        if progress:
            progress(0.5 * number / len(images), f"features of image {number + 1} of {len(images)}")
        chosen = [_choose(np.flatnonzero(part == kind), quota, rng) for kind in (BACKGROUND, SOOT)]
        features.append(features_of(image, np.concatenate(chosen), training.background_order))
        soot.append(np.repeat([False, True], [len(pixels) for pixels in chosen]))
    features, soot = np.concatenate(features, axis=1), np.concatenate(soot)
    forest = _grow(features.T, soot, None if training.balanced else counts, rng, training, progress)
    card = {
        "purpose": "Tells soot from background in TEM images of any size, pixel by pixel.",
        "features": list(FEATURES),
        "training": training.model_dump(),
        "data": {
            "images": len(images),
            "labelled pixels": {"background": int(counts[0]), "soot": int(counts[1])},
            "pixels learnt from": {"background": int((~soot).sum()), "soot": int(soot.sum())},
        },
    }
    return PixelClassifier(forest, card)


def _classifier(path, forest, card):
    if card.get("features") != list(FEATURES):
        raise ValueError(f"{path} holds no pixel classifier of these features: its card has other 'features', or none")
    if not is_forest(forest, len(FEATURES)):
        raise ValueError(f"{path} is damaged: its arrays make no forest")
    return PixelClassifier(forest, card)


def _count(images, labels):
    """Check what a training is given; return how many pixels are labelled background, and how many soot."""
    if len(images) != len(labels) or not len(images):
        raise ValueError(f"every image needs its labels, got {len(images)} images and {len(labels)} arrays of labels")
    counts = np.zeros(3, int)
    for number, (image, part) in enumerate(zip(images, labels, strict=True)):
        if part.shape != np.shape(image):
            raise ValueError(f"labels[{number}] has the shape {part.shape}, but its image {np.shape(image)}")
        if part.dtype.kind not in "iu" or part.min() < UNLABELLED or part.max() > SOOT:
            raise ValueError(f"labels[{number}] must hold 0 (not labelled), 1 (background) and 2 (soot) only")
        counts += np.bincount(part.ravel(), minlength=3)
    for kind, name in ((BACKGROUND, "background"), (SOOT, "soot")):
        if not counts[kind]:
            raise ValueError(f"no pixel is labelled {name} ({kind}); a classifier needs examples of both")
    return counts[1:]


def _choose(pixels, quota, rng):
    return rng.choice(pixels, quota, replace=False) if len(pixels) > quota else pixels


def _grow(features, soot, counts, rng, training, progress):
    """Grow a forest on features (N, F) and return its arrays; classes count the same, or as ``counts`` says."""
    from sklearn.ensemble import RandomForestClassifier

    sizes = np.bincount(soot, minlength=2)
    weights = (np.ones(2) if counts is None else counts / counts.sum()) / sizes
    forest = RandomForestClassifier(
        max_leaf_nodes=training.leaves,
        min_samples_leaf=training.leaf_pixels,
        n_jobs=-1,
        random_state=int(rng.integers(2**31)),
        warm_start=True,
    )
    for grown in range(0, training.trees, TREES_AT_ONCE):
        trees = min(grown + TREES_AT_ONCE, training.trees)
        if progress:
            progress(0.5 + 0.5 * grown / training.trees, f"tree {trees} of {training.trees}")
        forest.set_params(n_estimators=trees)
        forest.fit(features, soot, sample_weight=weights[soot.astype(int)])
    if progress:
        progress(1.0, "")
    return flatten_forest(forest)
