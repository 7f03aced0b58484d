"""Masks: what they must be, how they are mended, and when they cannot be right."""

import numpy as np
from scipy.ndimage import label

from particlelab.measure.shapes import EIGHT_CONNECTED
from particlelab.parameters import Parameters, parameter
from particlelab.soot.aggregates import check_pixel_size
from particlelab.soot.filters import close_disc, open_disc

UNDECIDED = (0.25, 0.75)  # probabilities between which a classifier is not sure
SPECKLE_PX = 200  # smaller parts are always undecided and say nothing of it


class Postprocessing(Parameters):
    """What every classifier ends with: the document's rolling ball, and the removal of small aggregates."""

    closing_nm: float = parameter(
        3.2, "Radius of the disc that bridges gaps (rolling ball)", unit="nm", low=0, high=100
    )
    minimum_pixels: int = parameter(200, "Smaller aggregates are removed", unit="px", low=0, high=10_000_000)


class SegmentationFailure(ValueError):
    """A segmentation method returned a mask that cannot be right.

    Attributes
    ----------
    method : str
    reasons : list of str
        One phrase each, as from `check_segmentation`.
    mask : (H, W) ndarray of bool
        What the method returned, to look at.
    """

    def __init__(self, method, reasons, mask):
        super().__init__(f"segmentation by {method!r} failed: " + "; ".join(reasons))
        self.method, self.reasons, self.mask = method, reasons, mask

    def __reduce__(self):  # so that it comes whole through worker processes
        return type(self), (self.method, self.reasons, self.mask)


def check_segmentation(mask, *, border_share=0.25, covered_share=0.5, most_aggregates=50, speckle_pixels=1000):
    """Say why a mask cannot be a good segmentation.

    Parameters
    ----------
    mask : (H, W) array_like of bool
    border_share : float
        Aggregates that touch the border may cover this share of the frame: beyond it, the method has
        most likely taken an uneven background for soot (so does the code behind the document).
    covered_share : float
        All aggregates together may cover this share; every method takes the majority for background.
    most_aggregates, speckle_pixels : int
        More aggregates than this are speckle, or fragments, if more than half of them are smaller than
        ``speckle_pixels`` (the size below which the document removes texture of the background).

    Returns
    -------
    list of str
        One reason each; empty if nothing is wrong. An empty mask is not wrong.

    Raises
    ------
    ValueError
        If the mask is not 2-D or not of type bool.
    """
    labels, sizes = label_parts(check_mask(mask))
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    at_border = sizes[edge[edge > 0]].sum() / labels.size
    covered = sizes[1:].sum() / labels.size
    small = np.count_nonzero(sizes[1:] < speckle_pixels)
    count = len(sizes) - 1
    reasons = []
    if at_border > border_share:
        reasons.append(f"aggregates at the border cover {at_border:.0%} of the frame (more than {border_share:.0%})")
    if covered > covered_share:
        reasons.append(f"the mask covers {covered:.0%} of the frame (more than {covered_share:.0%})")
    if count > most_aggregates and small > count / 2:
        reasons.append(f"{count} aggregates, {small} of them below {speckle_pixels} px: speckle or fragments")
    return reasons


def rolling_ball(mask, pixel_size_nm, minimum_pixels=0, closing_nm=3.2):
    """Bridge gaps in a mask and smooth it: closing, then opening with a slightly smaller disc.

    Sipkens et al. (the document), sec. 2.1.3: the closing's disc has a radius of 3.2 nm / pixel size
    in pixels, the opening's one pixel less, so that the bridges stay. The frame cuts nothing off:
    beyond it lies background for the closing and aggregate for the opening.

    Parameters
    ----------
    mask : (H, W) array_like of bool
    pixel_size_nm : float
    minimum_pixels : int
        Aggregates of fewer pixels are removed (8-connected); the document uses 1000.
    closing_nm : float
        Radius of the closing; rounded to whole pixels, at least 1 unless it is 0.

    Returns
    -------
    (H, W) ndarray of bool

    Raises
    ------
    ValueError
        If the mask is not 2-D or not of type bool, the pixel size is not positive, or one of the others
        is negative.
    """
    mask, pixel_size_nm = check_mask(mask), check_pixel_size(pixel_size_nm)
    for name, value in (("minimum_pixels", minimum_pixels), ("closing_nm", closing_nm)):
        if not value >= 0:
            raise ValueError(f"{name} must be at least 0, got {value!r}")
    if closing_nm:
        radius = max(1, round(min(closing_nm / pixel_size_nm, max(mask.shape))))
        mask = open_disc(close_disc(mask, radius), radius - 1)
    if minimum_pixels > 1:
        labels, sizes = label_parts(mask)
        keep = sizes >= minimum_pixels
        keep[0] = False
        mask = keep[labels]
    return mask


def mask_of_probability(method, probability, pixel_size_nm, options):
    """Return the mask of a classifier that gives probabilities.

    An image unlike those that the classifier was trained on (of inverted contrast, or with soot that hardly stands out)
    leaves it undecided: it has failed if it is sure of less than half of what it takes for possible soot.

    Parameters
    ----------
    method : str
        The classifier, for the message of a failure.
    probability : (H, W) ndarray
        Of soot, from 0 to 1.
    pixel_size_nm : float
    options : Postprocessing
        With a field ``probability``, the least that is taken for soot.

    Returns
    -------
    (H, W) ndarray of bool

    Raises
    ------
    SegmentationFailure
        If the classifier is not sure.
    """
    mask = rolling_ball(probability > options.probability, pixel_size_nm, options.minimum_pixels, options.closing_nm)
    possible = rolling_ball(probability > UNDECIDED[0], pixel_size_nm, max(options.minimum_pixels, SPECKLE_PX), 0)
    sure = (probability[possible] > UNDECIDED[1]).mean() if possible.any() else 1.0
    if sure < 0.5:
        reason = f"the classifier is sure of only {sure:.0%} of what may be soot: unlike the images it was trained on?"
        raise SegmentationFailure(method, [reason], mask)
    return mask


def label_parts(mask):
    """Label 8-connected parts; return the labels and the number of pixels of each (index 0: background)."""
    labels, count = label(mask, structure=EIGHT_CONNECTED)
    return labels, np.bincount(labels.ravel(), minlength=count + 1)


def check_mask(mask):
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"the mask must have the shape (H, W), got {mask.shape}")
    if mask.dtype != bool:
        raise ValueError(f"the mask must be of type bool, got {mask.dtype}")
    return mask
