"""The calibration of the sizing methods: its algebra, its constants on fresh aggregates, its table."""

import numpy as np
import pandas as pd
import pytest

from particlelab.parameters import ParameterError
from particlelab.randomness import generator
from particlelab.soot.aggregates import analyse_aggregates
from particlelab.soot.calibration import Calibration, calibrate, fit_corrections, score_calibration
from particlelab.soot.corrections import CORRECTIONS, Correction
from particlelab.soot.growth import simulate_aggregate
from particlelab.soot.primaries import METHODS, size_primaries
from particlelab.soot.projection import project

SMALL = Calibration(aggregates=24, n_greatest=60, dp_greatest_nm=30, pixel_least_nm=0.6, frame_px=512)


@pytest.fixture(scope="module")
def table():
    return calibrate(SMALL, generator(77, "calibration test"))


def made_up(rng, n, correction, scatter=0.0):
    """Return aggregates whose measured diameters follow a correction exactly, but for scatter."""
    dp, n_primaries = np.exp(rng.uniform(np.log(10), np.log(50), n)), rng.integers(5, 300, n)
    da = dp * n_primaries**0.45
    log = correction.offset + correction.slope * np.log(dp / 20) + correction.crowding * np.log(da / dp)
    measured = 20 * np.exp(log + scatter * rng.standard_normal(n))
    return pd.DataFrame({"dp_nm": dp, "n_primaries": n_primaries, "da_nm": da, "pcm_nm": measured})


def test_a_correction_inverts_its_equation():
    truth = Correction(-0.2, 0.9, 0.1)
    exact = made_up(generator(1), 50, truth)
    assert truth(exact.pcm_nm, exact.da_nm).to_numpy() == pytest.approx(exact.dp_nm.to_numpy())
    assert Correction.fit(exact.pcm_nm, exact.dp_nm, exact.da_nm) == pytest.approx(truth)


def test_corrected_diameters_are_unbiased_at_every_true_diameter():
    rng = generator(2, "unbiased")
    truth = Correction(-0.2, 0.9, 0.1)
    corrections = fit_corrections(made_up(rng, 4000, truth, 0.2))
    scores = score_calibration(made_up(rng, 4000, truth, 0.2), corrections).query("diameter == 'calibrated'")
    assert len(scores) == 7
    assert (scores.bias.abs() < 4 * scores.bias_error + 0.01).all()
    assert scores.scatter[scores.group == "all"].item() == pytest.approx(np.expm1(0.2 / 0.8), abs=0.01)


def test_scores_by_hand():
    table = pd.DataFrame(
        {"dp_nm": [10.0, 20, 40], "n_primaries": [5, 50, 500], "da_nm": 100.0, "pcm_nm": [20.0, 10, np.nan]}
    )
    raw = score_calibration(table, {"pcm": Correction(0, 1, 0)}).iloc[0]
    assert (raw.method, raw.diameter, raw.group, raw.aggregates, raw.missing) == ("pcm", "raw", "all", 3, 1)
    assert raw.bias == pytest.approx(0)  # twice and half
    assert raw.scatter == pytest.approx(np.expm1(np.sqrt(2) * np.log(2)))
    assert raw.bias_error == pytest.approx(np.log(2))


def test_constants_leave_no_bias_on_fresh_aggregates(table):
    """They were fitted to 300 other aggregates; here within the scatter of the mean of 24."""
    scores = score_calibration(table).query("diameter == 'calibrated' and group == 'all'").set_index("method")
    assert list(scores.index) == list(METHODS)
    assert (scores.missing == 0).all()
    # These 24 are smaller and coarser than those of the fit, whose own bias by group is a few per cent.
    assert (scores.bias.abs() < 3 * scores.bias_error + 0.03).all(), scores
    assert (scores.scatter < 0.25).all(), scores


def test_constants_are_those_of_a_fit_within_its_scatter(table):
    """What a fit to this small sample predicts agrees with what the constants predict."""
    for method, again in fit_corrections(table).items():
        ratio = again(table[f"{method}_nm"], table.da_nm) / CORRECTIONS[method](table[f"{method}_nm"], table.da_nm)
        assert np.abs(np.log(ratio)).median() < 0.12, method


def test_the_table_is_what_it_says(table):
    assert len(table) == 24
    assert table.dp_nm.between(10, 30).all()
    assert table.n_primaries.between(5, 60).all()
    assert table.gsd.between(1, 1.4).all()
    assert table.overlap.between(0, 0.15).all()
    assert table.pixel_size_nm.between(0.6, 1).all()
    assert (table.da_nm > table.dp_nm).all()
    assert (table.da_nm**2 < table.n_primaries * table.dp_nm**2 * np.exp(2 * np.log(table.gsd) ** 2) * 1.5).all()


def test_the_same_seed_gives_the_same_aggregates():
    few = SMALL.replace(aggregates=4)
    done = []
    first = calibrate(few, generator(3), ("pcm",), done.append)
    assert done == [0.25, 0.5, 0.75, 1]
    pd.testing.assert_frame_equal(first, calibrate(few, generator(3), ("pcm",)))
    assert "hough_nm" not in first


@pytest.mark.parametrize("method", ["pcm", "edm_sbs", "edm_ws"])
def test_calibrated_sizes_are_raw_sizes_corrected(method):
    mask = project(*simulate_aggregate(60, 1.78, 1.3, 25.0, 1.2, generator(4), 0.08), 0.8)[1] > 0
    raw, calibrated = (size_primaries(None, mask, 0.8, method, calibrated=c) for c in (False, True))
    expected = CORRECTIONS[method](raw.dp_nm, analyse_aggregates(mask, 0.8).da_nm)
    assert calibrated.dp_nm.to_numpy() == pytest.approx(expected.to_numpy())
    assert calibrated.gsd.equals(raw.gsd)


def test_ranges_that_run_backwards_and_frames_that_hold_nothing_are_refused():
    with pytest.raises(ParameterError, match=r"dp_least_nm = 60 must not be more than dp_greatest_nm = 50"):
        Calibration(dp_least_nm=60)
    with pytest.raises(ParameterError, match="n_least = 301 must not be more than n_greatest = 300"):
        Calibration(n_least=301)
    with pytest.raises(ValueError, match="frame_px = 64 is too small"):
        calibrate(SMALL.replace(frame_px=64), generator(5), ("pcm",))
