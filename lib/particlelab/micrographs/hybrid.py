"""Hybrid synthesis: a discriminator drives material, light and camera, while geometry, and so all labels, stay fixed.

The document's first attempt, a CycleGAN, changed what is in the pictures and so made labels worthless; then a generator
that can turn a renderer's parameters only took its place (IPMT report, AP1.3.a). So here: the generator is the
differentiable renderer of a recipe; the discriminator sees patches of its pictures, noise included, and of real ones.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.micrographs.differentiable import DIFFERENTIABLE, Renderer, fix_geometry, noise_like
from particlelab.micrographs.recipe import Recipe, load_recipe
from particlelab.micrographs.scene import build_scene
from particlelab.micrographs.texture import check_picture
from particlelab.micrographs.turning import knobs, known_values, to_unit, turn
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import check_rng

AVERAGED = 0.4  # of the steps, at the end, over which parameters are averaged: a discriminator makes them circle


class HybridSynthesis(Parameters):
    """How a discriminator drives a recipe's looks."""

    steps: int = parameter(300, "Steps of generator and discriminator", low=2, high=100_000)
    geometries: int = parameter(3, "Geometries that are rendered by turns", low=1, high=100)
    size_px: int = parameter(192, "Edge of their pictures", unit="px", low=64, high=2048)
    patch_px: int = parameter(48, "Edge of a patch", unit="px", low=24, high=256)
    patches: int = parameter(16, "Patches of each kind in a step", low=2, high=1024)
    channels: int = parameter(16, "Channels of the discriminator's first layer", low=2, high=256)
    generator_rate: float = parameter(
        0.01, "Largest change of a parameter in a step, share of its range", above=0, high=1
    )
    discriminator_rate: float = parameter(4e-3, "Learning rate of the discriminator", above=0, high=1)
    ahead: float = parameter(0.15, "Share of the steps in which the discriminator learns alone", low=0, high=0.9)
    penalty: float = parameter(0.01, "Weight of the penalty on steep discriminators", low=0, high=1000)
    pictures: int = parameter(8, "Pictures of the way that are kept", low=2, high=200)


class Hybrid(NamedTuple):
    """What the discriminator made of a recipe."""

    recipe: Recipe  # with the looks of the real pictures; `synthesise` gives the same geometry for the same seed
    values: dict  # of the knobs that were driven
    history: pd.DataFrame  # step, generator and discriminator losses, and a column for each knob
    steps: np.ndarray  # (m,) of the pictures
    pictures: np.ndarray  # (m, h, w) uint8: one geometry, picture by picture


def synthesise_like(pictures, recipe, parameters=None, rng=None, progress=None):
    """Give a recipe the looks of real pictures, without touching its geometry.

    Parameters
    ----------
    pictures : sequence of (H, W) array_like
        Real pictures: uint8, or float from 0 to 1; one is enough.
    recipe : Recipe, str or path
        Its geometry should be like that of the pictures; its technique and camera are where the way starts.
    parameters : HybridSynthesis, optional
    rng : numpy.random.Generator
    progress : callable, optional

    Returns
    -------
    Hybrid

    Raises
    ------
    ValueError
        If there are no pictures, or they are smaller than a patch; if rng is no Generator.
    """
    p, rng, base = parameters or HybridSynthesis(), check_rng(rng), load_recipe(recipe)
    real = [check_picture(picture) for picture in pictures]
    if not real:
        raise ValueError("pictures must hold at least one picture, got none")
    if min(min(image.shape) for image in real) < p.patch_px or p.size_px < p.patch_px:
        raise ValueError(f"patch_px = {p.patch_px} must be at most the edge of the pictures and size_px = {p.size_px}")
    small, renderers = base.reframe(p.size_px), []
    for _ in range(p.geometries):
        seed = int(rng.integers(2**31))
        scene = build_scene(small, np.random.default_rng(seed))
        renderers.append(Renderer(fix_geometry(scene, np.random.default_rng(seed + 1))))
    driven = [knob for knob in knobs(base) if knob.name in DIFFERENTIABLE]
    return _play(real, base, driven, renderers, p, rng, progress)


def _play(real, base, driven, renderers, p, rng, progress):
    """Let the renderer and the discriminator learn from each other."""
    import torch
    from torch.nn import functional

    from particlelab.micrographs.discriminator_layers import Discriminator

    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**31)))
        discriminator = Discriminator(p.channels)
    start = dict(zip([knob.name for knob in knobs(base)], to_unit(base, known_values(base, base)), strict=True))
    units = torch.tensor([float(np.clip(start[knob.name], 0.02, 0.98)) for knob in driven], requires_grad=True)
    theirs = torch.optim.Adam([units], p.generator_rate, betas=(0.5, 0.95))
    other = torch.optim.Adam(discriminator.parameters(), p.discriminator_rate, betas=(0.5, 0.95))
    shown = set(np.unique(np.round(np.linspace(0, p.steps, p.pictures)).astype(int)).tolist())
    shape, still = (p.size_px, p.size_px), noise_like((p.size_px, p.size_px), rng)
    tensors, rows, kept, way = [torch.from_numpy(image) for image in real], [], {}, []

    def values():
        return {knob.name: knob.from_unit(unit) for knob, unit in zip(driven, units.clamp(0, 1), strict=True)}

    for step in range(p.steps + 1):
        if step in shown:
            with torch.no_grad():
                kept[step] = (255 * renderers[0].observe(values(), still).numpy()).round().astype(np.uint8)
        if step == p.steps:
            break
        renderer = renderers[step % len(renderers)]
        made = _patches([renderer.observe(values(), noise_like(shape, rng))], p, rng)
        seen = _patches(tensors, p, rng).requires_grad_()
        judged = discriminator(seen)
        loss = functional.softplus(-judged).mean() + functional.softplus(discriminator(made.detach())).mean()
        (steep,) = torch.autograd.grad(judged.sum(), seen, create_graph=True)
        other.zero_grad()
        (loss + p.penalty * (steep**2).sum((1, 2, 3)).mean()).backward()
        other.step()
        fooled = functional.softplus(-discriminator(made)).mean()
        if step >= p.ahead * p.steps:
            theirs.zero_grad()
            fooled.backward()
            theirs.step()
        with torch.no_grad():
            units.clamp_(0, 1)
        way.append(units.detach().numpy().copy())
        rows.append(
            (step, float(fooled.detach()), float(loss.detach()), *(float(v.detach()) for v in values().values()))
        )
        if progress:
            progress((step + 1) / p.steps, f"step {step + 1} of {p.steps}, generator {rows[-1][1]:.2f}")
    end = np.mean(way[round((1 - AVERAGED) * len(way)) :], axis=0)
    final = {knob.name: float(knob.from_unit(unit)) for knob, unit in zip(driven, end, strict=True)}
    columns = ["step", "generator", "discriminator", *(knob.name for knob in driven)]
    return Hybrid(
        turn(base, final),
        final,
        pd.DataFrame(rows, columns=columns),
        np.array(sorted(kept)),
        np.stack([kept[step] for step in sorted(kept)]),
    )


def _patches(pictures, p, rng):
    """Cut patches (n, 1, w, w) out of pictures at random, mirrored at random."""
    import torch

    found = []
    for which in rng.integers(len(pictures), size=p.patches):
        picture = pictures[which]
        row, column = (int(rng.integers(edge - p.patch_px + 1)) for edge in picture.shape)
        patch = picture[row : row + p.patch_px, column : column + p.patch_px]
        found.append(patch.flip(1) if rng.random() < 0.5 else patch)
    return torch.stack(found)[:, None]
