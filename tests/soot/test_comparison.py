"""Comparisons count what they should: perfect masks, failures, aggregates at the border."""

import numpy as np
import pandas as pd
import pytest

from particlelab import soot
from particlelab.randomness import generator

SURVEY = {"classifiers": ("threshold",), "sizers": ("pcm", "edm_ws"), "minimum_pixels": 0}


def disks(radius_nm=(20.0, 30.0), pixel_size_nm=0.5, noise=3.0, shape=(300, 400)):
    """Two dark disks with room around them, a third one cut by the border."""
    y, x = (np.indices(shape) + 0.5) * pixel_size_nm
    centres = [(50, 60), (120, 90), (200, 10)]
    mask = np.zeros(shape, bool)
    for (cx, cy), r in zip(centres, [*radius_nm, 15.0], strict=True):
        mask |= (x - cx) ** 2 + (y - cy) ** 2 < r**2
    image = 180 - 70 * mask + generator(0, "disks").normal(0, noise, shape)
    return soot.Sample("disks", image.astype(np.float32), pixel_size_nm, mask, None)


def test_disks_are_found_and_sized():
    """The equivalent diameter of a disk is its diameter, and so is its size by the largest disk that fits in."""
    found = soot.compare([disks()], **SURVEY)
    table = found.aggregates.query("classifier == 'threshold'").sort_values("da_nm")
    np.testing.assert_allclose(table.da_nm, [40, 60], rtol=0.03)
    np.testing.assert_allclose(table.dp_edm_ws_nm, [40, 60], rtol=0.05)
    row = found.segmentations.set_index("classifier").loc["threshold"]
    assert row.iou > 0.95 and row.added == row.removed == 0 and row.failure == ""


def test_the_reference_agrees_with_itself():
    row = soot.compare([disks()], **SURVEY).segmentations.set_index("classifier").loc["reference"]
    assert (row.iou, row.accuracy, row.false_positive, row.false_negative) == (1, 1, 0, 0)


def test_aggregates_at_the_border_are_scored_but_not_sized():
    found = soot.compare([disks()], **SURVEY)
    assert len(found.aggregates.query("classifier == 'reference'")) == 2
    assert not found.aggregates.touches_border.any()


def test_a_failure_is_named_and_counts_as_an_empty_image(monkeypatch):
    def fails(image, pixel_size_nm, method, **options):
        raise soot.SegmentationFailure(method, ["nothing but noise"], np.ones(image.shape, bool))

    monkeypatch.setattr("particlelab.soot.comparison.segment", fails)
    found = soot.compare([disks()], **SURVEY)
    row = found.segmentations.set_index("classifier").loc["threshold"]
    assert "nothing but noise" in row.failure
    assert found.aggregates.query("classifier == 'threshold'").empty
    summary = soot.summarise_classifiers(found).set_index("classifier").loc["threshold"]
    assert summary.failed == 1 and np.isnan(summary.iou) and summary.iou_all == 0


def test_power_laws_come_back_from_a_table_that_obeys_one():
    rng = generator(1, "law")
    da = np.exp(rng.normal(np.log(120), 0.4, 400))
    dp = 17.8 * (da / 100) ** 0.35 * np.exp(rng.normal(0, 0.1, 400))
    table = pd.DataFrame({"image": "a", "classifier": "reference", "da_nm": da, "dp_pcm_nm": dp})
    row = soot.summarise_primaries(soot.Comparison(pd.DataFrame(), table, {}), ["pcm"]).iloc[0]
    assert row.dp100_nm == pytest.approx(17.8, rel=0.03)
    assert row.d_tem_low < 0.35 < row.d_tem_high and row.d_tem_high - row.d_tem_low < 0.1
    assert row.dp_nm == pytest.approx(np.exp(np.log(dp).mean()))


def test_progress_reaches_every_step():
    steps = []
    soot.compare([disks()], **SURVEY, progress=lambda fraction, text: steps.append((fraction, text)))
    assert steps == [(0.0, "disks: reference"), (0.5, "disks: threshold"), (1.0, "")]


def test_added_less_removed_is_the_difference_of_the_counts():
    """Caption of the document's table 3, also where small aggregates and those at the border do not count."""
    survey = {**SURVEY, "classifiers": ("otsu", "kmeans", "threshold"), "minimum_pixels": 6000}
    summary = soot.summarise_classifiers(soot.compare([disks()], **survey)).set_index("classifier")
    for row in summary.itertuples():
        assert row.added - row.removed == row.aggregates - summary.aggregates["reference"]


def test_an_image_that_cannot_be_segmented_does_not_stop_the_others():
    flat = disks()._replace(name="flat", image=np.full((300, 400), 7.0))
    rows = soot.compare([flat, disks()], **SURVEY).segmentations.set_index(["image", "classifier"])
    assert "one grey level" in rows.failure["flat", "threshold"]
    assert rows.iou["disks", "threshold"] > 0.95
