"""The network that tells primaries apart: what it sees of an aggregate, what it says, and its layers.

It looks at an aggregate that was scaled so that a primary is about `PRIMARY_PX` pixels across, and answers on a
grid of half that resolution.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

PRIMARY_PX = 15.0
MARGIN_PX = 8  # around the window, at least
STRIDE = 16  # sides of what the network sees are multiples of it
DARKEST = 0.02  # share of the background; less cannot be told from black
PALEST = 0.02  # optical depth
DISK = np.pi / 4 * (PRIMARY_PX / 2) ** 2  # pixels of the answer that a primary of `PRIMARY_PX` covers


class View(NamedTuple):
    """What the network sees of one aggregate."""

    channels: np.ndarray  # (2, h, w) float32: optical depth over its mean in the mask, mask; sides multiples of STRIDE
    scale: float  # pixels of the view per pixel of the image
    row: float  # of the first pixel's centre in the image
    column: float


def view(image, background, labels, label, window, scale):
    """Scale an aggregate to the network's resolution.

    Parameters
    ----------
    image : (H, W) ndarray
    background : (h, w) ndarray
        Grey levels of the background in the window.
    labels : (H, W) int ndarray
    label : int
        Of the aggregate; others are painted over with background.
    window : (slice, slice)
    scale : float
        Pixels of the view per pixel of the image.

    Returns
    -------
    View
    """
    near = labels[window]
    light = np.where((near == 0) | (near == label), image[window] / background, 1.0)
    pair = torch.from_numpy(np.stack([light, near == label]).astype(np.float32))[None]
    light, inside = functional.interpolate(pair, scale_factor=scale, mode="bilinear", antialias=True)[0].numpy()
    depth = -np.log(np.maximum(light, DARKEST))
    depth /= max(np.sum(depth * inside) / max(inside.sum(), 1.0), PALEST)
    around = [(MARGIN_PX, MARGIN_PX + (-n - 2 * MARGIN_PX) % STRIDE) for n in depth.shape]
    first = (0.5 - MARGIN_PX) / scale - 0.5
    channels = np.stack([np.pad(depth, around), np.pad(inside, around)])
    return View(channels, scale, window[0].start + first, window[1].start + first)


class Answer(NamedTuple):
    """What the network says of each pixel of its grid, (B, h, w) tensors each."""

    centre: torch.Tensor  # logit of the score that a sphere has its centre here
    log_diameter: torch.Tensor  # ln(diameter / PRIMARY_PX) of that sphere
    density: torch.Tensor  # spheres per DISK pixels, each spread evenly over its disk
    mean: torch.Tensor  # of ln(diameter / PRIMARY_PX) over the spheres here, weighted by their density
    square: torch.Tensor  # mean square, likewise


class UNet(nn.Module):
    """A U-Net on pixels joined two by two: (B, 2, h, w) to an `Answer` of (B, h / 2, w / 2).

    Parameters
    ----------
    widths : sequence of int
        Channels of its levels, at most four.
    """

    def __init__(self, widths):
        super().__init__()
        self.down = nn.ModuleList(_block(a, b) for a, b in zip((8, *widths), widths, strict=False))
        self.up = nn.ModuleList(_block(a + b, a) for a, b in pairwise(widths))
        self.head = nn.Conv2d(widths[0], len(Answer._fields), 1)

    def forward(self, channels):
        x, passed = functional.pixel_unshuffle(channels, 2), []
        for level, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if level else x)
            passed.append(x)
        passed.pop()
        for block in reversed(self.up):
            x = block(torch.cat([passed.pop(), functional.interpolate(x, scale_factor=2)], 1))
        centre, log_diameter, density, mean, square = self.head(x).unbind(1)
        return Answer(centre, log_diameter, functional.softplus(density), mean, square)


def _block(a, b):
    layers = []
    for n in (a, b):
        layers += [nn.Conv2d(n, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
