"""Comparisons: every classifier by every sizing method over a collection (tables 3 to 5 of Sipkens et al.)."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from particlelab.measure import confusion, fit_lognormal
from particlelab.parameters import Parameters, parameter
from particlelab.soot.aggregates import label_aggregates
from particlelab.soot.cnn import load_segmenter
from particlelab.soot.corrections import correct
from particlelab.soot.matching import match_aggregates
from particlelab.soot.measurement import fit_each, tabulate
from particlelab.soot.primaries import METHODS as SIZERS
from particlelab.soot.variants import VARIANTS, Variants

SILENT_IOU = 0.5  # a mask that shares less than this with the truth, and was not detected, is a silent failure


class Survey(Parameters):
    """Which methods measure which micrographs."""

    classifiers: tuple[Literal[tuple(VARIANTS)], ...] = parameter(
        ("otsu", "kmeans", "threshold"), "How soot is told from background"
    )
    sizers: tuple[Literal[tuple(SIZERS)], ...] = parameter(
        ("hough", "edm_sbs", "pcm", "edm_ws", "network"), "How primary particles are sized"
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


def compare(
    samples, classifiers, sizers, minimum_pixels=0, calibrated=False, *, network="default", pictures=None, progress=None
):
    """Measure every image of a collection with every classifier and every sizing method.

    Aggregates that touch the border are scored as pixels and left out of the table of aggregates:
    their size is not known. Where the truth is known, the column ``dp_truth_nm`` of aggregates is the true
    geometric mean diameter of the primaries of that aggregate in which most of its pixels lie.

    Parameters
    ----------
    samples : sequence of Sample
        Asked for one after the other.
    classifiers, sizers : sequence of str
        Names of `VARIANTS`, and methods of `size_primaries`. Where samples have a reference mask, the
        classifier "reference" stands first.
    minimum_pixels : int
        Aggregates of fewer pixels are left out of the table, whatever the classifier, also of the reference.
    calibrated : bool
        Correct primary diameters by the calibration against simulated aggregates.
    network : str
        Trained network of the classifiers that begin with "cnn".
    pictures : int, optional
        Keep the masks of so many images, the first ones; by default of all.
    progress : callable, optional
        Called with a fraction and a text before each step.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the network is needed and cannot be loaded.
    """
    if any(VARIANTS[name].method == "cnn" for name in classifiers):
        load_segmenter(network)  # if there is none, no image is to blame
    rows, tables, masks = [], [], {}
    for number, sample in enumerate(samples):
        variants = Variants(sample.image, sample.pixel_size_nm, network)
        reference = None  # the mask of those aggregates of the reference that count
        methods = [*(["reference"] if sample.mask is not None else []), *classifiers]
        for step, classifier in enumerate(methods):
            if progress:
                progress((number + step / len(methods)) / len(samples), f"{sample.name}: {classifier}")
            mask, reasons = (sample.mask, []) if classifier == "reference" else variants.segment(classifier)
            if pictures is None or number < pictures:
                masks.setdefault(sample.name, {})[classifier] = mask
            trusted = np.zeros_like(mask) if reasons else mask
            table = tabulate(sample.image, trusted, sample.pixel_size_nm, sizers, minimum_pixels, calibrated=calibrated)
            labels = label_aggregates(trusted)[0]
            if sample.truth is not None:
                table["dp_truth_nm"] = _true_primaries(sample, labels, table.label)
            tables.append(table.assign(image=sample.name, classifier=classifier))
            counted = np.isin(labels, table.label)
            reference = counted if classifier == "reference" else reference
            row = {"image": sample.name, "classifier": classifier, "failure": "; ".join(reasons)}
            rows.append(row | _score(sample, mask) | _count(sample, reference, counted))
    if progress:
        progress(1.0, "")
    aggregates = pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)
    segmentations = pd.DataFrame(rows)
    silent = (segmentations.failure == "") & (segmentations.iou < SILENT_IOU)
    return Comparison(segmentations.assign(silent=silent), aggregates, masks)


def calibrate_sizes(comparison, sizers):
    """Return a comparison whose primary diameters are corrected by the calibration (`correct`)."""
    table = comparison.aggregates.copy()
    for sizer in sizers:
        table[f"dp_{sizer}_nm"] = correct(sizer, table[f"dp_{sizer}_nm"], table.da_nm)
    return comparison._replace(aggregates=table)


def summarise_classifiers(comparison):
    """Return one row a classifier: table 3 of the document.

    Rates, accuracy and IoU leave out images on which a method was detected to have failed;
    ``iou_all`` counts those as images without any aggregate. ``silent`` counts images with an IoU below 0.5 that
    were not detected. ``da_geometric_error`` and ``da_median_error`` compare the diameters of all aggregates with the
    reference's.
    """
    reference = comparison.aggregates.query("classifier == 'reference'").da_nm
    rows = []
    for classifier, part in comparison.segmentations.groupby("classifier", sort=False):
        good = part[part.failure == ""]
        da = comparison.aggregates.query("classifier == @classifier").da_nm
        row = {"classifier": classifier, "images": len(part), "failed": len(part) - len(good)}
        row["silent"] = int(part.silent.sum())
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
    power law's dp,100 and D_TEM, each with its 95 % interval (``_low``, ``_high``); NaN where there are too few
    aggregates. The sizing method "truth" stands for the true diameters of simulated aggregates.
    """
    rows = []
    for classifier, part in comparison.aggregates.groupby("classifier", sort=False):
        for sizer in sizers:
            dp = part[f"dp_{sizer}_nm"]
            dp = dp[dp > 0].to_numpy()
            row = {"classifier": classifier, "sizer": sizer, "aggregates": len(dp)}
            for name in ("dp_nm", "gsd", "dp100_nm", "d_tem"):
                row |= _with_interval(name, np.nan, (np.nan, np.nan))
            if len(dp) >= 3 and np.ptp(dp) > 0:
                fit = fit_lognormal(dp)
                row |= _with_interval("dp_nm", fit.mean, fit.mean_interval)
                row |= _with_interval("gsd", fit.deviation, fit.deviation_interval)
            for law in fit_each(part, [sizer]).values():
                row |= _with_interval("dp100_nm", law.dp100_nm, law.dp100_interval_nm)
                row |= _with_interval("d_tem", law.d_tem, law.d_tem_interval)
            rows.append(row)
    return pd.DataFrame(rows)


def summarise_sizers(primaries):
    """Return mean and standard deviation of dp,100 and D_TEM over the classifiers: the last rows of table 5.

    Parameters
    ----------
    primaries : DataFrame
        ``classifier``, ``sizer``, ``dp100_nm``, ``d_tem`` of the classifiers that count, as from `summarise_primaries`.

    Returns
    -------
    DataFrame
        One row a sizing method: ``sizer``, ``dp100_nm``, ``dp100_sd_nm``, ``d_tem``, ``d_tem_sd``.
    """
    by_sizer = primaries.groupby("sizer", sort=False)[["dp100_nm", "d_tem"]]
    deviations = by_sizer.std().set_axis(["dp100_sd_nm", "d_tem_sd"], axis=1)
    order = ["dp100_nm", "dp100_sd_nm", "d_tem", "d_tem_sd"]
    return by_sizer.mean().join(deviations)[order].reset_index()


def _with_interval(name, value, interval):
    return {name: value, f"{name}_low": interval[0], f"{name}_high": interval[1]}


def _true_primaries(sample, labels, wanted):
    """Return the true dp of each aggregate wanted: of the true one that holds most of its pixels, NaN if none does."""
    true_labels, boxes = label_aggregates(sample.mask)
    pairs = labels.ravel() * np.int64(len(boxes) + 1) + true_labels.ravel()
    shared = np.bincount(pairs, minlength=(labels.max() + 1) * (len(boxes) + 1)).reshape(-1, len(boxes) + 1)
    dp = sample.truth[sample.truth.label > 0].set_index("label").dp_nm
    return dp.reindex(shared.argmax(axis=1)[wanted]).to_numpy()


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
