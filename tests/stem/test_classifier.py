"""Trained networks for a user's particles: what they say, and what they were never shown."""

import keras
import numpy as np
import pytest
from scipy import stats

from particlelab import stem
from particlelab.learning.models import save_model
from particlelab.randomness import generator
from particlelab.stem.resampling import HALF_HEIGHT, find_edges, resample

CARD = {
    "feature": "spiral",
    "views": 2,
    "points": 64,
    "particles": {"data_points": 64, "sig_c": [0.0, 0.0]},
    "categories": ["clockwise", "anticlockwise"],
    "confusion": [[0.9, 0.1], [0.2, 0.8]],
    "n_validation": 2000,
}


def constant(*logits, views=2, points=64):
    """A network that says the same of every particle: the softmax of some numbers."""
    inputs = keras.Input((views, points))
    bias = keras.initializers.Constant(list(logits))
    dense = keras.layers.Dense(len(logits), "softmax", kernel_initializer="zeros", bias_initializer=bias)
    return keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    path = save_model(tmp_path_factory.mktemp("models") / "c.keras", constant(np.log(3), 0.0, np.log(4)), CARD)
    return stem.load_classifier(path)


def simulated(feature, n, name):
    return stem.make_dataset(feature, n, 2, stem.SPIRALS, generator(0, name)).x


def test_a_category_that_no_particle_has_is_left_out(classifier):
    """Of 3 : 1 : 4 remain 3 : 1."""
    assert classifier.particles == stem.SPIRALS
    assert classifier.confusion.tolist() == [[900, 100], [200, 800]]
    np.testing.assert_allclose(classifier.probabilities(simulated("spiral", 3, "x")), [[0.75, 0.25]] * 3, rtol=1e-6)


def test_where_a_category_that_is_left_out_takes_all_nothing_is_known():
    sure = stem.Classifier(constant(-1000.0, -1000.0, 1000.0), CARD)
    assert sure.probabilities(simulated("spiral", 1, "x")).tolist() == [[0.5, 0.5]]


def test_the_likeness_of_simulated_particles_is_evenly_spread(classifier):
    likeness = classifier.likeness(simulated("spiral", 3000, "others"))
    assert stats.ks_2samp(likeness, np.linspace(0, 1, 1000)).pvalue > 0.001


def test_what_the_simulation_does_not_make_has_no_likeness(classifier):
    x = np.linspace(-1.5, 1.5, 64)
    square = (np.abs(x) < 0.9).astype(float)
    two = sum(np.sqrt(np.maximum(0.3**2 - (x - at) ** 2, 0)) for at in (-0.7, 0.7)) / 0.3
    shuffled = simulated("spiral", 1, "x")[0][:, generator(0).permutation(64)]
    disk = np.sqrt(np.maximum(1 - x**2, 0))
    likeness = classifier.likeness(np.array([[square] * 2, [two] * 2, shuffled, [disk] * 2]))
    assert likeness[:3].tolist() == [0, 0, 0] and likeness[3] > 0.05


def test_other_views_or_points_are_refused(classifier):
    for shape in ((3, 1, 64), (3, 2, 32), (2, 64)):
        for method in (classifier.probabilities, classifier.likeness):
            with pytest.raises(ValueError, match=r"must be \(n, 2 views, 64 points\), got"):
                method(np.zeros(shape))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"views": None}, r"c\.keras holds no classifier of projections: its card lacks views"),
        ({"views": 3}, r"takes \(views, points\) \(2, 64\), but its card says 3 views of 64 points"),
        ({"particles": {"data_points": 32}}, "64 points and particles of 32"),
        ({"particles": {"r": -1}}, r"has a card that cannot be read: r = -1 is not allowed"),
        ({"feature": "cube"}, "feature = 'cube' is unknown"),
        ({"confusion": [[900, 100], [200, 800]]}, "2 rows of 2 shares that sum to 1"),
        ({"categories": ["a", "b", "c"]}, "3 rows of 3 shares"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path, change, words):
    card = {key: value for key, value in (CARD | change).items() if value is not None}
    path = save_model(tmp_path / "c.keras", constant(0.0, 0.0), card)
    with pytest.raises(ValueError, match=words):
        stem.load_classifier(path)


def test_edges_lie_where_straight_lines_cross_half_of_the_height():
    assert find_edges([1, 1, 2, 5, 5, 4, 1]) == (2 + 1 / 3, 5 + 1 / 3)
    assert find_edges([0, 4, 1, 4, 0]) == (0.5, 3.5)  # a gap inside is no edge
    with pytest.raises(ValueError, match="flat: all its values are 7"):
        find_edges([7, 7, 7])
    with pytest.raises(ValueError, match="cut off"):
        find_edges([3, 4, 1, 0])


def disk_means(parameters):
    """The projection of a disk of radius 1, averaged over each data point: from the integral of sqrt(1 - x^2)."""
    points = np.linspace(parameters.lower, parameters.upper, parameters.data_points)
    half = (points[1] - points[0]) / 2
    borders = np.clip(np.append(points - half, points[-1] + half), -1, 1)
    means = np.diff(borders * np.sqrt(1 - borders**2) + np.arcsin(borders))
    return means / means.max()


@pytest.mark.parametrize("parameters", [stem.HOLES, stem.SPIRALS])
@pytest.mark.parametrize("samples", [3000, 300, 40])
def test_a_disk_anywhere_and_of_any_size_is_the_disk_of_radius_1(parameters, samples):
    """But for the edges, where straight lines between samples miss a part of the chord that goes with step^1.5."""
    views, radius = [], 0.31 * samples
    for centre in (0.45, 0.52):
        x = np.arange(samples) - centre * samples
        views.append(7 + 3 * np.sqrt(np.maximum(radius**2 - x**2, 0)))
    x, found = resample(views, parameters)
    step, width = 1 / radius, 3 / (parameters.data_points - 1)
    assert found == pytest.approx(radius, rel=step)
    np.testing.assert_allclose(x, [disk_means(parameters)] * 2, atol=0.5 * step**1.5 / width)


def test_a_projection_keeps_its_mass():
    """A parabola 1 - x^2 has the area 4 / 3 and half of its height at sqrt(1 / 2)."""
    x = np.linspace(-3, 3, 1001)
    seen, radius = resample([np.maximum(1 - x**2, 0)], stem.SPIRALS)
    scale = radius * 6 / 1000
    assert scale == pytest.approx(np.sqrt(0.5) / HALF_HEIGHT, rel=1e-3)
    assert seen.sum() * scale * 3 / 63 == pytest.approx(4 / 3, rel=2e-3)
