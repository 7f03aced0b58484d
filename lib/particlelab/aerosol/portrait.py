"""Pictures of persons: rays that meet smooth bodies, and what light comes back along them."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy import ndimage

from particlelab.aerosol.anatomy import CLOTH, DARK, EYE, FRAME, HAIR, LIPS, LIPS_AT, SKIN, TRIM, build, place_on_head
from particlelab.aerosol.anatomy import turn as turned

AMBIENT = 0.22  # share of the light that comes from everywhere
FAR = 3.0  # heads; nothing of a person is farther from the mouth, towards the camera or away from it
HIT = 1e-3  # heads; nearer than that to a surface is on it
FINE = 3  # rays across a pixel in which one ray does not tell all
CONTRAST = 0.03  # between a pixel and its neighbours, from which on it has more than one ray
SHEEN = {SKIN: 0.06, LIPS: 0.08, EYE: 0.5, HAIR: 0.05, FRAME: 0.3, DARK: 0.05}  # share of mirror-like light


class Traced(NamedTuple):
    """What each ray met."""

    material: np.ndarray  # (n,) 0 where it met nothing
    position: np.ndarray  # (n, 3), in the person's own axes
    light: np.ndarray  # (n,) what falls there, of the light on a surface that faces the lamp
    gloss: np.ndarray  # (n,) the lamp's mirror image on a smooth surface, at most 1


def paint(person, palette, size):
    """Paint a person before a wall.

    Parameters
    ----------
    person : Person
    palette : (9, 3) array
        Reflectance of each material of `particlelab.aerosol.anatomy`, 0: of the wall.
    size : int
        Pixels along a side.

    Returns
    -------
    (size, size, 3) float32 ndarray
        Light, of that of a white surface that faces a lamp of brightness 1; smooth at the edges of bodies.
    """
    at = (np.arange(size) + 0.5) / size
    rows, columns = (axis.ravel() for axis in np.meshgrid(at, at, indexing="ij"))
    picture = _colour(person, palette, rows, columns).reshape(size, size, 3)
    seen = np.sqrt(picture.max(axis=-1))  # about as an eye sees it
    rough = ndimage.maximum_filter(seen, 3) - ndimage.minimum_filter(seen, 3) > CONTRAST
    within = (np.arange(FINE) + 0.5) / FINE
    down, across = (axis.ravel() for axis in np.meshgrid(within, within, indexing="ij"))
    i, j = (axis[:, None] for axis in np.nonzero(rough))
    fine = _colour(person, palette, ((i + down) / size).ravel(), ((j + across) / size).ravel())
    picture[rough] = fine.reshape(-1, FINE**2, 3).mean(axis=1)
    return (person.brightness * picture).astype(np.float32)


def trace(person, rows, columns):
    """Trace rays into a picture of a person, parallel to the camera's axis.

    Parameters
    ----------
    person : Person
    rows, columns : (n,) array
        Where each ray meets the picture, as fractions of its height and width.

    Returns
    -------
    Traced
    """
    view = turned("x", person.camera_deg) @ turned("y", -person.turn_deg) @ turned("z", -person.lean_deg)
    row, column = person.mouth
    across, up = (columns - column) / person.head_height, (row - rows) / person.head_height
    start = place_on_head(LIPS_AT, person) + np.stack([across, up, np.full(len(across), FAR)], -1) @ view
    return Traced(*_trace(build(person), start, -view[2], lamp(person) @ view))


def lamp(person):
    """Return the direction from which the light comes, (3,): to the right, up, towards the camera; of unit length."""
    azimuth, elevation = math.radians(person.light_azimuth_deg), math.radians(person.light_elevation_deg)
    level = math.cos(elevation)
    return np.array([math.sin(azimuth) * level, math.sin(elevation), math.cos(azimuth) * level])


def _colour(person, palette, rows, columns):
    """Return the light along rays, (n, 3), of that of a white surface that faces the lamp."""
    traced = trace(person, rows, columns)
    material, (x, y, z) = traced.material, traced.position.T
    colour = palette[material]
    trimmed = {
        "plain": np.zeros(len(x), bool),
        "stripes": np.sin(2 * np.pi * y / 0.16) > 0.1,
        "checks": (np.sin(2 * np.pi * y / 0.3) > 0) ^ (np.sin(2 * np.pi * (x + z) / 0.3) > 0),
        "jacket": (x > 0) & (np.abs(z) < 0.22 + 0.15 * (y + 1)),  # open: something else shows
    }[person.pattern]
    colour[(material == CLOTH) & trimmed] = palette[TRIM]
    strands = np.sin(70 * x + 25 * z + 4 * np.sin(6 * y))
    colour *= np.where(material == HAIR, 1 + 0.18 * strands, 1)[:, None]
    sheen = np.array([SHEEN.get(kind, 0.0) for kind in range(len(palette))])[material][:, None]
    body = (1 - sheen) * colour * traced.light[:, None] + sheen * traced.gloss[:, None]
    return np.where((material > 0)[:, None], body, colour * _wall_light(person, rows, columns)[:, None])


def _wall_light(person, rows, columns):
    """Return how much light falls on the wall: most on the side of the lamp."""
    right, up, _ = lamp(person)
    distance = np.hypot(columns - 0.5 - 0.4 * right, rows - 0.5 + 0.4 * up)
    return 0.35 + 0.65 * np.exp(-2 * distance**2)


@njit(cache=True, nogil=True, fastmath=True)
def _distance(bodies, px, py, pz):
    """Return the distance from a point to the person, or a little less, and the material that is nearest."""
    nearest, closest, material = 1e9, 1e9, 0
    for i in range(len(bodies.reach)):
        x, y, z = px - bodies.centre[i, 0], py - bodies.centre[i, 1], pz - bodies.centre[i, 2]
        blend = bodies.blend[i]
        limit = nearest + bodies.reach[i] + abs(blend)
        if x * x + y * y + z * z > limit * limit:
            continue  # too far to change anything
        axes = bodies.axes[i]
        u = axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z
        v = axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z
        w = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z
        a, b, c = bodies.radii[i]
        if bodies.ring[i]:
            d = math.hypot(math.hypot(u, w) - a, v) - b
        else:  # first order about the surface, after Quilez
            u, v, w = u / a, v / b, w / c
            inner = math.sqrt(u * u + v * v + w * w)
            d = inner * (inner - 1) / (math.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2) + 1e-9)
        if bodies.bumps[i] > 0 and d < 0.2:
            d += bodies.bumps[i] * math.sin(31 * px) * math.sin(29 * py + 2) * math.sin(33 * pz + 1)
        if blend < 0:
            nearest = max(nearest, -d)
            continue
        if d < closest:
            closest, material = d, bodies.material[i]
        overlap = max(blend - abs(nearest - d), 0.0)
        nearest = min(nearest, d)
        if overlap > 0:
            nearest -= overlap * overlap / (4 * blend)
    return nearest, material


@njit(cache=True, nogil=True, fastmath=True)
def _trace(bodies, start, ahead, lamp):
    """Trace rays from their starts in one direction, all in the person's axes; see `Traced`."""
    n = len(start)
    material, position = np.zeros(n, np.int64), np.zeros((n, 3))
    light, gloss = np.zeros(n), np.zeros(n)
    for i in range(n):
        x, y, z = start[i]
        gone, d, what = 0.0, 1.0, 0
        while gone < 2 * FAR:
            d, what = _distance(bodies, x, y, z)
            if d < HIT:
                break
            step = 0.9 * d + 0.2 * HIT
            gone += step
            x, y, z = x + step * ahead[0], y + step * ahead[1], z + step * ahead[2]
        if d < HIT:
            material[i] = what
            position[i] = x, y, z
            light[i], gloss[i] = _shade(bodies, x, y, z, d, ahead, lamp)
    return material, position, light, gloss


@njit(cache=True, nogil=True, fastmath=True)
def _shade(bodies, x, y, z, d, ahead, lamp):
    """Return the light that falls on a point of the surface and its gloss."""
    e = 2e-3
    nx = _distance(bodies, x + e, y, z)[0] - d
    ny = _distance(bodies, x, y + e, z)[0] - d
    nz = _distance(bodies, x, y, z + e)[0] - d
    norm = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
    nx, ny, nz = nx / norm, ny / norm, nz / norm
    direct = max(0.0, 0.88 * (nx * lamp[0] + ny * lamp[1] + nz * lamp[2]) + 0.12)  # a little comes round the edge
    t = 0.05
    seen = 1.0  # share of a large lamp, by how close a ray to its middle comes to anything
    while direct > 0 and seen > 0 and t < 2.0:
        near = _distance(bodies, x + 0.02 * nx + t * lamp[0], y + 0.02 * ny + t * lamp[1], z + 0.02 * nz + t * lamp[2])[
            0
        ]
        seen = min(seen, max(7 * near / t, 0.0))
        t += max(near, 0.04)
    hidden = 0.0  # how much of the room is hidden by what is close
    for k in range(1, 4):
        away = 0.08 * k
        near = _distance(bodies, x + away * nx, y + away * ny, z + away * nz)[0]
        hidden += 2 * max(0.0, away - near) / 2**k
    room = AMBIENT * (0.7 + 0.3 * ny) * max(0.0, 1 - hidden)
    halfway = np.array([lamp[0] - ahead[0], lamp[1] - ahead[1], lamp[2] - ahead[2]])
    cosine = (nx * halfway[0] + ny * halfway[1] + nz * halfway[2]) / (math.sqrt((halfway**2).sum()) + 1e-12)
    return room + (1 - AMBIENT) * direct * seen, seen * max(0.0, cosine) ** 24
