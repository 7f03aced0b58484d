"""How primary particle size grows with aggregate size: the power law of the document's figure 8 and table 5."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

REFERENCE_NM = 100.0
ELLIPSE_SHARE = 0.67  # of the data, as the document draws it


@dataclass(frozen=True)
class PowerLaw:
    """dp = dp100 (da / 100 nm)^D_TEM; call it with da in nm to get dp in nm."""

    dp100_nm: float
    d_tem: float

    def __call__(self, da_nm):
        return self.dp100_nm * (np.asarray(da_nm, float) / REFERENCE_NM) ** self.d_tem


@dataclass(frozen=True, eq=False)
class FittedPowerLaw(PowerLaw):
    """A power law with what is known of its precision."""

    covariance: np.ndarray  # (2, 2), of dp100_nm and d_tem
    dp100_interval_nm: tuple  # 95 %
    d_tem_interval: tuple
    scatter: float  # geometric standard deviation of dp about the law
    n: int
    centre: np.ndarray  # mean of (ln da, ln dp)
    spread: np.ndarray  # (2, 2), their covariance

    def ellipse(self, n_points=200):
        """Return the ellipse in log-log space that is expected to hold 67 % of the data.

        It is that of a bivariate normal distribution of (ln da, ln dp) with the mean and the covariance of the data.

        Returns
        -------
        (n_points, 2) ndarray
            da and dp in nm along the closed curve.
        """
        angle = np.linspace(0, 2 * np.pi, n_points)
        circle = np.sqrt(stats.chi2.ppf(ELLIPSE_SHARE, 2)) * np.column_stack([np.cos(angle), np.sin(angle)])
        values, vectors = np.linalg.eigh(self.spread)
        return np.exp(self.centre + circle * np.sqrt(np.maximum(values, 0)) @ vectors.T)


UNIVERSAL_RELATION = PowerLaw(17.8, 0.35)  # Olfert and Rogak 2019


def fit_power_law(da_nm, dp_nm):
    """Fit dp = dp100 (da / 100 nm)^D_TEM to aggregates (Sipkens et al., eq. 4).

    Ordinary least squares of ln dp on ln da: the law answers which dp to expect of an aggregate of given da,
    and da, known to a few per cent, has far less error than dp. (A fit that treats both alike would
    give steeper laws, the more the data scatter.) Intervals are exact for normal residuals in ln dp; the
    covariance of dp100 is that of ln dp100 times dp100.

    Parameters
    ----------
    da_nm, dp_nm : (n,) array_like
        Projected-area equivalent diameter and primary diameter of each aggregate.

    Returns
    -------
    FittedPowerLaw

    Raises
    ------
    ValueError
        If the lengths differ, a diameter is not positive, there are fewer than three aggregates, or all
        have the same da.
    """
    da, dp = np.asarray(da_nm, float), np.asarray(dp_nm, float)
    if da.ndim != 1 or da.shape != dp.shape:
        raise ValueError(f"da_nm and dp_nm must be two lists of the same length, got shapes {da.shape} and {dp.shape}")
    for name, d in (("da_nm", da), ("dp_nm", dp)):
        if not ((d > 0) & np.isfinite(d)).all():
            raise ValueError(f"{name} must be positive and finite; take out aggregates without a size")
    if len(da) < 3:
        raise ValueError(f"a power law needs at least 3 aggregates, got {len(da)}")
    if np.ptp(da) == 0:
        raise ValueError("a power law needs aggregates of different da_nm")
    x, y = np.log(da / REFERENCE_NM), np.log(dp)
    columns = np.column_stack([np.ones(len(x)), x])
    normal = np.linalg.inv(columns.T @ columns)
    fit = normal @ columns.T @ y
    freedom = len(x) - 2
    variance = np.sum((y - columns @ fit) ** 2) / freedom
    covariance = variance * normal
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(np.diag(covariance))
    dp100 = float(np.exp(fit[0]))
    scale = np.diag([dp100, 1.0])
    return FittedPowerLaw(
        dp100_nm=dp100,
        d_tem=float(fit[1]),
        covariance=scale @ covariance @ scale,
        dp100_interval_nm=(float(dp100 * np.exp(-reach[0])), float(dp100 * np.exp(reach[0]))),
        d_tem_interval=(float(fit[1] - reach[1]), float(fit[1] + reach[1])),
        scatter=float(np.exp(np.sqrt(variance))),
        n=len(x),
        centre=np.array([np.log(da).mean(), y.mean()]),
        spread=np.cov(np.log(da), y),
    )
