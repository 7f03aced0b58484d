"""The networks in torch. Each gives ln(D interval / pixel^2) and the logarithm of its standard deviation."""

import math

import torch
from torch import nn
from torch.nn import functional

LEVELS = 4  # of the convolutional networks; each has twice the channels of the last
SPREAD = (-4.0, 2.0)  # bounds of the logarithm of the standard deviation


def build(network, frames):
    """Build a network.

    Parameters
    ----------
    network : Network
    frames : int
        Frames of a movie, where the network must know.

    Returns
    -------
    torch.nn.Module
        Called with what `see` gives, as tensors; it gives mean and log standard deviation, each (n,).
    """
    kinds = {"transformer": FrameTransformer, "resnet3d": ResNet3D, "resnet2d": ResNet2D, "park": ParkCNN}
    return kinds[network.kind](network, frames)


class FrameTransformer(nn.Module):
    """Attention between frames, each of which stands for its window, its light and the way from and to its neighbours.

    What is mirrored into the numbers of a frame is what an estimator from tracks would use: the squares of
    displacements and the products of neighbouring ones, on a scale on which a factor counts alike at any D.
    """

    def __init__(self, network, frames):
        super().__init__()
        width = network.width
        self.numbers = nn.Sequential(nn.LazyLinear(width), nn.GELU(), nn.Linear(width, width))
        self.window = nn.Sequential(
            nn.Flatten(2), nn.Linear(network.window**2, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.GELU(),
            nn.Linear(width, width),
        )  # fmt: skip
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.frames = nn.TransformerEncoder(layer, network.depth, enable_nested_tensor=False)
        self.answer = _answer(width)
        self.numbers(torch.zeros(1, 1, _describe(*_blank(network.window)).shape[-1]))  # sets the lazy layer's size

    def forward(self, windows, *blobs):
        pixels = torch.asinh(150 * windows) / 2  # linear below 1/150 of a blob's light, logarithmic in its middle
        seen = self.numbers(_describe(windows, *blobs)) + self.window(pixels)
        return _split(self.answer(self.frames(seen).mean(dim=1)))


class ParkCNN(nn.Module):
    """Plain 3 by 3 convolutions with Swish, halved by pooling between levels."""

    def __init__(self, network, frames):
        super().__init__()
        layers, channels = [], frames
        for level in range(LEVELS):
            for _ in range(network.depth):
                layers += [nn.Conv2d(channels, network.width << level, 3, padding=1), nn.SiLU()]
                channels = network.width << level
            layers.append(nn.MaxPool2d(2))
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.answer = _answer(channels)

    def forward(self, movies):
        return _split(self.answer(self.layers(movies)))


class _ResNet(nn.Module):
    """Residual blocks, each level with half the pixels (and, in three dimensions, half the frames) of the last."""

    def __init__(self, network, channels, convolution, normalisation):
        super().__init__()
        layers = []
        for level in range(LEVELS):
            for block in range(network.depth):
                stride = 2 if block == 0 else 1
                layers.append(_Block(channels, network.width << level, stride, convolution, normalisation))
                channels = network.width << level
        self.layers = nn.Sequential(*layers)
        self.answer = _answer(channels)

    def forward(self, movies):
        return _split(self.answer(self.layers(movies).flatten(2).mean(dim=-1)))


class ResNet2D(_ResNet):
    """Frames are channels."""

    def __init__(self, network, frames):
        super().__init__(network, frames, nn.Conv2d, nn.BatchNorm2d)


class ResNet3D(_ResNet):
    """Convolutions over time, down and across, as the document meant it."""

    def __init__(self, network, frames):
        super().__init__(network, 1, nn.Conv3d, nn.BatchNorm3d)

    def forward(self, movies):
        return super().forward(movies[:, None])


class _Block(nn.Module):
    def __init__(self, channels, width, stride, convolution, normalisation):
        super().__init__()
        self.way = nn.Sequential(
            convolution(channels, width, 3, stride, 1, bias=False), normalisation(width), nn.ReLU(),
            convolution(width, width, 3, 1, 1, bias=False), normalisation(width),
        )  # fmt: skip
        same = stride == 1 and channels == width
        self.past = nn.Identity() if same else convolution(channels, width, 1, stride, bias=False)

    def forward(self, x):
        return functional.relu(self.way(x) + self.past(x))


def _answer(width):
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, 2))


def _split(answer):
    return answer[:, 0], answer[:, 1].clamp(*SPREAD)


def _blank(window):
    one = torch.ones(1)
    return torch.zeros(1, 1, window, window), torch.zeros(1, 1, 2), torch.ones(1, 1, 3), torch.ones(1, 1), one, one


def _describe(windows, places, shapes, light, noise, psf):
    """Return the numbers that stand for each frame, (n, T, k), beside its window.

    All are of the order of 1, as a network learns best from: what spans more is divided by 2 or 3. What may be 0 or
    negative is linear where it is small, as errors of localisation are, and logarithmic beyond: steps from 0.3 pixels
    on, their products from 0.05 square pixels on. Other logarithms begin at a least value, and are about 0 at a usual
    one: a variance of 2 square pixels, noise of e^-6 of a blob's light in a pixel, 16 frames.
    """
    steps = places.diff(dim=1)
    none = torch.zeros_like(places[:, :1])
    numbers = []
    for step in (torch.cat([none, steps], 1), torch.cat([steps, none], 1)):
        length = step.norm(dim=-1, keepdim=True) + 1e-6  # which is divided by
        numbers += [step * torch.asinh(length / 0.3) / length, torch.log(length**2 + 0.01) / 3]
    product = (steps[:, 1:] * steps[:, :-1]).sum(dim=-1, keepdim=True)
    product = torch.cat([none[..., :1], product, none[..., :1]], 1)[:, : places.shape[1]]
    numbers.append(torch.sign(product) * torch.log1p(product.abs() / 0.05) / 3)
    variance, ellipticity = shapes[..., :1].clamp_min(0.05), shapes[..., 1:]
    light, noise = light.clamp_min(0.01)[..., None], noise.clamp_min(1e-4)[:, None, None].expand(*light.shape, 1)
    numbers += [torch.log(variance / 2), ellipticity, torch.log(light), (torch.log(noise) + 6) / 2]
    ends, movie = torch.zeros_like(places), torch.zeros_like(places)
    ends[:, 0, 0] = ends[:, -1, 1] = 1
    movie[..., 0], movie[..., 1] = torch.log(psf)[:, None], math.log(places.shape[1] / 16)
    return torch.cat([*numbers, ends, movie], dim=-1)
