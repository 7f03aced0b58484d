"""One molecule and its movie: a seed is a molecule, and theory expects what is seen of it."""

import numpy as np

from particlelab import diffusion
from particlelab.randomness import generator

ONE = diffusion.OneMovie(frames=4, size=16, photons=3000)


def test_a_seed_is_a_molecule_whatever_it_is_looked_at_with():
    watched = diffusion.watch(ONE)
    dim, slow = diffusion.watch(ONE.replace(photons=50)), diffusion.watch(ONE.replace(diffusion_um2_s=0.5))
    other = diffusion.watch(ONE.replace(seed=1))
    assert np.array_equal(dim.positions_nm, watched.positions_nm)
    steps = [np.diff(w.positions_nm.reshape(-1, 2), axis=0) for w in (slow, watched, other)]
    assert np.allclose(2 * steps[0], steps[1]) and not np.allclose(steps[2], steps[1])


def test_without_light_nothing_is_found():
    watched = diffusion.watch(diffusion.OneMovie(photons=10, background=100))
    assert np.isnan(watched.estimates.diffusion_um2_s).all()


def test_what_is_expected_of_the_displacement_is_what_is_found():
    """Blurred by the exposure, and with errors of localisation: over many molecules, to four standard errors."""
    p = diffusion.Imaging(size=32, frames=4, photons=200, exposure_s=0.006)
    movies = diffusion.simulate(np.full(1500, 1.0), p, generator(0, "msd"))
    sigma = diffusion.localisation_bound(p, np.hypot(p.psf_sigma_nm, 1e3 * np.sqrt(p.exposure_s / 3)))
    lags, found = diffusion.mean_squared_displacement(diffusion.localise(movies.frames, p).positions_nm)
    deviation = found.mean(axis=0) - diffusion.seen_msd(1.0, lags * p.interval_s, p, sigma)
    assert (np.abs(deviation) < 4 * found.std(axis=0) / 1500**0.5).all()
