"""Air in a box: incompressible flow on a staggered grid, compiled, with one conservative scheme for all that moves.

Arrays are (D, H, W): depth z away from the camera, row y down, column x to the right. The velocity is three arrays,
along z, y and x, each on the faces of the cells across its axis: (D + 1, H, W), (D, H + 1, W) and (D, H, W + 1). A box
of two dimensions has D = 1 and no flow along z.

Everything is transported in flux form: what leaves a cell enters the next, so that mass is kept to rounding. The flux
is of third order in space and time where the field is smooth, and limited where it is not (Arora and Roe, J. Comput.
Phys. 132, 3, 1997). The axes are swept one after the other with a correction by Weymouth and Yue (J. Comput. Phys. 229,
2853, 2010), by which a uniform field stays uniform. Pressure is solved exactly by sine and cosine transforms.
"""

import functools
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy import fft

COURANT = 0.9  # cells that anything may cross in one sweep
ZERO, HALF, ONE, THIRD = (np.float32(value) for value in (0, 0.5, 1, 1 / 3))  # so that compiled code stays in 32 bits


class Box(NamedTuple):
    """A box of cubic cells, and through which of its sides air may pass."""

    shape: tuple  # (D, H, W) cells
    cell_m: float
    open_sides: tuple = ((True, True),) * 3  # (near, far), (top, bottom), (left, right)

    @property
    def axes(self):
        """The axes along which there is flow."""
        return tuple(axis for axis in range(3) if self.shape[axis] > 1)

    def faces(self, axis):
        """The shape of the component of the velocity along an axis."""
        return tuple(n + (i == axis) for i, n in enumerate(self.shape))


class Air:
    """Air that flows in a box.

    Parameters
    ----------
    box : Box
    wind_m_s : three floats
        Velocity of the air at the beginning, and of what enters through an open side: along z, y (down) and x.

    Attributes
    ----------
    velocity : list of three float32 arrays
        In m/s, on the faces; free of divergence after each step.
    """

    def __init__(self, box, wind_m_s=(0.0, 0.0, 0.0)):
        self.box, self.wind_m_s = box, wind_m_s
        self.velocity = [np.full(box.faces(axis), wind_m_s[axis], np.float32) for axis in range(3)]
        self._middle, self._moving = ([component.copy() for component in self.velocity] for _ in range(2))
        self._room = np.empty((4, np.prod([n + 2 for n in box.shape])), np.float32)  # memory is slower to get than use

    def longest_step_s(self, coming_m_s=0.0):
        """Return the longest time of `flow`: in half of it nothing crosses more than `COURANT` cells.

        Parameters
        ----------
        coming_m_s : float
            A speed that forces are about to give to the air.
        """
        fastest = max(max(-float(along.min()), float(along.max())) for along in self.velocity)
        return 2 * COURANT * self.box.cell_m / max(fastest, coming_m_s, 1e-9)

    def flow(self, time_s, force=None):
        """Move the air by one step: transport of its momentum, force, and pressure that keeps it incompressible.

        Two halves with a reflection between them (Zehnder, Narain and Thomaszewski, ACM Trans. Graph. 37, 85, 2018):
        what pressure took away in the first half is taken away twice, which makes the splitting one of second order in
        time and keeps the energy of eddies.

        Parameters
        ----------
        time_s : float
            At most `longest_step_s`.
        force : callable, optional
            ``force(velocity, time_s)`` adds to a velocity, in place, what forces do to it in a time.
        """
        half = time_s / 2
        moving, middle = self._moving, self._middle
        self._halve(moving, self.velocity, self.velocity, half, force)
        for component, copied in zip(middle, moving, strict=True):
            component[:] = copied
        make_incompressible(middle, self.box, self._room)
        for component, projected in zip(moving, middle, strict=True):
            np.subtract(projected, component, out=component)
            component += projected
        self._halve(moving, moving, middle, half, force, backwards=True)
        make_incompressible(moving, self.box, self._room)
        self.velocity, self._moving = moving, self.velocity

    def carry(self, quantity, time_s):
        """Carry a quantity with the air through the step that `flow` has made, in place.

        Parameters
        ----------
        quantity : (D, H, W) float32 array
            What enters through an open side is 0.
        time_s : float
            As of `flow`.
        """
        for backwards in (False, True):
            transport(quantity, self._middle, self.box, time_s / 2, backwards, self._room)

    def _halve(self, moving, carried, velocity, time_s, force, backwards=False):
        """Transport each component, less the wind, with the mean of the velocities about its faces; then force."""
        for axis in self.box.axes:
            about = [_between(component, axis, room) for component, room in zip(velocity, self._room, strict=False)]
            np.subtract(carried[axis], np.float32(self.wind_m_s[axis]), out=moving[axis])
            transport(moving[axis], about, self.box, time_s, backwards, self._room)
            moving[axis] += np.float32(self.wind_m_s[axis])
        if force:
            force(moving, time_s)


def transport(quantity, velocity, box, time_s, backwards=False, room=None):
    """Carry a quantity with a velocity, in place; what enters through an open side is 0.

    Parameters
    ----------
    quantity : (D, H, W) float32 array
        Or one more along an axis, for a component of the velocity.
    velocity : list of three arrays
        On the faces of the quantity's cells, in m/s. Where it is free of divergence, a uniform quantity stays so.
    box : Box
    time_s : float
        In which nothing crosses more than `COURANT` cells.
    backwards : bool
        Sweep the axes from last to first: taking turns removes the error of their order.
    room : (4, at least quantity.size) float32 array, optional
        To work in; the last row is overwritten.
    """
    at_first = np.empty_like(quantity) if room is None else _view(room[3], quantity.shape)
    at_first[:] = quantity
    step = np.float32(time_s / box.cell_m)
    for axis in box.axes[::-1] if backwards else box.axes:
        n, inner = quantity.shape[axis], int(np.prod(quantity.shape[axis + 1 :]))
        if axis == 2:
            _sweep_along(quantity.reshape(-1, n), at_first.reshape(-1, n), velocity[2].reshape(-1, n + 1), step)
        else:
            parts = quantity.reshape(-1, n, inner), at_first.reshape(-1, n, inner)
            _sweep_across(*parts, velocity[axis].reshape(-1, n + 1, inner), step)


def divergence(velocity, box):
    """Return the divergence of a velocity in each cell, in 1/s."""
    return sum(np.diff(velocity[axis], axis=axis) for axis in box.axes) / np.float32(box.cell_m)


def make_incompressible(velocity, box, room=None):
    """Take away the gradient of pressure that makes a velocity free of divergence, to rounding, in place.

    Pressure is 0 at open sides; through closed ones nothing flows. The discrete Laplacian is diagonal in sines and
    cosines, which ones depending on the sides: one transform there and one back.

    Parameters
    ----------
    velocity : list of three arrays
        In m/s.
    box : Box
    room : (2 or more, at least cells) float32 array, optional
        To work in.
    """
    room = np.empty((2, np.prod(box.shape)), np.float32) if room is None else room
    pressure, difference = _view(room[0], box.shape), _view(room[1], box.shape)
    pressure[:] = 0
    for axis in box.axes:
        along = velocity[axis]
        for end, is_open in zip((0, -1), box.open_sides[axis], strict=True):
            if not is_open:
                along[_part(axis, end)] = 0
        pressure += np.subtract(along[_part(axis, slice(1, None))], along[_part(axis, slice(-1))], out=difference)
    for axis in box.axes:
        transform, _, kind, _ = _basis(box.shape[axis], *box.open_sides[axis])
        pressure = transform(pressure, kind, axis=axis, norm="ortho", overwrite_x=True)
    pressure *= _inverse_laplacian(box)
    for axis in box.axes:
        _, back, kind, _ = _basis(box.shape[axis], *box.open_sides[axis])
        pressure = back(pressure, kind, axis=axis, norm="ortho", overwrite_x=True)
    for axis in box.axes:
        along, inside = velocity[axis], _part(axis, slice(1, None))
        gradient = np.subtract(pressure[inside], pressure[_part(axis, slice(-1))], out=difference[inside])
        along[_part(axis, slice(1, -1))] -= gradient
        for end, is_open in zip((0, -1), box.open_sides[axis], strict=True):
            if is_open:  # where pressure is 0, half a cell away
                along[_part(axis, end)] -= (2 if end == 0 else -2) * pressure[_part(axis, end)]


def _view(room, shape):
    return room[: np.prod(shape)].reshape(shape)


def _part(axis, index):
    return (slice(None),) * axis + (index,)


def _between(values, axis, room):
    """Means of neighbours along an axis; the ends stand alone."""
    means = _view(room, tuple(n + (i == axis) for i, n in enumerate(values.shape)))
    middle = means[_part(axis, slice(1, -1))]
    np.add(values[_part(axis, slice(1, None))], values[_part(axis, slice(-1))], out=middle)
    middle *= HALF
    for end in (0, -1):
        means[_part(axis, end)] = values[_part(axis, end)]
    return means


def _basis(n, first_open, last_open):
    """Return the transform, its inverse, their kind, and the eigenvalues of minus the second difference."""
    k = np.arange(n)
    if first_open and last_open:
        return fft.dst, fft.idst, 2, 2 - 2 * np.cos(np.pi * (k + 1) / n)
    if not first_open and not last_open:
        return fft.dct, fft.idct, 2, 2 - 2 * np.cos(np.pi * k / n)
    mixed = (fft.dst, fft.idst) if first_open else (fft.dct, fft.idct)
    return *mixed, 4, 2 - 2 * np.cos(np.pi * (k + 0.5) / n)


@functools.lru_cache(maxsize=8)
def _inverse_laplacian(box):
    """Return the inverse of the Laplacian's eigenvalues, in cells; 0 for a uniform pressure, which does nothing."""
    eigenvalues = np.zeros(box.shape)
    for axis in box.axes:
        values = _basis(box.shape[axis], *box.open_sides[axis])[3]
        eigenvalues += values.reshape([-1 if i == axis else 1 for i in range(3)])
    inverse = np.zeros(box.shape)
    return np.divide(-1, eigenvalues, out=inverse, where=eigenvalues > 0).astype(np.float32)


@njit(cache=True, inline="always")
def _flux(c, two_before, before, after, two_after):
    """What passes a face in a step, in cells: the value upwind and half a limited slope, of third order if smooth."""
    forward = c > ZERO
    upwind = before if forward else after
    behind = before - two_before if forward else after - two_after
    ahead = after - before if forward else before - after
    share = abs(c)
    slope = ahead + (ONE + share) * THIRD * (behind - ahead)
    low, high = min(behind, ahead), max(behind, ahead)
    limited = max(ZERO, min(low + low, slope)) + min(ZERO, max(high + high, slope))
    return c * (upwind + HALF * (ONE - share) * limited)


@njit(cache=True, fastmath=True)
def _sweep_along(values, at_first, velocity, step):
    """Sweep along the last axis, in place: (rows, n) arrays, velocity (rows, n + 1)."""
    rows, n = values.shape
    old, flux = np.empty(n + 4, np.float32), np.empty(n + 1, np.float32)
    for r in range(rows):
        old[2 : n + 2] = values[r]
        old[:2] = values[r, 0]
        old[n + 2 :] = values[r, n - 1]
        for f in range(n + 1):
            flux[f] = _flux(velocity[r, f] * step, old[f], old[f + 1], old[f + 2], old[f + 3])
        flux[0] = min(velocity[r, 0], ZERO) * step * old[2]
        flux[n] = max(velocity[r, n], ZERO) * step * old[n + 1]
        for i in range(n):
            stretch = (velocity[r, i + 1] - velocity[r, i]) * step
            values[r, i] = old[i + 2] - (flux[i + 1] - flux[i]) + at_first[r, i] * stretch


@njit(cache=True, fastmath=True)
def _sweep_across(values, at_first, velocity, step):
    """Sweep along the middle axis, in place: (outer, n, inner) arrays, velocity (outer, n + 1, inner)."""
    outer, n, inner = values.shape
    old, older = np.empty(inner, np.float32), np.empty(inner, np.float32)  # what the last two rows were
    last, flux = np.empty(inner, np.float32), np.empty(inner, np.float32)
    for o in range(outer):
        old[:] = values[o, 0]
        older[:] = old
        for i in range(inner):
            last[i] = min(velocity[o, 0, i], ZERO) * step * old[i]
        for f in range(1, n + 1):
            speed, before = velocity[o, f], velocity[o, f - 1]
            if f < n:
                new, newer = values[o, f], values[o, min(f + 1, n - 1)]
                for i in range(inner):
                    flux[i] = _flux(speed[i] * step, older[i], old[i], new[i], newer[i])
            else:
                for i in range(inner):
                    flux[i] = max(speed[i], ZERO) * step * old[i]
            row, first = values[o, f - 1], at_first[o, f - 1]
            for i in range(inner):
                row[i] = old[i] - (flux[i] - last[i]) + first[i] * (speed[i] - before[i]) * step
            last, flux = flux, last
            older, old = old, older
            if f < n:
                old[:] = values[o, f]
