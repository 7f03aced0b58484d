"""Whether a spectrum can be what particles do that settle or cream: what the report could not check of generated ones.

- Nothing runs backwards: what has become clear stays clear (IPMT report, AP2.3.a: "sedimentation is irreversible").
- Mass is kept: what is missing on the clear side of the boundary has passed the plateau.
- The sedimentation coefficient is that which was asked for (`boundaries.estimate_s`).

Real spectra pass the first two but for noise and drift of the instrument, which the same numbers of real spectra tell.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage

from particlelab.sedimentation.boundaries import absorbance, estimate_s
from particlelab.sedimentation.spectra import check_spectrum

TOLERANCE = 0.03  # transmission: noise of averages and drift of a lamp are less
AVERAGED = 3, 5  # times and radii that are averaged before anything is compared
DARK = 0.12  # transmission below which a layer of particles, a meniscus or a bottom may be
HIGHEST_LAYER = 1 / 3  # of the radii
EDGE = 0.03  # share of the radii by which a layer's edge is blurred
PLATEAU = 0.72, 0.78  # share of the radii, from the clear end, between which the plateau is read
LEVEL = 0.03  # share of its height by which the plateau may rise over that
DARKEST = 0.02  # transmission of a plateau from which its absorbance can be read
COLUMNS = ["label", "backwards", "mass_drift", "mass_gain", "scans", "s", "s_low", "s_high"]


class Balance(NamedTuple):
    """What becomes of the mass between the clear end and the plateau; shares of that at the first time."""

    table: (
        pd.DataFrame
    )  # time_s, held, passed, kept (held + passed, 1 if no mass is lost or made): scans with a plateau
    drift: float  # greatest less smallest value of ``kept``, a mean over five scans; NaN with fewer than five scans
    gain: float  # by how much ``held`` ever rises, likewise


def check_physics(spectra, rpm=None, cell="sector", read_s=True):
    """Check spectra.

    Parameters
    ----------
    spectra : sequence of Spectrum
    rpm : float, optional
        Rotor speed where a spectrum does not say it.
    cell : {"sector", "rectangular"}
        "sector" for "LFG", "rectangular" for "LUM".
    read_s : bool
        Whether to read s, which takes longer than all else.

    Returns
    -------
    DataFrame
        A row each: ``label``; ``backwards`` (`share_backwards`); ``mass_drift``, ``mass_gain`` and ``scans`` of its
        `Balance`; ``s``, ``s_low``, ``s_high`` (`estimate_s`, S). NaN where something cannot be told: the drift of a
        rectangular cell, since in the few millimetres of "LUM", far from the axis, the plateau counts six-fold, and the
        largest of many sizes have begun to leave it long before it is seen to slope.

    Raises
    ------
    ValueError
        If a spectrum is none, or the cell is unknown.
    """
    rows = []
    for spectrum in spectra:
        speed = spectrum.rpm if spectrum.rpm is not None else rpm
        found = estimate_s(spectrum, speed, cell=cell) if read_s and speed is not None else None
        direction = "auto" if found is None else found.direction
        balance = mass_balance(spectrum, speed, cell=cell, direction=direction)
        s = (np.nan,) * 3 if found is None else (found.s, *found.interval)
        backwards = share_backwards(spectrum, speed, cell=cell)
        drift = balance.drift if cell == "sector" else np.nan
        rows.append((spectrum.label, backwards, drift, balance.gain, len(balance.table), *s))
    return pd.DataFrame(rows, columns=COLUMNS)


def share_backwards(spectrum, rpm=None, *, cell="sector", tolerance=TOLERANCE):
    """Return the share of all points (radius, time) at which the liquid is darker than it once was.

    Compared are averages over 3 times and 5 radii. Allowed are a layer of sediment or cream that grows (dark, joined to
    the end of the cell or to what is always dark, and not higher than a third of the radii), and, where a liquid clears
    from below, that particles on their way inwards come closer together: their concentration rises by the ratio of
    the radii at most (in a sector by its square).

    Parameters
    ----------
    spectrum : Spectrum
    rpm : float, optional
        That of the spectrum by default; 0 is the earth's gravity, under which nothing comes closer together.
    cell : {"sector", "rectangular"}
    tolerance : float
        Transmission by which it may be darker.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the spectrum is none, or the cell is unknown.
    """
    return float(find_backwards(spectrum, rpm, cell=cell, tolerance=tolerance).mean())


def find_backwards(spectrum, rpm=None, *, cell="sector", tolerance=TOLERANCE):
    """Return where a spectrum runs backwards, (T, R) of bool; parameters as of `share_backwards`."""
    power = _power(spectrum.rpm if rpm is None else rpm, cell)
    spectrum = check_spectrum(spectrum)
    radii = spectrum.radii_mm
    smooth = ndimage.uniform_filter(spectrum.transmission.astype(float), AVERAGED, mode="nearest")
    clearest = np.maximum.accumulate(smooth, axis=0)
    closer = (radii[-1] / radii[0]) ** power if _clears_from_below(smooth) else 1.0
    allowed = 10.0 ** (-closer * absorbance(clearest)) if closer > 1 else clearest
    return (smooth < allowed - tolerance) & ~_layers(smooth)


def mass_balance(spectrum, rpm=None, *, cell="sector", direction="auto"):
    """Follow the absorbing mass between the clear end of the cell and a place in the plateau.

    In a plateau all that moves is diluted alike, however many kinds of particles there are: with the absorbance A of
    the plateau at r_p::

        sector        dA/dt = -2 v A,   mass that passes r_p per time: v r_p^2 A = -(r_p^2 / 2) dA/dt
        rectangular   dA/dt = -v A,     v r_p A = -r_p dA/dt

    (v = s w^2, a mean over the particles). So the integral of A r dr (sector; of A dr otherwise) up to r_p, plus
    r_p^2 / 2 (r_p) times what A has lost, stays what it was, as long as the plateau stands: without knowing s. A
    constant background does not matter. In creaming the same holds from the other end. Under gravity a plateau does not
    change, and what passes cannot be told: ``passed`` is then what a plateau that changes would have to have lost.

    Parameters
    ----------
    spectrum, rpm, cell
        As of `share_backwards`.
    direction : {"auto", "sedimentation", "creaming"}
        Of particles that do both there is no such balance.

    Returns
    -------
    Balance
        Up to the first scan in which the plateau, at three quarters of the way from the clear end, does not stand any
        more, or is too dark to be read.

    Raises
    ------
    ValueError
        If the spectrum is none, or the cell or the direction is unknown.
    """
    if direction not in ("auto", "sedimentation", "creaming"):
        raise ValueError(f"direction must be auto, sedimentation or creaming, got {direction!r}")
    speed = spectrum.rpm if rpm is None else rpm
    power = _power(speed, cell)
    spectrum = check_spectrum(spectrum)
    radii, values = spectrum.radii_mm, absorbance(np.maximum(spectrum.transmission, DARKEST / 2))
    if direction == "auto":
        direction = "creaming" if _clears_from_below(spectrum.transmission.astype(float)) else "sedimentation"
    sign = 1 if direction == "sedimentation" else -1
    part, band = _until_plateau(radii, sign)
    plateau, stands = _read_plateau(values[:, band])
    count = len(stands) if stands.all() else int(np.argmin(stands))
    part_mm = radii[part]
    held = np.trapezoid(values[:count, part] * part_mm ** max(power - 1, 0), part_mm, axis=1)
    place = radii[band].mean()
    passed = sign * place ** max(power, 1) / max(power, 1) * (plateau[:1] - plateau[:count])
    whole = held[:1] if count else 1.0
    table = pd.DataFrame({"time_s": spectrum.times_s[:count], "held": held / whole, "passed": passed / whole})
    table["kept"] = table.passed if speed == 0 else table.held + table.passed
    return Balance(table, *_changes(table))


def _changes(table):
    """Return drift and gain of a balance, of means over five scans."""
    if len(table) < 5:
        return np.nan, np.nan
    kept, held = (np.convolve(table[name], np.ones(5) / 5, "valid") for name in ("kept", "held"))
    return float(np.ptp(kept)), float((held - np.minimum.accumulate(held)).max())


def _power(rpm, cell):
    """Return the power of the radius by which particles come closer together or go apart."""
    if cell not in ("sector", "rectangular"):
        raise ValueError(f"cell must be sector or rectangular, got {cell!r}")
    return 0 if rpm == 0 else 2 if cell == "sector" else 1


def _clears_from_below(values):
    """Whether the outer third of the radii has ever become clearer than the inner third, by more than the reverse."""
    third = values.shape[1] // 3
    gained = values - values[:1]
    ahead = gained[:, -third:].mean(1) - gained[:, :third].mean(1)
    return bool(ahead.max() > TOLERANCE and ahead.max() > -ahead.min() / 3)


def _layers(smooth):
    """Return where sediment, cream, meniscus and bottom may be."""
    radii = smooth.shape[1]
    dark = smooth < DARK
    seeds = dark.all(axis=0)
    seeds[[0, -1]] = True
    runs, count = ndimage.label(dark, [[0, 0, 0], [1, 1, 1], [0, 0, 0]])
    lengths = np.bincount(runs.ravel(), minlength=count + 1)
    rooted = np.zeros(count + 1, bool)
    rooted[np.unique(runs[:, seeds])] = True
    rooted[0] = False
    layers = (rooted & (lengths <= HIGHEST_LAYER * radii))[runs]
    edge = 2 * max(1, round(EDGE * radii)) + 1
    return ndimage.binary_dilation(layers, np.ones((1, edge), bool))


def _until_plateau(radii, sign):
    """Return the radii from the clear end to the middle of the plateau's band, and the band."""
    n = len(radii)
    first, last = (round(share * n) for share in PLATEAU)
    last = max(last, first + 3)
    middle = (first + last) // 2
    band, part = slice(first, last), slice(0, middle + 1)
    return (part, band) if sign > 0 else (slice(n - middle - 1, n), slice(n - last, n - first))


def _read_plateau(values):
    """Return height (T,) of what should be a plateau, and whether it is one that can be read."""
    height = values.mean(axis=1)
    half = values.shape[1] // 2
    rise = np.abs(values[:, -half:].mean(1) - values[:, :half].mean(1))
    noise = np.median(np.abs(np.diff(values, 2, axis=1)), axis=1) / (0.6745 * 6**0.5) * (4 / values.shape[1]) ** 0.5
    readable = (height < -np.log10(DARKEST)) & (height > 10 * noise)
    return height, readable & (rise <= LEVEL * height + 3 * noise)
