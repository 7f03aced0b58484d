"""The dashboards of growth: forecasts and surfaces are those of the networks that the notebook trained."""

import re

import pytest

DYNAMICS, WEIGHTS = "13_aerosol_dynamics", "14_aerosol_imbalance_and_tuning"
FEW = {"grid": 16, "people": 4, "simulations": 5, "first_simulations": 4, "epochs": 2, "batch": 64, "samples": 10}
NOTEBOOKS = {
    DYNAMICS: FEW | {"people": 3, "simulations": 3, "first_simulations": 2, "members": 2},
    WEIGHTS: FEW | {"tuned_epochs": 1, "search_epochs": 2},
}


@pytest.mark.timeout(1200)  # networks are trained first
@pytest.mark.parametrize("notebook", [DYNAMICS, WEIGHTS])
def test_everything_runs_without_an_error_or_a_request_to_the_internet(check_runs, notebook):
    check_runs(notebook)


def test_a_forecast_begins_at_the_size_that_is_asked_for(opened, status, shown_table):
    page = opened(DYNAMICS).page
    status(page, "done")
    size = page.get_by_role("textbox", name=re.compile("Size at the beginning"))
    size.fill("7.5")
    size.press("Enter")
    for _ in range(240):
        if shown_table(page)[1][1:] == ["7.50", "7.50", "7.50"]:
            break
        page.wait_for_timeout(250)
    rows = shown_table(page)
    assert rows[1][1:] == ["7.50", "7.50", "7.50"]  # all quantiles of the first frame
    spans = [float(row[3]) - float(row[2]) for row in rows[1:]]
    assert spans[0] == 0 < spans[1] < spans[-1]  # bands open
