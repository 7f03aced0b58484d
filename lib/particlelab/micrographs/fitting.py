"""Fitting a synthesis to a picture: the nearest recipes of a library, refined by gradient.

Prototype 2 of the parameter-free synthesis (IPMT report, AP1.3, figures 2 and 3): a texture descriptor of the target;
for each recipe the parameters that its network predicts; pictures of these; the three of the least l1 difference;
refinement through a differentiable renderer; the best one. Two things are more than the document has: a classifier has
a say in which recipes are near, and the refinement is held by how sure the prediction is.
"""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from particlelab.micrographs.differentiable import DIFFERENTIABLE, Renderer, fix_geometry, noise_like
from particlelab.micrographs.fitter import Fitter, load_fitter
from particlelab.micrographs.recipe import Recipe
from particlelab.micrographs.scene import build_scene
from particlelab.micrographs.synthesis import synthesise
from particlelab.micrographs.texture import check_picture
from particlelab.micrographs.turning import from_unit, knobs, rescale, turn
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import generator

SEARCH = 0.3  # share of the time that the search for candidates takes
LARGEST_PX = 2048  # edge of a rendering


class Fitting(Parameters):
    """How a synthesis is fitted."""

    rendered: int = parameter(5, "Recipes of which a picture is rendered, the most probable ones", low=1, high=100)
    candidates: int = parameter(3, "Recipes that are refined, the nearest ones", low=1, high=20)
    trust: float = parameter(1.0, "Weight of the classifier beside the l1 difference of textures", low=0, high=100)
    steps: int = parameter(30, "Steps of the refinement; 0: none", low=0, high=10_000)
    learning_rate: float = parameter(0.02, "Largest change in a step, as a share of the range", above=0, high=0.5)
    rigidity: float = parameter(0.1, "How much the prediction holds what is refined: 0 is free", low=0, high=1000)
    size_px: int = parameter(256, "Edge of the geometry that is refined on", unit="px", low=64, high=2048)
    pictures: int = parameter(6, "Pictures of each refinement that are kept", low=2, high=200)
    engine: Literal["native", "mitsuba", "cycles"] = parameter("native", "What renders the picture of the result")


class Value(NamedTuple):
    """A parameter of a fit and its interval."""

    value: float
    low: float  # 90 % interval of the prediction; NaN where there is none
    high: float


class Fit(NamedTuple):
    """What was found for a picture."""

    recipe: Recipe  # turned, of the target's size
    parameters: dict  # of `Value`, by dotted names
    rendering: np.ndarray  # (H, W) uint8, another geometry of the same kind
    history: pd.DataFrame  # one row a step: recipe, step, loss, difference, picture (which of the pictures, -1: none)
    pictures: np.ndarray  # (m, h, w) uint8: the refinement, picture by picture
    candidates: pd.DataFrame  # recipe, share, difference, score, refined (difference), best; nearest first


def fit_image(
    target, recipes=None, model="default", parameters=None, *, steps=None, seed=0, pixel_size_nm=None, progress=None
):
    """Find the recipe and the parameters whose pictures are like a given one.

    Parameters
    ----------
    target : (H, W) array_like
        uint8, or float from 0 to 1.
    recipes : sequence of str, optional
        Those that come into question; by default all of the fitter's library.
    model : str, path or Fitter
    parameters : Fitting, optional
    steps : int, optional
        Of the refinement, instead of the parameters'.
    seed : int
        Of the geometries of the renderings, and of their noise.
    pixel_size_nm : float, optional
        Edge of a pixel of the target; by default that of the recipe. All lengths of the result go with it.
    progress : callable, optional

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If the target is no picture, or a recipe is not in the fitter's library.
    """
    image = check_picture(target)
    p = parameters or Fitting()
    p = p if steps is None else p.replace(steps=steps)
    if pixel_size_nm is not None and not pixel_size_nm > 0:
        raise ValueError(f"pixel_size_nm must be positive, got {pixel_size_nm!r}")
    fitter = model if isinstance(model, Fitter) else load_fitter(model)
    descriptor = fitter.describe(image)
    found = find_candidates(fitter, descriptor, recipes, p, seed, part_of(progress, 0, SEARCH))
    refined, share = [], (1 - SEARCH) / len(found)
    for k, candidate in enumerate(found):
        part = part_of(progress, SEARCH + k * share, share, candidate.name)
        refined.append(refine(fitter, candidate, descriptor, p, seed, part))
    scores = [r.difference - p.trust * np.log(c.share) for c, r in zip(found, refined, strict=True)]
    best = int(np.argmin(scores))
    height, width = min(image.shape[0], LARGEST_PX), min(image.shape[1], LARGEST_PX)
    chosen, name = found[best], found[best].name
    recipe = turn(fitter.library[name], from_unit(fitter.library[name], refined[best].units))
    table, factor = fitter.tabulate(name, refined[best].units, chosen.spread), 1.0
    if pixel_size_nm is not None:
        factor = pixel_size_nm / recipe.pixel_size_nm
        recipe = rescale(recipe, pixel_size_nm)
    share = width * height / (recipe.width_px * recipe.height_px)
    recipe = recipe.reframe(width, height)
    history = pd.concat([r.history.assign(recipe=c.name) for c, r in zip(found, refined, strict=True)])
    offsets = np.cumsum([0, *(len(r.pictures) for r in refined)])
    for start, candidate in zip(offsets, found, strict=False):
        history.loc[(history.recipe == candidate.name) & (history.picture >= 0), "picture"] += start
    candidates = pd.DataFrame(
        [
            (c.name, c.share, c.difference, score, r.difference, k == best)
            for k, (c, r, score) in enumerate(zip(found, refined, scores, strict=True))
        ],
        columns=["recipe", "share", "difference", "score", "refined", "best"],
    )
    scale = {"populations.number": share, "populations.diameter_nm": factor, "technique.free_path_nm": factor}
    values = {
        row.parameter: Value(*(v * scale.get(row.parameter, 1.0) for v in (row.value, row.low, row.high)))
        for row in table.itertuples()
    }
    return Fit(
        recipe,
        values,
        synthesise(recipe, seed, p.engine).image,
        history[["recipe", "step", "loss", "difference", "picture"]].reset_index(drop=True),
        np.concatenate([r.pictures for r in refined]),
        candidates,
    )


class Candidate(NamedTuple):
    """A recipe, and what the fitter says of it."""

    name: str
    share: float  # how probable it is
    difference: float  # l1 difference of the textures of the target and of a picture with the predicted parameters
    mean: np.ndarray  # (k,) of the knobs, in unit coordinates
    spread: np.ndarray


class Refined(NamedTuple):
    """A refined candidate."""

    units: np.ndarray  # (k,)
    difference: float  # l1, of a picture with these
    history: pd.DataFrame
    pictures: np.ndarray


def find_candidates(fitter, descriptor, recipes, parameters, seed, progress=None):
    """Return the `Candidate` recipes nearest to a descriptor, the nearest first."""
    p, found = parameters, []
    prediction = fitter.predict(descriptor, recipes)
    likely = np.argsort(-prediction.shares[0])[: max(p.rendered, p.candidates)]
    for number, which in enumerate(likely):
        name = prediction.recipes[which]
        mean, spread = prediction.means[which][0], prediction.spreads[which][0]
        difference = fitter.difference(descriptor, fitter.describe(_picture(fitter, name, mean, p, seed)))
        found.append(Candidate(name, float(prediction.shares[0, which]), float(difference), mean, spread))
        if progress:
            progress((number + 1) / len(likely), f"{name}: texture differs by {difference:.2f}")
    found.sort(key=lambda c: c.difference - p.trust * np.log(c.share))
    return found[: p.candidates]


def refine(fitter, candidate, descriptor, parameters, seed, progress=None):
    """Refine the technique and the camera of a candidate by gradient; its geometry stays.

    The loss is the l1 difference of the differentiable part of the descriptors, in units of their scatter, and a
    penalty on leaving the prediction: the square of the distance in its standard deviations. The step of the least
    loss counts, unless a whole picture with its parameters is farther from the target than one with the predicted ones.

    Returns
    -------
    Refined
    """
    import torch

    from particlelab.micrographs.texture_layers import Bank

    p, name, base = parameters, candidate.name, fitter.library[candidate.name]
    which = [k for k, knob in enumerate(knobs(base)) if knob.name in DIFFERENTIABLE]
    bank = Bank()
    recipe = turn(base, from_unit(base, candidate.mean)).reframe(p.size_px)
    scene = build_scene(recipe, generator(seed, "refinement", name))
    renderer = Renderer(fix_geometry(scene, generator(seed, "refinement", name, "technique")))
    noise = noise_like((p.size_px, p.size_px), generator(seed, "refinement", name, "noise"))
    with torch.no_grad():
        seen = bank(renderer.observe(noise=noise)[None])[0]
    aim = torch.from_numpy(np.asarray(descriptor[: len(seen)], np.float32))
    scatter = torch.from_numpy(fitter.scatter[: len(seen)].astype(np.float32))
    mean = torch.from_numpy(candidate.mean[which].astype(np.float32))
    spread = torch.from_numpy(candidate.spread[which].astype(np.float32))
    moved = torch.zeros(len(which), requires_grad=True)
    optimiser = torch.optim.Adam([moved], p.learning_rate)
    shown = set(np.unique(np.round(np.linspace(0, p.steps, p.pictures)).astype(int)).tolist())
    rows, pictures = [], []
    for step in range(p.steps + 1):
        units = (mean + moved).clamp(0, 1)
        values = {knobs(base)[k].name: knobs(base)[k].from_unit(u) for k, u in zip(which, units, strict=True)}
        picture = renderer.observe(values, noise)
        difference = ((bank(picture[None])[0] - aim) / scatter).abs().mean()
        loss = difference + p.rigidity * ((moved / spread) ** 2).mean()
        at = -1
        if step in shown:
            at = len(pictures)
            pictures.append((255 * picture.detach().numpy()).round().astype(np.uint8))
        rows.append((step, float(loss.detach()), float(difference.detach()), at))
        if rows[-1][1] <= min(row[1] for row in rows):
            best = moved.detach().numpy().copy()
        if step < p.steps:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if progress:
            progress((step + 1) / (p.steps + 1), f"step {step} of {p.steps}, difference {rows[-1][2]:.3f}")
    units = candidate.mean.copy()
    units[which] = np.clip(units[which] + best, 0, 1)
    final = candidate.difference
    if p.steps:
        final = float(fitter.difference(descriptor, fitter.describe(_picture(fitter, name, units, p, seed))))
        if final > candidate.difference:
            units, final = candidate.mean, candidate.difference
    history = pd.DataFrame(rows, columns=["step", "loss", "difference", "picture"])
    return Refined(units, final, history, np.stack(pictures))


def _picture(fitter, name, units, parameters, seed):
    """Return a picture of a recipe of the library, turned, of the size at which the fitter has learned."""
    size = fitter.card["training"]["size_px"]
    recipe = turn(fitter.library[name], from_unit(fitter.library[name], units)).reframe(size)
    return synthesise(recipe, seed).image
