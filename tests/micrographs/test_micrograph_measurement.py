"""Measured sizes: the border correction by counting and by chance, means by hand, intervals by coverage, files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

from particlelab.measure import moment_mean
from particlelab.micrographs.measurement import (
    MEASUREMENT_GROUPS,
    Measurement,
    examine,
    measure,
    measure_file,
    touches_border,
)
from particlelab.micrographs.sizes import border_weights, summarise, weighted_quantiles
from particlelab.randomness import generator
from particlelab.reading import ReadError


def disks(places, shape):
    """A picture of bright disks (column, row, radius) on a dark ground."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    inside = np.zeros(shape, bool)
    for column, row, radius in places:
        inside |= (x - column) ** 2 + (y - row) ** 2 <= radius**2
    return np.where(inside, 180, 40).astype(np.uint8)


def test_over_all_places_the_weights_of_a_particle_count_every_place_once():
    """A box of 7 x 4 pixels that begins anywhere in a picture of 30 x 20: those that count stand for all 600."""
    x, y = np.meshgrid(np.arange(30), np.arange(20))
    free = (x > 0) & (y > 0) & (x + 7 < 30) & (y + 4 < 20)
    assert np.count_nonzero(free) * border_weights([7], [4], (20, 30))[0] == pytest.approx(600)


def test_disks_by_chance_are_biased_without_the_correction_and_not_with_it():
    """As many small, middle and large disks, anywhere and beyond the edge: what is found of each in a frame."""
    rng, side, reach = generator(0, "miles"), 120, 40
    middles = np.arange(side) + 0.5
    found, radii = {4: [], 12: [], 35: []}, rng.choice([4, 12, 35], 12_000)
    for radius, (column, row) in zip(radii, rng.uniform(-reach, side + reach, (len(radii), 2)), strict=True):
        x, y = (np.flatnonzero((middles - centre) ** 2 <= radius**2) for centre in (column, row))
        mask = (middles[x] - column) ** 2 + ((middles[y] - row) ** 2)[:, None] <= radius**2
        if mask.any():
            x, y = x[mask.any(axis=0)], y[mask.any(axis=1)]
            place = slice(y[0], y[-1] + 1), slice(x[0], x[-1] + 1)
            cut = touches_border(place, (side, side))
            found[radius].append(0.0 if cut else border_weights([len(x)], [len(y)], (side, side))[0])
    within = 4000 * (side / (side + 2 * reach)) ** 2  # of each size, have their middle in the frame
    for weights in map(np.array, found.values()):
        assert weights.sum() == pytest.approx(within, abs=4 * np.sqrt(np.sum(weights**2) + within**2 / 4000))
    kept = {radius: np.count_nonzero(weights) for radius, weights in found.items()}
    assert kept[35] < 0.5 * kept[4]


def test_a_picture_of_disks_is_measured():
    """Diameters of 16, 24 and 40 pixels of 5 nm, one of them cut by the edge."""
    places = [(40, 40, 8), (90, 45, 12), (60, 100, 20), (150, 130, 8), (199, 60, 12)]
    image = disks(places, (160, 200))
    for method in ("watershed", "hough"):
        table, summary = measure(image, 5.0, method=method)
        whole = table[~table.touches_border].sort_values(["diameter_nm", "x_nm"])
        assert whole.diameter_nm.to_numpy() == pytest.approx([80, 80, 120, 200], rel=0.03)
        assert whole.x_nm.to_numpy() == pytest.approx([200, 750, 450, 300], abs=3)
        assert whole.y_nm.to_numpy() == pytest.approx([200, 650, 225, 500], abs=3)
        assert (table.weight[table.touches_border] == 0).all() and (whole.weight > 1).all()
        assert whole.feret_largest_nm.to_numpy() == pytest.approx(whole.diameter_nm.to_numpy(), abs=10)
        assert whole.area_nm2.to_numpy() == pytest.approx(np.pi / 4 * whole.diameter_nm.to_numpy() ** 2)
        value = summary.set_index("quantity").value
        assert value["particles"] == 4 and value["number"] == pytest.approx(table.weight.sum())
        assert value["number_per_area"] == pytest.approx(table.weight.sum() / 0.8)  # of 800 nm x 1000 nm
        d, w = whole.diameter_nm, whole.weight
        assert value["geometric_mean"] == pytest.approx(moment_mean(d, 0, 0, w))
        assert value["D[3,2]"] == pytest.approx(np.sum(w * d**3) / np.sum(w * d**2))
        assert value["aspect"] == pytest.approx(np.average(whole.aspect, weights=w))


def test_options_decide_what_counts():
    image = disks([(30, 30, 3), (70, 40, 12), (60, 99, 15), (100, 80, 12)], (110, 120))
    both = {border: measure(image, 1.0, method="watershed", border=border)[0] for border in ("kept", "left out")}
    assert both["kept"].weight.tolist() == [1, 1, 1, 1] and both["left out"].weight.sum() == 3
    assert len(measure(image, 1.0, method="watershed", smallest_px=10)[0]) == 3
    found = examine(image, 1.0, Measurement(method="watershed", smallest_px=10))
    assert np.unique(found.instances).tolist() == [0, 1, 2, 3]
    for row in found.table.itertuples():
        y, x = np.nonzero(found.instances == row.instance)
        assert (x.mean() + 0.5, y.mean() + 0.5) == pytest.approx((row.x_nm, row.y_nm))
    scores = np.sort(both["kept"].score)
    assert np.sort(measure(image, 1.0, method="watershed", minimum_score=scores[1])[0].score) == pytest.approx(
        scores[1:]
    )


def test_the_distribution_may_be_by_volume():
    """Of diameters 10 and 20, as many of each, eight ninths of the volume are large: ln d, weighted by d cubed."""
    table = particles([10, 20] * 10)
    value = summarise(table, 1e6, "volume", generator(0, "by volume")).set_index("quantity").value
    assert value["geometric_mean"] == pytest.approx(10 * 2 ** (8 / 9))
    assert value["D[1,0]"] == pytest.approx(15)
    assert value["D10"] == pytest.approx(10, abs=1) and value["D90"] == pytest.approx(20)


def test_weighted_quantiles_of_equal_weights_are_those_between_middles():
    """Hazen's, which NumPy knows; and a weight of two is a value twice, up to half a step."""
    rng = generator(0, "quantiles")
    values = rng.normal(size=41)
    shares = [0.1, 0.5, 0.9]
    found = weighted_quantiles(values, np.ones((1, 41)), shares)[0]
    assert found == pytest.approx(np.quantile(values, shares, method="hazen"))
    weights = rng.integers(0, 4, 41)
    twice = np.quantile(np.repeat(values, weights), shares, method="hazen")
    assert weighted_quantiles(values, weights[None], shares)[0] == pytest.approx(twice, abs=0.15)


def particles(diameters, weights=None):
    d = np.asarray(diameters, float)
    columns = {"diameter_nm": d, "feret_largest_nm": 1.2 * d, "feret_smallest_nm": d, "aspect": 1.2}
    return pd.DataFrame(columns | {"weight": np.ones(len(d)) if weights is None else weights})


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Log-normal diameters with mean 50 and deviation 1.4, 60 at a time: the closed forms of all that is summarised."""
    s = np.log(1.4)
    truth = {"geometric_mean": 50, "geometric_deviation": 1.4, "D50": 50, "D[1,0]": 50 * np.exp(s**2 / 2)}
    truth |= {"D90": 50 * 1.4 ** stats.norm.ppf(0.9), "D[3,2]": 50 * np.exp(2.5 * s**2)}
    truth |= {"feret_largest": 60 * np.exp(s**2 / 2)}
    inside, times = dict.fromkeys(truth, 0), 100
    for seed in range(times):
        rng = generator(seed, "summary")
        summary = summarise(particles(50 * 1.4 ** rng.normal(size=60)), 1e6, "number", rng).set_index("quantity")
        for name, value in truth.items():
            inside[name] += summary.low[name] <= value <= summary.high[name]
    assert all(0.88 <= count / times <= 1 for count in inside.values()), inside


def test_the_number_of_particles_is_known_as_poisson_says():
    """Garwood's interval of 10 events is 4.795 to 18.39; particles that stand for two each are no better known."""
    rows = summarise(particles([10] * 5 + [12] * 5, np.full(10, 2.0)), 2e6, "number", generator(0, "n"))
    rows = rows.set_index("quantity")[["value", "low", "high"]]
    assert rows.loc["particles"].tolist() == pytest.approx([10, 4.7954, 18.3904], abs=1e-3)
    assert rows.loc["number"].tolist() == pytest.approx([20, 9.5908, 36.7808], abs=1e-3)
    assert rows.loc["number_per_area"].tolist() == pytest.approx([10, 4.7954, 18.3904], abs=1e-3)


def test_few_particles_and_none_have_no_width():
    table, summary = measure(np.zeros((40, 40)), 2.0, method="watershed")
    assert len(table) == 0 and summary.quantity.tolist() == ["particles", "number", "number_per_area"]
    assert summary.high[0] == pytest.approx(3.689, abs=1e-3)  # Garwood's, of none
    two = summarise(particles([10, 20]), 1e6, "number", generator(0, "two")).set_index("quantity")
    assert two.value["geometric_mean"] == pytest.approx(200**0.5) and two.value["D[1,0]"] == pytest.approx(15)
    assert two.low["geometric_mean":].isna().all()


def test_what_cannot_be_measured_is_refused(tmp_path):
    image = disks([(30, 30, 8)], (60, 60))
    with pytest.raises(ValueError, match="pixel_size_nm is missing"):
        measure(image, None, method="watershed")
    for pixel_size in (0, -1, np.nan):
        with pytest.raises(ValueError, match="pixel_size_nm"):
            measure(image, pixel_size, method="watershed")
    with pytest.raises(ValueError, match="image must"):
        measure(image[:4], 1.0, method="watershed")
    with pytest.raises(ValueError, match="smaller than the picture"):
        border_weights([59], [5], (60, 60))
    Image.fromarray(image).save(tmp_path / "a.png")
    with pytest.raises(ReadError, match=r"a\.png does not say how large its pixels are"):
        measure_file(tmp_path / "a.png", Measurement(method="watershed"))


def test_files_in_colours_are_measured_as_grey_ones(tmp_path):
    image = disks([(30, 30, 8), (80, 50, 12), (50, 80, 9)], (110, 120))
    Image.fromarray(image).save(tmp_path / "grey.png")
    tinted = np.stack([image, image // 2, image // 3], axis=-1)
    Image.fromarray(tinted).save(tmp_path / "tinted.png")
    parameters = Measurement(method="watershed", pixel_size_nm=3.0)
    grey, summary = measure_file(tmp_path / "grey.png", parameters)
    pd.testing.assert_frame_equal(grey, measure(image, 3.0, method="watershed")[0])
    tinted, _ = measure_file(tmp_path / "tinted.png", parameters)
    np.testing.assert_allclose(tinted.diameter_nm, grey.diameter_nm, rtol=0.02)
    assert set(summary.columns) == {"quantity", "value", "low", "high", "unit"}


def test_every_group_names_parameters():
    known = {item.name for item in Measurement.describe()}
    assert {name for names in MEASUREMENT_GROUPS.values() for name in names} <= known


def test_the_command_line_measures_a_file(tmp_path):
    image = disks([(30, 30, 8), (80, 50, 12), (50, 80, 9)], (110, 120))
    Image.fromarray(image).save(tmp_path / "a.png")
    command = [Path(sys.executable).parent / "particlelab", "measure", "micrographs", tmp_path / "a.png"]
    options = ["--pixel-size", "3", "--method", "watershed", "-o", tmp_path / "out.csv"]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected, _ = measure(image, 3.0, method="watershed")
    np.testing.assert_allclose(pd.read_csv(tmp_path / "out.csv").diameter_nm, expected.diameter_nm)
