"""The discriminator of the hybrid synthesis, in torch: a small network that sees patches."""

import torch
from torch import nn
from torch.nn import functional


class Discriminator(nn.Module):
    """Three convolutions, each halving the patch; what they find, on average, and how it scatters, is judged.

    It sees a patch and what is left of it without its local mean, ten times as strong, where noise and blur show.
    """

    def __init__(self, channels):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2, channels, 5, 2, 2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 2 * channels, 5, 2, 2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * channels, 2 * channels, 3, 2, 1),
            nn.LeakyReLU(0.2),
        )
        self.answer = nn.Linear(4 * channels, 1)

    def forward(self, patches):
        """Turn patches (n, 1, w, w) from 0 to 1 into logits (n,): above 0 where they look real."""
        local = functional.avg_pool2d(functional.pad(patches, (1, 1, 1, 1), mode="reflect"), 3, 1)
        seen = torch.cat([4 * (patches - 0.5), 20 * (patches - local)], 1)
        found = self.layers(seen)
        return self.answer(torch.cat([found.mean((2, 3)), found.std((2, 3))], 1))[:, 0]
