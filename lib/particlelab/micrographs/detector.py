"""Detectors: what finds the particles of a picture, with the outline, the score and the whole diameter of each."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from particlelab.learning.models import half_precision, load_trained, save_model

SMALLEST_PX = 8  # edge of an image


class Found(NamedTuple):
    """The particles that a detector found in an image."""

    instances: np.ndarray  # (H, W) int32: 0 = ground, 1..N: pixels where that particle is seen
    scores: np.ndarray  # (N,) float: how sure the detector is of each, 0 to 1
    diameters_px: np.ndarray  # (N,) float: of the disk with the particle's area, as complete as can be told


class Detector(ABC):
    """A trained detector and its card.

    Attributes
    ----------
    network : torch.nn.Module
    card : dict
        See `save_model`; ``card["network"]`` tells how the network is built, its ``kind`` what it is.
    """

    kind = ""

    def __init__(self, network, card):
        self.network, self.card = network.eval(), card

    def find(self, image):
        """Find the particles of an image.

        Parameters
        ----------
        image : (H, W) or (H, W, 3) array
            Of real numbers, at any scale of grey levels; of a coloured one the luminance is taken.

        Returns
        -------
        Found

        Raises
        ------
        ValueError
            If it is no image, smaller than 8 x 8, or has values that are not finite.
        """
        return self._find(grey_image(image))

    def save(self, path):
        """Write the network to ``NAME.safetensors`` (in half precision) with its card."""
        return save_model(path, half_precision(self.network), self.card)

    @abstractmethod
    def _find(self, grey):
        """Find the particles of an image (H, W) float32 between 0 and 1; return `Found`."""


def detect(image, model="default"):
    """Find the particles of an image.

    Parameters
    ----------
    image : (H, W) or (H, W, 3) array
    model : str, path or Detector
        One that ships, the path of a ``.safetensors`` file, or a detector itself.

    Returns
    -------
    instances : (H, W) int32 array
        0 = ground, 1..N.
    scores : (N,) array
        0 to 1.

    Raises
    ------
    ValueError
        If the image cannot be one, or there is no such model.
    """
    found = (model if isinstance(model, Detector) else load_detector(model)).find(image)
    return found.instances, found.scores


def load_detector(name="default"):
    """Load a trained detector.

    Parameters
    ----------
    name : str or path
        One that ships, or a path that ends in ``.safetensors``.

    Returns
    -------
    Detector

    Raises
    ------
    ValueError
        If there is none, or the file holds something else.
    """
    return load_trained("micrographs", name, _detector)


def grey_image(image):
    """Return an image as (H, W) float32 between 0 (its darkest pixel) and 1 (its brightest).

    Parameters
    ----------
    image : (H, W) or (H, W, 3) array

    Returns
    -------
    (H, W) float32 array
        All 0 if it is of one grey level.

    Raises
    ------
    ValueError
        If it is no image, smaller than 8 x 8, or has values that are not finite.
    """
    image = np.asarray(image)
    if image.dtype.kind not in "buif":
        raise ValueError(f"image must hold real numbers, got {image.dtype}")
    if image.ndim == 3 and image.shape[2] == 4:
        image = image[..., :3]  # how opaque a pixel is tells nothing of particles
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))):
        raise ValueError(f"image must have the shape (H, W) or (H, W, 3), got {image.shape}")
    if min(image.shape[:2]) < SMALLEST_PX:
        raise ValueError(
            f"image must be at least {SMALLEST_PX} x {SMALLEST_PX} pixels, got {image.shape[0]} x {image.shape[1]}"
        )
    image = image.astype(np.float64)
    if not np.isfinite(image).all():
        raise ValueError(f"image has {np.count_nonzero(~np.isfinite(image))} values that are not finite")
    if image.ndim == 3:
        image = image @ (0.2125, 0.7154, 0.0721) if image.shape[2] == 3 else image[..., 0]
    low, high = image.min(), image.max()
    if not high > low:
        return np.zeros(image.shape, np.float32)
    return ((image - low) / (high - low)).astype(np.float32)


def _detector(path, tensors, card):
    import torch

    from particlelab.micrographs.centre_network import CentreDetector
    from particlelab.micrographs.mask_rcnn import MaskRCNNDetector

    kinds = {kind.kind: kind for kind in (CentreDetector, MaskRCNNDetector)}
    network = card.get("network", {})
    if not isinstance(network, dict) or network.get("kind") not in kinds:
        raise ValueError(f"{path} holds no detector of particles: its card names none of {', '.join(kinds)}")
    kind = kinds[network["kind"]]
    built = kind.build(network)
    built.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return kind(built, card)
