"""A micrograph for Blender's own Python (3.4): ``blender --background --python cycles_scene.py -- scene.json``.

Nothing but Blender and the standard library is imported: Debian's Blender comes without numpy. Lengths are in units of
the scene file, x right, y up, z towards the camera, from the middle of the frame. The picture is written as raw 32-bit
floats, red, green, blue, alpha of each pixel, from the lowest line up, as Blender has it.
"""

import array
import json
import sys
from pathlib import Path

import bpy

LONGEST = 1000.0  # units within which light is followed


def main(path):
    """Build the scene of a JSON file, render it, and write the picture beside it."""
    told, folder = json.loads(Path(path).read_text()), Path(path).parent
    bpy.ops.wm.read_factory_settings(use_empty=True)
    _camera(told)
    _render_settings(told)
    make = {"sem": _seen_by_electrons, "categorical": _flat, "tem": _absorbing, "light": _glass}[told["kind"]]
    material = _material(make, told)
    with (folder / "meshes.bin").open("rb") as meshes:
        for number, (vertices, faces) in enumerate(told["meshes"]):
            _mesh(f"part {number}", meshes, vertices, faces, material)
    if told["ground"]:
        _ground(told, _material(make if told["kind"] == "sem" else _flat, told))
    _world(told)
    bpy.context.scene.render.filepath = str(folder / "picture.exr")
    bpy.ops.render.render(write_still=True)
    picture = bpy.data.images.load(str(folder / "picture.exr"))
    values = array.array("f", bytes(4 * len(picture.pixels)))
    picture.pixels.foreach_get(values)
    (folder / "picture.bin").write_bytes(values.tobytes())


def _camera(told):
    """Look along -z at exactly the frame."""
    camera = bpy.data.cameras.new("camera")
    camera.type, camera.ortho_scale, camera.sensor_fit = "ORTHO", max(told["frame"]), "AUTO"
    camera.clip_start, camera.clip_end = 0.01, LONGEST
    if told["aperture"]:
        camera.dof.use_dof, camera.dof.focus_distance = True, told["camera_height"] - told["focus"]
        camera.dof.aperture_fstop = 1 / (2 * told["aperture"])
    eye = bpy.data.objects.new("camera", camera)
    eye.location = (0, 0, told["camera_height"])
    bpy.context.collection.objects.link(eye)
    bpy.context.scene.camera = eye


def _render_settings(told):
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y, render.resolution_percentage = *told["pixels"], 100
    render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"
    render.image_settings.color_mode = "RGBA"
    cycles.samples, cycles.seed = told["samples"], told["seed"]
    cycles.use_adaptive_sampling, cycles.use_denoising = False, False
    cycles.pixel_filter_type = "BOX"  # a pixel is the mean over its own square
    cycles.filter_width = told["filter_width"]
    cycles.max_bounces = cycles.transmission_bounces = 24
    cycles.transparent_max_bounces = 1024
    cycles.caustics_reflective = cycles.caustics_refractive = True
    cycles.blur_glossy = 0.0


def _mesh(name, meshes, vertices, faces, material):
    """Read one mesh: corners, a brightness of each corner, and triangles."""
    points, values, corners = array.array("f"), array.array("f"), array.array("i")
    points.fromfile(meshes, 3 * vertices)
    values.fromfile(meshes, vertices)
    corners.fromfile(meshes, 3 * faces)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(vertices)
    mesh.vertices.foreach_set("co", points)
    mesh.loops.add(3 * faces)
    mesh.loops.foreach_set("vertex_index", corners)
    mesh.polygons.add(faces)
    mesh.polygons.foreach_set("loop_start", array.array("i", range(0, 3 * faces, 3)))
    mesh.polygons.foreach_set("loop_total", array.array("i", [3]) * faces)
    mesh.update(calc_edges=True)
    if name != "ground":
        mesh.polygons.foreach_set("use_smooth", array.array("b", [1]) * faces)
        mesh.use_auto_smooth, mesh.auto_smooth_angle = True, 0.6  # edges of crystals stay sharp
    mesh.attributes.new("value", "FLOAT", "POINT").data.foreach_set("value", values)
    mesh.materials.append(material)
    made = bpy.data.objects.new(name, mesh)
    if len(values):
        made["value"] = values[0]  # of the whole object, for what is inside it
    bpy.context.collection.objects.link(made)


def _ground(told, material):
    """A plane, four corners of which the scene file gives."""
    mesh = bpy.data.meshes.new("ground")
    mesh.from_pydata(told["ground"], [], [(0, 1, 2, 3)])
    mesh.attributes.new("value", "FLOAT", "POINT").data.foreach_set("value", [told["ground_value"]] * 4)
    mesh.materials.append(material)
    bpy.context.collection.objects.link(bpy.data.objects.new("ground", mesh))


def _world(told):
    """Light from everywhere, or (transmitted light) from a cone below."""
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    background = nodes["Background"]
    background.inputs["Color"].default_value = (1, 1, 1, 1)
    background.inputs["Strength"].default_value = told["backlight"]
    if told["cone"] is not None:
        direction = nodes.new("ShaderNodeNewGeometry")
        axis = nodes.new("ShaderNodeSeparateXYZ")
        links.new(direction.outputs["Incoming"], axis.inputs[0])
        lit = _math(world.node_tree, "GREATER_THAN", axis.outputs["Z"], told["cone"])
        links.new(_math(world.node_tree, "MULTIPLY", lit, told["backlight"]), background.inputs["Strength"])


def _material(make, told):
    material = bpy.data.materials.new("material")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    make(tree, tree.nodes.new("ShaderNodeOutputMaterial"), told)
    return material


def _flat(tree, output, told):
    """The brightness of the particle, whatever the light."""
    tree.links.new(_emission(tree, _value(tree)), output.inputs["Surface"])


def _seen_by_electrons(tree, output, told):
    """Secondary electrons: more from steep surfaces, fewer where neighbours catch them."""
    geometry = tree.nodes.new("ShaderNodeNewGeometry")
    facing = tree.nodes.new("ShaderNodeVectorMath")
    facing.operation = "DOT_PRODUCT"
    tree.links.new(geometry.outputs["Normal"], facing.inputs[0])
    tree.links.new(geometry.outputs["Incoming"], facing.inputs[1])
    cosine = _math(tree, "MAXIMUM", _math(tree, "ABSOLUTE", facing.outputs["Value"]), told["least_cosine"])
    more = _math(tree, "SUBTRACT", _math(tree, "DIVIDE", 1.0, cosine), 1.0)
    steep = _math(tree, "ADD", _math(tree, "MULTIPLY", more, told["edge"]), 1.0)
    towards = tree.nodes.new("ShaderNodeVectorMath")
    towards.operation = "DOT_PRODUCT"
    tree.links.new(geometry.outputs["Normal"], towards.inputs[0])
    towards.inputs[1].default_value = told["relief"]
    steep = _math(tree, "ADD", steep, towards.outputs["Value"])
    signal = _math(tree, "MULTIPLY", _math(tree, "MAXIMUM", steep, 0.0), _value(tree))
    if told["lost"]:
        open_sky = tree.nodes.new("ShaderNodeAmbientOcclusion")
        open_sky.samples = 1
        open_sky.inputs["Distance"].default_value = LONGEST
        caught = _math(tree, "SUBTRACT", 1.0, open_sky.outputs["AO"])
        left = _math(tree, "SUBTRACT", 1.0, _math(tree, "MULTIPLY", caught, told["lost"]))
        signal = _math(tree, "MULTIPLY", signal, left)
    tree.links.new(_emission(tree, signal), output.inputs["Surface"])


def _absorbing(tree, output, told):
    """Nothing happens at the surface, and what is inside absorbs."""
    tree.links.new(tree.nodes.new("ShaderNodeBsdfTransparent").outputs[0], output.inputs["Surface"])
    tree.links.new(_absorption(tree, told), output.inputs["Volume"])


def _glass(tree, output, told):
    """Light is refracted and reflected at the surface, and absorbed inside."""
    glass = tree.nodes.new("ShaderNodeBsdfGlass")
    glass.inputs["Roughness"].default_value = 0.0
    glass.inputs["IOR"].default_value = told["index"]
    tree.links.new(glass.outputs[0], output.inputs["Surface"])
    if told["absorption"] > 0:
        tree.links.new(_absorption(tree, told), output.inputs["Volume"])


def _absorption(tree, told):
    """Absorption of a path of unit length; Blender takes colour for what is left over."""
    absorption = tree.nodes.new("ShaderNodeVolumeAbsorption")
    absorption.inputs["Color"].default_value = (0, 0, 0, 1)
    value = tree.nodes.new("ShaderNodeAttribute")
    value.attribute_type, value.attribute_name = "OBJECT", "value"
    tree.links.new(_math(tree, "MULTIPLY", value.outputs["Fac"], told["absorption"]), absorption.inputs["Density"])
    return absorption.outputs[0]


def _value(tree):
    value = tree.nodes.new("ShaderNodeAttribute")
    value.attribute_type, value.attribute_name = "GEOMETRY", "value"
    return value.outputs["Fac"]


def _emission(tree, strength):
    emission = tree.nodes.new("ShaderNodeEmission")
    tree.links.new(strength, emission.inputs["Strength"])
    return emission.outputs[0]


def _math(tree, operation, *values):
    """Calculate with numbers and outputs of nodes."""
    node = tree.nodes.new("ShaderNodeMath")
    node.operation = operation
    for socket, value in zip(node.inputs, values):  # noqa: B905, Blender's nodes have more inputs than values
        if isinstance(value, (int, float)):
            socket.default_value = value
        else:
            tree.links.new(value, socket)
    return node.outputs[0]


main(sys.argv[sys.argv.index("--") + 1])
