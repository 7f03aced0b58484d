"""The public doors of diffusion refuse what is no parameter set, and what is no generator."""

import numpy as np
import pytest

from particlelab import diffusion
from particlelab.randomness import generator

FRAMES = np.ones((1, 16, 24, 24), np.float32)
PATHS = np.zeros((1, 16, 10, 2))
FIELDS = {"frames": 16}


@pytest.mark.parametrize(
    "call",
    [
        lambda wrong, rng: diffusion.simulate([1.0], wrong, rng),
        lambda wrong, rng: diffusion.simulate_together([1.0], wrong, rng),
        lambda wrong, rng: diffusion.place_paths([1.0], wrong, rng),
        lambda wrong, rng: diffusion.render(PATHS, wrong, rng),
        lambda wrong, rng: diffusion.expected_images(PATHS, wrong),
        lambda wrong, rng: diffusion.localise(FRAMES, wrong),
        lambda wrong, rng: diffusion.find_tracks(FRAMES[0], wrong),
        lambda wrong, rng: diffusion.find_conditions(FRAMES[0], wrong, None, rng),
        lambda wrong, rng: diffusion.load_model("default").predict(FRAMES, wrong),
        lambda wrong, rng: diffusion.fit_training(wrong),
    ],
)
@pytest.mark.parametrize("wrong", [FIELDS, 16])
def test_what_is_no_imaging_is_refused_by_name(call, wrong):
    with pytest.raises(ValueError, match=r"imaging must be of class Imaging, made by Imaging\(...\), got .*16"):
        call(wrong, generator(0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diffusion.draw_paths([1.0], FIELDS, generator(0)), "motion must be of class Motion"),
        (lambda: diffusion.simulate_without([1.0], FIELDS, generator(0)), "cues must be of class Cues"),
        (lambda: diffusion.find_tracks(FRAMES[0], diffusion.Imaging(), FIELDS), "tracking must be of class Tracking"),
        (lambda: diffusion.train(FIELDS, generator(0)), "parameters must be of class Training"),
        (lambda: diffusion.draw_movies(FIELDS, 1, generator(0)), "parameters must be of class Training"),
        (lambda: diffusion.compare({}, FIELDS, generator(0)), "parameters must be of class Comparison"),
        (lambda: diffusion.examine(FRAMES[0], FIELDS), "parameters must be of class Measurement"),
        (lambda: diffusion.measure_file("movie.tif", FIELDS), "parameters must be of class Measurement"),
    ],
)
def test_what_is_no_parameter_set_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda rng: diffusion.simulate([1.0], None, rng),
        lambda rng: diffusion.simulate_together([1.0], None, rng),
        lambda rng: diffusion.render(PATHS, diffusion.Imaging(), rng),
        lambda rng: diffusion.draw_paths([1.0], diffusion.Motion(), rng),
        lambda rng: diffusion.train(None, rng),
        lambda rng: diffusion.draw_movies(diffusion.Training(), 1, rng),
        lambda rng: diffusion.compare({}, None, rng),
    ],
)
def test_a_seed_is_no_generator(call):
    with pytest.raises(ValueError, match=r"rng must be a numpy.random.Generator, such as .*, got 3"):
        call(3)
    with pytest.raises(ValueError, match="rng is missing"):
        call(None)
