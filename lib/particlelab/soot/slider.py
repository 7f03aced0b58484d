"""The semi-automatic "slider" method: regions of an image, each with a background, a smoothing and a threshold.

Sipkens et al. (the document), sec. 2.1.2, after Dastanpour et al. 2016: a user crops a region, adjusts its
background, smooths it, moves a threshold until the aggregate is marked, and repeats that until every aggregate is.
A mask is made by a list of steps, each a `Selection`: the list replays it, and undoing is dropping the last one.
"""

from typing import Literal

import numpy as np
from pydantic import model_validator
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_triangle

from particlelab.parameters import Parameters, parameter
from particlelab.soot.filters import background_surface
from particlelab.soot.masks import Postprocessing, rolling_ball

SMALLEST_REGION = 4  # pixels along an edge; a smaller region holds no background to fit


class Selection(Parameters):
    """One step of the semi-automatic method: what a threshold marks in a region is added to the mask, or removed."""

    top: int = parameter(0, "First row of the region", unit="px", low=0)
    left: int = parameter(0, "First column of the region", unit="px", low=0)
    bottom: int | None = parameter(None, "Row at which the region ends (None: the last)", unit="px", low=1)
    right: int | None = parameter(None, "Column at which the region ends (None: the last)", unit="px", low=1)
    background_order: int = parameter(1, "Order of the polynomial fitted to the region's background", low=0, high=4)
    smoothing_px: float = parameter(2.0, "Gaussian smoothing before the threshold", unit="px", low=0, high=50)
    threshold: float = parameter(
        0.1, "Darkness from which on a pixel is soot (0: background, 1: darkest; -1 marks all)", low=-1, high=1
    )
    action: Literal["add", "remove"] = parameter("add", "Whether what is marked is added to the mask or removed")


class Slider(Postprocessing):
    """Replay the steps that a user took; the mask is left as it was made."""

    closing_nm: float = parameter(
        0.0, "Radius of the disc that bridges gaps (rolling ball)", unit="nm", low=0, high=100
    )
    minimum_pixels: int = parameter(0, "Smaller aggregates are removed", unit="px", low=0, high=10_000_000)
    selections: tuple[Selection, ...] = parameter((), "The steps, each a Selection or a dictionary of its fields")

    @model_validator(mode="before")
    @classmethod
    def _steps(cls, values):
        steps = values.get("selections", ())
        return values | {"selections": tuple(s if isinstance(s, Selection) else Selection(**s) for s in steps)}


def segment_by_slider(image, pixel_size_nm, options):
    if not options.selections:
        raise ValueError(
            "method 'slider' replays steps that were taken by hand: give selections=[Selection(...), ...], "
            "or choose a method that works by itself"
        )
    mask = apply_selections(image, options.selections)
    return rolling_ball(mask, pixel_size_nm, options.minimum_pixels, options.closing_nm)


def select_region(image, selection):
    """Mark what the threshold of one step takes for soot.

    Parameters
    ----------
    image : (H, W) array_like of numbers
        Grey levels of any offset and positive scale; aggregates are dark.
    selection : Selection
        Its ``action`` does not matter here.

    Returns
    -------
    (H, W) ndarray of bool
        False outside of the region.

    Raises
    ------
    ValueError
        If the region does not lie in the image, or is smaller than 4 x 4 pixels.
    """
    image = np.asarray(image)
    window = _window(image, selection)
    marked = np.zeros(image.shape, bool)
    marked[window] = _darkness(image[window], selection) >= selection.threshold
    return marked


def suggest_threshold(image, selection):
    """Suggest where the slider starts, in the scale of `Selection.threshold`.

    It is the triangle threshold (Zack et al. 1977), which lies where the peak of the background ends. Otsu's lies
    half-way to the dark of overlapping primaries, and misses the rims of aggregates.

    Parameters
    ----------
    image : (H, W) array_like of numbers
    selection : Selection
        Its ``threshold`` does not matter here.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        See `select_region`.
    """
    image = np.asarray(image)
    darkness = _darkness(image[_window(image, selection)], selection)
    if np.ptp(darkness) == 0:  # one grey level has no background and no soot
        return 1.0
    return float(np.clip(threshold_triangle(darkness), 0, 1))


def apply_selections(image, selections):
    """Make a mask by taking steps one after the other, from an empty mask on.

    Parameters
    ----------
    image : (H, W) array_like of numbers
    selections : sequence of Selection

    Returns
    -------
    (H, W) ndarray of bool

    Raises
    ------
    ValueError
        See `select_region`.
    """
    mask = np.zeros(np.shape(image), bool)
    for selection in selections:
        marked = select_region(image, selection)
        mask = mask | marked if selection.action == "add" else mask & ~marked
    return mask


def _darkness(region, selection):
    """Depth of each pixel below the background, as a share of that of the darkest; from -1 on."""
    region = region.astype(np.float64)
    region = ((region - region.min()) / (np.ptp(region) or 1)).astype(np.float32)
    depth = background_surface(region, selection.background_order) - region
    if selection.smoothing_px:
        depth = gaussian_filter(depth, selection.smoothing_px)
    return np.maximum(depth / max(depth.max(), np.finfo(np.float32).eps), -1)


def _window(image, selection):
    if image.ndim != 2:
        raise ValueError(f"the image must be grey, of shape (H, W), got shape {image.shape}")
    sides = []
    for first, last, length in (("top", "bottom", image.shape[0]), ("left", "right", image.shape[1])):
        start, end = getattr(selection, first), getattr(selection, last)
        end = length if end is None else end
        if end > length:
            raise ValueError(f"{last} = {end} lies outside of the image, which ends at {length} px")
        if end - start < SMALLEST_REGION:
            raise ValueError(
                f"the region must be at least {SMALLEST_REGION} px wide and high, got {first} = {start}, {last} = {end}"
            )
        sides.append(slice(start, end))
    return tuple(sides)
