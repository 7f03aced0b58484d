"""Training of generators: it learns, goes on where it was stopped, and refuses what cannot be."""

import numpy as np
import pandas as pd
import pytest

from particlelab.randomness import generator
from particlelab.sedimentation import Spectrum, generation_settings, generator_training, train_generator
from particlelab.sedimentation.conditions import find_conditions
from particlelab.sedimentation.generator_training import _choose_radii, _Lesson, vary

SHARES = np.linspace(0, 1, 50)
SMALL = {
    "size_px": 16,
    "channels": 2,
    "most_channels": 4,
    "latent": 2,
    "width": 16,
    "fronts": 3,
    "edges": 1,
    "steps": 4,
}


def moving(speed, label, noise=0.0):
    """A boundary that moves from one end to the other, at an even speed."""
    values = 0.2 + 0.7 / (1 + np.exp(60 * (SHARES - speed * SHARES[:, None])))
    values = values + noise * generator(0, "noise", speed).standard_normal(values.shape)
    return Spectrum(60 + 12 * SHARES, 10 + 1000 * SHARES, values.astype(np.float32), label, 3000.0)


def train(kind, spectra, **changes):
    rng = changes.pop("rng", generator(0, "train"))
    folder, progress = changes.pop("folder", None), changes.pop("progress", None)
    return train_generator(kind, spectra, generation_settings(kind, **SMALL | changes), rng, folder, progress)


def test_moving_boundaries_learn_a_coefficient_that_they_did_not_see():
    """Boundaries of many speeds; in between, the place and the levels are those of the formula."""
    spectra = [moving(s / 1e5, float(s), 0.01) for s in range(5000, 95_001, 7500)]
    made = train("spectrum", spectra, latent=0, iterations=500, batch=8)
    loss = made.history.loss
    assert loss.iloc[-50:].mean() < 0.02 * loss.iloc[:5].mean()
    drawn, true = made.sample(46_250.0, 1, generator(1))[0], moving(0.4625, 46_250.0)
    for k in (15, 30, 49):
        places = [np.interp(-0.55, -each.transmission[k], SHARES) for each in (drawn, true)]
        np.testing.assert_allclose(*places, atol=0.03)
    np.testing.assert_allclose(drawn.transmission[30, :8].mean(), 0.9, atol=0.04)
    np.testing.assert_allclose(np.std(np.diff(drawn.transmission[30, 40:])) / np.sqrt(2), 0.01, rtol=0.8)  # its noise


def test_a_training_that_was_stopped_ends_where_one_ends_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setattr(generator_training, "EVERY", 6)
    spectra = [moving(speed, label) for speed, label in ((0.3, "slow"), (0.9, "fast"), (0.4, "slow"), (0.8, "fast"))]

    class Stop(Exception):
        pass

    def stop(share, text):
        if share > 0.8:
            raise Stop

    for kind in ("cwgan-div", "spectrum"):
        whole = train(kind, spectra, iterations=9, batch=2)
        with pytest.raises(Stop):
            train(kind, spectra, iterations=9, batch=2, folder=tmp_path / kind, progress=stop)
        again = train(kind, spectra, iterations=9, batch=2, folder=tmp_path / kind)
        pd.testing.assert_frame_equal(again.history, whole.history)
        a, b = (made.sample("fast", 1, generator(3))[0].transmission for made in (whole, again))
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="another training"):
        train("spectrum", spectra, iterations=10, batch=2, folder=tmp_path / "spectrum")


def test_turns_of_the_critic_are_as_asked():
    spectra = [moving(0.3, "slow"), moving(0.9, "fast")]
    made = train("cwgan-gp", spectra, iterations=8, batch=2, critic_steps=3)
    assert made.history.turn.tolist() == (["critic"] * 3 + ["generator"]) * 2


def test_rare_classes_are_shown_as_often_as_frequent_ones():
    spectra = [moving(0.3, "often")] * 19 + [moving(0.9, "rare")]
    for balance, expected in ((True, 0.5), (False, 0.05)):
        p = generation_settings("cvae", **SMALL, batch=500, copies=0, balance=balance)
        told = _Lesson("cvae", spectra, p, 0, find_conditions(spectra), None)(0)[1].numpy()
        assert abs(told[:, 1].mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / 500)


def test_a_varied_copy_is_denser_by_one_factor_and_ends_sooner():
    spectrum = moving(0.5, "one")
    varied = vary(spectrum, 0.3, generator(0))
    kept = len(varied.times_s)
    assert 0.7 * 50 - 1 <= kept <= 50 and varied.label == "one"
    x, y = np.log(spectrum.transmission[:kept]).ravel(), np.log(varied.transmission).ravel()
    slope, shift = np.polyfit(x, y, 1)  # absorbance by a factor, light by another
    np.testing.assert_allclose(y, slope * x + shift, atol=1e-5)
    assert 0.7 <= slope <= 1.3 and abs(shift) <= 0.031
    np.testing.assert_array_equal(vary(spectrum, 0.0, generator(1)).transmission, spectrum.transmission)


def test_some_of_the_radii_lie_where_a_profile_is_steep():
    """Of a sharp step without noise: at it, or a few radii beside it; the others anywhere."""
    rows = np.where(np.arange(200) < np.array([[30], [150]]), 0.9, 0.1).astype(np.float32)
    found = _choose_radii(rows, 12, generator(0))
    assert found.shape == (2, generator_training.RADII)
    anywhere = generator_training.RADII - 12
    for row, place in zip(found, (30, 150), strict=True):
        assert (np.abs(row[anywhere:] - place + 1) <= generator_training.BESIDE).all()
        assert np.abs(row[:anywhere] - 99.5).mean() > 30


@pytest.mark.parametrize(
    ("kind", "labels", "changes", "message"),
    [
        ("magic", ("a", "b"), {}, "kind must be one of gan, wgan"),
        ("cvae", (None, None), {}, "spectra must be labelled"),
        ("cvae", ("a", 5.0), {}, "must be all classes, all coefficients"),
        ("cvae", (0.0, 0.0), {}, "must be positive"),
        ("cvae", ("a",), {}, "2 spectra at least, got 1"),
        ("cvae", ("a", "b"), {"picture": "sep"}, "picture = 'sep' is for gan, wgan, cwgan-gp, cwgan-div"),
        ("flow", ("a", "b"), {"physical_weight": 1.0}, "physical_weight is for gan"),
        ("cvae", ("a", "b"), {"size_px": 48}, "size_px = 48 must be a power of 2"),
        ("cvae", ("a", "b"), {"rng": None}, "rng is missing"),
    ],
)
def test_what_cannot_be_trained_is_refused(kind, labels, changes, message):
    with pytest.raises(ValueError, match=message):
        train(kind, [moving(0.5, label) for label in labels], **changes)
