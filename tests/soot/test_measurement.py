"""A micrograph in, a table and a summary with intervals out."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from particlelab import soot
from particlelab.parameters import ParameterError
from particlelab.randomness import generator
from particlelab.reading import ReadError
from particlelab.soot.measurement import tabulate


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
    options = {"classifier": "threshold", "sizer": "edm_ws", "minimum_pixels": 300, "intervals": "counts"}
    examined = soot.examine(image, 1.0, soot.Measurement(**options))
    table, summary = soot.measure(image, 1.0, **options)
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
    assert examined.summary.from_segmentation.isna().all()  # a decision moved from a wrong one tells nothing
    np.testing.assert_array_equal(examined.mask, failure.value.mask)
    assert examined.mask.mean() == pytest.approx(0.28, abs=0.01)
    assert len(examined.table) == 1 and examined.table.touches_border.item()
    assert len(soot.examine(image, 1.0, soot.Measurement()).table) == 0  # cut by the border


def test_a_given_mask_is_measured_as_it_is():
    simulated = crowded()[0]
    table, _ = soot.measure(
        simulated.image, 1.0, simulated.mask, minimum_pixels=0, keep_border=True, intervals="counts"
    )
    np.testing.assert_array_equal(table.n_pixels, soot.analyse_aggregates(simulated.mask, 1.0).n_pixels)
    with pytest.raises(ValueError, match="same shape"):
        soot.measure(simulated.image, 1.0, simulated.mask[1:])
    with pytest.raises(ValueError, match="of type bool"):
        soot.measure(simulated.image, 1.0, simulated.mask.astype(int))


def test_every_size_of_every_aggregate_has_an_interval_and_fast_ones_have_none():
    simulated = crowded()[0]
    table, summary = soot.measure(simulated.image, 1.0, simulated.mask, sizer="network")
    fast, fast_summary = soot.measure(simulated.image, 1.0, simulated.mask, sizer="network", intervals="counts")
    for column in ("da_nm", "rg_nm", "dp_nm", "n_primaries"):
        assert (table[f"{column}_low"] < table[column]).all() and (table[column] < table[f"{column}_high"]).all()
    pd.testing.assert_frame_equal(table[list(fast)], fast)
    pd.testing.assert_series_equal(summary.value, fast_summary.value)
    assert fast_summary.from_segmentation.isna().all() and fast_summary.from_methods.isna().all()
    assert (summary.high - summary.low >= fast_summary.high - fast_summary.low - 1e-9)[1:].all()


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def test_an_image_without_an_aggregate_has_an_empty_table_with_the_same_columns():
    image = generator(0, "empty").normal(160, 5, (200, 220))
    empty = np.zeros(image.shape, bool)
    table, summary = soot.measure(image, 0.5, mask=empty)
    one = empty.copy()
    one[50:100, 60:120] = True
    assert len(table) == 0 and set(table) == set(soot.measure(image, 0.5, mask=one)[0])
    assert summary.set_index("quantity").value["aggregates"] == 0


def test_a_file_is_measured_like_its_image_at_its_own_scale(tmp_path):
    """A TIFF states 2 nm; the parameter is for files that state nothing."""
    image = soot.simulate_micrograph(SCENE, generator(3, "crowded")).image
    silent = save(tmp_path / "silent.png", image)
    stating = save(tmp_path / "stating.tif", image, resolution=1e7 / 2, resolution_unit=3)
    parameters = soot.Measurement(pixel_size_nm=1.0, intervals="counts", keep_border=True)
    expected = soot.measure(image, 1.0, keep_border=True, intervals="counts")
    for found, frame in zip(soot.measure_file(silent, parameters), expected, strict=True):
        pd.testing.assert_frame_equal(found, frame)
    assert (soot.measure_file(stating, parameters)[0].da_nm > 1.5 * expected[0].da_nm.max()).any()
    with pytest.raises(ReadError, match=r"silent\.png does not say how large its pixels are"):
        soot.measure_file(silent, soot.Measurement(intervals="counts"))


def test_the_mask_beside_a_file_is_taken_if_asked_for(tmp_path):
    simulated = crowded()[0]
    path = save(tmp_path / "a.png", simulated.image)
    parameters = soot.Measurement(pixel_size_nm=1.0, masks=True, intervals="counts", minimum_pixels=0, keep_border=True)
    with pytest.raises(ReadError, match=r"a\.png has no mask beside it"):
        soot.measure_file(path, parameters)
    soot.save_mask(path, simulated.mask)
    table, _ = soot.measure_file(path, parameters)
    np.testing.assert_array_equal(table.n_pixels, soot.analyse_aggregates(simulated.mask, 1.0).n_pixels)


def test_a_dashboard_begins_with_a_scale_and_intervals_that_come_at_once():
    plain, named = soot.measurement_of(), soot.measurement_of(["a", "b"])
    assert (plain().pixel_size_nm, plain().intervals, named().micrograph) == (0.536, "counts", "a")
    assert "masks" not in plain.model_fields and soot.Measurement().intervals == "all"
    assert set(named.model_fields) - set(plain.model_fields) == {"micrograph"}
