"""Particles in two-dimensional STEM images, and the projection of the slice through the centre of each.

In a dark-field image (HAADF) the brightness of a pixel is the thickness of what lies under it. The tilt axis is
vertical: what one row of pixels shows stays in that row when the particle is turned, so that a row is the projection of
one slice (Sullivan 2020, sec. 3).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage, spatial
from skimage import filters, measure, segmentation

from particlelab.parameters import Parameters, parameter

CONTRAST = 4.0  # standard deviations of the background; noise or a slope, cut in two halves, have less than 3.5
CUT = "cut by the border of the image"
REACH = 2.0  # radii on either side of the centre that a projection is taken over


class Picking(Parameters):
    """How particles are found in an image, and which."""

    picked: int | None = parameter(None, "Number of the one particle to measure; none: all", low=1)
    dark: bool = parameter(False, "Particles are dark on bright background (bright field)")
    smoothing_px: float = parameter(2.0, "Gaussian that the image is smoothed with to find particles", unit="px", low=0)
    smallest_radius_px: float = parameter(5.0, "Smaller particles are left out", unit="px", low=1, high=10_000)
    rows_averaged: int = parameter(3, "Rows of pixels that a projection is the average of", unit="px", low=1, high=999)


class Found(NamedTuple):
    """Particles in an image."""

    table: (
        pd.DataFrame
    )  # particle (its number, from 1), x_px, y_px (centroid), radius_px (of a disk of its area), problem
    labels: np.ndarray  # (H, W): number of the particle


def find_particles(image, parameters=None):
    """Find the particles in an image: Gaussian smoothing, and the threshold of Otsu (1979).

    Parameters
    ----------
    image : (H, W) array_like
    parameters : Picking, optional

    Returns
    -------
    Found
        Numbered from top to bottom, those last that have a ``problem``: that they are cut by the border.

    Raises
    ------
    ValueError
        If nothing stands out from the background, no particle is whole and large enough, or a pixel is not finite.
    """
    p = parameters or Picking()
    smooth = ndimage.gaussian_filter(_bright(image, p), p.smoothing_px)
    mask = smooth > filters.threshold_otsu(smooth)
    contrast = smooth[mask].mean() - smooth[~mask].mean() if mask.any() else 0.0
    if not contrast > CONTRAST * smooth[~mask].std():
        raise ValueError(
            f"no {'dark' if p.dark else 'bright'} particle stands out from the background (dark = {p.dark}); "
            "if they are darker than the background, dark must be True"
        )
    labels = measure.label(ndimage.binary_fill_holes(mask))
    regions = measure.regionprops(labels)
    edge = np.array(mask.shape)
    kept, other = [], []
    for region in regions:
        if region.equivalent_diameter_area / 2 >= p.smallest_radius_px:
            box = np.array(region.bbox)
            whole = (box[:2] > 0).all() and (box[2:] < edge).all()
            (kept if whole else other).append(region)
    if not kept:
        raise ValueError(
            f"no particle of at least smallest_radius_px = {p.smallest_radius_px:g} px lies wholly in the image; "
            f"{len(regions) - len(other)} are smaller, {len(other)} are cut by the border"
        )
    number = np.zeros(len(regions) + 1, int)
    number[[region.label for region in kept + other]] = np.arange(1, len(kept + other) + 1)
    rows = [(n, r.centroid[1], r.centroid[0], r.equivalent_diameter_area / 2) for n, r in enumerate(kept + other, 1)]
    table = pd.DataFrame(rows, columns=["particle", "x_px", "y_px", "radius_px"])
    return Found(table.assign(problem=[""] * len(kept) + [CUT] * len(other)), number[labels])


def take_projections(frames, parameters=None):
    """Take the projections of the particles in an image, or in several views of the same particles.

    A projection is a row of pixels through the particle's centroid, averaged with its neighbours above and below; it
    ends at twice the particle's radius, at the border, or where another particle is nearer.

    Parameters
    ----------
    frames : (views, H, W) array_like
        A particle is looked for in each within one radius of where it is in the first.
    parameters : Picking, optional

    Returns
    -------
    table : DataFrame
        Of `find_particles` in the first view: all particles, or the picked one. Not to be there, as a whole, in another
        view is a ``problem``, too.
    projections : list of list of (samples,) ndarray
        By particle and view; more material is more intensity. Nothing where there is a problem.

    Raises
    ------
    ValueError
        See `find_particles`; and if no particle is there in all views, or the picked one is none of them.
    """
    p, frames = parameters or Picking(), np.asarray(frames)
    views = []
    for number, frame in enumerate(frames, 1):
        try:
            views.append(find_particles(frame, p))
        except ValueError as error:
            raise ValueError(f"view {number}: {error}" if len(frames) > 1 else str(error)) from None
    table = views[0].table
    whole = [view.table[view.table.problem == ""] for view in views]
    same = np.empty((len(whole[0]), len(views)), int)  # row in the table of each view
    for k, found in enumerate(whole):
        distance, same[:, k] = spatial.KDTree(found[["x_px", "y_px"]]).query(whole[0][["x_px", "y_px"]])
        gone = whole[0].index[distance > whole[0].radius_px]
        table.loc[gone, "problem"] = f"view {k + 1}: no whole particle is within one radius of where it is in the first"
    if (table.problem != "").all():
        raise ValueError(f"no particle is in all {len(views)} views within one radius of where it is in the first")
    if p.picked is not None:
        if p.picked not in set(table.particle):
            raise ValueError(f"picked = {p.picked} is none of the particles, which are 1 to {len(table)}")
        table = table[table.particle == p.picked]
    nearest = [segmentation.expand_labels(view.labels, sum(view.labels.shape)) for view in views]
    bright = [_bright(frame, p) for frame in frames]
    projections = [
        [] if row.problem else [_row(bright[k], nearest[k], views[k].table.iloc[at], p) for k, at in enumerate(same[i])]
        for i, row in zip(table.index, table.itertuples(), strict=True)
    ]
    return table.reset_index(drop=True), projections


def _bright(image, parameters):
    image = np.asarray(image, float)
    if not np.isfinite(image).all():
        row, column = np.argwhere(~np.isfinite(image))[0]
        raise ValueError(
            f"the pixel in row {row + 1}, column {column + 1} is {image[row, column]}, not a finite number"
        )
    return -image if parameters.dark else image


def _row(image, nearest, particle, parameters):
    """Return the projection of one particle; ``nearest`` is the number of the particle that is nearest to a pixel."""
    x, y, reach = particle.x_px, particle.y_px, REACH * particle.radius_px
    columns = np.arange(image.shape[1])
    foreign = columns[(nearest[round(y)] != particle.particle) | (np.abs(columns - x) > reach)]
    left = max(foreign[foreign < x] + 1, default=0)
    right = min(foreign[foreign > x], default=image.shape[1])
    top = round(y - (parameters.rows_averaged - 1) / 2)
    return image[max(top, 0) : top + parameters.rows_averaged, left:right].mean(axis=0)
