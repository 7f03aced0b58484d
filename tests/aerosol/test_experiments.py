"""Experiments: steps are those of a table, and a law that is known scores as mathematics says."""

import numpy as np
import pandas as pd
import pytest

from particlelab.aerosol import experiments
from particlelab.aerosol.experiments import EXPERIMENTS, Experiment
from particlelab.aerosol.growth_studies import averages_by_chance, carry_out_several, sde_file
from particlelab.aerosol.sde import SDEParameters, load_sde
from particlelab.randomness import generator

SIGMA = 0.4
ENTROPY = 0.5 * np.log(2 * np.pi * np.e * SIGMA**2)  # of a step: the least loss that is possible


def walk(drift, people=6, simulations=8, frames=12, parameters=(1.0, 3.0), seed=0):
    """A data set of random walks with a drift that depends on the parameter."""
    rng, rows = generator(seed, "walks"), []
    for person in range(people):
        for simulation in range(simulations):
            parameter = parameters[(person + simulation) % len(parameters)]
            kicks = drift(parameter) + SIGMA * rng.standard_normal(frames - 1)
            sizes = 5 + np.concatenate([[0.0], np.cumsum(kicks)])
            rows.append(
                pd.DataFrame(
                    {
                        "Person": person + 1,
                        "Simulation": simulation + 1,
                        "Frame No": np.arange(frames) + 1,
                        "Cloud Size": sizes,
                        "Parameter": parameter,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def test_steps_are_those_from_frame_to_frame_of_one_simulation():
    table = pd.DataFrame(
        {
            "Person": [1, 1, 1, 1, 1, 2, 2],
            "Simulation": [1, 1, 1, 2, 2, 1, 1],
            "Frame No": [1, 2, 4, 1, 2, 1, 2],  # frame 3 is missing: 2 and 4 are no step
            "Cloud Size": [1.0, 2.0, 4.0, 10.0, 20.0, 5.0, 7.0],
            "Parameter": [3, 3, 3, 8, 8, 4, 4],
        }
    )
    steps = experiments.extract_steps(table.sample(frac=1, random_state=1))
    assert steps.x0.tolist() == [1, 10, 5] and steps.x1.tolist() == [2, 20, 7]
    assert steps.p.tolist() == [3, 8, 4] and steps.person.tolist() == [1, 1, 2]
    assert len(set(steps.trajectory)) == 3


def test_no_person_is_learned_from_and_tested():
    table = walk(lambda p: p)
    every, learned, tested = (
        f(table) for f in (experiments.extract_steps, experiments.learned_steps, experiments.tested_steps)
    )
    assert set(tested.person) == {5, 6} and set(learned.person) == {1, 2, 3, 4}
    assert len(learned.x0) + len(tested.x0) == len(every.x0) == 6 * 8 * 11


@pytest.mark.parametrize("name", [name for name, one in EXPERIMENTS.items() if one.weighting != "smogn"])
def test_weights_leave_the_steps_and_have_a_mean_of_1(name):
    steps = experiments.learned_steps(walk(lambda p: p / 4))
    x0, x1, p, weights = experiments.weigh_steps(steps, EXPERIMENTS[name].weighting)
    assert (x0 == steps.x0).all() and (x1 == steps.x1).all() and (p == steps.p).all()
    assert weights.mean() == pytest.approx(1) and weights.min() >= 0


def test_the_true_law_scores_what_chance_leaves(affine_sde):
    """Loss: the entropy of a step. MSE: variance of averages (of true and drawn walks). CRPS: sigma sqrt(t / pi)."""
    table = walk(lambda p: 0.3, people=30, simulations=20, seed=1)
    scores, predicted = experiments.score_growth(affine_sde(0, SIGMA, 0.3), table, 60, generator(2))
    steps = 2 * 20 * 11
    assert scores["test"] == pytest.approx(ENTROPY, abs=4 / np.sqrt(2 * steps))
    expected = SIGMA**2 * np.mean(np.arange(12)) / 300  # 300 walks of each parameter
    assert averages_by_chance(table) == pytest.approx(expected, rel=0.2)
    assert 0 < scores["MSE"] < 6 * expected  # averages of neighbouring frames stray together
    level = SIGMA * np.mean(np.sqrt(np.arange(1, 12))) / np.sqrt(np.pi)
    assert scores["CRPS"] == pytest.approx(level, rel=0.25)
    averages = table.groupby(["Parameter", "Frame No"])["Cloud Size"].mean()
    assert scores["relative MSE"] == pytest.approx(scores["MSE"] / averages.to_numpy().var())
    assert predicted.groupby("Frame No")["Cloud Size"].mean().diff().mean() == pytest.approx(0.3, abs=0.02)
    assert np.isnan(scores["training"])  # it has none


def test_a_wrong_drift_is_seen_by_its_square(affine_sde):
    """Predicted averages are off by 0.5 for each frame that has gone by."""
    table = walk(lambda p: 0.3, people=30, simulations=20, seed=1)
    scores, _ = experiments.score_growth(affine_sde(0, SIGMA, 0.8), table, 60, generator(2))
    assert scores["MSE"] == pytest.approx(np.mean((0.5 * np.arange(12)) ** 2), rel=0.05)


@pytest.fixture(scope="module")
def carried_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sdes")
    table = walk(lambda p: 0.3 * p, people=10, simulations=10, seed=3)
    chosen = {
        "told": Experiment("walks", True, "none", {}, (None,) * 4, ""),
        "plain": Experiment("walks", True, "none", experiments.DIETRICH | {"epochs": 1}, (None,) * 4, ""),
    }
    training = SDEParameters(width=16, batch=32, epochs=8, learning_rate=5e-3)
    done = []
    progress = lambda share, text: done.append(share)  # noqa: E731
    return carry_out_several(chosen, {"walks": table}, training, [4], 20, folder, None, progress), folder, table, done


def test_a_law_that_is_told_the_parameter_is_found(carried_out):
    found, folder, _, _ = carried_out
    scores = found["scores"].set_index("experiment").loc["told"]
    assert scores.test == pytest.approx(ENTROPY, abs=0.12)  # 4 standard errors of 220 steps, and the fit
    sde = load_sde(folder / sde_file("told", 4))
    for parameter in (1.0, 3.0):
        assert sde.drift([6.0], parameter)[0, 0] == pytest.approx(0.3 * parameter, abs=0.12)
        assert sde.diffusivity([6.0], parameter)[0, 0] == pytest.approx(SIGMA, rel=0.15)


def test_what_is_kept_is_what_was_scored(carried_out):
    found, folder, table, done = carried_out
    steps = experiments.tested_steps(table)
    for row in found["scores"].itertuples():
        sde = load_sde(folder / sde_file(row.experiment, row.seed))
        assert sde.loss(steps.x0, steps.x1, 1.0, steps.p) == pytest.approx(row.test, abs=1e-6)
        best = found["history"].query("experiment == @row.experiment").val_loss.min()
        assert row.validation == pytest.approx(best)
    assert done == sorted(done) and done[-1] == pytest.approx(1)


def test_plain_training_shows_networks_sizes_as_they_are(carried_out):
    _, folder, _, _ = carried_out
    x, p = np.array([[7.0], [9.0]]), np.array([[1.0], [3.0]])
    assert load_sde(folder / sde_file("plain", 4)).standardise(x, p).tolist() == [[7, 1], [9, 3]]
    assert np.abs(load_sde(folder / sde_file("told", 4)).standardise(x, p)).max() < 4
