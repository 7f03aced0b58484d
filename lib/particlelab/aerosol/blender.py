"""The same breath in Blender, the document's engine: headless, one process a cloud, nothing left behind.

Blender's lengths have no unit; here 1 is `clouds.UNIT_M`. Its forces, speeds and buoyancy are none that follow from a
length and a time, so they are given by factors with which a puff in Blender 3.4 goes about as far in ten frames, in
the default box, as in our solver. They put both engines on one scale of Strength; they do not make them equal.

Blender's Wind Factor only concerns cloth: the wind here is a Wind object, which drags the smoke along with it.
"""

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from particlelab.aerosol import clouds

SCRIPT = Path(__file__).with_name("blender_scene.py")
LIMIT_S = 1800.0
SLAB = 4  # cells: depth of the box in two dimensions
FORCE = 17.0  # strength of a field for a Strength of 1, times the side of the box in m: it pushes by shares of the box
WIND, WIND_FLOW = 1800.0, 4.0  # strength likewise, for 1 m/s, and drag
SPEED = 2.0  # smoke loses about half of an emitter's velocity
BUOYANCY = 1.1  # of its Buoyancy Density, which gravity multiplies and the side of the box in units divides
GRAVITY = 9.81


class BlenderError(RuntimeError):
    """Blender is not there, has failed, or took too long; the message says which and ends with what it printed."""


def find_blender():
    """Return the path of the ``blender`` on PATH, or None."""
    return shutil.which("blender")


def simulate_in_blender(scene, breath, seed=0, progress=None, limit_s=LIMIT_S):
    """Simulate a cloud in Blender.

    Parameters
    ----------
    scene : CloudScene
        Two dimensions are a slab of a few cells between walls, of which the middle is taken.
    breath : Exhalation
        As drawn from the scene.
    seed : int
        Of Blender's turbulence.
    progress : callable, optional
        Called with the share that is done and a text.
    limit_s : float
        After which Blender is stopped.

    Returns
    -------
    (frames, D, H, W) float32 ndarray
        D = 1 in two dimensions.

    Raises
    ------
    BlenderError
        If Blender is not on PATH, fails, or runs longer than the limit.
    ValueError
        If droplets are to evaporate: Blender's smoke does not.
    """
    if scene.decay_1_per_s:
        raise ValueError(f'decay_1_per_s = {scene.decay_1_per_s:g} must be 0 for engine="blender"')
    program = find_blender()
    if program is None:
        raise BlenderError(
            'engine="blender" needs the program blender on PATH (Debian: apt-get install blender); '
            'engine="native" needs nothing'
        )
    with tempfile.TemporaryDirectory(prefix="particlelab-blender-") as folder:
        folder = Path(folder)
        (folder / "scene.json").write_text(json.dumps(describe(scene, breath, seed)))
        _run(command(program, folder / "scene.json"), folder / "output.txt", scene.frames, progress, limit_s)
        return read_densities(folder, scene)


def command(program, scene_file):
    """Return the command line that bakes a scene file."""
    return [
        str(program),
        "--background",
        "--factory-startup",
        "--threads",
        "1",  # many clouds are made at the same time
        "--python-exit-code",
        "1",
        "--python",
        str(SCRIPT),
        "--",
        str(scene_file),
    ]


def describe(scene, breath, seed):
    """Return what `blender_scene.py` is told: the scene in Blender's units and axes.

    Blender's x is our x; its y, into the picture, is our z; its z, up, is our y backwards.

    Returns
    -------
    dict
        Of numbers and lists.
    """
    depth, height, width = _cells(scene)
    side, cell = scene.box_m / clouds.UNIT_M, scene.cell_m / clouds.UNIT_M
    along_z, along_y, along_x = breath.direction
    times = (np.arange(scene.frames) + 0.5) * scene.frame_time_s
    speeds = [SPEED * breath.speed_at(time_s) / clouds.UNIT_M for time_s in times]
    return {
        "frames": scene.frames,
        "frame_time_s": scene.frame_time_s,
        "grid": scene.grid,
        "box": [width * cell, depth * cell, height * cell],
        "closed": scene.sides == "closed" or scene.dimensions == 2,
        "mouth": scene.mouth_m / clouds.UNIT_M,
        "mouth_at": [(clouds.MOUTH[0] - 0.5) * side, 0.0, (0.5 - clouds.MOUTH[1]) * side],
        "velocities": [[speed * along_x, speed * along_z, -speed * along_y] for speed in speeds],
        "buoyancy": BUOYANCY * side * scene.buoyancy_m_s2 / clouds.UNIT_M / GRAVITY,
        "strength": FORCE / scene.box_m * scene.strength,
        "size": scene.size,
        "flow": scene.flow,
        "noise_amount": FORCE / scene.box_m * scene.noise_amount,
        "seed": int(seed) % 128 + 1,  # Blender knows seeds from 1 to 128
        "turbulence_at": [0.0, 0.0, 0.0],
        "wind": WIND / scene.box_m * scene.wind_factor,
        "wind_flow": WIND_FLOW,
    }


def read_densities(folder, scene):
    """Read what `blender_scene.py` has written.

    Parameters
    ----------
    folder : path
    scene : CloudScene

    Returns
    -------
    (frames, D, H, W) float32 ndarray

    Raises
    ------
    BlenderError
        If a frame is missing or has other cells than the scene.
    """
    folder, (depth, height, width) = Path(folder), _cells(scene)
    frames = np.empty((scene.frames, depth, height, width), np.float32)
    for frame, density in enumerate(frames, start=1):
        file = folder / f"{frame}.density"
        values = np.fromfile(file, np.float32) if file.exists() else np.empty(0, np.float32)
        if values.size != density.size:
            found = (folder / "resolution.json").read_text() if (folder / "resolution.json").exists() else "none"
            raise BlenderError(
                f"frame {frame} has {values.size} cells, not {density.size} = {width} x {depth} x {height}; "
                f"Blender's resolution is {found}"
            )
        density[:] = values.reshape(height, depth, width)[::-1].transpose(1, 0, 2)
    middle = depth // 2
    return frames[:, middle : middle + 1] if scene.dimensions == 2 else frames


def _cells(scene):
    depth, height, width = scene.box.shape
    return (depth if scene.dimensions == 3 else SLAB), height, width


def _run(arguments, output, frames, progress, limit_s):
    """Run Blender and tell of its frames; it is stopped when it takes too long or we are interrupted."""
    with output.open("w") as sink:
        process = subprocess.Popen(arguments, stdout=sink, stderr=subprocess.STDOUT, cwd=output.parent)
    deadline, told = time.monotonic() + limit_s, 0
    try:
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise BlenderError(f"Blender was stopped after {limit_s:g} s; it printed last:\n{_tail(output)}")
            done = len(list((output.parent / "cache" / "data").glob("fluid_data_*")))
            if progress and done > told:
                told = done
                progress(min(done / frames, 1.0), f"Blender: frame {done} of {frames}")
            time.sleep(0.05)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        raise BlenderError(f"Blender ended with {process.returncode}; it printed last:\n{_tail(output)}")


def _tail(output, lines=15):
    return "\n".join(output.read_text(errors="replace").splitlines()[-lines:])
