"""What is found of a molecule in a movie, whatever the camera's gain."""

import numpy as np
import pytest

from particlelab import diffusion
from particlelab.diffusion.blobs import find_blobs
from particlelab.randomness import generator

STILL = diffusion.Imaging(frames=1, substeps=1, photons=1e6, background=0)


def movies(n=20, **values):
    return diffusion.simulate(np.geomspace(0.1, 10, n), diffusion.Imaging(**values), generator(0, "blobs"))


@pytest.mark.parametrize("place", [(0.0, 0.0), (30.0, -45.0), (-1512.0, 977.0)])
def test_a_gaussian_is_found_where_and_as_wide_as_it_is(place):
    """Its variance is that of the point-spread function and of a pixel, 1/12; its light all there is."""
    image = diffusion.expected_images(np.array(place).reshape(1, 1, 1, 2), STILL)
    blobs = find_blobs(image, 1.3)
    assert blobs.places[0, 0] == pytest.approx(np.array(place) / 100 + 32, abs=1e-3)
    assert blobs.shapes[0, 0] == pytest.approx([1.3**2 + 1 / 12, 0, 0], abs=0.01)
    assert blobs.windows.sum() == pytest.approx(1, rel=0.01)


def test_a_molecule_on_its_way_is_drawn_out_along_it():
    """Two positions apart along x, y and the diagonal; the signs are those of xx - yy and of xy."""
    imaging = STILL.replace(substeps=2)
    ways = np.array([[[-1, 0], [1, 0]], [[0, -1], [0, 1]], [[-1, -1], [1, 1]], [[1, -1], [-1, 1]]]) * 90.0
    shapes = find_blobs(diffusion.expected_images(ways[:, None], imaging), 1.3).shapes[:, 0]
    assert shapes[0, 1] == pytest.approx(-shapes[1, 1]) and shapes[0, 1] > 0.1
    assert shapes[2, 2] == pytest.approx(-shapes[3, 2]) and shapes[2, 2] > 0.1
    assert np.abs(shapes[:2, 2]).max() < 0.01 and np.abs(shapes[2:, 1]).max() < 0.01


def test_places_are_as_good_as_the_bound_allows():
    """Scatter of a still molecule: 130 nm / sqrt(500) without background or pixels, about 8 nm with them."""
    seen = diffusion.simulate(np.zeros(300), rng=generator(1))
    error = find_blobs(seen.frames, 1.3).places - (seen.positions_nm.mean(axis=2) / 100 + 32)
    assert np.abs(error.mean(axis=(0, 1))).max() < 5 * error.std() / 4800**0.5
    assert error.std() * 100 == pytest.approx(8, abs=0.5)


def test_gain_and_offset_change_nothing():
    frames = movies().frames
    for same, other in zip(find_blobs(frames, 1.3), find_blobs(3.7 * frames - 200, 1.3), strict=True):
        assert other == pytest.approx(same, abs=2e-3)


def test_noise_is_that_of_the_background():
    """In units of a blob of 500 photons; the square root of 4 photons and a read noise of 2."""
    blobs = find_blobs(movies(background=4.0, read_noise=2.0, photons=500.0).frames, 1.3)
    assert np.median(blobs.noise) == pytest.approx(8**0.5 / 500, rel=0.05)


def test_of_two_molecules_that_is_found_which_was_asked_for():
    """One that is five times as bright, 20 pixels away, changes nothing; nobody told, it is the one that is found."""
    bright, faint = np.array([-1000.0, 0.0]), np.array([1000.0, 300.0])
    frames = diffusion.expected_images(faint.reshape(1, 1, 1, 2), STILL) / 5
    frames += diffusion.expected_images(bright.reshape(1, 1, 1, 2), STILL)
    about = (faint / 100 + 32 + [2, -3]).reshape(1, 1, 2)
    assert find_blobs(frames, 1.3, places=about).places[0, 0] == pytest.approx(faint / 100 + 32, abs=0.02)
    assert find_blobs(frames, 1.3, places=np.nan * about).places[0, 0] == pytest.approx(bright / 100 + 32, abs=0.02)


def test_a_mirrored_movie_has_mirrored_blobs():
    frames = movies().frames
    straight, mirrored = find_blobs(frames, 1.3), find_blobs(frames[..., ::-1].copy(), 1.3)
    near = np.abs(64 - mirrored.places[..., 0] - straight.places[..., 0]) < 0.05
    assert near.mean() > 0.98  # elsewhere the brightest place was another


def test_a_molecule_before_nothing_is_found():
    """Where no photon comes from the background, its pixels are all the same."""
    seen = movies(background=0.0)
    places = find_blobs(seen.frames, 1.3).places
    assert np.median(np.abs(places - seen.positions_nm.mean(axis=2) / 100 - 32)) < 0.1


@pytest.mark.parametrize("frames", [np.zeros((2, 3, 16, 16)), np.full((1, 1, 9, 11), 7.0)])
def test_empty_movies_have_finite_blobs(frames):
    for part in find_blobs(frames.astype(np.float32), 1.3):
        assert np.isfinite(part).all()
