"""The network that tells pictures of spectra apart: ResNet34 of any width (He et al. 2016, table 1)."""

import torch
from torch import nn

BLOCKS = 3, 4, 6, 3  # of two convolutions each: with the first and the last layer 34


class ResNet34(nn.Module):
    """ResNet34 on pictures (B, channels, H, W): what it says (B, outputs).

    The sizes of all layers follow from the width; 64 is that of He et al. and of the document ("ResNet34").

    Parameters
    ----------
    width : int
        Channels of the first level; the fourth has eight times as many.
    channels : int
        Of a picture.
    outputs : int
    """

    def __init__(self, width, channels, outputs):
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        widths = [width * 2**level for level in range(len(BLOCKS))]
        self.levels = nn.ModuleList(
            nn.Sequential(Block(before, after, 2 if level else 1), *(Block(after, after) for _ in range(count - 1)))
            for level, (before, after, count) in enumerate(zip([width, *widths], widths, BLOCKS, strict=False))
        )
        self.last = nn.Linear(widths[-1], outputs)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def features(self, pictures):
        """Return what the last layer is given, (B, 8 width)."""
        x = self.first(pictures)
        for level in self.levels:
            x = level(x)
        return x.mean(dim=(2, 3))

    def forward(self, pictures):
        return self.last(self.features(pictures))


class Block(nn.Module):
    """Two convolutions, whose result is added to what they were given."""

    def __init__(self, before, after, stride=1):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.beside = nn.Identity()
        if stride > 1 or before != after:
            self.beside = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        return torch.relu(self.inner(x) + self.beside(x))
