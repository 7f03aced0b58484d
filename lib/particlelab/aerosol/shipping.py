"""Networks that find the cloud as files that ship, with what they were judged by."""

from particlelab.aerosol.segmentation_studies import judge_segmenters, summarise_scores
from particlelab.progress import part_of

CAMERAS = {"a camera's noise": {}, "no noise, as the document renders": {"photons": 1e7, "read_noise": 0.0}}


def ship_segmenter(segmenter, parameters, path, progress=None):
    """Judge a network by breaths that nothing was trained on, and write it with its card.

    Parameters
    ----------
    segmenter : Segmenter
        From `train_segmenter`.
    parameters : SegmentationStudy
        That it was trained by; its camera is the usual one, whatever pictures were learned from.
    path : path
        ``NAME.safetensors``.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    Path
    """
    p, scores = parameters, {}
    camera = {name: type(p).model_fields[name].default for name in CAMERAS["no noise, as the document renders"]}
    for number, (pictures, changes) in enumerate(CAMERAS.items()):
        told = part_of(progress, number / len(CAMERAS), 1 / len(CAMERAS))
        judged = summarise_scores(judge_segmenters({"": segmenter}, p.replace(**camera | changes), told))
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
    changed = ", ".join(f"{name}={value!r}" for name, value in p if value != getattr(usual, name))
    segmenter.card["command"] = f"aerosol.train_segmenter(aerosol.SegmentationStudy({changed}), folder)"
    return segmenter.save(path)
