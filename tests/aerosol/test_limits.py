"""Who knows more of the light finds the cloud better, and who knows all of it finds it to the grey level."""

from particlelab import aerosol

STUDY = aerosol.SegmentationStudy(people=3, grid=24, dimensions=2, picture_px=64, piece_px=32, frames=20)


def test_what_is_known_of_the_shadow_is_worth_its_score():
    limits = aerosol.judge_limits(STUDY).set_index(["camera", "shadow"]).dice
    clean, noisy = limits["none"], limits["noise"]
    assert clean["known"] > 0.99 and (clean > noisy).all()
    for scores in (clean, noisy):
        assert scores["known"] > scores["inferred with the lamp known"] > scores["none"]
