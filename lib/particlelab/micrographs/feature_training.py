"""Training of the lab's own network that describes pictures: it tells recipes apart and reads how each was varied.

What it must know for that, shapes and sizes of particles, light, blur and noise, is what its features describe.
"""

import dataclasses
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from particlelab.micrographs.features import Features
from particlelab.micrographs.recipe import load_recipe, recipes
from particlelab.micrographs.synthesis import synthesise
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import check_rng, generator, log_uniform

DRAWING = 0.4  # share of the progress that the pictures take
TESTED = 0.1  # share of the pictures that the network is judged by
FLAT = 0.2  # share of the pictures in flat greys
QUANTITIES = (  # what is read, with its mean and half its range
    ("ln of the mean diameter / px", 3.8, 0.4),
    ("geometric standard deviation", 1.3, 0.2),
    ("ln of the number on 10 000 px", 0.8, 0.6),
    ("grey level of the ground", 0.3, 0.2),
    ("grey level of the particles", 0.5, 0.2),
    ("edge", 0.6, 0.35),
    ("shadowing", 0.6, 0.35),
    ("texture", 0.06, 0.08),
    ("ln of the blur / px", 0.0, 0.7),
    ("ln of the dose", 5.0, 1.7),
    ("gradient", 0.12, 0.16),
    ("flat", 0.2, 0.4),
)


class FeatureTraining(Parameters):
    """How the network that describes pictures is trained."""

    pictures: int = parameter(1400, "Pictures, of which a tenth are kept for judging", low=20, high=1_000_000)
    picture_px: int = parameter(160, "Edge of a picture", unit="px", low=64, high=1024)
    piece_px: int = parameter(96, "Edge of the piece of it that is seen", unit="px", low=32, high=1024)
    left_out: tuple[str, ...] = parameter(("carbonyl_iron",), "Recipes of those that ship that it never sees")
    widths: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = parameter((16, 32, 64, 96), "Channels of its blocks")
    features: int = parameter(64, "Numbers that stand for a picture", low=1, high=4096)
    iterations: int = parameter(1200, "Iterations", low=1, high=10_000_000)
    batch: int = parameter(24, "Pictures in an iteration", low=2, high=4096)
    learning_rate: float = parameter(3e-3, "Highest learning rate", above=0, high=1)
    weight_decay: float = parameter(1e-3, "Weight decay", low=0, high=1)
    seed: int = parameter(500, "Seed of the pictures", low=0)


class Lesson(NamedTuple):
    """Pictures that the network learns from, and what it is to say of them."""

    images: np.ndarray  # (n, H, W) uint8
    kinds: np.ndarray  # (n,) int, number of the recipe
    quantities: np.ndarray  # (n, len(QUANTITIES)) float32, standardised; NaN where a recipe has none


def train_features(parameters, rng, folder=None, progress=None):
    """Train the network that describes pictures, on synthesised ones.

    Parameters
    ----------
    parameters : FeatureTraining
    rng : numpy.random.Generator
        Gives the first weights and the order of the pictures.
    folder : path, optional
        For checkpoints: a training that was killed goes on from the last one, if all else is the same.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Features
        With a table ``history`` of the training: ``iteration``, ``loss``, ``learning_rate``.

    Raises
    ------
    ValueError
        If rng is missing, a recipe that is left out does not ship, or pieces are larger than pictures.
    """
    import torch

    from particlelab.learning.training import course, one_cycle, train
    from particlelab.micrographs.feature_network_layers import OwnNetwork

    p, seed = parameters, int(check_rng(rng).integers(2**31))
    if p.piece_px > p.picture_px:
        raise ValueError(f"piece_px = {p.piece_px} must be at most picture_px = {p.picture_px}")
    names = _names(p.left_out)
    lesson = draw_lesson(p, names, part_of(progress, 0.0, DRAWING, "pictures"))
    tested = max(1, round(TESTED * p.pictures))
    learned, kept = (Lesson(*(part[some] for part in lesson)) for some in (slice(tested, None), slice(tested)))
    built = {
        "widths": list(p.widths),
        "features": p.features,
        "classes": len(names),
        "quantities": len(QUANTITIES),
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = OwnNetwork(**built).to(memory_format=torch.channels_last)
    history = train(
        network,
        _Batches(p, learned, seed),
        _loss,
        one_cycle(p),
        iterations=p.iterations,
        seed=seed,
        folder=folder,
        name=f"{p!r}, {seed}",
        progress=part_of(progress, DRAWING, 1 - DRAWING),
    )
    card = {
        "purpose": "Describes micrographs by numbers, for distances between sets of pictures, where no published "
        "network can be had. It learned to tell the lab's recipes apart and to read how each was varied; distances by "
        "it are not those of Inception, CLIP or VGG.",
        "network": built,
        "training": p.model_dump(mode="json") | {"seed of the order and the first weights": seed},
        "data": {"recipes": names, "simulated by": "particlelab.micrographs.feature_training.draw_lesson"},
        "loss": course(history),
        f"scores on {tested} pictures that it has not seen": judge(network, kept, names),
    }
    features = Features("own", network, card)
    features.history = history
    return features


def draw_lesson(parameters, names, progress=None):
    """Draw pictures of recipes, each varied at random (`vary_recipe`).

    Parameters
    ----------
    parameters : FeatureTraining
    names : sequence of str
        Of recipes, one after the other.
    progress : callable, optional

    Returns
    -------
    Lesson
    """
    p, images, quantities = parameters, [], []
    framed = [load_recipe(name).reframe(p.picture_px) for name in names]
    for k in range(p.pictures):
        rng = generator(p.seed, "lesson", k)
        made = synthesise(vary_recipe(framed[k % len(names)], rng), int(rng.integers(2**31)))
        images.append(made.image)
        quantities.append(_quantities(made))
        if progress:
            progress((k + 1) / p.pictures, f"{k + 1} of {p.pictures}")
    return Lesson(np.stack(images), np.arange(p.pictures) % len(names), np.array(quantities, np.float32))


def vary_recipe(recipe, rng):
    """Vary sizes, number, light and camera of a recipe at random; one picture in five is in flat greys.

    Parameters
    ----------
    recipe : Recipe
    rng : numpy.random.Generator

    Returns
    -------
    Recipe
    """
    larger, more = log_uniform(rng, 0.65, 1.6), log_uniform(rng, 0.5, 1.4)
    populations = tuple(
        population.replace(
            diameter_nm=larger * population.diameter_nm,
            smallest_nm=population.smallest_nm and larger * population.smallest_nm,
            largest_nm=population.largest_nm and larger * population.largest_nm,
            number=max(1, round(more * population.number)),
            deviation=rng.uniform(1.05, 1.55),
        )
        for population in recipe.populations
    )
    technique = recipe.technique.replace(
        ground=float(np.clip(recipe.technique.ground + rng.uniform(-0.15, 0.15), 0.02, 0.9)),
        brightness=float(np.clip(recipe.technique.brightness + rng.uniform(-0.2, 0.2), 0.1, 0.9)),
        edge=rng.uniform(0, 1.2),
        shadowing=rng.uniform(0, 1.2),
        texture=rng.uniform(0, 0.25) if rng.random() < 0.5 else 0.0,
        spread=rng.uniform(0, 0.2),
    )
    if rng.random() < FLAT:
        technique = technique.replace(kind="categorical")
    camera = recipe.camera.replace(
        blur_px=log_uniform(rng, 0.3, 3.5),
        dose=log_uniform(rng, 8, 4000),
        gradient=rng.uniform(0, 0.5) if rng.random() < 0.5 else 0.0,
        gradient_deg=rng.uniform(0, 360),
    )
    return dataclasses.replace(recipe, populations=populations, technique=technique, camera=camera)


def judge(network, lesson, names):
    """Return how well a network tells recipes apart (share right) and reads quantities (share of the variance).

    Parameters
    ----------
    network : OwnNetwork
    lesson : Lesson
    names : sequence of str
        Of the recipes.

    Returns
    -------
    dict of str to float
    """
    import torch

    with torch.inference_mode():
        seen = torch.from_numpy(lesson.images[:, None].astype(np.float32) / 255)
        kinds, quantities = zip(*(network(part) for part in seen.split(32)), strict=True)
    right = torch.cat(kinds).argmax(1).numpy() == lesson.kinds
    scores = {f"recipe right, of {len(names)}": float(right.mean())}
    for k, (name, *_) in enumerate(QUANTITIES):
        truth, read = lesson.quantities[:, k], torch.cat(quantities)[:, k].numpy()
        known = np.isfinite(truth)
        if known.sum() > 1 and truth[known].var() > 0:
            missed = np.mean((read[known] - truth[known]) ** 2)
            scores[f"variance explained: {name}"] = float(1 - missed / truth[known].var())
    return scores


def _names(left_out):
    known = recipes()
    for name in left_out:
        load_recipe(name)  # says which there are
    return [name for name in known if name not in left_out]


def _quantities(made):
    """Return what is true of a picture, standardised, in the order of `QUANTITIES`."""
    t, c = made.recipe.technique, made.recipe.camera
    ln = np.log(np.maximum(made.table.diameter_nm.to_numpy() / made.recipe.pixel_size_nm, 1.0))
    sem, flat = t.kind == "sem", t.kind == "categorical"
    unknown = np.nan
    values = (
        ln.mean() if len(ln) else unknown,
        np.exp(ln.std()) if len(ln) > 4 else unknown,
        np.log(max(len(ln), 1) / made.image.size * 1e4),
        t.ground if sem or flat else unknown,
        t.brightness if sem or flat else unknown,
        t.edge if sem else unknown,
        t.shadowing if sem else unknown,
        t.texture if sem else unknown,
        np.log(c.blur_px),
        np.log(c.dose),
        c.gradient,
        float(flat),
    )
    return [(value - mean) / half for value, (_, mean, half) in zip(values, QUANTITIES, strict=True)]


class _Batches:
    """The n-th batch of a training: pieces of pictures, turned and mirrored at random."""

    def __init__(self, parameters, lesson, seed):
        self.parameters, self.lesson, self.seed = parameters, lesson, seed

    def __call__(self, n):
        import torch

        p, rng, lesson = self.parameters, generator(self.seed, "batch", n), self.lesson
        which = rng.integers(len(lesson.images), size=p.batch)
        pieces = []
        for image in lesson.images[which]:
            top, left = rng.integers(p.picture_px - p.piece_px + 1, size=2)
            piece = np.rot90(image[top : top + p.piece_px, left : left + p.piece_px], rng.integers(4))
            pieces.append(piece[:, ::-1] if rng.random() < 0.5 else piece)
        images = torch.from_numpy(np.stack(pieces)[:, None].astype(np.float32) / 255)
        return images, torch.from_numpy(lesson.kinds[which]), torch.from_numpy(lesson.quantities[which])


def _loss(network, images, kinds, quantities):
    """Cross entropy of the recipe, in units of ignorance, and mean square error of the quantities that it has."""
    import torch
    from torch.nn import functional

    told, read = network(images)
    known = torch.isfinite(quantities)
    off = torch.where(known, read - torch.nan_to_num(quantities), 0.0)
    return functional.cross_entropy(told, kinds) / np.log(told.shape[1]) + (off**2).sum() / known.sum()
