import numpy as np
import pandas as pd
import pytest

from particlelab.micrographs.detection_studies import (
    LITERATURE,
    DetectionStudy,
    DetectionTrial,
    compare_on_coins,
    judge_methods,
    mean_and_deviation,
    methods_of,
    sum_up,
    table_of,
    training_of,
    try_recipe,
)
from particlelab.micrographs.detector import Found, load_detector
from particlelab.micrographs.detector_training import CentreTraining, MaskRCNNTraining
from particlelab.micrographs.judging import coins
from particlelab.micrographs.recipe import Population, Recipe
from particlelab.micrographs.shipping import command_of, ship_detector
from particlelab.micrographs.training_pictures import draw_pictures
from particlelab.randomness import generator

SPHERES = Recipe(
    name="spheres", populations=(Population(number=12, diameter_nm=180, deviation=1.1),), width_px=128, height_px=128
)
TINY = {"widths": (8, 16), "pictures": 3, "picture_px": 64, "iterations": 2, "batch": 1, "piece_px": 32}


def find_nothing(image):
    return Found(np.zeros(image.shape, np.int32), np.empty(0), np.empty(0))


def find_coins_by_hand(image):
    """What a person found."""
    table = coins()[1]
    rows, columns = np.indices(image.shape)
    instances = np.zeros(image.shape, np.int32)
    for k, coin in enumerate(table.itertuples(), 1):
        inside = (columns - coin.x_px) ** 2 + (rows - coin.y_px) ** 2 <= (coin.diameter_px / 2) ** 2
        instances[inside] = k
    return Found(instances, np.ones(len(table)), table.diameter_px.to_numpy())


def test_what_finds_nothing_is_wrong_by_all_particles():
    table = judge_methods({"none": find_nothing}, [SPHERES], images=2)
    values = table.set_index("criterion").value
    assert values.count_error == -100
    assert values.ap == 0
    assert (table.method == "none").all()


def test_all_methods_are_judged_by_the_same_pictures():
    table = judge_methods({"a": find_nothing, "b": find_nothing}, [SPHERES], images=2, seed=3)
    a, b = (table[table.method == name].drop(columns="method").reset_index(drop=True) for name in "ab")
    assert a.equals(b)
    assert (a.true > 5).all()


def test_summary_is_the_mean_without_sign_over_recipes():
    rows = [("m", name, "mean_error", value, "%") for name, value in zip("abcd", (-2.0, 2.0, 4.0, np.nan), strict=True)]
    table = pd.DataFrame(rows, columns=["method", "recipe", "criterion", "value", "unit"])
    (row,) = sum_up(table, generator(0)).itertuples()
    assert row.value == pytest.approx(8 / 3)
    assert row.bias == pytest.approx(4 / 3)
    assert row.recipes == 3
    assert 2 <= row.value_low <= row.value <= row.value_high <= 4


def test_coins_by_hand_are_24_of_24_without_error():
    (row,) = compare_on_coins({"hand": find_coins_by_hand}).itertuples()
    assert (row.coins, row.extra) == (24, 0)
    assert row.largest_error_percent == 0
    (row,) = compare_on_coins({"none": find_nothing}).itertuples()
    assert row.coins == 0
    assert np.isnan(row.mean_error_percent)


def test_a_trial_pairs_what_was_found_with_the_truth():
    tried = try_recipe(DetectionTrial(recipe="beads", method="watershed"))
    table = table_of(tried)
    assert len(table) == len(tried.found.scores)
    paired = table.dropna(subset="true_id")
    assert paired.true_id.is_unique
    true = tried.micrograph.table.set_index("id").diameter_nm
    assert np.array_equal(paired.true_diameter_nm, true[paired.true_id])
    assert paired.error_percent.abs().median() < 10


def test_mean_and_deviation_are_those_of_the_logarithm():
    assert mean_and_deviation([1.0, 100.0]) == pytest.approx((10, np.exp(np.log(10) * np.sqrt(2))))


def test_a_study_asks_for_the_training_of_its_kind():
    assert isinstance(training_of(DetectionStudy()), CentreTraining)
    mask_rcnn = training_of(DetectionStudy(kind="mask-rcnn", picture_px=128))
    assert isinstance(mask_rcnn, MaskRCNNTraining)
    assert mask_rcnn.piece_px == 128
    assert len(LITERATURE) == 3


def test_pictures_do_not_depend_on_how_they_are_drawn(tmp_path):
    once = draw_pictures(23, 5, 128, recipes=[SPHERES], folder=tmp_path)
    again = draw_pictures(23, 5, 128, recipes=[SPHERES], folder=tmp_path)  # from the files
    fewer = draw_pictures(2, 5, 128, recipes=[SPHERES])
    for part in ("images", "instances"):
        assert np.array_equal(getattr(once, part), getattr(again, part))
        assert np.array_equal(getattr(once, part)[:2], getattr(fewer, part))
    assert once.particles.equals(again.particles)
    for k, instances in enumerate(once.instances):
        own = once.particles[once.particles.picture == k]
        assert own.id.tolist() == list(range(1, instances.max() + 1))
        assert own.visible_px.tolist() == np.bincount(instances.ravel())[1:].tolist()
    whole = once.particles[~once.particles.cut]
    seen = 2 * np.sqrt(whole.visible_px / np.pi)
    assert (seen / whole.diameter_px).median() == pytest.approx(1, abs=0.02)
    with pytest.raises(ValueError, match="another seed"):
        draw_pictures(2, 6, 128, recipes=[SPHERES], folder=tmp_path)
    with pytest.raises(ValueError, match="less than size_px"):
        draw_pictures(2, 6, 256, recipes=[SPHERES])


def test_a_shipped_detector_tells_how_it_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr("particlelab.micrographs.shipping.recipes", lambda: [SPHERES])
    stages = [CentreTraining(**TINY), CentreTraining(**TINY, learning_rate=1e-3)]
    path = ship_detector(tmp_path / "small.safetensors", stages, seed=3, images=1)
    detector = load_detector(path)
    assert detector.card["scores"]["by recipe"].keys() == {"spheres"}
    command = detector.card["command"]
    assert command == command_of(path, stages, 3)
    again = eval(command.replace("micrographs.ship_detector", "remember"), {"micrographs": Named, "remember": remember})
    assert again == ("small.safetensors", stages, 3)
    assert methods_of(DetectionStudy(), detector)["network"] == detector.find


class Named:
    CentreTraining = CentreTraining


def remember(path, stages, seed):
    return path, stages, seed
