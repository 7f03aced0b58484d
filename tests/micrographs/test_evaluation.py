"""Average precision against pycocotools, pairs by hand, and the four criteria on known distributions."""

import contextlib
import io
import pickle

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from particlelab.measure import js_divergence
from particlelab.micrographs.evaluation import (
    AveragePrecision,
    average_precision,
    match_detections,
    rate_matches,
)
from particlelab.randomness import generator

SIDE = 96


def disks(rng, n, side=SIDE):
    """Instances of random disks, the later ones before the earlier ones; some may be hidden."""
    y, x = np.mgrid[:side, :side]
    instances = np.zeros((side, side), np.int32)
    for k in range(n):
        row, column, radius = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(2, 9)
        instances[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = k + 1
    return instances


def detect(rng, instances):
    """What a detector may make of it: moved, eaten, lost, joined and added particles, some with one score."""
    found = np.roll(instances, rng.integers(-1, 2, 2), (0, 1))
    found[rng.random(found.shape) < rng.choice([0, 0.1, 0.3])] = 0
    for number in np.unique(found)[1:]:
        if rng.random() < 0.15:
            found[found == number] = rng.choice([0, *np.unique(found)])
    extra = disks(rng, 4)
    free = (found == 0) & (extra > 0)
    found[free] = extra[free] + found.max()
    numbers, relabelled = np.unique(found, return_inverse=True)
    found = relabelled.reshape(found.shape).astype(np.int32)
    return found, np.round(rng.random(len(numbers) - 1), 1)


def runs(mask):
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return encoded | {"counts": encoded["counts"].decode()}


def official(truth, detections):
    """pycocotools' AP, AP50 and AP75, with its limit on detections raised."""
    coco, annotations, results = COCO(), [], []
    for image, (instances, (found, scores)) in enumerate(zip(truth, detections, strict=True), 1):
        for number in np.unique(instances[instances > 0]):
            mask = instances == number
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": 1, "iscrowd": 0}
                | {"area": int(mask.sum()), "segmentation": runs(mask)}
            )
        for number, score in enumerate(scores, 1):
            result = {"image_id": image, "category_id": 1, "score": float(score)}
            results.append(result | {"segmentation": runs(found == number)})
    with contextlib.redirect_stdout(io.StringIO()):
        coco.dataset = {
            "info": {},
            "images": [{"id": k + 1, "height": SIDE, "width": SIDE} for k in range(len(truth))],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "particle"}],
        }
        coco.createIndex()
        judged = COCOeval(coco, coco.loadRes(results), "segm")
        judged.params.maxDets = [10_000]
        judged.evaluate()
        judged.accumulate()
    precision = judged.eval["precision"][:, :, 0, 0, 0]
    return precision.mean(), precision[0].mean(), precision[5].mean()


def numbers(found):
    return found.AP, found.AP50, found.AP75


@pytest.mark.parametrize("seed", range(12))
def test_average_precision_is_that_of_pycocotools(seed):
    """Random scenes with empty images and images without detections, ties of scores and hidden particles."""
    rng = generator(seed, "coco")
    truth = [disks(rng, n) for n in rng.integers(0, 25, 5)] + [np.zeros((SIDE, SIDE), np.int32), disks(rng, 5)]
    detections = [detect(rng, instances) for instances in truth[:-1]]
    detections.append((np.zeros((SIDE, SIDE), np.int32), np.zeros(0)))
    found = average_precision(truth, detections)
    assert numbers(found) == pytest.approx(official(truth, detections), abs=1e-9)
    assert 0 < found < found.AP50 < 1
    one = average_precision(truth[0], detections[0])
    assert one == pytest.approx(official(truth[:1], detections[:1])[0], abs=1e-9)


def test_two_halves_of_a_particle_are_one_hit_as_in_pycocotools():
    """An IoU of exactly a half is the only one that two detections of a particle can have, or two particles of one."""
    whole = np.zeros((SIDE, SIDE), np.int32)
    whole[10:14, 10:20] = 1
    halves = whole.copy()
    halves[10:14, 15:20] = 2
    cases = [
        (whole, (halves, np.array([0.3, 0.8]))),
        (halves, (whole, np.array([0.5]))),
        (whole, (np.where(halves == 2, 0, halves), np.array([0.3, 0.8]))),  # the second has no pixel
    ]
    for case in cases:
        expected = official([case[0]], [case[1]])
        found = average_precision(*case)
        assert numbers(found) == pytest.approx(expected, abs=1e-9)
    assert numbers(found) == pytest.approx((0.05, 0.5, 0))


def test_six_hundred_perfect_detections_score_one():
    instances = np.kron(np.arange(1, 601).reshape(20, 30), np.ones((5, 5), int))
    instances[::5] = 0
    found = average_precision([instances], [(instances, generator(0, "scores").random(600))])
    assert numbers(found) == (1, 1, 1)


def test_nothing_to_find_and_nothing_found():
    empty, full = np.zeros((8, 8), int), np.ones((8, 8), int)
    assert np.isnan(average_precision(empty, (empty, [])))
    assert average_precision(full, (empty, [])) == 0
    assert average_precision(full, (full, [0.1])) == 1
    copy = pickle.loads(pickle.dumps(AveragePrecision([0.5] * 5 + [0.25] * 5)))
    assert (copy, copy.AP50, copy.AP75) == (0.375, 0.5, 0.25)


def test_what_does_not_fit_together_is_refused():
    image = np.ones((4, 4), int)
    for truth, detections, words in [
        ([image], [], "1 images and 0 detections"),
        (image, (np.ones((4, 5), int), [1]), "one shape"),
        (image, (2 * image, [1]), "finite score"),
        (image, (image, [np.nan]), "finite score"),
        (image, (image * 1.0, [1]), "whole numbers"),
        (-image, (image, [1]), "at least 0"),
    ]:
        with pytest.raises(ValueError, match=words):
            average_precision(truth, detections)
    with pytest.raises(ValueError, match="least_iou must be"):
        match_detections(image, image, least_iou=0)


def test_pairs_are_those_of_the_greatest_sum():
    """Truth 1 (6 px) and 2 (4 px); found 5 has 4 and 1 pixels of them, found 7 has 2 of truth 1."""
    truth = np.array([[1] * 6 + [2] * 4 + [0, 0]])
    found = np.array([[7] * 2 + [5] * 5 + [0] * 5])
    pairs = match_detections(truth, found)
    assert pairs.to_numpy().tolist() == [[1, 5, 4 / 7]]
    pairs = match_detections(truth, found, least_iou=0.05)  # 1 with 7 (1/3) and 2 with 5 (1/8) is less than 4/7
    assert pairs.iou.sum() == pytest.approx(4 / 7)
    found[0, 6:10] = 5  # 5 has 4 of truth 1, 4 of truth 2: 4/10 and 1/2; with 7 for truth 1 both have one
    pairs = match_detections(truth, found, least_iou=0.05)
    assert pairs.to_numpy().tolist() == [[1, 7, pytest.approx(1 / 3)], [2, 5, 0.5]]


def test_shifted_and_widened_sizes_have_the_errors_they_were_given():
    rng = generator(0, "sizes")
    truth = [np.exp(rng.normal(4, 0.3, 40)) for _ in range(10)]
    log_d = np.log(np.concatenate(truth))
    middle, deviation = log_d.mean(), log_d.std(ddof=1)
    wider = np.log(1.1 * np.exp(deviation)) / deviation
    found = [0.9 * np.exp(middle + (np.log(d) - middle) * wider) for d in truth]
    found[0] = np.concatenate([found[0], found[0]])  # moves moments a little
    rating = rate_matches(truth, found, rng).set_index("criterion")
    assert rating.value["count_error"] == pytest.approx(10)
    assert rating.value["mean_error"] == pytest.approx(-10, abs=1)
    assert rating.value["deviation_error"] == pytest.approx(10, abs=1)
    assert (rating.low <= rating.value).all() and (rating.value <= rating.high).all()
    same = rate_matches(truth, truth, rng)
    np.testing.assert_allclose(same[["value", "low", "high"]], 0, atol=1e-9)


def test_the_divergence_is_that_of_the_histograms_and_of_disjoint_sizes_one():
    rng = generator(1, "sizes")
    truth, found = np.exp(rng.normal(2, 0.4, 300)), np.exp(rng.normal(2.2, 0.4, 200))
    log_d = np.log(truth)
    edges = log_d.mean() + log_d.std(ddof=1) / 3 * np.arange(-12, 13)
    expected = js_divergence(np.histogram(np.log(truth), edges)[0], np.histogram(np.log(found), edges)[0])
    assert rate_matches([truth], [found], rng).value[0] == pytest.approx(expected)
    far = rate_matches([truth[:150], truth[150:]], [100 * found, found[:0]], rng)
    assert far.value[0] == pytest.approx(1, abs=0.02) and far.value[3] == pytest.approx(-100 / 3)


def test_intervals_hold_the_error_of_the_count_as_often_as_they_say():
    """Three in four particles are found, image by image by chance: -25 %, inside of 95 % of 200 intervals or so."""
    inside = 0
    for seed in range(200):
        rng = generator(seed, "coverage")
        truth = [np.full(30, 5.0) * 1.2 ** rng.normal(size=30) for _ in range(40)]
        found = [d[rng.random(30) < 0.75] for d in truth]
        rating = rate_matches(truth, found, rng, resamples=300).set_index("criterion").loc["count_error"]
        inside += rating.low <= -25 <= rating.high
    assert 0.88 < inside / 200 < 0.99


def test_too_little_has_no_error_and_one_image_no_interval():
    rng = generator(0, "few")
    rating = rate_matches([[1, 2]], [[]], rng)
    assert rating.value[3] == -100 and rating.value[:3].isna().all() and rating.low.isna().all()
    assert rate_matches([[1, 2], [3]], [[1], []], rng).value.isna().tolist() == [False, False, True, False]
    for truth, found, words in [
        ([[1, 2]], [[1], [2]], "1 and 2 images"),
        ([[1]], [[1]], "at least 2"),
        ([[1, 2]], [[0]], "positive"),
    ]:
        with pytest.raises(ValueError, match=words):
            rate_matches(truth, found, rng)
