"""Which aggregates of one mask are which of another: pairs, added and removed."""

import numpy as np
import pandas as pd
from scipy.ndimage import center_of_mass
from scipy.optimize import linear_sum_assignment

from particlelab.soot.aggregates import check_pixel_size, label_aggregates

CENTRE_DISTANCE_PX = 200  # Sipkens et al., footnote 4
LARGE_PIXELS = 30_000
LARGE_OVERLAP = 0.3


def match_aggregates(reference_mask, mask, pixel_size_nm):
    """Match the aggregates of two masks of one image.

    Two aggregates may be a pair if their centres of mass lie within 200 px and, where one of them is
    larger than 30 000 px, if they share more than 30 % of their union (Sipkens et al., footnote 4).
    Among all sets of pairs, the one with the largest overlap in total is taken, and of those with equal
    overlap the one with the smallest distances.

    Departures from the document's code: pairs are chosen together (an optimal assignment), not by
    mutual nearest centres; overlap is counted in pixels that both hold, not by comparing areas (the
    document's text calls it pixel overlap); and the limits hold in pixels at every magnification, as there.

    Parameters
    ----------
    reference_mask, mask : (H, W) array_like
        Boolean, or 0 and one other value; aggregates and labels as in `label_aggregates`.
    pixel_size_nm : float

    Returns
    -------
    pandas.DataFrame
        One row an aggregate: ``match`` ("pair", "removed": in the reference only, "added": in the
        mask only), ``reference_label`` and ``label`` (missing where there is none), ``reference_da_nm``
        and ``da_nm`` (diameter of the circle of equal area), ``iou`` of the pair, ``distance_nm``
        between the centres. Pairs first, by reference label.

    Raises
    ------
    ValueError
        If a mask is no binary image, the shapes differ, or the pixel size is not positive.
    """
    pixel_size_nm = check_pixel_size(pixel_size_nm)
    old_labels, old_sizes, old_centres = _aggregates(reference_mask)
    new_labels, new_sizes, new_centres = _aggregates(mask)
    if old_labels.shape != new_labels.shape:
        raise ValueError(f"the masks must have one shape, got {old_labels.shape} (reference) and {new_labels.shape}")
    old, new = len(old_sizes), len(new_sizes)
    shared = np.bincount((old_labels * (new + 1) + new_labels).ravel(), minlength=(old + 1) * (new + 1))
    shared = shared.reshape(old + 1, new + 1)[1:, 1:]
    iou = shared / np.maximum(1, old_sizes[:, None] + new_sizes[None, :] - shared)
    distance = np.hypot(*(old_centres[:, None, :] - new_centres[None, :, :]).transpose(2, 0, 1))

    large = np.maximum(old_sizes[:, None], new_sizes[None, :]) > LARGE_PIXELS
    allowed = (distance <= CENTRE_DISTANCE_PX) & (~large | (iou > LARGE_OVERLAP))
    # any pair beats none, overlap comes first, nearness decides between equals
    gain = np.where(allowed, iou + 1e-3 * (1 - distance / (CENTRE_DISTANCE_PX + 1)), 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    pairs = [(i, j) for i, j in zip(rows, columns, strict=True) if allowed[i, j]]

    da_old, da_new = (pixel_size_nm * np.sqrt(4 * sizes / np.pi) for sizes in (old_sizes, new_sizes))
    removed = sorted(set(range(old)) - {i for i, _ in pairs})
    added = sorted(set(range(new)) - {j for _, j in pairs})
    records = [
        ("pair", i + 1, j + 1, da_old[i], da_new[j], iou[i, j], distance[i, j] * pixel_size_nm) for i, j in pairs
    ]
    records += [("removed", i + 1, None, da_old[i], np.nan, np.nan, np.nan) for i in removed]
    records += [("added", None, j + 1, np.nan, da_new[j], np.nan, np.nan) for j in added]
    columns = ["match", "reference_label", "label", "reference_da_nm", "da_nm", "iou", "distance_nm"]
    return pd.DataFrame(records, columns=columns).astype({"reference_label": "Int64", "label": "Int64"})


def _aggregates(mask):
    labels, boxes = label_aggregates(mask)
    sizes = np.bincount(labels.ravel(), minlength=len(boxes) + 1)[1:]
    centres = np.array(center_of_mass(labels > 0, labels, np.arange(1, len(boxes) + 1))).reshape(-1, 2)
    return labels.astype(np.int64), sizes, centres
