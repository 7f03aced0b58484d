"""Where particles lie: on a plane, in a volume, piled, or agglomerated; without overlap.

Each particle is covered by a few balls; two overlap if two of their balls do. Balls of spheres, rods, worms and
aggregates are exact; those of ellipsoids, crystals and lumps reach out a little, so that these keep a distance.
"""

import itertools

import numpy as np
from numba import njit

TRIES = 120  # places at which a particle looks for room
NEAR = 16  # places among which a particle that is dropped takes the lowest
SLABS = 8  # balls along the axis of a long body, at most


def cover(body):
    """Return balls (k, 4), centre and radius, that hold a body.

    Parameters
    ----------
    body : Body

    Returns
    -------
    (k, 4) ndarray
    """
    if body.mesh is None and body.ellipsoid is None:
        balls = []
        for capsule in body.capsules:
            first, last, radius = capsule[:3], capsule[3:6], capsule[6]
            steps = int(np.ceil(np.linalg.norm(last - first) / radius)) + 1
            places = first + np.linspace(0, 1, steps)[:, None] * (last - first) if steps > 1 else first[None]
            balls.append(np.column_stack([places, np.full(len(places), radius)]))
        return np.concatenate(balls)
    points, _ = body.points()
    middle = points.mean(axis=0)
    axis = np.linalg.svd(points - middle, full_matrices=False)[2][0]
    along = (points - middle) @ axis
    across = np.linalg.norm(points - middle - along[:, None] * axis, axis=1).max()
    slabs = int(np.clip(np.round(np.ptp(along) / (2 * across)), 1, SLABS))
    edges = np.linspace(along.min(), along.max(), slabs + 1)
    balls = []
    for low, high in itertools.pairwise(edges):
        centre = middle + (low + high) / 2 * axis
        beyond = (edges[1] - edges[0]) * 0.25 if slabs > 1 else np.inf
        near = points[(along >= low - beyond) & (along <= high + beyond)]
        balls.append([*centre, np.linalg.norm(near - centre, axis=1).max(initial=(high - low) / 2)])
    return np.array(balls)


def place(covers, lowest, placement, extent_nm, rng):
    """Find a place for each of some units.

    Parameters
    ----------
    covers : list of (k, 4) ndarray
        The balls of each unit, about its origin.
    lowest : (n,) array_like
        How far each unit reaches down from its origin; negative.
    placement : Placement
    extent_nm : tuple of float
        Smallest and largest x, smallest and largest y of the origins.
    rng : numpy.random.Generator

    Returns
    -------
    (n, 3) ndarray
        NaN where there was no room.
    """
    p = placement
    balls = np.concatenate(covers)
    starts = np.concatenate([[0], np.cumsum([len(cover) for cover in covers])])
    reach = np.array([(np.linalg.norm(cover[:, :3], axis=1) + cover[:, 3]).max() for cover in covers])
    large_first = p.kind in ("plane", "volume")
    order = np.argsort(-reach, kind="stable") if large_first else rng.permutation(len(covers))
    extent = np.array(extent_nm, float)
    lowest = np.asarray(lowest, float)
    if p.kind == "piled":
        return _pile(balls, starts, reach, lowest, order, extent, rng)
    if p.kind == "agglomerated":
        new = rng.random(len(covers)) < 1 / p.cluster
        new[order[0]] = True
        return _agglomerate(balls, starts, reach, lowest, order, new, extent, rng)
    depth = p.depth_nm if p.kind == "volume" else -1.0
    return _scatter(balls, starts, reach, lowest, order, extent, depth, p.gap, rng)


@njit(cache=True)
def _free(balls, starts, reach, unit, place, places, settled, gap):
    """Whether a unit would overlap none of those that are settled."""
    for other in settled:
        far = (1.0 + gap) * (reach[unit] + reach[other])
        if ((place - places[other]) ** 2).sum() > far * far:
            continue
        for i in range(starts[unit], starts[unit + 1]):
            for j in range(starts[other], starts[other + 1]):
                least = balls[i, 3] + balls[j, 3] + gap * min(balls[i, 3], balls[j, 3])
                apart = 0.0
                for k in range(3):
                    apart += (place[k] + balls[i, k] - places[other, k] - balls[j, k]) ** 2
                if apart < least * least * (1.0 - 1e-9):
                    return False
    return True


@njit(cache=True)
def _scatter(balls, starts, reach, lowest, order, extent, depth, gap, rng):
    n = len(order)
    places = np.full((n, 3), np.nan)
    settled = np.empty(n, np.int64)
    count = 0
    place = np.empty(3)
    for unit in order:
        for _ in range(TRIES):
            place[0] = rng.uniform(extent[0], extent[1])
            place[1] = rng.uniform(extent[2], extent[3])
            room = max(depth - 2.0 * reach[unit], 0.0)
            place[2] = -lowest[unit] if depth < 0 else min(reach[unit], depth / 2) + rng.random() * room
            if _free(balls, starts, reach, unit, place, places, settled[:count], gap):
                places[unit] = place
                settled[count] = unit
                count += 1
                break
    return places


@njit(cache=True)
def _pile(balls, starts, reach, lowest, order, extent, rng):
    n = len(order)
    places = np.full((n, 3), np.nan)
    settled = np.empty(n, np.int64)
    for count in range(n):
        unit = order[count]
        x0, y0 = rng.uniform(extent[0], extent[1]), rng.uniform(extent[2], extent[3])
        best = np.inf
        for _ in range(NEAR):
            x = x0 + 1.5 * reach[unit] * (2.0 * rng.random() - 1.0)
            y = y0 + 1.5 * reach[unit] * (2.0 * rng.random() - 1.0)
            z = -lowest[unit]
            for k in range(count):
                other = settled[k]
                far = reach[unit] + reach[other]
                if (x - places[other, 0]) ** 2 + (y - places[other, 1]) ** 2 > far * far:
                    continue
                for i in range(starts[unit], starts[unit + 1]):
                    for j in range(starts[other], starts[other + 1]):
                        least = balls[i, 3] + balls[j, 3]
                        across = (x + balls[i, 0] - places[other, 0] - balls[j, 0]) ** 2
                        across += (y + balls[i, 1] - places[other, 1] - balls[j, 1]) ** 2
                        if across < least * least:
                            rest = places[other, 2] + balls[j, 2] + np.sqrt(least * least - across) - balls[i, 2]
                            z = max(z, rest)
            if z < best:
                best = z
                places[unit, 0], places[unit, 1], places[unit, 2] = x, y, z
        settled[count] = unit
    return places


@njit(cache=True)
def _agglomerate(balls, starts, reach, lowest, order, new, extent, rng):
    n = len(order)
    places = np.full((n, 3), np.nan)
    settled = np.empty(n, np.int64)
    members = np.empty(n, np.int64)
    count, size = 0, 0
    place = np.empty(3)
    for unit in order:
        if new[unit] or size == 0:
            size = 0
        for _ in range(TRIES):
            if size == 0:
                place[0] = rng.uniform(extent[0], extent[1])
                place[1] = rng.uniform(extent[2], extent[3])
                place[2] = -lowest[unit]
            else:
                host = members[rng.integers(0, size)]
                along = rng.normal(0.0, 1.0, 3)
                along[2] *= 0.5
                along /= np.sqrt((along**2).sum())
                shift = 0.0
                for i in range(starts[unit], starts[unit + 1]):
                    for j in range(starts[host], starts[host + 1]):
                        offset = balls[j, :3] - balls[i, :3]
                        least = balls[i, 3] + balls[j, 3]
                        ahead = (offset * along).sum()
                        across = (offset**2).sum() - ahead * ahead
                        if across < least * least:
                            shift = max(shift, ahead + np.sqrt(least * least - across))
                place[:] = places[host] + shift * along
                if place[2] < -lowest[unit]:
                    continue
            if _free(balls, starts, reach, unit, place, places, settled[:count], 0.0):
                places[unit] = place
                settled[count] = unit
                members[size] = unit
                count, size = count + 1, size + 1
                break
    return places
