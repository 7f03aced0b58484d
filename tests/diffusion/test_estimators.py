"""Estimators of diffusion: published bounds and scatter, likelihoods maximised by brute force, and symmetries."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from particlelab.diffusion.bounds import crlb
from particlelab.diffusion.estimators import Estimate, _form, _variance, estimate, mean_squared_displacement
from particlelab.diffusion.motion import Motion, blur_coefficient, draw_paths
from particlelab.randomness import generator

D, INTERVAL = 0.7, 0.02  # um2/s, s
RATIOS = [0.0, 0.1, 0.25, 1.0]  # s^2 / (D dt)
BOUND = {True: [0.258, 0.303, 0.347, 0.466], False: [0.383, 0.411, 0.443, 0.541]}  # 16 frames; by whether s is known
COVARIANCE_BASED = {True: [0.274, 0.304, 0.356, 0.671], False: [0.409, 0.422, 0.444, 0.586]}
METHODS = ["msd", "cve", "mle"]
EACH_RATIO = pytest.mark.parametrize(("i", "ratio"), list(enumerate(RATIOS)))
EACH_KNOWN = pytest.mark.parametrize("known", [True, False])
EACH_METHOD = pytest.mark.parametrize("method", METHODS)


def sigma_of(ratio):
    """Return the error in nm that is so large beside the motion between frames."""
    return 1e3 * math.sqrt(ratio * D * INTERVAL)


def positions_covariance(diffusion, sigma_nm, frames, blur):
    """Return the covariance in nm2 of blurred positions along an axis, from that of Brownian motion."""
    frames = np.asarray(frames, float)
    shared = np.minimum(frames[:, None], frames) + 0.5 - blur * np.eye(len(frames))  # intervals, on average
    return 2e6 * diffusion * INTERVAL * shared + np.diag(np.broadcast_to(sigma_nm, len(frames)) ** 2)


def displacements_covariance(*arguments):
    return np.diff(np.diff(positions_covariance(*arguments), axis=0), axis=1)


def draw(n, frames, rng, sigma_nm=0.0, diffusion=D, blur=1 / 6):
    """Draw n tracks from the covariance of the model, (n, frames, 2)."""
    root = np.linalg.cholesky(positions_covariance(diffusion, sigma_nm, np.arange(frames), blur))
    return root @ rng.standard_normal((n, frames, 2))


def lose(positions, share, rng):
    """Return tracks in which the molecule was not seen in a share of the frames."""
    return np.where(rng.random((*positions.shape[:2], 1)) < share, np.nan, positions)


# the bound


@EACH_KNOWN
@EACH_RATIO
def test_bounds_are_those_published(i, ratio, known):
    assert crlb(D, INTERVAL, 16, sigma_of(ratio), sigma_known=known) == pytest.approx(BOUND[known][i], abs=6e-4)


@pytest.mark.parametrize(("frames", "blur", "sigma_nm"), [(3, 0.0, 100.0), (16, 1 / 6, 30.0), (40, 0.25, 300.0)])
def test_bounds_are_those_of_the_whole_covariance_matrix(frames, blur, sigma_nm):
    covariance = displacements_covariance(D, sigma_nm, np.arange(frames), blur)
    slopes = [displacements_covariance(1.0, 0.0, np.arange(frames), blur)]  # with D, and with the variance of the error
    slopes.append(displacements_covariance(0.0, 1.0, np.arange(frames), blur))
    parts = [np.linalg.solve(covariance, slope) for slope in slopes]
    information = np.array([[np.trace(a @ b) for b in parts] for a in parts])  # half of it for each axis
    assert crlb(D, INTERVAL, frames, sigma_nm, blur) == pytest.approx(information[0, 0] ** -0.5 / D)
    unknown = math.sqrt(np.linalg.inv(information)[0, 0]) / D
    assert crlb(D, INTERVAL, frames, sigma_nm, blur, sigma_known=False) == pytest.approx(unknown)


def test_bounds_of_arrays_are_those_of_numbers():
    diffusion, sigma = np.array([[0.1], [1.0]]), np.array([0.0, 20.0, 50.0])
    bounds = crlb(diffusion, INTERVAL, 16, sigma)
    assert bounds.shape == (2, 3) and bounds[1, 2] == crlb(1.0, INTERVAL, 16, 50.0)
    assert np.allclose(bounds[:, 0], 1 / math.sqrt(15))  # without an error, 30 independent numbers tell one variance
    assert np.all(np.diff(bounds, axis=1) > 0) and np.all(bounds[0, 1:] > bounds[1, 1:])


# intervals


@pytest.mark.parametrize("ratio", RATIOS[:3])
@pytest.mark.parametrize(("frames", "least"), [(5, 0.90), (8, 0.92), (16, 0.92), (40, 0.92)])
def test_intervals_hold_the_true_d(frames, least, ratio):
    """Of 95 %, as often as they say but for 3 %, or 5 % of the shortest tracks; D ± 1.96 errors hold 84 to 93 %."""
    sigma = sigma_of(ratio)
    low, high = estimate(draw(4000, frames, generator(3, frames), sigma), INTERVAL, "mle", sigma).interval(0.95)
    assert least < np.mean((low < D) & (high > D)) < 0.98


def test_intervals_of_next_to_no_error_are_even_and_those_of_noise_alone_end():
    found = Estimate(np.array([1.0, 1e-9, -0.1]), np.array([1e-4, 0.5, 0.0]))
    low, high = found.interval(0.95)
    assert (high[0] - 1, 1 - low[0]) == pytest.approx((1.96e-4, 1.96e-4), rel=1e-3)
    assert high[1] < 0.5 * math.exp(1.96) and low[1] < 0
    assert low[2] == high[2] == -0.1


# bias and scatter


@EACH_KNOWN
@EACH_RATIO
def test_covariance_based_estimates_scatter_as_published(i, ratio, known):
    sigma = sigma_of(ratio)
    found, error = estimate(draw(10_000, 16, generator(0, i), sigma), INTERVAL, "cve", sigma if known else None)
    assert found.mean() / D == pytest.approx(1, abs=0.02)
    assert found.std() / D == pytest.approx(COVARIANCE_BASED[known][i], rel=0.05)
    assert np.median(error) / D == pytest.approx(COVARIANCE_BASED[known][i], rel=0.1)


@EACH_RATIO
def test_likeliest_diffusion_scatters_near_the_bound_if_the_error_is_known(i, ratio):
    sigma = sigma_of(ratio)
    found, error = estimate(draw(10_000, 16, generator(0, i), sigma), INTERVAL, "mle", sigma)
    assert found.mean() / D == pytest.approx(1, abs=0.02)
    assert found.std() / D == pytest.approx(BOUND[True][i], rel=0.05)
    assert np.median(error) / D == pytest.approx(BOUND[True][i], rel=0.05)


@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0])
@EACH_METHOD
def test_long_tracks_need_not_know_the_error(method, ratio):
    """The likelihood's maximum reaches the bound; the lags' is next to it, whatever the error."""
    found, error = estimate(draw(1000, 200, generator(0, "long"), sigma_of(ratio)), INTERVAL, method)
    bound = crlb(D, INTERVAL, 200, sigma_of(ratio), sigma_known=False)
    above = {"mle": 1.0, "msd": 1.1, "cve": 1.0 if ratio < 1 else 2.5}[method]
    assert found.mean() / D == pytest.approx(1, abs=0.02)
    assert 0.93 * bound < found.std() / D < 1.08 * above * bound
    assert np.sqrt((error**2).mean()) == pytest.approx(found.std(), rel=0.1)


@EACH_KNOWN
@EACH_METHOD
def test_exposures_of_simulated_paths(method, known):
    """Positions of draw_paths, averaged over each exposure: 0.4 of the interval, so that they blur less."""
    motion = Motion(frames=50, exposure_s=0.4 * INTERVAL, interval_s=INTERVAL, substeps=20)
    rng, sigma = generator(0, "exposures"), sigma_of(0.25)
    positions = draw_paths(np.full(4000, D), motion, rng).mean(axis=2)
    positions += sigma * rng.standard_normal(positions.shape)
    blur = blur_coefficient(motion)
    found, error = estimate(positions, INTERVAL, method, sigma if known else None, blur)
    bound = crlb(D, INTERVAL, 50, sigma, blur, known)
    assert found.mean() / D == pytest.approx(1, abs=0.02)
    assert 0.93 * bound < found.std() / D < 1.12 * bound  # below it as the likeliest error is never negative
    assert np.sqrt((error**2).mean()) == pytest.approx(found.std(), rel=0.07)


@EACH_KNOWN
@EACH_METHOD
def test_tracks_with_gaps_are_unbiased(method, known):
    rng, sigma = generator(0, "gaps"), sigma_of(0.25)
    whole = draw(4000, 60, rng, sigma)
    found, error = estimate(lose(whole, 0.3, rng), INTERVAL, method, sigma if known else None)
    assert found.mean() / D == pytest.approx(1, abs=0.025)
    assert found.std() > 0.95 * D * crlb(D, INTERVAL, 60, sigma, sigma_known=known)  # of all frames
    assert np.sqrt((error**2).mean()) == pytest.approx(found.std(), rel=0.1)


@EACH_METHOD
def test_errors_of_each_frame_are_taken_into_account(method):
    rng = generator(0, "frames")
    sigma = rng.uniform(0, 2 * sigma_of(1), (3000, 30))
    positions = draw(3000, 30, rng) + sigma[..., None] * rng.standard_normal((3000, 30, 2))
    found, error = estimate(positions, INTERVAL, method, sigma)
    assert found.mean() / D == pytest.approx(1, abs=0.025)
    assert np.sqrt((error**2).mean()) == pytest.approx(found.std(), rel=0.1)
    likeliest = estimate(positions, INTERVAL, "mle", sigma).diffusion_um2_s
    assert likeliest.std() < found.std() * 1.001


@EACH_KNOWN
@EACH_METHOD
def test_molecules_at_rest(method, known):
    rng, sigma = generator(0, "rest"), 30.0
    found, error = estimate(sigma * rng.standard_normal((3000, 16, 2)), INTERVAL, method, sigma if known else None)
    assert np.all(error > 0) and np.isfinite(error).all()
    assert (np.abs(found) < 1.96 * error).mean() > 0.9
    if method == "mle":  # the highest likelihood is at 0 for more than half of them, and its error is that at 0
        assert found.min() == 0 and 0.5 < (found == 0).mean() < 0.8
        limit = 1e-6 * D  # so slow that the bound is that at rest
        at_rest = limit * crlb(limit, INTERVAL, 16, sigma, sigma_known=known)
        assert np.median(error[found == 0]) == pytest.approx(at_rest, rel=1e-3 if known else 0.1)
    elif method == "cve":
        assert abs(found.mean()) < 4 * found.std() / math.sqrt(3000) and 0.4 < (found < 0).mean() < 0.6


# each track


@pytest.mark.parametrize("ratio", [0.0, 0.3, 3.0, math.inf])
@EACH_KNOWN
def test_likeliest_diffusion_is_that_of_brute_force(ratio, known):
    """The highest likelihood on a grid of D and the error, climbed from there, with whole covariance matrices."""
    rng = generator(0, "brute force", str(ratio))
    diffusion, sigma = (1e-12, 80.0) if ratio == math.inf else (D, sigma_of(ratio))
    for blur, lost in ((1 / 6, 0.0), (0.05, 0.4)):
        sigmas = sigma * rng.uniform(0.3, 2, 12) if known else np.full(12, sigma)
        whole = draw(3, 12, rng, 0.0, diffusion, blur) + sigmas[:, None] * rng.standard_normal((3, 12, 2))
        tracks = lose(whole, lost, rng)
        found = estimate(tracks, INTERVAL, "mle", np.tile(sigmas, (3, 1)) if known else None, blur).diffusion_um2_s
        expected = [likeliest(track, sigmas if known else None, blur) for track in tracks]
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)


def likeliest(track, sigmas, blur):
    at = np.flatnonzero(~np.isnan(track[:, 0]))
    steps = np.diff(track[at], axis=0).T

    def deviance(roots):  # D is the square of a root, so that it is never negative
        errors = roots[1] if sigmas is None else sigmas[at]
        try:
            normal = stats.multivariate_normal(cov=displacements_covariance(roots[0] ** 2, errors, at, blur))
        except np.linalg.LinAlgError:  # neither motion nor errors
            return math.inf
        return -normal.logpdf(steps).sum()

    errors = [0.0] if sigmas is not None else [0.0, *np.geomspace(3, 300, 12)]
    start = min(((root, error) for root in np.geomspace(0.003, 5, 25) for error in errors), key=deviance)
    options = {"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000, "maxfev": 8000}
    return optimize.minimize(deviance, start, method="Nelder-Mead", options=options).x[0] ** 2


@EACH_KNOWN
@pytest.mark.parametrize("lost", [0.0, 0.3])
@pytest.mark.parametrize("ratio", [0.1, 3.0, 30.0])
def test_line_has_the_number_of_lags_with_the_least_variance(ratio, lost, known):
    """By least squares for every number of lags, and whole matrices at the parameters it led to."""
    rng, sigma, above = generator(0, "line", lost), sigma_of(ratio), []
    tracks = lose(draw(30, 14, rng, sigma), lost, rng)
    for track, found, error in zip(tracks, *estimate(tracks, INTERVAL, "msd", sigma if known else None), strict=True):
        at = np.flatnonzero(~np.isnan(track[:, 0]))
        seen = 1e-3 * track[at]
        noise = (1e-3 * sigma) ** 2
        if not known:
            free = (np.diff(seen, axis=0) ** 2).sum(axis=1).mean() / 4  # had the molecule been at rest
            noise = free - found * INTERVAL * (np.diff(at).mean() - 1 / 3)
        if found <= 0 or noise < 0:
            continue
        covariance = 1e-6 * positions_covariance(found, 1e3 * math.sqrt(noise), at, 1 / 6)
        squares = list(lines_through_lags(at, known))
        values = [np.trace(seen.T @ square @ seen) / 2 - (known and noise * np.trace(square)) for square in squares]
        variances = [np.trace(square @ covariance @ square @ covariance) for square in squares]
        chosen = int(np.argmin(np.abs(np.array(values) - found)))
        assert found == pytest.approx(values[chosen]) and error == pytest.approx(math.sqrt(variances[chosen]))
        above.append(variances[chosen] / min(variances))
    assert len(above) > 15 and np.median(above) < 1.02
    assert max(above) < 3  # with either of two numbers of lags, the other seems better to a few tracks


def lines_through_lags(at, known):
    """Yield the matrix M, with which D is x'Mx of positions x, of a line through more and more lags."""
    lag = np.abs(np.subtract.outer(at, at))
    present = np.unique(lag)[1:]
    matrices = []
    for k in present:  # mean square of x_j - x_i over all pairs at a lag
        pairs = (lag == k).astype(float)
        matrices.append(2 * (np.diag(pairs.sum(axis=0)) - pairs) / pairs.sum())
    for count in range(1 if known else 2, len(present) + 1):
        design = 2 * INTERVAL * (present[:count, None] - 1 / 3)
        weights = np.linalg.pinv(design if known else np.hstack([design, np.ones((count, 1))]))[0]
        yield np.tensordot(weights, matrices[:count], 1)


@pytest.mark.parametrize(("frames", "lag"), [(2, 1), (16, 1), (16, 4), (100, 7), (100, 50)])
def test_variance_of_mean_squared_displacements(frames, lag):
    """Qian, Sheetz and Elson (1991): free diffusion in two dimensions, overlapping pairs."""
    pairs = frames - lag
    expected = (4 * lag**2 * pairs + 2 * pairs + lag - lag**3) / (6 * lag * pairs**2)
    form = _form(np.array([lag]), np.array([1 / pairs]), np.arange(frames))
    track = np.zeros((frames, 2)), np.arange(frames), np.zeros(frames)
    assert _variance(form, track, (1.0, 1.0), 0.0) / (2 * lag) ** 2 == pytest.approx(expected)


@EACH_RATIO
def test_standard_errors_are_those_of_vestergaard(i, ratio):
    """Variances of the covariance-based estimator (2014), with e = s^2 / (D dt) - 2R, here for two axes."""
    steps, e = 999, ratio - 1 / 3
    unknown = (6 + 4 * e + 2 * e**2) / steps + 4 * (1 + e) ** 2 / steps**2
    known = (2 + 4 * e + 3 * e**2) / steps / (1 - 1 / 3) ** 2
    for sigma, variance in ((None, unknown), (sigma_of(ratio), known)):
        errors = estimate(draw(40, 1000, generator(0, i), sigma_of(ratio)), INTERVAL, "cve", sigma).standard_error
        assert np.mean(errors) / D == pytest.approx(math.sqrt(variance / 2), rel=0.03)


@EACH_METHOD
def test_mean_square_is_all_there_is_without_blur_and_errors(method):
    tracks = draw(5, 16, generator(0, "free"), blur=0.0)
    mean_square = (np.diff(1e-3 * tracks, axis=1) ** 2).mean(axis=(1, 2))
    found, error = estimate(tracks, INTERVAL, method, 0.0, blur=0.0)
    assert found == pytest.approx(mean_square / (2 * INTERVAL), rel=1e-5)
    assert error == pytest.approx(found / math.sqrt(15))


@EACH_KNOWN
@EACH_METHOD
def test_units_directions_and_the_arrow_of_time(method, known):
    rng = generator(0, "symmetries")
    tracks, sigma = lose(draw(50, 16, rng, 60.0), 0.2, rng), rng.uniform(40, 80, (50, 16))

    def run(positions, interval_s=INTERVAL, errors=sigma):
        return np.array(estimate(positions, interval_s, method, errors if known else None))

    expected = run(tracks)
    assert np.isfinite(expected).all()
    close = {"rtol": 1e-4, "atol": 1e-6}
    assert np.allclose(run(2 * tracks, errors=2 * sigma), 4 * expected, **close)
    assert np.allclose(run(tracks, 2 * INTERVAL), expected / 2, **close)
    c, s = math.cos(0.7), math.sin(0.7)
    assert np.allclose(run(tracks @ np.array([[c, -s], [s, c]]) + 1e4), expected, **close)
    assert np.allclose(run(tracks[:, ::-1], errors=sigma[:, ::-1]), expected, **close)
    later = np.full((50, 5, 2), np.nan), tracks, np.full((50, 3, 2), np.nan)
    errors = np.pad(sigma, ((0, 0), (5, 3)), constant_values=np.nan)  # there are none where nothing was seen
    assert np.allclose(run(np.concatenate(later, axis=1), errors=errors), expected, **close)


@EACH_METHOD
def test_an_error_for_all_for_each_track_and_for_each_frame(method):
    tracks = draw(4, 16, generator(0, "shapes"), 30.0)
    one, each, all_of_them = (
        np.array(estimate(tracks, INTERVAL, method, sigma)) for sigma in (30, np.full(4, 30.0), np.full((4, 16), 30))
    )
    assert np.array_equal(one, each) and np.array_equal(one, all_of_them)


@EACH_KNOWN
@EACH_METHOD
def test_tracks_that_are_short_or_stand_still(method, known):
    tracks = draw(4, 9, generator(0, "short"), 30.0)
    tracks[0, 2:] = np.nan
    tracks[1, [0, 2, 3, 5, 6, 7], 1] = np.nan  # three are left, two and seven frames apart
    tracks[2] = np.nan
    tracks[3] = 5.0
    found, error = estimate(tracks, INTERVAL, method, 30.0 if known else None)
    assert np.isnan([found[[0, 2]], error[[0, 2]]]).all()
    assert np.isfinite([found[[1, 3]], error[[1, 3]]]).all() and error[1] > 0
    assert (error[3] > 0) == known and (found[3] <= 0)
    assert estimate(np.empty((0, 9, 2)), INTERVAL, method).diffusion_um2_s.shape == (0,)
    assert np.isnan(estimate(np.ones((1, 2, 2)), INTERVAL, method).standard_error).all()


@pytest.mark.parametrize("method", ["cve", "mle"])
def test_three_frames(method):
    """Two displacements; the estimate with a known error is a mean of squares, which is right on average."""
    found, _ = estimate(draw(20_000, 3, generator(0, "three")), INTERVAL, method, 0.0)
    assert found.mean() == pytest.approx(D, rel=0.03)
    assert found.std() / D == pytest.approx({"mle": 1 / math.sqrt(2), "cve": math.sqrt(17 / 32)}[method], rel=0.03)


# mean squared displacements


def test_mean_squared_displacements_of_a_straight_way_with_a_gap():
    """A way of 3 and 4 nm a frame: 25 lag^2 nm^2, whatever is missing; lag 3 of four frames needs both ends."""
    track = np.arange(4.0)[:, None] * [3.0, 4.0]
    track[1] = np.nan
    lags, msd = mean_squared_displacement(track)
    assert list(lags) == [1, 2, 3] and msd * 1e6 == pytest.approx([25, 100, 225])
    both = mean_squared_displacement(np.stack([track, np.where(np.arange(4)[:, None] < 3, track, np.nan)]), 3)[1]
    assert both[0] == pytest.approx(msd) and np.isnan(both[1]).tolist() == [True, False, True]


def test_mean_squared_displacements_of_free_diffusion():
    """4 D t, with the variance of Qian, Sheetz and Elson (1991) for overlapping pairs."""
    frames, n = 16, 4000
    path = draw_paths(np.full(n, 1.0), Motion(substeps=1), generator(0, "free"))[:, :, 0]
    lags, msd = mean_squared_displacement(path, 8)
    pairs = frames - lags
    variance = (4 * lags**2 * pairs + 2 * pairs + lags - lags**3) / (6 * lags * pairs**2)
    assert msd.mean(axis=0) == pytest.approx(0.04 * lags, rel=4 * np.sqrt(variance[-1] / n))
    assert msd.var(axis=0) / (0.04 * lags) ** 2 == pytest.approx(variance, rel=0.15)


# at the door


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positions_nm": np.zeros((16, 2))}, r"positions_nm must be \(n, T, 2\), .*, got \(16, 2\)"),
        ({"positions_nm": np.zeros((4, 16, 3))}, r"positions_nm must be .* got \(4, 16, 3\)"),
        ({"positions_nm": np.full((4, 16, 2), np.inf)}, "positions_nm must be finite, or NaN"),
        ({"interval_s": 0.0}, "interval_s must be positive, got 0.0"),
        ({"interval_s": math.nan}, "interval_s must be positive, got nan"),
        ({"method": "ols"}, "method must be one of msd, cve, mle, got 'ols'"),
        ({"blur": 0.3}, "blur must be between 0 and 1/4 .* got 0.3"),
        ({"localisation_sigma_nm": -1.0}, "localisation_sigma_nm must be at least 0 .* got -1 in track 0"),
        ({"localisation_sigma_nm": [1, 2, math.nan, 3]}, "at least 0 wherever .* got nan in track 2"),
        ({"localisation_sigma_nm": np.ones(16)}, r"must be a number, \(4,\) or \(4, 16\) .* got \(16,\)"),
    ],
)
def test_what_cannot_be_estimated_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        estimate(**{"positions_nm": np.zeros((4, 16, 2)), "interval_s": INTERVAL} | options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"diffusion_um2_s": [1.0, 0.0]}, "diffusion_um2_s must be positive"),
        ({"localisation_sigma_nm": -3}, "localisation_sigma_nm must be at least 0, got -3"),
        ({"interval_s": -1}, "interval_s must be positive, got -1"),
        ({"blur": -0.1}, "blur must be between 0 and 1/4"),
        ({"n_frames": 1}, "n_frames must be a whole number of at least 2, got 1"),
        ({"n_frames": 2, "sigma_known": False}, "n_frames must be a whole number of at least 3, got 2"),
        ({"n_frames": 16.5}, "n_frames must be a whole number of at least 2, got 16.5"),
    ],
)
def test_what_has_no_bound_is_refused(options, message):
    usual = {"diffusion_um2_s": 1.0, "interval_s": INTERVAL, "n_frames": 16, "localisation_sigma_nm": 20}
    with pytest.raises(ValueError, match=message):
        crlb(**usual | options)


@pytest.mark.parametrize(
    ("shape", "max_lag", "message"),
    [((4,), None, "positions_nm must be"), ((4, 3), None, "got"), ((4, 2), 4, "between 1 and 3")],
)
def test_displacements_of_what_is_no_track_are_refused(shape, max_lag, message):
    with pytest.raises(ValueError, match=message):
        mean_squared_displacement(np.zeros(shape), max_lag)
