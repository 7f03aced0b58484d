"""The held-out set: simulated micrographs that no method has seen, over the conditions of real ones."""

from collections.abc import Sequence
from typing import Literal

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator, log_uniform
from particlelab.soot.collection import Sample
from particlelab.soot.micrographs import Micrograph, simulate_micrograph
from particlelab.soot.primaries import METHODS as SIZERS
from particlelab.soot.variants import VARIANTS

PIXEL_NM = (0.4, 0.8)  # least and greatest, drawn evenly in their logarithm


class CrossComparison(Parameters):
    """Every classifier by every sizing method: the document's set-up has 60 images of full size."""

    classifiers: tuple[Literal[tuple(VARIANTS)], ...] = parameter(
        (
            *("cnn", "cnn + RB", "cnn + 1000 px", "cnn + RB + 1000 px", "kmeans", "kmeans + 1000 px"),
            *("otsu", "weka", "threshold"),
        ),
        "Rows of table 3",
    )
    sizers: tuple[Literal[tuple(SIZERS)], ...] = parameter(
        ("hough", "edm_sbs", "pcm", "edm_ws", "network"), "Columns of tables 4 and 5"
    )
    images: int = parameter(5, "Held-out images", low=1, high=1000)
    width_px: int = parameter(512, "Width of an image", unit="px", low=256, high=4096)
    height_px: int = parameter(512, "Height of an image", unit="px", low=256, high=4096)
    aggregates: int = parameter(2, "Aggregates in an image; some are cut by its edge", low=1, high=100)
    pictures: int = parameter(3, "Images that are shown", low=1, high=20)
    real_images: int = parameter(0, "Real images to score, at most, where there are any", low=0, high=1000)
    seed: int = parameter(0, "Seed of the held-out images", low=0)


class SegmenterStudy(Parameters):
    """What is asked of a trained network, and whether it is trained first."""

    train: bool = parameter(False, "Train a network from nothing; otherwise the one that ships is looked at")
    images: int = parameter(4, "Held-out images that it is scored on", low=1, high=1000)
    image_px: int = parameter(768, "Edge of these", unit="px", low=256, high=4096)
    aggregates: int = parameter(4, "Aggregates in each; some are cut by its edge", low=1, high=100)
    hard_images: int = parameter(1, "Images for each condition and level of difficulty", low=1, high=1000)
    hard_image_px: int = parameter(512, "Edge of these", unit="px", low=256, high=4096)


class HeldOut(Sequence):
    """Micrographs whose aggregates obey the universal relation, each simulated when it is asked for.

    The document validates with 60 real images that are not public. Here pixel sizes are drawn for each image, and
    contrast, gradient, noise and fringe over the ranges that were measured on real images (the defaults of
    `Micrograph`); dp scatters by a factor of 1.2 about 17.8 nm (da / 100 nm)^0.35, the relation of Olfert and Rogak. A
    stream of chance of their own ("held out") keeps them apart from everything that a method is trained on.

    Parameters
    ----------
    images : int
    seed : int
    width_px, height_px : int
        Of each image.
    aggregates : int
        In each image; some are cut by its edge.
    """

    def __init__(self, images, seed, width_px=2240, height_px=1952, aggregates=6):
        self.images, self.seed = images, seed
        self.frame = {"width_px": width_px, "height_px": height_px, "aggregates": aggregates}

    def __len__(self):
        return self.images

    def __getitem__(self, number):
        """Return the `Sample` of a number; the same for the same seed, however many there are."""
        if not 0 <= number < self.images:
            raise IndexError(f"there are {self.images} images, numbered from 0, got {number}")
        rng = generator(self.seed, "held out", number)
        pixel_size_nm = log_uniform(rng, *PIXEL_NM)
        found = simulate_micrograph(Micrograph(pixel_size_nm=pixel_size_nm, **self.frame), rng)
        return Sample(f"held out {number + 1}", found.image, pixel_size_nm, found.mask, found.table)
