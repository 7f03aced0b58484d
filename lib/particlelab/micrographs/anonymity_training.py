"""What can still be learned of anonymised pictures: small detectors trained on them, judged on fresh original ones."""

import numpy as np
import pandas as pd

from particlelab.micrographs.anonymity import draw_warp, warp
from particlelab.micrographs.anonymity_sizes import WAYS, Strength, set_options
from particlelab.micrographs.anonymity_studies import AnonymityStudy
from particlelab.micrographs.detector import load_detector
from particlelab.micrographs.evaluation import rate_matches
from particlelab.micrographs.recipe import load_recipe
from particlelab.micrographs.training_pictures import Pictures, cut_window, draw_pictures
from particlelab.progress import part_of
from particlelab.randomness import generator

PICTURE_PX, PIECE_PX = 256, 96  # of the pictures that small detectors learn from, and of pieces of them
WIDTHS = (16, 32, 48, 64)  # of the small detectors
LEARNED = ("original", *WAYS)


def anonymise_pictures(pictures, way, strength, rng):
    """Anonymise pictures that detectors learn from.

    Parameters
    ----------
    pictures : Pictures
    way : str
        Of `WAYS`.
    strength : Strength
    rng : numpy.random.Generator

    Returns
    -------
    Pictures
        Particles are numbered anew. The diameter of a complete particle grows with the factor of a scaling; otherwise
        as the diameter of its visible part does.
    """
    options = set_options(way, strength, rng)
    images, instances, tables = [], [], []
    known = dict(tuple(pictures.particles.groupby("picture")))
    for k, (image, labels) in enumerate(zip(pictures.images, pictures.instances, strict=True)):
        drawn = draw_warp(labels.shape, rng=rng, **options)
        moved = warp(labels, drawn, nearest=True)
        table = known.get(k, pictures.particles.iloc[:0])
        grown = np.full(len(table), drawn.factor)
        if way in ("grid", "affine"):
            after, before = (np.bincount(part.ravel(), minlength=len(table) + 1)[1:] for part in (moved, labels))
            grown = np.sqrt(after / np.maximum(before, 1))
        diameters, cut = table.diameter_px.to_numpy() * grown, table.cut.to_numpy(bool)
        image, moved, table = cut_window(warp(image, drawn), moved, diameters, 0, 0, moved.shape[0], cut)
        images.append(image)
        instances.append(moved)
        tables.append(table.assign(picture=k))
    table = pd.concat(tables, ignore_index=True)
    return Pictures(np.stack(images), np.stack(instances), table[pictures.particles.columns])


def train_anonymised(parameters=None, folder=None, progress=None):
    """Train small detectors on original pictures, and on the same ones anonymised by each way.

    Parameters
    ----------
    parameters : AnonymityStudy, optional
    folder : path, optional
        For checkpoints, one folder a way.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    dict of str to Detector
        By way, "original" first.
    """
    from particlelab.micrographs.detector_training import CentreTraining, train_detector

    p = parameters or AnonymityStudy()
    training = CentreTraining(
        pictures=p.training_pictures,
        picture_px=PICTURE_PX,
        recipes=(p.recipe,),
        seed=p.seed,
        iterations=p.iterations,
        piece_px=PIECE_PX,
        widths=WIDTHS,
    )
    original = draw_pictures(p.training_pictures, p.seed, PICTURE_PX, recipes=[load_recipe(p.recipe)])
    detectors = {}
    for number, way in enumerate(LEARNED):
        rng = generator(p.seed, "training", way)
        pictures = original if way == "original" else anonymise_pictures(original, way, p, rng)
        done = part_of(progress, number / len(LEARNED), 1 / len(LEARNED), way)
        kept = folder and f"{folder}/{way.replace(' ', '-')}"
        first = generator(p.seed, "weights")  # the same for all
        detectors[way] = train_detector(training, first, folder=kept, progress=done, pictures=pictures)
        detectors[way].card["anonymised"] = {"way": way} | dict(Strength.select(p.model_dump()))
    return detectors


def save_anonymised(detectors, folder):
    """Write detectors, as of `train_anonymised`, into a folder; `load_anonymised` finds them there."""
    for way, detector in detectors.items():
        detector.save(f"{folder}/{_name(way)}.safetensors")


def load_anonymised(folder=None):
    """Load the detectors that ship, or those of a folder; a dict by way, as of `train_anonymised`."""
    return {way: load_detector(f"{folder}/{_name(way)}.safetensors" if folder else _name(way)) for way in LEARNED}


def judge_anonymised(detectors, parameters=None, progress=None):
    """Judge detectors on fresh original pictures by the document's four criteria.

    Parameters
    ----------
    detectors : dict of str to Detector
    parameters : AnonymityStudy, optional
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        ``way``, and the columns of `rate_matches`. Particles that touch the edge of a picture do not count.
    """
    p = parameters or AnonymityStudy()
    fresh = draw_pictures(p.judged_pictures, p.seed + 1, PICTURE_PX, recipes=[load_recipe(p.recipe)])
    whole = fresh.particles[~fresh.particles.cut]
    true = [whole.diameter_px[whole.picture == k].to_numpy() for k in range(p.judged_pictures)]
    rows = []
    for number, (way, detector) in enumerate(detectors.items()):
        found = [detector.find(image) for image in fresh.images]
        measured = [f.diameters_px[_whole(f.instances, len(f.scores))] for f in found]
        rows.append(rate_matches(true, measured, generator(p.seed, "judged")).assign(way=way))
        if progress:
            progress((number + 1) / len(detectors), way)
    table = pd.concat(rows, ignore_index=True)
    return table[["way", *table.columns.drop("way")]]


def _whole(instances, n):
    """Return which of n instances do not touch the frame."""
    inside = np.ones(n + 1, bool)
    for edge in (instances[0], instances[-1], instances[:, 0], instances[:, -1]):
        inside[edge] = False
    return inside[1:]


def _name(way):
    return f"anonymity-{way.replace(' ', '-')}"
