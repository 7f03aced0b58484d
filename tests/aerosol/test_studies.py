"""What the notebooks on clouds and data sets compute, in little."""

import numpy as np
import pytest

from particlelab import aerosol
from particlelab.aerosol.dataset import FIRST_SEED
from particlelab.aerosol.studies import make_both, split_chance

LITTLE = aerosol.CloudScene(dimensions=2, grid=24, frames=6)
STUDY = aerosol.DatasetStudy(
    dimensions=2, grid=24, frames=4, picture_px=64, people=2, simulations=2, first_simulations=3, workers=1
)


def test_a_table_of_growth_has_each_breath_with_its_own_seed():
    table = aerosol.grow(LITTLE, (2.0, 15.0), repeats=2, seed=7)
    assert table.groupby(["Strength", "Seed"]).ngroups == 4 and sorted(table.Seed.unique()) == [7, 8, 9, 10]
    scene = LITTLE.replace(strength=15.0)
    sizes = aerosol.cloud_size(aerosol.mask_cloud(aerosol.simulate_cloud(scene, 9), aerosol.PLAIN, scene=scene))
    assert table[table.Seed == 9]["Cloud Size"].to_numpy() == pytest.approx(sizes)


def test_where_no_breath_differs_all_chance_is_the_turbulences():
    alike = LITTLE.replace(breath_variation=0.0, direction_variation_degrees=0.0, noise_amount=0.0)
    chance = split_chance(alike, 4).set_index("chance")
    assert chance.deviation["breath alone"] == 0 < chance.deviation["turbulence alone"]
    assert chance.deviation["turbulence and breath"] == chance.deviation["turbulence alone"]
    varied = split_chance(LITTLE, 4).set_index("chance")
    assert varied.deviation["breath alone"] > 0
    assert varied.relative_error.to_numpy() == pytest.approx(varied.relative / 6**0.5)  # of a deviation of four values


def test_both_data_sets_are_made_and_each_simulation_can_be_watched_again():
    told = []
    fresh, first = make_both(STUDY, lambda done, text: told.append(done))
    assert fresh.Seed.nunique() == 4 and set(first.Seed) == {FIRST_SEED} and len(first) == 2 * 3 * 4
    assert told == sorted(told) and told[-1] == pytest.approx(1)
    watched = aerosol.watch_simulation(STUDY, 2, 1)
    same = fresh[(fresh.Person == 2) & (fresh.Simulation == 1)]
    assert watched.table["Cloud Size"].to_numpy() == pytest.approx(same["Cloud Size"].to_numpy())
    assert aerosol.cloud_size(watched.masks) == pytest.approx(same["Cloud Size"].to_numpy())


def test_what_is_expected_begins_with_the_first_frame_and_grows_with_the_strength():
    sizes = np.linspace(1.5, 12, 30)
    calm, strong = (aerosol.expect_growth(sizes, strength, 0.0) for strength in (2, 14))
    assert calm.shape == (400, 30) and (calm[:, 0] == 1.5).all()
    assert np.median(strong[:, -1]) > 2 * np.median(calm[:, -1])
    assert min(calm.min(), strong.min()) >= 0
