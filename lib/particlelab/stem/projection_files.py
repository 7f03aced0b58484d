"""Projections that a user has recorded, in a text file."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from particlelab.reading import ReadError, read_signals

LABELS = ("particle", "view", "angle")  # columns that tell which projection a row is


class Projections(NamedTuple):
    """Projections of n particles, several views of each."""

    intensity: np.ndarray  # (n, views, samples)
    particles: list  # (n,): names or numbers
    angles: np.ndarray | None  # (n, views), degrees; None where the file does not tell


def read_projections(path_or_bytes, views, name=None):
    """Read projections from CSV or text, one a row, its data points in columns.

    Columns may be separated by commas, semicolons, tabs or blanks and may have names (`read_signals`). A column
    ``particle`` says which particle a row shows; without one, rows of the same particle follow each other. The views of
    a particle are put in the order of a column ``view`` or ``angle`` (degrees), where there is one.

    Parameters
    ----------
    path_or_bytes : path or bytes
        A file, or the content of an upload.
    views : int
        That each particle must have.
    name : str, optional
        Of an upload.

    Returns
    -------
    Projections

    Raises
    ------
    ReadError
        See `read_signals`; and if a particle has another number of views, or one of them twice.
    """
    signals = read_signals(path_or_bytes, name, labels=LABELS)
    rows = signals.labels.assign(row=range(len(signals.values)))
    if "angle" in rows:
        wrong = pd.to_numeric(rows.angle, errors="coerce").isna()
        if wrong.any():
            line = wrong.idxmax()
            raise ReadError(f"{signals.source}, line {line}, column 'angle': {rows.angle[line]!r} is not a number")
    if "particle" not in rows:
        rows["particle"] = rows.row // views + 1
    order = [label for label in ("view", "angle") if label in rows][:1] or ["row"]
    groups = {
        particle: group.sort_values(order, kind="stable") for particle, group in rows.groupby("particle", sort=False)
    }
    for particle, group in groups.items():
        if len(group) != views:
            lines = ", ".join(map(str, sorted(group.index)))
            raise ReadError(
                f"{signals.source}: particle {particle} must have a projection for each of {views} views, "
                f"got {len(group)} (line {lines})"
            )
        if "view" in group and group["view"].duplicated().any():
            got = ", ".join(map(str, group["view"]))
            raise ReadError(
                f"{signals.source}: the views of particle {particle} must differ, got {got} "
                "(a column 'particle' says which rows belong together)"
            )
    chosen = np.array([group.row for group in groups.values()])
    angles = rows.angle.to_numpy(float)[chosen] if "angle" in rows else None
    return Projections(signals.values[chosen], list(groups), angles)
