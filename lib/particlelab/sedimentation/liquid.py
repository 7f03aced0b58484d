"""Where the liquid stands in a cell: meniscus and bottom, as far as a spectrum shows them, and the light beyond."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

EDGE = 0.82  # share of the light above the meniscus that is left at its edge
LEAST_AIR_MM = 0.6  # of radii above a meniscus that is believed in
STEADY_MM = 0.5  # by how much a meniscus may wander
MENISCUS_MM = 0.8  # from the first edge of a meniscus to where its shadow ends, at most
DARK = 0.04  # transmission of the cell's bottom, at most
LARGEST_DARK = 0.3  # share of the radii that the bottom may hide
MARGINS_MM = 0.7, 0.4  # below the meniscus and above the bottom, which blur and curvature spoil
GROWN = 1.5, 0.2  # an absorbance above so many times that at the start, and so much more, is that of a layer


class Liquid(NamedTuple):
    """Where the liquid begins and ends."""

    meniscus_mm: float
    bottom_mm: float
    limits_mm: tuple  # radii between which neither shades the dispersion
    dark: float  # transmission that is read where no light passes


def find_liquid(spectrum, meniscus_mm=None, bottom_mm=None):
    """Find meniscus and bottom of a cell.

    A meniscus is an edge behind a stretch of light that stays where it is from the first to the last scan; a bottom is
    a stretch that is dark in all scans. Where there is none, the liquid reaches to the first and the last radius.

    Parameters
    ----------
    spectrum : Spectrum
    meniscus_mm, bottom_mm : float, optional
        If they are known.

    Returns
    -------
    Liquid

    Raises
    ------
    ValueError
        If the meniscus does not lie before the bottom, or fewer than 16 radii lie between.
    """
    radii, values = np.asarray(spectrum.radii_mm, float), np.asarray(spectrum.transmission, float)
    top = _find_meniscus(radii, values) if meniscus_mm is None else None
    end, dark = _find_bottom(radii, values) if bottom_mm is None else (None, 0.0)
    meniscus = meniscus_mm if meniscus_mm is not None else radii[0] if top is None else top
    bottom = bottom_mm if bottom_mm is not None else radii[-1] if end is None else end
    low = meniscus + (MARGINS_MM[0] if meniscus > radii[0] else 0)
    high = bottom - (MARGINS_MM[1] if bottom < radii[-1] else 0)
    if np.sum((radii >= low) & (radii <= high)) < 16:
        raise ValueError(
            f"meniscus_mm = {meniscus:g} and bottom_mm = {bottom:g} leave fewer than 16 of the radii "
            f"{radii[0]:g} to {radii[-1]:g} mm between them"
        )
    return Liquid(float(meniscus), float(bottom), (float(low), float(high)), float(dark))


def correct(transmission, liquid):
    """Take the light off that is read where none passes; what was read of a clear cell stays as it is."""
    return (np.asarray(transmission, float) - liquid.dark) / (1 - liquid.dark)


def layers(absorbance):
    """Return where sediment or cream hides the dispersion, as a mask (T, R)."""
    start = np.median(absorbance[0])
    return ndimage.binary_dilation(absorbance > GROWN[0] * start + GROWN[1], np.ones((1, 5)))


def _find_meniscus(radii, values):
    """Return the radius of the meniscus, or None if the light does not begin above one."""
    step = np.median(np.diff(radii))
    air = max(3, round(LEAST_AIR_MM / step / 2))
    scans = [values[k].mean(0) for k in np.array_split(np.arange(len(values)), min(4, len(values)))]
    edges = []
    for scan in [values[: max(1, len(values) // 20)].mean(0), *scans]:
        below = np.flatnonzero(scan < EDGE * np.median(scan[:air]))
        if not len(below):
            return None
        edges.append(below[0])
    if np.ptp(radii[edges]) > STEADY_MM or radii[min(edges)] - radii[0] < LEAST_AIR_MM:
        return None
    first = min(edges)
    if radii[first] > radii.mean():
        return None
    shadow = slice(first, first + max(2, round(MENISCUS_MM / step)))
    brightest = values.max(0)[shadow]  # over time: what settles or creams past is gone at some time
    return radii[shadow][brightest.argmin()]


def _find_bottom(radii, values):
    """Return the radius of the bottom, or None if the last radii are not dark at all times; and how dark they are."""
    brightest = np.quantile(values, 0.98, axis=0)
    lit = np.flatnonzero(brightest > DARK)
    if not len(lit) or lit[-1] > len(radii) - 3 or lit[-1] < (1 - LARGEST_DARK) * len(radii):
        return None, 0.0
    beyond = values[:, lit[-1] + 2 :]
    near = slice(np.searchsorted(radii, radii[lit[-1]] - MENISCUS_MM), None)
    half = np.flatnonzero(brightest[near] > brightest[near].max() / 2)[-1]  # the edge is blurred
    return radii[near][half], max(0.0, float(np.median(beyond)))
