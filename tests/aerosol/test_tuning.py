"""Hyperband: it finds what learns, runs what it says, and goes on where it was."""

import numpy as np
import pytest

from particlelab.aerosol import growth, tuning
from particlelab.aerosol.sde import SDEParameters
from particlelab.randomness import generator

SMALL = tuning.Space((1, 2), (8, 16, 8), (1e-5, 1e-2), 3)
P = SDEParameters(batch=128, activation="tanh", members=3)


def steps():
    rng = generator(0, "steps")
    x = rng.uniform(-1, 1, 800)
    return x, x - 0.5 * x + 0.2 * rng.standard_normal(800)


def search(folder=None, progress=None, seed=1, space=SMALL):
    return tuning.tune_sde(
        *steps(), 1.0, parameters=P, space=space, rng=generator(seed), folder=folder, progress=progress
    )


@pytest.fixture(scope="module")
def whole():
    told = []
    return search(progress=lambda done, text: told.append((done, text))), told


def test_the_best_trial_is_what_is_found(whole):
    """At a learning rate of 1e-5 nothing is learned in three epochs."""
    (parameters, trials), _ = whole
    best = trials.iloc[0]
    assert best.val_loss == trials.val_loss.min() and best.learning_rate == 1e-2
    assert trials.groupby("learning_rate").val_loss.min().idxmin() == 1e-2
    chosen = {"layers": int(best.layers), "width": int(best.width), "learning_rate": float(best.learning_rate)}
    assert parameters == P.replace(**chosen)


def test_it_runs_as_many_epochs_as_are_planned(whole):
    (_, trials), told = whole
    assert len(told) == tuning.planned_epochs(3) and told[-1][0] == pytest.approx(1)
    assert set(trials.epochs) == {1, 3}


def test_a_killed_search_goes_on_and_finds_the_same(whole, tmp_path):
    class Killed(BaseException):  # others are taken for a failed trial by keras-tuner
        pass

    told = []

    def kill(done, text):
        if len(told) == 4:
            raise Killed
        told.append(done)

    with pytest.raises(Killed):
        search(tmp_path, kill)
    again = []
    found = search(tmp_path, lambda done, text: again.append(done))
    assert 0 < len(again) < tuning.planned_epochs(3) and again[0] > told[1]
    assert len(found.trials) == len(whole[0].trials)
    assert search(tmp_path).trials.equals(found.trials)  # nothing is left to do
    with pytest.raises(ValueError, match="holds another search"):
        search(tmp_path, seed=2)


def test_the_documents_space_is_that_of_figure_3_17():
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    tuning._chosen(P, hp, tuning.SPACES["document"])
    layers, width, rate = (hp.space[k].get_config() for k in range(3))
    assert (layers["name"], layers["min_value"], layers["max_value"], layers["step"]) == ("n_layers", 1, 36, 1)
    assert (width["name"], width["min_value"], width["max_value"], width["step"]) == ("n_dim_per_layer", 32, 512, 16)
    assert rate["name"] == "learning_rate" and rate["values"] == [1e-4, 1e-3, 1e-2, 1e-1]
    assert tuning.SPACES["document"].epochs == 50


def test_an_unknown_space_is_refused():
    with pytest.raises(ValueError, match="space = 'huge' is unknown; there are document, quick"):
        search(space="huge")


def test_trials_without_a_loss_do_not_end_a_search_but_one_needs_to_have_one(monkeypatch):
    """keras-tuner gives up after three failures in a row."""

    def broken(*given):
        model = growth.make_network(*given)
        model.compile("sgd", lambda target, told: np.nan * told[:, 0])
        return model

    monkeypatch.setattr(tuning, "make_network", broken)
    with pytest.raises(ValueError, match="no trial has a finite loss"):
        search()
