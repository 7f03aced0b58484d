"""The cloud in an image of a person who breathes out: found by a U-Net, and scored."""

import numpy as np
import pandas as pd

from particlelab.aerosol.unet import ENCODER_STRIDE, UNetTraining, build_network
from particlelab.learning.models import half_precision, load_trained, save_model
from particlelab.measure.segmentation import confusion

BATCH = 16  # images that are looked at together


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
            If images are not of uint8 and that shape, or a background is missing, not wanted, or of another size.
        """
        import torch

        images = _check_images(images)
        if background is None and self.background:
            raise ValueError("background is missing: this network is shown the picture before the breath, too")
        if background is not None:
            if not self.background:
                raise ValueError("background must be None: this network has not learned to use one")
            background = _check_background(background)
            if background.shape[1:] != images.shape[1:]:
                raise ValueError(f"background must be {images.shape[1:]} as the images, got {background.shape[1:]}")
        found = np.empty(images.shape[:3], np.float32)
        padding = [(0, 0), *((0, -length % ENCODER_STRIDE) for length in images.shape[1:3]), (0, 0)]
        background = None if background is None else np.pad(background, padding, mode="symmetric")
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                some = np.pad(images[start : start + BATCH], padding, mode="symmetric")
                logits = self.network(to_tensor(some, background))[:, 0, : images.shape[1], : images.shape[2]]
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
        If images or the background are not of uint8 and that shape, or there is no such model.
    """
    images = np.asarray(images)
    segmenter = model if isinstance(model, Segmenter) else load_segmenter(model)
    masks = segmenter.probabilities(images[None] if images.ndim == 3 else images, progress, background) > 0.5
    return masks[0] if images.ndim == 3 else masks


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


def _check_images(images, name="images"):
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or 0 in images.shape[1:]:
        raise ValueError(f"{name} must be (n, H, W, 3) of uint8, got {images.shape} of {images.dtype}")
    return images


def _check_background(background):
    background = np.asarray(background)
    if background.ndim != 3:
        raise ValueError(f"background must be one picture, (H, W, 3) of uint8, got {background.shape}")
    return _check_images(background[None], "background")


def to_tensor(images, backgrounds=None):
    """Return images (B, H, W, 3) uint8 as (B, 3, H, W) from 0 to 1, and what they differ by from their backgrounds."""
    import torch

    images = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    return images if backgrounds is None else torch.cat([images, images - to_tensor(backgrounds)], dim=1)
