"""The numbers that the document reports: Sipkens et al., tables 3, 4 and 5, on its 60 validation images."""

import numpy as np
import pandas as pd

from particlelab.soot.comparison import summarise_sizers

_NAN = np.nan

# Rates, accuracy and IoU in per cent; `iou_all` counts failed images as empty. The last two columns
# are the differences of the median and of the geometric mean projected-area equivalent diameter, in
# per cent: the table's header is not legible, but its conclusions give below 2 % for the median and
# below 5 % for the geometric mean, which settles the order.
TABLE_3 = pd.DataFrame(
    [
        ("reference", _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, 158, _NAN, _NAN, _NAN, _NAN),
        ("cnn", 0.09, 3.2, 99.8, 0, 94, 94, 199, 41, 0, -14, -40),
        ("cnn + RB", _NAN, _NAN, _NAN, _NAN, 94, 94, 182, 24, 0, -9.0, -22),
        ("cnn + 1000 px", _NAN, _NAN, _NAN, _NAN, 94, 94, 168, 10, 0, -1.4, -6.6),
        ("cnn + RB + 1000 px", _NAN, _NAN, _NAN, _NAN, 94, 94, 166, 9, 1, -0.43, -4.5),
        ("kmeans", 0.22, 6.6, 99.5, 11, 89, 23, 211, 75, 22, -20, -45),
        ("kmeans + 1000 px", _NAN, _NAN, _NAN, _NAN, 89, 23, 165, 29, 22, -0.01, -9.2),
        ("otsu", 0.05, 21, 99.0, 18, 78, 11, 260, 139, 37, -39, -48),
        ("weka", 0.33, 5.8, 99.5, 2, 87, 86, 205, 59, 12, -10, -22),
    ],
    columns=[
        *("classifier", "false_positive", "false_negative", "accuracy", "failed", "iou", "iou_all"),
        *("aggregates", "added", "removed", "da_median_error", "da_geometric_error"),
    ],
).set_index("classifier")

# Geometric mean and geometric standard deviation of the aggregates' primary diameters, in nm. The
# row "kmeans + 1000 px" stands as printed; its brackets are below 1, which no geometric standard
# deviation can be: they are the slopes of table 5's CNN row.
TABLE_4 = pd.DataFrame(
    [
        ("reference", 17.4, 1.44, 19.0, 1.52, 18.4, 1.52, 29.2, 1.44),
        ("cnn", 17.4, 1.47, 11.0, 5.41, 13.8, 2.21, 20.7, 2.27),
        ("cnn + RB + 1000 px", 17.6, 1.46, 19.8, 1.49, 20.8, 1.45, 31.2, 1.39),
        ("kmeans", 16.7, 1.47, 13.8, 2.42, 16.3, 1.99, 24.7, 1.99),
        ("kmeans + 1000 px", 19.9, 0.42, 20.9, 0.25, 17.5, 0.14, 31.3, 0.24),
        ("otsu", 17.4, 1.42, 12.2, 2.02, 9.1, 1.87, 19.6, 1.70),
        ("weka", 17.5, 1.45, 14.1, 1.83, 13.4, 1.83, 20.4, 1.70),
    ],
    columns=pd.MultiIndex.from_tuples(
        [("classifier", "")] + [(s, v) for s in ("hough", "edm_sbs", "pcm", "edm_ws") for v in ("dp_nm", "gsd")]
    ),
).set_index(("classifier", ""))

# Power laws dp = dp100 (da / 100 nm)^D_TEM: dp100 in nm and D_TEM.
TABLE_5 = pd.DataFrame(
    [
        ("reference", 17.2, 0.16, 18.8, 0.44, 18.3, 0.31, 28.9, 0.27),
        ("cnn + RB + 1000 px", 17.5, 0.14, 19.9, 0.42, 20.9, 0.25, 31.3, 0.24),
        ("kmeans + 1000 px", 17.5, 0.17, 21.4, 0.50, 22.2, 0.28, 34.5, 0.30),
        ("weka", 17.5, 0.12, 16.1, 0.60, 14.9, 0.47, 22.4, 0.42),
    ],
    columns=pd.MultiIndex.from_tuples(
        [("classifier", "")] + [(s, v) for s in ("hough", "edm_sbs", "pcm", "edm_ws") for v in ("dp100_nm", "d_tem")]
    ),
).set_index(("classifier", ""))
TABLE_4.index.name = TABLE_5.index.name = "classifier"

# Over all pairings of table 5, from sec. 3.3 and the abstract: means, and two standard deviations in per cent of the
# mean. Sec. 3.3 gives "1.9 nm (resulting in ~10 % error, considering two standard deviations)" for dp,100 without
# EDM-WS, but 1.9 nm is one standard deviation (table 5 has 2.2 nm); the abstract's 25 % is two.
OVERALL = {
    ("dp,100", "without edm_ws"): (18.5, 25),
    ("D_TEM", "all"): (0.32, 85),
}

_WORDS_3 = {
    "iou": "IoU",
    "iou_all": "IoU, failed images as empty",
    "false_positive": "background taken for soot",
    "false_negative": "soot taken for background",
    "accuracy": "accuracy",
    "failed": "failed images",
    "da_median_error": "error of the median da",
    "da_geometric_error": "error of the geometric mean da",
}


def beside_table_3(scores, row):
    """Set the scores of classifiers beside table 3.

    Parameters
    ----------
    scores : DataFrame
        From `summarise_classifiers`.
    row : dict of str to str
        By classifier, the row of table 3 that belongs beside it.

    Returns
    -------
    list of tuple
        Classifier, metric in words, value here and in the document (per cent; NaN where it has none), source.
    """
    rows = []
    for here in scores.to_dict("records"):
        classifier = here["classifier"]
        there = TABLE_3.loc[row[classifier]] if row.get(classifier) in TABLE_3.index else dict.fromkeys(TABLE_3, _NAN)
        for column, words in _WORDS_3.items():
            value = 100 * here.get(column, _NAN) / (here["images"] if column == "failed" else 1)
            document = there[column] / 0.6 if column == "failed" else there[column]  # of 60 images
            rows.append((classifier, words, value, document, "Table 3"))
    return rows


def beside_tables_4_and_5(primaries, row):
    """Set primary sizes and power laws beside tables 4 and 5.

    Parameters
    ----------
    primaries : DataFrame
        From `summarise_primaries`.
    row : dict of str to str
        By classifier, the row of the tables that belongs beside it.

    Returns
    -------
    list of tuple
        Classifier, sizing method, metric in words, value here, its 95 % interval, unit, value in the document, source.
    """
    rows = []
    for here in primaries.to_dict("records"):
        classifier, sizer = here["classifier"], here["sizer"]
        for table, source, column, words, unit in [
            (TABLE_4, "Table 4", "dp_nm", "geometric mean dp", "nm"),
            (TABLE_4, "Table 4", "gsd", "geometric standard deviation of dp", ""),
            (TABLE_5, "Table 5", "dp100_nm", "dp,100", "nm"),
            (TABLE_5, "Table 5", "d_tem", "D_TEM", ""),
        ]:
            interval = here.get(f"{column}_low", _NAN), here.get(f"{column}_high", _NAN)
            printed = row.get(classifier) in table.index and (sizer, column) in table.columns
            document = table.loc[row[classifier], (sizer, column)] if printed else _NAN
            misprint = ", misprinted" if column == "gsd" and document < 1 else ""
            rows.append((classifier, sizer, words, here.get(column, _NAN), interval, unit, document, source + misprint))
    return rows


def pairings_of_table_5():
    """Return table 5 as `summarise_primaries` has it: one row a classifier and sizing method."""
    names = ["classifier", "sizer", "dp100_nm", "d_tem"]
    return TABLE_5.stack(level=0, future_stack=True).reset_index().set_axis(names, axis=1)


def beside_averages(averages):
    """Set means and standard deviations over the classifiers beside the last rows of table 5.

    Parameters
    ----------
    averages : DataFrame
        From `summarise_sizers`.

    Returns
    -------
    list of tuple
        Sizing method, metric in words, value here, unit, value in the document (NaN where it has none), source.
    """
    printed = summarise_sizers(pairings_of_table_5()).set_index("sizer")
    words = {
        "dp100_nm": ("dp,100, average over the classifiers", "nm"),
        "dp100_sd_nm": ("dp,100, standard deviation over the classifiers", "nm"),
        "d_tem": ("D_TEM, average over the classifiers", ""),
        "d_tem_sd": ("D_TEM, standard deviation over the classifiers", ""),
    }
    rows = []
    for here in averages.to_dict("records"):
        sizer = here["sizer"]
        for column, (metric, unit) in words.items():
            document = printed.loc[sizer, column] if sizer in printed.index else _NAN
            rows.append((sizer, metric, here[column], unit, document, "Table 5"))
    return rows


def beside_spread(spread):
    """Set the spread over all pairings of classifiers and sizing methods beside that of the document.

    Parameters
    ----------
    spread : DataFrame
        From `method_spread`.

    Returns
    -------
    list of tuple
        Metric in words, value here, unit, value in the document, source.
    """
    rows = []
    for here in spread.to_dict("records"):
        if document := OVERALL.get((here["quantity"], here["sizers"])):
            over = f"{here['quantity']} over all pairings" + (" but EDM-WS" if here["sizers"] != "all" else "")
            rows.append((f"{over}: mean", here["mean"], here["unit"], document[0], "sec. 3.3"))
            rows.append((f"{over}: two standard deviations", 100 * here["spread"], "%", document[1], "abstract"))
    return rows
