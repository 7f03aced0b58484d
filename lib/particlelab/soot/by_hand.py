"""Masks made by hand: what a user can turn, and what a careful user would do where the truth is known.

The regions, thresholds and strokes below are chosen by looking at the true mask, as a person looks at the picture. They
say how good a mask of the method can become, not how good it is when nobody looks.
"""

import numpy as np
from pydantic import create_model
from scipy.ndimage import distance_transform_edt, find_objects
from scipy.optimize import minimize_scalar

from particlelab.measure import intersection_over_union
from particlelab.parameters import Parameters, parameter
from particlelab.soot.collection import simulate_collection
from particlelab.soot.masks import label_parts
from particlelab.soot.measurement import measurement_of
from particlelab.soot.micrographs import Micrograph
from particlelab.soot.slider import Selection, select_region, suggest_threshold
from particlelab.soot.weka import PixelTraining, Weka

EDGE_PX = 768  # of a simulated micrograph
STEP_PX = 1.0  # from one point of a stroke to the next
TURN = 0.3  # radians by which it bends there


class ByHand(Parameters):
    """Micrographs whose masks are made by hand, and how much is painted on the first of them."""

    micrographs: int = parameter(2, "Micrographs to simulate", low=2, high=50)
    pixel_size_nm: float = parameter(0.536, "Edge of a pixel", unit="nm", above=0, high=20)
    strokes: int = parameter(15, "Strokes painted of soot and of background, each time", low=1, high=500)
    brush_px: int = parameter(6, "Width of a stroke", unit="px", low=1, high=100)
    seed: int = parameter(0, "Seed of the micrographs, of the strokes and of the forest", low=0)


def _fields(model, *names):
    return {name: (model.model_fields[name].annotation, model.model_fields[name]) for name in names}


_SIZING = _fields(measurement_of(), "sizer", "pixel_size_nm")

# What the dashboards turn: one step of the slider method, or a classifier that is painted; and how the mask is measured
Adjustment = create_model(
    "Adjustment", __base__=Parameters, **_fields(Selection, "threshold", "smoothing_px", "background_order"), **_SIZING
)
Painting = create_model(
    "Painting",
    __base__=Parameters,
    **_fields(Weka, "probability", "minimum_pixels", "closing_nm"),
    **_fields(PixelTraining, "trees"),
    **_SIZING,
)


def simulate_by_hand(parameters):
    """Simulate the micrographs that `ByHand` asks for; return a list of `Sample`."""
    micrograph = Micrograph(
        pixel_size_nm=parameters.pixel_size_nm, width_px=EDGE_PX, height_px=EDGE_PX, allow_border=False
    )
    return simulate_collection(parameters.micrographs, micrograph, parameters.seed)


def select_by(adjustment, region=None, action="add"):
    """Return the step of the slider method that an `Adjustment` and a region make.

    Parameters
    ----------
    adjustment : Adjustment
    region : (int, int, int, int), optional
        First row, first column, row after the last, column after the last; the whole image if not given.
    action : {"add", "remove"}

    Returns
    -------
    Selection
    """
    edges = dict(zip(("top", "left", "bottom", "right"), region or (), strict=False))
    values = adjustment.model_dump(include=set(Selection.model_fields))
    return Selection(**edges, **values, action=action)


def select_around(image, mask, margin_px=40):
    """Return one step of the slider method for each aggregate: a region around it, the threshold as suggested.

    Parameters
    ----------
    image : (H, W) array_like
    mask : (H, W) array_like of bool
    margin_px : int
        Background on each side of an aggregate.

    Returns
    -------
    list of Selection
    """
    labels, _ = label_parts(np.asarray(mask))
    steps = []
    for rows, columns in find_objects(labels):
        step = Selection(
            top=max(0, rows.start - margin_px),
            left=max(0, columns.start - margin_px),
            bottom=min(labels.shape[0], rows.stop + margin_px),
            right=min(labels.shape[1], columns.stop + margin_px),
        )
        steps.append(step.replace(threshold=suggest_threshold(image, step)))
    return steps


def turn_slider(image, selection, mask):
    """Return a step with that threshold by which it fits a mask best within its region (largest IoU).

    Parameters
    ----------
    image : (H, W) array_like
    selection : Selection
    mask : (H, W) array_like of bool

    Returns
    -------
    Selection
    """
    rows, columns = slice(selection.top, selection.bottom), slice(selection.left, selection.right)
    wanted = np.asarray(mask)[rows, columns]

    def misfit(threshold):
        marked = select_region(image, selection.replace(threshold=threshold))
        return -intersection_over_union(wanted, marked[rows, columns])

    found = minimize_scalar(misfit, bounds=(0, 0.5), method="bounded", options={"xatol": 0.002})
    return selection.replace(threshold=float(found.x))


def strokes_within(mask, count, width_px, rng, length_px=60):
    """Draw winding strokes of a brush that paints nothing outside of a mask.

    Parameters
    ----------
    mask : (H, W) array_like of bool
    count : int
        Fewer where the mask has no room for a brush of that width.
    width_px : float
    rng : numpy.random.Generator
    length_px : float
        Longest stroke.

    Returns
    -------
    list of (N, 2) ndarray
        Points (x, y) of each stroke in pixels; the centre of the first pixel is (0.5, 0.5).
    """
    # how far the centre of a pixel is from the nearest centre outside; beyond the frame lies nothing
    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    # a point lies up to sqrt(1/2) from the centre of its pixel, and half a step before or after it the line goes on
    room = depth > width_px / 2 + np.sqrt(0.5) + STEP_PX / 2
    starts = np.argwhere(room)
    return [_walk(room, start, length_px, rng) for start in rng.permutation(starts)[:count]]


def _walk(room, start, length_px, rng):
    """Go on from a pixel (row, column) in a winding line as long as there is room."""
    point, angle = start[::-1] + 0.5, rng.uniform(0, 2 * np.pi)
    points = [point]
    for _ in range(int(length_px / STEP_PX)):
        angle += rng.normal(0, TURN)
        point = point + STEP_PX * np.array([np.cos(angle), np.sin(angle)])
        x, y = np.floor(point).astype(int)
        if not (0 <= y < room.shape[0] and 0 <= x < room.shape[1] and room[y, x]):
            break
        points.append(point)
    return np.array(points)
