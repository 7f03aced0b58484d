"""Learned stochastic differential equations: dx = f(x, p) dt + sigma(x, p) dW, in numpy.

Drift f and diffusivity sigma are neural networks (Gandhi 2022, sec. 2.4; Dietrich et al. 2021). Covariates p are
whatever else is known of a step: strength, time, wind.
"""

from typing import Literal, NamedTuple

import numpy as np
from pydantic import model_validator
from scipy import stats

from particlelab.aerosol import sde_layers
from particlelab.learning.models import load_trained, save_model
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import check_rng

CHUNK = 8192  # rows that a network sees at the same time


class SDETraining(Parameters):
    """Networks of an SDE and their training: small ones, for minutes; `TUNED` is the document's (sec. 3.5.6)."""

    layers: int = parameter(2, "Hidden layers of each network", low=1, high=36)
    width: int = parameter(50, "Neurons of a layer", low=1, high=1024)
    activation: Literal["elu", "tanh"] = parameter("elu", "Activation; ELU as in the code of Dietrich et al.")
    learning_rate: float = parameter(3e-3, "Highest learning rate, of Adam", above=0, high=1)
    decay: bool = parameter(True, "Let the learning rate go to 0 over the epochs, as half a cosine")
    batch: int = parameter(512, "Steps in a batch", low=1, high=1_000_000)
    epochs: int = parameter(100, "Epochs, at most", low=1, high=100_000)
    patience: int = parameter(30, "Epochs without a better loss of the validation, after which training ends", low=1)
    standardise: bool = parameter(
        True, "Show networks sizes and covariates in units of their deviations; otherwise as they are"
    )
    validation: float = parameter(0.2, "Share of the steps that is held back for the validation", above=0, below=1)
    scheme: Literal["euler", "milstein"] = parameter("euler", "Scheme whose likelihood is used")


class SDEParameters(SDETraining):
    """Networks of an SDE of any dimension, one or several."""

    diffusivity: Literal["diagonal", "triangular", "spd"] = parameter(
        "diagonal", "Form of the diffusivity in more than one dimension"
    )
    members: int = parameter(1, "Networks that are trained, for bands", low=1, high=100)

    @model_validator(mode="after")
    def _possible(self):
        if self.scheme == "milstein" and self.diffusivity != "diagonal":
            raise ValueError(
                f"scheme = 'milstein' needs diffusivity = 'diagonal', got {self.diffusivity!r}: "
                "with others the step has no density in closed form"
            )
        return self


TUNED = SDEParameters(layers=8, width=448, learning_rate=1e-3, decay=False)  # by the document's search


class Bands(NamedTuple):
    """Where drift and diffusivity lie, each as (lower, upper) of the shapes that `SDE` gives."""

    drift: tuple
    diffusivity: tuple


class SDE:
    """A learned stochastic differential equation; made by `fit_sde` or `load_sde`.

    In numpy only: TensorFlow is not needed to use it. Of several members, drift and diffusivity (its factor L, where it
    is a matrix) are the mean.

    Attributes
    ----------
    card : dict
        See `save_model`: ``parameters``, ``dimension`` d, number of ``covariates`` k, and the units in which the
        networks see the world: ``centre`` and ``spread`` (d + k) of states and covariates, ``scale`` (d) of increments,
        ``step`` of times.
    members : list of dict
        Weights of each member's networks.
    history : DataFrame or None
        Of the training.
    """

    def __init__(self, card, members):
        self.card, self.members, self.history = card, members, None
        self.parameters = SDEParameters(**card["parameters"])
        self.dimension, self.covariates, self.step = card["dimension"], card["covariates"], card["step"]
        self.kind = self.parameters.diffusivity if self.dimension > 1 else "diagonal"
        self._centre, self._spread, self._scale = (np.array(card[key]) for key in ("centre", "spread", "scale"))
        self.slope_scale = self._scale / self._spread[: self.dimension]

    def drift(self, x, p=None):
        """Compute f(x, p), (n, d), in units of x per unit of h.

        Parameters
        ----------
        x : (n, d) array_like; (n,) in one dimension
        p : (n, k) or (k,) array_like, optional
            Covariates; in place of one covariate (n,) or a number.

        Raises
        ------
        ValueError
            If x or p are not of these shapes, or not finite.
        """
        return self._look(*self._check(x, p))[0] * self._scale / self.step

    def diffusivity(self, x, p=None):
        """Compute sigma(x, p), (n, d), or (n, d, d) where it is a matrix, in units of x per root of unit of h."""
        return self._sigma(self._look(*self._check(x, p))[1])

    def scatter(self, x, p=None):
        """Compute drift and diffusivity of each member: two arrays like those, with the members along a first axis."""
        seen = self._check(x, p)
        told = [self._look(*seen, [member]) for member in self.members]
        return np.stack([t[0] for t in told]) * self._scale / self.step, np.stack([self._sigma(t[1]) for t in told])

    def bands(self, x, p=None, coverage=0.9):
        """Compute where drift and diffusivity lie, by the scatter of members: mean -+ Student's t times deviation.

        Returns
        -------
        Bands

        Raises
        ------
        ValueError
            If there is one member only, or as `drift`.
        """
        if len(self.members) < 2:
            raise ValueError("bands need members = 2 or more, got 1")
        factor = stats.t.ppf((1 + coverage) / 2, len(self.members) - 1)
        means_and_halves = [(all_.mean(axis=0), factor * all_.std(axis=0, ddof=1)) for all_ in self.scatter(x, p)]
        return Bands(*((mean - half, mean + half) for mean, half in means_and_halves))

    def log_density(self, x0, x1, h, p=None, finite=False):
        """Compute the log density of each x1, (n,), by the scheme that was trained; -inf where Milstein allows none.

        With ``finite`` it falls there, but not to nothing (see `sde_layers.log_density`).
        """
        density = sde_layers.log_density(*self._excess(x0, x1, h, p), self.kind, finite=finite)
        return density - np.log(self._scale).sum()

    def loss(self, x0, x1, h, p=None, weights=None):
        """Compute the mean of eq. 2.13 over steps: the loss of the document and of the training, in original units.

        Of Milstein's scheme as a training sees it: finite for all steps.

        Parameters
        ----------
        x0, x1, h, p, weights
            As for `fit_sde`.

        Returns
        -------
        float
        """
        return -float(np.average(self.log_density(x0, x1, h, p, finite=True), weights=weights))

    def noise(self, x0, x1, h, p=None):
        """Compute standardised residuals of steps, (n, d): the standard normal noise that makes each.

        Milstein's scheme has two for each step: the one nearer to 0 is given.
        """
        return sde_layers.noise(*self._excess(x0, x1, h, p), self.kind)

    def sample(self, x0, steps, h, p=None, n=1, rng=None, by_member=False, memory=0.0, last=None):
        """Draw trajectories, by the scheme that was trained.

        The equation has new noise in each step. What drives a cloud lasts longer: with ``memory`` the noise of a step
        is correlated with that of the one before, while each step alone is distributed as the equation has it.

        Parameters
        ----------
        x0 : (m, d) array_like; (m,) in one dimension
            Where they start.
        steps : int
        h : float
            Length of a step.
        p : array_like, optional
            Covariates: as for `drift`, or (m, steps, k) where they change on the way.
        n : int
            Trajectories from each start.
        rng : numpy.random.Generator
        by_member : bool
            Let each trajectory follow one of the members, instead of their mean: the trajectories then also scatter
            by what the data left open.
        memory : float
            Correlation of the noise of steps that follow each other, at least 0 and below 1.
        last : (m, d) array_like; (m,) in one dimension, optional
            Noise of the step before the first one (`noise`), which the memory begins with; random by default.

        Returns
        -------
        (m, n, steps + 1, d) ndarray
            With the start.

        Raises
        ------
        ValueError
            If h is not positive, there is no rng, the memory is not from 0 to below 1, or as `drift`.
        """
        check_rng(rng)
        if not 0 <= memory < 1:
            raise ValueError(f"memory must be at least 0 and below 1, got {memory!r}")
        if not (np.ndim(h) == 0 and h > 0 and np.isfinite(h)):
            raise ValueError(f"h must be a positive number, got {h!r}")
        if min(steps, n) < 1:
            raise ValueError(f"steps and n must be at least 1, got {steps} and {n}")
        if np.ndim(p) == 3 and np.shape(p)[1] != steps:
            raise ValueError(f"p must be (m, steps, k) with {steps} steps, got {np.shape(p)}")
        x0, first = self._check(x0, np.asarray(p)[:, 0] if np.ndim(p) == 3 else p)
        known = [self._check(x0, values)[1] for values in np.moveaxis(p, 1, 0)] if np.ndim(p) == 3 else [first] * steps
        paths = np.empty((len(x0), n, steps + 1, self.dimension))
        paths[:, :, 0] = x0[:, None]
        began = None if last is None else np.broadcast_to(_states("last", last, self.dimension), x0.shape)
        groups = [[member] for member in self.members] if by_member else [self.members]
        for number, members in enumerate(groups):
            some = paths[:, number :: len(groups)]
            shape = (len(x0) * some.shape[1], self.dimension)
            z = rng.standard_normal(shape) if began is None else np.repeat(began, some.shape[1], axis=0)
            for step in range(steps):
                rows = some[:, :, step].reshape(shape)
                if step or began is not None:
                    z = memory * z + (1 - memory**2) ** 0.5 * rng.standard_normal(shape)
                there = self._move(rows, np.repeat(known[step], some.shape[1], axis=0), h, z, members)
                some[:, :, step + 1] = there.reshape(some[:, :, step].shape)
        return paths

    def save(self, path):
        """Write the model file (.safetensors) and its card beside it."""
        tensors = {f"{m}.{name}": array for m, member in enumerate(self.members) for name, array in member.items()}
        return save_model(path, tensors, self.card)

    def standardise(self, x, p):
        """Return states (n, d) and covariates (n, k) as the networks see them, (n, d + k)."""
        return (np.concatenate([x, p], axis=1) - self._centre) / self._spread

    def _check(self, x, p):
        x = _states("x", x, self.dimension)
        return x, _covariates(p, len(x), self.covariates)

    def _look(self, x, p, members=None):
        """Return drift, entries and slopes in the units of the networks, the mean over members."""
        members, seen, q = members or self.members, self.standardise(x, p).astype(np.float32), self.parameters
        chunks = []
        for start in range(0, max(len(seen), 1), CHUNK):
            rows = seen[start : start + CHUNK]
            told = [
                sde_layers.evaluate(m, rows, self.dimension, self.kind, q.scheme, q.activation, self.slope_scale)
                for m in members
            ]
            chunks.append([sum(values) / len(values) for values in zip(*told, strict=True)])
        found = [np.concatenate(values) for values in zip(*chunks, strict=True)]
        return found if len(found) == 3 else [*found, None]

    def _sigma(self, entries):
        scale = self._scale / self.step**0.5
        found = sde_layers.matrices(entries, self.dimension, self.kind)
        return found * (scale if self.kind == "diagonal" else scale[:, None])

    def _excess(self, x0, x1, h, p):
        """Return what `sde_layers.log_density` takes of steps."""
        steps = check_steps(x0, x1, h, p, known=self)
        drift, entries, slopes = self._look(steps.x0, steps.p)
        tau = steps.h[:, None] / self.step
        return (steps.x1 - steps.x0) / self._scale - tau * drift, tau, entries, slopes

    def _move(self, x, p, h, z, members):
        """Make one step with the noise z."""
        drift, entries, slopes = self._look(x, p, members)
        tau = h / self.step
        matrix = sde_layers.matrices(entries, self.dimension, self.kind)
        kick = matrix * z if self.kind == "diagonal" else np.einsum("nij,nj->ni", matrix, z)
        change = drift * tau + kick * tau**0.5
        if slopes is not None:
            change += entries * slopes * tau * (z**2 - 1) / 2
        return x + change * self._scale


def load_sde(name):
    """Load a learned SDE.

    Parameters
    ----------
    name : str or path
        One that ships, or the path of a ``.safetensors`` file.

    Returns
    -------
    SDE

    Raises
    ------
    ValueError
        If there is none, or the file holds something else.
    """
    return load_trained("aerosol", name, _load)


class Steps(NamedTuple):
    """Checked steps."""

    x0: np.ndarray  # (n, d)
    x1: np.ndarray  # (n, d)
    h: np.ndarray  # (n,)
    p: np.ndarray  # (n, k)
    weights: np.ndarray  # (n,), of mean 1


def check_steps(x0, x1, h, covariates=None, weights=None, known=None):
    """Return steps as `fit_sde` takes them, as arrays of floats; ``known`` is an SDE whose dimensions they must have.

    Raises
    ------
    ValueError
        As `fit_sde`.
    """
    x0 = _states("x0", x0, known and known.dimension)
    x1, n = _states("x1", x1, x0.shape[1]), len(x0)
    h = np.asarray(h, float)
    if len(x1) != n or h.shape not in ((), (n,)):
        raise ValueError(f"x0, x1 and h must have as many rows, or h be a number; got {n}, {len(x1)} and {h.shape}")
    if not (n and (h > 0).all() and np.isfinite(h).all()):
        raise ValueError(f"there must be steps, and h must be positive and finite, got {n} steps of h = {h}")
    weights = np.ones(n) if weights is None else np.asarray(weights, float)
    if weights.shape != (n,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise ValueError(f"weights must be ({n},), finite, not negative and not all 0, got {weights}")
    p = _covariates(covariates, n, known and known.covariates)
    return Steps(x0, x1, np.broadcast_to(h, n), p, weights / weights.mean())


def _states(name, x, dimension=None):
    """Return states as (n, d)."""
    x = np.asarray(x, float)
    x = x[:, None] if x.ndim == 1 else x
    if x.ndim != 2 or x.shape[1] == 0 or dimension not in (None, x.shape[1]):
        raise ValueError(f"{name} must be (n, {dimension or 'd'}), got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite, got NaN or infinite values")
    return x


def _covariates(p, n, known=None):
    """Return covariates as (n, k); one row is that of all states."""
    p = np.empty((n, 0)) if p is None else np.asarray(p, float)
    if p.ndim < 2:
        p = p.reshape((1, -1) if known and known > 1 else (-1, 1))
    if p.ndim != 2 or len(p) not in (1, n) or known not in (None, p.shape[1]):
        raise ValueError(f"covariates must be ({n}, {'k' if known is None else known}), got {p.shape}")
    if not np.isfinite(p).all():
        raise ValueError("covariates must be finite, got NaN or infinite values")
    return np.broadcast_to(p, (n, p.shape[1]))


def _load(path, weights, card):
    try:
        count = 1 + max(int(key.partition(".")[0]) for key in weights)
        members = [
            {key.partition(".")[2]: array for key, array in weights.items() if key.startswith(f"{m}.")}
            for m in range(count)
        ]
        sde = SDE(card, members)
        blank = np.zeros((1, sde.dimension))
        sde.drift(blank, np.zeros((1, sde.covariates)))
    except (KeyError, TypeError, ValueError):
        if "dimension" in card:
            raise ValueError(f"{path} is damaged: its weights are not those of its card") from None
        said = card.get("purpose", "nothing")
        raise ValueError(f"{path} holds no stochastic differential equation: its card says {said!r}") from None
    return sde
