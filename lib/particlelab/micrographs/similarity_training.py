"""Detectors of the study of similarity: trained on one set each, and judged by images that stand in for real ones."""

from typing import NamedTuple

import numpy as np

from particlelab.micrographs.detector import load_detector
from particlelab.micrographs.evaluation import average_precision
from particlelab.micrographs.realism import TRAINING_SETS, describe_sets, draw_training_set
from particlelab.progress import part_of
from particlelab.randomness import generator


class Judged(NamedTuple):
    """What detectors of one set found in the real images."""

    precision: np.ndarray  # (trainings, images): AP of each image
    diameters: list  # of each training, of each image: (N,) diameters in px


def find_detectors(name, pictures, parameters, progress=None):
    """Return the detectors of a training set: trained now, or that which ships.

    Parameters
    ----------
    name : str
        Of the set.
    pictures : Pictures
        To train on.
    parameters : SimilarityStudy
    progress : callable, optional

    Returns
    -------
    list of Detector
    """
    if parameters.train:
        return train_detectors(name, pictures, parameters, progress=progress)
    return [load_detector(model_name(name))]


def train_detectors(name, pictures, parameters, folder=None, progress=None):
    """Train the fast detector on a training set, as often as is asked for.

    Parameters
    ----------
    name : str
        Of the set; its trainings have seeds of their own.
    pictures : Pictures
    parameters : SimilarityStudy
    folder : path, optional
        For checkpoints.
    progress : callable, optional

    Returns
    -------
    list of Detector
    """
    from particlelab.micrographs.detector_training import CentreTraining, train_detector

    p, made = parameters, []
    training = CentreTraining.select(p.model_dump() | {"pictures": len(pictures.images)})
    for k in range(p.trainings):
        some = part_of(progress, k / p.trainings, 1 / p.trainings)
        rng, kept = generator(p.seed, "detector", name, k), folder and f"{folder}/{model_name(name)}-{k}"
        made.append(train_detector(training, rng, folder=kept, progress=some, pictures=pictures))
    return made


def ship_detectors(parameters, folder, checkpoints=None, progress=None):
    """Train the detectors of all sets that ship, and write them with their cards.

    Parameters
    ----------
    parameters : SimilarityStudy
        With one training a set.
    folder : path
        ``data/models/micrographs``.
    checkpoints : path, optional
        A shipping that was killed goes on from there.
    progress : callable, optional
    """
    p = parameters
    for k, name in enumerate(TRAINING_SETS):
        some = part_of(progress, k / len(TRAINING_SETS), 1 / len(TRAINING_SETS), name)
        pictures = draw_training_set(name, p, part_of(some, 0.0, 0.3))
        detector = train_detectors(name, pictures, p.replace(trainings=1), checkpoints, part_of(some, 0.3, 0.7))[0]
        about = describe_sets(p)[name]
        detector.card = {
            "purpose": f"Detector of the study of similarity, trained on the set {name!r} alone ({about}); for that "
            "study, not for measuring.",
            "study": p.model_dump(mode="json"),
        } | {heading: content for heading, content in detector.card.items() if heading != "purpose"}
        detector.save(f"{folder}/{model_name(name)}.safetensors")


def model_name(name):
    """Return the name under which the detector of a training set ships."""
    return f"similarity-{name.lower()}"


def judge_detectors(detectors, real):
    """Let detectors find the particles of the real images.

    Parameters
    ----------
    detectors : sequence of Detector
    real : Pictures

    Returns
    -------
    Judged
    """
    precision, diameters = [], []
    truths = [instances.astype(np.int64) for instances in real.instances]
    for detector in detectors:
        found = [detector.find(image) for image in real.images]
        pairs = zip(truths, found, strict=True)
        precision.append([float(average_precision([t], [(f.instances, f.scores)])) for t, f in pairs])
        diameters.append([whole_diameters(each) for each in found])
    return Judged(np.array(precision), diameters)


def first_pictures(pictures, n):
    """Return the first n of pictures, with the truth about them."""
    particles = pictures.particles
    return type(pictures)(pictures.images[:n], pictures.instances[:n], particles[particles.picture < n])


def diameters_within(particles, n):
    """Return the diameters (px) of the particles of each of n pictures that the frame does not cut."""
    whole = particles[~particles.cut]
    return [whole.diameter_px[whole.picture == k].to_numpy() for k in range(n)]


def whole_diameters(found):
    """Return the diameters of those found that do not touch the frame."""
    edges = (found.instances[0], found.instances[-1], found.instances[:, 0], found.instances[:, -1])
    touching = np.unique(np.concatenate(edges))
    ids = np.arange(1, len(found.diameters_px) + 1)
    return np.asarray(found.diameters_px, float)[~np.isin(ids, touching)]
