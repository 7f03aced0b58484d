"""What trainings agree on: ranks, floors and bands against what is known of them."""

import nbformat
import numpy as np
import pandas as pd
import pytest

from particlelab.aerosol import growth_studies as studies
from particlelab.aerosol.experiments import EXPERIMENTS
from particlelab.aerosol.scores import trajectory_mse
from particlelab.aerosol.studies import DatasetStudy
from particlelab.lab import folders
from particlelab.randomness import generator


def scores_of(values):
    """Return a table of scores: a row of ``values`` for each seed, a column for each weighting."""
    rows = [
        {"experiment": name, "seed": seed, "MSE": float(value)}
        for seed, row in enumerate(values)
        for name, value in zip(studies.WEIGHED, row, strict=True)
    ]
    return pd.DataFrame(rows)


def test_agreement_is_kendalls_concordance():
    """The mean rank correlation of m rankings is (m W - 1) / (m - 1), with Kendall's W = 12 S / (m^2 (n^3 - n))."""
    values = generator(0, "scores").random((5, 4))
    ranks = values.argsort(axis=1).argsort(axis=1) + 1
    m, n = ranks.shape
    w = 12 * np.sum((ranks.sum(axis=0) - m * (n + 1) / 2) ** 2) / (m**2 * (n**3 - n))
    found = studies.agreement(scores_of(values), "MSE")
    assert found["correlation"] == pytest.approx((m * w - 1) / (m - 1))
    assert found["same_best"] == np.bincount(ranks.argmin(axis=1)).max() / m


def test_seeds_that_rank_alike_agree():
    values = np.array([[1, 2, 3, 4]]) + np.array([[0.0], [0.1], [-0.1]])
    found = studies.agreement(scores_of(values), "MSE")
    assert found["correlation"] == pytest.approx(1) and found["same_best"] == 1
    assert found["separation"] == pytest.approx(np.std([1, 2, 3, 4], ddof=1) / 0.1)


def test_ranks_by_chance_do_not_agree():
    found = [studies.agreement(scores_of(generator(s).random((4, 4))), "MSE")["correlation"] for s in range(200)]
    assert abs(np.mean(found)) < 4 * np.std(found) / 200**0.5


def test_one_seed_agrees_with_nobody():
    assert np.isnan(studies.agreement(scores_of([[1, 2, 3, 4]]), "MSE")["correlation"])


def test_the_floor_is_the_mse_of_the_true_law():
    """Over many data sets: their averages are off the law by what the floor says on average."""
    rng, law = generator(1, "floor"), np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 6.0, 9.0]])
    label = {"Parameter": [0, 1, 2], "Frame No": [1, 2, 3]}
    of = np.repeat([0, 1, 2], [5, 3, 1])  # one of the parameters has a single simulation
    true = pd.DataFrame(
        [(p, f, law[i, j]) for i, p in enumerate(label["Parameter"]) for j, f in enumerate(label["Frame No"])],
        columns=["Parameter", "Frame No", "Cloud Size"],
    )
    floors, errors = [], []
    for _ in range(120):
        sizes = law[of] + rng.standard_normal((len(of), 3)) * [0.5, 1.0, 2.0]
        table = pd.DataFrame(
            {"Parameter": np.repeat(of, 3), "Frame No": np.tile([1, 2, 3], len(of)), "Cloud Size": sizes.ravel()}
        )
        floors.append(studies.averages_by_chance(table))
        errors.append(trajectory_mse(table, true, by="Parameter"))
    difference = np.array(floors) - errors
    assert abs(difference.mean()) < 4 * difference.std() / 120**0.5
    assert np.mean(errors) == pytest.approx((0.25 + 1 + 4) / 3 * (1 / 5 + 1 / 3 + 1) / 3, rel=0.2)


def test_networks_joined_are_their_mean(affine_sde):
    joined = studies.join([affine_sde([0, 0], 0.5, 0.2), affine_sde([0, 0], 0.7, 0.6)])
    assert joined.drift([1.0], 3.0)[0, 0] == pytest.approx(0.4)
    assert joined.diffusivity([1.0], 3.0)[0, 0] == pytest.approx(0.6)
    assert len(joined.members) == joined.card["parameters"]["members"] == 2


def test_networks_of_different_units_are_not_joined(affine_sde):
    with pytest.raises(ValueError, match="different units"):
        studies.join([affine_sde([0, 0], 0.5, 0.2), affine_sde([0, 0], 0.5, 0.2, centre=[1.0, 1.0])])


def growing(frames=10):
    """Straight lines: two persons whose clouds grow by 1 a frame at strength 4 and by 2 at strength 8."""
    rows = [
        (person, simulation, frame + 1, 1.0 + speed * frame, strength)
        for person in (1, 2, 3)
        for simulation, (strength, speed) in enumerate([(4, 1.0), (8, 2.0)], 1)
        for frame in range(frames)
    ]
    return pd.DataFrame(rows, columns=["Person", "Simulation", "Frame No", "Cloud Size", "Parameter"])


def test_ahead_lies_what_the_law_says_and_what_was_simulated_from_that_size_on(affine_sde):
    outlook = studies.Outlook(strength=7.1, start_percent=4.5, frames=9, trajectories=2000)
    drawn, seen = studies.look_ahead(affine_sde([0, 0], 0.5, 1.5), growing(), outlook)
    t = np.arange(10)
    np.testing.assert_allclose(drawn.mean(axis=0), 4.5 + 1.5 * t, atol=4 * 0.5 * 3 / 2000**0.5)
    np.testing.assert_allclose(drawn.std(axis=0), 0.5 * np.sqrt(t), atol=0.12)
    expected = [5.0, 7, 9, 11, 13, 15, 17, 19, np.nan, np.nan]  # strength 8, from 5 on, until it ends
    assert seen.shape == (3, 10)
    np.testing.assert_array_equal(seen, [expected] * 3)


def test_a_size_that_no_simulation_reaches_has_nothing_beside_it(affine_sde):
    outlook = studies.Outlook(strength=4, start_percent=29, frames=5)
    assert studies.look_ahead(affine_sde([0, 0], 0.5, 1.5), growing(), outlook).seen.shape == (0, 6)


def test_the_loss_by_size_is_the_loss_of_the_steps_there(affine_sde):
    """A step of 1 % where 1 is expected has only the constant; one of 2 % is a deviation of 1 / sigma more."""
    sde, constant = affine_sde([0, 0], 0.5, 1.0), 0.5 * np.log(2 * np.pi * 0.25)
    middles, losses = studies.losses_by_size(sde, growing(), bins=1)
    assert losses == pytest.approx([constant + 2 / 2]) and middles == pytest.approx([19 / 2])  # of half of the steps
    _, losses = studies.losses_by_size(sde, growing(), bins=2)
    assert losses == pytest.approx([constant + 2 * 5 / 14, constant + 2])  # 5 of 14 steps below 9.5 %, all above
    _, losses = studies.losses_by_size(sde, growing(), bins=19)
    assert np.isnan(losses).all()  # 4 steps at most in any


def test_a_table_of_scores_has_means_scatter_and_the_documents_numbers():
    columns = [*studies.LOSSES, *studies.SCORES]
    scores = pd.DataFrame(
        [{"experiment": "SMOGN", "seed": s} | dict.fromkeys(columns, float(v)) for s, v in enumerate((1, 2, 3))]
    )
    table = studies.tabulate_scores(scores).set_index("metric")
    assert (table.value == 2).all() and (table.low == 0).all() and (table.high == 4).all()
    assert table.document.dropna().tolist() == [4.8711, 4.5430, 4.389, 686.36]
    assert set(table.source) == {"Table 3.4", ""}
    assert studies.tabulate_scores(scores[:1]).low.isna().all()


def test_the_best_weighting_is_compared_seed_by_seed():
    best, ratios = studies.compare_ratios(scores_of([[10, 5, 8, 9], [20, 15, 6, 30]]), "MSE", "unweighted")
    assert best == "inverse KDE" and ratios.tolist() == [0.8, 0.3]  # means 10, 7 and 19.5


def test_every_experiment_keeps_a_file_of_its_own():
    names = [*EXPERIMENTS, studies.TUNED_HERE]
    assert len({studies.sde_file(name, 0) for name in names}) == len(names)


def test_notebooks_share_the_data_sets():
    """The cache knows a computation by its parameters and its code: both must be the same, or data are made again."""
    codes = []
    for number in (11, 13, 14):
        (path,) = folders.notebooks().glob(f"{number}_aerosol_*.ipynb")
        cells = nbformat.read(path, as_version=4).cells
        (cell,) = (c.source for c in cells if c.source.startswith("def make(asked, progress)"))
        codes.append(cell.split("\n\n")[0])
    assert codes[0] == codes[1] == codes[2]
    for kind in (studies.GrowthStudy, studies.WeightingStudy):
        assert kind().datasets == DatasetStudy() and kind(grid=48).datasets == DatasetStudy(grid=48)
