"""How a network learns to find clouds, from pieces of images that are changed at random."""

import numpy as np

from particlelab.aerosol.segmentation import Segmenter, to_tensor
from particlelab.aerosol.unet import UNetTraining, build_network
from particlelab.learning.digests import digest
from particlelab.randomness import check_rng, generator

COMPARED = 50  # images, about, by which a checkpoint knows its data


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

    p, rng = parameters or UNetTraining(), check_rng(rng)
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
    seed, some = int(rng.integers(2**31)), slice(None, None, max(1, len(images) // COMPARED))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_network(p).to(memory_format=torch.channels_last)
    if start is not None:
        _take_weights(network, start)
    history = training.train(
        network,
        _Pieces(images, masks, p, seed, backgrounds, background_of),
        _loss,
        training.one_cycle(p),
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


def add_noise(picture, deviation, rng):
    """Add noise of so many grey levels to a picture, or to several, (..., 3) uint8."""
    return np.rint(picture + rng.normal(0, deviation, picture.shape)).clip(0, 255).astype(np.uint8)


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
        images = to_tensor(np.stack(images), np.stack(backgrounds) if p.background else None)
        return images, torch.from_numpy(np.stack(masks))[:, None]


def _disturb(background, rng):
    """Move a picture by up to two pixels, change its light by up to 5 %, and add noise of up to 3 grey levels."""
    moved = np.roll(background, rng.integers(-2, 3, size=2), axis=(0, 1))
    return add_noise(moved * rng.uniform(0.95, 1.05), rng.uniform(0, 3), rng)


def _loss(network, images, masks):
    from torch.nn import functional

    logits = network(images)
    probabilities = logits.sigmoid()
    overlap = 2 * (probabilities * masks).sum() + 1
    dice = overlap / (probabilities.sum() + masks.sum() + 1)
    return functional.binary_cross_entropy_with_logits(logits, masks) + 1 - dice
