"""Star-shaped outlines in torch, drawn softly: what `geometry_fitting` optimises."""

import math

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

PROFILE = 3  # powers of the way from the middle to the rim, by which particles shine: 1, q^2, q^8
SOFT_PX = (2.5, 0.7)  # width of an edge at the beginning and at the end
SCALES = 3  # of the pictures that are compared


class Outlines(nn.Module):
    """Particles of star-shaped outlines on a ground.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the picture.
    centres : (n, 2) ndarray
        x, y in pixels.
    radius : float
        Of all at first.
    harmonics : int
    ground, bright : float
        Grey levels.
    reach : float
        Radii to which an outline may extend.
    """

    def __init__(self, shape, centres, radius, harmonics, ground, bright, reach):
        super().__init__()
        n, self.shape, self.radius = len(centres), shape, radius
        self.half = math.ceil(reach * radius) + 4
        self.reach = reach
        self.start = nn.Buffer(torch.tensor(centres, dtype=torch.float32))
        self.shift = nn.Parameter(torch.zeros(n, 2))  # in radii
        self.log_radius = nn.Parameter(torch.zeros(n))
        self.waves = nn.Parameter(torch.zeros(n, max(harmonics - 1, 0), 2))
        self.grey = nn.Parameter(torch.zeros(n))
        self.ground = nn.Parameter(torch.tensor(float(ground)))
        self.profile = nn.Parameter(torch.tensor([float(bright), 0.0, 0.0]))
        grid = torch.arange(-self.half, self.half + 1)
        self.window_y, self.window_x = nn.Buffer(grid[:, None]), nn.Buffer(grid[None, :])

    def centres(self):
        return self.start + self.radius * self.shift

    def radii(self):
        return self.radius * self.log_radius.exp().clamp(max=0.85 * self.reach)

    def alphas(self, soft):
        """Return how far each pixel of each window lies inside, its way to the rim, and its place in the frame."""
        centres = self.centres()
        corner = centres.detach().round()
        x = corner[:, 0, None, None] + self.window_x
        y = corner[:, 1, None, None] + self.window_y
        dx, dy = x - centres[:, 0, None, None], y - centres[:, 1, None, None]
        distance = torch.sqrt(dx**2 + dy**2 + 1e-4)
        cosine, sine = dx / distance, dy / distance
        wave_cosine, wave_sine, height = cosine, sine, torch.ones_like(distance)
        for k in range(self.waves.shape[1]):
            wave_cosine, wave_sine = wave_cosine * cosine - wave_sine * sine, wave_sine * cosine + wave_cosine * sine
            height = height + self.waves[:, k, 0, None, None] * wave_cosine
            height = height + self.waves[:, k, 1, None, None] * wave_sine
        rim = self.radii()[:, None, None] * height.clamp(min=0.15)
        rows, columns = self.shape
        inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        place = torch.where(inside, y * columns + x, torch.tensor(float(rows * columns))).long()
        return torch.sigmoid((rim - distance) / soft), (distance / rim).clamp(max=1.3), place

    def forward(self, soft):
        """Return the picture (H, W), and by how much particles overlap, as a share of the frame."""
        alpha, way, place = self.alphas(soft)
        shine = self.profile[0] + self.profile[1] * way**2 + self.profile[2] * way**8
        shine = shine * self.grey.exp()[:, None, None]
        flat, size = place.flatten(), self.shape[0] * self.shape[1] + 1
        alpha, light = alpha.flatten(), (alpha * shine).flatten()
        empty = alpha.new_zeros(size)
        clear = empty.index_add(0, flat, torch.log1p(-alpha.clamp(max=1 - 1e-6)))[:-1].exp()
        total = empty.index_add(0, flat, alpha)[:-1]
        mean = empty.index_add(0, flat, light)[:-1] / (total + 1e-6)
        picture = self.ground * clear + mean * (1 - clear)
        return picture.view(self.shape), (total - (1 - clear)).clamp(min=0).mean()

    @torch.no_grad()
    def instances(self):
        """Return the map (H, W) of what lies inside which outline, most deeply where there are several."""
        alpha, _, place = (part.numpy() for part in self.alphas(1.0))
        size = self.shape[0] * self.shape[1] + 1
        best, which = np.full(size, 0.5), np.zeros(size, np.int32)
        for k in range(len(alpha)):
            deeper = alpha[k] > best[place[k]]
            at = place[k][deeper]
            best[at], which[at] = alpha[k][deeper], k + 1
        return which[:-1].reshape(self.shape)


def fit_outlines(image, centres, radius, parameters, reach, progress):
    """Optimise outlines; see `geometry_fitting.fit_geometry`."""
    from particlelab.micrographs.geometry_fitting import GeometryFit

    p, target = parameters, torch.from_numpy(image)
    low, high = np.quantile(image, (0.1, 0.9))
    network = Outlines(image.shape, centres, radius, p.harmonics, low, high, reach)
    start, rate = network.instances(), p.learning_rate
    groups = [
        {"params": [network.shift, network.log_radius, network.grey, network.ground, network.profile], "lr": rate},
        {"params": [network.waves], "lr": 0.6 * rate},
    ]
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.98))
    numbers = torch.arange(2.0, network.waves.shape[1] + 2)[None, :, None]
    aims, losses, pictures = _pyramid(target), [], {}
    shown = set(np.unique(np.round(np.linspace(0, p.steps, p.pictures + 1)).astype(int)).tolist())
    for step in range(p.steps + 1):
        share = step / p.steps
        soft = SOFT_PX[0] * (SOFT_PX[1] / SOFT_PX[0]) ** min(1.0, 1.5 * share)
        picture, overlap = network(soft)
        if step in shown:
            pictures[step] = picture.detach().clamp(0, 1).numpy()
        if step == p.steps:
            break
        difference = sum(((a - b) ** 2).mean() for a, b in zip(_pyramid(picture), aims, strict=True))
        rough = (numbers**2 * network.waves**2).sum((1, 2)).mean()
        loss = difference + p.apart * overlap + p.smooth * rough
        optimiser.zero_grad()
        loss.backward()
        for group, usual in zip(optimiser.param_groups, (rate, 0.6 * rate), strict=True):
            group["lr"] = usual * min(1.0, 2.2 - 2 * share)
        optimiser.step()
        losses.append(float(difference.detach()))
        if progress:
            progress((step + 1) / p.steps, f"step {step + 1} of {p.steps}, difference {losses[-1]:.5f}")
    history = pd.DataFrame({"step": np.arange(p.steps), "loss": losses})
    return GeometryFit(
        network.instances(),
        pictures[p.steps],
        history,
        np.array(sorted(pictures)),
        np.stack([pictures[step] for step in sorted(pictures)]),
        start,
        *(part.detach().numpy() for part in (network.centres(), network.radii(), network.waves)),
    )


def _pyramid(picture):
    scales = [picture[None, None]]
    while len(scales) < SCALES:
        scales.append(functional.avg_pool2d(scales[-1], 2))
    return scales
