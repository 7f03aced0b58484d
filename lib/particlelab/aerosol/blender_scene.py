"""A breath for Blender's own Python (3.4): ``blender --background --python blender_scene.py -- scene.json``.

Nothing but Blender and the standard library is imported: Debian's Blender comes without numpy. All lengths are in
Blender's units. The density of each frame is written as raw 32-bit floats, as Blender has it: x fastest, then y (into
the picture), then z (up).
"""

import array
import json
import math
import sys
from pathlib import Path

import bpy


def main(path):
    """Build the scene of a JSON file, bake it, and write a file of densities for each frame."""
    scene = json.loads(Path(path).read_text())
    folder = Path(path).parent
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _time(scene)
    _emitter(scene)
    _turbulence(scene)
    if scene["wind"]:
        _wind(scene)
    domain = _domain(scene, folder)  # last: the bake fails if an object is made after it
    with bpy.context.temp_override(object=domain, active_object=domain, selected_objects=[domain]):
        bpy.ops.fluid.bake_data()
    _write(scene, domain, folder)


def _time(scene):
    """Frames, and how long one is: the rate of frames is fps / fps_base."""
    blender = bpy.context.scene
    blender.frame_start, blender.frame_end = 1, scene["frames"]
    blender.render.fps = 1000
    blender.render.fps_base = 1000 * scene["frame_time_s"]
    blender.gravity = (0.0, 0.0, -9.81)


def _emitter(scene):
    """A ball of smoke that has a velocity, which follows the breath from frame to frame."""
    bpy.ops.mesh.primitive_uv_sphere_add(radius=scene["mouth"] / 2, location=scene["mouth_at"])
    emitter = bpy.context.object
    emitter.modifiers.new("Fluid", "FLUID").fluid_type = "FLOW"
    flow = emitter.modifiers["Fluid"].flow_settings
    flow.flow_type, flow.flow_behavior, flow.flow_source = "SMOKE", "INFLOW", "MESH"
    flow.density, flow.temperature = 1.0, 1.0
    flow.volume_density, flow.surface_distance = 1.0, 0.5
    flow.use_initial_velocity = True
    for frame, velocity in enumerate(scene["velocities"], start=1):
        flow.velocity_coord = velocity
        flow.keyframe_insert("velocity_coord", frame=frame)
        flow.use_inflow = any(velocity)
        flow.keyframe_insert("use_inflow", frame=frame)


def _turbulence(scene):
    bpy.ops.object.effector_add(type="TURBULENCE", location=scene["turbulence_at"])
    field = bpy.context.object.field
    field.strength, field.size, field.flow = scene["strength"], scene["size"], scene["flow"]
    field.noise, field.seed = scene["noise_amount"], scene["seed"]


def _wind(scene):
    """Wind along x, which drags the air with it."""
    bpy.ops.object.effector_add(type="WIND", location=(0, 0, 0), rotation=(0, math.pi / 2, 0))
    field = bpy.context.object.field
    field.strength, field.flow = scene["wind"], scene["wind_flow"]


def _domain(scene, folder):
    bpy.ops.mesh.primitive_cube_add(size=1.0, location=(0, 0, 0))
    domain = bpy.context.object
    domain.scale = scene["box"]
    bpy.ops.object.transform_apply(location=False, rotation=False, scale=True)
    domain.modifiers.new("Fluid", "FLUID").fluid_type = "DOMAIN"
    settings = domain.modifiers["Fluid"].domain_settings
    settings.domain_type = "GAS"
    settings.resolution_max = scene["grid"]
    settings.use_adaptive_domain, settings.use_noise = False, False
    for side in ("front", "back", "left", "right", "top", "bottom"):
        setattr(settings, f"use_collision_border_{side}", scene["closed"])
    settings.alpha, settings.beta = scene["buoyancy"], 0.0
    settings.vorticity = 0.0
    settings.use_dissolve_smoke = False
    settings.cache_directory = str(folder / "cache")
    settings.cache_type = "ALL"
    settings.cache_frame_start, settings.cache_frame_end = 1, scene["frames"]
    return domain


def _write(scene, domain, folder):
    for frame in range(1, scene["frames"] + 1):
        bpy.context.scene.frame_set(frame)
        evaluated = domain.evaluated_get(bpy.context.evaluated_depsgraph_get())
        settings = evaluated.modifiers["Fluid"].domain_settings
        (folder / f"{frame}.density").write_bytes(array.array("f", settings.density_grid).tobytes())
        (folder / "resolution.json").write_text(json.dumps(list(settings.domain_resolution)))
        print(f"frame {frame} of {scene['frames']}", flush=True)


main(sys.argv[sys.argv.index("--") + 1])
