"""The document's synthesis of spectra told again: kinds of generators side by side (IPMT report, AP2.3.a and b)."""

import functools
import time
from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import generator
from particlelab.sedimentation.boundaries import estimate_s
from particlelab.sedimentation.generator_training import train_generator
from particlelab.sedimentation.generators import KINDS, PHYSICAL_KINDS, generation_settings, load_generator
from particlelab.sedimentation.lfg import simulate_lfg
from particlelab.sedimentation.lum import simulate_lum
from particlelab.sedimentation.physical_checks import share_backwards
from particlelab.sedimentation.pictures import grey_image, sep_image
from particlelab.sedimentation.spectra import CLASSES

SETS = {"LUM": simulate_lum, "LFG": simulate_lfg}
DOCUMENT_S = (3125.0, 34_375.0, 40_625.0, 75_000.0)  # S: conditions of figure 14
BETWEEN_S = (15_625.0, 31_250.0)  # S: conditions of figure 16, which are not among those trained on
BESIDE_S = (6000.0, 25_000.0, 50_000.0)  # S: measurements that it shows beside them
ABOVE_S = 5000.0  # S: where coefficients are read back
ZIGZAG_RADII, EDGES = 64, 0.1  # averages of a profile between which zigzag is measured; share that are edges anyway
NEAR_PX = 32  # edge of the pictures by which spectra are compared


class GenerationStudy(Parameters):
    """Kinds of generators trained on the sets "LUM" and "LFG", or those that ship, and what they draw."""

    train: bool = parameter(False, "Train the generators; otherwise those that ship are shown")
    lum_kinds: tuple[str, ...] = parameter(
        ("cwgan-div", "cvae-wgan-div", "spectrum"), "Kinds that are trained on, or ship for, the set LUM"
    )
    lfg_kinds: tuple[str, ...] = parameter(
        ("cwgan-div", "cvae-wgan-div", "spectrum"), "Kinds that are trained on, or ship for, the set LFG"
    )
    sep_kinds: tuple[str, ...] = parameter(("cwgan-div",), "Kinds that are trained on SEP pictures of LUM as well")
    size_px: int = parameter(64, "Edge of the pictures they learn; 512 in the document", unit="px", low=16, high=1024)
    iterations: int = parameter(1500, "Iterations of each training", low=1, high=10_000_000)
    physical_weight: float = parameter(1.0, "Weight of the physical constraint on LFG", low=0, high=1e4)
    drawn: int = parameter(4, "Spectra of each condition that are looked at", low=1, high=1000)
    coefficients: int = parameter(12, "Coefficients at which s is read back, one spectrum each", low=2, high=10_000)
    shown_px: int = parameter(128, "Edge of the pictures that are shown", unit="px", low=32, high=1024)
    seed: int = parameter(0, "Seed of trainings and of what is drawn", low=0)


class GenerationFindings(NamedTuple):
    """What the study found."""

    pictures: dict  # by "SET kind": (conditions, 2, size, size, 3) uint8, grey and SEP; of SEP kinds (.., 1, ..)
    losses: pd.DataFrame  # set, kind, turn, iteration, loss: none of generators that ship
    times: pd.DataFrame  # set, kind, training_s, spectrum_s: of one spectrum
    looks: pd.DataFrame  # set, kind, zigzag, backwards, nearest: see `look_closely`
    coefficients: pd.DataFrame  # kind, asked_s, read_s, low_s, high_s: of LFG


class Nearest(NamedTuple):
    """The measurement that a spectrum is nearest to."""

    index: int
    distance: float  # root mean square of the difference of grey images of 32 px, as transmission
    usual: float  # the same of measurements and the nearest other one, in the middle of all


class Neighbours:
    """Measurements among which the nearest to a spectrum is found.

    Parameters
    ----------
    spectra : sequence of Spectrum
        Two at least.
    """

    def __init__(self, spectra):
        self.spectra = spectra
        self._known = np.stack([_small(spectrum) for spectrum in spectra])
        squares = (self._known**2).mean(1)
        apart = squares[:, None] + squares - 2 * self._known @ self._known.T / self._known.shape[1]
        np.fill_diagonal(apart, np.inf)
        self.usual = float(np.median(np.sqrt(apart.min(1).clip(1e-12))))

    @functools.cached_property
    def zigzag(self):
        """By how much neighbouring radii differ beyond what is smooth, in some of them."""
        return _zigzag(self.spectra[::10])

    def find(self, spectrum):
        """Return the `Nearest` of a spectrum."""
        apart = np.sqrt(((self._known - _small(spectrum)) ** 2).mean(1))
        index = int(apart.argmin())
        return Nearest(index, float(apart[index]), self.usual)


def study_generation(parameters, folder=None, progress=None):
    """Train generators, or load those that ship, and look at what they draw.

    Parameters
    ----------
    parameters : GenerationStudy
    folder : path, optional
        For checkpoints.
    progress : callable, optional

    Returns
    -------
    GenerationFindings

    Raises
    ------
    ValueError
        If there is no such kind, or it does not ship.
    """
    p, pictures, losses, times, looks, read = parameters, {}, [], [], [], []
    asked = [("LUM", k, "grey") for k in p.lum_kinds] + [("LFG", k, "grey") for k in p.lfg_kinds]
    asked += [("LUM", k, "sep") for k in p.sep_kinds]
    for number, (name, kind, picture) in enumerate(asked):
        part = part_of(progress, number / len(asked), 1 / len(asked), f"{name} {kind}")
        neighbours, begun = neighbours_in(name), time.perf_counter()
        made = find_generator(name, kind, picture, p, folder, part_of(part, 0.0, 0.8))
        title = f"{name} {kind}" + (" (SEP)" if picture == "sep" else "")
        spent = time.perf_counter() - begun if p.train and kind != "physical" else np.nan
        if made.history is not None:
            some = made.history.iloc[:: max(1, len(made.history) // 1000)]
            losses.append(some[["turn", "iteration", "loss"]].assign(set=name, kind=title.partition(" ")[2]))
        rng, begun = generator(p.seed, "study", name, kind, picture), time.perf_counter()
        pictures[title], drawn = _draw(made, name, p, rng)
        times.append((name, title.partition(" ")[2], spent, (time.perf_counter() - begun) / max(1, len(drawn))))
        if picture == "grey":
            looks.append(pd.DataFrame([look_closely(drawn, neighbours)]).assign(set=name, kind=kind))
        if name == "LFG" and KINDS[kind].conditional:
            read.append(read_back(made, p.coefficients, rng).assign(kind=kind))
        if part:
            part(1.0, "")
    empty = pd.DataFrame({name: [] for name in ("turn", "iteration", "loss", "set", "kind")})
    return GenerationFindings(
        pictures,
        pd.concat(losses, ignore_index=True) if losses else empty,
        pd.DataFrame(times, columns=["set", "kind", "training_s", "spectrum_s"]),
        pd.concat(looks, ignore_index=True)[["set", "kind", "zigzag", "backwards", "nearest"]],
        pd.concat(read, ignore_index=True) if read else pd.DataFrame(columns=["asked_s", "read_s", "kind"]),
    )


@functools.lru_cache(maxsize=2)
def training_set(name):
    """Return the set of this name, "LUM" or "LFG", as simulated by default: what the generators that ship know."""
    if name not in SETS:
        raise ValueError(f"name must be one of {', '.join(SETS)}, got {name!r}")
    return SETS[name]()


@functools.lru_cache(maxsize=2)
def neighbours_in(name):
    """Return the `Neighbours` of a set."""
    return Neighbours(training_set(name))


def find_generator(name, kind, picture, parameters, folder=None, progress=None):
    """Return a generator of a set: trained now, or the one that ships.

    Parameters
    ----------
    name : {"LUM", "LFG"}
    kind : str
    picture : {"grey", "sep"}
    parameters : GenerationStudy
    folder : path, optional
    progress : callable, optional

    Returns
    -------
    Generator
    """
    p = parameters
    if not p.train and kind != "physical":
        return load_generator(model_name(kind, name, picture))
    physical = p.physical_weight if name == "LFG" and kind in PHYSICAL_KINDS and picture == "grey" else 0.0
    asked = {"picture": picture, "size_px": p.size_px, "iterations": p.iterations, "physical_weight": physical}
    if (name, kind) == ("LFG", "spectrum"):  # one measurement a coefficient: nothing for a code to tell
        asked["latent"] = 0
    kept = folder and f"{folder}/{model_name(kind, name, picture)}"
    rng = generator(p.seed, "generator", name, kind, picture)
    return train_generator(kind, training_set(name), generation_settings(kind, **asked), rng, kept, progress)


def model_name(kind, name, picture="grey"):
    """Return the name under which a generator of a set ships: ``cwgan-div-lum``, ``cwgan-div-sep-lum``."""
    return f"{kind}{'-sep' if picture == 'sep' else ''}-{name.lower()}"


def examples(name, size, conditions=None):
    """Return grey and SEP images of measurements of a set: the first of each class, or those of coefficients.

    Parameters
    ----------
    name : {"LUM", "LFG"}
    size : int
    conditions : sequence, optional

    Returns
    -------
    (conditions, 2, size, size, 3) ndarray of uint8
    """
    conditions = conditions or (CLASSES if name == "LUM" else BESIDE_S)
    found = [next(s for s in training_set(name) if s.label == condition) for condition in conditions]
    return np.stack([both_pictures(spectrum, size) for spectrum in found])


def both_pictures(spectrum, size):
    """Return grey and SEP image of a spectrum, (2, size, size, 3) of uint8."""
    return np.stack([np.repeat(grey_image(spectrum, size)[..., None], 3, axis=2), sep_image(spectrum, size)])


def look_closely(spectra, neighbours):
    """Return what numbers tell of drawn spectra.

    Parameters
    ----------
    spectra : sequence of Spectrum
    neighbours : Neighbours
        The training.

    Returns
    -------
    dict
        ``zigzag``: differences of neighbouring radii beyond what is smooth, as a multiple of the training's;
        ``backwards``: share of points that run backwards in time (`share_backwards`); ``nearest``: distance to the
        nearest measurement of the training, as a multiple of what is usual among measurements (near 0: copies).
    """
    if not spectra:
        return {"zigzag": np.nan, "backwards": np.nan, "nearest": np.nan}
    zigzag = _zigzag(spectra) / neighbours.zigzag
    apart = [neighbours.find(spectrum).distance / neighbours.usual for spectrum in spectra]
    return {
        "zigzag": float(zigzag),
        "backwards": float(np.mean([share_backwards(s) for s in spectra if s.label != "other"])),
        "nearest": float(np.median(apart)),
    }


def read_back(made, count, rng):
    """Ask for coefficients evenly over those that were learned, above 5000 S, and read them back.

    Parameters
    ----------
    made : Generator
    count : int
    rng : numpy.random.Generator

    Returns
    -------
    DataFrame
        ``asked_s``, ``read_s``, ``low_s``, ``high_s``: by the second moment of the boundary (`estimate_s`).
    """
    low, high = max(ABOVE_S, made.conditions.lowest_s), made.conditions.highest_s
    rows = []
    for asked in low + (high - low) * (np.arange(count) + 0.5) / count:
        found = estimate_s(made.sample(float(asked), 1, rng)[0])
        rows.append((asked, found.s, *found.interval))
    return pd.DataFrame(rows, columns=["asked_s", "read_s", "low_s", "high_s"])


def share_within(table, tolerance=0.05):
    """Return the share of coefficients that were read back within a tolerance of those asked for."""
    return float((np.abs(table.read_s / table.asked_s - 1) <= tolerance).mean())


def conditions_of(name):
    """Return the conditions that are drawn of a set: the classes, or the document's coefficients."""
    return list(CLASSES) if name == "LUM" else sorted(DOCUMENT_S + BETWEEN_S)


def _draw(made, name, p, rng):
    """Return pictures of the first spectrum of each condition, and all spectra."""
    shown, spectra = [], []
    for condition in conditions_of(name):
        told = condition if made.conditions.length else None
        if made.generation.picture == "sep":
            shown.append(made.draw(told, 1, rng))
            continue
        drawn = made.sample(told, p.drawn, rng)
        spectra += drawn
        shown.append(both_pictures(drawn[0], p.shown_px))
    return np.stack(shown), spectra


def _zigzag(spectra):
    """Return how far a profile lies from the middle between its neighbours in radius, edges left out."""
    found = []
    for spectrum in spectra:
        profiles = spectrum.transmission.T
        parts = np.array_split(profiles, min(ZIGZAG_RADII, len(profiles)))
        coarse = np.stack([part.mean(0) for part in parts])
        apart = np.sort(np.abs(coarse[:-2] - 2 * coarse[1:-1] + coarse[2:]) / 2, axis=None)
        found.append(apart[: round((1 - EDGES) * apart.size)].mean())
    return float(np.median(found))


def _small(spectrum):
    return grey_image(spectrum, NEAR_PX).astype(float).ravel() / 255
