"""How often inferred intervals hold the truth, and how well a learned SDE foretells series that it has not seen."""

import numpy as np
import pandas as pd

from particlelab.aerosol.inverse import draw_prior, find_intervals, find_power, find_ranks, log_likelihood
from particlelab.aerosol.inverse_studies import NAMES, UNKNOWN
from particlelab.aerosol.residuals import check_residuals
from particlelab.aerosol.scores import average_trajectories, coverage, crps, tabulate_trajectories, trajectory_mse
from particlelab.aerosol.surveys import steps_of
from particlelab.randomness import generator

GROUPS = ("low", "middle", "high")  # thirds of the strengths
LEVELS = tuple(np.round(np.arange(0.1, 1.0, 0.1), 1)) + (0.95,)


def infer_all(models, surveyed, asked, parameters, frames=None, progress=None):
    """Infer the parameters of each series.

    Parameters
    ----------
    models : dict of str to SeriesModel or SDE
        By method.
    surveyed : Surveyed
    asked : str
        `STILL` or `KNOWN`: the strength, where the wind is known; `UNKNOWN`: both.
    parameters : InverseStudy
        Of which the prior's bounds are taken.
    frames : int, optional
        Of each series only so many are seen.
    progress : callable, optional
        Called with the share that is done and a text.

    Returns
    -------
    DataFrame
        A row for each method, series and parameter: ``method``, ``asked``, ``frames``, ``series``, ``parameter``,
        ``true``, the 90 % interval ``low`` to ``high``, ``median``, and the ``rank`` of the truth (`find_ranks`).
    """
    p, rows = parameters, []
    frames = frames or surveyed.sizes.shape[1]
    strengths, winds = (p.strength_low, p.strength_high), (p.wind_low, p.wind_high)
    names = NAMES if asked == UNKNOWN else NAMES[:1]
    prior = draw_prior(strengths, winds)
    for number, (curve, truth) in enumerate(zip(surveyed.sizes[:, :frames], surveyed.covariates, strict=True)):
        if asked != UNKNOWN:
            prior = draw_prior(strengths, None, truth[1])
        for method, model in models.items():
            likelihood, power = log_likelihood(curve, model, prior, p.frame_time_s), find_power(model, frames)
            ends = find_intervals(likelihood, prior, power)
            ranks = find_ranks(likelihood, prior, truth, power)
            for k, name in enumerate(names):
                low, median, high = (end[k] for end in ends)
                rows.append((method, asked, frames, number, name, truth[k], low, median, high, ranks[k]))
        if progress:
            progress((number + 1) / len(surveyed.sizes), f"series {number + 1} of {len(surveyed.sizes)}")
    columns = ["method", "asked", "frames", "series", "parameter", "true", "low", "median", "high", "rank"]
    return pd.DataFrame(rows, columns=columns)


def score_estimates(estimates, prior_widths, by=("method", "asked", "frames", "parameter")):
    """Score intervals and medians.

    Parameters
    ----------
    estimates : DataFrame
        Of `infer_all`.
    prior_widths : dict of str to float
        Width of what each parameter may be.
    by : sequence of str

    Returns
    -------
    DataFrame
        ``coverage`` of the 90 % intervals and its binomial ``coverage_error``; root mean square ``error`` of the
        median; mean ``width`` of the interval, and as a share of that of the prior (``sharpness``: 1 is no knowledge).
    """
    rows = []
    for key, some in estimates.groupby(list(by), sort=False):
        held = (some.low <= some.true) & (some.true <= some.high)
        share, n = held.mean(), len(some)
        width = (some.high - some.low).mean()
        relative = width / (0.9 * prior_widths[some.parameter.iloc[0]])
        error = ((some["median"] - some.true) ** 2).mean() ** 0.5
        rows.append((*key, n, share, np.sqrt(share * (1 - share) / n), error, width, relative))
    return pd.DataFrame(rows, columns=[*by, "series", "coverage", "coverage_error", "error", "width", "sharpness"])


def count_coverage(estimates, levels=LEVELS):
    """Count how often central intervals of each level hold the truth.

    Returns
    -------
    DataFrame
        ``method``, ``asked``, ``parameter``, ``level``, ``coverage``, and its binomial ``error`` if the level is right.
    """
    rows = []
    for key, some in estimates.groupby(["method", "asked", "parameter"], sort=False):
        for level in levels:
            share = float(((some["rank"] - 0.5).abs() <= level / 2).mean())
            rows.append((*key, level, share, (level * (1 - level) / len(some)) ** 0.5))
    return pd.DataFrame(rows, columns=["method", "asked", "parameter", "level", "coverage", "error"])


def group_by_strength(estimates, strengths):
    """Return estimates with a column ``group``: low, middle or high, by thirds of the strengths; sorted by it."""
    true = estimates[estimates.parameter == "strength"].drop_duplicates(["asked", "series"])
    edges = np.linspace(*strengths, len(GROUPS) + 1)[1:-1]
    group = np.array(GROUPS)[np.searchsorted(edges, true.true)]
    known = dict(zip(zip(true.asked, true.series, strict=True), group, strict=True))
    keys = zip(estimates.asked, estimates.series, strict=True)
    order = {name: number for number, name in enumerate(GROUPS)}
    grouped = estimates.assign(group=[known[key] for key in keys])
    return grouped.sort_values("group", key=lambda names: names.map(order), kind="stable")


def judge_growth(sde, surveyed, h, samples=200, seed=0):
    """Score a learned SDE on series that it has not seen.

    Returns
    -------
    dict
        ``loss`` (eq. 2.13), ``MSE`` of average trajectories by whole strengths (%^2) and as a share of the variance of
        the true ones, ``CRPS`` (%) and ``coverage of forecast bands, 90 %``, both from the first frame on and with the
        SDE's memory; and of the residuals variance (expected 1), autocorrelation and that of squares (expected 0), and
        the p value of their normality.
    """
    told, rng = sde.covariates, generator(seed, "judge")
    x0, x1, p = steps_of(surveyed, told)
    true, known = surveyed.sizes, surveyed.covariates[:, :told]
    memory = sde.card.get("memory", 0.0)
    drawn = sde.sample(true[:, 0], true.shape[1] - 1, h, known, samples, rng, by_member=True, memory=memory)[..., 0]
    strength = np.round(known[:, 0])
    tables = [tabulate_trajectories(some, strength) for some in (true, drawn.mean(axis=1))]
    error = trajectory_mse(*tables)
    labels = np.repeat(np.arange(len(true)), true.shape[1] - 1)
    checks = check_residuals(sde, x0, x1, h, p, labels).set_index("check")
    return {
        "series": len(true),
        "loss": sde.loss(x0, x1, h, p),
        "MSE": error,
        "relative MSE": error / float(average_trajectories(tables[0]).to_numpy().var()),
        "CRPS": float(np.mean(crps(true[:, 1:], drawn[:, :, 1:]))),
        "coverage of forecast bands, 90 %": float(coverage(true[:, 1:], drawn[:, :, 1:], [0.9]).coverage[0]),
        "variance of residuals": float(checks.value["variance"]),
        "autocorrelation of residuals": float(checks.value["autocorrelation"]),
        "autocorrelation of their squares": float(checks.value["autocorrelation of squares"]),
        "p value of normality": float(checks.p_value["normality (Anderson-Darling)"]),
    }
