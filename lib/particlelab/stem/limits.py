"""How good anybody could be: posteriors of the particles of an experiment, and the best possible accuracy."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from particlelab.randomness import generator
from particlelab.stem.bayes import posterior, regret
from particlelab.stem.experiments import EXPERIMENTS, draw, particles_of
from particlelab.stem.gains import Z
from particlelab.stem.networks import predict
from particlelab.writing import write_bytes

TOGETHER = 10  # particles from one checkpoint to the next


class Posterior(NamedTuple):
    """Particles of an experiment, and what can be known of them."""

    x: np.ndarray  # (n, views, points)
    y: np.ndarray  # (n,) true categories
    posterior: np.ndarray  # (n, categories)


def find_posterior(asked, checkpoints=None, progress=None):
    """Compute the posterior probabilities of particles of an experiment.

    Parameters
    ----------
    asked : dict
        ``experiment``, a key of `EXPERIMENTS`; ``n``, how many particles; ``seed``.
    checkpoints : path, optional
        A folder for what is done: after a kill it goes on from there.
    progress : callable, optional

    Returns
    -------
    Posterior
    """
    name, n, seed = asked["experiment"], asked["n"], asked["seed"]
    feature, particles = EXPERIMENTS[name].feature, particles_of(name)
    (x, y, _), parts = draw(name, n, seed, "posterior"), []
    for start in range(0, n, TOGETHER):
        file = checkpoints and Path(checkpoints) / f"{start}.npy"
        if not (file and file.is_file()):
            rng = generator(seed, "posterior's own chance", start)
            parts.append(posterior(x[start : start + TOGETHER], feature, particles, rng))
            if file:
                content = io.BytesIO()
                np.save(content, parts[-1])
                write_bytes(file, content.getvalue())
        else:
            parts.append(np.load(file))
        if progress:
            done = min(start + TOGETHER, n)
            progress(done / n, f"{done} of {n} particles")
    return Posterior(x, y, np.concatenate(parts))


def best_possible(model, scores, known):
    """Estimate the accuracy of the best possible classifier: that of a network, and its regret.

    The interval is that of chance in the particles. Posteriors are estimates, too (`particlelab.stem.bayes`), and where
    they err, the regret grows: it is rather too large than too small.

    Parameters
    ----------
    model : keras.Model
    scores : DataFrame
        From `judge`, of one task.
    known : Posterior

    Returns
    -------
    dict
        Accuracy of the ``network``, its ``regret`` and ``its standard error`` (see `regret`); ``best possible``, at
        most 1, and the 95 % interval of it, ``best possible_low`` to ``best possible_high``.
    """
    own, lost = scores.iloc[0], regret(known.posterior, predict(model, known.x))
    best, reach = own.accuracy + lost.estimate, Z * np.hypot(own.standard_error, lost.standard_error)
    low = max(best - reach, own.accuracy - Z * own.standard_error)  # no network surpasses it
    ends = zip(("", "_low", "_high"), (best, low, best + reach), strict=True)
    accuracies = {"network": own.accuracy, "regret": lost.estimate, "its standard error": lost.standard_error}
    return accuracies | {f"best possible{end}": min(value, 1.0) for end, value in ends}


def check_posterior(known):
    """Compare how often posteriors name the true category with how often they expect to: exact ones do equally often.

    Parameters
    ----------
    known : Posterior

    Returns
    -------
    dict
        Number of ``particles``; share of them that the posterior tells ``right``, its ``standard error``, and the share
        that it ``expected``.
    """
    right = known.posterior.argmax(axis=1) == known.y
    shares = {"right": right.mean(), "standard error": right.std() / np.sqrt(right.size)}
    return {"particles": right.size} | shares | {"expected": known.posterior.max(axis=1).mean()}
