"""What a table of aggregates comes to: its size distributions by number and by mass, and its power laws.

Each quantity is computed for many weights of the aggregates at once: all 1 for the table itself, and how often each
aggregate was drawn for a bootstrap.
"""

from typing import NamedTuple

import numpy as np

from particlelab.measure import geometric_moments, hatch_choate
from particlelab.soot.powerlaw import REFERENCE_NM

FEWEST_OF_A_DISTRIBUTION = 3  # values; fewer say nothing on its width
FEWEST_OF_A_LAW = 4
FEWEST_PRIMARIES = 3  # of an aggregate that the fractal law holds for


class Quantity(NamedTuple):
    """One number that a table of aggregates comes to."""

    values: np.ndarray  # (B,), one for each set of weights
    unit: str
    n: int  # aggregates that it is taken of
    constants: int  # how many constants were fitted to them
    scale: str  # on which its errors are even: "log", "log log" or "linear", see `on_scale`
    by_dp: bool  # whether it depends on the sizing method


def on_scale(scale, values):
    """Return values on the scale on which their errors are even.

    ``"log"`` for sizes, whose errors are relative; ``"log log"`` for geometric standard deviations, which are 1
    at least and whose logarithm, a standard deviation, has relative errors; ``"linear"`` for exponents.
    """
    for _ in range({"linear": 0, "log": 1, "log log": 2}[scale]):
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.log(values)
    return values


def off_scale(scale, values):
    """Return what `on_scale` was given."""
    for _ in range({"linear": 0, "log": 1, "log log": 2}[scale]):
        with np.errstate(over="ignore"):
            values = np.exp(values)
    return values


def quantities(table, weights=None):
    """Compute everything that a table of aggregates comes to.

    Parameters
    ----------
    table : DataFrame
        One row an aggregate. ``da_nm`` and ``dp_nm``, and where they are known ``gsd`` (within the aggregate),
        ``mean_optical_depth``, ``n_primaries`` and ``rg3_nm``. NaN where not known.
    weights : (B, n) array_like, optional
        How often each aggregate counts; once by default (B = 1).

    Returns
    -------
    dict of str to Quantity
        - ``da`` and ``dp``: geometric mean and geometric standard deviation over the aggregates, each of which counts
          once, and the same by mass
        - ``primaries``: the same over all primary particles of all aggregates, where the sizing method says how wide
          they are spread within an aggregate
        - ``dp,100`` and ``D_TEM``: the power law of dp, as `fit_power_law`
        - ``primaries per aggregate`` (mean), ``Df`` and ``kf``: the fractal law N = kf (Rg / rp)^Df, as
          `fractal_parameters`, where primaries are counted

        What too few aggregates give is left out.

    Notes
    -----
    The mass of an aggregate is its area times its mean optical depth, which by Beer and Lambert's law is in
    proportion to its volume (the attenuation length cancels in a weight). Where primaries are not counted, their number
    is taken as that mass over the mean volume of one of them, pi / 6 dp^3 exp(4.5 ln^2 gsd): a log-normal
    distribution's (Hatch and Choate 1929).
    """
    weights = np.ones((1, len(table))) if weights is None else np.asarray(weights, float)
    da, dp, gsd, counted = (_column(table, name) for name in ("da_nm", "dp_nm", "gsd", "n_primaries"))
    mass = da**2 * _column(table, "mean_optical_depth")
    found = {}
    for symbol, diameters, by_dp in (("da", da, False), ("dp", dp, True)):
        found |= _distribution(symbol, "", diameters, weights, by_dp)
        found |= _distribution(symbol, " by mass", diameters, weights * _known(mass), by_dp)
    if (gsd > 0).any():
        gsd = np.where(gsd > 0, gsd, 1.0)  # of an aggregate with one primary particle
        number = counted if (counted > 0).any() else mass / hatch_choate(dp, gsd, 1.5) ** 3
        found |= _mixture("", dp, gsd, weights * _known(number))
        found |= _mixture(" by mass", hatch_choate(dp, gsd), gsd, weights * _known(mass))
    known = (da > 0) & (dp > 0)
    if _enough(da[known]):
        slope, level = _line(np.log(da[known] / REFERENCE_NM), np.log(dp[known]), weights[:, known])
        n = int(known.sum())
        found["dp,100"] = Quantity(np.exp(level), "nm", n, 2, "log", True)
        found["D_TEM"] = Quantity(slope, "", n, 2, "linear", True)
    if (counted > 0).any():
        known = counted > 0
        mean = _over(weights[:, known] @ counted[known], weights[:, known].sum(axis=1))
        found["primaries per aggregate"] = Quantity(mean, "", int(known.sum()), 1, "log", True)
    ratio = _column(table, "rg3_nm") / (dp / 2)
    known = (counted >= FEWEST_PRIMARIES) & (ratio > 0)
    if _enough(counted[known]):
        # what scatters is Rg, seen from one side only: it is fitted, and the line solved for N
        slope, level = _line(np.log(counted[known]), np.log(ratio[known]), weights[:, known])
        slope = np.where(slope > 0, slope, np.nan)
        n = int(known.sum())
        found["Df"] = Quantity(1 / slope, "", n, 2, "linear", True)
        found["kf"] = Quantity(np.exp(-level / slope), "", n, 2, "log", True)
    return found


def _distribution(symbol, by, diameters, weights, by_dp):
    used = (diameters > 0) & (weights > 0).any(axis=0)
    n = int(used.sum())
    if n == 0:
        return {}
    mean, deviation = geometric_moments(diameters[used], weights[:, used])
    found = {f"{symbol}, geometric mean{by}": Quantity(mean, "nm", n, 1, "log", by_dp)}
    if n >= FEWEST_OF_A_DISTRIBUTION and np.ptp(diameters[used]) > 0:
        found[f"{symbol}, geometric standard deviation{by}"] = Quantity(deviation, "", n, 1, "log log", by_dp)
    return found


def _mixture(by, means, deviations, weights):
    """The distribution of all primaries together: between the aggregates, and within them."""
    used = (means > 0) & (weights > 0).any(axis=0)
    n = int(used.sum())
    if n < FEWEST_OF_A_DISTRIBUTION:
        return {}
    log_means, within, weights = np.log(means[used]), np.log(deviations[used]) ** 2, weights[:, used]
    total = weights.sum(axis=1)
    mean = _over(weights @ log_means, total)
    variance = _over(weights @ (log_means**2 + within), total) - mean**2
    return {
        f"primaries, geometric mean{by}": Quantity(np.exp(mean), "nm", n, 1, "log", True),
        f"primaries, geometric standard deviation{by}": Quantity(
            np.exp(np.sqrt(np.maximum(variance, 0))), "", n, 1, "log log", True
        ),
    }


def _enough(x):
    return len(x) >= FEWEST_OF_A_LAW and np.ptp(x) > 0


def _line(x, y, weights):
    """Slope, and y at x = 0, of the line of least squares, for each set of weights; NaN where x is one value only."""
    total = weights.sum(axis=1)
    mean_x, mean_y = _over(weights @ x, total), _over(weights @ y, total)
    square = _over(weights @ x**2, total) - mean_x**2
    slope = _over(_over(weights @ (x * y), total) - mean_x * mean_y, np.where(square > 1e-12, square, 0))
    return slope, mean_y - slope * mean_x


def _column(table, name):
    return table[name].to_numpy(float) if name in table else np.full(len(table), np.nan)


def _known(weights):
    return np.where(weights > 0, weights, 0.0)


def _over(sums, totals):
    return np.divide(sums, totals, out=np.full(len(sums), np.nan), where=totals > 0)
