"""What a careful user would do: strokes stay where they belong, regions hold their aggregates, sliders fit best."""

import numpy as np
import pytest

from particlelab import soot
from particlelab.lab.canvas import rasterise
from particlelab.measure import intersection_over_union
from particlelab.parameters import ParameterError
from particlelab.randomness import generator


@pytest.fixture(scope="module")
def sample():
    return soot.simulate_by_hand(soot.ByHand(seed=3))[0]


@pytest.mark.parametrize("width", [1, 6, 15])
@pytest.mark.parametrize("inside", [True, False])
def test_strokes_paint_nothing_outside_of_their_mask(sample, width, inside):
    mask = sample.mask if inside else ~sample.mask
    strokes = soot.strokes_within(mask, 40, width, generator(width, "strokes"))
    painted = rasterise([{"class": 1, "width": width, "points": line.ravel()} for line in strokes], mask.shape) > 0
    assert len(strokes) == 40
    assert painted.sum() > 40 * width
    assert not painted[~mask].any()


def test_strokes_wind_and_do_not_leave_the_picture():
    everywhere = np.ones((200, 300), bool)
    strokes = soot.strokes_within(everywhere, 200, 4, generator(1, "strokes"), length_px=50)
    lengths = [np.hypot(*np.diff(line, axis=0).T).sum() for line in strokes]
    assert 40 < np.median(lengths) <= 50  # those that start near the edge are shorter
    ends = np.array([line[-1] - line[0] for line in strokes])
    assert np.hypot(*ends.T).max() < 50
    assert np.array([line.min(axis=0) for line in strokes]).min() >= 2
    assert (np.array([line.max(axis=0) for line in strokes]) <= (298, 198)).all()


def test_where_there_is_no_room_for_a_brush_nothing_is_painted():
    assert soot.strokes_within(np.zeros((50, 50), bool), 5, 2, generator(0)) == []
    thin = np.zeros((50, 50), bool)
    thin[:, 20:24] = True
    assert soot.strokes_within(thin, 5, 6, generator(0)) == []


def test_each_aggregate_has_a_region_with_background_around_it_and_a_threshold_as_suggested(sample):
    steps = soot.select_around(sample.image, sample.mask, margin_px=20)
    assert len(steps) == len(sample.truth)
    regions = np.zeros((len(steps), *sample.mask.shape), bool)
    for region, step in zip(regions, steps, strict=True):
        region[step.top : step.bottom, step.left : step.right] = True
        assert step.threshold == soot.suggest_threshold(sample.image, step)
        assert not sample.mask[step.top, step.left] or step.top == step.left == 0
    assert regions.any(axis=0)[sample.mask].all()


def test_the_slider_stands_where_the_outline_fits_best(sample):
    for step in soot.select_around(sample.image, sample.mask):
        turned = soot.turn_slider(sample.image, step, sample.mask)
        region = np.s_[step.top : step.bottom, step.left : step.right]

        def fit(threshold, step=step, region=region):
            marked = soot.select_region(sample.image, step.replace(threshold=threshold))
            return intersection_over_union(sample.mask[region], marked[region])

        assert turned.replace(threshold=0) == step.replace(threshold=0)
        assert fit(turned.threshold) >= max(map(fit, [*np.linspace(0.01, 0.5, 50), step.threshold])) - 0.002


def test_controls_and_a_region_make_a_step():
    adjustment = soot.Adjustment(threshold=0.2, smoothing_px=1.0, background_order=3)
    step = soot.select_by(adjustment, (10, 20, 30, 40), "remove")
    expected = soot.Selection(
        top=10,
        left=20,
        bottom=30,
        right=40,
        threshold=0.2,
        smoothing_px=1.0,
        background_order=3,
        action="remove",
    )
    assert step == expected
    whole = soot.select_by(adjustment)
    assert (whole.top, whole.left, whole.bottom, whole.right, whole.action) == (0, 0, None, None, "add")
    with pytest.raises(ParameterError, match="action"):
        soot.select_by(adjustment, action="paint")
