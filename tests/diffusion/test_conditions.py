"""Conditions: simulated movies give back what they were made with."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from particlelab.diffusion.conditions import find_conditions
from particlelab.diffusion.departures import find_departures
from particlelab.diffusion.imaging import Imaging, expected_images, simulate_together
from particlelab.diffusion.motion import draw_paths
from particlelab.diffusion.tracking import Tracking, find_tracks
from particlelab.diffusion.training import Training
from particlelab.randomness import generator
from particlelab.reading import read_stack

IMAGING = Imaging(frames=30, photons=400.0, background=4.0, offset=100.0)  # 6400 nm wide
STARTS = np.array(
    [(-2200, -2000), (0, -2200), (2100, -1900), (-1100, 0), (1200, 200), (-2000, 2100), (300, 2200)], float
)
UNKNOWN = Imaging()  # pixel size, exposure and interval are those of the movies, all else is not


def film(imaging, rng, diffusion_um2_s=0.1):
    """Return counts of seven molecules that move."""
    paths = draw_paths(np.full(len(STARTS), diffusion_um2_s), imaging, rng) + STARTS[:, None, None]
    light = (expected_images(paths, imaging) - imaging.background).sum(axis=0) + imaging.background
    counts = rng.poisson(light) + imaging.read_noise * rng.standard_normal(light.shape)
    return imaging.gain * counts + imaging.offset


def look(movie, seed=0, tracking=None, imaging=UNKNOWN, **options):
    return find_conditions(movie, imaging, find_tracks(movie, imaging, tracking), generator(seed, "look"), **options)


def dark_noise(imaging):
    return np.sqrt(imaging.background + imaging.read_noise**2)


@pytest.mark.parametrize(
    ("changes", "diffusion"),
    [
        ({"photons": 150.0, "gain": 2.0, "psf_sigma_nm": 110.0}, 0.1),
        ({"photons": 600.0, "background": 2.0, "read_noise": 1.5, "gain": 0.5, "offset": -20.0}, 0.1),
        ({"photons": 800.0, "psf_sigma_nm": 90.0}, 2.0),  # blur adds 82 % to the square of the width
    ],
)
def test_a_movie_gives_back_what_it_was_made_with(changes, diffusion):
    true = IMAGING.replace(**changes)
    found, table, similarity = look(film(true, generator(0, "movie"), diffusion))
    table = table.set_index("quantity")
    for value, name in [
        (true.psf_sigma_nm, "width of the point-spread function"),
        (true.photons, "photons of a molecule in a frame"),
        (true.gain, "gain"),
        (dark_noise(true), "background noise"),
        (diffusion, "diffusion coefficient"),
    ]:
        half = (table.high[name] - table.low[name]) / 2
        assert table.value[name] == pytest.approx(value, abs=2 * half), name  # about four standard errors
        assert half < value / 2, name  # it does tell something
    assert found.psf_sigma_nm == pytest.approx(true.psf_sigma_nm, rel=0.05)
    assert found.gain * found.photons == pytest.approx(true.gain * true.photons, rel=0.04)
    assert found.gain * dark_noise(found) == pytest.approx(true.gain * dark_noise(true), rel=0.02)
    level = true.offset + true.gain * true.background
    assert found.offset + found.gain * found.background == pytest.approx(level, abs=0.03 * true.gain)
    assert found.read_noise == pytest.approx(true.read_noise, abs=0.3)
    assert similarity.after[0] < 1.2  # nothing tells simulated windows from those of the movie


@pytest.mark.parametrize(
    ("diffusion", "changes"),
    [
        ((0.3,), {"photons": 120.0, "background": 3.0}),  # fits that find more light find it wider
        ((0.1, 4.0), {}),  # most frames are smeared by less than the mean D says
    ],
)
def test_widths_are_right_on_average_without_a_search(diffusion, changes):
    """Four movies of twelve molecules know the width to 1 %; widths of the brighter half alone are off by 3 to 5 %."""
    true, found = UNKNOWN.replace(frames=40, size=128, **changes), []
    for seed in range(4):
        movie = simulate_together(np.resize(diffusion, 12), true, generator(seed, "w")).frames
        found.append(look(movie, seed, refine=False).imaging.psf_sigma_nm)
    assert np.mean(found) == pytest.approx(true.psf_sigma_nm, rel=0.025)


def test_read_noise_that_is_not_told_is_no_number():
    """Of 20 photons of background in a pixel the skewness is lost in its scatter."""
    movie = film(IMAGING.replace(background=20.0, read_noise=1.0), generator(6, "movie"))
    found, table, _ = look(movie, refine=False)
    row = table.set_index("quantity").loc["read noise"]
    assert np.isnan([row.value, row.low, row.high]).all() and row.source.startswith("not determined")
    assert found.read_noise == 0 and found.background == pytest.approx(21, rel=0.15)  # all that a network sees


def test_scale_and_offset_of_the_counts_change_gain_and_offset_alone():
    movie = film(IMAGING, generator(1, "movie"))
    one, other = (look(counts, refine=False).imaging for counts in (movie, 2 * movie + 50))
    for name in ("psf_sigma_nm", "photons", "background", "read_noise"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=0.01), name
    assert other.gain == pytest.approx(2 * one.gain, rel=0.01)
    assert other.offset == pytest.approx(2 * one.offset + 50, abs=0.1)


def test_a_molecule_at_the_border_may_be_placed_a_little_beyond_it():
    movie = film(IMAGING, generator(1, "movie"))
    tracks = find_tracks(movie, UNKNOWN)
    first = tracks.track == 0
    tracks.loc[first, "x_nm"] += 100.0 * movie.shape[2] + 20 - tracks.x_nm[first].max()
    usual = find_conditions(movie, UNKNOWN, tracks, generator(0), refine=False)
    assert usual.imaging.psf_sigma_nm == pytest.approx(IMAGING.psf_sigma_nm, rel=0.05)
    tracks.loc[first, "x_nm"] += 1000
    with pytest.raises(ValueError, match="another one"):
        find_conditions(movie, UNKNOWN, tracks, generator(0), refine=False)


def test_a_search_from_wrong_conditions_comes_nearer():
    movie = film(IMAGING, generator(2, "movie"))
    wrong = IMAGING.replace(psf_sigma_nm=175.0, photons=800.0, background=16.0, gain=0.6)
    found, _, similarity = look(movie, start=wrong)
    assert similarity.after[0] < similarity.before[0] / 3
    for name in ("psf_sigma_nm", "photons", "gain"):
        there, here, before = (np.log(getattr(imaging, name)) for imaging in (IMAGING, found, wrong))
        assert abs(here - there) < abs(before - there) / 2, name
    assert abs(np.log(dark_noise(found) / dark_noise(IMAGING))) < np.log(2) / 2


def test_a_known_camera_stays_as_it_is_and_tells_the_background():
    true = IMAGING.replace(gain=2.0, read_noise=1.0)
    given = UNKNOWN.replace(gain=2.0, read_noise=1.0, offset=100.0)
    movie = film(true, generator(3, "movie"))
    found = look(movie, tracking=Tracking(camera_known=True), imaging=given, refine=False).imaging
    assert (found.gain, found.read_noise, found.offset) == (2.0, 1.0, 100.0)
    assert found.background == pytest.approx(true.background, abs=0.03)
    assert found.photons == pytest.approx(true.photons, rel=0.04)


def test_filtered_noise_is_said():
    """A mean of two neighbours makes each pixel's noise half that of the next one's."""
    movie = film(IMAGING, generator(4, "movie"))
    sharp, smooth = (
        look(counts, refine=False) for counts in (movie, ndimage.correlate1d(movie, [0.5, 0.5], 1, mode="wrap"))
    )
    tables = [conditions.table.set_index("quantity") for conditions in (sharp, smooth)]
    correlation = [table.value["correlation of neighbouring pixels"] for table in tables]
    assert correlation == pytest.approx([0, 0.5], abs=0.02)
    assert ["filtered" in table.source["gain"] for table in tables] == [False, True]
    assert any("correlation" in sentence for sentence in find_departures(smooth, Training()))


def tracks_of(movie, **attrs):
    tracks = find_tracks(movie, UNKNOWN, Tracking(psf_sigma_nm=130))
    tracks.attrs.update(attrs)
    return tracks


def test_what_tells_nothing_is_refused():
    rng = generator(5, "movie")
    noise, movie = rng.poisson(4.0, (30, 64, 64)), film(IMAGING, rng)
    tracks = tracks_of(movie)
    cut = np.maximum(movie, np.quantile(movie, 0.99))
    plain = tracks.copy()
    plain.attrs = {}
    for call, message in [
        (lambda: find_conditions(noise, UNKNOWN, tracks_of(noise), rng), "no molecule in the movie"),
        (lambda: find_conditions(movie, UNKNOWN, plain, rng), "those of find_tracks"),
        (lambda: find_conditions(movie[:10], UNKNOWN, tracks, rng), "another one"),
        (lambda: find_conditions(movie[0], UNKNOWN, tracks, rng), r"\(T, H, W\)"),
        (lambda: find_conditions(movie * np.nan, UNKNOWN, tracks, rng), "finite"),
        (lambda: find_conditions(movie, UNKNOWN, tracks.assign(crowded=True), rng), "alone"),
        (lambda: find_conditions(movie, UNKNOWN, tracks_of(movie, psf_sigma_nm=900.0), rng), "background away"),
        (lambda: find_conditions(cut, UNKNOWN, tracks, rng), "no noise"),
        (lambda: find_conditions(movie, UNKNOWN, tracks, None), "rng is missing"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.skipif("PARTICLELAB_DATA" not in os.environ, reason="PARTICLELAB_DATA names no folder with real images")
def test_conditions_of_a_real_movie():
    """AF647 on a lipid bilayer, background subtracted; 100 nm and 10 ms are assumed."""
    movie = read_stack(Path(os.environ["PARTICLELAB_DATA"]) / "diffusion" / "SA-AF647_on_SLB.tif").frames
    tracks = find_tracks(movie, UNKNOWN)
    found, table, similarity = find_conditions(movie, UNKNOWN, tracks, generator(0, "real"))
    assert 70 < found.psf_sigma_nm < tracks.attrs["psf_sigma_nm"]
    assert found.gain * found.photons == pytest.approx(tracks.signal.median(), rel=0.15)
    clipped = np.abs(movie - np.median(movie))
    assert found.gain * dark_noise(found) == pytest.approx(1.4826 * np.median(clipped), rel=0.05)
    assert found.frames == 30 and found.offset < 0 and found.read_noise == 0
    assert similarity.after[0] < similarity.before[0]
    assert "all put down to photons" in table.set_index("quantity").source["read noise"]
