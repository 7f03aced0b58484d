"""Sets of pictures: synthesised from one recipe, or cut out of a picture that somebody has."""

import numpy as np
import pandas as pd

from particlelab.micrographs.features import SMALLEST_PX
from particlelab.micrographs.synthesis import synthesise
from particlelab.micrographs.training_pictures import Pictures, cut_window
from particlelab.randomness import generator


def draw_set(recipe, n, seed, engine="native", progress=None):
    """Synthesise pictures of one recipe, with their labels.

    Parameters
    ----------
    recipe : Recipe
        With a square frame.
    n : int
    seed : int
        Pictures of other seeds are independent of these.
    engine : {"native", "cycles", "mitsuba"}
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Pictures

    Raises
    ------
    ValueError
        If n is not positive, the frame is no square, or the engine is not installed.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if recipe.width_px != recipe.height_px:
        raise ValueError(f"the frame must be a square, got {recipe.width_px} x {recipe.height_px} px")
    parts = []
    for k in range(n):
        made = synthesise(recipe, int(generator(seed, "set", k).integers(2**31)), engine)
        diameters = made.table.diameter_nm.to_numpy() / recipe.pixel_size_nm
        image, instances, particles = cut_window(
            made.image, made.instances, diameters, 0, 0, recipe.width_px, made.table.cut.to_numpy(bool)
        )
        particles.insert(0, "picture", k)
        parts.append((image, instances, particles))
        if progress:
            progress((k + 1) / n, f"picture {k + 1} of {n}")
    images, instances, particles = zip(*parts, strict=True)
    return Pictures(np.stack(images), np.stack(instances), pd.concat(particles, ignore_index=True))


def cut_tiles(picture, size_px, most=64):
    """Cut a picture into squares, side by side from its middle.

    Parameters
    ----------
    picture : (H, W) array_like
        Of any grey levels: its range, but for one pixel in a thousand at either end, becomes 0 to 255 unless it is
        uint8.
    size_px : int
        Edge; smaller if the picture gives fewer than four of them.
    most : int
        Tiles, which are then spread evenly over the picture.

    Returns
    -------
    (n, s, s) uint8 ndarray

    Raises
    ------
    ValueError
        If it is no picture, has values that are not finite, or less than 64 x 64 pixels.
    """
    picture = np.asarray(picture)
    if picture.ndim != 2 or min(picture.shape) < 2 * SMALLEST_PX or not np.isfinite(picture).all():
        least = 2 * SMALLEST_PX
        raise ValueError(f"picture must be finite and (H, W), {least} x {least} pixels at least, got {picture.shape}")
    if picture.dtype != np.uint8:
        low, high = np.percentile(picture, (0.1, 99.9))
        picture = np.clip((picture - low) / max(high - low, 1e-12) * 255 + 0.5, 0, 255).astype(np.uint8)
    edge = min(size_px, min(picture.shape) // 2)
    rows, columns = (n // edge for n in picture.shape)
    top, left = ((n - k * edge) // 2 for n, k in zip(picture.shape, (rows, columns), strict=True))
    inside = picture[top : top + rows * edge, left : left + columns * edge]
    tiles = inside.reshape(rows, edge, columns, edge).swapaxes(1, 2).reshape(-1, edge, edge)
    return tiles[np.unique(np.linspace(0, len(tiles) - 1, most).astype(int))]
