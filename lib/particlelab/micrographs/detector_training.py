"""Training of detectors on synthesised pictures."""

from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from particlelab.learning.digests import digest
from particlelab.micrographs.centre_network import CentreDetector, balance, draw_truth, normalise
from particlelab.micrographs.detector import Detector, load_detector
from particlelab.micrographs.mask_rcnn import MaskRCNNDetector, losses
from particlelab.micrographs.mask_rcnn import normalise as boxes_see
from particlelab.micrographs.training_pictures import draw_pictures
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import check_rng, generator, log_uniform

DRAWING = 0.2  # share of the progress that the pictures take, unless they are given


class _Training(Parameters):
    pictures: int = parameter(4000, "Pictures to train on", low=1, high=1_000_000)
    picture_px: int = parameter(256, "Edge of a picture", unit="px", low=32, high=4096)
    recipes: tuple[str, ...] = parameter((), "Recipes that the pictures are drawn from; none draws random ones")
    seed: int = parameter(1000, "Seed of the pictures", low=0)
    iterations: int = parameter(12_000, "Iterations", low=1, high=10_000_000)
    batch: int = parameter(4, "Pieces of pictures in an iteration", low=1, high=1024)
    piece_px: int = parameter(160, "Edge of a piece", unit="px", low=32, high=4096)
    zoom: float = parameter(1.5, "A piece is scaled by at most so much, up and down", low=1, high=4)
    learning_rate: float = parameter(2e-3, "Highest learning rate", above=0, high=1)
    weight_decay: float = parameter(1e-4, "Weight decay", low=0, high=1)
    checkpoint: int = parameter(200, "Iterations between two checkpoints", low=1, high=1_000_000)
    workers: int = parameter(1, "Processes that draw the pictures", low=1, high=256)

    @model_validator(mode="after")
    def _pieces(self):
        if self.piece_px > self.picture_px:
            raise ValueError(f"piece_px = {self.piece_px} must be at most picture_px = {self.picture_px}")
        return self


class CentreTraining(_Training):
    """How the fast detector is trained: a small U-Net of centres and offsets (`centre_network`)."""

    widths: tuple[Annotated[int, Field(ge=8, le=1024, multiple_of=8)], ...] = parameter(
        (24, 48, 96, 128, 128), "Channels of the network's levels, multiples of 8"
    )


class MaskRCNNTraining(_Training):
    """How Mask R-CNN is trained.

    The report (AP1.4) names Mask R-CNN, and no number of its training; the backbone, ResNet50 with a feature pyramid
    and weights of COCO to begin with, is that of the authors' own work (Frei and Kruis, Eng 3, 78, 2022), as are
    stochastic gradient descent with a momentum of 0.9 and the weight decay.
    """

    backbone: Literal["resnet50", "resnet18"] = parameter("resnet50", "Backbone under the feature pyramid")
    weights: Literal["coco", "none"] = parameter("coco", "Weights to begin with: COCO's if they can be had, or random")
    magnification: int = parameter(2, "A picture is magnified so many times before the network sees it", low=1, high=8)
    pictures: int = parameter(5000, "Pictures to train on", low=1, high=1_000_000)
    iterations: int = parameter(20_000, "Iterations", low=1, high=10_000_000)
    batch: int = parameter(2, "Pieces of pictures in an iteration", low=1, high=1024)
    piece_px: int = parameter(256, "Edge of a piece", unit="px", low=32, high=4096)
    learning_rate: float = parameter(5e-3, "Highest learning rate", above=0, high=1)
    momentum: float = parameter(0.9, "Momentum of the gradient descent", low=0, below=1)


def train_detector(parameters=None, rng=None, start=None, folder=None, progress=None, *, pictures=None):
    """Train a detector on synthesised pictures.

    Parameters
    ----------
    parameters : CentreTraining or MaskRCNNTraining, optional
        Without it the document's Mask R-CNN.
    rng : numpy.random.Generator
        Gives the first weights, and the order, cuts, turns and grey levels of the pieces.
    start : Detector, str or path, optional
        A trained detector of the same build, whose weights are gone on from.
    folder : path, optional
        Where pictures (``pictures/``) and checkpoints (``checkpoints/``) are kept: a training that was killed goes on
        from the last ones, if all else is the same.
    progress : callable, optional
        Called with the share that is done and a text.
    pictures : Pictures, optional
        To train on, in place of those that ``parameters`` would draw.

    Returns
    -------
    Detector
        With a table ``history`` of the training: ``iteration``, ``loss``, ``learning_rate``.

    Raises
    ------
    ValueError
        If rng is missing, ``start`` is another network, the pictures are smaller than a piece, or the folder holds
        another training.
    """
    import torch

    from particlelab.learning.training import course, train

    p, rng = MaskRCNNTraining() if parameters is None else parameters, check_rng(rng)
    seed = int(rng.integers(2**31))
    kind = _kind(p)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network, entry = kind.untrained(p)
    if start is not None:
        start = start if isinstance(start, Detector) else load_detector(start)
        _go_on_from(network, entry, start)
    begun = 0.0 if pictures is not None else DRAWING
    if pictures is None:
        keep = folder and f"{folder}/pictures"
        recipes = list(p.recipes) or None
        drawn = part_of(progress, 0.0, begun, "pictures")
        pictures = draw_pictures(
            p.pictures, p.seed, p.picture_px, recipes=recipes, workers=p.workers, folder=keep, progress=drawn
        )
    if min(pictures.images.shape[1:]) < p.piece_px:
        raise ValueError(f"piece_px = {p.piece_px} is larger than the pictures, {pictures.images.shape[1:]}")
    if kind is CentreDetector:
        network, batches, loss = (
            network.to(memory_format=torch.channels_last),
            _CentreBatches(p, pictures, seed),
            centre_loss,
        )
    else:
        batches, loss = _BoxBatches(p, pictures, seed), partial(losses, magnification=p.magnification)
    history = train(
        network,
        batches,
        loss,
        _descent(p),
        iterations=p.iterations,
        seed=seed,
        folder=folder and f"{folder}/checkpoints",
        name=f"{p.replace(workers=1, checkpoint=1)!r}, {seed}, {_digest(network, pictures)}",
        every=p.checkpoint,
        progress=part_of(progress, begun, 1 - begun),
    )
    card = {
        "purpose": "Finds the particles of a micrograph: visible outline, score and diameter of each; "
        "trained on synthesised pictures only.",
        "network": entry,
        "training": p.model_dump(mode="json") | {"seed of the pieces and the first weights": seed},
        "data": {
            "drawn by": "particlelab.micrographs.draw_pictures",
            "recipes": list(p.recipes) or "random ones, particlelab.micrographs.variants.draw_recipe",
            "pictures": len(pictures.images),
            "particles": len(pictures.particles),
        },
        "loss": course(history),
    }
    if start is not None:
        card["begun from"] = {"training": start.card.get("training", {}), "loss": start.card.get("loss", {})}
    detector = kind(network, card)
    detector.history = history
    return detector


def centre_loss(network, image, truth):
    """Return the loss of a batch of the centre network.

    Particle or ground: cross entropy, each particle weighted alike with ground, and one less the Dice coefficient;
    heat of centres: focal loss (Zhou et al. 2019, "Objects as points"); offsets: smooth absolute error in visible
    diameters; both diameters: smooth absolute error of their logarithm. A particle counts in the last three by the
    square root of its visible pixels, between one that counts like all others and one that counts by its area, and each
    picture counts alike, whether a few particles are in it or hundreds.

    Parameters
    ----------
    network : CentreUNet
    image : (B, 1, H, W) tensor
    truth : (B, 8, H, W) tensor
        As of `draw_truth`.

    Returns
    -------
    scalar tensor
    """
    import torch
    from torch.nn import functional

    from particlelab.micrographs.centre_network_layers import UNIT_PX

    answer = network(image)
    seen, heat, down, right, diameter, visible, weight, judged = truth.unbind(1)
    weights = torch.where(seen > 0, balance(visible), 1.0)  # the rim of small particles is most of them
    entropy = functional.binary_cross_entropy_with_logits(answer.particle, seen, weights, reduction="sum")
    entropy = entropy / weights.sum()
    score = torch.sigmoid(answer.particle)
    dice = 1 - (2 * (score * seen).sum() + 1) / (score.sum() + seen.sum() + 1)

    likely = torch.sigmoid(answer.centre)
    peak = heat == 1
    found = functional.logsigmoid(answer.centre) * (1 - likely) ** 2
    missed = functional.logsigmoid(-answer.centre) * likely**2 * (1 - heat) ** 4 * judged
    centres = -torch.where(peak, found, missed).sum((1, 2)) / (peak.sum((1, 2)) + 1.0)

    share = weight / (weight.sum((1, 2), keepdim=True) + 1e-3)
    off = torch.hypot(answer.down * UNIT_PX - down + 1e-4, answer.right * UNIT_PX - right) / visible.clamp(min=3)
    offsets = functional.smooth_l1_loss(off, torch.zeros_like(off), reduction="none", beta=0.05)
    sizes = sum(
        functional.smooth_l1_loss(told, torch.log(true.clamp(min=1) / UNIT_PX), reduction="none", beta=0.1)
        for told, true in ((answer.log_diameter, diameter), (answer.log_visible, visible))
    )
    of_particles = (share * (4 * offsets + 2 * sizes)).sum((1, 2))
    return entropy + 0.5 * dice + 0.5 * centres.mean() + of_particles.mean()


def alter_grey(image, rng):
    """Return a grey picture with its grey levels altered as other cameras, light and materials would.

    Gamma, inversion, a gradient, blur and noise, each at random and each sometimes not at all.

    Parameters
    ----------
    image : (H, W) float32 array
        0 to 1.
    rng : numpy.random.Generator

    Returns
    -------
    (H, W) float32 array
    """
    import cv2

    low, high = float(image.min()), float(image.max())
    image = (image - low) / max(high - low, 1e-3)
    if rng.random() < 0.5:
        image = image ** np.float32(log_uniform(rng, 0.6, 1.7))
    if rng.random() < 0.3:
        image = 1 - image
    if rng.random() < 0.3:
        rows, columns = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in image.shape)
        slope = rng.normal(0, 0.15, 2).astype(np.float32)
        image = image + slope[0] * rows[:, None] + slope[1] * columns[None, :]
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.3))
    if rng.random() < 0.4:
        image = image + rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(0, 0.12))
    return np.ascontiguousarray(image, np.float32)


def cut_piece(image, instances, diameters_px, size_px, zoom, rng):
    """Cut a square piece out of a picture at random, scaled, turned by quarters and mirrored.

    Parameters
    ----------
    image : (H, W) uint8 array
    instances : (H, W) int array
    diameters_px : (N,) array
    size_px : int
        Edge of the piece, at most that of the picture.
    zoom : float
        The piece is scaled by at most so much, up and down; a picture too small for it is mirrored at its edges.
    rng : numpy.random.Generator

    Returns
    -------
    image : (size_px, size_px) float32 array
        0 to 1.
    instances : (size_px, size_px) int32 array
    diameters_px : (N,) array
    """
    import cv2

    factor = log_uniform(rng, 1 / zoom, zoom) if zoom > 1 else 1.0
    edge = max(8, min(round(size_px / factor), *image.shape))
    factor = size_px / edge
    top, left = (int(rng.integers(n - edge + 1)) for n in image.shape)
    window = slice(top, top + edge), slice(left, left + edge)
    piece, marks = image[window].astype(np.float32) / 255, instances[window].astype(np.int32)
    if edge != size_px:
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        piece = cv2.resize(piece, (size_px, size_px), interpolation=how)
        at = np.minimum(((np.arange(size_px) + 0.5) / factor).astype(int), edge - 1)
        marks = marks[at[:, None], at[None, :]]
    turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
    piece, marks = (np.rot90(a, turns) for a in (piece, marks))
    if mirrored:
        piece, marks = piece[:, ::-1], marks[:, ::-1]
    return np.ascontiguousarray(piece), np.ascontiguousarray(marks), np.asarray(diameters_px) * factor


def _kind(parameters):
    if isinstance(parameters, CentreTraining):
        return CentreDetector
    if isinstance(parameters, MaskRCNNTraining):
        return MaskRCNNDetector
    raise ValueError(f"parameters must be a CentreTraining or a MaskRCNNTraining, got {type(parameters).__name__}")


def _go_on_from(network, entry, start):
    theirs = start.card.get("network", {})
    build = {key: value for key, value in entry.items() if key != "weights"}
    if {key: theirs.get(key) for key in build} != build:
        raise ValueError(f"start is another network, {theirs}, not {build}")
    network.load_state_dict(start.network.state_dict())


def _digest(network, pictures):
    """Return a checksum of what a training begins with: weights and pictures."""
    weights = [array.numpy() for array in network.state_dict().values()]
    return digest(*weights, pictures.images, pictures.instances, pictures.particles.diameter_px.to_numpy(np.float64))


def _descent(parameters):
    """Return what `train` configures by."""
    from particlelab.learning.training import one_cycle

    if isinstance(parameters, CentreTraining):
        return one_cycle(parameters)

    def configure(network):
        import torch

        p = parameters
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        optimiser = torch.optim.SGD(weights, p.learning_rate, momentum=p.momentum, weight_decay=p.weight_decay)
        return optimiser, torch.optim.lr_scheduler.OneCycleLR(
            optimiser, p.learning_rate, p.iterations + 1, pct_start=0.1, cycle_momentum=False
        )

    return configure


class _Batches:
    """The n-th batch of a training: pieces of the pictures, which are taken in another order in each round."""

    def __init__(self, parameters, pictures, seed):
        self.parameters, self.pictures, self.seed = parameters, pictures, seed
        number = np.bincount(pictures.particles.picture, minlength=len(pictures.images))
        self.diameters = np.split(pictures.particles.diameter_px.to_numpy(np.float64), np.cumsum(number)[:-1])
        self.order = {}

    def pieces(self, n):
        p, rng = self.parameters, generator(self.seed, "pieces", n)
        for k in range(n * p.batch, (n + 1) * p.batch):
            turn, at = divmod(k, len(self.diameters))
            if turn not in self.order:
                self.order[turn] = generator(self.seed, "order", turn).permutation(len(self.diameters))
            which = self.order[turn][at]
            image, instances = self.pictures.images[which], self.pictures.instances[which]
            image, instances, diameters = cut_piece(image, instances, self.diameters[which], p.piece_px, p.zoom, rng)
            yield alter_grey(image, rng), instances, diameters


class _CentreBatches(_Batches):
    def __call__(self, n):
        import torch

        drawn = [(normalise(image), draw_truth(*truth)) for image, *truth in self.pieces(n)]
        images, truths = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
        return images[:, None], truths


class _BoxBatches(_Batches):
    def __call__(self, n):
        import torch

        drawn = [(boxes_see(image), instances) for image, instances, _ in self.pieces(n)]
        return tuple(torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
