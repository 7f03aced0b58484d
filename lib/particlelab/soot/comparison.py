"""Comparisons: every classifier by every sizing method over a collection (tables 3 to 5 of Sipkens et al.)."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from particlelab.measure import confusion, fit_lognormal
from particlelab.parameters import Parameters, parameter
from particlelab.soot.aggregates import label_aggregates
from particlelab.soot.masks import SegmentationFailure
from particlelab.soot.matching import match_aggregates
from particlelab.soot.measurement import fit_each, tabulate
from particlelab.soot.primaries import METHODS as SIZERS
from particlelab.soot.segmentation import METHODS as CLASSIFIERS
from particlelab.soot.segmentation import segment


class Survey(Parameters):
    """Which methods measure which micrographs."""

    classifiers: tuple[Literal[tuple(CLASSIFIERS)], ...] = parameter(
        ("otsu", "kmeans", "threshold"), "How soot is told from background"
    )
    sizers: tuple[Literal[tuple(SIZERS)], ...] = parameter(
        ("hough", "edm_sbs", "pcm", "edm_ws"), "How primary particles are sized"
    )
    images: Literal["real", "simulated"] = parameter("real", "Real micrographs where there are any, or simulated ones")
    simulated_images: int = parameter(6, "Micrographs to simulate", low=1, high=10_000)
    pixel_size_nm: float = parameter(0.536, "Edge of a pixel, for files that do not say", unit="nm", above=0, high=1000)
    minimum_pixels: int = parameter(
        1000, "Smaller aggregates are left out of the tables", unit="px", low=0, high=10_000_000
    )
    calibrated: bool = parameter(False, "Correct primary sizes by the calibration; the document does not")
    seed: int = parameter(0, "Seed of the simulated micrographs", low=0)


class Comparison(NamedTuple):
    """What the methods made of a collection."""

    segmentations: pd.DataFrame  # one row an image and classifier: scores against the reference, or the failure
    aggregates: pd.DataFrame  # one row an image, classifier and aggregate, with a column dp_<sizer>_nm a sizing method
    masks: dict  # image to classifier to (H, W) bool


def compare(samples, classifiers, sizers, minimum_pixels=0, calibrated=False, progress=None):
    """Measure every image of a collection with every classifier and every sizing method.

    Aggregates that touch the border are scored as pixels and left out of the table of aggregates:
    their size is not known.

    Parameters
    ----------
    samples : list of Sample
    classifiers, sizers : sequence of str
        Methods of `segment` and `size_primaries`. Where samples have a reference mask, the
        classifier "reference" stands first.
    minimum_pixels : int
        Aggregates of fewer pixels are left out of the table (1000 in the document's last step).
    calibrated : bool
        Correct primary diameters by the calibration against simulated aggregates.
    progress : callable, optional
        Called with a fraction and a text before each step.

    Returns
    -------
    Comparison
    """
    rows, tables, masks = [], [], {sample.name: {} for sample in samples}
    for number, sample in enumerate(samples):
        reference = None  # the mask of those aggregates of the reference that count
        methods = [*(["reference"] if sample.mask is not None else []), *classifiers]
        for step, classifier in enumerate(methods):
            if progress:
                progress((number + step / len(methods)) / len(samples), f"{sample.name}: {classifier}")
            mask, failure = _segment(sample, classifier)
            masks[sample.name][classifier] = mask
            trusted = np.zeros_like(mask) if failure else mask
            table = tabulate(sample.image, trusted, sample.pixel_size_nm, sizers, minimum_pixels, calibrated=calibrated)
            tables.append(table.assign(image=sample.name, classifier=classifier))
            counted = np.isin(label_aggregates(trusted)[0], table.label)
            reference = counted if classifier == "reference" else reference
            row = {"image": sample.name, "classifier": classifier, "failure": failure, **_score(sample, mask)}
            rows.append(row | _count(sample, reference, counted))
    if progress:
        progress(1.0, "")
    aggregates = pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)
    return Comparison(pd.DataFrame(rows), aggregates, masks)


def summarise_classifiers(comparison):
    """Return one row a classifier: table 3 of the document.

    Rates, accuracy and IoU leave out images on which a method was detected to have failed;
    ``iou_all`` counts those as images without any aggregate. ``da_geometric_error`` and
    ``da_median_error`` compare the diameters of all aggregates with the reference's.
    """
    reference = comparison.aggregates.query("classifier == 'reference'").da_nm
    rows = []
    for classifier, part in comparison.segmentations.groupby("classifier", sort=False):
        good = part[part.failure == ""]
        da = comparison.aggregates.query("classifier == @classifier").da_nm
        row = {"classifier": classifier, "images": len(part), "failed": len(part) - len(good)}
        for rate in ("false_positive", "false_negative", "accuracy", "iou"):
            row[rate] = good[rate].mean()
        row["iou_all"] = part.iou.where(part.failure == "", 0).mean() if part.iou.notna().any() else np.nan
        row |= {"aggregates": len(da), "added": good.added.sum(), "removed": good.removed.sum()}
        if len(reference) and len(da):
            row["da_geometric_error"] = np.exp(np.log(da).mean() - np.log(reference).mean()) - 1
            row["da_median_error"] = da.median() / reference.median() - 1
        rows.append(row)
    return pd.DataFrame(rows)


def summarise_primaries(comparison, sizers):
    """Return one row a classifier and sizing method: tables 4 and 5 of the document.

    Geometric mean and geometric standard deviation of the aggregates' primary diameters, and the
    power law's dp,100 and D_TEM, each with its 95 % interval (``_low``, ``_high``).
    """
    rows = []
    for classifier, part in comparison.aggregates.groupby("classifier", sort=False):
        for sizer in sizers:
            dp = part[f"dp_{sizer}_nm"]
            dp = dp[dp > 0].to_numpy()
            row = {"classifier": classifier, "sizer": sizer, "aggregates": len(dp)}
            if len(dp) >= 3 and np.ptp(dp) > 0:
                fit = fit_lognormal(dp)
                row |= _with_interval("dp_nm", fit.mean, fit.mean_interval)
                row |= _with_interval("gsd", fit.deviation, fit.deviation_interval)
            for law in fit_each(part, [sizer]).values():
                row |= _with_interval("dp100_nm", law.dp100_nm, law.dp100_interval_nm)
                row |= _with_interval("d_tem", law.d_tem, law.d_tem_interval)
            rows.append(row)
    return pd.DataFrame(rows)


def _with_interval(name, value, interval):
    return {name: value, f"{name}_low": interval[0], f"{name}_high": interval[1]}


def _segment(sample, classifier):
    """Return a mask and the reason why it cannot be trusted, empty if it can."""
    if classifier == "reference":
        return sample.mask, ""
    try:
        return segment(sample.image, sample.pixel_size_nm, classifier), ""
    except SegmentationFailure as failure:
        return failure.mask, str(failure)
    except ValueError as error:  # an image that no method can take does not stop the others
        return np.zeros(np.shape(sample.image), bool), str(error)


def _score(sample, mask):
    """Compare the pixels of a mask with the reference's."""
    names = "false_positive", "false_negative", "accuracy", "iou"
    if sample.mask is None:
        return dict.fromkeys(names, np.nan)
    scores = confusion(sample.mask, mask)
    return {name: getattr(scores, name) for name in names}


def _count(sample, reference, counted):
    """Count the aggregates that only one of two masks has; both without small ones and those at the border."""
    if reference is None:
        return {"added": np.nan, "removed": np.nan}
    counts = match_aggregates(reference, counted, sample.pixel_size_nm).match.value_counts()
    return {"added": counts.get("added", 0), "removed": counts.get("removed", 0)}
