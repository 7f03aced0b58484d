"""A user's own particles: from files in any notation, from images, to a table and shares with intervals."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from particlelab import stem
from particlelab.learning.models import save_model
from particlelab.parameters import ParameterError
from particlelab.randomness import generator
from particlelab.reading import ReadError

VIEWS = {"one": 1, "two": 2}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Networks that learned nothing, for one and two views, that decide at random."""
    folder = tmp_path_factory.mktemp("models")
    for name, views in VIEWS.items():
        card = {
            "feature": "hole",
            "views": views,
            "points": 32,
            "particles": {},
            "categories": ["solid", "hole"],
            "confusion": [[0.9, 0.1], [0.2, 0.8]],
            "n_validation": 2000,
        }
        save_model(folder / f"{name}.keras", stem.build_network(views, 32, dense=(8,), filters=(4,), seed=1), card)
    return {name: str(folder / f"{name}.keras") for name in VIEWS}


@pytest.fixture(scope="module")
def dataset():
    return stem.make_dataset("hole", 40, 2, rng=generator(0, "recorded"))


def write(path, text):
    path.write_text(text)
    return path


def rows_of(x, separator=",", decimal="."):
    return "\n".join(separator.join(repr(float(v)).replace(".", decimal) for v in row) for row in x) + "\n"


def test_a_data_set_in_a_file_gives_what_the_network_says_of_it(models, dataset, tmp_path):
    path = write(tmp_path / "a.csv", rows_of(dataset.x.reshape(80, 32)))
    parameters = stem.Measurement(model=models["two"])
    table, summary = stem.measure_file(path, parameters)
    network = stem.load_classifier(models["two"])
    expected = network.probabilities(dataset.x)
    np.testing.assert_array_equal(table[["probability_solid", "probability_hole"]], expected)
    np.testing.assert_array_equal(table.likeness, network.likeness(dataset.x))
    assert table.category.tolist() == np.array(["solid", "hole"])[expected.argmax(axis=1)].tolist()
    assert table.particle.tolist() == list(range(1, 41))
    alike = table.likeness >= parameters.least_likeness
    shares, intervals = stem.estimate_shares(expected[alike], [[900, 100], [200, 800]])
    assert summary.quantity.tolist() == [
        *("particles", "problem", "unlike the simulation", "share of solid", "share of hole")
    ]
    assert summary.value.tolist() == [40, 0, (~alike).sum(), *shares]
    np.testing.assert_array_equal(summary[["low", "high"]][3:], intervals)
    for found, frame in zip(stem.measure(dataset.x, model=models["two"]), (table, summary), strict=True):
        pd.testing.assert_frame_equal(found, frame)


def test_the_notation_of_a_file_does_not_matter(models, dataset, tmp_path):
    x = dataset.x[:4].astype(float).reshape(8, 32)
    contents = {
        "comma.csv": rows_of(x),
        "semicolon.csv": rows_of(x, ";", ","),
        "tab.txt": rows_of(x, "\t"),
        "blanks.txt": rows_of(x, "  ", ","),
        "header.csv": ";".join(f"p{k}" for k in range(32)) + "\n" + rows_of(x, ";"),
    }
    named = [f"{p};{v};" for p in (1, 2, 3, 4) for v in (1, 2)]
    lines = [a + b for a, b in zip(named, rows_of(x, ";", ",").splitlines(), strict=True)]
    contents["mixed.csv"] = "\n".join(["Particle;View;" + ";" * 31] + [lines[k] for k in (1, 6, 0, 3, 2, 4, 5, 7)])
    parameters = stem.Measurement(model=models["two"])
    tables = {name: stem.measure_file(write(tmp_path / name, text), parameters)[0] for name, text in contents.items()}
    for name in contents:
        table = tables[name].sort_values("particle", ignore_index=True)
        pd.testing.assert_frame_equal(table, tables["comma.csv"], obj=name)
    assert tables["mixed.csv"].particle.tolist() == [1, 4, 2, 3]


def test_a_particle_may_have_a_name_and_must_be_turned_as_the_network_knows_it(models, dataset, tmp_path):
    rows = rows_of(dataset.x[:2].reshape(4, 32)).splitlines()

    def measured(*labels):
        text = "particle,angle" + "," * 32 + "\n" + "\n".join(f"{a},{b}" for a, b in zip(labels, rows, strict=True))
        return stem.measure_file(write(tmp_path / "a.csv", text), stem.Measurement(model=models["two"]))[0]

    table = measured("A,-45", "A,45.5", "B 1,0", "B 1,90")
    assert table.particle.tolist() == ["A", "B 1"]
    np.testing.assert_array_equal(
        table[["probability_solid", "probability_hole"]],
        stem.load_classifier(models["two"]).probabilities(dataset.x[:2]),
    )
    with pytest.raises(ReadError, match="angle of particle B 1: got views at 0, 60 degrees, but the model knows 0, 90"):
        measured("A,-45", "A,45.5", "B 1,0", "B 1,60")
    with pytest.raises(ReadError, match=r"a\.csv, line 3, column 'angle': 'up' is not a number"):
        measured("A,0", "A,up", "B,0", "B,90")
    with pytest.raises(
        ReadError, match=r"particle A must have a projection for each of 2 views, got 3 \(line 2, 3, 4\)"
    ):
        measured("A,0", "A,90", "A,0", "B,90")


def test_a_bad_row_is_named(models, dataset, tmp_path):
    rows = rows_of(dataset.x[:2].reshape(4, 32)).splitlines()
    parameters = stem.Measurement(model=models["two"])
    bad = [*rows[:3], rows[3].replace(rows[3].split(",")[4], "O.1")]
    with pytest.raises(ReadError, match=r"a\.csv, line 4, column 5: 'O\.1' is not a finite number"):
        stem.measure_file(write(tmp_path / "a.csv", "\n".join(bad)), parameters)
    with pytest.raises(ReadError, match=r"particle 2 must have a projection for each of 2 views, got 1 \(line 3\)"):
        stem.measure_file(write(tmp_path / "a.csv", "\n".join(rows[:3])), parameters)


def test_projections_of_other_sizes_are_scaled_by_their_edges(models):
    """The same disk, sampled as the network expects it or finer, off the centre and on any background."""
    fine = np.arange(400) - 170.0
    disk = 20 + 5 * np.sqrt(np.maximum(90**2 - fine**2, 0))
    table, _ = stem.measure([[disk, disk]], model=models["two"])
    other, _ = stem.measure([[disk[::-1] * 3 - 50] * 2], model=models["two"])
    np.testing.assert_allclose(table.probability_hole, other.probability_hole, atol=1e-5)
    assert table.likeness.item() > 0.1
    with pytest.raises(ValueError, match="scaling = 'given' needs projections of 32 data points, got 400"):
        stem.measure([[disk, disk]], model=models["two"], scaling="given")
    with pytest.raises(ValueError, match="particle 1: view 2: the particle is cut off"):
        stem.measure([[disk, np.roll(disk, 200)]], model=models["two"])
    with pytest.raises(ValueError, match=r"model '.*two\.keras' looks at 2 views of a particle, got 1"):
        stem.measure([[disk]], model=models["two"])
    with pytest.raises(ValueError, match="must have at least 16 data points, got 3"):
        stem.measure([[disk[:3], disk[:3]]], model=models["two"])


SPHERES = [(90.0, 70.0, 30.0), (210.4, 81.7, 24.0), (150.0, 200.0, 36.0)]  # x, y, radius; the third is the lowest
CUT = [(3.0, 150.0, 20.0), (260.0, 260.0, 30.0)]  # by the border


def image_of(spheres, shape=(280, 280)):
    """What a dark-field image shows of spheres: the chord under each pixel."""
    y, x = np.indices(shape)
    return sum(2 * np.sqrt(np.maximum(r**2 - (x - cx) ** 2 - (y - cy) ** 2, 0)) for cx, cy, r in spheres)


def test_spheres_are_found_where_they_are_as_large_as_they_are(models):
    table, projections = stem.take_projections([image_of(SPHERES + CUT)])
    assert table.particle.tolist() == [1, 2, 3, 4, 5]
    assert table.problem.tolist() == [""] * 3 + ["cut by the border of the image"] * 2 and projections[3:] == [[], []]
    np.testing.assert_allclose(table[["x_px", "y_px"]][:3], [s[:2] for s in SPHERES], atol=0.15)
    for (_, _, radius), (row,) in zip(SPHERES, projections[:3], strict=True):
        x, found = stem.resample([row], stem.HOLES)
        assert found == pytest.approx(radius, rel=0.005)
        chord = np.sqrt(np.maximum(1 - np.linspace(-1.5, 1.5, 32) ** 2, 0))
        inside = np.abs(np.linspace(-1.5, 1.5, 32)) < 0.9  # away from the edge, where a chord is not yet its average
        np.testing.assert_allclose(x[0][inside], chord[inside] / chord.max(), atol=0.02)


def save(path, pages):
    tifffile.imwrite(path, np.asarray(pages, np.float32), photometric="minisblack")
    return path


def test_an_image_is_measured_whatever_its_gain_and_offset_and_dark_on_bright(models, tmp_path):
    image = image_of(SPHERES + CUT)
    one = stem.Measurement(model=models["one"])
    table, summary = stem.measure_file(save(tmp_path / "a.tif", image), one)
    assert table.radius_px[:3].tolist() == pytest.approx([s[2] for s in SPHERES], rel=0.005)
    assert summary.value[:2].tolist() == [5, 2] and (table.likeness[:3] > 0.1).all() and table.likeness[3:].isna().all()
    for path, parameters in (
        (save(tmp_path / "gain.tif", 3 * image - 1000), one),
        (save(tmp_path / "dark.tif", 500 - image), one.replace(dark=True)),
    ):
        other, _ = stem.measure_file(path, parameters)
        pd.testing.assert_frame_equal(other, table, rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match=r"no bright particle stands out .*\(dark = False\)|lies wholly in the image"):
        stem.measure_file(tmp_path / "dark.tif", one)


def test_a_picked_particle_is_measured_alone(models, dataset, tmp_path):
    path = save(tmp_path / "a.tif", image_of(SPHERES))
    everyone, _ = stem.measure_file(path, stem.Measurement(model=models["one"]))
    alone, _ = stem.measure_file(path, stem.Measurement(model=models["one"], picked=2))
    pd.testing.assert_frame_equal(alone, everyone[1:2].reset_index(drop=True))
    with pytest.raises(ValueError, match="picked = 4 is none of the particles, which are 1 to 3"):
        stem.measure_file(path, stem.Measurement(model=models["one"], picked=4))
    text = write(tmp_path / "a.csv", rows_of(dataset.x[:, 0]))
    table, _ = stem.measure_file(text, stem.Measurement(model=models["one"], picked=3))
    assert table.particle.tolist() == [3]
    with pytest.raises(ParameterError, match="picked = 0"):
        stem.Measurement(picked=0)


def test_pages_are_views_of_the_same_particles(models, tmp_path):
    """In the second view they have moved a little and stand in another order; one has gone."""
    moved = [(150.0, 75.0, 30.0), (84.0, 72.0, 28.0), (210.0, 70.0, 24.0)]
    pages = [image_of([(88.0, 80.0, 28.0), (150.0, 70.0, 30.0), (150.0, 200.0, 36.0), (208.0, 78.0, 24.0)])]
    pages.append(image_of(moved))
    path = save(tmp_path / "a.tif", pages)
    table, _ = stem.measure_file(path, stem.Measurement(model=models["two"]))
    np.testing.assert_allclose(table.x_px, [150, 88, 208, 150], atol=0.1)  # from top to bottom
    np.testing.assert_allclose(table.radius_px[:3], [30, 28, 24], rtol=0.005)
    assert table.problem.tolist()[:3] == [""] * 3 and table.problem[3].startswith("view 2: no whole particle is within")
    with pytest.raises(ValueError, match="particle 4: view 2: no whole particle is within"):
        stem.measure_file(path, stem.Measurement(model=models["two"], picked=4))
    with pytest.raises(ValueError, match=r"one\.keras' looks at 1 views of a particle, got 2"):
        stem.measure_file(path, stem.Measurement(model=models["one"]))
    with pytest.raises(ValueError, match="no particle is in all 2 views"):
        stem.take_projections([image_of([(60, 60, 20)]), image_of([(200, 200, 20)])])
    with pytest.raises(ValueError, match="view 2: no bright particle"):
        stem.take_projections([pages[0], np.zeros((280, 280))])


def test_the_projection_of_a_particle_ends_where_another_one_is_nearer():
    _, ((row,), _) = stem.take_projections([image_of([(90.0, 100.0, 30.0), (155.0, 100.0, 30.0)])])
    left, right = stem.find_edges(row)
    assert (right - left) / 2 == pytest.approx(30 * np.sqrt(3) / 2, rel=0.01)


@pytest.mark.parametrize("what", ["noise", "constant", "ramp"])
def test_an_image_without_particles_is_refused(what):
    rng = generator(0, "empty")
    image = {
        "noise": rng.normal(100, 5, (250, 250)),
        "constant": np.full((50, 50), 7.0),
        "ramp": np.add.outer(np.arange(100.0), np.arange(90.0)),
    }[what]
    for dark in (False, True):
        with pytest.raises(ValueError, match=f"stands out from the background .dark = {dark}."):
            stem.find_particles(image, stem.Picking(dark=dark))
    with pytest.raises(
        ValueError, match=r"smallest_radius_px = 40 px lies wholly in the image; 3 are smaller, 0 are cut"
    ):
        stem.find_particles(image_of(SPHERES), stem.Picking(smallest_radius_px=40))


def test_particles_unlike_the_simulation_count_apart(models, dataset):
    square = np.where(np.abs(np.linspace(-1.5, 1.5, 32)) < 0.9, 1.0, 0.0)
    x = np.concatenate([dataset.x[:10], [[square] * 2] * 5])
    table, summary = stem.measure(x, model=models["two"])
    assert (table.likeness[10:] == 0).all() and summary.value[:3].tolist() == [15, 0, 5]
    np.testing.assert_array_equal(summary[3:], stem.measure(x[:10], model=models["two"])[1][3:])
    _, nothing = stem.measure(x[10:], model=models["two"])
    assert nothing.value[:3].tolist() == [5, 0, 5] and nothing[3:][["value", "low", "high"]].isna().all(axis=None)
    _, everything = stem.measure(x, model=models["two"], least_likeness=0.0)
    assert everything.value[:3].tolist() == [15, 0, 0]


def test_one_bad_particle_costs_no_other(models, dataset, tmp_path):
    """A bar on which the edges are not found; a flat projection, one with a gap."""
    image = image_of(SPHERES[:2])
    image[180:220, 5:275] = 40
    table, summary = stem.measure_file(save(tmp_path / "a.tif", image), stem.Measurement(model=models["one"]))
    assert [bool(problem) for problem in table.problem] == [False, False, True]
    assert summary.value[:2].tolist() == [3, 1] and table.category[2] == "" and np.isnan(table.probability_hole[2])
    x = dataset.x[:5].astype(float)
    x[1, 1, 6], x[3, 0] = np.nan, 0.5
    for scaling in ("given", "edges"):
        table, summary = stem.measure(x, model=models["two"], scaling=scaling)
        assert "view 2: sample 7 is nan" in table.problem[1] and "view 1: the projection is flat" in table.problem[3]
        good, rest = stem.measure(x[[0, 2, 4]], model=models["two"], scaling=scaling)
        pd.testing.assert_frame_equal(
            table[table.problem == ""].drop(columns="particle").reset_index(drop=True), good.drop(columns="particle")
        )
        pd.testing.assert_frame_equal(summary[2:], rest[2:])
        alone, _ = stem.measure(x, model=models["two"], scaling=scaling, picked=5)
        assert alone.particle.tolist() == [5] and alone.likeness.item() == table.likeness[4]
    image[7, 3] = np.nan
    with pytest.raises(ValueError, match="the pixel in row 8, column 4 is nan, not a finite number"):
        stem.find_particles(image)


def test_the_same_view_twice_is_no_particle(models, dataset, tmp_path):
    rows = rows_of(dataset.x[:2].reshape(4, 32)).splitlines()
    text = "view" + "," * 32 + "\n" + "\n".join(f"{v},{row}" for v, row in zip((1, 1, 2, 2), rows, strict=True))
    with pytest.raises(ReadError, match=r"the views of particle 1 must differ, got 1, 1 .*column 'particle'"):
        stem.measure_file(write(tmp_path / "a.csv", text), stem.Measurement(model=models["two"]))


def test_pictures_of_8_bits_and_uploads_are_read_too(models, tmp_path):
    image = image_of(SPHERES)
    picture = np.rint(image / image.max() * 255).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    parameters = stem.Measurement(model=models["one"])
    recorded = stem.record((tmp_path / "a.png").read_bytes(), parameters, "a.png")
    np.testing.assert_allclose(recorded.table.radius_px, [s[2] for s in SPHERES], rtol=0.01)
    assert recorded.x.shape == (3, 1, 32)
