"""Comparisons count what they should: perfect masks, failures, aggregates at the border."""

import numpy as np
import pandas as pd
import pytest

from particlelab import soot
from particlelab.measure import confusion
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

    monkeypatch.setattr("particlelab.soot.variants.segment", fails)
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


class Darkness:
    """Stands for a trained network: sure of soot where the image is dark; counts how often it is asked."""

    asked = 0

    def probability(self, image, pixel_size_nm):
        Darkness.asked += 1
        return (image < 0.5).astype(np.float32)


CNN_OPTIONS = {
    "cnn": {"closing_nm": 0, "minimum_pixels": 0},
    "cnn + RB": {"closing_nm": 3.2, "minimum_pixels": 0},
    "cnn + 1000 px": {"closing_nm": 0, "minimum_pixels": 1000},
    "cnn + RB + 1000 px": {"closing_nm": 3.2, "minimum_pixels": 1000},
}


@pytest.fixture
def darkness(monkeypatch):
    monkeypatch.setattr("particlelab.soot.cnn.load_segmenter", lambda name: Darkness())
    monkeypatch.setattr(Darkness, "asked", 0)


def cracked(specks=0):
    """A disk with a crack of 2 px, a speck of 12 px, and as many specks more as are wanted."""
    mask = disks(noise=0).mask.copy()
    mask[:, 99:101] = False
    image = np.where(mask, 60, 200)
    image[20:23, 350:354] = 60
    for n in range(specks):
        image[200 + 8 * (n % 10) : 203 + 8 * (n % 10), 20 + 8 * (n // 10) : 23 + 8 * (n // 10)] = 60
    return soot.Sample("cracked", image.astype(np.uint8), 0.5, disks().mask, None)


def test_the_rows_of_the_network_are_its_options_and_ask_it_once(darkness):
    sample = cracked()
    masks = soot.compare([sample], list(CNN_OPTIONS), []).masks["cracked"]
    assert Darkness.asked == 1
    for name, options in CNN_OPTIONS.items():
        np.testing.assert_array_equal(masks[name], soot.segment(sample.image, 0.5, "cnn", **options))
    parts = {name: len(soot.analyse_aggregates(mask, 0.5)) for name, mask in masks.items()}
    # three disks, a crack that the closing mends, a speck that the opening (radius 5 px) removes as well
    assert parts == {"reference": 3, "cnn": 5, "cnn + RB": 3, "cnn + 1000 px": 4, "cnn + RB + 1000 px": 3}


def test_a_failure_by_speckle_ends_where_the_specks_are_removed(darkness):
    found = soot.compare([cracked(specks=60)], list(CNN_OPTIONS), []).segmentations.set_index("classifier")
    assert "speckle" in found.failure["cnn"] and found.failure["cnn + 1000 px"] == ""


def test_a_failure_of_the_image_stays_whatever_is_removed(monkeypatch):
    def fails(image, pixel_size_nm, method, **options):
        raise soot.SegmentationFailure(method, ["the image is upside down"], np.zeros(image.shape, bool))

    monkeypatch.setattr("particlelab.soot.variants.segment", fails)
    found = soot.compare([disks()], ["kmeans", "kmeans + 1000 px"], []).segmentations.set_index("classifier")
    assert (found.failure[["kmeans", "kmeans + 1000 px"]] == "the image is upside down").all()


def test_a_wrong_mask_that_nobody_noticed_is_a_silent_failure(monkeypatch):
    monkeypatch.setattr("particlelab.soot.variants.segment", lambda image, *_, **options: np.roll(disks().mask, 60, 1))
    summary = soot.summarise_classifiers(soot.compare([disks()], **SURVEY)).set_index("classifier")
    assert summary.silent.to_dict() == {"reference": 0, "threshold": 1} and summary.failed.sum() == 0


def held_out(images, seed=3):
    return soot.HeldOut(images, seed, width_px=700, height_px=600, aggregates=4)


def test_a_held_out_image_depends_on_its_number_and_the_seed_alone():
    two, five = held_out(2), held_out(5)
    np.testing.assert_array_equal(two[1].image, five[1].image)
    assert two[1].pixel_size_nm == five[1].pixel_size_nm != two[0].pixel_size_nm
    assert 0.4 <= two[0].pixel_size_nm <= 0.8 and two[0].image.shape == (600, 700)
    assert not np.array_equal(held_out(1, seed=4)[0].image, two[0].image)
    assert len(list(two)) == 2
    with pytest.raises(IndexError, match="there are 2 images, numbered from 0, got 2"):
        two[2]


@pytest.fixture(scope="module")
def true_masks():
    return soot.compare(held_out(24), [], ["edm_ws"], pictures=0)


def test_aggregates_of_the_true_mask_know_their_true_primaries(true_masks):
    table = true_masks.aggregates
    for number, sample in enumerate(held_out(3)):
        part = table[table.image == f"held out {number + 1}"].sort_values("da_nm")
        truth = sample.truth[~sample.truth.touches_border].sort_values("da_nm")
        np.testing.assert_allclose(part.da_nm, truth.da_nm)
        np.testing.assert_array_equal(part.dp_truth_nm, truth.dp_nm)
    assert true_masks.masks == {}


def test_the_truth_obeys_the_universal_relation(true_masks):
    """17.8 nm (da / 100 nm)^0.35 with a scatter of 1.2: known to the fit's own errors, three times over."""
    law = soot.fit_power_law(true_masks.aggregates.da_nm, true_masks.aggregates.dp_truth_nm)
    error = np.sqrt(np.diag(law.covariance))
    assert abs(law.dp100_nm - 17.8) < 3 * error[0] and abs(law.d_tem - 0.35) < 3 * error[1]
    assert law.scatter == pytest.approx(1.2, abs=0.06)


def test_an_aggregate_that_is_none_has_no_true_primaries(monkeypatch):
    sample = held_out(1)[0]
    nowhere = np.zeros_like(sample.mask)
    nowhere[300:340, 300:340] = True
    nowhere &= ~sample.mask
    monkeypatch.setattr("particlelab.soot.variants.segment", lambda *_, **options: nowhere)
    found = soot.compare([sample], ["threshold"], []).aggregates.query("classifier == 'threshold'")
    assert len(found) and found.dp_truth_nm.isna().all()


def test_calibration_after_a_comparison_is_calibration_within_it(true_masks):
    calibrated = soot.compare(held_out(2), [], ["edm_ws"], calibrated=True, pictures=0).aggregates
    later = soot.calibrate_sizes(true_masks, ["edm_ws"]).aggregates
    np.testing.assert_allclose(later.dp_edm_ws_nm[: len(calibrated)], calibrated.dp_edm_ws_nm)
    assert not np.allclose(later.dp_edm_ws_nm, true_masks.aggregates.dp_edm_ws_nm)


def test_a_crowded_frame_is_no_failure_of_a_trained_classifier_however_its_mask_is_mended():
    sample = soot.HeldOut(7, 0, 512, 512, 2)[6]  # soot on 32 % of it, most of it cut by the border
    variants = soot.Variants(sample.image, sample.pixel_size_nm)
    assert variants.segment("otsu")[1]
    for name in ("cnn", "cnn + RB", "cnn + 1000 px", "cnn + RB + 1000 px", "weka"):
        mask, reasons = variants.segment(name)
        assert reasons == [] and confusion(sample.mask, mask).iou > 0.9
