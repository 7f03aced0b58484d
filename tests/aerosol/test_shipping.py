"""Models that ship: their cards hold what the code reads, and those of series are made by one call."""

import pytest

from particlelab import aerosol
from particlelab.learning.models import find_model, shipped_models

SDES = ("growth", "growth-with-wind")


@pytest.mark.parametrize("name", shipped_models("aerosol"))
def test_every_card_says_what_a_user_wants_to_know(name):
    text = find_model("aerosol", name).with_suffix(".md").read_text(encoding="utf-8")
    for heading in ("purpose", "data", "scores", "command"):
        assert f"\n## {heading}\n" in text


@pytest.mark.parametrize("name", SDES)
def test_a_learned_sde_knows_its_units_power_and_memory(name):
    sde = aerosol.load_sde(name)
    assert sde.card["time_unit"] == "s" and sde.step == sde.card["frame_time_s"] == 0.04
    assert 0 < sde.card["memory"] < 1 and all(0 < power <= 1 for power in sde.card["powers"].values())
    assert 0.85 < sde.card["scores"]["coverage of forecast bands, 90 %"] < 0.99


def test_models_of_series_are_made_judged_and_loaded_again(tmp_path):
    """In little: who has learned from few breaths still says where a series of another strength stands."""
    study = aerosol.InverseStudy(
        dimensions=2, grid=24, frames=8, frames_compared=(8,), picture_px=64, training=50, calibration=20, series=6,
        epochs=2, members=1, workers=2,
    )  # fmt: skip
    told = []
    series, growth = aerosol.ship_inverse(tmp_path, study, lambda done, text: told.append(done))
    assert told == sorted(told)
    models = aerosol.load_models(str(series), str(growth), study)
    assert models.series.card["scene"]["strength_high"] == 15 and models.steps.card["scores"]["series"] == 12
    assert {"strength, still air", "wind, wind unknown"} <= set(models.series.card["scores"])
    assert "training=50" in models.steps.card["command"]
    with pytest.raises(ValueError, match="grid = 24, got dimensions = 3, grid = 48"):
        aerosol.load_models(str(series), str(growth), aerosol.InverseStudy())
