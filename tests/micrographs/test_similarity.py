"""Similarity of sets of pictures: what must hold for any features, and what chance gives."""

import numpy as np
import pytest
from scipy import ndimage

from particlelab.measure import frechet_distance, kernel_distance
from particlelab.micrographs.features import load_features
from particlelab.micrographs.picture_sets import cut_tiles, draw_set
from particlelab.micrographs.recipe import load_recipe, recipes
from particlelab.micrographs.similarity import (
    METRICS,
    chance_similarities,
    compare_features,
    measure_name,
    similarities,
    similarity,
)
from particlelab.micrographs.two_sets import (
    RECIPES,
    TWO_SETS_GROUPS,
    TwoSets,
    changed_recipe,
    compare_two,
    tell_compared,
)


def noise(n, seed, size=40):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size)).astype(np.uint8)


def blurred(pictures, width):
    return ndimage.gaussian_filter(pictures, (0, width, width)) if width else pictures


@pytest.mark.parametrize("metric", METRICS)
def test_which_set_comes_first_does_not_matter_nor_the_order_within(metric):
    a, b = noise(5, 0), blurred(noise(7, 1), 1)
    there = similarity(a, b, metric, "random").value
    assert similarity(b[::-1], a, metric, "random").value == pytest.approx(there, rel=1e-4, abs=1e-9)


def test_copies_of_one_picture_are_the_same_to_every_measure():
    a = np.repeat(noise(1, 2), 3, axis=0)
    found = {metric: similarity(a, a[:2], metric, "random").value for metric in METRICS}
    assert found["fid"] == pytest.approx(0, abs=1e-8)
    assert found["kid"] == pytest.approx(0, abs=1e-6)
    assert found["clip"] == pytest.approx(1, abs=1e-6)
    assert found["style"] == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("metric", METRICS)
def test_the_more_a_set_is_blurred_the_less_it_is_like_itself(metric):
    a, b = noise(12, 3), noise(12, 4)
    found = [similarity(a, blurred(b, width), metric, "random").value for width in (0, 0.5, 1, 2)]
    order = np.argsort(found)[::-1] if METRICS[metric].more else np.argsort(found)
    assert list(order) == [0, 1, 2, 3]


def test_distances_are_those_of_the_features():
    a, b = noise(6, 5), noise(4, 6)
    x, y = (load_features("random", 2).describe(pictures) for pictures in (a, b))
    assert similarity(a, b, "fid", "random", seed=2).value == pytest.approx(frechet_distance(x, y))
    assert similarity(a, b, "kid", "random", seed=2).value == pytest.approx(kernel_distance(x, y))
    cosines = [u @ v / np.linalg.norm(u) / np.linalg.norm(v) for u in x.astype(float) for v in y.astype(float)]
    assert similarity(a, b, "clip", "random", seed=2).value == pytest.approx(np.mean(cosines))
    x, y = (load_features("random", 2).style(pictures).astype(float) for pictures in (a, b))
    losses = [np.sum((u - v) ** 2) for u in x for v in y]
    assert similarity(a, b, "style", "random", seed=2).value == pytest.approx(np.mean(losses))


def test_what_others_made_has_their_name_and_what_the_lab_made_says_so():
    assert measure_name("fid", "inception") == "FID"
    assert measure_name("style", "vgg") == "Style loss"
    assert measure_name("fid", "own") == "FID (own features)"
    assert measure_name("kid", "clip") == "KID (clip features)"
    table = similarities(noise(3, 7), noise(3, 8), features="random")
    assert list(table.name) == [measure_name(metric, "random") for metric in METRICS]


@pytest.mark.parametrize("metric", METRICS)
def test_two_sets_of_one_kind_lie_beyond_chance_as_often_as_they_should(metric):
    """A permutation test is exact: 5 of 100 pairs have a share of at most 5 %."""
    rng, beyond, trials = np.random.default_rng(9), 0, 150
    sign = -1 if METRICS[metric].more else 1
    for trial in range(trials):
        a, b = (rng.standard_normal((n, 3)) + 1 for n in (8, 6))
        value = compare_features(a, b, metric, "own").value
        by_chance = chance_similarities(a, b, metric, "own", trial, 39)
        beyond += (1 + np.count_nonzero(sign * by_chance >= sign * value)) / 40 <= 0.05
    assert abs(beyond / trials - 0.05) < 3.5 * np.sqrt(0.05 * 0.95 / trials)


def test_a_set_has_the_truth_of_its_pictures():
    made = draw_set(load_recipe("beads").reframe(96), 2, 5)
    for k in range(2):
        known = made.particles[made.particles.picture == k]
        visible = np.bincount(made.instances[k].ravel(), minlength=len(known) + 1)[1:]
        assert list(known.visible_px) == list(visible)
        whole = known[~known.cut]  # beads lie side by side: what is seen is all
        assert whole.diameter_px.to_numpy() == pytest.approx(np.sqrt(4 * whole.visible_px / np.pi), rel=0.02)
    assert not np.array_equal(made.images[0], made.images[1])


def test_tiles_lie_side_by_side():
    picture = np.random.default_rng(0).integers(0, 256, (130, 200)).astype(np.uint8)
    tiles = cut_tiles(picture, 64)
    assert tiles.shape == (6, 64, 64)
    assert np.array_equal(np.block([[*tiles[:3]], [*tiles[3:]]]), picture[1:129, 4:196])
    assert np.array_equal(cut_tiles(picture, 64, most=2), tiles[[0, 5]])
    assert cut_tiles(picture, 500).shape == (6, 65, 65)  # four at least


def test_tiles_of_other_grey_levels_span_those_of_a_byte():
    tiles = cut_tiles(np.linspace(-3.0, 9.0, 100 * 100).reshape(100, 100), 50)
    assert (tiles.min(), tiles.max()) == (0, 255)


def test_the_dashboard_knows_the_recipes_that_ship():
    assert RECIPES.__args__ == recipes()


def test_only_what_is_asked_for_is_changed():
    asked = TwoSets(second="bimodal", blur_px=None, larger=2.0, dose=40.0, size_px=512)
    recipe, plain = changed_recipe(asked), load_recipe("bimodal")
    assert recipe.camera == plain.camera.replace(dose=40.0)
    assert recipe.technique == plain.technique
    assert [p.diameter_nm for p in recipe.populations] == [2 * p.diameter_nm for p in plain.populations]
    assert recipe.about == "bimodal, dose 40, 2 times as large"


def test_a_blurred_set_lies_beyond_chance():
    compared = compare_two(TwoSets(first="beads", second="beads", blur_px=5.0, size_px=96, features="random"))
    beyond = compared.table.set_index("metric").beyond
    assert beyond["fid"]
    assert beyond["kid"]
    assert tell_compared(compared).startswith("Beyond chance: FID (random features), KID")


def test_a_picture_of_ones_own_is_a_set_of_tiles():
    picture = noise(1, 10, 200)[0]
    compared = compare_two(TwoSets(first="beads", pictures=4, features="random"), ("mine.png", picture))
    assert compared.second.shape == (4, 100, 100)
    assert compared.first.shape[1:] == (100, 100)
    assert compared.titles[1] == "Second: tiles of mine.png"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: similarity(noise(3, 0), noise(3, 1), "ssim"), "metric must be one of fid, kid, clip, style"),
        (lambda: similarity(noise(1, 0), noise(3, 1), "fid", "random"), "at least 2 pictures, got 1"),
        (lambda: cut_tiles(np.zeros((40, 400)), 32), "64 x 64 pixels at least"),
        (lambda: cut_tiles(np.full((80, 80), np.nan), 32), "picture must be finite"),
        (lambda: draw_set(load_recipe("beads"), 0, 0), "n must be at least 1"),
    ],
)
def test_bad_input_of_similarity_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_the_dashboard_names_each_field_once():
    shown = ["first", "second", "seed", *(name for group in TWO_SETS_GROUPS.values() for name in group)]
    assert sorted(shown) == sorted(TwoSets.model_fields)
