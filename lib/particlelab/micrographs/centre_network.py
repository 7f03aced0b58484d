"""A fast detector: a small U-Net says of each pixel where the centre of its particle lies, and the pixels are grouped.

After Cheng et al. 2020 ("Panoptic-DeepLab": heat of centres and offsets) and Neven et al. 2019 (offsets measured in
sizes of the object). Beyond them each pixel says how large its complete particle is, where the picture's edge cuts it.
"""

import math

import numpy as np
from numba import njit
from scipy import ndimage

from particlelab.micrographs.detector import Detector, Found

CLIP = 3.0  # of what the network sees
LEARNED_PX = 7.0, 72.0  # diameters that the network tells well; others are scaled to lie within
WANTED_PX = 26.0  # diameter that a picture is scaled to if they do not
MOST_LOOKS = 3
LARGEST_ZOOM = 4.0
TILE_PX, OVERLAP_PX = 1536, 128  # of the tiles that a large image is looked at in
SCORE = 0.2  # least heat of a centre
NEAREST = 0.3  # visible diameters between two centres; of closer ones the less sure must not point to the other
TOUCHING = 0.12  # closer ones are taken for one in any case
FARTHEST = 0.8  # visible diameters between a centre and where a pixel of its particle points
LEAST_SEEN = 0.5  # share of the pixels that a particle says it shows; with fewer it is none
LEAST_PX = 4
WHOLE, HIDDEN = 0.09, 0.22  # ln(complete over visible diameter): below the first all of a particle is taken to be seen,
# above the second it is what the network says, which never quite rules out that a part is hidden


class CentreDetector(Detector):
    """A trained `CentreUNet` of `centre_network_layers`; ``card["network"]`` holds its widths."""

    kind = "centres"

    @staticmethod
    def build(network):
        """Return the network, untrained, that an entry of a card describes."""
        from particlelab.micrographs.centre_network_layers import CentreUNet

        return CentreUNet(network["widths"])

    @classmethod
    def untrained(cls, parameters):
        """Return a network with its first weights, and its entry for a card.

        Parameters
        ----------
        parameters : CentreTraining
        """
        entry = {"kind": cls.kind, "widths": list(parameters.widths)}
        return cls.build(entry), entry

    def _find(self, grey):
        zoom, best = 1.0, None
        for _ in range(MOST_LOOKS):
            found = self._look(grey, zoom)
            typical = _typical(found) * zoom
            if best is None or _misfit(typical) < best[0]:
                best = _misfit(typical), found
            if best[0] == 0 or not typical > 0:
                break
            longest = max(grey.shape)
            zoom = min(zoom * WANTED_PX / typical, LARGEST_ZOOM, 4096 / longest)
            zoom = max(zoom, 32 / longest)
        return best[1]

    def _look(self, grey, zoom):
        """Find particles at one scale; return them at that of the image."""
        scaled = grey if zoom == 1 else resize(grey, zoom)
        found = group(*self.answer(scaled))
        if zoom == 1:
            return found
        rows, columns = (
            np.minimum(((np.arange(n) + 0.5) * m / n).astype(int), m - 1)
            for n, m in zip(grey.shape, scaled.shape, strict=True)
        )
        instances = found.instances[rows[:, None], columns[None, :]]
        kept = np.unique(instances[instances > 0])
        number = np.zeros(len(found.scores) + 1, np.int32)
        number[kept] = np.arange(1, len(kept) + 1)
        return Found(number[instances], found.scores[kept - 1], found.diameters_px[kept - 1] / zoom)

    def answer(self, grey):
        """Return what the network says of a grey image (H, W): arrays as `group` takes them."""
        import torch

        from particlelab.micrographs.centre_network_layers import UNIT_PX

        seen = normalise(grey)
        height, width = seen.shape
        maps = np.empty((6, height, width), np.float32)
        for top in range(0, height, TILE_PX):
            for left in range(0, width, TILE_PX):
                (tile, core, inner) = zip(_tile(top, height), _tile(left, width), strict=True)
                piece = torch.from_numpy(np.ascontiguousarray(seen[tile]))[None, None]
                with torch.inference_mode():
                    told = torch.cat(tuple(self.network(piece.contiguous(memory_format=torch.channels_last))))
                maps[:, *core] = told.float().numpy()[:, *inner]
        diameter, visible = (UNIT_PX * np.exp(np.clip(maps[k], -4, 5)) for k in (4, 5))
        maps[0] -= np.log(balance(visible))  # by which the training made particles likelier than they are
        particle, centre = (1 / (1 + np.exp(-maps[k])) for k in (0, 1))
        return particle, centre, maps[2:4] * np.float32(UNIT_PX), diameter, visible


def normalise(grey):
    """Return what the network sees of a grey image: its range, but for the outermost pixels, from -1 to 1."""
    low, high = np.percentile(grey, (0.5, 99.5))
    half = (high - low) / 2 if high > low else max(float(np.max(np.abs(grey - low))), 1e-3)
    return np.clip((grey - (low + high) / 2) / half, -CLIP, CLIP).astype(np.float32)


def balance(visible_px):
    """Return by how much more a pixel of a particle weighs in the training than one of the ground, by its diameter."""
    return 1 + 15 / visible_px.clip(5)


def resize(grey, zoom):
    """Return a grey image that is ``zoom`` times as large, without aliasing."""
    import cv2

    height, width = (max(8, round(n * zoom)) for n in grey.shape)
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(grey, np.float32), (width, height), interpolation=how)


def group(particle, centre, offset, diameter, visible):
    """Group pixels to particles.

    Parameters
    ----------
    particle : (H, W) array
        Score that a particle is seen at a pixel, 0 to 1; pixels above 0.5 are grouped.
    centre : (H, W) array
        Score that the centre of a particle's visible part is there, 0 to 1.
    offset : (2, H, W) array
        Rows and columns from a pixel to the centre of its particle.
    diameter, visible : (H, W) array
        Diameters (px) of the disks with the area of the complete particle and of its visible part.

    Returns
    -------
    Found
        The score of a particle is the height of its centre times the mean of ``particle`` over its pixels. Its diameter
        is that of the disk with the area of its pixels. If the picture's edge cuts it, it is larger by as much as the
        network takes the complete particle for larger than what is seen of it: the geometric mean of ``diameter /
        visible`` over its pixels, those of the lowest and of the highest quarter left out. What other particles hide
        is not added: what the network says of that adds more error than it takes away.
    """
    arrays = [np.ascontiguousarray(a, np.float32) for a in (particle, centre, offset, diameter, visible)]
    particle, centre, offset, diameter, visible = arrays
    heat = ndimage.gaussian_filter(centre, 0.6)
    peak = (heat == ndimage.maximum_filter(heat, 3)) & (centre >= SCORE) & (particle > 0.5)
    rows, columns = np.nonzero(peak)
    order = np.argsort(-centre[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    size = visible[rows, columns]
    kept = _apart(rows.astype(np.float32), columns.astype(np.float32), offset[:, rows, columns], size)
    rows, columns, size = rows[kept], columns[kept], size[kept]
    claimed = _claim(particle, offset, rows.astype(np.float32), columns.astype(np.float32), size, FARTHEST)
    return _described(claimed, particle, centre[rows, columns], np.log(diameter / visible), size)


def draw_truth(instances, diameters_px):
    """Return what the network should say of a picture.

    Parameters
    ----------
    instances : (H, W) int array
        0 = ground, 1..N.
    diameters_px : (N,) array
        Of the complete particles.

    Returns
    -------
    (8, H, W) float32 array
        Whether a particle is seen; heat of centres (1 at the visible pixel nearest to the centroid of the visible
        part, falling off as a Gaussian); rows and columns to that pixel; both diameters (px), complete and visible;
        the weight of a pixel in what is said of its particle (1 / sqrt(visible pixels); 0 of slivers); whether the heat
        is judged here (not on slivers).
    """
    return _draw_truth(np.ascontiguousarray(instances, np.int32), np.ascontiguousarray(diameters_px, np.float64))


@njit(cache=True)
def _draw_truth(instances, diameters):
    height, width = instances.shape
    n = len(diameters)
    maps = np.zeros((8, height, width), np.float32)
    count, y, x = np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1)
    for row in range(height):
        for column in range(width):
            k = instances[row, column]
            count[k] += 1
            y[k] += row
            x[k] += column
    y, x = y / np.maximum(count, 1), x / np.maximum(count, 1)
    nearest = np.full(n + 1, np.inf)
    cy, cx = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
    for row in range(height):
        for column in range(width):
            k = instances[row, column]
            distance = (row - y[k]) ** 2 + (column - x[k]) ** 2
            if distance < nearest[k]:
                nearest[k], cy[k], cx[k] = distance, row, column
    for row in range(height):
        for column in range(width):
            k = instances[row, column]
            maps[7, row, column] = 1
            if k == 0:
                continue
            seen = 2 * math.sqrt(count[k] / math.pi)
            whole = math.pi / 4 * diameters[k - 1] ** 2
            sliver = count[k] < LEAST_PX or count[k] < 0.04 * whole
            maps[0, row, column] = 1
            maps[2, row, column], maps[3, row, column] = cy[k] - row, cx[k] - column
            maps[4, row, column], maps[5, row, column] = diameters[k - 1], seen
            maps[6, row, column] = 0.0 if sliver else 1 / math.sqrt(count[k])
            maps[7, row, column] = 0.0 if sliver else 1.0
    for k in range(1, n + 1):
        if count[k] < LEAST_PX or count[k] < 0.04 * math.pi / 4 * diameters[k - 1] ** 2:
            continue
        sigma = max(0.8, 0.1 * 2 * math.sqrt(count[k] / math.pi))
        reach = int(3 * sigma) + 1
        for row in range(max(0, cy[k] - reach), min(height, cy[k] + reach + 1)):
            for column in range(max(0, cx[k] - reach), min(width, cx[k] + reach + 1)):
                heat = math.exp(-((row - cy[k]) ** 2 + (column - cx[k]) ** 2) / (2 * sigma**2))
                maps[1, row, column] = max(maps[1, row, column], heat)
    return maps


@njit(cache=True)
def _apart(rows, columns, offset, size):
    """Return which of centres, best first, are kept: none that is another's."""
    n = len(rows)
    kept = np.ones(n, np.bool_)
    for k in range(n):
        if not kept[k]:
            continue
        for m in range(k + 1, n):
            if not kept[m]:
                continue
            away, aside = rows[m] - rows[k], columns[m] - columns[k]
            distance = math.sqrt(away**2 + aside**2) / max(min(size[k], size[m]), 3.0)
            if distance < NEAREST:
                left = (away + offset[0, m]) ** 2 + (aside + offset[1, m]) ** 2
                kept[m] = distance > TOUCHING and left > offset[0, m] ** 2 + offset[1, m] ** 2
    return kept


@njit(cache=True)
def _claim(particle, offset, rows, columns, size, farthest):
    """Give each pixel to the centre that is nearest to where it points, measured in visible diameters."""
    height, width = particle.shape
    best = np.full((height, width), np.float32(farthest))
    claimed = np.zeros((height, width), np.int32)
    for k in range(len(rows)):
        d = max(size[k], 3.0)
        reach = int(2.5 * d) + 2
        for row in range(max(0, int(rows[k]) - reach), min(height, int(rows[k]) + reach + 1)):
            for column in range(max(0, int(columns[k]) - reach), min(width, int(columns[k]) + reach + 1)):
                if particle[row, column] <= 0.5:
                    continue
                away = row + offset[0, row, column] - rows[k]
                aside = column + offset[1, row, column] - columns[k]
                distance = math.sqrt(away**2 + aside**2) / d
                if distance < best[row, column]:
                    best[row, column] = distance
                    claimed[row, column] = k + 1
    return claimed


def _described(claimed, particle, height, log_ratio, size):
    """Return what was found, without what is too small for what it says of itself."""
    count = np.bincount(claimed.ravel(), minlength=len(height) + 1)[1:]
    kept = np.flatnonzero(count >= np.maximum(LEAST_PX, LEAST_SEEN * math.pi / 4 * size**2))
    number = np.zeros(len(height) + 1, np.int32)
    number[kept + 1] = np.arange(1, len(kept) + 1)
    instances = number[claimed]
    inside = instances > 0
    ids, values = instances[inside], log_ratio[inside]
    sure = np.bincount(ids, weights=particle[inside], minlength=len(kept) + 1)[1:] / count[kept]
    order = np.lexsort((values, ids))
    values, ends = values[order].astype(np.float64), np.cumsum(count[kept])
    sums = np.concatenate([[0.0], np.cumsum(values)])
    first, stop = ends - count[kept] + count[kept] // 4, ends - count[kept] // 4
    ratio = (sums[stop] - sums[first]) / np.maximum(stop - first, 1)
    rim = np.concatenate([instances[0], instances[-1], instances[:, 0], instances[:, -1]])
    cut = np.isin(np.arange(1, len(kept) + 1), rim)
    hidden = np.where(cut, ratio * np.clip((ratio - WHOLE) / (HIDDEN - WHOLE), 0.0, 1.0), 0.0)
    diameters = 2 * np.sqrt(count[kept] / math.pi) * np.exp(hidden)
    return Found(instances, np.clip(height[kept] * sure, 0, 1).astype(float), diameters)


def _typical(found):
    """Return the diameter (px of the image) about which half of the particles' area lies, 0 if there are none."""
    if not len(found.scores):
        return 0.0
    order = np.argsort(found.diameters_px)
    area = np.cumsum(found.diameters_px[order] ** 2)
    return float(found.diameters_px[order][np.searchsorted(area, area[-1] / 2)])


def _misfit(diameter_px):
    """Return by how far (in ln) a diameter lies outside of what the network has learned; without any it is 100."""
    low, high = LEARNED_PX
    if not diameter_px > 0:
        return 100.0
    return max(math.log(low / diameter_px), math.log(diameter_px / high), 0.0)


def _tile(start, edge):
    """Return where a tile with its overlap lies, its core in the answer, and its core in the tile's own answer."""
    first, stop = max(start - OVERLAP_PX, 0), min(start + TILE_PX, edge)
    return slice(first, stop + OVERLAP_PX), slice(start, stop), slice(start - first, stop - first)
