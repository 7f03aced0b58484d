"""Posterior probabilities from the simulator: where the answer is known, and whether they are calibrated."""

import numpy as np
import pytest

from particlelab import stem
from particlelab.randomness import generator


def judge(feature, n, views, parameters=None):
    """Simulate particles: their posterior probabilities, and the categories that they are of."""
    data = stem.make_dataset(feature, n, views, parameters, generator(0, feature))
    return stem.posterior(data.x, feature, parameters, generator(0, "posterior")), data.y


def test_large_holes_are_found_for_certain():
    posterior, y = judge("hole", 8, 1, stem.HOLES.replace(h_r=0.5))
    assert posterior[np.arange(8), y].min() > 0.999


def test_the_best_possible_accuracy_for_large_holes_is_1():
    assert stem.bayes_accuracy("hole", 1, stem.HOLES.replace(h_r=0.5), n=6, rng=generator(0, "accuracy")) == (1.0, 0.0)


def test_posteriors_that_were_killed_go_on_where_they_were(tmp_path, monkeypatch):
    monkeypatch.setattr("particlelab.stem.limits.TOGETHER", 1)
    asked = {"experiment": "one view", "n": 3, "seed": 0}

    def kill(done, text):
        if text == "2 of 3 particles":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stem.find_posterior(asked, tmp_path, kill)
    first = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    assert sorted(first) == ["0.npy", "1.npy"]
    found, whole = stem.find_posterior(asked, tmp_path), stem.find_posterior(asked)
    assert np.array_equal(found.posterior, whole.posterior) and np.array_equal(found.x, whole.x)
    assert all((tmp_path / name).stat().st_mtime_ns == then for name, then in first.items())


def test_holes_too_small_to_be_seen_are_a_matter_of_chance():
    posterior, _ = judge("hole", 6, 1, stem.HOLES.replace(h_r=0.001, sig_hr=0))
    assert posterior == pytest.approx(0.5, abs=0.1)


def test_one_view_leaves_open_how_a_spiral_turns():
    """Mirrored along the beam a particle looks the same: the odds are 1, and only the samples make them differ."""
    posterior, _ = judge("spiral", 6, 1)
    log_odds = np.log(posterior[:, 0] / posterior[:, 1])
    assert abs(log_odds.mean()) < 4 * log_odds.std(ddof=1) / np.sqrt(6)
    assert log_odds.std() < 2


def test_mirrored_particles_turn_the_other_way():
    """Reflection in the first view's beam reverses that view and leaves the second, from its side, as it is."""
    data = stem.make_dataset("spiral", 1, 2, rng=generator(0, "mirror"))
    mirrored = data.x.copy()
    mirrored[:, 0] = mirrored[:, 0, ::-1]
    seen, other = (stem.posterior(x, "spiral", rng=generator(0, "posterior")) for x in (data.x, mirrored))
    assert np.allclose(seen, other[:, ::-1], atol=0.05) and seen[0, data.y[0]] > 0.95


@pytest.mark.parametrize("particle", [39, 102])
def test_the_highest_of_many_peaks_is_found(particle):
    """Of these particles, whoever begins with few samples is sure of the wrong category (odds of 3000 and more)."""
    data = stem.draw("chirality", 200, 0, "posterior")
    found = stem.posterior(data.x[particle : particle + 1], "spiral", rng=generator(0, "posterior"))
    assert found.argmax() == data.y[particle]


def test_probabilities_of_several_categories_sum_to_1():
    posterior, _ = judge("any spiral", 1, 1)
    assert posterior.shape == (1, 3) and posterior.sum() == pytest.approx(1)


def test_posteriors_are_right_as_often_as_they_say():
    """What true probabilities give the category of a particle is on average the sum of their squares."""
    posterior, y = judge("hole", 24, 1)
    given, expected = posterior[np.arange(24), y], (posterior**2).sum(axis=1)
    variance = (posterior**3).sum(axis=1) - expected**2
    assert abs((given - expected).sum()) < 4 * np.sqrt(variance.sum())


def test_angles_that_scatter_are_refused():
    with pytest.raises(ValueError, match="sig_as must be 0, got 2: the angles of the views are taken as known"):
        stem.posterior(np.zeros((1, 1, 32)), "hole", stem.HOLES.replace(sig_as=2), generator(0))
