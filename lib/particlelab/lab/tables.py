"""Tables as HTML: numbers formatted, text escaped, to be scrolled by mouse, finger or keyboard."""

from html import escape

import numpy as np
import pandas as pd

MOST_ROWS = 500


def html_table(frame, label="Table"):
    """Return a table as HTML.

    Parameters
    ----------
    frame : DataFrame
        Its index is shown unless it only counts the rows from 0.
    label : str
        What the table holds, for screen readers.

    Returns
    -------
    str
        At most 500 rows, and a line that says so if there are more.
    """
    shown = frame.head(MOST_ROWS)
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        shown = shown.reset_index()
    numeric = [pd.api.types.is_any_real_numeric_dtype(kind) for kind in shown.dtypes]
    head = "".join(f'<th scope="col"{_class(n)}>{escape(str(c))}</th>' for c, n in zip(shown, numeric, strict=True))
    columns = [[_text(value) for value in shown.iloc[:, i]] for i in range(shown.shape[1])]
    rows = "".join(
        "<tr>" + "".join(f"<td{_class(n)}>{cell}</td>" for cell, n in zip(row, numeric, strict=True)) + "</tr>"
        for row in zip(*columns, strict=True)
    )
    more = f"<p>The first {MOST_ROWS} of {len(frame)} rows; the download has all.</p>" if len(frame) > MOST_ROWS else ""
    return (
        f'<div class="pl-table" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}"
    )


def _class(numeric):
    return ' class="pl-number"' if numeric else ""


def _text(value):
    if value is None or value is pd.NA or (isinstance(value, float | np.floating) and np.isnan(value)):
        return "–"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return escape(str(value))
