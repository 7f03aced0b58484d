"""Slices: the laws of their parts, as the document gives them."""

import math

import numpy as np
import pytest
from scipy import stats

from particlelab.randomness import generator
from particlelab.stem.shapes import (
    SPIRAL_DIMENSIONS,
    Shape,
    compensate_mass,
    draw_slices,
    hole_dimensions,
    lay_holes,
    lay_spirals,
)

MANY = 4000


def area(layer):
    """Return the signed area of each polygon."""
    areas = []
    for start, end in zip(layer.first[:-1], layer.first[1:], strict=True):
        x, y = layer.vertices[start:end].T
        areas.append(0.5 * (np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
    return np.array(areas)


def draw(parameters, hole=0, turn=0, n=MANY):
    return draw_slices(np.full(n, hole), np.full(n, turn), parameters, generator(0, "slices", hole, turn))


def test_outlines_have_the_radius_roughness_and_place_of_table_1():
    p = Shape(centre=(0.1, -0.2), sig_c=(0.3, 0.1))
    outline = draw(p)[0]
    corners = outline.vertices.reshape(MANY, p.angle_count, 2)
    sine = np.exp(2j * math.pi * np.arange(p.angle_count) / p.angle_count)
    # a corner is centre + radius (cos, sin): its mean over the corners gives the centre
    centre = corners.mean(axis=1)
    rough = p.sig * math.sqrt(0.5 / p.angle_count)  # of that mean
    for axis, (mean, deviation) in enumerate(zip(p.centre, p.sig_c, strict=True)):
        z = (centre[:, axis] - mean) / math.hypot(deviation, rough)
        assert stats.kstest(z, "norm").pvalue > 0.001
    radius = ((corners - centre[:, None]) * np.stack([sine.real, sine.imag], axis=1)).sum(axis=2)
    assert radius.mean() == pytest.approx(p.r, abs=4 * p.sig_r / math.sqrt(MANY))
    assert radius.mean(axis=1).std() == pytest.approx(math.hypot(p.sig_r, p.sig / math.sqrt(p.angle_count)), rel=0.05)
    # the centre takes 2 of the degrees of freedom of the corners, and the mean radius one
    expected = p.sig * math.sqrt(1 - 2 / p.angle_count)
    assert radius.std(axis=1, ddof=1).mean() == pytest.approx(expected, rel=0.02)


def test_a_hole_changes_the_mass_of_a_particle_by_nothing():
    """Eq. 9: on average, what is taken out is put on the outside."""
    p = Shape(sig_r=0, sig_hr=0, h_r=0.2, sig=0.01, angle_count=400)
    solid = area(draw(p)[0])
    outline, hole, _ = draw(p, hole=1)
    error = math.hypot(solid.std(), area(outline).std()) / math.sqrt(MANY)
    assert (area(outline) - area(hole)).mean() == pytest.approx(solid.mean(), abs=4 * error)
    assert area(hole).mean() > 100 * error


@pytest.mark.parametrize("density", [-1.0, 0.5, 2.0])
def test_compensation_for_holes_of_any_density(density):
    assert compensate_mass(1.0, 0.3, density) ** 2 + density * 0.3**2 == pytest.approx(1.0)


def test_eq_9_as_it_is_printed():
    assert compensate_mass(1.0, 0.1) - 1.0 == pytest.approx(math.sqrt(0.1**2 + 1) - 1)


def test_holes_have_corners_as_far_apart_as_the_outline():
    """Eq. 8: the angle between corners grows as the radius shrinks."""
    p = Shape(sig_r=0, sig_hr=0)
    for h_r, corners in ((0.1, 9), (0.2, 18), (0.5, 45)):
        hole = draw(p.replace(h_r=h_r), hole=1, n=3)[1]
        assert np.array_equal(np.diff(hole.first), [corners] * 3)


def test_holes_and_spirals_lie_within_their_range_evenly_in_angle_and_distance():
    p = Shape(sig_c=(0, 0), sig=0, h_range=0.4, s_range=0.1, sig_sr=0, s_r=0.5)
    _, hole, spiral = draw(p, hole=1, turn=1)
    centres = {0.4: [], 0.1: spiral.vertices[spiral.first[:-1]]}  # a spiral begins at its centre
    centres[0.4] = np.array([hole.vertices[a:b].mean(axis=0) for a, b in zip(hole.first, hole.first[1:], strict=False)])
    for reach, places in centres.items():
        distance, angle = np.hypot(*places.T), np.arctan2(*places.T)
        assert stats.kstest(distance / reach, "uniform").pvalue > 0.001
        assert stats.kstest((angle + math.pi) / (2 * math.pi), "uniform").pvalue > 0.001


@pytest.mark.parametrize("turn", [1, -1])
def test_spirals_follow_eqs_10_and_11(turn):
    p = Shape(s_range=0, angle_count=500)
    spiral = lay_spirals([turn], np.zeros((1, 2)), np.zeros((1, SPIRAL_DIMENSIONS)), p)
    inner, outer = spiral.vertices[: len(spiral.vertices) // 2], spiral.vertices[: len(spiral.vertices) // 2 - 1 : -1]
    radius, out = np.hypot(*inner.T), np.hypot(*outer.T)
    theta = np.linspace(0, p.s_r / p.s_s, len(inner))
    assert np.allclose(radius, p.s_s * theta)
    assert np.allclose(out, np.minimum((p.s_t + p.s_s) * theta, p.s_s * theta + p.s_t_max))
    along = np.unwrap(np.arctan2(inner[1:, 1], inner[1:, 0]))
    assert np.allclose(np.diff(along), -turn * np.diff(theta[1:]))  # clockwise: the angle falls on the way out


def test_a_turn_the_other_way_is_the_mirror_image():
    p, normal = Shape(), generator(0, "mirror").standard_normal((5, SPIRAL_DIMENSIONS))
    mirrored = normal.copy()
    mirrored[:, [0, 2]] *= -1  # angles of the place and of the start: u becomes 1 - u
    one = lay_spirals(np.ones(5, int), np.zeros((5, 2)), normal, p)
    other = lay_spirals(-np.ones(5, int), np.zeros((5, 2)), mirrored, p)
    assert np.allclose(one.vertices * (1, -1), other.vertices)


def test_what_a_slice_does_not_hold_leaves_no_corner():
    _, hole, spiral = draw_slices(np.array([0, 1, 0]), np.array([0, 0, 1]), Shape(), generator(0))
    assert [bool(k) for k in np.diff(hole.first)] == [False, True, False]
    assert [bool(k) for k in np.diff(spiral.first)] == [False, False, True]


def test_rough_holes_are_complete_even_where_they_are_large():
    p = Shape(h_r=0.1, sig_hr=0.05)
    normal = np.zeros((1, hole_dimensions(p)))
    normal[0, 0] = 6
    hole, _ = lay_holes(np.ones(1), np.ones(1), np.zeros((1, 2)), normal, p)
    assert np.diff(hole.first)[0] == round(p.angle_count * 0.4)
