"""A user's own spectrum: from the file to class, s and sizes with intervals, and clear words where that cannot be."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

from particlelab import cli, sedimentation
from particlelab.randomness import generator
from particlelab.reading import ReadError, read_table
from particlelab.sedimentation import Measurement, RecoveryStudy, examine, measure, measure_file, write_spectrum
from particlelab.sedimentation.figures import measurement as figures

STUDY = RecoveryStudy()
ASKED = {"walls": "rectangular", "density_g_cm3": 2.0, "model": "none", "resamples": 30}


@pytest.fixture(scope="module")
def known():
    """Two populations of 1000 and 1400 nm, in equal shares, and what is true of them."""
    return sedimentation.simulate_dispersion("two, 1 : 1.4", STUDY)


@pytest.fixture(scope="module")
def found(known):
    return examine(known[0], Measurement(**ASKED))


def values(summary):
    return summary.set_index("quantity")


def test_a_file_gives_what_its_spectrum_gives(known, tmp_path):
    path = write_spectrum(known[0], tmp_path / "mine.csv")
    table, summary = measure_file(path, Measurement(**ASKED))
    again, expected = measure(known[0], **ASKED)
    np.testing.assert_array_equal(table.s, again.s)
    np.testing.assert_array_equal(summary.value, expected.value)
    assert values(summary).loc["speed", ["value", "note"]].tolist() == [500.0, "from the file"]


def test_populations_are_within_their_intervals(known, found):
    truth, summary = known[1], values(found.summary)
    for number, part in truth.groupby("population"):
        s = part.s @ part.share / part.share.sum()
        row = summary.loc[f"peak {number}: mean s"]
        assert row.low < s < row.high and row.value == pytest.approx(s, rel=0.01)
        assert summary.loc[f"peak {number}: share"].low < 50 < summary.loc[f"peak {number}: share"].high
    assert summary.loc["absorbance"].value == pytest.approx(STUDY.optical_density, rel=0.02)
    assert (found.table.groupby("peak").weight.sum().loc[1:] > 0.3).all()
    assert found.notes == []


def test_every_number_that_is_measured_has_an_interval(found):
    measured = found.summary[found.summary.unit.isin(["S", "nm"])]
    assert len(measured) > 8 and (measured.low < measured.value).all() and (measured.value < measured.high).all()


@pytest.mark.parametrize(
    ("changes", "factor"),
    [
        ({"density_g_cm3": 0.997 + 4 * 1.003}, 0.5),  # d ~ 1 / sqrt(difference of densities)
        ({"viscosity_mpa_s": 4 * 0.89}, 2.0),  # d ~ sqrt(viscosity)
    ],
)
def test_sizes_go_as_stokes_says(known, found, changes, factor):
    other = examine(known[0], Measurement(**ASKED | changes))
    ratio = other.sizes.percentiles.diameter_nm / found.sizes.percentiles.diameter_nm
    np.testing.assert_allclose(ratio, factor, rtol=0.01)


def test_sizes_are_those_that_were_put_in():
    spectrum, _ = sedimentation.simulate_dispersion("polydisperse, 1.2", STUDY)
    percentiles = examine(spectrum, Measurement(**ASKED)).sizes.percentiles.set_index("share").diameter_nm
    expected = 1000 * 1.2 ** np.array([-1.2816, 0, 1.2816])  # of a log-normal distribution
    np.testing.assert_allclose(percentiles, expected, rtol=0.015)


def test_by_volume_small_particles_count_more_where_they_take_less_light(known):
    light, volume = (
        examine(known[0], Measurement(**ASKED, weighting=weighting, refractive_index=1.4)).sizes
        for weighting in ("extinction", "volume")
    )
    median = [sizes.percentiles.diameter_nm[1] for sizes in (light, volume)]
    taken = sedimentation.extinction_per_mm([1000.0, 1400.0], 1.4, sedimentation.Medium())
    assert (median[1] < median[0]) == (taken[0] < taken[1])
    assert np.trapezoid(volume.table.density, np.log(volume.table.diameter_nm)) == pytest.approx(1.0, abs=0.02)


def test_without_a_density_there_is_s_and_no_size(known):
    found = examine(known[0], Measurement(**ASKED | {"density_g_cm3": None}))
    assert found.sizes is None and found.table.diameter_nm.isna().all()
    assert found.notes == ["no sizes: the density of the particles is not given"]
    floating = examine(known[0], Measurement(**ASKED | {"density_g_cm3": 0.5}))
    assert floating.notes == ["no sizes: nothing moves the way that particles of this density do"]


def test_a_speed_must_be_known_from_somewhere(known, tmp_path):
    path = write_spectrum(known[0]._replace(rpm=None), tmp_path / "mine.csv")
    with pytest.raises(ReadError, match=r"mine.csv does not say how fast the rotor was; give rpm \(--rpm\), 0 if"):
        measure_file(path, Measurement(**ASKED))
    _, twice = measure_file(path, Measurement(**ASKED, rpm=1000.0))
    _, once = measure_file(path, Measurement(**ASKED, rpm=500.0))
    mean = [values(summary).value["sedimentation: mean s"] for summary in (once, twice)]
    assert mean[0] / mean[1] == pytest.approx(4, rel=1e-2)  # s ~ 1 / w^2
    _, stated = measure(known[0], **ASKED, rpm=1000.0)
    assert values(stated).value["speed"] == 500  # the file knows better


@pytest.mark.parametrize("missing", ["density_g_cm3", "refractive_index"])
def test_weights_by_volume_need_density_and_refractive_index(known, missing):
    asked = ASKED | {"weighting": "volume", "refractive_index": 1.45} | {missing: None}
    with pytest.raises(ValueError, match=f"weights by volume need {missing}"):
        examine(known[0], Measurement(**asked))


def test_a_cell_in_which_nothing_moves_says_so():
    still = sedimentation.simulate_measurement("stable", sedimentation.LUM(), generator(1, "still"))
    found = examine(still.spectrum, Measurement(**ASKED))
    assert found.distribution is None and found.table.empty and found.notes[0].startswith("no distribution of s: ")
    assert sedimentation.tell_examined(found) == "; ".join(found.notes)
    assert figures.fitted_profiles(found).data and not figures.s_distribution(found).data


def test_classes_are_those_of_the_classifier_and_sum_to_one():
    for kind in ("sedimentation", "creaming"):
        spectrum = sedimentation.simulate_one("lum", kind, generator(2, "class"))
        found = examine(spectrum, Measurement(**ASKED | {"model": "default"}))
        assert found.classes == sedimentation.classify(spectrum)
        assert sum(found.classes.values()) == pytest.approx(1)
        assert max(found.classes, key=found.classes.get) == kind
        way = next(iter(sedimentation.directions(found.distribution)))
        assert way == kind


def test_figures_show_what_was_measured(found, known):
    truth = sedimentation.true_density(known[1], "s")
    figure = figures.s_distribution(found, truth)
    curve = next(trace for trace in figure.data if trace.name == "sedimentation")
    area = np.trapezoid(curve.y, np.log(curve.x))
    assert area == pytest.approx(1, abs=0.02)
    for population in (1, 2):
        rows = truth[truth.population == population]
        assert np.trapezoid(rows.density, np.log(rows.s)) == pytest.approx(0.5, abs=0.01)
    line = next(trace for trace in figures.boundary(found).data if trace.name.endswith(")"))
    rate = 1e-13 * (2 * np.pi * 500 / 60) ** 2 * found.estimate.s
    np.testing.assert_allclose(np.log(line.y / line.y[0]), rate * np.asarray(line.x), rtol=1e-9, atol=1e-12)
    for figure in (figures.fitted_profiles(found), figures.size_distribution(found)):
        assert all(axis.title.text for axis in figure.select_yaxes())


def test_the_command_line_measures_many_files_and_names_the_bad_one(known, tmp_path):
    for name, speed in (("a", 500.0), ("b", None)):
        write_spectrum(known[0]._replace(rpm=speed), tmp_path / f"{name}.csv")
    output = tmp_path / "out" / "table.csv"
    options = ["--walls", "rectangular", "--density", "2", "--model", "none", "--resamples", "20", "-o", str(output)]
    done = CliRunner().invoke(cli.app, ["measure", "sedimentation", str(tmp_path), *options])
    assert done.exit_code == 1 and "1 of 2 files measured" in done.output
    assert re.search(r"b\.csv: .*does not say how fast the rotor was", done.output)
    table = read_table(output)
    expected, _ = measure(known[0], **ASKED | {"resamples": 20})
    np.testing.assert_allclose(table.s, expected.s)
    again = CliRunner().invoke(
        cli.app, ["measure", "sedimentation", str(tmp_path / "b.csv"), "--rpm", "500", *options[:-2]]
    )
    assert again.exit_code == 0 and "peak 2: mean s" in again.output
