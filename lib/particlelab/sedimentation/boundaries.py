"""The moving boundary of a spectrum: where it is, how fast it moves, and the sedimentation coefficient by it.

The second moment of the boundary moves as one particle would that does not diffuse, however wide the boundary is: by
conservation of mass it follows from what lies between the clear end of the cell and the plateau (Goldberg 1953, J.
Phys. Chem. 57, 194). It is the reading that the document could not make of its generated pictures (IPMT report,
AP2.3.a: "an analytical evaluation of these synthetic transmission spectra is not possible").
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage, stats

SVEDBERG = 1e-13  # s
GRAVITY = 980.665  # cm/s^2
CELLS = ("sector", "rectangular")
DIRECTIONS = ("auto", "sedimentation", "creaming")
LEAST_TRANSMISSION = 1e-4  # a darker point reads as an absorbance of 4
COVERAGE = 0.95
OUTERMOST, INNERMOST, STEP = 0.98, 0.70, 0.02  # shares of the radii: where the plateau may end
WIDTH = 0.06  # share of the radii that the plateau must be level over
LEVEL = 0.02  # by which share of its height it may rise over that width, beyond noise
CLEARED = 0.05  # share of the plateau below which the clear end counts as clear
FEWEST = 4  # scans with a clear end that are enough without those before them
KEPT = 0.8  # share of plateau times r_b^2 (a constant, if all particles are alike) that scan after scan must keep
SMOOTHED = 7  # radii of the running median by which the half height is found


class Estimate(NamedTuple):
    """A sedimentation coefficient that was read back from a moving boundary."""

    s: float  # S; negative: creaming; NaN if no scan shows boundary and plateau
    interval: tuple  # 95 %: low, high
    start_mm: float  # where the boundary was at time 0, by the regression: the meniscus, or the bottom in creaming
    boundary: pd.DataFrame  # a row for each scan, as `boundary_positions`
    direction: str  # "sedimentation" or "creaming": which way the boundary was taken to move

    @property
    def scans(self):
        """Of how many scans it was read."""
        return int(self.boundary.used.sum())


def absorbance(transmission):
    """Return -log10 of a transmission; what is darker than 1e-4 counts as 1e-4."""
    return -np.log10(np.maximum(np.asarray(transmission, float), LEAST_TRANSMISSION))


def field_of(rpm, cell="sector"):
    """Return what drives particles: w^2 (1/s^2) of a rotor, or for a speed of 0 the earth's gravity (cm/s^2).

    Raises
    ------
    ValueError
        If the speed is missing, negative or no number, or the cell unknown.
    """
    if rpm is None:
        raise ValueError("rpm is missing: neither given nor in the spectrum; 0 stands for the earth's gravity")
    if not np.isfinite(rpm) or rpm < 0:
        raise ValueError(f"rpm must be a number of at least 0, got {rpm}")
    if cell not in CELLS:
        raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {cell!r}")
    return (2 * np.pi * rpm / 60) ** 2 if rpm else GRAVITY


def boundary_positions(spectrum, rpm=None, *, cell="sector", direction="auto", limits_mm=None, baseline=0.0):
    """Find the boundary of each scan: by the second moment, and at half its height.

    Parameters
    ----------
    spectrum : Spectrum
    rpm : float, optional
        Rotor speed; that of the spectrum if it is not given; 0 is the earth's gravity.
    cell : {"sector", "rectangular"}
        A sector dilutes what moves outwards; under gravity every cell is rectangular.
    direction : {"auto", "sedimentation", "creaming"}
        Which end of the cell becomes clear: the inner one in sedimentation.
    limits_mm : (float, float), optional
        Radii between which the liquid lies; all by default.
    baseline : float
        Absorbance of the clear liquid, which is taken off.

    Returns
    -------
    DataFrame
        ``time_s``; ``moment_mm`` by the second moment, ``half_mm`` at half height; ``plateau`` (absorbance; NaN where
        there is none); ``error_mm``, what noise and the distance of the radii leave unknown of ``moment_mm``;
        ``clear``, whether the end that the boundary comes from is clear; ``used``, whether `estimate_s` uses it.

    Raises
    ------
    ValueError
        If the speed is neither given nor in the spectrum, or no radii lie within the limits.
    """
    return estimate_s(spectrum, rpm, cell=cell, direction=direction, limits_mm=limits_mm, baseline=baseline).boundary


def estimate_s(spectrum, rpm=None, *, cell="sector", direction="auto", limits_mm=None, baseline=0.0):
    """Read the sedimentation coefficient back from the moving boundary, by its second moment.

    With the plateau c_p at r_p, and nothing leaving through the clear end at a, mass conservation gives::

        sector        r_b^2 = r_p^2 - (2 / c_p) integral of c r dr from a to r_p,   ln r_b = ln m + s w^2 t
        rectangular   r_b   = r_p   - (1 / c_p) integral of c dr from a to r_p,     ln r_b = ln m + s w^2 t
        gravity       the same r_b,                                                 r_b = m + s g t

    whatever the diffusion; of a polydisperse sample s is the mean by absorbance. In creaming the plateau lies inside,
    and the integral runs from there to the bottom. Scans count in which the clear end is clear and the plateau stands.
    If those are fewer than four, earlier ones count as well, which is right if the radii begin at the meniscus (end at
    the bottom, in creaming), and needed where a boundary crosses the cell in a few scans.

    Parameters
    ----------
    spectrum, rpm, cell, direction, limits_mm, baseline
        As in `boundary_positions`.

    Returns
    -------
    Estimate
        The interval is that of the regression (95 %): by its residuals, and at least what noise and the distance of
        the radii make of it. Whatever shifts all scans alike (a wrong baseline, patterns of the window) is not in it.

    Raises
    ------
    ValueError
        As `boundary_positions`, or if there are fewer than two scans.
    """
    rpm = spectrum.rpm if rpm is None else rpm
    field = field_of(rpm, cell)
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, got {direction!r}")
    power = 2 if cell == "sector" and rpm else 1
    radii, times, c = _liquid(spectrum, limits_mm, baseline)
    if direction == "auto":
        direction = _direction(c)
    inwards = direction == "creaming"
    boundary = _positions(radii[::-1] if inwards else radii, c[:, ::-1] if inwards else c, power)
    boundary.insert(0, "time_s", times)
    plateau = boundary.moment_mm.notna()
    clear = plateau & boundary.clear
    boundary["used"] = clear if clear.sum() >= FEWEST else plateau
    return Estimate(*_regress(boundary[boundary.used], field, bool(rpm)), boundary, direction)


def _liquid(spectrum, limits_mm, baseline):
    """Return radii (mm), times (s) and absorbance of what lies within the limits."""
    radii = np.asarray(spectrum.radii_mm, float)
    inside = np.full(len(radii), True)
    if limits_mm is not None:
        inside = (radii >= limits_mm[0]) & (radii <= limits_mm[1])
    if inside.sum() < 16:
        limits = "" if limits_mm is None else f" within limits_mm = {tuple(limits_mm)}"
        raise ValueError(f"a boundary needs at least 16 radii, got {inside.sum()}{limits}")
    if len(spectrum.times_s) < 2:
        raise ValueError(f"a boundary must be seen to move: at least 2 times are needed, got {len(spectrum.times_s)}")
    c = absorbance(np.asarray(spectrum.transmission)[:, inside]) - baseline
    return radii[inside], np.asarray(spectrum.times_s, float), c


def _direction(c):
    """Tell which end becomes clear: the outer third of the radii or the inner one, when they differ most."""
    third = c.shape[1] // 3
    ahead = (c[:, -third:] - c[:1, -third:]).mean(1) - (c[:, :third] - c[:1, :third]).mean(1)
    return "creaming" if ahead[np.abs(ahead).argmax()] < 0 else "sedimentation"


def _positions(radii, c, power):
    """Return the boundary of each scan; the radii begin at the clear end, be it the inner or the outer one."""
    points = max(6, round(WIDTH * len(radii)))
    noise = np.median(np.abs(np.diff(c, 2, axis=1)), axis=1) / (stats.norm.ppf(0.75) * 6**0.5)  # of a point
    smooth = ndimage.median_filter(c, (1, SMOOTHED), mode="nearest")
    step, weights = np.abs(np.diff(radii)).mean(), radii ** (power - 1)
    kept, rows = 0.0, []
    for scan, level, sigma in zip(c, smooth, noise, strict=True):
        row = {"moment_mm": np.nan, "half_mm": np.nan, "plateau": np.nan, "error_mm": np.nan, "clear": False}
        for end in _ends(scan, points, sigma):
            height = scan[end - points : end].mean()
            part = slice(end - points // 2)  # r_p in the middle of what the height is read from
            held = np.trapezoid(scan[part] * weights[part], radii[part])
            moment = radii[part][-1] ** power - power * held / height
            if height * moment < KEPT * kept or moment <= 0:
                continue
            kept, position = height * moment, moment ** (1 / power)
            scatter = np.hypot(step * np.sqrt(np.sum(weights[part] ** 2)), held / height / points**0.5) * sigma / height
            steep = np.abs(np.diff(scan[part])).max() > 0.5 * height  # between two radii: nobody knows where
            error = np.hypot(scatter / position ** (power - 1), step / 12**0.5 if steep else 0.02 * step)
            row = {
                "moment_mm": position,
                "half_mm": _crossing(radii[part], level[part], height / 2),
                "plateau": height,
                "error_mm": error,
                "clear": level[: SMOOTHED // 2].mean() < CLEARED * height,
            }
            break
        rows.append(row)
    return pd.DataFrame(rows)


def _ends(scan, points, sigma):
    """Yield where a level stretch of a scan ends, the outermost first."""
    for share in np.arange(OUTERMOST, INNERMOST, -STEP):
        end = round(share * len(scan))
        window = scan[end - points : end]
        height, rise = window.mean(), window[points // 2 :].mean() - window[: points // 2].mean()
        noise = 2 * sigma / points**0.5  # of the rise
        if height > 5 * noise and abs(rise) <= LEVEL * height + 3 * noise:
            yield end


def _crossing(radii, level, height):
    """Return where a scan passes a height last; its first radius if it is above it all along."""
    below = np.flatnonzero(level < height)
    if not len(below) or below[-1] == len(level) - 1:
        return radii[0]
    k = below[-1]
    return radii[k] + (radii[k + 1] - radii[k]) * (height - level[k]) / (level[k + 1] - level[k])


def _regress(boundary, field, rotor):
    """Return s in S, its interval, and where the boundary began in mm."""
    n = len(boundary)
    if n < 2:
        return np.nan, (np.nan, np.nan), np.nan
    r, error = boundary.moment_mm.to_numpy() / 10, boundary.error_mm.to_numpy() / 10
    x = SVEDBERG * field * boundary.time_s.to_numpy()
    y, error = (np.log(r), error / r) if rotor else (r, error)
    weights = error**-2.0
    middle = np.average(x, weights=weights)
    spread = np.sum(weights * (x - middle) ** 2)
    s = np.sum(weights * (x - middle) * y) / spread
    start = np.average(y, weights=weights) - s * middle
    misfit = np.sum(weights * (y - start - s * x) ** 2)
    known = stats.norm.ppf((1 + COVERAGE) / 2)  # the errors are known, and may be too small
    seen = stats.t.ppf((1 + COVERAGE) / 2, n - 2) * (misfit / (n - 2)) ** 0.5 if n > 2 else 0.0
    half = max(known, seen) / spread**0.5
    return float(s), (float(s - half), float(s + half)), float(10 * (np.exp(start) if rotor else start))
