"""Filters on grey images and masks that the segmentation of TEM images is made of.

They are here because those of scikit-image and scipy take seconds to minutes on an image of
2240 x 1952 pixels; the tests hold them equal to those or to their definition.
"""

import numpy as np
from numba import njit


def background_surface(image, order=2, block=16):
    """Fit a smooth polynomial surface to the background of an image.

    The means of blocks of pixels are fitted by least squares; blocks that lie far below the surface
    (aggregates) or far above it are left out and the fit is repeated until the choice stands still.
    Needs a background that covers more than about half of the frame.

    Parameters
    ----------
    image : (H, W) ndarray
    order : int
        Largest total power of x and y: 1 is a plane.
    block : int
        Edge of a block in pixels; smaller in images that hold fewer than 8 blocks along an edge.

    Returns
    -------
    (H, W) ndarray of float32
    """
    height, width = image.shape
    block = max(1, min(block, height // 8, width // 8))
    rows, columns = height // block, width // block
    cropped = image[: rows * block, : columns * block]
    means = cropped.reshape(rows, block, columns, block).mean(axis=(1, 3), dtype=np.float64).ravel()

    # coordinates run from -1 to 1 over the image, which keeps the powers well conditioned
    x_powers = _powers((np.arange(columns) + 0.5) * block / width, order)
    y_powers = _powers((np.arange(rows) + 0.5) * block / height, order)
    terms = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]
    design = np.stack([np.outer(y_powers[j], x_powers[i]).ravel() for i, j in terms], axis=1)

    kept = means >= np.quantile(means, 0.3)
    for _ in range(50):
        coefficients = np.linalg.lstsq(design[kept], means[kept], rcond=None)[0]
        residuals = means - design @ coefficients
        spread = 1.4826 * np.median(np.abs(residuals[kept] - np.median(residuals[kept])))
        # particles are darker than the background: be stricter below than above
        choice = (residuals >= -2.5 * spread) & (residuals <= 4 * spread)
        if np.array_equal(choice, kept) or choice.sum() < 2 * len(terms):
            break
        kept = choice

    x_powers = _powers((np.arange(width) + 0.5) / width, order)
    y_powers = _powers((np.arange(height) + 0.5) / height, order)
    weights = np.zeros((order + 1, order + 1))
    for value, (i, j) in zip(coefficients, terms, strict=True):
        weights[j, i] = value
    return ((y_powers.T @ weights) @ x_powers).astype(np.float32)


def bilateral(image, spatial_sigma, range_sigma):
    """Denoise an image by means over neighbours of similar grey level.

    Weights are Gaussian in distance and in the difference of grey levels; the window is a square that
    reaches 2 ``spatial_sigma`` (rounded up) from its centre, and the image is reflected at its edges.

    Parameters
    ----------
    image : (H, W) ndarray
    spatial_sigma : float
        In pixels.
    range_sigma : float
        In grey levels of the image.

    Returns
    -------
    (H, W) ndarray of float32
    """
    radius = int(np.ceil(2 * spatial_sigma))
    distance = np.arange(-radius, radius + 1) / spatial_sigma
    spatial = np.exp(-0.5 * (distance[:, None] ** 2 + distance[None, :] ** 2)).astype(np.float32)
    # weights of grey differences up to 4 range_sigma in 4096 steps; beyond, the weight is below 0.0004
    table = np.exp(-0.5 * np.linspace(0, 4, 4097) ** 2).astype(np.float32)
    padded = np.pad(np.asarray(image, np.float32), radius, mode="symmetric")
    return _bilateral(padded, spatial, table, np.float32(1024 / range_sigma))


def local_entropy(levels, size):
    """Shannon entropy of the grey levels in a square window around each pixel, in bits.

    Parameters
    ----------
    levels : (H, W) ndarray of uint8
    size : int
        Edge of the window in pixels, odd. The image is reflected at its edges.

    Returns
    -------
    (H, W) ndarray of float32
    """
    counts = np.arange(size * size + 1, dtype=np.float64)
    counts[1:] *= np.log2(counts[1:])  # n log2(n), with 0 at n = 0
    return _local_entropy(np.pad(levels, size // 2, mode="symmetric"), size, counts)


def dilate(mask, radius):
    """Dilate a mask by the disc of all pixels within ``radius`` (a whole number of pixels).

    The time does not depend on the radius. Beyond the frame there is nothing.
    """
    reach = np.sqrt(radius**2 - np.arange(radius + 1) ** 2).astype(np.int64)
    return _dilate(np.ascontiguousarray(mask), reach)


def close_disc(mask, radius):
    """Close a mask with a disc: gaps that no disc fits into are filled."""
    padded = np.pad(mask, radius)  # so that the frame cuts off no part of the dilated mask
    closed = ~dilate(~dilate(padded, radius), radius)
    return closed[radius : radius + mask.shape[0], radius : radius + mask.shape[1]]


def open_disc(mask, radius):
    """Open a mask with a disc: parts that no disc fits into are removed (the frame counts as filled)."""
    return ~close_disc(~mask, radius)


def two_clusters(layers, start):
    """Divide pixels into two clusters of least squared distance to their means (Lloyd's k-means, k = 2).

    Parameters
    ----------
    layers : sequence of (H, W) ndarray
        Features of a pixel; each is scaled to a standard deviation of 1.
    start : (H, W) ndarray of bool
        The first division; it makes the result free of chance.

    Returns
    -------
    (H, W) ndarray of bool
        True in the cluster that grew out of ``start``. Equal to ``start`` if that is empty or full.
    """
    features = np.stack([np.asarray(layer, np.float32).ravel() for layer in layers])
    features /= np.maximum(features.std(axis=1, dtype=np.float64), np.finfo(np.float32).tiny)[:, None]
    inside = start.ravel().copy()
    for _ in range(100):
        if not inside.any() or inside.all() or not _assign(features, inside):
            break
    return inside.reshape(start.shape)


def _powers(fraction, order):
    return (2 * fraction - 1) ** np.arange(order + 1)[:, None]


@njit(cache=True)
def _bilateral(padded, spatial, table, steps_per_level):
    size = spatial.shape[0]
    radius = size // 2
    height, width = padded.shape[0] - 2 * radius, padded.shape[1] - 2 * radius
    last = len(table) - 1
    out = np.empty((height, width), np.float32)
    total, norm = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(height):
        centre = padded[y + radius, radius : radius + width]
        total[:] = 0
        norm[:] = 0
        for dy in range(size):
            for dx in range(size):
                near = spatial[dy, dx]
                for x in range(width):
                    value = padded[y + dy, x + dx]
                    step = int(abs(value - centre[x]) * steps_per_level + np.float32(0.5))
                    if step < last:
                        weight = near * table[step]
                        total[x] += weight * value
                        norm[x] += weight
        for x in range(width):
            out[y, x] = total[x] / norm[x]
    return out


@njit(cache=True)
def _local_entropy(padded, size, n_log_n):
    height, width = padded.shape[0] - size + 1, padded.shape[1] - size + 1
    out = np.empty((height, width), np.float32)
    pixels = size * size
    for y in range(height):
        counts = np.zeros(256, np.int64)
        total = 0.0  # the sum of n log2(n) over the grey levels
        for x in range(width + size - 1):
            for dy in range(size):
                level = padded[y + dy, x]
                total += n_log_n[counts[level] + 1] - n_log_n[counts[level]]
                counts[level] += 1
            if x >= size:
                for dy in range(size):
                    level = padded[y + dy, x - size]
                    total += n_log_n[counts[level] - 1] - n_log_n[counts[level]]
                    counts[level] -= 1
            if x >= size - 1:
                out[y, x - size + 1] = max(0.0, np.log2(pixels) - total / pixels)
    return out


@njit(cache=True)
def _dilate(mask, reach):
    height, width = mask.shape
    radius = len(reach) - 1
    # distance to the nearest pixel of the mask in the same column, radius + 1 if that is farther
    distance = np.empty((height, width), np.int32)
    for x in range(width):
        distance[0, x] = 0 if mask[0, x] else radius + 1
    for y in range(1, height):
        for x in range(width):
            distance[y, x] = 0 if mask[y, x] else min(distance[y - 1, x] + 1, radius + 1)
    for y in range(height - 2, -1, -1):
        for x in range(width):
            distance[y, x] = min(distance[y, x], distance[y + 1, x] + 1)
    # each such pixel fills an interval of its row, as wide as the disc is at that distance
    out = np.empty((height, width), np.bool_)
    for y in range(height):
        change = np.zeros(width + 1, np.int32)
        for x in range(width):
            if distance[y, x] <= radius:
                half = reach[distance[y, x]]
                change[max(0, x - half)] += 1
                change[min(width, x + half + 1)] -= 1
        cover = 0
        for x in range(width):
            cover += change[x]
            out[y, x] = cover > 0
    return out


@njit(cache=True)
def _assign(features, inside):
    """One step of Lloyd's algorithm, in place; returns whether any pixel changed sides."""
    layers, pixels = features.shape
    sums, count = np.zeros((2, layers)), np.zeros(2)
    for i in range(pixels):
        side = int(inside[i])
        count[side] += 1
        for layer in range(layers):
            sums[side, layer] += features[layer, i]
    # nearer to the mean of side 1: the projection on the line between the means passes their middle
    means = sums / count.reshape(2, 1)
    direction = means[1] - means[0]
    middle = (direction * (means[0] + means[1])).sum() / 2
    changed = False
    for i in range(pixels):
        projection = 0.0
        for layer in range(layers):
            projection += direction[layer] * features[layer, i]
        if (projection > middle) != inside[i]:
            inside[i] = not inside[i]
            changed = True
    return changed
