"""How networks that find the cloud are trained on pictures and judged, in little."""

import numpy as np
import pandas as pd
import pytest

from particlelab import aerosol
from particlelab.aerosol import segmentation_studies
from particlelab.aerosol.figures import both_outlines, scores_by_size

LITTLE = aerosol.SegmentationStudy(
    people=4, simulations=1, frames=4, grid=16, dimensions=2, picture_px=64, piece_px=32, widths=(4, 8), iterations=8
)


class Blind(aerosol.Segmenter):
    """It never sees a cloud."""

    background = False

    def __init__(self):
        pass

    def probabilities(self, images, progress=None, background=None):
        return np.zeros(images.shape[:3], np.float32)


class Bright(Blind):
    """Whatever is brighter than the wall is a cloud."""

    def __init__(self):
        self.card = {}

    def probabilities(self, images, progress=None, background=None):
        return (images.mean(axis=3) > 40).astype(np.float32)

    def save(self, path):
        return path


@pytest.fixture(scope="module")
def judged():
    return aerosol.judge_segmenters({"blind": Blind()}, LITTLE.replace(test_simulations=2))


def test_who_sees_no_cloud_has_the_scores_of_an_empty_mask(judged):
    np.testing.assert_allclose(judged.accuracy, 1 - judged.true / 100, atol=1e-12)
    assert judged.true.max() > 1 and (judged[judged.true > 0].dice == 0).all() and (judged.found == 0).all()
    everybody = aerosol.summarise_scores(judged).set_index("persons").loc["all"]
    assert everybody.bias == pytest.approx(-judged.true.mean()) and everybody.dice == 0
    assert everybody.error == pytest.approx((judged.true**2).mean() ** 0.5)


def test_a_network_ships_with_its_scores_on_pictures_with_noise_and_without():
    bright = Bright()
    assert aerosol.ship_segmenter(bright, LITTLE.replace(photons=500.0), "bright.safetensors") == "bright.safetensors"
    card, usual = bright.card, aerosol.summarise_scores(aerosol.judge_segmenters({"": bright}, LITTLE))
    noisy, quiet = (
        card["scores"][f"{name}: all persons"] for name in ("a camera's noise", "no noise, as the document renders")
    )
    assert (
        noisy["dice"] == pytest.approx(usual.set_index("persons").dice["all"], abs=1e-5)
        and noisy["frames"] == quiet["frames"] == 16
    )
    assert noisy != quiet
    asked = eval(card["command"].split("(", 1)[1].rsplit(", folder", 1)[0], {"aerosol": aerosol})
    assert asked == LITTLE.replace(photons=500.0)


def test_nobody_is_judged_on_a_simulation_of_the_training_and_the_last_two_are_new(judged, tmp_path, monkeypatch):
    assert judged.groupby(["person", "simulation"]).ngroups == 8 and len(judged) == 32
    assert judged.groupby("person").person_seen.first().tolist() == [True, True, False, False]
    made = []

    def make_dataset(people, simulations, frames, parameters, folder, progress=None):
        numbers = range(parameters.first_simulation, parameters.first_simulation + len(people) * simulations)
        made.append(([person.number for person in people], set(numbers)))
        return aerosol.make_dataset(people, simulations, frames, parameters, folder, 1)

    monkeypatch.setattr(segmentation_studies, "make_dataset", make_dataset)
    asked = LITTLE.replace(further_people=1, further_simulations=2)
    first = aerosol.train_segmenter(asked, tmp_path)
    assert [people for people, _ in made] == [[1, 2], [5], [6, 7, 8, 9]]
    tested = set(range(aerosol.UNSEEN, aerosol.UNSEEN + 500))
    assert not any(numbers & tested for _, numbers in made)
    assert first.card["data"]["images"] == (2 * 1 + 1 * 2) * 4
    assert "doubt" in first.card
    assert first.card["pictures"]["brightness"][0] < first.card["pictures"]["brightness"][1]
    again = aerosol.train_segmenter(asked, tmp_path)  # everything is there already
    for one, other in zip(first.network.parameters(), again.network.parameters(), strict=True):
        assert (one == other).all()


def test_every_picture_comes_with_the_person_in_it(tmp_path, monkeypatch):
    """Away from the cloud a picture is its own background, and no other one."""
    seen = {}

    def train_unet(images, *others, **behind):
        seen.update(behind, images=images)
        return aerosol.train_unet(images, *others, **behind)

    monkeypatch.setattr(segmentation_studies, "train_unet", train_unet)
    asked = LITTLE.replace(further_people=2, further_simulations=2, background=True)
    segmenter = aerosol.train_segmenter(asked, tmp_path)
    assert seen["background_of"].tolist() == 4 * [0] + 4 * [1] + 8 * [2] + 8 * [3]
    off = np.abs(seen["images"][:, None].astype(float) - seen["backgrounds"])[..., :20, :]  # (24, 4, 64, 20, 3)
    assert (off.mean(axis=(2, 3, 4)).argmin(axis=1) == seen["background_of"]).all()
    assert segmenter.background and "doubt" in segmenter.card
    watched = aerosol.watch_simulation(asked, 1, 1)
    beside = np.abs(watched.images.astype(float) - watched.background)[..., :20, :]
    assert beside.mean() < 1.2 * off[np.arange(24), seen["background_of"]].mean()
    assert segmentation_studies.find_cloud(segmenter, watched).shape == (4, 64, 64)


def test_frames_without_a_cloud_do_not_count_for_the_dice_score():
    scores = pd.DataFrame(
        {"network": 3 * ["a"], "person_seen": [True, True, False], "accuracy": [1.0, 0.9, 0.8], "dice": [1.0, 0.5, 0.7],
         "true": [0.0, 10.0, 20.0], "found": [0.0, 9.0, 22.0]}
    )  # fmt: skip
    found = aerosol.summarise_scores(scores).set_index("persons")
    assert found.dice.tolist() == pytest.approx([0.5, 0.7, 0.6]) and found.frames.tolist() == [2, 1, 3]
    assert found.accuracy["all"] == pytest.approx(0.9)
    assert found.bias.tolist() == pytest.approx([-0.5, 2.0, 1 / 3])
    assert found.error["all"] == pytest.approx((5 / 3) ** 0.5)


def test_what_is_found_is_outlined_over_what_is_true():
    images, squares = np.zeros((1, 16, 16, 3), np.uint8), np.zeros((2, 1, 16, 16), bool)
    squares[0, :, 2:10, 2:10] = squares[1, :, 2:10, 4:12] = True
    drawn = both_outlines(images, *squares)[0]
    assert drawn[5, 2].tolist() == [40, 200, 255] and drawn[5, 11].tolist() == [255, 60, 40]
    assert drawn[2, 6].tolist() == [255, 60, 40] and not drawn[5, 6].any()


def test_scores_are_averaged_over_clouds_of_a_size():
    true = np.repeat([1.0, 5.0, 9.0], 10)
    table = pd.DataFrame({"true": true, "accuracy": 1 - true / 1000, "dice": 1 - 0.1 / true})
    wrong, missing = scores_by_size(table, bins=3).data
    np.testing.assert_allclose(wrong.x, [1, 5, 9])
    np.testing.assert_allclose(wrong.y, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(missing.y, [10, 2, 10 / 9])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"simulations": 112, "people": 11}, "simulations = 112 must be at most 111 for 9 persons"),
        ({"test_simulations": 251}, "test_simulations = 251 must be at most 250 for 4 persons"),
        (
            {"further_people": 500, "further_simulations": 3},
            "further_simulations = 3 must be at most 2 for 500 persons",
        ),
        ({"first_simulation": 1001}, "first_simulation = 1001 must be at most 999 for 2 persons"),
    ],
)
def test_a_study_that_would_test_with_what_was_learned_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        aerosol.SegmentationStudy(**{**dict(LITTLE), **changes})
