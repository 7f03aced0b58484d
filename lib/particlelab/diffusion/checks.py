"""What is refused at the public doors of diffusion, each in one place."""

import numpy as np


def check_diffusion(diffusion_um2_s):
    """Return diffusion coefficients as an array (n,), if each is a finite number of at least 0."""
    diffusion = np.atleast_1d(np.asarray(diffusion_um2_s, float))
    if diffusion.ndim != 1 or not (np.isfinite(diffusion) & (diffusion >= 0)).all():
        raise ValueError(f"diffusion_um2_s must be finite numbers of at least 0, shape (n,), got {diffusion_um2_s!r}")
    return diffusion


def check_parameters(name, value, kind, default=None):
    """Return a parameter set, if it is of its kind (a `Parameters` class), or ``default`` in the place of None."""
    value = default if value is None else value
    if not isinstance(value, kind):
        raise ValueError(f"{name} must be of class {kind.__name__}, made by {kind.__name__}(...), got {value!r}")
    return value


def check_coverage(coverage):
    """Return a share of cases that intervals are to hold, if it is one."""
    if not 0 < coverage < 1:
        raise ValueError(f"coverage must be above 0 and below 1 (0.95 for 95 %), got {coverage!r}")
    return coverage
