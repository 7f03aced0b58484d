"""What the beam meets: for each pixel the particle in front, its height and slope, and the thickness of all.

Spheres, capsules and ellipsoids are met exactly, by their equations; other bodies by the triangles of their meshes. A
pixel is what the beam through its centre meets.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit


class Patch(NamedTuple):
    """The complete outline of a particle, also where others hide it or the frame cuts it."""

    row: int  # of its first line in the frame; may be negative
    column: int
    mask: np.ndarray  # (h, w) bool
    thickness_nm: np.ndarray  # (h, w) float32: way of the beam through it


class Surfaces(NamedTuple):
    """What is seen of a scene."""

    instances: np.ndarray  # (H, W) int32: 0 is the ground, k the (k-1)-th of the patches
    depth: np.ndarray  # (H, W) float32: height in nm of what is seen; NaN where there is no ground
    normals: np.ndarray  # (H, W, 3) float32: outward, of length 1
    patches: list  # of Patch, of the particles that have a pixel in the frame
    particles: list  # which of the scene's particles each patch shows


def trace(scene):
    """Find what the beam meets in a scene.

    Parameters
    ----------
    scene : Scene

    Returns
    -------
    Surfaces
    """
    recipe = scene.recipe
    size, shape = recipe.pixel_size_nm, (recipe.height_px, recipe.width_px)
    instances = np.zeros(shape, np.int32)
    depth = np.full(shape, -np.inf, np.float32)
    normals = np.zeros((*shape, 3), np.float32)
    if scene.ground is not None:
        start, slope = scene.ground
        depth[:] = (start + slope * (np.arange(shape[0]) + 0.5) * size)[:, None]
        normals[:] = (0, -math.sin(scene.tilt), math.cos(scene.tilt))
    else:
        normals[..., 2] = 1
    patches, shown = [], []
    for index, particle in enumerate(scene.particles):
        row, column, front, thickness, slopes = _meet(particle, size)
        mask = front > -np.inf
        inside = _within(mask, row, column, shape)
        if not inside.any():
            continue
        patches.append(Patch(row, column, mask, thickness))
        shown.append(index)
        _put(instances, depth, normals, front, slopes, row, column, len(patches))
    depth[np.isneginf(depth)] = np.nan
    return Surfaces(instances, depth, normals, patches, shown)


def sum_up(surfaces, values):
    """Add up what patches hold over the frame.

    Parameters
    ----------
    surfaces : Surfaces
    values : sequence of (h, w) ndarray
        One for each patch, of its size.

    Returns
    -------
    (H, W) float64 ndarray
    """
    total = np.zeros(surfaces.instances.shape)
    for patch, value in zip(surfaces.patches, values, strict=True):
        frame, own = overlap(patch, total.shape)
        total[frame] += value[own]
    return total


def overlap(patch, shape):
    """Return where a patch and a frame of some shape meet: slices of the frame, and slices of the patch."""
    (top, height), (left, width) = (patch.row, patch.mask.shape[0]), (patch.column, patch.mask.shape[1])
    rows = max(top, 0), max(min(top + height, shape[0]), max(top, 0))
    columns = max(left, 0), max(min(left + width, shape[1]), max(left, 0))
    frame = slice(*rows), slice(*columns)
    return frame, (slice(rows[0] - top, rows[1] - top), slice(columns[0] - left, columns[1] - left))


def _within(mask, row, column, shape):
    return mask[overlap(Patch(row, column, mask, mask), shape)[1]]


def _meet(particle, size):
    """Return place, height of the front, thickness and normals of a particle on its own pixels."""
    body, centre = particle.body, particle.centre_nm
    low, high = (edge + centre for edge in body.bounds())
    first = np.floor(low[:2] / size).astype(np.int64)
    width, height = (np.ceil(high[:2] / size).astype(np.int64) - first + 1).tolist()
    column, row = first.tolist()
    front = np.full((height, width), -np.inf)
    thickness = np.zeros((height, width))
    normals = np.zeros((height, width, 3), np.float32)
    origin = centre - (column * size, row * size, 0)
    if body.mesh is not None:
        vertices = body.mesh.vertices + origin
        _meet_mesh(vertices, body.mesh.faces, body.mesh.normals, size, front, thickness, normals)
    elif body.ellipsoid is not None:
        form = np.linalg.inv(body.ellipsoid.T @ body.ellipsoid)
        _meet_ellipsoid(form, origin, size, front, thickness, normals)
    else:
        capsules = body.capsules + np.concatenate([origin, origin, [0.0]])
        _meet_capsules(capsules, size, front, thickness, normals)
    return row, column, front, thickness.astype(np.float32), normals


@njit(cache=True)
def _put(instances, depth, normals, front, slopes, row, column, number):
    """Put a particle in front of what lies lower."""
    for i in range(max(0, -row), min(front.shape[0], instances.shape[0] - row)):
        for j in range(max(0, -column), min(front.shape[1], instances.shape[1] - column)):
            if front[i, j] > depth[row + i, column + j]:
                depth[row + i, column + j] = front[i, j]
                instances[row + i, column + j] = number
                for k in range(3):
                    normals[row + i, column + j, k] = slopes[i, j, k]


@njit(cache=True)
def _meet_ellipsoid(form, centre, size, front, thickness, normals):
    """Meet the points p with p form p <= 1 about a centre."""
    a = form[2, 2]
    for i in range(front.shape[0]):
        y = (i + 0.5) * size - centre[1]
        for j in range(front.shape[1]):
            x = (j + 0.5) * size - centre[0]
            b = form[0, 2] * x + form[1, 2] * y
            c = form[0, 0] * x * x + 2 * form[0, 1] * x * y + form[1, 1] * y * y - 1.0
            inside = b * b - a * c
            if inside <= 0:
                continue
            root = math.sqrt(inside)
            z = (root - b) / a
            front[i, j], thickness[i, j] = centre[2] + z, 2 * root / a
            length = 0.0
            for k in range(3):
                slope = form[k, 0] * x + form[k, 1] * y + form[k, 2] * z
                normals[i, j, k] = slope
                length += slope * slope
            for k in range(3):
                normals[i, j, k] /= math.sqrt(length)


@njit(cache=True)
def _span(capsule, x, y):
    """Return where the beam leaves and enters a capsule; the first is below the second if it misses it."""
    r = capsule[6]
    top, bottom = -np.inf, np.inf
    for end in (0, 3):
        inside = r * r - (x - capsule[end]) ** 2 - (y - capsule[end + 1]) ** 2
        if inside > 0:
            root = math.sqrt(inside)
            top, bottom = max(top, capsule[end + 2] + root), min(bottom, capsule[end + 2] - root)
    ux, uy, uz = capsule[3] - capsule[0], capsule[4] - capsule[1], capsule[5] - capsule[2]
    length = math.sqrt(ux * ux + uy * uy + uz * uz)
    if length > 0:
        ux, uy, uz = ux / length, uy / length, uz / length
        dx, dy = x - capsule[0], y - capsule[1]
        along = dx * ux + dy * uy
        a = 1.0 - uz * uz
        inside = (along * uz) ** 2 - a * (dx * dx + dy * dy - along * along - r * r)
        if a > 1e-12 and inside > 0:
            for sign in (-1.0, 1.0):
                z = (along * uz + sign * math.sqrt(inside)) / a
                if 0 <= along + z * uz <= length:
                    top, bottom = max(top, capsule[2] + z), min(bottom, capsule[2] + z)
    return top, bottom


@njit(cache=True)
def _meet_capsules(capsules, size, front, thickness, normals):
    """Meet the union of capsules: spans of the beam that overlap count once."""
    height, width = front.shape
    n = len(capsules)
    boxes = np.empty((n, 4), np.int64)
    room = 0
    for k in range(n):
        for axis, edge in ((1, height), (0, width)):
            low = min(capsules[k, axis], capsules[k, axis + 3]) - capsules[k, 6]
            high = max(capsules[k, axis], capsules[k, axis + 3]) + capsules[k, 6]
            at = 0 if axis == 1 else 2
            boxes[k, at] = max(0, math.floor(low / size - 0.5))
            boxes[k, at + 1] = min(edge, math.ceil(high / size + 0.5))
        room += (boxes[k, 1] - boxes[k, 0]) * (boxes[k, 3] - boxes[k, 2])
    head = np.full((height, width), -1)
    tops, bottoms, following = np.empty(room), np.empty(room), np.empty(room, np.int64)
    used = 0
    for k in range(n):
        for i in range(boxes[k, 0], boxes[k, 1]):
            y = (i + 0.5) * size
            for j in range(boxes[k, 2], boxes[k, 3]):
                x = (j + 0.5) * size
                top, bottom = _span(capsules[k], x, y)
                if top <= bottom:
                    continue
                tops[used], bottoms[used], following[used] = top, bottom, head[i, j]
                head[i, j] = used
                used += 1
                if top > front[i, j]:
                    front[i, j] = top
                    _point(capsules[k], x, y, top, normals[i, j])
    for i in range(height):
        for j in range(width):
            thickness[i, j] = _joint_length(tops, bottoms, following, head[i, j])


@njit(cache=True)
def _point(capsule, x, y, z, normal):
    """Write the normal of a capsule at a point of its surface: away from the nearest point of its axis."""
    ux, uy, uz = capsule[3] - capsule[0], capsule[4] - capsule[1], capsule[5] - capsule[2]
    dx, dy, dz = x - capsule[0], y - capsule[1], z - capsule[2]
    square = ux * ux + uy * uy + uz * uz
    share = 0.0 if square == 0 else min(max((dx * ux + dy * uy + dz * uz) / square, 0.0), 1.0)
    dx, dy, dz = dx - share * ux, dy - share * uy, dz - share * uz
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    normal[0], normal[1], normal[2] = dx / length, dy / length, dz / length


@njit(cache=True)
def _joint_length(tops, bottoms, following, first):
    """Return the length of the union of a list of spans; takes the highest one that is left, again and again."""
    length, reached = 0.0, np.inf  # everything above `reached` is counted
    while True:
        best, top = -1, -np.inf
        k = first
        while k >= 0:
            if bottoms[k] < reached and min(tops[k], reached) > top:
                best, top = k, min(tops[k], reached)
            k = following[k]
        if best < 0:
            return length
        length += top - bottoms[best]
        reached = bottoms[best]


@njit(cache=True)
def _meet_mesh(vertices, faces, corners, size, front, thickness, normals):
    """Meet a closed mesh; the way through it is what lies between its upper and its lower triangles."""
    height, width = front.shape
    for f in range(len(faces)):
        a, b, c = vertices[faces[f, 0]], vertices[faces[f, 1]], vertices[faces[f, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0:
            continue
        side = 1.0 if area > 0 else -1.0
        top = max(0, math.ceil(min(a[1], b[1], c[1]) / size - 0.5))
        bottom = min(height - 1, math.floor(max(a[1], b[1], c[1]) / size - 0.5))
        left = max(0, math.ceil(min(a[0], b[0], c[0]) / size - 0.5))
        right = min(width - 1, math.floor(max(a[0], b[0], c[0]) / size - 0.5))
        for i in range(top, bottom + 1):
            y = (i + 0.5) * size
            for j in range(left, right + 1):
                x = (j + 0.5) * size
                u = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area
                v = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area
                w = 1.0 - u - v
                if u < 0 or v < 0 or w < 0:
                    continue
                z = u * a[2] + v * b[2] + w * c[2]
                thickness[i, j] += side * z
                if z > front[i, j]:
                    front[i, j] = z
                    length = 0.0
                    for k in range(3):
                        slope = u * corners[f, 0, k] + v * corners[f, 1, k] + w * corners[f, 2, k]
                        normals[i, j, k] = slope
                        length += slope * slope
                    for k in range(3):
                        normals[i, j, k] /= max(math.sqrt(length), 1e-12)
    for i in range(height):
        for j in range(width):
            thickness[i, j] = max(thickness[i, j], 0.0)
