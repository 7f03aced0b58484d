"""Departures: what a model has not learned is said, and nothing else."""

import math

import pandas as pd
import pytest

from particlelab.diffusion.conditions import Conditions, dark_variance
from particlelab.diffusion.departures import find_departures
from particlelab.diffusion.imaging import Imaging
from particlelab.diffusion.training import Training


def conditions(imaging, diffusion=1.0, correlation=0.0):
    """Return conditions that are known to 2 %."""
    values = {
        "width of the point-spread function": imaging.psf_sigma_nm,
        "photons of a molecule in a frame": imaging.photons,
        "background noise": math.sqrt(dark_variance(imaging, imaging.background)),
        "diffusion coefficient": diffusion,
        "correlation of neighbouring pixels": correlation,
    }
    rows = [(name, value, 0.98 * value, 1.02 * value) for name, value in values.items()]
    return Conditions(imaging, pd.DataFrame(rows, columns=["quantity", "value", "low", "high"]), None)


LEARNED = Training(photons_factor=5, background_factor=4, psf_factor=1.3, read_noise=1.0)  # 100 to 2500 photons
MIDDLE = Imaging.select(LEARNED.model_dump())


@pytest.mark.parametrize(
    ("changes", "options", "word"),
    [
        ({"photons": 35.0}, {}, "35 photons, but the model has learned from 100 to 2.5e+03"),
        ({"photons": 3000.0}, {}, "photons"),
        ({"psf_sigma_nm": 90.0}, {}, "point-spread"),
        ({"psf_sigma_nm": 200.0}, {}, "2 pixels, but the model has learned from 1 to 1.69"),
        ({"background": 8.0}, {}, "noise"),
        ({"background": 0.0}, {}, "noise"),
        ({"read_noise": 3.0}, {}, "noise"),
        (
            {"exposure_s": 0.005},
            {},
            "0.5 of the interval (exposure_s = 0.005 s, interval_s = 0.01 s), but the model has learned 1",
        ),
        ({"frames": 8}, {}, "frames: 8, but the model has learned 16"),
        ({}, {"diffusion": 0.01}, "diffusion"),
        ({}, {"diffusion": 80.0}, "diffusion"),
        ({}, {"correlation": 0.3}, "correlation"),
        ({}, {"correlation": -0.3}, "correlation"),
    ],
)
def test_a_condition_that_no_model_has_learned_is_said_alone(changes, options, word):
    (sentence,) = find_departures(conditions(MIDDLE.replace(**changes), **options), LEARNED)
    assert word in sentence


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"photons": 98.0},  # at the edge, within what is known of it
        {"photons": 2550.0},
        {"background": 4.0},
        {"background": 5.0, "read_noise": 0.0},  # what is seen is all of the noise
        {"psf_sigma_nm": 260.0, "pixel_size_nm": 200.0, "interval_s": 0.04, "exposure_s": 0.04},  # pixels and frames
        {"gain": 7.0, "offset": 300.0, "frames": 100},
    ],
)
def test_conditions_that_a_model_has_learned_are_no_departures(changes):
    assert find_departures(conditions(MIDDLE.replace(**changes)), LEARNED) == []


def test_photons_of_a_camera_that_doubles_their_noise_count_half():
    doubled = conditions(MIDDLE.replace(photons=4000.0))
    doubled = doubled._replace(imaging=doubled.imaging.replace(camera="emccd"))
    doubled.table.loc[2, ["value", "low", "high"]] *= 2
    assert find_departures(doubled, LEARNED) == []
