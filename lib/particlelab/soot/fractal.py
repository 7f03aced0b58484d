"""Size in three dimensions, volume and fractal law of aggregates, from one projection of each."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from particlelab.soot.aggregates import background_around, check_image, check_pixel_size, label_aggregates

CONFIDENCE = 0.95
FEWEST = 4


def measure_depths(image, mask, pixel_size_nm, sizes):
    """Measure radius of gyration in 3-D and volume of each aggregate.

    The optical depth at a pixel is in proportion to the length of soot along the beam (Beer and Lambert), so that
    moments of the optical depth in the image are moments of the body in space. The radius of gyration about
    the beam's axis is that of the projection, and on average over all orientations its square is exactly 2/3 of that
    in 3-D. Hence Rg,3 = sqrt(3/2) Rg,2: right on average, while a single aggregate deviates by as much as
    its shape is elongated (16 % for soot).

    Parameters
    ----------
    image : (H, W) array
        Bright-field image.
    mask : (H, W) array
        Aggregates, as for `analyse_aggregates`.
    pixel_size_nm : float
    sizes : DataFrame
        From `size_primaries` of the same mask: ``label``, ``dp_nm``, ``gsd``, ``n_primaries``.

    Returns
    -------
    DataFrame
        One row a row of ``sizes``: ``label``, ``rg3_nm`` (3-D radius of gyration), ``volume_nm3``: of N spheres of
        log-normally distributed diameters, N pi / 6 dp^3 exp(4.5 ln^2 gsd), where lenses of overlapping spheres count
        in both, as in `simulate_aggregate`. NaN where there is no background around an aggregate, or no
        number of primaries.

    Raises
    ------
    ValueError
        If the mask is not binary, the image has another shape or is not finite, or the pixel size is not positive.
    """
    labels, boxes = label_aggregates(mask)
    image, pixel = check_image(image, labels.shape), check_pixel_size(pixel_size_nm)
    rg = [_gyration(image, labels, label, boxes[label - 1]) * pixel for label in sizes.label]
    spread = np.log(sizes.gsd.fillna(1.0))  # a lone primary has none
    volume = sizes.n_primaries * math.pi / 6 * sizes.dp_nm**3 * np.exp(4.5 * spread**2)
    return pd.DataFrame({"label": sizes.label, "rg3_nm": np.array(rg, float), "volume_nm3": volume})


class FractalLaw(NamedTuple):
    """N = kf (Rg / rp)^Df of many aggregates, with 95 % intervals."""

    fractal_dimension: float
    prefactor: float
    fractal_dimension_interval: tuple
    prefactor_interval: tuple
    scatter: float  # geometric standard deviation of Rg / rp about the law
    n: int


def fractal_parameters(table):
    """Fit N = kf (Rg / rp)^Df over the aggregates of a table.

    Df and kf say how Rg grows with N from aggregate to aggregate: one image of one aggregate gives one point of
    that law and does not determine them. It takes many aggregates that differ much in N: by what one projection
    leaves open of Rg, 50 aggregates of 5 to 300 primaries give Df to 0.12 and kf to 25 %, and 400 give them to 0.04 and
    8 % (half widths of 95 % intervals).

    Least squares of ln(Rg / rp) on ln N, solved for N. What scatters is Rg, seen from one side only; a fit of
    ln N on ln(Rg / rp) would take that scatter for part of the range of Rg and give too small a Df. The
    convention is that of `simulate_aggregate`: rp is the geometric mean radius, and Rg holds the spheres' own
    (3/5) r^2, as does one taken from the optical depth. Intervals hold the scatter of the aggregates, not the bias of
    a method that counts too few primaries.

    Parameters
    ----------
    table : DataFrame
        One row an aggregate: ``n_primaries``, ``rg3_nm``, ``dp_nm``, as `measure_depths` and `size_primaries`
        give them. Rows with fewer than three primaries or with NaN are left out: the law holds from three on.

    Returns
    -------
    FractalLaw

    Raises
    ------
    ValueError
        If fewer than four aggregates are left, or all have the same N.
    """
    used = table[(table.n_primaries >= 3) & (table.rg3_nm > 0) & (table.dp_nm > 0)]
    log_n, log_rg = np.log(used.n_primaries), np.log(used.rg3_nm / (used.dp_nm / 2))
    if len(used) < FEWEST or log_n.max() - log_n.min() < 1e-9:
        raise ValueError(
            f"a fractal law needs at least {FEWEST} aggregates of different numbers of primaries, 3 or more each; "
            f"there are {len(used)}"
        )
    fit = stats.linregress(log_n, log_rg)
    t = stats.t.ppf(0.5 + CONFIDENCE / 2, len(used) - 2)
    low, high = (
        1 / (fit.slope + sign * t * fit.stderr) if fit.slope > t * fit.stderr else math.inf for sign in (1, -1)
    )
    # kf by the law of propagation of errors; intercept and slope covary by -mean(ln N) var(slope)
    gradient = np.array([-1 / fit.slope, fit.intercept / fit.slope**2])
    covariance = -log_n.mean() * fit.stderr**2
    matrix = np.array([[fit.intercept_stderr**2, covariance], [covariance, fit.stderr**2]])
    log_kf, error = -fit.intercept / fit.slope, math.sqrt(gradient @ matrix @ gradient)
    residual = log_rg - fit.intercept - fit.slope * log_n
    return FractalLaw(
        fractal_dimension=1 / fit.slope,
        prefactor=math.exp(log_kf),
        fractal_dimension_interval=(low, high),
        prefactor_interval=(math.exp(log_kf - t * error), math.exp(log_kf + t * error)),
        scatter=math.exp(math.sqrt(np.sum(residual**2) / (len(used) - 2))),
        n=len(used),
    )


def _gyration(image, labels, label, box):
    """Return the 3-D radius of gyration (px) of an aggregate, NaN without background around it."""
    window, background = background_around(image, labels, box)
    if background is None:
        return math.nan
    y, x = np.nonzero(labels[window] == label)
    light = np.maximum(image[window][y, x], 1e-3 * background[y, x])  # black has no logarithm
    depth = np.log(background[y, x] / light)
    if depth.sum() <= 0:
        return math.nan
    square = sum(np.average((at - np.average(at, weights=depth)) ** 2, weights=depth) for at in (x, y))
    return math.sqrt(1.5 * max(square + 1 / 6, 0.0))  # each pixel is a square with its own 1/6
