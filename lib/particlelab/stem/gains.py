"""Accuracies of experiments beside the document's, and what networks gained over others."""

import numpy as np
import pandas as pd
from scipy import stats

from particlelab.stem.classifier import load_classifier
from particlelab.stem.experiments import EXPERIMENTS, each_view_alone
from particlelab.stem.networks import predict
from particlelab.stem.outcomes import slug

Z = 1.96  # standard errors on either side of a 95 % interval
ALONE = {  # what learned the same without what came before
    "holes, after spirals": "holes, seen like spirals",
    "small clockwise spirals, after spirals": "small clockwise spirals",
}


def summarise(scores):
    """Put the scores of experiments beside the document's.

    Parameters
    ----------
    scores : dict of str to DataFrame
        By experiment, from `judge`.

    Returns
    -------
    DataFrame
        One row an experiment and task: ``experiment`` (with the task where there are several), ``views``, ``document``
        (NaN where it reports nothing) and ``source`` in it, what `judge` gives (NaN where it does not), and the 95 %
        interval of the accuracy from ``accuracy_low`` to ``accuracy_high``.
    """
    rows = []
    for name, found in scores.items():
        known = {column: getattr(EXPERIMENTS[name], column) for column in ("views", "document", "source")}
        for row in found.to_dict("records"):
            title = f"{name}: {row['task']}" if len(found) > 1 else name
            rows.append({"experiment": title} | known | row)
    columns = dict.fromkeys([*rows[0], "unpaired", "repeated"])
    return add_interval(pd.DataFrame(rows, columns=list(columns)).astype({"document": float}), "accuracy")


def add_interval(table, column):
    """Add the 95 % interval of a column, ``_low`` and ``_high``, from the column ``standard_error``."""
    reach = Z * table.standard_error
    return table.assign(**{f"{column}_low": table[column] - reach, f"{column}_high": table[column] + reach})


def compare(table):
    """Compare networks with those that learned the same task alone (sec. 4.4, 4.5 and 5).

    Parameters
    ----------
    table : DataFrame
        From `summarise`.

    Returns
    -------
    DataFrame
        One row a network whose counterpart is there, too: ``experiment``, ``alone``, ``gain`` of accuracy, its
        ``standard_error`` (of the particles that both were judged by; chance in training is not in it) and 95 %
        interval, ``gain_low`` to ``gain_high``.
    """
    scores, rows = table.set_index("experiment"), []
    for name, one in scores.iterrows():
        experiment, _, task = name.partition(": ")
        alone = f"both, {task}s only: {task}" if task else ALONE.get(experiment)
        if alone in scores.index and alone != name and not experiment.endswith("only"):
            two = scores.loc[alone]
            error = np.hypot(one.standard_error, two.standard_error)
            rows.append((name, alone, one.accuracy - two.accuracy, error))
    return add_interval(pd.DataFrame(rows, columns=["experiment", "alone", "gain", "standard_error"]), "gain")


def compare_repeats(names):
    """Compare the networks that ship, and their trainings with other seeds, with those that learned alone.

    Parameters
    ----------
    names : sequence of str
        Keys of `EXPERIMENTS`.

    Returns
    -------
    DataFrame
        As `compare`, for each ``seed`` that a network and its counterpart were both trained with.
    """
    repeats = {name: load_classifier(slug(name)).card["repeats"] for name in names}
    tables = []
    for seed in sorted(set().union(*repeats.values()), key=int):
        scores = {n: pd.DataFrame.from_dict(found[seed], "index") for n, found in repeats.items() if seed in found}
        table = summarise({n: found.rename_axis("task").reset_index() for n, found in scores.items()})
        tables.append(compare(table).assign(seed=int(seed)))
    return pd.concat(tables, ignore_index=True)


def average_gains(gains):
    """Average gains over trainings.

    Parameters
    ----------
    gains : DataFrame
        From `compare_repeats`.

    Returns
    -------
    DataFrame
        One row an experiment: ``experiment``, ``alone``, mean ``gain``, number of ``trainings``, 95 % interval
        ``gain_low`` to ``gain_high``: of Student's t with the scatter between trainings, or for a single one that of
        the particles, which knows nothing of chance in training.
    """
    rows = []
    for (experiment, alone), some in gains.groupby(["experiment", "alone"], sort=False):
        n = len(some)
        t, scatter = (
            (stats.t.ppf(0.975, n - 1), some.gain.std() / np.sqrt(n)) if n > 1 else (Z, some.standard_error.iloc[0])
        )
        mean = some.gain.mean()
        rows.append((experiment, alone, mean, n, mean - t * scatter, mean + t * scatter))
    return pd.DataFrame(rows, columns=["experiment", "alone", "gain", "trainings", "gain_low", "gain_high"])


def gain_of_both_views(single, double, data):
    """Measure what a network of two views knows beyond one of a single view that looks at both in turn.

    Parameters
    ----------
    single, double : keras.Model
    data : Dataset
        Of two views.

    Returns
    -------
    dict
        Accuracies ``each view alone`` and ``both together``, the ``gain`` and its ``standard_error``.
    """
    alone = each_view_alone(single, data.x).argmax(axis=1) == data.y
    together = predict(double, data.x).argmax(axis=1) == data.y
    gain = together.astype(float) - alone
    accuracies = {"each view alone": alone.mean(), "both together": together.mean()}
    return accuracies | {"gain": gain.mean(), "standard_error": gain.std() / np.sqrt(gain.size)}
