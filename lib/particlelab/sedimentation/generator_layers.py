"""Layers that picture generators share, in torch: from a code to a picture, and from a picture to numbers.

Pictures are (n, channels, size, size) from -1 to 1, rows radius and columns time; conditions (n, d) as of `Conditions`.
"""

import copy
import itertools
import math

import torch
from torch import nn

SMALLEST = 4  # px: what decoders begin from and encoders end with
FEWEST_STEPS = 10  # after which an average over a training is mostly of what comes later


def levels(size, channels, most):
    """Return the channels at 4, 8, ... px up to the full size: doubled at each halving, up to a largest number."""
    halvings = int(math.log2(size // SMALLEST))
    return [min(most, channels * 2 ** (halvings - k)) for k in range(halvings + 1)]


def append(pictures, conditions):
    """Append conditions to pictures as further channels of one value each (IPMT report, AP2.3.a)."""
    planes = conditions[:, :, None, None].expand(-1, -1, *pictures.shape[2:])
    return torch.cat([pictures, planes], 1)


class PictureDecoder(nn.Module):
    """Draws pictures from noise with the condition joined to it, by transposed convolutions as of DCGAN.

    Parameters
    ----------
    latent, conditions, picture_channels, size, channels, most : int
    """

    def __init__(self, latent, conditions, picture_channels, size, channels, most):
        super().__init__()
        widths = levels(size, channels, most)
        self.latent = latent
        self.first = nn.Linear(latent + conditions, widths[0] * SMALLEST**2)
        steps = []
        for wide, narrow in itertools.pairwise(widths):
            steps += [nn.GroupNorm(min(8, wide), wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, 2, 1)]
        self.steps = nn.Sequential(*steps)
        self.last = nn.Sequential(
            nn.GroupNorm(min(8, widths[-1]), widths[-1]), nn.ReLU(), nn.Conv2d(widths[-1], picture_channels, 3, 1, 1)
        )

    def forward(self, codes, conditions):
        """Turn codes (n, latent) and conditions (n, d) into pictures."""
        begun = self.first(torch.cat([codes, conditions], 1))
        return torch.tanh(self.last(self.steps(begun.unflatten(1, (-1, SMALLEST, SMALLEST)))))

    def draw(self, conditions):
        """Draw a picture for each condition."""
        codes = torch.randn(len(conditions), self.latent, device=conditions.device)
        return self(codes, conditions)


class PictureReader(nn.Module):
    """Reads numbers from pictures, with the condition as further channels: critics, discriminators, encoders.

    Parameters
    ----------
    numbers, conditions, picture_channels, size, channels, most : int
    """

    def __init__(self, numbers, conditions, picture_channels, size, channels, most):
        super().__init__()
        widths = levels(size, channels, most)[::-1]
        steps = [nn.Conv2d(picture_channels + conditions, widths[0], 3, 1, 1), nn.LeakyReLU(0.2)]
        for narrow, wide in itertools.pairwise(widths):
            steps += [nn.Conv2d(narrow, wide, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.steps = nn.Sequential(*steps)
        self.last = nn.Linear(widths[-1] * SMALLEST**2, numbers)

    def forward(self, pictures, conditions):
        """Turn pictures and conditions (n, d) into numbers (n, numbers)."""
        return self.last(self.steps(append(pictures, conditions)).flatten(1))


class Average(nn.Module):
    """A running average of a network over its training, which draws better than the network at any one moment."""

    def __init__(self, network, decay):
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay = decay
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def follow(self, network):
        """Come nearer to the network."""
        self.steps += 1
        decay = min(self.decay, float(self.steps / (self.steps + FEWEST_STEPS)))
        for mine, its in zip(self.network.parameters(), network.parameters(), strict=True):
            mine.lerp_(its, 1 - decay)


def running_backwards(pictures, moving, edge):
    """Return by how much pictures run backwards in time: the mean darkening of a pixel from one column to the next.

    The document's physical constraint (IPMT report, AP2.3.a): sedimentation is irreversible, and what the boundary has
    passed does not darken again. The first and the last rows, where a sediment or a cream grows, are left out.

    Parameters
    ----------
    pictures : (n, 1, size, size) tensor
    moving : (n,) tensor
        1 where this holds, 0 where not.
    edge : float
        Share of the rows at either end that is left out.
    """
    rows = pictures.shape[2]
    inner = pictures[:, 0, round(edge * rows) : rows - round(edge * rows)]
    darker = torch.relu(inner[..., :-1] - inner[..., 1:]).mean((1, 2))
    return (darker * moving).mean()
