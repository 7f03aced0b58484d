"""Learning stochastic differential equations from steps, by their likelihood (Gandhi 2022, eq. 2.13)."""

from pathlib import Path

import numpy as np
import pandas as pd

from particlelab.aerosol import sde_layers
from particlelab.aerosol.sde import SDE, SDEParameters, check_steps
from particlelab.learning.digests import digest
from particlelab.learning.epochs import train_epochs
from particlelab.learning.quiet import load_keras
from particlelab.progress import part_of
from particlelab.randomness import check_rng, generator

FEWEST = 10  # steps that something can be learned from


def fit_sde(x0, x1, h, covariates=None, weights=None, parameters=None, rng=None, folder=None, progress=None):
    """Learn an SDE from steps.

    The loss is the mean of eq. 2.13 over the steps, or what stands for it in Milstein's scheme
    (`sde_layers.log_density`). The latter needs noise that is diagonal, and each component's diffusivity sees only that
    component and the covariates: with all others the scheme holds iterated integrals of two noises, and the step has no
    density in closed form.

    Of several members each has first weights, an order of the steps and a validation of its own, and weighs the steps
    by random weights (a Bayesian bootstrap), so that members scatter as fits to other data of the same kind would.

    Parameters
    ----------
    x0, x1 : (n, d) or (n,) array_like
        Before and after, in any unit.
    h : float or (n,) array_like
        Time between, in any unit.
    covariates : (n, k) or (n,) array_like, optional
        At the beginning of each step.
    weights : (n,) array_like, optional
        Of the steps in the loss, relative to each other; not negative.
    parameters : SDEParameters, optional
    rng : numpy.random.Generator
    folder : path, optional
        For checkpoints: a training that was killed goes on from its last epoch, if all else is the same.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    SDE
        With a table ``history``: ``member``, ``epoch``, ``loss``, ``val_loss``, in the units of `SDE.loss`.

    Raises
    ------
    ValueError
        If arrays do not fit each other or are not finite, h is not positive, weights are negative or all 0, there are
        too few steps, there is no rng, the loss is no longer finite, or the folder holds another training.
    """
    p, steps = parameters or SDEParameters(), check_steps(x0, x1, h, covariates, weights)
    seed = int(check_rng(rng).integers(2**31))
    sde, histories = prepare_sde(steps, p), []
    for member in range(p.members):
        named = f"network {member + 1} of {p.members}" if p.members > 1 else ""
        model, history = _train(
            sde,
            steps,
            generator(seed, "member", member),
            f"{p!r}, {seed}, {member}, {digest(*steps)}",
            folder and Path(folder) / f"member-{member}",
            part_of(progress, member / p.members, 1 / p.members, named),
        )
        sde.members.append(sde_layers.dense_weights(model))
        histories.append(history.assign(member=member)[["member", "epoch", "loss", "val_loss"]])
    sde.history = pd.concat(histories, ignore_index=True)
    sde.card |= {"seed": seed, "loss of the validation": [float(table.val_loss.min()) for table in histories]}
    return sde


def prepare_sde(steps, parameters):
    """Return an SDE without members: with the units in which networks are to see such steps.

    Increments are counted in their deviation from a constant drift over the root of time, with the weights of the
    steps. A symmetric diffusivity needs states of one unit, and so one scale. Without ``standardise`` all is as it is.
    """
    p, (n, d) = parameters, steps.x0.shape
    if n < FEWEST:
        raise ValueError(f"there must be at least {FEWEST} steps, got {n}")
    seen = np.concatenate([steps.x0, steps.p], axis=1)
    centre = np.average(seen, axis=0, weights=steps.weights)
    spread = np.average((seen - centre) ** 2, axis=0, weights=steps.weights) ** 0.5
    step = float(np.average(steps.h, weights=steps.weights))
    tau, increments = steps.h[:, None] / step, steps.x1 - steps.x0
    excess = increments - tau * np.average(increments, axis=0, weights=steps.weights)
    square = np.average(excess**2 / tau, axis=0, weights=steps.weights)
    if p.diffusivity == "spd":
        square = np.full(d, square.mean())
    if not p.standardise:
        centre, spread, square = np.zeros_like(centre), np.ones_like(spread), np.ones_like(square)
    card = {
        "purpose": "Drift and diffusivity of a stochastic differential equation, learned from steps.",
        "parameters": p.model_dump(mode="json"),
        "dimension": d,
        "covariates": steps.p.shape[1],
        "centre": centre.tolist(),
        "spread": np.where(spread > 0, spread, 1.0).tolist(),
        "scale": np.where(square > 0, square**0.5, 1.0).tolist(),
        "step": step,
        "steps": n,
    }
    return SDE(card, [])


def make_examples(sde, steps, rng):
    """Return (x, y) to learn from and (x, y) of the validation, as Keras takes them, shuffled.

    The targets are increments, lengths of the steps and weights (`sde_layers.make_loss`).
    """
    scale = np.array(sde.card["scale"])
    x = sde.standardise(steps.x0, steps.p).astype(np.float32)
    columns = [(steps.x1 - steps.x0) / scale, steps.h[:, None] / sde.step, steps.weights[:, None]]
    y = np.concatenate(columns, axis=1).astype(np.float32)
    order = rng.permutation(len(x))
    held_back, rest = np.split(order, [max(1, round(sde.parameters.validation * len(x)))])
    return (x[rest], y[rest]), (x[held_back], y[held_back])


def make_network(sde, examples, parameters, seed):
    """Return a network for such examples (from `make_examples`), compiled."""
    keras, p, d = load_keras(), parameters, sde.dimension
    x, y = examples
    start = np.average(y[:, :d], axis=0, weights=y[:, -1]) / np.average(y[:, d], weights=y[:, -1])
    model = sde_layers.build_network(d, sde.covariates, sde.kind, p, start, sde.slope_scale, seed)
    rate = p.learning_rate
    if p.decay:
        rate = keras.optimizers.schedules.CosineDecay(rate, p.epochs * -(-len(x) // p.batch))
    loss = sde_layers.make_loss(d, sde.kind, p.scheme, float(np.log(sde.card["scale"]).sum()))
    model.compile(keras.optimizers.Adam(rate), loss, steps_per_execution=16, jit_compile=False)  # XLA: slow to begin
    return model


def _train(sde, steps, rng, name, folder, progress):
    """Train one member; of several each has weights of its own."""
    p = sde.parameters
    if p.members > 1:
        random = steps.weights * rng.exponential(size=len(steps.weights))
        steps = steps._replace(weights=random / random.mean())
    examples, validation = make_examples(sde, steps, rng)
    first, order = (int(seed) for seed in rng.integers(2**31, size=2))
    model = make_network(sde, examples, p, first)
    options = {"epochs": p.epochs, "batch": p.batch, "patience": p.patience, "seed": order}
    return model, train_epochs(model, examples, validation, **options, folder=folder, name=name, progress=progress)
