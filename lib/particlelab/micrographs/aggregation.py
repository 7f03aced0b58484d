"""Fractal aggregates: spheres that grow one by one, or clusters that join, along N = kf (Rg / a)^Df.

Rg is the radius of gyration of the spheres' centres, weighted by volume, with each sphere's own (3/5) r^2 (Moran et al.
2019), a the geometric mean of the radii. Both ways put the next part at the distance from the centre of mass that the
law asks for (Filippov, Zurita and Rosner 2000), and turn it until the parts touch without overlap.
"""

import numpy as np
from numba import njit
from scipy.spatial.transform import Rotation

FIRST = 6  # spheres of the clusters that cluster-cluster aggregation begins with, at most
TRIES = 60


def aggregate(radii, fractal_dimension, prefactor, rng, growth="cluster-cluster", sintering=0.0):
    """Grow an aggregate.

    Parameters
    ----------
    radii : (n,) array_like
        Of the primary particles.
    fractal_dimension, prefactor : float
    rng : numpy.random.Generator
    growth : {"cluster-cluster", "particle-cluster"}
    sintering : float
        Overlap of two that touch over the sum of their radii, 0 to 0.5.

    Returns
    -------
    (n, 3) ndarray
        Centres, in the unit of the radii, about the centre of mass; in the order of the radii.
    """
    radii = np.asarray(radii, float)
    law = float(fractal_dimension), float(prefactor), float(np.exp(np.log(radii).mean()))
    contact = 1.0 - sintering
    if growth == "particle-cluster" or len(radii) <= FIRST:
        return _grow(radii, *law, contact, rng)
    parts = -(-len(radii) // FIRST)
    clusters = []
    for members in np.array_split(np.arange(len(radii)), parts):
        clusters.append((members, _grow(radii[members], *law, contact, rng)))
    while len(clusters) > 1:
        clusters.sort(key=lambda cluster: len(cluster[0]))
        (first, a), (second, b) = clusters[:2]
        joined = _join(a, radii[first], b, radii[second], law, contact, rng)
        clusters = [*clusters[2:], (np.concatenate([first, second]), joined)]
    members, centres = clusters[0]
    return centres[np.argsort(members)]


def radius_of_gyration(centres, radii):
    """Return the radius of gyration of spheres, weighted by volume, each with its own (3/5) r^2."""
    mass = np.asarray(radii) ** 3
    about = centres - np.average(centres, axis=0, weights=mass)
    return float(np.sqrt(np.average((about**2).sum(axis=1) + 0.6 * np.asarray(radii) ** 2, weights=mass)))


def _join(a, radii_a, b, radii_b, law, contact, rng):
    """Put two clusters beside each other so that both together hold the law, as nearly as they can touch."""
    dimension, prefactor, mean = law
    mass_a, mass_b = (radii_a**3).sum(), (radii_b**3).sum()
    number = len(a) + len(b)
    wanted = mean**2 * (number / prefactor) ** (2 / dimension)
    share = mass_a * mass_b / (mass_a + mass_b) ** 2
    own = (mass_a * radius_of_gyration(a, radii_a) ** 2 + mass_b * radius_of_gyration(b, radii_b) ** 2) / (
        mass_a + mass_b
    )
    distance = np.sqrt(max(wanted - own, 0.0) / share)
    best = None
    for turn_a, turn_b in zip(Rotation.random(TRIES, rng=rng), Rotation.random(TRIES, rng=rng), strict=True):
        one, two = turn_a.apply(a), turn_b.apply(b)
        reach = _touch(one, radii_a, two, radii_b, contact)
        if best is None or abs(reach - distance) < best[0]:
            best = abs(reach - distance), one, two, reach
        if best[0] < 0.1 * mean:
            break
    _, one, two, reach = best
    both = np.concatenate([one, two + (reach, 0.0, 0.0)])
    return both - np.average(both, axis=0, weights=np.concatenate([radii_a, radii_b]) ** 3)


@njit(cache=True)
def _touch(a, radii_a, b, radii_b, contact):
    """Return the least shift of b along x, from afar, at which it touches a."""
    reach = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            least = contact * (radii_a[i] + radii_b[j])
            across = (a[i, 1] - b[j, 1]) ** 2 + (a[i, 2] - b[j, 2]) ** 2
            if across < least * least:
                reach = max(reach, a[i, 0] - b[j, 0] + np.sqrt(least * least - across))
    return reach


@njit(cache=True)
def _grow(radii, dimension, prefactor, mean, contact, rng):
    """Grow a cluster sphere by sphere."""
    n = len(radii)
    centres = np.zeros((n, 3))
    middle, mass, inertia = np.zeros(3), radii[0] ** 3, 0.6 * radii[0] ** 5
    for k in range(1, n):
        r, m = radii[k], radii[k] ** 3
        wanted = mean**2 * ((k + 1) / prefactor) ** (2.0 / dimension) * (mass + m)
        distance = np.sqrt(max(wanted - inertia - 0.6 * m * r * r, 0.0) * (mass + m) / (mass * m))
        placed = False
        for attempt in range(400):
            host = rng.integers(0, k)
            least = contact * (radii[host] + r)
            offset = centres[host] - middle
            far = np.sqrt((offset**2).sum())
            wish = min(max(distance, abs(far - least)), far + least)
            if attempt < 300 and wish != distance:
                continue
            if far < 1e-9 * mean:
                axis, along = np.array([1.0, 0.0, 0.0]), 2.0 * rng.random() - 1.0
                along *= least
            else:
                axis = offset / far
                along = (wish * wish - far * far - least * least) / (2.0 * far)
            across = np.sqrt(max(least * least - along * along, 0.0))
            side = rng.normal(0.0, 1.0, 3)
            side -= (side * axis).sum() * axis
            side /= np.sqrt((side**2).sum())
            place = centres[host] + along * axis + across * side
            free = True
            for i in range(k):
                gap = contact * (radii[i] + r) * (1.0 - 1e-6)
                if ((place - centres[i]) ** 2).sum() < gap * gap:
                    free = False
                    break
            if free:
                centres[k] = place
                placed = True
                break
        if not placed:  # where the law leaves no room: out along a ray until it touches the cluster
            ray = rng.normal(0.0, 1.0, 3)
            ray /= np.sqrt((ray**2).sum())
            far = 0.0
            for i in range(k):
                offset = centres[i] - middle
                along = (offset * ray).sum()
                least = contact * (radii[i] + r)
                across = (offset**2).sum() - along * along
                if across < least * least:
                    far = max(far, along + np.sqrt(least * least - across))
            centres[k] = middle + far * ray
        new = (mass * middle + m * centres[k]) / (mass + m)
        inertia += mass * ((middle - new) ** 2).sum() + m * (((centres[k] - new) ** 2).sum() + 0.6 * r * r)
        middle, mass = new, mass + m
    return centres - middle
