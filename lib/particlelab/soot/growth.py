"""Soot aggregates: spheres that hold a fractal law, grown by cluster-cluster aggregation.

The law is N = kf (Rg / rp)^Df in the convention of Moran et al. 2019 (FracVAL) for primaries of
different sizes: rp is the geometric mean of the primaries' radii, and Rg the radius of gyration of
the spheres as solid bodies of equal density, each weighted by r^3 and with its own (3/5) r^2 about
its centre. Where spheres overlap, the lens counts in both.
"""

import math

import numpy as np
from numba import njit

from particlelab.parameters import Parameters, parameter


class Aggregate(Parameters):
    """One aggregate of spheres."""

    primaries: int = parameter(60, "Primary particles", low=1, high=300)
    fractal_dimension: float = parameter(
        1.78, "Df of N = kf (Rg / rp)^Df: chains are low, balls high", low=1.5, high=2.2
    )
    prefactor: float = parameter(1.3, "kf of N = kf (Rg / rp)^Df", low=1, high=2)
    dp_nm: float = parameter(25.0, "Geometric mean diameter of the primaries", unit="nm", low=5, high=100)
    gsd: float = parameter(1.1, "Geometric standard deviation of the primaries' diameters", low=1, high=1.5)
    overlap: float = parameter(0.0, "Overlap of touching primaries, share of ri + rj", low=0, high=0.3)
    pixel_size_nm: float = parameter(0.5, "Edge of a pixel of its shadow", unit="nm", low=0.1, high=5)
    seed: int = parameter(0, "Another number is another aggregate", low=0, high=999)


def simulate_aggregate(n_primaries, fractal_dimension, prefactor, dp_nm, gsd, rng, overlap=0.0):
    """Grow one aggregate of spheres that obeys N = kf (Rg / rp)^Df.

    Tunable cluster-cluster aggregation (Filippov et al. 2000; Moran et al. 2019): clusters, at first
    single spheres, join two by two at random. The law of the joined cluster fixes the distance between
    the two centres of mass; at that distance both are turned until two spheres touch and none overlap.
    Departures from those papers: a cluster that fits nowhere is taken apart and its spheres are
    joined one by one, which makes dense aggregates possible; and a sphere that cannot be put where the
    law wants it is put as near as possible. The last sphere or cluster is put exactly.

    Parameters
    ----------
    n_primaries : int
        N, at least 1. One or two spheres have only one shape and are returned as they are: the law
        holds from N = 3.
    fractal_dimension, prefactor : float
        Df, from 1 to 3, and kf, positive. Soot: about 1.78 and 1.3.
    dp_nm : float
        Geometric mean diameter of the primaries, exactly so for those returned.
    gsd : float
        Geometric standard deviation of the log-normal distribution that their diameters are drawn from,
        1 (all equal) to 3.
    rng : numpy.random.Generator
    overlap : float
        (ri + rj - distance) / (ri + rj) of touching spheres, from 0 to below 0.5. Each sphere touches
        another one so; no two overlap more.

    Returns
    -------
    centres_nm : (N, 3) ndarray
        Relative to the centre of mass.
    radii_nm : (N,) ndarray

    Raises
    ------
    ValueError
        If a parameter is out of bounds, or if no aggregate of N spheres was found that holds the law.

    Examples
    --------
    >>> centres_nm, radii_nm = simulate_aggregate(100, 1.78, 1.3, 20.0, 1.2, np.random.default_rng(0))
    >>> round(1.3 * (radius_of_gyration(centres_nm, radii_nm) / 10.0) ** 1.78, 6)
    100.0
    """
    _check(n_primaries, fractal_dimension, prefactor, dp_nm, gsd, overlap)
    for attempt in range(min(200, 6 + 1000 // n_primaries)):
        log_radii = rng.normal(0.0, math.log(gsd), n_primaries)
        radii = np.exp(log_radii - log_radii.mean())
        centres, holds = _grow(
            radii, float(fractal_dimension), float(prefactor), 1.0 - overlap, min(20 + 20 * attempt, 200), rng
        )
        if holds:
            return centres * (dp_nm / 2), radii * (dp_nm / 2)
    chain = math.sqrt((1 - overlap) ** 2 * (n_primaries**2 - 1) / 3 + 0.6)
    ball = math.sqrt(0.6) * (1 - overlap) * (n_primaries / 0.74) ** (1 / 3)
    raise ValueError(
        f"no aggregate found with n_primaries = {n_primaries}, fractal_dimension = {fractal_dimension:g}, "
        f"prefactor = {prefactor:g}, gsd = {gsd:g}, overlap = {overlap:g}: by the fractal law its radius of gyration "
        f"is {fractal_law(n_primaries, fractal_dimension, prefactor, 1.0):.3g} primary radii, where equal spheres "
        f"have {chain:.3g} as a straight chain and about {ball:.3g} as a close-packed ball"
    )


def fractal_law(n_primaries, fractal_dimension, prefactor, rp_nm):
    """Return the radius of gyration (nm) of N primaries by the fractal law: rp (N / kf)^(1 / Df)."""
    return rp_nm * (n_primaries / prefactor) ** (1 / fractal_dimension)


def radius_of_gyration(centres_nm, radii_nm):
    """Return the radius of gyration (nm) of spheres of equal density.

    Rg^2 = sum m (|x - xc|^2 + (3/5) r^2) / sum m with m = r^3 and xc the centre of mass (Moran et al.
    2019, eq. 4); sqrt(3/5) r for one sphere. Where spheres overlap, the lens counts in both.

    Parameters
    ----------
    centres_nm : (N, 3) ndarray
    radii_nm : (N,) ndarray
    """
    mass = np.asarray(radii_nm, float) ** 3
    offset = centres_nm - np.average(centres_nm, axis=0, weights=mass)
    return math.sqrt(np.average((offset**2).sum(axis=1) + 0.6 * np.square(radii_nm), weights=mass))


def _check(n_primaries, fractal_dimension, prefactor, dp_nm, gsd, overlap):
    if isinstance(n_primaries, bool) or not isinstance(n_primaries, int | np.integer) or n_primaries < 1:
        raise ValueError(f"n_primaries must be a whole number of at least 1, got {n_primaries!r}")
    if not 1 <= fractal_dimension <= 3:
        raise ValueError(f"fractal_dimension must be from 1 to 3, got {fractal_dimension!r}")
    if not 0 < prefactor < math.inf:
        raise ValueError(f"prefactor must be positive, got {prefactor!r}")
    if not 0 < dp_nm < math.inf:
        raise ValueError(f"dp_nm must be positive, got {dp_nm!r}")
    if not 1 <= gsd <= 3:
        raise ValueError(f"gsd must be from 1 to 3, got {gsd!r}")
    if not 0 <= overlap < 0.5:
        raise ValueError(f"overlap must be from 0 to below 0.5, got {overlap!r}")


@njit(cache=True)
def _grow(radii, fractal_dimension, prefactor, contact, placements, rng):
    """Return centres (N, 3) of one aggregate and whether it holds the law; ``contact`` is 1 - overlap."""
    n = radii.size
    centres = np.zeros((n, 3))  # relative to the centre of mass of the sphere's cluster
    cluster = np.arange(n)  # that each sphere belongs to, named by one of its spheres
    names = np.arange(n)  # of the clusters that are left: the first `count`
    count = n
    for _ in range(20 * n):
        if count == 1:
            break
        a = int(rng.random() * count)
        b = (a + 1 + int(rng.random() * (count - 1))) % count
        large, small = np.flatnonzero(cluster == names[a]), np.flatnonzero(cluster == names[b])
        if large.size < small.size:
            a, b, large, small = b, a, small, large
        if _join(centres, radii, large, small, count == 2, fractal_dimension, prefactor, contact, placements, rng):
            cluster[small] = names[a]
            count -= 1
            names[b] = names[count]
        elif small.size > 1:  # taken apart
            cluster[small] = small
            centres[small] = 0.0
            names[b] = small[0]
            names[count : count + small.size - 1] = small[1:]
            count += small.size - 1
        else:
            break
    return centres, count == 1


@njit(cache=True)
def _join(centres, radii, large, small, last, fractal_dimension, prefactor, contact, placements, rng):
    """Put two clusters together, touching, as the law wants them; return whether that could be done.

    Before the ``last`` joining, a distance too large to touch is cut to what can be reached, and one
    too small for a single sphere is widened to the smallest found.
    """
    x, y = centres[large], centres[small]
    r, s = contact * radii[large], contact * radii[small]
    mass_x, moment_x, log_x, reach_x = _sums(x, r, contact)
    mass_y, moment_y, log_y, reach_y = _sums(y, s, contact)
    mass, n, reach = mass_x + mass_y, r.size + s.size, reach_x + reach_y
    law = math.exp((log_x + log_y) / n) / contact * (n / prefactor) ** (1 / fractal_dimension)
    distance = math.sqrt(max((mass * law**2 - moment_x - moment_y) * mass / (mass_x * mass_y), 0.0))
    if n == 2:
        distance = reach
    elif not last:
        distance = min(distance, 0.9999 * reach)
    elif not 0.0 < distance <= reach:
        return False
    moved = np.empty_like(y)
    while distance <= reach:
        for _ in range(200 if last else placements):
            touching, free = _place(x, r, y, s, distance, reach_x, moved, rng)
            if not touching:
                break
            if free:
                for m in range(3):
                    offset = 0.0
                    for k in range(s.size):
                        offset += s[k] ** 3 * moved[k, m] / mass
                    for k in range(r.size):
                        centres[large[k], m] = x[k, m] - offset
                    for k in range(s.size):
                        centres[small[k], m] = moved[k, m] - offset
                return True
        if last or small.size > 1:
            break
        distance += 0.05 * s[0]
    return False


@njit(cache=True)
def _sums(x, r, contact):
    """Return the sums over spheres of mass, second moment and log radius, and how far their surface reaches."""
    mass, reach, moment, logs = 0.0, 0.0, 0.0, 0.0
    for k in range(r.size):
        out = _norm(x[k])
        mass += r[k] ** 3
        reach = max(reach, out + r[k])
        moment += r[k] ** 3 * (out**2 + 0.6 * (r[k] / contact) ** 2)
        logs += math.log(r[k])
    return mass, moment, logs, reach


@njit(cache=True)
def _place(x, r, y, s, distance, reach, moved, rng):
    """Put spheres (y, s) at a distance from spheres (x, r), turned so that two touch.

    Return whether two can touch at that distance, and whether none overlap.

    The new centre of mass c, the centre p of sphere i of x and the new centre q of sphere j of y obey
    |c| = distance, |q - p| = r_i + s_j, |q - c| = |y_j|; all else is random. ``moved`` receives y.
    """
    for _ in range(100):
        i, j = int(rng.random() * r.size), int(rng.random() * s.size)
        out_x, out_y, touching = _norm(x[i]), _norm(y[j]), r[i] + s[j]
        near = max(abs(touching - out_y), abs(distance - out_x))
        far = min(touching + out_y, distance + out_x)
        if near <= far:
            break
    else:
        return False, False
    gap = math.sqrt(near**2 + rng.random() * (far**2 - near**2))  # |c - p|
    frame, turned = np.empty((3, 3)), np.empty((3, 3))
    _frame(x[i], frame, rng)
    _tilt(frame, out_x**2 + distance**2 - gap**2, 2 * out_x * distance, rng)
    c = distance * frame[0]
    _frame(x[i] - c, turned, rng)
    _tilt(turned, gap**2 + out_y**2 - touching**2, 2 * gap * out_y, rng)
    outward = turned[0].copy()  # from c to q
    _frame(outward, turned, rng)
    _frame(y[j] if out_y > 1e-9 else outward, frame, rng)
    for step in range(s.size):
        k = (j + step) % s.size
        for m in range(3):
            moved[k, m] = c[m]
        for axis in range(3):
            part = y[k, 0] * frame[axis, 0] + y[k, 1] * frame[axis, 1] + y[k, 2] * frame[axis, 2]
            for m in range(3):
                moved[k, m] += part * turned[axis, m]
        if _norm(moved[k]) - s[k] > reach:
            continue
        for other in range(r.size):
            square = 0.0
            for m in range(3):
                square += (moved[k, m] - x[other, m]) ** 2
            if square < ((1 - 1e-9) * (r[other] + s[k])) ** 2:
                return True, False
    return True, True


@njit(cache=True)
def _frame(axis, frame, rng):
    """Fill ``frame`` with three unit vectors, right-handed, the first along ``axis``, turned about it at random."""
    length = _norm(axis)
    x, y, z = (axis[0] / length, axis[1] / length, axis[2] / length) if length > 1e-9 else (1.0, 0.0, 0.0)
    sign = 1.0 if z >= 0 else -1.0  # two vectors across it: Duff et al. 2017
    f = -1 / (sign + z)
    across, beside = (1 + sign * x * x * f, sign * x * y * f, -sign * x), (x * y * f, sign + y * y * f, -y)
    angle = 2 * math.pi * rng.random()
    cosine, sine = math.cos(angle), math.sin(angle)
    frame[0, 0], frame[0, 1], frame[0, 2] = x, y, z
    for m in range(3):
        frame[1, m] = cosine * across[m] + sine * beside[m]
        frame[2, m] = cosine * beside[m] - sine * across[m]


@njit(cache=True)
def _tilt(frame, numerator, denominator, rng):
    """Tilt the first vector of a frame by the angle of cosine numerator / denominator; by any, if that is 0 / 0."""
    cosine = min(max(numerator / denominator, -1.0), 1.0) if denominator > 1e-9 else 2 * rng.random() - 1
    sine = math.sqrt(1 - cosine**2)
    for m in range(3):
        frame[0, m] = cosine * frame[0, m] + sine * frame[1, m]


@njit(cache=True)
def _norm(vector):
    return math.sqrt(vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2)
