"""The best possible classifier: posterior probabilities from the simulator itself.

Nobody can tell categories apart better than by the posterior probability p(category | projections), and the simulator
holds all that it takes. Given radius and place of a particle and what is in it, its projections are close to normally
distributed: the many corners of the outline and the noise of the detector add up. So the likelihood of a category is an
average of normal densities over all else (radius, place, hole, spiral), taken by importance sampling for radius
and place, and by annealed importance sampling with resampling (sequential Monte Carlo) for what is in the particle.
"""

import contextlib
import math
from typing import NamedTuple

import numba
import numpy as np
from scipy import linalg, ndimage, optimize, special
from threadpoolctl import threadpool_limits

from particlelab.stem.dataset import CATEGORIES, CONTENTS, document_parameters, make_dataset
from particlelab.stem.projection import Layer, thickness, view_angles
from particlelab.stem.shapes import SPIRAL_DIMENSIONS, hole_dimensions, lay_holes, lay_polygons, lay_spirals

PLACES = 32  # draws of radius and place
OUTLINES = 200  # that are simulated at each radius and place
CLOSE = 5  # rays
KEPT = 0.5  # effective share of the samples from one temperature to the next


class Annealing(NamedTuple):
    """Effort of annealing: samples at the beginning, as a multiple of those in the end, and Markov steps each time."""

    first: int
    moves: int


# the likelihood of a spiral has many narrow peaks; who begins with few samples misses the highest, and is sure of it
FOR_HOLES, FOR_SPIRALS = Annealing(first=1, moves=4), Annealing(first=16, moves=10)


class BayesAccuracy(NamedTuple):
    """Accuracy of the best possible classifier, and the standard error of this estimate."""

    estimate: float
    standard_error: float


def bayes_accuracy(feature, views, parameters=None, n=200, rng=None, samples=500, progress=None):
    """Estimate the accuracy that no classifier can surpass: how often the greatest posterior is the true category.

    Parameters
    ----------
    feature : str
        A key of `CATEGORIES`.
    views : int
    parameters : Particles, optional
        By default the document's.
    n : int
        Particles to simulate and to classify.
    rng : numpy.random.Generator
    samples : int
        As for `posterior`.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    BayesAccuracy

    Notes
    -----
    The posterior is estimated and its normal distributions are an approximation, so that the classifier made of it is
    a real one: its accuracy is, within its standard error, a lower bound of the best possible.
    """
    data = make_dataset(feature, n, views, parameters, rng)
    right = posterior(data.x, feature, parameters, rng, samples, progress).argmax(axis=1) == data.y
    return BayesAccuracy(right.mean(), math.sqrt(right.mean() * (1 - right.mean()) / n))


def posterior(x, feature, parameters=None, rng=None, samples=500, progress=None):
    """Compute the posterior probability of each category, all being as likely before.

    Parameters
    ----------
    x : (n, views, points) array
        Projections as `make_dataset` gives them.
    feature : str
    parameters : Particles, optional
    rng : numpy.random.Generator
    samples : int
        Of what is in a particle, at each temperature; for spirals 16 times as many at first, halved from one to the
        next.
    progress : callable, optional

    Returns
    -------
    (n, categories) ndarray

    Raises
    ------
    ValueError
        If the angles scatter: they are taken as known.
    """
    p = parameters or document_parameters(feature)
    if p.sig_as:
        raise ValueError(f"sig_as must be 0, got {p.sig_as:g}: the angles of the views are taken as known")
    contents = sorted({content for category in CONTENTS[feature] for content in category})
    evidence = np.empty((len(x), len(CATEGORIES[feature])))
    with _one_thread():
        for i, one in enumerate(np.asarray(x, float)):
            if progress:
                progress(i / len(x), f"particle {i + 1} of {len(x)}")
            seen = _Seen(one, p, contents, rng)
            found = {content: seen.log_evidence(*content, samples, rng) for content in contents}
            for category, members in enumerate(CONTENTS[feature]):
                evidence[i, category] = special.logsumexp([found[m] for m in members]) - math.log(len(members))
    if progress:
        progress(1.0, "")
    return special.softmax(evidence, axis=1)


def regret(posteriors, told):
    """Measure how much more often than a network the best possible classifier is right.

    For each particle this is the posterior probability of its most probable category less that of the category that
    the network names. It scatters far less than the hits of both: few particles settle it.

    Parameters
    ----------
    posteriors : (n, categories) array
        From `posterior`.
    told : (n, categories) array
        Probabilities from a network, of the same particles.

    Returns
    -------
    BayesAccuracy
        The mean, to be added to the network's accuracy, and its standard error: at least what one more particle, of
        which nothing is known (a regret of 1/2), would change.
    """
    named = np.argmax(told, axis=1)
    lost = posteriors.max(axis=1) - posteriors[np.arange(len(named)), named]
    return BayesAccuracy(lost.mean(), max(lost.std(ddof=1) / math.sqrt(lost.size), 0.5 / lost.size))


@contextlib.contextmanager
def _one_thread():
    """Let matrices and particles so small and few be worked on by one thread: several wait for each other."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        numba.set_num_threads(before)


class _Seen:
    """One particle's projections, and draws of its radius and place in each view, with normal densities for each."""

    def __init__(self, x, parameters, contents, rng):
        p = self.parameters = parameters
        self.x, self.views = x, len(x)
        self.angles = view_angles(self.views, p)
        self.rays = np.linspace(p.lower, p.upper, p.data_points)
        identity = np.eye(p.data_points)
        self.blur = ndimage.gaussian_filter1d(identity, p.gauss, axis=0) if p.gauss else identity
        count = p.angle_count
        free = rng.standard_normal((OUTLINES, count))
        self.rough = np.concatenate([np.zeros((1, count)), np.eye(count), -np.eye(count), free])
        apart = np.abs(np.subtract.outer(np.arange(p.data_points), np.arange(p.data_points)))
        self.close = np.kron(np.eye(self.views), np.maximum(1 - apart / CLOSE, 0))
        self.mean, self.scatter = self._prior()
        place, spread = self._find_place(contents, rng)
        t = rng.standard_normal((PLACES, len(place)))
        self.places = place + t @ np.linalg.cholesky(spread).T
        proposed = -0.5 * (t**2).sum(axis=1)
        deviation = np.linalg.solve(np.linalg.cholesky(self.scatter), (self.places - self.mean).T)
        self.weight = -0.5 * (deviation**2).sum(axis=0) - proposed  # of prior over proposal, constants apart
        self.densities = [_Density(x.ravel(), *self._outline(place)) for place in self.places]

    def _prior(self):
        """Return mean and covariance of radius and places: those of the centre, seen and shifted in each view."""
        p = self.parameters
        turn = np.radians(self.angles)
        across = np.stack([np.cos(turn), -np.sin(turn)], axis=1)  # x after turning
        about = np.array(p.about)
        mean = np.append(p.r, about[0] + across @ (np.array(p.centre) - about))
        scatter = np.zeros((self.views + 1, self.views + 1))
        scatter[0, 0] = p.sig_r**2
        scatter[1:, 1:] = across * np.array(p.sig_c) ** 2 @ across.T + p.limit_var**2 * np.eye(self.views)
        return mean, scatter + 1e-10 * np.eye(self.views + 1)

    def _outline(self, place):
        """Return mean and covariance of the intensities of particles without content, for a radius and places.

        Each corner changes the projections nearly in proportion to its roughness, except at the sides of the particle,
        where rays may miss it; what the proportion leaves over is simulated, and correlated among close rays only.
        """
        p, count = self.parameters, self.parameters.angle_count
        n = len(self.rough)
        outlines = lay_polygons(np.full(n, count), np.full(n, place[0]), np.zeros((n, 2)), p.sig * self.rough)
        seen = self._see([Layer(*outlines, 1.0)], np.tile(place, (n, 1)))
        plain, up, down, free = seen[0], seen[1 : count + 1], seen[count + 1 : 2 * count + 1], seen[2 * count + 1 :]
        slope = (up - down) / 2
        left = free - plain - self.rough[2 * count + 1 :] @ slope
        mean = plain + left.mean(axis=0) + p.background
        covariance = slope.T @ slope + self.close * np.cov(left.T)
        covariance[np.diag_indices(mean.size)] += (p.noise * mean) ** 2 + 1e-10 * np.mean(mean**2)
        return mean, covariance

    def _see(self, layers, places):
        """Return blurred projections (n, views * points) of layers about the origin, for n places."""
        n = len(places)
        positions = self.rays - places[:, 1:, None]
        seen = thickness(layers, np.tile(self.angles, (n, 1)), positions)
        return (seen @ self.blur.T).reshape(n, -1)

    def _find_place(self, contents, rng, trials=200):
        """Find the most probable radius and places, and their covariance; what may be in a particle counts as noise."""
        most = max(contents, key=lambda content: (abs(content[1]), content[0]))
        guess, d = self._first_guess(), self.views + 1
        inside, _ = self._contents(
            *most, np.tile(guess, (trials, 1)), rng.standard_normal((trials, self._dimensions(*most)))
        )
        scatter, precision = np.cov(inside.T), np.linalg.inv(self.scatter)

        def loss(place):
            mean, covariance = self._outline(place)
            density = _Density(self.x.ravel(), mean + inside.mean(axis=0), covariance + scatter)
            return 0.5 * (place - self.mean) @ precision @ (place - self.mean) - density.log_likelihood()

        step = 0.02 * np.eye(d)
        options = {"initial_simplex": guess + np.concatenate([np.zeros((1, d)), step]), "xatol": 3e-3, "fatol": 0.1}
        place = optimize.minimize(loss, guess, method="Nelder-Mead", options=options).x
        hessian = np.empty((d, d))
        for i in range(d):
            for j in range(i + 1):
                signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
                hessian[i, j] = hessian[j, i] = sum(
                    u * v * loss(place + u * step[i] / 2 + v * step[j] / 2) for u, v in signs
                )
        values, axes = np.linalg.eigh(hessian / 0.02**2)
        return place, 1.5 * axes / np.maximum(values, 1 / 0.1**2) @ axes.T

    def _first_guess(self):
        """Return radius and places from where each view reaches half of its height."""
        edges = np.array([self.rays[np.flatnonzero(view > 0.5 * view.max())[[0, -1]]] for view in self.x])
        radius = np.clip(np.ptp(edges, axis=1).max() / 1.8, 0.5 * self.mean[0], 2 * self.mean[0])
        return np.append(radius, edges.mean(axis=1))

    def _dimensions(self, hole, turn):
        return hole_dimensions(self.parameters) * hole + SPIRAL_DIMENSIONS * abs(turn)

    def _contents(self, hole, turn, places, normal):
        """Return what contents add to the projections, and the correction of the prior by a hole's mass."""
        p, n = self.parameters, len(normal)
        layers, prior = [], np.zeros(n)
        if hole:
            size = hole_dimensions(p)
            layer, _ = lay_holes(np.ones(n, bool), places[:, 0], np.zeros((n, 2)), normal[:, :size], p)
            layers.append(layer)
            grown, empty = places[:, 0], p.h_r + p.sig_hr * normal[:, 0]
            radius = np.sqrt(np.maximum(grown**2 + p.h_density * empty**2, 1e-12))  # before eq. 9
            if p.sig_r:
                prior = ((grown - p.r) ** 2 - (radius - p.r) ** 2) / (2 * p.sig_r**2) + np.log(grown / radius)
        if turn:
            layers.append(lay_spirals(np.full(n, turn), np.zeros((n, 2)), normal[:, -SPIRAL_DIMENSIONS:], p))
        return self._see(layers, places), prior

    def log_evidence(self, hole, turn, samples, rng):
        """Return the logarithm of the likelihood of a content, up to a constant."""
        if not hole and not turn:
            bare = np.array([d.log_likelihood() for d in self.densities])
            return special.logsumexp(self.weight + bare) - math.log(PLACES)

        def likelihood(which, normal):
            inside, value = self._contents(hole, turn, self.places[which], normal)
            value += self.weight[which]
            for index in np.unique(which):
                some = which == index
                value[some] += self.densities[index].log_likelihood(inside[some])
            return value

        effort = FOR_SPIRALS if turn else FOR_HOLES
        n = effort.first * samples
        which = rng.integers(PLACES, size=n)
        normal = rng.standard_normal((n, self._dimensions(hole, turn)))
        value = likelihood(which, normal)
        evidence, temperature, stride = 0.0, 0.0, 0.5
        while temperature < 1:
            following = _next_temperature(value, temperature)
            step = (following - temperature) * value
            evidence += special.logsumexp(step) - math.log(n)
            n = max(samples, n // 2)
            chosen = _resample(np.exp(step - step.max()), n, rng)
            which, normal, value, temperature = which[chosen], normal[chosen], value[chosen], following
            for _ in range(effort.moves):
                elsewhere = rng.random(n) < 0.3
                new_which = np.where(elsewhere, rng.integers(PLACES, size=n), which)
                length = stride * 10 ** rng.uniform(-1, 0.3, (n, 1))
                length = np.minimum(length, 1)
                noise = rng.standard_normal(normal.shape)
                new_normal = np.sqrt(1 - length**2) * normal + length * noise  # keeps the prior
                new_value = likelihood(new_which, new_normal)
                accept = np.log(rng.random(n)) < temperature * (new_value - value)
                which[accept], normal[accept], value[accept] = new_which[accept], new_normal[accept], new_value[accept]
                stride = np.clip(stride * math.exp(accept.mean() - 0.25), 0.01, 1.0)
        return evidence


class _Density:
    """The density of normalised projections, given mean and covariance of the intensities.

    x = (y - min) / (max - min) tells nothing of scale a and offset b of the intensities y = a x + b, so both are
    integrated out: b exactly, a by Laplace's method, the measure being a^(N - 2) da db.
    """

    def __init__(self, x, mean, covariance):
        lower = linalg.cholesky(covariance, lower=True)
        white = linalg.solve_triangular(lower, np.column_stack([x, np.ones(x.size), mean]), lower=True)
        ones = white[:, 1]
        length = ones @ ones
        project = np.eye(x.size) - np.outer(ones, ones) / length
        self.whiten = project @ linalg.solve_triangular(lower, np.eye(x.size), lower=True)
        self.x, self.mean = project @ white[:, 0], project @ white[:, 2]
        self.power = x.size - 2
        self.constant = -np.log(np.diag(lower)).sum() - 0.5 * math.log(length)

    def log_likelihood(self, inside=0):
        """Return it for contents that add ``inside`` (n, N) to the mean, or for none."""
        if np.ndim(inside) == 0:
            return self.log_likelihood(np.zeros((1, self.x.size)))[0]
        m = self.mean + inside @ self.whiten.T
        xx, xm, mm = self.x @ self.x, m @ self.x, (m * m).sum(axis=1)
        a = (xm + np.sqrt(xm**2 + 4 * xx * self.power)) / (2 * xx)
        peak = self.power * np.log(a) - 0.5 * (xx * a**2 - 2 * xm * a + mm)
        return self.constant + peak - 0.5 * np.log(self.power / a**2 + xx)


def _next_temperature(value, temperature):
    """Return the highest temperature, up to 1, to which the effective share of the samples stays as it is wanted."""
    low, high = temperature, 1.0

    def kept(following):
        weights = np.exp((following - temperature) * (value - value.max()))
        return weights.sum() ** 2 / (weights**2).sum() / value.size

    if kept(1.0) >= KEPT:
        return 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if kept(middle) > KEPT else (low, middle)
    return max(low, temperature + 1e-6)


def _resample(weights, n, rng):
    """Draw n indices in proportion to weights, systematically."""
    edges = np.cumsum(weights) / weights.sum()
    return np.minimum(np.searchsorted(edges, (np.arange(n) + rng.random()) / n), weights.size - 1)
