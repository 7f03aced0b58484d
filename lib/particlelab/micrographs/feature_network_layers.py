"""Networks that describe pictures: those that others have published, and the lab's own.

Each takes grey pictures (B, 1, H, W), 0 to 1, and has `maps` (a list of (B, C, h, w) of its layers, for Gram matrices)
or `pooled` ((B, d), one vector a picture), or both.
"""

import torch
from torch import nn
from torch.nn import functional

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VGG_LAYERS = (1, 6, 11, 20, 29)  # ReLU after conv1_1, conv2_1, conv3_1, conv4_1, conv5_1 (Gatys et al. 2016)
GREY_MEAN, GREY_SPREAD = 0.45, 0.25


class OwnNetwork(nn.Module):
    """The lab's own: blocks of two convolutions, each at half the resolution of the one before.

    Parameters
    ----------
    widths : sequence of int
        Channels of its blocks.
    features : int
        Numbers that stand for a picture.
    classes : int
        Recipes that the training tells apart.
    quantities : int
        Numbers of a recipe that the training reads.
    """

    def __init__(self, widths, features, classes=0, quantities=0):
        super().__init__()
        first = (1, *widths[:-1])
        self.blocks = nn.ModuleList(_block(a, b) for a, b in zip(first, widths, strict=True))
        self.embed = nn.Linear(2 * widths[-1], features)
        self.standardise = nn.BatchNorm1d(features, affine=False)
        self.classes = nn.Linear(features, classes) if classes else None
        self.quantities = nn.Linear(features, quantities) if quantities else None

    def maps(self, pictures):
        """Return what each block makes of pictures."""
        x, made = (pictures - GREY_MEAN) / GREY_SPREAD, []
        for block in self.blocks:
            x = block(x)
            made.append(x)
        return made

    def pooled(self, pictures):
        """Return one vector a picture, of mean 0 and variance 1 over the pictures of the training."""
        last = self.maps(pictures)[-1].flatten(2)
        spread = torch.sqrt(last.var(2, unbiased=False) + 1e-6)
        return self.standardise(self.embed(torch.cat([last.mean(2), spread], 1)))

    def forward(self, pictures):
        x = self.pooled(pictures)
        return self.classes(x), self.quantities(x)


class Inception(nn.Module):
    """Inception v3 as torchvision trained it on ImageNet, before its last layer: 2048 numbers.

    (Heusel et al. 2017 took the weights of TensorFlow: values differ in size, not in meaning.)
    """

    def __init__(self, weights):
        super().__init__()
        from torchvision.models import inception_v3

        self.network = inception_v3(weights=None, init_weights=False, transform_input=False)
        self.network.load_state_dict(weights)
        self.network.fc = nn.Identity()

    def pooled(self, pictures):
        return self.network(_colour(pictures, 299, (0.5,) * 3, (0.5,) * 3))


class Clip(nn.Module):
    """CLIP's tower for images, ViT-B/32 of OpenAI, as timm loads it: 512 numbers, after the projection."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def pooled(self, pictures):
        known = self.network.pretrained_cfg
        return self.network(_colour(pictures, 224, known["mean"], known["std"]))


class Vgg(nn.Module):
    """The convolutions of VGG-19 as torchvision trained it on ImageNet."""

    def __init__(self, weights):
        super().__init__()
        from torchvision.models import vgg

        self.network = vgg.make_layers(vgg.cfgs["E"])
        own = {name.removeprefix("features."): w for name, w in weights.items() if name.startswith("features.")}
        self.network.load_state_dict(own)
        for layer in self.network:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # what is kept stays as it was

    def maps(self, pictures):
        x, made = _colour(pictures, None, *IMAGENET), []
        for number, layer in enumerate(self.network[: VGG_LAYERS[-1] + 1]):
            x = layer(x)
            if number in VGG_LAYERS:
                made.append(x)
        return made

    def pooled(self, pictures):
        return self.maps(pictures)[-1].mean((2, 3))


def _colour(pictures, size, mean, spread):
    """Return grey pictures as a network sees coloured ones, scaled to its size."""
    if size is not None:
        pictures = functional.interpolate(pictures, (size, size), mode="bilinear", antialias=True)
    mean, spread = (torch.tensor(part, device=pictures.device)[:, None, None] for part in (mean, spread))
    return (pictures - mean) / spread


def _block(a, b):
    layers = []
    for k, n in enumerate((a, b)):
        layers += [nn.Conv2d(n, b, 3, padding=1, stride=2 - k, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
    return nn.Sequential(*layers)
