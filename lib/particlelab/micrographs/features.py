"""Features of pictures: vectors by which networks describe them, those of others and the lab's own.

Of the published networks only the loading is here; their weights come from where their authors put them, once. Where
they are not on this machine, ``"auto"`` takes the network that the lab has trained itself on its own recipes, and what
is measured by it is named so.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from particlelab.learning.models import half_precision, load_trained, save_model

SMALLEST_PX = 32  # side of a picture
BATCH_PX = 1_600_000  # pixels that are looked at together, about: 24 pictures of 256 x 256
RANDOM_WIDTHS, RANDOM_FEATURES = (16, 32, 64, 96), 64  # as the network that ships
CLIP_NAME = "vit_base_patch32_clip_quickgelu_224.openai"
CLIP_REPOSITORY = "timm/vit_base_patch32_clip_224.openai"  # both activations share their weights
CLIP_FILES = ("model.safetensors", "pytorch_model.bin", "open_clip_model.safetensors", "open_clip_pytorch_model.bin")


class Network(NamedTuple):
    """A kind of features."""

    title: str
    published: bool
    maps: bool  # whether it has Gram matrices


NETWORKS = {
    "inception": Network("Inception v3 trained on ImageNet (torchvision)", True, False),
    "clip": Network("CLIP ViT-B/32 of OpenAI (timm)", True, False),
    "vgg": Network("VGG-19 trained on ImageNet (torchvision)", True, True),
    "own": Network("the lab's own network, trained on its recipes", False, True),
    "random": Network("a network with random weights", False, True),
}


def load_features(name="own", seed=0):
    """Load the network that describes pictures.

    Parameters
    ----------
    name : {"own", "inception", "clip", "vgg", "random"} or path
        A path leads to a ``.safetensors`` file of `train_features`. Weights of published networks are taken from the
        folder of torch or of Hugging Face, or fetched into it if they are not there.
    seed : int
        Of random weights.

    Returns
    -------
    Features

    Raises
    ------
    ValueError
        If the name is none of these, or weights can neither be found nor fetched.
    """
    name = str(name)
    if name in ("own", "random") or name.endswith(".safetensors"):
        return _random(seed) if name == "random" else load_trained("micrographs", _file(name), _own)
    if name not in NETWORKS:
        raise ValueError(f"features must be one of auto, {', '.join(NETWORKS)}, or a .safetensors file, got {name!r}")
    return _published(name)


def choose_features(name, published):
    """Return which features stand for "auto": the published ones if their weights are on this machine, or "own".

    Parameters
    ----------
    name : str
        What is asked for; anything but ``"auto"`` is returned as it is.
    published : str
        Whose weights are looked for.

    Returns
    -------
    str
    """
    if name != "auto":
        return name
    return published if weights_here(published) else "own"


def weights_here(name):
    """Return whether the weights of a published network lie on this machine, so that nothing must be fetched.

    Parameters
    ----------
    name : {"inception", "clip", "vgg"}

    Returns
    -------
    bool
    """
    if name == "clip":
        return _clip_file() is not None
    return _torch_file(name).is_file()


class Features:
    """Describes pictures.

    Attributes
    ----------
    name : str
        Of the network.
    network : torch.nn.Module
        Of `feature_network_layers`.
    card : dict
        Where the network comes from; empty for published and random ones.
    history : DataFrame or None
        Of its training, where that was just done.
    """

    def __init__(self, name, network, card=None):
        self.name, self.network, self.card, self.history = name, network.eval(), card or {}, None

    def describe(self, pictures, progress=None):
        """Return one vector a picture.

        Parameters
        ----------
        pictures : (n, H, W) uint8 array_like
        progress : callable, optional
            Called with the share that is done and a text.

        Returns
        -------
        (n, d) float32 ndarray

        Raises
        ------
        ValueError
            If these are no pictures, or too small ones.
        """
        return self._each(pictures, lambda x: self.network.pooled(x), progress)

    def style(self, pictures, progress=None):
        """Return the style of each picture: Gram matrices of the network's layers in one vector.

        The squared distance of two such vectors is the style loss of two pictures, the sum over layers of
        w / (4 N^2 M^2) |G - A|^2 with equal weights w (Gatys et al. 2016, eq. 3 to 5; N channels, M places, G and A the
        Gram matrices FF' of both). Each G is divided by its own M, so that pictures of different sizes compare.

        Parameters
        ----------
        pictures : (n, H, W) uint8 array_like
        progress : callable, optional

        Returns
        -------
        (n, d) float32 ndarray

        Raises
        ------
        ValueError
            As `describe`, and if the network has no maps.
        """
        if not hasattr(self.network, "maps"):
            maps = ", ".join(name for name, network in NETWORKS.items() if network.maps)
            raise ValueError(f"a style needs features with maps ({maps}), got {self.name!r}")
        return self._each(pictures, lambda x: _gram_vectors(self.network.maps(x)), progress)

    def _each(self, pictures, look, progress):
        import torch

        pictures = check_pictures(pictures)
        n, height, width = pictures.shape
        size, found = max(1, BATCH_PX // (height * width)), []
        with torch.inference_mode():
            for start in range(0, n, size):
                some = torch.from_numpy(pictures[start : start + size, None].astype(np.float32) / 255)
                found.append(look(some).numpy())
                if progress:
                    progress(min(1.0, (start + size) / n), f"picture {min(n, start + size)} of {n}")
        return np.concatenate(found)

    def save(self, path):
        """Write the network to ``NAME.safetensors`` (in half precision) with its card."""
        return save_model(path, half_precision(self.network), self.card)


def check_pictures(pictures, name="pictures", fewest=1):
    """Return pictures as an array; ValueError if they are none, too few or too small.

    Parameters
    ----------
    pictures : (n, H, W) uint8 array_like
    name : str
        What the message calls them.
    fewest : int

    Returns
    -------
    (n, H, W) uint8 ndarray
    """
    pictures = np.asarray(pictures)
    if pictures.ndim != 3 or pictures.dtype != np.uint8:
        raise ValueError(f"{name} must be grey pictures (n, H, W) of type uint8, got {pictures.shape} {pictures.dtype}")
    if len(pictures) < fewest:
        raise ValueError(f"{name} must hold at least {fewest} picture{'s' * (fewest > 1)}, got {len(pictures)}")
    if min(pictures.shape[1:]) < SMALLEST_PX:
        raise ValueError(f"{name} must have {SMALLEST_PX} x {SMALLEST_PX} pixels at least, got {pictures.shape[1:]}")
    return pictures


def _file(name):
    return "features" if name == "own" else name


def _own(path, tensors, card):
    import torch

    from particlelab.micrographs.feature_network_layers import OwnNetwork

    built = card.get("network")
    if not isinstance(built, dict) or "features" not in built:
        raise ValueError(f"{path} holds no network that describes pictures")
    network = OwnNetwork(**built)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return Features("own", network.float(), card)


def _random(seed):
    import torch

    from particlelab.micrographs.feature_network_layers import OwnNetwork

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = OwnNetwork(RANDOM_WIDTHS, RANDOM_FEATURES)
        for layer in network.modules():
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # what goes in comes out as large
    return Features("random", network)


@functools.lru_cache(maxsize=3)
def _published(name):
    from particlelab.micrographs import feature_network_layers as layers

    try:
        if name == "clip":
            import timm

            return Features(name, layers.Clip(timm.create_model(CLIP_NAME, pretrained=True)))
        weights = _weights(name).get_state_dict(progress=False, check_hash=True)
    except Exception as error:  # whatever a network or a disk does to the loader
        raise ValueError(
            f"the weights of {NETWORKS[name].title} are not on this machine and could not be fetched "
            f"({type(error).__name__}); features='own' is the network of the lab, which ships, and features='auto' "
            f"falls back to it"
        ) from error
    return Features(name, {"inception": layers.Inception, "vgg": layers.Vgg}[name](weights))


def _weights(name):
    from torchvision.models import Inception_V3_Weights, VGG19_Weights

    return {"inception": Inception_V3_Weights, "vgg": VGG19_Weights}[name].IMAGENET1K_V1


def _torch_file(name):
    """Return where torchvision keeps the weights of a network."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / _weights(name).url.rpartition("/")[2]


def _clip_file():
    """Return where Hugging Face keeps the weights of CLIP, None if they are not there."""
    from huggingface_hub import try_to_load_from_cache

    found = (try_to_load_from_cache(CLIP_REPOSITORY, file) for file in CLIP_FILES)
    return next((path for path in found if isinstance(path, str)), None)


def _gram_vectors(maps):
    """Return the Gram matrices of layers in one vector a picture, so that squared distances are style losses."""
    import torch

    parts = []
    for layer in maps:
        x = layer.flatten(2)
        channels, places = x.shape[1:]
        gram = x @ x.transpose(1, 2) / (2 * channels * places * len(maps) ** 0.5)
        parts.append(gram.flatten(1))
    return torch.cat(parts, 1)
