"""Networks of experiments as files that ship, with their cards."""

from particlelab.learning.models import save_model
from particlelab.randomness import generator
from particlelab.stem.calibration import count_confusion
from particlelab.stem.classifier import by_category
from particlelab.stem.dataset import CATEGORIES
from particlelab.stem.experiments import EXPERIMENTS, Sizes, draw, judge, particles_of
from particlelab.stem.networks import predict

JUDGED = 20_000  # particles that a network which ships is judged by


def ship(name, outcome, sizes, path, repeats=None):
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
    repeats : dict of int to keras.Model, optional
        By seed, networks of trainings that differ in nothing else; they are judged by the same particles.

    Returns
    -------
    Path
    """
    e, p = EXPERIMENTS[name], sizes.replace(**EXPERIMENTS[name].network)
    particles, usual = particles_of(name), Sizes()
    changed = {key: value for key, value in sizes if value != getattr(usual, key) or key == "seed"}
    asked = f"stem.Sizes({', '.join(f'{key}={value!r}' for key, value in changed.items())})"
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
        "command": f"stem.carry_out({name!r}, {asked}"
        + (f", start=stem.carry_out({e.start!r}, {asked}).model)" if e.start else ")"),
    }
    confusion = count_confusion(by_category(predict(outcome.model, data.x), e.feature), data.y)
    card["confusion"] = (confusion / confusion.sum(axis=1, keepdims=True)).round(5).tolist()
    judged = {
        str(seed): judge(e.feature, model, data, generator(p.seed, "unpaired"))
        .set_index("task")
        .round(5)
        .to_dict("index")
        for seed, model in ({p.seed: outcome.model} | (repeats or {})).items()
    }
    card["scores"], card["repeats"] = judged[str(p.seed)], judged
    return save_model(path, outcome.model, card)
