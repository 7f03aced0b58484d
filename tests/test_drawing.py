"""What all figures share: bars of round lengths."""

import numpy as np
import pytest

from particlelab.drawing import scale_bar


@pytest.mark.parametrize("longest", [*np.geomspace(1e-4, 1e5, 60), 1.0, 2.0, 5.0])
def test_a_scale_bar_is_the_longest_round_one_that_fits(longest):
    bar = scale_bar(3.0, 7.0, longest, "nm")
    length = bar.x[1] - bar.x[0]
    digits = f"{length:.6e}"
    assert digits[0] in "125" and set(digits[1:8]) <= {".", "0"}
    assert longest / 2.5 < length * (1 + 1e-9) and length <= longest * (1 + 1e-9)  # the next one is too long
    assert bar.text[0] == f"{length:.6g} nm" and bar.x[0] == 3 and list(bar.y) == [7, 7]
