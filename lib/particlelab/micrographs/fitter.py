"""A trained fitter as one uses it: from the texture of a picture to recipes and their parameters, with intervals."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from particlelab.learning.models import half_precision, load_trained, save_model
from particlelab.micrographs.recipe import read_recipe
from particlelab.micrographs.texture import describe_texture, texture_difference
from particlelab.micrographs.turning import knobs


class Prediction(NamedTuple):
    """What a fitter says of pictures."""

    recipes: tuple  # names
    shares: np.ndarray  # (n, recipes): how probable each is; together 1
    means: list  # by recipe: (n, k) ndarray, in unit coordinates of its knobs
    spreads: list  # by recipe: (n, k) ndarray, standard deviations


class Fitter:
    """A trained fitter and its card.

    Attributes
    ----------
    network : torch.nn.Module
        Of `fitter_layers`.
    scatter : (n,) ndarray
        By how much the numbers of a descriptor scatter between pictures of the same parameters: the unit of l1
        differences.
    card : dict
        See `save_model`; ``card["recipes"]`` holds the library that it knows.
    """

    def __init__(self, network, scatter, card):
        self.network, self.scatter, self.card = network.eval(), np.asarray(scatter, float), card
        self.library = {name: read_recipe(content) for name, content in card["recipes"].items()}
        self.knobs = {name: knobs(recipe) for name, recipe in self.library.items()}

    @property
    def recipes(self):
        """The names of the recipes that it knows."""
        return tuple(self.library)

    def describe(self, picture):
        """Return the descriptor of a picture (H, W) that this fitter has learned from."""
        return describe_texture(picture, self.card["training"]["descriptor"])

    def predict(self, descriptors, recipes=None):
        """Say which recipe pictures are of, and for each recipe its parameters.

        Parameters
        ----------
        descriptors : (n, m) array_like
            From `describe`.
        recipes : sequence of str, optional
            Those that come into question; all by default.

        Returns
        -------
        Prediction

        Raises
        ------
        ValueError
            If a recipe is not in the fitter's library, or descriptors are not those that it has learned from.
        """
        import torch

        chosen = self.check_recipes(recipes)
        rows = np.atleast_2d(np.asarray(descriptors, np.float32))
        if rows.shape[1] != len(self.scatter):
            raise ValueError(f"descriptors must have {len(self.scatter)} numbers, got {rows.shape[1]}")
        with torch.inference_mode():
            mean, spread, shares = (part.double().numpy() for part in self.network(torch.from_numpy(rows)))
        which = [self.recipes.index(name) for name in chosen]
        shares = shares[:, which] + 1e-9
        number = [len(self.knobs[name]) for name in chosen]
        stretch = self.card["stretch"]
        return Prediction(
            chosen,
            shares / shares.sum(1, keepdims=True),
            [np.clip(mean[k, :, :n], 0, 1) for k, n in zip(which, number, strict=True)],
            [stretch * spread[k, :, :n] for k, n in zip(which, number, strict=True)],
        )

    def difference(self, a, b):
        """Return the l1 difference of descriptors, in units of their scatter."""
        return texture_difference(a, b, self.scatter)

    def tabulate(self, name, mean, spread, coverage=0.9):
        """Return a recipe's parameters with intervals.

        Parameters
        ----------
        name : str
        mean, spread : (k,) ndarray
            In unit coordinates.
        coverage : float
            Share of intervals that hold the truth; they end where the range ends.

        Returns
        -------
        DataFrame
            ``parameter``, ``value``, ``low``, ``high``.
        """
        half, rows = special.ndtri((1 + coverage) / 2), []
        for knob, middle, deviation in zip(self.knobs[name], mean, spread, strict=True):
            low, high = np.clip([middle - half * deviation, middle + half * deviation], 0, 1)
            rows.append((knob.name, *(float(knob.from_unit(share)) for share in (middle, low, high))))
        return pd.DataFrame(rows, columns=["parameter", "value", "low", "high"])

    def check_recipes(self, recipes):
        """Return the names of recipes that are in the library; all where none are given.

        Raises
        ------
        ValueError
            If one is not, or there are none.
        """
        chosen = self.recipes if recipes is None else tuple(recipes)
        if unknown := [name for name in chosen if name not in self.library]:
            raise ValueError(f"the fitter does not know the recipe {unknown[0]!r}; it knows {', '.join(self.library)}")
        if not chosen:
            raise ValueError("recipes must name at least one recipe, got none")
        return chosen

    def save(self, path):
        """Write the model file (.safetensors) and its card beside it."""
        weights = half_precision(self.network) | {"scatter": self.scatter.astype(np.float32)}
        return save_model(path, weights, self.card)


def load_fitter(name="default"):
    """Load a trained fitter.

    Parameters
    ----------
    name : str or path
        ``default`` or ``fitter`` is the one that ships; otherwise the path of a ``.safetensors`` file.

    Returns
    -------
    Fitter

    Raises
    ------
    ValueError
        If there is no such model, or the file holds something else.
    """
    return load_trained("micrographs", "fitter" if name == "default" else name, _build)


def build_network(training, recipes, outputs, inputs):
    """Return a `FitterNetwork` of the size that a training's parameters (a dict) say."""
    from particlelab.micrographs.fitter_layers import FitterNetwork

    return FitterNetwork(recipes, outputs, inputs, training["members"], training["width"], training["dropout"])


def _build(path, weights, card):
    import torch

    try:
        outputs = max(len(knobs(read_recipe(content))) for content in card["recipes"].values())
        scatter = weights["scatter"]
        network = build_network(card["training"], len(card["recipes"]), outputs, len(scatter))
        state = {name: torch.from_numpy(np.array(value, np.float32)) for name, value in weights.items()}
        state.pop("scatter")
        network.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"{path} holds no fitter of recipes: {error}") from None
    return Fitter(network, scatter, card)
