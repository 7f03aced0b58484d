"""Who knows more of the light finds the cloud better, and who knows all of it finds it to the grey level."""

import numpy as np

from particlelab import aerosol

STUDY = aerosol.SegmentationStudy(people=3, grid=24, dimensions=2, picture_px=64, piece_px=32, frames=20)


def test_what_is_known_of_the_shadow_is_worth_its_score():
    noisy, clean = (
        aerosol.judge_limits(STUDY.replace(**camera)).set_index("shadow").dice
        for camera in ({}, {"photons": 1e7, "read_noise": 0.0})
    )
    assert clean["known"] > 0.99 and (clean > noisy).all()
    for scores in (clean, noisy):
        assert scores["known"] > scores["inferred with the lamp known"] > scores["none"]


def test_networks_stand_beside_the_limits_by_the_same_frames():
    limits, network = aerosol.judge_limits(STUDY), aerosol.load_segmenter("with-background")
    scores = aerosol.judge_segmenters({"network": network}, STUDY.replace(test_simulations=2))
    beside = aerosol.set_beside(limits, scores).set_index("who")
    same = scores[(scores.simulation == 1) & scores.frame.isin([5, 10, 15, 20])]
    assert (same.true > 0).all()
    assert np.isclose(beside.dice["network"], same.dice.mean()) and not np.isclose(same.dice.mean(), scores.dice.mean())
    assert beside.accuracy["person known, shadow none"] == limits.set_index("shadow").accuracy["none"]
