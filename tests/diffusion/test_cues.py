"""What is left of a movie when a cue is taken away."""

import numpy as np
import pytest

from particlelab import diffusion
from particlelab.randomness import generator

MOVIES, D, INTERVAL = 400, 2.0, 0.01
SPREAD = 2 * D * INTERVAL * 1e6  # nm^2 that a coordinate spreads from frame to frame


def without(cue, **values):
    return diffusion.simulate_without(np.full(MOVIES, D), diffusion.Cues(without=cue, **values), generator(0, cue))


def mean_square(differences):
    """The mean square of independent differences and its standard error."""
    squares = differences.ravel() ** 2
    return squares.mean(), squares.std() / len(squares) ** 0.5


def test_without_anything_taken_away_movies_are_those_of_simulate():
    usual = diffusion.simulate(np.full(MOVIES, D), diffusion.Imaging(), generator(0, "nothing"))
    assert np.array_equal(without("nothing").frames, usual.frames)


def test_without_order_neighbours_are_as_far_apart_as_any():
    places = without("order").positions_nm.mean(axis=2)
    near, error = mean_square(places[:, 1] - places[:, 0])
    far, other = mean_square(places[:, 15] - places[:, 0])
    assert near == pytest.approx(far, abs=4 * np.hypot(error, other))
    assert near > 3 * SPREAD  # the mean over all pairs of 16 frames is 17/3 steps, less the blur


@pytest.mark.parametrize("cue", ["order", "way"])
def test_the_blur_within_a_frame_stays(cue):
    """Ten positions: nine steps of a tenth of the exposure."""
    found, error = mean_square(np.diff(without(cue).positions_nm, axis=2))
    assert found == pytest.approx(SPREAD / 10, abs=4 * error)


def test_without_way_all_molecules_stay_in_the_middle():
    places = without("way").positions_nm.mean(axis=2)
    assert np.abs(places).max() <= 50 and places.std() == pytest.approx(100 / 12**0.5, rel=0.02)


def test_without_shape_a_molecule_stands_still_within_a_frame_and_goes_on_between():
    """Mean places over an exposure of ten positions have increments of 2/3 (and 1/300) of the spread."""
    positions = without("shape").positions_nm
    assert np.ptp(positions, axis=2).max() == 0
    steps = np.diff(positions[:, :2, 0], axis=1)
    found, error = mean_square(steps)
    assert found == pytest.approx(SPREAD * (2 / 3 + 1 / 300), abs=4 * error)


def test_without_brightness_the_light_of_a_frame_tells_nothing():
    """Evenly from half to twice in its logarithm: a standard deviation of 2 ln 2 / sqrt(12); and 4 % of 500 photons."""
    frames = without("brightness", background=0.0, photons=500.0, size=128).frames
    light = np.log(frames.sum(axis=(2, 3), dtype=float) / 500)
    assert light.std() == pytest.approx(np.hypot(2 * np.log(2) / 12**0.5, 500**-0.5), rel=0.02)
    assert light.min() > np.log(0.5) - 0.3 and light.max() < np.log(2) + 0.3
