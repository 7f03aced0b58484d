"""Reports: they show what a notebook has, load nothing from elsewhere, and set each number beside the document's."""

import json
import re

import nbformat
import papermill
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from particlelab.lab.overview import find_runs
from particlelab.lab.report import write_index, write_report, write_scoreboard

PROSE = r"""# Soot & <more>

With $d_p$ and

$$ d_p = \left(\frac{d_a}{100\,\text{nm}}\right)^{D} $$

\begin{align} a &= b \\ c &< d \end{align}

costs \$5, a [link](https://doi.org/10.1000/1), $\undefined{$.
"""

SOURCE = """
import plotly.graph_objects as go
from IPython.display import HTML, Latex, display
display(go.Figure(go.Scatter(x=[1, 2], y=[3, 4]), layout={"title": "</script> first", "height": 320}))
display(go.Figure(go.Bar(x=[1], y=[2])))
display({"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "IntSlider()"}, raw=True)
display({"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/html": "<b>instead</b>"}, raw=True)
display(Latex(r"$\\alpha^2$"))
print("\\x1b[31mred\\x1b[0m <angle>")
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A notebook that papermill has executed by its plain command, beside its report."""
    folder = tmp_path_factory.mktemp("report")
    parameters = new_code_cell("seed = 1\nmethod = 'otsu'", metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell(PROSE), parameters, new_code_cell(SOURCE)]
    nbformat.write(new_notebook(cells=cells), folder / "10_soot.ipynb")
    options = {"kernel_name": "python3", "progress_bar": False}
    papermill.execute_notebook(
        folder / "10_soot.ipynb", folder / "out.ipynb", {"seed": 7}, language="python", **options
    )
    return write_report(folder / "out.ipynb", folder / "out.html")


@pytest.fixture(scope="module")
def page(executed):
    return BeautifulSoup(executed.read_text(encoding="utf-8"), "html.parser")


def check_offline(page):
    """Check that a page names nothing that a browser would fetch, and forbids it besides."""
    for tag in page.find_all(True):
        for attribute in ("src", "srcset", "data", "poster", "href") if tag.name != "a" else ():
            assert not re.match(r"(https?:)?//", tag.get(attribute, "")), tag
    assert not page.find_all(["link", "iframe", "object", "base"])
    for style in page.find_all("style"):
        assert "@import" not in style.text
        assert "url(" not in style.text
    policy = page.find("meta", {"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


def test_a_report_needs_no_internet(page):
    check_offline(page)


def test_equations_are_mathml(page):
    inline, block, aligned, latex = page.find_all("math")
    assert inline.text == "dp"
    assert block["display"] == "block"
    assert block.find("mfrac") and block.find("msup")
    assert len(aligned.find_all("mtr")) == 2
    assert latex.find("msup")
    assert "costs $5" in page.text
    assert page.find("code", string="\\undefined{")


def test_figures_are_drawn_from_one_copy_of_plotly(page):
    figures = [json.loads(place.find("script").string) for place in page.select("div.figure")]
    assert [figure["data"][0]["type"] for figure in figures] == ["scatter", "bar"]
    assert figures[0]["layout"]["title"]["text"] == "</script> first"
    for figure in figures:  # no button that sends data away
        assert (figure["config"]["showSendToCloud"], figure["config"]["plotlyServerURL"]) == (False, "")
    assert page.select_one("div.figure")["style"] == "height: 320px"
    scripts = [script.string for script in page.find_all("script") if not script.get("type")]
    assert sum(len(script) > 1_000_000 for script in scripts) == 1


def test_what_only_a_kernel_can_show_is_replaced(page):
    shown = " ".join(output.text for output in page.select(".output"))
    assert "IntSlider" not in shown
    assert "Live controls stand here" in shown
    assert page.find("b", string="instead")
    assert "red <angle>" in shown
    assert "\x1b" not in page.text


def test_code_is_folded_and_what_papermill_adds_is_left_out(page):
    assert [item.find("pre").text.split()[0] for item in page.select("details.code")] == ["seed", "import"]
    assert not page.select("details[open]")
    assert page.title.string == "Soot & <more>"
    rows = [[cell.text for cell in row.find_all("td")] for row in page.select("main section:last-of-type tbody tr")]
    assert rows == [["seed", "7", "1"], ["method", "'otsu'", "'otsu'"]]


def test_a_report_without_figures_is_small(tmp_path):
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), tmp_path / "a.ipynb")
    assert write_report(tmp_path / "a.ipynb", tmp_path / "a.html").stat().st_size < 30_000


def test_the_failed_cell_stands_open_with_its_error(tmp_path):
    error = new_output("error", ename="ValueError", evalue="no <b>", traceback=["\x1b[31mno <b>\x1b[0m"])
    cells = [new_code_cell("1"), new_code_cell("raise", outputs=[error])]
    nbformat.write(new_notebook(cells=cells), tmp_path / "a.ipynb")
    told = {"cell": 2, "source": "raise", "name": "ValueError", "message": "no <b>", "traceback": ""}
    (tmp_path / "status.json").write_text(json.dumps({"status": "failed", "notebook": "a", "error": told}))
    page = BeautifulSoup(write_report(tmp_path / "a.ipynb", tmp_path / "a.html").read_text(), "html.parser")
    assert "failed in cell 2: ValueError: no <b>" in " ".join(page.select_one(".failed").text.split())
    assert page.select_one("#failed details[open]")
    assert "no <b>" in page.select_one("#failed pre.traceback").text


def metric(name, value, low=None, high=None, document=None, source=""):
    names = ("metric", "value", "unit", "low", "high", "document", "source")
    return dict(zip(names, (name, value, "nm", low, high, document, source), strict=True))


def write_run(folder, sweep, seed, metrics, error=None, method="otsu"):
    place = folder / sweep / f"10_soot-{method}{seed}"
    place.mkdir(parents=True)
    environment = {"date": f"2026-01-0{seed}T10:00:00+00:00", "processor": "CPU", "cores": 2, "gpu": ""}
    status = {
        **{"status": "failed" if error else "done", "sweep": sweep, "notebook": "10_soot", "title": "Soot & <more>"},
        **{"parameters": {"seed": seed, "method": method, "same": 0}, "duration_s": 2.5 * seed, "error": error},
        **{"command": f"particlelab batch {sweep}.yaml", "environment": environment},
    }
    (place / "status.json").write_text(json.dumps(status))
    if not error:
        (place / "index.html").touch()
        results = {"parameters": {"seed": seed}, "date": environment["date"], "metrics": metrics}
        (place / "results.json").write_text(json.dumps({**results, "environment": environment}))


@pytest.fixture
def reports(tmp_path):
    """Three runs that differ in their seed, one of which failed, and one that was made by hand."""
    for seed, value in ((2, 17.0), (1, 19.0)):
        write_run(tmp_path, "quick", seed, [metric("dp | mean", value, value - 2, value + 2, 17.8, "Table 3")])
    error = {"cell": 3, "source": "1 / 0", "name": "ZeroDivisionError", "message": "division", "traceback": "there"}
    write_run(tmp_path, "quick", 3, [], error)
    by_hand = tmp_path / "interactive" / "11_other"
    by_hand.mkdir(parents=True)
    metrics = [metric("count", 12), metric("dp", None, document="18")]
    (by_hand / "results.json").write_text(json.dumps({"parameters": {}, "date": "2026", "metrics": metrics}))
    (tmp_path / "quick" / ".10_soot-x-abc.tmp" / "run").mkdir(parents=True)
    (tmp_path / "quick" / ".10_soot-x-abc.tmp" / "status.json").write_text("{}")
    (tmp_path / "quick" / "damaged").mkdir()
    (tmp_path / "quick" / "damaged" / "status.json").write_text('{"stat')
    return tmp_path


def cells(row):
    return [" ".join(cell.get_text(" ").split()) for cell in row.find_all("td")]


def test_the_index_lists_every_run_and_every_number(reports):
    page = BeautifulSoup(write_index(reports).read_text(encoding="utf-8"), "html.parser")
    check_offline(page)
    runs, numbers = page.select("table")
    assert [cells(row) for row in runs.select("tbody tr")] == [
        ["11_other 11_other", "interactive", "", "by hand", "", "2026"],
        ["Soot & <more> 10_soot", "quick", "seed = 1", "done", "2.5 s", "2026-01-01 10:00"],
        ["Soot & <more> 10_soot", "quick", "seed = 2", "done", "5.0 s", "2026-01-02 10:00"],
        [
            *("Soot & <more> 10_soot", "quick", "seed = 3"),
            *("failed in cell 3: ZeroDivisionError: division 1 / 0 there", "7.5 s", "2026-01-03 10:00"),
        ],
    ]
    assert [cells(row)[:4] for row in numbers.select("tbody tr")] == [
        ["count", "", "12 nm", ""],
        ["dp", "18 nm", "–", ""],
        ["dp | mean", "17.8 nm", "19 ± 2 nm", "Table 3"],
        ["dp | mean", "17.8 nm", "17 ± 2 nm", "Table 3"],
    ]
    links = {link["href"] for link in page.find_all("a")}
    assert links == {"quick/10_soot-otsu1/index.html", "quick/10_soot-otsu2/index.html"}
    assert all((reports / link).is_file() for link in links)


def test_an_index_of_nothing(tmp_path):
    assert "0 done" in write_index(tmp_path / "new").read_text()


def board(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return [re.split(r" (?<!\\)\| ", line.strip("| ")) for line in lines if line.startswith("|")][2:]


def test_the_scoreboard_has_a_row_for_each_number_of_the_document(reports):
    path = write_scoreboard(reports / "scoreboard.md", reports)
    # mean and standard deviation of 17 and 19: 18 and sqrt(2)
    setting = "quick (method = otsu, same = 0)"
    row = [
        "10_soot",
        "dp \\| mean",
        "17.8 nm",
        "18.0 ± 1.4 nm",
        "Table 3",
        setting,
        "1, 2",
        "CPU, 2 cores",
        "2026-01-02",
    ]
    assert board(path) == [[*row, "`particlelab batch quick.yaml`"]]  # and none of what was run by hand
    before = path.read_text()
    assert write_scoreboard(path, reports).read_text() == before


def test_rows_from_other_machines_stay(reports, tmp_path):
    path = write_scoreboard(reports / "scoreboard.md", reports)
    write_run(tmp_path / "elsewhere", "document", 5, [metric("dp | mean", 18.0, document=17.8)], method="kmeans")
    write_scoreboard(path, tmp_path / "elsewhere")
    assert [row[5] for row in board(path)] == [
        "document (method = kmeans, same = 0)",
        "quick (method = otsu, same = 0)",
    ]
    assert [row[3] for row in board(path)] == ["18 nm", "18.0 ± 1.4 nm"]


def test_runs_that_are_not_whole_are_not_found(reports):
    assert [run["folder"].name for run in find_runs(reports)] == [
        *("11_other", "10_soot-otsu1", "10_soot-otsu2", "10_soot-otsu3")
    ]
