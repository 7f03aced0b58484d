"""The report's evaluation of generated spectra, anew (AP2.5, AP2.6, AP3.3.c, AP3.3.d): a judge, and what it says.

A classifier learns from a part of "LUM" and is tested on the rest, and on measurements that nobody has learned from; it
judges what generators draw, class by class (table 1, figure 20). A classifier that learns from a generator is tested on
measurements, before and after it has been fine-tuned with them (figure 22). A regressor reads the coefficients of
"LFG", and of what was generated for a coefficient, which the moving boundary tells too (figure 21).
"""

import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.learning.models import shipped_models
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import generator
from particlelab.sedimentation import generation_studies
from particlelab.sedimentation.classifier import DOMAIN, load_classifier, load_regressor
from particlelab.sedimentation.classifier_training import (
    ClassifierTraining,
    RegressorTraining,
    fine_tune,
    hold_out,
    hold_out_every,
    train_classifier,
    train_regressor,
)
from particlelab.sedimentation.evaluation import (
    accuracy,
    balanced_accuracy,
    coefficient_errors,
    compare,
    count_classes,
    look_at,
    principal_components,
)
from particlelab.sedimentation.generation_studies import GenerationStudy
from particlelab.sedimentation.generators import KINDS
from particlelab.sedimentation.lfg import LFG, simulate_coefficient, simulate_lfg
from particlelab.sedimentation.lum import LUM, simulate_lum, simulate_measurement
from particlelab.sedimentation.physical_checks import check_physics
from particlelab.sedimentation.spectra import CLASSES

REAL, HELD_OUT, FRESH = "real", "held out", "new measurements"
ALONE = "classifier-lum"  # ships too: it has learned from nothing but LUM
CELLS = {"lum": "rectangular", "lfg": "sector"}
COMPONENTS = ["first", "second", "third"]


class EvaluationStudy(Parameters):
    """Judges of spectra, and the generators that are judged."""

    train: bool = parameter(False, "Train judges and generators from nothing; otherwise those that ship")
    kinds: tuple[str, ...] = parameter((), "Kinds of generators; without any, those that ship (or, trained, four)")
    teacher: str = parameter("spectrum", "Kind of generator that a classifier learns from (figure 22)")
    held_out: float = parameter(0.3, "Share of LUM that no classifier learns from", above=0, below=1)
    new: int = parameter(30, "New measurements of each class that judges are tested on", low=2, high=100_000)
    each: int = parameter(30, "Spectra drawn of each class for the confusion matrices", low=2, high=100_000)
    coefficients: int = parameter(100, "Spectra drawn for coefficients evenly over the range", low=4, high=100_000)
    further: int = parameter(
        500, "Further measurements of each class, and as many coefficients, that judges learn from", low=0, high=100_000
    )
    width: int = parameter(16, "Channels of the judges' first level; 64 is ResNet34", low=4, high=256)
    size_px: int = parameter(64, "Edge of the classifier's picture; 512 in the document", unit="px", low=16, high=1024)
    iterations: int = parameter(1500, "Iterations of each classifier", low=1, high=10_000_000)
    regressor_size_px: int = parameter(64, "Edge of the regressor's picture", unit="px", low=16, high=1024)
    regressor_iterations: int = parameter(1500, "Iterations of the regressor", low=1, high=10_000_000)
    generator_size_px: int = parameter(64, "Edge of the generators' pictures", unit="px", low=16, high=1024)
    generator_iterations: int = parameter(1500, "Iterations of each generator", low=1, high=10_000_000)
    resamples: int = parameter(40, "Half-samples for intervals", low=20, high=100_000)
    seed: int = parameter(0, "Seed of new measurements, trainings and draws; the sets are always the same", low=0)


class Judged(NamedTuple):
    """What the classifier says of generated classes."""

    accuracies: pd.DataFrame  # tested_on, n, accuracy and balanced with _low and _high
    confusions: dict  # by what it was tested on: (4, 4) counts
    distances: pd.DataFrame  # generator, and the columns of `compare`
    places: pd.DataFrame  # set, label, first, second, third: in the space of the real features' components
    shares: np.ndarray  # (3,) of the variance of real features
    physics: pd.DataFrame  # set, and the columns of `check_physics`
    taught_accuracies: pd.DataFrame  # as accuracies: of a classifier that has learned from a generator (figure 22)
    taught_confusions: dict


class JudgedCoefficients(NamedTuple):
    """What the regressor and the moving boundary say of generated coefficients."""

    errors: (
        pd.DataFrame
    )  # set, by ("network" or "boundary"), n, read (share), rmse, bias, within_5_percent, _low, _high
    read: pd.DataFrame  # set, asked_s, network_s, boundary_s, boundary_low, boundary_high
    distances: pd.DataFrame
    places: pd.DataFrame
    shares: np.ndarray
    physics: pd.DataFrame


def real_sets(study):
    """Return what LUM is divided into, and new measurements.

    Parameters
    ----------
    study : EvaluationStudy

    Returns
    -------
    learned, held_out, new : list of Spectrum
    """
    learned, tested = hold_out(simulate_lum(LUM()), study.held_out, generator(0, "held out"))
    new = [
        simulate_measurement(name, LUM(), generator(study.seed, "new", name, k)).spectrum
        for name in CLASSES
        for k in range(study.new)
    ]
    return learned, tested, new


def real_coefficients(study):
    """Return those of LFG that a regressor learns from, those held out (every fifth), and new ones in between."""
    learned, tested = hold_out_every(simulate_lfg(LFG()))
    rng = generator(study.seed, "new coefficients")
    values = np.sort(rng.uniform(0, LFG().last_svedberg, study.coefficients))
    return learned, tested, [simulate_coefficient(float(s), LFG(), rng) for s in values]


def judge_generators(study, folder=None, progress=None):
    """Judge what generators of classes draw (table 1, figure 20), and what can be learned from one (figure 22).

    Parameters
    ----------
    study : EvaluationStudy
    folder : path, optional
        For checkpoints of trainings.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Judged
        A classifier that has learned from generated spectra alone is tested on others that were generated, on
        measurements that were held out, and on new ones; fine-tuned with measurements, on the same; and beside it is
        the judge.
    """
    learned, tested, new = real_sets(study)
    real = [*learned, *tested]
    judge = find_classifier(study, learned, folder, part_of(progress, 0.0, 0.25))
    sets = {HELD_OUT: look_at(tested, judge), FRESH: look_at(new, judge)}
    if not study.train and ALONE in shipped_models(DOMAIN):
        alone = load_classifier(ALONE)
        sets |= {f"{name} (learned from LUM alone)": look_at(part, alone) for name, part in _both(tested, new)}
    seen = look_at(real, judge)
    axes = principal_components(seen.features)
    places, physics, distances = [_places(REAL, seen, axes, real)], [_physics(HELD_OUT, tested, "lum")], []
    kinds, teacher = kinds_of(study, "lum"), None
    for k, kind in enumerate(kinds):
        some = part_of(progress, 0.25 + 0.5 * k / len(kinds), 0.5 / len(kinds), KINDS[kind].title)
        maker = find_generator(study, kind, "lum", folder, some)
        teacher = maker if kind == study.teacher else teacher
        title, drawn = KINDS[kind].title, draw_classes(maker, real, study, generator(study.seed, "drawn", kind))
        generated = look_at([spectrum for spectra in drawn.values() for spectrum in spectra], judge)
        sets[title] = _first(generated, dict.fromkeys(range(len(CLASSES)), study.each))
        alike = _first(generated, {c: int(np.sum(seen.asked == c)) for c in range(len(CLASSES))})
        distances.append(_compare(title, seen, alike, study))
        spectra = [spectrum for name in CLASSES for spectrum in drawn[name][: study.each]]
        places.append(_places(title, sets[title], axes, spectra))
        physics.append(_physics(title, spectra, "lum"))
    confusions = {name: count_classes(found) for name, found in sets.items()}
    tables = [pd.concat(parts, ignore_index=True) for parts in (distances, places, physics)]
    teacher = teacher or find_generator(study, study.teacher, "lum", folder)
    taught = _teach(study, teacher, judge, (learned, tested, new), folder, part_of(progress, 0.75, 0.25))
    return Judged(_accuracies(confusions), confusions, *tables[:2], axes.shares, tables[2], _accuracies(taught), taught)


def judge_coefficients(study, folder=None, progress=None):
    """Judge what generators of coefficients draw (figure 21, the errors of AP3.3.d, and s read back).

    Parameters
    ----------
    study, folder, progress
        As for `judge_generators`.

    Returns
    -------
    JudgedCoefficients
    """
    learned, tested, new = real_coefficients(study)
    real = sorted([*learned, *tested], key=lambda spectrum: spectrum.label)
    judge = find_regressor(study, learned, folder, part_of(progress, 0.0, 0.3))
    seen = look_at(real, judge)
    axes = principal_components(seen.features)
    sets, places, distances = {HELD_OUT: tested, FRESH: new}, [_places(REAL, seen, axes, real)], []
    kinds = kinds_of(study, "lfg")
    for k, kind in enumerate(kinds):
        some = part_of(progress, 0.3 + 0.7 * k / len(kinds), 0.7 / len(kinds), KINDS[kind].title)
        maker = find_generator(study, kind, "lfg", folder, some)
        rng, title = generator(study.seed, "drawn coefficients", kind), KINDS[kind].title
        asked = (np.arange(study.coefficients) + 0.5) / study.coefficients * LFG().last_svedberg
        sets[title] = [maker.sample(float(s), 1, rng)[0] for s in asked]
        found = look_at(sets[title], judge)
        distances.append(_compare(title, seen, found, study))
        places.append(_places(title, found, axes, sets[title]))
    read, physics = [], []
    for name, spectra in sets.items():
        found = look_at(spectra, judge)
        checked = _physics(name, spectra, "lfg")
        physics.append(checked)
        s = {"boundary_s": checked.s, "boundary_low": checked.s_low, "boundary_high": checked.s_high}
        read.append(pd.DataFrame({"set": name, "asked_s": found.asked, "network_s": found.told} | s))
    tables = [pd.concat(parts, ignore_index=True) for parts in (read, distances, places, physics)]
    errors = _coefficient_errors(tables[0], generator(study.seed, "resamples"))
    return JudgedCoefficients(errors, *tables[:3], axes.shares, tables[3])


def kinds_of(study, data):
    """Return the kinds of generators that are judged.

    Parameters
    ----------
    study : EvaluationStudy
    data : {"lum", "lfg"}

    Returns
    -------
    list of str
        In the order of `KINDS`; with the physical one, which needs no training, last.

    Raises
    ------
    ValueError
        If one is unknown or has no conditions, by which its spectra could be judged.
    """
    able = [kind for kind, about in KINDS.items() if about.conditional]
    if wrong := [kind for kind in (*study.kinds, study.teacher) if kind not in able]:
        raise ValueError(f"kinds must be among {', '.join(able)}, got {wrong[0]!r}")
    if study.kinds:
        return [kind for kind in able if kind in study.kinds]
    if study.train:
        return [kind for kind in able if kind in ("cwgan-div", "cvae-wgan-div", "spectrum", "physical")]
    ships = shipped_models(DOMAIN)
    return [kind for kind in able if kind == "physical" or f"{kind}-{data}" in ships]


def find_classifier(study, learned, folder=None, progress=None):
    """Return the classifier that ships, or train one on measurements of LUM and on further ones like them."""
    if not study.train:
        return load_classifier()
    further = [
        simulate_measurement(name, LUM(), generator(study.seed, "further", name, k)).spectrum
        for name in CLASSES
        for k in range(study.further)
    ]
    rng, folder = generator(study.seed, "classifier"), _sub(folder, "classifier")
    return train_classifier([*learned, *further], training_of(study), rng, folder=folder, progress=progress)


def find_regressor(study, learned, folder=None, progress=None):
    """Return the regressor that ships, or train one on coefficients of LFG and on further ones in between."""
    if not study.train:
        return load_regressor()
    chance = generator(study.seed, "further coefficients")
    values = chance.uniform(0, LFG().last_svedberg, study.further)
    learned = [*learned, *(simulate_coefficient(float(s), LFG(), chance) for s in values)]
    p = RegressorTraining(width=study.width, size_px=study.regressor_size_px, iterations=study.regressor_iterations)
    rng = generator(study.seed, "regressor")
    return train_regressor(learned, p, rng, folder=_sub(folder, "regressor"), progress=progress)


def find_generator(study, kind, data, folder=None, progress=None):
    """Return a generator of the set "lum" or "lfg" that ships, or train one; that by physics needs no training."""
    size, count = study.generator_size_px, study.generator_iterations
    asked = GenerationStudy(train=study.train, size_px=size, iterations=count, seed=study.seed)
    return generation_studies.find_generator(data.upper(), kind, "grey", asked, folder, progress)


def find_pupils(study, maker, learned, folder=None, progress=None):
    """Return a classifier that has learned from a generator, and the same after fine-tuning; or those that ship."""
    names = pupil_names(study.teacher)
    if not study.train and all(name in shipped_models(DOMAIN) for name in names):
        return tuple(load_classifier(name) for name in names)
    count = max(100, sum(spectrum.label == CLASSES[0] for spectrum in learned))
    drawn = _draw_each(maker, count, generator(study.seed, "drawn to learn", study.teacher))
    rng, p = generator(study.seed, "pupil"), training_of(study)
    first, second = part_of(progress, 0.0, 0.75), part_of(progress, 0.75, 0.25)
    taught = train_classifier(drawn, p, rng, folder=_sub(folder, names[0]), progress=first)
    less = p.replace(iterations=max(1, p.iterations // 3), learning_rate=p.learning_rate / 3)
    return taught, fine_tune(taught, learned, less, rng, folder=_sub(folder, names[1]), progress=second)


def training_of(study):
    """Return how the study's classifiers learn."""
    return ClassifierTraining(width=study.width, size_px=study.size_px, iterations=study.iterations)


def pupil_names(kind):
    """Return the names under which classifiers ship that have learned from a generator, and were fine-tuned then."""
    return f"classifier-from-{kind}", f"classifier-from-{kind}-fine-tuned"


def draw_classes(maker, real, study, rng):
    """Draw spectra of each class: as many as there are real ones, and ``study.each`` at least.

    Parameters
    ----------
    maker : Generator
    real : sequence of Spectrum
    study : EvaluationStudy
    rng : numpy.random.Generator

    Returns
    -------
    dict of str to list of Spectrum
    """
    labels = [spectrum.label for spectrum in real]
    return {name: maker.sample(name, max(study.each, labels.count(name)), rng) for name in CLASSES}


def _teach(study, maker, judge, sets, folder, progress):
    """Let a classifier learn from a generator, test it, fine-tune it and test it again; return confusions."""
    learned, tested, new = sets
    taught, tuned = find_pupils(study, maker, learned, folder, progress)
    title = KINDS[study.teacher].title
    others = _draw_each(maker, study.each, generator(study.seed, "drawn to test", study.teacher))
    readers = {f"learned from {title}": taught, "and fine-tuned": tuned, "learned from measurements": judge}
    parts = {f"drawn by {title}": others} | dict(_both(tested, new))
    return {
        f"{learner}: {name}": count_classes(look_at(spectra, reader))
        for learner, reader in readers.items()
        for name, spectra in parts.items()
    }


def _both(tested, new):
    return (HELD_OUT, tested), (FRESH, new)


def _draw_each(maker, count, rng):
    return [spectrum for name in CLASSES for spectrum in maker.sample(name, count, rng)]


def _sub(folder, name):
    return folder and f"{folder}/{name}"


def _first(seen, counts):
    """Return the first so many of each class."""
    return seen.only(np.concatenate([np.flatnonzero(seen.asked == c)[:n] for c, n in counts.items()]))


def _compare(title, real, generated, study):
    """Compare two sets; what there is to warn of stands in the table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        table = compare(real, generated, generator(study.seed, "compared", title), study.resamples)
    table.insert(0, "generator", title)
    return table


def _places(name, seen, axes, spectra):
    table = pd.DataFrame(axes.places(seen.features), columns=COMPONENTS)
    labels = [spectrum.label for spectrum in spectra]
    return pd.concat([pd.DataFrame({"set": name, "label": labels}), table], axis=1)


def _physics(name, spectra, data):
    table = check_physics(spectra, cell=CELLS[data], read_s=data == "lfg")
    table.insert(0, "set", name)
    return table


def _accuracies(confusions):
    rows = []
    for name, matrix in confusions.items():
        rows.append((name, int(matrix.sum()), *accuracy(matrix), *balanced_accuracy(matrix)))
    parts = [f"{kind}{end}" for kind in ("accuracy", "balanced") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["tested_on", "n", *parts])


def _coefficient_errors(read, rng):
    rows = []
    for name, part in read.groupby("set", sort=False):
        for by in ("network", "boundary"):
            known = part[part[f"{by}_s"].notna()]
            row = {"set": name, "by": by, "n": len(part), "read": len(known) / len(part)}
            if len(known) >= 2:
                for quantity, share in coefficient_errors(known.asked_s, known[f"{by}_s"], rng).items():
                    row |= {quantity: share.value, f"{quantity}_low": share.low, f"{quantity}_high": share.high}
            rows.append(row)
    return pd.DataFrame(rows)
