"""How well a measurement is known: few aggregates, the decision what is soot, and the method that sizes primaries.

Each of the three gives every number a *reach*, half the width of a 95 % interval on the scale on which its errors are
even (`on_scale`: relative for sizes). They are taken for independent: the interval of a number is its value and, to
either side, the root of the sum of their squares.
"""

import numpy as np
import pandas as pd
from scipy import stats
from scipy.ndimage import binary_dilation, binary_erosion

from particlelab.soot.aggregates import label_aggregates
from particlelab.soot.masks import SegmentationFailure
from particlelab.soot.quantities import off_scale, on_scale, quantities
from particlelab.soot.segmentation import DECISIONS, segment

RESAMPLES = 1000
FEWEST_OF_A_WIDTH = 5  # aggregates; fewer resampled ones say nothing on how well a standard deviation is known
PARTS = ("from_counts", "from_segmentation", "from_methods")
SUMMARY_COLUMNS = ("quantity", "value", "low", "high", "unit", *PARTS)


def summarise(table, rng, moved=(), sized=None):
    """Summarise a table of aggregates: each quantity with a 95 % interval and the parts that it is made of.

    Parameters
    ----------
    table : DataFrame
        As for `quantities`.
    rng : numpy.random.Generator
        Draws the resamples of the bootstrap.
    moved : sequence of DataFrame
        The same from masks whose decision was moved to either side (`move_decision`).
    sized : dict of str to DataFrame, optional
        The same with the primaries sized by each method.

    Returns
    -------
    DataFrame
        ``quantity`` (number of ``aggregates``, then those of `quantities`), ``value``, ``low``, ``high``, ``unit``, and
        the reach of each part, which is relative for sizes and counts, relative in ln for geometric standard
        deviations, and absolute for exponents:

        - ``from_counts``: a finite number of aggregates. Of the bootstrap over aggregates (Efron 1979), half the range
          of the middle 68 %, times Student's t and sqrt(n / (n - k)) for k fitted constants, by which the spread of
          resampled values is too small. For a geometric mean that is Student's own interval. The number of
          aggregates itself is taken for Poisson's.
        - ``from_segmentation``: the larger departure when the decision is moved to either side.
        - ``from_methods``: two standard deviations between the sizing methods, as in the document's sec. 3.3.

        A part that was not asked for, or that cannot be told, is NaN and in no interval; without
        ``from_counts``, for fewer than three aggregates (five for a standard deviation), there is no interval.
    """
    n = len(table)
    once, drawn = np.ones((1, n)), rng.multinomial(n, np.full(n, 1 / n), RESAMPLES) if n else np.ones((0, 0))
    found = quantities(table, np.concatenate([once, drawn]))
    others = [quantities(other) for other in moved]
    methods = [quantities(other) for other in (sized or {}).values()]
    rows = [_count_row(n, [len(other) for other in moved])]
    for name, quantity in found.items():
        value, *resampled = on_scale(quantity.scale, quantity.values)
        alike = [on_scale(quantity.scale, other[name].values[0]) for other in others if name in other]
        between = [on_scale(quantity.scale, other[name].values[0]) for other in methods if name in other]
        reaches = (
            _reach_of_resampled(np.array(resampled), quantity),
            _largest(np.array(alike) - value),
            (two_deviations(between) if quantity.by_dp else 0.0) if sized else np.nan,
        )
        reach = reaches[0] if np.isnan(reaches[0]) else np.sqrt(np.nansum(np.square(reaches)))
        low, high = (float(off_scale(quantity.scale, value + sign * reach)) for sign in (-1, 1))
        rows.append((name, float(quantity.values[0]), low, high, quantity.unit, *map(float, reaches)))
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def add_intervals(table, labels, moved, sized):
    """Give the sizes of each aggregate an interval: for the decision what is soot, and between the sizing methods.

    Parameters
    ----------
    table : DataFrame
        With ``label``, ``da_nm``, ``rg_nm`` and ``dp_nm``.
    labels : (H, W) int ndarray
        Of the mask that the table was measured on (`label_aggregates`).
    moved : sequence of (mask, DataFrame)
        Masks whose decision was moved, and their tables.
    sized : dict of str to DataFrame
        The table with ``dp_nm`` by each sizing method.

    Returns
    -------
    DataFrame
        With the columns ``da_nm_low``, ``da_nm_high`` and so on for ``rg_nm``, ``dp_nm`` and, where there is one,
        ``n_primaries``: 95 %, made as `summarise` makes it. NaN where no moved mask has the aggregate by itself.
    """
    partners = [_partners(table, labels, mask, other) for mask, other in moved]
    between = [np.log(other.dp_nm.to_numpy(float)) for other in sized.values()]
    methods = np.array([two_deviations(values) for values in np.transpose(between)]) if len(table) else np.zeros(0)
    columns = {}
    for name in ("da_nm", "rg_nm", "dp_nm", "n_primaries"):
        if name not in table:
            continue
        value = table[name].to_numpy(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            departures = [np.log(other[name].to_numpy(float) / value) for other in partners]
        reach = np.array([_largest(np.array(each)) for each in np.reshape(departures, (len(partners), len(table))).T])
        if name == "dp_nm":
            reach = np.sqrt(reach**2 + np.nan_to_num(methods) ** 2)
        columns |= {f"{name}_low": value * np.exp(-reach), f"{name}_high": value * np.exp(reach)}
    return table.assign(**columns)


def move_decision(image, mask, pixel_size_nm, classifier=None, options=None):
    """Decide anew what is soot, a little more strictly and a little more generously.

    Where one option decides (`DECISIONS`), the image is segmented again with other values of it; otherwise, and where
    the mask was given, its outline is moved by one pixel to either side.

    Parameters
    ----------
    image : (H, W) array_like
    mask : (H, W) bool ndarray
        What was found, or given.
    pixel_size_nm : float
    classifier : str, optional
        A method of `segment`; None for a given mask.
    options : dict, optional
        Of that method.

    Returns
    -------
    list of (H, W) ndarray of bool
        The strict mask and the generous one; without those that cannot be right (`SegmentationFailure`).
    """
    if classifier not in DECISIONS:
        return [binary_erosion(mask, border_value=1), binary_dilation(mask)]
    name, to_either_side = DECISIONS[classifier]
    masks = []
    for value in to_either_side(options[name]):
        try:
            masks.append(segment(image, pixel_size_nm, classifier, **{**options, name: value}))
        except SegmentationFailure:
            continue  # the other side has to do
    return masks


def method_spread(primaries, without=("edm_ws",)):
    """Return how far pairings of classifiers and sizing methods differ, as sec. 3.3 of the document does.

    Two standard deviations over the mean of all pairings. The document's abstract has 25 % for dp,100 and 85 % for
    D_TEM; its table 5 gives 24 % for dp,100 without EDM-WS, and 90 % for D_TEM with it. (Sec. 3.3 says 1.9 nm and
    10 % for the former.)

    Parameters
    ----------
    primaries : DataFrame
        From `summarise_primaries`: one row a pairing, with ``sizer``, ``dp_nm``, ``dp100_nm`` and ``d_tem``.
    without : sequence of str
        Sizing methods that the second set of rows leaves out.

    Returns
    -------
    DataFrame
        ``quantity`` ("dp", "dp,100", "D_TEM"), ``sizers`` ("all", "without edm_ws"), ``pairings``, ``mean``,
        ``deviation`` (standard deviation), ``unit`` and ``spread`` (2 deviation / mean).
    """
    rows = []
    for sizers, chosen in (
        ("all", primaries),
        (f"without {', '.join(without)}", primaries[~primaries.sizer.isin(without)]),
    ):
        for quantity, column, unit in (("dp", "dp_nm", "nm"), ("dp,100", "dp100_nm", "nm"), ("D_TEM", "d_tem", "")):
            values = chosen[column].dropna() if column in chosen else pd.Series(dtype=float)
            mean, deviation = values.mean(), values.std()
            rows.append((quantity, sizers, len(values), mean, deviation, unit, 2 * deviation / mean))
    return pd.DataFrame(rows, columns=["quantity", "sizers", "pairings", "mean", "deviation", "unit", "spread"])


def two_deviations(values):
    """Twice the standard deviation of the values that are known; NaN for fewer than two."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    return 2 * float(values.std(ddof=1)) if len(values) > 1 else np.nan


def _reach_of_resampled(values, quantity):
    n, constants = quantity.n, quantity.constants
    fewest = FEWEST_OF_A_WIDTH if quantity.scale == "log log" else 2 + constants
    values = values[np.isfinite(values)]
    if n < fewest or len(values) < RESAMPLES / 2:
        return np.nan
    low, high = np.quantile(values, stats.norm.cdf([-1, 1]))
    return stats.t.ppf(0.975, n - constants) * np.sqrt(n / (n - constants)) * (high - low) / 2


def _largest(departures):
    """The largest departure to either side; NaN if none is known."""
    departures = np.abs(departures[np.isfinite(departures)])
    return float(departures.max()) if len(departures) else np.nan


def _count_row(n, moved):
    """The number of aggregates, with Garwood's interval (1936) for the mean of a Poisson distribution."""
    low, high = stats.chi2.ppf(0.025, 2 * n) / 2 if n else 0.0, stats.chi2.ppf(0.975, 2 * n + 2) / 2
    if n == 0:
        return ("aggregates", 0, low, high, "", np.nan, np.nan, np.nan)
    below, above = np.log(n / low), np.log(high / n)
    segmentation = _largest(np.log(np.maximum(moved, 1) / n)) if moved else np.nan
    low, high = (n * np.exp(s * np.sqrt(np.nansum([r**2, segmentation**2]))) for s, r in ((-1, below), (1, above)))
    return ("aggregates", n, low, high, "", (below + above) / 2, segmentation, 0.0 if moved else np.nan)


def _partners(table, labels, mask, other):
    """Return the rows of another mask's table for each aggregate: of the part with the largest overlap.

    NaN where there is none, or where that part is also another aggregate's: both have grown into one.
    """
    other_labels, boxes = label_aggregates(mask)
    parts = len(boxes) + 1
    shared = np.bincount((labels.astype(np.int64) * parts + other_labels).ravel(), minlength=(labels.max() + 1) * parts)
    shared = shared.reshape(-1, parts)[1:, 1:]  # without the background
    best = shared.argmax(axis=1) + 1 if parts > 1 else np.zeros(len(shared), int)
    best[shared.sum(axis=1) == 0] = 0
    best[np.bincount(best, minlength=parts)[best] > 1] = 0
    return other.set_index("label").reindex(best[table.label - 1])
