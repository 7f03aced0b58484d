"""Bodies of single particles: capsules (spheres are the shortest ones), ellipsoids and closed meshes, about the origin.

A body is the union of its parts. Lengths are in nm, x to the right, y down the picture, z towards the viewer.
"""

import functools
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.spatial import ConvexHull, HalfspaceIntersection
from scipy.spatial.transform import Rotation

from particlelab.micrographs.aggregation import aggregate

JOINTS = 12  # capsules of a worm
WAVES = 32  # of the bumps of a potato
GRID = 28  # points along an edge of the box in which a metaball's surface is found
SPREAD = 1.35  # radii of metaballs fall off over so many radii


class Mesh(NamedTuple):
    """A closed surface, its triangles turning counterclockwise as seen from outside."""

    vertices: np.ndarray  # (n, 3)
    faces: np.ndarray  # (m, 3) int
    normals: np.ndarray  # (m, 3, 3): of each corner of each triangle


class Body(NamedTuple):
    """A particle about the origin."""

    capsules: np.ndarray  # (k, 7): both ends, and the radius
    ellipsoid: np.ndarray | None  # (3, 3): half axes as rows
    mesh: Mesh | None

    def turned(self, rotation):
        """Return the body turned by a scipy Rotation."""
        matrix = rotation.as_matrix()
        ends = self.capsules.copy()
        ends[:, :3], ends[:, 3:6] = ends[:, :3] @ matrix.T, ends[:, 3:6] @ matrix.T
        mesh = self.mesh and Mesh(self.mesh.vertices @ matrix.T, self.mesh.faces, self.mesh.normals @ matrix.T)
        return Body(ends, None if self.ellipsoid is None else self.ellipsoid @ matrix.T, mesh)

    def moved(self, offset):
        """Return capsules and mesh moved by a vector; an ellipsoid stays about the origin."""
        ends = self.capsules + np.concatenate([offset, offset, [0.0]])
        mesh = self.mesh and self.mesh._replace(vertices=self.mesh.vertices + offset)
        return Body(ends, self.ellipsoid, mesh)

    def points(self):
        """Return points (n, 3) and radii (n,) whose balls hold the body, and touch its surface."""
        if self.mesh is not None:
            return self.mesh.vertices, np.zeros(len(self.mesh.vertices))
        if self.ellipsoid is not None:
            return _sphere(2)[0] @ self.ellipsoid, np.zeros(162)
        ends = np.concatenate([self.capsules[:, :3], self.capsules[:, 3:6]])
        return ends, np.tile(self.capsules[:, 6], 2)

    def bounds(self):
        """Return the lower and the upper corner of the upright box around the body."""
        if self.ellipsoid is not None:
            reach = np.sqrt((self.ellipsoid**2).sum(axis=0))
            return -reach, reach
        if self.mesh is not None:
            return self.mesh.vertices.min(axis=0), self.mesh.vertices.max(axis=0)
        first, last, radii = self.capsules[:, :3], self.capsules[:, 3:6], self.capsules[:, 6:]
        return (np.minimum(first, last) - radii).min(axis=0), (np.maximum(first, last) + radii).max(axis=0)


def draw_bodies(population, rng, lying=True):
    """Draw the body of one particle, or of all primary particles of one aggregate if they are what is counted.

    Parameters
    ----------
    population : Population
    rng : numpy.random.Generator
    lying : bool
        Whether it lies on a plane, its shortest axis upright (a crystal on one of its faces), or is turned anyhow.

    Returns
    -------
    list of Body
        About the origin of the whole.
    """
    p = population
    diameter = draw_diameter(p, rng)
    body = _SHAPES[p.shape](p, diameter, rng)
    if p.shape == "sphere":
        return [body]
    if not lying:
        turn = Rotation.random(rng=rng)
    elif p.shape == "crystal":
        turn = _face_down(body.mesh, rng)
    elif p.shape in ("aggregate", "metaball"):
        turn = _flat(body)
    else:
        turn = Rotation.from_rotvec(rng.normal(0, 0.08, 3))
    turn = Rotation.from_rotvec([0, 0, rng.uniform(0, 2 * np.pi)]) * turn
    body = body.turned(turn)
    if p.shape == "aggregate" and p.counted == "primaries":
        return [Body(capsule[None], None, None) for capsule in body.capsules]
    return [body]


def draw_diameter(population, rng):
    """Draw a diameter in nm, log-normal between the population's bounds."""
    p = population
    low, high = p.smallest_nm or 0.0, p.largest_nm or np.inf
    for _ in range(1000):
        diameter = p.diameter_nm * np.exp(rng.normal(0, np.log(p.deviation)))
        if low <= diameter <= high:
            return float(diameter)
    return float(np.clip(diameter, low, high))


def parts_as_meshes(body, level=3):
    """Return the parts of a body as closed meshes, for files and other renderers.

    Parameters
    ----------
    body : Body
    level : int
        Each sphere has 20 * 4^level triangles.

    Returns
    -------
    list of (vertices, faces)
    """
    if body.mesh is not None:
        return [(body.mesh.vertices, body.mesh.faces)]
    points, faces = _sphere(level)
    if body.ellipsoid is not None:
        turned_over = np.linalg.det(body.ellipsoid) < 0
        return [(points @ body.ellipsoid, faces[:, ::-1] if turned_over else faces)]
    meshes = []
    for capsule in body.capsules:
        first, last, radius = capsule[:3], capsule[3:6], capsule[6]
        axis = last - first
        ahead = (points @ axis > 0)[:, None]
        meshes.append((radius * points + np.where(ahead, last, first), faces))
    return meshes


@functools.cache
def _sphere(level):
    """Return vertices and faces of an icosahedron whose triangles were cut in four some times, on the unit sphere."""
    golden = (1 + 5**0.5) / 2
    vertices = [(s * 1, t * golden, 0) for s in (-1, 1) for t in (-1, 1)]
    vertices = np.array([*vertices, *((0, a, b) for a, b, _ in vertices), *((b, 0, a) for a, b, _ in vertices)], float)
    vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
    faces = ConvexHull(vertices).simplices
    for _ in range(level):
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
        edges, which = np.unique(edges, axis=0, return_inverse=True)
        middles = vertices[edges].sum(axis=1)
        middles /= np.linalg.norm(middles, axis=1, keepdims=True)
        a, b, c = faces.T
        ab, bc, ca = which.reshape(3, -1) + len(vertices)
        vertices = np.concatenate([vertices, middles])
        parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        faces = np.concatenate([np.stack(part, axis=1) for part in parts])
    return vertices, _outward(vertices, faces)


def _outward(vertices, faces):
    """Turn the triangles of a star-shaped surface about the origin so that they face outwards."""
    a, b, c = vertices[faces].swapaxes(0, 1)
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c) < 0
    return np.where(inward[:, None], faces[:, ::-1], faces)


def _smooth_mesh(vertices, faces):
    """Return a mesh whose normals are the means of those of the triangles around each corner."""
    a, b, c = vertices[faces].swapaxes(0, 1)
    normals = np.zeros_like(vertices)
    np.add.at(normals, faces.ravel(), np.repeat(np.cross(b - a, c - a), 3, axis=0))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    return Mesh(vertices, faces, normals[faces])


def _scaled(mesh, diameter):
    """Return a mesh of the volume of a sphere, about its centre of mass."""
    a, b, c = mesh.vertices[mesh.faces].swapaxes(0, 1)
    volumes = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
    centre = np.einsum("i,ij->j", volumes, (a + b + c) / 4) / volumes.sum()
    factor = diameter / np.cbrt(6 * volumes.sum() / np.pi)
    return Body(np.empty((0, 7)), None, mesh._replace(vertices=factor * (mesh.vertices - centre)))


def _sphere_body(p, diameter, rng):
    return Body(np.array([[0.0, 0, 0, 0, 0, 0, diameter / 2]]), None, None)


def _ellipsoid(p, diameter, rng):
    """Half axes in the ratio of the elongation to 1, the third one between the two others."""
    axes = np.array([p.elongation, p.elongation ** rng.uniform(0, 0.6), 1.0])
    return Body(np.empty((0, 7)), np.diag(diameter / 2 * axes / np.cbrt(axes.prod())), None)


def _potato(p, diameter, rng):
    """A sphere with bumps: its radius is a sum of plane waves over the sphere."""
    points, faces = _sphere(3)
    waves = rng.normal(size=(WAVES, 3))
    waves *= rng.uniform(1.5, 5, (WAVES, 1)) / np.linalg.norm(waves, axis=1, keepdims=True)
    heights = rng.normal(size=WAVES) / np.linalg.norm(waves, axis=1)
    bumps = np.cos(points @ waves.T + rng.uniform(0, 2 * np.pi, WAVES)) @ heights
    bumps *= p.roughness / max(np.abs(bumps).std(), 1e-9) / 2
    vertices = points * np.exp(np.clip(bumps, -1, 1))[:, None] * (p.elongation, p.elongation**0.5, 1.0)
    return _scaled(_smooth_mesh(vertices, faces), diameter)


def _crystal(p, diameter, rng):
    """A convex polyhedron: faces in all directions, at about the same distance from the middle."""
    for _ in range(50):
        normals = rng.normal(size=(p.faces, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        _keep_away(normals)
        if ConvexHull(normals).equations[:, 3].max() < -0.1:  # otherwise it is open, or almost
            break
    distances = rng.uniform(0.85, 1.15, p.faces)
    corners = HalfspaceIntersection(np.column_stack([normals, -distances]), np.zeros(3)).intersections
    corners = corners * (p.elongation, p.elongation**0.3, 1.0)
    hull = ConvexHull(corners)
    faces = _outward(hull.points - hull.points.mean(axis=0), hull.simplices)
    return _scaled(Mesh(hull.points, faces, np.repeat(hull.equations[:, None, :3], 3, axis=1)), diameter)


@njit(cache=True)
def _keep_away(directions):
    """Move unit vectors a little away from each other, in place."""
    n = len(directions)
    for _ in range(20):
        for i in range(n):
            u, v, w = directions[i]
            x, y, z = u, v, w
            for j in range(n):
                dx, dy, dz = u - directions[j, 0], v - directions[j, 1], w - directions[j, 2]
                push = 0.1 / n / (dx * dx + dy * dy + dz * dz + 0.05)
                x, y, z = x + push * dx, y + push * dy, z + push * dz
            length = np.sqrt(x * x + y * y + z * z)
            directions[i, 0], directions[i, 1], directions[i, 2] = x / length, y / length, z / length


def _rod(p, diameter, rng):
    """A cylinder with round ends."""
    radius = diameter / 2 / np.cbrt(1 + 1.5 * (p.elongation - 1))
    half = radius * (p.elongation - 1)
    return Body(np.array([[-half, 0, 0, half, 0, 0, radius]]), None, None)


def _worm(p, diameter, rng):
    """A bent rod: its direction turns at random along its length, as that of a stiff chain."""
    radius = diameter / 2 / np.cbrt(1 + 1.5 * (p.elongation - 1))
    step = 2 * radius * (p.elongation - 1) / JOINTS
    turns = rng.normal(0, p.bending / np.sqrt(JOINTS), JOINTS) + rng.normal(0, p.bending / JOINTS)
    angles, rise = np.cumsum(turns), rng.normal(0, 0.1, JOINTS)
    steps = step * np.column_stack([np.cos(angles) * np.cos(rise), np.sin(angles) * np.cos(rise), np.sin(rise)])
    path = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    path -= path.mean(axis=0)
    return Body(np.column_stack([path[:-1], path[1:], np.full(JOINTS, radius)]), None, None)


def _metaball(p, diameter, rng):
    """The surface on which the fields of balls, each beside an earlier one, add up to a constant."""
    from skimage.measure import label, marching_cubes

    n = max(1, round(p.primaries * np.exp(rng.normal(0, np.log(p.primaries_deviation)))))
    radii = np.exp(rng.normal(0, 0.25, n))
    centres = np.zeros((n, 3))
    for k in range(1, n):
        host = rng.integers(k)
        direction = rng.normal(size=3)
        centres[k] = centres[host] + direction / np.linalg.norm(direction) * 0.9 * (radii[host] + radii[k])
    low, high = (centres - 2 * radii[:, None]).min(axis=0), (centres + 2 * radii[:, None]).max(axis=0)
    step = (high - low).max() / (GRID - 1)
    axes = [np.arange(np.ceil(edge / step) + 1) * step + start for edge, start in zip(high - low, low, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    field = np.zeros(grid.shape[:3])
    for centre, radius in zip(centres, radii, strict=True):
        field += np.exp(SPREAD * (1 - ((grid - centre) ** 2).sum(axis=-1) / radius**2))
    inside = label(field > 1, connectivity=1)
    largest = np.bincount(inside.ravel())[1:].argmax() + 1
    field = np.where((inside == largest) | (field <= 1), field, 0.5)
    vertices, faces, _, _ = marching_cubes(np.pad(np.log(np.maximum(field, 1e-9)), 1, constant_values=-9.0), 0.0)
    a, b, c = vertices[faces].swapaxes(0, 1)
    if np.einsum("ij,ij->i", a, np.cross(b, c)).sum() < 0:
        faces = faces[:, ::-1]
    return _scaled(_smooth_mesh(vertices * step, faces), diameter)


def _aggregate(p, diameter, rng):
    """Primary particles on a fractal aggregate; `diameter` is not used, each of them draws its own."""
    n = max(1, round(p.primaries * np.exp(rng.normal(0, np.log(p.primaries_deviation)))))
    radii = np.array([draw_diameter(p, rng) for _ in range(n)]) / 2
    centres = aggregate(radii, p.fractal_dimension, p.prefactor, rng, p.growth, p.sintering)
    return Body(np.column_stack([centres, centres, radii]), None, None)


_SHAPES = {
    "sphere": _sphere_body,
    "ellipsoid": _ellipsoid,
    "potato": _potato,
    "worm": _worm,
    "metaball": _metaball,
    "crystal": _crystal,
    "rod": _rod,
    "aggregate": _aggregate,
}


def _face_down(mesh, rng):
    """Return a turn that puts one of a crystal's larger faces on the plane."""
    a, b, c = mesh.vertices[mesh.faces].swapaxes(0, 1)
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    normal = mesh.normals[rng.choice(len(areas), p=areas / areas.sum()), 0]
    return Rotation.align_vectors([[0, 0, -1]], [normal])[0]


def _flat(body):
    """Return a turn that puts the shortest axis of inertia upright."""
    points, radii = body.points()
    weights = radii**3 if radii.any() else np.ones(len(points))
    about = points - np.average(points, axis=0, weights=weights)
    axes = np.linalg.eigh((about * weights[:, None]).T @ about)[1][:, ::-1].T
    return Rotation.from_matrix(axes * np.linalg.det(axes))
