"""Search for layers, width and learning rate by Hyperband (Gandhi 2022, sec. 3.5.6; Li et al. 2018)."""

import contextlib
import io
import math
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.aerosol.growth import make_examples, make_network, prepare_sde
from particlelab.aerosol.sde import SDEParameters, check_steps
from particlelab.learning.digests import digest
from particlelab.learning.epochs import train_epochs
from particlelab.learning.quiet import load_keras
from particlelab.randomness import check_rng
from particlelab.writing import write_text

FACTOR = 3  # of the trials of a round, one in so many goes on; keras-tuner's own
WORST = 1e9  # loss of a trial whose loss is never a number


class Space(NamedTuple):
    """What is searched."""

    layers: tuple  # (fewest, most)
    width: tuple  # (smallest, largest, step)
    learning_rates: tuple
    epochs: int  # of the longest trials


SPACES = {
    "document": Space((1, 36), (32, 512, 16), (1e-4, 1e-3, 1e-2, 1e-1), 50),  # figure 3.17
    "quick": Space((1, 4), (16, 64, 16), (1e-3, 3e-3, 1e-2), 9),
}


class Tuning(NamedTuple):
    """What a search found."""

    parameters: SDEParameters  # the best
    trials: pd.DataFrame  # one row a trial, the best first: trial, layers, width, learning_rate, epochs, val_loss


def tune_sde(
    x0, x1, h, covariates=None, weights=None, parameters=None, space="document", rng=None, folder=None, progress=None
):
    """Search the layers, width and learning rate of an SDE's networks that give the least loss of the validation.

    keras-tuner's Hyperband: rounds of trials, the best third of which goes on with three times the epochs.

    Parameters
    ----------
    x0, x1, h, covariates, weights
        As for `fit_sde`.
    parameters : SDEParameters, optional
        All that is not searched; ``decay``, ``epochs``, ``patience`` and ``members`` do not matter here.
    space : str or Space
        A key of `SPACES`, or another space.
    rng : numpy.random.Generator
    folder : path, optional
        Where all trials are kept, with the weights of each: a search that was killed goes on from its last trial.
    progress : callable, optional
        Called with the share that is done and a text after each epoch.

    Returns
    -------
    Tuning
        ``parameters`` are those given with the best layers, width and learning rate. ``epochs`` of a trial includes
        those of the trial that it goes on from.

    Raises
    ------
    ValueError
        If the space is unknown, the folder holds another search, no trial has a loss, or as `fit_sde`.
    """
    if not isinstance(space, Space) and space not in SPACES:
        raise ValueError(f"space = {space!r} is unknown; there are {', '.join(SPACES)}")
    searched = SPACES.get(space, space)
    given, steps = parameters or SDEParameters(), check_steps(x0, x1, h, covariates, weights)
    p = given.replace(decay=False, members=1)
    seed = int(check_rng(rng).integers(2**31))
    sde = prepare_sde(steps, p)
    examples, validation = make_examples(sde, steps, np.random.default_rng(seed))

    def train(values, weights, epochs, told):
        """Train a network further, or a new one; return it with its least loss."""
        model = make_network(sde, examples, _chosen(p, values, searched), seed)
        if weights:
            model.set_weights(weights)
        try:
            options = {"epochs": epochs, "batch": p.batch, "seed": seed, "progress": told}
            return model, float(train_epochs(model, examples, validation, **options).val_loss.min())
        except ValueError:  # the loss is no longer finite: the worst of trials, but not the end of the search
            return model, WORST

    with contextlib.ExitStack() as stack:
        folder = Path(folder or stack.enter_context(tempfile.TemporaryDirectory()))
        _claim(folder, f"{p!r}, {searched!r}, {seed}, {digest(*examples, *validation)}")
        with contextlib.redirect_stdout(io.StringIO()):  # keras-tuner tells that it goes on
            tuner = _tuner(p, searched, train, seed, folder, progress)
        tuner.search(verbose=0)
        trials = _table(tuner)
    if trials.empty or trials.val_loss.iloc[0] >= WORST:
        raise ValueError("no trial has a finite loss: lower the learning rates")
    best = trials.iloc[0]
    chosen = {"layers": int(best.layers), "width": int(best.width), "learning_rate": float(best.learning_rate)}
    return Tuning(given.replace(**chosen), trials)


def planned_epochs(epochs):
    """Return how many epochs a search runs in all, if its longest trials have so many.

    Hyperband's brackets as keras-tuner has them: bracket b begins with short trials of epochs / 3^b, and has b more
    rounds.
    """
    brackets = math.floor(math.log(epochs, FACTOR) + 1e-9) + 1
    end = math.ceil(1 + math.log(epochs, FACTOR))
    total = 0
    for bracket in range(brackets):
        before = 0
        for left in range(bracket, -1, -1):
            length = math.ceil(epochs / FACTOR**left)
            total += math.ceil(end / (bracket + 1) * FACTOR**left) * (length - before)
            before = length
    return total


def _chosen(parameters, hp, space):
    """Register what is searched, by the document's names, and return the parameters of a trial."""
    low, high, step = space.width
    return parameters.replace(
        layers=hp.Int("n_layers", *space.layers),
        width=hp.Int("n_dim_per_layer", low, high, step=step),
        learning_rate=hp.Choice("learning_rate", list(space.learning_rates)),
    )


def _claim(folder, name):
    """Write what is searched into the folder; refuse one that holds another search."""
    file = folder / "search.txt"
    if file.is_file() and file.read_text() != name:
        raise ValueError(f"{folder} holds another search: {file.read_text()!r}")
    write_text(file, name)


def _tuner(parameters, space, train, seed, folder, progress):
    load_keras()  # before keras_tuner, which would load TensorFlow in its own way
    import keras_tuner

    hp, total = keras_tuner.HyperParameters(), planned_epochs(space.epochs)
    _chosen(parameters, hp, space)

    class Search(keras_tuner.Hyperband):
        def run_trial(self, trial, **_):
            """Run a trial from where the one that it goes on from was best; return its least loss."""
            values, trials = trial.hyperparameters, self.oracle.trials.values()
            before = sum(_run(other) for other in trials if other.status == "COMPLETED")
            length = _run(trial)

            def told(done, text):
                progress(min(1.0, (before + done * length) / total), f"trial {len(trials)}, {text}")

            start = folder / "weights" / f"{values.values.get('tuner/trial_id')}.npz"
            weights = list(np.load(start).values()) if start.is_file() else None
            model, loss = train(values, weights, length, progress and told)
            file = folder / "weights" / f"{trial.trial_id}.npz"
            file.parent.mkdir(exist_ok=True)
            np.savez(file, *model.get_weights())
            return loss

    kept = {"directory": str(folder), "project_name": "trials", "overwrite": False}
    searched = {"hyperparameters": hp, "max_epochs": space.epochs, "factor": FACTOR, "seed": seed}
    return Search(objective="val_loss", **searched, **kept)


def _run(trial):
    """Return how many epochs a trial runs itself."""
    return trial.hyperparameters.values["tuner/epochs"] - trial.hyperparameters.values["tuner/initial_epoch"]


def _table(tuner):
    columns = ["trial", "layers", "width", "learning_rate", "epochs", "val_loss"]
    rows = []
    for trial in tuner.oracle.trials.values():
        values = trial.hyperparameters.values
        searched = [values[name] for name in ("n_layers", "n_dim_per_layer", "learning_rate", "tuner/epochs")]
        rows.append((trial.trial_id, *searched, np.nan if trial.score is None else trial.score))
    return pd.DataFrame(rows, columns=columns).sort_values("val_loss", ignore_index=True)
