"""The study of similarity: rank correlations by an independent implementation, and a case whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from particlelab.micrographs import similarity_studies as studies
from particlelab.micrographs.detector import Found
from particlelab.micrographs.figures import similarity as drawn
from particlelab.micrographs.realism import (
    REALISM,
    TRAINING_SETS,
    draw_training_set,
    real_recipe,
    training_recipe,
)
from particlelab.micrographs.similarity import METRICS, compare_features
from particlelab.micrographs.similarity_studies import SimilarityStudy, chance_of, correlate
from particlelab.micrographs.similarity_training import Judged, diameters_within, whole_diameters
from particlelab.micrographs.synthesis import synthesise


def test_rank_correlation_is_that_of_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, (2, 20, 9)).astype(float)  # with ties
    expected = [stats.spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)]
    assert correlate(a, b) == pytest.approx(expected, nan_ok=True)
    assert np.isnan(correlate([1, 1, 1], [1, 2, 3]))


@pytest.mark.parametrize(("n", "critical", "share"), [(5, 1.0, 2 / 120), (7, 0.786, 0.05), (8, 0.738, 0.05)])
def test_chance_of_a_rank_correlation(n, critical, share):
    """Published critical values of Spearman's rho, two-sided, 5 % (Zar 1972); 2 of 5! orders are perfect."""
    assert chance_of(critical, n) <= share + 1e-3
    assert chance_of(critical - 0.12, n) > share
    assert chance_of(0.0, n) == 1.0
    assert chance_of(0.5, 40) == pytest.approx(0.001, abs=0.0005)


@pytest.mark.parametrize("metric", METRICS)
def test_a_resample_of_all_is_the_measure_itself(metric):
    a, b = np.random.default_rng(1).standard_normal((2, 7, 5))
    pair = studies._Pair(a, b[:4], metric)
    assert pair(np.arange(7), np.arange(4)) == pytest.approx(compare_features(a, b[:4], metric, "").value)
    some, others = [0, 0, 3], [1, 2, 2]
    value = compare_features(a[some], b[others], metric, "").value
    assert pair(np.array(some), np.array(others)) == pytest.approx(value, abs=1e-9)


def made_up(order, n=14, trainings=2):
    """Sets that lie the farther from the real one, and train the worse, the later they stand in an order."""
    rng = np.random.default_rng(2)
    truth = [rng.lognormal(3, 0.3, 30) for _ in range(n)]
    judged, described = {}, {}
    for name in TRAINING_SETS:
        far = order.index(name) if name in order else 3
        off = [[np.exp(0.1 * far) * t ** (1 + 0.05 * far) for t in truth] for _ in range(trainings)]
        off = [[d[: len(d) - 2 * far] for d in each] for each in off]
        judged[name] = Judged(np.clip(0.9 - 0.1 * far + 0.01 * rng.standard_normal((trainings, n)), 0, 1), off)
        described[name] = {metric: 1 + 0.05 * rng.standard_normal((20, 4)) for metric in METRICS}
        for sample in described[name].values():
            sample[:, 0] += far
    real = {metric: 1 + 0.05 * rng.standard_normal((n, 4)) for metric in METRICS}
    return judged, described, real, truth


def test_sets_that_rank_alike_correlate_perfectly():
    order = list(np.random.default_rng(3).permutation(list(REALISM)))
    p = SimilarityStudy(resamples=100, trainings=2)
    resampled = studies._resample(*made_up(order), p, None)
    scores, distances, table = studies._tabulate(*resampled, dict(zip(METRICS, METRICS, strict=True)), p)
    assert table.rho.to_numpy() == pytest.approx(1.0)
    assert (table.rho_low > 0.9).all()
    assert table.chance.to_numpy() == pytest.approx(2 / 5040)
    best = scores[scores.criterion == "mAP"].set_index("set").value
    assert list(best[list(REALISM)].sort_values(ascending=False).index) == order
    mean = scores[scores.criterion == "mean_error"].set_index("set")
    assert mean.value[order[0]] == pytest.approx(0, abs=1e-9)
    assert ((mean.value_low <= mean.value + 1e-9) & (mean.value <= mean.value_high + 1e-9)).all()
    fid = distances[distances.metric == "fid"].set_index("set").value
    assert fid[order[5]] == pytest.approx(25, rel=0.1)


def test_intervals_of_sets_that_have_no_order_hold_nothing():
    """Seven sets that differ by chance alone tell nothing: the intervals are wide and hold 0."""
    p = SimilarityStudy(resamples=100)
    judged, described, real, truth = made_up([], n=8, trainings=1)
    _, _, table = studies._tabulate(
        *studies._resample(judged, described, real, truth, p, None), dict(zip(METRICS, METRICS, strict=True)), p
    )
    width = table.rho_high - table.rho_low
    assert width.min() > 0.8


def test_synthetic_sets_differ_in_light_and_camera_only():
    recipes = {name: training_recipe(name, "spheres_sem", "carbonyl_iron", 96) for name in REALISM}
    first = next(iter(recipes.values()))
    assert all(r.populations == first.populations and r.placement == first.placement for r in recipes.values())
    pictures = {name: synthesise(recipe, 3) for name, recipe in recipes.items()}
    assert all(np.array_equal(m.instances, pictures["Categorical"].instances) for m in pictures.values())
    flat = pictures["Categorical"]
    assert np.ptp(flat.image[flat.instances == 0]) <= 2
    blur, noisy = (pictures[name].image.astype(float) for name in ("Blurred", "Noisy"))
    grey = blur.mean() / 255
    assert np.var(noisy - blur) == pytest.approx(255**2 * grey / 80, rel=0.3)  # Poisson's, 80 quanta in white


def test_sizes_of_the_synthetic_sets_are_a_guess_of_the_real_ones():
    real, guess = real_recipe("carbonyl_iron", 96), training_recipe("Edges", "spheres_sem", "carbonyl_iron", 96)
    px = [r.get("populations.diameter_nm") / r.pixel_size_nm for r in (real, guess)]
    assert px[1] == pytest.approx(1.1 * px[0])
    assert guess.get("populations.deviation") != real.get("populations.deviation")


def test_annotated_pictures_are_none_of_those_that_detectors_are_judged_by():
    p = SimilarityStudy(picture_px=64, real_pictures=3, annotated=3)
    real, annotated = studies.draw_real(p), draw_training_set("Annotated", p)
    assert not any(np.array_equal(a, b) for a in real.images for b in annotated.images)


def test_diameters_are_of_whole_particles_only():
    instances = np.zeros((20, 20), np.int32)
    instances[0:3, 5:8], instances[10:14, 10:14] = 1, 2
    assert list(whole_diameters(Found(instances, np.ones(2), np.array([9.0, 4.5])))) == [4.5]
    table = pd.DataFrame({"picture": [0, 0, 2], "cut": [False, True, False], "diameter_px": [3.0, 4.0, 5.0]})
    assert [list(d) for d in diameters_within(table, 3)] == [[3.0], [], [5.0]]


def test_real_images_without_particles_are_refused():
    with pytest.raises(ValueError, match="fewer than 2 whole particles"):
        studies.study_similarity(SimilarityStudy(picture_px=64, real_pictures=2, real="tem_aggregates"))


def test_the_study_runs_from_recipes_to_figures():
    p = SimilarityStudy(
        picture_px=80,
        piece_px=48,
        pictures=2,
        annotated=2,
        real_pictures=4,
        train=True,
        iterations=1,
        widths=(8, 8),
        features="random",
        resamples=100,
    )
    shares = []
    study = studies.study_similarity(p, lambda share, text: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert study.examples.shape == (len(TRAINING_SETS) + 1, 80, 80)
    assert set(study.distances.name) == {f"{kind.title} (random features)" for kind in METRICS.values()}
    assert study.correlations.rho.abs().max() <= 1 + 1e-9 or study.correlations.rho.isna().all()
    made = [
        drawn.example_pictures(study.examples, [*TRAINING_SETS, "Real"]),
        drawn.training_scores(study.scores),
        drawn.training_scores(study.scores, list(studies.QUALITIES[1:])),
        drawn.correlations(study.correlations),
        drawn.quality_against_similarity(study.scores, study.distances),
    ]
    titles = [axis.title.text for figure in made[1:] for axis in (figure.layout.xaxis, figure.layout.yaxis)]
    assert all(titles)
    assert len(made[1].data[0].y) == len(TRAINING_SETS)
