"""The same scene in Mitsuba 3, a physically based renderer; its package is optional.

Light and matter are those of `particlelab.micrographs.cycles`: what particles emit is flat or grows with 1 / cos and is
lost to neighbours, which a path tracer finds as what a white surface receives from an even sky; in transmission
particles absorb, and in light they are glass over a condenser. Mitsuba's orthographic camera has no lens: defocus is
left out.
"""

import math
import tempfile
from pathlib import Path

import numpy as np

from particlelab.micrographs.cycles import CONE_DEG, LEAST_COSINE, describe, grey_levels, place_meshes

SAMPLES = 36
FAR = 1000.0  # Mitsuba's units: the condenser
VARIANT = "scalar_rgb"  # needs no compiler, as the faster ones do
VERTEX = np.dtype([("position", "<f4", 3)])
FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])


class MitsubaError(RuntimeError):
    """Mitsuba is not there; the message says what to install."""


def find_mitsuba():
    """Return the package ``mitsuba``, or None if it is not installed."""
    try:
        import mitsuba
    except ImportError:
        return None
    return mitsuba


def render(scene, seed=0, samples=SAMPLES, variant=VARIANT):
    """Render a scene with Mitsuba 3, before the camera's blur and noise.

    Parameters
    ----------
    scene : Scene
    seed : int
        Of the micrograph: particles differ as in `synthesise`. Paths of light are drawn by it, too.
    samples : int
        Paths of light a pixel, 1 to 4096, made up to a square number: the more, the less grain.
    variant : str
        One of Mitsuba's; ``llvm_ad_rgb`` is faster where LLVM is installed.

    Returns
    -------
    (H, W) float32 ndarray
        Grey levels, 0 to 1.

    Raises
    ------
    MitsubaError
        If the package is not installed.
    ValueError
        If ``samples`` is out of bounds.
    """
    mitsuba = find_mitsuba()
    if mitsuba is None:
        raise MitsubaError(
            'engine="mitsuba" needs the package mitsuba 3 (pip install mitsuba); engine="native" needs nothing'
        )
    told = describe(scene, seed, samples)
    before = mitsuba.variant()
    mitsuba.set_variant(variant)
    try:
        with tempfile.TemporaryDirectory(prefix="particlelab-mitsuba-") as folder:
            parts = _write_parts(Path(folder), scene, seed)
            picture = _PICTURES[told["kind"]](_Renderer(mitsuba, told), parts, told)
    finally:
        if before:
            mitsuba.set_variant(before)
    return np.clip(picture, 0, 1).astype(np.float32)


class _Renderer:
    """The camera, before which things are put."""

    def __init__(self, mitsuba, told):
        self.mitsuba, self.told = mitsuba, told
        transform, half = mitsuba.ScalarTransform4f, told["frame"][0] / 2
        up = transform().look_at(origin=[0, 0, told["camera_height"]], target=[0, 0, 0], up=[0, 1, 0])
        film = {"type": "hdrfilm", "width": told["pixels"][0], "height": told["pixels"][1], "rfilter": {"type": "box"}}
        film |= {"pixel_format": "rgb", "component_format": "float32", "sample_border": False}
        self.camera = {
            "type": "orthographic",
            "to_world": up @ transform().scale([half, half, 1]),
            "near_clip": 1e-3,
            "far_clip": 2 * FAR,
            "film": film,
            "sampler": {"type": "stratified"},  # absorption by chance has a third of the grain of independent samples
        }

    def render(self, integrator, things):
        """Return the channels (H, W, n) of a picture of things, dictionaries as Mitsuba reads them."""
        content = {"type": "scene", "integrator": integrator, "sensor": self.camera}
        scene = self.mitsuba.load_dict(content | {f"thing{number}": thing for number, thing in enumerate(things)})
        return np.array(
            self.mitsuba.render(scene, spp=(math.isqrt(self.told["samples"] - 1) + 1) ** 2, seed=self.told["seed"])
        )

    def ground(self, **material):
        """Return the ground, as a list of no or one thing."""
        if not self.told["ground"]:
            return []
        corners = np.array(self.told["ground"])
        transform, middle = self.mitsuba.ScalarTransform4f, corners.mean(axis=0)
        along_x, along_y = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
        normal = np.cross(along_x, along_y)
        matrix = np.eye(4)
        matrix[:3] = np.column_stack([along_x, along_y, normal / np.linalg.norm(normal), middle])
        return [{"type": "rectangle", "to_world": transform(matrix), **material}]


def _flat(renderer, parts, told):
    """Everything shines by itself."""
    things = [part | {"emitter": _shining(value)} for part, value in parts]
    things += renderer.ground(emitter=_shining(told["ground_value"]))
    if not told["ground"]:
        things.append({"type": "constant", "radiance": _grey(told["backlight"])})
    return renderer.render({"type": "path", "max_depth": 1}, things)[..., 0]


def _seen_by_electrons(renderer, parts, told):
    """What shines, times what comes out between neighbours, times what is more from steep surfaces."""
    white = {"type": "twosided", "nested": {"type": "diffuse", "reflectance": _grey(1.0)}}
    things = [part | {"bsdf": white} for part, _ in parts] + renderer.ground(bsdf=white)
    things.append({"type": "constant", "radiance": _grey(1.0)})
    path = {"type": "path", "max_depth": 2}
    channels = renderer.render({"type": "aov", "aovs": "normal:sh_normal", "light": path}, things)
    normals = channels[..., -3:]
    length = np.linalg.norm(normals, axis=-1)
    cosine = np.where(length > 1e-6, np.abs(normals[..., 2]) / np.maximum(length, 1e-6), 1.0)
    steep = 1 + told["edge"] * (1 / np.maximum(cosine, LEAST_COSINE) - 1) + normals @ told["relief"]
    left = 1 - told["lost"] * (1 - np.clip(channels[..., 0], 0, 1))
    return _flat(renderer, parts, told) * left * np.maximum(steep, 0)


def _absorbing(renderer, parts, told):
    """Straight through what absorbs: a path ends there, or does not."""
    things = [part | {"bsdf": {"type": "null"}, "interior": _medium(told, value)} for part, value in parts]
    things.append({"type": "constant", "radiance": _grey(told["backlight"])})
    return renderer.render({"type": "volpath", "max_depth": -1, "rr_depth": 10_000}, things)[..., 0]


def _glass(renderer, parts, told):
    """Through glass, from a condenser far below that is seen under the angle of its aperture."""
    transform = renderer.mitsuba.ScalarTransform4f
    glass = {"type": "dielectric", "int_ior": told["index"], "ext_ior": 1.0}
    if told["index"] == 1:
        glass = {"type": "null"}
    things = [part | {"bsdf": glass, "interior": _medium(told, value)} for part, value in parts]
    width = FAR * math.tan(math.radians(CONE_DEG))
    to_world = transform().translate([0, 0, -FAR]) @ transform().scale([width, width, 1])
    things.append({"type": "disk", "to_world": to_world, "emitter": _shining(told["backlight"])})
    return renderer.render({"type": "volpath", "max_depth": 32, "rr_depth": 10_000}, things)[..., 0]


_PICTURES = {"categorical": _flat, "sem": _seen_by_electrons, "tem": _absorbing, "light": _glass}


def _grey(value):
    return {"type": "rgb", "value": [float(value)] * 3}


def _shining(value):
    return {"type": "area", "radiance": _grey(value)}


def _medium(told, value):
    return {"type": "homogeneous", "albedo": 0.0, "sigma_t": float(value * told["absorption"])}


def _write_parts(folder, scene, seed):
    """Write each part as a binary PLY file; return it for Mitsuba, with its brightness."""
    found = []
    for index, value, vertices, faces in place_meshes(scene, grey_levels(scene, seed)):
        path = folder / f"{len(found)}.ply"
        header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertices)}\n"
        header += "property float x\nproperty float y\nproperty float z\n"
        header += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
        corners, triangles = np.empty(len(vertices), VERTEX), np.empty(len(faces), FACE)
        corners["position"], triangles["count"], triangles["corners"] = vertices, 3, faces
        path.write_bytes(header.encode() + corners.tobytes() + triangles.tobytes())
        sharp = scene.particles[index].shape == "crystal"
        part = {"type": "ply", "filename": str(path), "face_normals": sharp}
        found.append((part, value))
    return found
