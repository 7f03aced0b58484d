"""Published measurements of single aggregates, beside ours: a table ``*_published_aggregates.csv`` among the images."""

from pathlib import Path

import numpy as np
import pandas as pd

from particlelab.reading import ReadError, read_table
from particlelab.soot.measurement import tabulate

# Columns of the published table, and of ours beside them.
_COLUMNS = {"da_nm": "da_nm", "Rg_nm": "rg_nm", "dp_pcm_simple_nm": "dp_pcm_nm"}


def beside_published(samples, folder):
    """Measure the reference masks of micrographs whose aggregates others have measured and published.

    Parameters
    ----------
    samples : list of Sample
    folder : path or None
        Holds the published tables: columns ``fname``, ``da_nm``, ``Rg_nm``, ``dp_pcm_simple_nm``.

    Returns
    -------
    DataFrame
        One row a published aggregate: ``image``, and each quantity as ``published`` and ``here`` under
        ``da_nm``, ``rg_nm`` and ``dp_pcm_nm``. An aggregate here is the one whose da and Rg are nearest.
        Empty where nothing is published.

    Raises
    ------
    ReadError
        If a table lacks a column or has a cell there that is no number.
    """
    rows = []
    for path in sorted(Path(folder).glob("*_published_aggregates.csv")) if folder else []:
        published = read_table(path, numbers=tuple(_COLUMNS))
        if "fname" not in published:
            raise ReadError(f"{path.name} has no column 'fname'; it has {', '.join(map(repr, published.columns))}")
        for image, part in published.groupby(published.fname.map(lambda name: Path(name).stem)):
            for sample in samples:
                if sample.name == image and sample.mask is not None and sample.mask.any():
                    rows += _beside(sample, part)
    columns = [("image", "")] + [(ours, side) for ours in _COLUMNS.values() for side in ("published", "here")]
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples(columns))


def _beside(sample, published):
    here = tabulate(sample.image, sample.mask, sample.pixel_size_nm, ["pcm"], keep_border=True)
    rows = []
    for row in published.itertuples():
        nearest = (np.log(here.da_nm / row.da_nm).abs() + np.log(here.rg_nm / row.Rg_nm).abs()).idxmin()
        pairs = [(getattr(row, theirs), here.loc[nearest, ours]) for theirs, ours in _COLUMNS.items()]
        rows.append([sample.name, *np.ravel(pairs)])
    return rows
