"""Training on particles: it learns what is plain, repeats itself, goes on where it was, keeps what it is given."""

import numpy as np
import pytest

from particlelab import stem
from particlelab.randomness import generator
from particlelab.stem.training import fading_loss

PLAIN = stem.HOLES.replace(h_r=0.5, h_range=0.1, sig_c=(0, 0))  # a hole half as large as the particle, in its middle
QUICK = stem.Training(epochs=2, optimiser="adam", learning_rate=0.003)
THOROUGH = {"epochs": 6, "batch": 8}  # batch normalisation takes hundreds of steps to know its averages


def holes(n, *stream):
    return stem.make_dataset("hole", n, 1, PLAIN, generator(0, *stream))


TEACHING, JUDGING = holes(1000, "training"), holes(400, "validation")


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


def test_plain_holes_are_learned_with_the_documents_optimiser():
    model, history = stem.train("hole", TEACHING, JUDGING, stem.Training(**THOROUGH))
    right = stem.predict(model, JUDGING.x).argmax(axis=1) == JUDGING.y
    assert right.mean() > 0.95
    assert history.val_accuracy[history.val_loss.idxmin()] == pytest.approx(right.mean(), abs=1e-6)


def test_a_killed_training_on_ever_new_particles_ends_where_one_that_was_not_ends(tmp_path):
    """And one of the same seed is the same, one of another is not."""

    class Killed(Exception):
        pass

    def kill(done, text):
        if text.startswith("epoch 1 "):
            raise Killed

    def draw(epoch):
        return holes(300, "epoch", epoch)

    whole, history = stem.train("hole", draw, JUDGING, QUICK)
    with pytest.raises(Killed):
        stem.train("hole", draw, JUDGING, QUICK, folder=tmp_path, progress=kill)
    resumed, again = stem.train("hole", draw, JUDGING, QUICK, folder=tmp_path)
    assert same(whole, resumed) and again.equals(history)
    assert not same(whole, stem.train("hole", draw, JUDGING, QUICK.replace(seed=1))[0])
    with pytest.raises(ValueError, match="another training"):
        stem.train("hole", draw, JUDGING, QUICK.replace(learning_rate=0.002), folder=tmp_path)


@pytest.mark.parametrize("kept", ["hole", "spiral"])
def test_transfer_starts_from_the_given_weights_and_leaves_them_as_they_are(kept):
    """At a learning rate of nearly 0 nothing moves: all but outputs for another task is as it was given."""
    start = stem.build_network(1, 32, {kept: 2}, seed=5)
    before = start.get_weights()
    standing = QUICK.replace(learning_rate=1e-12, epochs=1)
    model, _ = stem.train("hole", TEACHING, JUDGING, standing, start=start)
    fresh = stem.build_network(1, 32, {"hole": 2}, seed=standing.seed)
    assert all(np.array_equal(a, b) for a, b in zip(before, start.get_weights(), strict=True))
    for name in ("convolution_0", "convolution_2", "dense_1", "hole"):
        origin = start if name in [layer.name for layer in start.layers] else fresh
        assert np.allclose(model.get_layer(name).kernel, origin.get_layer(name).kernel, atol=1e-8)
    assert not np.allclose(start.get_layer("dense_1").kernel, fresh.get_layer("dense_1").kernel, atol=1e-3)


def test_a_checkpoint_knows_what_the_training_started_from(tmp_path):
    one, other = (stem.build_network(1, 32, {"hole": 2}, seed=seed) for seed in (5, 6))
    first, _ = stem.train("hole", TEACHING, JUDGING, QUICK, start=one, folder=tmp_path)
    again, _ = stem.train("hole", TEACHING, JUDGING, QUICK, start=one, folder=tmp_path)
    assert same(first, again)
    for start in (None, other):
        with pytest.raises(ValueError, match="another training"):
            stem.train("hole", TEACHING, JUDGING, QUICK, start=start, folder=tmp_path)


def test_a_start_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"start has another layer convolution_0: weights \[\(1, 5, 1, 8\)"):
        stem.train("hole", TEACHING, JUDGING, QUICK, start=stem.build_network(1, 32, kernel=5))


def test_transfer_from_a_symmetrised_network_starts_from_the_one_inside():
    inner = stem.build_network(1, 32, {"hole": 2}, seed=5)
    standing = QUICK.replace(learning_rate=1e-12, epochs=1)
    model, _ = stem.train("hole", TEACHING, JUDGING, standing, start=stem.symmetrise(inner, (0, 1)))
    assert np.allclose(model.get_layer("dense_1").kernel, inner.get_layer("dense_1").kernel, atol=1e-8)


def test_categories_that_no_particle_has_fade():
    model, _ = stem.train("hole", TEACHING, JUDGING, QUICK.replace(more_categories=2, **THOROUGH))
    found = stem.predict(model, JUDGING.x)
    assert found.shape == (400, 4) and np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert found[:, 2:].mean() < 0.05


def test_a_task_without_weight_learns_nothing():
    data = [stem.make_dataset("both", n, 1, PLAIN, generator(0, "both", n)) for n in (600, 200)]
    p = QUICK.replace(spiral_weight=0, **THOROUGH)
    model, history = stem.train("both", *data, p)
    first = stem.build_network(1, 32, {"hole": 2, "spiral": 2}, seed=p.seed)
    moved = {task: not np.array_equal(*(m.get_layer(task).kernel for m in (model, first))) for task in first.output}
    assert moved == {"hole": True, "spiral": False}
    assert history.val_hole_accuracy.max() > 0.8


@pytest.mark.parametrize("k", [2, 4])
def test_the_fading_loss_is_the_cross_entropy_at_chance_and_falls_faster(k):
    """Its weight, (1 - p) / (1 - 1 / k), is no part of what is differentiated."""
    import tensorflow as tf

    p = tf.constant([1 / k, 0.6, 0.99])
    for true in p:
        with tf.GradientTape() as tape:
            tape.watch(true)
            row = tf.concat([[true], tf.repeat((1 - true) / (k - 1), k - 1)], axis=0)
            loss = fading_loss(tf.zeros(5, tf.int32), tf.tile(row[None], [5, 1]))
        weight = (1 - float(true)) / (1 - 1 / k)
        assert np.allclose(loss, -weight * np.log(true), atol=1e-6)
        assert float(tape.gradient(loss, true)) == pytest.approx(-5 * weight / float(true), rel=1e-4)
