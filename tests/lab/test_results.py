"""Results: numbers with as many digits as their interval allows, beside the document's."""

import json

import numpy as np
import pytest

from particlelab.lab.results import Results, format_value


@pytest.mark.parametrize(
    ("value", "interval", "unit", "text"),
    [
        (17.8234, (17.2, 18.4), "nm", "17.8 ± 0.6 nm"),
        (17.8234, (17.69, 17.95), "nm", "17.82 ± 0.13 nm"),  # a leading 1 keeps a second digit
        (1.9, (1.53, 4.0), "", "1.9 +2.1 −0.4"),  # the short side of a lopsided interval keeps a digit
        (9.97, (9.0, 10.94), "", "10.0 ± 1.0"),
        (1534.0, (1403.0, 1665.0), "nm²", "1530 ± 130 nm²"),
        (1234567, (1234000, 1235134), "", "1234600 ± 600"),
        (0.931, (0.90, 0.95), "", "0.93 +0.02 −0.03"),
        (17.8, (18.1, 19.0), "nm", "17.8 (18.1 to 19.0) nm"),
        (0.0, (-1.0, 1.0), "", "0.0 ± 1.0"),
        (-5.25, (-5.75, -4.75), "K", "-5.2 ± 0.5 K"),
        (-0.12, (-3.22, 2.98), "%", "0 ± 3 %"),  # rather than -0
        (0.93211, None, "", "0.9321"),
        (18.0, None, "nm", "18 nm"),
        (12345.678, None, "", "12346"),
        (5, None, "", "5"),
        (500, None, "", "500"),
        (2.5e-7, None, "m", "2.500e-07 m"),
        (17.8, (17.8, 17.8), "nm", "17.8 nm"),
        ("0.90", None, "", "0.90"),
        (float("inf"), None, "s", "inf s"),
        (None, None, "nm", "–"),
        (float("nan"), (1, 2), "nm", "–"),
    ],
)
def test_digits_follow_the_interval(value, interval, unit, text):
    assert format_value(value, interval, unit) == text


def example():
    results = Results("50_measure", {"seed": 3, "method": "otsu"})
    results.add("dp", np.float32(17.5), "nm", interval=(np.float64(17.0), 18.0), document=17.8, source="Table 3")
    results.add("IoU", 0.9, document="0.89", source="p. 7")
    results.add("not measured", np.nan, "nm", interval=(np.nan, np.nan))
    return results


def test_the_table_sets_document_beside_here():
    table = example().table()
    assert list(table.columns) == ["metric", "document", "here", "source"]
    assert list(table.iloc[0]) == ["dp", "17.8 nm", "17.5 ± 0.5 nm", "Table 3"]
    assert list(table.iloc[1]) == ["IoU", "0.89", "0.9", "p. 7"]
    assert list(table.iloc[2]) == ["not measured", "", "–", ""]


def test_a_number_that_is_added_again_is_replaced_in_its_place():
    results = example()
    results.add("dp", 17.6, "nm")
    assert list(results.table()["metric"]) == ["dp", "IoU", "not measured"]
    assert results.table()["here"][0] == "17.6 nm"


def test_an_interval_upside_down_is_refused():
    with pytest.raises(ValueError, match="dp: the interval must be"):
        example().add("dp", 3, interval=(4, 2))


def test_written_into_the_folder_of_the_run_as_strict_json(tmp_path, monkeypatch):
    monkeypatch.setenv("PARTICLELAB_RUN_FOLDER", str(tmp_path / "run"))
    path = example().write()
    assert path == tmp_path / "run" / "results.json"
    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert set(content) == {"notebook", "parameters", "date", "environment", "metrics"}
    assert content["parameters"] == {"seed": 3, "method": "otsu"}
    assert content["metrics"][0] == {
        "metric": "dp",
        "value": 17.5,
        "unit": "nm",
        "low": 17.0,
        "high": 18.0,
        "document": 17.8,
        "source": "Table 3",
    }
    assert content["metrics"][2]["value"] is None
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]


def test_by_hand_written_into_the_folder_of_interactive_runs(tmp_path, monkeypatch):
    monkeypatch.delenv("PARTICLELAB_RUN_FOLDER", raising=False)
    monkeypatch.setenv("PARTICLELAB_REPORTS", str(tmp_path))
    assert example().write() == tmp_path / "interactive" / "50_measure" / "results.json"
