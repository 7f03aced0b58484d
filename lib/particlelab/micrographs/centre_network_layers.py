"""The network that tells particles apart: what it says of each pixel, and its layers."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

UNIT_PX = 16.0  # diameters and offsets are told in units of it
RARE = -4.0  # logit of the score of a centre, before the network has learned anything
NORMALISED = 8  # channels that are normalised together


class Answer(NamedTuple):
    """What the network says of each pixel, (B, H, W) tensors each."""

    particle: torch.Tensor  # logit of the score that a particle is seen here
    centre: torch.Tensor  # logit of the score that the centre of a particle's visible part is here
    down: torch.Tensor  # rows from here to that centre, in units of UNIT_PX
    right: torch.Tensor  # columns, likewise
    log_diameter: torch.Tensor  # ln(diameter of the complete particle / UNIT_PX)
    log_visible: torch.Tensor  # ln(diameter of the disk with the area of its visible part / UNIT_PX)


class CentreUNet(nn.Module):
    """A U-Net on pixels joined two by two: (B, 1, H, W) to an `Answer` of (B, H, W).

    Parameters
    ----------
    widths : sequence of int
        Channels of its levels, multiples of `NORMALISED`.
    """

    def __init__(self, widths):
        super().__init__()
        self.stride = 2 ** len(widths)
        self.down = nn.ModuleList(_block(a, b) for a, b in zip((4, *widths), widths, strict=False))
        self.lateral = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(_block(a, a) for a in widths[:-1])
        self.head = nn.Conv2d(widths[0], 4 * len(Answer._fields), 1)
        with torch.no_grad():  # hardly any pixel is a centre: a training need not learn that first
            self.head.bias.view(len(Answer._fields), 4)[Answer._fields.index("centre")] = RARE

    def forward(self, image):
        height, width = image.shape[-2:]
        below, beside = -height % self.stride, -width % self.stride
        x = functional.pad(image, (0, beside, 0, below), "replicate")
        x, passed = functional.pixel_unshuffle(x, 2), []
        for level, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if level else x)
            passed.append(x)
        passed.pop()
        for lateral, block in zip(reversed(self.lateral), reversed(self.up), strict=True):
            x = block(passed.pop() + functional.interpolate(lateral(x), scale_factor=2, mode="bilinear"))
        answer = functional.pixel_shuffle(self.head(x), 2)[..., :height, :width]
        return Answer(*answer.unbind(1))


def _block(a, b):
    layers = []
    for n in (a, b):
        layers += [nn.Conv2d(n, b, 3, padding=1, bias=False), nn.GroupNorm(b // NORMALISED, b), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
