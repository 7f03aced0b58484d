"""Scores of masks: counted by hand, bounded, symmetric where they must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, f1_score, jaccard_score

from particlelab.measure.segmentation import Confusion, confusion, intersection_over_union

REFERENCE = np.array([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0]], bool)
MASK = np.array([[0, 1, 1, 0, 0], [0, 1, 1, 0, 1]], bool)


def test_counts_and_rates_by_hand():
    scores = confusion(REFERENCE, MASK)
    assert scores == Confusion(both=2, only_reference=2, only_mask=3, neither=3)
    assert scores.false_positive == 3 / 6  # of six background pixels
    assert scores.false_negative == 2 / 4  # of four foreground pixels
    assert scores.accuracy == 5 / 10
    assert scores.iou == intersection_over_union(REFERENCE, MASK) == 2 / 7
    assert scores.dice == 4 / 9


def test_document_table_3_false_rates_give_its_accuracy():
    """0.22 % and 6.6 % make the accuracy of 99.5 % that Table 3 reports for k-means if 4 to 5 % are aggregate."""
    n, share = 1_000_000, 0.045
    aggregate, background = round(n * share), n - round(n * share)
    scores = Confusion(round(aggregate * 0.934), round(aggregate * 0.066), round(background * 0.0022), 0)
    scores = scores._replace(neither=background - scores.only_mask)
    assert scores.accuracy == pytest.approx(0.995, abs=5e-4)
    assert scores.iou == pytest.approx(0.89, abs=0.01)


@given(arrays(bool, (2, 6, 7), elements=st.booleans()))
def test_agrees_with_scikit_learn(pair):
    reference, mask = pair
    scores = confusion(reference, mask)
    flat = reference.ravel(), mask.ravel()
    assert scores.accuracy == pytest.approx(accuracy_score(*flat))
    assert scores.iou == pytest.approx(jaccard_score(*flat, zero_division=1.0))
    assert scores.dice == pytest.approx(f1_score(*flat, zero_division=1.0))
    assert scores.iou == confusion(mask, reference).iou
    assert scores.dice == pytest.approx(2 * scores.iou / (1 + scores.iou))


def test_empty_masks_agree():
    nothing = np.zeros((3, 4), bool)
    scores = confusion(nothing, nothing)
    assert (scores.iou, scores.dice, scores.accuracy, scores.false_positive, scores.false_negative) == (1, 1, 1, 0, 0)
    assert confusion(nothing, ~nothing).iou == 0


@pytest.mark.parametrize(
    ("reference", "mask", "words"),
    [
        (REFERENCE, MASK.T, r"one shape, got \(2, 5\) \(reference\) and \(5, 2\)"),
        (REFERENCE, MASK.astype(int), "mask must be of type bool, got int64"),
        (REFERENCE.astype(float), MASK, "reference_mask must be of type bool"),
        (np.zeros((0, 4), bool), np.zeros((0, 4), bool), "hold no pixel"),
    ],
)
def test_bad_input(reference, mask, words):
    with pytest.raises(ValueError, match=words):
        confusion(reference, mask)
