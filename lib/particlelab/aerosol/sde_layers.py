"""Networks of drift and diffusivity, trained in Keras and evaluated in numpy, and the likelihood of a step in both.

All is in units in which networks learn well: states and covariates have mean 0 and deviation 1, increments are counted
in ``scale`` and times in ``step`` (see `sde.SDE`). A diffusivity is told by ``entries``: of diagonal ones the
diagonal, else the lower triangle of a factor L, row by row; "triangular" is L itself, "spd" is L L^T.
"""

import math

import numpy as np

from particlelab.learning.quiet import load_keras
from particlelab.randomness import generator

FLOOR = 1e-4  # of a diffusivity (of the diagonal of its factor), as a share of the scale of increments
ONE = math.log(math.e - 1)  # where softplus is 1
EDGE = 0.05  # q at which the loss of Milstein's scheme leaves the density, which is infinite at 0 and nothing beyond
FALL = 20.0  # of the logarithm of what stands for it there, with q
DENSE = ("kernel", "bias")

ACTIVATIONS = {  # and the derivative, from the value
    "elu": (lambda x: np.maximum(x, 0) + (np.exp(np.minimum(x, 0)) - 1), lambda y: np.minimum(y, 0) + 1),
    "tanh": (np.tanh, lambda y: 1 - y**2),
}


def build_network(dimension, covariates, kind, parameters, start, slope_scale, seed):
    """Build a network for training.

    Drift and diffusivity share no layer, as with Dietrich et al. The last layers begin with weights of 0, so that a
    training begins with a constant drift and with noise of 1.

    Parameters
    ----------
    dimension, covariates : int
    kind : str
        "diagonal", "triangular" or "spd".
    parameters : SDEParameters
    start : (d,) array
        The first drift.
    slope_scale : (d,) array
        What turns a slope along the input into one along the state in units of increments.
    seed : int

    Returns
    -------
    keras.Model
        From states and covariates, (n, d + k), to (n, d + s) drift and entries; for Milstein's scheme followed by the d
        slopes of the diffusivity. There each component's diffusivity is a network of its own, which sees that
        component and the covariates only.
    """
    keras, p = load_keras(), parameters
    seeds = generator(seed, "network").integers(2**31, size=(dimension + 1) * p.layers).tolist()

    def network(name, x, outputs, bias):
        for number in range(p.layers):
            first = keras.initializers.GlorotUniform(seeds.pop())
            x = keras.layers.Dense(p.width, p.activation, kernel_initializer=first, name=f"{name}_{number}")(x)
        last = {"kernel_initializer": "zeros", "bias_initializer": keras.initializers.Constant(bias)}
        return keras.layers.Dense(outputs, name=f"{name}_{p.layers}", **last)(x)

    inputs = keras.Input((dimension + covariates,))
    outputs = [network("drift", inputs, dimension, np.asarray(start, np.float32))]
    for number, (columns, count) in enumerate(_diffusivities(dimension, covariates, kind, p.scheme)):
        seen = inputs if len(columns) == inputs.shape[1] else keras.ops.take(inputs, columns, axis=1)
        outputs.append(network(f"diffusivity_{number}", seen, count, 0.0))
    raw = keras.layers.Concatenate(axis=1)(outputs[1:])
    model = keras.Model(inputs, keras.layers.Concatenate(axis=1)([outputs[0], _entries(raw, kind, keras.ops)]))
    return _with_slopes(model, dimension, slope_scale) if p.scheme == "milstein" else model


def make_loss(dimension, kind, scheme, constant):
    """Return a loss for Keras: the weighted negative log likelihood of steps (Gandhi 2022, eq. 2.13).

    Its target is (n, d + 2): increments, lengths of the steps and weights; ``constant`` turns it into original units.
    """
    ops = load_keras().ops

    def loss(target, told):
        d = dimension
        drift, entries, slopes = split(told, d, scheme)
        increment, h, weight = target[:, :d], target[:, d : d + 1], target[:, d + 1]
        density = log_density(increment - h * drift, h, entries, slopes, kind, ops, finite=True)
        return weight * (constant - density)

    return loss


def log_density(excess, h, entries, slopes, kind, ops=np, finite=False):
    """Compute the log density of a step's noise, by the Euler-Maruyama or by Milstein's scheme.

    Euler-Maruyama (slopes None): the excess is normal with covariance h sigma sigma^T (eq. 2.8 to 2.10).

    Milstein: the excess is sigma sqrt(h) Z + sigma sigma' h (Z^2 - 1) / 2 with a standard normal Z, in each component.
    That is a multiple of a non-central chi-square variable of one degree of freedom, shifted. Both values of Z that
    give the same excess count; written by q = 1 + 2 sigma' (excess + sigma sigma' h / 2) / sigma and r = sqrt(q), they
    are Z = 2 (r^2 - 1) / (2 sigma' sqrt(h) (1 + r)) and -(1 + r) / (sigma' sqrt(h)), and the density is
    (phi(Z1) + phi(Z2)) / (sigma sqrt(h) r): no difference of large numbers, and Euler's as sigma' goes to 0. Where
    q <= 0 it is 0.

    Parameters
    ----------
    excess : (n, d) array
        Increment less drift times step.
    h : (n, 1) array
    entries : (n, s) array
    slopes : (n, d) array or None
        Derivative of each component's diffusivity along that component.
    kind : str
    ops : module
        numpy or keras.ops.
    finite : bool
        Let Milstein's density fall continuously, as exp(20 q), from q = 0.05 down, for a training. Its own is infinite
        at q = 0 and nothing beyond: gradients would lead to that cliff and not see it. What stands for it integrates
        to 1 within 6 %.

    Returns
    -------
    (n,) array
    """
    if slopes is not None:
        return _milstein(excess, h, entries, slopes, ops, finite)
    z = noise(excess, h, entries, None, kind, ops)
    d = excess.shape[1]
    log_det = ops.sum(ops.log(_diagonal(entries, d, kind, ops)), axis=1) * (2 if kind == "spd" else 1)
    return -0.5 * ops.sum(z**2 + math.log(2 * math.pi) + ops.log(h), axis=1) - log_det


def noise(excess, h, entries, slopes, kind, ops=np):
    """Compute the standard normal noise that makes a step, as `log_density` takes it: (n, d).

    Milstein's scheme has two noises for each step: the one nearer to 0 is given. Where none could make the step, it is
    that of the edge.
    """
    if slopes is not None:
        return _roots(excess, h, entries, slopes, ops)[1]
    excess = excess / ops.sqrt(h)
    if kind == "diagonal":
        return excess / entries
    rows = _factor_rows(entries, excess.shape[1])
    z = _solve(rows, [excess[:, i] for i in range(len(rows))])
    if kind == "spd":  # sigma = L L^T: solve with L^T, which is lower triangular from its last row up
        turned = [[rows[len(rows) - 1 - j][len(rows) - 1 - i] for j in range(i + 1)] for i in range(len(rows))]
        z = _solve(turned, z[::-1])[::-1]
    return ops.stack(z, axis=1)


def matrices(entries, d, kind):
    """Return diffusivities of entries: (n, d) of diagonal ones, else (n, d, d)."""
    if kind == "diagonal":
        return entries
    factor = np.zeros((len(entries), d, d))
    factor[:, *np.tril_indices(d)] = entries
    return factor if kind == "triangular" else factor @ factor.swapaxes(1, 2)


def evaluate(weights, x, dimension, kind, scheme, activation, slope_scale):
    """Compute in numpy what the Keras network of `build_network` would say.

    Parameters
    ----------
    weights : dict of str to array
        From `dense_weights`.
    x : (n, d + k) array

    Returns
    -------
    list of ndarray
        Drift (n, d), entries (n, s) and, with Milstein's scheme, slopes (n, d).
    """
    drift, _ = _forward(weights, "drift", x, activation)
    raw, slopes = [], []
    for number, (columns, _) in enumerate(_diffusivities(dimension, x.shape[1] - dimension, kind, scheme)):
        along = np.eye(1, len(columns), dtype=np.float32) if scheme == "milstein" else None
        value, slope = _forward(weights, f"diffusivity_{number}", x[:, columns], activation, along)
        raw.append(value)
        slopes.append(slope)
    raw = np.concatenate(raw, axis=1).astype(float)
    told = [drift.astype(float), _entries(raw, kind, np)]
    if scheme == "milstein":
        told.append(np.concatenate(slopes, axis=1) / (1 + np.exp(-raw - ONE)) * slope_scale)
    return told


def dense_weights(model):
    """Return the weights of the dense layers of a Keras model by ``NAME_LAYER.kernel`` and ``NAME_LAYER.bias``."""
    found = {}
    for variable in model.variables:
        layer, part = variable.path.split("/")[-2:]
        if part in DENSE:
            found[f"{layer}.{part}"] = np.asarray(variable)
    return found


def split(told, d, scheme):
    """Return drift, entries and slopes (or None) of what a network tells."""
    if scheme == "milstein":
        return told[:, :d], told[:, d : 2 * d], told[:, 2 * d :]
    return told[:, :d], told[:, d:], None


def _diffusivities(dimension, covariates, kind, scheme):
    """Return of each diffusivity network the columns that it sees and how many entries it gives."""
    if scheme == "milstein":
        return [([i, *range(dimension, dimension + covariates)], 1) for i in range(dimension)]
    return [
        (list(range(dimension + covariates)), dimension * (dimension + 1) // 2 if kind != "diagonal" else dimension)
    ]


def _entries(raw, kind, ops):
    """Make of the diagonal what is above the floor; what is beside it may have any sign."""
    positive = FLOOR + ops.logaddexp(raw + ONE, 0.0 * raw)
    if kind == "diagonal":
        return positive
    d = int(math.sqrt(2 * raw.shape[1]))
    rows, columns = np.tril_indices(d)
    return ops.where((rows == columns)[None], positive, raw)


def _diagonal(entries, d, kind, ops):
    if kind == "diagonal":
        return entries
    return ops.stack([row[-1] for row in _factor_rows(entries, d)], axis=1)


def _factor_rows(entries, d):
    """Return L as lists: row i has i + 1 members (n,)."""
    return [[entries[:, i * (i + 1) // 2 + j] for j in range(i + 1)] for i in range(d)]


def _solve(rows, right):
    """Solve L z = right by forward substitution, for matrices of a few rows."""
    z = []
    for row, value in zip(rows, right, strict=True):
        for factor, known in zip(row, z, strict=False):
            value = value - factor * known
        z.append(value / row[-1])
    return z


def _roots(excess, h, sigma, slope, ops):
    """Return r and the smaller of the noises that make a step (see `log_density`), and q."""
    excess = excess + sigma * slope * h / 2
    q = 1 + 2 * slope * excess / sigma
    r = ops.sqrt(ops.maximum(q, np.finfo(np.float32).tiny))
    return r, 2 * excess / (sigma * ops.sqrt(h) * (1 + r)), q


def _milstein(excess, h, sigma, slope, ops, finite):
    fall = 0.0
    if finite:  # take steps beyond the edge for such at the edge, and let them pay for the way
        whole = excess + sigma * slope * h / 2
        away = 2 * slope * whole / sigma  # q - 1
        outside = away < EDGE - 1
        share = ops.where(outside, (EDGE - 1) / ops.where(outside, away, -1.0), 1.0)
        excess = excess + (share - 1) * whole
        fall = FALL * ops.minimum(away + 1 - EDGE, 0.0)
    r, z, q = _roots(excess, h, sigma, slope, ops)
    other = ops.log1p(ops.exp(-2 * r / ops.maximum(slope**2 * h, 1e-12)))
    density = other - z**2 / 2 - ops.log(sigma * ops.sqrt(2 * math.pi * h) * r) + fall
    return ops.sum(density if finite else ops.where(q > 0, density, -math.inf), axis=1)


def _forward(weights, name, x, activation, along=None):
    """Return the values of a dense network, and their derivative along a direction of the input, if there is one."""
    act, derivative = ACTIVATIONS[activation]
    last = sum(key.startswith(f"{name}_") for key in weights) // len(DENSE) - 1
    for number in range(last + 1):
        kernel, bias = (weights[f"{name}_{number}.{part}"] for part in DENSE)
        x = x @ kernel + bias
        if along is not None:
            along = along @ kernel
        if number < last:
            x = act(x)
            if along is not None:
                along = along * derivative(x)
    return x, along


def _with_slopes(model, d, slope_scale):
    """Return a model that also tells the slope of each component's diffusivity along that component."""
    import tensorflow as tf

    class WithSlopes(load_keras().Model):
        def __init__(self):
            super().__init__()
            self.inner, self.factor = model, np.asarray(slope_scale, np.float32)

        def call(self, x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                told = self.inner(x)
                total = tf.reduce_sum(told[:, d:])  # each component's diffusivity depends on no other component
            return tf.concat([told, tape.gradient(total, x)[:, :d] * self.factor], axis=1)

    return WithSlopes()
