"""The diffusion coefficient of a single molecule, from where it was seen: three estimators, each with its error.

All of them know the motion blur and the error of localisation (Berglund, Phys. Rev. E 82, 011917, 2010), and use what
gaps leave of a track.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy import special

from particlelab.diffusion.bounds import check_timing, covariance, information, least_variance
from particlelab.diffusion.checks import check_coverage

ROUNDS = 4  # of choosing the number of lags anew: a few tracks go back and forth between two numbers for ever


class Estimate(NamedTuple):
    """Diffusion coefficients of tracks, and how far they may be off."""

    diffusion_um2_s: np.ndarray  # (n,)
    standard_error: np.ndarray  # (n,) um2/s

    def interval(self, coverage):
        """Return the ends (n,) of intervals that hold D in about a share ``coverage`` of cases.

        A low estimate has a small standard error, a high one a large one: where the error is a share of D, the interval
        is even in ln D. Where it is larger than D, which noise leaves of an estimate, the error depends on D no more,
        and the interval is that of an error equal to D. ValueError if the share is not between 0 and 1.
        """
        d, error = self
        share = np.divide(error, d, out=np.ones_like(d), where=d > error)
        half = special.ndtri((1 + check_coverage(coverage)) / 2)
        return tuple(d + error * np.expm1(z * share) / share for z in (-half, half))


def estimate(positions_nm, interval_s, method="msd", localisation_sigma_nm=None, blur=1 / 6):
    """Estimate the diffusion coefficient of each of many tracks.

    Parameters
    ----------
    positions_nm : (n, T, 2) array
        x and y in each frame; NaN where the molecule was not seen.
    interval_s : float
        From one frame to the next.
    method : {"msd", "cve", "mle"}
        "msd" : a line fitted to the mean squared displacement at the first lags, as many as make the estimate's
        variance least (Michalet and Berglund, Phys. Rev. E 85, 061916, 2012). That number follows from the variance
        itself here, not from their fit to it, and a known error fixes where the line begins. May be negative; and as a
        track chooses its own lags, somewhat biased if it is short and its error large.

        "cve" : the mean square of the displacements and the mean product of neighbours (Vestergaard, Blainey and
        Flyvbjerg, Phys. Rev. E 89, 022726, 2014, eq. 14 and 16). Without bias, and for that negative at times.

        "mle" : greatest likelihood of all displacements (Berglund 2010), without his approximation for long tracks.
        Neither D nor the error is negative, which costs a bias where either is near 0: with 16 frames and an unknown
        error, D is 12 % too small on average without any error, 3 % where the error's variance is D t / 4.
    localisation_sigma_nm : float, (n,) or (n, T) array, optional
        Standard deviation of each position along each axis, where it was seen. None: unknown, alike in all frames of
        a track, and estimated along.
    blur : float
        R of Berglund (2010): exposure / (6 interval), see `particlelab.diffusion.motion.blur_coefficient`.

    Returns
    -------
    Estimate
        NaN for tracks with fewer than three positions. The standard error of "msd" and "cve" is that of the model with
        the estimated D (0, if negative), that of "mle" follows from the Fisher information there.

    Raises
    ------
    ValueError
        If shapes do not match, a position is infinite, an error negative or missing where the molecule was seen, the
        interval not positive, blur not between 0 and 1/4, or the method unknown.

    Notes
    -----
    Along an axis, the displacement over m intervals t has the variance 2 D t (m - 2R) + 2 s^2 with an error s, and the
    covariance 2 R D t - s^2 with the next one. Both axes count as independent and alike.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    check_timing(interval_s, blur)
    positions, variance = _check_tracks(positions_nm, localisation_sigma_nm)
    known = localisation_sigma_nm is not None
    found = np.full((len(positions), 2), np.nan)
    seen = ~np.isnan(positions).any(axis=2)
    for i in np.flatnonzero(seen.sum(axis=1) >= 3):
        at = np.flatnonzero(seen[i])
        found[i] = METHODS[method]((positions[i, at], at, variance[i, at]), known, blur)
    return Estimate(found[:, 0] / interval_s, np.sqrt(found[:, 1]) / interval_s)


def mean_squared_displacement(positions_nm, max_lag=None):
    """Return the mean squared displacement of tracks at each lag.

    Parameters
    ----------
    positions_nm : (T, 2) or (n, T, 2) array
        NaN where the molecule was not seen.
    max_lag : int, optional
        Largest lag, in frames; T - 1 by default.

    Returns
    -------
    lags : (L,) int ndarray
        1, 2, ... in frames.
    msd_um2 : (L,) or (n, L) ndarray
        Means over all pairs of positions that are so far apart, overlapping ones too; NaN if there is none.

    Raises
    ------
    ValueError
        If positions are not (T, 2) or (n, T, 2), or the largest lag is not between 1 and T - 1.
    """
    positions = 1e-3 * np.asarray(positions_nm, float)
    if positions.ndim not in (2, 3) or positions.shape[-1] != 2:
        raise ValueError(f"positions_nm must be (T, 2) or (n, T, 2), got {positions.shape}")
    frames = positions.shape[-2]
    max_lag = frames - 1 if max_lag is None else max_lag
    if not 1 <= max_lag < frames:
        raise ValueError(f"max_lag must be between 1 and {frames - 1}, got {max_lag}")
    lags = np.arange(1, max_lag + 1)
    msd = np.empty((*positions.shape[:-2], max_lag))
    for lag in lags:
        squares = ((positions[..., lag:, :] - positions[..., :-lag, :]) ** 2).sum(axis=-1)
        pairs = (~np.isnan(squares)).sum(axis=-1)
        msd[..., lag - 1] = np.where(pairs > 0, np.nansum(squares, axis=-1) / np.maximum(pairs, 1), np.nan)
    return lags, msd


# Below, a track is a tuple of the positions (p, 2) in um where the molecule was seen, of their frames (p,), and of the
# variance (p,) of each in um2, or 1 where it is unknown. ``spread`` is D times the interval in um2, ``noise`` what the
# variance has to be multiplied by: 1 where it is known.


@njit(cache=True, nogil=True)
def _by_covariance(track, known, blur):
    spread, form = _from_neighbours(track, known, blur)
    return spread, _variance(form, track, _nearest_possible(spread, track, known, blur), blur)


@njit(cache=True, nogil=True)
def _from_neighbours(track, known, blur):
    """Return the covariance-based estimate of spread, and its quadratic form (see `_variance`).

    With gaps, the means are those over all displacements there are, whatever the time between.
    """
    positions, frames, variances = track
    steps = positions[1:] - positions[:-1]
    n, time = len(steps), frames[-1] - frames[0]
    square = (steps**2).sum() / 2
    form = np.zeros((n, 2))
    if known:
        form[:, 0] = 1 / (2 * (time - 2 * blur * n))
        return form[0, 0] * (square - (variances[1:] + variances[:-1]).sum()), form
    form[:, 0] = 1 / (2 * time)
    form[:-1, 1] = n / (n - 1) / (2 * time)
    return form[0, 0] * square + form[0, 1] * (steps[1:] * steps[:-1]).sum(), form


@njit(cache=True, nogil=True)
def _by_lags(track, known, blur):
    """Fit mean squared displacements of as many lags as give the least variance, at the parameters they lead to."""
    _, frames, _ = track
    pairs, squares = _squared_displacements(track, known)
    present = np.flatnonzero(pairs)
    spread, form = _from_neighbours(track, known, blur)
    chosen = 0
    for _ in range(ROUNDS):
        possible = _nearest_possible(spread, track, known, blur)
        before, chosen, least = chosen, 0, np.inf
        count = 1 if known else 2
        while count <= len(present) and (chosen == 0 or count <= 2 * chosen + 3):  # beyond, it only rises
            lags = present[:count]
            trial = _form(lags, _line(lags, known, blur) / pairs[lags], frames)
            variance = _variance(trial, track, possible, blur)
            if variance < least:
                chosen, least, form = count, variance, trial
            count += max(1, count // 4)
        lags = present[:chosen]
        spread = (_line(lags, known, blur) * squares[lags] / pairs[lags]).sum()
        if chosen == before:
            break
    return spread, _variance(form, track, _nearest_possible(spread, track, known, blur), blur)


@njit(cache=True, nogil=True)
def _squared_displacements(track, known):
    """Return the number of pairs of positions at each lag, and the sum of their squares along an axis, less noise."""
    positions, frames, variances = track
    longest = frames[-1] - frames[0]
    pairs, squares = np.zeros(longest + 1), np.zeros(longest + 1)
    for i in range(len(frames)):
        for j in range(i + 1, len(frames)):
            lag = frames[j] - frames[i]
            pairs[lag] += 1
            for axis in range(2):
                squares[lag] += (positions[j, axis] - positions[i, axis]) ** 2 / 2
            if known:
                squares[lag] -= variances[i] + variances[j]
    return pairs, squares


@njit(cache=True, nogil=True)
def _line(lags, known, blur):
    """Return the weights with which mean squared displacements add up to the spread of a least-squares line.

    The line is 2 spread (lag - 2 blur) if the noise is known (and subtracted), else it has any offset.
    """
    centred = lags - (2 * blur if known else lags.mean())
    return centred / (2 * (centred**2).sum())


@njit(cache=True, nogil=True)
def _form(lags, weights, frames):
    """Return the quadratic form (see `_variance`) of a weighted sum over pairs of positions, by their lag.

    Two displacements share all pairs that begin before both and end after both.
    """
    of_lag = np.zeros(lags[-1] + 1)
    of_lag[lags] = weights
    n = len(frames) - 1
    form = np.zeros((n, min(lags[-1], n)))
    for i in range(n):
        longer = 0.0  # pairs that begin with displacement i, and end with j or later
        for j in range(min(i + form.shape[1], n) - 1, i - 1, -1):
            lag = frames[j + 1] - frames[i]
            if lag < len(of_lag):
                longer += of_lag[lag]
            form[i, j - i] = longer
            if i > 0 and j - i + 1 < form.shape[1]:
                form[i, j - i] += form[i - 1, j - i + 1]
    return form


@njit(cache=True, nogil=True)
def _nearest_possible(spread, track, known, blur):
    """Return the spread and the noise that come nearest to an estimate of spread without one of them negative."""
    positions, frames, _ = track
    if known:
        return max(spread, 0.0), 1.0
    n, time = len(frames) - 1, frames[-1] - frames[0]
    square = ((positions[1:] - positions[:-1]) ** 2).sum() / 2
    spread = min(max(spread, 0.0), square / (2 * (time - 2 * blur * n)))
    return spread, (square - 2 * spread * (time - 2 * blur * n)) / (2 * n)


@njit(cache=True, nogil=True)
def _variance(form, track, parameters, blur):
    """Return the variance of the mean of x'Ax over both axes: tr(ASAS), with the covariance S of displacements x.

    ``form[i, k]`` is A[i, i + k]. As S has only neighbours, AS reaches one further than A.
    """
    _, frames, variances = track
    spread, noise = parameters
    diagonal, beside = covariance(spread, noise, frames, variances, blur)
    n, reach = form.shape
    product = np.zeros((n, 2 * reach + 1))  # AS: element i, i + k at i, reach + k
    coupling = np.zeros(n + 1)  # of a displacement to that before
    coupling[1:-1] = beside
    for i in range(n):
        for k in range(min(reach, n - i)):
            for row, apart in ((i, k), (i + k, -k)):
                column = row + apart
                product[row, reach + apart - 1] += form[i, k] * coupling[column]
                product[row, reach + apart] += form[i, k] * diagonal[column]
                product[row, reach + apart + 1] += form[i, k] * coupling[column + 1]
                if k == 0:
                    break
    total = 0.0
    for i in range(n):
        total += product[i, reach] ** 2
        for k in range(1, min(reach + 1, n - i)):
            total += 2 * product[i, reach + k] * product[i + k, reach - k]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _by_likelihood(track, known, blur):
    """Find the highest likelihood along the ratio of spread to noise: on a grid, and then ever more finely.

    Where the noise is unknown, the most likely scale of both follows from the ratio.
    """
    positions, frames, variances = track
    steps = positions[1:] - positions[:-1]
    if not steps.any():
        at_zero = least_variance(0.0, 1.0, frames, variances, blur, True)
        return 0.0, at_zero if known and variances.any() else 0.0
    terms = covariance(1.0, 0.0, frames, variances, blur), covariance(0.0, 1.0, frames, variances, blur), steps, known
    without_noise, square = _deviance(1.0, 0.0, *terms)
    # at the ends of the grid one of the two is a thousandth of what could be told from none, or more than is possible
    high = square / 2 if known else 1e3 * math.sqrt(information(1.0, 0.0, frames, variances, blur)[2])
    low = 1e-3 / math.sqrt(information(0.0, 1.0, frames, variances, blur)[0])
    low = low if low > 1e-12 * high else 1e-12 * high  # without noise, spread is told from 0 by anything
    best, least = 0.0, np.inf
    for place in np.arange(math.log(low), math.log(high) + 1, 0.7):
        deviance, _ = _deviance(math.exp(place), 1.0, *terms)
        if deviance < least:
            best, least = place, deviance
    step = 0.35
    while step > 1e-6:
        before = best
        for place in (before - step, before + step):
            deviance, _ = _deviance(math.exp(place), 1.0, *terms)
            if deviance < least:
                best, least = place, deviance
        if best == before:
            step /= 2
    spread, noise = math.exp(best), 1.0
    if _deviance(0.0, 1.0, *terms)[0] <= least:
        spread = 0.0
    elif not known and without_noise <= least:
        spread, noise = 1.0, 0.0
    if not known:
        scale = _deviance(spread, noise, *terms)[1] / (2 * len(steps))
        spread, noise = spread * scale, noise * scale
    return spread, least_variance(spread, noise, frames, variances, blur, known)


@njit(cache=True, nogil=True, error_model="numpy")
def _deviance(spread, noise, of_spread, of_noise, steps, known):
    """Return -2 log of the likelihood, but for a constant, and x'S^-1 x of the displacements, both over both axes.

    ``of_spread`` and ``of_noise`` are the parts of S. If the noise is unknown, the likelihood is that of the best
    multiple of both parameters.
    """
    logarithms = square = share = x = y = 0.0
    pivot = 1.0
    for i in range(len(steps)):
        if i > 0:  # what the displacement before tells of this one
            share = (spread * of_spread[1][i - 1] + noise * of_noise[1][i - 1]) / pivot
        pivot = spread * of_spread[0][i] + noise * of_noise[0][i] - share**2 * pivot
        if not pivot > 0:
            return np.inf, np.inf
        x, y = steps[i, 0] - share * x, steps[i, 1] - share * y
        logarithms += math.log(pivot)
        square += (x**2 + y**2) / pivot
    return 2 * logarithms + (square if known else 2 * len(steps) * math.log(square)), square


def _check_tracks(positions_nm, localisation_sigma_nm):
    """Return positions in um and the variance of each in um2, 1 where it is unknown."""
    positions = 1e-3 * np.asarray(positions_nm, float)
    if positions.ndim != 3 or positions.shape[2] != 2:
        raise ValueError(f"positions_nm must be (n, T, 2), x and y in T frames of n tracks, got {positions.shape}")
    if np.isinf(positions).any():
        raise ValueError("positions_nm must be finite, or NaN where the molecule was not seen, got an infinite one")
    n, frames, _ = positions.shape
    if localisation_sigma_nm is None:
        return positions, np.ones((n, frames))
    sigma = 1e-3 * np.asarray(localisation_sigma_nm, float)
    if sigma.shape not in ((), (n,), (n, frames)):
        raise ValueError(
            f"localisation_sigma_nm must be a number, ({n},) or ({n}, {frames}) for positions_nm of {positions.shape}, "
            f"got {sigma.shape}"
        )
    sigma = np.broadcast_to(sigma[:, None] if sigma.ndim == 1 else sigma, (n, frames))
    wrong = ~(np.isfinite(sigma) & (sigma >= 0)) & ~np.isnan(positions).any(axis=2)
    if wrong.any():
        raise ValueError(
            "localisation_sigma_nm must be at least 0 wherever the molecule was seen, "
            f"got {1e3 * sigma[wrong][0]:g} in track {np.argwhere(wrong)[0, 0]}"
        )
    return positions, sigma**2


METHODS = {"msd": _by_lags, "cve": _by_covariance, "mle": _by_likelihood}
