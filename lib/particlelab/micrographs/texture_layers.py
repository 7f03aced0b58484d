"""Texture descriptors in torch: each module turns pictures (n, H, W) from 0 to 1 into rows (n, m); gradients pass."""

import math

import torch
from torch import nn
from torch.nn import functional

SCALES = 4  # of the bank: the picture is halved three times
BINS = 24  # of the histogram
OCTAVES = (1 / 96, 0.5)  # cycles per pixel, of the power spectrum
FREQUENCIES = 18
PROJECTED = 128  # numbers that a large Gram matrix becomes
VGG_LAYERS = (1, 6, 11, 20)  # ReLU 1_1, 2_1, 3_1, 4_1 of VGG19
TINY = 1e-6


class Bank(nn.Module):
    """Means, spreads and correlations of fixed filters' responses at four scales, histogram and power spectrum."""

    def __init__(self):
        super().__init__()
        smooth = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
        slope, bend = torch.tensor([-1.0, -2.0, 0.0, 2.0, 1.0]) / 8, torch.tensor([1.0, 0.0, -2.0, 0.0, 1.0]) / 4
        kernels = [torch.outer(a, b) for a, b in ((smooth, smooth), (smooth, slope), (slope, smooth))]
        kernels += [torch.outer(smooth, bend), torch.outer(bend, smooth), torch.outer(slope, slope)]
        self.register_buffer("kernels", torch.stack(kernels)[:, None])
        self.register_buffer("levels", torch.linspace(0, 1, BINS))
        self.register_buffer("edges", torch.logspace(*map(math.log10, OCTAVES), FREQUENCIES + 1))

    def forward(self, pictures):
        parts, image = [self.histogram(pictures), self.spectrum(pictures)], pictures[:, None]
        for _ in range(SCALES):
            found, image = self.responses(image)
            parts.append(found)
        return torch.cat(parts, 1)

    def histogram(self, pictures):
        """Shares of grey levels in soft classes, mean, spread and the third and fourth moments."""
        width = 1 / (BINS - 1)
        values = pictures.flatten(1)
        place = (values / width).clamp(0, BINS - 1 - 1e-4)
        lower = place.detach().floor().long()
        share = place - lower
        counts = torch.zeros(len(values), BINS, dtype=values.dtype)
        counts = counts.scatter_add(1, lower, 1 - share).scatter_add(1, lower + 1, share) / values.shape[1]
        return torch.cat([(counts + 1e-3).log(), _moments(values[:, None])], 1)

    def spectrum(self, pictures):
        """Logarithm of the mean power in rings of frequency, and in how far it is along one direction."""
        height, width = pictures.shape[1:]
        window = _hann(height, pictures)[:, None] * _hann(width, pictures)[None]
        mean = pictures.mean((1, 2), keepdim=True)
        power = torch.fft.rfft2((pictures - mean) * window).abs() ** 2 / (window**2).sum()
        y, x = torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None]
        radius = torch.sqrt(x**2 + y**2)
        ring = torch.bucketize(radius, self.edges) - 1
        inside = ((ring >= 0) & (ring < FREQUENCIES)).flatten()
        rings = ring.flatten()[inside]
        values = power.flatten(1)[:, inside]
        number = torch.zeros(FREQUENCIES).index_add(0, rings, torch.ones(len(rings))).clamp(min=1)
        found = torch.zeros(len(pictures), FREQUENCIES, dtype=values.dtype).index_add(1, rings, values) / number
        return (found + 1e-7).log()

    def responses(self, image):
        """Statistics of one scale, and the picture of half its size; responses are taken at every second pixel."""
        found = functional.conv2d(_reflect(image, 2), self.kernels, stride=2)
        low, gx, gy, hxx, hyy, hxy = found.unbind(1)
        band = image[:, 0, ::2, ::2] - low
        xx, yy = gx * gx, gy * gy
        slope = torch.sqrt(xx + yy + TINY)
        middle, half = (hxx + hyy) / 2, torch.sqrt((hxx - hyy) ** 2 / 4 + hxy * hxy + TINY)
        maps = torch.stack([low, band, slope, middle + half, middle - half, slope * low], 1).flatten(2)
        centred = maps - maps.mean(2, keepdim=True)
        covariance = centred @ centred.transpose(1, 2) / maps.shape[2]
        spread = torch.sqrt(torch.diagonal(covariance, dim1=1, dim2=2) + TINY)
        correlation = covariance / (spread[:, :, None] * spread[:, None, :])
        upper = torch.triu_indices(maps.shape[1], maps.shape[1], 1)
        along, across = xx.mean((1, 2)), yy.mean((1, 2))
        energy = along + across + TINY
        turned = torch.stack([along - across, 2 * (gx * gy).mean((1, 2))], 1) / energy[:, None]
        leaning = torch.stack([(xx * gx).mean((1, 2)), (yy * gy).mean((1, 2))], 1) / energy[:, None] ** 1.5
        moments = _moments(maps[:, 1:5])[:, 8:]  # without mean and spread
        parts = [maps.mean(2), spread.log(), correlation[:, upper[0], upper[1]], moments, turned, torch.asinh(leaning)]
        return torch.cat(parts, 1), found[:, :1]


class RandomGram(nn.Module):
    """Gram matrices of a convolutional network of fixed random weights, at three sizes of the picture."""

    def __init__(self, channels=24, edge=7, sizes=3, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        kernels = torch.randn(channels, 1, edge, edge, generator=generator)
        kernels = kernels - kernels.mean((2, 3), keepdim=True)
        self.register_buffer("kernels", kernels / kernels.flatten(1).norm(dim=1)[:, None, None, None])
        self.sizes = sizes

    def forward(self, pictures):
        image, parts = pictures[:, None], []
        upper = torch.triu_indices(len(self.kernels), len(self.kernels))
        for _ in range(self.sizes):
            found = functional.relu(functional.conv2d(image, self.kernels)).flatten(2)
            gram = found @ found.transpose(1, 2) / found.shape[2]
            parts.append((gram[:, upper[0], upper[1]] + 1e-5).log())
            image = functional.avg_pool2d(image, 2)
        return torch.cat(parts, 1)


class VGGGram(nn.Module):
    """Gram matrices of features of VGG19, trained on ImageNet, at three sizes of the picture; projected at random.

    Raises
    ------
    ValueError
        If torchvision's weights are not on this machine.
    """

    def __init__(self, weights="default", sizes=3):
        super().__init__()
        self.features, self.sizes = load_vgg(weights), sizes
        generator, self.projections = torch.Generator().manual_seed(0), nn.ParameterList()
        for layer in VGG_LAYERS:
            channels = self.features[layer - 1].out_channels
            known = channels * (channels + 1) // 2
            matrix = torch.randn(known, PROJECTED, generator=generator) / math.sqrt(PROJECTED)
            self.projections.append(nn.Parameter(matrix, requires_grad=False))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("spread", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def forward(self, pictures):
        image, parts = pictures[:, None], []
        for _ in range(self.sizes):
            found = (image.expand(-1, 3, -1, -1) - self.mean) / self.spread
            projections = iter(self.projections)
            for number, layer in enumerate(self.features):
                found = layer(found)
                if number in VGG_LAYERS:
                    maps = found.flatten(2)
                    gram = maps @ maps.transpose(1, 2) / (maps.shape[1] * maps.shape[2])
                    upper = torch.triu_indices(maps.shape[1], maps.shape[1])
                    parts.append(gram[:, upper[0], upper[1]] @ next(projections))
            image = functional.avg_pool2d(image, 2)
        return torch.cat(parts, 1)


def load_vgg(weights="default"):
    """Return the layers of VGG19 up to ReLU 4_1 as torchvision makes them; ``weights=None``: untrained."""
    from pathlib import Path

    from torchvision.models import VGG19_Weights, vgg19

    known = None
    if weights is not None:
        known = VGG19_Weights.DEFAULT
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(known.url).name
        if not file.is_file():
            raise ValueError(
                f"VGG19's weights are not on this machine: {file.name} must lie in {file.parent} (from {known.url}); "
                "kind='bank' needs none"
            )
    layers = vgg19(weights=known).features[: VGG_LAYERS[-1] + 1].eval()
    for layer in layers:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return layers.requires_grad_(False)


def _moments(values):
    """Return mean, log spread, skewness and kurtosis (n, 4 c) of values (n, c, m)."""
    mean = values.mean(2, keepdim=True)
    centred = values - mean
    square = centred * centred
    variance = square.mean(2) + TINY
    third, fourth = (square * centred).mean(2) / variance**1.5, (square * square).mean(2) / variance**2
    return torch.cat([mean[..., 0], variance.log() / 2, torch.asinh(third), fourth.clamp(min=0.1).log()], 1)


def _reflect(image, edge):
    return functional.pad(image, (edge, edge, edge, edge), mode="reflect")


def _hann(n, like):
    return torch.hann_window(n, periodic=False, dtype=like.dtype)
