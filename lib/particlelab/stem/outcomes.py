"""What became of experiments: networks trained now, or those that ship."""

import pandas as pd

from particlelab.learning.models import file_sum, find_model, load_model
from particlelab.randomness import generator
from particlelab.stem.experiments import EXPERIMENTS, Outcome, carry_out, draw, judge
from particlelab.stem.networks import load_network


def slug(name):
    """Return the name under which the network of an experiment ships."""
    return name.replace(",", "").replace(" ", "-")


def find_outcome(name, study, start=None, folder=None, progress=None):
    """Carry out an experiment, or judge the network of it that ships.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`.
    study : Study
    start, folder, progress
        As for `carry_out`.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        As `carry_out`; if no network of the experiment ships.
    """
    if study.train:
        return carry_out(name, study, start, folder, progress)
    model, card = load_model(_shipped(name))
    data = draw(name, study.validation_particles, study.seed, "judgement")
    scores = judge(EXPERIMENTS[name].feature, model, data, generator(study.seed, "unpaired"))
    return Outcome(model, pd.DataFrame(card["history"]), scores)


def conduct(asked, folder, checkpoints, progress):
    """Compute a run of `find_outcome`: its ``history`` and ``scores``, and the file ``model.keras``.

    Parameters
    ----------
    asked : dict
        ``experiment``, a key of `EXPERIMENTS`; ``study``, a `Study`; ``start``, the file of the network that is trained
        further, or None; and what else the outcome depends on.
    folder, checkpoints : path
    progress : callable

    Returns
    -------
    dict
    """
    start = asked["start"] and load_network(asked["start"])
    outcome = find_outcome(asked["experiment"], asked["study"], start, checkpoints, progress)
    outcome.model.save(folder / "model.keras")
    return {"history": outcome.history, "scores": outcome.scores}


def conduct_all(study, run):
    """Carry out the experiments of a study in turn, or load what became of them.

    Parameters
    ----------
    study : HoleStudy, ChiralityStudy or DualStudy
    run : callable
        `particlelab.lab.runs.run`.

    Returns
    -------
    dict of str to Run
        Of `conduct`, by experiment.
    """
    outcomes = {}
    for name in study.experiments:
        start = outcomes.get(EXPERIMENTS[name].start) if study.train else None
        asked = {
            "experiment": name,
            "study": study.shared(),
            "start": start and start.file("model.keras"),
            "shipped": None if study.train else file_sum(_shipped(name)),
        }
        outcomes[name] = run("stem-experiment", asked, conduct)
    return outcomes


def _shipped(name):
    try:
        return find_model("stem", slug(name))
    except ValueError as error:
        raise ValueError(f"{name!r} can only be trained (train = True): {error}") from None
