"""A differentiable renderer: pictures of a fixed geometry as functions of material, technique and camera.

What the beam meets (`surfaces.trace`) stays; from it on this is `techniques.expose` and `camera.blur` once more, in
torch, so that gradients of a picture with respect to all of that can be had. Noise is told by its expected variance.
"""

import dataclasses
import math

import numpy as np

from particlelab.micrographs.camera import drift, ramp
from particlelab.micrographs.recipe import Recipe
from particlelab.micrographs.surfaces import overlap, sum_up, trace
from particlelab.micrographs.techniques import (
    FRINGE_PX,
    LAYERS,
    STEEPEST,
    TRAIL_PX,
    draw_factors,
    grain,
    occlusion,
)

DIFFERENTIABLE = tuple(
    f"technique.{name}"
    for name in (
        *("ground", "brightness", "edge", "relief", "shadowing", "charging", "texture", "ground_texture"),
        *("free_path_nm", "fringe", "refraction", "highlight", "depth_of_field_nm"),
    )
) + ("camera.blur_px", "camera.gradient", "camera.dose", "camera.read_noise")
ROUNDING = 1 / (12 * 255**2)  # variance of what is rounded to whole grey levels
DARKEST = 1e-30


@dataclasses.dataclass(frozen=True, eq=False)
class Geometry:
    """What of a scene stays while its looks change: maps (H, W) and, for light, the pixels of all particles."""

    recipe: Recipe
    instances: np.ndarray  # (H, W) int32, as of `synthesise`
    maps: dict  # of (H, W) float64 ndarray, by name
    pixels: dict  # for light: of (m,) ndarray, and blurs (layers,) in nm


def fix_geometry(scene, rng):
    """Trace a scene and keep what its picture is made of.

    Parameters
    ----------
    scene : Scene
    rng : numpy.random.Generator
        As for `techniques.expose`: the same one gives the same particles' brightness and the same textures.

    Returns
    -------
    Geometry
    """
    surfaces, t = trace(scene), scene.recipe.technique
    factors = draw_factors(scene, surfaces, rng)
    shape, ground = surfaces.instances.shape, surfaces.instances == 0
    maps, pixels = {"ground": ground}, {}
    if t.kind == "tem":
        ways = [factor * patch.thickness_nm for factor, patch in zip(factors, surfaces.patches, strict=True)]
        maps["way"] = sum_up(surfaces, ways)
    elif t.kind == "light":
        pixels = _light_pixels(scene, surfaces, factors)
    else:
        maps["factor"] = np.concatenate([[1.0], factors])[surfaces.instances]
    if t.kind == "sem":
        maps["steep"] = (1 - np.clip(surfaces.normals[..., 2], STEEPEST, 1)) ** 2
        angle = math.radians(t.relief_deg)
        maps["facing"] = surfaces.normals[..., :2] @ np.array([math.cos(angle), math.sin(angle)])
        maps["between"] = occlusion(surfaces, scene)
        if t.texture:
            maps["grain"] = np.log(grain(shape, 1.0, rng))
    if t.ground_texture:
        maps["ground_grain"] = np.log(grain(shape, 1.0, rng))
    maps = {name: np.asarray(values, float) for name, values in maps.items()}
    return Geometry(scene.recipe, surfaces.instances, maps, pixels)


class Renderer:
    """Renders a geometry in torch.

    Parameters
    ----------
    geometry : Geometry
    dtype : torch.dtype, optional
        float32 by default.
    """

    def __init__(self, geometry, dtype=None):
        import torch

        self.recipe, self.dtype = geometry.recipe, dtype or torch.float32
        self.maps = {name: torch.tensor(values, dtype=self.dtype) for name, values in geometry.maps.items()}
        self.pixels = {name: torch.as_tensor(values) for name, values in geometry.pixels.items()}
        for name in ("way", "steep"):
            if name in self.pixels:
                self.pixels[name] = self.pixels[name].to(self.dtype)
        camera, shape = self.recipe.camera, geometry.instances.shape
        self.plane = torch.tensor(ramp(shape, 1e-3, camera.gradient_deg).astype(float) - 1, dtype=self.dtype) / 1e-3
        self.drift = None
        if camera.drift_px > 0.5:
            self.drift = torch.tensor(drift(camera.drift_px, camera.drift_deg), dtype=self.dtype)
        keep, steps = math.exp(-1 / TRAIL_PX), np.subtract.outer(np.arange(shape[1]), np.arange(shape[1]))
        trail = np.where(steps <= 0, (1 - keep) * keep ** np.maximum(-steps, 0.0), 0.0)
        self.trail = torch.tensor(trail, dtype=self.dtype)

    def render(self, values=None):
        """Return the mean picture of the camera, and the variance of each of its pixels.

        Parameters
        ----------
        values : dict of str to float or tensor, optional
            By the names of `DIFFERENTIABLE`; all others are the recipe's.

        Returns
        -------
        mean, variance : (H, W) tensor
            Grey levels from 0 to 1. The variance is that of counted quanta, of the read noise and of rounding.

        Raises
        ------
        ValueError
            If a name is not differentiable, or a texture is asked for that the geometry was fixed without.
        """
        self._check(values or {})
        value = _Values(self.recipe, values or {}, self.dtype)
        seen = self._camera(self._expose(value), value)
        mean = seen.clamp(0, 1)
        return mean, mean / value["camera.dose"] + value["camera.read_noise"] ** 2 + ROUNDING

    def observe(self, values=None, noise=None):
        """Return a picture with noise of the expected variance, as it would be read out; gradients pass through both.

        Parameters
        ----------
        values : dict, optional
            As for `render`.
        noise : (H, W) tensor, optional
            Standard normal numbers; without them the mean is returned.
        """
        mean, variance = self.render(values)
        return mean if noise is None else (mean + variance.sqrt() * noise).clamp(0, 1)

    def _check(self, values):
        if unknown := sorted(set(values) - set(DIFFERENTIABLE)):
            raise ValueError(f"{unknown[0]!r} is not differentiable; these are: {', '.join(DIFFERENTIABLE)}")
        for name, needed in (("technique.texture", "grain"), ("technique.ground_texture", "ground_grain")):
            if name in values and needed not in self.maps:
                raise ValueError(f"the geometry was fixed with {name} = 0: it has no texture to be turned")

    def _expose(self, value):
        maps, kind = self.maps, self.recipe.technique.kind
        if kind == "sem":
            return self._secondary(value)
        if kind == "tem":
            grey = value["technique.ground"] * (-maps["way"] / value["technique.free_path_nm"]).exp()
            fringe = value["technique.fringe"]
            if float(fringe.detach()) or fringe.requires_grad:
                grey = grey + fringe * (grey - gaussian_blur(grey, FRINGE_PX))
            grey = grey.clamp(min=0)
        elif kind == "light":
            grey = self._light(value)
        else:
            bright = value["technique.brightness"] * maps["factor"]
            grey = maps["ground"] * value["technique.ground"] + (1 - maps["ground"]) * bright
        if "ground_grain" in maps:
            grey = grey * (value["technique.ground_texture"] * maps["ground_grain"]).exp()
        return grey

    def _secondary(self, value):
        maps, ground = self.maps, self.maps["ground"]
        yields = 1 + 2 * value["technique.edge"] * maps["steep"] + value["technique.relief"] * maps["facing"]
        if "grain" in maps:
            yields = yields * (value["technique.texture"] * maps["grain"]).exp()
        below = value["technique.ground"]
        if "ground_grain" in maps:
            below = below * (value["technique.ground_texture"] * maps["ground_grain"]).exp()
        grey = ground * below + (1 - ground) * value["technique.brightness"] * maps["factor"] * yields
        grey = grey * (-2 * value["technique.shadowing"] * maps["between"]).exp()
        charging = value["technique.charging"]
        if float(charging.detach()) or charging.requires_grad:
            grey = grey + charging * (((1 - ground) * grey) @ self.trail)
        return grey.clamp(min=0)

    def _light(self, value):
        import torch

        maps, pixels = self.maps, self.pixels
        path, refraction = value["technique.free_path_nm"], value["technique.refraction"]
        passed = (-pixels["way"] / path - refraction**2 * pixels["steep"]).exp()
        passed = passed + value["technique.highlight"] * (-pixels["steep"] / 0.06).exp()
        size, layers = maps["ground"].numel(), len(pixels["blurs"])
        place = pixels["layer"] * size + pixels["place"]
        empty = torch.zeros(layers * size, dtype=self.dtype)
        through = empty.index_add(0, place, passed.clamp(min=DARKEST).log()).exp().view(layers, *maps["ground"].shape)
        grey = value["technique.ground"] * torch.ones_like(maps["ground"])
        for layer, distance in zip(through, pixels["blurs"], strict=True):
            blur = float(distance) / value["technique.depth_of_field_nm"]
            grey = grey * (gaussian_blur(layer, blur) if float(blur.detach()) > 0.1 else layer)
        return grey

    def _camera(self, grey, value):
        from torch.nn import functional

        seen = grey * (1 + value["camera.gradient"] * self.plane).clamp(min=0)
        if self.drift is not None:
            half = self.drift.shape[0] // 2
            seen = functional.conv2d(mirror(seen, half)[None, None], self.drift[None, None])[0, 0]
        blur = value["camera.blur_px"]
        return gaussian_blur(seen, blur) if float(blur.detach()) > 0 else seen


class _Values(dict):
    """Values by dotted names: those that were given, or the recipe's, as tensors."""

    def __init__(self, recipe, values, dtype):
        super().__init__(values)
        self.recipe, self.dtype = recipe, dtype

    def __getitem__(self, name):
        import torch

        return torch.as_tensor(super().get(name, self.recipe.get(name)), dtype=self.dtype)


def gaussian_blur(picture, deviation):
    """Blur a picture (H, W), with gradients with respect to the width, too; as OpenCV does with mirrored edges."""
    import torch
    from torch.nn import functional

    width = torch.as_tensor(deviation, dtype=picture.dtype)
    half = (round(8 * float(width.detach()) + 1) | 1) // 2
    places = torch.arange(-half, half + 1, dtype=picture.dtype)
    kernel = (-(places**2) / (2 * width**2)).exp()
    kernel = kernel / kernel.sum()
    padded = mirror(picture, half)[None, None]
    return functional.conv2d(functional.conv2d(padded, kernel[None, None, None]), kernel[None, None, :, None])[0, 0]


def mirror(picture, edge):
    """Pad a picture (H, W) by its mirror image, in which the outermost pixels come twice."""
    import torch

    for axis, size in enumerate(picture.shape):
        places = torch.arange(-edge, size + edge) % (2 * size)
        picture = picture.index_select(axis, torch.minimum(places, 2 * size - 1 - places))
    return picture


def _light_pixels(scene, surfaces, factors):
    """Return of all particles' pixels in the frame: way through matter, steepness, place and layer of depth."""
    shape, columns = surfaces.instances.shape, surfaces.instances.shape[1]
    heights = np.array([scene.particles[k].centre_nm[2] for k in surfaces.particles])
    deep = scene.recipe.placement.kind == "volume"
    away = np.abs(heights - scene.recipe.placement.depth_nm / 2) if deep else np.zeros(len(heights))
    edges = np.linspace(0, max(away.max(initial=0), 1e-12), LAYERS + 1)
    layers = np.unique(np.clip(np.searchsorted(edges, away) - 1, 0, LAYERS - 1), return_inverse=True)[1]
    found = {"way": [], "steep": [], "place": [], "layer": []}
    for patch, factor, layer in zip(surfaces.patches, factors, layers, strict=True):
        frame, own = overlap(patch, shape)
        mask, thickness = patch.mask[own], patch.thickness_nm
        upright = np.clip(thickness / max(float(thickness.max()), 1e-12), STEEPEST, 1)[own][mask].astype(float)
        rows, across = np.nonzero(mask)
        found["way"].append(factor * thickness[own][mask])
        found["steep"].append((1 - upright**2) / upright**2)
        found["place"].append((rows + frame[0].start) * columns + across + frame[1].start)
        found["layer"].append(np.full(len(rows), layer))
    joined = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in found.items()}
    for name in ("place", "layer"):
        joined[name] = joined[name].astype(np.int64)
    number = layers.max(initial=-1) + 1
    return joined | {"blurs": np.array([away[layers == layer].mean() for layer in range(number)])}


def noise_like(shape, rng):
    """Return standard normal numbers (H, W) as a tensor, for `Renderer.observe`."""
    import torch

    return torch.from_numpy(rng.standard_normal(shape, np.float32))
