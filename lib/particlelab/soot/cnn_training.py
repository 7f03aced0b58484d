"""Training of the convolutional network on simulated micrographs (Sipkens et al., sec. 2.1.2, on real ones)."""

import os
import warnings
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator, log_uniform
from particlelab.soot.cnn import STRIDE, Segmenter, build_network, load_segmenter, standardise
from particlelab.soot.micrographs import Micrograph, Scene, draw_scene, take_picture

CROPS_PER_SCENE = 4
FRAME_PX = 768  # the part of the grid that aggregates are put on, of which crops are taken
MARGIN = 1.25  # a crop is rendered so much wider, so that turning and scaling it leaves no empty corner


class SegmenterTraining(Parameters):
    """How the network is trained; the defaults train a small one in minutes on two cores."""

    encoder: str = parameter("tu-regnetx_002", "Encoder, by its name in segmentation_models_pytorch")
    weights: str = parameter("random", "Weights to start from: random, imagenet (the encoder's), or a trained network")
    pyramid_channels: int = parameter(64, "Channels of the decoder's pyramid", low=8, high=512)
    segmentation_channels: int = parameter(32, "Channels of the decoder's segmentation branch", low=8, high=512)
    magnification: int = parameter(2, "Magnification of the image before the network; 1 in the document", low=1, high=4)
    iterations: int = parameter(400, "Iterations, one batch each", low=1, high=1_000_000)
    batch: int = parameter(8, "Crops in a batch", low=1, high=1024)
    crop_px: int = parameter(160, "Edge of a crop, a multiple of 32", unit="px", low=32, high=2048)
    learning_rate: float = parameter(1e-3, "Base learning rate", above=0, high=1)
    warm_up_iterations: int = parameter(40, "Iterations over which the learning rate rises", low=0, high=1_000_000)
    warm_up_factor: float = parameter(0.001, "Learning rate at the start, relative to the base", above=0, high=1)
    drop_iterations: tuple[Annotated[int, Field(ge=1)], ...] = parameter(
        (270, 360), "Iterations after which the learning rate drops"
    )
    drop_factor: float = parameter(0.1, "Learning rate after a drop, relative to before", above=0, high=1)
    weight_decay: float = parameter(1e-4, "Weight decay of the Adam optimiser", low=0, high=1)
    workers: int = parameter(1, "Processes that simulate crops ahead of the training", low=0, high=64)
    seed: int = parameter(0, "Seed of the crops and of the first weights", low=0)

    @model_validator(mode="after")
    def _crops(self):
        if self.crop_px % STRIDE:
            raise ValueError(f"crop_px = {self.crop_px} must be a multiple of {STRIDE}")
        return self


# Table 2 and sec. 2.1.2 of the document, which gives neither the size of crops nor the weight decay.
DOCUMENT_TRAINING = SegmenterTraining(
    encoder="resnet50",
    weights="imagenet",
    pyramid_channels=256,
    segmentation_channels=128,
    magnification=1,
    iterations=10_000,
    batch=24,
    crop_px=512,
    learning_rate=1e-4,
    warm_up_iterations=1000,
    drop_iterations=(2000, 8000),
    workers=8,
)


def train_segmenter(parameters, rng, folder=None, progress=None):
    """Train a network to segment micrographs, on simulated ones that are drawn while it trains.

    Loss, optimiser and schedule are the document's: binary cross entropy (eq. 1), Adam, linear warm-up, drops.

    Parameters
    ----------
    parameters : SegmenterTraining
    rng : numpy.random.Generator
        Gives the seed of crops and first weights, together with ``parameters.seed``.
    folder : path, optional
        For checkpoints: a training that was killed goes on from the last one, if all else is the same.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Segmenter
        With a table ``history`` of the training: ``iteration``, ``loss``, ``learning_rate``.

    Raises
    ------
    ValueError
        If the encoder is unknown, or the folder holds another training's checkpoint.
    """
    import torch

    from particlelab.learning.training import course, train

    p = parameters
    seed = int(rng.integers(2**31))
    with torch.random.fork_rng():
        torch.manual_seed(int(generator(seed, "weights", p.seed).integers(2**31)))
        network, weights = _first_network(p)
    history = train(
        network,
        _Crops(p, seed),
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
        "purpose": "Tells soot from background in TEM images of any size; trained on simulated micrographs only.",
        "network": {
            "encoder": p.encoder,
            "pyramid_channels": p.pyramid_channels,
            "segmentation_channels": p.segmentation_channels,
            "magnification": p.magnification,
        },
        "training": p.model_dump() | {"weights": weights},
        "data": {
            "crops": p.iterations * p.batch,
            "scenes": p.iterations * p.batch // CROPS_PER_SCENE,
            "simulated by": "particlelab.soot.cnn_training.draw_crops",
        },
        "loss": course(history),
    }
    segmenter = Segmenter(network, card)
    segmenter.history = history
    return segmenter


def learning_rates(parameters):
    """Return the learning rate of each iteration (figure 2 of the document), from the scheduler that the training uses.

    Parameters
    ----------
    parameters : SegmenterTraining

    Returns
    -------
    (iterations,) ndarray
    """
    import torch

    optimiser, scheduler = _optimiser(torch.nn.Linear(1, 1), parameters)
    rates = []
    for _ in range(parameters.iterations):
        rates.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()
    return np.array(rates)


def draw_crops(parameters, rng, n=CROPS_PER_SCENE):
    """Simulate a scene and take pictures of parts of it, each under conditions of its own, with augmentations.

    The conditions are those measured on real images, or range wider, so that the network relies on none of them. The
    augmentations are the document's: flips, scale and shift, crop, noise, perspective, contrast, blur.

    Parameters
    ----------
    parameters : SegmenterTraining
    rng : numpy.random.Generator
    n : int
        Crops of the scene.

    Returns
    -------
    images : (n, crop_px, crop_px) float32 ndarray
        Standardised, as `standardise` leaves a micrograph, but not exactly so: a crop is not a whole image.
    masks : (n, crop_px, crop_px) bool ndarray
    """
    size = parameters.crop_px
    scene, base = _draw_scene(rng)
    augment = _augmentations(size, int(rng.integers(2**31)))
    images, masks = [], []
    for _ in range(n):
        frame = round(MARGIN * size)
        image, mask, _ = take_picture(_window(scene, base, frame, rng), _conditions(base, frame, rng), rng)
        found = augment(image=image, mask=mask.view(np.uint8))
        image = standardise(found["image"]) * rng.uniform(0.6, 1.6) + rng.uniform(-0.7, 0.7)
        images.append(image.astype(np.float32))
        masks.append(found["mask"] > 0)
    return np.stack(images), np.stack(masks)


class _Crops:
    """The n-th batch of a training."""

    def __init__(self, parameters, seed):
        self.parameters, self.seed = parameters, seed

    def __call__(self, n):
        import torch

        p = self.parameters
        rng = generator(self.seed, "crops", p.seed, n)
        sizes = [min(CROPS_PER_SCENE, p.batch - k) for k in range(0, p.batch, CROPS_PER_SCENE)]
        parts = [draw_crops(p, rng, size) for size in sizes]
        images, masks = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return torch.from_numpy(images)[:, None], torch.from_numpy(masks.astype(np.float32))[:, None]


def _loss(network, images, masks):
    from torch.nn.functional import binary_cross_entropy_with_logits

    return binary_cross_entropy_with_logits(network(images), masks)


def _optimiser(network, parameters):
    import torch

    p = parameters
    optimiser = torch.optim.Adam(network.parameters(), lr=p.learning_rate, weight_decay=p.weight_decay)

    def factor(iteration):
        rise = min(1.0, iteration / p.warm_up_iterations) if p.warm_up_iterations else 1.0
        drops = sum(iteration >= drop for drop in p.drop_iterations)
        return (p.warm_up_factor + (1 - p.warm_up_factor) * rise) * p.drop_factor**drops

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _first_network(parameters):
    """Return the network before training and what its weights are."""
    shape = parameters.encoder, parameters.pyramid_channels, parameters.segmentation_channels, parameters.magnification
    if parameters.weights == "random":
        return build_network(*shape), "random"
    if parameters.weights == "imagenet":
        try:
            return build_network(*shape, "imagenet"), "imagenet"
        except OSError as error:  # no internet, no cache
            warnings.warn(
                f"the ImageNet weights of {parameters.encoder} could not be had ({error}); training starts from "
                "random weights",
                stacklevel=3,
            )
            return build_network(*shape), "random"
    before = load_segmenter(parameters.weights)
    network = build_network(*shape)
    try:
        network.load_state_dict(before.network.state_dict())
    except RuntimeError:
        raise ValueError(f"the network {parameters.weights!r} has another shape: {before.card['network']}") from None
    return network, {"of a network that was trained with": before.card["training"]}


def _draw_scene(rng):
    """Draw aggregates as they may lie on a grid, and the conditions that they were drawn under."""
    while True:
        pixel = log_uniform(rng, 0.25, 2.5)
        dp, n = log_uniform(rng, 8.0, 50.0), log_uniform(rng, 2, 250)
        da = min(max(dp * n**0.46, 20.0), 0.6 * FRAME_PX * pixel)  # the shadow of n spheres of dp, about
        d_tem = rng.uniform(0.2, 0.5)
        base = Micrograph(
            pixel_size_nm=pixel,
            width_px=FRAME_PX,
            height_px=FRAME_PX,
            aggregates=int(rng.integers(1, 9)) if rng.random() < 0.9 else 0,
            da_nm=da,
            da_gsd=rng.uniform(1.0, 1.4),
            dp100_nm=min(max(dp * (100 / da) ** d_tem, 2.0), 90.0),
            d_tem=d_tem,
            primaries_gsd=rng.uniform(1.0, 1.4),
            fractal_dimension=rng.uniform(1.6, 2.1),
            prefactor=rng.uniform(1.3, 2.0),
            overlap=rng.uniform(0.0, 0.3),
            contaminants=int(rng.integers(0, 7)),
        )
        try:
            return draw_scene(base, rng), base
        except ValueError:  # too many primaries, no room, or no such aggregate: other conditions
            continue


def _window(scene, base, frame, rng):
    """Return the scene as seen through a window of the frame: about a sphere of soot, or anywhere."""
    spheres = scene.spheres
    soot = spheres[spheres["aggregate"] > 0]
    if len(soot) and rng.random() < 0.9:
        centre = soot[["x_nm", "y_nm"]].to_numpy()[rng.integers(len(soot))] + rng.uniform(-0.5, 0.5, 2) * (
            0.8 * frame * base.pixel_size_nm
        )
    else:
        centre = rng.uniform(0, FRAME_PX, 2) * base.pixel_size_nm
    corner = np.rint(centre / base.pixel_size_nm - frame / 2) * base.pixel_size_nm
    return Scene(spheres.assign(x_nm=spheres.x_nm - corner[0], y_nm=spheres.y_nm - corner[1]))


def _conditions(base, frame, rng):
    """Return how the microscope sees a window: half of the time as real ones do, otherwise within wide ranges."""
    if rng.random() < 0.5:
        return base.replace(width_px=frame, height_px=frame)
    noise = log_uniform(rng, 2.0, 18.0)
    values = {
        "attenuation_nm": log_uniform(rng, 35.0, 150.0),
        "background": rng.uniform(90, 225),
        "gradient": rng.uniform(0, 110),
        "noise_sd": noise,
        "noise_correlation": rng.uniform(0, 0.5),
        "fringe": rng.uniform(0, 3.5),
    }
    return base.replace(
        width_px=frame,
        height_px=frame,
        film_texture=log_uniform(rng, 0.001, 0.02),
        blur_px=rng.uniform(0.3, 2.2),
        grain_px=rng.uniform(1.0, 3.0),
        **{name: (value, value) for name, value in values.items()},
    )


def _augmentations(size, seed):
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would look for a newer version of itself online
    import albumentations

    return albumentations.Compose(
        [
            albumentations.HorizontalFlip(p=0.5),
            albumentations.VerticalFlip(p=0.5),
            albumentations.RandomRotate90(p=0.5),
            albumentations.Affine(
                scale=(0.85, 1.4), translate_percent=(-0.05, 0.05), rotate=(-15, 15), border_mode=4, p=0.4
            ),
            albumentations.Perspective(scale=(0.02, 0.06), border_mode=4, p=0.15),
            albumentations.RandomCrop(size, size),
            albumentations.PlasmaBrightnessContrast(
                brightness_range=(-0.12, 0.12), contrast_range=(-0.1, 0.1), plasma_size=size, p=0.15
            ),
            albumentations.RandomBrightnessContrast(0.15, 0.3, p=0.4),
            albumentations.RandomGamma((75, 135), p=0.3),
            albumentations.GaussianBlur(blur_limit=0, sigma_limit=(0.3, 1.2), p=0.15),
            albumentations.GaussNoise(std_range=(0.005, 0.03), p=0.15),
        ],
        seed=seed,
    )
