"""Networks and what they must not depend on; training that goes on where it was; files."""

import numpy as np
import pytest

from particlelab import diffusion
from particlelab.diffusion.training import draw_movies
from particlelab.parameters import ParameterError
from particlelab.randomness import generator

KINDS = ("transformer", "resnet3d", "resnet2d", "park")
LITTLE = {"frames": 6, "fewest_frames": 6, "size": 24, "width": 8, "depth": 1, "batch": 32, "calibration": 200}


@pytest.fixture(scope="module")
def models():
    return {
        kind: diffusion.train(diffusion.Training(kind=kind, iterations=12, window=15, **LITTLE), generator(0, kind))
        for kind in KINDS
    }


@pytest.fixture(scope="module")
def movies():
    return draw_movies(diffusion.Training(**LITTLE), 40, generator(1)).frames


@pytest.mark.parametrize("kind", KINDS)
def test_gain_and_offset_do_not_change_d(models, movies, kind):
    """The document's networks gave another D for each normalisation of the images."""
    usual = models[kind].predict(movies).diffusion_um2_s
    for factor, offset in ((0.5, 0), (2, 0), (2, 100), (0.5, -30)):
        assert models[kind].predict(factor * movies + offset).diffusion_um2_s == pytest.approx(usual, rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_turned_camera_does_not_change_d(models, movies, kind):
    """By averaging over the eight symmetries; but where two places are as bright as each other."""
    usual = models[kind].predict(movies).diffusion_um2_s
    for turned in (movies[..., ::-1], np.rot90(movies, axes=(-2, -1)), np.swapaxes(movies, -2, -1)):
        change = models[kind].predict(turned.copy()).diffusion_um2_s / usual - 1
        assert np.median(np.abs(change)) < 1e-4 and np.abs(change).max() < 0.1


def test_four_turns_leave_a_reflected_movie_apart(models, movies):
    """Averaged over quarter turns, answers are the same for a turned movie, and others for its mirror image."""
    usual, turned, mirrored = (
        models["resnet3d"].read(m.copy(), symmetries=diffusion.QUARTER_TURNS)[0]
        for m in (movies, np.rot90(movies, axes=(-2, -1)), movies[..., ::-1])
    )
    assert turned == pytest.approx(usual, abs=1e-4)
    assert np.abs(mirrored - usual).max() > 1e-3


def test_d_scales_with_pixel_and_interval(models, movies):
    """The same counts from twice the pixel and a tenth of the interval: 40 times D."""
    model = models["transformer"]
    other = model.imaging.replace(pixel_size_nm=200.0, interval_s=0.001, exposure_s=0.001)
    usual, scaled = model.predict(movies), model.predict(movies, other)
    for name in usual._fields:
        assert getattr(scaled, name) == pytest.approx(40 * getattr(usual, name))


@pytest.mark.parametrize("kind", ["transformer", "resnet3d"])
def test_some_networks_take_any_number_of_frames(models, movies, kind):
    for count in (1, 2, 5):
        assert np.isfinite(models[kind].predict(movies[:3, :count], beyond=True)).all()


def test_others_say_how_many_frames_they_know(models, movies):
    with pytest.raises(ValueError, match="a network of kind 'park' knows movies of 6 frames, got 5"):
        models["park"].predict(movies[:, :5], beyond=True)
    with pytest.raises(ParameterError, match=r"kind = 'resnet2d' knows one number of frames: fewest_frames must be 16"):
        diffusion.Training(kind="resnet2d", fewest_frames=4)


def test_a_transformer_is_told_where_its_molecule_is(models):
    """Beside a brighter one it reads what it would read without it; others cannot be told."""
    imaging = models["park"].imaging.replace(size=64, background=0.0, photons=2000.0)
    slow, fast = (diffusion.simulate(np.full(20, value), imaging, generator(2)) for value in (0.3, 5.0))
    alone, places = slow.frames, slow.positions_nm.mean(axis=2)
    pair = alone + 5 * np.roll(fast.frames, -28, axis=3)
    transformer = models["transformer"]
    usual, told, untold = (transformer.read(m, None, p)[0] for m, p in ((alone, None), (pair, places), (pair, None)))
    assert np.abs(told - usual).mean() < 0.1 * np.abs(untold - usual).mean()
    with pytest.raises(ValueError, match="a network of kind 'park' cannot be told where its molecule is"):
        models["park"].predict(alone, places_nm=places)
    with pytest.raises(
        ValueError, match=r"places must be \(n, T, 2\) for frames of \(20, 6, 64, 64\), got \(20, 5, 2\)"
    ):
        transformer.predict(alone, places_nm=places[:, :5])


def test_what_a_network_has_not_learned_is_refused_unless_asked_for(models, movies):
    """It has learned 6 frames without dead time; an interval alone is no condition, as D scales with it."""
    model = models["transformer"]
    usual = model.imaging
    half = usual.replace(exposure_s=0.005)
    with pytest.raises(ValueError, match="frames: 5, but the model has learned 6"):
        model.predict(movies[:, :5])
    with pytest.raises(ValueError, match=r"exposure: 0.5 of the interval \(exposure_s = 0.005 s.* has learned 1 "):
        model.read(movies, half)
    assert np.isfinite(model.predict(movies, half, beyond=True)).all()
    assert np.isfinite(model.predict(movies, usual.replace(interval_s=0.02, exposure_s=0.02))).all()


@pytest.mark.parametrize("coverage", [95, 1.0, 0.0, -0.5, np.nan])
def test_a_coverage_that_is_no_share_is_refused(models, movies, coverage):
    found = diffusion.Estimate(np.ones(2), np.ones(2))
    for call in (lambda: models["transformer"].predict(movies, coverage=coverage), lambda: found.interval(coverage)):
        with pytest.raises(ValueError, match="coverage must be above 0 and below 1"):
            call()


def test_bad_movies_are_refused(models, movies):
    model = models["transformer"]
    with pytest.raises(ValueError, match=r"frames must be \(n, T, H, W\) of at least 8 by 8 pixels, got \(6, 24, 24\)"):
        model.predict(movies[0])
    with pytest.raises(ValueError, match="frames must be finite counts"):
        model.predict(np.where(movies > 3, np.nan, movies))
    assert model.predict(movies[:0]).diffusion_um2_s.shape == (0,)


def test_intervals_of_more_coverage_hold_those_of_less(models, movies):
    narrow, wide = (models["transformer"].predict(movies, coverage=share) for share in (0.5, 0.95))
    assert (wide.lower < narrow.lower).all() and (narrow.upper < wide.upper).all()
    assert (wide.lower < wide.diffusion_um2_s).all()


def test_calibrated_intervals_hold_nine_of_ten(models):
    """Of 1000 other movies: 0.9 to four standard errors, with that of 200 movies to calibrate by.

    Their D are three times away from the ends of the range at least, which help a network that knows it.
    """
    model, usual = models["transformer"], diffusion.Training(**LITTLE)
    low, high = 3 * usual.diffusion_low_um2_s, usual.diffusion_high_um2_s / 3
    within = usual.replace(diffusion_low_um2_s=low, diffusion_high_um2_s=high)
    frames, truth, _ = draw_movies(within, 1000, generator(7))
    found = model.predict(frames)
    assert np.mean((found.lower < truth) & (truth < found.upper)) == pytest.approx(
        0.9, abs=4 * 0.3 * (1 / 1000 + 1 / 200) ** 0.5
    )


def test_a_model_comes_back_from_its_file(models, movies, tmp_path):
    model = models["resnet3d"]
    again = diffusion.load_model(model.save(tmp_path / "some.safetensors"))
    assert again.predict(movies).diffusion_um2_s == pytest.approx(model.predict(movies).diffusion_um2_s, rel=5e-3)
    assert again.imaging == model.imaging and again.card["stretch"] == model.card["stretch"]


def test_a_file_of_something_else_is_refused(tmp_path):
    from particlelab.learning.models import save_model

    path = save_model(tmp_path / "other.safetensors", {"a": np.zeros(3, np.float32)}, {"purpose": "none"})
    with pytest.raises(ValueError, match=r"other.safetensors holds no network that reads diffusion"):
        diffusion.load_model(path)


def test_a_training_that_was_stopped_ends_where_another_ends(tmp_path):
    parameters = diffusion.Training(iterations=210, **LITTLE | {"batch": 4})

    def stop(share, text):
        if share > 0.97:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        diffusion.train(parameters, generator(3), tmp_path / "folder", stop)
    resumed = diffusion.train(parameters, generator(3), tmp_path / "folder")
    whole = diffusion.train(parameters, generator(3))
    assert list(resumed.history.loss) == pytest.approx(list(whole.history.loss), rel=1e-4)


def test_a_short_training_learns_what_tracks_tell():
    """ln D within 0.5 (root mean square) from 0.1 to 10 um^2/s; a guess would miss by 1.3."""
    parameters = diffusion.Training(
        iterations=150, **LITTLE | {"frames": 16, "fewest_frames": 16, "size": 48, "width": 32, "batch": 64}
    )
    model = diffusion.train(parameters, generator(0))
    truth = np.geomspace(0.1, 10, 300)
    frames = diffusion.simulate(truth, model.imaging, generator(9)).frames
    assert np.log(model.predict(frames).diffusion_um2_s / truth).std() < 0.5
