"""Primary particles told apart by a network that was trained on simulated ones."""

import math
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from particlelab.learning.models import half_precision, load_trained, save_model
from particlelab.parameters import Parameters, parameter
from particlelab.soot.aggregates import background_around

CORE_PX, OVERLAP_PX = 1024, 128  # of the tiles that a large aggregate is looked at in
SETTLED = 1.04  # an answer that is further from the scale that it was given at is asked for again, at its own scale
MOST_LOOKS = 4
NEAREST = 0.45  # diameters between two centres; closer ones are taken for one sphere
FARTHEST = 2.5  # from the first guess, so that no speck is blown up without end


class Network(Parameters):
    """Primaries told apart by a network."""

    model: str = parameter("primaries", "A model that ships, or the path of a .safetensors file")
    score: float = parameter(0.22, "Least score of a located primary", above=0, below=1)


class Sizing(NamedTuple):
    """What the network says of one aggregate; lengths in pixels of the image."""

    n_primaries: float
    log_diameter: float  # mean of ln diameter over the primaries
    log_spread: float  # standard deviation of ln diameter
    located: np.ndarray  # (n, 3): column, row, diameter


def size_by_network(image, labels, boxes, pixel_size_nm, parameters):
    """Size primaries by a network that separates them.

    The network (a small U-Net) sees the aggregate's optical depth and its mask, scaled so that a primary is about
    15 pixels across. In transmission every sphere darkens the image, so it is asked for all of them, hidden or
    not: each of its pixels says how many primaries there are (each spread evenly over its disk), and the mean and
    mean square of the logarithm of their diameters. Summed over the aggregate this gives the number of primaries,
    their geometric mean diameter and their geometric standard deviation. The first scale comes from the
    mask's distance map. The network looks again at the scale that it has found, until that no longer changes: an
    answer leans towards the 15 pixels, and this takes the leaning away.

    The deviation is the weakest of the three: the model that ships says 1.3 to 1.4 almost whatever it is.

    Beyond the document, which has no such method. What it was trained on stands in the card of the model.

    Parameters
    ----------
    image : (H, W) ndarray
    labels, boxes
        From `label_aggregates`.
    pixel_size_nm : float
    parameters : Network

    Returns
    -------
    dp_nm, gsd, n_primaries : (n,) ndarray
        NaN for an aggregate without background around it.

    Raises
    ------
    ValueError
        If there is no image, or no such model.
    """
    found = [_size(image, labels, label, box, parameters) for label, box in enumerate(boxes, 1)]
    table = np.array([(s.log_diameter, s.log_spread, s.n_primaries) for s in found]).reshape(-1, 3)
    return np.exp(table[:, 0]) * pixel_size_nm, np.exp(table[:, 1]), table[:, 2]


def locate_by_network(image, labels, boxes, pixel_size_nm, parameters):
    """Locate primaries by the network of `size_by_network`.

    Its map of centres has a peak where it sees one; the diameter is what it says there. Primaries whose
    centres lie closer than about half a diameter in projection are not told apart, so that fewer are
    located than `size_by_network` counts.

    Parameters, Raises
        As `size_by_network`.

    Returns
    -------
    label : (n,) int ndarray
    x_px, y_px, diameter_px : (n,) ndarray
        Column, row and diameter of each primary.
    """
    found = [_size(image, labels, label, box, parameters).located for label, box in enumerate(boxes, 1)]
    label = np.repeat(np.arange(1, len(boxes) + 1), [len(circles) for circles in found])
    return label, *np.concatenate([np.empty((0, 3)), *found]).T


class Sizer:
    """A trained network and its card.

    Attributes
    ----------
    network : torch.nn.Module
        A `UNet` of `network_layers`.
    card : dict
        See `save_model`; ``card["network"]`` holds its widths.
    """

    def __init__(self, network, card):
        self.network, self.card = network.eval(), card

    def look(self, image, background, labels, label, window, diameter_px, score):
        """Size one aggregate whose primaries are thought to have a diameter; other arguments as for `view`.

        Returns
        -------
        Sizing
        """
        from particlelab.soot.network_layers import DISK, PRIMARY_PX, view

        seen = view(image, background, labels, label, window, PRIMARY_PX / diameter_px)
        centre, log_diameter, density, mean, square = self._answer(seen.channels)
        n = float(density.sum())
        log = float((density * mean).sum()) / n
        spread = math.sqrt(max(float((density * square).sum()) / n - log**2, 0.0))
        located = _peaks(centre, log_diameter, seen, score)
        return Sizing(n / DISK, log + math.log(PRIMARY_PX / seen.scale), spread, located)

    def save(self, path):
        """Write the network to ``NAME.safetensors`` (in half precision) with its card."""
        return save_model(path, half_precision(self.network), self.card)

    def _answer(self, channels):
        """Return the maps (5, h / 2, w / 2) of channels (2, h, w), made in tiles if they are many pixels."""
        import torch

        height, width = channels.shape[1:]
        maps = np.empty((5, height // 2, width // 2), np.float32)
        for top in range(0, height, CORE_PX):
            for left in range(0, width, CORE_PX):
                tile, core, inner = zip(_tile(top, height), _tile(left, width), strict=True)
                seen = torch.from_numpy(np.ascontiguousarray(channels[None, :, *tile]))
                with torch.inference_mode():
                    maps[:, *core] = torch.cat(tuple(self.network(seen))).numpy()[:, *inner]
        return maps


def load_sizer(name="primaries"):
    """Load a trained sizer.

    Parameters
    ----------
    name : str or path
        One that ships, or a path that ends in ``.safetensors``.

    Returns
    -------
    Sizer

    Raises
    ------
    ValueError
        If there is none, or the file holds something else.
    """
    return load_trained("soot", name, _sizer)


def _sizer(path, tensors, card):
    import torch

    from particlelab.soot.network_layers import UNet

    if "widths" not in card.get("network", ()):
        raise ValueError(f"{path} holds no sizer of primaries: its card has no widths of a network")
    network = UNet(card["network"]["widths"])
    network.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return Sizer(network, card)


def _size(image, labels, label, box, parameters):
    if image is None:
        raise ValueError('method "network" needs the image')
    window, background = background_around(image, labels, box)
    if background is None:
        return Sizing(math.nan, math.nan, math.nan, np.empty((0, 3)))
    sizer = load_sizer(parameters.model)
    first = math.log(_first_guess(labels[box] == label))
    scale, farthest = first, math.log(FARTHEST)
    for _ in range(MOST_LOOKS):
        sizing = sizer.look(image, background, labels, label, window, math.exp(scale), parameters.score)
        if abs(sizing.log_diameter - scale) < math.log(SETTLED):
            break
        scale = min(max(sizing.log_diameter, first - farthest), first + farthest)
    return sizing


def _first_guess(inside):
    """Diameter (px) by the mean of the mask's distance map.

    Of a disk it is a sixth of the diameter, of aggregates, whose primaries overlap in projection, about a
    quarter: near enough for the network, which answers rightly up to a factor of 1.7.
    """
    return 4 * float(ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1][inside].mean())


def _tile(start, edge):
    """Return where a tile with its overlap lies, its core in the answer, and its core in the tile's own answer."""
    first, stop = max(start - OVERLAP_PX, 0), min(start + CORE_PX, edge)
    core = slice(start // 2, stop // 2)
    return slice(first, stop + OVERLAP_PX), core, slice((start - first) // 2, (stop - first) // 2)


def _peaks(centre, log_diameter, seen, score):
    """Return column, row and diameter (px of the image) of the peaks of the map of centres."""
    from particlelab.soot.network_layers import PRIMARY_PX

    heat = 1 / (1 + np.exp(-centre))
    peak = (heat == ndimage.maximum_filter(heat, 3)) & (heat >= score)
    row, column = np.nonzero(peak)
    diameter = PRIMARY_PX * np.exp(log_diameter[row, column]) / seen.scale
    first = 0.5  # of the view's pixels: the grid's first point lies between pixels 0 and 1
    x, y = ((2 * at + first) / seen.scale for at in (column, row))
    circles = np.column_stack([seen.column + x, seen.row + y, diameter])[np.argsort(-heat[row, column], kind="stable")]
    kept = np.zeros(len(circles), bool)
    for k, (x, y, diameter) in enumerate(circles):
        kept[k] = (np.hypot(circles[kept, 0] - x, circles[kept, 1] - y) >= NEAREST * diameter).all()
    return circles[kept]
