"""Judges of spectra as files that ship, with cards: what they learned from, and how well they tell the new."""

from pathlib import Path

from particlelab.progress import part_of
from particlelab.randomness import generator
from particlelab.sedimentation.classifier_training import train_classifier
from particlelab.sedimentation.evaluation import accuracy, balanced_accuracy, coefficient_errors, count_classes, look_at
from particlelab.sedimentation.evaluation_studies import (
    ALONE,
    EvaluationStudy,
    find_classifier,
    find_generator,
    find_pupils,
    find_regressor,
    pupil_names,
    real_coefficients,
    real_sets,
    training_of,
)
from particlelab.sedimentation.spectra import CLASSES

NEW = {"new": 300, "coefficients": 300}  # measurements that judges are tested on, of each class and in all


def ship_classifiers(folder, study=None, only=None, checkpoints=None, progress=None):
    """Train the judges that ship, test them on what they have not learned from, and write them with their cards.

    Parameters
    ----------
    folder : path
        ``data/models/sedimentation``.
    study : EvaluationStudy, optional
        How they learn; the defaults, on 300 new measurements of each class to test on.
    only : sequence of str, optional
        Some of ``"classifier"``, ``"classifier-lum"`` (which learned from nothing but "LUM"), ``"regressor"``, and
        ``"pupils"`` (which learned from the generator ``study.teacher``, see `pupil_names`); all by default.
    checkpoints : path, optional
        A training that was killed goes on from there.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    list of Path

    Raises
    ------
    ValueError
        If ``only`` names something else.
    """
    makers = {"classifier": _classifier, ALONE: _alone, "regressor": _regressor, "pupils": _pupils}
    names = list(makers if only is None else only)
    if wrong := [name for name in names if name not in makers]:
        raise ValueError(f"only must be among {', '.join(makers)}, got {wrong[0]!r}")
    study = (study or EvaluationStudy(**NEW)).replace(train=True)
    changed = {k: v for k, v in study if v != EvaluationStudy.model_fields[k].default and k != "train"}
    asked = ", ".join(f"{name}={value!r}" for name, value in changed.items())
    paths = []
    for k, name in enumerate(names):
        some = part_of(progress, k / len(names), 1 / len(names), name)
        for title, reader, scores in makers[name](study, checkpoints, some):
            reader.card |= {
                "scores": scores,
                "command": f"sedimentation.ship_classifiers({Path(folder).name!r}, "
                f"sedimentation.EvaluationStudy({asked}), {[name]})",
            }
            paths.append(reader.save(Path(folder) / f"{title}.safetensors"))
    return paths


def _classifier(study, checkpoints, progress):
    learned, *tests = real_sets(study)
    reader = find_classifier(study, learned, checkpoints, progress)
    yield "classifier", reader, _scores(reader, *tests)


def _alone(study, checkpoints, progress):
    learned, *tests = real_sets(study)
    folder = checkpoints and f"{checkpoints}/{ALONE}"
    rng = generator(study.seed, "classifier")
    reader = train_classifier(learned, training_of(study), rng, folder=folder, progress=progress)
    reader.card["purpose"] = f"{reader.card['purpose']} It has learned from nothing but LUM, as the document's has."
    yield ALONE, reader, _scores(reader, *tests)


def _regressor(study, checkpoints, progress):
    learned, *tests = real_coefficients(study)
    reader, scores = find_regressor(study, learned, checkpoints, progress), {}
    for name, spectra in zip(("held out", "new measurements"), tests, strict=True):
        seen = look_at(spectra, reader)
        found = coefficient_errors(seen.asked, seen.told, generator(study.seed, "scores"))
        scores[f"root mean square error, S, {name}, {len(spectra)}"] = _words(found["rmse"], 0)
        scores[f"bias, S, {name}"] = _words(found["bias"], 0)
    yield "regressor", reader, scores


def _pupils(study, checkpoints, progress):
    learned, *tests = real_sets(study)
    shipped = study.replace(train=False)  # of the generator
    maker = find_generator(shipped, study.teacher, "lum", checkpoints, part_of(progress, 0.0, 0.3))
    pupils = find_pupils(study, maker, learned, checkpoints, part_of(progress, 0.3, 0.7))
    for name, reader in zip(pupil_names(study.teacher), pupils, strict=True):
        reader.card["purpose"] += f" It has learned from what the generator {study.teacher!r} draws."
        yield name, reader, _scores(reader, *tests)


def _scores(reader, tested, new):
    scores = {}
    for name, spectra in (("held-out part of LUM", tested), ("new measurements", new)):
        matrix = count_classes(look_at(spectra, reader))
        scores[f"balanced accuracy, {name}"] = _words(balanced_accuracy(matrix), 3)
        scores[f"accuracy, {name}"] = _words(accuracy(matrix), 3)
        scores[f"confusions, {name}, rows {', '.join(CLASSES)}"] = str(matrix.tolist())
    return scores


def _words(share, digits):
    return f"{share.value:.{digits}f} ({share.low:.{digits}f} to {share.high:.{digits}f})"
