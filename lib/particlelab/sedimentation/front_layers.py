"""A generator of spectra rather than of pictures, in torch: boundaries that move, each a smooth step over the radius.

The transmission at radius x and time t, both as shares of what was measured, is

    T(x, t) = sum_p b_p(t) x^p + sum_k a_k(t) sigmoid((x - m_k(t)) w_k(t))
              + sum_j (c_j(t) sigmoid(u_j) + d_j(t) bump(u_j)),

where heights a, places m, steepnesses w and background b are what a network makes of the time, the condition and a
code. The last sum is of edges that stand still, u_j = (x - n_j) v_j, such as a meniscus or a cell's bottom: their
places n and steepnesses v do not depend on the time; bump is the sigmoid's derivative, 1 at most. What
lies beyond 0 and 1 is softly bounded. No physics is put in:
how boundaries move, spread and grow with the condition is learned. There is no grid, and so there are no squares and no
zigzag.
"""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from particlelab.sedimentation.flow_layers import waves
from particlelab.sedimentation.generator_layers import Average, PictureReader

DECAY = 0.995  # of the average over the training
POWERS = 4  # of the background in radius
STEEP = 10.0, 50.0, 3000.0  # steepness at first, that of standing edges at first, and at most
EARLY = 0.003, 0.05  # shares of the duration down to which the logarithms of time tell moments apart
SMALL = 0.0025, 0.05  # the same for coefficients, as shares of the largest
BOUNDS, HARD, BEYOND = (0.0, 1.02), 50.0, 0.1  # of a transmission, how sharply they bound it, and the slope beyond
NEAREST, MIXED = 4, 0.5  # codes that one is mixed with, and the largest share of the other
READ_PX = 64  # edge of the picture that the encoder sees
PRIOR = 0.01  # weight of the loss of the flow that draws codes, which learns apart from the rest


class Fronts(nn.Module):
    """A variational autoencoder whose decoder gives moving boundaries, and a flow that draws its codes.

    Parameters
    ----------
    latent, conditions, fronts, edges, width, steps : int
        ``latent``: 0 where spectra of one condition differ by noise alone; ``width``: of the layers; ``steps``: in
        which a code is drawn.
    kl : float
        Weight of the divergence of the codes from a normal distribution.
    mixing : bool
        Whether codes of classes are mixed of those of measurements (see `Drawing`).
    iterations : int
        Of the training. Over the first half of them boundaries may become steeper and steeper: a steep one that stands
        at a wrong place would not see where the right one is.
    """

    def __init__(self, latent, conditions, fronts, edges, width, steps, kl, mixing, iterations):
        super().__init__()
        self.kl, self.mixing, self.iterations = kl, mixing and latent > 0 and conditions > 1, iterations
        self.encoder = PictureReader(2 * latent, conditions, 1, READ_PX, 8, 64) if latent else None
        self.drawing = Drawing(latent, conditions, fronts, edges, width, steps)
        self.average = Average(self.drawing, DECAY)

    @property
    def sampler(self):
        """What draws."""
        return self.average.network

    def loss(self, pictures, conditions, radii, times, transmission):
        """Return the loss of spectra at some times (n, T) and radii (n, T, R), seen as pictures of 64 px."""
        self.average.follow(self.drawing)
        self._sharpen()
        if self.encoder is None:  # spectra of one condition differ by noise alone
            code, further = pictures.new_zeros(len(pictures), 0), 0.0
        else:
            mean, log_variance = self._read(pictures, conditions)
            code = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
            kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
            further = self.kl * kl + PRIOR * self.drawing.prior.loss(code.detach(), conditions)
        return ((self.drawing.decoder(code, conditions, radii, times) - transmission) ** 2).mean() + further

    def _sharpen(self):
        """Let boundaries become as steep as they may be by now."""
        done = min(1.0, 2 * float(self.average.steps) / self.iterations)
        steepest = STEEP[1] * (STEEP[2] / STEEP[1]) ** done
        for drawing in (self.drawing, self.sampler):
            drawing.decoder.steepest.fill_(steepest)

    @torch.no_grad()
    def finish(self, pictures, conditions):
        """Keep the codes of the measurements."""
        if self.mixing:
            parts = [self._read(*some) for some in zip(pictures.split(64), conditions.split(64), strict=True)]
            mean, log_variance = (torch.cat(part) for part in zip(*parts, strict=True))
            self.sampler.keep(mean, torch.exp(log_variance / 2), conditions)

    def _read(self, pictures, conditions):
        mean, log_variance = self.encoder(pictures, conditions).chunk(2, 1)
        return mean, log_variance.clamp(-10, 10)


class Drawing(nn.Module):
    """Draws a code for a condition, and of the code a spectrum.

    Codes come from a flow; or, of classes and after `keep`, each is the code of a measurement of the class, mixed with
    that of one of the measurements next to it: where a class has a dozen measurements, a flow knows too little.
    """

    def __init__(self, latent, conditions, fronts, edges, width, steps):
        super().__init__()
        for name, length in (("known", latent), ("spread", latent), ("told", conditions)):
            self.register_buffer(name, torch.zeros(0, length))
        self.prior = CodeFlow(latent, conditions, width, steps) if latent else None
        self.decoder = FrontDecoder(latent, conditions, fronts, edges, width)

    def codes(self, conditions):
        """Draw a code for each condition, (n, latent)."""
        if self.prior is None:
            return conditions.new_zeros(len(conditions), 0)
        return torch.stack([self._mix(each) for each in conditions]) if len(self.known) else self.prior.draw(conditions)

    def keep(self, known, spread, told):
        """Keep the codes (n, latent) of measurements, how uncertain each is, and their conditions (n, d)."""
        self.known, self.spread, self.told = known, spread, told

    def _mix(self, condition):
        some = (self.told == condition).all(1).nonzero()[:, 0]
        one = some[torch.randint(len(some), ())]
        near = (self.known[some] - self.known[one]).norm(dim=1).argsort()[: NEAREST + 1]
        other = some[near[torch.randint(len(near), ())]]
        share = MIXED * torch.rand(())
        mixed = (1 - share) * self.known[one] + share * self.known[other]
        return mixed + self.spread[one] * torch.randn_like(mixed)


class Moving(NamedTuple):
    """Boundaries that move, each (n, T, fronts)."""

    heights: torch.Tensor
    places: torch.Tensor
    steepness: torch.Tensor


class Standing(NamedTuple):
    """Edges that stand still."""

    heights: torch.Tensor  # (n, T, edges), of the step
    depths: torch.Tensor  # (n, T, edges), of the bump
    places: torch.Tensor  # (n, edges)
    steepness: torch.Tensor  # (n, edges)


class FrontDecoder(nn.Module):
    """From a code and a condition to the transmission at any radius and time."""

    def __init__(self, latent, conditions, fronts, edges, width):
        super().__init__()
        self.register_buffer("steepest", torch.tensor(STEEP[2]))
        self.parts = [fronts, fronts, fronts, edges, edges, POWERS]
        told = conditions + 2 * (conditions == 1)
        self.known = nn.Sequential(nn.Linear(latent + told, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.moving = nn.Sequential(
            nn.Linear(width + told + 4, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, sum(self.parts)),
        )
        with torch.no_grad():
            bias = self.moving[-1].bias
            bias[:fronts] = 0
            bias[fronts : 2 * fronts] = torch.linspace(-0.1, 1.1, fronts)
            bias[2 * fronts : 3 * fronts] = math.log(STEEP[0])
        self.standing = nn.Sequential(nn.Linear(latent + told, width), nn.SiLU(), nn.Linear(width, 2 * edges))
        with torch.no_grad():
            self.standing[-1].bias.copy_(
                torch.cat([torch.linspace(0, 1, edges), torch.full((edges,), math.log(STEEP[1]))])
            )

    def forward(self, codes, conditions, radii, times):
        """Return transmissions (n, T, R) at times (n, T) and radii (n, R), or (n, T, R) if each time has its own."""
        radii = radii if radii.ndim == 3 else radii[:, None].expand(-1, times.shape[1], -1)
        moving, standing, background = self.boundaries(codes, conditions, times)
        steps = torch.sigmoid((radii[..., None] - moving.places[:, :, None]) * moving.steepness[:, :, None])
        edges = torch.sigmoid((radii[..., None] - standing.places[:, None, None]) * standing.steepness[:, None, None])
        powers = torch.stack([(2 * radii - 1) ** power for power in range(POWERS)], -1)
        parts = [(steps, moving.heights), (edges, standing.heights), (4 * edges * (1 - edges), standing.depths)]
        return _bounded(sum(torch.einsum("ntrk,ntk->ntr", *part) for part in [*parts, (powers, background)]))

    def boundaries(self, codes, conditions, times):
        """Return the boundaries that move, (n, T, fronts), the edges that stand, and the background (n, T, 4)."""
        told = _tell(conditions)
        known = torch.cat([self.known(torch.cat([codes, told], 1)), told], 1)
        moments = [times, times.sqrt(), *((torch.log(times + early) + 2) / 2 for early in EARLY)]
        given = torch.cat([known[:, None].expand(-1, times.shape[1], -1), torch.stack(moments, -1)], 2)
        heights, places, steepness, steps, depths, background = self.moving(given).split(self.parts, 2)
        stand, steep = self.standing(torch.cat([codes, told], 1)).chunk(2, 1)
        return (
            Moving(heights, places, self._bounded(steepness)),
            Standing(steps, depths, stand, self._bounded(steep)),
            background,
        )

    def _bounded(self, logarithm):
        return logarithm.clamp(-2, math.log(STEEP[-1])).exp().minimum(self.steepest)


class CodeFlow(nn.Module):
    """Flow matching on codes: draws those of a condition."""

    def __init__(self, latent, conditions, width, steps):
        super().__init__()
        self.latent, self.steps = latent, steps
        told = conditions + 2 * (conditions == 1)
        self.layers = nn.Sequential(
            nn.Linear(latent + told + 32, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
            nn.Linear(width, latent),
        )

    def forward(self, codes, moments, conditions):
        return self.layers(torch.cat([codes, waves(moments[:, None]), _tell(conditions)], 1))

    def loss(self, codes, conditions):
        """Return the mean square error of the velocity from noise to codes (n, latent)."""
        moments, noise = torch.rand(len(codes), device=codes.device), torch.randn_like(codes)
        share = moments[:, None]
        velocity = self((1 - share) * noise + share * codes, moments, conditions)
        return ((velocity - (codes - noise)) ** 2).mean()

    def draw(self, conditions):
        """Draw a code for each condition, by Heun's method."""
        x = torch.randn(len(conditions), self.latent, device=conditions.device)
        for k in range(self.steps):
            now, then = (x.new_full((len(x),), (k + j) / self.steps) for j in (0, 1))
            first = self(x, now, conditions)
            x = x + (first + self(x + first / self.steps, then, conditions)) / (2 * self.steps)
        return x


def _tell(conditions):
    """Return conditions as layers are told of them: a coefficient also by its logarithms."""
    if conditions.shape[1] != 1:
        return conditions
    logs = [(torch.log(conditions + small) + 2) / 2 for small in SMALL]
    return torch.cat([2 * conditions - 1, *logs], 1)


def _bounded(values):
    """Return values as they are between the bounds of a transmission, and hardly more than these beyond."""
    low, high = BOUNDS
    below, above = (functional.softplus(HARD * apart) / HARD for apart in (low - values, values - high))
    return values + (1 - BEYOND) * (below - above)
