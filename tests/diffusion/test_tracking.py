"""Tracking: molecules put into a movie come out again, with honest errors, from counts of any scale; noise does not."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from particlelab.diffusion.imaging import Imaging, expected_images
from particlelab.diffusion.localisation import localise
from particlelab.diffusion.motion import draw_paths
from particlelab.diffusion.tracking import Tracking, cut_out, find_tracks
from particlelab.randomness import generator
from particlelab.reading import read_stack

IMAGING = Imaging(frames=40)  # 6400 nm wide
GRID = np.array([(x, y) for x in (-2400, -800, 800, 2400) for y in (-2200, 0, 2200)])
NONE = np.empty((0, 40, 1, 2))
MEASURES = ["x_nm", "y_nm", "sigma_nm", "width_nm", "neighbour_nm"]


def film(paths_nm, imaging, rng):
    """Return counts of molecules on paths (n, T, S, 2) from the middle of the field of view, and where they are."""
    light = (expected_images(paths_nm, imaging) - imaging.background).sum(axis=0) + imaging.background
    counts = rng.poisson(light).astype(float)
    if imaging.camera == "emccd":
        counts = rng.gamma(counts + (counts == 0)) * (counts > 0)
    counts += imaging.read_noise * rng.standard_normal(counts.shape)
    middle = imaging.size * imaging.pixel_size_nm / 2
    return imaging.gain * counts + imaging.offset, paths_nm.mean(axis=2) + middle


def wander(diffusion_um2_s, imaging, rng, starts=GRID):
    paths = draw_paths(np.full(len(starts), diffusion_um2_s), imaging, rng)
    return paths + starts[:, None, None] + rng.uniform(-50, 50, (len(starts), 1, 1, 2))


def compare(tracks, truth):
    """Return which molecule each detection is nearest to, and its error in units of what is claimed, (rows, 2)."""
    apart = tracks[["x_nm", "y_nm"]].to_numpy() - truth[:, tracks.frame]
    who = np.hypot(*np.moveaxis(apart, -1, 0)).argmin(axis=0)
    return who, apart[who, np.arange(len(tracks))] / tracks[["sigma_nm"]].to_numpy()


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"photons": 150.0},
        {"photons": 2000.0, "background": 20.0, "gain": 0.4, "offset": -50.0},
        {"camera": "emccd", "gain": 10.0, "read_noise": 2.0},
        {"background": 0.1},
        {"psf_sigma_nm": 90.0},
    ],
)
def test_still_molecules_are_all_found_followed_and_measured(known, changes):
    imaging = IMAGING.replace(**changes)
    rng = generator(0, "still")
    movie, truth = film(wander(0.0, imaging, rng), imaging, rng)
    tracks = find_tracks(movie, imaging, Tracking(camera_known=known))
    who, pull = compare(tracks, truth)
    assert len(tracks) == len(GRID) * len(movie)
    assert sorted(set(zip(who, tracks.track, strict=True))) == sorted(zip(who[::40], range(len(GRID)), strict=True))
    chance = 4 / np.sqrt(2 * pull.size)
    assert pull.std() == pytest.approx(1, abs=chance + 0.03)  # a threshold and a measured noise bias a little
    assert np.abs(pull.mean(axis=0)).max() < 4 / np.sqrt(len(pull))
    assert tracks.attrs["psf_sigma_nm"] == pytest.approx(imaging.psf_sigma_nm, rel=0.05)
    unit = 1.0 if known else imaging.gain
    assert tracks.signal.mean() == pytest.approx(unit * imaging.photons, rel=0.03)
    if known:
        assert tracks.background.mean() == pytest.approx(imaging.background, abs=0.02 * imaging.photons / 20)
    else:
        excess = 2 if imaging.camera == "emccd" else 1
        assert tracks.attrs["gain"] == pytest.approx(excess * imaging.gain, rel=0.1)
    assert not tracks.crowded.any()


def test_moving_molecules_are_followed_without_mix_up():
    """Those that never come near each other keep their numbers; their steps give the search range."""
    rng = generator(0, "moving")
    movie, truth = film(wander(0.2, IMAGING, rng, GRID[[0, 2, 7, 9, 11]]), IMAGING, rng)
    tracks = find_tracks(movie, IMAGING)
    who, pull = compare(tracks, truth)
    assert tracks.groupby("track").size().tolist() == [40] * 5
    assert len(set(zip(who, tracks.track, strict=True))) == 5
    assert pull.std() == pytest.approx(1, abs=0.15)
    step = 1e3 * np.sqrt(2 * 0.2 * IMAGING.interval_s)
    assert 3 * step < tracks.attrs["search_range_nm"] < 6 * step
    told = find_tracks(movie, IMAGING, Tracking(fastest_um2_s=0.2))
    assert 3 * step < told.attrs["search_range_nm"] < 6 * step
    assert len(told) == len(tracks)
    assert find_tracks(movie, IMAGING, Tracking(search_range_nm=444.0)).attrs["search_range_nm"] == 444


@pytest.mark.parametrize(
    "changes",
    [
        {"background": 0.1},
        {"background": 1.0},
        {"background": 20.0, "gain": 3.0},
        {"background": 2.0, "camera": "emccd", "gain": 20.0},
        {"background": 0.0, "read_noise": 5.0},
    ],
)
@pytest.mark.parametrize("known", [False, True])
def test_nothing_is_found_in_noise(known, changes):
    """Single detections are as rare as was asked for: more than chance gives in one of 1000 cases are a failure."""
    imaging = IMAGING.replace(frames=100, **changes)
    movie, _ = film(np.empty((0, 100, 1, 2)), imaging, generator(0, "noise"))
    tracking = Tracking(camera_known=known, psf_sigma_nm=130)
    assert len(find_tracks(movie, imaging, tracking)) == 0
    alarms = find_tracks(movie, imaging, tracking.replace(least_frames=1))
    assert len(alarms) <= stats.poisson.isf(1e-3, 100 * tracking.false_per_frame)


@pytest.mark.parametrize(("scale", "shift"), [(2.0, 0.0), (1.0, 1000.0), (0.03, -7.0)])
def test_scale_and_offset_of_the_counts_do_not_matter(scale, shift):
    rng = generator(0, "scale")
    movie, _ = film(wander(0.1, IMAGING, rng), IMAGING, rng)
    one, other = find_tracks(movie, IMAGING), find_tracks(scale * movie + shift, IMAGING)
    assert other[["track", "frame", "crowded"]].equals(one[["track", "frame", "crowded"]])
    assert other[MEASURES].to_numpy() == pytest.approx(one[MEASURES].to_numpy(), abs=0.02)
    assert other[["signal", "background"]].to_numpy() == pytest.approx(
        scale * one[["signal", "background"]].to_numpy(), rel=1e-3, abs=1e-3 * scale
    )
    whole = np.rint(100 * movie).astype(np.uint16)  # whole numbers, and no light below zero that would wrap
    assert len(find_tracks(whole, IMAGING)) == len(one)


def meeting():
    """Two molecules that pass each other at 100 nm, and a third one far away."""
    x = np.linspace(-2000, 2000, 40)
    paths = np.stack([np.stack([x, x * 0 + 50], -1), np.stack([-x, x * 0 - 50], -1), np.full((40, 2), 2300.0)])
    return film(paths[:, :, None], IMAGING, generator(0, "meeting"))


def test_molecules_that_meet_are_flagged():
    movie, truth = meeting()
    tracks = find_tracks(movie, IMAGING, Tracking(memory=4, psf_sigma_nm=130))
    who, _ = compare(tracks, truth)
    distance = np.linalg.norm(truth[0] - truth[1], axis=-1)[tracks.frame]
    limit = Tracking().crowding * 130
    assert tracks.crowded[(who < 2) & (distance < 0.9 * limit)].all()
    assert not tracks.crowded[(who == 2) | (distance > 1.1 * limit)].any()
    clear = (who < 2) & (distance > 1.1 * limit)
    third = np.linalg.norm(truth[2, tracks.frame] - truth[who, tracks.frame], axis=-1)
    assert tracks.neighbour_nm[clear].to_numpy() == pytest.approx(np.minimum(distance, third)[clear], abs=60)
    assert tracks.track.nunique() == 3


def test_a_molecule_out_of_sight_is_remembered_and_a_short_visit_left_out():
    paths = np.zeros((2, 40, 1, 2)) + np.array([[-1500, 0], [1500, 0]])[:, None, None]
    movie, _ = film(paths, IMAGING, generator(0, "dark"))
    blank, _ = film(NONE, IMAGING, generator(0, "blank"))
    movie[10:12, :, :32] = blank[10:12, :, :32]  # the left one is dark for two frames
    movie[4:, :, 32:] = blank[4:, :, 32:]  # the right one is gone after four
    tracks = find_tracks(movie, IMAGING)
    assert tracks.track.unique().tolist() == [0] and sorted({*range(40)} - {*tracks.frame}) == [10, 11]
    assert find_tracks(movie, IMAGING, Tracking(memory=1)).track.nunique() == 2
    assert find_tracks(movie, IMAGING, Tracking(least_frames=4)).groupby("track").size().tolist() == [38, 4]


def test_cut_outs_are_the_movie_and_know_where_the_molecule_is():
    rng = generator(0, "cut")
    movie, _ = film(wander(0.05, IMAGING, rng, GRID[[4, 7]]), IMAGING, rng)
    tracks = find_tracks(movie, IMAGING, Tracking(camera_known=True))
    cuts, table = cut_out(movie, tracks, 21, 100.0, frames=16)
    assert cuts.shape == (4, 16, 21, 21) and cuts.dtype == np.float32  # two times 16 of 40 frames of each
    assert table.sequence.tolist() == np.repeat(range(4), 16).tolist()
    whole = tracks.set_index(["track", "frame"])
    for frames, (_, rows) in zip(cuts, table.groupby("sequence"), strict=True):
        own = whole.loc[[*zip(rows.track, rows.frame, strict=True)]]
        corner = own[["x_nm", "y_nm"]].to_numpy() - rows[["x_nm", "y_nm"]].to_numpy() - 1050
        assert corner == pytest.approx(np.broadcast_to(corner[0], corner.shape), abs=1e-6)
        left, top = np.rint(corner[0] / 100).astype(int)
        assert np.array_equal(frames, movie[rows.frame, top : top + 21, left : left + 21].astype(np.float32))
        span = rows[["x_nm", "y_nm"]].max() + rows[["x_nm", "y_nm"]].min()
        assert np.abs(span / 2).max() <= 51  # half a pixel
    again = localise(cuts, IMAGING)
    places = table[["x_nm", "y_nm"]].to_numpy().reshape(4, 16, 2)
    assert again.positions_nm == pytest.approx(places, abs=8)  # windows differ in size
    assert not table.crowded.any() and not table.at_edge.any()
    everything = cut_out(movie, tracks, 64, 100.0)
    assert all(np.array_equal(frames, movie) for frames in everything.frames)
    assert everything.table.crowded.all()  # both are in it


def test_others_are_hidden_and_the_own_molecule_is_not():
    """Two molecules at rest, 12 pixels apart: without noise a square shows the light of one, and then of both."""
    imaging = Imaging(frames=8, size=48, pixel_size_nm=100.0)
    places = np.array([[-600.0, 0.0], [600.0, 0.0]])
    ways = np.repeat(places[:, None, None], 8, axis=1)
    movie = expected_images(ways, imaging).sum(axis=0) - imaging.background  # one background, not two
    rows = [(k, t, *(places[k] + 2400), 5.0, 130.0, False) for k in range(2) for t in range(8)]
    tracks = pd.DataFrame(rows, columns=["track", "frame", "x_nm", "y_nm", "sigma_nm", "width_nm", "crowded"])
    both, one = (cut_out(movie, tracks[tracks.track == 0], 40, 100.0, 8, some).frames[0] for some in (None, tracks))
    light = [(frames - imaging.background).sum(axis=(1, 2)) / imaging.photons for frames in (both, one)]
    assert light[0] == pytest.approx(2, abs=0.01) and light[1] == pytest.approx(1, abs=0.01)
    np.testing.assert_array_equal(both[:, :, :20], one[:, :, :20])  # half of the way to the other


def test_cut_outs_flag_the_border_the_unseen_and_others():
    movie = meeting()[0][:, :, 10:]  # one begins, the other ends near the border
    tracks = find_tracks(movie, IMAGING, Tracking(memory=4, psf_sigma_nm=130))
    tracks = tracks[~((tracks.track == 0) & tracks.frame.isin([3, 4]))]
    cuts, table = cut_out(movie, tracks, 24, 100.0, frames=10)
    assert cuts.shape[1:] == (10, 24, 24)
    unseen = table.query("track == 0 and frame in [3, 4]")
    assert len(unseen) == 2 and unseen[["x_nm", "y_nm", "sigma_nm", "width_nm"]].isna().all(axis=None)
    margin = 1200 - 3 * tracks.width_nm.median()
    seen = table.dropna()
    assert (seen.at_edge == (seen[["x_nm", "y_nm"]].abs().max(axis=1) > margin)).all() and seen.at_edge.any()
    assert table.query("15 < frame < 25 and track < 2").crowded.all()
    last = table.track.max()  # the third one stands still, in the lower right corner
    alone = table[table.track == last]
    assert not alone.crowded.any() and alone.at_edge.eq(False).all()
    assert len(cut_out(movie, tracks[:0], 24, 100.0).frames) == 0


def test_nothing_is_printed_and_nothing_found_where_nothing_is(capsys):
    rng = generator(0, "quiet")
    with warnings.catch_warnings(action="error"):
        for movie in (np.zeros((3, 9, 9)), np.full((1, 5, 7), 8, np.uint8), film(NONE, IMAGING, rng)[0]):
            tracks = find_tracks(movie, IMAGING)
            assert len(tracks) == 0 and {"track", "frame", "x_nm", "y_nm", "sigma_nm", "crowded"} <= {*tracks}
            assert len(cut_out(movie, tracks, 5, 100.0).table) == 0
        find_tracks(film(wander(0.1, IMAGING, rng), IMAGING, rng)[0], IMAGING)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: find_tracks(np.zeros((5, 5)), IMAGING), r"movie must be \(T, H, W\), got \(5, 5\)"),
        (lambda: find_tracks(np.zeros((0, 5, 5)), IMAGING), r"movie must be \(T, H, W\), got \(0, 5, 5\)"),
        (lambda: find_tracks(np.zeros((1, 5, 5)), IMAGING, Tracking(psf_sigma_nm=9000)), "at most 20 pixels, got 90"),
        (lambda: find_tracks(np.full((1, 5, 5), np.inf), IMAGING), "movie must hold finite counts"),
        (
            lambda: cut_out(np.zeros((2, 5, 9)), None, 6, 100.0),
            "size must be from 1 to 5, the pixels of the movie, got 6",
        ),
        (
            lambda: cut_out(np.zeros((2, 5, 9)), None, 5, 100.0, 3),
            "frames must be from 1 to 2, those of the movie, got 3",
        ),
    ],
)
def test_what_cannot_be_tracked_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.skipif("PARTICLELAB_DATA" not in os.environ, reason="PARTICLELAB_DATA names no folder with real images")
def test_molecules_of_a_real_movie():
    """AF647 on a lipid bilayer, by eye: five molecules throughout, one that blinks, one at the border."""
    movie = read_stack(Path(os.environ["PARTICLELAB_DATA"]) / "diffusion" / "SA-AF647_on_SLB.tif").frames
    tracks = find_tracks(movie, Imaging())
    seen = tracks.groupby("track").size()
    assert (seen > 18).sum() == 5 and 6 <= len(seen) <= 9
    assert 0.7 < tracks.attrs["psf_sigma_nm"] / 100 < 1.3  # pixels
    assert (find_tracks(2 * movie + 100, Imaging()).groupby("track").size() == seen).all()
