"""Models as files that ship, each with what it was made from, judged by and made with: the whole way, in one call."""

from pathlib import Path

import numpy as np

from particlelab.aerosol.clouds import CloudScene
from particlelab.aerosol.dataset import TESTED, Collection, make_dataset
from particlelab.aerosol.inverse_learning import learn, learn_growth, survey_to_ask, survey_to_learn
from particlelab.aerosol.inverse_scores import infer_all, judge_growth, score_estimates
from particlelab.aerosol.inverse_studies import BY_SERIES, BY_STEPS, KNOWN, STILL, UNKNOWN, InverseStudy
from particlelab.aerosol.people import draw_people
from particlelab.aerosol.rendering import Optics
from particlelab.aerosol.sde import SDEParameters
from particlelab.aerosol.segmentation_studies import (
    FURTHER,
    STRANGERS_FIRST,
    UNSEEN,
    judge_segmenters,
    summarise_scores,
)
from particlelab.aerosol.surveys import Surveyed, gather_series
from particlelab.progress import part_of

SDE_PURPOSE = (
    "Drift and diffusivity of the size of a cloud of breath by {}; time in seconds. Its steps are not independent (see "
    "the autocorrelation of the residuals): forecasts draw their noise with the memory, and its likelihood needs the "
    "power."
)
CAMERAS = {"a camera's noise": Optics(), "no noise, as the document renders": Optics(photons=1e7, read_noise=0)}


def ship_segmenter(segmenter, parameters, path, progress=None):
    """Judge a network by breaths that nothing was trained on, and write it with its card.

    Parameters
    ----------
    segmenter : Segmenter
        From `train_segmenter`.
    parameters : SegmentationStudy
        That it was trained by; it is judged with a camera's noise and without, whatever it learned from.
    path : path
        ``NAME.safetensors``.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Path
    """
    p, scores = parameters, {}
    for number, (pictures, camera) in enumerate(CAMERAS.items()):
        told = part_of(progress, number / len(CAMERAS), 1 / len(CAMERAS))
        asked = p.replace(photons=camera.photons, read_noise=camera.read_noise)
        judged = summarise_scores(judge_segmenters({"": segmenter}, asked, told))
        for persons, row in judged.drop(columns="network").set_index("persons").round(5).to_dict("index").items():
            scores[f"{pictures}: {persons} persons"] = row
    segmenter.card["scores"] = scores
    segmenter.card["what the scores mean"] = {
        "breaths": f"{p.test_simulations} simulations of {p.frames} frames of each of {p.people} persons, which "
        "nothing was trained on; the last two persons are unseen",
        "accuracy": "share of all pixels that are right",
        "dice": "mean Dice score of frames that show a cloud",
        "bias, error": "mean and root mean square of found less true cloud size, in % of the picture",
        "doubt": "pixels whose probability lies between doubt and 1 - doubt may be cloud: holds 95 % of true sizes of "
        "persons whom nobody else uses",
    }
    usual = type(p)()
    said = {name: value for name, value in p if value != getattr(usual, name) and name not in ("train", "start")}
    changed = ", ".join(f"{name}={value!r}" for name, value in said.items())
    first = " with start, the network of 'started from'" if p.start else ""
    segmenter.card["command"] = f"aerosol.train_segmenter(aerosol.SegmentationStudy({changed}), folder){first}"
    return segmenter.save(path)


def ship_growth(path, workers=None, progress=None):
    """Learn how clouds grow by strength in still air, judge that, and write it with its card.

    Parameters
    ----------
    path : path
        ``growth.safetensors``.
    workers : int, optional
        Processes that simulate; as many as there are processors by default.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Path
    """
    sets = (  # persons, simulations of each, number of the first simulation; where it begins, share of the time
        (draw_people(11), 13, 1, 0.0, 0.3),
        (draw_people(40)[11:], 5, FURTHER, 0.3, 0.2),
        (draw_people(11), 7, UNSEEN, 0.5, 0.15),
        (draw_people(51)[40:], 7, STRANGERS_FIRST, 0.65, 0.15),
    )
    fresh, further, calibrating, strange = (
        make_dataset(
            people, simulations, None, Collection(first_simulation=first), None, workers, part_of(progress, *part)
        )
        for people, simulations, first, *part in sets
    )
    persons, h = range(1, 12), CloudScene().frame_time_s
    learned = _join(gather_series(fresh, persons[:-TESTED]), gather_series(further))
    asked = _join(gather_series(fresh, persons[-TESTED:]), gather_series(strange))
    sde = learn_growth(
        learned,
        gather_series(calibrating),
        h,
        parameters=SDEParameters(members=4),
        progress=part_of(progress, 0.8, 0.2),
        strengths=(0.5, 15.5),
        frames=(20, 30),
    )
    sde.card |= {
        "purpose": SDE_PURPOSE.format("size and strength of the turbulence, in still air"),
        "grid": Collection().grid,
        "strengths": "whole, 1 to 15; as a prior 0.5 to 15.5",
        "data": {
            "learned from": f"{len(learned.sizes)} breaths: persons 1 to 9 of the fresh data set, 29 others by 5",
            "calibrated by": f"{calibrating.Seed.nunique()} other breaths of persons 1 to 11",
            "scored by": f"{len(asked.sizes)} breaths: persons 10 and 11 of the fresh data set, 11 strangers by 7",
        },
        "scores": judge_growth(sde, asked, h),
        "command": "aerosol.ship_growth('growth.safetensors')",
    }
    return sde.save(path)


def ship_inverse(folder, parameters=None, progress=None):
    """Learn what tells strength and wind of a series of sizes, judge that, and write both models with their cards.

    Parameters
    ----------
    folder : path
        For ``series-with-wind.safetensors`` and ``growth-with-wind.safetensors``.
    parameters : InverseStudy, optional
        By default 600 series are asked about, with wind and without.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    list of Path
    """
    p = parameters or InverseStudy(series=600)
    series, steps = learn(p, *survey_to_learn(p, part_of(progress, 0, 0.3)), None, part_of(progress, 0.3, 0.1))
    still, windy = (survey_to_ask(p, wind, part_of(progress, 0.4 + 0.3 * wind, 0.3)) for wind in (False, True))
    usual = InverseStudy()
    changed = ", ".join(f"{name}={value!r}" for name, value in p if value != getattr(usual, name))
    breaths = f"{p.training} breaths with wind and {p.training // 2} in still air, each of a person of its own"
    about = {"grid": p.grid, "command": f"aerosol.ship_inverse('.', aerosol.InverseStudy({changed}))"}
    series.card |= about | {
        "purpose": "Tells strength and wind of a cloud from the series of its sizes.",
        "data": {
            "learned from": f"{breaths}, and {p.calibration} others with wind",
            "calibrated by": "itself: five folds, each asked about by a model of the others",
        },
        "scores": {},
    }
    steps.card |= about | {
        "purpose": SDE_PURPOSE.format("size, strength of the turbulence and wind (m/s)"),
        "data": {"learned from": breaths, "calibrated by": f"{p.calibration} others with wind"},
        "scores": judge_growth(steps, _join(windy, still), p.frame_time_s),
    }
    for name, method, model in (("series", BY_SERIES, series), ("growth", BY_STEPS, steps)):
        model.card["data"]["scored by"] = f"{p.series} with wind and {p.series} in still air, of other persons"
        model.card["scores"] |= _score_intervals({method: model}, still, windy, p)
        model.save(Path(folder) / f"{name}-with-wind.safetensors")
    return [Path(folder) / f"{name}-with-wind.safetensors" for name in ("series", "growth")]


def _join(*surveyed):
    return Surveyed(*(np.concatenate(parts) for parts in zip(*surveyed, strict=True)))


def _score_intervals(models, still, windy, parameters):
    """Return how well intervals hold what is asked, in words."""
    p, scores = parameters, {}
    widths = {"strength": p.strength_high - p.strength_low, "wind": p.wind_high - p.wind_low}
    for asked, surveyed in ((STILL, still), (UNKNOWN, windy), (KNOWN, windy)):
        for row in score_estimates(infer_all(models, surveyed, asked, p), widths).itertuples():
            scores[f"{row.parameter}, {asked}"] = (
                f"coverage of 90 % intervals {row.coverage:.3f}, error of the median {row.error:.3f}, width of the "
                f"prior's {row.sharpness:.3f}"
            )
    return scores
