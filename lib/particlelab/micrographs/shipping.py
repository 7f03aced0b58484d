"""Detectors as files that ship, with their cards."""

import numpy as np

from particlelab.learning.models import half_precision, save_model
from particlelab.micrographs.detection_studies import compare_on_coins, judge_methods
from particlelab.micrographs.detector_training import CentreTraining, train_detector
from particlelab.micrographs.recipe import recipes
from particlelab.micrographs.training_pictures import draw_pictures
from particlelab.progress import part_of

JUDGED = 20  # pictures of each recipe
JUDGING = 0.1  # share of the progress


def ship_detector(path, stages=None, seed=0, images=JUDGED, workers=1, folder=None, progress=None):
    """Train a detector at full setting, judge it on recipes that it never saw, and write it with its card.

    Parameters
    ----------
    path : path
        ``NAME.safetensors``.
    stages : sequence of CentreTraining or MaskRCNNTraining, optional
        Trainings, each of which goes on from the weights of the one before, with the learning rate high again. Without
        them one `CentreTraining`.
    seed : int
        Of first weights and pieces; pictures have their own.
    images : int
        Of each recipe that ships, by which it is judged.
    workers : int
        Processes that draw and judge.
    folder : path, optional
        Where pictures and checkpoints are kept: a training that was killed goes on there.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        As `train_detector`.
    """
    stages, rng, detector = tuple(stages or (CentreTraining(),)), np.random.default_rng(seed), None
    share = (1 - JUDGING) / len(stages)
    for k, stage in enumerate(stages):
        part = part_of(progress, k * share, share, f"stage {k + 1}")
        pictures = draw_pictures(
            stage.pictures,
            stage.seed,
            stage.picture_px,
            recipes=list(stage.recipes) or None,
            workers=workers,
            folder=folder and f"{folder}/pictures",
            progress=part_of(part, 0.0, 0.3),
        )
        keep = folder and f"{folder}/stage {k + 1}"
        detector = train_detector(stage, rng, detector, keep, part_of(part, 0.3, 0.7), pictures=pictures)
    judging = part_of(progress, 1 - JUDGING, JUDGING, "judging")
    return publish(path, detector, command_of(path, stages, seed), images, workers, judging)


def publish(path, detector, command, images=JUDGED, workers=1, progress=None):
    """Judge a trained detector on the recipes that ship and on the coins, and write it with its card.

    Parameters
    ----------
    path : path
        ``NAME.safetensors``.
    detector : Detector
    command : str
        That made it.
    images, workers, progress
        As for `ship_detector`.

    Returns
    -------
    Path
    """
    methods = {"network": detector.find}
    table = judge_methods(methods, recipes(), images, workers=workers, progress=progress)
    errors = table.assign(size=table.value.abs()).groupby("criterion", sort=False)["size"].mean()
    values = table.pivot(index="recipe", columns="criterion", values="value")
    coins = compare_on_coins(methods).iloc[0]
    card = detector.card | {
        "scores": {
            "judged by": f"{images} pictures of each of {len(values)} recipes that ship, none of which it learned from",
            "mean over recipes, without sign": {name: round(float(size), 4) for name, size in errors.items()},
            "by recipe": values.round(4).astype(object).where(values.notna(), None).to_dict("index"),
            "coins found": int(coins.coins),
            "things found that are no coin": int(coins.extra),
            "largest error of a coin's diameter, %": round(float(coins.largest_error_percent), 3),
        },
        "command": command,
    }
    return save_model(path, half_precision(detector.network), card)


def command_of(path, stages, seed):
    """Return the call of `ship_detector` that makes a detector again, with all that is not by default."""
    asked = []
    for stage in stages:
        usual = type(stage)()
        names = [name for name in type(stage).model_fields if getattr(stage, name) != getattr(usual, name)]
        values = ", ".join(f"{name}={getattr(stage, name)!r}" for name in names)
        asked.append(f"micrographs.{type(stage).__name__}({values})")
    name = str(path).replace("\\", "/").rsplit("/", 1)[-1]
    return f"micrographs.ship_detector({name!r}, [{', '.join(asked)}], seed={seed})"
