"""A micrograph in, a table and a summary with intervals out."""

import numpy as np
import pandas as pd
import pytest

from particlelab import soot
from particlelab.parameters import ParameterError
from particlelab.randomness import generator
from particlelab.soot.measurement import tabulate


def test_intervals_of_the_summary_cover_the_population_mean():
    """95 % intervals of the geometric mean: between 91 and 99 % of 300 populations of 12 (3 standard errors)."""
    covered = 0
    for seed in range(300):
        da = np.exp(generator(seed, "population").normal(np.log(150), 0.5, 12))
        row = (
            soot.summarise(pd.DataFrame({"da_nm": da, "dp_nm": da / 8})).set_index("quantity").loc["da, geometric mean"]
        )
        covered += row.low < 150 < row.high
    assert 0.91 <= covered / 300 <= 0.99


def test_too_few_aggregates_have_a_value_but_no_interval():
    summary = soot.summarise(pd.DataFrame({"da_nm": [100.0, 200.0], "dp_nm": [20.0, np.nan]})).set_index("quantity")
    assert summary.loc["da, geometric mean", "value"] == pytest.approx(np.sqrt(100 * 200))
    assert np.isnan(summary.loc["da, geometric mean", "low"]) and summary.loc[
        "dp, geometric mean", "value"
    ] == pytest.approx(20)


def test_nothing_found_gives_an_empty_table_and_says_so():
    summary = soot.summarise(pd.DataFrame({"da_nm": [], "dp_nm": []}))
    assert summary.to_dict("records")[0]["value"] == 0 and len(summary) == 1


def test_options_reach_their_method_and_wrong_ones_are_refused():
    with pytest.raises(ParameterError, match="otsu_closing_nm = -1"):
        soot.measure(np.zeros((50, 50)), 0.5, classifier="otsu", otsu_closing_nm=-1)
    with pytest.raises(ParameterError, match="classifier = 'magic'"):
        soot.measure(np.zeros((50, 50)), 0.5, classifier="magic")
    with pytest.raises(ParameterError, match="pixel_size_nm = 0"):
        soot.measure(np.zeros((50, 50)), 0)


SCENE = soot.Micrograph(aggregates=6, da_nm=80, dp_gsd=1.4, width_px=512, height_px=512, pixel_size_nm=1.0)


def crowded():
    """A simulated micrograph with small aggregates and with aggregates at the border among the others."""
    simulated = soot.simulate_micrograph(SCENE, generator(3, "crowded"))
    whole = soot.analyse_aggregates(simulated.mask, 1.0)
    minimum = int(whole.n_pixels.quantile(0.4))
    left_out = (whole.n_pixels < minimum) | whole.touches_border
    assert left_out.iloc[:-1].any() and whole.touches_border.any() and (~left_out).sum() >= 2
    return simulated, whole[~left_out], minimum


@pytest.mark.parametrize("sizer", ["pcm", "edm_sbs", "hough", "edm_ws"])
def test_sizes_are_those_of_the_whole_mask_whatever_is_left_out(sizer):
    simulated, kept, minimum = crowded()
    table = tabulate(simulated.image, simulated.mask, 1.0, [sizer], minimum)
    sizes = soot.size_primaries(simulated.image, simulated.mask, 1.0, sizer).set_index("label").loc[kept.label]
    assert table.label.tolist() == kept.label.tolist()
    assert table.da_nm.tolist() == kept.da_nm.tolist()
    np.testing.assert_array_equal(table[f"dp_{sizer}_nm"], sizes.dp_nm)
    np.testing.assert_array_equal(table[f"gsd_{sizer}"], sizes.gsd)


def test_nothing_is_left_out_when_nothing_is_to_be():
    simulated = crowded()[0]
    table = tabulate(simulated.image, simulated.mask, 1.0, ["pcm", "edm_ws"], keep_border=True)
    assert table.label.tolist() == soot.analyse_aggregates(simulated.mask, 1.0).label.tolist()
    nothing = tabulate(simulated.image, np.zeros_like(simulated.mask), 1.0, ["pcm", "edm_ws"])
    assert len(nothing) == 0 and list(nothing) == list(table)


def test_options_of_a_sizing_method_and_its_calibration_reach_it():
    simulated = crowded()[0]
    raw, strict, calibrated = (
        tabulate(simulated.image, simulated.mask, 1.0, ["pcm"], keep_border=True, **more).dp_pcm_nm
        for more in ({}, {"options": {"pcm": {"level": 0.95}}}, {"calibrated": True})
    )
    assert (strict < raw).all()  # the pair correlation falls: a higher level is reached earlier
    da = soot.analyse_aggregates(simulated.mask, 1.0).da_nm
    np.testing.assert_allclose(calibrated, soot.correct("pcm", raw, da))


def test_an_examination_is_a_measurement():
    image = soot.simulate_micrograph(SCENE, generator(3, "crowded")).image
    parameters = soot.Measurement(classifier="threshold", sizer="edm_ws", minimum_pixels=300)
    examined = soot.examine(image, 1.0, parameters)
    table, summary = soot.measure(image, 1.0, classifier="threshold", sizer="edm_ws", minimum_pixels=300)
    assert examined.failure == "" and examined.mask.any() and len(table) > 0
    pd.testing.assert_frame_equal(examined.table, table)
    pd.testing.assert_frame_equal(examined.summary, summary)
    assert {"dp_nm", "gsd"} <= set(table) and (table.n_pixels >= 300).all() and not table.touches_border.any()


def test_a_failed_mask_is_refused_by_a_measurement_and_kept_by_an_examination():
    """A dark band over 28 % of the frame, from border to border, is no aggregate."""
    columns = np.arange(500) < 140
    noise = generator(0, "band").normal(0, 5, (300, 500))
    image = 180 * np.exp(-0.5 * columns) + noise
    with pytest.raises(soot.SegmentationFailure, match="at the border cover 28%") as failure:
        soot.measure(image, 1.0, keep_border=True)
    examined = soot.examine(image, 1.0, soot.Measurement(keep_border=True))
    assert examined.failure == str(failure.value)
    np.testing.assert_array_equal(examined.mask, failure.value.mask)
    assert examined.mask.mean() == pytest.approx(0.28, abs=0.01)
    assert len(examined.table) == 1 and examined.table.touches_border.item()
    assert len(soot.examine(image, 1.0, soot.Measurement()).table) == 0  # cut by the border
