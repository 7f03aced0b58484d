"""How molecules move: Brownian paths through the exposures of a movie, free, confined, directed or switching."""

import numpy as np
from pydantic import model_validator

from particlelab.diffusion.checks import check_parameters
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import check_rng


class Motion(Parameters):
    """When a molecule is looked at, and how it moves."""

    frames: int = parameter(16, "Frames of a movie", low=1, high=10_000)
    exposure_s: float = parameter(0.01, "How long light is collected in a frame", unit="s", above=0, high=100)
    interval_s: float = parameter(
        0.01, "From the beginning of one frame to that of the next", unit="s", above=0, high=1000
    )
    substeps: int = parameter(10, "Positions of a molecule in an exposure", low=1, high=1000)
    confinement_nm: float = parameter(0.0, "Side of a square that it cannot leave; 0: free", unit="nm", low=0, high=1e6)
    drift_um_s: float = parameter(
        0.0, "Directed motion, each molecule in a direction of its own", unit="um/s", low=0, high=1000
    )
    second_state: float = parameter(
        1.0, "Diffusion coefficient in a second state, as a multiple of that in the first", low=0, high=1000
    )
    leaving_1_per_s: float = parameter(0.0, "Rate at which the first state is left", unit="1/s", low=0, high=1e6)
    leaving_2_per_s: float = parameter(0.0, "Rate at which the second state is left", unit="1/s", low=0, high=1e6)

    @model_validator(mode="after")
    def _frames_do_not_overlap(self):
        if self.interval_s < self.exposure_s:
            raise ValueError(
                f"interval_s = {self.interval_s:g} s must be at least exposure_s = {self.exposure_s:g} s: "
                "a frame begins when the one before has ended"
            )
        return self


def blur_coefficient(motion):
    """Return how much the motion within an exposure blurs a position: R of Berglund (2010), 1/6 without dead time.

    R = exposure / (6 interval) for light that is collected evenly through the exposure.
    """
    return motion.exposure_s / motion.interval_s / 6


def draw_paths(diffusion_um2_s, motion, rng):
    """Draw Brownian paths from the middle of one part of an exposure to that of the next.

    Each exposure has ``substeps`` equal parts, and a position is that in the middle of a part. The average of the
    positions of a frame then has increments of variance 2 D t (1 - 2R) and a covariance of 2 R D t from one increment
    to the next, R = (1 - 1 / substeps^2) / 6 without dead time: the 1/6 of continuous exposure, but for 1 % with ten.

    A molecule that is confined is reflected by the walls of a square, in which it begins anywhere; one that switches
    begins in a state by its share of time, and switches between one position and the next.

    Parameters
    ----------
    diffusion_um2_s : (n,) array
        In the first state.
    motion : Motion
    rng : numpy.random.Generator

    Returns
    -------
    (n, frames, substeps, 2) ndarray
        x and y in nm; free molecules begin at 0, confined ones in a square about 0.

    Raises
    ------
    ValueError
        If motion is no `Motion`, or rng no Generator.
    """
    check_parameters("motion", motion, Motion)
    check_rng(rng)
    diffusion = np.asarray(diffusion_um2_s, float)
    n, count = len(diffusion), motion.frames * motion.substeps
    part_s = motion.exposure_s / motion.substeps
    steps_s = np.full(count, part_s)
    steps_s[:: motion.substeps] += motion.interval_s - motion.exposure_s
    steps_s[0] = 0.0
    local = diffusion[:, None] * _relative_diffusion(n, steps_s, motion, rng)
    steps = 1e3 * np.sqrt(2 * local * steps_s)[..., None] * rng.standard_normal((n, count, 2))
    if motion.drift_um_s:
        angle = rng.uniform(0, 2 * np.pi, n)
        heading = np.stack([np.cos(angle), np.sin(angle)], -1)
        steps += 1e3 * motion.drift_um_s * steps_s[:, None] * heading[:, None]
    if side := motion.confinement_nm:
        steps[:, 0] = rng.uniform(-side / 2, side / 2, (n, 2))
    path = np.cumsum(steps, axis=1)
    if side:
        path = reflect(path, side / 2)
    return path.reshape(n, motion.frames, motion.substeps, 2)


def reflect(positions, limit):
    """Reflect positions at walls at -limit and limit, as often as they have passed them.

    Brownian motion between two walls is free motion folded back, at any length of step.
    """
    return limit - np.abs((positions + limit) % (4 * limit) - 2 * limit)


def switch(n, steps_s, leaving_1_per_s, leaving_2_per_s, rng, settled=True):
    """Draw when each of n molecules is in the second of two states, which it enters and leaves at constant rates.

    Over a step of time t the state is forgotten with a probability of 1 - exp(-(sum of the rates) t), and then drawn
    anew by the share of time that each state has: exact at any step.

    Parameters
    ----------
    n : int
    steps_s : (k,) array
        Time before each point; that before the first does not count.
    leaving_1_per_s, leaving_2_per_s : float
        Rates at which the first and the second state are left; not both 0.
    rng : numpy.random.Generator
    settled : bool
        Begin in either state by its share, or else in the first.

    Returns
    -------
    (n, k) bool ndarray
    """
    rate = leaving_1_per_s + leaving_2_per_s
    forgotten = rng.random((n, len(steps_s))) > np.exp(-rate * steps_s)
    second = rng.random((n, len(steps_s))) < leaving_1_per_s / rate
    forgotten[:, 0] = True
    second[:, 0] &= settled
    last = np.maximum.accumulate(np.where(forgotten, np.arange(len(steps_s)), 0), axis=1)
    return np.take_along_axis(second, last, axis=1)


def _relative_diffusion(n, steps_s, motion, rng):
    """Return the diffusion coefficient along each step, (n, steps), as a multiple of that of the first state."""
    if motion.second_state == 1 or motion.leaving_1_per_s == 0:
        return np.ones((n, 1))
    second = switch(n, steps_s, motion.leaving_1_per_s, motion.leaving_2_per_s, rng)
    return np.where(second, motion.second_state, 1.0)
