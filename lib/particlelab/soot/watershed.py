"""Primary particle size from the watersheds of a mask's distance map (EDM-WS)."""

import numpy as np
from numba import njit
from scipy import ndimage

from particlelab.parameters import Parameters, parameter


class Watershed(Parameters):
    """Euclidean distance mapping and watershed: De Temmerman et al. 2014."""

    prominence_px: float = parameter(
        1.0, "Maxima of the distance map that rise less are no particle", unit="px", above=0, high=100
    )


def locate_by_watershed(image, labels, boxes, pixel_size_nm, parameters):
    """Locate primaries as the basins of the distance map.

    Maxima of the distance map that rise by one level or less above the saddle to a higher one are
    removed; each that remains is the centre of one watershed region, and the diameter is twice the
    largest distance in the region: that of the largest disk that fits into the mask there. Clumps of
    overlapping primaries count as one large particle, so that dp is the size of the aggregate's clumps
    rather than of its primaries (Sipkens et al., sec. 3.3: 50 to 100 % larger than by other methods).

    The largest distance of a region is at its remaining maximum, wherever the watershed runs, so the
    regions need not be drawn.

    Parameters
    ----------
    image
        Not looked at.
    labels, boxes
        From `label_aggregates`.
    pixel_size_nm : float
    parameters : Watershed

    Returns
    -------
    label : (n,) int ndarray
    x_px, y_px, diameter_px : (n,) ndarray
        Column, row and diameter of each disk.
    """
    found = [np.empty((0, 4))]
    for label, box in enumerate(boxes, 1):
        distance = ndimage.distance_transform_edt(np.pad(labels[box] == label, 1))
        peaks = np.sort(_prominent_maxima(distance, parameters.prominence_px))
        y, x = np.unravel_index(peaks, distance.shape)
        corner = box[1].start - 1, box[0].start - 1
        diameter = 2 * distance.ravel()[peaks]
        found.append(np.column_stack([np.full(len(peaks), label), x + corner[0], y + corner[1], diameter]))
    label, x, y, diameter = np.concatenate(found).T
    return label.astype(int), x, y, diameter


@njit("int64[:](float64[:, ::1], float64)", cache=True)
def _prominent_maxima(height, prominence):
    """Return the flat indices of the maxima that rise by more than ``prominence`` above the saddle to a higher one.

    The map is flooded from above: pixels join in the order of their height, and where two regions meet, the
    lower one's maximum has shown how far it rises. The map must be 0 at its edge.
    """
    width = height.shape[1]
    steps = np.array([-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1])
    level = height.ravel()
    above = np.flatnonzero(level > 0)
    order = above[np.argsort(-level[above], kind="mergesort")]  # equal heights in the order of their indices
    parent = np.full(level.size, -1)  # of a region, the root is its highest pixel; -1 is still under water
    kept = np.empty(order.size, np.int64)
    n = 0
    for pixel in order:
        parent[pixel] = top = pixel
        for step in steps:
            other = pixel + step
            if parent[other] < 0:
                continue
            while parent[other] != other:
                parent[other] = parent[parent[other]]
                other = parent[other]
            if other == top:
                continue
            if level[other] > level[top] or (level[other] == level[top] and other < top):
                other, top = top, other
            parent[other] = top
            if level[other] - level[pixel] > prominence:
                kept[n] = other
                n += 1
    for pixel in order:
        if parent[pixel] == pixel and level[pixel] > prominence:
            kept[n] = pixel
            n += 1
    return kept[:n].copy()
