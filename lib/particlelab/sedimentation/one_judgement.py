"""One spectrum as the classifier and physics see it: its class, where it lies among others, whether it can be."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from particlelab.parameters import Parameters, parameter
from particlelab.randomness import generator
from particlelab.sedimentation.boundaries import Estimate, estimate_s
from particlelab.sedimentation.classifier import load_classifier
from particlelab.sedimentation.evaluation import Components, look_at, principal_components
from particlelab.sedimentation.evaluation_studies import COMPONENTS
from particlelab.sedimentation.generators import load_generator
from particlelab.sedimentation.lum import LUM, simulate_lum
from particlelab.sedimentation.one_spectrum import simulate_one
from particlelab.sedimentation.physical_checks import Balance, find_backwards, mass_balance
from particlelab.sedimentation.spectra import CLASSES, Spectrum

JUDGEMENT_GROUPS = {"Measurement": ("rpm", "walls", "model")}


class OneJudgement(Parameters):
    """Which spectrum is judged, and what is known of its measurement."""

    source: Literal["measurement", "spectrum", "cvae-wgan-div", "cwgan-div"] = parameter(
        "measurement", "A new measurement, or the generator that draws the spectrum"
    )
    class_name: Literal["sedimentation", "creaming", "combined", "other"] = parameter(
        "sedimentation", "Class that is asked for"
    )
    seed: int = parameter(0, "Seed", low=0, high=10_000)
    rpm: float | None = parameter(None, "Rotor speed, where the spectrum does not say it", unit="1/min", low=0)
    walls: Literal["rectangular", "sector"] = parameter("rectangular", "Shape of the cell")
    model: str = parameter("default", "Classifier that ships, or the path of one")


class Space(NamedTuple):
    """Where measurements lie by their features."""

    places: pd.DataFrame  # label, first, second, third
    components: Components


class Judgement(NamedTuple):
    """What is said of a spectrum."""

    spectrum: Spectrum
    probabilities: dict  # by class
    place: np.ndarray  # (3,) among the components of measurements; NaN if these are not known
    backwards: np.ndarray  # (T, R) bool
    balance: Balance
    estimate: Estimate | None  # of s; None where the speed is not known

    @property
    def table(self):
        """What is said, in rows: quantity, value, low, high, unit."""
        s = (np.nan,) * 3 if self.estimate is None else (self.estimate.s, *self.estimate.interval)
        rows = [(f"probability of {name}", 100 * p, np.nan, np.nan, "%") for name, p in self.probabilities.items()]
        rows += [
            ("points that run backwards", 100 * self.backwards.mean(), np.nan, np.nan, "%"),
            ("scans with a plateau", len(self.balance.table), np.nan, np.nan, ""),
            ("mass that came from nowhere", 100 * self.balance.gain, np.nan, np.nan, "%"),
            ("drift of mass held and passed", 100 * self.balance.drift, np.nan, np.nan, "%"),
            ("sedimentation coefficient by the boundary", *s, "S"),
        ]
        return pd.DataFrame(rows, columns=["quantity", "value", "low", "high", "unit"])


def measurement_space(model="default"):
    """Return where the measurements of LUM lie by what a classifier sees in them.

    Parameters
    ----------
    model : str or path

    Returns
    -------
    Space
    """
    real = simulate_lum(LUM())
    seen = look_at(real, load_classifier(model))
    components = principal_components(seen.features)
    places = pd.DataFrame(components.places(seen.features), columns=COMPONENTS)
    places.insert(0, "label", [spectrum.label for spectrum in real])
    return Space(places, components)


def draw_to_judge(parameters):
    """Return the spectrum that parameters ask for: a new measurement, or one that a generator draws.

    Raises
    ------
    ValueError
        If the generator does not ship.
    """
    p, rng = parameters, generator(parameters.seed, "to judge", parameters.source, parameters.class_name)
    if p.source == "measurement":
        return simulate_one("lum", p.class_name, rng)
    return load_generator(f"{p.source}-lum").sample(p.class_name, 1, rng)[0]


def judge_one(parameters, spectrum=None, components=None):
    """Judge one spectrum.

    Parameters
    ----------
    parameters : OneJudgement
    spectrum : Spectrum, optional
        Otherwise that of `draw_to_judge`.
    components : Components, optional
        Of the same classifier, as of `measurement_space`.

    Returns
    -------
    Judgement

    Raises
    ------
    ValueError
        If the spectrum is none, the classifier cannot be had, or the components are of other features.
    """
    p = parameters
    spectrum = draw_to_judge(p) if spectrum is None else spectrum
    looked = load_classifier(p.model).look([spectrum])
    if components is not None and components.axes.shape[1] != looked.features.shape[1]:
        raise ValueError(
            f"components must be of {looked.features.shape[1]} features, as the classifier {p.model!r} has, "
            f"got {components.axes.shape[1]}"
        )
    place = np.full(3, np.nan) if components is None else components.places(looked.features)[0]
    rpm = spectrum.rpm if p.rpm is None else p.rpm
    found = None if rpm is None else estimate_s(spectrum, rpm, cell=p.walls)
    direction = "auto" if found is None else found.direction
    return Judgement(
        spectrum,
        dict(zip(CLASSES, looked.told[0].tolist(), strict=True)),
        place,
        find_backwards(spectrum, rpm, cell=p.walls),
        mass_balance(spectrum, rpm, cell=p.walls, direction=direction),
        found,
    )


def tell_judged(judged):
    """Return in a sentence what is said of a spectrum."""
    name = max(judged.probabilities, key=judged.probabilities.get)
    asked = "" if judged.spectrum.label is None else f", asked for {judged.spectrum.label}"
    backwards = f"{100 * judged.backwards.mean():.2g} % of its points run backwards"
    return f"{name} with {100 * judged.probabilities[name]:.1f} %{asked}; {backwards}"
