"""What anonymised pictures tell of sizes: known shapes, known shifts, attackers who should read all or nothing."""

import io
import math

import numpy as np
import pandas as pd
import pytest
import tifffile
from scipy import ndimage, stats

from particlelab.measure import geometric_moments
from particlelab.micrographs import anonymity, anonymity_attack, anonymity_sizes, anonymity_studies, anonymity_training
from particlelab.micrographs.detector import Found
from particlelab.micrographs.figures import anonymity as figures
from particlelab.micrographs.training_pictures import draw_pictures
from particlelab.parameters import ParameterError
from particlelab.randomness import generator

NOTHING = {"distortion": 0.0, "scaling": 0.0}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A recipe of small pictures."""
    path = tmp_path_factory.mktemp("recipes") / "few.yaml"
    path.write_text(
        "{name: few, width_px: 192, height_px: 192, pixel_size_nm: 10, "
        "populations: [{number: 20, diameter_nm: 200, deviation: 1.2}]}"
    )
    return str(path)


def squares(side=9, apart=20, n=14):
    """Instances of squares in rows and columns."""
    instances = np.zeros((apart * n, apart * n), np.int32)
    for k in range(n * n):
        row, column = apart * (k // n) + 5, apart * (k % n) + 5
        instances[row : row + side, column : column + side] = k + 1
    return instances


def test_rectangles_have_the_sizes_that_a_hand_finds():
    instances = np.zeros((60, 80), int)
    instances[10:22, 20:25] = 3
    instances[40:44, 30:33] = 8
    instances[0:5, 0:5] = 9  # cut by the frame
    instances[50:55, 75:80] = 1
    table = anonymity_sizes.measure_sizes(instances).set_index("id")
    assert list(table.index) == [3, 8]
    assert table.loc[3, "feret_largest_px"] == pytest.approx(13)
    assert table.loc[3, "feret_smallest_px"] == pytest.approx(5)
    assert table.loc[3, "diameter_px"] == pytest.approx(2 * math.sqrt(60 / math.pi))
    assert table.loc[3, "weight"] == pytest.approx(60 * 80 / (47 * 74))
    assert table.loc[8, "feret_largest_px"] == pytest.approx(5)


def test_weights_undo_that_large_particles_are_cut_more_often():
    """As many squares of 4 as of 40 pixels thrown on a frame of 80: few of the large are uncut, weights tell."""
    rng, small, large = generator(0), 0.0, 0.0
    for _ in range(2000):
        side = int(rng.choice([4, 40]))
        row, column = rng.integers(1 - side, 80, 2)
        instances = np.zeros((80, 80), int)
        instances[max(row, 0) : row + side, max(column, 0) : column + side] = 1
        if row > 0 and column > 0:  # else it is known to be cut
            weight = anonymity_sizes.measure_sizes(instances).weight.sum() * ((80 + side - 1) / 80) ** 2
            small, large = (small + weight, large) if side == 4 else (small, large + weight)
    assert small / 1000 == pytest.approx(1, abs=0.15)
    assert large / 1000 == pytest.approx(1, abs=0.25)


def test_what_sizes_tell_is_what_the_moments_are():
    d = generator(1).lognormal(3, 0.2, 50)
    weights = generator(2).uniform(1, 2, 50)
    sizes = pd.DataFrame(dict.fromkeys(anonymity_sizes.MEASURES, d) | {"weight": weights})
    told = np.exp(anonymity_sizes.tell(sizes))
    mean, deviation = geometric_moments(d, weights)
    assert told == pytest.approx(np.tile([mean, deviation, math.sqrt((weights @ d**2) / weights.sum())], (3, 1)))


def test_an_attacker_who_knows_the_factor_recovers_exactly():
    rng = generator(3)
    true = np.column_stack([rng.uniform(2, 4, 12), rng.uniform(0.05, 0.4, 12), rng.uniform(2, 4, 12)])
    seen = true + np.log([1.3, 1, 1.3])
    learned = anonymity_attack.learn_shifts(seen[:8], true[:8])
    assert anonymity_attack.undo_shifts(learned, seen[8:]) == pytest.approx(true[8:], abs=1e-9)


def test_an_attacker_learns_shifts_that_depend_on_mean_and_deviation():
    rng = generator(4)
    seen = np.column_stack([rng.uniform(2, 4, 20), rng.uniform(0.05, 0.4, 20)])
    true = seen + 0.1 - 0.03 * seen[:, :1] + seen[:, 1:] * [0.2, -0.5]
    learned = anonymity_attack.learn_shifts(seen, true)
    assert learned == pytest.approx(np.array([[0.1, 0.1], [-0.03, -0.03], [0.2, -0.5]]), abs=1e-9)


def test_nothing_is_hidden_without_strength(recipe):
    p = anonymity_studies.AnonymityStudy(recipe=recipe, own_sets=8, attacked_sets=2, **NOTHING)
    hidden = anonymity_studies.measure_hidden(p)
    assert not hidden.summary[["mean_shift", "deviation_shift", "mean_area_shift", "single", "js_divergence"]].any(
        axis=None
    )
    assert (hidden.summary.by_chance > 0).all()
    assert (hidden.summary.groupby("measure").mean_low.nunique() == 1).all()
    attack = anonymity_studies.measure_attack(p)
    assert np.abs(attack[["naive", "attacked"]]).to_numpy().max() < 1e-9
    assert len(attack) == len(anonymity_sizes.WAYS) * 3 * 3


def test_a_distortion_hides_shapes_and_an_attacker_reads_the_sizes_all_the_same(recipe):
    """Disks become longer and narrower, as every picture shows; their area stays; the shift is the same for all."""
    p = anonymity_studies.AnonymityStudy(recipe=recipe, pictures=4, own_sets=12, attacked_sets=4)
    shift = anonymity_studies.measure_hidden(p).summary.set_index(["way", "measure"]).mean_shift
    for way in ("grid", "affine"):
        assert shift[way, "feret_largest_px"] > 3
        assert shift[way, "feret_smallest_px"] < -2
        assert abs(shift[way, "diameter_px"]) < 3
    attack = anonymity_studies.measure_attack(p).set_index(["way", "measure", "quantity"])
    for way in ("grid", "affine"):
        row = attack.loc[way, "feret_largest_px", "geometric mean"]
        assert row.attacked_high < row.naive_low / 2


def test_a_shared_factor_is_one_for_all_pictures():
    strength = anonymity_sizes.Strength(scaling=0.5)
    labels = [squares(12), squares(12), squares(12)]
    spread = {}
    for way in ("scale", "scale each"):
        hidden = anonymity_sizes.anonymise_labels(labels, way, strength, generator(5))
        means = np.array([anonymity_sizes.measure_sizes(one).diameter_px.mean() for one in hidden])
        spread[way] = means.std() / means.mean()
    assert spread["scale"] < 0.01 < 0.05 < spread["scale each"]


def test_who_reads_a_picture_without_strength_reads_what_it_shows():
    table = anonymity_attack.read_back(squares(), "grid", generator(6), strength=0, spacing_px=32)
    for column in ("read", "read_low", "read_high"):
        assert table[column].to_numpy() == pytest.approx(table.seen.to_numpy())


def test_who_reads_a_scaled_picture_knows_the_factor_as_well_as_chance_does():
    """The factor is even in its logarithm: twice the standard deviation is 2 ln(1 + s) / sqrt(3)."""
    table = anonymity_attack.read_back(squares(), "scale", generator(7), strength=0.4, spacing_px=32, again=150)
    row = table.set_index(["measure", "quantity"]).loc["diameter_px", "geometric mean"]
    assert np.log(row.read_high / row.read) == pytest.approx(2 * math.log(1.4) / math.sqrt(3), rel=0.15)
    assert row.read == pytest.approx(row.seen, rel=0.1)


def test_who_reads_a_distorted_picture_is_nearer_to_the_truth():
    rows, columns = np.indices((280, 280))
    disks = np.where(np.hypot(rows % 28 - 13.5, columns % 28 - 13.5) < 9, 1 + rows // 28 * 10 + columns // 28, 0)
    true = anonymity_sizes.tell(anonymity_sizes.measure_sizes(disks))[0, 0]
    _, hidden = anonymity.anonymise(disks, disks, "grid", generator(8), strength=1.0)
    table = anonymity_attack.read_back(hidden, "grid", generator(9), strength=1.0, spacing_px=32)
    row = table.iloc[0]
    assert abs(np.log(row.read) - true) < 0.7 * abs(np.log(row.seen) - true)


def test_too_few_particles_tell_nothing():
    instances = np.zeros((64, 64), int)
    instances[20:30, 20:30] = 1
    assert anonymity_attack.read_back(instances, "grid", generator(0), strength=1, spacing_px=32).empty


@pytest.mark.parametrize("blur", [0.8, 1.5])
def test_edges_tell_how_far_a_picture_is_blurred(blur):
    """Across a straight edge, blurred, the grey is the normal distribution; noise that is white has no neighbours."""
    instances = np.zeros((200, 200), int)
    instances[:, 100:] = 1
    rng = generator(10)
    edge = ndimage.gaussian_filter(instances.astype(float), blur, mode="nearest")
    told = anonymity_attack.look_at_pixels(200 * edge + rng.normal(0, 0.5, edge.shape), instances)
    ends = stats.norm.cdf([-3.5 / blur, 3.5 / blur])  # pixels lie half a pixel from the edge
    expected = (stats.norm.cdf(np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]) / blur) - ends[0]) / (ends[1] - ends[0])
    assert told[:6] == pytest.approx(expected, abs=0.02)


def test_a_ruler_is_learned_where_there_is_one_and_nowhere_else():
    rng = generator(11)
    factors = np.exp(rng.uniform(-0.2, 0.2, 300))
    plain = rng.standard_normal((300, 4))
    telling = np.column_stack([plain, 3 + 2 * np.log(factors)])
    for features, share in ((telling, 0.05), (plain, None)):
        ruler = anonymity_attack.learn_ruler(features[:200], factors[:200])
        error = np.log(anonymity_attack.read_factors(ruler, features[200:]) / factors[200:])
        relative = error.std() / np.log(factors[200:]).std()
        assert relative < share if share else 0.9 < relative < 1.3


def test_pixels_tell_the_factor_of_a_scaling():
    p = anonymity_studies.AnonymityStudy(own_pictures=16, attacked_pictures=6)
    table = anonymity_studies.measure_ruler(p)
    assert list(table.attacker) == ["camera known", "camera unknown"]
    assert table.hidden.nunique() == 1
    assert (table.attacked < table.hidden / 2).all()


@pytest.fixture(scope="module")
def pictures():
    return draw_pictures(2, 0, 256, recipes=["beads"])


@pytest.mark.parametrize("way", anonymity_sizes.WAYS)
def test_training_pictures_without_strength_stay(pictures, way):
    same = anonymity_training.anonymise_pictures(pictures, way, anonymity_sizes.Strength(**NOTHING), generator(0))
    assert np.array_equal(same.images, pictures.images)
    assert np.array_equal(same.instances, pictures.instances)
    pd.testing.assert_frame_equal(same.particles, pictures.particles, check_dtype=False)


@pytest.mark.parametrize("way", anonymity_sizes.WAYS)
def test_diameters_of_training_pictures_change_as_the_pictures_do(pictures, way):
    strength = anonymity_sizes.Strength()
    moved = anonymity_training.anonymise_pictures(pictures, way, strength, generator(1))
    for before, after in ((pictures, moved),):
        whole = after.particles[~after.particles.cut]
        assert len(whole) > 5
        by_area = 2 * np.sqrt(whole.visible_px / np.pi)
        assert (whole.diameter_px / by_area).mean() == pytest.approx(1, abs=0.02)
        assert set(after.particles.columns) == set(before.particles.columns)
    for k in range(2):
        assert moved.instances[k].max() == (moved.particles.picture == k).sum()


def test_a_perfect_detector_makes_no_error():
    p = anonymity_studies.AnonymityStudy(judged_pictures=2)
    fresh = draw_pictures(2, 1, 256, recipes=["beads"])

    class Knowing:
        def find(self, image):
            k = next(k for k in range(2) if np.array_equal(image, fresh.images[k]))
            table = fresh.particles[fresh.particles.picture == k]
            return Found(fresh.instances[k].astype(np.int32), np.ones(len(table)), table.diameter_px.to_numpy())

    judged = anonymity_training.judge_anonymised({"original": Knowing()}, p)
    assert judged.set_index("criterion").value.abs().max() == pytest.approx(0, abs=0.2)
    assert len(figures.anonymity_training_errors(judged).data) == 2


def test_a_picture_comes_with_its_mask():
    ids = squares()[:40, :60]
    image = (ids > 0).astype(np.uint8) * 100
    for mask, count in ((ids, 6), (image, 6)):
        file = io.BytesIO()
        tifffile.imwrite(file, np.stack([image, mask.astype(np.uint8)]), photometric="minisblack")
        read, instances = anonymity_studies.read_labelled(file.getvalue(), "own.tif")
        assert np.array_equal(read, image)
        assert np.array_equal(instances > 0, ids > 0)
        assert set(np.unique(instances)) == set(range(count + 1))
    tifffile.imwrite(file := io.BytesIO(), np.stack([image] * 3), photometric="minisblack")
    with pytest.raises(ValueError, match="the file has 3 pages"):
        anonymity_studies.read_labelled(file.getvalue(), "own.tif")


def test_a_trial_shows_both_pictures_and_what_is_read(recipe):
    looked = anonymity_studies.try_anonymity(anonymity_studies.AnonymityTrial(recipe=recipe, strength=0))
    assert np.array_equal(looked.image, looked.hidden_image)
    assert looked.reading.true.to_numpy() == pytest.approx(looked.reading.read.to_numpy())
    figure = figures.before_and_after(*looked[:5])
    assert [axis.title.text for axis in figure.select_xaxes()] == ["x / px", "x / px"]
    assert sum(trace.type == "image" for trace in figure.data) == 2
    sizes = figures.sizes_before_and_after(looked.sizes, pixel_size_nm=10.0)
    assert [axis.title.text for axis in sizes.select_xaxes()] == [
        "Largest Feret diameter / nm",
        "Smallest Feret diameter / nm",
    ]
    assert sizes.data[0].y[-1] == pytest.approx(1)
    assert sizes.data[0].x[-1] == pytest.approx(10 * looked.sizes.feret_largest_px.max())


def test_what_cannot_be_is_refused():
    with pytest.raises(ParameterError, match="scaling"):
        anonymity_studies.AnonymityStudy(scaling=2)
    with pytest.raises(ValueError, match="there is no recipe"):
        anonymity_studies.measure_hidden(anonymity_studies.AnonymityStudy(recipe="nothing"))
