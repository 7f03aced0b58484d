"""The document's numbers were copied right: they agree with each other where the document says that they must."""

import numpy as np
import pytest

from particlelab.soot.document import TABLE_3, TABLE_4, TABLE_5


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
