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


# Made by `fit_corrections(calibrate(Calibration(), generator(1, "calibration")))`, rounded; "network" by the first 200
# of these aggregates, with the model that ships.
CORRECTIONS = {
    "pcm": Correction(-0.2034, 0.9862, 0.0717),
    "edm_sbs": Correction(-0.7011, 0.9940, 0.1822),
    "hough": Correction(-0.0452, 0.9423, 0.0026),
    "edm_ws": Correction(0.0512, 0.9554, 0.0455),
    "network": Correction(-0.0506, 0.9488, -0.0049),
}

# ln(measured) = offset + slope ln(N), fitted to the same aggregates.
COUNT_CORRECTIONS = {"network": (0.1065, 1.0405)}


def correct(method, measured_nm, da_nm):
    """Correct primary diameters to the geometric mean diameter of the spheres.

    Holds for aggregates like those of `calibrate`, measured with their true masks: Df about 1.8, touching
    spheres that overlap by 0 to 15 %. What is left there says `score_calibration`: on 300 aggregates that
    were not used for the fit, a bias of at most 2 % for each method and 5 % for any third of them by dp or
    N, and a scatter from aggregate to aggregate of 6.5 % (network), 9 % (hough, edm_ws), 11 % (pcm) and 19 % (edm_sbs).
    Two things shift it: overlap (pcm: 8 % too small where spheres only touch, 5 % too large
    where all overlap by 15 %) and the width of the distribution (edm_sbs: -11 % at a geometric standard
    deviation of 1.0 to 1.13, +10 % at 1.27 to 1.4). The network is 4 % too large where spheres overlap by 15 to 30 %.

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


def correct_count(method, measured):
    """Correct the number of primaries in each aggregate, as found on the aggregates of `correct`.

    On 300 others the network's number then has no bias and a scatter of 16 %; where spheres overlap by 15
    to 30 % it is 21 % too small (not corrected, it is right there, and 30 % too large on the others).

    Parameters
    ----------
    method : str
        A method of `size_primaries`.
    measured : (n,) ndarray
        Numbers that it found.

    Returns
    -------
    (n,) ndarray
        ``measured`` itself for all methods but ``"network"``: a primary that was not located stays unknown.
    """
    if method not in COUNT_CORRECTIONS:
        return measured
    offset, slope = COUNT_CORRECTIONS[method]
    return np.exp((np.log(measured) - offset) / slope)
