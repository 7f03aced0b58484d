"""Classifier by a convolutional neural network: a feature pyramid network (Sipkens et al., sec. 2.1).

The network is segmentation_models_pytorch's FPN, as in the document. An image of any size is cut into tiles that
overlap, and what it says of them is blended. Unlike in the document, it sees every image at several scales: the finest
shows outlines, the others what is soot at all where a tile shows nothing but background, or nothing but soot.
"""

import math

import numpy as np

from particlelab.learning.inference import once_an_image
from particlelab.learning.models import half_precision, load_trained, save_model
from particlelab.parameters import parameter
from particlelab.soot.masks import Postprocessing, mask_of_probability

TILE_PX = 480  # with larger ones every layer's tensor is fresh memory, and half of the time goes into clearing it
OVERLAP_PX = 96
REDUCTIONS = (1, 2, 4)  # scales at which the network sees an image, each counted by its inverse
COARSEST_NM = 2.5  # pixels that the network was trained on
STRIDE = 32  # the encoder's deepest stage sees one pixel for so many


class CNN(Postprocessing):
    """Probability of soot by a convolutional network, above a threshold; then the document's two steps, each optional.

    ``closing_nm = 3.2`` is the document's rolling ball, ``minimum_pixels = 1000`` its removal of small aggregates.
    Trained on exact masks, the network draws the notches between primaries, which the ball would fill: it is off here.
    """

    model: str = parameter("default", "Trained network: a name that ships, or the path of a file")
    probability: float = parameter(0.5, "Least probability of soot", above=0, below=1)
    closing_nm: float = parameter(
        0.0, "Radius of the disc that bridges gaps (rolling ball)", unit="nm", low=0, high=100
    )


def segment_by_cnn(image, pixel_size_nm, options):
    """Return the mask (H, W) of an image (H, W); see `CNN`.

    Raises
    ------
    SegmentationFailure
        As `mask_of_probability`.
    """
    return mask_of_probability(
        "cnn", load_segmenter(options.model).probability(image, pixel_size_nm=pixel_size_nm), pixel_size_nm, options
    )


class Segmenter:
    """A trained network and its card.

    Attributes
    ----------
    network : torch.nn.Module
        Takes standardised images (B, 1, H, W), H and W multiples of 32; gives logits of the same shape.
    card : dict
        See `save_model`; ``card["network"]`` holds what `build_network` needs.
    """

    def __init__(self, network, card):
        self.network, self.card = network.eval(), card

    @once_an_image
    def probability(self, image, pixel_size_nm=None):
        """Return the probability of soot, (H, W) float32, of an image (H, W) of any grey scale and any size.

        If the pixel size is known, reduced images whose pixels would be larger than any it was trained on are left out.
        """
        import torch
        from torch.nn.functional import interpolate

        image = torch.from_numpy(standardise(image))[None, None]
        height, width = image.shape[2:]
        factors = [factor for factor in REDUCTIONS if factor == 1 or factor * (pixel_size_nm or 0) <= COARSEST_NM]
        total = torch.zeros_like(image)
        for factor in factors:
            reduced = interpolate(image, (-(-height // factor), -(-width // factor)), mode="area")
            found = torch.from_numpy(self.logits(standardise(reduced[0, 0])))[None, None]
            total += interpolate(found, (height, width), mode="bilinear") / factor
        return torch.sigmoid(total[0, 0] / sum(1 / factor for factor in factors)).numpy()

    def logits(self, image):
        """Return what the network says of a standardised image (H, W), as it is: logits of soot, (H, W) float32."""
        import torch

        height, width = image.shape
        total, weights = np.zeros((2, height, width), np.float32)
        for top, bottom in _spans(height):
            for left, right in _spans(width):
                tile = image[top:bottom, left:right]
                padding = [(0, max(-n % STRIDE, 2 * STRIDE - n)) for n in tile.shape]  # two at least, to normalise by
                padded = torch.from_numpy(np.pad(tile, padding, mode="symmetric"))[None, None]
                with torch.inference_mode():
                    found = self.network(padded)[0, 0].numpy()[: tile.shape[0], : tile.shape[1]]
                weight = np.outer(*(_ramp(*span) for span in ((top, bottom, height), (left, right, width))))
                total[top:bottom, left:right] += weight * found
                weights[top:bottom, left:right] += weight
        total /= weights
        return total

    def save(self, path):
        """Write the network to ``NAME.safetensors`` (in half precision) with its card."""
        return save_model(path, half_precision(self.network), self.card)


def load_segmenter(name="default"):
    """Load a trained segmenter.

    Parameters
    ----------
    name : str or path
        One that ships, or a path that ends in ``.safetensors``.

    Returns
    -------
    Segmenter

    Raises
    ------
    ValueError
        If there is none, or the file holds something else.
    """
    return load_trained("soot", name, _segmenter)


def build_network(encoder, pyramid_channels, segmentation_channels, magnification=1, weights=None):
    """Return segmentation_models_pytorch's FPN for grey images and one class.

    Parameters
    ----------
    encoder : str
        Its name in segmentation_models_pytorch, such as ``resnet50``.
    pyramid_channels, segmentation_channels : int
        256 and 128 in the document.
    magnification : int
        1 in the document, whose network decides for blocks of 4 pixels and interpolates. With 2 the image is magnified
        first, and edges are found to half that.
    weights : str, optional
        ``imagenet``; by default random ones.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If the encoder is unknown, or has no such weights.
    """
    import segmentation_models_pytorch as smp

    try:
        network = smp.FPN(
            encoder,
            encoder_weights=weights,
            in_channels=1,
            decoder_pyramid_channels=pyramid_channels,
            decoder_segmentation_channels=segmentation_channels,
            upsampling=4 // magnification,
        )
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"encoder = {encoder!r}: {error.args[0]}") from None
    if magnification > 1:
        network.register_forward_pre_hook(lambda _, images: (_magnify(images[0], magnification),))
    return network


def standardise(image):
    """Return an image of mean 0 and standard deviation 1, float32: what the network sees."""
    image = np.asarray(image, np.float32)
    return ((image - image.mean(dtype=np.float64)) / max(image.std(dtype=np.float64), 1e-12)).astype(np.float32)


def _segmenter(path, tensors, card):
    import torch

    if "encoder" not in card.get("network", ()):
        raise ValueError(f"{path} holds no segmenter: its card names no encoder of a network")
    network = build_network(**card["network"])
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return Segmenter(network, card)


def _magnify(images, magnification):
    from torch.nn.functional import interpolate

    return interpolate(images, scale_factor=magnification, mode="bilinear")


def _spans(length):
    """Cut a length into spans of one tile that overlap, as evenly as can be; rather a larger tile than two."""
    if length <= TILE_PX + OVERLAP_PX:
        return [(0, length)]
    count = math.ceil((length - OVERLAP_PX) / (TILE_PX - OVERLAP_PX))
    starts = np.linspace(0, length - TILE_PX, count).round().astype(int)
    return [(start, start + TILE_PX) for start in starts]


def _ramp(start, stop, length):
    """Return the weights of a tile's pixels along one axis: they fall towards edges that lie inside the image."""
    inside = np.arange(stop - start, dtype=np.float32) + 0.5
    from_start = inside if start > 0 else np.inf
    from_stop = inside[::-1] if stop < length else np.inf
    return np.minimum(np.minimum(from_start, from_stop) / OVERLAP_PX, 1.0) + np.zeros_like(inside)
