"""How far a network can be trusted with a film: the size it is in doubt about, and pictures unlike those it learned."""

import math

import numpy as np

from particlelab.aerosol.sizes import cloud_size

DOUBT = 0.05  # probability of cloud that may be one, where nobody has calibrated the network
DOUBTS = np.geomspace(1e-6, 0.4, 120)  # among which calibration chooses
MARGIN = 0.5  # of the range that was learned, by which a film may lie outside; below, no further than half-way to 0
FEWEST = 10  # pictures that calibration takes


def bound_sizes(probabilities, doubt=DOUBT):
    """Return between which sizes each cloud lies: without and with the pixels that a network is in doubt about.

    Whatever holds for one pixel holds for all together: neighbours are wrong together. The interval is about the
    outline, where it is drawn; of a cloud that is overlooked as a whole it says nothing.

    Parameters
    ----------
    probabilities : (n, H, W) array
        Of cloud, as of `Segmenter.probabilities`.
    doubt : float
        Pixels below this probability are none of the cloud, those above 1 less this one are.

    Returns
    -------
    low, high : (n,) ndarray
        Percent of the picture.
    """
    if not 0 < doubt < 0.5:
        raise ValueError(f"doubt must be between 0 and 0.5, got {doubt!r}")
    return cloud_size(probabilities > 1 - doubt), cloud_size(probabilities > doubt)


def calibrate_doubt(probabilities, masks, coverage=0.95):
    """Find the doubt at which `bound_sizes` holds the true size as often as it should.

    Parameters
    ----------
    probabilities : (n, H, W) array
        Of pictures that the network has not learned from, of persons that it has not seen.
    masks : (n, H, W) bool array
        Their true masks.
    coverage : float

    Returns
    -------
    float
        The greatest of `DOUBTS` that covers, for the card of the network (``doubt``); the smallest if none does.

    Raises
    ------
    ValueError
        If shapes differ, or there are fewer than 10 pictures.
    """
    probabilities, masks = np.asarray(probabilities), np.asarray(masks)
    if probabilities.shape != masks.shape or masks.ndim != 3 or len(masks) < FEWEST:
        raise ValueError(
            f"probabilities and masks must be (n, H, W), at least {FEWEST}, got {probabilities.shape} and {masks.shape}"
        )
    true = cloud_size(masks)
    for doubt in DOUBTS[::-1]:
        low, high = bound_sizes(probabilities, doubt)
        if np.mean((low <= true) & (true <= high)) >= coverage:
            return float(doubt)
    return float(DOUBTS[0])


def describe_pictures(images):
    """Return what tells pictures apart that a network has learned from and others.

    Parameters
    ----------
    images : (n, H, W, 3) uint8 array
        At the size that the network is shown.

    Returns
    -------
    dict of str to float
        Means over the pictures: ``brightness`` and ``contrast`` (mean and standard deviation of the grey values, 0 to
        255), ``darkness`` (share of pixels with a grey value below 40), ``colour`` (mean distance of red and blue) and
        ``noise`` (standard deviation, from differences of neighbours that are next to each other diagonally).
    """
    images = np.asarray(images, np.float32)
    grey = images.mean(axis=3)
    crossed = grey[:, 1:, 1:] - grey[:, :-1, 1:] - grey[:, 1:, :-1] + grey[:, :-1, :-1]
    return {
        "brightness": float(grey.mean()),
        "contrast": float(grey.std(axis=(1, 2)).mean()),
        "darkness": float((grey < 40).mean()),
        "colour": float(np.abs(images[..., 0] - images[..., 2]).mean()),
        "noise": float(np.median(np.abs(crossed)) / 0.6745 / 2),
    }


def survey_pictures(films, noise=0.0):
    """Return the range of each number of `describe_pictures` over films, for the card of a network (``pictures``).

    Parameters
    ----------
    films : iterable of (n, H, W, 3) uint8 array
    noise : float
        Largest standard deviation of what the training added to each colour (`UNetTraining`).

    Returns
    -------
    dict of str to [low, high]
    """
    found = [describe_pictures(images) for images in films]
    ranges = {name: [min(one[name] for one in found), max(one[name] for one in found)] for name in found[0]}
    ranges["noise"][1] = math.hypot(ranges["noise"][1], noise / 3**0.5)  # grey values are means of three colours
    return ranges


def find_departures(images, card):
    """Say how pictures are unlike those that a network has learned from.

    Parameters
    ----------
    images : (n, H, W, 3) uint8 array
    card : dict
        Of the network; its ``pictures`` are those of `survey_pictures`.

    Returns
    -------
    list of str
        A sentence for each number that is above the range by more than half of its width, or below by as much or by
        half of its lowest value; less noise does no harm. None where the card says nothing.
    """
    found, sentences = describe_pictures(images), []
    for name, (low, high) in card.get("pictures", {}).items():
        margin = MARGIN * (high - low)
        lowest = -math.inf if name == "noise" else max(low - margin, MARGIN * low)
        if not lowest <= found[name] <= high + margin:
            sentences.append(f"{name} is {found[name]:.3g}, learned {low:.3g} to {high:.3g}")
    return sentences
