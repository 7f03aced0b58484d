"""Texture of a picture as a row of numbers that does not ask where anything lies.

The document's descriptor is the Gram matrices of a VGG network's features at several sizes of the picture (IPMT report,
AP1.3, figure 2). Here it is, and one of fixed filters that needs no weights, which is the default: statistics of filter
responses at several scales, histogram and power spectrum (differentiable, see `texture_layers`), and statistics of
shapes: how much of a picture openings by disks and by lines leave, and what its outlines are like.
"""

import functools

import cv2
import numpy as np

KINDS = ("bank", "random", "vgg19")
LEAST_PX = 64  # edge of a picture
LEVELS = 5  # of the pyramid of shapes; disks have 2 and 3 pixels at each, from the second on
LINES = (9, 15)  # pixels of a level
TURNS = 8  # directions of lines
CONTOUR_PX = 25.0  # area below which an outline is noise
DISTANCES = 2.0 ** np.arange(0.5, 6.1, 0.5)  # edges of classes of the largest disks inside, pixels


def describe_texture(picture, kind="bank"):
    """Describe the texture of a picture.

    Parameters
    ----------
    picture : (H, W) array_like
        uint8, or float from 0 to 1; at least 64 pixels along each edge.
    kind : {"bank", "random", "vgg19"}
        Fixed filters and shapes; Gram matrices of a network of random weights (Ustyuzhaninov et al. 2016,
        "Texture synthesis using shallow convolutional networks with random filters"); or of VGG19 as torchvision loads
        it (Gatys et al. 2015; the document's), projected at random onto 128 numbers each.

    Returns
    -------
    (n,) float32 ndarray
        Means over the picture, so that pictures of different sizes compare.

    Raises
    ------
    ValueError
        If the picture is none, the kind unknown, or VGG19's weights are not on this machine.
    """
    image = check_picture(picture)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    import torch

    with torch.inference_mode():
        smooth = _network(kind)(torch.from_numpy(image)[None])[0].numpy()
    return np.concatenate([smooth, describe_shapes(image)]).astype(np.float32) if kind == "bank" else smooth


def texture_difference(a, b, scale=1.0):
    """Return the l1 difference of two descriptors, the mean over their numbers (IPMT report, AP1.3, figure 2).

    Parameters
    ----------
    a, b : (..., n) ndarray
    scale : float or (n,) ndarray
        What each number is divided by: its spread over many pictures.

    Returns
    -------
    float or (...) ndarray
    """
    return np.mean(np.abs(np.asarray(a, float) - b) / scale, axis=-1)


def describe_shapes(image):
    """Describe what is round, long, straight or of two sizes in a picture: the part that no gradient passes through.

    Parameters
    ----------
    image : (H, W) float32 ndarray
        From 0 to 1.

    Returns
    -------
    (n,) ndarray
        Openings and closings by disks from 4 to 48 pixels and by lines; blobs by scale; outlines of what is brighter or
        darker than Otsu's threshold, and the largest disks inside them.
    """
    pyramid = [image]
    while len(pyramid) < LEVELS and min(pyramid[-1].shape) >= 16:
        pyramid.append(cv2.pyrDown(pyramid[-1]))
    spread = float(pyramid[1].std()) + 1e-3
    return np.concatenate(
        [_granulometry(pyramid, spread), _blobs(pyramid, spread), *(_outlines(pyramid[1], side) for side in (1, -1))]
    )


def check_picture(picture):
    """Return a picture (H, W) as float32 from 0 to 1; ValueError if it is none."""
    array = np.asarray(picture)
    if array.ndim != 2 or min(array.shape) < LEAST_PX:
        raise ValueError(f"picture must be (H, W) of at least {LEAST_PX} by {LEAST_PX} pixels, got {array.shape}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array, np.float32) / np.float32(255)
    image = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(image).all() or image.min() < -1e-4 or image.max() > 1 + 1e-4:
        raise ValueError("picture must be uint8, or finite numbers from 0 to 1")
    return image


@functools.cache
def _network(kind):
    from particlelab.micrographs.texture_layers import Bank, RandomGram, VGGGram

    return {"bank": Bank, "random": RandomGram, "vgg19": VGGGram}[kind]().eval()


def _granulometry(pyramid, spread):
    """Return by how much openings (of bright things) and closings (of dark ones) change the mean, in spreads."""
    found = []
    for side in (1, -1):
        for level in range(1, LEVELS):
            image = side * pyramid[min(level, len(pyramid) - 1)]
            mean = image.mean()
            for radius in (2, 3):
                opened = cv2.morphologyEx(image, cv2.MORPH_OPEN, _disk(radius), borderType=cv2.BORDER_REFLECT)
                found.append((mean - opened.mean()) / spread)
            if level <= 3:
                for length in LINES:
                    lines = [
                        cv2.morphologyEx(image, cv2.MORPH_OPEN, line, borderType=cv2.BORDER_REFLECT)
                        for line in _lines(length)
                    ]
                    straight = np.maximum.reduce(lines)
                    found.append((mean - straight.mean()) / spread)
    return np.array(found)


def _blobs(pyramid, spread):
    """Return for each scale how many bright and dark blobs there are on 1000 pixels, and how strong they are."""
    found = []
    for level in range(1, LEVELS):
        image = pyramid[min(level, len(pyramid) - 1)]
        band = cv2.GaussianBlur(image, (0, 0), 1.2) - cv2.GaussianBlur(image, (0, 0), 2.0)
        for side in (1, -1):
            response = side * band
            peak = (response == cv2.dilate(response, _disk(2))) & (response > 0.05 * spread)
            found += [np.log1p(1000 * peak.mean()), response[peak].mean() / spread if peak.any() else 0.0]
    return np.array(found)


def _outlines(image, side):
    """Return what the outlines of the bright (1) or dark (-1) are like.

    The share of the area; the number of outlines; weighted by their area, then by their number, means of solidity, of
    elongation and filling of the fitted rectangle, of circularity, and the spread of the logarithm of the areas; their
    mean area; of the largest disks inside a histogram by size; quantiles of the distance to the outline.
    """
    grey = np.clip(255 * cv2.GaussianBlur(image, (0, 0), 1.0), 0, 255).astype(np.uint8)
    kind = cv2.THRESH_BINARY if side == 1 else cv2.THRESH_BINARY_INV
    _, mask = cv2.threshold(grey, 0, 255, kind | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rows = [_measure(contour) for contour in contours if len(contour) > 12]
    rows = np.array([row for row in rows if row[0] > CONTOUR_PX]).reshape(-1, 5)
    shapes = np.zeros(12)
    if len(rows):
        area, shapes[0] = rows[:, 0], np.log1p(1e4 * len(rows) / mask.size)
        for weight, first in ((area / area.sum(), 1), (np.full(len(rows), 1 / len(rows)), 6)):
            log_area = np.log(area)
            deviation = np.sqrt(weight @ (log_area - weight @ log_area) ** 2)
            shapes[first : first + 5] = (*(weight @ rows[:, 1:]), deviation)
        shapes[11] = np.log(area.mean())
    distance = np.minimum(cv2.distanceTransform(np.pad(mask, 1, mode="edge"), cv2.DIST_L2, 5), DISTANCES[-1])
    peak = (distance == cv2.dilate(distance, _disk(2))) & (distance > 1.5)
    sizes = np.histogram(distance[peak], DISTANCES, weights=distance[peak] ** 2)[0]
    return np.concatenate([[mask.mean() / 255], shapes, sizes / max(sizes.sum(), 1e-9), _thickness(distance, mask)])


def _thickness(distance, mask):
    """Return quantiles of the logarithm of the distance to the outline."""
    inside = distance[1:-1, 1:-1][mask > 0]
    if not len(inside):
        return np.zeros(4)
    return np.log(np.quantile(np.maximum(inside, 0.5), (0.25, 0.5, 0.75, 0.95)))


def _measure(contour):
    area, perimeter = cv2.contourArea(contour), cv2.arcLength(contour, True)
    hull = cv2.contourArea(cv2.convexHull(contour))
    _, sides, _ = cv2.minAreaRect(contour)
    long, short = max(sides) + 1, min(sides) + 1
    return area, area / max(hull, 1), np.log(long / short), area / (long * short), 4 * np.pi * area / perimeter**2


@functools.cache
def _disk(radius):
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


@functools.cache
def _lines(length):
    """Return lines of a length in all directions, as structuring elements."""
    half, lines = length // 2, []
    for turn in range(TURNS):
        angle = np.pi * turn / TURNS
        x, y = (round(half * np.cos(angle)), round(half * np.sin(angle)))
        line = np.zeros((length, length), np.uint8)
        cv2.line(line, (half - x, half - y), (half + x, half + y), 1)
        lines.append(line)
    return lines
