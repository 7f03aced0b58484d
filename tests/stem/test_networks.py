"""Networks: the document's numbers of parameters, where views meet, and what a seed fixes."""

import numpy as np
import pytest

from particlelab import stem
from particlelab.parameters import ParameterError
from particlelab.randomness import generator

VIEWS = 1, 2, 3, 5, 9


def projections(views, points=32, n=5):
    return generator(0, "projections", views).random((n, views, points)).astype(np.float32)


def trained(model):
    return sum(weights.numpy().size for weights in model.trainable_weights)


def up_to(model, layer):
    """Return the part of a network that gives what a layer is given."""
    import keras

    return keras.Model(model.input, model.get_layer(layer).input)


@pytest.mark.parametrize(("views", "document", "here"), [(1, 12_450, 12_310), (2, 12_962, 12_822)])
def test_there_are_about_as_many_parameters_as_in_the_documents_figures(views, document, here):
    assert trained(stem.build_network(views, 32)) == here == pytest.approx(document, rel=0.02)


def test_a_second_view_takes_as_many_more_parameters_as_in_the_document():
    one, two = (trained(stem.build_network(views, 32)) for views in (1, 2))
    assert two - one == 12_962 - 12_450


@pytest.mark.parametrize("merge", ["late", "early", "sinogram"])
@pytest.mark.parametrize("views", VIEWS)
def test_probabilities_of_any_number_of_views_sum_to_1(merge, views):
    found = stem.predict(stem.build_network(views, 32, categories=3, merge=merge), projections(views))
    assert found.shape == (5, 3) and found.min() > 0
    assert np.allclose(found.sum(axis=1), 1, atol=1e-6)


def test_views_that_meet_late_are_first_seen_by_the_same_filters():
    """Swapping two views swaps two halves of the channels, and changes nothing else."""
    first = up_to(stem.build_network(2, 32), "convolution_1")
    x = projections(2)
    seen, swapped = stem.predict(first, x), stem.predict(first, x[:, ::-1])
    assert np.array_equal(seen, np.roll(swapped, 8, axis=3)) and not np.array_equal(seen, swapped)


def test_views_that_meet_early_are_seen_by_filters_of_their_own():
    kernels = [stem.build_network(3, 32, merge=m).get_layer("convolution_0").kernel.shape for m in ("early", "late")]
    assert kernels == [(1, 4, 3, 8), (1, 4, 1, 8)]


def test_a_sinogram_is_seen_by_the_same_filters_everywhere():
    """Moved on by one view, it gives the same a view further on, except at its ends."""
    first = up_to(stem.build_network(9, 32, merge="sinogram"), "normalisation_0")
    x = projections(9)
    seen, moved = stem.predict(first, x), stem.predict(first, np.roll(x, 1, axis=1))
    assert np.allclose(seen[:, 1:-2], moved[:, 2:-1], atol=1e-6)
    near = stem.predict(first, np.where(np.arange(9)[:, None] == 4, 0, x))  # without view 4
    assert np.array_equal(np.any(near != seen, axis=(0, 2, 3)), np.isin(np.arange(9), (3, 4, 5)))


@pytest.mark.parametrize(("layers", "left"), [({}, 8), ({"pooling": False}, 64), ({"pooling": False, "stride": 2}, 8)])
def test_pooling_or_a_stride_of_two_halves_the_points_after_each_convolution(layers, left):
    assert up_to(stem.build_network(2, 64, **layers), "dense_0").output_shape == (None, left * 16)


def test_a_seed_fixes_the_first_weights_and_what_is_dropped():
    one, same, other = (stem.build_network(2, 32, seed=seed) for seed in (1, 1, 2))
    x = projections(2)
    for a, b, c in zip(one.get_weights(), same.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(a, b)
        assert np.ptp(a) == 0 or not np.array_equal(a, c)
    dropped = [np.asarray(model(x, training=True)) for model in (one, same)]
    assert np.array_equal(*dropped) and not np.allclose(dropped[0], stem.predict(one, x))


def test_particles_in_chunks_are_told_as_all_at_once():
    model, x = stem.build_network(2, 32), projections(2, n=23)
    assert np.allclose(stem.predict(model, x, chunk=7), np.asarray(model(x)), atol=1e-6)


def test_several_tasks_share_all_but_their_outputs():
    alone, both = (stem.build_network(2, 32, categories=c) for c in (2, {"hole": 2, "spiral": 3}))
    found = stem.predict(both, projections(2), chunk=2)
    assert {task: probabilities.shape for task, probabilities in found.items()} == {"hole": (5, 2), "spiral": (5, 3)}
    assert trained(both) - trained(alone) == 3 * (40 + 1)


@pytest.mark.parametrize(("option", "value"), [("kernel", 0), ("dropout", 1.0), ("merge", "never"), ("filters", (0,))])
def test_layers_that_cannot_be_are_refused(option, value):
    with pytest.raises(ParameterError, match=option):
        stem.build_network(2, 32, **{option: value})


def test_points_are_not_pooled_more_often_than_they_can_be():
    stem.build_network(2, 32, filters=[4] * 5)
    with pytest.raises(ValueError, match=r"filters = \(4, 4, 4, 4, 4, 4\): 32 points can be pooled 5 times, not 6"):
        stem.build_network(2, 32, filters=[4] * 6)


@pytest.mark.parametrize("views", [1, 2, 3])
def test_symmetries_are_those_of_particles_turned_and_mirrored(views):
    """A slice that is turned by the angle between two views, or mirrored, has the same views in another order."""
    rng = generator(0, "symmetries")
    corners = stem.draw_slices(np.array([False]), np.array([0]), stem.HOLES, rng)[0].vertices
    rays, angles = np.linspace(-2, 2, 41), np.arange(views) * np.pi / views

    def look(corners):
        across = [corners[:, 0] * np.cos(a) - corners[:, 1] * np.sin(a) for a in angles]
        along = [corners[:, 0] * np.sin(a) + corners[:, 1] * np.cos(a) for a in angles]
        return np.array([stem.chords(np.stack(pair, axis=1), rays) for pair in zip(across, along, strict=True)])

    def turn(corners, steps, mirrored):
        x, y = corners.T * np.array([[-1 if mirrored else 1], [1]])
        a = steps * np.pi / views
        return np.stack([x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)], axis=1)

    seen = look(corners)
    found = {}
    for order, flipped, mirrored in stem.symmetries(views):
        turned = np.array([seen[k, :: -1 if flip else 1] for k, flip in zip(order, flipped, strict=True)])
        fits = [s for s in range(2 * views) if np.allclose(look(turn(corners, s, mirrored)), turned, atol=1e-9)]
        assert len(fits) == 1
        found[fits[0], mirrored] = True
    assert len(found) == 4 * views


def test_a_symmetrised_network_says_the_same_of_a_turned_particle_and_the_opposite_of_a_mirrored_one():
    model = stem.symmetrise(stem.build_network(2, 16, seed=3), (1, 0))
    x = generator(0, "views").random((20, 2, 16), np.float32)
    told = stem.predict(model, x)
    assert told.sum(axis=1) == pytest.approx(np.ones(20), abs=1e-5) and told.std() > 0
    turned = np.stack([x[:, 1], x[:, 0, ::-1]], axis=1)
    mirrored = np.stack([x[:, 0, ::-1], x[:, 1]], axis=1)
    assert stem.predict(model, turned) == pytest.approx(told, abs=1e-5)
    assert stem.predict(model, mirrored) == pytest.approx(told[:, ::-1], abs=1e-5)


def test_by_one_view_no_symmetrised_network_can_tell_chirality():
    model = stem.symmetrise(stem.build_network(1, 16, seed=3), (1, 0))
    told = stem.predict(model, generator(0, "views").random((20, 1, 16), np.float32))
    assert told == pytest.approx(np.full((20, 2), 0.5), abs=1e-5)
