"""Networks that tell the class of a spectrum, or its sedimentation coefficient, from its picture.

IPMT report, AP2.5 and AP3.3.c: a ResNet34 trained on measurements is the judge of generated ones. What its last layer
is given are the features by which sets of spectra are compared.
"""

from typing import NamedTuple

import numpy as np

from particlelab.learning.models import half_precision, load_trained, save_model
from particlelab.sedimentation.pictures import grey_image, sep_image
from particlelab.sedimentation.spectra import CLASSES

DOMAIN = "sedimentation"
BATCH = 64  # spectra that are looked at together
LARGEST_S = 100_000.0  # S: what a regressor tells is in units of it
SHIPPED = {"classes": "classifier", "coefficient": "regressor"}  # what "default" stands for


class Looked(NamedTuple):
    """What a network sees in spectra."""

    features: np.ndarray  # (n, d) float64: what its last layer is given
    told: np.ndarray  # (n, 4) probabilities of `CLASSES`, or (n,) sedimentation coefficients (S)


class Reader:
    """A trained network and its card.

    Attributes
    ----------
    network : torch.nn.Module
        A `resnet_layers.ResNet34`.
    card : dict
        See `particlelab.learning.models.save_model`; ``card["network"]`` says what `build_network` needs.
    """

    tells = ""  # "classes" or "coefficient"

    def __init__(self, network, card):
        self.network, self.card = network.eval(), card

    def look(self, spectra):
        """Look at spectra.

        Parameters
        ----------
        spectra : sequence of Spectrum

        Returns
        -------
        Looked

        Raises
        ------
        ValueError
            If a spectrum is none (`check_spectrum`).
        """
        import torch

        entry, features, told = self.card["network"], [], []
        with torch.inference_mode():
            for start in range(0, len(spectra), BATCH):
                seen = see(spectra[start : start + BATCH], entry["picture"], entry["size_px"])
                found = self.network.features(torch.from_numpy(seen))
                features.append(found.double().numpy())
                told.append(self.network.last(found).double().numpy())
        if not features:
            return Looked(np.empty((0, self.network.last.in_features)), self._words(np.empty((0, entry["outputs"]))))
        return Looked(np.concatenate(features), self._words(np.concatenate(told)))

    def features(self, spectra):
        """Return what the last layer is given of spectra, (n, d)."""
        return self.look(spectra).features

    def save(self, path):
        """Write the network in half precision with its card; return the path."""
        return save_model(path, half_precision(self.network), self.card)

    def _words(self, outputs):
        raise NotImplementedError


class Classifier(Reader):
    """Tells classes."""

    tells = "classes"

    def probabilities(self, spectra):
        """Return probabilities (n, 4) of `CLASSES`, in that order. Parameters and errors as of `look`."""
        return self.look(spectra).told

    def _words(self, outputs):
        top = np.exp(outputs - outputs.max(axis=1, keepdims=True, initial=0))
        return top / top.sum(axis=1, keepdims=True)


class Regressor(Reader):
    """Tells sedimentation coefficients."""

    tells = "coefficient"

    def coefficients(self, spectra):
        """Return sedimentation coefficients (n,) in S. Parameters and errors as of `look`."""
        return self.look(spectra).told

    def _words(self, outputs):
        return LARGEST_S * outputs[:, 0]


def classify(spectrum, model="default"):
    """Tell the class of a spectrum.

    Parameters
    ----------
    spectrum : Spectrum
    model : str or path
        A classifier that ships, or the path of a ``.safetensors`` file.

    Returns
    -------
    dict of str to float
        The probability of each of `CLASSES`; their sum is 1.

    Raises
    ------
    ValueError
        As `load_classifier` and `check_spectrum`.
    """
    found = load_classifier(model).probabilities([spectrum])[0]
    return dict(zip(CLASSES, found.tolist(), strict=True))


def read_coefficient(spectrum, model="default"):
    """Tell the sedimentation coefficient (S) of a spectrum, if it was measured as those that the network knows.

    A network knows a front by where it is in the picture: rotor speed, times and radii must be those that it has
    learned from ("LFG"); `estimate_s` needs nothing of the kind.

    Parameters
    ----------
    spectrum : Spectrum
    model : str or path

    Returns
    -------
    float

    Raises
    ------
    ValueError
        As `load_regressor` and `check_spectrum`.
    """
    return float(load_regressor(model).coefficients([spectrum])[0])


def load_classifier(name="default"):
    """Return a trained `Classifier`: one that ships, by its name, or any other by the path of its file.

    Raises
    ------
    ValueError
        If there is no such file, or it holds something else.
    """
    return _load(name, Classifier)


def load_regressor(name="default"):
    """Return a trained `Regressor`, as `load_classifier` a classifier."""
    return _load(name, Regressor)


def build_network(entry):
    """Return the network, untrained, that an entry ``network`` of a card describes.

    Parameters
    ----------
    entry : dict
        ``width``, ``picture`` ("grey" or "sep") and ``outputs``.
    """
    from particlelab.sedimentation.resnet_layers import ResNet34

    return ResNet34(entry["width"], {"grey": 1, "sep": 3}[entry["picture"]], entry["outputs"])


def see(spectra, picture, size_px):
    """Return what a network is given of spectra.

    Parameters
    ----------
    spectra : sequence of Spectrum
    picture : {"grey", "sep"}
    size_px : int

    Returns
    -------
    (n, 1 or 3, size, size) ndarray of float32
        From -1 (black) to 1 (white).
    """
    draw = {"grey": grey_image, "sep": sep_image}[picture]
    drawn = np.stack([draw(spectrum, size_px) for spectrum in spectra]).astype(np.float32) / 127.5 - 1
    return drawn[:, None] if picture == "grey" else np.ascontiguousarray(drawn.transpose(0, 3, 1, 2))


def _load(name, kind):
    return load_trained(DOMAIN, SHIPPED[kind.tells] if str(name) == "default" else name, _BUILD[kind])


def _build(kind):
    def build(path, tensors, card):
        import torch

        entry = card.get("network", {})
        if entry.get("tells") != kind.tells:
            raise ValueError(f"{path} is no model that tells the {kind.tells} of a spectrum")
        network = build_network(entry)
        network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in tensors.items()})
        return kind(network, card)

    return build


_BUILD = {kind: _build(kind) for kind in (Classifier, Regressor)}  # one function a kind, by which it is remembered
