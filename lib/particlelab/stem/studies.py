"""Parameters of the notebooks' experiments."""

from pydantic import model_validator

from particlelab.parameters import Parameters, parameter
from particlelab.stem.experiments import EXPERIMENTS, Sizes

BY_VIEWS = (  # the same task, with more and more views
    *("one view, at best", "two views, at best", "three views, at best", "five views, at best", "nine views, at best"),
)


class _Asked(Parameters):
    train: bool = parameter(False, "Train the networks of the experiments; otherwise those that ship are judged")


class Study(Sizes, _Asked):
    """Experiments with trained networks, or with those that ship."""

    validation_particles: int = parameter(4000, "Particles to judge by (document: 20 000)", low=100, high=10_000_000)

    def shared(self):
        """Return what runs of single experiments depend on: the `Study` without what is carried out and shown."""
        return Study.select(dict(self))


class _Experiments(Study):
    experiments: tuple[str, ...] = parameter((), "What is carried out: names of experiments")

    @model_validator(mode="after")
    def _can_be_carried_out(self):
        if not self.experiments:
            raise ValueError("experiments = () is not allowed; expected at least one")
        for number, name in enumerate(self.experiments):
            if name not in EXPERIMENTS:
                raise ValueError(f"experiments holds {name!r}, which is none; there are {'; '.join(EXPERIMENTS)}")
            start = EXPERIMENTS[name].start
            if self.train and start and start not in self.experiments[:number]:
                raise ValueError(f"experiments holds {name!r}, which trains {start!r} further: name that before it")
        return self


class HoleStudy(_Experiments):
    """Sec. 4.1 and 4.2, and what they left open."""

    experiments: tuple[str, ...] = parameter(
        (
            *("one view", "two views", "early concatenation", "one view, small holes", "two views, small holes"),
            *(*BY_VIEWS, "two views, small holes, at best"),
        ),
        "What is carried out: names of experiments in particlelab.stem.experiments",
    )
    bayes_particles: int = parameter(6, "Particles of each task whose posterior is computed", low=2, high=100_000)
    populations: int = parameter(60, "Populations whose shares of categories are estimated", low=10, high=100_000)


class ChiralityStudy(_Experiments):
    """Sec. 4.3."""

    experiments: tuple[str, ...] = parameter(
        (
            *("chirality", "chirality, 32 points", "chirality, centre varies", "chirality, pooling"),
            *("chirality, one view", "chirality, large network", "chirality, a third category"),
            *("chirality, symmetric", "chirality, at best"),
        ),
        "What is carried out: names of experiments in particlelab.stem.experiments",
    )
    bayes_particles: int = parameter(4, "Particles whose posterior is computed", low=2, high=100_000)


class DualStudy(_Experiments):
    """Sec. 4.4, 4.5 and 5."""

    experiments: tuple[str, ...] = parameter(
        (
            *("chirality", "holes, seen like spirals", "holes, after spirals", "both, holes only"),
            *("both, spirals only", "both", "both, after spirals", "both, holes weigh more"),
            *("both, spirals weigh more", "both, spirals fade", "both, denser holes", "both, missing spirals"),
            *("small clockwise spirals", "small clockwise spirals, after spirals"),
        ),
        "What is carried out: names of experiments in particlelab.stem.experiments",
    )
