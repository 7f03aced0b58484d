"""The semi-automatic method: drawn aggregates, steps that undo and replay, masks that come back from the disk."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.measure import label, regionprops

from particlelab.measure.segmentation import confusion
from particlelab.parameters import ParameterError
from particlelab.randomness import generator
from particlelab.soot.collection import read_folder, simulate_collection
from particlelab.soot.mask_files import mask_as_png, read_selections, save_mask, selections_as_json
from particlelab.soot.masks import SegmentationFailure
from particlelab.soot.micrographs import Micrograph
from particlelab.soot.segmentation import METHODS, segment
from particlelab.soot.slider import Selection, apply_selections, select_region, suggest_threshold

Y, X = np.mgrid[:200, :300]
LEFT = (Y - 100) ** 2 + (X - 80) ** 2 < 30**2
RIGHT = (Y - 90) ** 2 + (X - 220) ** 2 < 40**2
IMAGE = 180 + 0.2 * X - 0.1 * Y - 60.0 * (LEFT | RIGHT)  # a tilted background, two discs of one depth
AROUND_LEFT = Selection(top=50, left=30, bottom=150, right=130, smoothing_px=0, threshold=0.5)
AROUND_RIGHT = Selection(top=30, left=160, bottom=150, right=280, smoothing_px=0, threshold=0.5)


def test_a_threshold_marks_the_disc_in_its_region_and_nothing_else():
    np.testing.assert_array_equal(select_region(IMAGE, AROUND_LEFT), LEFT)
    np.testing.assert_array_equal(select_region(IMAGE, AROUND_RIGHT), RIGHT)


def test_darkness_runs_from_the_background_to_the_darkest():
    """A ramp from grey 200 down to 100 beside a background of 200 reaches half of its depth at grey 150."""
    image = np.full((80, 400), 200.0)
    image[40:, 250:351] = np.linspace(200, 100, 101)
    for threshold in (0.25, 0.5, 0.75, 1.0):
        marked = select_region(image, Selection(background_order=0, smoothing_px=0, threshold=threshold))
        assert marked.sum() == pytest.approx(40 * (100 - 100 * threshold + 1), abs=40)
        assert not marked[:40].any() and not marked[:, 351:].any()
    assert select_region(image, Selection(threshold=-1)).all()


def test_smoothing_rounds_a_corner_and_leaves_a_straight_edge():
    """A half plane smoothed keeps its edge at half depth; at a corner of it a quarter of the Gaussian is left."""
    image = np.where((X < 100) & (Y < 100), 100.0, 200.0)
    choice = Selection(background_order=0, smoothing_px=4, threshold=0.5)
    marked = select_region(image, choice)
    np.testing.assert_array_equal(marked[:60, 60:140], X[:60, 60:140] < 100)
    assert not marked[99, 99] and select_region(image, choice.replace(smoothing_px=0))[99, 99]


def test_steps_add_remove_and_undo():
    both = [AROUND_LEFT, AROUND_RIGHT]
    np.testing.assert_array_equal(apply_selections(IMAGE, both), LEFT | RIGHT)
    removed = [*both, AROUND_LEFT.replace(action="remove")]
    np.testing.assert_array_equal(apply_selections(IMAGE, removed), RIGHT)
    np.testing.assert_array_equal(apply_selections(IMAGE, removed[:-1]), LEFT | RIGHT)  # undone
    erased = apply_selections(
        IMAGE, [*both, Selection(top=0, left=0, bottom=200, right=80, threshold=-1, action="remove")]
    )
    np.testing.assert_array_equal(erased, (LEFT | RIGHT) & (X >= 80))
    assert not apply_selections(IMAGE, []).any()


def test_grey_scale_does_not_matter():
    noisy = np.round((IMAGE + generator(0, "slider").normal(0, 4, IMAGE.shape)) * 100)
    choice = AROUND_LEFT.replace(smoothing_px=1.5, threshold=0.2)
    expected = select_region(noisy, choice)
    assert confusion(LEFT, expected).iou > 0.9
    for scaled in (noisy.astype(np.uint16), noisy.astype(np.int64) + 2_000_000_000, noisy * 2.0**-40):
        assert confusion(expected, select_region(scaled, choice)).iou > 0.999


def test_suggested_thresholds_find_simulated_aggregates():
    """A box about each true aggregate and the suggestion, untouched: the mask that a user starts from."""
    (sample,) = simulate_collection(
        1, Micrograph(pixel_size_nm=0.536, width_px=768, height_px=768, allow_border=False, contaminants=0), seed=4
    )
    selections = []
    for part in regionprops(label(sample.mask, connectivity=2)):
        top, left, bottom, right = part.bbox
        rim = 20
        box = Selection(
            top=max(0, top - rim), left=max(0, left - rim), bottom=min(768, bottom + rim), right=min(768, right + rim)
        )
        selections.append(box.replace(threshold=suggest_threshold(sample.image, box)))
    assert confusion(sample.mask, apply_selections(sample.image, selections)).iou > 0.85


def test_suggestions_do_not_depend_on_grey_scale_and_stay_in_bounds():
    noisy = gaussian_filter(IMAGE + generator(1, "slider").normal(0, 6, IMAGE.shape), 1)
    first = suggest_threshold(noisy, AROUND_LEFT)
    assert 0 < first < 1
    assert suggest_threshold(noisy * 7.5 - 300, AROUND_LEFT) == pytest.approx(first, abs=0.01)
    assert not select_region(
        np.full((50, 50), 7), Selection(threshold=suggest_threshold(np.full((50, 50), 7), Selection()))
    ).any()


def test_segment_replays_steps_given_as_objects_or_as_read_from_a_file():
    both = [AROUND_LEFT, AROUND_RIGHT]
    read = read_selections(selections_as_json(both))
    assert read == both
    for steps in (both, read, [step.model_dump() for step in both]):
        np.testing.assert_array_equal(segment(IMAGE, 0.5, "slider", selections=steps), LEFT | RIGHT)
    large = segment(IMAGE, 0.5, "slider", selections=both, minimum_pixels=4000)
    np.testing.assert_array_equal(large, RIGHT)


def test_a_hand_made_mask_is_not_doubted_and_no_survey_runs_the_method():
    half = Selection(right=150, threshold=-1)
    np.testing.assert_array_equal(segment(IMAGE, 0.5, "slider", selections=[half]), X < 150)
    with pytest.raises(SegmentationFailure):
        segment(180 - 60.0 * (X < 150) + generator(0, "half").normal(0, 3, X.shape), 0.5, "threshold")
    assert "slider" not in METHODS


def test_a_saved_mask_is_the_reference_of_its_image(tmp_path):
    Image.fromarray(np.clip(IMAGE, 0, 255).astype(np.uint8)).save(tmp_path / "soot 1.png")
    path = save_mask(tmp_path / "soot 1.png", LEFT, [AROUND_LEFT])
    (sample,) = read_folder(tmp_path, 0.5)
    np.testing.assert_array_equal(sample.mask, LEFT)
    assert read_selections(path.with_suffix(".json")) == [AROUND_LEFT]
    np.testing.assert_array_equal(
        segment(sample.image, 0.5, "slider", selections=read_selections(path.with_suffix(".json"))), LEFT
    )
    save_mask(tmp_path / "soot 1.png", RIGHT)  # painted: the steps of before would make another mask
    assert sorted(p.name for p in tmp_path.iterdir()) == ["soot 1.png", "soot 1_mask.png"]
    np.testing.assert_array_equal(read_folder(tmp_path, 0.5)[0].mask, RIGHT)
    (tmp_path / "downloaded_mask.png").write_bytes(mask_as_png(LEFT))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "downloaded_mask.png")), LEFT * np.uint8(255))


def test_bad_input():
    with pytest.raises(ValueError, match=r"'slider' replays steps .* give selections=\[Selection"):
        segment(IMAGE, 0.5, "slider")
    with pytest.raises(ParameterError, match="Selection has no parameter 'heigth'"):
        segment(IMAGE, 0.5, "slider", selections=[{"heigth": 3}])
    with pytest.raises(ParameterError, match="threshold = 2 is not allowed"):
        Selection(threshold=2)
    with pytest.raises(ValueError, match="right = 301 lies outside of the image, which ends at 300 px"):
        select_region(IMAGE, Selection(right=301))
    with pytest.raises(ValueError, match="at least 4 px wide and high, got left = 290, right = 293"):
        select_region(IMAGE, Selection(left=290, right=293))
    with pytest.raises(ValueError, match="got top = 250, bottom = 200"):
        select_region(IMAGE, Selection(top=250))
    with pytest.raises(ValueError, match=r"of shape \(H, W\), got shape \(4, 4, 3\)"):
        select_region(np.zeros((4, 4, 3)), Selection())
    with pytest.raises(ValueError, match="the text holds no steps of the slider method: it is not JSON"):
        read_selections("steps")
    with pytest.raises(ValueError, match="expected a list of objects"):
        read_selections('{"top": 3}')
    with pytest.raises(ValueError, match="must be of type bool"):
        mask_as_png(np.zeros((4, 4)))
