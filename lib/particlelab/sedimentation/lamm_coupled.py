"""The scheme of `particlelab.sedimentation.lamm_scheme` for species that hinder each other.

Their speeds are divided by 1 + ks c and their diffusion is multiplied by 1 + kd c. All share one mesh, and each step is
solved by Newton's method, block by block along the cell. Where the boundaries go is not known before: a step is laid
out for boundaries that keep their pace, and done again if one of them proves to be elsewhere. Where the mesh is changes
how exact a solution is, not what it is a solution of.
"""

import math

import numpy as np
from numba import njit

from particlelab.sedimentation.lamm_scheme import (
    GAMMA,
    beginning,
    boundary_step,
    conductance,
    count_cells,
    implicit,
    lay_out,
    layer_width,
    longest_step,
    moved,
    volumes,
)

_ITERATIONS = 12  # of Newton's method; a step that needs more is halved
_HALVES = 40
_CLOSE = 1e-6  # last change of a concentration, as a share of it
_TRIES = 3  # meshes for a step
_ALIKE = 0.2  # share by which a plateau may change in a step; what changes more is another boundary


@njit(cache=True, nogil=True, error_model="numpy")
def simulate_coupled(times, length, end, outward, power, rates, constants, diffusions, loadings, ks, kd, resolution):
    """Return faces (times, cells + 1) as distances y, rising, and masses (times, species, cells).

    A particle of a species at the radius r has the speed ``(constant + rate r) / (1 + ks c)`` towards y = 0, all
    species together having the concentration c.
    """
    species, start = len(rates), end + outward * length
    first = times[times > 0][0] if times[-1] > 0 else 1.0
    begin, thinnest = np.inf, np.inf
    for a in range(species):
        begin = min(begin, beginning(first, length, constants[a] + rates[a] * start, diffusions[a]) / resolution)
        thinnest = min(thinnest, layer_width(first * 1e9, length, constants[a] + rates[a] * end, diffusions[a]))
    held = loadings.sum() * length * ((start + end) / 2 / end if power == 1 else 1.0)
    sediment = _thickness(held, thinnest, ks, kd)

    fronts, widths = np.full(species, length), np.empty(species)
    pace = np.full(species, 1 / (1 + ks * loadings.sum()))  # of the boundaries, as a share of that of lonely particles
    plateaus, gone = loadings.copy(), np.zeros(species, np.bool_)
    for a in range(species):
        widths[a] = moved(begin, length, length, end, outward, rates[a], constants[a], diffusions[a])[1]
    layer = min(thinnest, widths.min())
    new = np.empty(count_cells(species, resolution) + 1)
    old = np.empty_like(new)
    lay_out(new, fronts, widths, layer, layer, length)
    mass = np.empty((species, len(new) - 1))
    for a in range(species):
        mass[a] = loadings[a] * volumes(new, end, outward, power)
    faces, masses = np.empty((len(times), len(new))), np.empty((len(times), species, len(new) - 1))

    time, halves = 0.0, 0
    for i in range(len(times)):
        while time < times[i]:
            step = longest_step(time, begin, first, resolution)
            for a in range(species):
                one, slow_rate, slow_constant = slice(a, a + 1), pace[a] * rates[a], pace[a] * constants[a]
                possible = boundary_step(
                    fronts[one], widths[one], layer, resolution, end, outward, slow_rate, slow_constant
                )
                step = min(step, possible)
            step *= 0.5**halves
            left = times[i] - time
            step = left if step >= left else min(step, left / 2)
            after = times[i] if step == left else time + step

            old[:] = new
            there, wide = fronts.copy(), widths.copy()
            for a in range(species):
                slow_rate, slow_constant = pace[a] * rates[a], pace[a] * constants[a]
                begun = after if fronts[a] >= length else step  # as long as it is at the wall it is about to leave
                there[a] = moved(begun, fronts[a], length, end, outward, slow_rate, slow_constant, diffusions[a])[0]
                there[a] = max(there[a], -length)
                most = 2 * diffusions[a] * (1 + kd * 1.5 * plateaus.sum()) * after
                wide[a] = widths[a] * math.sqrt(after / time) if time > 0 else widths[a]
                wide[a] = min(max(wide[a], 1e-10 * length), math.sqrt(most) + 1e-10 * length, length / 2)
            layer = min(thinnest, max(wide.min(), 1e-10 * length))
            reached = min(sediment, max(wide.min(), 1e-10 * length)) if time < first / 100 else sediment
            for _ in range(_TRIES):
                lay_out(new, there, wide, layer, max(reached, layer), length)
                found, converged = _advance(
                    mass, old, new, step, end, outward, power, rates, constants, diffusions, ks, kd, loadings
                )
                if not converged or not _correct(
                    there, wide, plateaus, gone, found, new, sediment, end, outward, power
                ):
                    break
            if not converged:
                halves += 1
                new[:] = old
                if halves > _HALVES:
                    raise RuntimeError("the equations of a time step could not be solved")
                continue
            time, mass, halves = after, found, max(0, halves - 1)
            for a in range(species):
                if not gone[a] and fronts[a] < length and there[a] < length:
                    pace[a] = _pace(fronts[a], there[a], step, end, outward, rates[a], constants[a])
                fronts[a], widths[a] = there[a], wide[a]
        faces[i], masses[i] = new, mass
    return faces, masses


@njit(cache=True, nogil=True, error_model="numpy")
def _thickness(held, layer, ks, kd):
    """Return how thick a layer is in equilibrium that holds so much, if it is so wide where it is thin."""
    low, high = 0.0, held / layer
    for _ in range(200):
        c = (low + high) / 2
        if layer * c * (1 + (ks + kd) * c / 2 + ks * kd * c * c / 3) > held:
            high = c
        else:
            low = c
    return layer * (1 + (ks + kd) * high + ks * kd * high * high / 2)


@njit(cache=True, nogil=True, error_model="numpy")
def _pace(before, after, step, end, outward, rate, constant):
    """Return how fast a boundary went, as a share of the speed of a lonely particle."""
    if rate > 0:
        way, lonely = math.log((end + outward * after) / (end + outward * before)), -outward * rate * step
    else:
        way, lonely = after - before, -constant * step
    return min(max(way / lonely, 1e-3), 1.0) if lonely != 0 else 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _correct(there, wide, plateaus, gone, mass, faces, sediment, end, outward, power):
    """Put the boundaries where they are, and return whether one of them is more than a width from where it was thought.

    It is where the concentration of its species has half the value of the plateau before it, and 0.84 of that a width
    away. One that is about to reach what lies at the wall is gone, and not looked for any more.
    """
    elsewhere, volume, length = False, volumes(faces, end, outward, power), faces[-1]
    for a in range(len(mass)):
        y = min(there[a], length) - 6 * wide[a]
        gone[a] |= y < 2 * sediment and there[a] < length
        if gone[a] or y <= 0:
            continue
        c = mass[a] / volume
        ahead = c[min(max(np.searchsorted(faces, y) - 1, 0), len(c) - 1)]
        if abs(ahead - plateaus[a]) < _ALIKE * plateaus[a]:
            plateaus[a] = ahead
        half, most = _where(c, faces, 0.5 * plateaus[a]), _where(c, faces, 0.84 * plateaus[a])
        if half <= 0 or most <= 0:
            gone[a] = True
            continue
        elsewhere |= abs(half - min(there[a], length)) > wide[a]
        if half < length:
            wide[a] = min(max(half - most, 1e-10 * length), length / 2)
        there[a] = half
    return elsewhere


@njit(cache=True, nogil=True, error_model="numpy")
def _where(c, faces, level):
    """Return the y at which c, followed from the far end, first reaches a level; the far end if it begins above."""
    last = len(c) - 1
    if c[last] >= level:
        return faces[-1]
    for i in range(last - 1, -1, -1):
        if c[i] >= level:
            share = (level - c[i + 1]) / (c[i] - c[i + 1])
            above, below = (faces[i + 1] + faces[i + 2]) / 2, (faces[i] + faces[i + 1]) / 2
            return above + share * (below - above)
    return -1.0


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(mass, old, new, step, end, outward, power, rates, constants, diffusions, ks, kd, loadings):
    """Return the masses after a step in which the faces move evenly from old to new, and whether they were found.

    Where the second stage is to begin below zero, it may have no solution: then the step is one of Euler's, of order
    one, which has.
    """
    move, middle = (new - old) / step, old + GAMMA * (new - old)
    guess = mass / volumes(old, end, outward, power)
    first, converged = _solve(
        mass, guess, middle, move, GAMMA * step, end, outward, power, rates, constants, diffusions, ks, kd, loadings
    )
    if not converged:
        return mass, False
    known = mass + (1 - GAMMA) / GAMMA * (first - mass)
    guess = first / volumes(middle, end, outward, power)
    second, converged = _solve(
        known, guess, new, move, GAMMA * step, end, outward, power, rates, constants, diffusions, ks, kd, loadings
    )
    if converged:
        return second, True
    known = np.maximum(mass, 0.0)
    for a in range(len(mass)):
        if known[a].sum() > 0:
            known[a] *= mass[a].sum() / known[a].sum()
    return _solve(known, guess, new, move, step, end, outward, power, rates, constants, diffusions, ks, kd, loadings)


@njit(cache=True, nogil=True, error_model="numpy")
def _solve(known, c, faces, move, step, end, outward, power, rates, constants, diffusions, ks, kd, loadings):
    """Return the masses m with m - step * (fluxes of m) = known by Newton's method, and whether it converged.

    Last comes a step with the conductances as they are, which keeps the mass to rounding.
    """
    species, cells = known.shape
    volume = volumes(faces, end, outward, power)
    ups, downs = np.empty((species, cells - 1)), np.empty((species, cells - 1))
    slopes = np.empty((species, cells - 1))
    tiny = 1e-6 * loadings.sum()
    least = 0.2 if known.min() >= 0 else -np.inf  # of what was, for a positive solution is looked for
    converged = False
    for _ in range(_ITERATIONS):
        for f in range(cells - 1):
            total = 0.0
            for a in range(species):
                total += (c[a, f] + c[a, f + 1]) / 2
            total = max(total, 0.0)
            beside = total * 1.000001 + 1e-6 * tiny
            for a in range(species):
                up, down = _at(
                    total, f, faces, move, end, outward, power, rates[a], constants[a], diffusions[a], ks, kd
                )
                more_up, more_down = _at(
                    beside, f, faces, move, end, outward, power, rates[a], constants[a], diffusions[a], ks, kd
                )
                ups[a, f], downs[a, f] = up, down
                change = (more_up - up) * c[a, f] - (more_down - down) * c[a, f + 1]
                slopes[a, f] = change / (beside - total) / 2
        if converged:
            break
        correction = _newton(known, c, volume, ups, downs, slopes, step)
        if not np.isfinite(correction).all():
            return known, False
        converged = True
        for a in range(species):
            for i in range(cells):
                converged &= abs(correction[a, i]) <= _CLOSE * (abs(c[a, i]) + tiny)
                correction[a, i] = max(correction[a, i], (least - 1) * c[a, i]) if c[a, i] > 0 else correction[a, i]
        c = c + correction
    masses = np.empty_like(known)
    for a in range(species):
        masses[a] = implicit(known[a], volume, ups[a], downs[a], step)
    return masses, converged


@njit(cache=True, nogil=True, error_model="numpy")
def _at(total, f, faces, move, end, outward, power, rate, constant, diffusion, ks, kd):
    """Return the conductances of an inner face, where all species together have the concentration ``total``."""
    slow, spread = 1 / (1 + ks * total), diffusion * (1 + kd * total)
    return conductance(
        faces[f], faces[f + 1], faces[f + 2], move[f + 1], end, outward, power, rate * slow, constant * slow, spread
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _newton(known, c, volume, ups, downs, slopes, step):
    """Return the change of c that makes its linearised equations true: elimination along the cell, block by block."""
    species, cells = known.shape
    upper, right = np.empty((cells, species, species)), np.empty((cells, species))
    block, lower = np.empty((species, species)), np.empty((species, species))
    inflow, outflow = np.zeros(species), np.zeros(species)  # rounded once: what leaves a cell is what the next one gets
    for i in range(cells):
        block[:], lower[:], upper[i], inflow[:], outflow[:] = 0.0, 0.0, 0.0, outflow, 0.0
        for a in range(species):
            block[a, a] += volume[i]
            if i > 0:
                block[a, a] += step * downs[a, i - 1]
                lower[a, a] -= step * ups[a, i - 1]
                block[a] -= step * slopes[a, i - 1]
                lower[a] -= step * slopes[a, i - 1]
            if i < cells - 1:
                outflow[a] = step * (ups[a, i] * c[a, i] - downs[a, i] * c[a, i + 1])
                block[a, a] += step * ups[a, i]
                upper[i, a, a] -= step * downs[a, i]
                block[a] += step * slopes[a, i]
                upper[i, a] += step * slopes[a, i]
            right[i, a] = (known[a, i] - volume[i] * c[a, i]) + (inflow[a] - outflow[a])
        if i > 0:
            for a in range(species):
                for k in range(species):
                    right[i, a] -= lower[a, k] * right[i - 1, k]
                    for b in range(species):
                        block[a, b] -= lower[a, k] * upper[i - 1, k, b]
        _eliminate(block, upper[i], right[i])
    for i in range(cells - 2, -1, -1):
        for a in range(species):
            for b in range(species):
                right[i, a] -= upper[i, a, b] * right[i + 1, b]
    return right.T


@njit(cache=True, nogil=True, error_model="numpy")
def _eliminate(block, upper, right):
    """Replace upper and right by what block, inverted, makes of them."""
    size = len(right)
    for k in range(size):
        best = k
        for row in range(k + 1, size):
            if abs(block[row, k]) > abs(block[best, k]):
                best = row
        if best != k:
            for column in range(size):
                block[k, column], block[best, column] = block[best, column], block[k, column]
                upper[k, column], upper[best, column] = upper[best, column], upper[k, column]
            right[k], right[best] = right[best], right[k]
        pivot = block[k, k]
        for row in range(size):
            if row != k and block[row, k] != 0:
                share = block[row, k] / pivot
                for column in range(size):
                    block[row, column] -= share * block[k, column]
                    upper[row, column] -= share * upper[k, column]
                right[row] -= share * right[k]
    for k in range(size):
        for column in range(size):
            upper[k, column] /= block[k, k]
        right[k] /= block[k, k]
