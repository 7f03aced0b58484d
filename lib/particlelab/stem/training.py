"""Training of networks on simulated projections (Sullivan 2020, sec. 2.3, 2.4 and 4)."""

from typing import Literal

import numpy as np

from particlelab.learning.digests import digest
from particlelab.learning.epochs import train_epochs
from particlelab.learning.quiet import load_keras
from particlelab.parameters import parameter
from particlelab.stem.networks import Network, build_network, symmetrise

TASKS = {  # of each feature: what an output of a network tells, and the categories in it, by category of the particle
    "hole": {"hole": (0, 1)},
    "spiral": {"spiral": (0, 1)},
    "any spiral": {"spiral": (0, 1, 2)},
    "clockwise": {"spiral": (0, 1)},
    "both": {"hole": (0, 0, 1, 1), "spiral": (0, 1, 0, 1)},
}

MIRRORED = {  # of features that one task tells: which category each becomes in a mirror
    "hole": (0, 1),
    "spiral": (1, 0),
    "any spiral": (1, 0, 2),
}


class Training(Network):
    """How a network is built and trained; the defaults are the document's where it gives any."""

    epochs: int = parameter(200, "Epochs, at most", low=1, high=10_000)
    patience: int = parameter(10, "Epochs without a better loss of the validation, after which training ends", low=1)
    batch: int = parameter(64, "Particles in a batch", low=1, high=65_536)
    optimiser: Literal["adadelta", "adam"] = parameter("adadelta", "Optimiser; the document found AdaDelta the best")
    learning_rate: float = parameter(1.0, "Learning rate; 1 is AdaDelta's own, 0.001 suits Adam", above=0, high=10)
    decay: bool = parameter(False, "Let the learning rate go to 0 over the epochs, as half a cosine")
    more_categories: int = parameter(0, "Categories of the network that no particle has (sec. 4.3.1)", low=0, high=10)
    hole_weight: float = parameter(1.0, "Weight of holes in the loss, where both are learned", low=0, high=1000)
    spiral_weight: float = parameter(1.0, "Weight of spirals in the loss, where both are learned", low=0, high=1000)
    fading: bool = parameter(False, "Let the weight of spirals fall as they are learned, where both are")
    symmetric: bool = parameter(False, "Average the trained network over all ways to turn and mirror a particle")
    seed: int = parameter(0, "Seed of the first weights, the dropout and the order of the particles", low=0)


def train(feature, dataset, validation, parameters=None, start=None, folder=None, progress=None):
    """Train a network to tell categories of particles.

    Categorical cross entropy (eq. 2); the weights of the best epoch are restored. Holes and spirals in the same
    particles (feature "both") are two tasks of one network: dual learning (sec. 4.5).

    Parameters
    ----------
    feature : str
        A key of `TASKS`.
    dataset : Dataset or callable
        Particles to learn from, or ``dataset(epoch)``, epoch = 0, 1, ..., which gives new ones for each epoch.
    validation : Dataset
    parameters : Training, optional
        By default the document's.
    start : keras.Model, optional
        A network to train further: transfer learning (sec. 4.4). It is not changed. What it tells already is kept, and
        all before its outputs; outputs that it lacks are new.
    folder : path, optional
        For checkpoints: a training that was killed goes on from its last epoch, if all else is the same.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    model : keras.Model
        As `build_network`, with an output for each task; or what `symmetrise` makes of it, whose history is that of
        the network before.
    history : DataFrame
        One row an epoch: ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``; with two tasks
        ``hole_accuracy`` and so on.

    Raises
    ------
    ValueError
        If the feature is unknown or has no symmetry, layers of ``start`` have other weights, the folder holds another
        training's checkpoint, or the loss is no longer finite.
    """
    if feature not in TASKS:
        raise ValueError(f"feature = {feature!r} is unknown; there are {', '.join(TASKS)}")
    p, tasks = parameters or Training(), TASKS[feature]
    if p.symmetric and (feature not in MIRRORED or p.more_categories):
        raise ValueError(f"symmetric = True needs one of {', '.join(MIRRORED)} and no more categories, got {feature!r}")
    draw = dataset if callable(dataset) else lambda epoch: dataset
    first = draw(0)
    n, views, points = first.x.shape
    outputs = {task: max(within) + 1 + p.more_categories for task, within in tasks.items()}
    layers = {name: getattr(p, name) for name in Network.model_fields}
    model = build_network(views, points, outputs, seed=p.seed, **layers)
    given = []
    if start is not None:
        given = start.get_weights()
        _take_over(model, start)
    losses = dict.fromkeys(tasks, "sparse_categorical_crossentropy")
    if p.fading and len(tasks) > 1:
        losses["spiral"] = fading_loss
    model.compile(
        make_optimiser(p, steps=p.epochs * -(-n // p.batch)),
        _alone(losses),
        loss_weights={"hole": p.hole_weight, "spiral": p.spiral_weight} if len(tasks) > 1 else None,
        metrics=_alone({task: ["accuracy"] for task in tasks}),
        jit_compile=p.batch >= 256,  # for smaller batches it is slower
        steps_per_execution=16,
    )
    history = train_epochs(
        model,
        lambda epoch: _examples(draw(epoch), tasks),
        _examples(validation, tasks),
        epochs=p.epochs,
        batch=p.batch,
        patience=p.patience,
        seed=p.seed,
        folder=folder,
        name=f"{feature}, {p!r}, {first.x.shape}, {digest(first.x, first.y, validation.x, validation.y, *given)}",
        progress=progress,
    )
    return symmetrise(model, MIRRORED[feature]) if p.symmetric else model, history


def fading_loss(y, probabilities):
    """Return a cross entropy whose weight falls from 1 at chance to 0 as a batch is told rightly (sec. 4.5).

    Parameters
    ----------
    y : (n,) tensor
        Categories.
    probabilities : (n, categories) tensor

    Returns
    -------
    (n,) tensor
        Cross entropy times (1 - p) / (1 - 1 / categories), p being the mean probability of the true category.
    """
    keras = load_keras()
    ops, entropy = keras.ops, keras.losses.sparse_categorical_crossentropy(y, probabilities)
    wrong = 1 - ops.mean(ops.exp(-entropy))
    return ops.stop_gradient(wrong / (1 - 1 / probabilities.shape[-1])) * entropy


def make_optimiser(parameters, steps):
    """Return the optimiser of a training of so many steps."""
    keras = load_keras()
    p, kinds = parameters, {"adadelta": keras.optimizers.Adadelta, "adam": keras.optimizers.Adam}
    rate = keras.optimizers.schedules.CosineDecay(p.learning_rate, steps) if p.decay else p.learning_rate
    return kinds[p.optimiser](rate)


def _examples(data, tasks):
    """Return x and the categories of each task."""
    return data.x, _alone({task: np.array(within)[data.y] for task, within in tasks.items()})


def _alone(by_task):
    """Return what there is for the only task, or for several a dictionary, as Keras wants it."""
    return by_task if len(by_task) > 1 else next(iter(by_task.values()))


def _take_over(model, start):
    """Set the weights of all layers that two networks have in common, by name; a `symmetrise` may be around one."""
    parts = (start, *start.layers)
    known = {layer.name: layer for part in parts for layer in getattr(part, "layers", ())}
    for layer in model.layers:
        if layer.name in known:
            weights = known[layer.name].get_weights()
            here, there = ([w.shape for w in some] for some in (layer.get_weights(), weights))
            if here != there:
                raise ValueError(f"start has another layer {layer.name}: weights {there}, but {here} are wanted")
            layer.set_weights(weights)
