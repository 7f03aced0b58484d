"""The U-Net in torch, as the document describes it (section 2.3.2, figure 2.2)."""

import itertools

import torch
from torch import nn


class UNet(nn.Module):
    """Two 3 by 3 convolutions a level, 2 by 2 max pooling from level to level, and back up with skips.

    Convolutions keep the size, as in the document. It drops a tenth of the values after each; whole channels are
    dropped here, because the neighbours of a dropped pixel tell what it was. Convolutions are normalised over the
    batch, which helps a training from nothing and came after Ronneberger et al. (2015).

    Parameters
    ----------
    widths : sequence of int
        Channels of each level.
    dropout : float
    stride : int
        Pixels along a side that the first level takes as one, with their colours as channels, and gives back one by
        one: 1 in the document. With 2 a picture costs a quarter.
    channels : int
        Of an image.
    """

    def __init__(self, widths, dropout, stride=1, channels=3):
        super().__init__()
        self.stride = stride
        self.down = nn.ModuleList(
            _double(before, width, dropout)
            for before, width in zip((channels * stride**2, *widths), widths, strict=False)
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(below, width, 2, 2) for width, below in itertools.pairwise(widths))
        self.joined = nn.ModuleList(_double(2 * width, width, dropout) for width in widths[:-1])
        self.answer = nn.Conv2d(widths[0], stride**2, 1)

    def forward(self, images):
        """Return logits (B, 1, H, W) of images (B, channels, H, W) whose edges can be halved from level to level."""
        x, skips = nn.functional.pixel_unshuffle(images, self.stride), []
        for level, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if level else x)
            skips.append(x)
        for up, joined, skip in reversed(list(zip(self.up, self.joined, skips, strict=False))):
            x = joined(torch.cat([skip, up(x)], dim=1))
        return nn.functional.pixel_shuffle(self.answer(x), self.stride)


def _double(before, width, dropout):
    layers = []
    for channels in (before, width):
        layers += [
            nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Dropout2d(dropout),
        ]  # fmt: skip
    return nn.Sequential(*layers)
