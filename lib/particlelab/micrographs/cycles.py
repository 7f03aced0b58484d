"""The same scene in Blender's Cycles, a path tracer: headless, one process a picture, nothing left behind.

Light and matter follow the recipe's technique, by the physics that a path tracer has: secondary electrons are emission
that grows towards steep surfaces, as 1 / cos, and is lost to neighbours by ambient occlusion; transmitted electrons are
absorbed in volumes by Beer and Lambert; in transmitted light particles are glass above a condenser of finite aperture.
What an electron microscope or a camera adds (charging, textures, fringes, noise) is none of that.
"""

import json
import math
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from particlelab.micrographs.meshes import meshes_of
from particlelab.micrographs.surfaces import trace
from particlelab.micrographs.techniques import draw_factors
from particlelab.randomness import generator

SCRIPT = Path(__file__).with_name("cycles_scene.py")
LIMIT_S = 3600.0
SAMPLES = 32  # a pixel
SIDE = 2.0  # Blender's units along the longer side of the frame
LEAST_COSINE = (
    1 / 3
)  # where 1 / cos ends, as electrons come from a finite depth: with `STEEPEST` the brightest is equal
CONE_DEG = 30.0  # half the angle of the condenser's light
OPAQUE = ("sem", "categorical")
MOST_SAMPLES = 4096  # samples


class BlenderError(RuntimeError):
    """Blender is not there, has failed, or took too long; the message says which and ends with what it printed."""


def find_blender():
    """Return the path of the ``blender`` on PATH, or None."""
    return shutil.which("blender")


def render(scene, seed=0, samples=SAMPLES, threads=None, limit_s=LIMIT_S):
    """Render a scene with Blender's Cycles, before the camera's blur and noise.

    Parameters
    ----------
    scene : Scene
    seed : int
        Of the micrograph: particles differ as in `synthesise`. Paths of light are drawn by it, too.
    samples : int
        Paths of light a pixel, 1 to 4096: the more, the less grain.
    threads : int, optional
        As many as there are processors by default.
    limit_s : float
        After which Blender is stopped.

    Returns
    -------
    (H, W) float32 ndarray
        Grey levels, 0 to 1.

    Raises
    ------
    BlenderError
        If Blender is not on PATH, fails, or runs longer than the limit.
    ValueError
        If ``samples`` is out of bounds.
    """
    told = describe(scene, seed, samples)
    return np.clip(_render(told, place_meshes(scene, grey_levels(scene, seed)), threads, limit_s), 0, 1)


def render_ids(scene, threads=None, limit_s=LIMIT_S):
    """Render which particle of the scene the middle of each pixel shows: an independent check of the labels.

    Returns
    -------
    (H, W) int32 ndarray
        0 is the ground, k the (k-1)-th of the scene's particles.

    Raises
    ------
    BlenderError
        As `render_in_cycles`.
    """
    told = describe(scene, 0, 1) | {"kind": "categorical", "filter_width": 0.01, "ground_value": 0.0}
    told |= {"backlight": 0.0, "cone": None, "aperture": 0.0}
    ids = np.arange(1.0, len(scene.particles) + 1)
    return np.rint(_render(told, place_meshes(scene, ids), threads, limit_s)).astype(np.int32)


def describe(scene, seed, samples):
    """Return what `cycles_scene.py` is told, but for the meshes, in Blender's units.

    Returns
    -------
    dict
        Of numbers and lists.

    Raises
    ------
    ValueError
        If ``samples`` is out of bounds.
    """
    if not 1 <= samples <= MOST_SAMPLES:
        raise ValueError(f"samples must be from 1 to {MOST_SAMPLES}, got {samples}")
    recipe, technique = scene.recipe, scene.recipe.technique
    unit, side = unit_nm(recipe), math.radians(technique.relief_deg)
    tops = [particle.body.bounds()[1][2] + particle.centre_nm[2] for particle in scene.particles]
    height = max([0.0, *tops]) / unit + SIDE * abs(math.tan(scene.tilt))
    deep, transmitted = scene.ground is None, technique.kind not in OPAQUE
    focus = recipe.placement.depth_nm / 2 / unit
    return {
        "kind": technique.kind,
        "frame": [recipe.width_px * recipe.pixel_size_nm / unit, recipe.height_px * recipe.pixel_size_nm / unit],
        "pixels": [recipe.width_px, recipe.height_px],
        "camera_height": height + SIDE,
        "samples": int(samples),
        "seed": int(seed) % 2**31,
        "filter_width": 1.0,
        "ground": [] if transmitted else _ground(scene),
        "ground_value": technique.ground,
        "edge": technique.edge,
        "least_cosine": LEAST_COSINE,
        "relief": [technique.relief * math.cos(side), -technique.relief * math.sin(side), 0.0],
        "lost": 1 - math.exp(-2 * technique.shadowing),
        "absorption": unit / technique.free_path_nm,
        "index": refractive_index(technique),
        "backlight": technique.ground if deep or transmitted else 0.0,
        "cone": math.cos(math.radians(CONE_DEG)) if technique.kind == "light" else None,
        "focus": focus,
        "aperture": aperture(recipe, height + SIDE - focus) if technique.kind == "light" and deep else 0.0,
    }


def unit_nm(recipe):
    """Return the length of one of Blender's units: the longer side of the frame has two."""
    return max(recipe.width_px, recipe.height_px) * recipe.pixel_size_nm / SIDE


def refractive_index(technique):
    """Return the refractive index over that of the medium: 1 where nothing is refracted, 1.1 for a refraction of 0.3.

    An oil in water has 1.1, glass in water 1.14; the rim of a sphere gets dark over a width that grows with it.
    """
    return 1 + technique.refraction / 3


def aperture(recipe, distance):
    """Return the radius of the lens, in Blender's units, that blurs by one pixel at the recipe's depth of field.

    Parameters
    ----------
    recipe : Recipe
    distance : float
        Of the camera from the plane in focus, in Blender's units.

    Returns
    -------
    float
        A disk has twice the radius of its standard deviation along an axis.
    """
    return 2 * recipe.pixel_size_nm / recipe.technique.depth_of_field_nm * distance


def grey_levels(scene, seed):
    """Return how bright, or how many times as absorbing, each particle of a scene is, as in `synthesise`."""
    technique, surfaces = scene.recipe.technique, trace(scene)
    factors = np.ones(len(scene.particles))  # those out of the frame are not seen
    factors[surfaces.particles] = draw_factors(scene, surfaces, generator(seed, "technique"))
    return factors * (technique.brightness if technique.kind in OPAQUE else 1.0)


def place_meshes(scene, values):
    """Return the parts of a scene in Blender's units about the middle of the frame.

    Parameters
    ----------
    scene : Scene
    values : (particles,) array_like
        What each particle is given.

    Returns
    -------
    list of (index, value, vertices, faces)
        Index of the particle, and its value.
    """
    recipe, unit = scene.recipe, unit_nm(scene.recipe)
    middle = np.array([recipe.width_px, recipe.height_px, 0]) * recipe.pixel_size_nm / 2
    meshes = meshes_of(scene, united=recipe.technique.kind not in OPAQUE)
    return [(index, float(values[index]), (vertices - middle) / unit, faces) for index, vertices, faces in meshes]


def command(program, scene_file, threads=None):
    """Return the command line that renders a scene file; without a number of threads Blender takes all processors."""
    flags = ["--background", "--factory-startup", "-noaudio", "--threads", str(threads or 0)]
    return [str(program), *flags, "--python-exit-code", "1", "--python", str(SCRIPT), "--", str(scene_file)]


def _render(told, parts, threads, limit_s):
    """Write the scene, run Blender, and read the red of its picture, (H, W) float32 from the top line down."""
    program = find_blender()
    if program is None:
        raise BlenderError(
            'engine="cycles" needs the program blender on PATH (Debian: apt-get install blender); '
            'engine="native" needs nothing'
        )
    with tempfile.TemporaryDirectory(prefix="particlelab-cycles-") as folder:
        folder = Path(folder)
        told = told | {"meshes": _write_meshes(folder / "meshes.bin", parts, told["kind"] in OPAQUE)}
        (folder / "scene.json").write_text(json.dumps(told))
        _run(command(program, folder / "scene.json", threads), folder, limit_s)
        width, height = told["pixels"]
        values = np.fromfile(folder / "picture.bin", np.float32)
    return values.reshape(height, width, 4)[::-1, :, 0].copy()


def _write_meshes(path, parts, opaque):
    """Write all parts one after the other; return how many corners and triangles each has.

    What is opaque may be one mesh; glass and volumes are meshes of their own, so that inside is told from outside.
    """
    meshes = [(vertices, np.full(len(vertices), value), faces) for _, value, vertices, faces in parts]
    if opaque and meshes:
        starts = np.cumsum([0, *(len(vertices) for vertices, *_ in meshes)])
        faces = [faces + start for (*_, faces), start in zip(meshes, starts[:-1], strict=True)]
        meshes = [tuple(np.concatenate(some) for some in (*list(zip(*meshes, strict=True))[:2], faces))]
    with path.open("wb") as file:
        for vertices, values, faces in meshes:
            file.write(
                vertices.astype("<f4").tobytes() + values.astype("<f4").tobytes() + faces.astype("<i4").tobytes()
            )
    return [[len(vertices), len(faces)] for vertices, _, faces in meshes]


def _ground(scene):
    """Return the corners of the ground, far beyond the frame, or nothing where there is none."""
    if scene.ground is None:
        return []
    slope, far = scene.ground[1], 3 * SIDE
    return [[x, y, -slope * y] for x, y in ((-far, -far), (far, -far), (far, far), (-far, far))]


def _run(arguments, folder, limit_s):
    """Run Blender; it is stopped when it takes too long or we are interrupted."""
    output = folder / "output.txt"
    with output.open("w") as sink:
        process = subprocess.Popen(arguments, stdout=sink, stderr=subprocess.STDOUT, cwd=folder)
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        raise BlenderError(f"Blender was stopped after {limit_s:g} s; it printed last:\n{_tail(output)}") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode or not (folder / "picture.bin").exists():
        raise BlenderError(f"Blender ended with {process.returncode}; it printed last:\n{_tail(output)}")


def _tail(output, lines=15):
    return "\n".join(output.read_text(errors="replace").splitlines()[-lines:])
