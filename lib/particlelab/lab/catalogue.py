"""What is in the lab, what was run, and how its numbers stand beside the documents'."""

from typing import Literal

import nbformat
import numpy as np
import pandas as pd
from pydantic import create_model

from particlelab.drawing import PALETTE
from particlelab.lab import folders
from particlelab.lab.notebook_files import first_sentence, title
from particlelab.lab.overview import find_runs
from particlelab.lab.results import document_and_here
from particlelab.parameters import Parameters, parameter


class Overview(Parameters):
    """Which runs the front door shows."""

    sweep: str = parameter("all", "Name of a sweep, such as tour, or all")


def overview_of_runs():
    """Return `Overview` with the sweeps that have run as choices, for a dashboard."""
    sweeps = sorted({run["sweep"] for run in find_runs(folders.reports())})
    field = (Literal[("all", *sweeps)], parameter("all", "Runs of which sweep"))
    return create_model("OverviewOfRuns", __base__=Overview, sweep=field)


def notebooks():
    """Return one row a notebook: its name, title, first sentence, and how its last run went."""
    runs = pd.DataFrame(
        [{k: run[k] for k in ("notebook", "status", "sweep", "date")} for run in find_runs(folders.reports())]
    )
    rows = []
    for path in sorted(folders.notebooks().glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        own = runs[runs.notebook == path.stem] if len(runs) else runs
        last = own.sort_values("date").iloc[-1] if len(own) else {"status": "never run", "sweep": "", "date": ""}
        when = last["date"][:16].replace("T", " ")
        state = " ".join(filter(None, [last["status"], last["sweep"] and f"in {last['sweep']}", when]))
        rows.append(
            {"notebook": path.stem, "what": title(notebook), "about": first_sentence(notebook), "last run": state}
        )
    return pd.DataFrame(rows)


def numbers(sweep="all"):
    """Return one row a number that was found in finished runs, from the last run that gives it.

    Parameters
    ----------
    sweep : str
        Name of a sweep, or ``"all"``.

    Returns
    -------
    DataFrame
        ``notebook``, ``metric``, ``document`` and ``here`` as texts, ``source``, ``sweep``, and ``ratio``: here over
        document where both are positive numbers, NaN otherwise.
    """
    rows = []
    for run in sorted(find_runs(folders.reports()), key=lambda run: run["date"]):
        if sweep not in ("all", run["sweep"]):
            continue
        for metric in run["metrics"]:
            document, here = document_and_here(metric)
            row = {"notebook": run["notebook"], "metric": metric["metric"], "document": document, "here": here}
            rows.append({**row, "source": metric["source"], "sweep": run["sweep"], "ratio": _ratio(metric)})
    found = pd.DataFrame(rows, columns=["notebook", "metric", "document", "here", "source", "sweep", "ratio"])
    return found.drop_duplicates(["notebook", "metric"], keep="last", ignore_index=True)


def ratios_figure(found):
    """Draw each number here over the document's, one line a number; 1 is agreement."""
    import plotly.graph_objects as go

    known = found[found.ratio.notna()].iloc[::-1]
    figure = go.Figure().add_vline(x=1, line_color="#9aa4af")
    for colour, (notebook, part) in zip(PALETTE * len(known), known.groupby("notebook", sort=False), strict=False):
        text = [
            f"{row.metric}<br>document {row.document}<br>here {row.here}<br>{row.source}" for row in part.itertuples()
        ]
        points = {"mode": "markers", "marker": {"color": colour, "size": 9}, "hovertext": text, "hoverinfo": "text"}
        figure.add_trace(go.Scatter(x=part.ratio, y=part.metric, name=notebook, **points))
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10]
    figure.update_xaxes(
        type="log", title="Here relative to the document", tickvals=ticks, ticktext=[f"{t:g}" for t in ticks]
    )
    figure.update_yaxes(automargin=True, tickfont={"size": 11})
    return figure.update_layout(height=max(320, 120 + 18 * len(known)), showlegend=known.notebook.nunique() > 1)


def _ratio(metric):
    value, document = metric["value"], metric["document"]
    numeric = all(isinstance(v, int | float) and v > 0 for v in (value, document))
    return value / document if numeric else np.nan
