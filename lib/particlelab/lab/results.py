"""What a notebook found: each number beside the document's, with its interval."""

import math
import numbers
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from pydantic import BaseModel

from particlelab.lab import folders
from particlelab.lab.atomic import write_json
from particlelab.lab.environment import environment


class Results:
    """The numbers that a notebook found, as a table and as the file ``results.json``.

    Parameters
    ----------
    notebook : str
        Name of the notebook, such as ``"50_soot_measure_tem_images"``.
    parameters : Parameters or dict
        What the notebook ran with.
    """

    def __init__(self, notebook, parameters):
        self.notebook = notebook
        self.parameters = dict(parameters) if isinstance(parameters, BaseModel | Mapping) else parameters
        self._metrics = {}

    def add(self, metric, value, unit="", interval=None, document=None, source=""):
        """Add a number; one that was added before under the same name is replaced.

        Parameters
        ----------
        metric : str
            What was measured, such as ``"dp by pair correlation, aggregate 3"``.
        value : float or str or None
            What was found here; None or NaN if it could not be measured.
        unit : str
        interval : tuple of float, optional
            Lower and upper end of the interval that the value is known to; NaN for an interval that is not known.
        document : float or str, optional
            What the document reports, in the same unit.
        source : str
            Where the document reports it, such as ``"Table 3.7"``.

        Raises
        ------
        ValueError
            If the lower end of the interval lies above its upper end.
        """
        value, document = _plain(value), _plain(document)
        low, high = _interval(metric, interval)
        names = ("metric", "value", "unit", "low", "high", "document", "source")
        self._metrics[metric] = dict(zip(names, (metric, value, unit, low, high, document, source), strict=True))

    def table(self):
        """Return a table with one row a number: metric, document, here (as texts with units), source."""
        rows = [(m["metric"], *document_and_here(m), m["source"]) for m in self._metrics.values()]
        return pd.DataFrame(rows, columns=["metric", "document", "here", "source"])

    def write(self):
        """Write ``results.json`` into the folder of this batch run, or of the notebook if it runs by hand.

        Returns
        -------
        Path
        """
        folder = os.environ.get("PARTICLELAB_RUN_FOLDER") or folders.reports() / "interactive" / self.notebook
        made_with = environment()
        content = {
            "notebook": self.notebook,
            "parameters": self.parameters,
            "date": made_with.pop("date"),
            "environment": made_with,
            "metrics": list(self._metrics.values()),
        }
        return write_json(Path(folder) / "results.json", content)


def format_value(value, interval=None, unit=""):
    """Return a value as a text with as many digits as its interval allows.

    Parameters
    ----------
    value : float or str or None
    interval : tuple of float, optional
        Lower and upper end.
    unit : str

    Returns
    -------
    str
        ``"17.8 ± 0.6 nm"``; ``"17.8 +1.1 −0.4 nm"`` if the interval is lopsided; ``"17.8 (18.1 to 19.0) nm"`` if the
        value lies outside; at most four digits after the first if there is no interval; ``"–"`` if there is no value.
    """
    if value is None or value != value:  # NaN
        return "–"
    unit = f" {unit}" if unit else ""
    if isinstance(value, str) or not math.isfinite(value):
        return f"{value}{unit}"
    low, high = interval or (None, None)
    if low is None or high is None or not low < high:
        decimals = 0 if isinstance(value, numbers.Integral) else max(4 - _magnitude(value), 0)
        text = _number(value, decimals)
        return (text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text) + unit
    below, above = value - low, high - value
    smaller, larger = sorted((below, above))
    decimals = 1 - _magnitude(larger)
    if larger * 10**decimals < 2:  # 0.13 rather than 0.1
        decimals += 1
    if 0 < smaller * 10**decimals < 0.5:  # -0.4 rather than -0
        decimals = 1 - _magnitude(smaller)
    here, down, up = _number(value, decimals), _number(below, decimals), _number(above, decimals)
    if min(below, above) < 0:
        return f"{here} ({_number(low, decimals)} to {_number(high, decimals)}){unit}"
    if abs(above - below) <= 0.1 * larger:
        return f"{here} ± {_number((below + above) / 2, decimals)}{unit}"
    return f"{here} +{up} −{down}{unit}"


def document_and_here(metric):
    """Return the document's value and the one found here of a metric of ``results.json``, as texts with units."""
    document = "" if metric["document"] is None else format_value(metric["document"], None, metric["unit"])
    return document, format_value(metric["value"], (metric["low"], metric["high"]), metric["unit"])


def _plain(value):
    """Return a number that fits into JSON, a text, or None."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _interval(metric, interval):
    low, high = (_plain(end) for end in interval or (None, None))
    if low is None or high is None:
        return None, None
    if low > high:
        raise ValueError(f"{metric}: the interval must be (lower end, upper end), got {tuple(interval)}")
    return low, high


def _magnitude(value):
    """Return how many digits stand before the decimal point: 2 for 17.8, 0 for 0.5, -1 for 0.05."""
    return math.floor(math.log10(abs(value))) + 1 if value else 1


def _number(value, decimals):
    size = _magnitude(value)
    if value and not -4 < size <= 9:  # 1.2e-07
        return f"{value:.{max(decimals + size - 1, 0)}e}"
    return f"{round(value, decimals) + 0.0:.{max(decimals, 0)}f}"  # 0 rather than -0
