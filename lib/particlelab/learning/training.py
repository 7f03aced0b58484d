"""Training by iterations, with checkpoints: a training that is killed goes on from its last one.

The n-th batch depends on n alone, so that a training that went on ends where one that was never stopped ends.
"""

import logging
import re
import signal
import threading
import warnings
from pathlib import Path

import pandas as pd
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, Dataset


def train(
    model, batch, loss, configure, *, iterations, seed=0, folder=None, name="", every=200, workers=0, progress=None
):
    """Train a model in place.

    Parameters
    ----------
    model : torch.nn.Module
        Goes to the GPU if there is one, and comes back.
    batch : callable
        ``batch(n)`` gives the tensors (a tuple) of the n-th iteration, n = 0, 1, ...; it must be the same at every
        call, and fit to be sent to another process if there are ``workers``.
    loss : callable
        ``loss(model, *tensors)`` gives a scalar tensor.
    configure : callable
        ``configure(model)`` gives the optimiser and the scheduler of its learning rate by iterations (or None).
    iterations : int
    seed : int
        Of what the model draws at random by itself (dropout), at each iteration anew.
    folder : path, optional
        Where checkpoints are written; if it holds one, the training goes on from there.
    name : str
        What is trained, with all that it depends on: a checkpoint of another name is refused.
    every : int
        Iterations between two checkpoints.
    workers : int
        Processes that make batches ahead; with 0 they are made in between.
    progress : callable, optional
        Called with the share that is done and a text after each iteration; an exception that it raises stops the
        training and comes out of here.

    Returns
    -------
    DataFrame
        One row an iteration: ``iteration`` (from 0), ``loss``, ``learning_rate``.

    Raises
    ------
    ValueError
        If the folder holds a checkpoint of something else, or the loss is no longer finite.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    module = _Module(model, loss, configure, seed, name)
    callbacks = [_Progress(iterations, progress)]
    if folder is not None:
        callbacks.append(ModelCheckpoint(folder, "{step}", every_n_train_steps=every, save_top_k=1))
    trainer = Trainer(
        max_steps=iterations,
        accelerator="auto",
        devices=1,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=folder is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.filterwarnings("ignore", module="lightning")  # advice on workers and on going on within an epoch
        _interruptible(
            lambda: trainer.fit(
                module, _Loader(batch, iterations, workers, trainer), ckpt_path=_last_checkpoint(folder)
            )
        )
    model.cpu().eval()
    return pd.DataFrame(module.history, columns=["iteration", "loss", "learning_rate"])


def one_cycle(parameters):
    """Return what `train` configures by: AdamW, whose learning rate rises over a tenth of the iterations and falls.

    Parameters
    ----------
    parameters : Parameters
        With ``iterations``, ``learning_rate`` (the highest) and ``weight_decay``.

    Returns
    -------
    callable
    """
    p = parameters

    def configure(model):
        optimiser = torch.optim.AdamW(model.parameters(), p.learning_rate, weight_decay=p.weight_decay)
        steps = p.iterations + 1
        return optimiser, torch.optim.lr_scheduler.OneCycleLR(optimiser, p.learning_rate, steps, pct_start=0.1)

    return configure


def course(history):
    """Return the mean loss over each tenth of a training, for its card.

    Parameters
    ----------
    history : DataFrame
        From `train`.

    Returns
    -------
    dict of str to float
        By iterations, in words.
    """
    tenth = max(1, len(history) // 10)
    parts = history.groupby(history.iteration // tenth)
    return {f"iterations {part.iteration.iloc[0]} to {part.iteration.iloc[-1]}": part.loss.mean() for _, part in parts}


def _interruptible(fit):
    """Let Ctrl-C be an exception as everywhere: Lightning leaves it ignored for good, and ends the process."""
    before = signal.getsignal(signal.SIGINT)
    try:
        fit()
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


def _last_checkpoint(folder):
    """Return the checkpoint of most iterations, None if there is none."""
    files = {int(re.search(r"step=(\d+)", file.name)[1]): file for file in Path(folder or ".").glob("step=*.ckpt")}
    return files[max(files)] if folder is not None and files else None


class _Module(LightningModule):
    def __init__(self, model, loss, configure, seed, name):
        super().__init__()
        self.model, self.loss, self.configure, self.seed, self.name = model, loss, configure, seed, name
        self.history = []

    def training_step(self, batch, _):
        torch.manual_seed((self.seed << 32) + self.global_step)
        loss = self.loss(self.model, *batch)
        if not torch.isfinite(loss):
            raise ValueError(f"the loss is {loss.item()} at iteration {self.global_step}: lower the learning rate")
        self.history.append((self.global_step, loss.item(), self.optimizers().param_groups[0]["lr"]))
        return loss

    def configure_optimizers(self):
        optimiser, scheduler = self.configure(self.model)
        if scheduler is None:
            return optimiser
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint):
        checkpoint["name"], checkpoint["history"] = self.name, list(self.history)

    def on_load_checkpoint(self, checkpoint):
        if checkpoint["name"] != self.name:
            raise ValueError(f"the checkpoint is of another training: {checkpoint['name']!r}, not {self.name!r}")
        self.history = list(checkpoint["history"])


class _Progress(Callback):
    def __init__(self, iterations, progress):
        self.iterations, self.progress = iterations, progress

    def on_train_batch_end(self, trainer, module, *_):
        if self.progress:
            done, loss = trainer.global_step, module.history[-1][1]
            self.progress(done / self.iterations, f"iteration {done} of {self.iterations}, loss {loss:.4f}")


class _Batches(Dataset):
    def __init__(self, batch):
        self.batch = batch

    def __getitem__(self, n):
        return self.batch(n)


class _Loader:
    """The batches from the trainer's present iteration on."""

    def __init__(self, batch, iterations, workers, trainer):
        self.batches, self.iterations, self.workers, self.trainer = _Batches(batch), iterations, workers, trainer

    def __iter__(self):
        remaining = range(self.trainer.global_step, self.iterations)
        options = {"prefetch_factor": 4} if self.workers else {}
        return iter(DataLoader(self.batches, None, sampler=remaining, num_workers=self.workers, **options))
