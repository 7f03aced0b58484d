"""Primary particle size from circles in the image (Hough transform)."""

import math

import numpy as np
from numba import njit
from pydantic import model_validator
from scipy import ndimage
from skimage.feature import canny, peak_local_max

from particlelab.parameters import Parameters, parameter

ALIGNED = 0.9  # cosine between an edge's gradient and the radius, from which on the edge supports a circle
WORKING_PIXEL_NM = 0.7  # finer images are averaged to about this
CENTRE_BLUR_PX = 1.5  # in the accumulator
WEAK_EDGE = 0.4  # lower threshold of Canny's hysteresis, as a share of the upper one


class HoughCircles(Parameters):
    """Circles in the image by edges and Hough transform, after Kook et al. 2015."""

    smallest_px: int = parameter(6, "Smallest diameter of a circle", unit="px", low=4, high=1000)
    largest_px: int = parameter(100, "Largest diameter of a circle", unit="px", low=6, high=1000)
    median_px: int = parameter(3, "Width of the median filter; 1 for none", unit="px", low=1, high=15)
    sharpening: float = parameter(1.0, "Strength of the unsharp mask; 0 for none", low=0, high=10)
    edge_width_px: float = parameter(2.0, "Smoothing before the gradient is taken", unit="px", low=0.5, high=10)
    edge_quantile: float = parameter(0.999, "Share of the background that is no edge", low=0.5, below=1)
    accumulator: float = parameter(0.2, "Share of a circle's votes that make a candidate", above=0, high=1)
    coverage: float = parameter(0.35, "Share of a circle that edges must support", above=0, high=1)
    support_px: float = parameter(20.0, "Length of edge that must support a circle", unit="px", low=1, high=1000)

    @model_validator(mode="after")
    def _range(self):
        if self.smallest_px >= self.largest_px:
            raise ValueError(f"smallest_px = {self.smallest_px} must be less than largest_px = {self.largest_px}")
        return self


def locate_by_hough(image, labels, boxes, pixel_size_nm, parameters):
    """Locate primaries as dark circles in the image.

    Steps, after Kook et al. 2015 (as Sipkens et al. use it): the negative of the image, a median filter
    and an unsharp mask, Canny's edges, a circular Hough transform for diameters from 6 to
    100 pixels. Every edge pixel votes along its gradient, to the darker side, with a complex weight
    whose phase is the logarithm of the radius (Atherton and Kerbyson 1999), so that one accumulator
    finds centres for all radii. The diameter is that of the outlines seen in projection; hidden and faint
    ones are missed, the more the denser the aggregate is. The mask only tells which circle belongs to
    which aggregate (that at its centre), and where the background is.

    Departures: no self-subtraction, which cuts off thin particles; edges are those that stand out of
    the background's gradients instead of 30 % of all pixels; the radius of a candidate is the one at which
    most edge pixels, weighted by r^-1/4, lie on the circle with a gradient along the radius, and a candidate
    needs such support from edges that no better circle has used. Images finer than 0.47 nm per pixel
    are averaged over 2, 3, ... pixels first, so that the range of diameters covers soot at any
    magnification.

    Parameters
    ----------
    image : (H, W) ndarray
    labels, boxes
        From `label_aggregates`.
    pixel_size_nm : float
    parameters : HoughCircles

    Returns
    -------
    label : (n,) int ndarray
    x_px, y_px, diameter_px : (n,) ndarray
        Column, row and diameter of each circle.

    Raises
    ------
    ValueError
        If there is no image.
    """
    if image is None:
        raise ValueError('method "hough" needs the image')
    factor = max(1, round(WORKING_PIXEL_NM / pixel_size_nm))
    grey = _average(image, factor)
    row, column = (min(factor // 2, n - 1) for n in image.shape)
    near = labels[row::factor, column::factor][: grey.shape[0], : grey.shape[1]]
    edges, gradient_y, gradient_x = _edges(grey, near > 0, parameters)
    radii = math.ceil(parameters.smallest_px / 2), parameters.largest_px // 2
    centres = _candidates(edges, gradient_y, gradient_x, near > 0, radii, parameters.accumulator)
    radius, support = _best_radii(edges, gradient_y, gradient_x, centres, *radii)
    order = np.argsort(-support, kind="stable")
    needed = parameters.coverage, parameters.support_px
    kept = _without_shared_edges(edges.copy(), gradient_y, gradient_x, centres, radius, order, *needed)
    y, x = centres[kept].T
    offset = (factor - 1) / 2
    return near[y, x], factor * x + offset, factor * y + offset, 2.0 * factor * radius[kept]


def _average(image, factor):
    image = np.asarray(image, np.float32)
    if factor == 1:
        return image
    height, width = (max(1, n // factor) for n in image.shape)
    blocks = image[: height * factor, : width * factor]
    return blocks.reshape(height, -1, width, min(factor, image.shape[1])).mean(axis=(1, 3))


def _edges(grey, inside, parameters):
    """Return Canny's edges near the mask, and the unit vectors along which the image becomes darker."""
    negative = -grey
    if parameters.median_px > 1:
        negative = ndimage.median_filter(negative, parameters.median_px)
    if parameters.sharpening:
        negative = negative + parameters.sharpening * (negative - ndimage.gaussian_filter(negative, 3))
    smooth = ndimage.gaussian_filter(negative, parameters.edge_width_px)
    gradient_y, gradient_x = ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)
    size = np.hypot(gradient_y, gradient_x)
    far = ~ndimage.binary_dilation(inside, iterations=5)
    strong = np.quantile(size[far], parameters.edge_quantile) if far.any() else np.quantile(size, 0.7)
    edges = canny(negative, parameters.edge_width_px, WEAK_EDGE * strong, strong)
    edges &= ndimage.binary_dilation(inside, iterations=3) & (size > 0)
    size[~edges] = 1
    return edges, gradient_y / size, gradient_x / size


def _candidates(edges, gradient_y, gradient_x, inside, radii, threshold):
    """Return the (row, column) of the peaks of the Hough accumulator inside of the mask."""
    votes = np.zeros(edges.shape, np.complex64)
    y, x = np.nonzero(edges)
    _vote(votes, y, x, gradient_y[edges], gradient_x[edges], *radii)
    real, imaginary = (ndimage.gaussian_filter(part, CENTRE_BLUR_PX) for part in (votes.real, votes.imag))
    height = np.hypot(real, imaginary) * (2 * math.pi * CENTRE_BLUR_PX**2) * inside
    return peak_local_max(height, threshold_abs=threshold, exclude_border=False)


@njit(cache=True)
def _vote(votes, y, x, gradient_y, gradient_x, smallest, largest):
    """Each edge pixel adds exp(i phase(r)) / (2 pi r) at distance r along its gradient, in steps of half a pixel."""
    height, width = votes.shape
    span = max(np.log(largest / smallest), 1e-9)
    for step in range(2 * (largest - smallest) + 1):
        r = smallest + step / 2
        phase = 2 * np.pi * np.log(r / smallest) / span
        weight = np.complex64((np.cos(phase) + 1j * np.sin(phase)) / (4 * np.pi * r))
        for k in range(len(y)):
            row = int(np.floor(y[k] + r * gradient_y[k] + 0.5))
            column = int(np.floor(x[k] + r * gradient_x[k] + 0.5))
            if 0 <= row < height and 0 <= column < width:
                votes[row, column] += weight


@njit(cache=True)
def _walk(edges, gradient_y, gradient_x, row, column, r, slack, erase):
    """Go around a circle pixel by pixel; return how many have an edge within the slack, aligned with the radius."""
    height, width = edges.shape
    n = round(2 * np.pi * r)
    found = 0
    for k in range(n):
        uy, ux = np.sin(2 * np.pi * k / n), np.cos(2 * np.pi * k / n)
        for d in range(-slack, slack + 1):
            y, x = int(np.floor(row + (r + d) * uy + 0.5)), int(np.floor(column + (r + d) * ux + 0.5))
            if not (0 <= y < height and 0 <= x < width) or not edges[y, x]:
                continue
            if -(gradient_y[y, x] * uy + gradient_x[y, x] * ux) > ALIGNED:
                if erase:
                    edges[y, x] = False
                else:
                    found += 1
                    break
    return found, n


@njit(cache=True)
def _slack(r):
    return 2 if r >= 10 else 1


@njit(cache=True)
def _best_radii(edges, gradient_y, gradient_x, centres, smallest, largest):
    """Return for each centre the radius with most support, weighted by r^-1/4, and that support."""
    radius, support = np.zeros(len(centres), np.int64), np.zeros(len(centres))
    for k in range(len(centres)):
        for r in range(smallest, largest + 1):
            found, n = _walk(edges, gradient_y, gradient_x, centres[k, 0], centres[k, 1], r, _slack(r), False)
            if found / n * r**0.75 > support[k]:
                radius[k], support[k] = r, found / n * r**0.75
    return radius, support


@njit(cache=True)
def _without_shared_edges(edges, gradient_y, gradient_x, centres, radius, order, coverage, support_px):
    """Keep circles in order of support, if edges that none before them has used support them enough."""
    kept = np.zeros(len(centres), np.bool_)
    for k in order:
        r = radius[k]
        if r == 0:
            continue
        found, n = _walk(edges, gradient_y, gradient_x, centres[k, 0], centres[k, 1], r, _slack(r), False)
        if found >= coverage * n and found >= support_px:
            kept[k] = True
            _walk(edges, gradient_y, gradient_x, centres[k, 0], centres[k, 1], r, _slack(r) + 1, True)
    return kept
