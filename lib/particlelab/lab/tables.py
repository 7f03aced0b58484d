"""Tables as HTML: units in words, numbers to be compared at a glance, scrolled by mouse, finger or keyboard."""

import math
import re
from html import escape

import numpy as np
import pandas as pd

MOST_ROWS = 500
UNITS = {"nm": "nm", "nm2": "nm²", "nm3": "nm³", "um": "µm", "um2": "µm²", "px": "px"}
UNITS |= {"s": "s", "ms": "ms", "um2_s": "µm²/s"}


def html_table(frame, label="Table", meanings=None):
    """Return a table as HTML.

    Parameters
    ----------
    frame : DataFrame
        Its index is shown unless it only counts the rows from 0. Units at the end of a column's name stand
        in brackets: ``da_nm`` becomes ``da (nm)``.
    label : str
        What the table holds, for screen readers.
    meanings : dict of str to str, optional
        What columns mean; unfolded below the table by whom it may concern.

    Returns
    -------
    str
        At most 500 rows, and a line that says so if there are more.
    """
    shown = frame.head(MOST_ROWS)
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        shown = shown.reset_index()
    numeric = [pd.api.types.is_any_real_numeric_dtype(kind) for kind in shown.dtypes]
    head = "".join(f'<th scope="col"{_class(n)}>{escape(heading(c))}</th>' for c, n in zip(shown, numeric, strict=True))
    columns = [_texts(shown.iloc[:, i]) for i in range(shown.shape[1])]
    rows = "".join(
        "<tr>" + "".join(f"<td{_class(n)}>{cell}</td>" for cell, n in zip(row, numeric, strict=True)) + "</tr>"
        for row in zip(*columns, strict=True)
    )
    more = f"<p>The first {MOST_ROWS} of {len(frame)} rows; the download has all.</p>" if len(frame) > MOST_ROWS else ""
    return (
        f'<div class="pl-table" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}"
        f"{_legend(shown, meanings or {})}"
    )


def heading(column):
    """Return the name of a column in words, its unit in brackets."""
    words = str(column)
    units = "|".join(sorted(UNITS, key=len, reverse=True))
    if found := re.fullmatch(rf"(.+?)_({units})(_low|_high|)", words):
        words = f"{found[1]}{found[3]} ({UNITS[found[2]]})"
    return words.replace("_", " ")


def _legend(frame, meanings):
    known = [(heading(column), meanings[column]) for column in frame if column in meanings]
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in known)
    return f'<details class="pl-meanings"><summary>What the columns mean</summary><dl>{items}</dl></details>' * bool(
        known
    )


def _class(numeric):
    return ' class="pl-number"' if numeric else ""


def _texts(column):
    """The cells of a column: numbers that are not whole with one number of decimals, four digits for the largest."""
    values = list(column)
    floats = [abs(float(v)) for v in values if isinstance(v, float | np.floating) and math.isfinite(v) and v]
    decimals = max(0, 3 - math.floor(math.log10(max(floats)))) if floats else 0
    alike = bool(floats) and max(floats) < 1e9 and min(floats) >= 10.0 ** (1 - decimals)  # two digits for the smallest
    return [_text(value, decimals if alike else None) for value in values]


def _text(value, decimals):
    if value is None or value is pd.NA or (isinstance(value, float | np.floating) and np.isnan(value)):
        return "–"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}" if decimals is None else f"{value:.{decimals}f}"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return escape(str(value))
