"""The cloud in an image of a person who breathes out: a U-Net, its training, and its scores."""

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from particlelab.learning.digests import digest
from particlelab.learning.models import half_precision, load_trained, save_model
from particlelab.measure.segmentation import confusion
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import check_rng, generator

BATCH = 16  # images that are looked at together
COMPARED = 50  # images, about, by which a checkpoint knows its data
ENCODER_STRIDE = 32  # an encoder of segmentation_models_pytorch sees one pixel for so many at its deepest


class UNetTraining(Parameters):
    """A U-Net and how it is trained; the defaults train a small one in minutes on two cores."""

    network: Literal["document", "smp"] = parameter(
        "document", "The document's U-Net, or segmentation_models_pytorch's with an encoder"
    )
    widths: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = parameter(
        (16, 32, 64, 128), "Channels of the levels (document)"
    )
    stride: int = parameter(1, "Pixels along a side that the first level takes as one (document: 1)", low=1, high=8)
    background: bool = parameter(False, "Show the network the picture before the breath, too (document: no)")
    disturbed: float = parameter(
        0.3, "Share of pieces whose background is moved, lighter or darker, and noisy (background)", low=0, high=1
    )
    dropout: float = parameter(0.1, "Share of channels that are dropped after each convolution", low=0, below=1)
    encoder: str = parameter("tu-regnetx_002", "Encoder, by its name in segmentation_models_pytorch (smp)")
    iterations: int = parameter(600, "Iterations", low=1, high=1_000_000)
    batch: int = parameter(8, "Pieces of images in an iteration", low=2, high=1024)
    piece_px: int = parameter(128, "Edge of a piece, a multiple of 32", unit="px", low=32, high=2048)
    mirrored: float = parameter(0.5, "Share of pieces that are flipped from left to right", low=0, high=1)
    upside_down: float = parameter(0.5, "Share of pieces that are flipped upside down", low=0, high=1)
    blur: float = parameter(0.3, "Share of pieces that are blurred", low=0, high=1)
    noise: float = parameter(
        0.0,
        "Largest standard deviation of the noise that pieces get besides their own",
        unit="grey levels",
        low=0,
        high=50,
    )
    learning_rate: float = parameter(2e-3, "Highest learning rate", above=0, high=1)
    weight_decay: float = parameter(1e-4, "Weight decay", low=0, high=1)
    workers: int = parameter(0, "Processes that cut pieces ahead of the training", low=0, high=64)

    @model_validator(mode="after")
    def _pieces(self):
        if self.piece_px % ENCODER_STRIDE:
            raise ValueError(f"piece_px = {self.piece_px} must be a multiple of {ENCODER_STRIDE}")
        if not 1 <= len(self.widths) <= 6:
            raise ValueError(f"widths must be those of one to six levels, got {len(self.widths)}")
        deepest = self.stride * 2 ** (len(self.widths) - 1)
        if ENCODER_STRIDE % deepest:
            raise ValueError(
                f"stride = {self.stride} and {len(self.widths)} levels see {deepest} pixels as one; must divide "
                f"{ENCODER_STRIDE}"
            )
        return self


class Segmenter:
    """A trained network and its card.

    Attributes
    ----------
    network : torch.nn.Module
        Takes images (B, 3, H, W) from 0 to 1, H and W multiples of 32, and in three more channels what they differ by
        from the picture before the breath, if it has learned from that; gives logits (B, 1, H, W).
    card : dict
        See `save_model`; ``card["training"]`` holds what `build_network` needs.
    history : DataFrame or None
        Of its training, where that was just done: ``iteration``, ``loss``, ``learning_rate``.
    """

    def __init__(self, network, card):
        self.network, self.card, self.history = network.eval(), card, None

    @property
    def background(self):
        """Whether the network wants the picture before the breath, too."""
        return bool(self.card["training"].get("background"))

    def probabilities(self, images, progress=None, background=None):
        """Return the probability of cloud in images.

        Parameters
        ----------
        images : (n, H, W, 3) uint8 array_like
        progress : callable, optional
            Called with the share that is done and a text.
        background : (H, W, 3) uint8 array_like, optional
            The picture before the breath, for a network that wants it; the mean of several frames has less noise.

        Returns
        -------
        (n, H, W) float32 ndarray

        Raises
        ------
        ValueError
            If images are none, or a background is missing, or not wanted, or of another size.
        """
        import torch

        images = _check_images(images)
        if background is None and self.background:
            raise ValueError("background is missing: this network is shown the picture before the breath, too")
        if background is not None:
            if not self.background:
                raise ValueError("background must be None: this network has not learned to use one")
            background = _check_images([background])
            if background.shape[1:] != images.shape[1:]:
                raise ValueError(f"background must be {images.shape[1:]} as the images, got {background.shape[1:]}")
        found = np.empty(images.shape[:3], np.float32)
        padding = [(0, 0), *((0, -length % ENCODER_STRIDE) for length in images.shape[1:3]), (0, 0)]
        background = None if background is None else np.pad(background, padding, mode="symmetric")
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                some = np.pad(images[start : start + BATCH], padding, mode="symmetric")
                logits = self.network(_to_tensor(some, background))[:, 0, : images.shape[1], : images.shape[2]]
                found[start : start + BATCH] = torch.sigmoid(logits).numpy()
                if progress:
                    progress(min(start + BATCH, len(images)) / len(images), "looking for clouds")
        return found

    def save(self, path):
        """Write the network to ``NAME.safetensors`` (in half precision) with its card."""
        return save_model(path, half_precision(self.network), self.card)


def segment(images, model="default", progress=None, background=None):
    """Find the cloud in images.

    Parameters
    ----------
    images : (H, W, 3) or (n, H, W, 3) uint8 array_like
    model : str, path or Segmenter
        One that ships, a ``.safetensors`` file, or a trained one.
    progress : callable, optional
        Called with the share that is done and a text.
    background : (H, W, 3) uint8 array_like, optional
        The picture before the breath, as for `Segmenter.probabilities`, for a model that wants it: "with-background".

    Returns
    -------
    (H, W) or (n, H, W) bool ndarray

    Raises
    ------
    ValueError
        If images or the background are none, or there is no such model.
    """
    images = np.asarray(images)
    segmenter = model if isinstance(model, Segmenter) else load_segmenter(model)
    masks = segmenter.probabilities(images[None] if images.ndim == 3 else images, progress, background) > 0.5
    return masks[0] if images.ndim == 3 else masks


def train_unet(
    images,
    masks,
    parameters=None,
    rng=None,
    folder=None,
    progress=None,
    backgrounds=None,
    background_of=None,
    start=None,
):
    """Train a network to find clouds, from images and their true masks.

    Each iteration sees pieces of other images, flipped and blurred at random (the document's augmentations, by
    albumentations), and with some noise. The loss is binary cross entropy and one less the Dice score, which does not
    forget small clouds.

    Parameters
    ----------
    images : (n, H, W, 3) uint8 array
        In memory, or anything with such items (a zarr array).
    masks : (n, H, W) bool array
    parameters : UNetTraining, optional
    rng : numpy.random.Generator
        Gives the seed of the pieces and of the first weights.
    folder : path, optional
        For checkpoints: a training that was killed goes on from the last one, if all else is the same.
    progress : callable, optional
        Called with the share that is done and a text.
    backgrounds : (k, H, W, 3) uint8 array, optional
        Pictures before a breath, if the parameters want a ``background``.
    background_of : (n,) int array, optional
        The number of each image's background among them.
    start : Segmenter, optional
        Whose weights are the first; by default they are random.

    Returns
    -------
    Segmenter

    Raises
    ------
    ValueError
        If images and masks (or backgrounds) do not match, images are smaller than a piece, there is no rng, the encoder
        is unknown, ``start`` has a network of another form, or the folder holds another training's checkpoint.
    """
    import torch

    from particlelab.learning import training

    p = parameters or UNetTraining()
    if len(images.shape) != 4 or images.shape[3] != 3 or tuple(masks.shape) != tuple(images.shape[:3]):
        raise ValueError(
            f"images must be (n, H, W, 3) and masks (n, H, W) of the same, got {images.shape} and {masks.shape}"
        )
    if min(images.shape[1:3]) < p.piece_px:
        raise ValueError(f"images of {images.shape[1]} by {images.shape[2]} are smaller than piece_px = {p.piece_px}")
    if p.background:
        _check_backgrounds(backgrounds, background_of, images)
    elif backgrounds is not None:
        raise ValueError("backgrounds must be None for background = False")
    seed, some = int(check_rng(rng).integers(2**31)), slice(None, None, max(1, len(images) // COMPARED))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_network(p).to(memory_format=torch.channels_last)
    if start is not None:
        _take_weights(network, start)
    history = training.train(
        network,
        _Pieces(images, masks, p, seed, backgrounds, background_of),
        _loss,
        lambda network: _optimiser(network, p),
        iterations=p.iterations,
        seed=seed,
        folder=folder,
        name=f"{p.replace(workers=0)!r}, {seed}, {len(images)} images, {digest(images[some], masks[some])}"
        + (f", after {digest(*_weights(start))}" if start else ""),
        workers=p.workers,
        progress=progress,
    )
    told = "; is shown the picture before the breath, too" if p.background else ""
    card = {
        "purpose": "Finds the cloud in images of a person who breathes out before a dark background; trained on "
        f"simulated images only{told}.",
        "training": p.model_dump(mode="json") | {"seed of the pieces and the first weights": seed},
        "data": {"images": len(images), "edge of an image": int(images.shape[1])},
        "loss": training.course(history),
    }
    if start is not None:
        card["started from"] = {**start.card["training"], **start.card["data"]}
    segmenter = Segmenter(network, card)
    segmenter.history = history
    return segmenter


def load_segmenter(name="default"):
    """Load a trained network.

    Parameters
    ----------
    name : str or path
        One that ships, or a path that ends in ``.safetensors``.

    Returns
    -------
    Segmenter

    Raises
    ------
    ValueError
        If there is none, or the file holds something else.
    """
    return load_trained("aerosol", name, _segmenter)


def build_network(parameters):
    """Return the network of a `UNetTraining`, with random weights.

    Raises
    ------
    ValueError
        If the encoder is unknown.
    """
    p, channels = parameters, 6 if parameters.background else 3
    if p.network == "document":
        from particlelab.aerosol.unet_layers import UNet

        return UNet(p.widths, p.dropout, p.stride, channels)
    import segmentation_models_pytorch as smp

    try:
        return smp.Unet(p.encoder, encoder_weights=None, in_channels=channels, classes=1)
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"encoder = {p.encoder!r}: {error.args[0]}") from None


def score_masks(reference, masks):
    """Score masks against true ones, image by image and all pixels together (eq. 3.1 and 3.2).

    Parameters
    ----------
    reference, masks : (n, H, W) bool array

    Returns
    -------
    DataFrame
        ``accuracy`` and ``dice`` (1 where neither shows a cloud) by ``image``, with a last row ``all``.
    """
    pairs = [*zip(reference, masks, strict=True), (reference, masks)]
    counts = [confusion(true, mask) for true, mask in pairs]
    rows = [(count.accuracy, count.dice) for count in counts]
    return pd.DataFrame(rows, columns=["accuracy", "dice"], index=pd.Index([*range(len(masks)), "all"], name="image"))


def _segmenter(path, tensors, card):
    import torch

    try:
        network = build_network(UNetTraining.select(card["training"]))
        network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    except (KeyError, RuntimeError):
        said = card.get("purpose", "nothing")
        raise ValueError(f"{path} holds no network that finds clouds: its card says {said!r}") from None
    return Segmenter(network, card)


def _weights(segmenter):
    return [tensor.numpy() for tensor in segmenter.network.state_dict().values()]


def _take_weights(network, start):
    """Give a network the weights of a Segmenter."""
    try:
        network.load_state_dict(start.network.state_dict())
    except RuntimeError:
        raise ValueError(
            "start has a network of another form: give one of the same widths, stride and background"
        ) from None


def _check_images(images):
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or 0 in images.shape[1:]:
        raise ValueError(f"images must be (n, H, W, 3) of uint8, got {images.shape} of {images.dtype}")
    return images


def _check_backgrounds(backgrounds, background_of, images):
    if backgrounds is None or background_of is None:
        raise ValueError("backgrounds and background_of must be given for background = True")
    if backgrounds.ndim != 4 or backgrounds.shape[1:] != tuple(images.shape[1:]):
        raise ValueError(f"backgrounds must be (k, {str(tuple(images.shape[1:]))[1:]}, got {backgrounds.shape}")
    numbers = np.asarray(background_of)
    if numbers.shape != (len(images),) or numbers.min() < 0 or numbers.max() >= len(backgrounds):
        raise ValueError(
            f"background_of must be ({len(images)},) of numbers below {len(backgrounds)}, got shape {numbers.shape} "
            f"and numbers up to {numbers.max(initial=-1)}"
        )


def _to_tensor(images, backgrounds=None):
    """Return images (B, H, W, 3) uint8 as (B, 3, H, W) from 0 to 1, and what they differ by from their backgrounds."""
    import torch

    images = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    return images if backgrounds is None else torch.cat([images, images - _to_tensor(backgrounds)], dim=1)


class _Pieces:
    """The n-th batch of a training: pieces of images and of their masks, the same at every call."""

    def __init__(self, images, masks, parameters, seed, backgrounds, background_of):
        self.images, self.masks, self.parameters, self.seed = images, masks, parameters, seed
        self.backgrounds, self.background_of = backgrounds, background_of

    def __call__(self, n):
        import albumentations
        import torch

        p, rng = self.parameters, generator(self.seed, "pieces", n)
        change = albumentations.Compose(
            [
                albumentations.HorizontalFlip(p=p.mirrored),
                albumentations.VerticalFlip(p=p.upside_down),
                albumentations.GaussianBlur(blur_limit=(3, 5), p=p.blur),
            ],
            additional_targets={"background": "image"},
            seed=int(rng.integers(2**31)),
        )
        images, masks, backgrounds = [], [], []
        for which in rng.integers(len(self.images), size=p.batch).tolist():
            top, left = (int(rng.integers(length - p.piece_px + 1)) for length in self.images.shape[1:3])
            window = np.s_[top : top + p.piece_px, left : left + p.piece_px]
            piece = {"image": self.images[which][window], "mask": np.asarray(self.masks[which][window], np.float32)}
            if p.background:
                background = self.backgrounds[self.background_of[which]]
                piece["background"] = (_disturb(background, rng) if rng.random() < p.disturbed else background)[window]
            if p.noise:
                piece["image"] = add_noise(piece["image"], rng.uniform(0, p.noise), rng)
            changed = change(**piece)
            images.append(changed["image"])
            masks.append(changed["mask"])
            backgrounds.append(changed.get("background"))
        images = _to_tensor(np.stack(images), np.stack(backgrounds) if p.background else None)
        return images, torch.from_numpy(np.stack(masks))[:, None]


def _disturb(background, rng):
    """Move a picture by up to two pixels, change its light by up to 5 %, and add noise of up to 3 grey levels."""
    moved = np.roll(background, rng.integers(-2, 3, size=2), axis=(0, 1))
    return add_noise(moved * rng.uniform(0.95, 1.05), rng.uniform(0, 3), rng)


def add_noise(picture, deviation, rng):
    """Add noise of so many grey levels to a picture, or to several, (..., 3) uint8."""
    return np.rint(picture + rng.normal(0, deviation, picture.shape)).clip(0, 255).astype(np.uint8)


def _loss(network, images, masks):
    from torch.nn import functional

    logits = network(images)
    probabilities = logits.sigmoid()
    overlap = 2 * (probabilities * masks).sum() + 1
    dice = overlap / (probabilities.sum() + masks.sum() + 1)
    return functional.binary_cross_entropy_with_logits(logits, masks) + 1 - dice


def _optimiser(network, parameters):
    import torch

    p = parameters
    optimiser = torch.optim.AdamW(network.parameters(), p.learning_rate, weight_decay=p.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, p.learning_rate, total_steps=p.iterations + 1, pct_start=0.1
    )
    return optimiser, schedule
