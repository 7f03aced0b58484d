"""Training of Keras models by epochs, with patience: a training that is killed goes on from its last epoch.

The order of an epoch's examples depends on its number alone, so that a training that went on ends where one that was
never stopped ends.
"""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from particlelab.learning.quiet import load_keras
from particlelab.randomness import generator
from particlelab.writing import write_bytes


def train_epochs(
    model, examples, validation, *, epochs, batch, patience=None, seed=0, folder=None, name="", progress=None
):
    """Train a compiled model in place; its best weights by the loss of the validation are restored at the end.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    examples : callable or tuple
        ``examples(epoch)``, epoch = 0, 1, ..., gives ``x, y`` of the epoch: arrays, or for several outputs dictionaries
        of arrays, along the first axis; the same at every call. Or ``x, y`` of all epochs.
    validation : tuple
        ``x, y`` that it is not trained on.
    epochs : int
        At most.
    batch : int
    patience : int, optional
        Epochs without a better loss after which the training ends.
    seed : int
        Of the order of the examples.
    folder : path, optional
        Where each epoch's state is written; if it holds one, the training goes on from there.
    name : str
        What is trained, with all that it depends on: a state of another name is refused.
    progress : callable, optional
        Called with the share that is done and a text after each epoch.

    Returns
    -------
    DataFrame
        One row an epoch: ``epoch`` (from 1), and what the model measures, of the training and as ``val_…``.

    Raises
    ------
    ValueError
        If the folder holds the state of something else, or the loss is no longer finite.
    """
    tree = load_keras().tree
    state = _State(model, folder, name)
    for epoch in range(len(state.history), epochs):
        if patience is not None and epoch - state.best_epoch >= patience and state.history:
            break
        x, y = examples(epoch) if callable(examples) else examples
        order = generator(seed, "epoch", epoch).permutation(len(x))
        measured = model.fit(
            x[order],
            tree.map_structure(lambda values, order=order: values[order], y),
            batch_size=batch,
            shuffle=False,
            validation_data=validation,
            validation_batch_size=4096,
            verbose=0,
        ).history
        row = {"epoch": epoch + 1} | {key: float(value[0]) for key, value in measured.items()}
        if not math.isfinite(row["loss"]):
            raise ValueError(f"the loss is {row['loss']} in epoch {epoch + 1}: lower the learning rate")
        state.add(row)
        if progress:
            progress((epoch + 1) / epochs, f"epoch {epoch + 1} of at most {epochs}, loss {row['val_loss']:.4f}")
    state.restore_best()
    return pd.DataFrame(state.history)


class _State:
    """History, present and best weights of a training, in memory and in a folder."""

    def __init__(self, model, folder, name):
        self.model, self.folder, self.name = model, folder and Path(folder), name
        self.history, self.best_epoch, self.best = [], 0, model.get_weights()
        if self.folder and (self.folder / "state.json").is_file():
            self._load()

    def add(self, row):
        self.history.append(row)
        if row["val_loss"] <= min(earlier["val_loss"] for earlier in self.history):
            self.best_epoch, self.best = row["epoch"], self.model.get_weights()
        if self.folder:
            self._save()

    def restore_best(self):
        self.model.set_weights(self.best)

    def _variables(self):
        return [*self.model.variables, *self.model.optimizer.variables]

    def _save(self):
        """Write the weights first: what the state names is then there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        number = len(self.history)
        present = [np.asarray(variable) for variable in self._variables()]
        for kind, arrays in (("present", present), ("best", self.best)):
            np.savez(self.folder / f"{kind}-{number}.npz", *arrays)
        state = {"name": self.name, "history": self.history, "best_epoch": self.best_epoch}
        write_bytes(self.folder / "state.json", json.dumps(state).encode())
        for old in self.folder.glob("*.npz"):
            if not old.stem.endswith(f"-{number}"):
                old.unlink()

    def _load(self):
        state = json.loads((self.folder / "state.json").read_text())
        if state["name"] != self.name:
            raise ValueError(f"the checkpoint is of another training: {state['name']!r}, not {self.name!r}")
        self.history, self.best_epoch = state["history"], state["best_epoch"]
        self.model.optimizer.build(self.model.trainable_variables)
        for variable, value in zip(
            self._variables(), _arrays(self.folder / f"present-{len(self.history)}.npz"), strict=True
        ):
            variable.assign(value)
        self.best = _arrays(self.folder / f"best-{len(self.history)}.npz")


def _arrays(path):
    with np.load(path) as file:
        return [file[key] for key in file.files]
