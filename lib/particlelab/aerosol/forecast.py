"""One cloud's growth and what comes next: a small stochastic differential equation of its own, or a learned one.

One series of some 30 sizes cannot teach a network. But the radius of a cloud grows smoothly: what fits is

    dr = v dt,   dv = s dW,   size = r^2,   each measured r off by normal noise.

The speed v at which the radius grows is a random walk. It is the integrated Wiener process, whose mean path is a cubic
smoothing spline (Wahba 1978); all of it is normal, so that any times between frames are exact. Start and speed have
flat priors, the common scale of s and the noise 1 / scale, their ratio one that is flat in its logarithm over a grid:
Student's t distributions, mixed. Nothing is assumed of the camera or the scene.
"""

import math
from typing import NamedTuple

import numpy as np

from particlelab.aerosol.clouds import CloudScene
from particlelab.aerosol.inverse import find_power, log_likelihood, posterior_weights
from particlelab.randomness import check_rng

FEWEST = 4  # sizes: two say where the line begins and how it rises, two how it scatters
KNOTS = 200  # sizes that a fit uses; of longer series some in between are left out
RATIOS = 49  # of noise and roughness, that are tried
SMALLEST_SCATTER = 1e-4  # of a radius, root of %: rounding
STRENGTHS = np.linspace(0.5, 15.5, 301)  # of the turbulence in the data that a learned SDE has seen
LONGEST = 1.5  # frames of a learned SDE that one step may take, for it to know such steps
MISFIT = 2.0  # root mean square of residuals, of which 1 is right, from which on growth is unlike what was learned


class Growth(NamedTuple):
    """Draws of how a cloud grows, from what is known of it."""

    times_s: np.ndarray  # (t,)
    sizes: np.ndarray  # (n, t) draws of the size without noise, %
    speeds: np.ndarray | None  # (n,) %/s at the last time that was measured; a learned SDE draws none
    noise: np.ndarray | None  # (n,) standard deviation of the measured sizes, % at the last one
    kick: np.ndarray | None  # (n,) s: by which the speed of the radius wanders, root of % / s^1.5


class Learned(NamedTuple):
    """What a learned SDE says of a series."""

    growth: Growth
    strengths: np.ndarray  # (n,) draws of the strength of the turbulence
    notes: list  # sentences on why it may not fit


def grow_smoothly(times_s, sizes, ahead_s, n=2000, rng=None):
    """Fit growth of a radius whose speed is a random walk, and draw how the cloud grew and goes on.

    Parameters
    ----------
    times_s : (T,) array_like
        Increasing.
    sizes : (T,) array_like
        Measured cloud sizes in %, of any scale.
    ahead_s : (m,) array_like
        Later times.
    n : int
        Draws.
    rng : numpy.random.Generator

    Returns
    -------
    Growth
        At times that were fitted (at most 200, the first and last among them), then at those ahead. Sizes are between
        0 and 100.

    Raises
    ------
    ValueError
        If there are fewer than 4 sizes, times do not increase, sizes are not between 0 and 100, or there is no rng.
    """
    times, sizes, ahead = _check(times_s, sizes, ahead_s)
    check_rng(rng)
    if len(times) > KNOTS:
        kept = np.unique(np.linspace(0, len(times) - 1, KNOTS).round().astype(int))
        times, sizes = times[kept], sizes[kept]
    radius, count = np.sqrt(sizes), len(times)
    unit = (times[-1] - times[0]) / (count - 1)
    known, later = (times - times[0]) / unit, (ahead - times[0]) / unit
    wanted = np.concatenate([known, later])
    basis, line = np.stack([np.ones(count), known], axis=1), np.stack([np.ones(len(wanted)), wanted], axis=1)
    # what is asked for: the radius at all times, and its speed at the last one measured
    line = np.concatenate([line, [[0.0, 1.0]]])
    near = np.concatenate([_covariance(wanted, known), _speed_covariance(known[-1:], known)])
    speed_of = _speed_covariance(known[-1:], wanted)
    own = np.block([[_covariance(wanted, wanted), speed_of.T], [speed_of, known[-1:, None]]])
    walk, ratios, fits = _covariance(known, known), np.geomspace(1e-4, float(count) ** 4, RATIOS), []
    for ratio in ratios:
        half = np.linalg.cholesky(walk + ratio * np.eye(count))
        b, y, c = (np.linalg.solve(half, columns) for columns in (basis, radius, near.T))
        cross = b.T @ b
        found = np.linalg.solve(cross, b.T @ y)
        rest = y - b @ found
        square = max(float(rest @ rest), (count - 2) * SMALLEST_SCATTER**2 / max(ratio, 1.0))
        evidence = -np.log(np.diag(half)).sum() - np.linalg.slogdet(cross)[1] / 2 - (count - 2) / 2 * np.log(square)
        open_ = line.T - b.T @ c
        fits.append(
            (evidence, line @ found + c.T @ rest, own - c.T @ c + open_.T @ np.linalg.solve(cross, open_), square)
        )
    weights = posterior_weights(np.array([fit[0] for fit in fits]))
    draws, scales, chosen = [], [], np.repeat(np.arange(RATIOS), rng.multinomial(n, weights))
    for which, number in zip(*np.unique(chosen, return_counts=True), strict=True):
        _, mean, covariance, square = fits[which]
        scale = np.sqrt(square / rng.chisquare(count - 2, (number, 1)))
        draws.append(mean + scale * (rng.standard_normal((number, len(mean))) @ _root(covariance).T))
        scales.append(scale[:, 0])
    draws, scales = np.concatenate(draws), np.concatenate(scales)
    radii, last = draws[:, :-1], np.maximum(draws[:, count - 1], 0)
    return Growth(
        np.concatenate([times, ahead]),
        np.clip(np.maximum(radii, 0) ** 2, 0, 100),
        2 * last * draws[:, -1] / unit,
        2 * last * scales * np.sqrt(ratios[chosen]),
        scales / unit**1.5,
    )


def grow_as_learned(times_s, sizes, ahead_s, sde, n=2000, rng=None):
    """Draw how a cloud goes on, by an SDE that has learned from many, at strengths that the series makes likely.

    A learned SDE knows steps of the length that it was shown: ``step``, in whatever unit it counts time, is 0.04 s or
    ``frame_time_s`` of its card. Sizes that were measured more often are read between frames at that distance; its
    trajectories have that distance, whatever the film's. The likelihood is raised to the power of its card, if there is
    one (`find_power`). The noise of steps lasts as the ``memory`` of its card says, and begins with that of the last
    step: of 77 simulated breaths of strangers, bands of 95 % hold 94 % of the sizes in ten frames after 20 (81 % with
    new noise at each step), and are 0.6 times as wide at the end as those of `grow_smoothly`, which hold 93 %.

    Parameters
    ----------
    times_s, sizes, ahead_s, n, rng
        As for `grow_smoothly`.
    sde : SDE
        Of one dimension, with the strength as its one covariate.

    Returns
    -------
    Learned
        With sizes at the times ahead.

    Raises
    ------
    ValueError
        As `grow_smoothly`, or if the SDE is another one.
    """
    times, sizes, ahead = _check(times_s, sizes, ahead_s)
    check_rng(rng)
    if (sde.dimension, sde.covariates) != (1, 1):
        raise ValueError(
            f"the learned SDE must have 1 dimension and 1 covariate, the strength; it has {sde.dimension} and "
            f"{sde.covariates}"
        )
    frame_s = float(sde.card.get("frame_time_s", CloudScene().frame_time_s))
    between = (times[-1] - times[0]) / (len(times) - 1)
    step, curve, notes = between / frame_s, sizes, []
    if step < 1:
        # backwards from the last frame, from which the forecast starts
        grid = times[-1] - frame_s * np.arange(math.floor((times[-1] - times[0]) / frame_s * (1 + 1e-9)) + 1)[::-1]
        step, curve = 1.0, np.interp(grid, times, sizes)
    if len(curve) < 2:
        raise ValueError(f"the film lasts {times[-1] - times[0]:.3g} s; the learned SDE needs {frame_s:g} s at least")
    if step > LONGEST:
        notes.append(f"frames are {between:g} s apart, but the SDE has learned from steps of {frame_s:g} s")
    h = step * sde.step
    weights = posterior_weights(log_likelihood(curve, sde, STRENGTHS, h), find_power(sde, len(curve)))
    strengths = rng.choice(STRENGTHS, n, p=weights)
    middle = np.full(len(curve) - 1, np.median(strengths))
    misfit = float(np.sqrt(np.mean(sde.noise(curve[:-1], curve[1:], h, middle) ** 2)))
    if misfit > MISFIT:
        notes.append(f"it grows unlike what the SDE has learned from: residuals of {misfit:.1f} in place of 1")
    steps = max(1, math.ceil((ahead[-1] - times[-1]) / frame_s - 1e-9))
    last = sde.noise(np.full(n, curve[-2]), np.full(n, curve[-1]), h, strengths)
    memory = sde.card.get("memory", 0.0)
    paths = sde.sample(np.full(n, sizes[-1]), steps, sde.step, strengths, 1, rng, memory=memory, last=last)[:, 0, :, 0]
    grid = times[-1] + frame_s * np.arange(steps + 1)
    drawn = np.array([np.interp(ahead, grid, path) for path in paths])
    return Learned(Growth(ahead, np.clip(drawn, 0, 100), None, None, None), strengths, notes)


def _check(times_s, sizes, ahead_s):
    times, sizes, ahead = (np.asarray(values, float) for values in (times_s, sizes, ahead_s))
    if times.ndim != 1 or sizes.shape != times.shape or len(times) < FEWEST:
        raise ValueError(
            f"times_s and sizes must be (T,) with at least {FEWEST} frames, got {times.shape} and {sizes.shape}"
        )
    if not (np.diff(np.concatenate([times, ahead])) > 0).all() or ahead.ndim != 1 or not len(ahead):
        raise ValueError(f"times_s must increase, and ahead_s go on from there, got {times} and {ahead}")
    if not ((sizes >= 0) & (sizes <= 100)).all():
        raise ValueError(f"sizes must be between 0 and 100 %, got {np.nanmin(sizes):g} to {np.nanmax(sizes):g}")
    return times, sizes, ahead


def _covariance(s, t):
    """Return the covariance of a Wiener process that is integrated once, from 0 on."""
    low, high = np.minimum(s[:, None], t), np.maximum(s[:, None], t)
    return low**2 * (3 * high - low) / 6


def _speed_covariance(s, t):
    """Return the covariance of a Wiener process at s with its integral at t."""
    low = np.minimum(s[:, None], t)
    return low * (t - low / 2)


def _root(covariance):
    """Return a root of a covariance, which rounding may have made slightly indefinite."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))
