"""Aggregates of two masks are matched as the document says, and every aggregate is accounted for."""

import numpy as np
import pytest

from particlelab.soot.matching import match_aggregates


def blocks(*corners, shape=(700, 700)):
    """Squares, each (row, column, edge)."""
    mask = np.zeros(shape, bool)
    for row, column, edge in corners:
        mask[row : row + edge, column : column + edge] = True
    return mask


def test_values_of_a_pair_by_hand():
    table = match_aggregates(blocks((100, 100, 30)), blocks((100, 110, 30)), 0.5)
    row = table.iloc[0]
    assert (len(table), row.match, row.reference_label, row.label) == (1, "pair", 1, 1)
    assert row.iou == pytest.approx(20 * 30 / (40 * 30))
    assert row.distance_nm == pytest.approx(10 * 0.5)
    assert row.da_nm == row.reference_da_nm == pytest.approx(0.5 * np.sqrt(4 * 900 / np.pi))


def test_removed_and_added():
    table = match_aggregates(blocks((10, 10, 20), (600, 600, 20)), blocks((12, 10, 20), (10, 600, 20)), 1.0)
    assert table.match.tolist() == ["pair", "removed", "added"]
    assert table.reference_label.tolist()[:2] == [1, 2] and table.label.isna().tolist() == [False, True, False]


@pytest.mark.parametrize(("offset", "matched"), [(199, True), (200, True), (201, False)])
def test_centres_within_200_pixels(offset, matched):
    table = match_aggregates(blocks((10, 10, 20)), blocks((10, 10 + offset, 20)), 1.0)
    assert (table.match == "pair").any() == matched


def test_large_aggregates_need_30_per_cent_overlap():
    large = blocks((100, 100, 200))  # 40 000 px
    assert match_aggregates(large, blocks((100, 200, 200)), 1.0).match.tolist() == ["pair"]  # 1/3 of the union
    assert match_aggregates(large, blocks((100, 215, 200)), 1.0).match.tolist() == ["removed", "added"]
    # a fragment near the centre of a large aggregate is no match for it
    assert match_aggregates(large, blocks((190, 190, 20)), 1.0).match.tolist() == ["removed", "added"]


def test_pairs_are_chosen_together():
    """The nearest partner of both new squares is the second old one; one of them has to take the first."""
    old = blocks((100, 100, 20), (100, 140, 20))
    new = blocks((100, 130, 9), (100, 142, 20))
    table = match_aggregates(old, new, 1.0)
    assert table.match.tolist() == ["pair", "pair"]
    assert dict(zip(table.reference_label, table.label, strict=True)) == {1: 1, 2: 2}


def test_a_mask_matches_itself_whatever_the_order():
    rng = np.random.default_rng(3)
    mask = blocks(*[(r, c, rng.integers(3, 20)) for r in range(5, 650, 60) for c in range(5, 650, 60)])
    table = match_aggregates(mask, mask, 1.0)
    assert (table.match == "pair").all() and (table.iou == 1).all() and (table.reference_label == table.label).all()
    flipped = match_aggregates(mask, blocks((5, 5, 3)), 1.0)
    assert (flipped.match == "pair").sum() == 1 and (flipped.match == "removed").sum() == len(table) - 1


def test_no_aggregates_on_either_side():
    nothing = blocks()
    assert match_aggregates(nothing, nothing, 1.0).empty
    assert match_aggregates(nothing, blocks((5, 5, 9)), 1.0).match.tolist() == ["added"]
    assert match_aggregates(blocks((5, 5, 9)), nothing, 1.0).match.tolist() == ["removed"]


def test_bad_input():
    with pytest.raises(ValueError, match=r"one shape, got \(700, 700\) \(reference\) and \(700, 600\)"):
        match_aggregates(blocks(), blocks(shape=(700, 600)), 1.0)
    with pytest.raises(ValueError, match="pixel_size_nm must be a positive number"):
        match_aggregates(blocks(), blocks(), 0)
    with pytest.raises(ValueError, match="0 and one other"):
        match_aggregates(blocks(), np.arange(490_000).reshape(700, 700), 1.0)
