"""Parameters of a cloud from its series as a whole: an estimate by regression, and how that scatters.

The likelihood of a learned SDE (`inverse`) takes each step to depend on the last state alone. But what one step shows
of its breath and its eddies, all later steps show again. Here the whole series is summed up by one number for each
parameter, a regression's estimate of it (Fearnhead and Prangle 2012), and the likelihood is that of the estimate: a
normal distribution, the mean and scatter of which, by parameters, are those of simulations (the synthetic likelihood
of Wood 2010, but of a fit over all parameters).
"""

import itertools
from typing import NamedTuple

import numpy as np

from particlelab.learning.models import load_trained, save_model

KIND = "series"  # in the card
COMPONENTS = 10  # principal components of the logarithm of a series, of which the regression takes squares and products
PENALTY = 1e-3  # of the regression's coefficients, relative to the number of series
FOLDS = 20  # of the series, each of which is estimated by the others
BENT = 4  # degree of the polynomial of the parameters that the mean of estimates is
FLOOR = 1e-3  # % of the picture, added to sizes before the logarithm is taken


class SeriesModel:
    """Simulated series whose parameters are known; made by `fit_series` or `load_series`.

    The regression is made for the frames of the series that is asked about: it may be shorter than those known, or
    have another time between frames.

    Attributes
    ----------
    card : dict
        ``names`` of the covariates, and where the series come from.
    covariates : int
        Number of parameters.
    step : float
        Time between frames of the known series.
    """

    def __init__(self, card, sizes, known):
        self.card, self.sizes, self.known = card, np.asarray(sizes, float), np.asarray(known, float)
        self.covariates, self.step, self._fits = self.known.shape[1], float(card["step"]), {}

    def estimate(self, size_curve, h):
        """Estimate the parameters of a series by the regression alone, (k,).

        Parameters and errors as `log_likelihood`.
        """
        fit = self._fit(len(size_curve), h)
        return _regress(fit, _logarithm(size_curve)[None])[0]

    def log_likelihood(self, size_curve, prior, h):
        """Compute the log density of the estimate of a series for each draw of the parameters, (m,).

        Parameters
        ----------
        size_curve : (T,) array_like
            %, from the first frame on.
        prior : (m, k) array
        h : float
            Time between frames, in the unit of the known series.

        Raises
        ------
        ValueError
            If the series lasts longer than those known, is not finite, or negative.
        """
        curve = np.asarray(size_curve, float)
        curve = curve[:, 0] if curve.ndim == 2 and curve.shape[1] == 1 else curve
        if curve.ndim != 1 or not np.isfinite(curve).all() or (curve < 0).any():
            raise ValueError(f"size_curve must be (T,), finite and not negative, got {curve} of {np.shape(size_curve)}")
        fit = self._fit(len(curve), h)
        away = _regress(fit, _logarithm(curve)[None]) - _bend(self._standardise(prior), BENT) @ fit.mean
        deviations = np.exp(_bend(self._standardise(prior), 2) @ fit.log_deviation)
        scaled = away / deviations
        inverse = np.linalg.inv(fit.correlation)
        return -0.5 * np.einsum("mi,ij,mj->m", scaled, inverse, scaled) - np.log(deviations).sum(axis=1)

    def save(self, path):
        """Write the model file (.safetensors) and its card beside it."""
        tensors = {"sizes": self.sizes.astype(np.float32), "known": self.known.astype(np.float32)}
        return save_model(path, tensors, self.card)

    def _standardise(self, covariates):
        centre, spread = self.known.mean(axis=0), self.known.std(axis=0)
        return (np.asarray(covariates, float) - centre) / np.where(spread > 0, spread, 1.0)

    def _fit(self, frames, h):
        """Return the regression for series of so many frames, made once."""
        key = (frames, round(float(h), 9))
        if key not in self._fits:
            step, last = self.step, self.sizes.shape[1]
            times = h * np.arange(1, frames + 1) / step  # in frames of the known series, the first of which is 1
            if not (times[0] > 1 - 1e-9 and times[-1] < last * (1 + 1e-9)):
                raise ValueError(
                    f"the model knows {last} frames of {step:g}; it cannot tell of {frames} frames of {h:g}: "
                    "they must last no longer, and be no closer together"
                )
            known = np.stack([np.interp(times, np.arange(1, last + 1), one) for one in _logarithm(self.sizes)])
            self._fits[key] = _fit(known, self.known, self._standardise(self.known))
        return self._fits[key]


def fit_series(sizes, covariates, h, names=("strength",), card=None):
    """Keep simulated series as a model of what series tell.

    Parameters
    ----------
    sizes : (n, T) array_like
        Cloud sizes, %; the first frame is one frame time after the breath begins.
    covariates : (n, k) or (n,) array_like
        What made them.
    h : float
        Time between frames, in any unit.
    names : sequence of str
        Of the k covariates.
    card : dict, optional
        What else the card is to say.

    Returns
    -------
    SeriesModel

    Raises
    ------
    ValueError
        If shapes do not fit, numbers are not finite or sizes are negative, h is not positive, or there are fewer than
        50 series.
    """
    sizes, known = np.asarray(sizes, float), np.asarray(covariates, float)
    known = known[:, None] if known.ndim == 1 else known
    if sizes.ndim != 2 or known.ndim != 2 or len(known) != len(sizes) or known.shape[1] != len(names):
        raise ValueError(f"sizes (n, T) need covariates (n, {len(names)}), got {sizes.shape} and {known.shape}")
    if not (np.isfinite(sizes).all() and np.isfinite(known).all()) or (sizes < 0).any():
        raise ValueError(
            "sizes and covariates must be finite, and sizes not negative, got values from "
            f"{np.min(sizes):g} and {np.min(known):g} to {np.max(sizes):g} and {np.max(known):g}"
        )
    if not h > 0:
        raise ValueError(f"h must be positive, got {h!r}")
    if len(sizes) < 50:
        raise ValueError(f"there must be at least 50 series, got {len(sizes)}")
    about = {
        "purpose": f"Tells {' and '.join(names)} of a cloud from the series of its sizes, by simulated series.",
        "kind": KIND,
        "step": float(h),
        "names": list(names),
        "series": len(sizes),
    }
    return SeriesModel(about | (card or {}), sizes, known)


def load_series(name):
    """Load a model of series: one that ships, by its name, or the path of a ``.safetensors`` file.

    Raises
    ------
    ValueError
        If there is none, or the file holds something else.
    """
    return load_trained("aerosol", name, _load)


class _Fit(NamedTuple):
    centre: np.ndarray  # (T,) of logarithms
    axes: np.ndarray  # (T, c) principal components, scaled
    weights: np.ndarray  # (f, k) of the regression
    mean: np.ndarray  # (g, k): what estimates are on average, by the parameters
    log_deviation: np.ndarray  # (6 or 3, k): how they scatter
    correlation: np.ndarray  # (k, k) of what scatters


def _fit(logarithms, known, standardised):
    whole = _learn(logarithms, known)
    estimates, fold = np.empty_like(known), np.arange(len(known)) % FOLDS
    for number in range(FOLDS):
        rest = _learn(logarithms[fold != number], known[fold != number])
        estimates[fold == number] = _regress(rest, logarithms[fold == number])
    bent, less_bent = _bend(standardised, BENT), _bend(standardised, 2)
    mean = np.linalg.lstsq(bent, estimates, rcond=None)[0]
    away = estimates - bent @ mean
    spread = _fit_deviations(less_bent, away)
    scaled = away / np.exp(less_bent @ spread)
    correlation = np.atleast_2d(np.corrcoef(scaled.T)) if known.shape[1] > 1 else np.eye(1)
    return whole._replace(mean=mean, log_deviation=spread, correlation=correlation)


def _fit_deviations(features, away):
    """Return coefficients of the log of the standard deviation that make what is seen likeliest (Fisher's scoring)."""
    found = np.zeros((features.shape[1], away.shape[1]))
    found[0] = np.log(away.std(axis=0))
    for _ in range(30):
        excess = (away / np.exp(features @ found)) ** 2 - 1
        found += np.linalg.lstsq(2 * features, np.clip(excess, -1, 3), rcond=None)[0]
    return found


def _learn(logarithms, known):
    centre, spread = logarithms.mean(axis=0), logarithms.std(axis=0)
    weight = 1 / np.maximum(spread, 1e-9)  # early frames vary less, but tell as much
    _, sizes, axes = np.linalg.svd((logarithms - centre) * weight, full_matrices=False)
    kept = min(COMPONENTS, int((sizes > 1e-6 * sizes[0]).sum()))
    axes = weight[:, None] * axes[:kept].T * (len(logarithms) ** 0.5 / sizes[:kept])
    features = _bend((logarithms - centre) @ axes, 2)
    penalty = PENALTY * len(features) * np.eye(features.shape[1])
    penalty[0, 0] = 0
    weights = np.linalg.solve(features.T @ features + penalty, features.T @ known)
    return _Fit(centre, axes, weights, None, None, None)


def _regress(fit, logarithms):
    return _bend((logarithms - fit.centre) @ fit.axes, 2) @ fit.weights


def _bend(values, degree):
    """Return 1 and all products of up to so many of the columns."""
    columns = [np.ones(len(values))]
    for count in range(1, degree + 1):
        for some in itertools.combinations_with_replacement(range(values.shape[1]), count):
            columns.append(np.prod(values[:, some], axis=1))
    return np.stack(columns, axis=1)


def _logarithm(sizes):
    return np.log(np.asarray(sizes, float) + FLOOR)


def _load(path, tensors, card):
    if card.get("kind") != KIND or not {"sizes", "known"} <= set(tensors):
        raise ValueError(f"{path} holds no model of series: its card says {card.get('purpose', 'nothing')!r}")
    return SeriesModel(card, tensors["sizes"], tensors["known"])
