"""The numerical scheme of `particlelab.sedimentation.lamm`: finite volumes on a mesh that moves with the boundaries.

Everything here is written in the distance y from the wall at which particles collect (the bottom, or the meniscus when
they cream), in cm: that wall has layers of 1e-8 cm, and only a distance from it is exact enough. Particles then move
towards y = 0, whatever the sign of s. The radius is ``end + outward * y``, with outward = -1 for sedimentation.

What is conserved is the mass of each cell, the integral of c r^p dr (p = 1 in a sector, 0 in a rectangle; over 2 pi or
over the width, and so in cm^2 or cm times the unit of c). It changes by fluxes relative to its moving faces (arbitrary
Lagrangian-Eulerian), which are fitted exponentially (Scharfetter and Gummel, 1969): exact for a constant flux, and so
for a plateau, for the layer at the wall and for both together. In time: the two-stage L-stable SDIRK of order two
(Alexander, SIAM J. Numer. Anal. 14, 1006, 1977).
"""

import math

import numpy as np
from numba import njit

GAMMA = 1 - math.sqrt(0.5)  # of the SDIRK
_FLOOR, _THINNEST = 1e-10, 1e-16  # scales of the mesh at least, of the length of the cell: a boundary, the layer
_LAYER_CORE, _LAYER_WING = 60.0, 50.0  # cells of the mesh, at a resolution of 1: at the wall,
_FRONT_CORE, _FRONT_WING, _BULK = 60.0, 40.0, 10.0  # on either side of a boundary, and everywhere
_STEP, _LONGEST_STEP = 0.04, 0.3  # of the time that has passed


@njit(cache=True, nogil=True, error_model="numpy")
def simulate(times, length, end, outward, power, rate, constant, diffusion, loading, resolution):
    """Return faces (times, cells + 1) as distances y, rising, and masses (times, cells) of one species.

    A particle at the radius r has the speed ``constant + rate r`` towards y = 0.
    """
    fronts, widths = np.empty(1), np.empty(1)
    first = times[times > 0][0] if times[-1] > 0 else 1.0
    begin = beginning(first, length, constant + rate * (end + outward * length), diffusion) / resolution
    fronts[0], widths[0] = moved(begin, length, length, end, outward, rate, constant, diffusion)
    layer = layer_width(begin, length, constant + rate * end, diffusion)
    new = np.empty(count_cells(1, resolution) + 1)
    old = np.empty_like(new)
    lay_out(new, fronts, widths, layer, layer, length)
    mass = loading * volumes(new, end, outward, power)
    faces, masses = np.empty((len(times), len(new))), np.empty((len(times), len(mass)))
    time = 0.0
    for i in range(len(times)):
        while time < times[i]:
            step = longest_step(time, begin, first, resolution)
            step = min(step, boundary_step(fronts, widths, layer, resolution, end, outward, rate, constant))
            left = times[i] - time
            step = left if step >= left else min(step, left / 2)
            old[:] = new
            time = times[i] if step == left else time + step
            fronts[0], widths[0] = moved(time, length, length, end, outward, rate, constant, diffusion)
            layer = layer_width(time, length, constant + rate * end, diffusion)
            lay_out(new, fronts, widths, layer, layer, length)
            middle, move = old + GAMMA * (new - old), (new - old) / step
            ups, downs = _conductances(middle, move, end, outward, power, rate, constant, diffusion)
            stage = implicit(mass, volumes(middle, end, outward, power), ups, downs, GAMMA * step)
            known = mass + (1 - GAMMA) / GAMMA * (stage - mass)
            ups, downs = _conductances(new, move, end, outward, power, rate, constant, diffusion)
            mass = implicit(known, volumes(new, end, outward, power), ups, downs, GAMMA * step)
        faces[i], masses[i] = new, mass
    return faces, masses


@njit(cache=True, nogil=True, error_model="numpy")
def sample(faces, masses, y, end, outward, power, least):
    """Return the concentration (times, points) at distances y: cubic in log c where c is above ``least``."""
    values = np.empty((len(faces), len(y)))
    for i in range(len(faces)):
        centre = (faces[i, 1:] + faces[i, :-1]) / 2
        c = masses[i] / volumes(faces[i], end, outward, power)
        for j in range(len(y)):
            values[i, j] = _interpolate(y[j], centre, c, least)
    return values


@njit(cache=True, nogil=True, error_model="numpy")
def count_cells(fronts, resolution):
    """Return the number of cells of a mesh that follows so many boundaries."""
    return int(resolution * (_LAYER_CORE + _LAYER_WING + _BULK + 2 * fronts * (_FRONT_CORE + _FRONT_WING)))


@njit(cache=True, nogil=True, error_model="numpy")
def beginning(first, length, speed, diffusion):
    """Return the first step: while what leaves the wall is far thinner than the balance of speed and diffusion."""
    begin = 1e-3 * first
    return min(begin, max(0.02 * diffusion / speed**2, _FLOOR * length / speed)) if speed > 0 else begin


@njit(cache=True, nogil=True, error_model="numpy")
def longest_step(time, begin, first, resolution):
    """Return a share of the time that has passed: all widths grow as its root. It is larger long before the first
    time that is asked for, as diffusion forgets its errors."""
    if time == 0:
        return begin
    return time * min(_STEP * max(1.0, first / time) ** 0.25, _LONGEST_STEP) / resolution


@njit(cache=True, nogil=True, error_model="numpy")
def boundary_step(fronts, widths, layer, resolution, end, outward, rate, constant):
    """Return a step in which the way of a boundary is straight, to a tenth of its width, as that of the mesh is.

    It is short while the boundary runs into the wall.
    """
    step = np.inf
    for i in range(len(fronts)):
        wide, radius = max(widths[i], layer), end + outward * fronts[i]
        if -4 * wide < fronts[i]:
            if constant + rate * radius > 0:
                arriving = max(0.15 * wide / resolution, fronts[i] - 8 * wide)
                step = min(step, arriving / (constant + rate * radius))
            if rate > 0:
                step = min(step, math.sqrt(0.2 * wide / radius / resolution) / rate)
    return step


@njit(cache=True, nogil=True, error_model="numpy")
def moved(time, front, length, end, outward, rate, constant, diffusion):
    """Return where a boundary is after a time, and how wide it became if it was sharp: a standard deviation."""
    if rate > 0:
        way = -outward * rate * time  # positive outwards: sedimentation
        spread = diffusion * math.expm1(min(2 * way, 50.0)) / (-outward * rate)
        front = outward * ((end + outward * front) * math.exp(min(way, 50.0)) - end)
    else:
        front, spread = front - constant * time, 2 * diffusion * time
    return front, min(max(math.sqrt(spread), _FLOOR * length), length / 2)


@njit(cache=True, nogil=True, error_model="numpy")
def layer_width(time, length, speed, diffusion):
    """Return the width of the layer at the wall: that of the equilibrium, or what diffusion has reached."""
    layer = math.sqrt(2 * diffusion * time)
    if speed > 0:
        layer = min(layer, diffusion / speed)
    return min(max(layer, _THINNEST * length), length / 2)


@njit(cache=True, nogil=True, error_model="numpy")
def lay_out(faces, fronts, widths, layer, sediment, length):
    """Fill the faces of the cells, such that `_count` grows by the same from each to the next."""
    parts, cells = _parts(fronts, widths, layer, sediment, length), len(faces) - 1
    each = _count(length, parts, length)[0] / cells
    faces[0], faces[cells] = 0.0, length
    y, apart, growth = 0.0, each / _count(0.0, parts, length)[1], 1.0
    for j in range(1, cells):
        low, high, aim = y, length, each * j
        y = min(low + apart * growth, (low + high) / 2)
        for _ in range(60):
            count, slope = _count(y, parts, length)
            lacking = aim - count
            if lacking < 0:
                high = y
            else:
                low = y
            y += lacking / slope
            if not low < y < high:
                y = (low + high) / 2
            elif abs(lacking) < 2e-3 * each:  # and far less after this step
                break
        growth, apart = (y - faces[j - 1]) / apart, y - faces[j - 1]
        faces[j] = y


@njit(cache=True, nogil=True, error_model="numpy")
def _parts(fronts, widths, layer, sediment, length):
    """Return the parts of the mesh: a scale, a place, the cells near it and in the wings, and those that y < 0 has.

    Cells that belong to a boundary keep their place in it, counted in widths: they move with it, so that hardly
    anything flows through their faces. Those whose place lies behind a wall wait at that wall.
    """
    parts = np.zeros((2 + 2 * len(fronts), 5))
    at_wall = _LAYER_CORE
    for i in range(len(fronts)):
        scale, place = 3 * widths[i], min(max(fronts[i], -8 * widths[i]), length)
        wings, far = _FRONT_WING / math.asinh(2 * length / scale), length - place
        at_wall += _FRONT_CORE + _FRONT_WING - _FRONT_CORE * place / math.hypot(scale, place)
        at_wall -= wings * math.asinh(place / scale)
        to_come = _FRONT_CORE + _FRONT_WING - _FRONT_CORE * far / math.hypot(scale, far)
        to_come -= wings * math.asinh(far / scale)
        parts[2 * i] = scale, place, _FRONT_CORE, wings, 0.0
        scale = math.hypot(scale, far / 4)  # they spread when nothing happens there any more
        parts[2 * i + 1] = scale, length, to_come * math.hypot(scale, length) / length, 0.0, 0.0
    wall, wings = 3 * sediment, _LAYER_WING / math.asinh(length / (3 * layer))
    parts[-2] = wall, 0.0, at_wall * math.hypot(wall, length) / length, 0.0, 0.0
    parts[-1] = 3 * layer, 0.0, 0.0, wings, 0.0
    for part in parts:
        part[4] = part[2] * part[1] / math.hypot(part[0], part[1]) + part[3] * math.asinh(part[1] / part[0])
    return parts


@njit(cache=True, nogil=True, error_model="numpy")
def _count(y, parts, length):
    """Return the number of cells from the wall to y, and its derivative."""
    count, slope = _BULK * y / length, _BULK / length
    for i in range(len(parts)):
        scale, place, core, wings, below = parts[i]
        root = math.sqrt(scale * scale + (y - place) ** 2)
        count += below
        if core > 0:
            count += core * (y - place) / root
            slope += core * scale * scale / (root * root * root)
        if wings > 0:
            count += wings * math.asinh((y - place) / scale)
            slope += wings / root
    return count, slope


@njit(cache=True, nogil=True, error_model="numpy")
def volumes(faces, end, outward, power):
    """Return the integral of r^p over each cell."""
    found = np.empty(len(faces) - 1)
    for i in range(len(found)):
        radius = end + outward * (faces[i] + faces[i + 1]) / 2
        found[i] = (faces[i + 1] - faces[i]) * (radius if power == 1 else 1.0)
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def implicit(known, volume, ups, downs, step):
    """Return the masses m with m - step * (fluxes of m) = known.

    ups[i] (m / volume)[i] - downs[i] (m / volume)[i + 1] flows from a cell to the next. The columns of the matrix sum
    up to the volumes. Elimination in the form of Grassmann, Taksar and Heyman (Oper. Res. 33, 1107, 1985) never
    subtracts: a volume is not lost beside a conductance that is 1e12 times as large, and mass is kept.
    """
    cells = len(known)
    pivots, right = np.empty(cells), known.copy()
    rest = volume[0]
    for i in range(cells - 1):
        pivots[i] = step * ups[i] + rest
        right[i + 1] += right[i] * (step * ups[i] / pivots[i])
        rest = volume[i + 1] + step * downs[i] * (rest / pivots[i])
    c = right[cells - 1] / rest
    right[cells - 1] = c * volume[cells - 1]
    for i in range(cells - 2, -1, -1):
        c = (right[i] + step * downs[i] * c) / pivots[i]
        right[i] = c * volume[i]
    return right


@njit(cache=True, nogil=True, error_model="numpy")
def _conductances(faces, move, end, outward, power, rate, constant, diffusion):
    """Return `conductance` of all inner faces."""
    ups, downs = np.empty(len(faces) - 2), np.empty(len(faces) - 2)
    for i in range(len(ups)):
        ups[i], downs[i] = conductance(
            faces[i], faces[i + 1], faces[i + 2], move[i + 1], end, outward, power, rate, constant, diffusion
        )
    return ups, downs


@njit(cache=True, nogil=True, error_model="numpy")
def conductance(below, face, above, move, end, outward, power, rate, constant, diffusion):
    """Return what flows through a face that moves: up (to larger y) per c of the cell below, down per c of that above.

    Parameters are the face and its neighbours, and the speed of the face towards larger y.
    """
    radius, apart = end + outward * face, (above - below) / 2
    # The ratio keeps both exact: the plateau, of which the flux counts at the face, and the equilibrium, in which the
    # potential counts from centre to centre.
    ratio = radius / (end + outward * (below + 2 * face + above) / 4) if rate > 0 else 1.0
    speed = constant + rate * radius + move
    area = radius if power == 1 else 1.0
    spread = diffusion * ratio / apart
    if spread * 600.0 <= abs(speed):
        return area * max(-speed, 0.0), area * max(speed, 0.0)
    peclet = abs(speed) / spread
    small = 1 - peclet / 2 + peclet * peclet / 12 if peclet < 1e-3 else peclet / math.expm1(peclet)
    with_it, against = area * spread * (small + peclet), area * spread * small
    return (against, with_it) if speed > 0 else (with_it, against)


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(y, centre, c, least):
    cells = len(centre)
    right = np.searchsorted(centre, y)
    start = min(max(right - 2, 0), cells - 4)
    positive = True
    for k in range(start, start + 4):
        positive &= c[k] > least
    if not positive:
        left = min(max(right - 1, 0), cells - 2)
        share = min(max((y - centre[left]) / (centre[left + 1] - centre[left]), 0.0), 1.0)
        return max(c[left] + share * (c[left + 1] - c[left]), 0.0)
    value = 0.0
    for k in range(start, start + 4):
        weight = 1.0
        for other in range(start, start + 4):
            if other != k:
                weight *= (y - centre[other]) / (centre[k] - centre[other])
        value += weight * math.log(c[k])
    value = math.exp(value)
    if 0 < right < cells:
        value = min(max(value, min(c[right - 1], c[right])), max(c[right - 1], c[right]))
    return value
