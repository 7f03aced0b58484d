"""Tables to read: intervals in words, digits that mean something."""

import numpy as np
import pandas as pd

from particlelab.lab.notebook import in_words


def test_a_value_and_its_interval_become_one_text():
    frame = pd.DataFrame({"dp": [17.83, np.nan], "dp_low": [17.2, np.nan], "dp_high": [18.46, np.nan], "n": [12, 3]})
    shown = in_words(frame, {"dp": "nm"})
    assert list(shown) == ["dp", "n"]
    assert shown.dp[0] == "17.8 ± 0.6 nm"
    assert shown.dp[1] == "–"
    assert list(shown.n) == [12, 3]


def test_numbers_without_an_interval_have_three_digits():
    found = in_words(pd.DataFrame({"x": [0.012345, 123.456, 98765.4, np.nan]})).x
    assert list(found) == ["0.0123", "123", "98765", "–"]


def test_a_column_that_only_ends_like_a_bound_stays():
    assert list(in_words(pd.DataFrame({"temperature_low": [1.0]}))) == ["temperature_low"]
