"""The document's last question: which parameters made a series of images, asked of the learned likelihood."""

import numpy as np

from particlelab.aerosol.sde import check_rng

POWERS = np.geomspace(0.02, 2.0, 60)  # of the likelihood, among which calibration chooses


def infer_parameters(size_curve, sde, prior, h=1.0, power=1.0, n=1000, rng=None):
    """Draw covariates of a growing cloud from their posterior distribution.

    The likelihood of a series is the product of those of its steps, as the SDE has learned them. That takes each step
    to depend on the last state alone. In a real cloud, what one step shows of its breath the next shows again; the
    likelihood is then raised to a power below 1, which `calibrate_power` finds on series whose covariates are known.

    Parameters
    ----------
    size_curve : (T,) or (T, d) array_like
        Size of the cloud in each frame.
    sde : SDE
        From `fit_sde`, with covariates.
    prior : (m, k) or (m,) array_like
        Draws of the covariates before anything was seen.
    h : float
        Time between frames, in the unit of the SDE.
    power : float
    n : int
        Draws.
    rng : numpy.random.Generator

    Returns
    -------
    (n, k) ndarray
        Of the prior's draws, each as often as it is likely.

    Raises
    ------
    ValueError
        If the series has fewer than two frames or is not finite, there is no rng, power is not positive, or the prior
        does not fit the SDE.
    """
    prior = _check_prior(prior, sde)
    weights = posterior_weights(log_likelihood(size_curve, sde, prior, h), power)
    return prior[check_rng(rng).choice(len(prior), n, p=weights)]


def log_likelihood(size_curve, sde, prior, h=1.0):
    """Compute the logarithm of the likelihood of a series for each draw of the covariates, (m,).

    Parameters and errors as `infer_parameters`.
    """
    prior, curve = _check_prior(prior, sde), np.asarray(size_curve, float)
    curve = curve[:, None] if curve.ndim == 1 else curve
    if len(curve) < 2:
        raise ValueError(f"size_curve must have at least two frames, got {len(curve)}")
    m, steps = len(prior), len(curve) - 1
    x0, x1 = (np.tile(part, (m, 1)) for part in (curve[:-1], curve[1:]))
    return sde.log_density(x0, x1, h, np.repeat(prior, steps, axis=0)).reshape(m, steps).sum(axis=1)


def posterior_weights(log_likelihoods, power=1.0):
    """Return the weight of each draw of the prior, with a sum of 1."""
    if not power > 0:
        raise ValueError(f"power must be positive, got {power!r}")
    weights = np.exp(power * (log_likelihoods - np.max(log_likelihoods)))
    return weights / weights.sum()


def find_intervals(log_likelihoods, prior, power=1.0, coverage=0.9):
    """Return lower, median and upper value of each covariate, (k,) each, by the weights of the prior's draws."""
    weights = posterior_weights(log_likelihoods, power)
    levels, found = [(1 - coverage) / 2, 0.5, (1 + coverage) / 2], []
    for column in np.reshape(prior, (len(weights), -1)).T:
        order = np.argsort(column)
        middle = np.cumsum(weights[order]) - weights[order] / 2
        found.append(np.interp(levels, middle, column[order]))
    return tuple(np.array(found).T)


def calibrate_power(size_curves, covariates, sde, prior, h=1.0, coverage=0.9):
    """Find the power of the likelihood at which intervals hold the truth as often as they should.

    Parameters
    ----------
    size_curves : sequence of (T,) or (T, d) array_like
        Series that the SDE was not trained on.
    covariates : (n, k) or (n,) array_like
        What made them.
    sde, prior, h
        As for `infer_parameters`.
    coverage : float

    Returns
    -------
    power : float
        The greatest of `POWERS` at which intervals cover as often as wanted; the smallest if none does.
    """
    truth = np.reshape(covariates, (len(size_curves), -1))
    likelihoods = [log_likelihood(curve, sde, prior, h) for curve in size_curves]
    for power in POWERS[::-1]:
        ends = [find_intervals(each, prior, power, coverage) for each in likelihoods]
        held = [(low <= true) & (true <= high) for (low, _, high), true in zip(ends, truth, strict=True)]
        if np.mean(held) >= coverage:
            return float(power)
    return float(POWERS[0])


def _check_prior(prior, sde):
    prior = np.asarray(prior, float)
    prior = prior[:, None] if prior.ndim == 1 else prior
    if prior.ndim != 2 or prior.shape[1] != sde.covariates or not len(prior) or sde.covariates == 0:
        raise ValueError(f"prior must be (m, {sde.covariates}) for this SDE, got {prior.shape}")
    return prior
