"""The networks that read recipes and their parameters from descriptors, in torch: many small ones, computed at once."""

import itertools

import torch
from torch import nn
from torch.nn import functional

SPREAD = (-5.0, 1.0)  # bounds of the logarithm of a standard deviation in unit coordinates
REACH = 6.0  # spreads beyond which a number of a descriptor counts as that far


class Committee(nn.Module):
    """Perceptrons side by side that do not share weights.

    Parameters
    ----------
    networks : int
    inputs, width, outputs : int
        Of each: two layers of ``width`` between ``inputs`` and ``outputs``.
    dropout : float
    """

    def __init__(self, networks, inputs, width, outputs, dropout):
        super().__init__()
        sizes = (inputs, width, width, outputs)
        pairs = list(itertools.pairwise(sizes))
        self.weights = nn.ParameterList(torch.randn(networks, a, b) * (1.4 / a) ** 0.5 for a, b in pairs)
        with torch.no_grad():
            self.weights[-1].mul_(0.1)
        self.biases = nn.ParameterList(torch.zeros(networks, 1, b) for _, b in pairs)
        self.dropout = dropout

    def forward(self, rows):
        """Turn rows (networks, n, inputs) into answers (networks, n, outputs)."""
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if number:
                rows = functional.dropout(functional.gelu(rows), self.dropout, self.training)
            rows = torch.baddbmm(bias, rows, weight)
        return rows


class FitterNetwork(nn.Module):
    """For each recipe some networks that predict its parameters, and some that tell recipes apart.

    What networks say is added to linear regressions and linear discriminants, which few pictures are enough for.

    Parameters
    ----------
    recipes : int
    outputs : int
        Parameters of the recipe that has most.
    inputs : int
        Numbers of a descriptor.
    members : int
        Networks that answer the same question.
    width : int
    dropout : float
    """

    def __init__(self, recipes, outputs, inputs, members, width, dropout):
        super().__init__()
        self.recipes, self.members, self.outputs = recipes, members, outputs
        self.predictors = Committee(recipes * members, inputs, width, 2 * outputs, dropout)
        self.classifiers = Committee(members, inputs, width, recipes, dropout)
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("spread", torch.ones(inputs))
        self.register_buffer("slopes", torch.zeros(recipes, inputs, outputs))  # of the linear regressions
        self.register_buffer("middles", torch.full((recipes, 1, outputs), 0.5))
        self.register_buffer("directions", torch.zeros(inputs, recipes))  # of the linear discriminants
        self.register_buffer("thresholds", torch.zeros(recipes))

    def normalise(self, descriptors):
        return ((descriptors - self.mean) / self.spread).clamp(-REACH, REACH)

    def predict(self, descriptors, linear=None):
        """Return means and log standard deviations in unit coordinates.

        Parameters
        ----------
        descriptors : (recipes * members, n, inputs) tensor
            Not normalised; network ``recipe * members + member`` sees its own.
        linear : (recipes * members, n, outputs) tensor, optional
            What linear regressions say that have not seen these descriptors, instead of those that have.

        Returns
        -------
        mean, log_spread : (recipes * members, n, outputs) tensor
        """
        rows = self.normalise(descriptors)
        if linear is None:
            slopes, middles = (part.repeat_interleave(self.members, 0) for part in (self.slopes, self.middles))
            linear = torch.baddbmm(middles, rows, slopes)
        mean, log_spread = self.predictors(rows).chunk(2, dim=2)
        low, high = SPREAD
        return linear + mean, low + (high - low) * torch.sigmoid(log_spread)

    def classify(self, descriptors, linear=None):
        """Return logits (members, n, recipes) of descriptors (members, n, inputs).

        ``linear``, of the shape of the result, are logits of discriminants that have not seen these descriptors.
        """
        rows = self.normalise(descriptors)
        if linear is None:
            linear = rows @ self.directions + self.thresholds
        return linear + self.classifiers(rows)

    def forward(self, descriptors):
        """Return what all say of descriptors (n, inputs).

        Returns
        -------
        mean, spread : (recipes, n, outputs) tensor
            Of the mixture of a recipe's members.
        shares : (n, recipes) tensor
            How probable each recipe is.
        """
        n = len(descriptors)
        mean, log_spread = self.predict(descriptors.expand(self.recipes * self.members, n, -1))
        shape = (self.recipes, self.members, n, self.outputs)
        mean, variance = mean.view(shape), (2 * log_spread).exp().view(shape)
        middle = mean.mean(1)
        spread = torch.sqrt(variance.mean(1) + ((mean - middle[:, None]) ** 2).mean(1))
        shares = torch.softmax(self.classify(descriptors.expand(self.members, n, -1)), 2).mean(0)
        return middle, spread, shares
