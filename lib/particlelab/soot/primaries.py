"""Primary particle sizes of aggregates, by any of several methods."""

import numpy as np
import pandas as pd

from particlelab.soot.aggregates import check_image, check_pixel_size, label_aggregates
from particlelab.soot.corrections import correct, correct_count
from particlelab.soot.erosion import ErosionCounting, size_by_erosion
from particlelab.soot.hough import HoughCircles, locate_by_hough
from particlelab.soot.network import Network, locate_by_network, size_by_network
from particlelab.soot.pair_correlation import PairCorrelation, size_by_pair_correlation
from particlelab.soot.watershed import Watershed, locate_by_watershed

SMALLEST_AGGREGATE_PX = 10  # fewer pixels have no primaries to size, as in the document's software


def _from_located(locate):
    """Turn a method that locates primaries into one that sizes them: geometric mean, deviation, number by aggregate."""

    def size(image, labels, boxes, pixel_size_nm, parameters):
        label, _, _, diameter = locate(image, labels, boxes, pixel_size_nm, parameters)
        groups = pd.Series(np.log(diameter * pixel_size_nm)).groupby(label)
        aggregates = range(1, len(boxes) + 1)
        dp, gsd = (np.exp(values.reindex(aggregates).to_numpy(float)) for values in (groups.mean(), groups.std()))
        return dp, gsd, groups.count().reindex(aggregates, fill_value=0).to_numpy(float)

    return size


def _without_count(measure):
    """Let a method that does not count primaries return NaN for their number."""

    def size(*arguments):
        dp, gsd = measure(*arguments)
        return dp, gsd, np.full(np.shape(dp), np.nan)

    return size


LOCATORS = {"hough": locate_by_hough, "edm_ws": locate_by_watershed, "network": locate_by_network}

# A method: its parameters and its function of (image, labels, boxes, pixel_size_nm, parameters), which
# returns dp_nm, gsd and n_primaries by label.
METHODS = {
    "pcm": (PairCorrelation, _without_count(size_by_pair_correlation)),
    "edm_sbs": (ErosionCounting, _without_count(size_by_erosion)),
    "hough": (HoughCircles, _from_located(locate_by_hough)),
    "edm_ws": (Watershed, _from_located(locate_by_watershed)),
    "network": (Network, size_by_network),
}


def size_primaries(image, mask, pixel_size_nm, method="pcm", calibrated=False, **options):
    """Size the primary particles of each aggregate.

    The methods mean different things by a diameter; see `size_by_pair_correlation`,
    `size_by_erosion`, `locate_by_hough`, `locate_by_watershed` and `size_by_network`.

    Parameters
    ----------
    image : (H, W) array or None
        Bright-field image. Only ``"hough"`` and ``"network"`` look at it.
    mask : (H, W) array
        Aggregates, as for `analyse_aggregates`.
    pixel_size_nm : float
        Edge of a pixel in the sample.
    method : {"pcm", "edm_sbs", "hough", "edm_ws", "network"}
    calibrated : bool
        Return the diameter as the document defines it (False), or corrected to the geometric mean
        diameter of the spheres, as found on simulated aggregates (True; `correct`). The correction was fitted
        with each method's default options and holds for those. The count of ``"network"`` is corrected likewise
        (`correct_count`).
    **options
        Fields of the method's parameter set: `PairCorrelation`, `ErosionCounting`, `HoughCircles`, `Watershed`,
        `Network`.

    Returns
    -------
    DataFrame
        One row an aggregate: ``label``, ``dp_nm``, ``gsd``, ``n_primaries``. ``dp_nm`` is the geometric mean
        diameter (``"pcm"``: one diameter of its own meaning), ``gsd`` the geometric standard deviation within the
        aggregate (never corrected), ``n_primaries`` the number of primaries: those located (``"hough"``,
        ``"edm_ws"``), which misses hidden ones, or all of them as an estimate that need not be whole
        (``"network"``). NaN where a method finds nothing, gives no deviation (``"pcm"``, or fewer than two primaries
        located) or no number (``"pcm"``, ``"edm_sbs"``), or the aggregate has fewer than 10 pixels.

    Raises
    ------
    ValueError
        If the method or an option is unknown, ``calibrated`` goes with other options than the default ones, the
        mask is not binary, the image of another shape, not finite or missing, or the pixel size not positive.
    """
    parameters, measure = _choose(method, METHODS, options)
    changed = [name for name, value in parameters if value != type(parameters).model_fields[name].default]
    if calibrated and changed:
        raise ValueError(
            f"calibrated = True holds for the default options of {method!r} only; changed: {', '.join(changed)}; "
            "with calibrated = False (--no-calibrated) other options are allowed"
        )
    pixel_size_nm, image, labels, boxes = _checked(image, mask, pixel_size_nm)
    dp, gsd, n_primaries = measure(image, labels, boxes, pixel_size_nm, parameters)
    n_pixels = np.bincount(labels.ravel(), minlength=len(boxes) + 1)[1:]
    if calibrated:
        dp = correct(method, dp, np.sqrt(4 * n_pixels / np.pi) * pixel_size_nm)
        n_primaries = correct_count(method, n_primaries)
    columns = {"label": np.arange(1, len(boxes) + 1), "dp_nm": dp, "gsd": gsd, "n_primaries": n_primaries}
    table = pd.DataFrame(columns)
    table.loc[n_pixels < SMALLEST_AGGREGATE_PX, ["dp_nm", "gsd", "n_primaries"]] = np.nan
    return table


def locate_primaries(image, mask, pixel_size_nm, method="hough", **options):
    """Locate the primary particles of each aggregate, by a method that can.

    Parameters
    ----------
    method : {"hough", "edm_ws", "network"}
    image, mask, pixel_size_nm, **options
        As for `size_primaries`.

    Returns
    -------
    DataFrame
        One row a primary: ``label`` of its aggregate, ``x_nm`` and ``y_nm`` of its centre (from the centre
        of the pixel in the upper left corner, x to the right, y down), ``dp_nm``.

    Raises
    ------
    ValueError
        As for `size_primaries`.
    """
    parameters, _ = _choose(method, {name: METHODS[name] for name in LOCATORS}, options)
    pixel_size_nm, image, labels, boxes = _checked(image, mask, pixel_size_nm)
    label, x, y, diameter = LOCATORS[method](image, labels, boxes, pixel_size_nm, parameters)
    found = {"label": label, "x_nm": x * pixel_size_nm, "y_nm": y * pixel_size_nm, "dp_nm": diameter * pixel_size_nm}
    return pd.DataFrame(found).sort_values("label", kind="stable", ignore_index=True)


def _choose(method, methods, options):
    if method not in methods:
        raise ValueError(f"unknown method {method!r}; there are {', '.join(methods)}")
    kind, measure = methods[method]
    return kind(**options), measure


def _checked(image, mask, pixel_size_nm):
    labels, boxes = label_aggregates(mask)
    image = None if image is None else check_image(image, labels.shape)
    return check_pixel_size(pixel_size_nm), image, labels, boxes
