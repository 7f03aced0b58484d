"""Localisation: scatter at the Cramer-Rao bound, published formulae, symmetries, and promises about noise."""

import math

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from particlelab.diffusion.imaging import Imaging, expected_images, render, simulate
from particlelab.diffusion.localisation import METHODS, localisation_bound, localise
from particlelab.randomness import generator

STILL = Imaging(frames=10, size=24, substeps=1, photons=2000, background=5)
SAMPLES = 200  # movies, of ten frames and two axes each


def errors(imaging, method="mle", diffusion=0.0, movies=SAMPLES):
    """Return how far off the places of simulated molecules are, in nm, with all that is found."""
    movie = simulate(np.full(movies, diffusion), imaging, generator(0, "errors", method))
    found = localise(movie.frames, imaging, method)
    assert np.isfinite(found.sigma_nm).all()
    return found.positions_nm - movie.positions_nm.mean(axis=2), found


def at(*places_nm):
    return np.array(places_nm, float)[:, None, None]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"background": 0.0},
        {"read_noise": 3.0},
        {"camera": "emccd"},
        {"camera": "emccd", "read_noise": 4.0, "gain": 30.0, "offset": 100.0},
        {"psf_sigma_nm": 90.0},
        {"photons": 300.0, "background": 0.2},
    ],
)
def test_maximum_likelihood_reaches_the_bound_and_knows_it(changes):
    imaging = STILL.replace(**changes)
    error, found = errors(imaging)
    chance = 4 / math.sqrt(2 * error.size)  # four standard errors of a standard deviation
    assert error.std() == pytest.approx(localisation_bound(imaging), rel=chance)
    assert math.sqrt(np.mean(found.sigma_nm**2)) == pytest.approx(error.std(), rel=chance)
    pull = found.photons.mean() - imaging.photons, found.background.mean() - imaging.background
    assert np.abs(pull[0]) < 0.005 * imaging.photons and np.abs(pull[1]) < 0.05
    assert found.width_nm.mean() == pytest.approx(imaging.psf_sigma_nm, rel=0.005)


@pytest.mark.parametrize("method", METHODS)
def test_no_bias_wherever_in_a_pixel(method):
    """The squared mean errors at nine places, each over its standard error, add up to chi squared."""
    places = [(x, y) for x in (-50.0, -20.0, 30.0) for y in (0.0, 25.0, 45.0)]
    truth = np.repeat(at(*places), 300, axis=0)
    found = localise(render(truth, STILL, generator(0, "places")), STILL, method)
    error = (found.positions_nm - truth[:, :, 0]).reshape(len(places), 300, 2)
    squares = error.mean(axis=1) ** 2 / (error.var(axis=1, ddof=1) / 300)
    assert squares.sum() < stats.chi2.isf(1e-3, squares.size)


@pytest.mark.parametrize("method", ["centroid", "radial"])
@pytest.mark.parametrize("changes", [{}, {"photons": 500, "background": 1.0}, {"camera": "emccd", "read_noise": 2.0}])
def test_other_methods_scatter_as_they_say_and_never_less_than_the_bound(method, changes):
    imaging = STILL.replace(**changes)
    error, found = errors(imaging, method)
    chance = 4 / math.sqrt(2 * error.size)
    bound = localisation_bound(imaging)
    assert bound * (1 - chance) < error.std() < 1.4 * bound
    assert math.sqrt(np.mean(found.sigma_nm**2)) == pytest.approx(error.std(), rel=chance + 0.02)  # to first order
    assert found.photons.mean() == pytest.approx(imaging.photons, rel=0.02)
    assert found.background.mean() == pytest.approx(imaging.background, rel=0.02)
    assert np.isnan(found.width_nm).all()


def test_it_is_the_maximum_that_a_general_optimiser_finds():
    imaging = STILL.replace(photons=200.0, size=15)
    truth = np.repeat(at((12.0, -31.0)), 4, axis=0)
    frames = render(truth, imaging, generator(0, "optimiser"))
    found = localise(frames, imaging)

    edges = np.arange(16) - 7.5

    def loss(values, frame):
        x, y, width = values[[0, 1, 4]]
        across, down = (np.diff(stats.norm.cdf(edges, place, width)) for place in (x, y))
        expected = 1000 * values[2] * np.outer(down, across) + values[3]
        return -stats.poisson.logpmf(frame, expected).sum() if expected.min() > 0 else math.inf

    for i, frame in enumerate(frames[:, 0]):
        start = [0.1, -0.1, 0.1, 3.0, 1.0]
        simplex = np.vstack([start, start + np.diag([0.3, 0.3, 0.05, 2.0, 0.3])])
        options = {"initial_simplex": simplex, "maxfev": 5000, "xatol": 1e-5, "fatol": 1e-9}
        best = optimize.minimize(loss, start, frame, "Nelder-Mead", options=options).x * [100, 100, 1000, 1, 100]
        place, error = found.positions_nm[i, 0], found.sigma_nm[i, 0]
        assert place == pytest.approx(best[:2], abs=0.01 * error)
        values = found.photons[i, 0], found.background[i, 0], found.width_nm[i, 0]
        assert values == pytest.approx(best[2:], rel=1e-3)


@pytest.mark.parametrize("background", [0.2, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("pixel", [40.0, 100.0])
def test_bound_against_mortensen(background, pixel):
    """Mortensen et al., Nature Methods 7, 377 (2010), eq. 5: a Gaussian of the light's density at pixel centres."""
    imaging = Imaging(pixel_size_nm=pixel, photons=800, background=background)
    width2 = imaging.psf_sigma_nm**2 + pixel**2 / 12
    tau = 2 * math.pi * width2 * background / (imaging.photons * pixel**2)
    share = integrate.quad(lambda t: math.log(t) / (1 + t / tau), 0, 1)[0]
    assert localisation_bound(imaging) == pytest.approx(math.sqrt(width2 / imaging.photons / (1 + share)), rel=0.01)


def test_bound_in_its_limits():
    fine = Imaging(pixel_size_nm=5.0, photons=400, background=0.0)
    assert localisation_bound(fine) == pytest.approx(130 / math.sqrt(400), rel=1e-3)
    assert localisation_bound(fine, width_nm=200, photons=1e4) == pytest.approx(2.0, rel=1e-3)
    noisy = Imaging(background=1.0, read_noise=2.0)
    assert localisation_bound(noisy) == pytest.approx(localisation_bound(Imaging(), background=5.0))
    multiplied = localisation_bound(Imaging(camera="emccd"))
    assert multiplied == pytest.approx(math.sqrt(2) * localisation_bound(Imaging()))
    assert localisation_bound(Imaging(camera="emccd", read_noise=2.0)) < math.sqrt(2) * localisation_bound(noisy)
    dim = Imaging(photons=1.0, background=1e4)  # background alone makes the noise: as 1 / photons
    assert localisation_bound(dim, photons=2.0) == pytest.approx(localisation_bound(dim) / 2, rel=1e-4)
    assert localisation_bound(Imaging(photons=0)) == math.inf
    finest = Imaging(pixel_size_nm=1.0, background=1e-4, read_noise=0.01)  # as many photons on an area as in 10 nm
    assert localisation_bound(finest) == pytest.approx(
        localisation_bound(Imaging(pixel_size_nm=10.0, background=1e-2, read_noise=0.1)), rel=1e-3
    )


@pytest.mark.parametrize("method", METHODS)
def test_without_noise_the_place_is_exact(method):
    places = [(0.0, 0.0), (13.0, -42.0), (50.0, 50.0), (-730.0, 210.0)]
    found = localise(expected_images(at(*places), STILL), STILL, method)
    assert found.positions_nm[:, 0] == pytest.approx(np.array(places), abs=0.02 if method == "mle" else 1.0)
    assert found.photons[:, 0] == pytest.approx(STILL.photons, rel=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_turned_and_flipped_images_give_turned_and_flipped_places(method):
    frames = render(at((130.0, -270.0), (-333.0, 40.0)), STILL, generator(0, "turn"))[..., 2:]  # not square
    x, y = np.moveaxis(localise(frames, STILL, method).positions_nm, -1, 0)
    for image, expected in [
        (frames[..., ::-1], (-x, y)),
        (frames[..., ::-1, :], (x, -y)),
        (frames.swapaxes(-1, -2), (y, x)),
        (np.rot90(frames, axes=(-2, -1)), (y, -x)),
    ]:
        assert localise(image, STILL, method).positions_nm == pytest.approx(np.stack(expected, -1), abs=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_gain_and_offset_do_not_matter_if_they_are_known(method):
    frames = render(at((130.0, -270.0), (33.0, 40.0)), STILL, generator(0, "gain"))
    plain = localise(frames, STILL, method)
    scaled = localise(2.5 * frames + 300, STILL.replace(gain=2.5, offset=300), method)
    for one, other in zip(plain, scaled, strict=True):
        assert other == pytest.approx(one, rel=1e-3, abs=1e-3, nan_ok=True)


@pytest.mark.parametrize("camera", ["scmos", "emccd"])
@pytest.mark.parametrize("read_noise", [0.0, 1.5])
@pytest.mark.parametrize("background", [0.0, 0.05, 1.0, 30.0])
def test_noise_rarely_passes_for_a_molecule(camera, read_noise, background):
    """At most one frame in a thousand is promised; more than a binomial gives in one of 1000 cases are a failure."""
    blank = Imaging(
        size=32, frames=40, substeps=1, photons=0, camera=camera, read_noise=read_noise, background=background
    )
    found = localise(simulate(np.zeros(100), blank, generator(0, "blank")).frames, blank, "radial")
    taken = np.isfinite(found.background)
    assert taken.sum() <= stats.binom.isf(1e-3, taken.size, 1e-3)
    for values in found:
        assert np.isnan(values[~taken]).all()
    bright = blank.replace(photons=60 * math.sqrt(1 + 2 * background + read_noise**2))
    seen = localise(simulate(np.zeros(10), bright, generator(0, "bright")).frames, bright)
    assert np.isfinite(seen.sigma_nm).mean() > 0.99


def test_a_moving_molecule_is_where_it_was_on_average():
    imaging = Imaging(frames=10, size=48)
    error, found = errors(imaging, diffusion=1.0)
    widened = math.sqrt(130**2 + 1e6 * 0.01 / 3 * (1 - 1 / imaging.substeps**2))
    assert math.sqrt(np.mean(found.width_nm**2)) == pytest.approx(widened, rel=0.01)
    assert error.mean(axis=(0, 1)) == pytest.approx(0, abs=4 * error.std() / math.sqrt(error.size / 2))
    assert error.std() == pytest.approx(localisation_bound(imaging, widened), rel=0.05)  # no path is a Gaussian
    assert math.sqrt(np.mean(found.sigma_nm**2)) == pytest.approx(error.std(), rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_border_and_beyond(method):
    """Half the light falls outside at 1200 nm; at 1700 nm none is left."""
    places = at(*[(x, 100.0) for x in (-1700.0, -1150.0, 0.0, 1150.0, 1200.0, 1700.0)])
    found = localise(render(places, STILL, generator(0, "border")), STILL, method)
    assert np.isfinite(found.sigma_nm[:, 0]).tolist() == [False, True, True, True, True, False]
    inside = slice(1, 5)
    error = np.abs(found.positions_nm[inside, 0] - places[inside, 0, 0])
    assert np.all(error < (5 * found.sigma_nm[inside] if method == "mle" else 120.0))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3), (5, 4)])
def test_tiny_and_senseless_frames_are_survived(method, shape):
    rng = generator(0, "tiny")
    for frames in (np.zeros(shape), np.full(shape, -7.0), rng.normal(0, 5, shape), rng.exponential(1e12, shape)):
        found = localise(frames[None, None], STILL, method)
        assert np.isfinite(found.positions_nm).all(axis=-1) == np.isfinite(found.sigma_nm)
    assert localise(np.zeros((0, 3, *shape)), STILL, method).positions_nm.shape == (0, 3, 2)


@pytest.mark.parametrize(
    ("frames", "method", "message"),
    [
        (np.zeros((2, 5, 5)), "mle", r"frames must be \(n, T, H, W\), got \(2, 5, 5\)"),
        (np.zeros((2, 3, 0, 5)), "mle", r"frames must be \(n, T, H, W\), got \(2, 3, 0, 5\)"),
        (np.full((1, 1, 5, 5), math.nan), "mle", "frames must be finite counts"),
        (np.zeros((1, 1, 5, 5)), "gauss", "method must be one of mle, centroid, radial, got 'gauss'"),
    ],
)
def test_what_cannot_be_localised_is_refused(frames, method, message):
    with pytest.raises(ValueError, match=message):
        localise(frames, STILL, method)


def test_a_blur_is_no_spot():
    with pytest.raises(ValueError, match="standard deviation of at most 20 pixels, got 30"):
        localise(np.zeros((1, 1, 9, 9)), STILL.replace(psf_sigma_nm=3000.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width_nm": 0.0}, "width_nm must be positive, got 0.0"),
        ({"photons": -1.0}, "photons must be a finite number of at least 0, got -1.0"),
        ({"background": math.nan}, "background must be a finite number of at least 0, got nan"),
    ],
)
def test_what_has_no_bound_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        localisation_bound(STILL, **options)
