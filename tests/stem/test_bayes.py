"""Posterior probabilities from the simulator: what they refuse."""

import numpy as np
import pytest

from particlelab import stem
from particlelab.randomness import generator


def test_angles_that_scatter_are_refused():
    with pytest.raises(ValueError, match="sig_as must be 0, got 2: the angles of the views are taken as known"):
        stem.posterior(np.zeros((1, 1, 32)), "hole", stem.HOLES.replace(sig_as=2), generator(0))
