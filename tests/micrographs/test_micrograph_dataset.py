"""Data sets in folders: the same bytes however they were made, and what was made is what is read."""

import json

import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO

from particlelab.micrographs import Placement, Population, Recipe, Technique, synthesise
from particlelab.micrographs.dataset import draw_seeds, read_dataset, write_dataset
from particlelab.micrographs.variants import draw_recipe

LITTLE = Recipe(
    populations=(Population(number=6, diameter_nm=80), Population(shape="rod", number=3, diameter_nm=90, elongation=3)),
    placement=Placement(kind="piled"),
    technique=Technique(kind="sem", spread=0.2),
    width_px=48,
    height_px=32,
)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "new"
    return folder, write_dataset(LITTLE, 4, folder, 5, "all", workers=1)


def test_what_is_read_is_what_was_synthesised(made):
    folder, table = made
    data = read_dataset(folder)
    assert len(data) == 4 and data.about["seed"] == 5
    pd.testing.assert_frame_equal(data.table, table)
    for index, sample in enumerate(data):
        micrograph = synthesise(LITTLE, draw_seeds(5, index + 1)[0])
        np.testing.assert_array_equal(sample.image, micrograph.image)
        np.testing.assert_array_equal(sample.instances, micrograph.instances)
        np.testing.assert_array_equal(sample.amodal, micrograph.amodal)
        pd.testing.assert_frame_equal(sample.table.drop(columns=["image", "file_name"]), micrograph.table)
    assert len({sample.image.tobytes() for sample in data}) == 4
    annotations = COCO(folder / "annotations.json")
    assert len(annotations.anns) == (table.visible_px > 0).sum()
    middles_inside = table.x_px.between(0, 48) & table.y_px.between(0, 32)
    assert json.loads((folder / "sizes.json").read_text())["fit"]["n"] == middles_inside.sum() < len(table)


def test_a_run_that_was_stopped_ends_in_the_same_bytes(made, tmp_path):
    """Begun by one process, ended by two, which make what the first one has not."""
    folder, expected = tmp_path / "again", contents(made[0])
    told = []

    def stop(share, text):
        told.append(share)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(LITTLE, 4, folder, 5, "all", 1, stop)
    with pytest.raises(ValueError, match="is not finished: write it again"):
        read_dataset(folder)
    for name, content in contents(folder).items():
        assert name.startswith("parts/") or content == expected[name]  # whole, or not there
    (folder / "images" / ".000002.png.4711.tmp").write_bytes(b"half of a")  # as a kill leaves it
    left = []
    table = write_dataset(LITTLE, 4, folder, 5, "all", 2, lambda share, text: left.append(text))
    assert told == [0.25] and left == ["2 of 4 images", "3 of 4 images", "4 of 4 images"]
    assert contents(folder) == expected
    pd.testing.assert_frame_equal(table, made[1])


def test_what_is_finished_is_not_made_again(made):
    before = contents(made[0])
    pd.testing.assert_frame_equal(write_dataset(LITTLE, 4, made[0], 5, "all", 1, pytest.fail), made[1])
    assert contents(made[0]) == before


@pytest.mark.parametrize(
    "change", [{"n": 5}, {"seed": 6}, {"format": "coco"}, {"recipe": LITTLE.vary({"camera.dose": 10})}]
)
def test_another_data_set_is_not_mixed_in(made, change):
    asked = {"recipe": LITTLE, "n": 4, "seed": 5, "format": "all"} | change
    before = contents(made[0])
    with pytest.raises(ValueError, match="holds another data set"):
        write_dataset(asked["recipe"], asked["n"], made[0], asked["seed"], asked["format"])
    assert contents(made[0]) == before


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match="is not empty, and holds no data set"):
        write_dataset(LITTLE, 1, tmp_path, 0)
    with pytest.raises(ValueError, match=r"there is no dataset\.json"):
        read_dataset(tmp_path)
    assert list(contents(tmp_path)) == ["letter.txt"]


def test_variants_have_a_recipe_each(tmp_path):
    write_dataset("variants", 3, tmp_path / "v", 1, workers=1, width_px=40, height_px=56)
    data = read_dataset(tmp_path / "v")
    images = json.loads((tmp_path / "v" / "annotations.json").read_text())["images"]
    for number, (image, sample) in enumerate(zip(images, data, strict=True), start=1):
        seed, rng = draw_seeds(1, number)
        recipe = draw_recipe(rng, 40, 56)
        assert image["recipe"] == json.loads(json.dumps(recipe.to_dict())) and image["seed"] == seed
        np.testing.assert_array_equal(sample.image, synthesise(recipe, seed).image)
        assert sample.image.shape == (56, 40)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"n": 0}, "n must be a whole number of at least 1, got 0"),
        ({"format": "voc"}, "format must be one of coco, masks, all, got 'voc'"),
        ({"engine": "povray"}, "engine must be one of native, cycles, mitsuba, got 'povray'"),
        ({"recipe": "bead"}, "there is no recipe 'bead'"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
    ],
)
def test_bad_input_leaves_no_folder(tmp_path, asked, message):
    with pytest.raises(ValueError, match=message):
        write_dataset(**({"recipe": LITTLE, "n": 1, "folder": tmp_path / "x", "seed": 0} | asked))
    assert not (tmp_path / "x").exists()
