"""Networks that tell what a particle holds from its projections (Sullivan 2020, figures 1 and 5 and appendix B).

Of the figures only the numbers of parameters can be read: 12 450 for one projection, 12 962 for two. Here it is 12 310
and 12 822: convolution, batch normalisation and pooling in turn, then dense layers with dropout, as sec. 2.1 tells.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from particlelab.learning.quiet import load_keras
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator

Counts = tuple[Annotated[int, Field(ge=1, le=1024)], ...]


class Network(Parameters):
    """Layers of a network; the defaults are the document's as far as it tells."""

    merge: Literal["late", "early", "sinogram"] = parameter("late", "Where views meet")
    pooling: bool = parameter(True, "Halve the projections after each convolution; spirals need all points")
    filters: Counts = parameter((8, 16, 16), "Filters of the convolutions")
    kernel: int = parameter(4, "Points under a filter", low=1, high=64)
    stride: int = parameter(1, "Points from one place of a filter to the next", low=1, high=8)
    dense: Counts = parameter((100, 40), "Nodes of the dense layers")
    dropout: float = parameter(0.2, "Share of a dense layer's nodes that is dropped in training", low=0, below=1)


LARGE = Network(filters=(32, 64, 64), dense=(256, 128))  # appendix B: "a much larger network"


def build_network(views, points, categories=2, pooling=True, merge="late", seed=0, **layers):
    """Build a network for so many projections of a particle.

    Parameters
    ----------
    views, points : int
    categories : int or dict of str to int
        Also more than there are: sec. 4.3.1 gives the network a third one that is never used. By name of a task for
        several tasks at once (sec. 4.5).
    pooling : bool
    merge : str
        "late": the first convolution sees each view alone, with the same filters; its outputs are then concatenated
        along the channels (figure 5). "early": views are the channels of the first convolution. "sinogram": all
        convolutions see a point's neighbours in the same view and in the views before and after.
    seed : int
        Of the first weights and of the dropout.
    **layers
        As in `Network`.

    Returns
    -------
    keras.Model
        From (n, views, points) to (n, categories) probabilities; with several tasks to a dictionary of them. Layers
        have names, ``convolution_0`` and so on, and outputs those of their tasks, so that networks can be compared.

    Raises
    ------
    ParameterError
        If a layer cannot be so.
    ValueError
        If pooling leaves no points.
    """
    keras = load_keras()
    kl = keras.layers
    p = Network(pooling=pooling, merge=merge, **layers)
    outputs = categories if isinstance(categories, dict) else {"category": categories}
    seeds = iter(generator(seed, "network").integers(2**31, size=2 * (len(p.filters) + len(p.dense)) + len(outputs)))

    def glorot():
        return keras.initializers.GlorotUniform(int(next(seeds)))

    def convolve(x, number, filters, height):
        """Convolve (n, views, points, channels) along the points, and over ``height`` views."""
        first = {"kernel_initializer": glorot(), "name": f"convolution_{number}"}
        x = kl.Conv2D(filters, (height, p.kernel), (1, p.stride), padding="same", activation="relu", **first)(x)
        x = kl.BatchNormalization(name=f"normalisation_{number}")(x)
        if p.pooling and x.shape[2] == 1:
            raise ValueError(f"filters = {p.filters}: {points} points can be pooled {number} times, not {number + 1}")
        return kl.MaxPooling2D((1, 2))(x) if p.pooling else x

    def concatenate(x):
        """Make the views channels of one."""
        x = kl.Permute((2, 1, 3))(x)
        return kl.Reshape((1, x.shape[1], x.shape[2] * x.shape[3]))(x)

    inputs = keras.Input((views, points))
    x = kl.Reshape((views, points, 1))(inputs)
    if p.merge == "early":
        x = concatenate(x)
    for number, filters in enumerate(p.filters):
        x = convolve(x, number, filters, min(3, views) if p.merge == "sinogram" else 1)
        if number == 0 and p.merge == "late":
            x = concatenate(x)
    x = kl.Flatten()(x)
    for number, nodes in enumerate(p.dense):
        x = kl.Dense(nodes, activation="relu", kernel_initializer=glorot(), name=f"dense_{number}")(x)
        x = kl.Dropout(p.dropout, seed=int(next(seeds)))(x)
    told = {
        task: kl.Dense(count, activation="softmax", kernel_initializer=glorot(), name=task)(x)
        for task, count in outputs.items()
    }
    return keras.Model(inputs, told if len(told) > 1 else told[next(iter(told))])


def predict(model, x, chunk=4096):
    """Compute the probabilities of the categories of many particles.

    Parameters
    ----------
    model : keras.Model
    x : (n, views, points) array
    chunk : int
        Particles at the same time.

    Returns
    -------
    (n, categories) ndarray
        With several tasks a dictionary of them.
    """
    keras = load_keras()
    parts = [model(x[start : start + chunk], training=False) for start in range(0, len(x), chunk)]
    return keras.tree.map_structure(lambda *some: np.concatenate([keras.ops.convert_to_numpy(s) for s in some]), *parts)


def symmetries(views):
    """List in which ways particles can be turned and mirrored so that views evenly over half a turn stay such views.

    Parameters
    ----------
    views : int

    Returns
    -------
    list of (order, flipped, mirrored)
        View ``i`` becomes view ``order[i]``, seen from behind where ``flipped[i]``. All are as likely before.
    """
    found = []
    for mirrored in (False, True):
        order, flipped = np.arange(views), np.zeros(views, bool)
        if mirrored:  # p'(angle, x) = p(-angle, -x) = p(180 - angle, x)
            order, flipped = -order % views, order == 0
        for _ in range(2 * views):
            found.append((tuple(order.tolist()), tuple(flipped.tolist()), mirrored))
            order, flipped = np.roll(order, -1), np.append(flipped[1:], not flipped[0])
    return found


def symmetrise(model, mirrored):
    """Make of a network one that says the same of a particle however it is turned, or of its mirror image.

    Parameters
    ----------
    model : keras.Model
        From (n, views, points) to (n, categories) probabilities; views evenly over half a turn.
    mirrored : sequence of int
        Which category each one becomes in a mirror.

    Returns
    -------
    keras.Model
        The geometric mean of the probabilities over all `symmetries`.
    """
    keras = load_keras()
    ops = keras.ops
    inputs = keras.Input(model.input_shape[1:])
    views = [inputs[:, view : view + 1] for view in range(inputs.shape[1])]
    total = 0.0
    for order, flipped, in_mirror in symmetries(len(views)):
        turned = [ops.flip(views[k], axis=2) if flip else views[k] for k, flip in zip(order, flipped, strict=True)]
        told = ops.log(model(ops.concatenate(turned, axis=1)) + 1e-7)
        total = total + (ops.take(told, list(mirrored), axis=1) if in_mirror else told)
    return keras.Model(inputs, ops.softmax(total / (4 * len(views))))


def load_network(path):
    """Load a network from a ``.keras`` file, to ask it or to train it further: a keras.Model."""
    return load_keras().models.load_model(path, compile=False)
