"""The document's study of similarity: which measure tells how well a training set trains (IPMT report, AP1.5).

Seven synthetic training sets of different realism and a small annotated one; a detector trained on each and judged on
real images, here those that stand in for them (`realism`); and the rank correlation of each measure of similarity with
each criterion of quality.
"""

import itertools
import warnings
from typing import Annotated, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field
from scipy import stats

from particlelab.micrographs.evaluation import CRITERIA, rate_matches
from particlelab.micrographs.features import choose_features
from particlelab.micrographs.picture_sets import draw_set
from particlelab.micrographs.realism import REALISM, TRAINING_SETS, draw_training_set, real_recipe
from particlelab.micrographs.similarity import METRICS, PAIRS, compare_features, describe_set, measure_name
from particlelab.micrographs.similarity_training import (
    diameters_within,
    find_detectors,
    first_pictures,
    judge_detectors,
)
from particlelab.parameters import Parameters, parameter
from particlelab.progress import part_of
from particlelab.randomness import generator

QUALITIES = ("mAP", *CRITERIA)  # of these only the first is the better the larger it is
CONFIDENCE = 0.95
LEARNED = 6  # training pictures by which it is seen whether a detector has learned them
FEWEST = 3  # different sets of a resample: of two, every rank correlation is 1 or -1


class SimilarityStudy(Parameters):
    """Training sets of different realism, detectors trained on them, and whether similarity foretells quality."""

    real: str = parameter("carbonyl_iron", "Recipe that stands in for the real images")
    shapes: str = parameter("spheres_sem", "Recipe whose shapes the synthetic sets have")
    picture_px: int = parameter(192, "Edge of a picture", unit="px", low=64, high=2048)
    pictures: int = parameter(24, "Pictures of each synthetic set", low=2, high=100_000)
    annotated: int = parameter(3, "Pictures of the annotated set", low=2, high=10_000)
    real_pictures: int = parameter(16, "Real images that detectors are judged by", low=2, high=10_000)
    path_tracer: Literal["none", "cycles", "mitsuba"] = parameter("none", "What renders the path-traced set")
    train: bool = parameter(False, "Train detectors; otherwise those that ship are judged, one of each set")
    iterations: int = parameter(3000, "Iterations of each training", low=1, high=10_000_000)
    batch: int = parameter(4, "Pieces of pictures in an iteration", low=1, high=1024)
    piece_px: int = parameter(128, "Edge of a piece", unit="px", low=32, high=2048)
    widths: tuple[Annotated[int, Field(ge=8, le=1024, multiple_of=8)], ...] = parameter(
        (16, 32, 48, 64), "Channels of the detectors' levels, multiples of 8"
    )
    learning_rate: float = parameter(5e-3, "Highest learning rate", above=0, high=1)
    trainings: int = parameter(1, "Detectors trained on each set, with other first weights", low=1, high=100)
    features: Literal["auto", "own", "random"] = parameter("auto", "What describes pictures; auto: published networks")
    resamples: int = parameter(200, "Resamples of the bootstrap", low=100, high=100_000)
    seed: int = parameter(0, "Seed of pictures, trainings and resamples", low=0)


class SimilarityFindings(NamedTuple):
    """What the study found."""

    examples: np.ndarray  # (9, H, W) uint8, a picture of each set, the real one last
    scores: pd.DataFrame  # set, criterion, value, value_low, value_high: means over trainings, errors as they are
    learned: pd.DataFrame  # set, own_mAP: of its detectors on pictures that they were trained on
    distances: pd.DataFrame  # set, metric, name, value, value_low, value_high, more
    correlations: pd.DataFrame  # metric, name, criterion, rho, rho_low, rho_high, chance: see `correlate`


def study_similarity(parameters, progress=None):
    """Carry out the study.

    Parameters
    ----------
    parameters : SimilarityStudy
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    SimilarityFindings

    Raises
    ------
    ValueError
        If pieces are larger than pictures, a recipe or features cannot be had, the path tracer is not installed, or the
        real images hold fewer than two particles that the frame does not cut.
    """
    p = parameters
    real = draw_real(p)
    truth = diameters_within(real.particles, len(real.images))
    if sum(map(len, truth)) < 2:
        raise ValueError(f"{p.real_pictures} real images hold fewer than 2 whole particles; take more or larger ones")
    judged, described, examples, learned = {}, {}, [], []
    for k, name in enumerate(TRAINING_SETS):
        some = part_of(progress, 0.9 * k / len(TRAINING_SETS), 0.9 / len(TRAINING_SETS), name)
        pictures = draw_training_set(name, p, part_of(some, 0.0, 0.3))
        examples.append(pictures.images[0])
        detectors = find_detectors(name, pictures, p, part_of(some, 0.3, 0.6))
        judged[name] = judge_detectors(detectors, real)
        learned.append((name, judge_detectors(detectors, first_pictures(pictures, LEARNED)).precision.mean()))
        described[name] = _describe(pictures.images, p)
    names = {m: measure_name(m, choose_features(p.features, kind.features)) for m, kind in METRICS.items()}
    drawn = _resample(judged, described, _describe(real.images, p), truth, p, part_of(progress, 0.9, 0.1))
    scores, distances, table = _tabulate(*drawn, names, p)
    own = pd.DataFrame(learned, columns=["set", "own_mAP"])
    return SimilarityFindings(np.stack([*examples, real.images[0]]), scores, own, distances, table)


def draw_real(parameters):
    """Synthesise the images that stand in for real ones, with their truth.

    Parameters
    ----------
    parameters : SimilarityStudy

    Returns
    -------
    Pictures
    """
    p = parameters
    seed = int(generator(p.seed, "real").integers(2**31))
    return draw_set(real_recipe(p.real, p.picture_px), p.real_pictures, seed)


def correlate(similar, good):
    """Return how well similarity ranks quality: Spearman's rank correlation of sets.

    Parameters
    ----------
    similar : (..., n) array_like
        Of each set: larger is more alike.
    good : (..., n) array_like
        Larger is better.

    Returns
    -------
    (...) ndarray
        1 if both rank the sets alike, -1 if one ranks them the other way round; NaN where one is constant.
    """
    a, b = (stats.rankdata(x, axis=-1) for x in np.broadcast_arrays(similar, good))
    a, b = (x - x.mean(axis=-1, keepdims=True) for x in (a, b))
    with np.errstate(invalid="ignore"):
        return np.sum(a * b, axis=-1) / np.sqrt(np.sum(a**2, axis=-1) * np.sum(b**2, axis=-1))


def chance_of(rho, n):
    """Return the share of all orders of n sets whose rank correlation is at least as far from 0 as ``rho``.

    Exact up to 9 sets, otherwise by Student's t.
    """
    if not np.isfinite(rho):
        return float("nan")
    if n > 9:
        t = rho * np.sqrt((n - 2) / max(1 - rho**2, 1e-12))
        return float(2 * stats.t.sf(abs(t), n - 2))
    return float(np.mean(np.abs(_all_correlations(n)) >= abs(rho) - 1e-9))


def _all_correlations(n):
    orders = np.array(list(itertools.permutations(range(n))))
    return correlate(np.arange(n), orders)


def _describe(pictures, p):
    """Return what each measure compares of a set's pictures; measures of the same features share it."""
    made, known = {}, {}
    for metric, kind in METRICS.items():
        key = choose_features(p.features, kind.features), kind.style
        if key not in known:
            known[key] = describe_set(pictures, metric, key[0], p.seed)
        made[metric] = known[key]
    return made


def _resample(judged, described, real_described, truth, p, progress):
    """Return criteria (draws, sets, criteria) and distances (draws, sets, metrics); the first draw is the whole.

    Real images, trainings and the pictures of a set are drawn with replacement.
    """
    rng, n = generator(p.seed, "resamples"), len(truth)
    pairs = {(name, m): _Pair(d[m], real_described[m], m) for name, d in described.items() for m in METRICS}
    good = np.empty((p.resamples + 1, len(TRAINING_SETS), len(QUALITIES)))
    apart = np.empty((p.resamples + 1, len(TRAINING_SETS), len(METRICS)))
    for draw in range(p.resamples + 1):
        images = rng.integers(n, size=n) if draw else np.arange(n)
        if sum(len(truth[i]) for i in images) < 2:
            images = np.arange(n)
        for s, name in enumerate(TRAINING_SETS):
            of_set = judged[name]
            trainings = len(of_set.precision)
            which = rng.integers(trainings, size=trainings) if draw else np.arange(trainings)
            good[draw, s, 0] = of_set.precision[which][:, images].mean()
            rated = [_criteria([truth[i] for i in images], [of_set.diameters[k][i] for i in images]) for k in which]
            good[draw, s, 1:] = np.mean(rated, axis=0)
            size = len(next(iter(described[name].values())))
            some = rng.integers(size, size=size) if draw else np.arange(size)
            apart[draw, s] = [pairs[name, m](some, images) for m in METRICS]
        if progress:
            progress(draw / p.resamples, f"resample {draw} of {p.resamples}")
    return good, apart


class _Pair:
    """A measure between parts of two sets."""

    def __init__(self, a, b, metric):
        self.a, self.b, self.metric = np.asarray(a, float), np.asarray(b, float), metric
        self.each = PAIRS[metric](self.a, self.b) if metric in PAIRS else None  # means over pairs of pictures

    def __call__(self, some, others):
        if self.each is not None:
            return self.each[np.ix_(some, others)].mean()
        return compare_features(self.a[some], self.b[others], self.metric, "").value


def _criteria(truth, found):
    """Return the four criteria as `rate_matches` defines them: of all images as of one, which has no intervals."""
    table = rate_matches([np.concatenate(truth)], [np.concatenate(found)], np.random.default_rng(0))
    return table.value.to_numpy()


def _tabulate(good, apart, names, p):
    ends = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    scores, distances = [], []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN")  # where too little was found for a criterion
        low, high = np.nanquantile(good[1:], ends, axis=0)
    nearest, farthest = np.quantile(apart[1:], ends, axis=0)
    for s, name in enumerate(TRAINING_SETS):
        scores += [(name, q, good[0, s, k], low[s, k], high[s, k]) for k, q in enumerate(QUALITIES)]
        distances += [
            (name, m, names[m], apart[0, s, k], nearest[s, k], farthest[s, k], METRICS[m].more)
            for k, m in enumerate(METRICS)
        ]
    columns = ["value", "value_low", "value_high"]
    return (
        pd.DataFrame(scores, columns=["set", "criterion", *columns]),
        pd.DataFrame(distances, columns=["set", "metric", "name", *columns, "more"]),
        _correlations(good, apart, names, ends, generator(p.seed, "sets")),
    )


def _correlations(good, apart, names, ends, rng):
    """Return rank correlations over the synthetic sets, which are drawn with replacement too."""
    n = len(REALISM)
    better = np.concatenate([good[:, :n, :1], -np.abs(good[:, :n, 1:])], axis=2)
    alike = apart[:, :n] * np.array([1 if METRICS[m].more else -1 for m in METRICS])
    draws = [np.arange(n), *(_distinct(n, rng) for _ in range(len(good) - 1))]
    rows = []
    for k, metric in enumerate(METRICS):
        for q, criterion in enumerate(QUALITIES):
            rho = np.array([correlate(a[d, k], b[d, q]) for a, b, d in zip(alike, better, draws, strict=True)])
            known = rho[1:][np.isfinite(rho[1:])]
            low, high = np.quantile(known, ends) if len(known) > len(rho) / 2 else (np.nan, np.nan)
            rows.append((metric, names[metric], criterion, rho[0], low, high, chance_of(rho[0], n)))
    return pd.DataFrame(rows, columns=["metric", "name", "criterion", "rho", "rho_low", "rho_high", "chance"])


def _distinct(n, rng):
    """Draw n of n with replacement, `FEWEST` different ones at least."""
    while True:
        drawn = rng.integers(n, size=n)
        if len(np.unique(drawn)) >= FEWEST:
            return drawn
