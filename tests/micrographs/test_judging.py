"""Judging: a perfect method has no errors, a known error is found, and the coins are 24."""

import numpy as np
import pytest

from particlelab.micrographs import judging
from particlelab.micrographs.classical import find_by_hough, find_by_watershed
from particlelab.micrographs.detector import Found
from particlelab.micrographs.judging import coins, compare, judge_coins, judge_recipes
from particlelab.micrographs.recipe import load_recipe
from particlelab.micrographs.synthesis import synthesise

SMALL = {"width_px": 192, "height_px": 192, "populations.number": 25}
RECIPE = load_recipe("carbonyl_iron").vary(SMALL)


def perfect(made, factor=1.0):
    diameters = factor * made.table.diameter_nm.to_numpy() / made.recipe.pixel_size_nm
    return Found(made.instances, (made.table.visible_px > 0).to_numpy(float), diameters)  # the hidden ones by rote


@pytest.fixture
def oracle(monkeypatch):
    """A method that knows what is in the picture, since it saw how it was made; diameters are 1.1 of the true ones."""
    seen = []

    def watched(recipe, seed):
        seen.append(synthesise(recipe, seed))
        return seen[-1]

    monkeypatch.setattr(judging, "synthesise", watched)
    return lambda image: perfect(seen[-1], 1.1)


def test_who_knows_everything_errs_as_much_as_said(oracle):
    judged = judge_recipes(oracle, [RECIPE], images=4).set_index("criterion")
    assert judged.value["mean_error"] == pytest.approx(10)
    for name in ("deviation_error", "count_error"):
        assert judged.loc[name, ["value", "low", "high"]].to_numpy(float) == pytest.approx(0, abs=1e-9)
    assert judged.value["ap"] == judged.value["ap50"] == 1  # specks of fewer than 12 pixels neither help nor hurt
    assert (judged.true == judged.found).all() and (judged.images == 4).all()


def test_only_whole_particles_that_are_seen_well_count():
    """Counted by hand over the truth; a method that finds only these, or all, is right."""
    made = synthesise(RECIPE, 5)
    edge = np.unique(
        np.concatenate([made.instances[0], made.instances[-1], made.instances[:, 0], made.instances[:, -1]])
    )
    t = made.table
    counts = (t.visible_share >= 0.5) & ~t.cut & (t.visible_px >= 12) & ~t.id.isin(edge)
    assert 0 < counts.sum() < len(t)
    true, found, _ = compare(made.instances, t, perfect(made), RECIPE.pixel_size_nm)
    assert np.array_equal(true, t.diameter_nm[counts]) and found == pytest.approx(true)
    some = np.where(np.append(False, counts)[made.instances], made.instances, 0)
    true, found, _ = compare(made.instances, t, perfect(made)._replace(instances=some), RECIPE.pixel_size_nm)
    assert found == pytest.approx(true)
    false = some.copy()
    false[3:7, 90:97] = len(t) + 1  # which is no particle, but counts as found
    found = perfect(made)._replace(instances=false, scores=np.ones(len(t) + 1))
    found = found._replace(diameters_px=np.append(found.diameters_px, 6.0))
    true, sizes, _ = compare(made.instances, t, found, RECIPE.pixel_size_nm)
    assert len(sizes) == len(true) + 1


def test_pictures_depend_on_seed_and_recipe_alone():
    both = judge_recipes(find_by_watershed, [load_recipe("beads").vary(SMALL), RECIPE], images=2, seed=1)
    one = judge_recipes(find_by_watershed, [RECIPE], images=2, seed=1)
    assert both[both.recipe == RECIPE.name].reset_index(drop=True).equals(one)


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(ValueError, match="differ in their names"):
        judge_recipes(find_by_hough, ["beads", "beads"])
    with pytest.raises(ValueError, match="images must be at least 1"):
        judge_recipes(find_by_hough, ["beads"], images=0)


def test_the_coins_are_24_disks_brighter_than_what_is_around_them():
    image, table = coins()
    assert image.shape == (303, 384) and table.coin.tolist() == list(range(1, 25))
    y, x = np.indices(image.shape)
    for row in table.itertuples():
        distance = np.hypot(x - row.x_px, y - row.y_px) / (row.diameter_px / 2)
        within, around = (distance > 0.8) & (distance < 0.95), (distance > 1.1) & (distance < 1.25)
        assert image[within].mean() > 1.25 * image[around].mean()
    near = np.hypot(*(np.subtract.outer(v, v) for v in (table.x_px.to_numpy(), table.y_px.to_numpy())))
    apart = np.add.outer(table.diameter_px.to_numpy(), table.diameter_px.to_numpy()) / 2
    assert (near + 1000 * np.eye(24) > apart).all()


def test_circles_find_all_coins_with_their_diameters():
    """24 of 24, within 3 % of the measurement by hand, and nothing else."""
    table, extra = judge_coins(find_by_hough)
    assert table.found_px.notna().all() and extra == 0
    assert table.error_percent.abs().max() < 3
