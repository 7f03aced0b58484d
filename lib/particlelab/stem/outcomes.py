"""What became of experiments: networks trained now, or those that ship."""

import pandas as pd

from particlelab.learning.models import file_sum, find_model, load_model
from particlelab.randomness import generator
from particlelab.stem.experiments import EXPERIMENTS, Outcome, carry_out, draw, judge
from particlelab.stem.networks import load_network


def slug(name):
    """Return the name under which the network of an experiment ships."""
    return name.replace(",", "").replace(" ", "-")


def judge_shipped(name, study):
    """Judge the network of an experiment that ships, by particles that it never saw.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`.
    study : Study

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If no network of the experiment ships.
    """
    model, card = load_model(_shipped(name))
    data = draw(name, study.validation_particles, study.seed, "judgement")
    scores = judge(EXPERIMENTS[name].feature, model, data, generator(study.seed, "unpaired"))
    return Outcome(model, pd.DataFrame(card["history"]), scores)


def conduct(asked, folder, checkpoints, progress):
    """Compute a run of `carry_out` or of `judge_shipped`: ``history``, ``scores``, and the file ``model.keras``.

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
    name, study = asked["experiment"], asked["study"]
    if study.train:
        start = asked["start"] and load_network(asked["start"])
        outcome = carry_out(name, study, start, checkpoints, progress)
    else:
        outcome = judge_shipped(name, study)
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
