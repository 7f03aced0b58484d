"""Brownian paths through exposures: covariances in closed form, walls, drift and two states."""

import numpy as np
import pytest

from particlelab import diffusion
from particlelab.parameters import ParameterError
from particlelab.randomness import generator

D = 2.0  # um^2/s


def paths(n, **values):
    return diffusion.draw_paths(np.full(n, D), diffusion.Motion(**values), generator(0, "paths"))


def within(values, expected, errors=4):
    """Whether a mean of independent rows agrees with what is expected, to so many standard errors."""
    rows = values.reshape(len(values), -1).mean(axis=1)
    return abs(rows.mean() - expected) < errors * rows.std() / len(rows) ** 0.5


@pytest.mark.parametrize("substeps", [1, 2, 10])
def test_averages_of_frames_have_the_covariance_of_blurred_motion(substeps):
    """2 D t (1 - 2R) and 2 R D t (Berglund 2010), with R of so many positions in an exposure without dead time."""
    mean = paths(20_000, substeps=substeps).mean(axis=2) / 1e3
    steps, blur = np.diff(mean, axis=1), (1 - 1 / substeps**2) / 6
    assert within(steps**2, 2 * D * 0.01 * (1 - 2 * blur))
    assert within(steps[:, 1:] * steps[:, :-1], 2 * blur * D * 0.01)
    assert within(steps[:, 2:] * steps[:, :-2], 0)


def test_positions_spread_within_a_frame_as_the_reference_says():
    """D t / 3 for a continuous exposure, 0.330 D t for ten positions in it."""
    spread = paths(20_000).var(axis=2) / 1e6
    assert within(spread, 0.33 * D * 0.01)


def test_dead_time_lengthens_increments_but_not_blur():
    """With an exposure e of an interval t, R = e / 6 t: the increments' variance is 2 D (t - e / 3)."""
    mean = paths(20_000, exposure_s=0.005, interval_s=0.02, substeps=50).mean(axis=2) / 1e3
    steps = np.diff(mean, axis=1)
    motion = diffusion.Motion(exposure_s=0.005, interval_s=0.02)
    assert diffusion.blur_coefficient(motion) == pytest.approx(0.25 / 6)
    assert within(steps**2, 2 * D * (0.02 - 0.005 / 3))
    assert within(steps[:, 1:] * steps[:, :-1], D * 0.005 / 3)


def test_without_diffusion_nothing_moves():
    assert not diffusion.draw_paths([0.0], diffusion.Motion(), generator(0)).any()


def test_a_confined_molecule_stays_inside_and_forgets_where_it_began():
    """Evenly distributed from the first position on: variance L^2 / 12; the MSD saturates at L^2 / 6 an axis."""
    side = 300.0
    path = paths(5000, confinement_nm=side, frames=40)
    assert np.abs(path).max() <= side / 2
    assert within(path[:, 0] ** 2, side**2 / 12)
    assert within((path[:, -1] - path[:, 0]) ** 2, side**2 / 6)


def test_confined_motion_follows_the_series_of_reflected_diffusion():
    """MSD of an axis: L^2/6 - 16 L^2/pi^4 sum over odd k of exp(-(k pi / L)^2 D t) / k^4 (Kusumi et al. 1993, eq. 9).

    The sum there belongs to two ends of one path: what is used is their distance, with a time of one interval.
    """
    side_um, odd = 0.3, np.arange(1, 40, 2)
    path = paths(40_000, confinement_nm=1e3 * side_um, frames=2, substeps=1) / 1e3
    decay = np.exp(-((odd * np.pi / side_um) ** 2) * D * 0.01) / odd**4
    assert within(np.diff(path, axis=1) ** 2, side_um**2 / 6 - 16 * side_um**2 / np.pi**4 * decay.sum())


def test_reflection_folds_as_often_as_it_must():
    assert list(diffusion.reflect(np.array([0.0, 0.9, 1.2, -1.3, 3.5, 8.5]), 1.0)) == pytest.approx(
        [0.0, 0.9, 0.8, -0.7, -0.5, 0.5]
    )


def test_directed_motion_adds_the_square_of_its_way():
    """MSD = 4 D t + v^2 t^2."""
    path = paths(20_000, drift_um_s=8.0, frames=11, substeps=1) / 1e3
    way = ((path[:, -1] - path[:, 0]) ** 2).sum(axis=-1)
    assert within(way, 4 * D * 0.1 + (8.0 * 0.1) ** 2)


def test_switching_molecules_diffuse_by_their_share_of_time_in_each_state():
    """States by their rates: 1/4 of the time in the second, ten times as fast; memory fades by exp(-40 t)."""
    path = paths(30_000, second_state=10.0, leaving_1_per_s=10.0, leaving_2_per_s=30.0, substeps=1) / 1e3
    squared = (np.diff(path[:, :, 0], axis=1) ** 2).mean(axis=-1) / (2 * D * 0.01)
    assert within(squared, 0.75 + 0.25 * 10)
    share, first, later = 0.25, squared[:, 0], squared[:, 2]  # 0.02 s between them
    covariance = (first - first.mean()) * (later - later.mean())
    assert within(covariance[:, None], 81 * share * (1 - share) * np.exp(-40 * 0.02))


def test_a_frame_cannot_begin_before_the_last_has_ended():
    with pytest.raises(ParameterError, match=r"interval_s = 0.01 s must be at least exposure_s = 0.02 s"):
        diffusion.Motion(exposure_s=0.02)
