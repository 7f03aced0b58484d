"""The front door shows the newest number of each metric, beside the document's."""

import json

import pytest

from particlelab.lab import catalogue


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """A folder of reports, and a function that puts a finished run into it."""
    monkeypatch.setenv("PARTICLELAB_REPORTS", str(tmp_path))

    def add(sweep, date, value, document=20.0):
        folder = tmp_path / sweep / "50_x"
        folder.mkdir(parents=True)
        metric = {"metric": "dp", "value": value, "unit": "nm", "low": None, "high": None}
        metric |= {"document": document, "source": "Table 4"}
        results = {"notebook": "50_x", "parameters": {}, "date": date, "environment": {}, "metrics": [metric]}
        (folder / "results.json").write_text(json.dumps(results))
        status = {"status": "done", "sweep": sweep, "notebook": "50_x", "title": "X", "parameters": {}}
        status |= {"duration_s": 1.0, "error": None, "command": "", "environment": {"date": date}}
        (folder / "status.json").write_text(json.dumps(status))

    return add


def test_the_newest_number_counts(reports):
    reports("later", "2026-02-01T00:00:00", 25.0)
    reports("earlier", "2026-01-01T00:00:00", 10.0)
    row = catalogue.numbers().iloc[0]
    assert (row.here, row.document, row.ratio, row.sweep) == ("25 nm", "20 nm", 1.25, "later")
    assert list(catalogue.numbers("earlier").ratio) == [0.5]


@pytest.mark.parametrize(("value", "document"), [(None, 20.0), (10.0, None), (-1.0, 20.0), ("yes", 20.0)])
def test_no_ratio_without_two_positive_numbers(reports, value, document):
    reports("tour", "2026-01-01T00:00:00", value, document)
    assert catalogue.numbers().ratio.isna().all()


def test_sweeps_that_ran_are_the_choices(reports):
    reports("tour", "2026-01-01T00:00:00", 1.0)
    (sweep,) = catalogue.overview_of_runs().describe()
    assert sweep.choices == ("all", "tour")


def test_without_a_run_there_are_no_numbers_but_all_notebooks(reports):
    assert catalogue.numbers().empty
    listed = catalogue.notebooks()
    assert set(listed["last run"]) == {"never run"}
    assert {"00_overview", "50_soot_measure_tem_images"} <= set(listed.notebook)
