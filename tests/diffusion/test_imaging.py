"""What a camera counts: photons in closed form, noise with its mean and variance, optics against the literature."""

import numpy as np
import pytest
from scipy import special, stats

from particlelab import diffusion
from particlelab.diffusion.psf import STEPS, integrate_gaussian, pixel_shares, tabulate
from particlelab.parameters import ParameterError
from particlelab.randomness import generator

STILL = diffusion.Imaging(frames=1, substeps=1)


def at(x_nm, y_nm, imaging=STILL):
    """The expected image of a still molecule."""
    path = np.broadcast_to(np.array([x_nm, y_nm], float), (1, imaging.frames, imaging.substeps, 2))
    return diffusion.expected_images(path, imaging)[0, 0]


def test_a_pixel_holds_the_integral_of_the_gaussian():
    """Error functions at the edges of the pixels; x runs to the right, y down, from the middle."""
    image = at(130.0, -240.0) - 1
    edges = (np.arange(65) - 32) * 100.0
    across, down = (np.diff(stats.norm.cdf(edges, middle, 130.0)) for middle in (130.0, -240.0))
    assert image == pytest.approx(500 * np.outer(down, across), abs=1e-3)


def test_light_is_neither_lost_nor_made():
    assert (at(0, 0) - 1).sum() == pytest.approx(500, rel=1e-5)
    assert (at(-3200.0, 0) - 1).sum() == pytest.approx(250, rel=1e-5)  # on the edge: half of it
    assert (at(1e5, 0) - 1).sum() == 0


@pytest.mark.parametrize(
    "optics",
    [
        {"psf": "airy"},
        {"psf": "airy", "pixel_size_nm": 20.0},
        {"psf": "airy", "pixel_size_nm": 5000.0},  # a pixel holds nearly all
        {"psf": "gibson-lanni", "pixel_size_nm": 20.0},
        {"psf": "gibson-lanni", "depth_nm": 2000.0},
        {"psf": "gibson-lanni", "pixel_size_nm": 80.0, "depth_nm": 2000.0, "defocus_nm": -2283.0},
        {"psf": "gibson-lanni", "pixel_size_nm": 200.0, "numerical_aperture": 1.2, "defocus_nm": 5000.0},
    ],
)
@pytest.mark.parametrize("place", [(0.0, 0.0), (0.3, 0.5), (0.499, -0.499)])
def test_of_diffracted_light_little_is_lost_and_none_made(optics, place):
    """At least 98 %, wherever in its pixel the molecule is, in an image that is larger than what is tabulated."""
    imaging = STILL.replace(size=300, **optics)
    shares = (at(*np.multiply(place, imaging.pixel_size_nm), imaging) - 1).astype(float) / 500
    assert shares.min() >= -1e-9 and 0.98 <= shares.sum() <= 1


def test_light_that_spreads_too_wide_is_refused_and_what_is_said_to_be_right_is():
    fine = STILL.replace(psf="gibson-lanni", depth_nm=2000.0, pixel_size_nm=20.0)
    with pytest.raises(ValueError, match=r"pixel_size_nm = 20, defocus_nm = 0 and depth_nm = 2000; .* at least 100$"):
        at(0, 0, fine)
    at(0, 0, fine.replace(pixel_size_nm=100.0))
    deep = fine.replace(depth_nm=10_000.0, pixel_size_nm=200.0)
    with pytest.raises(ValueError, match=r"depth_nm = 10000; right would be a depth_nm nearer to 0, or a defocus_nm"):
        at(0, 0, deep)


def test_what_is_compiled_and_what_is_not_hold_the_same_of_a_gaussian():
    """The normal distribution's difference between edges; compiled code leaves out 6e-7 beyond five widths."""
    edges, compiled = np.arange(31), np.zeros(30)
    first, last = integrate_gaussian(14.3, 1.7, compiled)
    expected = np.diff(stats.norm.cdf(edges, 14.3, 1.7))
    assert pixel_shares(edges, 14.3, 1.7) == pytest.approx(expected, abs=1e-15)
    assert compiled[first:last] == pytest.approx(expected[first:last], abs=1e-15) and compiled.sum() > 1 - 6e-7
    assert pixel_shares(edges, np.array([[14.3], [2.0]]), np.array([[1.7], [0.5]])).shape == (2, 30)


def test_the_image_of_a_path_is_the_mean_of_its_positions():
    imaging = diffusion.Imaging(frames=1, substeps=3)
    places = np.array([[0.0, 0.0], [300.0, 50.0], [-120.0, 400.0]])
    whole = diffusion.expected_images(places[None, None], imaging)[0, 0]
    assert whole == pytest.approx(np.mean([at(*place) for place in places], axis=0), abs=1e-3)


@pytest.mark.parametrize("background", [0.0, 0.7, 3.0, 40.0])
def test_counts_of_background_are_poisson(background):
    """By chi-squared over the counts, with a molecule that is dark: 1e-4 of all seeds would fail."""
    imaging = diffusion.Imaging(photons=0, background=background)
    counts = diffusion.simulate(np.ones(8), imaging, generator(3, "counts")).frames
    assert np.array_equal(counts, counts.round())
    found = np.bincount(counts.astype(int).ravel())
    expected = counts.size * stats.poisson.pmf(np.arange(len(found)), background)
    many = expected > 20
    statistic = ((found - expected)[many] ** 2 / expected[many]).sum()
    assert stats.chi2.sf(statistic, max(1, many.sum() - 1)) > 1e-4
    assert counts.mean() == pytest.approx(background, abs=5 * (background / counts.size) ** 0.5)


@pytest.mark.parametrize(
    ("values", "variance"),
    [
        ({}, lambda mean: mean),
        ({"read_noise": 3.0}, lambda mean: mean + 9.0),
        ({"camera": "emccd"}, lambda mean: 2 * mean),  # the excess noise of multiplication
        ({"read_noise": 2.0, "gain": 7.0, "offset": -30.0}, lambda mean: mean + 4.0),
    ],
)
def test_each_pixel_has_the_mean_and_variance_of_its_camera(values, variance):
    """In photons, over 4000 images of the same still molecule; every pixel of its middle and of the dark."""
    imaging = STILL.replace(size=16, **values)
    n = 4000
    images = diffusion.render(np.zeros((n, 1, 1, 2)), imaging, generator(0, "camera"))[:, 0]
    photons, expected = (images - imaging.offset) / imaging.gain, at(0, 0, imaging)
    deviation = (photons.mean(axis=0) - expected) / np.sqrt(variance(expected) / n)
    assert np.abs(deviation).max() < 5
    assert (deviation**2).mean() == pytest.approx(1, abs=5 * (2 / 256) ** 0.5)
    assert np.median(photons.var(axis=0) / variance(expected)) == pytest.approx(1, abs=0.02)


def test_what_is_drawn_does_not_depend_on_the_number_of_threads(monkeypatch):
    drawn = []
    for threads in (1, 3):
        monkeypatch.setattr("particlelab.diffusion.threads.get_num_threads", lambda threads=threads: threads)
        drawn.append(diffusion.simulate(np.ones(20), diffusion.Imaging(size=16), generator(0)).frames)
    assert np.array_equal(*drawn)


def test_the_middle_of_a_path_or_its_beginning_stands_in_the_central_pixel():
    for centred_on, middle in (
        ("path", lambda p: (p.max(axis=(1, 2)) + p.min(axis=(1, 2))) / 2),
        ("start", lambda p: p[:, 0, 0]),
    ):
        imaging = diffusion.Imaging(centred_on=centred_on)
        places = middle(diffusion.place_paths(np.full(400, 5.0), imaging, generator(0)))
        assert np.abs(places).max() <= 50 and places.std() == pytest.approx(100 / 12**0.5, rel=0.1)


def test_molecules_leave_the_field_of_view_or_are_reflected():
    far = {"size": 16, "centred_on": "start"}
    inside = diffusion.place_paths(np.full(50, 10.0), diffusion.Imaging(edge="reflect", **far), generator(0))
    assert np.abs(inside).max() <= 800
    leaving = diffusion.simulate(np.full(50, 10.0), diffusion.Imaging(background=0, **far), generator(0))
    gone = (np.abs(leaving.positions_nm) > 800 + 5 * 130).any(axis=-1).all(axis=-1)
    assert gone.any() and not leaving.frames[gone].any()


def test_blinking_and_bleaching_leave_the_share_of_light_that_rates_say():
    """Lit at first, then by s + (1 - s) exp(-(a + b) t), s = b / (a + b); not bleached until t by exp(-rate t).

    Means over molecules, to five standard errors.
    """
    times = np.arange(160) * 1e-3
    n, base = 600, {"background": 0.0, "size": 16}
    blinking = diffusion.Imaging(off_1_per_s=30.0, on_1_per_s=10.0, **base)
    light = diffusion.simulate(np.zeros(n), blinking, generator(1)).frames.sum(axis=(1, 2, 3)) / (16 * 500)
    assert abs(light.mean() - (0.25 + 0.75 * np.exp(-40 * times)).mean()) < 5 * light.std() / n**0.5
    bleaching = diffusion.Imaging(bleaching_1_per_s=20.0, **base)
    light = diffusion.simulate(np.zeros(n), bleaching, generator(2)).frames.sum(axis=(1, 2, 3)) / (16 * 500)
    assert abs(light.mean() - np.exp(-20 * times).mean()) < 5 * light.std() / n**0.5


def test_the_airy_pattern_is_the_integral_over_pixels_of_bessel_functions():
    """(2 J1(v) / v)^2 with v = 2 pi NA r / wavelength, summed over a fine grid in each of some pixels."""
    table = tabulate("airy", 100.0, 670.0, 1.4, 0.0, 0.0)
    wave = 2 * np.pi * 1.4 / 670.0
    fine = (np.arange(200) + 0.5) / 2 - 50  # nm
    for i, j in ((0, 0), (7, 20), (33, 2)):
        x, y = np.meshgrid(fine + i * 100 / STEPS, fine + j * 100 / STEPS)
        v = wave * np.hypot(x, y) + 1e-12
        density = wave**2 / (4 * np.pi) * (2 * special.j1(v) / v) ** 2
        assert table[j, i] == pytest.approx(density.sum() * 0.25, abs=2e-5)


def test_gibson_and_lanni_agree_with_airy_in_focus_at_the_glass_and_spread_beyond():
    """For an aperture below that of water; moving the objective by z is symmetric at the glass."""
    optics = (100.0, 670.0, 1.2)
    airy = tabulate("airy", *optics, 0.0, 0.0)
    assert tabulate("gibson-lanni", *optics, 0.0, 0.0) == pytest.approx(airy, abs=1e-9)
    up, down = (tabulate("gibson-lanni", *optics, z, 0.0) for z in (800.0, -800.0))
    assert up == pytest.approx(down, abs=1e-9) and up[0, 0] < airy[0, 0] / 2
    deep = tabulate("gibson-lanni", *optics, 0.0, 800.0)
    assert deep[0, 0] < airy[0, 0] / 2  # a deeper molecule is out of focus


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match=r"diffusion_um2_s must be finite numbers of at least 0, shape \(n,\)"):
        diffusion.simulate([1.0, -0.5], rng=generator(0))
    with pytest.raises(ValueError, match="rng is missing"):
        diffusion.simulate([1.0])
    with pytest.raises(
        ParameterError, match=r"pixel_size_nm = 0 is not allowed; expected 0 < pixel_size_nm <= 10000 nm"
    ):
        diffusion.Imaging(pixel_size_nm=0)


@pytest.mark.parametrize(
    "values",
    [{}, {"psf": "airy"}, {"camera": "emccd", "read_noise": 2.0, "gain": 3.0, "offset": 10.0}, {"off_1_per_s": 30.0}],
)
def test_torch_renders_the_same_camera(values):
    """Means over many movies of one path agree pixel by pixel, and so does the variance of all pixels."""
    imaging = diffusion.Imaging(size=16, frames=2, **values)
    from particlelab.diffusion.torch_imaging import render_in_torch

    n, rng = 1500, generator(0, "torch")
    path = diffusion.place_paths([3.0], imaging, rng).repeat(n, axis=0)
    ours, torchs = diffusion.render(path, imaging, rng), render_in_torch(path, imaging, rng, "cpu").numpy()
    error = np.sqrt((ours.var(axis=0) + torchs.var(axis=0)) / n)
    deviation = (ours.mean(axis=0) - torchs.mean(axis=0)) / error
    assert np.abs(deviation).max() < 5 and (deviation**2).mean() == pytest.approx(1, abs=0.2)
    assert np.median(ours.var(axis=0) / torchs.var(axis=0)) == pytest.approx(1, abs=0.02)


def test_the_light_of_molecules_in_one_movie_adds_up():
    """Photons of all of them and of the background, to four standard errors; none is lost but at the edge."""
    imaging = diffusion.Imaging(frames=50, size=128, photons=300.0, background=0.5, confinement_nm=100.0)
    seen = diffusion.simulate_together(np.full(6, 0.5), imaging, generator(3))
    expected = 50 * (6 * 300 + 0.5 * 128**2)
    away = np.abs(seen.positions_nm).max(axis=(1, 2, 3)) < 6400 - 5 * 130
    expected -= 50 * 300 * (~away).sum() / 2  # at worst half of them is beyond it
    tolerance = 4 * expected**0.5 + 50 * 300 * (~away).sum() / 2
    assert seen.frames.shape == (50, 128, 128)
    assert seen.frames.sum(dtype=float) == pytest.approx(expected, abs=tolerance)


def test_molecules_in_one_movie_stand_where_they_are_said_to_be():
    seen = diffusion.simulate_together(np.zeros(1), diffusion.Imaging(size=32), generator(4))
    light = seen.frames.mean(axis=0) - 1
    pixels = (np.arange(32) + 0.5 - 16) * 100
    middle = np.array([light.sum(axis=0) @ pixels, light.sum(axis=1) @ pixels]) / light.sum()
    assert middle == pytest.approx(seen.positions_nm.mean(axis=(0, 1, 2)), abs=200)
