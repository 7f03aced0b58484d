"""Training of networks on simulated projections (Sullivan 2020, sec. 2.3, 2.4 and 4)."""

from typing import Literal

from particlelab.learning.epochs import train_epochs
from particlelab.parameters import parameter
from particlelab.stem.networks import Network, build_network


class Training(Network):
    """How a network is built and trained; the defaults are the document's where it gives any."""

    epochs: int = parameter(200, "Epochs, at most", low=1, high=10_000)
    patience: int = parameter(10, "Epochs without a better loss of the validation, after which training ends", low=1)
    batch: int = parameter(64, "Particles in a batch", low=1, high=65_536)
    optimiser: Literal["adadelta", "adam"] = parameter("adadelta", "Optimiser; the document found AdaDelta the best")
    learning_rate: float = parameter(1.0, "Learning rate; 1 is AdaDelta's own, 0.001 suits Adam", above=0, high=10)
    more_categories: int = parameter(0, "Categories of the network that no particle has (sec. 4.3.1)", low=0, high=10)
    seed: int = parameter(0, "Seed of the first weights, the dropout and the order of the particles", low=0)


def train(dataset, validation, parameters=None, start=None, folder=None, progress=None):
    """Train a network to tell categories of particles.

    Categorical cross entropy (eq. 2); the weights of the best epoch are restored.

    Parameters
    ----------
    dataset, validation : Dataset
    parameters : Training, optional
        By default the document's.
    start : keras.Model, optional
        To train further instead of a new network: transfer learning (sec. 4.4). It is not changed.
    folder : path, optional
        For checkpoints: a training that was killed goes on from its last epoch, if all else is the same.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    model : keras.Model
    history : DataFrame
        One row an epoch: ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``.

    Raises
    ------
    ValueError
        If the folder holds another training's checkpoint, or the loss is no longer finite.
    """
    import keras

    p = parameters or Training()
    _, views, points = dataset.x.shape
    if start is None:
        categories = int(max(dataset.y.max(), validation.y.max())) + 1 + p.more_categories
        layers = {name: getattr(p, name) for name in Network.model_fields}
        model = build_network(views, points, categories, seed=p.seed, **layers)
    else:
        model = keras.models.clone_model(start)
        model.set_weights(start.get_weights())
    model.compile(make_optimiser(p), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = train_epochs(
        model,
        dataset.x,
        dataset.y,
        (validation.x, validation.y),
        epochs=p.epochs,
        batch=p.batch,
        patience=p.patience,
        seed=p.seed,
        folder=folder,
        name=f"{p!r}, {dataset.x.shape}, {dataset.x[0, 0, :3].tolist()}",
        progress=progress,
    )
    return model, history


def make_optimiser(parameters):
    """Return the optimiser of a training."""
    import keras

    kinds = {"adadelta": keras.optimizers.Adadelta, "adam": keras.optimizers.Adam}
    return kinds[parameters.optimiser](parameters.learning_rate)
