"""The document's experiments: what is learned, how it is judged, and what ships of it."""

import numpy as np
import pandas as pd
import pytest

from particlelab import stem
from particlelab.parameters import ParameterError
from particlelab.randomness import generator

LITTLE = stem.Sizes(training_particles=200, validation_particles=100, epochs=1)


class Oracle:
    """Stands for a network that knows: the category is written into the first point of a view."""

    def __init__(self, outputs, view=0):
        self.outputs, self.view = outputs, view

    def __call__(self, x, training):
        y = x[:, self.view, 0].astype(int)
        told = {task: np.eye(max(within) + 1)[np.array(within)[y]] for task, within in self.outputs.items()}
        return told if len(told) > 1 else next(iter(told.values()))


def written(feature, n=400):
    """Two views whose points are the category, and after it a number of the particle's own."""
    y = np.arange(n) % len(stem.CATEGORIES[feature])
    x = np.empty((n, 2, 8), np.float32)
    x[:] = y[:, None, None]
    x[..., 1:] += np.arange(n)[:, None, None] / n
    return stem.Dataset(x, y, np.zeros((n, 2)))


@pytest.mark.parametrize("name", stem.EXPERIMENTS)
def test_every_experiment_can_be_asked_for(name):
    e = stem.EXPERIMENTS[name]
    LITTLE.replace(**e.network)
    assert stem.draw(name, 8, 0, "test").x.shape[1] == e.views
    assert e.start == "" or e.start in stem.EXPERIMENTS


def test_an_unknown_experiment_and_a_missing_start_are_refused():
    with pytest.raises(ValueError, match="name = 'three views' is no experiment; there are one view"):
        stem.carry_out("three views", LITTLE)
    with pytest.raises(ValueError, match="'holes, after spirals' trains the network of 'chirality' further"):
        stem.carry_out("holes, after spirals", LITTLE)


@pytest.mark.parametrize("feature", ["hole", "any spiral", "both"])
def test_who_knows_is_always_right(feature):
    scores = stem.judge(feature, Oracle(stem.TASKS[feature]), written(feature), generator(0, "judge"))
    assert (scores[["accuracy", "unpaired", "repeated"]] == 1).all(axis=None)
    assert (scores.standard_error == 0).all() and list(scores.task) == list(stem.TASKS[feature])


def test_what_the_second_view_alone_tells_survives_unpairing_but_not_the_first_view_twice():
    data = written("hole")
    data.x[:, 0] = 0
    scores = stem.judge("hole", Oracle(stem.TASKS["hole"], view=1), data, generator(0, "judge"))
    assert tuple(scores.loc[0, ["accuracy", "unpaired", "repeated"]]) == (1, 1, 0.5)


def test_unpairing_exchanges_second_views_within_a_category():
    data = written("spiral")
    other = stem.unpair(data, generator(0, "unpair"))
    assert np.array_equal(other.x[:, 0], data.x[:, 0]) and np.array_equal(other.y, data.y)
    assert np.array_equal(other.x[:, 1, 0], data.y)
    assert not np.array_equal(other.x[:, 1], data.x[:, 1])
    assert np.array_equal(np.sort(other.x[:, 1], axis=0), np.sort(data.x[:, 1], axis=0))


def test_views_that_are_alone_multiply_their_odds():
    class Biased:
        def __call__(self, x, training):
            return np.tile([0.2, 0.8], (len(x), 1)) if x[0, 0, 0] == 0 else np.tile([0.4, 0.6], (len(x), 1))

    x = np.zeros((5, 3, 8))
    x[:, 2] = 1
    odds = np.divide(*stem.each_view_alone(Biased(), x)[0][::-1])
    assert odds == pytest.approx(4 * 4 * 1.5)


def test_probabilities_of_two_tasks_are_multiplied():
    told = {"hole": np.array([[0.9, 0.1]]), "spiral": np.array([[0.3, 0.7]])}
    solid_clockwise, solid_anti, hole_clockwise, hole_anti = stem.by_category(told, "both")[0]
    assert [solid_clockwise, solid_anti, hole_clockwise, hole_anti] == pytest.approx([0.27, 0.63, 0.03, 0.07])


def test_a_category_that_no_particle_has_is_left_out():
    assert stem.by_category(np.array([[0.1, 0.3, 0.6]]), "spiral")[0] == pytest.approx([0.25, 0.75])


def test_what_ships_is_what_was_trained(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTICLELAB_HOME", str(tmp_path))
    outcome = stem.carry_out("both", LITTLE)
    path = tmp_path / "data" / "models" / "stem" / "both.keras"
    path.parent.mkdir(parents=True)
    stem.ship("both", outcome, LITTLE, path, {1: stem.carry_out("both", LITTLE.replace(seed=1)).model})
    data = stem.draw("both", 50, 0, "test")
    classifier = stem.load_classifier("both")
    assert classifier.card["repeats"]["0"] == classifier.card["scores"] != classifier.card["repeats"]["1"]
    seed, size = "seed=0", "training_particles=200, validation_particles=100"
    assert sorted(classifier.card["command"].split("Sizes(")[1][:-2].split(", ")) == sorted(
        ["epochs=1", seed, *size.split(", ")]
    )
    expected = stem.by_category(stem.predict(outcome.model, data.x), "both")
    assert classifier.probabilities(data.x) == pytest.approx(expected, abs=1e-6)
    assert classifier.confusion.sum(axis=1) == pytest.approx(np.full(4, stem.shipping.JUDGED / 4), abs=2)
    found = stem.judge_shipped("both", stem.DualStudy(validation_particles=100))
    assert found.history.to_numpy() == pytest.approx(outcome.history.to_numpy(), abs=1e-4)
    shown = stem.inspect(stem.Inspection(model="both", particles=3, particle=2))
    assert len(shown.table) == 3 and shown.probabilities.sum() == pytest.approx(1)


def test_perfect_predictions_need_no_correction():
    y = np.arange(1000) % 2
    told = np.eye(2)[y]
    found = stem.simulate_populations(told, y, 11, 200, generator(0, "populations"))
    assert np.allclose(found.counted, found.corrected) and found.true.is_monotonic_increasing
    assert (found.low <= found.counted).all() and (found.counted <= found.high).all()


def test_gains_are_differences_with_the_errors_of_both():
    names = ["holes, seen like spirals", "holes, after spirals", "both: hole", "both: spiral", "both, holes only: hole"]
    errors = [0.04, 0.03, 0.03, 0.03, 0.04]
    scores = pd.DataFrame({"experiment": names, "accuracy": [0.8, 0.9, 0.7, 0.6, 0.9], "standard_error": errors})
    gains = stem.compare(scores)
    assert gains[["experiment", "alone"]].to_numpy().tolist() == [[names[1], names[0]], [names[2], names[4]]]
    assert list(gains.gain) == pytest.approx([0.1, -0.2]) and list(gains.standard_error) == pytest.approx([0.05, 0.05])
    assert list(gains.gain_high - gains.gain_low) == pytest.approx([0.196, 0.196], abs=1e-3)


def test_gains_of_several_trainings_have_students_interval():
    """Three values of mean 2 and standard deviation 1: t = 4.3027 (two degrees of freedom)."""
    gains = pd.DataFrame(
        {"experiment": "one", "alone": "two", "gain": [1, 2, 3], "standard_error": 0.5, "seed": [0, 1, 2]}
    )
    several, single = stem.average_gains(gains).loc[0], stem.average_gains(gains[:1]).loc[0]
    assert several.gain == 2 and several.trainings == 3
    assert several.gain_high == pytest.approx(2 + 4.3027 / 3**0.5, abs=1e-4)
    assert (single.gain_low, single.gain_high) == pytest.approx((1 - 0.98, 1 + 0.98))


def test_experiments_are_checked_before_any_is_carried_out():
    with pytest.raises(ParameterError, match="experiments holds 'one veiw', which is none; there are one view; "):
        stem.HoleStudy(experiments=("one view", "one veiw"))
    with pytest.raises(
        ParameterError, match="holds 'holes, after spirals', which trains 'chirality' further: name that"
    ):
        stem.DualStudy(train=True, experiments=("holes, after spirals", "chirality"))
    with pytest.raises(ParameterError, match=r"experiments = \(\) is not allowed"):
        stem.ChiralityStudy(experiments=())
    assert stem.DualStudy(experiments=("both, after spirals",)).shared() == stem.HoleStudy().shared()


def test_a_study_trains_each_network_from_the_one_that_it_starts_from(tmp_path):
    """`conduct` in folders of its own, as a run of the lab would."""

    class Found(dict):
        def file(self, name):
            return self["folder"] / name

    def run(name, asked, compute):
        folder = tmp_path / stem.slug(asked["experiment"])
        folder.mkdir()
        starts.append(asked["start"])
        return Found(compute(asked, folder, None, None), folder=folder)

    starts, names = [], ("chirality", "holes, after spirals", "holes, seen like spirals")
    study = stem.DualStudy(train=True, experiments=names, **dict(LITTLE))
    assert tuple(stem.conduct_all(study, run)) == names
    assert starts == [None, tmp_path / "chirality" / "model.keras", None]
    with pytest.raises(ValueError, match=r"'both, large network' can only be trained \(train = True\)"):
        stem.judge_shipped("both, large network", stem.DualStudy())


SHIPPED = {*stem.HoleStudy().experiments, *stem.ChiralityStudy().experiments, *stem.DualStudy().experiments}


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_all_that_a_notebook_shows_ships(name):
    card = stem.load_classifier(stem.slug(name)).card
    assert card["experiment"] == name and card["repeats"]["0"] == card["scores"]


THREE_TIMES = (
    *("chirality", "holes, seen like spirals", "holes, after spirals", "both, holes only", "both, spirals only"),
    *("both", "both, after spirals"),
)


@pytest.mark.parametrize("name", THREE_TIMES)
def test_what_ships_of_transfer_and_dual_learning_was_trained_three_times(name):
    scores = stem.load_classifier(stem.slug(name)).card["repeats"]
    assert sorted(scores) == ["0", "1", "2"]
    for task in scores["0"]:
        assert len({found[task]["accuracy"] for found in scores.values()}) == 3


def test_the_best_possible_is_the_networks_accuracy_and_its_regret_but_never_more_than_all():
    """A network that is always right of half of the particles, and wrong of those that the posterior is sure of."""
    data = written("hole", 4)
    known = stem.Posterior(data.x, data.y, np.eye(2)[[0, 1, 1, 0]])
    scores = pd.DataFrame({"accuracy": [0.5], "standard_error": [0.01]})
    found = stem.best_possible(Oracle(stem.TASKS["hole"]), scores, known)
    assert found["regret"] == 0.5 and found["best possible"] == 1.0 == found["best possible_high"]
    assert found["best possible_low"] == pytest.approx(0.5 - 1.96 * 0.01)  # four particles tell no more


def test_posteriors_are_compared_with_the_truth():
    """Half of them name the true category."""
    data = written("hole", 4)
    known = stem.Posterior(data.x, data.y, np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.7, 0.3]]))
    expected = {"particles": 4, "right": 0.5, "standard error": 0.25, "expected": 0.75}
    assert stem.check_posterior(known) == pytest.approx(expected)


def test_who_needs_both_views_gains_all_that_one_view_lacks():
    data = written("spiral", 200)
    data.x[:, 0] = 0  # what the second view holds alone, the network of one view takes for certain, too
    single, double = Oracle(stem.TASKS["spiral"]), Oracle(stem.TASKS["spiral"], view=1)
    gain = stem.gain_of_both_views(single, double, data)
    assert (gain["each view alone"], gain["both together"], gain["gain"]) == (0.5, 1.0, 0.5)
