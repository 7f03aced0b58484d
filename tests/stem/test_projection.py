"""Thickness against closed forms, and projections against what was put into them."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from particlelab.parameters import ParameterError
from particlelab.randomness import generator
from particlelab.stem.projection import Layer, Projection, chords, normalise, project, thickness, view_angles
from particlelab.stem.shapes import Shape, draw_slices

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
ROUND = 200_000  # corners of a polygon that stands for a circle: 1e-10 of its radius


def circle(radius=1.0, corners=ROUND):
    angle = 2 * math.pi * np.arange(corners) / corners
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def layer(*polygons, density=1.0):
    return Layer(np.concatenate(polygons), np.cumsum([0, *map(len, polygons)]), density)


def test_a_disk_is_as_thick_as_its_chords():
    x = np.linspace(-1.5, 1.5, 61)[1::2]
    assert np.allclose(chords(circle(), x), 2 * np.sqrt(np.maximum(1 - x**2, 0)), rtol=0, atol=1e-9)


def test_an_annulus_drawn_in_one_stroke_lacks_its_inside():
    x = np.linspace(-1.2, 1.2, 41)
    outer, inner = circle(), circle(0.4)
    one_stroke = np.concatenate([outer, outer[:1], inner, inner[:1]])  # there and back along the same line
    expected = 2 * np.sqrt(np.maximum(1 - x**2, 0)) - 2 * np.sqrt(np.maximum(0.16 - x**2, 0))
    assert np.allclose(chords(one_stroke, x), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("degrees", [0, 10, 45, 80, 90])
def test_a_turned_square_is_a_trapezium(degrees):
    turn = math.radians(degrees)
    cos, sin = math.cos(turn), math.sin(turn)
    square = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) @ np.array([(cos, sin), (-sin, cos)])
    x = np.linspace(-1.5, 1.5, 50)
    slope = (cos + sin - np.abs(x)) / max(sin * cos, 1e-12)
    assert np.allclose(chords(square, x), np.clip(slope, 0, 2 / max(cos, sin)), rtol=0, atol=1e-9)


def test_what_is_enclosed_twice_is_outside():
    tip = 2 * math.pi * np.array([0, 2, 4, 1, 3]) / 5  # a star drawn in one stroke: its middle is enclosed twice
    star = np.stack([np.sin(tip), np.cos(tip)], axis=1)
    middle = math.cos(2 * math.pi / 5) / math.cos(math.pi / 5)  # circumradius of the pentagon in the middle
    at = 2 * math.pi * np.arange(5) / 5
    pentagon = -middle * np.stack([np.sin(at), np.cos(at)], axis=1)
    crossing = 2 * math.pi * np.arange(10) / 10
    around = np.where(np.arange(10) % 2, middle, 1)[:, None] * np.stack([np.sin(crossing), np.cos(crossing)], axis=1)
    x = np.linspace(-0.99, 0.99, 50)
    assert np.allclose(chords(star, x), chords(around, x) - chords(pentagon, x), rtol=0, atol=1e-12)


def test_the_area_under_a_projection_is_the_area_of_the_polygon():
    rng = generator(0, "area")
    angle = np.sort(2 * math.pi * rng.random(30))
    polygon = rng.uniform(0.3, 1, 30)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x, y = polygon.T
    area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
    positions = np.linspace(-1.1, 1.1, 20_001)
    assert chords(polygon, positions).sum() * (positions[1] - positions[0]) == pytest.approx(area, rel=1e-4)


def test_the_order_of_rays_and_corners_does_not_matter():
    polygon, x = generator(1).random((12, 2)), generator(2).random(20)
    expected = chords(polygon, x)
    assert np.array_equal(chords(polygon, x[::-1])[::-1], expected)
    assert np.allclose(chords(np.roll(polygon[::-1], 3, axis=0), x), expected, atol=1e-12)


def test_empty_polygons_have_no_thickness():
    assert np.array_equal(chords(np.zeros((0, 2)), [0.0, 1.0]), [0, 0])
    assert np.array_equal(chords([(0, 0)], [0.0]), [0])
    assert np.array_equal(chords([(0, 0), (0, 5)], [0.0]), [0])


@pytest.mark.parametrize(
    ("polygon", "positions", "message"),
    [
        ([1, 2, 3], [0.0], r"polygon_xy must be \(V, 2\), got \(3,\)"),
        ([(0, 0), (1, 1)], [[0.0]], r"positions must be \(P,\), got \(1, 1\)"),
        ([(0, 0), (1, math.nan)], [0.0], "must be finite"),
    ],
)
def test_chords_refuses_what_it_cannot_measure(polygon, positions, message):
    with pytest.raises(ValueError, match=message):
        chords(polygon, positions)


def test_turning_a_particle_turns_what_is_seen():
    """A disk beside the point that it is turned about moves along the detector as a cosine."""
    angles = np.linspace(0, 330, 12)
    body = circle(0.2, 400) + (0.7, 0.1)
    x = np.linspace(-1.5, 1.5, 3001)
    seen = thickness([layer(body)], angles[None], np.tile(x, (1, 12, 1)), about=(0.2, 0.1))[0]
    centre = (seen * x).sum(axis=1) / seen.sum(axis=1)
    assert np.allclose(centre, 0.2 + 0.5 * np.cos(np.radians(angles)), atol=1e-4)


def test_layers_add_up_by_their_density():
    x = np.linspace(-1.5, 1.5, 33)
    layers = [layer(circle(corners=5000)), layer(circle(0.3, 5000), density=-1.0), layer(circle(0.1, 5000), density=2)]
    seen = thickness(layers, np.zeros((1, 1)), x[None, None])[0, 0]
    expected = sum(d * 2 * np.sqrt(np.maximum(r**2 - x**2, 0)) for r, d in ((1, 1), (0.3, -1), (0.1, 2)))
    assert np.allclose(seen, expected, atol=1e-5)


def test_particles_are_as_thick_as_the_documents_loop_finds_them(monkeypatch):
    """The loop is the one that the benchmark compares with; spirals, holes and their outlines, turned."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    plain_thickness = runpy.run_path(str(BENCHMARKS / "stem.py"))["plain_thickness"]
    layers = draw_slices(np.array([0, 1, 1]), np.array([1, -1, 0]), Shape(sig=0.2), generator(0, "loop"))
    angles, x = np.array([0.0, 37.0, 90.0, 200.0]), np.linspace(-1.8, 1.8, 64)
    seen = thickness(layers, np.tile(angles, (3, 1)), np.tile(x, (3, 4, 1)))
    for i in range(3):
        polygons = [(one.vertices[slice(*one.first[i : i + 2])].tolist(), one.density) for one in layers]
        for view, degrees in enumerate(angles):
            assert np.allclose(seen[i, view], plain_thickness(polygons, degrees, x.tolist()), rtol=0, atol=1e-12)


def test_views_are_spread_over_half_a_turn():
    assert np.array_equal(view_angles(1, Projection()), [0])
    assert np.array_equal(view_angles(2, Projection()), [0, 90])
    assert np.array_equal(view_angles(2, Projection(angles=(5, 50))), [5, 50])
    with pytest.raises(ValueError, match="but there are 3 views"):
        view_angles(3, Projection(angles=(5, 50)))


def test_noise_is_in_proportion_to_the_intensity():
    """Rays beside a slab see the background alone, those through it the background and its thickness."""
    slab = np.array([(0.2, -40), (9, -40), (9, 40), (0.2, 40)])
    p = Projection(noise=0.01, gauss=0, limit_var=0, background=20, data_points=40)
    x, _ = project([layer(*[slab] * 4000)], 1, p, generator(0, "noise"))
    beside, within = x[:, 0, :20], x[:, 0, 24:]
    scale = (within.mean(axis=1) - beside.mean(axis=1)) / 80  # of an intensity after it was brought to 0 ... 1
    ratio = (within.std(axis=1) / scale).mean() / (beside.std(axis=1) / scale).mean()
    assert ratio == pytest.approx(100 / 20, rel=0.02)
    assert (beside.std(axis=1, ddof=1) / scale).mean() == pytest.approx(0.01 * 20, rel=0.02)


def test_angles_and_detector_scatter_as_asked():
    p = Projection(sig_as=3, limit_var=0.2, noise=0, gauss=0, data_points=400)
    body = circle(0.5, 60)
    x, angles = project([layer(*[body] * 2000)], 2, p, generator(0, "jitter"))
    assert stats.kstest((angles - [0, 90]).ravel() / 3, "norm").pvalue > 0.001
    rays = np.linspace(p.lower, p.upper, p.data_points)
    centre = (x * rays).sum(axis=2) / x.sum(axis=2)
    assert stats.kstest(centre.ravel() / 0.2, "norm").pvalue > 0.001


def test_all_views_share_one_scale():
    intensity = np.array([[[1.0, 3.0], [2.0, 5.0]], [[4.0, 4.0], [4.0, 4.0]]])
    assert np.allclose(normalise(intensity), [[[0, 0.5], [0.25, 1]], [[0, 0], [0, 0]]])
    assert np.allclose(normalise(7 * intensity - 3), normalise(intensity))


def test_limits_in_the_wrong_order_are_refused():
    with pytest.raises(ParameterError, match=r"lower = 2 must be below upper = 1\.5"):
        Projection(lower=2)
