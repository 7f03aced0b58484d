"""What many paths and movies come to: closed forms, published theory, and errors that are as large as they say."""

import numpy as np
import pytest
from scipy import stats

from particlelab import diffusion
from particlelab.randomness import generator

SURVEY = diffusion.Survey(movies=100, paths=2000)


def test_frames_of_faster_molecules_are_dimmer_the_farther_they_moved():
    """Positions at the middles of ten parts of an exposure e scatter by D e (1 - 1/100) / 3 along an axis."""
    table = diffusion.correlate_brightness(SURVEY, (0.1, 10.0))
    expected = 1e3 * np.sqrt(table.true_um2_s * 0.01 * 0.99 / 3)
    chance = 4 * 0.4**0.5 / 2 / 1000**0.5  # variances of two Brownian axes have a relative variance of 0.4
    assert table.spread_nm.to_numpy() == pytest.approx(expected.to_numpy(), rel=chance)
    slow, fast = table.rank_correlation
    assert fast < slow < 0 and fast < -0.5
    assert table.peak_counts[1] < table.peak_counts[0]


def test_a_camera_has_the_mean_and_variance_that_physics_says():
    """Poisson: the variance is the mean; multiplication doubles it; read noise is added; the gain is squared."""
    cameras = {
        "shot noise": diffusion.Imaging(size=16, background=5.0),
        "read noise": diffusion.Imaging(size=16, background=5.0, read_noise=2.0),
        "emccd": diffusion.Imaging(size=16, background=5.0, camera="emccd"),
        "gain": diffusion.Imaging(size=16, background=5.0, gain=3.0, offset=100.0),
    }
    table = diffusion.measure_background(cameras, SURVEY)
    assert list(table.camera) == list(cameras)
    assert list(table.expected_mean) == [5, 5, 5, 115]
    assert list(table.expected_variance) == [5, 9, 10, 45]
    pixels = SURVEY.movies * 16**2
    assert (np.abs(table["mean"] - table.expected_mean) < 4 * np.sqrt(table.expected_variance / pixels)).all()
    assert (np.abs(table.variance - table.expected_variance) < 4 * table.variance_error).all()
    fourth = 5 + 3 * 5**2  # central moment of a Poisson variable
    assert table.variance_error[0] == pytest.approx(np.sqrt((fourth - 5**2) / pixels), rel=0.05)


@pytest.mark.parametrize(("exposure_s", "substeps"), [(0.01, 10), (0.004, 3), (0.01, 1)])
def test_blur_is_that_of_the_covariance_of_brownian_motion(exposure_s, substeps):
    """The covariance of all positions is 2 D min(t, t'); what is looked for are sums of its elements."""
    motion = diffusion.Motion(frames=6, exposure_s=exposure_s, substeps=substeps)
    d, dt = 0.7, motion.interval_s
    paths = diffusion.draw_paths(np.full(3000, d), motion, generator(1, "blur"))
    table = diffusion.measure_blur(paths, d, motion)
    times = (np.arange(6)[:, None] * dt + (np.arange(substeps) + 0.5) * exposure_s / substeps).ravel()
    covariance = 2 * np.minimum(times[:, None], times) / dt
    means = np.kron(np.eye(6), np.full((1, substeps), 1 / substeps))
    steps = np.diff(means, axis=0) @ covariance @ np.diff(means, axis=0).T
    first = covariance[:substeps, :substeps]
    within = np.trace(first) / substeps - first.mean()
    assert table.expected.to_numpy() == pytest.approx([*steps[2, 2:5], within], abs=1e-9)
    moving = table.error > 0  # a single position has no spread
    assert (table.z_score[moving].abs() < 4).all() and table.found[~moving].eq(0).all()


def test_light_that_is_collected_all_the_time_blurs_as_berglund_says():
    paths = np.zeros((2, 4, 10, 2))
    table = diffusion.measure_blur(paths + generator(0).standard_normal(paths.shape), 1.0, diffusion.Motion())
    assert table.continuous.to_numpy() == pytest.approx([4 / 3, 1 / 3, 0, 1 / 3])


def test_scatter_of_numbers_by_hand():
    """0 to 4 times D: a mean of 2, a variance of 2, a fourth moment of (16 + 1 + 0 + 1 + 16) / 5."""
    table = diffusion.describe_scatter(3.0 * np.arange(5), 3.0)
    assert table.over_d[["smallest", "5 % are smaller", "median", "5 % are larger", "largest"]].tolist() == (
        pytest.approx([0, 0.2, 2, 3.8, 4])
    )
    assert table.loc["mean"].tolist() == pytest.approx([2, np.sqrt(2 / 5)])
    deviation, error = table.loc["standard deviation"]
    assert deviation == pytest.approx(np.sqrt(2))
    assert error == pytest.approx(np.sqrt((6.8 - 4) / 5) / (2 * np.sqrt(2)))  # of the variance, over twice the root


def test_errors_of_a_scatter_are_those_of_many_samples():
    samples = generator(0, "samples").exponential(1.5, (400, 500))
    tables = [diffusion.describe_scatter(sample, 1.5) for sample in samples]
    for name in ("mean", "standard deviation"):
        found, said = np.transpose([table.loc[name] for table in tables])
        assert said.mean() == pytest.approx(found.std(), rel=0.15)


def test_the_documents_targets_scatter_by_most_of_d():
    """160 positions without noise tell D to 8 %; the slope of all lags scatters by ten times as much."""
    motion = diffusion.Motion()
    paths = diffusion.draw_paths(np.full(1000, 2.0), motion, generator(0, "targets")).reshape(1000, -1, 2)
    targets = diffusion.fit_all_lags(paths, motion.exposure_s / motion.substeps)
    table = diffusion.describe_scatter(targets, 2.0)
    mean, scatter = table.loc["mean"], table.loc["standard deviation"]
    assert abs(mean.over_d - 1) < 4 * mean.error
    assert scatter.over_d > 8 / 159**0.5


def test_the_brightest_pixel_of_a_still_molecule_holds_the_integral_of_its_gaussian():
    """Averaged over places within that pixel: along each axis a mean of error functions."""
    place = (np.arange(1000) + 0.5) / 10 - 50
    along = stats.norm.cdf(50 - place, scale=130) - stats.norm.cdf(-50 - place, scale=130)
    expected, scatter = 500 * along.mean() ** 2, 500 * np.sqrt((along**2).mean() ** 2 - along.mean() ** 4)
    table = diffusion.measure_peaks(SURVEY, (0.0, 10.0))
    assert table.photons[0] == pytest.approx(expected, abs=4 * scatter / 50**0.5)
    assert table.standard_deviation[0] == pytest.approx(scatter, rel=0.4)
    assert table.photons[1] < table.photons[0]
    assert set(table.document) == {40.96}


def test_paths_leave_the_view_as_often_as_a_brownian_motion_between_walls():
    """Two axes with absorbing walls (Fourier series), moved outwards by 0.5826 steps, as positions are discrete
    (Broadie, Glasserman and Kou, Mathematical Finance 7, 325, 1997)."""
    survey = diffusion.Survey(paths=4000)
    table = diffusion.count_leaving(survey, (0.015, 0.05))
    half_um, time_s, odd = 0.16, 0.159, 2 * np.arange(50) + 1
    for row in table.itertuples():
        wall = half_um + 0.5826 * np.sqrt(2 * row.true_um2_s * 0.001)
        modes = (-1.0) ** np.arange(50) / odd * np.exp(-((odd * np.pi / 2) ** 2) * row.true_um2_s * time_s / wall**2)
        expected = 1 - (4 / np.pi * modes.sum()) ** 2
        assert row.share == pytest.approx(expected, abs=4 * row.error + 0.005)
        assert row.error == pytest.approx(np.sqrt(expected * (1 - expected) / 4000), rel=0.1)


def test_precision_of_bright_molecules_is_that_of_the_bound():
    """Two independent normal errors for each of n frames: their root mean square scatters by 1 / (2 sqrt(n))."""
    table = diffusion.measure_precision(SURVEY, (50.0, 1000.0), ("mle", "centroid")).set_index(["photons", "method"])
    best, other = table.loc[1000.0, "mle"], table.loc[1000.0, "centroid"]
    assert best.found == other.found == 1
    assert best.error_nm_error == pytest.approx(best.error_nm / (2 * 400**0.5), rel=0.2)
    assert best.error_nm == pytest.approx(best.bound_nm, abs=4 * best.error_nm_error)
    assert other.error_nm > best.error_nm
    dim = table.loc[50.0, "mle"]
    assert dim.found < 1 and dim.error_nm < 3 * 130 / 2**0.5  # what is farther away is not the molecule


def test_mean_squared_displacements_are_those_of_theory():
    table = diffusion.compare_motions(diffusion.Survey(paths=4000, diffusion_um2_s=0.5), side_nm=300.0)
    kinds = dict(list(table.groupby("motion")))
    confined = kinds.pop("confined to 300 nm")
    for rows in kinds.values():
        assert (np.abs(rows.msd_um2 - rows.expected_um2) < 4.5 * rows.msd_error_um2).all()
    # along each axis it has forgotten after side^2 / (pi^2 D) = 18 ms where it was; two places anywhere then are
    # side^2 / 6 apart
    late = confined[confined.lag_s > 0.1]
    assert late.expected_um2.to_numpy() == pytest.approx(2 * 0.3**2 / 6)
    assert (np.abs(late.msd_um2 - late.expected_um2) < 4.5 * late.msd_error_um2).all()
    assert set(kinds) == {"free", "drift of 4 µm/s", "two states"}
