"""The document's numbers were copied right: they agree with each other where the document says that they must."""

import numpy as np
import pytest

from particlelab import soot
from particlelab.soot.document import OVERALL, TABLE_3, TABLE_4, TABLE_5, pairings_of_table_5


@pytest.mark.parametrize("classifier", [c for c in TABLE_3.index if c != "reference"])
def test_added_less_removed_is_the_difference_of_the_counts(classifier):
    """Caption of table 3."""
    row = TABLE_3.loc[classifier]
    assert row.added - row.removed == row.aggregates - TABLE_3.loc["reference", "aggregates"]


def test_columns_of_table_5_have_the_averages_that_it_prints():
    printed = {"hough": (17.4, 0.15), "edm_sbs": (19.1, 0.49), "pcm": (19.1, 0.33), "edm_ws": (29.3, 0.31)}
    for sizer, (dp100, d_tem) in printed.items():
        assert TABLE_5[sizer, "dp100_nm"].mean() == pytest.approx(dp100, abs=0.06)
        assert TABLE_5[sizer, "d_tem"].mean() == pytest.approx(d_tem, abs=0.006)


def test_table_4_has_one_misprinted_row_and_no_other():
    deviations = TABLE_4.xs("gsd", axis=1, level=1)
    assert list(deviations.index[(deviations < 1).any(axis=1)]) == ["kmeans + 1000 px"]
    assert np.isfinite(TABLE_4.to_numpy()).all()


def test_standard_deviations_over_the_classifiers_are_those_that_table_5_prints():
    printed = {"hough": (0.2, 0.02), "edm_sbs": (2.2, 0.08), "pcm": (3.2, 0.09), "edm_ws": (5.1, 0.08)}
    averages = soot.summarise_sizers(pairings_of_table_5()).set_index("sizer")
    for sizer, (dp100, d_tem) in printed.items():
        assert averages.dp100_sd_nm[sizer] == pytest.approx(dp100, abs=0.06)
        assert averages.d_tem_sd[sizer] == pytest.approx(d_tem, abs=0.01)


def test_the_spread_over_all_pairings_is_that_of_the_abstract():
    """25 % in dp,100 without EDM-WS and 85 % in D_TEM, to the rounding of table 5."""
    spread = soot.method_spread(pairings_of_table_5()).set_index(["quantity", "sizers"])
    for key, (mean, per_cent) in OVERALL.items():
        assert spread["mean"][key] == pytest.approx(mean, rel=0.01)
        assert 100 * spread["spread"][key] == pytest.approx(per_cent, rel=0.06)
