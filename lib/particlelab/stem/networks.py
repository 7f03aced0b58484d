"""Networks that tell what a particle holds from its projections (Sullivan 2020, figures 1 and 5 and appendix B).

Of the figures only the numbers of parameters can be read: 12 450 for one projection, 12 962 for two. Here it is 12 310
and 12 822: convolution, batch normalisation and pooling in turn, then dense layers with dropout, as sec. 2.1 tells.
"""

from typing import Annotated, Literal

from pydantic import Field

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator

Sizes = tuple[Annotated[int, Field(ge=1, le=1024)], ...]


class Network(Parameters):
    """Layers of a network; the defaults are the document's as far as it tells."""

    merge: Literal["late", "early", "sinogram"] = parameter("late", "Where views meet")
    pooling: bool = parameter(True, "Halve the projections after each convolution; spirals need all points")
    filters: Sizes = parameter((8, 16, 16), "Filters of the convolutions")
    kernel: int = parameter(4, "Points under a filter", low=1, high=64)
    dense: Sizes = parameter((100, 40), "Nodes of the dense layers")
    dropout: float = parameter(0.2, "Share of a dense layer's nodes that is dropped in training", low=0, below=1)


LARGE = Network(filters=(32, 64, 64), dense=(256, 128))  # appendix B: "a much larger network"


def build_network(views, points, categories=2, pooling=True, merge="late", seed=0, **layers):
    """Build a network for so many projections of a particle.

    Parameters
    ----------
    views, points : int
    categories : int
        Also more than there are: sec. 4.3.1 gives the network a third one that is never used.
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
        From (n, views, points) to (n, categories) probabilities.

    Raises
    ------
    ParameterError
        If a layer cannot be so.
    """
    import keras
    from keras import layers as kl

    p = Network(pooling=pooling, merge=merge, **layers)
    seeds = iter(generator(seed, "network").integers(2**31, size=2 * (len(p.filters) + len(p.dense) + 1)).tolist())

    def glorot():
        return keras.initializers.GlorotUniform(next(seeds))

    def convolve(x, filters, height):
        """Convolve (n, views, points, channels) along the points, and over ``height`` views."""
        x = kl.Conv2D(filters, (height, p.kernel), padding="same", activation="relu", kernel_initializer=glorot())(x)
        x = kl.BatchNormalization()(x)
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
        x = convolve(x, filters, min(3, views) if p.merge == "sinogram" else 1)
        if number == 0 and p.merge == "late":
            x = concatenate(x)
    x = kl.Flatten()(x)
    for nodes in p.dense:
        x = kl.Dense(nodes, activation="relu", kernel_initializer=glorot())(x)
        x = kl.Dropout(p.dropout, seed=next(seeds))(x)
    return keras.Model(inputs, kl.Dense(categories, activation="softmax", kernel_initializer=glorot())(x))
