"""Finding particles without learning: Otsu's threshold with a watershed, and Hough's circles.

Both take what they need from the picture itself: whether particles are bright or dark, how the ground falls off, how
large the particles are.
"""

import math

import cv2
import numpy as np
from numba import njit
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold, threshold_otsu
from skimage.measure import regionprops
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from particlelab.micrographs.detector import Found, grey_image

NOISE_LOST = 6.0  # times that the noise, smoothed, must lie below the contrast
LEAST_SMOOTHING_PX, MOST_SMOOTHING_PX = 0.7, 4.0
RIM_PX = 4.0  # within which of its outline a particle's height is read
DEEPEST = 0.12  # how far, in ln of the distance to the ground, a neck lies below both parts that it joins
LEAST_DISTANCE_PX = 1.5  # below which the grid of pixels makes maxima of its own
HOLLOW = 0.92  # solidity of a hole below which it is a gap between particles, whose sides bend inwards
LEAST_AREA_PX = 12
SPECK, FAINT = 0.2, 0.6  # diameter over the mean weighted by area, and score, below which something is no particle
WEAKEST = 0.25  # fall of an edge, over that of a picture's clear ones
FEWEST_SUPPORTED = 0.45  # share of a circle's rays on which the picture has its edge
RAYS = 64
ALIKE = 0.5  # overlap, over the smaller one, above which two circles are one


def find_by_watershed(image):
    """Find particles by a threshold (Otsu 1979) and part those that touch by a watershed.

    The ground is fitted by a smooth surface and removed; particles are bright or dark, whichever leaves the ground in
    one piece that holds most of the frame's edge. Outlines lie where a particle has half of its own height. The
    watershed runs over the distance to the ground, from seeds that a neck by at least 11 % narrower than both parts
    (h-maxima of ln distance) sets apart.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) array

    Returns
    -------
    Found
        Scores are the solidity of a particle times its contrast over that of the clearest ones; diameters those of its
        visible area.

    Raises
    ------
    ValueError
        As `particlelab.micrographs.detector.grey_image`.
    """
    grey, mask = _ground_and_particles(grey_image(image))
    if not mask.any():
        return _nothing(mask.shape)
    return _scored(grey, _part(mask))


def find_by_hough(image):
    """Find circles by Hough's transform along gradients (Yuen et al. 1990, as OpenCV's), and fit each to its edge.

    Radii are looked for between 0.4 and 1.6 times those that the watershed finds. On 64 rays from a circle's centre the
    steepest edge in the right sense is looked for, and a circle fitted to those that agree.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) array

    Returns
    -------
    Found
        Scores are the share of rays that agree with the circle. Where circles overlap, pixels belong to the one with
        the higher score; diameters are those of the whole circles.

    Raises
    ------
    ValueError
        As `particlelab.micrographs.detector.grey_image`.
    """
    grey, mask = _ground_and_particles(grey_image(image))
    if not mask.any():
        return _nothing(mask.shape)
    radii = np.sqrt(np.bincount(_part(mask).ravel())[1:] / math.pi)
    low, high = 0.4 * np.quantile(radii, 0.1), 1.6 * np.quantile(radii, 0.95)
    low = max(low, 2.0)
    circles = _fit_circles(grey, _circles(grey, low, max(high, low + 2)), low / 1.5, 1.5 * high)
    return _painted(circles, grey.shape)


def _nothing(shape):
    return Found(np.zeros(shape, np.int32), np.zeros(0), np.zeros(0))


def _ground_and_particles(grey):
    """Return the picture without its ground, particles bright and smoothed, and the mask of the particles."""
    if grey.max() == grey.min():
        return grey, np.zeros(grey.shape, bool)
    grey = grey - _surface(grey)
    noise, width = _noise(grey), LEAST_SMOOTHING_PX
    smooth = ndimage.gaussian_filter(grey, width)
    level, ground, contrast = _two_levels(smooth)
    # white noise that is smoothed by a Gaussian of width s keeps 1 / (2 sqrt(pi) s) of its standard deviation
    needed = NOISE_LOST * noise / contrast / (2 * math.sqrt(math.pi))
    if needed > width:
        width = min(needed, MOST_SMOOTHING_PX)
        smooth = ndimage.gaussian_filter(grey, width)
        level, ground, contrast = _two_levels(smooth)
    if _edge_held(smooth > level) > _edge_held(smooth <= level):
        smooth, level, ground = -smooth, -level, -(ground + contrast)
    low = ground + max((level - ground) / 2, 3 * noise / (2 * math.sqrt(math.pi) * width))
    wide = apply_hysteresis_threshold(smooth, min(low, level), level)
    return smooth, _without_holes(_at_half_height(smooth, wide, ground, low))


def _two_levels(smooth):
    """Return Otsu's threshold, the level below it, and how much higher the one above it is."""
    level = threshold_otsu(smooth)
    low, high = smooth[smooth <= level].mean(), smooth[smooth > level].mean()
    return level, low, high - low


def _at_half_height(smooth, wide, ground, low):
    """Draw in a mask that is too wide to where each particle has half of its own height at the rim."""
    filled = _without_holes(wide)
    depth, parts = ndimage.distance_transform_edt(filled), _part(filled)
    rims = np.where((depth > 1) & (depth <= RIM_PX), parts, 0)
    levels = np.full(parts.max() + 1, low)
    for number, place in enumerate(ndimage.find_objects(rims), 1):
        if place is not None:
            rim = np.quantile(smooth[place][rims[place] == number], 0.75)
            levels[number] = max(low, (ground + rim) / 2)
    return wide & ((smooth > levels[parts]) | (depth > RIM_PX + 1))  # whose middle may be as dark as it likes


def _surface(grey):
    """Return how the ground changes over the picture: a surface of the third order through most of it, without mean."""
    step = max(1, round(min(grey.shape) / 64))
    y, x = (np.linspace(-1, 1, n) for n in grey.shape)
    powers = [(i, k) for i in range(4) for k in range(4 - i)]

    def basis(y, x):
        return np.stack(
            [
                np.polynomial.legendre.legval(y, np.eye(4)[i])[:, None]
                * np.polynomial.legendre.legval(x, np.eye(4)[k])[None]
                for i, k in powers
            ],
            axis=-1,
        )

    small = ndimage.uniform_filter(grey, step)[step // 2 :: step, step // 2 :: step]
    at = basis(y[step // 2 :: step], x[step // 2 :: step])
    values, rows = small.ravel(), at.reshape(-1, len(powers))
    factors = np.zeros(len(powers))
    for order in (0, 1, 1, 2, 2, 3, 3, 3):  # from a plane on: a high order would follow the particles at once
        used = [sum(power) <= order for power in powers]
        left = values - rows @ factors
        middle = _mode(left)
        off = left - middle  # particles lie to one side of the ground only: the narrower side is the ground's own
        width = max(min(np.median(-off[off <= 0]), np.median(off[off >= 0])), 0.01)
        weights = np.clip(1 - (off / (6 * width)) ** 2, 0, None)
        fitted = np.linalg.lstsq(rows[:, used] * weights[:, None], values * weights, rcond=None)[0]
        factors = np.zeros(len(powers))
        factors[used] = fitted
    factors[0] = 0
    return basis(y, x) @ factors


def _mode(values):
    counts, edges = np.histogram(values, 256)
    counts = ndimage.gaussian_filter1d(counts.astype(float), 4)
    return edges[counts.argmax()] + (edges[1] - edges[0]) / 2


def _noise(grey):
    """Return the standard deviation of white noise, by differences that ramps leave alone (Immerkaer 1996)."""
    differences = ndimage.convolve(grey, np.outer([1, -2, 1], [1, -2, 1]) / 6)
    return 1.4826 * np.median(np.abs(differences))


def _edge_held(mask):
    """Return how much of the frame's edge the one part of a mask holds that holds most of it."""
    labels, n = ndimage.label(mask)
    if n == 0:
        return 0
    frame = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return np.bincount(frame, minlength=n + 1)[1:].max()


def _without_holes(mask):
    """Fill holes, but for gaps between particles that touch all around."""
    holes, _ = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    filled = mask.copy()
    for hole in regionprops(holes):
        if hole.area < LEAST_AREA_PX or hole.solidity >= HOLLOW:
            filled[hole.slice] |= hole.image
    return filled


def _part(mask):
    """Return the instances of a mask, those that touch parted at their necks."""
    distance = ndimage.distance_transform_edt(mask)
    height = np.log(np.maximum(distance, LEAST_DISTANCE_PX)).astype(np.float32)
    flooded = reconstruction(height - DEEPEST, height, method="dilation")
    seeds, _ = ndimage.label(local_maxima(flooded) & mask, np.ones((3, 3)))
    parts, n = ndimage.label(mask)
    lost = np.append(True, ndimage.maximum(seeds, parts, np.arange(1, n + 1)) > 0) == 0  # too thin for a seed
    seeds = np.where(lost[parts], seeds.max() + parts, seeds)
    instances = watershed(-distance, seeds, mask=mask)
    small = np.bincount(instances.ravel()) < LEAST_AREA_PX
    instances[small[instances]] = 0
    _, instances = np.unique(instances, return_inverse=True)
    return instances.reshape(mask.shape).astype(np.int32)


def _scored(grey, instances):
    """Give each instance its score and its diameter; leave out specks, which are small and faint."""
    regions = regionprops(instances, grey)
    if not regions:
        return _nothing(instances.shape)
    ground = np.median(grey[instances == 0]) if (instances == 0).any() else grey.min()
    contrast = np.array([region.intensity_mean for region in regions]) - ground
    areas = np.array([region.area for region in regions])
    clearest = max(np.quantile(np.repeat(contrast, areas.astype(int)), 0.9), 1e-9)
    scores = np.clip(np.array([region.solidity for region in regions]) * contrast / clearest, 0, 1)
    kept = (areas > SPECK**2 * np.sum(areas**2) / np.sum(areas)) | (scores > FAINT)
    numbers = np.append(0, np.where(kept, np.cumsum(kept), 0)).astype(np.int32)
    return Found(numbers[instances], scores[kept], 2 * np.sqrt(areas[kept] / math.pi))


def _circles(grey, low, high):
    """Return circles (n, 3), column, row and radius, with pixel centres at whole numbers, by Hough's transform."""
    first, last = np.quantile(grey, [0.005, 0.995])
    levels = np.clip(255 * (grey - first) / max(last - first, 1e-9), 0, 255).astype(np.uint8)
    slopes = np.abs(cv2.Scharr(levels, cv2.CV_32F, 1, 0)) + np.abs(cv2.Scharr(levels, cv2.CV_32F, 0, 1))
    strong = max(float(np.quantile(slopes, 0.92)), 1.0)
    found = cv2.HoughCircles(
        levels, cv2.HOUGH_GRADIENT_ALT, 1, max(low / 2, 2), None, strong, 0.3, math.floor(low), math.ceil(high)
    )
    return np.zeros((0, 3)) if found is None else found.reshape(-1, found.shape[-1])[:, :3].astype(float)


def _fit_circles(grey, circles, low, high):
    """Fit circles to their edges; return those with enough of an edge, column, row, radius and score (n, 4)."""
    least = WEAKEST * float(np.quantile(np.hypot(*np.gradient(grey)), 0.95))
    fitted = np.array([_fit(grey, *circle, least) for circle in circles]).reshape(-1, 4)
    good = (fitted[:, 2] >= low) & (fitted[:, 2] <= high) & (fitted[:, 3] >= FEWEST_SUPPORTED)
    return fitted[good]


@njit(cache=True)
def _fit(grey, x, y, r, least):
    """Look along rays from the centre for the steepest fall, and fit a circle; three times, ever nearer to it.

    Returns column, row and radius, and the share of the rays within the picture that agree with the circle.
    """
    height, width = grey.shape
    score = 0.0
    points, used = np.empty((RAYS, 2)), np.empty(RAYS, np.bool_)
    for reach in (0.3, 0.15, 0.1):
        first, last = max(1.0, r * (1 - reach) - 1), r * (1 + reach) + 1
        within = 0
        for k in range(RAYS):
            dx, dy = math.cos(2 * math.pi * k / RAYS), math.sin(2 * math.pi * k / RAYS)
            best, at = 0.0, -1.0
            for step in range(int((last - first) * 4) + 1):
                radius = first + step / 4
                if not (0 <= y + radius * dy <= height - 1 and 0 <= x + radius * dx <= width - 1):
                    break
                fall = _between(grey, x + (radius - 0.5) * dx, y + (radius - 0.5) * dy)
                fall -= _between(grey, x + (radius + 0.5) * dx, y + (radius + 0.5) * dy)
                fall *= 1 - 0.5 * abs(2 * (radius - first) / (last - first) - 1)  # of two edges, the near one
                if fall > best:
                    best, at = fall, radius
            within += y + r * dy >= 0 and y + r * dy <= height - 1 and x + r * dx >= 0 and x + r * dx <= width - 1
            used[k] = best > least
            points[k, 0], points[k, 1] = x + at * dx, y + at * dy
        if used.sum() < RAYS // 4:
            return x, y, r, 0.0
        x, y, r, agree = _circle_through(points, used)
        score = min(1.0, agree / max(within, RAYS // 4))
    return x, y, r, score


@njit(cache=True)
def _between(grey, x, y):
    """Return the grey level at a place between pixels; at the frame's edge, that of the edge."""
    x, y = min(max(x, 0.0), grey.shape[1] - 1.001), min(max(y, 0.0), grey.shape[0] - 1.001)
    i, j = int(y), int(x)
    u, v = y - i, x - j
    return (1 - u) * ((1 - v) * grey[i, j] + v * grey[i, j + 1]) + u * (
        (1 - v) * grey[i + 1, j] + v * grey[i + 1, j + 1]
    )


@njit(cache=True)
def _circle_through(points, used):
    """Fit a circle to points (Kasa 1976), again and again to those near it; return it, and how many they are."""
    agree, n = used.copy(), 0
    x = y = r = 0.0
    for _ in range(4):
        n = agree.sum()
        middle_x, middle_y = points[agree, 0].mean(), points[agree, 1].mean()
        u, v = points[agree, 0] - middle_x, points[agree, 1] - middle_y
        squares = u * u + v * v
        uu, uv, vv = (u * u).sum() + 1e-9, (u * v).sum(), (v * v).sum() + 1e-9
        us, vs = (u * squares).sum(), (v * squares).sum()
        a, b = (us * vv - vs * uv) / (uu * vv - uv * uv) / 2, (vs * uu - us * uv) / (uu * vv - uv * uv) / 2
        x, y, r = middle_x + a, middle_y + b, math.sqrt(squares.mean() + a * a + b * b)
        off = np.abs(np.hypot(points[:, 0] - x, points[:, 1] - y) - r)
        closer = used & (off < max(1.0, 0.06 * r))
        if closer.sum() < 8:
            break
        agree, n = closer, closer.sum()
    return x, y, r, n


def _painted(circles, shape):
    """Return circles as Found, the better ones on top, and of those that are nearly the same only the best."""
    kept = []
    for x, y, r, score in circles[np.argsort(-circles[:, 3], kind="stable")]:
        if all(_shared(math.hypot(x - u, y - v), r, s) < ALIKE for u, v, s, _ in kept):
            kept.append((x, y, r, score))
    instances = np.zeros(shape, np.int32)
    for number, (x, y, r, _) in reversed(list(enumerate(kept, 1))):
        top, left = max(0, math.floor(y - r)), max(0, math.floor(x - r))
        rows, columns = np.ogrid[top : max(top, math.ceil(y + r) + 1), left : max(left, math.ceil(x + r) + 1)]
        part = instances[top : top + rows.shape[0], left : left + columns.shape[1]]
        part[((rows - y) ** 2 + (columns - x) ** 2 <= r**2)[: part.shape[0], : part.shape[1]]] = number
    seen = np.flatnonzero(np.bincount(instances.ravel(), minlength=len(kept) + 1)[1:] >= LEAST_AREA_PX)
    numbers = np.zeros(len(kept) + 1, np.int32)
    numbers[seen + 1] = np.arange(1, len(seen) + 1)
    kept = np.array(kept).reshape(-1, 4)[seen]
    return Found(numbers[instances], kept[:, 3], 2 * kept[:, 2])


def _shared(distance, r, s):
    """Return the overlap of two disks over the area of the smaller one."""
    small, large = min(r, s), max(r, s)
    if distance <= large - small:
        return 1.0
    if distance >= large + small:
        return 0.0
    cosines = [(distance**2 + a**2 - b**2) / (2 * distance * a) for a, b in ((small, large), (large, small))]
    angles = [math.acos(min(1.0, max(-1.0, cosine))) for cosine in cosines]
    segments = [a**2 * (t - math.sin(t) * math.cos(t)) for a, t in zip((small, large), angles, strict=True)]
    return sum(segments) / (math.pi * small**2)
