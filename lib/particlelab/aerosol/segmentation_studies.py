"""Parameters of the notebook about segmentation, and how networks are judged on breaths that they have not seen."""

import numpy as np
import pandas as pd
from pydantic import model_validator

from particlelab.aerosol.dataset import TESTED, Collection, Recording, make_dataset, read_pictures
from particlelab.aerosol.doubt import calibrate_doubt, survey_pictures
from particlelab.aerosol.people import draw_people
from particlelab.aerosol.segmentation import load_segmenter, score_masks, segment
from particlelab.aerosol.segmentation_training import add_noise, train_unet
from particlelab.aerosol.sizes import cloud_size
from particlelab.aerosol.studies import DatasetStudy, OneBreath, watch, watch_simulation
from particlelab.aerosol.unet import UNetTraining
from particlelab.parameters import parameter
from particlelab.progress import part_of
from particlelab.randomness import generator

UNSEEN = 1001  # number of the first simulation that no network is trained on
FURTHER = 2001  # number of the first simulation of further persons
STRANGERS = 4  # further persons, whose breaths tell how far the network is in doubt
STRANGERS_FIRST = 3001  # number of their first simulation
SOME_FRAMES = slice(2, None, 5)  # of each of these


class SegmentationStudy(Recording, UNetTraining):
    """Networks that find the cloud: a training from nothing, and breaths by which it is judged."""

    train: bool = parameter(False, "Train a network; otherwise the one that ships is looked at")
    start: str = parameter("", "Network to go on from in training, by name or path; without one, from random weights")
    grid: int = parameter(32, "Cells along a side of the box", low=16, high=512)
    people: int = parameter(11, "Persons, the last two of whom are for the test", low=3, high=1000)
    simulations: int = parameter(3, "Simulations of each person, to train on", low=1, high=1000)
    further_people: int = parameter(0, "Persons beyond these, to train on", low=0, high=1000)
    further_simulations: int = parameter(5, "Simulations of each of them", low=1, high=1000)
    test_simulations: int = parameter(1, "Simulations of each person, to test with", low=1, high=1000)

    @model_validator(mode="after")
    def _tested_on_what_is_new(self):
        """Each number of a simulation is one cloud: those of the training must not be those of the test."""
        p = self
        for name, first, persons, simulations, limit in (
            ("simulations", p.first_simulation, p.people - TESTED, p.simulations, UNSEEN),
            ("test_simulations", UNSEEN, p.people, p.test_simulations, FURTHER),
            ("further_simulations", FURTHER, p.further_people, p.further_simulations, STRANGERS_FIRST),
        ):
            if first + persons * simulations > limit:
                most = (limit - first) // persons
                if most < 1:
                    raise ValueError(
                        f"first_simulation = {first} must be at most {limit - persons} for {persons} persons"
                    )
                raise ValueError(f"{name} = {simulations} must be at most {most} for {persons} persons")
        return self


class Looked(OneBreath):
    """A breath, and the network that looks for its cloud; within what a page can show."""

    model: str = parameter("default", "A network that ships (default, with-background), or the path of a file")


def look(parameters, progress=None):
    """Simulate a breath, and find its cloud.

    Parameters
    ----------
    parameters : Looked
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    watched : Watched
    masks : (frames, H, W) bool ndarray
        As the network has them.
    scores : DataFrame
        ``frame``, ``accuracy``, ``dice``, ``true`` and ``found`` cloud size in %.
    """
    segmenter = load_segmenter(parameters.model)
    watched = watch(parameters, progress)
    masks = find_cloud(segmenter, watched)
    return watched, masks, _score(watched, masks)


def find_cloud(segmenter, watched):
    """Find the cloud of a breath, by what the network wants to see.

    Parameters
    ----------
    segmenter : Segmenter
    watched : Watched

    Returns
    -------
    (frames, H, W) bool ndarray
    """
    return segment(watched.images, segmenter, background=watched.background if segmenter.background else None)


def watch_unseen(parameters, person, simulation=1):
    """Make one of the breaths that no network is trained on, with its pictures.

    Parameters
    ----------
    parameters : SegmentationStudy
    person, simulation : int
        Their numbers, from 1.

    Returns
    -------
    Watched
    """
    p = parameters
    unseen = {"first_simulation": UNSEEN, "simulations": p.test_simulations, "workers": 1}  # those of p cut pieces
    return watch_simulation(DatasetStudy.select(p.model_dump() | unseen), person, simulation)


def train_segmenter(parameters, folder, progress=None):
    """Train a network on the pictures of all persons but the two who are for the test, and calibrate its doubt.

    Parameters
    ----------
    parameters : SegmentationStudy
    folder : path
        For pictures and checkpoints: what was killed goes on from there.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Segmenter
        Its card holds the range of its ``pictures`` (`survey_pictures`) and the ``doubt`` (`calibrate_doubt`), found on
        three breaths each of further persons.
    """
    p = parameters
    persons, collection = draw_people(p.people + p.further_people), Collection.select(p.model_dump())
    sets = [(persons[: p.people - TESTED], p.simulations, collection.first_simulation)]
    if p.further_people:
        sets.append((persons[p.people :], p.further_simulations, FURTHER))
    parts, lengths = [], []
    for number, (some, simulations, first) in enumerate(sets):
        place, one = folder / f"pictures-{number}", collection.replace(first_simulation=first)
        told = part_of(progress, 0.4 * number / len(sets), 0.4 / len(sets))
        make_dataset(some, simulations, p.frames, one, place, progress=told)
        images, masks, backgrounds = (array[:] for array in read_pictures(place))
        lengths += [simulations * p.frames] * len(some)
        parts.append((images.reshape(-1, *images.shape[3:]), masks.reshape(-1, *masks.shape[3:]), backgrounds))
    images, masks, backgrounds = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    training, rng = UNetTraining.select(p.model_dump()), generator(p.seed, "U-Net")
    behind = {}
    if p.background:
        behind = {"backgrounds": backgrounds, "background_of": np.repeat(np.arange(len(lengths)), lengths)}
    told = part_of(progress, 0.4, 0.55)
    start = load_segmenter(p.start) if p.start else None
    segmenter = train_unet(images, masks, training, rng, folder / "training", told, start=start, **behind)
    segmenter.card["pictures"] = survey_pictures(images.reshape(-1, p.frames, *images.shape[1:]), p.noise)
    segmenter.card["doubt"] = find_doubt(segmenter, p, folder / "strangers", part_of(progress, 0.95, 0.05))
    return segmenter


def find_doubt(segmenter, parameters, folder, progress=None):
    """Calibrate the doubt of a network (`calibrate_doubt`) on three breaths each of persons that nobody else uses.

    Their pictures get half of the noise that those of the training got at most.

    Parameters
    ----------
    segmenter : Segmenter
    parameters : SegmentationStudy
    folder : path
        For the pictures.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    float
    """
    p = parameters
    strangers = draw_people(p.people + p.further_people + STRANGERS)[-STRANGERS:]
    collection = Collection.select(p.model_dump() | {"first_simulation": STRANGERS_FIRST})
    make_dataset(strangers, 3, p.frames, collection, folder, progress=progress)
    pictures, found, rng = read_pictures(folder), [], generator(p.seed, "doubt")
    for number, background in enumerate(pictures.backgrounds[:]):
        images = pictures.images[number, :, SOME_FRAMES]
        images = add_noise(images.reshape(-1, *images.shape[2:]), p.noise / 2, rng)
        found.append(segmenter.probabilities(images, background=background if segmenter.background else None))
    masks = pictures.masks[:, :, SOME_FRAMES]
    return calibrate_doubt(np.concatenate(found), masks.reshape(-1, *masks.shape[3:]))


def judge_segmenters(segmenters, parameters, progress=None):
    """Score networks on simulations that nothing was trained on, of all persons.

    Parameters
    ----------
    segmenters : dict of str to Segmenter
        By name.
    parameters : SegmentationStudy
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        A row for each frame and network: ``network``, ``person``, whether that ``person_seen`` was trained on,
        ``simulation``, ``frame``, ``strength``, ``accuracy`` and ``dice`` (eq. 3.1 and 3.2), ``true`` and ``found``
        cloud size in %.
    """
    p, rows = parameters, []
    tasks = [(person + 1, simulation + 1) for person in range(p.people) for simulation in range(p.test_simulations)]
    for number, (person, simulation) in enumerate(tasks):
        watched = watch_unseen(p, person, simulation)
        about = {"person": person, "person_seen": person <= p.people - TESTED, "simulation": simulation}
        about["strength"] = watched.table.Strength.iloc[0]
        for name, segmenter in segmenters.items():
            rows.append(_score(watched, find_cloud(segmenter, watched)).assign(network=name, **about))
        if progress:
            progress((number + 1) / len(tasks), f"person {person}, simulation {simulation}")
    return pd.concat(rows, ignore_index=True)


def summarise_scores(scores):
    """Summarise the scores of frames, of persons that were seen and that were not.

    Parameters
    ----------
    scores : DataFrame
        From `judge_segmenters`.

    Returns
    -------
    DataFrame
        ``network``; ``persons``; ``frames``; ``accuracy``, of all pixels; ``dice``, the mean over frames that show a
        cloud; and of the cloud size, in % of the picture, ``bias`` and root mean square ``error``.
    """
    rows = []
    for network, by in scores.groupby("network", sort=False):
        for persons, some in (("seen", by[by.person_seen]), ("unseen", by[~by.person_seen]), ("all", by)):
            off = some.found - some.true
            means = some.accuracy.mean(), some[some.true > 0].dice.mean(), off.mean(), (off**2).mean() ** 0.5
            rows.append((network, persons, len(some), *means))
    return pd.DataFrame(rows, columns=["network", "persons", "frames", "accuracy", "dice", "bias", "error"])


def _score(watched, masks):
    scores = score_masks(watched.masks, masks).iloc[:-1].reset_index(drop=True)
    sizes = {"true": cloud_size(watched.masks), "found": cloud_size(masks)}
    return scores.assign(frame=np.arange(1, len(masks) + 1), **sizes)[["frame", "accuracy", "dice", "true", "found"]]
