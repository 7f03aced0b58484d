"""A micrograph in, a table and a summary with intervals out."""

import numpy as np
import pandas as pd
import pytest

from particlelab import soot
from particlelab.parameters import ParameterError
from particlelab.randomness import generator


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
