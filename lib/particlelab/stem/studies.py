"""Experiments with networks that are trained, or with those that ship."""

import pandas as pd

from particlelab.learning.models import save_model
from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.stem.calibration import count_confusion
from particlelab.stem.classifier import by_category, load_classifier
from particlelab.stem.dataset import CATEGORIES, document_parameters
from particlelab.stem.experiments import EXPERIMENTS, Outcome, Sizes, carry_out, draw, judge
from particlelab.stem.networks import predict

JUDGED = 20_000  # particles that a network which ships is judged by


class _Study(Parameters):
    train: bool = parameter(False, "Train the networks of the experiments; otherwise those that ship are judged")


class Study(Sizes, _Study):
    """Experiments with trained networks, or with those that ship."""

    validation_particles: int = parameter(
        4000, "Particles to judge by; 20 000 in the document", low=10, high=10_000_000
    )


def slug(name):
    """Return the name under which the network of an experiment ships."""
    return name.replace(",", "").replace(" ", "-")


def ship(name, outcome, sizes, path):
    """Write the network of an experiment with its card, as `load_classifier` reads it.

    Parameters
    ----------
    name : str
        A key of `EXPERIMENTS`.
    outcome : Outcome
    sizes : Sizes
        That the experiment was carried out with.
    path : path
        ``NAME.keras``.
    """
    e, p = EXPERIMENTS[name], sizes.replace(**EXPERIMENTS[name].network)
    particles = document_parameters(e.feature).replace(**e.particles)
    data = draw(name, JUDGED, p.seed, "shipping")
    card = {
        "purpose": f"Tells {', '.join(CATEGORIES[e.feature])} by {e.views} projection(s); learned from simulated ones",
        "experiment": name,
        "feature": e.feature,
        "views": e.views,
        "points": particles.data_points,
        "particles": particles.model_dump(),
        "categories": CATEGORIES[e.feature],
        "n_validation": JUDGED,
        "training": p.model_dump(),
        "history": outcome.history.round(5).to_dict("list"),
        "command": f"stem.carry_out({name!r}, stem.Sizes(seed={p.seed}))",
    }
    confusion = count_confusion(by_category(predict(outcome.model, data.x), e.feature), data.y)
    card["confusion"] = (confusion / confusion.sum(axis=1, keepdims=True)).round(5).tolist()
    scores = judge(e.feature, outcome.model, data, generator(p.seed, "unpaired")).set_index("task").round(5)
    card["scores"] = scores.to_dict("index")
    return save_model(path, outcome.model, card)


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
    classifier, feature = load_classifier(slug(name)), EXPERIMENTS[name].feature
    data = draw(name, study.validation_particles, study.seed, "judgement")
    history = pd.DataFrame(classifier.card["history"])
    return Outcome(classifier.model, history, judge(feature, classifier.model, data, generator(study.seed, "unpaired")))
