"""Classifiers as the document's table 3 compares them: a method, its options, and what its masks end with."""

from typing import NamedTuple

import numpy as np

from particlelab.soot.masks import SegmentationFailure, rolling_ball
from particlelab.soot.segmentation import METHODS, doubts, segment


class Variant(NamedTuple):
    """One row of table 3."""

    method: str
    options: dict  # of `segment`
    ending: dict  # of `rolling_ball`, on the mask that the method gave; empty for that mask itself


_RAW = {"closing_nm": 0, "minimum_pixels": 0}  # the network's own mask
_LARGE = {"closing_nm": 0, "minimum_pixels": 1000}  # removal of small aggregates alone

# Names without an ending are methods with their own options; "cnn" alone is the network without post-processing.
VARIANTS = {
    **{method: Variant(method, {}, {}) for method in METHODS},
    "cnn": Variant("cnn", _RAW, {}),
    "cnn + RB": Variant("cnn", _RAW, {"closing_nm": 3.2}),
    "cnn + 1000 px": Variant("cnn", _RAW, _LARGE),
    "cnn + RB + 1000 px": Variant("cnn", _RAW, {"closing_nm": 3.2, "minimum_pixels": 1000}),
    "kmeans + 1000 px": Variant("kmeans", {}, _LARGE),
}


class Variants:
    """The variants of one image: a method that several of them share runs once.

    Parameters
    ----------
    image : (H, W) array_like
    pixel_size_nm : float
    network : str
        Trained network of the method "cnn", as in its options.
    """

    def __init__(self, image, pixel_size_nm, network="default"):
        self.image, self.pixel_size_nm, self.network = image, pixel_size_nm, network
        self._made = {}

    def segment(self, name):
        """Return the mask of a variant, and why it cannot be trusted.

        Parameters
        ----------
        name : str
            Of `VARIANTS`.

        Returns
        -------
        mask : (H, W) ndarray of bool
        reasons : list of str
            One phrase each, as `SegmentationFailure` has them; empty if nothing is wrong.
        """
        method, options, ending = VARIANTS[name]
        key = method, *options.items()
        if key not in self._made:
            self._made[key] = self._segment(method, options)
        mask, reasons = self._made[key]
        if not ending:
            return mask, reasons
        lasting = [reason for reason in reasons if reason not in doubts(method, mask)]  # those of the image
        mask = rolling_ball(mask, self.pixel_size_nm, **ending)
        return mask, [*lasting, *doubts(method, mask)]

    def _segment(self, method, options):
        options = options | {"model": self.network} if method == "cnn" else options
        try:
            return segment(self.image, self.pixel_size_nm, method, **options), []
        except SegmentationFailure as failure:
            return failure.mask, failure.reasons
        except ValueError as error:  # an image that no method can take does not stop the others
            return np.zeros(np.shape(self.image), bool), [str(error)]
