"""Hard images: each condition does to the picture what its name says, and to nothing else."""

import numpy as np
import pytest

from particlelab import soot
from particlelab.soot.difficulty import HARDSHIPS

USUAL = soot.HardImage(size_px=320, aggregates=2, seed=4)


def depth(parameters):
    sample = soot.simulate_hard_image(parameters)
    return np.average(
        *(soot.analyse_aggregates(sample.mask, 1.0, sample.image)[c] for c in ("mean_optical_depth",)),
        weights=soot.analyse_aggregates(sample.mask, 1.0).n_pixels,
    )


def test_twice_the_attenuation_length_is_half_the_optical_depth():
    """Beer and Lambert, to the rounding of grey levels and the noise."""
    quiet = USUAL.replace(noise_sd=2.0)
    assert depth(quiet) / depth(quiet.replace(attenuation_nm=140.0)) == pytest.approx(2, rel=0.08)


@pytest.mark.parametrize("condition", ["attenuation_nm", "gradient", "noise_sd"])
def test_the_particles_stay_where_they_are(condition):
    masks = [simulated.mask for simulated in (soot.simulate_hard_image(USUAL.replace(**{condition: level}))
                                              for level in HARDSHIPS[condition])]  # fmt: skip
    assert masks[0].any() and all((mask == masks[0]).all() for mask in masks)


def test_gradient_and_noise_are_as_asked_for():
    bare = USUAL.replace(aggregates=0, size_px=640)
    for noise in (8.0, 16.0):
        image = soot.simulate_hard_image(bare.replace(gradient=0.0, noise_sd=noise)).image.astype(float)
        assert image.std() == pytest.approx(noise, rel=0.15)  # the film's unevenness comes on top
    image = soot.simulate_hard_image(bare.replace(gradient=120.0, noise_sd=1.0)).image.astype(float)
    y, x = np.mgrid[:1:640j, :1:640j]
    slopes = np.linalg.lstsq(np.c_[x.ravel(), y.ravel(), np.ones(x.size)], image.ravel(), rcond=None)[0][:2]
    assert np.abs(slopes).sum() == pytest.approx(120, rel=0.05)  # from the darkest to the brightest corner


def test_a_perfect_classifier_has_an_iou_of_one_and_a_failure_of_none(monkeypatch):
    def perfect(image, pixel_size_nm, method, **options):
        mask = truth.mask
        if method == "otsu":
            raise soot.SegmentationFailure(method, ["it does not want to"], mask)
        return mask

    def simulate(parameters):
        nonlocal truth
        truth = soot.simulate_hard_image(parameters)
        return truth

    truth = None
    monkeypatch.setattr("particlelab.soot.difficulty.HARDSHIPS", {"noise_sd": (8.0, 32.0)})
    monkeypatch.setattr("particlelab.soot.difficulty.simulate_hard_image", simulate)
    monkeypatch.setattr("particlelab.soot.variants.segment", perfect)
    scores = soot.score_hard_images(["threshold", "otsu"], 2, 256, seed=1)
    assert len(scores) == 2 * 2 * 2
    assert (scores[scores.classifier == "threshold"].iou == 1).all()
    assert (scores[scores.classifier == "otsu"].iou == 0).all()
