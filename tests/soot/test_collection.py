"""Collections: files come back as they are, with their masks; simulated ones depend on the seed alone."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from particlelab import soot
from particlelab.randomness import generator
from particlelab.reading import ReadError

SMALL = soot.Micrograph(aggregates=1, da_nm=60, width_px=128, height_px=128, pixel_size_nm=1.0)
GREY = np.clip(170 + 8 * generator(0, "collection").normal(size=(200, 300)), 0, 250).astype(np.uint8)
MASK = np.zeros(GREY.shape, bool)
MASK[50:90, 60:130] = True


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)


def test_images_come_back_with_the_masks_that_are_named_for_them(tmp_path):
    save(tmp_path / "b.png", GREY)
    save(tmp_path / "a.png", GREY // 2)
    save(tmp_path / "b_by_hand_mask.png", MASK.astype(np.uint8) * 255)
    (tmp_path / "notes.txt").write_text("no image")
    a, b = soot.read_folder(tmp_path, 0.7)
    assert (a.name, b.name) == ("a", "b") and a.mask is None and a.truth is None
    np.testing.assert_array_equal(a.image, GREY // 2)
    np.testing.assert_array_equal(b.mask, MASK)
    assert b.mask.dtype == bool and b.pixel_size_nm == 0.7


def test_a_mask_belongs_to_the_longest_name_that_it_begins_with(tmp_path):
    for name in ("a", "a_2"):
        save(tmp_path / f"{name}.png", GREY)
    save(tmp_path / "a_2_mask.png", MASK.astype(np.uint8))
    a, a_2 = soot.read_folder(tmp_path, 1.0)
    assert a.mask is None
    np.testing.assert_array_equal(a_2.mask, MASK)


def test_the_pixel_size_of_the_file_goes_before_the_one_that_is_asked_for(tmp_path):
    per_cm = 1e7 / 0.536
    save(tmp_path / "a.tif", GREY, resolution=per_cm, resolution_unit=3)
    assert soot.read_folder(tmp_path, 3.0)[0].pixel_size_nm == pytest.approx(0.536, rel=1e-5)


def test_a_footer_is_cut_off_and_its_scale_bar_used(tmp_path):
    """The bar of 50 nm, the longest round length below 35 % of 200 nm, has 100 px."""
    parameters = soot.Micrograph(aggregates=0, contaminants=0, width_px=400, height_px=400, pixel_size_nm=0.5)
    bare, labelled = (
        soot.simulate_micrograph(parameters.replace(scale_bar=bar), generator(1)).image for bar in (False, True)
    )
    save(tmp_path / "bare.png", bare)
    save(tmp_path / "labelled.png", labelled)
    np.testing.assert_array_equal(soot.read_micrograph(tmp_path / "bare.png").pixels, bare)
    image = soot.read_micrograph((tmp_path / "labelled.png").read_bytes(), "upload.png")
    np.testing.assert_array_equal(image.pixels, bare[: 400 - 400 // 14])  # the same seed, the same pixels above it
    assert image.source == "upload.png"
    assert image.pixel_size_nm == pytest.approx(0.5, rel=0.01)


def test_what_cannot_be_a_collection_is_refused(tmp_path):
    with pytest.raises(ReadError, match="nowhere is not a folder"):
        soot.read_folder(tmp_path / "nowhere", 1.0)
    with pytest.raises(ReadError, match="holds no image"):
        soot.read_folder(tmp_path, 1.0)
    save(tmp_path / "a.png", GREY)
    save(tmp_path / "a_mask.png", MASK[:-1].astype(np.uint8))
    with pytest.raises(ReadError, match=r"a_mask\.png has the shape \(199, 300\), but its image a\.png \(200, 300\)"):
        soot.read_folder(tmp_path, 1.0)
    (tmp_path / "a_mask.png").unlink()
    save(tmp_path / "a.tif", GREY)
    with pytest.raises(ReadError, match="more than one image of the name a;"):
        soot.read_folder(tmp_path, 1.0)
    (tmp_path / "a.tif").write_bytes(b"no image")
    (tmp_path / "a.png").unlink()
    with pytest.raises(ReadError, match=r"a\.tif"):
        soot.read_folder(tmp_path, 1.0)


def test_a_simulated_micrograph_does_not_depend_on_how_many_there_are():
    one, three = soot.simulate_collection(1, SMALL, 5), soot.simulate_collection(3, SMALL, 5)
    assert [s.name for s in three] == ["simulated 1", "simulated 2", "simulated 3"]
    np.testing.assert_array_equal(one[0].image, three[0].image)
    np.testing.assert_array_equal(one[0].mask, three[0].mask)
    pd.testing.assert_frame_equal(one[0].truth, three[0].truth)
    assert not np.array_equal(three[0].image, three[1].image)
    assert not np.array_equal(one[0].image, soot.simulate_collection(1, SMALL, 6)[0].image)


def test_a_survey_takes_the_folder_where_there_is_one_and_real_images_are_wanted(tmp_path):
    save(tmp_path / "a.png", GREY)
    survey = soot.Survey(simulated_images=1, pixel_size_nm=2.0)
    (real,) = soot.collect(tmp_path, survey)
    assert (real.name, real.pixel_size_nm) == ("a", 2.0)
    for folder, asked in [(None, survey), (tmp_path, survey.replace(images="simulated"))]:
        (simulated,) = soot.collect(folder, asked)
        assert simulated.name == "simulated 1" and not simulated.truth.touches_border.any()
        assert len(simulated.truth) == len(np.unique(simulated.truth.label)) == 4


@pytest.mark.skipif("PARTICLELAB_DATA" not in os.environ, reason="PARTICLELAB_DATA names no folder with real images")
def test_every_real_image_has_its_mask():
    samples = soot.read_folder(Path(os.environ["PARTICLELAB_DATA"]) / "soot", 0.536)
    assert [s.name for s in samples] == ["201805A_A6_004", "Case4_D8_007", "RU_FI_A10_004"]
    for sample in samples:
        depth = soot.analyse_aggregates(sample.mask, 1.0, sample.image).mean_optical_depth
        assert depth.median() > 0.15, sample.name  # soot is darker than what surrounds it: no mask of another image
