"""Measurement techniques: from the surfaces that the beam meets to grey levels, without the camera's blur and noise.

- **sem**: secondary electrons leave where the surface is steep (edge brightening), fewer from between particles
  (shadowing); a detector at one side sees relief, and insulating particles trail brightness along the line (charging).
- **tem**: the beam is weakened along its way through matter (Beer and Lambert); out of focus, fringes follow outlines.
- **light**: light from behind is refracted away at the rim, absorbed on its way and gathered in the middle; particles
  far from the focal plane blur.
- **categorical**: one grey for each kind of particle and one for the ground.
"""

import math

import cv2
import numpy as np
from scipy.signal import lfilter

from particlelab.micrographs.surfaces import overlap, sum_up

STEEPEST = 0.05  # least cosine between normal and beam
TRAIL_PX = 25.0  # along the line, on which charging falls to 1/e
GRAIN_PX = 1.5  # blur of the noise that textures are made of
FRINGE_PX = 1.5
LAYERS = 6  # into which depth is divided where blur depends on it


def expose(scene, surfaces, rng):
    """Return the grey levels of a scene before the camera.

    Parameters
    ----------
    scene : Scene
    surfaces : Surfaces
        From `trace`.
    rng : numpy.random.Generator
        For what differs from particle to particle, and textures.

    Returns
    -------
    (H, W) float32 ndarray
        0 is black, 1 white; brighter ones are not cut off yet.
    """
    t = scene.recipe.technique
    factors = draw_factors(scene, surfaces, rng)
    if t.kind == "tem":
        grey = _transmit(scene, surfaces, factors)
    elif t.kind == "light":
        grey = _light(scene, surfaces, factors)
    else:
        shade = _flat if t.kind == "categorical" else _secondary
        grey = shade(scene, surfaces, np.concatenate([[1.0], factors]), rng)
    if t.kind != "sem" and t.ground_texture:
        grey = grey * grain(grey.shape, t.ground_texture, rng)
    return grey.astype(np.float32)


def draw_factors(scene, surfaces, rng):
    """Return how much brighter, or how much more absorbing, each particle is than the technique says."""
    own = [scene.recipe.populations[scene.particles[k].population].brightness for k in surfaces.particles]
    return np.array(own) * np.exp(rng.normal(0, 1, len(own)) * scene.recipe.technique.spread)


def occlusion(surfaces, scene):
    """Return how far each pixel lies below what is around it, 0 to 1; the scale is half a typical particle."""
    size = scene.recipe.pixel_size_nm
    areas = [patch.mask.sum() for patch in surfaces.patches] or [64]
    reach = max(1.0, 0.25 * math.sqrt(4 / math.pi * float(np.median(areas))))
    depth = np.nan_to_num(surfaces.depth, nan=0.0)
    around = cv2.GaussianBlur(depth, (0, 0), reach, borderType=cv2.BORDER_REFLECT)
    return np.clip((around - depth) / (reach * size), 0, 1)


def _flat(scene, surfaces, factors, rng):
    t = scene.recipe.technique
    return np.concatenate([[t.ground], t.brightness * factors[1:]])[surfaces.instances]


def _secondary(scene, surfaces, factors, rng):
    t, ground = scene.recipe.technique, surfaces.instances == 0
    upright = np.clip(surfaces.normals[..., 2], STEEPEST, 1)
    yields = 1 + 2 * t.edge * (1 - upright) ** 2
    if t.relief:
        angle = math.radians(t.relief_deg)
        yields = yields + t.relief * (surfaces.normals[..., :2] @ np.float32([math.cos(angle), math.sin(angle)]))
    if t.texture:
        yields = yields * grain(ground.shape, t.texture, rng)
    grey = t.brightness * factors.astype(np.float32)[surfaces.instances] * yields
    below = t.ground
    if t.ground_texture:
        below = below * grain(ground.shape, t.ground_texture, rng)[ground]
    grey[ground] = below
    if t.shadowing:
        grey *= np.exp(-2 * t.shadowing * occlusion(surfaces, scene))
    if t.charging:
        keep = math.exp(-1 / TRAIL_PX)
        grey += t.charging * lfilter([1 - keep], [1, -keep], np.where(ground, 0, grey), axis=1)
    return np.maximum(grey, 0)


def _transmit(scene, surfaces, factors):
    t = scene.recipe.technique
    ways = [factor * patch.thickness_nm for factor, patch in zip(factors, surfaces.patches, strict=True)]
    grey = t.ground * np.exp(-sum_up(surfaces, ways) / t.free_path_nm)
    if t.fringe:
        grey += t.fringe * (grey - cv2.GaussianBlur(grey, (0, 0), FRINGE_PX, borderType=cv2.BORDER_REFLECT))
    return np.maximum(grey, 0)


def _light(scene, surfaces, factors):
    """Multiply what all particles let through, each blurred by its distance from the focal plane."""
    t, shape = scene.recipe.technique, surfaces.instances.shape
    heights = np.array([scene.particles[k].centre_nm[2] for k in surfaces.particles])
    deep = scene.recipe.placement.kind == "volume"
    middle = scene.recipe.placement.depth_nm / 2 if deep else 0.0
    blurs = np.abs(heights - middle) / t.depth_of_field_nm if deep else np.zeros(len(heights))
    edges = np.linspace(0, max(blurs.max(initial=0), 1e-12), LAYERS + 1)
    layers = np.clip(np.searchsorted(edges, blurs) - 1, 0, LAYERS - 1)
    grey = np.full(shape, t.ground)
    for layer in np.unique(layers):
        let_through = np.ones(shape)
        for k in np.flatnonzero(layers == layer):
            frame, own = overlap(surfaces.patches[k], shape)
            let_through[frame] *= pass_through(t, surfaces.patches[k], factors[k])[own]
        blur = float(blurs[layers == layer].mean())
        grey *= (
            cv2.GaussianBlur(let_through, (0, 0), blur, borderType=cv2.BORDER_REFLECT) if blur > 0.1 else let_through
        )
    return grey


def pass_through(technique, patch, factor):
    """Return the share of light that passes a particle, on its patch.

    The steepness of its surface, of which the loss at the rim depends, is told by the thickness: of a sphere it is
    2 R cos(angle). The middle gathers light where the particle is thickest.
    """
    t, thickness = technique, patch.thickness_nm
    upright = np.clip(thickness / max(float(thickness.max()), 1e-12), STEEPEST, 1)
    steep = (1 - upright**2) / upright**2
    passed = np.exp(-factor * thickness / t.free_path_nm - t.refraction**2 * steep)
    passed = passed + t.highlight * np.exp(-steep / 0.06)
    return np.where(patch.mask, passed, 1.0)


def grain(shape, deviation, rng):
    """Return a field whose logarithm has a standard deviation, correlated over a few pixels."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), GRAIN_PX, borderType=cv2.BORDER_REFLECT)
    return np.exp(deviation / max(float(noise.std()), 1e-12) * noise)
