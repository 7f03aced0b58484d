"""Head and shoulders as smooth bodies that melt into each other.

Lengths are in heads (crown to chin). A person's own axes are x to where they look, y up, z to their right, which is
towards the camera. Measures are by eye.
"""

import math
from typing import NamedTuple

import numpy as np

SKIN, LIPS, DARK, EYE, HAIR, CLOTH, TRIM, FRAME = range(1, 9)  # materials; 0 is the wall, which no body is made of
LIPS_AT = np.array([0.425, -0.262, 0.0])  # between the lips of a head that is held upright
NAPE = np.array([-0.12, -0.42, 0.0])  # about which a head is tilted


class Part(NamedTuple):
    """An ellipsoid, or a ring."""

    material: int
    centre: tuple
    radii: tuple  # of a ring: its own, and its thickness
    blend: float = 0.0  # width over which it melts into those before it; negative: it is carved out of them
    turn_deg: float = 0.0  # in the plane of the profile
    bumps: float = 0.0  # height of the bumps on it
    ring: bool = False  # about its own y axis


class Bodies(NamedTuple):
    """Parts where they are on a person, in the order in which they are joined."""

    material: np.ndarray  # (n,)
    centre: np.ndarray  # (n, 3)
    radii: np.ndarray  # (n, 3)
    blend: np.ndarray  # (n,)
    axes: np.ndarray  # (n, 3, 3) rows are its own axes
    bumps: np.ndarray  # (n,)
    ring: np.ndarray  # (n,) bool
    reach: np.ndarray  # (n,) nothing of it is farther from its centre


def build(person):
    """Return the `Bodies` of a person.

    Parameters
    ----------
    person : Person

    Returns
    -------
    Bodies
    """
    head, tilt = [*_face(person), *_hair(person), *_glasses(person)], turn("z", person.tilt_deg)
    rows = [_place(part, place_on_head(part.centre, person), tilt) for part in head]
    rows += [_place(part, part.centre, np.eye(3)) for part in _trunk(person.build)]
    return Bodies(*(np.array(column) for column in zip(*rows, strict=True)))


def place_on_head(point, person):
    """Return where a point of an upright head is when the person has tilted it."""
    return NAPE + turn("z", person.tilt_deg) @ (np.asarray(point, float) - NAPE)


def turn(axis, angle_deg):
    """Return the rotation about an axis, against the clock for somebody towards whom the axis points."""
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    about = {
        "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }
    return np.array(about[axis], float)


def _place(part, centre, tilt):
    radii = (*part.radii, 0.0)[:3]
    axes = (tilt @ turn("z", part.turn_deg)).T
    reach = sum(radii) if part.ring else max(radii) + part.bumps
    return part.material, centre, radii, part.blend, axes, part.bumps, part.ring, reach


def _face(person):
    nose, jaw = person.nose, person.jaw
    yield Part(SKIN, (-0.05, 0.10, 0), (0.41, 0.39, 0.33))
    yield Part(SKIN, (0.11, -0.08, 0), (0.275, 0.38, 0.255), 0.10)
    yield Part(SKIN, (0.14, -0.29, 0), (0.21 * jaw, 0.165 * jaw, 0.20 * jaw), 0.10)
    yield Part(SKIN, (0.305 + 0.2 * (jaw - 1), -0.425, 0), (0.075, 0.07, 0.085), 0.09)  # chin
    yield Part(SKIN, (0.335, 0.085, 0), (0.05, 0.035, 0.17), 0.07)  # brow
    yield Part(SKIN, (0.405, -0.045, 0), (0.035 * nose, 0.125, 0.04), 0.045, 24)  # bridge of the nose
    yield Part(SKIN, (0.405 + 0.065 * nose, -0.125, 0), (0.044, 0.038, 0.042), 0.035)  # its tip
    yield Part(SKIN, (0.345, -0.262, 0), (0.075, 0.085, 0.12), 0.06)  # about the mouth
    yield Part(LIPS, (0.413, -0.232, 0), (0.036, 0.024, 0.062), 0.018)
    yield Part(LIPS, (0.404, -0.290, 0), (0.034, 0.025, 0.055), 0.018)
    yield Part(DARK, (0.415, -0.262, 0), (0.020, 0.014, 0.034), 0.004)
    for side in (-1, 1):
        yield Part(SKIN, (0.415, -0.150, side * 0.042), (0.032, 0.026, 0.026), 0.025)  # wing of the nose
        yield Part(SKIN, (0.22, -0.10, side * 0.15), (0.11, 0.10, 0.10), 0.10)  # cheek
        yield Part(EYE, (0.300, 0.022, side * 0.125), (0.052, 0.044, 0.05), 0.005)
        yield Part(DARK, (0.338, 0.022, side * 0.130), (0.019, 0.026, 0.024))  # iris
        yield Part(SKIN, (0.292, 0.048, side * 0.125), (0.060, 0.040, 0.064), 0.012)  # upper lid
        yield Part(SKIN, (0.285, -0.018, side * 0.125), (0.056, 0.028, 0.060), 0.020)  # lower lid
        yield Part(HAIR, (0.352, 0.105, side * 0.115), (0.026, 0.014, 0.070), 0.006)  # eyebrow
        yield Part(SKIN, (-0.04, -0.03, side * 0.315), (0.062, 0.105, 0.030), 0.02, -12)  # ear
        yield Part(SKIN, (-0.015, -0.03, side * 0.335), (0.030, 0.070, 0.030), -0.03, -12)  # its hollow


def _hair(person):
    """Hair is a larger skull that is moved back: the face looks out of it."""
    style = person.hair
    if style in ("short", "long", "bun"):
        yield Part(HAIR, (-0.095, 0.145, 0), (0.415, 0.40, 0.36), 0.01, bumps=0.006)
    if style == "short":
        yield Part(HAIR, (-0.27, -0.08, 0), (0.20, 0.22, 0.27), 0.05, bumps=0.006)
    elif style == "bun":
        yield Part(HAIR, (-0.25, 0.0, 0), (0.23, 0.25, 0.29), 0.06, bumps=0.006)
        yield Part(HAIR, (-0.53, 0.22, 0), (0.15, 0.16, 0.16), 0.03, bumps=0.008)
    elif style == "long":
        yield Part(HAIR, (-0.26, -0.22, 0), (0.25, 0.50, 0.36), 0.10, 4, bumps=0.010)
        yield Part(HAIR, (-0.33, -0.60, 0), (0.21, 0.42, 0.36), 0.10, 6, bumps=0.012)
    elif style == "curly":
        yield Part(HAIR, (-0.12, 0.20, 0), (0.47, 0.44, 0.44), 0.01, bumps=0.035)
        yield Part(HAIR, (-0.33, -0.05, 0), (0.25, 0.30, 0.34), 0.08, bumps=0.035)
    elif style == "cap":
        yield Part(TRIM, (-0.06, 0.185, 0), (0.42, 0.345, 0.365), 0.005)
        yield Part(TRIM, (0.43, 0.165, 0), (0.25, 0.022, 0.24), 0.02, -10)
        yield Part(HAIR, (-0.24, -0.04, 0), (0.22, 0.24, 0.29), 0.02, bumps=0.006)
    if person.beard:
        yield Part(HAIR, (0.165, -0.355, 0), (0.225, 0.165, 0.225), 0.02, bumps=0.012)
        yield Part(HAIR, (0.310, -0.440, 0), (0.100, 0.090, 0.115), 0.05, bumps=0.012)
        yield Part(HAIR, (0.02, -0.20, 0), (0.09, 0.20, 0.285), 0.04, bumps=0.008)


def _glasses(person):
    if not person.glasses:
        return
    yield Part(FRAME, (0.41, 0.03, 0), (0.012, 0.012, 0.05))
    for side in (-1, 1):
        yield Part(FRAME, (0.385, 0.015, side * 0.125), (0.092, 0.012), turn_deg=90, ring=True)
        yield Part(FRAME, (0.185, 0.035, side * 0.285), (0.21, 0.014, 0.012), turn_deg=2)


def _trunk(b):
    """Neck, shoulders, chest, collar and arms, b times as wide as usual."""
    yield Part(SKIN, (-0.140, -0.53, 0), (0.200 * b, 0.36, 0.205 * b), 0.07, 10)
    yield Part(CLOTH, (-0.235, -0.89, 0), (0.27 * b, 0.21, 0.50 * b), 0.03)
    yield Part(CLOTH, (-0.225, -1.15, 0), (0.37 * b, 0.38, 0.82 * b), 0.16)
    yield Part(CLOTH, (-0.145, -1.75, 0), (0.50 * b, 1.00, 0.66 * b), 0.16)
    yield Part(TRIM, (-0.175, -0.775, 0), (0.205 * b, 0.06), 0.03, 14, ring=True)
    for side in (-1, 1):
        yield Part(CLOTH, (-0.235, -1.20, side * 0.84 * b), (0.25 * b, 0.27, 0.22 * b), 0.12)
        yield Part(CLOTH, (-0.20, -1.85, side * 0.90 * b), (0.22 * b, 0.88, 0.20 * b), 0.08, 4)
