"""How well a mask agrees with a reference, pixel by pixel."""

from typing import NamedTuple

import numpy as np


class Confusion(NamedTuple):
    """Pixels of a mask, counted by what they are in the reference."""

    both: int  # true foreground
    only_reference: int  # missed
    only_mask: int  # added
    neither: int  # true background

    @property
    def false_positive(self):
        """Share of the reference's background that the mask takes; 0 if there is no background."""
        return self.only_mask / max(1, self.only_mask + self.neither)

    @property
    def false_negative(self):
        """Share of the reference's foreground that the mask misses; 0 if there is no foreground."""
        return self.only_reference / max(1, self.only_reference + self.both)

    @property
    def accuracy(self):
        """Share of all pixels on which both agree (Sipkens et al., eq. 3)."""
        return (self.both + self.neither) / sum(self)

    @property
    def iou(self):
        """Intersection over union; 1 if both are empty."""
        union = self.both + self.only_reference + self.only_mask
        return self.both / union if union else 1.0

    @property
    def dice(self):
        """Intersection over the mean of both areas; 1 if both are empty."""
        areas = 2 * self.both + self.only_reference + self.only_mask
        return 2 * self.both / areas if areas else 1.0


def confusion(reference_mask, mask):
    """Compare a mask with a reference.

    Rates are shares, not per cent. As in Sipkens et al., Table 3, false positives are counted relative to
    the reference's background and false negatives relative to its foreground.

    Parameters
    ----------
    reference_mask, mask : (H, W) array_like of bool
        Any equal number of dimensions will do.

    Returns
    -------
    Confusion

    Raises
    ------
    ValueError
        If the shapes differ, a mask is empty or not of type bool.
    """
    reference, mask = np.asarray(reference_mask), np.asarray(mask)
    if reference.shape != mask.shape:
        raise ValueError(f"the masks must have one shape, got {reference.shape} (reference) and {mask.shape}")
    for name, array in (("reference_mask", reference), ("mask", mask)):
        if array.dtype != bool:
            raise ValueError(f"{name} must be of type bool, got {array.dtype}")
    if mask.size == 0:
        raise ValueError(f"the masks hold no pixel: their shape is {mask.shape}")
    both = np.count_nonzero(reference & mask)
    only_reference = np.count_nonzero(reference) - both
    only_mask = np.count_nonzero(mask) - both
    return Confusion(both, only_reference, only_mask, mask.size - both - only_reference - only_mask)


def intersection_over_union(reference_mask, mask):
    """Return the pixels in both masks over the pixels in either. Raises as `confusion`."""
    return confusion(reference_mask, mask).iou
