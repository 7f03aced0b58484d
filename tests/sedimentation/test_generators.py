"""What generators promise: conditions, axes, noise, files, and losses that are what their authors wrote."""

import numpy as np
import pytest

from particlelab.randomness import generator
from particlelab.sedimentation import (
    KINDS,
    Spectrum,
    estimate_s,
    generation_settings,
    load_generator,
    share_within,
    simulate_one,
    train_generator,
)
from particlelab.sedimentation.common_axes import LEVELS, choose_places, collect_axes, measure_noise, shares
from particlelab.sedimentation.conditions import find_conditions
from particlelab.sedimentation.generation_studies import Neighbours, read_back

RADII = np.linspace(60.0, 72.0, 60)


def moving(s_svedberg, times_s=None, label=None, noise=0.0, seed=0):
    """A sharp boundary that moves as s says at 3000 rpm, in transmission."""
    times_s = np.linspace(10.0, 1200.0, 40) if times_s is None else times_s
    place = 60.0 * np.exp(s_svedberg * 1e-13 * (100 * np.pi) ** 2 * times_s)
    values = np.where(place[:, None] < RADII, 0.1, 1.0)
    values = values + noise * np.random.default_rng(seed).standard_normal(values.shape)
    return Spectrum(RADII, times_s, values.astype(np.float32), s_svedberg if label is None else label, 3000.0)


@pytest.fixture(scope="module")
def coefficients():
    return [moving(s) for s in np.linspace(0, 40_000, 9)]


@pytest.fixture(scope="module")
def classes():
    names = ["sedimentation", "creaming", "other"]
    return [moving(5000.0 * (k + 1), label=names[k % 3], seed=k) for k in range(9)]


def quick(kind, **changes):
    small = {"size_px": 16, "channels": 2, "most_channels": 4, "latent": 4, "width": 8, "fronts": 2, "steps": 2}
    return generation_settings(kind, **small | {"iterations": 2, "batch": 4, "copies": 1} | changes)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_draws_what_is_asked_on_measured_axes_and_is_the_same_from_a_file(
    kind, classes, coefficients, tmp_path
):
    for spectra, condition in ((classes, "creaming"), (coefficients, 15_625.0)):
        made = train_generator(kind, spectra, quick(kind), generator(0, kind))
        asked = condition if KINDS[kind].conditional else None
        drawn = made.sample(asked, 3, generator(1))
        assert [spectrum.label for spectrum in drawn] == [asked] * 3
        if kind != "physical":  # which has axes of its own
            for spectrum in drawn:
                np.testing.assert_allclose(spectrum.radii_mm, RADII, rtol=1e-6)
                np.testing.assert_allclose(spectrum.times_s, spectra[0].times_s, rtol=1e-6)
                assert spectrum.rpm == 3000
        again = load_generator(made.save(tmp_path / f"{kind}-{asked}.safetensors")).sample(asked, 3, generator(1))
        for one, other in zip(drawn, again, strict=True):
            np.testing.assert_allclose(one.transmission, other.transmission, atol=3e-3)  # weights of 16 bits
        with pytest.raises(ValueError, match="condition must be"):
            made.sample("boiling", 1, generator(1))


def test_sep_generators_draw_pictures_and_say_why_there_are_no_spectra(classes):
    made = train_generator("cwgan-div", classes, quick("cwgan-div", picture="sep"), generator(0))
    assert made.draw("other", 2, generator(1)).shape == (2, 16, 16, 3)
    with pytest.raises(ValueError, match="no spectrum can be had from them"):
        made.sample("other", 1, generator(1))


def test_physics_is_what_was_asked_for():
    """The yardstick: the second moment of what it draws gives back s."""
    made = train_generator(
        "physical", [simulate_one("lfg", s, generator(0)) for s in (0.0, 100_000.0)], None, generator(0)
    )
    table = read_back(made, 6, generator(1))
    assert share_within(table) == 1.0
    np.testing.assert_allclose(estimate_s(made.sample(15_625.0, 1, generator(2))[0]).s, 15_625, rtol=0.01)


def test_noise_is_measured_whatever_the_spectrum():
    """White noise about a smooth spectrum: its strength by transmission and by spectrum, and the pattern that stays."""
    rng, x = np.random.default_rng(0), np.linspace(0, 1, 400)
    spectra = []
    for loud in (0.5, 1.0, 2.0):
        smooth = np.linspace(0.1, 0.95, 200)[:, None] + 0.03 * np.sin(6 * x)
        noise = loud * (0.002 + 0.004 * smooth) * rng.standard_normal(smooth.shape)
        seen = smooth * (1 + 0.01 * loud * rng.standard_normal(len(x)))
        spectra.append(Spectrum(60 + 12 * x, np.arange(200.0), (seen + noise).astype(np.float32)))
    loudness, pattern, noise = measure_noise(spectra)
    np.testing.assert_allclose(loudness / loudness[1], (0.5, 1.0, 2.0), rtol=0.05)
    middle = (LEVELS[1:] + LEVELS[:-1]) / 2
    np.testing.assert_allclose(pattern, (0.005, 0.01, 0.02), rtol=0.15)
    expected = 0.002 + 0.004 * middle
    np.testing.assert_allclose(noise / noise[4], expected / expected[4], rtol=0.08)


def test_axes_between_two_coefficients_lie_between():
    spectra = [moving(s, times_s=np.linspace(10, last, 40)) for s, last in ((1000.0, 1000.0), (2000.0, 500.0))]
    conditions = find_conditions(spectra)
    axes = collect_axes(spectra, conditions)
    (place,) = choose_places(axes, conditions, 1250.0, 1, generator(0))
    np.testing.assert_allclose(place.times_s[-1], 0.75 * 1000 + 0.25 * 500)
    np.testing.assert_allclose(shares(place.radii_mm), np.linspace(0, 1, 60), atol=1e-6)


def test_the_nearest_is_found_and_a_copy_is_at_no_distance():
    spectra = [moving(s) for s in (2000.0, 8000.0, 8500.0, 30_000.0)]
    neighbours = Neighbours(spectra)
    found = neighbours.find(moving(29_000.0))
    assert found.index == 3 and found.distance > 0
    assert neighbours.find(spectra[1])[:2] == (1, 0.0)
    apart = [min(np.sqrt(((a - b) ** 2).mean()) for b in some) for a, some in _others(neighbours._known)]
    np.testing.assert_allclose(neighbours.usual, np.median(apart), rtol=1e-6)


def _others(pictures):
    return [(a, np.delete(pictures, k, axis=0)) for k, a in enumerate(pictures)]


def test_penalties_are_those_of_their_papers():
    """Of a critic that is linear, f(x) = g sum(x), the gradient has the length g sqrt(pixels) everywhere."""
    import torch

    from particlelab.sedimentation.adversarial_layers import Adversarial

    shape = {"latent": 4, "conditions": 1, "picture_channels": 1, "size": 16, "channels": 2, "most": 4}
    x, c, g = torch.rand(5, 1, 16, 16), torch.zeros(5, 1), 0.07
    length = g * 16
    for kind, expected in (("cwgan-gp", 10 * (length - 1) ** 2), ("cwgan-div", 2 * length**6)):
        model = Adversarial(kind, shape, {})
        model.critic.forward = lambda pictures, conditions: g * pictures.sum((1, 2, 3))
        np.testing.assert_allclose(model._penalty(x, x.flip(0), c).item(), expected, rtol=1e-4)


def test_what_runs_backwards_is_what_darkens():
    """By hand: of four inner rows one darkens by 0.5 once, over three steps."""
    import torch

    from particlelab.sedimentation.generator_layers import running_backwards

    pictures = torch.zeros(2, 1, 4, 4)
    pictures[0, 0, 1] = torch.tensor([0.0, 0.5, 0.5, 0.0])
    found = running_backwards(pictures, torch.tensor([1.0, 1.0]), 0.0)
    np.testing.assert_allclose(found.item(), 0.5 / 12 / 2)
    assert running_backwards(pictures, torch.tensor([0.0, 1.0]), 0.0).item() == 0


def test_boundaries_are_the_formula():
    """The decoder's spectrum is the sum that its module states, at any radius and time."""
    import torch

    from particlelab.sedimentation.front_layers import FrontDecoder

    torch.manual_seed(0)
    decoder = FrontDecoder(2, 3, 2, 1, 8)
    codes, told = torch.randn(1, 2), torch.eye(3)[:1]
    radii, times = torch.tensor([[0.1, 0.45, 0.8]]), torch.tensor([[0.0, 0.3]])
    with torch.no_grad():
        decoder.moving[-1].bias[-4] = 0.5  # between the bounds of a transmission
        moving, standing, background = decoder.boundaries(codes, told, times)
    background, x, expected = background[0].numpy(), radii[0].numpy(), np.zeros((2, 3))
    for t in range(2):
        expected[t] = sum(background[t, p] * (2 * x - 1) ** p for p in range(4))
        for a, m, w in zip(*(part[0, t].numpy() for part in moving), strict=True):
            expected[t] += a / (1 + np.exp(-(x - m) * w))
        for c, d, n, v in zip(*(p[0, t] if p.ndim == 3 else p[0] for p in standing), strict=True):
            u = (x - n.item()) * v.item()
            expected[t] += c.item() / (1 + np.exp(-u)) + d.item() / np.cosh(u / 2) ** 2
    with torch.no_grad():
        found = decoder(codes, told, radii, times)[0].numpy()
        own = decoder(codes, told, radii[:, None].expand(-1, 2, -1), times)[0].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_allclose(own, expected, rtol=1e-4)
    with torch.no_grad():
        decoder.moving[-1].bias[-4] = 3.5  # beyond them: a tenth of the excess is left
        beyond = decoder(codes, told, radii, times)[0].numpy()
    np.testing.assert_allclose(beyond, 1.02 + 0.1 * (expected + 3.0 - 1.02), rtol=1e-3)
