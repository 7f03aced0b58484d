"""Diffusion: movies of moving molecules against numpy on a finer grid, as the document makes them; localisation."""

import numpy as np
from run import Case
from scipy import optimize

from particlelab import diffusion
from particlelab.randomness import generator

MOVIES, BY_NUMPY = 1000, 10
FRAMES, BY_SCIPY = 20_000, 200
IMAGING = diffusion.Imaging(read_noise=1.0)


def nothing():
    return (None,)


def movies(_):
    diffusion.simulate(np.ones(MOVIES), IMAGING, generator(0, "bench"))


def movies_by_numpy(_, finer=4):
    """Each position is a Gaussian on a grid four times as fine, which is then averaged."""
    p, rng = IMAGING, generator(0, "bench")
    grid = (np.arange(finer * p.size) + 0.5) * p.pixel_size_nm / finer
    for _ in range(BY_NUMPY):
        steps = rng.normal(0, 1e3 * np.sqrt(2 * p.exposure_s / p.substeps), (p.frames, p.substeps, 2))
        path = steps.reshape(-1, 2).cumsum(axis=0).reshape(steps.shape) + p.size * p.pixel_size_nm / 2
        for places in path:
            fine = np.zeros((len(grid), len(grid)))
            for x, y in places:
                fine += np.exp(-((grid - x) ** 2 + (grid[:, None] - y) ** 2) / (2 * p.psf_sigma_nm**2))
            expected = fine.reshape(p.size, finer, p.size, finer).mean(axis=(1, 3))
            rng.poisson(p.photons * expected / expected.sum() + p.background) + rng.normal(
                0, p.read_noise, expected.shape
            )


def still_frames():
    return (diffusion.simulate(np.zeros(FRAMES // 16), IMAGING, generator(0, "bench")).frames,)


def localised(frames):
    diffusion.localise(frames, IMAGING)


def localised_by_scipy(frames):
    """A least-squares fit of a Gaussian to a window about the brightest pixel, which is what one writes down first."""
    at = np.arange(13) - 6

    def gaussian(_, x, y, light, background, width):
        return (background + light * np.exp(-((at - x) ** 2 + (at[:, None] - y) ** 2) / (2 * width**2))).ravel()

    for frame in frames.reshape(-1, 64, 64)[:BY_SCIPY]:
        row, column = (np.clip(place, 6, 57) for place in np.unravel_index(frame.argmax(), frame.shape))
        window = frame[row - 6 : row + 7, column - 6 : column + 7]
        optimize.curve_fit(gaussian, None, window.ravel(), [0, 0, window.max(), np.median(window), 1.3])


CASES = [
    Case(
        "diffusion: 1000 movies of 16 x 64 x 64, 10 positions a frame, shot and read noise",
        nothing,
        movies,
        movies_by_numpy,
        "numpy on a grid 4 times as fine, 10 movies, times 100",
        limit_s=6,  # 330 movies a second on two cores
        limit_mb=1000,
        other_share=BY_NUMPY / MOVIES,
    ),
    Case(
        "diffusion: maximum likelihood of 20 000 frames of 64 x 64",
        still_frames,
        localised,
        localised_by_scipy,
        "scipy.optimize.curve_fit, 200 frames, times 100",
        other_share=BY_SCIPY / FRAMES,
    ),
]
