"""Flow matching on pictures, in torch (Lipman et al. 2023), with classifier-free guidance (Ho and Salimans 2022)."""

import torch
from torch import nn
from torch.nn import functional

from particlelab.sedimentation.generator_layers import Average

DECAY = 0.995  # of the average over the training
LEFT_OUT = 0.1  # share of the pictures whose condition the network is not told, so that it can do without
WAVES = 16  # by which time and coefficients are told


class Flow(nn.Module):
    """Learns the velocity by which noise becomes a picture, in a straight line.

    Parameters
    ----------
    conditions, picture_channels, size, channels, most, steps : int
        ``steps``: in which a picture is drawn.
    guidance : float
        How much stronger than learned the condition counts; 1 as learned.
    """

    def __init__(self, conditions, picture_channels, size, channels, most, steps, guidance):
        super().__init__()
        self.network = Velocity(conditions, picture_channels, size, channels, most, steps, guidance)
        self.average = Average(self.network, DECAY)

    @property
    def sampler(self):
        """What draws."""
        return self.average.network

    def loss(self, pictures, conditions, *_):
        """Return the mean square error of the velocity."""
        self.average.follow(self.network)
        n = len(pictures)
        moment = torch.sigmoid(torch.randn(n, device=pictures.device))  # more often in the middle (Esser et al. 2024)
        noise, share = torch.randn_like(pictures), moment[:, None, None, None]
        told = (torch.rand(n, device=pictures.device) >= LEFT_OUT).to(pictures)
        velocity = self.network((1 - share) * noise + share * pictures, moment, conditions, told)
        return ((velocity - (pictures - noise)) ** 2).mean()


class Velocity(nn.Module):
    """The velocity at a moment between noise and picture: a U-Net on pictures folded to half their size."""

    def __init__(self, conditions, picture_channels, size, channels, most, steps, guidance):
        super().__init__()
        self.shape, self.steps, self.guidance = (picture_channels, size, size), steps, guidance
        widths = [min(most, channels * 2**k) for k in range(max(1, (size // 8).bit_length() - 1))]
        known = 4 * channels
        self.known = nn.Sequential(
            nn.Linear(2 * WAVES * (1 + conditions) + 1, known), nn.SiLU(), nn.Linear(known, known), nn.SiLU()
        )
        self.first = nn.Conv2d(4 * picture_channels, widths[0], 3, 1, 1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for k, width in enumerate(widths):
            self.down.append(Block(widths[max(0, k - 1)], width, known))
            self.up.insert(0, Block(2 * width, widths[max(0, k - 1)], known))
        self.middle = Block(widths[-1], widths[-1], known)
        self.last = nn.Conv2d(widths[0], 4 * picture_channels, 3, 1, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, pictures, moments, conditions, told):
        """Return velocities of pictures at moments (n,); ``told`` (n,) is 0 where the condition is not known."""
        numbers = torch.cat([moments[:, None], conditions * told[:, None]], 1)
        known = self.known(torch.cat([waves(numbers), told[:, None]], 1))
        x, kept = self.first(functional.pixel_unshuffle(pictures, 2)), []
        for k, block in enumerate(self.down):
            x = block(functional.avg_pool2d(x, 2) if k else x, known)
            kept.append(x)
        x = self.middle(x, known)
        for k, block in enumerate(self.up):
            x = block(torch.cat([x, kept.pop()], 1), known)
            x = functional.interpolate(x, scale_factor=2.0) if k < len(self.up) - 1 else x
        return functional.pixel_shuffle(self.last(x), 2)

    def draw(self, conditions):
        """Draw a picture for each condition, by Heun's method."""
        x = torch.randn(len(conditions), *self.shape, device=conditions.device)
        for k in range(self.steps):
            now, then = k / self.steps, (k + 1) / self.steps
            first = self._guided(x, now, conditions)
            second = self._guided(x + first / self.steps, then, conditions) if k < self.steps - 1 else first
            x = x + (first + second) / (2 * self.steps)
        return x.clamp(-1, 1)

    def _guided(self, x, moment, conditions):
        moments, one = x.new_full((len(x),), moment), x.new_ones(len(x))
        with_it = self(x, moments, conditions, one)
        if self.guidance == 1 or not conditions.shape[1]:
            return with_it
        return self.guidance * with_it + (1 - self.guidance) * self(x, moments, conditions, 0 * one)


class Block(nn.Module):
    """Two convolutions beside a short cut; what is known of moment and condition scales and shifts in between."""

    def __init__(self, before, after, known):
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(min(8, before), before), nn.SiLU(), nn.Conv2d(before, after, 3, 1, 1))
        self.norm = nn.GroupNorm(min(8, after), after, affine=False)
        self.scale = nn.Linear(known, 2 * after)
        self.second = nn.Conv2d(after, after, 3, 1, 1)
        self.short = nn.Conv2d(before, after, 1) if before != after else nn.Identity()

    def forward(self, x, known):
        scale, shift = self.scale(known)[:, :, None, None].chunk(2, 1)
        return self.short(x) + self.second(functional.silu(self.norm(self.first(x)) * (1 + scale) + shift))


def waves(numbers):
    """Return numbers (n, d) between 0 and 1 as sines and cosines (n, 2 d WAVES), coarse to fine."""
    lengths = torch.pi * 2.0 ** torch.linspace(0, 6, WAVES, device=numbers.device)
    turned = (numbers[..., None] * lengths).flatten(1)
    return torch.cat([turned.sin(), turned.cos()], 1)
