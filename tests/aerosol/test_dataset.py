"""Data sets: the document's columns, what a part of one says, and going on where it was stopped."""

import numpy as np
import pytest

from particlelab.aerosol.dataset import FIRST_SIMULATIONS, Collection, choose_scene, make_dataset, read_pictures
from particlelab.aerosol.people import PEOPLE, draw_people
from particlelab.aerosol.pictures import Background
from particlelab.aerosol.sizes import cloud_size

LITTLE = Collection(grid=16, picture_px=32, breath_variation=0.2)
COLUMNS = ["Person", "Simulation", "Frame No", "Cloud Size", "Strength", "Size", "Flow", "Noise Amount", "Seed"]
COLUMNS += ["Wind Factor", "Parameter"]  # figures 3.5 and 3.14 of the document


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fresh")
    return folder, make_dataset(2, 3, 4, LITTLE, folder, workers=2)


def test_columns_and_numbers_are_those_of_the_document(made):
    _, table = made
    assert list(table.columns) == COLUMNS
    assert len(table) == 2 * 3 * 4 and table["Frame No"].tolist() == 6 * [1, 2, 3, 4]
    assert table.Seed[::4].tolist() == [1, 2, 3, 4, 5, 6]  # distinct, from 1 on
    assert (table.Strength == table.Parameter).all() and table.Strength.between(1, 15).all()
    assert (table.Strength % 1 == 0).all() and table["Noise Amount"].eq(0.2).all() and table["Flow"].eq(0).all()


def test_sizes_are_those_of_the_masks(made):
    folder, table = made
    images, masks, _ = read_pictures(folder)
    assert images.shape == (2, 3, 4, 32, 32, 3) and masks.shape == images.shape[:-1]
    sizes = cloud_size(masks[:].reshape(-1, 32, 32))
    np.testing.assert_array_equal(sizes, table["Cloud Size"])
    assert table.equals(make_dataset(2, 3, 4, LITTLE, workers=1))  # without pictures


def test_where_there_is_no_cloud_a_picture_is_its_background_and_noise(made):
    """The noise of one frame and of a mean of ten, against that of two frames."""
    images, _, backgrounds = (array[:].astype(int) for array in read_pictures(made[0]))
    assert backgrounds.shape == (2, 32, 32, 3)
    left = np.s_[:, :, :, :, :8]  # behind the person's back
    off, twice = images[left] - backgrounds[:, None, None, :, :8], np.diff(images[left], axis=2)
    assert np.abs(off.mean(axis=(1, 2, 3, 4, 5))).max() < 0.3  # grey levels
    assert off.std() / twice.std() == pytest.approx((1.1 / 2) ** 0.5, rel=0.02)


def test_users_own_pictures_stand_for_persons(tmp_path):
    wall = Background("wall.png", np.full((32, 32, 3), 0.2, np.float32), (0.45, 0.38))
    table = make_dataset([wall, PEOPLE[0]], 1, 4, LITTLE, tmp_path, 1)
    _, masks, backgrounds = read_pictures(tmp_path)
    assert np.ptp(backgrounds[0][8:24, 8:24]) < 15 < np.ptp(backgrounds[1][8:24, 8:24])  # noise; a person
    assert masks[0, 0, -1].any() and table.equals(make_dataset([wall, PEOPLE[0]], 1, 4, LITTLE, tmp_path, 1))
    other = wall._replace(picture=wall.picture + np.float32(0.1))
    with pytest.raises(ValueError, match="holds another data set"):
        make_dataset([other, PEOPLE[0]], 1, 4, LITTLE, tmp_path, 1)


def test_a_data_set_that_was_stopped_goes_on(made, tmp_path):
    """As if it had never been stopped, and without what was made already."""
    started = []

    def stop(share, text):
        started.append(share)
        if len(started) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_dataset(2, 3, 4, LITTLE, tmp_path, 1, stop)
    kept = len(list((tmp_path / "parts").iterdir()))
    again = []
    table = make_dataset(2, 3, 4, LITTLE, tmp_path, 1, lambda share, text: again.append(text))
    assert kept >= 2 and len(again) == 6 - kept
    assert table.equals(made[1])
    for old, new in zip(read_pictures(made[0]), read_pictures(tmp_path), strict=True):
        np.testing.assert_array_equal(old[:], new[:])
    with pytest.raises(ValueError, match="holds another data set"):
        make_dataset(2, 3, 4, LITTLE.replace(seed=1), tmp_path)


def test_the_first_data_set_has_the_same_clouds_for_all_persons():
    table = make_dataset(draw_people(2), 7, 3, LITTLE.replace(kind="first"), workers=2)
    assert table.Seed.eq(4).all() and sorted(set(table.Strength)) == [0, 5, 10, 15]
    by_person = table.pivot_table(index=["Simulation", "Frame No"], columns="Person", values="Cloud Size")
    assert by_person.corr(method="spearman").iloc[0, 1] > 0.9  # but for the zoom of pictures of 32 pixels
    assert table.Parameter.iloc[[0, -1]].tolist() == pytest.approx([4.2, 21.2])  # figure 3.6
    with pytest.raises(
        ValueError, match=r"first_simulation \+ simulations - 1 = 8 must be at most 7 for kind = 'first'"
    ):
        make_dataset(1, 8, 3, LITTLE.replace(kind="first"))


def test_strengths_are_even_from_the_smallest_to_the_largest():
    strengths = [choose_scene(Collection(), number, 0)[0].strength for number in range(3000)]
    counts = np.unique(strengths, return_counts=True)
    assert counts[0].tolist() == [*range(1, 16)]
    assert (np.abs(counts[1] - 200) < 5 * 200**0.5).all()
    assert choose_scene(Collection(kind="first"), 9, 2)[0].wind_factor == FIRST_SIMULATIONS[2]["wind_factor"]


def test_other_simulations_are_another_data_set():
    scenes = [choose_scene(Collection(first_simulation=first), 0, 0) for first in (1, 144)]
    assert [seed for _, seed in scenes] == [1, 144]
    with pytest.raises(ValueError, match="people and simulations must be at least 1, got 0 and 3"):
        make_dataset(0, 3)
