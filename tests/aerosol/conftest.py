"""A learned SDE of which all is known, for every test that needs one."""

import numpy as np
import pytest

from particlelab.aerosol.sde import SDE
from particlelab.aerosol.sde_layers import FLOOR, ONE


@pytest.fixture(scope="session")
def affine_sde():
    """A function that writes an SDE by hand, of drift ``slope (x, p) + intercept`` and constant diffusivity sigma.

    Each network is one layer. Slope is a number or (d, d + k), sigma a number or of its kind, `card` what differs.
    """

    def write(slope, sigma, intercept=0.0, kind="diagonal", **card):
        slope = np.atleast_2d(slope)
        d, seen = slope.shape
        raw = np.array(np.linalg.cholesky(sigma) if kind == "spd" else sigma, float, ndmin=2)
        np.fill_diagonal(raw, np.log(np.expm1(raw.diagonal() - FLOOR)) - ONE)
        raw = raw.diagonal() if kind == "diagonal" else raw[np.tril_indices(d)]
        weights = {
            "drift_0.kernel": slope.T,
            "drift_0.bias": np.full(d, intercept),
            "diffusivity_0_0.kernel": np.zeros((seen, len(raw))),
            "diffusivity_0_0.bias": raw,
        }
        units = {"centre": [0.0] * seen, "spread": [1.0] * seen, "scale": [1.0] * d, "step": 1.0}
        what = {"parameters": {"diffusivity": kind}, "dimension": d, "covariates": seen - d}
        return SDE(what | units | card, [{name: np.array(array, np.float32) for name, array in weights.items()}])

    return write
