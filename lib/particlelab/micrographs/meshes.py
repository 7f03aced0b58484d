"""A scene as closed meshes in right-handed axes, for files and for other renderers.

Scenes have y down the picture, as its rows; here y goes up, so that x, y and z, towards the viewer, are right-handed.
"""

import numpy as np
from scipy.spatial.distance import pdist

TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])  # of a binary STL
STEPS = 8  # cells along the smallest radius, where parts are united
MOST_CELLS = 2e7
CONTACT = 0.99  # spheres that are closer than this share of their radii's sum overlap
HEADER = b"Particles of a synthetic micrograph; nm, x right, y up, z towards the viewer"  # not "solid": no text


def meshes_of(scene, united=False):
    """Return the meshes of all particles of a scene, one or several each.

    Parameters
    ----------
    scene : Scene
    united : bool
        Whether parts of a particle that overlap become one surface, as refraction and absorption need it.

    Returns
    -------
    list of (index, vertices, faces)
        Index of the particle in the scene; vertices (n, 3) in nm from the lower left corner of the frame, x right, y up
        and z towards the viewer; faces (m, 3), counterclockwise as seen from outside.
    """
    height_nm = scene.recipe.height_px * scene.recipe.pixel_size_nm
    found = []
    for index, particle in enumerate(scene.particles):
        capsules = particle.body.capsules
        if united and _overlap(capsules):
            vertices, faces = unite(capsules)
            parts = [(vertices + particle.centre_nm, faces)]
        else:
            parts = particle.meshes()
        for vertices, faces in parts:
            found.append((index, np.asarray(vertices, float) * (1, -1, 1) + (0, height_nm, 0), faces[:, ::-1]))
    return found


def unite(capsules):
    """Return one closed surface around the union of capsules, by marching cubes over the distance from it.

    Parameters
    ----------
    capsules : (k, 7) ndarray
        Both ends, and the radius.

    Returns
    -------
    vertices : (n, 3) ndarray
    faces : (m, 3) ndarray
        Counterclockwise as seen from outside.
    """
    from skimage.measure import marching_cubes

    ends, radii = capsules[:, :6].reshape(-1, 2, 3), capsules[:, 6]
    low = (ends.min(axis=1) - radii[:, None]).min(axis=0)
    high = (ends.max(axis=1) + radii[:, None]).max(axis=0)
    step = max(radii.min() / STEPS, np.cbrt(np.prod(high - low) / MOST_CELLS))
    low = low - 2 * step
    shape = np.ceil((high - low) / step).astype(int) + 3
    outside = np.full(shape, 2 * step, np.float32)
    for (first, last), radius in zip(ends, radii, strict=True):
        start = np.floor((np.minimum(first, last) - radius - low) / step).astype(int) - 1
        stop = np.ceil((np.maximum(first, last) + radius - low) / step).astype(int) + 2
        start, stop = np.maximum(start, 0), np.minimum(stop, shape)
        axes = [np.arange(a, b) * step + edge for a, b, edge in zip(start, stop, low, strict=True)]
        from_first = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) - first
        along = last - first
        share = np.clip(from_first @ along / max(along @ along, 1e-300), 0, 1)
        away = np.linalg.norm(from_first - share[..., None] * along, axis=-1) - radius
        box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        outside[box] = np.minimum(outside[box], away)
    vertices, faces, _, _ = marching_cubes(outside, 0.0, allow_degenerate=False)
    a, b, c = vertices[faces].swapaxes(0, 1)
    if np.einsum("ij,ij->i", a, np.cross(b, c)).sum() < 0:
        faces = faces[:, ::-1]
    return vertices * step + low, faces


def as_stl(scene):
    """Return a scene as a binary STL file, in nm.

    Parameters
    ----------
    scene : Scene

    Returns
    -------
    bytes
        Each part of a particle is a closed surface that turns outwards; parts of an aggregate that touch overlap.
    """
    corners = [vertices[faces] for _, vertices, faces in meshes_of(scene)]
    corners = np.concatenate(corners) if corners else np.empty((0, 3, 3))
    triangles = np.zeros(len(corners), TRIANGLE)
    a, b, c = corners.swapaxes(0, 1)
    normals = np.cross(b - a, c - a)
    triangles["normal"] = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    triangles["corners"] = corners
    return HEADER.ljust(80) + np.uint32(len(triangles)).astype("<u4").tobytes() + triangles.tobytes()


def read_stl(content):
    """Return the corners (n, 3, 3) of the triangles of a binary STL file.

    Parameters
    ----------
    content : bytes

    Raises
    ------
    ValueError
        If it is no whole binary STL file.
    """
    count = int.from_bytes(content[80:84], "little")
    if len(content) != 84 + count * TRIANGLE.itemsize:
        raise ValueError(f"a binary STL file of {count} triangles has other than {len(content)} bytes")
    return np.frombuffer(content, TRIANGLE, offset=84)["corners"].astype(float)


def _overlap(capsules):
    """Whether parts reach into each other: joints of a worm, spheres that are sintered."""
    if len(capsules) < 2:
        return False
    if np.abs(capsules[:, :3] - capsules[:, 3:6]).max() > 0:
        return True
    i, j = np.triu_indices(len(capsules), 1)
    return bool((pdist(capsules[:, :3]) < CONTACT * (capsules[i, 6] + capsules[j, 6])).any())
