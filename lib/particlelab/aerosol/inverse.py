"""The document's last question: which parameters made a series of images.

Asked of a model that tells how likely a series is for given parameters: a `SeriesModel`, which knows whole series and
is the better one, or a learned SDE, which knows steps.
"""

import numpy as np
from scipy import stats

from particlelab.randomness import check_rng, generator

DRAWS = {1: 256, 2: 512}  # of the prior, by the number of covariates that are not known
FEWEST_LIKELY = 4  # draws of a prior, that stand for a posterior distribution
POWERS = np.geomspace(0.005, 2.0, 100)  # of the likelihood, among which calibration chooses


def infer_parameters(size_curve, sde, prior, h=None, power=None, n=1000, rng=None):
    """Draw covariates of a growing cloud from their posterior distribution.

    A `SeriesModel` tells the likelihood of the series as a whole. By an SDE, it is the product of those of its steps,
    as the SDE has learned them. That takes each step to depend on the last state alone. In a real cloud, what one step
    shows of its breath the next shows again; the likelihood is then raised to a power below 1, which `calibrate_power`
    finds on series whose covariates are known.

    Parameters
    ----------
    size_curve : (T,) or (T, d) array_like
        Size of the cloud in each frame, in the unit that the model has learned (those that ship: % of the picture).
    sde : SDE or SeriesModel
        With covariates, from `fit_sde` or `load_sde`, `fit_series` or `load_series`.
    prior : (m, k) or (m,) array_like
        Draws of the covariates before anything was seen; a column of one value is a covariate that is known. Models
        know nothing beyond what they have learned (strengths from 1 to 15 and winds up to 0.3 m/s of those that ship).
    h : float, optional
        Time between frames, in the unit of the model; by default as in what the model was shown.
    power : float, optional
        By default what the card of the model says for so many frames (`find_power`).
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
        If the series has fewer than two frames or is not finite, there is no rng, power is not positive, the prior
        does not fit the SDE, or hardly any of its draws is likely: then the series is unlike those that were learned.
    """
    prior, rng = _check_prior(prior, sde), check_rng(rng)
    power = find_power(sde, len(size_curve)) if power is None else power
    weights = posterior_weights(log_likelihood(size_curve, sde, prior, h), power)
    if (likely := 1 / np.sum(weights**2)) < min(FEWEST_LIKELY, len(prior)):
        raise ValueError(
            f"size_curve is told by {likely:.1f} of {len(prior)} draws of the prior alone: more draws are needed, or "
            "sizes are not in the model's unit, or unlike all that it has learned"
        )
    return prior[rng.choice(len(prior), n, p=weights)]


def log_likelihood(size_curve, sde, prior, h=None):
    """Compute the logarithm of the likelihood of a series for each draw of the covariates, (m,).

    Parameters and errors as `infer_parameters`.
    """
    prior, curve = _check_prior(prior, sde), np.asarray(size_curve, float)
    curve = curve[:, None] if curve.ndim == 1 else curve
    if len(curve) < 2:
        raise ValueError(f"size_curve must have at least two frames, got {len(curve)}")
    h = getattr(sde, "step", 1.0) if h is None else h
    if hasattr(sde, "log_likelihood"):
        return sde.log_likelihood(curve, prior, h)
    m, steps = len(prior), len(curve) - 1
    x0, x1 = (np.tile(part, (m, 1)) for part in (curve[:-1], curve[1:]))
    return sde.log_density(x0, x1, h, np.repeat(prior, steps, axis=0)).reshape(m, steps).sum(axis=1)


def draw_prior(strengths, winds=None, wind=0.0):
    """Draw strengths, and winds if they are not known, evenly from what they may be.

    Parameters
    ----------
    strengths, winds : (low, high)
    wind : float
        The wind where it is known, m/s.

    Returns
    -------
    (m, 2) ndarray
        Quasi-random: the same every time.
    """
    free = 1 if winds is None else 2
    even = stats.qmc.Sobol(free, rng=generator(0, "prior")).random(DRAWS[free])
    if winds is None:
        return np.stack([strengths[0] + np.ptp(strengths) * np.sort(even[:, 0]), np.full(len(even), wind)], axis=1)
    return np.array([strengths[0], winds[0]]) + even * [np.ptp(strengths), np.ptp(winds)]


def find_power(sde, frames):
    """Return the power of the likelihood of a series of so many frames.

    How much a series repeats itself depends on its length. The card tells powers of some lengths (``powers``); those
    between are interpolated over the logarithm of the number of frames, shorter and longer ones have the first and the
    last. Without them it is the ``power`` of the card, or 1.
    """
    card = getattr(sde, "card", {})
    if powers := card.get("powers"):
        known = sorted((int(count), float(power)) for count, power in powers.items())
        counts, values = zip(*known, strict=True)
        return float(np.exp(np.interp(np.log(frames), np.log(counts), np.log(values))))
    return float(card.get("power", 1.0))


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


def find_ranks(log_likelihoods, prior, truth, power=1.0):
    """Return the share of the posterior distribution that lies below each true covariate, (k,).

    Over many series whose truth is drawn from the prior, shares are even from 0 to 1, and a central interval of
    coverage c holds the truth where the share is within c / 2 of a half (Talts et al. 2018, simulation-based
    calibration).
    """
    weights, shares = posterior_weights(log_likelihoods, power), []
    for column, true in zip(np.reshape(prior, (len(weights), -1)).T, np.ravel(truth), strict=True):
        order = np.argsort(column)
        middle = np.cumsum(weights[order]) - weights[order] / 2
        shares.append(np.interp(true, column[order], middle, left=0.0, right=1.0))
    return np.array(shares)


def calibrate_power(size_curves, covariates, sde, prior, h=None, coverage=0.9):
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
        The greatest of `POWERS` at which intervals, of all covariates together, cover as often as wanted; the smallest
        if none does.
    """
    likelihoods = [log_likelihood(curve, sde, prior, h) for curve in size_curves]
    return choose_power(likelihoods, covariates, prior, coverage)


def choose_power(log_likelihoods, covariates, prior, coverage=0.9):
    """Find the power as `calibrate_power` does, from likelihoods that are known: (m,) of each series."""
    truth = np.reshape(covariates, (len(log_likelihoods), -1))
    for power in POWERS[::-1]:
        ranks = [find_ranks(each, prior, true, power) for each, true in zip(log_likelihoods, truth, strict=True)]
        if np.mean(np.abs(np.array(ranks) - 0.5) <= coverage / 2) >= coverage:
            return float(power)
    return float(POWERS[0])


def _check_prior(prior, sde):
    prior = np.asarray(prior, float)
    prior = prior[:, None] if prior.ndim == 1 else prior
    if prior.ndim != 2 or prior.shape[1] != sde.covariates or not len(prior) or sde.covariates == 0:
        raise ValueError(f"prior must be (m, {sde.covariates}) for this SDE, got {prior.shape}")
    return prior
