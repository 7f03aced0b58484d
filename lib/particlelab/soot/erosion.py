"""Primary particle size from counting what is left of a mask under erosion (EDM-SBS)."""

import numpy as np
from pydantic import model_validator
from scipy.ndimage import distance_transform_edt
from scipy.optimize import leastsq
from scipy.special import expit

from particlelab.parameters import Parameters, parameter
from particlelab.soot.aggregates import check_pixel_size, label_aggregates


class ErosionCounting(Parameters):
    """Euclidean distance mapping, surface-based scale analysis: Bescond et al. 2014."""

    a: float = parameter(0.9966, "Height of the sigmoid", above=0, high=2)
    beta: float = parameter(1.9658, "Shift of the sigmoid", low=-10, high=10)
    omega: float = parameter(-0.8515, "Width of the sigmoid", high=-0.01, low=-10)
    smallest_nm: float = parameter(1.0, "Smallest level of the fit", unit="nm", above=0, high=1000)
    largest_nm: float = parameter(100.0, "Largest level of the fit", unit="nm", above=0, high=10_000)
    levels: int = parameter(250, "Levels of the fit, equal steps of ln d", low=10, high=10_000)

    @model_validator(mode="after")
    def _range(self):
        if self.smallest_nm >= self.largest_nm:
            raise ValueError(f"smallest_nm = {self.smallest_nm:g} must be less than largest_nm = {self.largest_nm:g}")
        return self


def size_by_erosion(image, labels, boxes, pixel_size_nm, parameters):
    """Size the primaries of each aggregate by erosion counting.

    The mask is eroded pixel by pixel (by its distance map); S(d) is the share of its pixels that is left
    when a layer of thickness d is gone. Over ln d it is fitted with

        S(d) = a / (1 + exp(((ln dg - ln d) / ln sigma - beta) / omega))

    (Sipkens et al., sec. 2.3, with the constants that they take from Bescond's code, a 0.9966, beta
    1.9658, omega -0.8515), from 1 to 100 nm. The constants are a calibration: dg and sigma stand for the
    geometric mean diameter and geometric standard deviation of an aggregate's primaries only so far as its
    primaries overlap in projection like those that the constants were made for. A lone sphere of diameter D
    gives dg 0.46 D and sigma 1.9, and aggregates of touching spheres come out about a third too small
    (`score_calibration`); overlap and wide distributions make dg larger.

    Parameters
    ----------
    image
        Not looked at.
    labels, boxes
        From `label_aggregates`.
    pixel_size_nm : float
    parameters : ErosionCounting

    Returns
    -------
    dp_nm, gsd : (n,) ndarray
        NaN where the mask is gone after two erosions.
    """
    fits = [fit_sigmoid(counts, pixel_size_nm, parameters) for counts in _each_count(labels, boxes)]
    dp, gsd = np.array(fits, float).reshape(-1, 2).T
    return dp, gsd


def edm_sbs_image(mask, pixel_size_nm, **options):
    """Size the primaries of all aggregates of an image together, by one curve of erosion counts.

    Parameters
    ----------
    mask : (H, W) array
    pixel_size_nm : float
    **options
        Fields of `ErosionCounting`.

    Returns
    -------
    dp_nm, gsd : float
        As in `size_by_erosion`; NaN if there is no aggregate to size.

    Raises
    ------
    ValueError
        See `label_aggregates`; also for a pixel size that is not positive, or an unknown option.
    """
    parameters = ErosionCounting(**options)
    pixel_size_nm = check_pixel_size(pixel_size_nm)
    curves = _each_count(*label_aggregates(mask))
    together = np.zeros(max(map(len, curves), default=0))
    for counts in curves:
        together[: len(counts)] += counts
    return fit_sigmoid(together, pixel_size_nm, parameters)


def erosion_counts(inside):
    """Return the number of pixels of a mask that are left after 0, 1, 2 ... pixels of erosion; the last is 0."""
    distance = distance_transform_edt(np.pad(inside, 1))
    gone = np.bincount(np.ceil(distance[distance > 0]).astype(int))  # pixels that go with each level
    return gone.sum() - np.cumsum(gone)


def fit_sigmoid(counts, pixel_size_nm, parameters):
    """Return the geometric mean diameter (nm) and geometric standard deviation of a curve of counts."""
    if len(counts) < 4:
        return np.nan, np.nan
    log_d = np.linspace(np.log(parameters.smallest_nm), np.log(parameters.largest_nm), parameters.levels)
    left = np.interp(np.exp(log_d), pixel_size_nm * np.arange(len(counts)), counts / counts[0])
    a, beta, omega = parameters.a, parameters.beta, parameters.omega

    def misfit(fit):
        log_dg, log_log_sigma = fit
        return a * expit(-((log_dg - log_d) * np.exp(-log_log_sigma) - beta) / omega) - left

    (log_dg, log_log_sigma), success = leastsq(misfit, (np.log(25), np.log(np.log(1.5))))
    if success not in (1, 2, 3, 4):
        return np.nan, np.nan
    return np.exp(log_dg), np.exp(np.exp(log_log_sigma))


def _each_count(labels, boxes):
    return [erosion_counts(labels[box] == i) for i, box in enumerate(boxes, 1)]
