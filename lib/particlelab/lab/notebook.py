"""What a notebook shows: figures in the lab's look, tables to read, and the progress of long steps."""

import os

import pandas as pd
from IPython.display import display
from tqdm.auto import tqdm

from particlelab.lab.results import format_value
from particlelab.lab.theme import bundle


def show(*figures):
    """Show plotly figures in the lab's look, as JupyterLab, Voila and reports draw them without internet."""
    for figure in figures:
        display(bundle(figure), raw=True)


def in_words(frame, units=None):
    """Return a table to read: a value and its interval in one text, with as many digits as the interval allows.

    Parameters
    ----------
    frame : DataFrame
        Where columns ``x``, ``x_low`` and ``x_high`` stand side by side, they become one column ``x``. Other
        numbers get three significant digits.
    units : dict of str to str, optional
        Units by column, for the texts.

    Returns
    -------
    DataFrame
    """
    shown = {}
    for name in frame:
        if name.endswith(("_low", "_high")) and name.rsplit("_", 1)[0] in frame:
            continue
        unit = (units or {}).get(name, "")
        if f"{name}_low" in frame:
            ends = zip(frame[name], frame[f"{name}_low"], frame[f"{name}_high"], strict=True)
            shown[name] = [format_value(value, (low, high), unit) for value, low, high in ends]
        elif pd.api.types.is_float_dtype(frame[name]):
            shown[name] = [_digits(value) for value in frame[name]]
        else:
            shown[name] = list(frame[name])
    return pd.DataFrame(shown, index=frame.index)


def _digits(value):
    if pd.isna(value):
        return "–"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def show_progress(title):
    """Return a function ``progress(fraction, text="")`` that shows how far a long step is.

    A bar in JupyterLab and in Voila; nothing in a batch, which shows its runs itself.
    """
    bar = None

    def update(fraction, text=""):
        nonlocal bar
        if bar is None:
            frame = "{desc} {percentage:3.0f}% |{bar}| {elapsed} {postfix}"
            bar = tqdm(total=1.0, desc=title, bar_format=frame, disable=os.environ.get("PARTICLELAB_LIVE") == "0")
        bar.set_postfix_str(text, refresh=False)
        bar.update(fraction - bar.n)
        if fraction >= 1:
            bar.close()

    return update
