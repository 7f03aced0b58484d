"""Networks that read a diffusion coefficient from a movie: what they are, and what they are given to see."""

from typing import Literal

import numpy as np

from particlelab.diffusion.blobs import find_blobs
from particlelab.parameters import Parameters, parameter

SYMMETRIES = 8  # turns and reflections of a square, which change no diffusion coefficient
QUARTER_TURNS = (0, 3, 5, 6)  # those of them that reflect nothing


class Network(Parameters):
    """A network.

    ``transformer``: sees a window about the molecule in each frame, where its light is, and how far it went, and is
    told the width of the point-spread function; any number of frames. ``resnet3d``: a residual network whose
    convolutions go over place and time; any number of frames. ``resnet2d`` and ``park`` (after Park et al.,
    Communications Biology 6, 336, 2023: plain convolutions, Swish) take the frames for channels, as the document does;
    they know one number of frames.
    """

    kind: Literal["transformer", "resnet3d", "resnet2d", "park"] = parameter("transformer", "Kind of network")
    width: int = parameter(64, "Channels of the first level, or numbers that stand for a frame", low=4, high=1024)
    depth: int = parameter(2, "Layers, or residual blocks of each level", low=1, high=32)
    window: int = parameter(25, "Edge of the window about a molecule (transformer); odd", unit="px", low=9, high=129)


def count_weights(network, frames):
    """Return the number of weights of a network for movies of so many frames."""
    from particlelab.diffusion.network_layers import build

    return sum(weight.numel() for weight in build(network, frames).parameters())


def see(frames, network, psf_sigma_px, places=None):
    """Return what a network is given of movies: the same for any gain and offset.

    Parameters
    ----------
    frames : (n, T, H, W) float32 array
        Counts.
    network : Network
    psf_sigma_px : float or (n,) array
    places : (n, T, 2) array, optional
        Where to look for the molecule, as of `find_blobs`; of use to a transformer only.

    Returns
    -------
    tuple of float32 ndarray
        For the transformer windows (n, T, w, w), places, shapes, light, noise and the psf as of `Blobs`; for others the
        movies (n, T, H, W), less their median, in units of their standard deviation.
    """
    if network.kind == "transformer":
        return tuple(find_blobs(frames, psf_sigma_px, network.window, places))
    flat = frames.reshape(len(frames), -1)
    deviation = flat.std(axis=1)
    scaled = (flat - np.median(flat, axis=1)[:, None]) / np.where(deviation > 0, deviation, 1)[:, None]
    return (scaled.reshape(frames.shape).astype(np.float32),)


def turn(seen, symmetry):
    """Turn or reflect what a network sees, as if the camera had been turned.

    Parameters
    ----------
    seen : tuple of Tensor
        As `see` gives it.
    symmetry : int
        0 (as it is) to 7.

    Returns
    -------
    tuple of Tensor
    """
    images, *rest = seen
    along_x, along_y, swapped = (-1 if symmetry & 1 else 1), (-1 if symmetry & 2 else 1), bool(symmetry & 4)
    images = images.flip([-axis for axis, sign in ((1, along_x), (2, along_y)) if sign < 0])
    images = images.transpose(-1, -2) if swapped else images
    if not rest:
        return (images,)
    places, shapes, *same = rest
    places = places * places.new_tensor([along_x, along_y])
    shapes = shapes * shapes.new_tensor([1, 1, along_x * along_y])
    if swapped:
        places, shapes = places.flip(-1), shapes * shapes.new_tensor([1, -1, 1])
    return images, places, shapes, *same
