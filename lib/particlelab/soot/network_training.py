"""Simulated primaries to train the network that sizes them, and its training."""

import math
from typing import Annotated, NamedTuple

import numpy as np
from numba import njit
from pydantic import Field, model_validator
from scipy import ndimage

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator, log_uniform
from particlelab.soot.aggregates import background_around, label_aggregates
from particlelab.soot.calibration import lone_scene
from particlelab.soot.growth import simulate_aggregate
from particlelab.soot.micrographs import Micrograph, render
from particlelab.soot.network import Sizer


class SizerTraining(Parameters):
    """How the sizing network is trained; the microscope's ranges are wider than those of real images."""

    widths: tuple[Annotated[int, Field(ge=1)], ...] = parameter((16, 32, 64, 96), "Channels of the network's levels")
    aggregates: int = parameter(4000, "Simulated aggregates to train on", low=2, high=1_000_000)
    seed: int = parameter(100, "Seed of these aggregates", low=0)
    iterations: int = parameter(1200, "Iterations", low=1, high=1_000_000)
    batch: int = parameter(16, "Pieces of aggregates in an iteration", low=2, high=256)
    piece_px: int = parameter(96, "Edge of a piece; a multiple of 16", unit="px", low=32, high=1024)
    learning_rate: float = parameter(2e-3, "Highest learning rate", above=0, high=0.1)
    weight_decay: float = parameter(1e-4, "Weight decay", low=0, high=1)
    dp_least_nm: float = parameter(7.0, "Smallest primary diameter", unit="nm", above=0, high=1000)
    dp_greatest_nm: float = parameter(70.0, "Largest primary diameter", unit="nm", above=0, high=1000)
    dp_least_px: float = parameter(8.0, "Smallest primary diameter in the image", unit="px", low=4, high=1000)
    dp_greatest_px: float = parameter(120.0, "Largest primary diameter in the image", unit="px", low=4, high=1000)
    n_greatest: int = parameter(400, "Most primaries; the fewest are 1", low=1, high=1000)
    gsd_greatest: float = parameter(1.5, "Largest geometric standard deviation; the smallest is 1", low=1, high=2)
    overlap_greatest: float = parameter(0.35, "Largest overlap of touching primaries", low=0, high=0.4)
    scale_jitter: float = parameter(1.7, "A primary is at most so much larger or smaller than wanted", low=1, high=4)
    frame_px: int = parameter(900, "Largest frame", unit="px", low=64, high=4096)
    workers: int = parameter(1, "Processes that simulate aggregates ahead of the training", low=0, high=64)

    @model_validator(mode="after")
    def _pieces(self):
        if self.piece_px % 16:
            raise ValueError(f"piece_px = {self.piece_px} must be a multiple of 16")
        return self


def train_sizer(parameters, rng, folder=None, progress=None):
    """Train a network to tell primary particles apart, on simulated aggregates.

    Parameters
    ----------
    parameters : SizerTraining
    rng : numpy.random.Generator
        Gives the seed of the pieces of the aggregates and of the first weights.
    folder : path, optional
        For checkpoints: a training that was killed goes on from the last one, if all else is the same.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Sizer
        With a table ``history`` of the training: ``iteration``, ``loss``, ``learning_rate``.

    Raises
    ------
    ValueError
        If the folder holds another training's checkpoint.
    """
    import torch

    from particlelab.learning.training import course, train
    from particlelab.soot.network_layers import UNet

    p = parameters
    seed = int(rng.integers(2**31))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = UNet(p.widths).to(memory_format=torch.channels_last)
    history = train(
        network,
        _Pieces(p, seed),
        _loss,
        lambda network: _optimiser(network, p),
        iterations=p.iterations,
        seed=seed,
        folder=folder,
        name=f"{p.replace(workers=0)!r}, {seed}",
        workers=p.workers,
        progress=progress,
    )
    card = {
        "purpose": "Tells the primary particles of a soot aggregate apart in a TEM image, hidden ones too: their "
        "number, the mean and the spread of their diameters, their places; trained on simulated aggregates only.",
        "network": {"widths": list(p.widths)},
        "training": p.model_dump(mode="json") | {"seed of the pieces and the first weights": seed},
        "data": {"simulated by": "particlelab.soot.network_training.simulate_example", "aggregates": p.aggregates},
        "loss": course(history),
    }
    sizer = Sizer(network, card)
    sizer.history = history
    return sizer


class Example(NamedTuple):
    """One aggregate as the network sees it, and its spheres."""

    channels: np.ndarray  # (2, h, w) float16, as in `View`
    spheres: np.ndarray  # (N, 3): column, row and radius in pixels of the view


def simulate_example(parameters, rng):
    """Simulate one aggregate, seen with a mask as a classifier might draw it.

    Parameters
    ----------
    parameters : SizerTraining
    rng : numpy.random.Generator

    Returns
    -------
    Example
    """
    from particlelab.soot.network_layers import PRIMARY_PX, view

    centres, radii, frame = _draw(parameters, rng)
    pixel = frame.pixel_size_nm
    dp_px = 2 * math.exp(np.log(radii).mean()) / pixel
    scene = lone_scene(centres, radii, frame.width_px, frame.height_px, pixel)
    scene.spheres[["x_nm", "y_nm"]] += rng.uniform(-0.5, 0.5, 2) * pixel
    picture = render(scene, frame, rng)
    labels, boxes = label_aggregates(_misjudge(picture.mask, picture.image, dp_px, rng))
    label = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    window, background = background_around(picture.image, np.where(labels == label, label, 0), boxes[label - 1])
    wanted = PRIMARY_PX * parameters.scale_jitter ** rng.uniform(-1, 1)
    labels = np.where(labels == label, label, 0)  # specks of a mask are not painted over
    seen = view(picture.image, background, labels, label, window, wanted / dp_px)
    x, y, r = scene.spheres[["x_nm", "y_nm", "r_nm"]].to_numpy().T / pixel
    spheres = np.column_stack([x - seen.column, y - seen.row, r]) * seen.scale
    return Example(seen.channels.astype(np.float16), spheres)


def _draw(parameters, rng):
    """Return centres and radii (nm) of an aggregate and the frame that it is seen in."""
    p = parameters
    while True:
        dp = log_uniform(rng, p.dp_least_nm, p.dp_greatest_nm)
        pixel = dp / log_uniform(rng, p.dp_least_px, p.dp_greatest_px)
        n = round(log_uniform(rng, 1, p.n_greatest))
        gsd, overlap = rng.uniform(1, p.gsd_greatest), rng.uniform(0, p.overlap_greatest)
        law = rng.uniform(1.5, 2.3), rng.uniform(1, 2)
        try:
            centres, radii = simulate_aggregate(n, *law, dp, gsd, rng, overlap)
        except ValueError:  # a few spheres cannot hold every law
            continue
        low, high = (centres - radii[:, None]).min(axis=0), (centres + radii[:, None]).max(axis=0)
        width, height = (max(64, math.ceil(edge / pixel) + 60) for edge in (high - low)[:2])
        if max(width, height) <= p.frame_px:
            break
    attenuation = log_uniform(rng, 40, 120)
    frame = Micrograph(
        pixel_size_nm=pixel,
        width_px=width,
        height_px=height,
        overlap=overlap,
        attenuation_nm=(attenuation, attenuation),
        background=(100, 225),
        gradient=(0, 40),
        noise_sd=(2, 14),
        noise_correlation=(0.03, 0.5),
        grain_px=rng.uniform(1, 2.5),
        film_texture=rng.uniform(0, 0.015),
        blur_px=rng.uniform(0.4, 2),
        fringe=(0.3, 3),
    )
    return centres, radii, frame


def _misjudge(mask, image, dp_px, rng):
    """Return a mask as a classifier might draw it: true, swollen or shrunk, by grey level, with gaps closed."""
    kind, blur = rng.choice(3, p=[0.4, 0.4, 0.2]), rng.uniform(0, 0.1) * dp_px
    drawn = mask
    if kind == 1:
        drawn = ndimage.gaussian_filter(mask.astype(np.float32), blur) > rng.uniform(0.3, 0.7)
    elif kind == 2:
        grey = ndimage.gaussian_filter(image.astype(np.float32), max(blur, 1.0))
        bright, dark = np.median(grey[~mask]), np.median(grey[mask])
        drawn = (grey < bright - rng.uniform(0.35, 0.6) * (bright - dark)) & ndimage.binary_dilation(mask, iterations=3)
    if rng.random() < 0.25:
        drawn = _close(drawn, rng.uniform(0, 0.4) * dp_px)
    return drawn if np.count_nonzero(drawn) > 0.6 * np.count_nonzero(mask) else mask


def _close(mask, radius):
    """Close gaps by a disk, with distances, which are faster than a large structuring element."""
    grown = ndimage.distance_transform_edt(~np.pad(mask, math.ceil(radius) + 1)) <= radius
    closed = ndimage.distance_transform_edt(grown) > radius
    edge = math.ceil(radius) + 1
    return closed[edge:-edge, edge:-edge] | mask


@njit(cache=True)
def draw_truth(spheres, size, primary_px, disk):
    """Draw what the network should say of spheres (N, 3; column, row, radius in pixels) in a piece of ``size`` pixels.

    Returns (5, size / 2, size / 2): 1 at centres, falling off as a Gaussian; ln(diameter / primary_px) of the sphere
    with the nearest centre; density (see `Answer`); density times that logarithm, and times its square, summed over
    spheres.
    """
    half = size // 2
    maps = np.zeros((5, half, half), np.float32)
    for k in range(len(spheres)):
        x, y, r = spheres[k]
        log = math.log(2 * r / primary_px)
        covered = 0
        for row in range(math.ceil(y - r), math.floor(y + r) + 1):
            reach = math.sqrt(max(r**2 - (row - y) ** 2, 0.0))
            covered += max(0, math.floor(x + reach) - math.ceil(x - reach) + 1)
        if covered == 0:
            continue
        weight = disk / covered
        for row in range(max(0, math.ceil(y - r)), min(size - 1, math.floor(y + r)) + 1):
            reach = math.sqrt(max(r**2 - (row - y) ** 2, 0.0))
            for column in range(max(0, math.ceil(x - reach)), min(size - 1, math.floor(x + reach)) + 1):
                maps[2, row // 2, column // 2] += weight
                maps[3, row // 2, column // 2] += weight * log
                maps[4, row // 2, column // 2] += weight * log**2
        cx, cy = (x - 0.5) / 2, (y - 0.5) / 2  # on the grid, whose first point lies between pixels 0 and 1
        sigma = max(0.7, 0.12 * r)
        reach = 3 * sigma
        for row in range(max(0, math.ceil(cy - reach)), min(half - 1, math.floor(cy + reach)) + 1):
            for column in range(max(0, math.ceil(cx - reach)), min(half - 1, math.floor(cx + reach)) + 1):
                height = math.exp(-((row - cy) ** 2 + (column - cx) ** 2) / (2 * sigma**2))
                if abs(row - cy) <= 0.5 and abs(column - cx) <= 0.5:
                    height = 1.0  # the grid point nearest to the centre
                if height > maps[0, row, column]:
                    maps[0, row, column] = height
                    maps[1, row, column] = log
    return maps


def cut_piece(example, size, rng):
    """Cut a square piece out of an example, turned and mirrored at random; return channels and spheres."""
    spheres = example.spheres
    x, y, _ = spheres[rng.integers(len(spheres))]
    height, width = example.channels.shape[1:]
    corner = []
    for at, edge in ((y, height), (x, width)):
        first = round(at + rng.uniform(-0.45, 0.45) * size - size / 2) if edge > size else (edge - size) // 2
        corner.append(min(max(first, 0), edge - size) if edge > size else first)
    top, left = corner
    piece = np.zeros((2, size, size), np.float32)
    inside = example.channels[:, max(top, 0) : top + size, max(left, 0) : left + size]
    piece[:, max(-top, 0) : max(-top, 0) + inside.shape[1], max(-left, 0) : max(-left, 0) + inside.shape[2]] = inside
    spheres = spheres - (left, top, 0)
    for axis in (0, 1):
        if rng.random() < 0.5:
            piece = np.flip(piece, 2 - axis)
            spheres[:, axis] = size - 1 - spheres[:, axis]
    if rng.random() < 0.5:
        piece, spheres = piece.swapaxes(1, 2), spheres[:, [1, 0, 2]]
    return np.ascontiguousarray(piece), np.ascontiguousarray(spheres)


class _Pieces:
    """The n-th batch of a training: pieces of simulated aggregates, each of which is kept once it was simulated."""

    def __init__(self, parameters, seed):
        self.parameters, self.seed, self.examples = parameters, seed, {}

    def __call__(self, n):
        import torch

        from particlelab.soot.network_layers import DISK, PRIMARY_PX

        p, rng = self.parameters, generator(self.seed, "pieces", n)
        pieces = []
        for which in rng.integers(p.aggregates, size=p.batch).tolist():
            if which not in self.examples:
                self.examples[which] = simulate_example(p, generator(p.seed, "aggregate", which))
            channels, spheres = cut_piece(self.examples[which], p.piece_px, rng)
            pieces.append((channels, draw_truth(spheres, p.piece_px, PRIMARY_PX, DISK)))
        return tuple(torch.from_numpy(np.stack(part)) for part in zip(*pieces, strict=True))


def _loss(network, channels, truth):
    """Return the loss of a batch.

    Density: Poisson; means of ln d and its square: squared error, weighted by the true density, so that sums of
    the answers over an aggregate are unbiased; centres: focal loss (Zhou et al. 2019, "Objects as points"); and the
    same sums over each whole piece, number and mean of ln d, by their squared error.
    """
    import torch
    from torch.nn import functional

    from particlelab.soot.network_layers import DISK

    answer = network(channels)
    centre, log_diameter, density, first, second = truth.unbind(1)
    spheres = density.sum((1, 2)) / DISK
    area = (density > 0).sum() + 1.0
    poisson = answer.density + 1e-3 - density * torch.log(answer.density + 1e-3)
    best = density + 1e-3 - density * torch.log(density + 1e-3)
    counted = (poisson - best).sum() / area
    total = density.sum()
    means = (density * answer.mean**2 - 2 * first * answer.mean).sum() / total
    means = means + (first**2 / (density + 1e-6)).sum() / total
    squares = (density * answer.square**2 - 2 * second * answer.square + second**2 / (density + 1e-6)).sum() / total

    score = torch.sigmoid(answer.centre)
    peak = centre == 1
    found = functional.logsigmoid(answer.centre) * (1 - score) ** 2
    missed = functional.logsigmoid(-answer.centre) * score**2 * (1 - centre) ** 4
    centres = -torch.where(peak, found, missed).sum() / (peak.sum() + 1.0)
    close = centre * (centre > 0.3)
    diameters = (close * (answer.log_diameter - log_diameter).abs()).sum() / (close.sum() + 1e-6)

    n = answer.density.sum((1, 2)) / DISK
    mean = (answer.density * answer.mean).sum((1, 2)) / (n * DISK + 1e-3)
    square = (answer.density * answer.square).sum((1, 2)) / (n * DISK + 1e-3)
    true_mean, true_square = (part.sum((1, 2)) / (spheres * DISK + 1e-3) for part in (first, second))
    sums = ((torch.log(n + 0.1) - torch.log(spheres + 0.1)) ** 2).mean() + 4 * ((mean - true_mean) ** 2).mean()
    sums = sums + 4 * ((square - true_square) ** 2).mean()
    return counted + 10 * means + 10 * squares + 0.2 * centres + diameters + 5 * sums


def _optimiser(network, parameters):
    import torch

    p = parameters
    optimiser = torch.optim.AdamW(network.parameters(), lr=p.learning_rate, weight_decay=p.weight_decay)
    rise = max(1, round(0.1 * p.iterations))

    def factor(iteration):
        return min((iteration + 1) / rise, 0.5 + 0.5 * math.cos(math.pi * iteration / p.iterations))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
