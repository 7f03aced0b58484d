"""What a track can tell at best: the covariance of its displacements, and the Cramér-Rao bound of its diffusion.

The model is that of Berglund (Phys. Rev. E 82, 011917, 2010): a position is the average over an exposure, plus an error
that is independent from frame to frame. Displacements of free diffusion then are normal, and only neighbours depend
on each other.
"""

import math

import numpy as np
from numba import njit


def crlb(diffusion_um2_s, interval_s, n_frames, localisation_sigma_nm, blur=1 / 6, sigma_known=True):
    """Return the least relative standard deviation with which a track in two dimensions can tell its diffusion.

    Parameters
    ----------
    diffusion_um2_s : float or array
        Diffusion coefficient D.
    interval_s : float
        From one frame to the next.
    n_frames : int
        The molecule is seen in each of them.
    localisation_sigma_nm : float or array
        Standard deviation of a position along each axis.
    blur : float
        R of Berglund (2010): exposure / (6 interval), see `particlelab.diffusion.motion.blur_coefficient`.
    sigma_known : bool
        Whether the error is known; if not, it has to be estimated from the same track.

    Returns
    -------
    float or ndarray
        Standard deviation over D of an estimator without bias, of the shape to which D and the error broadcast.

    Raises
    ------
    ValueError
        If D or the interval is not positive, the error negative, blur not between 0 and 1/4, or the frames are too few.

    Notes
    -----
    The Cramér-Rao bound: the Fisher information of the displacements, in D alone or in D and the error together.
    An estimator that is biased, as one that is never negative must be, may scatter less.
    """
    diffusion, sigma = np.broadcast_arrays(
        np.asarray(diffusion_um2_s, float), 1e-3 * np.asarray(localisation_sigma_nm, float)
    )
    if not (np.isfinite(diffusion).all() and (diffusion > 0).all()):
        raise ValueError(f"diffusion_um2_s must be positive, got {diffusion_um2_s}")
    if not (np.isfinite(sigma).all() and (sigma >= 0).all()):
        raise ValueError(f"localisation_sigma_nm must be at least 0, got {localisation_sigma_nm}")
    check_timing(interval_s, blur)
    least = 2 if sigma_known else 3
    if n_frames != int(n_frames) or n_frames < least:
        raise ValueError(f"n_frames must be a whole number of at least {least}, got {n_frames}")
    frames, every = np.arange(int(n_frames)), np.ones(int(n_frames))
    bound = np.empty(diffusion.shape)
    for i, ratio in np.ndenumerate(sigma**2 / (diffusion * interval_s)):
        bound[i] = math.sqrt(least_variance(1.0, ratio, frames, every, blur, sigma_known))
    return bound[()]


def check_timing(interval_s, blur):
    """Raise ValueError if an interval is not positive, or blur not a coefficient of motion blur."""
    if not (math.isfinite(interval_s) and interval_s > 0):
        raise ValueError(f"interval_s must be positive, got {interval_s}")
    if not 0 <= blur <= 0.25:
        raise ValueError(f"blur must be between 0 and 1/4 (exposure / (6 interval)), got {blur}")


@njit(cache=True, nogil=True)
def covariance(spread, noise, frames, variance, blur):
    """Return the covariance of the displacements of a track along an axis: its diagonal, and that beside it.

    Parameters
    ----------
    spread : float
        D times the interval.
    noise : float
        By which ``variance`` is multiplied.
    frames : (p,) array
        In which the molecule is seen, rising. A displacement leads from one of them to the next.
    variance : (p,) array
        Of the error of each position.
    blur : float

    Returns
    -------
    diagonal : (p - 1,) ndarray
    beside : (p - 2,) ndarray
        Of a displacement and the next: they share a position, and with it its blur and its error. All others are
        independent.
    """
    diagonal = 2 * spread * (np.diff(frames) - 2 * blur) + noise * (variance[:-1] + variance[1:])
    return diagonal, 2 * blur * spread - noise * variance[1:-1]


@njit(cache=True, nogil=True, error_model="numpy")
def information(spread, noise, frames, variance, blur):
    """Return the Fisher information of a track in two dimensions: of spread, of both, and of noise.

    The parameters are those of `covariance`. As the covariance S is linear in spread and noise, the information, for an
    axis tr(S^-1 dS S^-1 dS) / 2, is half the negative second derivative of log det S. It is a sum over the pivots of S,
    of which each follows from the one before.
    """
    diagonal, beside = covariance(spread, noise, frames, variance, blur)
    diagonal_1, beside_1 = covariance(1.0, 0.0, frames, variance, blur)  # derivatives
    diagonal_2, beside_2 = covariance(0.0, 1.0, frames, variance, blur)
    pivot, first, second = diagonal[0], diagonal_1[0], diagonal_2[0]
    bend_11 = bend_12 = bend_22 = 0.0  # second derivatives of the pivot
    of_spread = of_both = of_noise = 0.0
    for i in range(len(diagonal)):
        if i:
            share = beside[i - 1] / pivot
            slope_1 = beside_1[i - 1] - share * first
            slope_2 = beside_2[i - 1] - share * second
            bend_11 = share**2 * bend_11 - 2 * slope_1 * slope_1 / pivot
            bend_12 = share**2 * bend_12 - 2 * slope_1 * slope_2 / pivot
            bend_22 = share**2 * bend_22 - 2 * slope_2 * slope_2 / pivot
            first = diagonal_1[i] - share * (2 * beside_1[i - 1] - share * first)
            second = diagonal_2[i] - share * (2 * beside_2[i - 1] - share * second)
            pivot = diagonal[i] - share * beside[i - 1]
        of_spread += (first / pivot) ** 2 - bend_11 / pivot
        of_both += first * second / pivot**2 - bend_12 / pivot
        of_noise += (second / pivot) ** 2 - bend_22 / pivot
    return of_spread, of_both, of_noise


@njit(cache=True, nogil=True, error_model="numpy")
def least_variance(spread, noise, frames, variance, blur, noise_known):
    """Return the Cramér-Rao bound of the variance of spread, from the parameters of `covariance`."""
    of_spread, of_both, of_noise = information(spread, noise, frames, variance, blur)
    return 1 / of_spread if noise_known else of_noise / (of_spread * of_noise - of_both**2)
